/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy `adaptive` does with sick hosts, poisoned tasks, stragglers and rubbish, in whole runs. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "world.h"

static struct world world;
static int run;
static int sick_from, sick_to; /* hosts where attempts fail at once */
static int heals_at_s;         /* when they are well again; 0: never */
static int slow_host;
static int poisoned_task; /* fails wherever it runs; -1: none */

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    int host = world_find_host(w, start->host_name);
    plan->seconds = host == slow_host ? 500 : 10;
    int is_sick = host >= sick_from && host < sick_to && (heals_at_s == 0 || w->now_ns / 1000000000 < heals_at_s);
    if (is_sick || start->task == poisoned_task) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR;
        plan->seconds = 0.1;
    }
}

static void begin_with(const struct shard_adaptive_config *config, int hosts, int slots, int task_count,
                       struct shard_task_spec spec)
{
    sick_from = sick_to = heals_at_s = 0;
    slow_host = poisoned_task = -1;
    world_init(&world, config == NULL ? "adaptive" : NULL);
    if (config != NULL) {
        ck_assert_int_eq(shard_policy_adaptive(world.context, config, &world.policy), 0);
        world.config.policy = world.policy;
    }
    world.plan = plan;
    run = world_begin_bag(&world, hosts, slots, task_count, spec);
}

static void begin(int hosts, int slots, int task_count)
{
    begin_with(NULL, hosts, slots, task_count, (struct shard_task_spec){.expected_seconds = 10});
}

static int attempts_on(int from, int to)
{
    int count = 0;
    for (int i = 0; i < world.attempt_count; i++)
        count += world.attempts[i].host >= from && world.attempts[i].host < to;
    return count;
}

static void finish(enum shard_run_state state)
{
    ck_assert_int_eq(world_finish(&world, run), state);
    if (state == SHARD_RUN_DONE)
        world_check_done(&world, run);
}

START_TEST(a_sick_host_gets_few_tasks_and_canaries)
{
    begin(10, 2, 600);
    sick_from = 3, sick_to = 4;
    finish(SHARD_RUN_DONE);
    /* Both slots, then suspicion, then quarantine: 300 s of work, with a canary after one minute and two more. */
    ck_assert_int_ge(attempts_on(3, 4), 2);
    ck_assert_int_le(attempts_on(3, 4), 8);
    ck_assert_int_gt(world_logged(&world, "host-quarantined"), 0);
    world_free(&world);
}
END_TEST

START_TEST(a_host_that_is_well_again_gets_tasks_again)
{
    begin(4, 2, 300);
    sick_from = 1, sick_to = 2, heals_at_s = 20 + (int)(world.now_ns / 1000000000);
    finish(SHARD_RUN_DONE);
    ck_assert_int_gt(attempts_on(1, 2), 30);
    world_free(&world);
}
END_TEST

