/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each of the library's own policies chooses, on small clusters of which everything is known.
 *
 * It is longer than 400 lines because all baselines are asked the same questions.
 */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static shard_builder *builder;
static int run;

/* What a scenario says of attempts: how long they take, and by host (bits of tasks) which of them fail. */
static double seconds_of_task[64];
static uint64_t fails_on[64];
static enum shard_outcome fails_with;

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    plan->seconds = seconds_of_task[start->task];
    if ((fails_on[world_find_host(w, start->host_name)] >> start->task & 1) != 0)
        plan->outcome = fails_with;
}

static void begin(const char *policy)
{
    memset(seconds_of_task, 0, sizeof(seconds_of_task));
    memset(fails_on, 0, sizeof(fails_on));
    fails_with = SHARD_OUTCOME_TASK_ERROR;
    world_init(&world, policy);
    world.plan = plan;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
}

static shard_task_id task(struct shard_task_spec spec)
{
    spec.struct_size = sizeof(spec);
    shard_task_id id = shard_builder_add_task(builder, &spec);
    ck_assert_int_ge(id, 0);
    return id;
}

static void tasks(int count, struct shard_task_spec spec)
{
    for (int i = 0; i < count; i++)
        task(spec);
}

static void submit(void)
{
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    if (world.engine == NULL)
        world_start(&world);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
}

static void finish(void)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    world_free(&world);
}

