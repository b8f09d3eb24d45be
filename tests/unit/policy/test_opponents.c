/* SPDX-License-Identifier: Apache-2.0 */
/* The baselines that draw lots and that speculate, on small clusters of which everything is known. */

#include <stdio.h>

#include <shard/shard.h>

#include "suite.h"
#include "world.h"

static struct world world;
static int run;
static int sick_host; /* where attempts fail at once; -1: none */
static int slow_host; /* where they take a hundred times as long */

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    int host = world_find_host(w, start->host_name);
    plan->seconds = host == slow_host ? 1000 : 10;
    if (host == sick_host) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR;
        plan->seconds = 0.1;
    }
}

static void begin(const char *policy, int hosts, int slots, int task_count, struct shard_task_spec spec)
{
    sick_host = slow_host = -1;
    world_init(&world, policy);
    world.plan = plan;
    run = world_begin_bag(&world, hosts, slots, task_count, spec);
}

static int attempts_on(int host)
{
    int count = 0;
    for (int i = 0; i < world.attempt_count; i++)
        count += world.attempts[i].host == host;
    return count;
}

static void finish(void)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}

static const struct shard_task_spec ten_seconds = {.expected_seconds = 10};

START_TEST(random_retry_draws_every_host)
{
    begin("random_retry", 8, 4, 32, ten_seconds);
    world_settle(&world);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(attempts_on(i), 4);
    int in_order = 1;
    for (int i = 1; i < 32; i++)
        in_order &= world.attempts[i].host >= world.attempts[i - 1].host;
    ck_assert(!in_order);
    world_explains(&world, run, 3, shard_reason_text(SHARD_REASON_DRAWN));
    finish();
    world_free(&world);
}
END_TEST

START_TEST(random_retry_learns_nothing_from_failures)
{
    begin("random_retry", 4, 2, 60, ten_seconds);
    sick_host = 1;
    finish();
    /* A broken host looks idle: it gets more attempts than there are tasks on the others. */
    ck_assert_int_gt(attempts_on(1), 60);
    world_free(&world);
}
END_TEST

START_TEST(late_tries_again_on_another_host)
{
    begin("late", 3, 1, 1, ten_seconds);
    sick_host = 0;
    finish();
    ck_assert_int_eq(world.attempts[0].host, 0);
    ck_assert_int_eq(world.attempts[1].host, 1);
    world_free(&world);
}
END_TEST

START_TEST(late_asks_for_a_second_attempt_of_a_straggler_when_slots_are_idle)
{
    begin("late", 6, 2, 12, ten_seconds);
    slow_host = 5;
    world_pass(&world, 60);
    /* Ten are done, two hang on: an engine that cannot replicate says so, one that can has a third attempt. */
    ck_assert(world_logged(&world, "decision-refused") > 0 || world.attempt_count > 12);
    finish();
    world_free(&world);
}
END_TEST

START_TEST(late_leaves_tasks_alone_that_are_as_fast_as_the_others)
{
    begin("late", 6, 2, 8, ten_seconds);
    finish();
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    ck_assert_int_eq(world.attempt_count, 8);
    world_free(&world);
}
END_TEST

START_TEST(late_does_not_speculate_while_tasks_wait)
{
    begin("late", 2, 2, 400, ten_seconds);
    slow_host = 1;
    world_pass(&world, 300);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    ck_assert_int_eq(attempts_on(1), 2);
    world_free(&world);
}
END_TEST

START_TEST(best_without_prediction_leaves_out_a_host_that_keeps_failing)
{
    begin("best_without_prediction", 5, 2, 300, ten_seconds);
    sick_host = 2;
    finish();
    /* Two at once before the first has failed, a few more until the rate is high; later it is tried again now and
       then, as the rate decays. */
    ck_assert_int_ge(attempts_on(2), 2);
    ck_assert_int_lt(attempts_on(2), 12);
    world_free(&world);
}
END_TEST

START_TEST(best_without_prediction_tries_again_elsewhere)
{
    begin("best_without_prediction", 3, 1, 1, ten_seconds);
    sick_host = 0;
    finish();
    ck_assert_int_eq(world.attempt_count, 2);
    ck_assert_int_eq(world.attempts[0].host, 0);
    ck_assert_int_ne(world.attempts[1].host, 0);
    world_free(&world);
}
END_TEST

START_TEST(best_without_prediction_uses_the_least_bad_when_all_fail)
{
    begin("best_without_prediction", 1, 1, 3, ten_seconds);
    sick_host = 0;
    world_pass(&world, 30);
    sick_host = -1;
    finish();
    world_free(&world);
}
END_TEST

START_TEST(best_without_prediction_splits_when_slots_are_idle)
{
    struct shard_task_spec wide = {.expected_seconds = 1000, .units = 100, .min_units = 10};
    begin("best_without_prediction", 4, 2, 1, wide);
    world_settle(&world);
    ck_assert_int_ge(world.attempt_count, 4);
    ck_assert_int_le(world.attempt_count, 8);
    world_explains(&world, run, 0, shard_reason_text(SHARD_REASON_IDLE_SLOTS));
    finish();
    world_free(&world);
}
END_TEST

START_TEST(best_without_prediction_leaves_tasks_whole_that_fill_the_slots)
{
    struct shard_task_spec wide = {.expected_seconds = 1000, .units = 100, .min_units = 10};
    begin("best_without_prediction", 4, 2, 30, wide);
    world_settle(&world);
    ck_assert_int_eq(world.attempt_count, 8);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(world.attempts[i].parent, -1);
    finish();
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("opponents");
    TCase *tcase = tcase_create("opponents");
    tcase_add_test(tcase, random_retry_draws_every_host);
    tcase_add_test(tcase, random_retry_learns_nothing_from_failures);
    tcase_add_test(tcase, late_tries_again_on_another_host);
    tcase_add_test(tcase, late_asks_for_a_second_attempt_of_a_straggler_when_slots_are_idle);
    tcase_add_test(tcase, late_leaves_tasks_alone_that_are_as_fast_as_the_others);
    tcase_add_test(tcase, late_does_not_speculate_while_tasks_wait);
    tcase_add_test(tcase, best_without_prediction_leaves_out_a_host_that_keeps_failing);
    tcase_add_test(tcase, best_without_prediction_tries_again_elsewhere);
    tcase_add_test(tcase, best_without_prediction_uses_the_least_bad_when_all_fail);
    tcase_add_test(tcase, best_without_prediction_splits_when_slots_are_idle);
    tcase_add_test(tcase, best_without_prediction_leaves_tasks_whole_that_fill_the_slots);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
