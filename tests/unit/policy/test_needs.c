/* SPDX-License-Identifier: Apache-2.0 */
/* What tasks need of memory and disk is learned by kind, asked for, raised and remembered. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "policy/needs.h"
#include "suite.h"
#include "tracked.h"
#include "world.h"

enum { MIB = 1 << 20 };

static struct tracked tracked;
static shard_context *context;
static struct shard__needs needs;

static void begin(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    needs = (struct shard__needs){.context = context};
}

static void end(void)
{
    shard__needs_free(&needs);
    tracked_context_free(&tracked, context);
}

static void done(double size, int64_t held)
{
    shard__needs_done(&needs, SHARD__NEEDS_MEMORY, &(struct shard__need_seen){0, size, 0, held});
}

static int64_t ask(double size, int64_t told)
{
    return shard__needs_ask(&needs, SHARD__NEEDS_MEMORY, 0, size, told, told, 0);
}

START_TEST(nothing_is_said_before_a_few_attempts_have_ended)
{
    begin();
    ck_assert_int_eq(ask(1, 0), 0);
    for (int i = 0; i < 4; i++)
        done(1e6, 100 * MIB);
    ck_assert_int_eq(ask(1e6, 0), 0);
    done(1e6, 100 * MIB);
    ck_assert_double_eq_tol((double)ask(1e6, 0), 125.0 * MIB, MIB);
    ck_assert_int_eq(shard__needs_ask(&needs, SHARD__NEEDS_MEMORY, 1, 1e6, 0, 7, 0), 7);
    ck_assert_int_eq(shard__needs_ask(&needs, SHARD__NEEDS_DISK, 0, 1e6, 0, 7, 0), 7);
    ck_assert_int_eq(shard__needs_ask(&needs, SHARD__NEEDS_MEMORY, -1, 1e6, 0, 7, 0), 7);
    end();
}
END_TEST

START_TEST(larger_inputs_need_more)
{
    begin();
    for (int i = 0; i < 20; i++)
        done(pow(10, 3 + i % 5), (int64_t)pow(10, 5 + i % 5));
    ck_assert_double_eq_tol((double)ask(1e4, 0), 1.25e6, 0.4e6);
    ck_assert_double_eq_tol((double)ask(1e7, 0), 1.25e9, 0.4e9);
    end();
}
END_TEST

START_TEST(a_quantile_covers_nearly_all_and_a_request_more)
{
    begin();
    for (int i = 0; i < 32; i++)
        done(1e6, (100 + i) * (int64_t)MIB);
    ck_assert_int_ge(ask(1e6, 0), 131 * (int64_t)MIB);
    ck_assert_int_le(ask(1e6, 0), 170 * (int64_t)MIB);
    for (int i = 0; i < 32; i++) /* the newest count */
        done(1e6, 10 * MIB);
    ck_assert_int_le(ask(1e6, 0), 13 * MIB);
    end();
}
END_TEST

START_TEST(what_the_workflow_says_holds_until_the_kind_runs_out_of_it)
{
    struct shard__need_seen short_host = {0, 1e6, 100 * MIB, 40 * MIB}, short_request = {0, 1e6, 100 * MIB, 99 * MIB};
    begin();
    for (int i = 0; i < 10; i++)
        done(1e6, 50 * MIB);
    ck_assert_int_eq(ask(1e6, 100 * MIB), 100 * MIB);
    for (int i = 0; i < 10; i++)
        shard__needs_ran_out(&needs, SHARD__NEEDS_MEMORY, &short_host);
    ck_assert_int_eq(ask(1e6, 100 * MIB), 100 * MIB);
    for (int i = 0; i < 3; i++)
        shard__needs_ran_out(&needs, SHARD__NEEDS_MEMORY, &short_request);
    ck_assert_int_ge(ask(1e6, 100 * MIB), 200 * (int64_t)MIB);
    /* What is asked for after a failure is no less than what was. */
    ck_assert_int_eq(shard__needs_ask(&needs, SHARD__NEEDS_MEMORY, 0, 1e6, 0, 900 * (int64_t)MIB, 1),
                     900 * (int64_t)MIB);
    end();
}
END_TEST

START_TEST(rubbish_teaches_nothing)
{
    begin();
    for (int i = 0; i < 10; i++)
        done(NAN, 10 * MIB);
    int64_t before = ask(NAN, 0);
    done(1e6, 0);
    done(-5, INT64_MIN);
    shard__needs_ran_out(&needs, SHARD__NEEDS_MEMORY, &(struct shard__need_seen){0, INFINITY, -5, INT64_MAX});
    shard__needs_ran_out(&needs, SHARD__NEEDS_MEMORY, &(struct shard__need_seen){-1, 1, 5, 5});
    ck_assert_int_eq(ask(NAN, 0), before);
    for (int i = 0; i < 32; i++)
        done(INFINITY, INT64_MAX);
    ck_assert_int_eq(ask(INFINITY, 0), INT64_MAX);
    end();
}
END_TEST

/* ---- in whole runs ---- */

static struct world world;
static int run;
static int64_t held_memory, held_disk;
static enum shard_outcome fails_with; /* what asks for less than it holds; 0: nothing fails */

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = 10;
    plan->max_memory_bytes = held_memory;
    plan->max_disk_bytes = held_disk;
    int is_short =
        fails_with == SHARD_OUTCOME_OUT_OF_DISK ? start->disk_bytes < held_disk : start->memory_bytes < held_memory;
    if (fails_with != SHARD_OUTCOME_NONE && is_short) {
        plan->outcome = fails_with;
        plan->max_memory_bytes = start->memory_bytes;
        plan->max_disk_bytes = 0;
    }
}

