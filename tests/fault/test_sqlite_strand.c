/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait for the strand: what they share, what they do not, and what is kept of samples. */

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "faulty_vfs.h"
#include "one_store.h"
#include "suite.h"
#include "tracked.h"

/* An offload hook that keeps the job until it is told to go on, or refuses it. */
struct gate {
    void (*work)(void *arg);
    void *arg;
    int is_closed; /* keep what comes */
    int refuses;
};

static struct tracked tracked;
static struct one_store one;
static struct gate gate;
static struct faulty_vfs *disk;

static int offload_to_gate(void *self, void (*work)(void *arg), void *arg)
{
    struct gate *kept = self;
    if (kept->refuses)
        return SHARD_EBUSY;
    if (kept->is_closed)
        *kept = (struct gate){.work = work, .arg = arg, .is_closed = 1};
    else
        work(arg);
    return 0;
}

static void open_gate(void)
{
    gate.is_closed = 0;
    gate.work(gate.arg);
}

static void setup(void)
{
    memset(&gate, 0, sizeof(gate));
    disk = faulty_vfs_install();
    one_store_setup(&one, tracked_context(&tracked, offload_to_gate, &gate));
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_begin(&one), 0);
}

static void teardown(void)
{
    shard_context *context = one.context;
    one_store_teardown(&one);
    tracked_context_free(&tracked, context);
}

static int commit(int64_t seq, shard_task_id task, uint32_t version)
{
    struct shard_record record = {.seq = seq,
                                  .task = task,
                                  .host = -1,
                                  .version = version,
                                  .from = version == 0 ? SHARD_TASK_NONE : SHARD_TASK_READY,
                                  .to = SHARD_TASK_READY,
                                  .parent = -1};
    struct shard_commit batch = {.struct_size = sizeof(batch),
                                 .run = "a",
                                 .epoch = one.epoch,
                                 .operation = (uint64_t)(seq * 100 + task),
                                 .records = &record,
                                 .record_count = 1};
    int status = one.store.port->commit(one.store.self, one.sink, (shard_token)(seq * 100 + task), &batch);
    /* What was passed need not be there when the strand comes to it. */
    memset(&record, 0x55, sizeof(record));
    return status;
}

static void expect_answer(shard_token token, int status)
{
    ck_assert_int_eq(one_store_answer(&one, 0), status);
    ck_assert_uint_eq(one.answer.token, token);
}

START_TEST(a_call_does_not_wait_for_the_disk)
{
    gate.is_closed = 1;
    long calls = disk->calls;
    ck_assert_int_eq(commit(1, 0, 0), 0);
    ck_assert_int_eq(disk->calls, calls);
    ck_assert_int_eq(shard_sink_wait(one.sink, 0, &one.answer), 0);
    open_gate();
    expect_answer(100, 0);
}
END_TEST

START_TEST(commits_that_wait_share_a_transaction_and_fail_alone)
{
    gate.is_closed = 1;
    ck_assert_int_eq(commit(1, 0, 0), 0);
    ck_assert_int_eq(commit(2, 0, 7), 0); /* wrong version */
    ck_assert_int_eq(commit(3, 2, 0), 0); /* a gap, since the one before was refused */
    ck_assert_int_eq(commit(2, 3, 0), 0);
    ck_assert_int_eq(commit(3, 4, 0), 0);
    long calls = disk->calls;
    open_gate();
    long shared = disk->calls - calls;
    expect_answer(100, 0);
    expect_answer(200, SHARD_ECONFLICT);
    expect_answer(302, SHARD_ECONFLICT);
    expect_answer(203, 0);
    expect_answer(304, 0);
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->last_seq, 3);
    ck_assert_int_eq(one.answer.image->row_count, 3);
    /* One by one they take more: each has its own end of a transaction, and its own sync. */
    calls = disk->calls;
    for (int64_t seq = 4; seq < 7; seq++) {
        ck_assert_int_eq(commit(seq, (shard_task_id)seq + 10, 0), 0);
        expect_answer((shard_token)(seq * 100 + seq + 10), 0);
    }
    ck_assert_int_lt(shared, disk->calls - calls);
}
END_TEST

