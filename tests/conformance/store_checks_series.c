/* SPDX-License-Identifier: Apache-2.0 */
/* Time series: what is put comes back in buckets, of a host, a kind and a task, and is bounded. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store_checks.h"

#define SECOND INT64_C(1000000000)
/* A Tuesday in 2023, so that stores which reckon in other units meet numbers as large as real ones. */
#define BEGIN (INT64_C(1700000000) * SECOND)

enum { MOST_BUCKETS = 64 };

struct history {
    int count;
    int64_t starts[MOST_BUCKETS];
    struct shard_series_value values[MOST_BUCKETS][SHARD_MEASURE_COUNT];
    int stop_after;
};

static int keep_bucket(void *self, const struct shard_series_bucket *bucket)
{
    struct history *history = self;
    if (history->count < MOST_BUCKETS && bucket->value_count == SHARD_MEASURE_COUNT) {
        history->starts[history->count] = bucket->start_ns;
        memcpy(history->values[history->count], bucket->values, sizeof(history->values[0]));
    }
    history->count++;
    return history->count == history->stop_after;
}

static int read_series(struct store_fixture *fixture, const struct shard_series_query *query, struct history *ret)
{
    *ret = (struct history){.count = 0};
    return fixture->store.port->series(fixture->store.self, query, keep_bucket, ret);
}

static int put_samples(struct store_fixture *fixture, const struct shard_host_sample *samples, int32_t count)
{
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token,
                      fixture->store.port->put_samples(fixture->store.self, fixture->sink, token, samples, count));
}

static int put_outcomes(struct store_fixture *fixture, const struct shard_outcome_row *outcomes, int32_t count)
{
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token,
                      fixture->store.port->put_outcomes(fixture->store.self, fixture->sink, token, outcomes, count));
}

static struct shard_host_sample sample_of(const char *host, int64_t time_ns, double cpu_share)
{
    return (struct shard_host_sample){.host = host,
                                      .sample = {.struct_size = sizeof(struct shard_sample),
                                                 .time_ns = time_ns,
                                                 .cpu_share = cpu_share,
                                                 .memory_share = NAN,
                                                 .load = cpu_share * 8,
                                                 .temperature_celsius = -0.5}};
}

static struct shard_outcome_row outcome_of(const char *host, const char *kind, shard_task_id task,
                                           enum shard_outcome outcome, int64_t end_ns, double seconds)
{
    static const float values[] = {1};
    return (struct shard_outcome_row){.struct_size = sizeof(struct shard_outcome_row),
                                      .run = "a",
                                      .host = host,
                                      .kind = kind,
                                      .task = task,
                                      .attempt = 1,
                                      .outcome = outcome,
                                      .start_ns = end_ns - SECOND,
                                      .end_ns = end_ns,
                                      .seconds = seconds,
                                      .p_fail = 0.25,
                                      .values = values,
                                      .columns = 1};
}

static int is_value(const struct shard_series_value *value, int64_t count, double mean, double min, double max)
{
    return value->count == count && fabs(value->mean - mean) < 1e-12 && value->min == min && value->max == max;
}

const char *a_history_of_a_host_has_buckets_of_its_samples(struct store_fixture *fixture)
{
    struct shard_host_sample samples[8];
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    for (int i = 0; i < 7; i++)
        samples[i] = sample_of("h \"1\"", BEGIN + 10 * i * SECOND + 1, 0.125 * i);
    samples[7] = sample_of("another", BEGIN + 5, 1);
    EXPECT_STATUS(put_samples(fixture, samples, 8), 0);
    EXPECT_STATUS(put_samples(fixture, samples, 8), 0); /* those are there already */
    struct shard_series_query query = {.struct_size = sizeof(query), .name = "h \"1\""};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 1 && history.starts[0] == 0, "%d buckets", history.count);
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_CPU_SHARE], 7, 0.375, 0, 0.75), "cpu is wrong");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_LOAD], 7, 3, 0, 6), "load is wrong");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_TEMPERATURE_CELSIUS], 7, -0.5, -0.5, -0.5),
           "temperature is wrong");
    EXPECT(history.values[0][SHARD_MEASURE_MEMORY_SHARE].count == 0 &&
               isnan(history.values[0][SHARD_MEASURE_MEMORY_SHARE].mean) &&
               isnan(history.values[0][SHARD_MEASURE_MEMORY_SHARE].max),
           "what was NaN is counted");
    EXPECT(history.values[0][SHARD_MEASURE_FAILED].count == 0, "attempts out of nowhere");
    /* Both ends count to the nanosecond, and buckets begin at from_ns: 1 | 2 3 | 4 5 are in, 0 and 6 are not. */
    query.from_ns = BEGIN + 2;
    query.to_ns = BEGIN + 60 * SECOND + 1;
    query.every_ns = 20 * SECOND;
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 3, "%d buckets", history.count);
    for (int i = 0; i < 3; i++)
        EXPECT(history.starts[i] == query.from_ns + i * query.every_ns, "bucket %d begins at %lld", i,
               (long long)history.starts[i]);
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_CPU_SHARE], 2, 0.1875, 0.125, 0.25), "first bucket");
    EXPECT(is_value(&history.values[2][SHARD_MEASURE_CPU_SHARE], 1, 0.625, 0.625, 0.625), "last bucket");
    query.from_ns++;
    query.to_ns--;
    query.every_ns = 1;
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 5, "%d buckets, empty ones are not told", history.count);
    history = (struct history){.stop_after = 2};
    EXPECT_STATUS(fixture->store.port->series(fixture->store.self, &query, keep_bucket, &history), 0);
    EXPECT(history.count == 2, "told on after it was enough");
    return NULL;
}

