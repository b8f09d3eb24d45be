/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine promises of runs, one sentence a test, in a world of virtual time.
 *
 * It is longer than 400 lines because it has a case for each sentence of the contract.
 */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static shard_builder *builder;

static void setup(void)
{
    world_init(&world, "least_loaded");
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
}

static void teardown(void)
{
    world_free(&world);
}

static shard_task_id task(struct shard_task_spec spec)
{
    spec.struct_size = sizeof(spec);
    shard_task_id id = shard_builder_add_task(builder, &spec);
    ck_assert_int_ge(id, 0);
    return id;
}

static int submit(int keep_going)
{
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    int run = world_submit(&world, workflow, "run", keep_going);
    shard_workflow_unref(workflow);
    return run;
}

/* ---- what the executor is told, by the scenarios ---- */

static enum shard_outcome fails_with;
static int failing_task, failures_left;

static void plan_failures(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    if (start->task == failing_task && failures_left > 0) {
        failures_left--;
        plan->outcome = fails_with;
    }
}

static void fail_task(int task_id, enum shard_outcome outcome, int times)
{
    failing_task = task_id;
    fails_with = outcome;
    failures_left = times;
    world.plan = plan_failures;
}

static void plan_long(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->seconds = 100;
}

static void plan_silent(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->is_silent = 1;
}

static void plan_slow_store(struct world *w, enum world_call call, struct world_fate *fate)
{
    (void)w;
    fate->seconds = call == WORLD_COMMIT ? 3 : 0;
}

START_TEST(a_task_starts_only_after_its_start_is_durable)
{
    world_add_host(&world, "a", 4000, 0, 4, 0);
    task((struct shard_task_spec){0});
    world.plan_store = plan_slow_store;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 2.9);
    ck_assert_int_eq(world.attempt_count, 0);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_STARTED], 0);
    world_explains(&world, run, 0, "starts once that is durable");
    world_pass(&world, 0.2);
    ck_assert_int_eq(world.attempt_count, 1);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_STARTED], 1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(each_failure_class_has_its_own_budget)
{
    static const enum shard_outcome classes[] = {SHARD_OUTCOME_TASK_ERROR, SHARD_OUTCOME_OUT_OF_DISK,
                                                 SHARD_OUTCOME_TIMEOUT, SHARD_OUTCOME_LAUNCH_ERROR};
    world.config.retry[classes[_i]] = (struct shard_retry){3, 1, 8};
    for (int i = 0; i < 4; i++)
        if (i != _i)
            world.config.retry[classes[i]].budget = -1;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world_start(&world);
    fail_task(0, classes[_i], 4);
    int run = submit(1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world.attempt_count, 4);
    /* The pauses double, less at most half: 1, 2, 4. */
    for (int i = 1; i < 4; i++) {
        double pause = (double)(world.attempts[i].started_ns - world.attempts[i - 1].started_ns) / 1e9 - 1;
        double most = 1 << (i - 1);
        ck_assert_msg(pause >= most / 2 - 1e-6 && pause <= most + 1e-6, "pause %d is %f", i, pause);
    }
    world_explains(&world, run, 0, "is failed");
}
END_TEST

START_TEST(a_task_that_ran_out_of_memory_gets_more)
{
    world_add_host(&world, "a", 1000, 1000, 1, 0);
    task((struct shard_task_spec){.memory_bytes = 300});
    world_start(&world);
    fail_task(0, SHARD_OUTCOME_OUT_OF_MEMORY, 2);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.attempts[0].memory, 300);
    ck_assert_int_eq(world.attempts[1].memory, 600);
    ck_assert_int_eq(world.attempts[2].memory, 1000);
}
END_TEST

START_TEST(max_attempts_bounds_all_budgets)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){.max_attempts = 2});
    world_start(&world);
    fail_task(0, SHARD_OUTCOME_HOST_LOST, 100);
    ck_assert_int_eq(world_finish(&world, submit(0)), SHARD_RUN_FAILED);
    ck_assert_int_eq(world.attempt_count, 2);
}
END_TEST

