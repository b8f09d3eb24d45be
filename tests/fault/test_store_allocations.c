/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a scripted life of a store fails once: an error comes back, nothing is lost, nothing changes. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "redis_server.h"
#include "suite.h"
#include "tempdir.h"
#include "tracked.h"

enum kind { MEMORY, SQLITE, REDIS };

static struct redis_server server;

struct script {
    shard_context *context;
    shard_sink *sink;
    shard_workflow *workflow;
    struct shard_store_handle store;
    struct shard_answer answer;
    struct tracked tracked;
    char directory[128];
    enum kind kind;
    long nth;
};

/*
 * A call fails for want of memory at most once, and is then made again; a connection that could not be made for want of
 * it is SHARD_EIO. In `expression` it is made; an answer may come through the return value or through the sink.
 */
#define MUST(script, expression)                                                                      \
    do {                                                                                              \
        int status_ = answer_of(script, expression);                                                  \
        if (is_want_of_memory(script, status_))                                                       \
            status_ = answer_of(script, expression);                                                  \
        ck_assert_msg(status_ == 0, "allocation %ld: %s: %d %s", (script)->nth, #expression, status_, \
                      (script)->answer.message);                                                      \
    } while (0)

static void drop_image(struct script *script)
{
    if (script->answer.image != NULL)
        script->answer.image->release(script->answer.image);
    memset(&script->answer, 0, sizeof(script->answer));
    script->answer.struct_size = sizeof(script->answer);
}

static int is_want_of_memory(const struct script *script, int status)
{
    return status == SHARD_ENOMEM || (status == SHARD_EIO && strstr(script->answer.message, "no memory") != NULL);
}

static int answer_of(struct script *script, int returned)
{
    drop_image(script);
    if (returned < 0)
        return returned;
    ck_assert_int_eq(shard_store_wait(&script->store, script->sink, script->kind == REDIS ? 60000 : 0, &script->answer),
                     1);
    return script->answer.status;
}

static int open_store(struct script *script)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/store.db", script->directory);
    struct shard_redis_store_config on_server = {.struct_size = sizeof(on_server), .url = server.url};
    if (script->kind == REDIS)
        return shard_redis_store_open(script->context, &on_server, &script->store);
    if (script->kind == SQLITE)
        return shard_sqlite_store_open(
            script->context,
            &(struct shard_sqlite_store_config){.struct_size = sizeof(struct shard_sqlite_store_config), .path = path},
            &script->store);
    struct shard_memory_store_config config = {.struct_size = sizeof(config), .keep_records = 5, .keep_samples = 5};
    return shard_memory_store_open(script->context, &config, &script->store);
}

static void make_records(struct shard_record records[6])
{
    for (int i = 0; i < 6; i++)
        records[i] = (struct shard_record){.seq = i + 1, .task = 1, .host = -1, .p_fail = NAN, .parent = -1};
    records[0].to = records[1].from = SHARD_TASK_READY;
    records[1].version = 1;
    records[1].to = records[2].from = SHARD_TASK_RUNNING;
    records[1].memory_bytes = 12345;
    records[2].version = 2;
    records[2].to = records[5].from = SHARD_TASK_BACKOFF;
    records[2].outcome = SHARD_OUTCOME_TIMEOUT;
    records[2].detail = "too late";
    records[2].detail_bytes = 8;
    records[3].type = SHARD_RECORD_HOST;
    records[3].host = 9;
    records[3].detail = "nine";
    records[3].detail_bytes = 4;
    records[4].type = SHARD_RECORD_RUN;
    records[4].to = SHARD_RUN_SUSPENDED;
    records[5].version = 3;
    records[5].to = SHARD_TASK_READY;
}

static void check_image(const struct script *script, int64_t last_seq)
{
    const struct shard_run_image *image = script->answer.image;
    ck_assert_ptr_nonnull(image);
    ck_assert_int_eq(image->last_seq, last_seq);
    if (last_seq == 0) {
        ck_assert_int_eq(image->row_count, 0);
        ck_assert_int_eq(image->host_count, 0);
        return;
    }
    ck_assert_int_eq(image->row_count, 1);
    ck_assert_uint_eq(image->rows[0].version, 4);
    ck_assert_int_eq(image->rows[0].failures[SHARD_OUTCOME_TIMEOUT], 1);
    ck_assert_int_eq(image->rows[0].memory_bytes, 12345);
    ck_assert_int_eq(image->host_count, 10);
    ck_assert_str_eq(image->hosts[9], "nine");
    ck_assert_int_eq(image->state, SHARD_RUN_SUSPENDED);
    ck_assert_int_eq(image->records[image->record_count - 4].detail_bytes, 8);
}

static void load_and_check(struct script *script, int64_t last_seq)
{
    const struct shard_store *port = script->store.port;
    MUST(script, port->load(script->store.self, script->sink, 1, "a", SHARD_LOAD_RECORDS));
    check_image(script, last_seq);
}

static int stop_at_once(void *self, const struct shard_run_summary *run)
{
    (void)run;
    ++*(int *)self;
    return 0;
}

static int count_bucket(void *self, const struct shard_series_bucket *bucket)
{
    *(int64_t *)self += bucket->values[SHARD_MEASURE_CPU_SHARE].count + bucket->values[SHARD_MEASURE_CENSORED].count;
    return 0;
}

static int count_outcome(void *self, const struct shard_outcome_row *outcome)
{
    *(int64_t *)self += outcome->task == 1;
    return 0;
}

