/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that run one after another in one container: what one start begins, and how they come apart. */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "world.h"

static struct world world;
static int run;
static struct shard_policy joining;
static int32_t with;
static enum shard_outcome outcome_of[16]; /* of first attempts, by task */
static double seconds_of[16];
static int refusal; /* of the first attempt of task 0 */

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    if (start->attempt > 1)
        return;
    plan->outcome = outcome_of[start->task];
    plan->seconds = seconds_of[start->task];
    plan->refuse = start->task == 0 ? refusal : 0;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)self;
    for (shard_host_id host = 0; host < shard_view_host_count(view); host++)
        if (shard_view_admits(view, task, host) == 1) {
            ret_decision->kind = SHARD_DECIDE_START;
            ret_decision->host = host;
            ret_decision->with = with;
            ret_decision->reason = SHARD_REASON_POLICY;
            return 0;
        }
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->reason = SHARD_REASON_NO_CAPACITY;
    return 0;
}

static void setup(void)
{
    world_init(&world, "round_robin");
    world.plan = plan;
    memset(outcome_of, 0, sizeof(outcome_of));
    memset(seconds_of, 0, sizeof(seconds_of));
    joining = *world.policy.port;
    joining.place = place;
    world.config.policy.port = &joining;
    with = SHARD_MOST_WITH;
    refusal = 0;
}

static void teardown(void)
{
    world_free(&world);
}

static void begin(int hosts, int slots, int tasks)
{
    run = world_begin_bag(&world, hosts, slots, tasks,
                          (struct shard_task_spec){.struct_size = sizeof(struct shard_task_spec),
                                                   .cpu_millicores = 1000,
                                                   .timeout_seconds = 3});
}

static void resume(void)
{
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
}

static struct shard_task_view view_of(shard_task_id task)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, task, &view), 0);
    return view;
}

static struct shard_host_view host_view(shard_host_id host)
{
    struct shard_host_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_host(world.engine, host, &view), 0);
    return view;
}

static void finish(int attempts, int launches)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.attempt_count, attempts);
    ck_assert_int_eq(world.launches, launches);
}

START_TEST(one_start_takes_as_many_along_as_it_says_and_one_need_from_the_host)
{
    with = 3;
    begin(1, 2, 10);
    world_pass(&world, 0.5);
    ck_assert_int_eq(world.launches, 2);
    ck_assert_int_eq(world.attempt_count, 8);
    ck_assert_int_eq(host_view(0).running, 2);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(view_of(1).state, SHARD_TASK_RUNNING);
    ck_assert(view_of(0).started_ns > 0);
    ck_assert(view_of(1).started_ns == 0); /* it waits for the one before */
    world_explains(&world, run, 1, "behind task 0 in the same container");
    world_pass(&world, 1);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_DONE);
    ck_assert(view_of(1).started_ns > 0);
    ck_assert_int_eq(host_view(0).running, 2);
    finish(10, 3);
}
END_TEST

START_TEST(an_executor_that_starts_one_at_a_time_does_that)
{
    world.executor.start_many = NULL;
    begin(1, 2, 10);
    finish(10, 10);
}
END_TEST

START_TEST(each_has_the_whole_of_its_timeout)
{
    for (int i = 0; i < 6; i++)
        seconds_of[i] = 2;
    begin(1, 1, 6);
    finish(6, 1);
}
END_TEST

START_TEST(one_that_takes_too_long_ends_the_container_and_the_others_are_not_blamed)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    seconds_of[2] = 100;
    begin(1, 1, 5);
    finish(5 + 3, 1 + 3);
    ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_TIMEOUT], 1);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_PREEMPTED], 2);
    ck_assert_int_eq(view_of(3).failures[SHARD_OUTCOME_PREEMPTED], 0); /* no budget pays for it */
    ck_assert_int_eq(host_view(0).failures, 1);
    ck_assert_int_eq(host_view(0).running, 0);
}
END_TEST

START_TEST(what_was_in_a_container_in_which_one_failed_starts_alone)
{
    outcome_of[0] = _i == 0 ? SHARD_OUTCOME_TASK_ERROR : SHARD_OUTCOME_OUT_OF_MEMORY;
    begin(1, 1, 4);
    finish(4 + 4, 1 + 4);
    ck_assert_int_eq(view_of(0).attempt, 2);
    ck_assert_int_eq(view_of(3).attempt, 2);
}
END_TEST

START_TEST(a_container_that_is_refused_fails_the_first_only)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    refusal = SHARD_EIO;
    begin(1, 1, 4);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_LAUNCH_ERROR], 1);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_PREEMPTED], 3);
}
END_TEST

START_TEST(a_lost_host_is_to_blame_for_what_ran_there_only)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    begin(2, 1, 4);
    world_pass(&world, 0.5);
    world_lose_host(&world, 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_HOST_LOST], 1);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_PREEMPTED], 3);
}
END_TEST

START_TEST(a_new_process_finds_them_as_they_were)
{
    begin(1, 1, 6);
    world_pass(&world, 2.5);
    resume();
    world_pass(&world, 0.2);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_ADOPTED], 4);
    ck_assert_int_eq(host_view(0).running, 1);
    ck_assert(view_of(2).started_ns > 0);
    ck_assert(view_of(3).started_ns == 0);
    finish(6, 1);
}
END_TEST

START_TEST(only_tasks_that_ask_for_the_same_go_together)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "two", &builder), 0);
    for (int i = 0; i < 8; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec), .cpu_millicores = i % 2 == 0 ? 1000 : 500};
        shard_builder_add_task(builder, &spec);
    }
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    world_add_host(&world, "a", 4000, 0, 4, 0);
    world_start(&world);
    run = world_submit(&world, workflow, "two", 0);
    shard_workflow_unref(workflow);
    finish(8, 2);
}
END_TEST

START_TEST(a_cancelled_run_ends_with_all_that_wait_in_its_containers)
{
    begin(1, 1, 6);
    world_pass(&world, 1.5);
    ck_assert_int_eq(shard_engine_cancel(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    ck_assert_int_eq(world_live_attempts(&world), 0);
    ck_assert_int_eq(host_view(0).running, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("containers");
    TCase *tcase = tcase_create("containers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_start_takes_as_many_along_as_it_says_and_one_need_from_the_host);
    tcase_add_test(tcase, an_executor_that_starts_one_at_a_time_does_that);
    tcase_add_test(tcase, each_has_the_whole_of_its_timeout);
    tcase_add_test(tcase, one_that_takes_too_long_ends_the_container_and_the_others_are_not_blamed);
    tcase_add_loop_test(tcase, what_was_in_a_container_in_which_one_failed_starts_alone, 0, 2);
    tcase_add_test(tcase, a_container_that_is_refused_fails_the_first_only);
    tcase_add_test(tcase, a_lost_host_is_to_blame_for_what_ran_there_only);
    tcase_add_test(tcase, a_new_process_finds_them_as_they_were);
    tcase_add_test(tcase, only_tasks_that_ask_for_the_same_go_together);
    tcase_add_test(tcase, a_cancelled_run_ends_with_all_that_wait_in_its_containers);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