START_TEST(a_run_goes_on_when_every_host_is_sick)
{
    begin(3, 2, 12);
    sick_from = 0, sick_to = 3, heals_at_s = 40 + (int)(world.now_ns / 1000000000);
    finish(SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(a_poisoned_task_is_given_up_and_quarantines_no_host)
{
    begin(8, 2, 100);
    poisoned_task = 7;
    finish(SHARD_RUN_FAILED);
    int attempts = 0;
    for (int i = 0; i < world.attempt_count; i++)
        attempts += world.attempts[i].task == poisoned_task;
    ck_assert_int_ge(attempts, 4);
    ck_assert_int_le(attempts, 10); /* of the 101 that the budget would pay */
    ck_assert_int_eq(world_logged(&world, "host-quarantined"), 0);
    world_explains(&world, run, poisoned_task, shard_reason_text(SHARD_REASON_TASK_AT_FAULT));
    world_free(&world);
}
END_TEST

START_TEST(a_task_that_failed_goes_elsewhere)
{
    begin(4, 1, 1);
    sick_from = 0, sick_to = 2;
    finish(SHARD_RUN_DONE);
    for (int i = 1; i < world.attempt_count; i++)
        ck_assert_int_ne(world.attempts[i].host, world.attempts[i - 1].host);
    ck_assert_int_le(world.attempt_count, 3);
    world_free(&world);
}
END_TEST

START_TEST(a_straggler_gets_a_second_attempt_when_slots_are_idle)
{
    begin(6, 2, 12);
    slow_host = 5;
    world_pass(&world, 60);
    ck_assert_int_gt(world.attempt_count, 12);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    finish(SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(without_failures_no_slot_is_idle)
{
    begin(5, 2, 100);
    int64_t begun_ns = world.now_ns;
    finish(SHARD_RUN_DONE);
    ck_assert_int_eq(world.attempt_count, 100);
    ck_assert_int_le((world.now_ns - begun_ns) / 1000000000, 102);
    world_explains(&world, run, 50, shard_reason_text(SHARD_REASON_LOWEST_COST));
    world_free(&world);
}
END_TEST

START_TEST(a_divisible_task_is_split_for_idle_slots_and_left_whole_else)
{
    struct shard_task_spec wide = {.expected_seconds = 1000, .units = 100, .min_units = 10};
    begin_with(NULL, 4, 2, 1, wide);
    world_settle(&world);
    ck_assert_int_ge(world.attempt_count, 4);
    world_free(&world);
    begin_with(NULL, 4, 2, 30, wide);
    world_settle(&world);
    ck_assert_int_eq(world.attempt_count, 8);
    finish(SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(a_small_share_of_placements_explores)
{
    struct shard_adaptive_config always = {.struct_size = sizeof(always), .exploring_share = 1};
    begin_with(&always, 8, 4, 64, (struct shard_task_spec){.expected_seconds = 10});
    world_settle(&world);
    int explored = 0;
    for (int i = 0; i < 64; i++) {
        char *text = NULL;
        ck_assert_int_eq(shard_engine_explain(world.engine, world.runs[run].id, i, &text), 0);
        explored += strstr(text, shard_reason_text(SHARD_REASON_EXPLORES)) != NULL;
        shard_free(world.context, text);
    }
    ck_assert_int_gt(explored, 5);
    finish(SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

/* A predictor that shuns all hosts but the first for one second of each ten. */

static void number_of_host(void *self, const shard_view *view, shard_host_id host, float *ret_values)
{
    (void)self;
    (void)view;
    ret_values[0] = (float)host;
}

static int shun(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    (void)self;
    int64_t stride = rows->stride == 0 ? columns : rows->stride;
    for (int64_t i = 0; i < rows->rows && ret->p_fail != NULL; i++) {
        int is_shunned = world.now_ns / 1000000000 % 10 == 0;
        ret->p_fail[i] = is_shunned && rows->values[i * stride + columns - 1] > 0 ? 0.95 : 0.001;
    }
    return 0;
}

static const struct shard_predictor shunning = {.struct_size = sizeof(shunning), .name = "shunning", .predict = shun};
static const struct shard_feature number = {.name = "number", .group = SHARD_FEATURE_HOST};
static const struct shard_feature_source numbers = {
    .struct_size = sizeof(numbers), .features = &number, .feature_count = 1, .host = number_of_host};

static void plan_seconds(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->seconds = 1;
}

/* Three hosts; a task takes a second. 100 seconds are needed where no host is refused, 107 where those of a second are.
 */
START_TEST(hosts_that_short_tasks_refused_are_offered_again_soon)
{
    world_init(&world, "adaptive");
    world.config.predictor.port = &shunning;
    world.config.features = &numbers;
    world.plan = plan_seconds;
    run = world_begin_bag(&world, 3, 1, 300, (struct shard_task_spec){.expected_seconds = 1});
    int64_t begun_ns = world.now_ns;
    finish(SHARD_RUN_DONE);
    ck_assert_int_lt((world.now_ns - begun_ns) / 1000000000, 130);
    world_free(&world);
}
END_TEST

/* A predictor that knows the hosts that are sick, and how long things take. */
static int know(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    (void)self;
    int64_t stride = rows->stride == 0 ? columns : rows->stride;
    for (int64_t i = 0; i < rows->rows; i++) {
        float host = rows->values[i * stride + columns - 1];
        if (ret->p_fail != NULL)
            ret->p_fail[i] = host >= (float)sick_from && host < (float)sick_to ? 0.9 : 0.001;
        if (ret->seconds != NULL)
            ret->seconds[i] = 10;
    }
    return 0;
}

static const struct shard_predictor knowing = {.struct_size = sizeof(knowing), .name = "knowing", .predict = know};

START_TEST(tasks_that_are_told_to_take_no_time_are_kept_from_sick_hosts)
{
    world_init(&world, "adaptive");
    world.config.predictor.port = &knowing;
    world.config.features = &numbers;
    world.plan = plan;
    sick_from = 2, sick_to = 4, heals_at_s = 0, slow_host = poisoned_task = -1;
    run = world_begin_bag(&world, 4, 2, 100, (struct shard_task_spec){.zero_seconds_known = 1});
    finish(SHARD_RUN_DONE);
    ck_assert_int_le(attempts_on(2, 4), 4);
    world_free(&world);
}
END_TEST

static void plan_units(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->unit_seconds = 10;
}

/* Three tasks of 400 s for two slots: the third has both slots once the others are done. */
START_TEST(what_ends_last_is_shared_with_idle_slots_though_it_is_on_time)
{
    world_init(&world, "adaptive");
    world.plan = plan_units;
    run = world_begin_bag(&world, 2, 1, 3, (struct shard_task_spec){.expected_seconds = 400, .units = 40});
    world_pass(&world, 405);
    int64_t begun_ns = world.now_ns;
    finish(SHARD_RUN_DONE);
    ck_assert_int_lt((world.now_ns - begun_ns) / 1000000000, 300);
    world_free(&world);
}
END_TEST

static int64_t well_ns;

static int shun_until_well(void *self, const struct shard_matrix *rows, int32_t columns,
                           const struct shard_forecasts *ret)
{
    (void)self;
    int64_t stride = rows->stride == 0 ? columns : rows->stride;
    for (int64_t i = 0; i < rows->rows && ret->p_fail != NULL; i++)
        ret->p_fail[i] = world.now_ns < well_ns && rows->values[i * stride + columns - 1] > 0 ? 0.95 : 0.001;
    return 0;
}

static const struct shard_predictor until_well = {
    .struct_size = sizeof(until_well), .name = "until_well", .predict = shun_until_well};

static void plan_first_long(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = start->task == 0 ? 60 : 0.3;
}

/* One host has a task that is late, so that it is expected to be free at once; the other is shunned for a time. Nothing
   happens when that is over, and the tasks of 0.3 s are not to wait much longer than one of them takes. */
START_TEST(short_tasks_start_soon_after_a_host_is_not_refused_any_more)
{
    world_init(&world, "adaptive");
    world.config.predictor.port = &until_well;
    world.config.features = &numbers;
    world.plan = plan_first_long;
    well_ns = world.now_ns + INT64_C(10000000000) + _i * INT64_C(100000000);
    run = world_begin_bag(&world, 2, 1, 20, (struct shard_task_spec){.expected_seconds = 0.3});
    world_pass(&world, 15);
    ck_assert_int_gt(world.attempt_count, 1);
    ck_assert_int_ge(world.attempts[1].started_ns, well_ns);
    ck_assert_int_le(world.attempts[1].started_ns, well_ns + INT64_C(400000000));
    finish(SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_decisions)
{
    int hosts[2][300], counts[2];
    for (int i = 0; i < 2; i++) {
        begin(30, 2, 200);
        sick_from = 4, sick_to = 7;
        finish(SHARD_RUN_DONE);
        counts[i] = world.attempt_count < 300 ? world.attempt_count : 300;
        for (int k = 0; k < counts[i]; k++)
            hosts[i][k] = world.attempts[k].host;
        world_free(&world);
    }
    ck_assert_int_eq(counts[0], counts[1]);
    ck_assert_int_eq(memcmp(hosts[0], hosts[1], sizeof(hosts[0][0]) * (size_t)counts[0]), 0);
}
END_TEST

static const struct shard_adaptive_config bad_configs[] = {
    {.struct_size = sizeof(bad_configs[0]), .waste_weight = -1},
    {.struct_size = sizeof(bad_configs[0]), .idle_weight = NAN},
    {.struct_size = sizeof(bad_configs[0]), .exploring_share = 1.5},
    {.struct_size = sizeof(bad_configs[0]), .most_quarantined = 1.01},
    {.struct_size = sizeof(bad_configs[0]), .candidates = 65},
    {.struct_size = sizeof(bad_configs[0]), .half_life_seconds = INFINITY},
    {.struct_size = sizeof(bad_configs[0]), .failure_cost_seconds = -1},
};

START_TEST(a_config_out_of_range_is_refused_by_name)
{
    static const char *const names[] = {"waste_weight", "idle_weight",       "exploring_share",     "most_quarantined",
                                        "candidates",   "half_life_seconds", "failure_cost_seconds"};
    struct shard_policy_handle policy = {0};
    struct shard_error info = {.struct_size = sizeof(info)};
    world_init(&world, "adaptive");
    ck_assert_int_eq(shard_policy_adaptive(world.context, &bad_configs[_i], &policy), SHARD_EINVAL);
    ck_assert_ptr_null(policy.port);
    ck_assert_int_eq(shard_error_copy(&info), SHARD_EINVAL);
    ck_assert_msg(strstr(info.message, names[_i]) != NULL, "%s", info.message);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adaptive");
    TCase *tcase = tcase_create("adaptive");
    tcase_add_test(tcase, a_sick_host_gets_few_tasks_and_canaries);
    tcase_add_test(tcase, a_host_that_is_well_again_gets_tasks_again);
    tcase_add_test(tcase, a_run_goes_on_when_every_host_is_sick);
    tcase_add_test(tcase, a_poisoned_task_is_given_up_and_quarantines_no_host);
    tcase_add_test(tcase, a_task_that_failed_goes_elsewhere);
    tcase_add_test(tcase, a_straggler_gets_a_second_attempt_when_slots_are_idle);
    tcase_add_test(tcase, without_failures_no_slot_is_idle);
    tcase_add_test(tcase, a_divisible_task_is_split_for_idle_slots_and_left_whole_else);
    tcase_add_test(tcase, a_small_share_of_placements_explores);
    tcase_add_test(tcase, hosts_that_short_tasks_refused_are_offered_again_soon);
    tcase_add_test(tcase, tasks_that_are_told_to_take_no_time_are_kept_from_sick_hosts);
    tcase_add_test(tcase, what_ends_last_is_shared_with_idle_slots_though_it_is_on_time);
    tcase_add_loop_test(tcase, short_tasks_start_soon_after_a_host_is_not_refused_any_more, 0, 10);
    tcase_add_test(tcase, the_same_seed_gives_the_same_decisions);
    tcase_add_loop_test(tcase, a_config_out_of_range_is_refused_by_name, 0, 7);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