const char *a_history_of_a_kind_has_how_attempts_ended(struct store_fixture *fixture)
{
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    const struct shard_outcome_row rows[] = {
        outcome_of("h", "blast", 1, SHARD_OUTCOME_DONE, BEGIN, 4),
        outcome_of("h", "blast", 2, SHARD_OUTCOME_TIMEOUT, BEGIN + SECOND, 100),
        outcome_of("i", "blast", 3, SHARD_OUTCOME_DONE, BEGIN + 2 * SECOND, 6),
        outcome_of("i", "blast", 4, SHARD_OUTCOME_CANCELLED, BEGIN + 2 * SECOND + 7, 1),
        outcome_of("i", "other", 5, SHARD_OUTCOME_PREEMPTED, BEGIN + 3 * SECOND, 1),
        outcome_of("h", "blast", 6, SHARD_OUTCOME_DONE, BEGIN + SECOND - 1, NAN), /* late */
    };
    EXPECT_STATUS(put_outcomes(fixture, rows, 6), 0);
    struct shard_series_query query = {.struct_size = sizeof(query), .of = SHARD_SERIES_KIND, .name = "blast"};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 1, "%d buckets", history.count);
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_SECONDS], 2, 5, 4, 6), "seconds are of those that were done");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_FAILED], 4, 0.25, 0, 1), "censored ones are neither");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_CENSORED], 5, 0.2, 0, 1), "censored ones");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_P_FAIL], 5, 0.25, 0.25, 0.25), "forecasts");
    query = (struct shard_series_query){
        .struct_size = sizeof(query), .name = "h", .from_ns = BEGIN, .to_ns = BEGIN + SECOND, .every_ns = SECOND / 2};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 2 && history.values[1][SHARD_MEASURE_CENSORED].count == 1, "ends count, and to the ns");
    query = (struct shard_series_query){.struct_size = sizeof(query), .of = SHARD_SERIES_TASK, .name = "a", .task = 5};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 1 && is_value(&history.values[0][SHARD_MEASURE_CENSORED], 1, 1, 1, 1), "of one task");
    query.name = "b";
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 0, "of another run");
    return NULL;
}

const char *a_history_of_a_task_has_the_samples_it_was_tagged_with(struct store_fixture *fixture)
{
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    /* Attempt 1 is on h from 1 to 3, attempt 2 on i from 4 to 5, attempt 3 on h again from 8. */
    const struct shard_sample_tag tags[] = {{"a", 7, 1}, {"a", 9, 1}, {"a", 7, 3},
                                            {"a", 9, 1}, {"b", 7, 1}, {"a", 7, 2}};
    struct shard_host_sample samples[16];
    int32_t count = 0;
    for (int i = 0; i < 10; i++) {
        samples[count] = sample_of("h", BEGIN + i * SECOND, i);
        samples[count].tags = i >= 8 ? &tags[2] : i >= 1 && i <= 3 ? &tags[0] : &tags[3];
        samples[count++].tag_count = i >= 8 ? 3 : i == 2 ? 2 : 1;
    }
    for (int i = 3; i < 7; i++) {
        samples[count] = sample_of("i", BEGIN + i * SECOND, 100);
        samples[count].tags = &tags[5];
        samples[count++].tag_count = i == 4 || i == 5;
    }
    EXPECT_STATUS(put_samples(fixture, samples, 5), 0);
    EXPECT_STATUS(put_samples(fixture, samples + 5, count - 5), 0);
    struct shard_series_query query = {
        .struct_size = sizeof(query), .of = SHARD_SERIES_TASK, .name = "a", .task = 7, .every_ns = SECOND};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    static const int64_t seconds[] = {1, 2, 3, 4, 5, 8, 9};
    EXPECT(history.count == 7, "%d buckets", history.count);
    for (int i = 0; i < 7; i++)
        EXPECT(history.starts[i] == BEGIN + seconds[i] * SECOND &&
                   history.values[i][SHARD_MEASURE_CPU_SHARE].count == 1 &&
                   history.values[i][SHARD_MEASURE_CPU_SHARE].mean == (i == 3 || i == 4 ? 100 : (double)seconds[i]),
               "second %lld is wrong", (long long)seconds[i]);
    query.from_ns = BEGIN + 2 * SECOND;
    query.to_ns = BEGIN + 5 * SECOND;
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 3, "%d buckets in a range", history.count);
    query = (struct shard_series_query){.struct_size = sizeof(query), .of = SHARD_SERIES_TASK, .name = "b", .task = 7};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(history.count == 1 && history.values[0][SHARD_MEASURE_CPU_SHARE].count == 2, "the other run's task");
    return NULL;
}