/* 0 -> 1 -> 2 and 3 by itself; 0 fails for good. */
static int run_with_failure(int keep_going)
{
    world.config.retry[SHARD_OUTCOME_TASK_ERROR].budget = -1;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    for (int i = 0; i < 4; i++)
        task((struct shard_task_spec){0});
    shard_builder_add_edge(builder, 0, 1);
    shard_builder_add_edge(builder, 1, 2);
    world_start(&world);
    fail_task(0, SHARD_OUTCOME_TASK_ERROR, 1);
    int run = submit(keep_going);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world_state(&world, run, 0), SHARD_TASK_FAILED);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_SKIPPED);
    ck_assert_int_eq(world_state(&world, run, 2), SHARD_TASK_SKIPPED);
    return run;
}

START_TEST(a_failed_task_stops_what_depends_on_it_and_with_keep_going_nothing_else)
{
    int run = run_with_failure(1);
    ck_assert_int_eq(world_state(&world, run, 3), SHARD_TASK_DONE);
}
END_TEST

START_TEST(without_keep_going_nothing_starts_after_a_failure)
{
    int run = run_with_failure(0);
    ck_assert_int_eq(world_state(&world, run, 3), SHARD_TASK_READY);
    ck_assert_int_eq(world.attempt_count, 1);
}
END_TEST

START_TEST(what_no_host_can_hold_is_said_at_once)
{
    world_add_host(&world, "a", 1000, 500, 1, 0);
    task((struct shard_task_spec){.name = "small"});
    task((struct shard_task_spec){.name = "large", .memory_bytes = 501});
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    world_start(&world);
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run"};
    ck_assert_int_eq(shard_engine_submit(world.engine, workflow, &spec), SHARD_EUNPLACEABLE);
    assert_message_has("large");
    spec.wait_for_hosts = 1;
    int run = world_submit_spec(&world, workflow, &spec);
    shard_workflow_unref(workflow);
    world_pass(&world, 10);
    world_explains(&world, run, 1, "too small");
    world_add_host(&world, "b", 1000, 501, 1, 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

START_TEST(when_the_only_large_host_leaves_its_tasks_are_given_up)
{
    world_add_host(&world, "small", 1000, 100, 1, 0);
    int large = world_add_host(&world, "large", 1000, 500, 1, 0);
    for (int i = 0; i < 3; i++)
        task((struct shard_task_spec){.memory_bytes = 400});
    world_start(&world);
    int run = submit(1);
    world_pass(&world, 0.5);
    world_lose_host(&world, large);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world_state(&world, run, 2), SHARD_TASK_FAILED);
    world_explains(&world, run, 2, shard_reason_text(SHARD_REASON_UNPLACEABLE));
}
END_TEST

START_TEST(without_any_host_a_run_waits_and_says_so)
{
    int host = world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    world_lose_host(&world, host);
    world_pass(&world, 100);
    ck_assert(strstr(world.last_warning, "no host") != NULL);
    ck_assert(!world.runs[run].ended);
    world_return_host(&world, host);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world_last_attempt(&world, run, 0)->number, 2);
}
END_TEST

