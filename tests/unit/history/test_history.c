/* SPDX-License-Identifier: Apache-2.0 */
/* Windows against sums over all samples, rates and their decay, and what the columns say of a small cluster. */

#include <math.h>
#include <stdlib.h>

#include <shard/shard.h>

#include "history/history.h"
#include "suite.h"

static const int64_t second_ns = 1000000000;

static void check_close(double ours, double theirs)
{
    ck_assert_msg(fabs(ours - theirs) <= 1e-3 * (1 + fabs(theirs)), "%g, expected %g", ours, theirs);
}

/* Over the samples whose bucket is one of the last ten. */
static struct shard__window_values plainly(const double *values, const int64_t *times, int count, int64_t width_ns,
                                           int64_t now_ns)
{
    double n = 0, x = 0, t = 0, tt = 0, tx = 0, max = -INFINITY;
    for (int i = 0; i < count; i++) {
        if (now_ns / width_ns - times[i] / width_ns >= 10 || isnan(values[i]))
            continue;
        double at = (double)(times[i] - now_ns) / 1e9;
        n++;
        x += values[i];
        t += at;
        tt += at * at;
        tx += at * values[i];
        max = values[i] > max ? values[i] : max;
    }
    double slope = n > 1 ? (n * tx - t * x) / (n * tt - t * t) : NAN;
    return (struct shard__window_values){(float)(x / n), (float)max, (float)slope};
}

START_TEST(a_window_says_what_all_its_samples_say)
{
    static const int64_t widths[] = {1000000000, 6000000000, 60000000000};
    enum { COUNT = 3000 };
    static double values[COUNT];
    static int64_t times[COUNT];
    static struct shard__series series;
    int64_t now = 1700000000 * second_ns;
    srand(7);
    for (int i = 0; i < COUNT; i++) {
        now += rand() % 1000 * 1000000 + 1;
        times[i] = now;
        values[i] = rand() % 10 == 0 ? NAN : 0.3 + 0.2 * sin((double)i / 50) + (double)(rand() % 100) / 1000;
        shard__series_add(&series, now, values[i]);
        if (i < 5)
            continue;
        for (int w = 0; w < 3; w++) {
            struct shard__window_values ours, theirs = plainly(values, times, i + 1, widths[w], now);
            shard__series_values(&series, w, now, &ours);
            check_close((double)ours.mean, (double)theirs.mean);
            ck_assert(ours.max == theirs.max);
            check_close((double)ours.slope, (double)theirs.slope);
        }
    }
}
END_TEST

START_TEST(a_window_whose_samples_are_over_knows_nothing)
{
    static struct shard__series series;
    struct shard__window_values values;
    shard__series_add(&series, 100 * second_ns, 0.5);
    shard__series_values(&series, 0, 109 * second_ns, &values);
    ck_assert(values.mean == 0.5f);
    shard__series_values(&series, 0, 111 * second_ns, &values);
    ck_assert(isnan(values.mean) && isnan(values.max) && isnan(values.slope));
    shard__series_values(&series, 2, 111 * second_ns, &values);
    ck_assert(values.mean == 0.5f && isnan(values.slope));
}
END_TEST

static shard_context *context;
static struct shard__cluster cluster;
static struct shard__history history;

static void begin(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    ck_assert_int_eq(shard__cluster_init(&cluster, context), 0);
    for (int i = 0; i < 3; i++) {
        char name[] = {(char)('a' + i), '\0'};
        struct shard_host_spec spec = {.struct_size = sizeof(spec), .name = name, .cpu_millicores = 4000};
        ck_assert_int_eq(shard__cluster_add_host(&cluster, &spec), i);
    }
    shard__history_init(&history, context);
    ck_assert_int_eq(shard__history_reserve_hosts(&history, &cluster, 0), 0);
    ck_assert_int_eq(shard__history_kind(&history, "good"), 0);
    ck_assert_int_eq(shard__history_kind(&history, "bad"), 1);
    ck_assert_int_eq(shard__history_kind(&history, "good"), 0);
}

static void end(void)
{
    shard__history_free(&history);
    shard__cluster_free(&cluster);
    shard_context_free(context);
}