const char *a_history_of_what_is_not_known_is_empty(struct store_fixture *fixture)
{
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    for (int of = SHARD_SERIES_HOST; of <= SHARD_SERIES_TASK; of++) {
        struct shard_series_query query = {
            .struct_size = sizeof(query), .of = (enum shard_series_of)of, .name = "nobody"};
        EXPECT_STATUS(read_series(fixture, &query, &history), 0);
        EXPECT(history.count == 0, "%d buckets out of nothing", history.count);
    }
    return NULL;
}

const char *bad_queries_and_series_are_refused(struct store_fixture *fixture)
{
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    const struct shard_series_query good = {.struct_size = sizeof(good), .name = "h"};
    struct shard_series_query bad[6];
    for (int i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].name = "";
    bad[1].of = (enum shard_series_of)3;
    bad[2].from_ns = -1;
    bad[3].from_ns = 2;
    bad[3].to_ns = 1;
    bad[4].every_ns = -1;
    bad[5].of = SHARD_SERIES_TASK;
    bad[5].task = -1;
    for (int i = 0; i < 6; i++)
        EXPECT_STATUS(read_series(fixture, &bad[i], &history), SHARD_EINVAL);
    struct shard_host_sample sample = sample_of("h", -1, 0);
    EXPECT_STATUS(put_samples(fixture, &sample, 1), SHARD_EINVAL);
    sample = sample_of("a\nb", 1, 0);
    EXPECT_STATUS(put_samples(fixture, &sample, 1), SHARD_EINVAL);
    const struct shard_sample_tag tag = {"a", -1, 1};
    sample = sample_of("h", 1, 0);
    sample.tag_count = 1;
    EXPECT_STATUS(put_samples(fixture, &sample, 1), SHARD_EINVAL);
    sample.tags = &tag;
    EXPECT_STATUS(put_samples(fixture, &sample, 1), SHARD_EINVAL);
    struct shard_outcome_row outcome = outcome_of("h", "k", -1, SHARD_OUTCOME_DONE, 1, 1);
    EXPECT_STATUS(put_outcomes(fixture, &outcome, 1), SHARD_EINVAL);
    outcome = outcome_of("h", "k", 1, SHARD_OUTCOME_NONE, 1, 1);
    EXPECT_STATUS(put_outcomes(fixture, &outcome, 1), SHARD_EINVAL);
    EXPECT_STATUS(read_series(fixture, &good, &history), 0);
    EXPECT(history.count == 0, "something of what was refused is there");
    return NULL;
}

static const char *expect_counts(struct store_fixture *fixture, const char *host, int64_t samples, int64_t outcomes)
{
    struct history history;
    struct shard_series_query query = {.struct_size = sizeof(query), .name = host};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    int64_t seen = history.count == 0 ? 0 : history.values[0][SHARD_MEASURE_CPU_SHARE].count;
    EXPECT(seen == samples, "%lld samples of '%s' are kept, expected %lld", (long long)seen, host, (long long)samples);
    seen = history.count == 0 ? 0 : history.values[0][SHARD_MEASURE_CENSORED].count;
    EXPECT(seen == outcomes, "%lld outcomes of '%s' are kept, expected %lld", (long long)seen, host,
           (long long)outcomes);
    return NULL;
}

