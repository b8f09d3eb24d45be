/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random runs: workflows, hosts, outcomes, delays and crashes drawn from a seed. What must hold in each of them is
 * checked by the world; here it is said that they all end, with each task done once, whatever happened.
 */

#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;

/* What may happen in a run, as bits. */
enum {
    FAILURES = 1,
    HOSTS_VANISH = 2,
    STORE_LAGS = 4,
    SPLITS = 8,
    DATA = 16,
    CRASHES = 32,
    ODD_REATTACH = 64,
    DRAINS = 128,
    REVIEWS = 256,  /* tasks that run are moved, split and replicated */
    TOGETHER = 512, /* tasks share containers */
};

static unsigned happens;

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)start;
    plan->seconds = world_unit(w) < 0.1 ? -1 : 0.01 + 3 * world_unit(w);
    plan->is_told_twice = world_unit(w) < 0.05;
    if ((happens & FAILURES) != 0 && world_unit(w) < 0.2) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR + (int)(world_random(w) % 7);
        plan->message = "drawn";
        if (world_unit(w) < 0.2)
            plan->refuse = SHARD_EIO;
    }
    if ((happens & SPLITS) != 0 && start->unit_end - start->unit_begin > 1)
        plan->unit_seconds = 0.01 + 0.3 * world_unit(w);
    plan->shrink = (enum world_shrink)(world_random(w) % (world_unit(w) < 0.7 ? 2 : 5));
    if ((happens & ODD_REATTACH) != 0)
        plan->reattach = (enum world_reattach)(world_random(w) % 4);
}

static void plan_store(struct world *w, enum world_call call, struct world_fate *fate)
{
    if ((happens & STORE_LAGS) == 0)
        return;
    fate->seconds = world_unit(w) < 0.5 ? 0 : 0.2 * world_unit(w);
    if (call == WORLD_COMMIT && world_unit(w) < 0.1) {
        fate->code = world_unit(w) < 0.5 ? SHARD_EIO : SHARD_ENOSPC;
        fate->is_undone = world_unit(w) < 0.5;
        fate->is_refused = world_unit(w) < 0.3;
    }
    if (call == WORLD_RENEW && world_unit(w) < 0.1)
        fate->code = SHARD_EIO;
}

static void plan_stage(struct world *w, const struct shard_stage *stage, struct world_stage_plan *plan)
{
    (void)stage;
    plan->seconds = 0.01 + world_unit(w);
    if ((happens & FAILURES) != 0 && world_unit(w) < 0.1)
        plan->status = SHARD_EIO;
}

static shard_workflow *draw_workflow(struct world *w)
{
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(w->context, "drawn", &builder), 0);
    int count = 1 + (int)(world_random(w) % 60);
    shard_data_id outputs[64];
    for (int i = 0; i < count; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                       .kind = world_unit(w) < 0.5 ? "a" : "b",
                                       .cpu_millicores = (int64_t)(world_random(w) % 3) * 500,
                                       .memory_bytes = (int64_t)(world_random(w) % 3) * 100,
                                       .expected_seconds = world_unit(w) * 3,
                                       .priority = world_unit(w) < 0.1};
        if ((happens & SPLITS) != 0 && world_unit(w) < 0.3) {
            spec.units = 2 + (int64_t)(world_random(w) % 20);
            spec.parts = world_unit(w) < 0.5 ? 2 : 0;
            spec.has_merge = world_unit(w) < 0.5;
        }
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), i);
        char name[32];
        snprintf(name, sizeof(name), "d%d", i);
        if ((happens & DATA) != 0) {
            outputs[i] = shard_builder_add_data(builder, name, 1000);
            ck_assert_int_eq(shard_builder_add_output(builder, i, outputs[i]), 0);
        }
        for (int k = 0; i > 0 && k < 3; k++) {
            int from = (int)(world_random(w) % (uint64_t)i);
            if ((happens & DATA) != 0 && world_unit(w) < 0.6)
                ck_assert_int_eq(shard_builder_add_input(builder, i, outputs[from]), 0);
            else if (world_unit(w) < 0.5)
                ck_assert_int_eq(shard_builder_add_edge(builder, from, i), 0);
        }
    }
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    return workflow;
}

