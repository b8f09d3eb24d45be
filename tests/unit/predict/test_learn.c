/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer without trees: nothing leaks, lines learn, calibration moves forecasts, models come back as they were. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/train.h>

#include "base/random.h"
#include "predict/logistic.h"
#include "predict/train_model.h"
#include "suite.h"

static shard_context *context;
static struct shard__random dice;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    shard__random_seed(&dice, 7);
}

static void tear_down(void)
{
    shard_context_free(context);
}

static const char *message(void)
{
    static struct shard_error error;
    error.struct_size = sizeof(error);
    shard_error_copy(&error);
    return error.message;
}

/* A row of a made table. */
struct made {
    double start;
    double end;
    int failed;
    double a;
    double b;
};

typedef struct made (*make_row)(int row);

static shard_table *make_table(const char *names, int rows, make_row make)
{
    shard_table *table = NULL;
    char line[200];
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    int size = snprintf(line, sizeof(line), "t,te,y,%s\n", names);
    ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    for (int i = 0; i < rows; i++) {
        struct made row = make(i);
        size = snprintf(line, sizeof(line), "%.6f,%.6f,%d,%.9g,%.9g\n", row.start, row.end, row.failed, row.a, row.b);
        ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    }
    ck_assert_int_eq(shard_table_end(table), 0);
    return table;
}

static int chance(double p)
{
    return shard__random_unit(&dice) < p;
}

static struct shard_candidate_info candidate_of(const shard_evaluation *evaluation, const char *name)
{
    struct shard_candidate_info info = {.struct_size = sizeof(info)};
    for (int n = 0; shard_evaluation_candidate(evaluation, n, &info) == 0; n++) {
        if (strcmp(info.name, name) == 0)
            return info;
    }
    ck_abort_msg("there is no candidate %s", name);
}

START_TEST(a_separable_table_is_fitted_with_finite_coefficients)
{
    float design[200];
    float labels[200];
    float weights[200];
    double coefficients[2];
    for (int i = 0; i < 200; i++) {
        design[i] = (float)(i - 100) / 50;
        labels[i] = i >= 100;
        weights[i] = 1;
    }
    struct shard__logistic problem = {
        .design = design, .labels = labels, .weights = weights, .count = 200, .columns = 1, .ridge = 1};
    ck_assert_int_eq(shard__logistic_fit(context, &problem, coefficients), 0);
    ck_assert_double_gt(coefficients[1], 1);
    ck_assert_double_lt(coefficients[1], 100);
    ck_assert_double_eq_tol(coefficients[0] / coefficients[1], 0.01, 0.02);
}
END_TEST

START_TEST(a_fit_without_a_ridge_has_the_gradient_of_zero)
{
    float design[] = {0, 0, 0, 0, 1, 1, 1, 1};
    float labels[] = {0, 0, 0, 1, 0, 1, 1, 1};
    float weights[] = {1, 1, 1, 1, 1, 1, 1, 1};
    double coefficients[2];
    struct shard__logistic problem = {
        .design = design, .labels = labels, .weights = weights, .count = 8, .columns = 1, .ridge = 1e-9};
    ck_assert_int_eq(shard__logistic_fit(context, &problem, coefficients), 0);
    ck_assert_double_eq_tol(coefficients[0], log(1.0 / 3), 1e-3); /* 1 of 4 failed where x is 0 */
    ck_assert_double_eq_tol(coefficients[0] + coefficients[1], log(3.0), 1e-3);
}
END_TEST

START_TEST(weights_that_may_not_be_negative_stop_at_zero)
{
    float design[] = {0, 1, 0, 1, 0, 1};
    float labels[] = {1, 0, 1, 0, 1, 0};
    float weights[] = {1, 1, 1, 1, 1, 1};
    double target = 1;
    double coefficients[2];
    struct shard__logistic problem = {.design = design,
                                      .labels = labels,
                                      .weights = weights,
                                      .count = 6,
                                      .columns = 1,
                                      .ridge = 1e-6,
                                      .targets = &target,
                                      .not_negative = 1};
    ck_assert_int_eq(shard__logistic_fit(context, &problem, coefficients), 0);
    ck_assert_double_eq_tol(coefficients[1], 0, 1e-9);
    ck_assert_double_eq_tol(coefficients[0], 0, 1e-3);
}
END_TEST

