/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a scripted life of an engine fails once: the call says so, goes well when it is made again, the
 * run ends as it would have, and nothing is lost. */

#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "world.h"

static const char *const policies[] = {
    "heft",     "least_loaded", "round_robin", "exclude_after_failures", "late", "best_without_prediction",
    "adaptive", "replicates"};

enum { SOURCE, GROWS, WIDE, LATE_WIDE, FAR, LAST, TASK_COUNT };

static struct world world;
static long nth;
static struct shard_policy replicating;
static int replicas, adjusted;

/* A call that is refused for want of memory goes well when it is made again. */
#define MUST(expression)                                                                                   \
    do {                                                                                                   \
        int status_;                                                                                       \
        do                                                                                                 \
            status_ = (expression);                                                                        \
        while (world_forgives(&world, status_));                                                           \
        ck_assert_msg(status_ >= 0, "allocation %ld: %s: %s", nth, #expression, shard_code_text(status_)); \
    } while (0)

static void add_tasks(shard_builder *builder)
{
    /* FAR needs more CPUs than host 'a' has, so that its input is brought to another one's volume. */
    const struct shard_task_spec specs[TASK_COUNT] = {
        [SOURCE] = {.name = "source", .kind = "k", .expected_seconds = 1},
        [GROWS] = {.name = "grows", .memory_bytes = 1000, .payload = "payload", .payload_bytes = 7},
        [WIDE] = {.name = "wide", .units = 100, .parts = 3, .has_merge = 1},
        [LATE_WIDE] = {.name = "late_wide", .units = 10, .has_merge = 1},
        [FAR] = {.name = "far", .cpu_millicores = 6000, .timeout_seconds = 1000},
        [LAST] = {.name = "last", .priority = 1},
    };
    for (int i = 0; i < TASK_COUNT; i++) {
        struct shard_task_spec spec = specs[i];
        spec.struct_size = sizeof(spec);
        MUST(shard_builder_add_task(builder, &spec));
    }
    for (int i = GROWS; i < LAST; i++) {
        char name[16];
        snprintf(name, sizeof(name), "data-%d", i);
        MUST(shard_builder_add_data(builder, name, 1000));
        MUST(shard_builder_add_output(builder, SOURCE, i - GROWS));
        MUST(shard_builder_add_input(builder, i, i - GROWS));
        MUST(shard_builder_add_edge(builder, i, LAST));
    }
    int far_output = LAST - GROWS;
    MUST(shard_builder_add_data(builder, "far-output", -1));
    MUST(shard_builder_add_output(builder, FAR, far_output));
    MUST(shard_builder_add_input(builder, LAST, far_output));
}

static shard_workflow *make_workflow(void)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    MUST(shard_builder_new(world.context, "life", &builder));
    add_tasks(builder);
    MUST(shard_builder_seal(builder, &workflow));
    shard_builder_free(builder);
    return workflow;
}

/* GROWS runs out of memory once, LAST fails once, FAR is long enough to be found again by the second engine. */
static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    if (start->workflow_task == GROWS && start->memory_bytes < 2000)
        plan->outcome = SHARD_OUTCOME_OUT_OF_MEMORY;
    if (start->workflow_task == LAST && start->attempt == 1) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR;
        plan->message = "the first time is the hardest";
    }
    if (start->workflow_task == FAR || start->workflow_task == WIDE)
        plan->seconds = 60;
}

/* Wants a replica of each task that runs for long, as soon as a host has room for it. */
static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    (void)self;
    (void)shard_view_task(view, task, &about);
    if (about.parent >= 0 || shard_view_now_ns(view) - about.started_ns < 2000000000)
        return 0;
    for (shard_host_id host = 0; host < shard_view_host_count(view); host++) {
        if (host == about.host || shard_view_admits(view, task, host) != 1)
            continue;
        ret_decision->kind = SHARD_DECIDE_REPLICATE;
        ret_decision->host = host;
        replicas++;
        return 0;
    }
    return 0;
}

static void begin_world(const char *policy)
{
    if (strcmp(policy, "replicates") != 0) {
        world_init(&world, policy);
        return;
    }
    world_init(&world, "round_robin");
    replicating = *world.policy.port;
    replicating.review = review;
    world.config.policy.port = &replicating;
}

/* FAR, whose input is on its way, is looked at again, and a host gets nothing new for a while. */
static void adjust_and_quarantine(int run)
{
    while (world_state(&world, run, FAR) == SHARD_TASK_READY && world_turn(&world) != 0)
        ;
    if (world_state(&world, run, FAR) == SHARD_TASK_STAGING) { /* some place it where its input is */
        MUST(shard_engine_adjust(world.engine, world.runs[run].id, FAR));
        adjusted++;
    }
    MUST(shard_engine_host_quarantine(world.engine, world.hosts[0].id, 3));
}

static void explain_all(int run)
{
    for (int i = 0; i < TASK_COUNT; i++) {
        char *text = NULL;
        MUST(shard_engine_explain(world.engine, world.runs[run].id, i, &text));
        ck_assert_uint_gt(strlen(text), 0);
        shard_free(world.context, text);
    }
}

