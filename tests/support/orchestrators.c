/* SPDX-License-Identifier: Apache-2.0 */
/* The two orchestrators and their time: who is there, who stalls, who dies, and the loop. */

#include "orchestrators.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

#define WALL_NS INT64_C(1790000000000000000)
enum { TROUBLE_ENDS = 4000, MOST_TURNS = 40000, AFTER_THE_END = 200, LEASE_TURNS = 500 };

struct orchestrators orchestrators;
struct orchestrators_tally orchestrators_tally;

void orchestrators_problem(const char *format, ...)
{
    va_list arguments;
    if (orchestrators.problem[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(orchestrators.problem, sizeof(orchestrators.problem), format, arguments);
    va_end(arguments);
}

uint64_t orchestrators_draw(uint64_t below)
{
    uint64_t z = orchestrators.random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* The wall clock tells in its last digits whose it is. */
static int64_t clock_of(void *self, enum shard_clock_kind kind)
{
    const struct orchestrator *one = self;
    return kind == SHARD_CLOCK_WALL ? WALL_NS + orchestrators.now_ns + one->life : orchestrators.now_ns;
}

static shard_workflow *make_workflow(void)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_context_new(NULL, &orchestrators.context), 0);
    ck_assert_int_eq(shard_builder_new(orchestrators.context, "flow", &builder), 0);
    for (int i = 0; i < ORCHESTRATORS_TASKS; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec)};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), i);
        if (i >= 4)
            ck_assert_int_ge(shard_builder_add_edge(builder, i - 4, i), 0);
        if (i >= 6 && i % 3 == 0)
            ck_assert_int_ge(shard_builder_add_edge(builder, i - 6, i), 0);
    }
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    return workflow;
}

static void add_host(struct orchestrator *one)
{
    snprintf(one->boot_id, sizeof(one->boot_id), "%s", orchestrators.executor.boot_id);
    struct shard_host_spec host = {
        .struct_size = sizeof(host), .name = "host", .cpu_millicores = 4000, .slots = 4, .boot_id = one->boot_id};
    ck_assert_int_ge(shard_engine_add_host(one->engine, &host), 0);
}

/* That a host was away is not noticed at once. */
static void notice_reboot(struct orchestrator *one)
{
    if (strcmp(one->boot_id, orchestrators.executor.boot_id) == 0 || orchestrators_draw(20) > 0)
        return;
    ck_assert_int_eq(shard_engine_host_lost(one->engine, shard_engine_find_host(one->engine, "host")), 0);
    add_host(one);
}

static void make_engine(struct orchestrator *one)
{
    char owner[32];
    snprintf(owner, sizeof(owner), "life-%d", one->life);
    ck_assert_int_eq(shard_policy_by_name(one->context, "round_robin", &one->policy), 0);
    one->port = orchestrators_store;
    struct shard_engine_config config = {.struct_size = sizeof(config),
                                         .executor = &orchestrators_executor,
                                         .executor_self = one,
                                         .store = {&one->port, one},
                                         .policy = one->policy,
                                         .owner = owner,
                                         .lease_seconds = 2};
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        config.retry[i] = (struct shard_retry){200, 0.01, 0.1};
    ck_assert_int_eq(shard_engine_new(one->context, &config, &one->engine), 0);
    add_host(one);
}

/* The server's clock is the real one, which stands still here: that a lease is over by it is told to the server. */
static void end_leases(const char *prefix)
{
    char key[64];
    snprintf(key, sizeof(key), "{%s:run}:run", prefix);
    const char *const exists[] = {"EXISTS", key, NULL}, *const words[] = {"HSET", key, "ends", "0", NULL};
    if (strncmp(redis_proxy_ask(orchestrators.proxy, exists), ":1", 2) == 0)
        redis_proxy_ask(orchestrators.proxy, words);
}

/* Another orchestrator comes to life, when the server takes the lease of who was there for over. */
static void begin_life(struct orchestrator *one, const char *prefix)
{
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run", .stand_by = 1, .keep_going = 1};
    memset(one, 0, sizeof(*one));
    one->life = ++orchestrators.lives;
    orchestrators_tally.lives++;
    struct shard_context_config config = {.struct_size = sizeof(config), .clock = clock_of, .clock_self = one};
    ck_assert_int_eq(shard_context_new(&config, &one->context), 0);
    orchestrators_open_store(one, prefix);
    make_engine(one);
    if (orchestrators.must_submit) {
        one->run = shard_engine_submit(one->engine, orchestrators.workflow, &spec);
    } else {
        end_leases(prefix);
        one->run = shard_engine_resume(one->engine, &spec);
    }
    ck_assert_int_ge(one->run, 0);
}

static void end_life(struct orchestrator *one)
{
    shard_engine_free(one->engine);
    orchestrators_close_store(one);
    one->policy.port->destroy(one->policy.self);
    shard_context_free(one->context);
    memset(one, 0, sizeof(*one));
}

