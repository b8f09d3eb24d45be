/* SPDX-License-Identifier: Apache-2.0 */
/* What signs of failure come to weigh: against the law that outcomes were drawn by, and in the prior's forecasts. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "predict/logistic.h"
#include "predict/signs.h"
#include "suite.h"

static const double nothing[SHARD__SIGNS] = {0};

static double unit(void)
{
    return (double)rand() / RAND_MAX;
}

START_TEST(weights_go_to_those_that_outcomes_were_drawn_by)
{
    static const double truth[SHARD__SIGNS] = {0, 12, 6};
    struct shard__signs signs;
    shard__signs_init(&signs, nothing, 10);
    srand(3);
    for (int i = 0; i < 20000; i++) {
        double values[SHARD__SIGNS], margin = -2, all;
        all = margin;
        for (int k = 0; k < SHARD__SIGNS; k++) {
            values[k] = 0.4 * unit();
            all += truth[k] * values[k];
        }
        shard__signs_learn(&signs, values, margin, unit() < shard__logistic_of(all));
    }
    for (int k = 0; k < SHARD__SIGNS; k++)
        ck_assert_msg(fabs(signs.mean[k] - truth[k]) < 0.7, "weight %d is %g, drawn by %g", k, signs.mean[k], truth[k]);
}
END_TEST

START_TEST(numbers_that_signs_make_larger_are_told_by_them)
{
    static const double truth[SHARD__SIGNS] = {5, 0, 1};
    struct shard__signs signs;
    shard__signs_init(&signs, nothing, 3);
    srand(4);
    for (int i = 0; i < 2000; i++) {
        double values[SHARD__SIGNS], over = 0.6 * (unit() - 0.5);
        for (int k = 0; k < SHARD__SIGNS; k++) {
            values[k] = 0.4 * unit();
            over += truth[k] * values[k];
        }
        shard__signs_measure(&signs, values, over, 0.2);
    }
    for (int k = 0; k < SHARD__SIGNS; k++)
        ck_assert_msg(fabs(signs.mean[k] - truth[k]) < 0.2, "weight %d is %g, made by %g", k, signs.mean[k], truth[k]);
}
END_TEST

START_TEST(a_weight_stays_finite_and_not_below_nothing)
{
    struct shard__signs signs;
    shard__signs_init(&signs, nothing, 10);
    for (int i = 0; i < 5000; i++) {
        const double values[SHARD__SIGNS] = {1e3 * unit(), -unit(), i % 2};
        shard__signs_learn(&signs, values, i % 3 - 1, i % 2);
        for (int k = 0; k < SHARD__SIGNS; k++) {
            ck_assert(isfinite(signs.mean[k]) && signs.mean[k] >= 0);
            ck_assert(isfinite(signs.covariance[k][k]) && signs.covariance[k][k] >= 0);
        }
    }
}
END_TEST

/* ---- in the prior ---- */

static float row[256];

static void set(const char *name, float value)
{
    const struct shard_schema *schema = shard_history_schema();
    for (int32_t i = 0; i < schema->feature_count; i++)
        if (strcmp(schema->features[i].name, name) == 0) {
            row[i] = value;
            return;
        }
    ck_abort_msg("no column %s", name);
}

static double ask(struct shard_predictor_handle predictor)
{
    double p_fail;
    struct shard_matrix rows = {.values = row, .rows = 1};
    struct shard_forecasts ret = {.p_fail = &p_fail};
    ck_assert_int_eq(shard_predict(predictor, &rows, shard_history_schema()->feature_count, &ret), 0);
    return p_fail;
}

static void end_attempts(struct shard_predictor_handle predictor, int count, double failed)
{
    struct shard_observation observation = {.struct_size = sizeof(observation), .row = row, .failed = failed};
    for (int i = 0; i < count; i++)
        predictor.port->observe(predictor.self, &observation);
}

/* Of the prior, or of a champion that has no model yet. */
static void check_pressure(struct shard_predictor_handle predictor)
{
    ck_assert_int_lt(shard_history_schema()->feature_count, 256);
    for (int i = 0; i < 256; i++)
        row[i] = NAN;
    double unknown = ask(predictor);
    set("host_io_pressure_over_peers", 0);
    ck_assert(fabs(ask(predictor) - unknown) < 1e-12);
    set("host_io_pressure_over_peers", 0.2F);
    double at_first = ask(predictor);
    ck_assert(at_first > 2 * unknown);
    end_attempts(predictor, 200, NAN);
    ck_assert(fabs(ask(predictor) - at_first) < 1e-12);
    end_attempts(predictor, 20, 1);
    double feared = ask(predictor);
    ck_assert(feared > at_first);
    end_attempts(predictor, 400, 0);
    ck_assert(ask(predictor) < at_first);
    ck_assert(ask(predictor) >= unknown - 1e-12);
}

static double ask_seconds(struct shard_predictor_handle predictor)
{
    double seconds;
    struct shard_matrix rows = {.values = row, .rows = 1};
    struct shard_forecasts ret = {.seconds = &seconds};
    ck_assert_int_eq(shard_predict(predictor, &rows, shard_history_schema()->feature_count, &ret), 0);
    return seconds;
}

/* Attempts on a host that stalls for CPU take five times what was expected: seconds of a host like it do so too, and
   those of one that does not stay what they were. */
static void check_slowness(struct shard_predictor_handle predictor)
{
    struct shard_observation observation = {.struct_size = sizeof(observation), .row = row, .seconds = 50};
    for (int i = 0; i < 256; i++)
        row[i] = NAN;
    set("task_expected_seconds", 10);
    set("host_cpu_pressure_over_peers", 0);
    ck_assert(fabs(ask_seconds(predictor) - 10) < 1e-9);
    set("host_cpu_pressure_over_peers", 0.3F);
    ck_assert(ask_seconds(predictor) > 12);
    for (int i = 0; i < 20; i++)
        predictor.port->observe(predictor.self, &observation);
    ck_assert(fabs(ask_seconds(predictor) - 50) < 3);
    set("host_cpu_pressure_over_peers", 0);
    ck_assert(fabs(ask_seconds(predictor) - 10) < 1e-9);
}

START_TEST(pressure_counts_as_much_as_it_has_been_seen_to)
{
    shard_context *context;
    struct shard_predictor_handle prior;
    shard_champion *champion;
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    ck_assert_int_eq(shard_prior_predictor(context, shard_history_schema(), &prior), 0);
    check_pressure(prior);
    check_slowness(prior);
    prior.port->destroy(prior.self);
    ck_assert_int_eq(shard_champion_new(context, NULL, &champion), 0);
    check_pressure(shard_champion_predictor(champion));
    shard_champion_free(champion);
    shard_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signs");
    TCase *tcase = tcase_create("signs");
    tcase_add_test(tcase, weights_go_to_those_that_outcomes_were_drawn_by);
    tcase_add_test(tcase, numbers_that_signs_make_larger_are_told_by_them);
    tcase_add_test(tcase, a_weight_stays_finite_and_not_below_nothing);
    tcase_add_test(tcase, pressure_counts_as_much_as_it_has_been_seen_to);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