const char *series_are_bounded_by_age_and_count(struct store_fixture *fixture)
{
    if (fixture->store.port->series == NULL)
        return NULL;
    fixture->subject->keep_samples = 10;
    fixture->subject->keep_seconds = 100;
    EXPECT_STATUS(store_reopen(fixture), 0);
    for (int i = 0; i < 30; i++) {
        struct shard_host_sample samples[2] = {sample_of("h", BEGIN + i * SECOND, 1),
                                               sample_of("i", BEGIN + i * 30 * SECOND, 1)};
        struct shard_outcome_row outcome =
            outcome_of(i < 15 ? "h" : "i", "k", i, SHARD_OUTCOME_DONE, BEGIN + i * (i < 15 ? 1 : 30) * SECOND, 1);
        EXPECT_STATUS(put_samples(fixture, samples, 2), 0);
        EXPECT_STATUS(put_outcomes(fixture, &outcome, 1), 0);
        if (i == 14)
            EXPECT_WELL(expect_counts(fixture, "h", 10, 10));
    }
    EXPECT_WELL(expect_counts(fixture, "h", 10, fixture->subject->bounds_each ? 10 : 0));
    EXPECT_WELL(expect_counts(fixture, "i", 4, 4));
    return NULL;
}

/* More than a store reads at a time. */
const char *a_large_history_is_read_whole(struct store_fixture *fixture)
{
    enum { BATCHES = 5, IN_BATCH = 1000 };
    static struct shard_host_sample samples[IN_BATCH];
    static struct shard_outcome_row outcomes[IN_BATCH];
    struct history history;
    if (fixture->store.port->series == NULL)
        return NULL;
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < IN_BATCH; i++) {
            int64_t time_ns = BEGIN + (int64_t)(batch * IN_BATCH + i) * 1000;
            samples[i] = sample_of("h", time_ns, i % 2);
            outcomes[i] = outcome_of("h", "k", i, SHARD_OUTCOME_DONE, time_ns, 2);
        }
        EXPECT_STATUS(put_samples(fixture, samples, IN_BATCH), 0);
        EXPECT_STATUS(put_outcomes(fixture, outcomes, IN_BATCH), 0);
    }
    struct shard_series_query query = {.struct_size = sizeof(query), .name = "h"};
    EXPECT_STATUS(read_series(fixture, &query, &history), 0);
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_CPU_SHARE], BATCHES * IN_BATCH, 0.5, 0, 1), "samples");
    EXPECT(is_value(&history.values[0][SHARD_MEASURE_SECONDS], BATCHES * IN_BATCH, 2, 2, 2), "outcomes");
    return NULL;
}

/* A store may keep a few more, as it drops them by the hundred. */
const char *a_long_run_keeps_its_newest_records_only(struct store_fixture *fixture)
{
    enum { LIVES = 1000, KEPT = 300, SLACK = 450 };
    struct shard_record records[3];
    if (!fixture->subject->keeps_all)
        return NULL;
    fixture->subject->keep_records = KEPT;
    EXPECT_STATUS(store_reopen(fixture), 0);
    int64_t epoch = store_begin(fixture, "a", "me");
    for (int task = 0; task < LIVES; task++) {
        store_life(records, 1 + 3 * task, task);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, (uint64_t)task + 1, records, 3), 0);
    }
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->last_seq == (int64_t)LIVES * 3 && image->row_count == LIVES, "rows went with their records");
    EXPECT(image->record_count >= KEPT && image->record_count <= KEPT + SLACK, "%lld records are left",
           (long long)image->record_count);
    EXPECT(image->records[image->record_count - 1].seq == image->last_seq, "the newest is not the last");
    EXPECT_STATUS(store_commit(fixture, "a", epoch, LIVES, records, 3), 0); /* it is known that this was done */
    return NULL;
}

const char *old_records_are_dropped_and_the_run_goes_on(struct store_fixture *fixture)
{
    const struct shard_store *port = fixture->store.port;
    struct shard_record records[3];
    struct shard_compacted done = {.struct_size = sizeof(done)};
    struct shard_compact what = {.struct_size = sizeof(what), .keep_records = 5};
    if (port->compact == NULL)
        return NULL;
    int64_t epoch = store_begin(fixture, "a", "me");
    store_begin(fixture, "b", "me");
    for (int task = 0; task < 10; task++) {
        store_life(records, 1 + 3 * task, task);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, (uint64_t)task + 1, records, 3), 0);
    }
    EXPECT_STATUS(port->compact(fixture->store.self, &what, &done), 0);
    EXPECT(done.runs == 2 && done.records > 0, "%d runs, %lld records", done.runs, (long long)done.records);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->last_seq == 30 && image->row_count == 10, "rows went with their records");
    EXPECT(image->record_count >= 5 && image->record_count < 5 + 3, "%lld records are left",
           (long long)image->record_count);
    EXPECT(image->records[image->record_count - 1].seq == 30, "the newest is not the last");
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 10, records, 3), 0); /* it is known that this was done */
    store_life(records, 31, 10);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 11, records, 3), 0);
    EXPECT_STATUS(port->compact(fixture->store.self, &what, &done), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->row_count == 11, "the run did not go on");
    what.keep_records = -1;
    EXPECT_STATUS(port->compact(fixture->store.self, &what, &done), SHARD_EINVAL);
    return NULL;
}
