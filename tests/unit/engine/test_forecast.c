/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts in running engines: who is asked, what is remembered, and what becomes of predictors that are no good.
 * It is longer than 400 lines because one policy and one predictor serve all of its cases.
 */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int64_t asked, calls, rows_set, misfits, seconds_known;
static double answer, takes_seconds, learns_seconds, wait_above;
static int64_t quick_after; /* so many calls; 0: never */
static int answer_code;
static int told_failures, told_others, told_censored;

/* A policy that takes the open host with the smallest forecast, or waits when that is too large. */
static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *decision)
{
    const shard_host_id *open;
    shard_host_id hosts[64];
    double p_fail[64], seconds[64], evidence[64];
    int32_t count = 0;
    (void)self;
    for (int32_t i = 0, all = shard_view_open_hosts(view, &open); i < all; i++)
        if (shard_view_admits(view, task, open[i]) == 1)
            hosts[count++] = open[i];
    struct shard_forecasts ret = {p_fail, seconds, evidence};
    ck_assert_int_eq(shard_view_forecast(view, task, hosts, count, &ret), 0);
    ck_assert_int_eq(shard_view_forecast(view, 9999, hosts, count, &ret), SHARD_ENOENT);
    ck_assert_int_eq(shard_view_forecast(view, task, (const shard_host_id[]){77}, 1, &ret), SHARD_ENOENT);
    ck_assert_int_eq(shard_view_forecast(view, task, hosts, -1, &ret), SHARD_EINVAL);
    asked += count;
    for (int32_t i = 0; i < count; i++)
        seconds_known += seconds[i] > 0;
    decision->kind = SHARD_DECIDE_WAIT;
    for (int32_t i = 0; i < count; i++)
        if (p_fail[i] <= wait_above && (decision->host < 0 || p_fail[i] < decision->p_fail)) {
            decision->kind = SHARD_DECIDE_START;
            decision->host = hosts[i];
            decision->p_fail = p_fail[i];
            decision->expected_seconds = seconds[i];
        }
    misfits += decision->host >= 0 && !(decision->p_fail >= 0 && decision->p_fail <= 1);
    return 0;
}

static const struct shard_policy asking = {.struct_size = sizeof(asking), .name = "asking", .place = place};

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    (void)self;
    calls++;
    ck_assert_int_ge(columns, shard_history_schema()->feature_count);
    for (int64_t i = 0; i < rows->rows; i++)
        ret->p_fail[i] = answer;
    if (quick_after == 0 || calls <= quick_after)
        world.now_ns += (int64_t)(takes_seconds * 1e9);
    return answer_code;
}

static const struct shard_predictor plain = {.struct_size = sizeof(plain), .name = "plain", .predict = predict};

static int block_new(void *self, enum shard_feature_group side, int32_t rows, void **ret_block)
{
    static int blocks[2];
    (void)self;
    ck_assert_int_ge(rows, 1);
    *ret_block = &blocks[side];
    return 0;
}

static int block_set(void *self, void *block, int32_t first, const struct shard_matrix *rows)
{
    (void)self, (void)block, (void)first;
    rows_set += rows->rows;
    world.now_ns += (int64_t)(takes_seconds * 1e9);
    return 0;
}

static void block_free(void *self, void *block)
{
    (void)self, (void)block;
}

static int predict_pairs(void *self, const void *tasks, const void *hosts, const struct shard_pairs *pairs,
                         const struct shard_forecasts *ret)
{
    (void)self, (void)tasks, (void)hosts;
    calls++;
    for (int64_t i = 0; i < pairs->count; i++)
        ret->p_fail[i] = pairs->wanted[i].host == 2 ? 0.25 : 0.75;
    return answer_code;
}

static const struct shard_predictor two_sided = {.struct_size = sizeof(two_sided),
                                                 .name = "two_sided",
                                                 .predict = predict,
                                                 .block_new = block_new,
                                                 .block_set = block_set,
                                                 .block_free = block_free,
                                                 .predict_pairs = predict_pairs};

/* Everything fails on the host "sick". */
static void plan(struct world *in, const struct shard_start *start, struct world_plan *ret_plan)
{
    (void)in;
    if (strcmp(start->host_name, "sick") == 0)
        *ret_plan = (struct world_plan){.outcome = SHARD_OUTCOME_TASK_ERROR, .seconds = 0.1};
}

static void begin(const struct shard_predictor *predictor)
{
    world_init(&world, NULL);
    asked = calls = rows_set = misfits = 0;
    answer = 0.5;
    wait_above = 1;
    takes_seconds = learns_seconds = 0;
    quick_after = told_failures = told_others = told_censored = 0;
    answer_code = 0;
    world.config.policy = (struct shard_policy_handle){&asking, NULL};
    world.config.predictor.port = predictor;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        world.config.retry[i] = (struct shard_retry){100, 0.1, 1};
    world_add_host(&world, "sick", 2000, 0, 2, 0);
    world_add_host(&world, "b", 2000, 0, 2, 0);
    world_add_host(&world, "c", 2000, 0, 2, 0);
}