START_TEST(a_draining_host_gets_nothing_new)
{
    int host = world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    task((struct shard_task_spec){0});
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 0.5);
    world.hosts[host].state = SHARD_HOST_DRAINING;
    ck_assert_int_eq(shard_engine_host_drain(world.engine, world.hosts[host].id), 0);
    world_pass(&world, 50);
    ck_assert_int_eq(world.attempt_count, 1);
    world_explains(&world, run, 1, "is draining");
    world.hosts[host].state = SHARD_HOST_UP;
    ck_assert_int_eq(shard_engine_host_undrain(world.engine, world.hosts[host].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

START_TEST(a_start_that_became_durable_after_its_host_was_drained_does_not_happen)
{
    int host = world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan_store = plan_slow_store;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    world.hosts[host].state = SHARD_HOST_DRAINING;
    ck_assert_int_eq(shard_engine_host_drain(world.engine, world.hosts[host].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world_last_attempt(&world, run, 0)->number, 2);
}
END_TEST

START_TEST(a_cancel_reaches_the_executor_even_after_a_long_pause)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world.config.cancel_grace_seconds = 5;
    world.config.lease_seconds = 1000;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    world.now_ns += INT64_C(50000000000); /* nobody steps */
    ck_assert_int_eq(shard_engine_cancel(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    ck_assert_int_eq(world.attempts[0].cancels, 1);
    ck_assert_int_eq(world.hosts[0].state, SHARD_HOST_UP);
    ck_assert_int_eq(world_state(&world, run, 0), SHARD_TASK_CANCELLED);
}
END_TEST

START_TEST(a_cancelled_run_is_not_resumed)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    ck_assert_int_eq(shard_engine_cancel(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    ck_assert_int_eq(world.runs[run].end.code, SHARD_ESTATE);
    ck_assert_int_eq(world.attempt_count, 1);
}
END_TEST

START_TEST(an_attempt_that_outlives_its_timeout_is_cancelled)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){.timeout_seconds = 5});
    world.plan = plan_long;
    world.config.retry[SHARD_OUTCOME_TIMEOUT].budget = -1;
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world.attempts[0].cancel_reason, SHARD_CANCEL_TIMEOUT);
    world_explains(&world, run, 0, "ended 1 times with timeout");
}
END_TEST

START_TEST(a_host_that_does_not_end_a_cancelled_attempt_counts_as_lost)
{
    int host = world_add_host(&world, "a", 2000, 0, 2, 0);
    task((struct shard_task_spec){.timeout_seconds = 5});
    world.plan = plan_silent;
    world.config.retry[SHARD_OUTCOME_TIMEOUT].budget = -1;
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    struct shard_host_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_host(world.engine, world.hosts[host].id, &view), 0);
    ck_assert_int_eq(view.state, SHARD_HOST_LOST);
}
END_TEST

START_TEST(a_drained_run_is_suspended_at_once_when_nothing_runs)
{
    task((struct shard_task_spec){0});
    world_start(&world);
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run", .wait_for_hosts = 1};
    int run = world_submit_spec(&world, workflow, &spec);
    shard_workflow_unref(workflow);
    world_settle(&world);
    int64_t before = world.now_ns;
    ck_assert_int_eq(shard_engine_drain(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_SUSPENDED);
    ck_assert_int_eq(world.now_ns, before);
    world_add_host(&world, "late", 1000, 0, 1, 0);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

START_TEST(what_runs_while_a_run_is_suspended_is_adopted)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    ck_assert_int_eq(shard_engine_suspend(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_SUSPENDED);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_ADOPTED], 1);
    ck_assert_int_eq(world.attempt_count, 1);
}
END_TEST

static int keep_state(void *self, const struct shard_run_summary *summary)
{
    *(int *)self = (int)summary->state;
    return 0;
}

static int state_in_store(void)
{
    int state = -1;
    ck_assert_int_eq(world.memory.port->list(world.memory.self, keep_state, &state), 0);
    return state;
}

START_TEST(a_run_that_is_resumed_is_active_in_the_store_before_anything_ends)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    ck_assert_int_eq(shard_engine_suspend(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_SUSPENDED);
    ck_assert_int_eq(state_in_store(), SHARD_RUN_SUSPENDED);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    world_settle(&world);
    ck_assert_int_eq(state_in_store(), SHARD_RUN_ACTIVE);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_ENDED], 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(state_in_store(), SHARD_RUN_DONE);
}
END_TEST

static int store_trouble, store_code;

