/* SPDX-License-Identifier: Apache-2.0 */
/* Files of older libraries: opened once for writing, they have the newest schema and all that they had. */

#include <sqlite3.h>
#include <string.h>

#include "one_store.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static struct one_store one;

static void setup(void)
{
    one_store_setup(&one, tracked_context(&tracked, NULL, NULL));
}

static void teardown(void)
{
    shard_context *context = one.context;
    one_store_teardown(&one);
    tracked_context_free(&tracked, context);
}

static int keep_counts(void *self, const struct shard_series_bucket *bucket)
{
    int64_t *counts = self;
    counts[0] += bucket->values[SHARD_MEASURE_CPU_SHARE].count;
    counts[1] += bucket->values[SHARD_MEASURE_CENSORED].count;
    return 0;
}

static int64_t count_samples(const char *host, int64_t *ret_outcomes)
{
    struct shard_series_query query = {.struct_size = sizeof(query), .name = host};
    int64_t counts[2] = {0, 0};
    ck_assert_int_eq(one.store.port->series(one.store.self, &query, keep_counts, counts), 0);
    *ret_outcomes = counts[1];
    return counts[0];
}

/* The tables of samples and outcomes as version 2 had them: samples in rings. */
START_TEST(a_file_of_an_older_library_is_brought_up_to_date_with_what_it_has)
{
    int64_t outcomes;
    one_store_fill(&one, 3);
    int newest = one_store_version(&one);
    one_store_sql(
        &one,
        "DROP TABLE samples; DROP TABLE sample_hosts; DROP TABLE spans; DROP TABLE outcomes;"
        "CREATE TABLE sample_hosts(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL,"
        " slots INTEGER NOT NULL) STRICT;"
        "CREATE TABLE samples("
        " key INTEGER PRIMARY KEY, host INTEGER AS (key >> 32) VIRTUAL, time_ns INTEGER NOT NULL, cpu_share REAL,"
        " memory_share REAL, disk_share REAL, io_bytes_per_second REAL, network_bytes_per_second REAL,"
        " cpu_pressure REAL, memory_pressure REAL, io_pressure REAL, load REAL, temperature_celsius REAL) STRICT;"
        "CREATE TABLE outcomes("
        " id INTEGER PRIMARY KEY, run TEXT NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, task INTEGER NOT NULL,"
        " attempt INTEGER NOT NULL, outcome INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,"
        " seconds REAL, p_fail REAL, schema_hash INTEGER NOT NULL, row BLOB NOT NULL) STRICT;"
        "INSERT INTO sample_hosts VALUES(1, 'h', 1, 3), (2, 'new', 0, 3);"
        "INSERT INTO samples(key, time_ns, cpu_share) VALUES(1 << 32, 40, 0.5), ((1 << 32) + 1, 20, 0.25),"
        " ((1 << 32) + 2, 30, NULL);"
        "INSERT INTO outcomes VALUES(1, 'a', 'h', 'k', 1, 1, 1, 5, 9, 0.5, NULL, 3, x'0000803f');"
        "ALTER TABLE runs DROP COLUMN dropped_seq; ALTER TABLE records DROP COLUMN revision; DROP TABLE revisions;"
        "PRAGMA user_version = 2");
    ck_assert_int_eq(one_store_open(&one, 1), SHARD_EVERSION);
    ck_assert_ptr_nonnull(strstr(one_store_message(), "open it once for writing"));
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_version(&one), newest);
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->row_count, 3);
    ck_assert_int_eq(count_samples("h", &outcomes), 2);
    ck_assert_int_eq(outcomes, 1);
    /* Time goes on where it was: 40 is the newest, and is not taken twice. */
    struct shard_host_sample samples[3];
    for (int i = 0; i < 3; i++)
        samples[i] = (struct shard_host_sample){
            .host = i == 2 ? "new" : "h", .sample = {.struct_size = sizeof(struct shard_sample), .time_ns = 40 + i}};
    ck_assert_int_eq(one_store_answer(&one, one.store.port->put_samples(one.store.self, one.sink, 1, samples, 3)), 0);
    ck_assert_int_eq(count_samples("h", &outcomes), 3);
    ck_assert_int_eq(count_samples("new", &outcomes), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite files of older libraries");
    TCase *tests = tcase_create("older");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_file_of_an_older_library_is_brought_up_to_date_with_what_it_has);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
