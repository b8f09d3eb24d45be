/* SPDX-License-Identifier: Apache-2.0 */
/* The measures, against values worked out by hand. */

#include <math.h>

#include <shard/train.h>

#include "suite.h"

static shard_context *context;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_context_free(context);
}

static struct shard_score score_of(const double *p, const float *labels, int64_t count)
{
    struct shard_score score = {.struct_size = sizeof(score)};
    ck_assert_int_eq(shard_score_forecasts(context, p, labels, count, &score), 0);
    return score;
}

START_TEST(four_forecasts_score_as_worked_out_by_hand)
{
    static const double p[] = {0.9, 0.8, 0.7, 0.6};
    static const float labels[] = {1, 0, 1, 0};
    struct shard_score score = score_of(p, labels, 4);
    ck_assert_int_eq(score.rows, 4);
    ck_assert_double_eq_tol(score.base_rate, 0.5, 1e-12);
    ck_assert_double_eq_tol(score.roc_auc, 3.0 / 4, 1e-12);          /* of 4 pairs, 0.7 against 0.8 is wrong */
    ck_assert_double_eq_tol(score.pr_auc, (1 + 2.0 / 3) / 2, 1e-12); /* precision 1 at the first, 2/3 at the third */
    ck_assert_double_eq_tol(score.brier, (0.01 + 0.64 + 0.09 + 0.36) / 4, 1e-12);
    ck_assert_double_eq_tol(score.log_loss, -(log(0.9) + log(0.2) + log(0.7) + log(0.4)) / 4, 1e-12);
    ck_assert_double_eq_tol(score.ece, (0.1 + 0.8 + 0.3 + 0.6) / 4, 1e-12);
}
END_TEST

START_TEST(equal_forecasts_share_their_rank)
{
    static const double p[] = {0.5, 0.5, 0.5, 0.1};
    static const float labels[] = {1, 0, 0, 0};
    struct shard_score score = score_of(p, labels, 4);
    ck_assert_double_eq_tol(score.roc_auc, (0.5 + 0.5 + 1) / 3, 1e-12);
    ck_assert_double_eq_tol(score.pr_auc, 1.0 / 3, 1e-12);
    ck_assert_double_eq_tol(score.ece, (fabs(1.5 - 1) + 0.1) / 4, 1e-12);
}
END_TEST

START_TEST(a_perfect_ranking_scores_one_and_its_reverse_nothing)
{
    static const double p[] = {0.1, 0.2, 0.8, 0.9};
    static const float labels[] = {0, 0, 1, 1};
    static const float reversed[] = {1, 1, 0, 0};
    ck_assert_double_eq_tol(score_of(p, labels, 4).roc_auc, 1, 1e-12);
    ck_assert_double_eq_tol(score_of(p, labels, 4).pr_auc, 1, 1e-12);
    ck_assert_double_eq_tol(score_of(p, reversed, 4).roc_auc, 0, 1e-12);
    ck_assert_double_eq_tol(score_of(p, reversed, 4).pr_auc, (1.0 / 3 + 2.0 / 4) / 2, 1e-12);
}
END_TEST

START_TEST(censored_rows_do_not_count)
{
    static const double p[] = {0.9, 0.3, 0.2};
    static const float labels[] = {1, NAN, 0};
    struct shard_score score = score_of(p, labels, 3);
    ck_assert_int_eq(score.rows, 2);
    ck_assert_double_eq_tol(score.brier, (0.01 + 0.04) / 2, 1e-12);
}
END_TEST

START_TEST(what_cannot_be_said_is_nan)
{
    static const double p[] = {0.9, 0.3};
    static const float failures[] = {1, 1};
    static const float successes[] = {0, 0};
    ck_assert_double_nan(score_of(p, failures, 2).roc_auc);
    ck_assert_double_eq_tol(score_of(p, failures, 2).pr_auc, 1, 1e-12);
    ck_assert_double_nan(score_of(p, successes, 2).pr_auc);
    ck_assert_double_nan(score_of(p, successes, 0).brier);
}
END_TEST

START_TEST(a_forecast_that_is_no_probability_is_refused)
{
    static const double wrong[] = {1.7, -0.1, NAN};
    static const float label = 1;
    struct shard_score score = {.struct_size = sizeof(score)};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(shard_score_forecasts(context, &wrong[i], &label, 1, &score), SHARD_EINVAL);
}
END_TEST

START_TEST(forecasts_of_zero_and_one_cost_a_finite_loss)
{
    static const double p[] = {0, 1};
    static const float labels[] = {1, 0};
    ck_assert(isfinite(score_of(p, labels, 2).log_loss));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, four_forecasts_score_as_worked_out_by_hand);
    tcase_add_test(tests, equal_forecasts_share_their_rank);
    tcase_add_test(tests, a_perfect_ranking_scores_one_and_its_reverse_nothing);
    tcase_add_test(tests, censored_rows_do_not_count);
    tcase_add_test(tests, what_cannot_be_said_is_nan);
    tcase_add_test(tests, a_forecast_that_is_no_probability_is_refused);
    tcase_add_test(tests, forecasts_of_zero_and_one_cost_a_finite_loss);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