static void happens(int kind, int host, enum shard_outcome outcome, int64_t at_seconds)
{
    struct shard__ending ending = {kind, host, outcome, 10, 5, NAN, at_seconds * second_ns};
    shard__history_ended(&history, &ending);
}

/* The prior's answer for a kind on a host. */
static struct shard_forecasts ask(int kind, int host, int64_t at_seconds, double answers[3])
{
    struct shard_predictor_handle prior;
    struct shard__task_facts facts = {
        .kind = kind, .expected_seconds = 5, .input_bytes = NAN, .units = 1, .attempt = 1, .last_host = -1};
    float row[SHARD__F_COUNT];
    shard__features_task(&history, &facts, at_seconds * second_ns, row);
    shard__features_host(&history, &cluster, host, at_seconds * second_ns, row + SHARD__TASK_FEATURES);
    shard__features_samples(&history, &cluster, host, 0, row + SHARD__TASK_FEATURES);
    shard__features_pair(&history, &cluster, &facts, host, 0, 0, at_seconds * second_ns,
                         row + SHARD__TASK_FEATURES + SHARD__HOST_FEATURES);
    struct shard_forecasts ret = {answers, answers + 1, answers + 2};
    struct shard_matrix rows = {row, 1, 0};
    ck_assert_int_eq(shard_prior_predictor(context, shard_history_schema(), &prior), 0);
    ck_assert_int_eq(shard_predict(prior, &rows, SHARD__F_COUNT, &ret), 0);
    double steps[SHARD__F_COUNT + 1], sum = 0;
    ck_assert_int_eq(prior.port->contributions(prior.self, row, SHARD__F_COUNT, steps), 0);
    for (int i = 0; i <= SHARD__F_COUNT; i++)
        sum += steps[i];
    check_close(1 / (1 + exp(-sum)), answers[0]);
    prior.port->destroy(prior.self);
    return ret;
}

static double p_fail(int kind, int host, int64_t at_seconds)
{
    double answers[3];
    ask(kind, host, at_seconds, answers);
    return answers[0];
}

START_TEST(the_schema_is_one)
{
    begin();
    ck_assert_int_eq(shard_schema_check(context, shard_history_schema()), 0);
    ck_assert_int_eq(shard_history_schema()->feature_count, SHARD__F_COUNT);
    for (int i = 0; i < SHARD__F_COUNT; i++)
        ck_assert_int_eq(shard_history_schema()->features[i].group, i < SHARD__TASK_FEATURES ? SHARD_FEATURE_TASK
                                                                    : i < SHARD__TASK_FEATURES + SHARD__HOST_FEATURES
                                                                        ? SHARD_FEATURE_HOST
                                                                        : SHARD_FEATURE_PAIR);
    end();
}
END_TEST

START_TEST(what_was_never_seen_has_a_small_probability_and_no_evidence)
{
    double answers[3];
    begin();
    ask(0, 0, 1, answers);
    ck_assert(answers[0] > 0.005 && answers[0] < 0.05 && answers[1] == 5 && answers[2] == 0);
    end();
}
END_TEST

START_TEST(a_sick_host_is_forecast_apart_and_a_poisoned_kind_is_not_its_fault)
{
    begin();
    for (int i = 0; i < 20; i++) {
        happens(0, 0, SHARD_OUTCOME_TASK_ERROR, i); /* all fails on the first, */
        happens(0, 1, SHARD_OUTCOME_DONE, i);
        happens(0, 2, SHARD_OUTCOME_DONE, i);
        happens(1, 2, SHARD_OUTCOME_TASK_ERROR, i); /* and one kind everywhere it went */
    }
    ck_assert(p_fail(0, 0, 20) > 0.7);
    ck_assert(p_fail(0, 1, 20) < 0.1);
    ck_assert(p_fail(0, 2, 20) < 0.15);
    ck_assert(p_fail(1, 2, 20) > 0.7);
    ck_assert(p_fail(1, 1, 20) > 4 * p_fail(0, 1, 20)); /* never went there, but is what it is */
    double answers[3];
    ask(0, 1, 20, answers);
    check_close(answers[1], 10); /* twice what was expected */
    ck_assert(answers[2] > 10);
    end();
}
END_TEST