/* The attempts so far went to these hosts, in this order. */
static void went_to(const int *hosts, int count)
{
    ck_assert_int_eq(world.attempt_count, count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(world.attempts[i].host == hosts[i], "attempt %d (task %d) is on host %d, expected %d", i,
                      world.attempts[i].task, world.attempts[i].host, hosts[i]);
}
#define WENT_TO(...) went_to((const int[]){__VA_ARGS__}, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))

static const struct shard_task_spec small = {.cpu_millicores = 100};

/* ---- round_robin ---- */

START_TEST(round_robin_takes_tasks_in_the_order_of_readiness_and_hosts_in_turn)
{
    begin("round_robin");
    for (int i = 0; i < 3; i++)
        world_add_host(&world, (const char *[]){"a", "b", "c"}[i], 1000, 0, 10, 0);
    tasks(7, small);
    submit();
    world_settle(&world);
    WENT_TO(0, 1, 2, 0, 1, 2, 0);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(world.attempts[i].task, i);
    world_explains(&world, run, 6, shard_reason_text(SHARD_REASON_NEXT_IN_TURN));
    finish();
}
END_TEST

START_TEST(round_robin_leaves_out_hosts_that_are_full)
{
    begin("round_robin");
    world_add_host(&world, "a", 1000, 0, 10, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    world_add_host(&world, "c", 200, 0, 10, 0);
    tasks(8, small);
    submit();
    world_settle(&world);
    WENT_TO(0, 1, 2, 0, 2, 0, 0, 0);
    finish();
}
END_TEST

START_TEST(round_robin_goes_around_many_hosts)
{
    begin("round_robin");
    for (int i = 0; i < 40; i++)
        world_add_host(&world, (char[]){(char)('0' + i / 10), (char)('0' + i % 10), '\0'}, 1000, 0, 2, 0);
    tasks(60, small);
    submit();
    world_settle(&world);
    ck_assert_int_eq(world.attempt_count, 60);
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(world.attempts[i].host, i % 40);
    finish();
}
END_TEST

/* ---- least_loaded ---- */

START_TEST(least_loaded_takes_the_smallest_share_of_slots_in_use)
{
    begin("least_loaded");
    world_add_host(&world, "a", 4000, 0, 4, 0);
    world_add_host(&world, "b", 2000, 0, 2, 0);
    tasks(6, (struct shard_task_spec){.cpu_millicores = 500});
    submit();
    world_settle(&world);
    WENT_TO(0, 1, 0, 0, 1, 0);
    world_explains(&world, run, 0, shard_reason_text(SHARD_REASON_LEAST_LOADED));
    finish();
}
END_TEST

START_TEST(least_loaded_counts_whichever_share_is_largest)
{
    begin("least_loaded");
    world_add_host(&world, "a", 10000, 1000, 10, 0);
    world_add_host(&world, "b", 10000, 4000, 10, 0);
    tasks(8, (struct shard_task_spec){.cpu_millicores = 100, .memory_bytes = 250});
    submit();
    world_settle(&world);
    /* a goes up by 0.25 of its memory, b by 0.1 of its slots. */
    WENT_TO(0, 1, 1, 1, 0, 1, 1, 0);
    finish();
}
END_TEST

START_TEST(least_loaded_says_when_all_are_full)
{
    begin("least_loaded");
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "tiny", 50, 0, 1, 0); /* open, but too small: so the policy is asked */
    tasks(2, small);
    submit();
    world_settle(&world);
    world_explains(&world, run, 1, shard_reason_text(SHARD_REASON_NO_CAPACITY));
    finish();
}
END_TEST

/* ---- heft ---- */

START_TEST(heft_goes_by_rank_whatever_was_ready_first)
{
    static const int32_t order[] = {3, 1, 2, 0};
    begin("heft");
    world_add_host(&world, "a", 1000, 0, 1, 0);
    task((struct shard_task_spec){.expected_seconds = 5});
    task((struct shard_task_spec){.expected_seconds = 1});
    task((struct shard_task_spec){.expected_seconds = 10});
    task((struct shard_task_spec){.expected_seconds = 20});
    shard_builder_add_edge(builder, 1, 2);
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(world.attempts[i].task, order[i]);
    world_free(&world);
}
END_TEST

START_TEST(heft_takes_the_host_where_a_task_ends_first)
{
    begin("heft");
    world_add_host(&world, "slow", 1000, 0, 10, 0);
    world.hosts[world_add_host(&world, "fast", 1000, 0, 10, 0)].speed = 4;
    tasks(3, (struct shard_task_spec){.cpu_millicores = 100, .expected_seconds = 10});
    submit();
    world_settle(&world);
    WENT_TO(1, 1, 1);
    world_explains(&world, run, 0, shard_reason_text(SHARD_REASON_EARLIEST_FINISH));
    finish();
}
END_TEST

START_TEST(heft_takes_the_least_loaded_of_hosts_that_are_alike)
{
    begin("heft");
    world_add_host(&world, "a", 1000, 0, 4, 0);
    world_add_host(&world, "b", 1000, 0, 4, 0);
    tasks(4, (struct shard_task_spec){.cpu_millicores = 100, .expected_seconds = 10});
    submit();
    world_settle(&world);
    WENT_TO(0, 1, 0, 1);
    finish();
}
END_TEST

/* 0 makes data on host "home", and 1 reads it; "far" is twice as fast and has a disk of its own. */
static void run_with_data(int64_t bytes)
{
    begin("heft");
    world_add_host(&world, "home", 1000, 500, 1, 1);
    world.hosts[world_add_host(&world, "far", 1000, 100, 1, 2)].speed = 2;
    task((struct shard_task_spec){.memory_bytes = 500, .expected_seconds = 1});
    task((struct shard_task_spec){.memory_bytes = 100, .expected_seconds = 4});
    shard_data_id data = shard_builder_add_data(builder, "data", bytes);
    shard_builder_add_output(builder, 0, data);
    shard_builder_add_input(builder, 1, data);
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}

START_TEST(heft_weighs_what_it_costs_to_bring_the_inputs)
{
    run_with_data(5000000); /* five seconds at the volume's 1e6 bytes a second: 5 + 2 is more than 4 */
    WENT_TO(0, 0);
    ck_assert_int_eq(world.stages, 0);
    world_free(&world);
    run_with_data(100000); /* 0.1 + 2 is less than 4 */
    WENT_TO(0, 1);
    ck_assert_int_eq(world.stages, 1);
    world_free(&world);
}
END_TEST

START_TEST(heft_waits_for_a_faster_host_that_gets_free_soon)
{
    begin("heft");
    world_add_host(&world, "slow", 1000, 0, 1, 0);
    world.hosts[world_add_host(&world, "fast", 1000, 0, 1, 0)].speed = 10;
    tasks(2, (struct shard_task_spec){.expected_seconds = 20});
    seconds_of_task[0] = seconds_of_task[1] = 2;
    submit();
    world_settle(&world);
    WENT_TO(1); /* the other: 2 + 2 seconds there, 20 on the slow one */
    world_explains(&world, run, 1, shard_reason_text(SHARD_REASON_PREFERS_OTHER));
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(1, 1);
    world_free(&world);
}
END_TEST

START_TEST(heft_does_not_wait_for_a_faster_host_that_gets_free_late)
{
    begin("heft");
    world_add_host(&world, "slow", 1000, 0, 1, 0);
    world.hosts[world_add_host(&world, "fast", 1000, 0, 1, 0)].speed = 10;
    task((struct shard_task_spec){.expected_seconds = 500});
    task((struct shard_task_spec){.expected_seconds = 20});
    seconds_of_task[0] = 50;
    submit();
    world_settle(&world);
    WENT_TO(1, 0);
    finish();
}
END_TEST

/* ---- exclude_after_failures ---- */

static void begin_excluding(struct shard_exclude_config config)
{
    begin(NULL);
    config.struct_size = sizeof(config);
    ck_assert_int_eq(shard_policy_exclude_after_failures(world.context, &config, &world.policy), 0);
    world.config.policy = world.policy;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        world.config.retry[i] = (struct shard_retry){20, 1, 1};
}

START_TEST(a_host_that_failed_a_task_is_excluded_for_that_task)
{
    begin_excluding((struct shard_exclude_config){0});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    task(small);
    task(small);
    shard_builder_add_edge(builder, 0, 1);
    fails_on[0] = 1;
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(0, 1, 0); /* the next task goes to a again */
    world_free(&world);
}
END_TEST

START_TEST(a_task_may_fail_so_often_on_a_host_before_it_is_excluded)
{
    begin_excluding((struct shard_exclude_config){.max_task_failures_per_host = 3});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    task(small);
    fails_on[0] = 1;
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(0, 0, 0, 1);
    world_free(&world);
}
END_TEST

/* A chain of tasks, so that one comes after the other. */
static void chain(const char *const *kinds, int count)
{
    for (int i = 0; i < count; i++) {
        task((struct shard_task_spec){.kind = kinds[i]});
        if (i > 0)
            shard_builder_add_edge(builder, i - 1, i);
    }
}

START_TEST(a_host_that_failed_several_tasks_of_a_kind_is_excluded_for_the_kind)
{
    begin_excluding((struct shard_exclude_config){.max_failed_tasks_per_host = 100});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    chain((const char *[]){"x", "x", "x", "y"}, 4);
    fails_on[0] = 3;
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(0, 1, 0, 1, 1, 0);
    world_free(&world);
}
END_TEST

START_TEST(a_host_that_failed_several_tasks_is_excluded_for_all_for_a_time)
{
    begin_excluding((struct shard_exclude_config){.exclude_seconds = 100});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    chain((const char *[]){"x", "y", "z", "z", "z"}, 5);
    fails_on[0] = 3;
    seconds_of_task[3] = 100; /* when it ends, the exclusion is over */
    submit();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(0, 1, 0, 1, 1, 1, 0);
    world_free(&world);
}
END_TEST

START_TEST(when_all_hosts_are_excluded_the_least_bad_is_used)
{
    begin_excluding((struct shard_exclude_config){0});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    chain((const char *[]){"x", "y"}, 2);
    fails_on[0] = 3; /* both fail on a, the second on b too: on each once, but a has failed more in all */
    fails_on[1] = 2;
    submit();
    for (int turns = 0; turns < 1000 && world.attempt_count < 5; turns++)
        world_turn(&world);
    WENT_TO(0, 1, 0, 1, 1);
    world_explains(&world, run, 1, shard_reason_text(SHARD_REASON_LEAST_BAD));
    fails_on[1] = 0;
    finish();
}
END_TEST

START_TEST(what_is_nobodys_failure_excludes_no_host)
{
    begin_excluding((struct shard_exclude_config){0});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    task(small);
    fails_on[0] = 1;
    fails_with = _i == 0 ? SHARD_OUTCOME_PREEMPTED : SHARD_OUTCOME_HOST_LOST;
    submit();
    for (int turns = 0; turns < 1000 && world.attempt_count < 4; turns++)
        world_turn(&world);
    WENT_TO(0, 0, 0, 0);
    fails_on[0] = 0;
    finish();
}
END_TEST

START_TEST(hosts_that_are_merely_full_are_not_called_excluded)
{
    begin_excluding((struct shard_exclude_config){0});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "tiny", 50, 0, 1, 0); /* open, but too small: so the policy is asked */
    tasks(2, small);
    submit();
    world_settle(&world);
    world_explains(&world, run, 1, shard_reason_text(SHARD_REASON_NO_CAPACITY));
    finish();
}
END_TEST

