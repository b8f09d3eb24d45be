/* SPDX-License-Identifier: Apache-2.0 */
/* Quarantines, as policies and applications ask for them: timed, bounded, and never of all hosts. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static struct shard_policy blaming;
static int answers[8];
static double wanted_seconds;

/* Wants every host quarantined on which something fails. */
static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    (void)self;
    (void)task;
    (void)outcome;
    (void)ret_decision;
    answers[host] = shard_view_quarantine(view, host, wanted_seconds);
    return 0;
}

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = 10;
    if (start->attempt == 1) {
        plan->seconds = 1;
        plan->outcome = SHARD_OUTCOME_TASK_ERROR;
    }
}

static void setup(void)
{
    world_init(&world, "round_robin");
    blaming = *world.policy.port;
    blaming.after_failure = after_failure;
    world.config.policy.port = &blaming;
    world.plan = plan;
    wanted_seconds = 30;
}

static void teardown(void)
{
    world_free(&world);
}

static int begin(int hosts, int tasks)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    for (int i = 0; i < hosts; i++)
        world_add_host(&world, names[i], 1000, 0, 1, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec)};
    for (int i = 0; i < tasks; i++)
        shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    return run;
}

static enum shard_host_state state_of(int host)
{
    struct shard_host_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_host(world.engine, host, &view), 0);
    return view.state;
}

static int count(int hosts, enum shard_host_state state)
{
    int found = 0;
    for (int i = 0; i < hosts; i++)
        found += state_of(i) == state;
    return found;
}

START_TEST(a_quarantined_host_gets_nothing_new_for_a_time_and_a_budget_bounds_how_many_are)
{
    static const double shares[] = {0, 0.25, 0.01, 1, -1};
    static const int expected[] = {2, 1, 1, 3, 0};
    world.config.most_quarantined = shares[_i];
    int run = begin(4, 4);
    world_pass(&world, 1.5);
    int quarantined = count(4, SHARD_HOST_QUARANTINED);
    ck_assert_int_eq(quarantined, expected[_i]);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(answers[i], state_of(i) == SHARD_HOST_UP ? SHARD_ECAPACITY : 0);
    world_pass(&world, 28);
    ck_assert_int_eq(count(4, SHARD_HOST_QUARANTINED), quarantined);
    for (int i = 4; i < world.attempt_count; i++)
        ck_assert_int_eq(state_of(world.attempts[i].host), SHARD_HOST_UP);
    world_pass(&world, 2);
    ck_assert_int_eq(count(4, SHARD_HOST_UP), 4);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

START_TEST(a_quarantine_is_refused_when_it_makes_no_sense)
{
    begin(2, 1);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 7, 1), SHARD_ENOENT);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, -1), SHARD_EINVAL);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, (double)NAN), SHARD_EINVAL);
    ck_assert_int_eq(shard_engine_host_drain(world.engine, 1), 0);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 1, 1), SHARD_EHOST);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, 1), SHARD_ECAPACITY);
    assert_message_has("last that is up");
    ck_assert_int_eq(shard_engine_host_undrain(world.engine, 1), 0);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, (double)INFINITY), 0);
    ck_assert_int_eq(state_of(0), SHARD_HOST_QUARANTINED);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, 5), 0);
    world_pass(&world, 6);
    ck_assert_int_eq(state_of(0), SHARD_HOST_UP);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, 100), 0);
    ck_assert_int_eq(shard_engine_host_quarantine(world.engine, 0, 0), 0);
    ck_assert_int_eq(state_of(0), SHARD_HOST_UP);
}
END_TEST

START_TEST(a_run_does_not_hang_when_the_hosts_that_are_left_are_quarantined)
{
    wanted_seconds = 1e12;
    int run = begin(2, 2);
    world_pass(&world, 5);
    ck_assert_int_eq(count(2, SHARD_HOST_QUARANTINED), 1);
    world_lose_host(&world, state_of(0) == SHARD_HOST_UP ? 0 : 1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world_logged(&world, "least-bad-host"), 1);
    ck_assert(strstr(world.last_warning, "quarantine") != NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine");
    TCase *tcase = tcase_create("quarantine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_quarantined_host_gets_nothing_new_for_a_time_and_a_budget_bounds_how_many_are, 0, 5);
    tcase_add_test(tcase, a_quarantine_is_refused_when_it_makes_no_sense);
    tcase_add_test(tcase, a_run_does_not_hang_when_the_hosts_that_are_left_are_quarantined);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