/* What a failed call has written may be there already when it is made again. */
static void live_series(struct script *script)
{
    const struct shard_store *port = script->store.port;
    void *self = script->store.self;
    const struct shard_sample_tag tag = {"a", 1, 1};
    const float values[] = {1};
    struct shard_host_sample sample = {
        .host = "nine", .sample = {.struct_size = sizeof(sample.sample), .time_ns = 5}, .tags = &tag, .tag_count = 1};
    struct shard_outcome_row outcome = {.struct_size = sizeof(outcome),
                                        .run = "a",
                                        .host = "nine",
                                        .kind = "k",
                                        .task = 1,
                                        .outcome = SHARD_OUTCOME_DONE,
                                        .end_ns = 7,
                                        .values = values,
                                        .columns = 1};
    MUST(script, port->put_samples(self, script->sink, 1, &sample, 1));
    MUST(script, port->put_outcomes(self, script->sink, 1, &outcome, 1));
    struct shard_series_query query = {.struct_size = sizeof(query), .of = SHARD_SERIES_TASK, .name = "a", .task = 1};
    int64_t seen = 0;
    if (port->series(self, &query, count_bucket, &seen) < 0) {
        seen = 0;
        ck_assert_int_eq(port->series(self, &query, count_bucket, &seen), 0);
    }
    ck_assert_int_eq(seen, 2);
    seen = 0;
    if (port->each_outcome(self, count_outcome, &seen) < 0)
        ck_assert_int_eq(port->each_outcome(self, count_outcome, &seen), 0);
    ck_assert_int_eq(seen, 1);
    struct shard_compact what = {.struct_size = sizeof(what)};
    struct shard_compacted done = {.struct_size = sizeof(done)};
    if (port->compact != NULL && port->compact(self, &what, &done) < 0)
        ck_assert_int_eq(port->compact(self, &what, &done), 0);
}

static void live(struct script *script)
{
    struct shard_record records[6];
    make_records(records);
    if (open_store(script) < 0)
        ck_assert_int_eq(open_store(script), 0);
    const struct shard_store *port = script->store.port;
    void *self = script->store.self;
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "a", .workflow = script->workflow};
    MUST(script, port->create(self, script->sink, 1, &create));
    MUST(script, port->acquire(self, script->sink, 1, "a", "me", 60000));
    int64_t epoch = script->answer.epoch;
    load_and_check(script, 0);
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "a",
                                  .epoch = epoch,
                                  .operation = 1,
                                  .records = records,
                                  .record_count = 6};
    int status = answer_of(script, port->commit(self, script->sink, 1, &commit));
    if (is_want_of_memory(script, status)) {
        load_and_check(script, 0);
        status = answer_of(script, port->commit(self, script->sink, 1, &commit));
    }
    ck_assert_int_eq(status, 0);
    MUST(script, port->renew(self, script->sink, 1, "a", epoch, 60000));
    load_and_check(script, 6);
    live_series(script);
    int listed = 0;
    if (port->list(self, stop_at_once, &listed) < 0)
        ck_assert_int_eq(port->list(self, stop_at_once, &listed), 0);
    ck_assert_int_eq(listed, 1);
    MUST(script, port->release(self, script->sink, 1, "a", epoch));
    drop_image(script);
    port->close(self);
}

static void fail_each_allocation(enum kind kind)
{
    for (long nth = 1;; nth++) {
        struct script script = {.kind = kind, .nth = nth};
        shard_builder *builder = NULL;
        script.context = tracked_context(&script.tracked, NULL, NULL);
        tempdir_make(script.directory);
        ck_assert_int_eq(shard_sink_new(script.context, &script.sink), 0);
        ck_assert_int_eq(shard_builder_new(script.context, "flow", &builder), 0);
        struct shard_task_spec spec = {.struct_size = sizeof(spec)};
        shard_builder_add_task(builder, &spec);
        shard_builder_add_task(builder, &spec);
        ck_assert_int_eq(shard_builder_seal(builder, &script.workflow), 0);
        shard_builder_free(builder);
        if (kind == REDIS)
            redis_server_ask(&server, (const char *const[]){"FLUSHALL", NULL});
        script.tracked.fail_at = script.tracked.calls + nth;
        live(&script);
        long failed = script.tracked.failed;
        shard_workflow_unref(script.workflow);
        shard_sink_free(script.sink);
        tracked_context_free(&script.tracked, script.context);
        tempdir_remove(script.directory);
        if (failed == 0) {
            ck_assert_int_gt(nth, 20);
            return;
        }
    }
}

START_TEST(the_memory_store_takes_back_what_it_has_no_memory_for)
{
    fail_each_allocation(MEMORY);
}
END_TEST

START_TEST(the_sqlite_store_takes_back_what_it_has_no_memory_for)
{
    struct shard_store_handle store;
    struct shard_sqlite_store_config config = {.struct_size = sizeof(config)};
    shard_context *context = NULL;
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    int is_built = shard_sqlite_store_open(context, &config, &store) != SHARD_ENOTSUP;
    shard_context_free(context);
    if (is_built)
        fail_each_allocation(SQLITE);
}
END_TEST

#ifdef TEST_REDIS_STORE
START_TEST(the_redis_store_takes_back_what_it_has_no_memory_for)
{
    ck_assert_int_eq(redis_server_start(&server), 0);
    fail_each_allocation(REDIS);
    redis_server_remove(&server);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("store allocations");
    TCase *tests = tcase_create("allocations");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, the_memory_store_takes_back_what_it_has_no_memory_for);
    tcase_add_test(tests, the_sqlite_store_takes_back_what_it_has_no_memory_for);
#ifdef TEST_REDIS_STORE
    tcase_add_test(tests, the_redis_store_takes_back_what_it_has_no_memory_for);
#endif
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