START_TEST(a_task_waits_for_a_full_host_rather_than_take_an_excluded_one)
{
    begin_excluding((struct shard_exclude_config){0});
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    tasks(2, small);
    fails_on[0] = 1;
    seconds_of_task[1] = 50;
    submit();
    world_pass(&world, 10);
    WENT_TO(0, 1); /* 0 failed on a, and b has 1 */
    world_explains(&world, run, 0, shard_reason_text(SHARD_REASON_EXCLUDED));
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    WENT_TO(0, 1, 1);
    world_free(&world);
}
END_TEST

START_TEST(bounds_that_are_negative_are_refused)
{
    static const struct shard_exclude_config bad[] = {{.max_task_failures_per_host = -1},
                                                      {.max_failed_tasks_per_host_kind = -1},
                                                      {.max_failed_tasks_per_host = -1},
                                                      {.exclude_seconds = -1}};
    begin(NULL);
    struct shard_exclude_config config = bad[_i];
    config.struct_size = sizeof(config);
    struct shard_policy_handle handle = {0};
    ck_assert_int_eq(shard_policy_exclude_after_failures(world.context, &config, &handle), SHARD_EINVAL);
    assert_message_has("exclude config");
    ck_assert_ptr_null(handle.port);
    shard_builder_free(builder);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("baselines");
    TCase *tcase = tcase_create("baselines");
    tcase_add_test(tcase, round_robin_takes_tasks_in_the_order_of_readiness_and_hosts_in_turn);
    tcase_add_test(tcase, round_robin_leaves_out_hosts_that_are_full);
    tcase_add_test(tcase, round_robin_goes_around_many_hosts);
    tcase_add_test(tcase, least_loaded_takes_the_smallest_share_of_slots_in_use);
    tcase_add_test(tcase, least_loaded_counts_whichever_share_is_largest);
    tcase_add_test(tcase, least_loaded_says_when_all_are_full);
    tcase_add_test(tcase, heft_goes_by_rank_whatever_was_ready_first);
    tcase_add_test(tcase, heft_takes_the_host_where_a_task_ends_first);
    tcase_add_test(tcase, heft_takes_the_least_loaded_of_hosts_that_are_alike);
    tcase_add_test(tcase, heft_weighs_what_it_costs_to_bring_the_inputs);
    tcase_add_test(tcase, heft_waits_for_a_faster_host_that_gets_free_soon);
    tcase_add_test(tcase, heft_does_not_wait_for_a_faster_host_that_gets_free_late);
    tcase_add_test(tcase, a_host_that_failed_a_task_is_excluded_for_that_task);
    tcase_add_test(tcase, a_task_may_fail_so_often_on_a_host_before_it_is_excluded);
    tcase_add_test(tcase, a_host_that_failed_several_tasks_of_a_kind_is_excluded_for_the_kind);
    tcase_add_test(tcase, a_host_that_failed_several_tasks_is_excluded_for_all_for_a_time);
    tcase_add_test(tcase, when_all_hosts_are_excluded_the_least_bad_is_used);
    tcase_add_loop_test(tcase, what_is_nobodys_failure_excludes_no_host, 0, 2);
    tcase_add_test(tcase, hosts_that_are_merely_full_are_not_called_excluded);
    tcase_add_test(tcase, a_task_waits_for_a_full_host_rather_than_take_an_excluded_one);
    tcase_add_loop_test(tcase, bounds_that_are_negative_are_refused, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