/* Column a gives the label away in rows that end long after the test began, and in the test. */
static struct made leaking(int row)
{
    int is_long = row < 700 && row % 2 == 0;
    int failed = chance(0.5);
    return (struct made){row, is_long ? 5000 : row + 0.5, failed, is_long || row >= 700 ? failed : chance(0.5),
                         shard__random_unit(&dice)};
}

START_TEST(a_row_whose_attempt_had_not_ended_teaches_nothing)
{
    shard_table *table = make_table("a,b", 1000, leaking);
    shard_evaluation *evaluation = NULL;
    struct shard_evaluation_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_evaluate(context, table, NULL, &evaluation), 0);
    shard_evaluation_describe(evaluation, &info);
    ck_assert_int_eq(info.train_rows, 350);
    ck_assert_int_eq(info.test_rows, 300);
    for (int n = 0; n < info.candidate_count; n++) {
        struct shard_candidate_info candidate = {.struct_size = sizeof(candidate)};
        ck_assert_int_eq(shard_evaluation_candidate(evaluation, n, &candidate), 0);
        ck_assert_double_gt(candidate.score.log_loss, 0.5); /* whoever had seen them would be near 0 */
    }
    shard_evaluation_free(evaluation);
    shard_table_free(table);
}
END_TEST

static int is_flipped;

static struct made flipping(int row)
{
    double a = shard__random_unit(&dice);
    int failed = chance(a);
    return (struct made){row, row + 0.5, is_flipped && row >= 700 ? !failed : failed, a, shard__random_unit(&dice)};
}

START_TEST(labels_of_the_test_change_no_forecast_and_no_choice)
{
    double forecasts[2][300];
    const char *chosen[2];
    shard_evaluation *evaluations[2];
    for (int pass = 0; pass < 2; pass++) {
        is_flipped = pass;
        shard__random_seed(&dice, 3);
        shard_table *table = make_table("a,b", 1000, flipping);
        struct shard_evaluation_info info = {.struct_size = sizeof(info)};
        ck_assert_int_eq(shard_evaluate(context, table, NULL, &evaluations[pass]), 0);
        shard_evaluation_describe(evaluations[pass], &info);
        memcpy(forecasts[pass], info.p_fail, sizeof(forecasts[pass]));
        chosen[pass] = info.chosen;
        shard_table_free(table);
    }
    ck_assert_str_eq(chosen[0], chosen[1]);
    ck_assert_mem_eq(forecasts[0], forecasts[1], sizeof(forecasts[0]));
    shard_evaluation_free(evaluations[0]);
    shard_evaluation_free(evaluations[1]);
}
END_TEST

START_TEST(a_line_finds_what_a_column_says)
{
    is_flipped = 0;
    shard_table *table = make_table("a,b", 1000, flipping);
    shard_evaluation *evaluation = NULL;
    struct shard_evaluate_config config = {.struct_size = sizeof(config), .prequential = 1, .split = 0.5};
    ck_assert_int_eq(shard_evaluate(context, table, NULL, &evaluation), 0);
    ck_assert_double_gt(candidate_of(evaluation, "linear").score.roc_auc, 0.75);
    ck_assert_double_gt(candidate_of(evaluation, "chosen").score.roc_auc, 0.75);
    shard_evaluation_free(evaluation);
    ck_assert_int_eq(shard_evaluate(context, table, &config, &evaluation), 0);
    ck_assert_double_gt(candidate_of(evaluation, "chosen").score.roc_auc, 0.75);
    ck_assert_int_eq(candidate_of(evaluation, "chosen").score.rows, 500);
    shard_evaluation_free(evaluation);
    shard_table_free(table);
}
END_TEST