START_TEST(a_disk_that_fails_refuses_all_that_shared_the_transaction)
{
    gate.is_closed = 1;
    ck_assert_int_eq(commit(1, 0, 0), 0);
    ck_assert_int_eq(commit(2, 1, 0), 0);
    disk->fail_at = disk->calls + 1;
    open_gate();
    expect_answer(100, SHARD_EIO);
    expect_answer(201, SHARD_EIO);
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->last_seq, 0);
    ck_assert_int_eq(one.answer.image->row_count, 0);
    ck_assert_int_eq(commit(1, 0, 0), 0);
    expect_answer(100, 0);
}
END_TEST

START_TEST(a_hook_that_refuses_is_an_error_of_the_call)
{
    gate.refuses = 1;
    ck_assert_int_eq(commit(1, 0, 0), SHARD_EBUSY);
    gate.refuses = 0;
    ck_assert_int_eq(shard_sink_wait(one.sink, 0, &one.answer), 0);
    ck_assert_int_eq(commit(1, 0, 0), 0);
    expect_answer(100, 0);
}
END_TEST

static void put_samples(int count)
{
    static int64_t time_ns = 1000;
    struct shard_host_sample samples[40];
    ck_assert_int_le(count, 40);
    for (int i = 0; i < count; i++)
        samples[i] = (struct shard_host_sample){
            .host = i % 2 == 0 ? "even" : "odd",
            .sample = {.struct_size = sizeof(struct shard_sample), .time_ns = time_ns + i, .cpu_share = NAN}};
    time_ns += count;
    ck_assert_int_eq(one_store_answer(&one, one.store.port->put_samples(one.store.self, one.sink, 1, samples, count)),
                     0);
}

static int query_integer(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_open(one.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void reopen_keeping(int64_t samples)
{
    struct shard_sqlite_store_config config = {
        .struct_size = sizeof(config), .path = one.path, .keep_samples = samples};
    one_store_close(&one);
    ck_assert_int_eq(shard_sqlite_store_open(one.context, &config, &one.store), 0);
}

START_TEST(the_newest_samples_of_each_host_are_kept)
{
    reopen_keeping(8);
    put_samples(10);
    ck_assert_int_eq(query_integer("SELECT count(*) FROM samples"), 10);
    put_samples(40);
    ck_assert_int_eq(query_integer("SELECT count(*) FROM samples"), 16);
    ck_assert_int_eq(query_integer("SELECT min(time_ns) FROM samples"), 1050 - 16);
    ck_assert_int_eq(query_integer("SELECT count(*) FROM samples WHERE cpu_share IS NULL"), 16);
    reopen_keeping(3);
    put_samples(2);
    ck_assert_int_eq(query_integer("SELECT count(*) FROM samples"), 6);
    reopen_keeping(5);
    put_samples(20);
    ck_assert_int_eq(query_integer("SELECT count(*) FROM samples"), 10);
    ck_assert_int_eq(query_integer("SELECT sum(samples) FROM sample_hosts"), 10);
}
END_TEST

START_TEST(samples_come_after_commits_and_are_dropped_when_there_are_too_many)
{
    struct shard_host_sample sample = {.host = "a", .sample = {.struct_size = sizeof(sample.sample)}};
    int answers = 0;
    gate.is_closed = 1;
    for (int i = 0; i < 66000; i++) {
        ck_assert_int_eq(one.store.port->put_samples(one.store.self, one.sink, 1, &sample, 1), 0);
        answers += shard_sink_wait(one.sink, 0, &one.answer);
    }
    ck_assert_int_eq(answers, 66000 - 65536);
    ck_assert_int_eq(commit(1, 0, 0), 0);
    open_gate();
    expect_answer(100, 0);
    for (int i = 0; i < 65536; i++)
        expect_answer(1, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite strand");
    TCase *tests = tcase_create("strand");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_call_does_not_wait_for_the_disk);
    tcase_add_test(tests, commits_that_wait_share_a_transaction_and_fail_alone);
    tcase_add_test(tests, a_disk_that_fails_refuses_all_that_shared_the_transaction);
    tcase_add_test(tests, a_hook_that_refuses_is_an_error_of_the_call);
    tcase_add_test(tests, the_newest_samples_of_each_host_are_kept);
    tcase_add_test(tests, samples_come_after_commits_and_are_dropped_when_there_are_too_many);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