static void plan_trouble(struct world *w, enum world_call call, struct world_fate *fate)
{
    (void)w;
    if (call == WORLD_COMMIT && store_trouble > 0) {
        store_trouble--;
        fate->code = store_code;
        fate->is_undone = store_trouble % 2;
    }
}

START_TEST(a_full_disk_is_waited_for_and_the_same_operation_sent_again)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan_store = plan_trouble;
    store_trouble = 4;
    store_code = SHARD_ENOSPC;
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.resent, 4);
    ck_assert_int_eq(world_logged(&world, "store-trouble"), 4);
}
END_TEST

START_TEST(a_disk_that_stays_full_suspends_the_run_which_can_be_resumed)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan_store = plan_trouble;
    store_trouble = 1000000;
    store_code = SHARD_ENOSPC;
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_SUSPENDED);
    ck_assert_int_eq(world.runs[run].end.code, SHARD_ENOSPC);
    store_trouble = 0;
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

static enum world_call lost_at;

static void plan_lost(struct world *w, enum world_call call, struct world_fate *fate)
{
    (void)w;
    if (call == lost_at) {
        fate->code = SHARD_ENOENT;
        fate->is_undone = 1;
    }
}

START_TEST(a_run_that_the_store_has_lost_is_not_called_one_that_never_was)
{
    static const enum world_call calls[] = {WORLD_ACQUIRE, WORLD_RENEW, WORLD_COMMIT, WORLD_LOAD};
    lost_at = calls[_i];
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    if (lost_at == WORLD_LOAD) {
        int run = submit(0);
        world_pass(&world, 1);
        world_crash(&world);
        world_start(&world);
        world.plan_store = plan_lost;
        world_resume(&world, run);
    } else {
        world.plan_store = plan_lost;
        submit(0);
    }
    ck_assert_int_eq(world_finish(&world, 0), SHARD_RUN_SUSPENDED);
    ck_assert_int_eq(world.runs[0].end.code, SHARD_ENOENT);
    ck_assert_ptr_nonnull(strstr(world.runs[0].end_message, "the store has lost the run"));
    ck_assert_int_eq(world.calls[lost_at], 1);
}
END_TEST

START_TEST(a_run_that_never_was_is_not_called_lost)
{
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run"};
    struct shard_event event = {.struct_size = sizeof(event)};
    shard_builder_free(builder);
    world.max_pull = -1;
    world_start(&world);
    ck_assert_int_ge(shard_engine_resume(world.engine, &spec), 0);
    world_pass(&world, 1);
    ck_assert_int_eq(shard_engine_next_event(world.engine, &event), 1);
    ck_assert_int_eq(event.kind, SHARD_EVENT_RUN_ENDED);
    ck_assert_int_eq(event.code, SHARD_ENOENT);
    ck_assert_str_eq(event.message, "no run 'run' in the store");
}
END_TEST

static void plan_no_renewals(struct world *w, enum world_call call, struct world_fate *fate)
{
    (void)w;
    if (call == WORLD_RENEW) {
        fate->code = SHARD_EIO;
        fate->is_undone = 1;
    }
}

START_TEST(a_run_is_let_go_of_before_its_lease_ends)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world.plan_store = plan_no_renewals;
    world.config.lease_seconds = 10;
    world_start(&world);
    int64_t begun = world.now_ns;
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FENCED);
    ck_assert(world.now_ns - begun < INT64_C(10000000000));
    ck_assert_int_le(world.calls[WORLD_RENEW], 20); /* it does not ask all the time */
    world.plan_store = NULL;
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.attempt_count, 1);
}
END_TEST

static void plan_slow_commits(struct world *w, enum world_call call, struct world_fate *fate)
{
    (void)w;
    fate->seconds = call == WORLD_COMMIT ? 1 : 0;
}