/* A rate that is right in log-odds, and failures that have become three times as frequent in the last sixth. */
static struct made shifting(int row)
{
    double rate = 0.05 + 0.1 * shard__random_unit(&dice);
    return (struct made){row, row + 0.5, chance(row < 2500 ? rate : 3 * rate), rate, 0};
}

static double mean_forecast(const shard_model *model)
{
    struct shard_predictor_handle predictor;
    float rows[] = {0.1F, 0, 0.1F, 0};
    double p[2];
    struct shard_matrix matrix = {.values = rows, .rows = 2};
    struct shard_forecasts ret = {.p_fail = p};
    ck_assert_int_eq(shard_model_predictor(context, model, &predictor), 0);
    ck_assert_int_eq(shard_predict(predictor, &matrix, 2, &ret), 0);
    predictor.port->destroy(predictor.self);
    return (p[0] + p[1]) / 2;
}

/* One rate says what will be, the other is made up. */
static struct made one_rate_is_made_up(int row)
{
    double p = (row / 50 % 2 == 0 ? 0.1 : 0.8) + 0.1 * shard__random_unit(&dice);
    return (struct made){row, row + 0.5, chance(p), p, shard__random_unit(&dice)};
}

START_TEST(a_rate_that_is_often_wrong_weighs_little_in_the_prior)
{
    struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "prior"};
    shard_table *table = make_table("good_ewma,bad_ewma", 4000, one_rate_is_made_up);
    shard_model *model = NULL;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    const struct shard__member *alike = &model->bundle.members[0], *by_merit = &model->bundle.members[1];
    ck_assert_int_eq(by_merit->family, SHARD__FAMILY_PRIOR);
    ck_assert_int_eq(by_merit->term_count, 2);
    ck_assert_double_gt(by_merit->coefficients[1], 4 * by_merit->coefficients[2]);
    ck_assert_double_gt(alike->coefficients[2], by_merit->coefficients[2]);
    shard_model_free(model);
    shard_table_free(table);
}
END_TEST

/* On some hosts everything fails, on the others nothing. */
static struct made all_or_nothing_fails(int row)
{
    int failed = row % 3 == 0;
    return (struct made){row, row + 0.5, failed, failed, 0};
}

START_TEST(a_rate_of_all_or_nothing_is_one_of_the_priors)
{
    struct shard_evaluate_config config = {.struct_size = sizeof(config)};
    shard_table *table = make_table("host_failure_rate,b", 100, all_or_nothing_fails);
    shard_evaluation *evaluation = NULL;
    ck_assert_int_eq(shard_evaluate(context, table, &config, &evaluation), 0);
    ck_assert_double_eq(candidate_of(evaluation, "prior").score.roc_auc, 1);
    shard_evaluation_free(evaluation);
    shard_table_free(table);
}
END_TEST

START_TEST(calibration_follows_a_base_rate_that_has_moved_for_good)
{
    shard_table *table = make_table("a_ewma,b", 3000, shifting);
    struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "prior"};
    shard_model *model = NULL;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    /* 13 % of all rows failed, 30 % of the last */
    ck_assert_double_gt(mean_forecast(model), 0.18);
    ck_assert_double_lt(mean_forecast(model), 0.4);
    shard_model_free(model);
    shard_table_free(table);
}
END_TEST

static shard_model *trained(void)
{
    is_flipped = 0;
    shard_table *table = make_table("a,b", 500, flipping);
    struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "prior_linear"};
    shard_model *model = NULL;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    shard_table_free(table);
    return model;
}