static void begin_run(int hosts, int tasks, struct shard_task_spec spec, int64_t memory, int64_t disk,
                      enum shard_outcome failure)
{
    held_memory = memory;
    held_disk = disk;
    fails_with = failure;
    world_init(&world, "adaptive");
    world.plan = plan;
    spec.expected_seconds = 10;
    run = world_begin_bag(&world, hosts, 4, tasks, spec);
}

static void finish(void)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}

START_TEST(what_attempts_held_is_asked_for_by_those_after_them)
{
    begin_run(2, 40, (struct shard_task_spec){.kind = "k"}, 100 * MIB, 30 * MIB, SHARD_OUTCOME_NONE);
    finish();
    ck_assert_int_eq(world.attempts[0].memory, 0);
    ck_assert_double_eq_tol((double)world.attempts[39].memory, 125.0 * MIB, MIB);
    ck_assert_double_eq_tol((double)world.attempts[39].disk, 37.5 * MIB, MIB);
    world_free(&world);
}
END_TEST

START_TEST(more_than_any_host_has_is_not_asked_for)
{
    begin_run(2, 40, (struct shard_task_spec){.kind = "k"}, 1000 * MIB, 0, SHARD_OUTCOME_NONE);
    finish();
    ck_assert_int_eq(world.attempts[39].memory, (int64_t)1 << 30);
    world_free(&world);
}
END_TEST

/* The forecast that a task's last decision stood on. */
static double p_fail_of(int32_t task)
{
    char *text;
    double p_fail = NAN;
    ck_assert_int_eq(shard_engine_explain(world.engine, world.runs[run].id, task, &text), 0);
    const char *at = strstr(text, "probability of failure: ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "probability of failure: %lf", &p_fail), 1);
    shard_free(world.context, text);
    return p_fail;
}

START_TEST(a_kind_that_runs_out_asks_for_more_from_then_on)
{
    begin_run(2, 60, (struct shard_task_spec){.kind = "k", .memory_bytes = 50 * MIB}, 180 * MIB, 0,
              SHARD_OUTCOME_OUT_OF_MEMORY);
    finish();
    int first_attempts_short = 0;
    for (int i = 0; i < world.attempt_count; i++)
        first_attempts_short += world.attempts[i].number == 1 && world.attempts[i].memory < held_memory;
    /* Two waves of 8 or so learn it; without, each of the 60 would. */
    ck_assert_int_le(first_attempts_short, 30);
    /* What was asked for was at fault, and no host, task or kind. */
    ck_assert_double_lt(p_fail_of(59), 0.1);
    ck_assert_int_eq(world_logged(&world, "host-quarantined"), 0);
    world_free(&world);
}
END_TEST

START_TEST(needs_are_remembered_when_the_run_is_taken_up_again)
{
    begin_run(2, 60, (struct shard_task_spec){.kind = "k"}, 100 * MIB, 0, SHARD_OUTCOME_NONE);
    world_pass(&world, 55);
    int before = world.attempt_count;
    ck_assert_int_gt(before, 20);
    world_crash(&world);
    held_memory = 0; /* the executor does not say so any more: what is known is the store's */
    for (int i = 0; i < before; i++)
        world.attempts[i].plan.max_memory_bytes = 0;
    world_start(&world);
    world_resume(&world, run);
    finish();
    ck_assert_int_gt(world.attempt_count, before);
    for (int i = before; i < world.attempt_count; i++)
        ck_assert_int_gt(world.attempts[i].memory, 100 * MIB);
    world_free(&world);
}
END_TEST

START_TEST(disk_that_ran_out_is_asked_for_again_also_after_a_resume)
{
    world_init(&world, "least_loaded");
    world.plan = plan;
    held_memory = 0, held_disk = 300 * MIB, fails_with = SHARD_OUTCOME_OUT_OF_DISK;
    run = world_begin_bag(&world, 1, 4, 1, (struct shard_task_spec){.disk_bytes = 100 * MIB});
    world_pass(&world, 15); /* it has failed once */
    ck_assert_int_eq(world.attempt_count, 2);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    finish();
    ck_assert_int_eq(world.attempts[0].disk, 100 * MIB);
    ck_assert_int_eq(world.attempts[1].disk, 200 * MIB);
    ck_assert_int_eq(world.attempts[2].disk, 400 * MIB);
    world_explains(&world, run, 0, "asks for 419430400 bytes of disk");
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("needs");
    TCase *tcase = tcase_create("needs");
    tcase_add_test(tcase, nothing_is_said_before_a_few_attempts_have_ended);
    tcase_add_test(tcase, larger_inputs_need_more);
    tcase_add_test(tcase, a_quantile_covers_nearly_all_and_a_request_more);
    tcase_add_test(tcase, what_the_workflow_says_holds_until_the_kind_runs_out_of_it);
    tcase_add_test(tcase, rubbish_teaches_nothing);
    tcase_add_test(tcase, what_attempts_held_is_asked_for_by_those_after_them);
    tcase_add_test(tcase, more_than_any_host_has_is_not_asked_for);
    tcase_add_test(tcase, a_kind_that_runs_out_asks_for_more_from_then_on);
    tcase_add_test(tcase, needs_are_remembered_when_the_run_is_taken_up_again);
    tcase_add_test(tcase, disk_that_ran_out_is_asked_for_again_also_after_a_resume);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