static void turn_until(int run, int32_t task, enum shard_task_state state)
{
    /* A task is in the state RUNNING before that is durable, and runs after. */
    for (int turns = 0; world_state(&world, run, task) != state ||
                        (state == SHARD_TASK_RUNNING && world_last_attempt(&world, run, task) == NULL);
         turns++)
        if (turns > 10000 || world_turn(&world) == 0)
            world_fail(&world, run, "never gets there");
}

static void forget(int run)
{
    MUST(shard_engine_forget(world.engine, world.runs[run].id));
    world.runs[run].id = -1;
}

/* Splits the rest of the first subtask that runs. */
static void split_what_runs(int run)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    MUST(shard_engine_run(world.engine, world.runs[run].id, &info));
    for (int32_t task = TASK_COUNT; task < info.task_count; task++) {
        struct world_attempt *attempt = world_last_attempt(&world, run, task);
        if (world_state(&world, run, task) != SHARD_TASK_RUNNING || attempt == NULL || attempt->is_over)
            continue;
        MUST(shard_engine_split(world.engine, world.runs[run].id, task, 2));
        return;
    }
}

/* Tasks wait while all hosts are drained, so that one can be split. */
static int first_engine(shard_workflow *workflow)
{
    world_start(&world);
    int run = world_submit(&world, workflow, "first", 1);
    turn_until(run, SOURCE, SHARD_TASK_RUNNING);
    for (int i = 0; i < world.host_count; i++)
        MUST(shard_engine_host_drain(world.engine, world.hosts[i].id));
    turn_until(run, LATE_WIDE, SHARD_TASK_READY);
    explain_all(run);
    MUST(shard_engine_split(world.engine, world.runs[run].id, LATE_WIDE, 3));
    for (int i = 0; i < world.host_count; i++)
        MUST(shard_engine_host_undrain(world.engine, world.hosts[i].id));
    adjust_and_quarantine(run);
    turn_until(run, FAR, SHARD_TASK_RUNNING);
    world_pass(&world, 5);
    explain_all(run);
    split_what_runs(run);
    world_pass(&world, 1);
    MUST(shard_engine_suspend(world.engine, world.runs[run].id));
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_SUSPENDED);
    return run;
}

/* What still runs is taken up; a host is lost with its own volume; the run is drained once. */
static void second_engine(int run)
{
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    /* A lease that could not be given back is waited for. */
    for (int turns = 0; world.by_event[SHARD_EVENT_ATTEMPT_ADOPTED] == 0; turns++)
        if (turns > 10000 || world.runs[run].ended || world_turn(&world) == 0)
            world_fail(&world, run, "adopts nothing");
    world_pass(&world, 1);
    explain_all(run);
    int lost = world_last_attempt(&world, run, FAR)->host;
    world_lose_host(&world, lost);
    world_pass(&world, 1);
    world_return_host(&world, lost);
    world_pass(&world, 1);
    MUST(shard_engine_drain(world.engine, world.runs[run].id));
    enum shard_run_state state = world_finish(&world, run);
    ck_assert_msg(state == SHARD_RUN_SUSPENDED, "allocation %ld: drained run is %s: %s", nth,
                  shard_run_state_text((int)state), world.runs[run].end_message);
    forget(run);
    world_resume(&world, run);
}

static void cancelled_run(shard_workflow *workflow)
{
    int run = world_submit(&world, workflow, "second", 0);
    turn_until(run, SOURCE, SHARD_TASK_RUNNING);
    MUST(shard_engine_data_is_on(world.engine, world.runs[run].id, 0, 0));
    MUST(shard_engine_cancel(world.engine, world.runs[run].id));
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    forget(run);
}

/* One life; whether an allocation was made to fail in it. */
static int live(const char *policy)
{
    begin_world(policy);
    world.tracked.calls = 0;
    world.tracked.fail_at = nth;
    world.config.adjust_threshold = 0.001;
    world.plan = plan;
    world.may_remake = 1; /* what a lost volume had */
    world_add_host(&world, "a", 4000, 1000000, 4, 0);
    world_add_host(&world, "b", 8000, 1000000, 2, 1);
    world_add_host(&world, "c", 8000, 1000000, 2, 2);
    shard_workflow *workflow = make_workflow();
    int run = first_engine(workflow);
    second_engine(run);
    cancelled_run(workflow);
    enum shard_run_state state = world_finish(&world, run);
    ck_assert_msg(state == SHARD_RUN_DONE, "allocation %ld: the run is %s: %s", nth, shard_run_state_text((int)state),
                  world.runs[run].end_message);
    world_check_done(&world, run);
    shard_workflow_unref(workflow);
    int failed = world.tracked.failed > 0;
    world_free(&world);
    return failed;
}

START_TEST(a_failed_allocation_is_told_and_loses_nothing)
{
    nth = 1;
    while (live(policies[_i]))
        nth++;
    ck_assert_int_gt(nth, 100);
    ck_assert(adjusted > 0 || strcmp(policies[_i], "heft") != 0);
    ck_assert(replicas > 0 || strcmp(policies[_i], "replicates") != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine allocations");
    TCase *lives = tcase_create("lives");
    tcase_set_timeout(lives, 120);
    tcase_add_loop_test(lives, a_failed_allocation_is_told_and_loses_nothing, 0,
                        (int)(sizeof(policies) / sizeof(policies[0])));
    suite_add_tcase(suite, lives);
    return suite_run(suite);
}