START_TEST(a_model_comes_back_from_bytes_as_it_was)
{
    shard_model *model = trained();
    shard_model *again = NULL;
    struct shard_model_info info = {.struct_size = sizeof(info)};
    struct shard_model_info other = {.struct_size = sizeof(other)};
    void *bytes = NULL;
    size_t size = 0;
    ck_assert_int_eq(shard_model_to_bytes(context, model, &bytes, &size), 0);
    ck_assert_int_eq(shard_model_from_bytes(context, bytes, size, "bytes", &again), 0);
    ck_assert_double_eq(mean_forecast(model), mean_forecast(again));
    shard_model_describe(model, &info);
    shard_model_describe(again, &other);
    ck_assert_uint_eq(info.schema_hash, other.schema_hash);
    ck_assert_str_eq(info.chosen, other.chosen);
    ck_assert_int_eq(info.member_count, other.member_count);
    shard_free(context, bytes);
    shard_model_free(again);
    shard_model_free(model);
}
END_TEST

START_TEST(a_model_with_any_byte_damaged_is_refused)
{
    shard_model *model = trained();
    shard_model *again = NULL;
    void *bytes = NULL;
    size_t size = 0;
    ck_assert_int_eq(shard_model_to_bytes(context, model, &bytes, &size), 0);
    char *text = bytes;
    for (size_t at = 0; at < size; at++) {
        text[at] ^= 1;
        ck_assert_int_lt(shard_model_from_bytes(context, bytes, size, NULL, &again), 0);
        text[at] ^= 1;
    }
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_lt(shard_model_from_bytes(context, bytes, cut, NULL, &again), 0);
    shard_free(context, bytes);
    shard_model_free(model);
}
END_TEST

static struct made never_failing(int row)
{
    return (struct made){row, row + 1, 0, row % 7, 0};
}

START_TEST(a_table_of_one_class_or_without_rows_is_refused)
{
    shard_table *table = make_table("a,b", 100, never_failing);
    shard_evaluation *evaluation = NULL;
    shard_model *model = NULL;
    ck_assert_int_eq(shard_evaluate(context, table, NULL, &evaluation), SHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(message(), "one class"));
    ck_assert_int_eq(shard_train(context, table, NULL, &model), SHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(message(), "one class"));
    shard_table_free(table);
    table = make_table("a,b", 0, never_failing);
    ck_assert_int_eq(shard_evaluate(context, table, NULL, &evaluation), SHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(message(), "no rows"));
    shard_table_free(table);
}
END_TEST

START_TEST(a_candidate_that_is_not_there_is_refused)
{
    shard_table *table = make_table("a,b", 100, never_failing);
    shard_model *model = NULL;
    struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "oracle"};
    ck_assert_int_eq(shard_train(context, table, &config, &model), SHARD_EINVAL);
    config.candidate = "trees";
    ck_assert_int_eq(shard_train(context, table, &config, &model), SHARD_ENOTSUP);
    shard_table_free(table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("learn");
    TCase *tests = tcase_create("learn");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_separable_table_is_fitted_with_finite_coefficients);
    tcase_add_test(tests, a_fit_without_a_ridge_has_the_gradient_of_zero);
    tcase_add_test(tests, weights_that_may_not_be_negative_stop_at_zero);
    tcase_add_test(tests, a_row_whose_attempt_had_not_ended_teaches_nothing);
    tcase_add_test(tests, labels_of_the_test_change_no_forecast_and_no_choice);
    tcase_add_test(tests, a_line_finds_what_a_column_says);
    tcase_add_test(tests, a_rate_that_is_often_wrong_weighs_little_in_the_prior);
    tcase_add_test(tests, a_rate_of_all_or_nothing_is_one_of_the_priors);
    tcase_add_test(tests, calibration_follows_a_base_rate_that_has_moved_for_good);
    tcase_add_test(tests, a_model_comes_back_from_bytes_as_it_was);
    tcase_add_test(tests, a_model_with_any_byte_damaged_is_refused);
    tcase_add_test(tests, a_table_of_one_class_or_without_rows_is_refused);
    tcase_add_test(tests, a_candidate_that_is_not_there_is_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