START_TEST(what_was_answered_in_time_but_seen_after_the_lease_starts_nothing)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan_store = plan_slow_commits;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 0.5);
    ck_assert_int_eq(world.calls[WORLD_COMMIT], 1);
    world.now_ns += INT64_C(60000000000); /* stopped, with the answer on its way */
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FENCED);
    ck_assert_int_eq(world.attempt_count, 0);
    world.plan_store = NULL;
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(a_clock_that_jumps_ahead_costs_the_lease_and_nothing_else)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    world.plan = plan_long;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 1);
    world.wall_ns -= INT64_C(3600000000000);
    world_pass(&world, 10);
    ck_assert(!world.runs[run].ended);
    world.now_ns += INT64_C(3600000000000);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FENCED);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(second_answers_are_refused_and_logged)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){0});
    task((struct shard_task_spec){0});
    world_start(&world);
    int run = submit(0);
    world_settle(&world);
    for (int i = 0; i < world.attempt_count; i++)
        world.attempts[i].plan.is_told_twice = 1;
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world_logged(&world, "stale-answer"), 1);
    world_check_done(&world, run);
}
END_TEST

START_TEST(events_that_nobody_pulls_hold_new_work_back)
{
    world_add_host(&world, "a", 1000, 0, 1, 0);
    for (int i = 0; i < 50; i++)
        task((struct shard_task_spec){0});
    world.config.max_events = 8;
    world.max_pull = -1;
    world_start(&world);
    int run = submit(0);
    world_pass(&world, 40);
    ck_assert_int_lt(world.attempt_count, 10);
    world.max_pull = 0;
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.attempt_count, 50);
}
END_TEST

START_TEST(a_split_covers_its_units_exactly_and_merges_last)
{
    world_add_host(&world, "a", 4000, 0, 4, 0);
    task((struct shard_task_spec){.units = 10, .parts = 3, .has_merge = 1});
    task((struct shard_task_spec){0});
    shard_builder_add_edge(builder, 0, 1);
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.attempt_count, 5);
    int64_t next = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(world.attempts[i].unit_begin, next);
        ck_assert_int_eq(world.attempts[i].index, i);
        ck_assert_int_eq(world.attempts[i].count, 3);
        ck_assert_int_eq(world.attempts[i].is_merge, 0);
        next = world.attempts[i].unit_end;
    }
    ck_assert_int_eq(next, 10);
    ck_assert_int_eq(world.attempts[3].is_merge, 1);
    ck_assert_int_eq(world.attempts[3].task, 0);
    ck_assert_int_eq(world.attempts[4].task, 1);
    char name[32];
    ck_assert_int_eq(shard_engine_task_name(world.engine, world.runs[run].id, 2, name, sizeof(name)), 4);
    ck_assert_str_eq(name, "t0/0");
}
END_TEST

START_TEST(a_subtask_that_is_given_up_ends_its_whole_family)
{
    world.config.retry[SHARD_OUTCOME_TASK_ERROR].budget = -1;
    world_add_host(&world, "a", 4000, 0, 2, 0);
    task((struct shard_task_spec){.units = 8, .parts = 4});
    task((struct shard_task_spec){0});
    shard_builder_add_edge(builder, 0, 1);
    world_start(&world);
    fail_task(2, SHARD_OUTCOME_TASK_ERROR, 1);
    int run = submit(1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world_state(&world, run, 0), SHARD_TASK_FAILED);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_SKIPPED);
    ck_assert_int_eq(world_state(&world, run, 4), SHARD_TASK_CANCELLED);
    ck_assert_int_eq(world_state(&world, run, 5), SHARD_TASK_CANCELLED);
}
END_TEST