START_TEST(what_is_long_ago_counts_less_and_weights_do_not_overflow)
{
    begin();
    for (int i = 0; i < 20; i++) {
        happens(0, 0, SHARD_OUTCOME_TASK_ERROR, i);
        happens(0, 1, SHARD_OUTCOME_DONE, i);
    }
    double before = p_fail(0, 0, 20);
    double day = p_fail(0, 0, 86400);
    ck_assert_msg(day < before - 0.1, "%g after a day, %g before", day, before);
    happens(0, 0, SHARD_OUTCOME_DONE, INT64_C(86400) * 365);
    happens(0, 1, SHARD_OUTCOME_TASK_ERROR, INT64_C(86400) * 365);
    ck_assert(isfinite(p_fail(0, 0, INT64_C(86400) * 365)));
    ck_assert(p_fail(0, 0, INT64_C(86400) * 365) < p_fail(0, 1, INT64_C(86400) * 365));
    end();
}
END_TEST

START_TEST(what_was_cancelled_or_preempted_is_nobodys_failure_and_no_success)
{
    begin();
    for (int i = 0; i < 20; i++) {
        happens(0, 0, SHARD_OUTCOME_CANCELLED, i);
        happens(0, 0, SHARD_OUTCOME_PREEMPTED, i);
    }
    double answers[3];
    ask(0, 0, 20, answers);
    ck_assert(answers[2] == 0 && p_fail(0, 0, 20) == p_fail(0, 1, 20));
    end();
}
END_TEST

START_TEST(what_a_fast_host_took_is_told_as_on_any)
{
    double answers[3];
    begin();
    /* Half of the 5 s that ask() expects, as it has to on a host that is twice as fast. */
    for (int i = 0; i < 20; i++) {
        struct shard__ending ending = {0, 0, SHARD_OUTCOME_DONE, 2.5, 5, NAN, i * second_ns, .speed = 2};
        shard__history_ended(&history, &ending);
    }
    ask(0, 1, 21, answers);
    check_close(answers[1], 5);
    end();
}
END_TEST

START_TEST(pressure_is_told_against_that_of_all_hosts)
{
    float values[SHARD__HOST_FEATURES];
    const float *over = values + (SHARD__F_HOST_CPU_PRESSURE_OVER_PEERS - SHARD__F_HOST_BEGIN);
    begin();
    shard__features_samples(&history, &cluster, 0, 0, values);
    for (int i = 0; i < SHARD__PRESSURES; i++)
        ck_assert(isnan(over[i]));
    /* Both stall for CPU half of the time, as all do; the second for I/O, alone. */
    for (int64_t second = 0; second < 60; second++)
        for (int host = 0; host < 2; host++) {
            struct shard_sample sample = {.struct_size = sizeof(sample),
                                          .time_ns = second * second_ns,
                                          .cpu_pressure = 0.5,
                                          .memory_pressure = NAN,
                                          .io_pressure = host == 1 ? 0.4 : 0};
            shard__history_sample(&history, host, &sample);
        }
    shard__features_samples(&history, &cluster, 1, 60 * second_ns, values);
    check_close((double)over[0], 0);
    ck_assert(isnan(over[1]));
    check_close((double)over[2], 0.2);
    shard__features_samples(&history, &cluster, 0, 60 * second_ns, values);
    check_close((double)over[2], -0.2);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("history");
    tcase_add_test(tcase, a_window_says_what_all_its_samples_say);
    tcase_add_test(tcase, a_window_whose_samples_are_over_knows_nothing);
    tcase_add_test(tcase, the_schema_is_one);
    tcase_add_test(tcase, what_was_never_seen_has_a_small_probability_and_no_evidence);
    tcase_add_test(tcase, a_sick_host_is_forecast_apart_and_a_poisoned_kind_is_not_its_fault);
    tcase_add_test(tcase, what_is_long_ago_counts_less_and_weights_do_not_overflow);
    tcase_add_test(tcase, what_was_cancelled_or_preempted_is_nobodys_failure_and_no_success);
    tcase_add_test(tcase, what_a_fast_host_took_is_told_as_on_any);
    tcase_add_test(tcase, pressure_is_told_against_that_of_all_hosts);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