static void draw_hosts(struct world *w)
{
    int count = 1 + (int)(world_random(w) % 6);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "h%d", i);
        int volume = (happens & DATA) == 0 || i == 0 ? 0 : i;
        world_add_host(w, name, 1000 + 1000 * (int64_t)(world_random(w) % 3), 200 + 100 * (i % 3),
                       1 + (int)(world_random(w) % 4), volume);
    }
}

/* An engine that was restarted cannot know that a host lost its disk before it came back; only the application can. */
static int may_return(void)
{
    return (happens & (DATA | CRASHES)) != (DATA | CRASHES);
}

/* What befalls the cluster. Host 0 stays, so that there is always one that is large enough. */
static void disturb(struct world *w)
{
    int host = 1 + (int)(world_random(w) % 6);
    if (host >= w->host_count || w->engine == NULL)
        return;
    struct world_host *is = &w->hosts[host];
    if ((happens & HOSTS_VANISH) != 0 && world_unit(w) < 0.02) {
        if (is->state == SHARD_HOST_UP || is->state == SHARD_HOST_DRAINING)
            world_lose_host(w, host);
        else if (may_return())
            world_return_host(w, host);
    }
    if ((happens & DRAINS) != 0 && world_unit(w) < 0.02 && is->state <= SHARD_HOST_DRAINING) {
        int drains = is->state == SHARD_HOST_UP;
        is->state = drains ? SHARD_HOST_DRAINING : SHARD_HOST_UP;
        ck_assert_int_eq(
            drains ? shard_engine_host_drain(w->engine, is->id) : shard_engine_host_undrain(w->engine, is->id), 0);
    }
}

static void split_one(struct world *w)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    if ((happens & SPLITS) == 0 || world_unit(w) > 0.05 || w->runs[0].id < 0 ||
        shard_engine_run(w->engine, w->runs[0].id, &info) < 0 || info.task_count == 0)
        return;
    (void)shard_engine_split(w->engine, w->runs[0].id, (shard_task_id)(world_random(w) % (uint64_t)info.task_count),
                             2 + (int)(world_random(w) % 3));
}

/* What a policy could want of tasks that run, without much sense. */
static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    static const enum shard_decision_kind kinds[] = {SHARD_DECIDE_MOVE, SHARD_DECIDE_SPLIT, SHARD_DECIDE_REPLICATE};
    struct world *w = &world;
    (void)self;
    (void)task;
    if (world_unit(w) < 0.5)
        return 0;
    ret_decision->kind = kinds[world_random(w) % 3];
    ret_decision->host = (shard_host_id)(world_random(w) % (uint64_t)shard_view_host_count(view));
    ret_decision->parts = 2 + (int32_t)(world_random(w) % 3);
    ret_decision->keep_units = world_unit(w) < 0.5 ? 0 : 1;
    ret_decision->reason = SHARD_REASON_POLICY;
    return 0;
}

static const struct shard_policy *placing; /* the policy that is drawn with */

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    int status = placing->place(self, view, task, ret_decision);
    if (status == 0 && ret_decision->kind == SHARD_DECIDE_START && world_unit(&world) < 0.7)
        ret_decision->with = (int32_t)(world_random(&world) % 6);
    return status;
}

static void many_retries(struct world *w)
{
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        w->config.retry[i] = (struct shard_retry){200, 0.1, 1};
}

