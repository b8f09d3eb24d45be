/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine on a server that is killed with SIGKILL again and again and comes back with what its AOF holds: nothing
 * that was answered is lost, and no task runs twice. SHARD_REDIS_KILLS and SHARD_REDIS_TASKS make it longer.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "redis_server.h"
#include "suite.h"

enum { WIDTH = 10 };

struct life {
    struct redis_server server;
    shard_context *context;
    struct shard_store_handle store;
    struct shard_policy_handle policy;
    shard_engine *engine;
    int tasks, kills;
    unsigned char *starts;
    int started;
    shard_sink *sink;
    shard_token running[WIDTH];
    int running_count;
};

static struct life life;

static int number_from(const char *name, int fallback)
{
    const char *text = getenv(name);
    return text == NULL ? fallback : (int)strtol(text, NULL, 10);
}

/* Attempts run until the step is over, so that no step gets far; what is counted is how often each is begun. */
static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *what)
{
    (void)self;
    ck_assert_int_eq(what->attempt, 1);
    ck_assert_int_eq(life.starts[what->task]++, 0);
    ck_assert_int_lt(life.running_count, WIDTH);
    life.started++;
    life.sink = sink;
    life.running[life.running_count++] = token;
    return 0;
}

static void end_what_runs(void)
{
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = SHARD_OUTCOME_DONE, .seconds = 0.001};
    while (life.running_count > 0)
        ck_assert_int_eq(shard_sink_attempt_ended(life.sink, life.running[--life.running_count], &end), 0);
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    (void)self;
    (void)token;
    (void)reason;
}

/* Ten chains side by side, so that commits come one after the other for the whole run. */
static shard_workflow *make_workflow(void)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_new(life.context, "chains", &builder), 0);
    for (int i = 0; i < life.tasks; i++) {
        char name[32];
        snprintf(name, sizeof(name), "task-%d", i);
        struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = name};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), i);
        if (i >= WIDTH)
            ck_assert_int_ge(shard_builder_add_edge(builder, i - WIDTH, i), 0);
    }
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    return workflow;
}

static void open_engine(void)
{
    static const struct shard_executor executor = {
        .struct_size = sizeof(executor), .name = "one step", .start = start, .cancel = cancel};
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .url = life.server.url};
    struct shard_host_spec host = {
        .struct_size = sizeof(host), .name = "host", .cpu_millicores = 10000, .memory_bytes = 1 << 30, .slots = 10};
    ck_assert_int_eq(shard_context_new(NULL, &life.context), 0);
    ck_assert_int_eq(shard_redis_store_open(life.context, &config, &life.store), 0);
    ck_assert_int_eq(shard_policy_by_name(life.context, "round_robin", &life.policy), 0);
    struct shard_engine_config engine = {
        .struct_size = sizeof(engine), .executor = &executor, .store = life.store, .policy = life.policy};
    ck_assert_int_eq(shard_engine_new(life.context, &engine, &life.engine), 0);
    ck_assert_int_ge(shard_engine_add_host(life.engine, &host), 0);
}

/* Steps until the run has ended; the server dies after each share of the starts, and with a step in between. */
static int run_to_the_end(void)
{
    struct shard_event event = {.struct_size = sizeof(event)};
    int killed = 0;
    for (;;) {
        struct pollfd item = {.fd = shard_engine_fd(life.engine), .events = POLLIN};
        ck_assert_int_eq(poll(&item, 1, 60000), 1);
        ck_assert_int_ge(shard_engine_step(life.engine), 0);
        while (shard_engine_next_event(life.engine, &event) == 1)
            if (event.kind == SHARD_EVENT_RUN_ENDED) {
                ck_assert_int_eq(event.run_state, SHARD_RUN_DONE);
                return killed;
            }
        end_what_runs();
        if (killed >= life.kills || life.started < (killed + 1) * life.tasks / (life.kills + 1))
            continue;
        redis_server_kill(&life.server);
        ck_assert_int_ge(shard_engine_step(life.engine), 0);
        ck_assert_int_eq(redis_server_start(&life.server), 0);
        killed++;
    }
}

static void check_store(void)
{
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    shard_sink *sink = NULL;
    ck_assert_int_eq(shard_sink_new(life.context, &sink), 0);
    ck_assert_int_eq(life.store.port->load(life.store.self, sink, 1, "run", SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(shard_store_wait(&life.store, sink, 60000, &answer), 1);
    ck_assert_msg(answer.status == 0, "%s", answer.message);
    ck_assert_int_eq(answer.image->row_count, life.tasks);
    for (int i = 0; i < life.tasks; i++) {
        ck_assert_int_eq(answer.image->rows[i].state, SHARD_TASK_DONE);
        ck_assert_int_eq(answer.image->rows[i].attempt, 1);
    }
    ck_assert(answer.image->record_count == answer.image->last_seq);
    answer.image->release(answer.image);
    shard_sink_free(sink);
}

START_TEST(a_server_that_is_killed_loses_and_doubles_nothing)
{
    life.tasks = number_from("SHARD_REDIS_TASKS", 300);
    life.kills = number_from("SHARD_REDIS_KILLS", 6);
    life.starts = calloc((size_t)life.tasks, 1);
    ck_assert_int_eq(redis_server_start(&life.server), 0);
    open_engine();
    shard_workflow *workflow = make_workflow();
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run"};
    ck_assert_int_ge(shard_engine_submit(life.engine, workflow, &spec), 0);
    ck_assert_int_eq(run_to_the_end(), life.kills);
    for (int i = 0; i < life.tasks; i++)
        ck_assert_int_eq(life.starts[i], 1);
    check_store();
    life.store.port->close(life.store.self);
    shard_engine_free(life.engine);
    life.policy.port->destroy(life.policy.self);
    shard_workflow_unref(workflow);
    shard_context_free(life.context);
    redis_server_remove(&life.server);
    free(life.starts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis kill");
    TCase *tests = tcase_create("kill");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, a_server_that_is_killed_loses_and_doubles_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
