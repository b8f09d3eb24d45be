/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that answers rubbish: hosts that are not there, parts below two and by the thousand million, numbers that
 * are none, kinds that do not fit, errors. The world checks each start; here it is said that every run comes to an end.
 */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "drawn.h"
#include "suite.h"
#include "world.h"

static struct world world;
static struct garbage garbage;
static int64_t refused, gave_up, moved;

/* Whatever it says: what is told and kept is a probability, or not known. */
static void check_forecast(struct world *w, const struct shard_event *event)
{
    (void)w;
    ck_assert(isnan(event->p_fail) || (event->p_fail >= 0 && event->p_fail <= 1));
}

static void begin(uint64_t seed, int gives_up)
{
    world_init(&world, NULL);
    world.on_event = check_forecast;
    world.random = seed * 0x9e3779b97f4a7c15u + 1;
    garbage = (struct garbage){.random = seed * 0xd1342543de82ef95u + 1, .gives_up = gives_up};
    world.policy = (struct shard_policy_handle){&garbage_policy, &garbage};
    world.config.policy = world.policy;
    world.plan = drawn_plan;
    world.plan_stage = drawn_stage_plan;
    world.may_remake = 1;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        world.config.retry[i] = (struct shard_retry){1000, 0.1, 1};
    draw_hosts(&world);
}

static void run_one(uint64_t seed, int gives_up, int is_disturbed)
{
    begin(seed, gives_up);
    shard_workflow *workflow = drawn_workflow(&world, 40);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    for (int turns = 0; !world.runs[run].ended; turns++) {
        if (turns > 200000)
            world_fail(&world, run, "has no end");
        if (is_disturbed)
            drawn_disturbance(&world, run);
        if (world_turn(&world) == 0)
            world_fail(&world, run, "hangs");
    }
    enum shard_run_state state = world.runs[run].end.run_state;
    ck_assert_msg(state == SHARD_RUN_DONE || state == SHARD_RUN_FAILED, "seed %d: %s", (int)seed,
                  shard_run_state_text((int)state));
    for (int i = 0; i < world.runs[run].task_count; i++)
        ck_assert_int_ge(world_state(&world, run, i), SHARD_TASK_DONE);
    if (!gives_up && !is_disturbed) {
        ck_assert_int_eq(state, SHARD_RUN_DONE);
        world_check_done(&world, run);
    }
    gave_up += state == SHARD_RUN_FAILED;
    refused += world_logged(&world, "decision-refused");
    for (int i = 0; i < world.attempt_count; i++)
        moved += world.attempts[i].cancels > 0;
    ck_assert_int_gt(garbage.asked, 0);
    world_free(&world);
}

START_TEST(rubbish_is_refused_and_every_task_is_done)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_one(seed, 0, 0);
    ck_assert_int_gt(refused, 1000);
    ck_assert_int_gt(moved, 10);
}
END_TEST

START_TEST(a_policy_that_gives_up_ends_its_runs_and_breaks_nothing)
{
    for (uint64_t seed = 1; seed <= 100; seed++)
        run_one(seed, 1, 0);
    ck_assert_int_gt(gave_up, 10);
}
END_TEST

START_TEST(rubbish_while_hosts_come_and_go_breaks_nothing)
{
    for (uint64_t seed = 1; seed <= 100; seed++)
        run_one(seed, 0, 1);
    for (uint64_t seed = 1; seed <= 100; seed++)
        run_one(seed, 1, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("garbage");
    TCase *tcase = tcase_create("garbage");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rubbish_is_refused_and_every_task_is_done);
    tcase_add_test(tcase, a_policy_that_gives_up_ends_its_runs_and_breaks_nothing);
    tcase_add_test(tcase, rubbish_while_hosts_come_and_go_breaks_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