static void add_hosts(int count)
{
    for (int i = 0; i < count; i++) {
        char name[8] = {'h', (char)('0' + i / 10), (char)('0' + i % 10)};
        world_add_host(&world, name, 2000, 0, 2, 0);
    }
}

static int run_tasks(int tasks)
{
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .cpu_millicores = 1000, .expected_seconds = 1};
    for (int i = 0; i < tasks; i++)
        shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(misfits, 0);
    return run;
}

static int starts_on(int host)
{
    int count = 0;
    for (int i = 0; i < world.attempt_count; i++)
        count += world.attempts[i].host == host;
    return count;
}

START_TEST(without_a_predictor_the_prior_learns_where_tasks_fail)
{
    begin(NULL);
    world.plan = plan;
    wait_above = 0.5;
    run_tasks(200);
    ck_assert_int_le(starts_on(0), 30); /* a few to see it */
    ck_assert_int_gt(asked, 200);
    world_free(&world);
}
END_TEST

START_TEST(hosts_that_did_not_change_are_not_told_again)
{
    begin(&two_sided);
    add_hosts(40);
    run_tasks(500);
    ck_assert_int_gt(calls, 400);
    /* A row for each task, and a few hosts for each; not all 43. */
    ck_assert_msg(rows_set < 12 * calls, "%d rows in %d calls", (int)rows_set, (int)calls);
    ck_assert_int_gt(starts_on(2), starts_on(1));
    world_free(&world);
}
END_TEST

START_TEST(a_predictor_that_fails_or_answers_no_probability_is_told_and_the_prior_answers)
{
    static const double answers[] = {1.7, -0.1, NAN, 0.5};
    for (int i = 0; i < 4; i++) {
        begin(&plain);
        answer = answers[i];
        answer_code = i == 3 ? SHARD_EIO : 0;
        run_tasks(50);
        ck_assert_int_gt(world_logged(&world, "predictor-failed"), 0);
        ck_assert_int_lt(world_logged(&world, "predictor-failed"), 12);
        ck_assert_int_ge(calls, 50);
        world_free(&world);
    }
}
END_TEST

/* Rows as they were when the attempt was placed: those of the sick host say so. */
START_TEST(seconds_that_a_predictor_does_not_tell_are_the_priors)
{
    begin(&plain);
    answer = 0.1;
    seconds_known = 0;
    run_tasks(50);
    ck_assert_int_gt(seconds_known, 0);
    ck_assert_int_eq(world_logged(&world, "predictor-failed"), 0);
    world_free(&world);
}
END_TEST

static void observe(void *self, const struct shard_observation *observation)
{
    (void)self;
    told_failures += observation->failed > 0.5;
    told_others += observation->failed < 0.5;
    told_censored += isnan(observation->failed);
    ck_assert_int_ge(observation->end_ns, observation->start_ns);
    ck_assert_double_ge(observation->seconds, 0);
    world.now_ns += (int64_t)(learns_seconds * 1e9);
    for (int i = 0; i < shard_history_schema()->feature_count; i++)
        if (strcmp(shard_history_schema()->features[i].name, "task_attempt") == 0)
            ck_assert_float_ge(observation->row[i], 1);
}

/* Tasks one after the other on three hosts, each a second, and how long it all took. */
static double run_slowly(double call_seconds, int tasks)
{
    begin(&plain);
    int64_t began_ns = world.now_ns;
    takes_seconds = call_seconds;
    run_tasks(tasks);
    ck_assert_int_eq(world_logged(&world, "predictor-failed"), 0);
    return (double)(world.now_ns - began_ns) / 1e9;
}

START_TEST(a_predictor_that_takes_a_second_has_a_hundredth_of_the_time_and_the_prior_answers)
{
    double seconds = run_slowly(1, 3000);
    ck_assert_double_gt(seconds, 450);
    ck_assert_msg((double)calls <= 1 + seconds / 100, "%d calls in %g s", (int)calls, seconds);
    ck_assert_int_ge(calls, 4); /* it is tried again */
    ck_assert_int_eq(world_logged(&world, "predictor-slow"), 3);
    world_free(&world);
}
END_TEST

START_TEST(many_calls_of_one_step_are_too_long_together)
{
    double seconds = run_slowly(0.02, 600);
    ck_assert_int_ge(calls, 6);
    ck_assert_msg(0.02 * (double)calls < seconds / 10, "%d calls in %g s", (int)calls, seconds);
    world_free(&world);
}
END_TEST

START_TEST(a_question_about_many_hosts_ends_when_its_time_is_over)
{
    begin(&two_sided);
    add_hosts(40);
    takes_seconds = 0.03;
    run_tasks(1);
    ck_assert_int_eq(rows_set, 1 + 3); /* the task and hosts, of 43 */
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(world_logged(&world, "predictor-slow"), 1);
    ck_assert_int_eq(world_logged(&world, "predictor-failed"), 0);
    world_free(&world);
}
END_TEST

START_TEST(a_predictor_that_is_quick_again_is_asked_again)
{
    begin(&plain);
    takes_seconds = 1;
    quick_after = 1;
    run_tasks(1500);
    ck_assert_int_gt(calls, 500);
    ck_assert_int_eq(world_logged(&world, "predictor-slow"), 1);
    world_free(&world);
}
END_TEST