START_TEST(a_split_that_cannot_be_is_refused_with_the_reason)
{
    task((struct shard_task_spec){.units = 10, .min_units = 3});
    task((struct shard_task_spec){0});
    shard_builder_add_edge(builder, 0, 1);
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world.plan_store = plan_slow_store;
    world_start(&world);
    int run = submit(0);
    shard_run_id id = world.runs[run].id;
    ck_assert_int_eq(shard_engine_split(world.engine, id, 0, 2), SHARD_ESTATE); /* it has not begun */
    world_settle(&world);
    ck_assert_int_eq(shard_engine_split(world.engine, 7, 0, 2), SHARD_ENOENT);
    ck_assert_int_eq(shard_engine_split(world.engine, id, 9, 2), SHARD_ENOENT);
    ck_assert_int_eq(shard_engine_split(world.engine, id, 1, 2), SHARD_ESTATE);
    ck_assert_int_eq(shard_engine_split(world.engine, id, 0, 2), SHARD_ESTATE); /* placed already */
    assert_message_has("has not started");
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

static void *answer_from_thread(void *arg)
{
    struct world_attempt *attempt = arg;
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = SHARD_OUTCOME_DONE};
    ck_assert_int_eq(shard_sink_attempt_ended(world_engine_sink(&world), attempt->token, &end), 0);
    return NULL;
}

START_TEST(answers_may_come_from_any_thread)
{
    enum { COUNT = 8 };
    world_add_host(&world, "a", 8000, 0, COUNT, 0);
    for (int i = 0; i < COUNT; i++)
        task((struct shard_task_spec){0});
    world.plan = plan_silent;
    world_start(&world);
    int run = submit(0);
    world_settle(&world);
    pthread_t threads[COUNT];
    ck_assert_int_eq(world.attempt_count, COUNT);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, answer_from_thread, &world.attempts[i]), 0);
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

/* ---- a policy that reviews ---- */

static struct shard_policy reviewing;
static struct shard_decision review_answer;
static int reviews;

static int review(void *self, const shard_view *view, shard_task_id task_id, struct shard_decision *ret_decision)
{
    (void)self;
    (void)view;
    (void)task_id;
    reviews++;
    *ret_decision = review_answer;
    review_answer.kind = SHARD_DECIDE_WAIT;
    return 0;
}

static int run_reviewed(enum shard_decision_kind kind, int host)
{
    reviewing = *world.policy.port;
    reviewing.review = review;
    world.config.policy.port = &reviewing;
    review_answer = (struct shard_decision){
        .struct_size = sizeof(review_answer), .kind = kind, .host = host, .p_fail = 0.5, .reason = SHARD_REASON_POLICY};
    reviews = 0;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    world_add_host(&world, "c", 1000, 0, 1, 0);
    task((struct shard_task_spec){.max_attempts = 1});
    world.plan = plan_long;
    world.config.retry[SHARD_OUTCOME_PREEMPTED].budget = -1;
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_ge(reviews, 90); /* about once a second */
    ck_assert_int_le(reviews, 110);
    return run;
}

START_TEST(a_running_task_is_moved_where_the_policy_wants_it_and_nobody_is_blamed)
{
    int run = run_reviewed(SHARD_DECIDE_MOVE, 2);
    ck_assert_int_eq(world.attempt_count, 2);
    ck_assert_int_eq(world.attempts[0].cancel_reason, SHARD_CANCEL_MOVED);
    ck_assert_int_eq(world.attempts[1].host, 2);
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, 0, &view), 0);
    ck_assert_int_eq(view.failures[SHARD_OUTCOME_PREEMPTED], 0);
}
END_TEST

START_TEST(other_decisions_for_a_running_task_are_refused_and_logged)
{
    static const enum shard_decision_kind kinds[] = {SHARD_DECIDE_REPLICATE, SHARD_DECIDE_SPLIT, SHARD_DECIDE_MOVE,
                                                     SHARD_DECIDE_MOVE};
    static const int hosts[] = {77, 1, 77, 0}; /* unknown; no units to share; unknown; where it is */
    run_reviewed(kinds[_i], hosts[_i]);
    ck_assert_int_eq(world.attempt_count, 1);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 1);
}
END_TEST