static void run_one(uint64_t seed, const char *policy, unsigned what)
{
    happens = what;
    world_init(&world, policy);
    world.random = seed * 0x9e3779b97f4a7c15u + 1;
    world.plan = plan;
    world.plan_store = plan_store;
    world.plan_stage = plan_stage;
    world.may_remake = (what & (DATA | HOSTS_VANISH)) == (DATA | HOSTS_VANISH);
    many_retries(&world);
    placing = world.policy.port;
    struct shard_policy odd = *placing;
    world.config.policy.port = &odd;
    if ((what & REVIEWS) != 0)
        odd.review = review;
    if ((what & TOGETHER) != 0)
        odd.place = place;
    if (seed % 5 == 0)
        world.executor.shrink = NULL;
    world.config.reattach_seconds = 2;
    world.config.memory_growth = 1; /* what asks for more than the hosts that are left is given up, rightly */
    draw_hosts(&world);
    shard_workflow *workflow = draw_workflow(&world);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    for (int turns = 0;; turns++) {
        if (turns > 50000) {
            char text[64];
            snprintf(text, sizeof(text), "(seed %llu, %s) has no end", (unsigned long long)seed, policy);
            world_fail(&world, run, text);
        }
        if (world.runs[run].ended && world.runs[run].end.run_state == SHARD_RUN_DONE)
            break;
        if (world.runs[run].ended && !(what & (CRASHES | STORE_LAGS)))
            ck_abort_msg("seed %llu, %s, %x: ended %s: %s", (unsigned long long)seed, policy, what,
                         shard_run_state_text((int)world.runs[run].end.run_state), world.runs[run].end_message);
        int crash = (what & CRASHES) != 0 && world_unit(&world) < 0.01;
        if (crash || world.runs[run].ended) {
            world_crash(&world);
            for (int h = 0; h < world.host_count; h++)
                if (world.hosts[h].state == SHARD_HOST_DRAINING)
                    world.hosts[h].state = SHARD_HOST_UP;
            world_start(&world);
            world_resume(&world, run);
            if (world.runs[run].epoch == 0) { /* it crashed before there was a run */
                world_pass(&world, 0.5);
                if (world.runs[run].ended && world.runs[run].end.code == SHARD_ENOENT)
                    break;
            }
        }
        disturb(&world);
        split_one(&world);
        if (world_turn(&world) == 0) {
            for (int h = 1; h < world.host_count; h++)
                if (world.hosts[h].state >= SHARD_HOST_LEFT && may_return())
                    world_return_host(&world, h);
            if (world_turn(&world) == 0)
                world_finish(&world, run); /* says what hangs */
        }
    }
    if (!(world.runs[run].end.code == SHARD_ENOENT))
        world_check_done(&world, run);
    world_free(&world);
}

static const char *const policies[] = {
    "round_robin", "least_loaded", "heft", "exclude_after_failures", "random_retry", "late", "best_without_prediction",
    "adaptive"};

static void run_many(int seeds, unsigned what)
{
    for (int seed = 1; seed <= seeds; seed++)
        run_one((uint64_t)seed, policies[seed % 4], what);
}

START_TEST(every_run_ends_with_each_task_done_once)
{
    run_many(100, 0);
}
END_TEST

START_TEST(failures_are_tried_again_until_all_is_done)
{
    run_many(100, FAILURES);
}
END_TEST

START_TEST(hosts_may_vanish_and_drain_while_it_runs)
{
    run_many(100, FAILURES | HOSTS_VANISH | DRAINS);
}
END_TEST

START_TEST(data_is_where_it_is_needed_and_made_again_when_it_is_lost)
{
    run_many(100, DATA);
    run_many(100, DATA | HOSTS_VANISH);
    run_many(100, DATA | HOSTS_VANISH | FAILURES | DRAINS);
}
END_TEST

START_TEST(a_store_that_lags_and_fails_for_a_while_loses_nothing)
{
    run_many(100, STORE_LAGS);
    run_many(100, STORE_LAGS | FAILURES | HOSTS_VANISH);
}
END_TEST