START_TEST(a_predictor_that_learns_slowly_is_left_alone)
{
    struct shard_predictor predictor = plain;
    predictor.observe = observe;
    begin(&predictor);
    learns_seconds = 1;
    int64_t began_ns = world.now_ns;
    run_tasks(300);
    double seconds = (double)(world.now_ns - began_ns) / 1e9;
    ck_assert_int_ge(told_others, 1);
    ck_assert_msg(told_others <= 1 + seconds / 100, "%d calls in %g s", told_others, seconds);
    world_free(&world);
}
END_TEST

static const struct shard_schema *other_schema(void *self)
{
    static const struct shard_feature features[] = {{"mine", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}};
    static const struct shard_schema schema = {sizeof(schema), features, 1};
    (void)self;
    return &schema;
}

START_TEST(a_predictor_of_other_columns_is_refused_with_what_differs)
{
    struct shard_predictor predictor = plain;
    struct shard_engine *engine = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    begin(NULL);
    predictor.schema = other_schema;
    run_tasks(1);
    world.config.predictor.port = &predictor;
    ck_assert_int_eq(shard_engine_new(world.context, &world.config, &engine), SHARD_ECONFLICT);
    shard_error_copy(&error);
    ck_assert_msg(strstr(error.message, "mine") != NULL, "%s", error.message);
    world_free(&world);
}
END_TEST

static void own_values(void *self, const shard_view *view, shard_host_id host, float *ret_values)
{
    (void)self, (void)view;
    ret_values[0] = (float)host;
}

static int predict_own(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    (void)self;
    calls++;
    for (int64_t i = 0; i < rows->rows; i++) {
        ret->p_fail[i] = rows->values[i * columns + columns - 1] == 1 ? 0.1 : 0.9;
        misfits += !isnan(rows->values[i * columns + columns - 2]);
    }
    return 0;
}

START_TEST(columns_of_ones_own_come_behind_the_librarys)
{
    static const struct shard_feature features[] = {{"my_task", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0},
                                                    {"my_host", SHARD_FEATURE_HOST, SHARD_FEATURE_KEY, 0}};
    static const struct shard_feature_source source = {
        .struct_size = sizeof(source), .features = features, .feature_count = 2, .host = own_values};
    struct shard_predictor predictor = plain;
    begin(&predictor);
    predictor.predict = predict_own;
    world.config.features = &source;
    run_tasks(2);
    ck_assert_int_eq(starts_on(1), 2);
    ck_assert_int_gt(calls, 0);
    world_free(&world);
}
END_TEST

START_TEST(a_predictor_that_learns_is_told_of_every_end_with_the_row_it_was_placed_by)
{
    struct shard_predictor predictor = plain;
    predictor.observe = observe;
    begin(&predictor);
    world.plan = plan;
    run_tasks(60);
    ck_assert_int_eq(told_others, 60);
    ck_assert_int_eq(told_failures, starts_on(0));
    ck_assert_int_gt(told_failures, 0);
    ck_assert_int_eq(told_censored, 0);
    world_free(&world);
}
END_TEST

START_TEST(with_a_predictor_every_placement_has_a_forecast_though_the_policy_never_asks)
{
    begin(&two_sided);
    world_free(&world);
    world_init(&world, "least_loaded");
    world.config.predictor.port = &two_sided;
    calls = 0;
    world_add_host(&world, "b", 2000, 0, 2, 0);
    int run = run_tasks(10);
    ck_assert_int_eq(calls, 10);
    world_explains(&world, run, 3, "probability of failure: 0.750");
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forecast");
    TCase *tcase = tcase_create("forecast");
    tcase_add_test(tcase, without_a_predictor_the_prior_learns_where_tasks_fail);
    tcase_add_test(tcase, hosts_that_did_not_change_are_not_told_again);
    tcase_add_test(tcase, seconds_that_a_predictor_does_not_tell_are_the_priors);
    tcase_add_test(tcase, a_predictor_that_fails_or_answers_no_probability_is_told_and_the_prior_answers);
    tcase_add_test(tcase, a_predictor_that_takes_a_second_has_a_hundredth_of_the_time_and_the_prior_answers);
    tcase_add_test(tcase, many_calls_of_one_step_are_too_long_together);
    tcase_add_test(tcase, a_question_about_many_hosts_ends_when_its_time_is_over);
    tcase_add_test(tcase, a_predictor_that_is_quick_again_is_asked_again);
    tcase_add_test(tcase, a_predictor_that_learns_slowly_is_left_alone);
    tcase_add_test(tcase, a_predictor_of_other_columns_is_refused_with_what_differs);
    tcase_add_test(tcase, columns_of_ones_own_come_behind_the_librarys);
    tcase_add_test(tcase, a_predictor_that_learns_is_told_of_every_end_with_the_row_it_was_placed_by);
    tcase_add_test(tcase, with_a_predictor_every_placement_has_a_forecast_though_the_policy_never_asks);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