/* Of the policies only those that split do so after a failure; which they are told apart by here. */
START_TEST(an_engine_that_is_given_no_policy_has_the_adaptive_one)
{
    world.config.policy = (struct shard_policy_handle){0};
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    task((struct shard_task_spec){.units = 8, .expected_seconds = 100});
    fail_task(0, SHARD_OUTCOME_TIMEOUT, 1);
    world_start(&world);
    int run = submit(0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, 1, &view), 0);
    ck_assert_int_eq(view.parent, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runs");
    TCase *tcase = tcase_create("runs");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_task_starts_only_after_its_start_is_durable);
    tcase_add_loop_test(tcase, each_failure_class_has_its_own_budget, 0, 4);
    tcase_add_test(tcase, a_task_that_ran_out_of_memory_gets_more);
    tcase_add_test(tcase, max_attempts_bounds_all_budgets);
    tcase_add_test(tcase, a_failed_task_stops_what_depends_on_it_and_with_keep_going_nothing_else);
    tcase_add_test(tcase, without_keep_going_nothing_starts_after_a_failure);
    tcase_add_test(tcase, what_no_host_can_hold_is_said_at_once);
    tcase_add_test(tcase, when_the_only_large_host_leaves_its_tasks_are_given_up);
    tcase_add_test(tcase, without_any_host_a_run_waits_and_says_so);
    tcase_add_test(tcase, a_draining_host_gets_nothing_new);
    tcase_add_test(tcase, a_start_that_became_durable_after_its_host_was_drained_does_not_happen);
    tcase_add_test(tcase, a_cancel_reaches_the_executor_even_after_a_long_pause);
    tcase_add_test(tcase, a_cancelled_run_is_not_resumed);
    tcase_add_test(tcase, an_attempt_that_outlives_its_timeout_is_cancelled);
    tcase_add_test(tcase, a_host_that_does_not_end_a_cancelled_attempt_counts_as_lost);
    tcase_add_test(tcase, a_drained_run_is_suspended_at_once_when_nothing_runs);
    tcase_add_test(tcase, what_runs_while_a_run_is_suspended_is_adopted);
    tcase_add_test(tcase, a_run_that_is_resumed_is_active_in_the_store_before_anything_ends);
    tcase_add_test(tcase, a_full_disk_is_waited_for_and_the_same_operation_sent_again);
    tcase_add_test(tcase, a_disk_that_stays_full_suspends_the_run_which_can_be_resumed);
    tcase_add_loop_test(tcase, a_run_that_the_store_has_lost_is_not_called_one_that_never_was, 0, 4);
    tcase_add_test(tcase, a_run_that_never_was_is_not_called_lost);
    tcase_add_test(tcase, a_run_is_let_go_of_before_its_lease_ends);
    tcase_add_test(tcase, what_was_answered_in_time_but_seen_after_the_lease_starts_nothing);
    tcase_add_test(tcase, a_clock_that_jumps_ahead_costs_the_lease_and_nothing_else);
    tcase_add_test(tcase, second_answers_are_refused_and_logged);
    tcase_add_test(tcase, events_that_nobody_pulls_hold_new_work_back);
    tcase_add_test(tcase, a_split_covers_its_units_exactly_and_merges_last);
    tcase_add_test(tcase, a_subtask_that_is_given_up_ends_its_whole_family);
    tcase_add_test(tcase, a_split_that_cannot_be_is_refused_with_the_reason);
    tcase_add_test(tcase, answers_may_come_from_any_thread);
    tcase_add_test(tcase, an_engine_that_is_given_no_policy_has_the_adaptive_one);
    tcase_add_test(tcase, a_running_task_is_moved_where_the_policy_wants_it_and_nobody_is_blamed);
    tcase_add_loop_test(tcase, other_decisions_for_a_running_task_are_refused_and_logged, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