START_TEST(tasks_are_split_at_any_time)
{
    run_many(100, SPLITS);
    run_many(100, SPLITS | FAILURES | HOSTS_VANISH);
}
END_TEST

START_TEST(a_crash_at_any_step_loses_and_doubles_nothing)
{
    run_many(150, CRASHES);
    run_many(150, CRASHES | FAILURES | HOSTS_VANISH | SPLITS);
}
END_TEST

START_TEST(a_crash_is_survived_with_all_else_going_wrong)
{
    run_many(150, CRASHES | FAILURES | HOSTS_VANISH | SPLITS | STORE_LAGS | ODD_REATTACH | DRAINS);
    run_many(150, CRASHES | FAILURES | HOSTS_VANISH | DATA | STORE_LAGS | ODD_REATTACH | DRAINS);
}
END_TEST

START_TEST(tasks_that_run_are_moved_split_and_replicated)
{
    run_many(50, REVIEWS | SPLITS);
    run_many(50, REVIEWS | SPLITS | FAILURES | HOSTS_VANISH | DRAINS);
    run_many(50, REVIEWS | SPLITS | DATA | HOSTS_VANISH | FAILURES);
}
END_TEST

START_TEST(a_crash_amid_moves_splits_and_replicas_loses_and_doubles_nothing)
{
    run_many(70, REVIEWS | SPLITS | CRASHES);
    run_many(70, REVIEWS | SPLITS | CRASHES | FAILURES | HOSTS_VANISH | STORE_LAGS | ODD_REATTACH | DRAINS);
    run_many(70, REVIEWS | SPLITS | CRASHES | FAILURES | HOSTS_VANISH | STORE_LAGS | ODD_REATTACH | DATA);
}
END_TEST

START_TEST(data_splits_and_lost_hosts_go_together)
{
    run_many(150, FAILURES | HOSTS_VANISH | DATA | SPLITS);
}
END_TEST

START_TEST(tasks_share_containers_that_come_apart_at_any_time)
{
    run_many(100, TOGETHER);
    run_many(100, TOGETHER | FAILURES | HOSTS_VANISH | DRAINS);
    run_many(100, TOGETHER | FAILURES | HOSTS_VANISH | DATA | SPLITS | REVIEWS);
}
END_TEST

START_TEST(a_crash_amid_shared_containers_loses_and_doubles_nothing)
{
    run_many(100, TOGETHER | CRASHES);
    run_many(100, TOGETHER | CRASHES | REVIEWS | SPLITS | FAILURES | HOSTS_VANISH | STORE_LAGS | ODD_REATTACH | DRAINS);
    run_many(100, TOGETHER | CRASHES | REVIEWS | SPLITS | FAILURES | HOSTS_VANISH | STORE_LAGS | DATA);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random runs");
    TCase *tcase = tcase_create("random runs");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_run_ends_with_each_task_done_once);
    tcase_add_test(tcase, failures_are_tried_again_until_all_is_done);
    tcase_add_test(tcase, hosts_may_vanish_and_drain_while_it_runs);
    tcase_add_test(tcase, data_is_where_it_is_needed_and_made_again_when_it_is_lost);
    tcase_add_test(tcase, a_store_that_lags_and_fails_for_a_while_loses_nothing);
    tcase_add_test(tcase, tasks_are_split_at_any_time);
    tcase_add_test(tcase, a_crash_at_any_step_loses_and_doubles_nothing);
    tcase_add_test(tcase, a_crash_is_survived_with_all_else_going_wrong);
    tcase_add_test(tcase, tasks_that_run_are_moved_split_and_replicated);
    tcase_add_test(tcase, a_crash_amid_moves_splits_and_replicas_loses_and_doubles_nothing);
    tcase_add_test(tcase, data_splits_and_lost_hosts_go_together);
    tcase_add_test(tcase, tasks_share_containers_that_come_apart_at_any_time);
    tcase_add_test(tcase, a_crash_amid_shared_containers_loses_and_doubles_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