static void take_event(struct orchestrator *one, const struct shard_event *event)
{
    if (event->kind == SHARD_EVENT_TASK_DONE && orchestrators.told_done[event->task]++ > 0)
        orchestrators_problem("it is told twice that task %d is done", event->task);
    if (event->kind != SHARD_EVENT_RUN_ENDED)
        return;
    one->has_ended = 1;
    one->code = event->code;
    one->state = event->run_state;
    orchestrators.is_done |= event->run_state == SHARD_RUN_DONE;
    if (event->run_state == SHARD_RUN_FAILED || event->run_state == SHARD_RUN_CANCELLED)
        orchestrators_problem("the run ended %s", shard_run_state_text(event->run_state));
    if (event->code == SHARD_ENOENT)
        orchestrators.must_submit = 1;
    if (event->code == SHARD_EEXIST)
        orchestrators.must_submit = 0;
}

static void step(struct orchestrator *one)
{
    struct shard_event event = {.struct_size = sizeof(event)};
    if (one->life == 0 || one->stalls_until > orchestrators.turn)
        return;
    notice_reboot(one);
    ck_assert_int_ge(shard_engine_step(one->engine), 0);
    while (shard_engine_next_event(one->engine, &event) == 1)
        take_event(one, &event);
}

/* What befalls them, by lot. */
static void disturb(const char *prefix)
{
    struct orchestrator *one = &orchestrators.two[orchestrators_draw(2)], *other = &orchestrators.two[0];
    other += one == other;
    uint64_t lot = orchestrators_draw(4000);
    if (lot < 4 && one->life != 0) {
        end_life(one);
        orchestrators_tally.deaths++;
    } else if (lot < 12 && one->life != 0) {
        one->stalls_until = orchestrators.turn + 1 + (int64_t)orchestrators_draw(lot < 8 ? 1000 : 100);
        orchestrators_tally.stalls++;
    } else if (lot < 20 && one->life == 0 && other->life != 0) {
        begin_life(one, prefix);
        orchestrators_tally.take_overs++;
    } else if (lot < 22) {
        orchestrators_reboot();
    }
}

/* Who has ended makes room, and somebody is always there. */
static void replace(const char *prefix)
{
    for (int i = 0; i < 2; i++)
        if (orchestrators.two[i].has_ended)
            end_life(&orchestrators.two[i]);
    if (orchestrators.two[0].life == 0 && orchestrators.two[1].life == 0 && !orchestrators.is_done)
        begin_life(&orchestrators.two[0], prefix);
    if (orchestrators.lives >= ORCHESTRATORS_LIVES)
        orchestrators_problem("there is no end of lives");
}

static void one_turn(void)
{
    orchestrators.turn++;
    int moved = redis_proxy_turn(orchestrators.proxy);
    orchestrators.now_ns += moved ? 1000000 : 5000000;
    for (int i = 0; i < 2; i++)
        step(&orchestrators.two[i]);
    orchestrators_execute();
}

const char *orchestrators_run(struct redis_proxy *proxy, const struct orchestrators_plan *plan)
{
    static char prefix[32];
    static const char *const flush[] = {"FLUSHALL", NULL};
    memset(&orchestrators, 0, sizeof(orchestrators));
    snprintf(prefix, sizeof(prefix), "s%llu", (unsigned long long)plan->seed);
    orchestrators.plan = plan;
    orchestrators.proxy = proxy;
    orchestrators.random = plan->seed * 2 + 1;
    orchestrators.now_ns = INT64_C(1000000000000);
    orchestrators.must_submit = 1;
    orchestrators.workflow = make_workflow();
    strcpy(orchestrators.executor.boot_id, "boot");
    redis_proxy_begin(proxy, plan->seed, plan->trouble);
    while (!orchestrators.is_done && orchestrators.problem[0] == '\0') {
        if (orchestrators.turn < TROUBLE_ENDS)
            disturb(prefix);
        else
            proxy->trouble = 0;
        replace(prefix);
        if (orchestrators.turn % LEASE_TURNS == 0)
            end_leases(prefix);
        one_turn();
        if (orchestrators.turn > MOST_TURNS)
            orchestrators_problem("the run has no end");
    }
    proxy->trouble = 0;
    /* Who does not know yet that he was fenced, and copies that are late, change nothing any more. */
    for (int i = 0; i < AFTER_THE_END; i++)
        one_turn();
    orchestrators_tally.turns += orchestrators.turn;
    for (int i = 0; i < 2; i++)
        if (orchestrators.two[i].life != 0)
            end_life(&orchestrators.two[i]);
    if (orchestrators.problem[0] == '\0') {
        ck_assert_int_eq(
            shard_context_new(&(struct shard_context_config){.struct_size = sizeof(struct shard_context_config),
                                                             .clock = clock_of,
                                                             .clock_self = &orchestrators.two[0]},
                              &orchestrators.two[0].context),
            0);
        orchestrators_check_store(prefix);
        shard_context_free(orchestrators.two[0].context);
    }
    shard_workflow_unref(orchestrators.workflow);
    shard_context_free(orchestrators.context);
    redis_proxy_ask(proxy, flush);
    return orchestrators.problem[0] == '\0' ? NULL : orchestrators.problem;
}
