/* SPDX-License-Identifier: Apache-2.0 */
/* A model in use: who answers, what is scored, and when it gives way to the prior. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/champion.h>
#include <shard/history.h>

#include "base/random.h"
#include "suite.h"

enum { MOST_COLUMNS = 256 };

static shard_context *context;
static shard_champion *champion;
static struct shard__random dice;
static int demotions;
static char told[512];

static void on_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    (void)self;
    if (strcmp(id, "champion-demoted") != 0)
        return;
    ck_assert_int_eq(level, SHARD_LOG_WARNING);
    demotions++;
    snprintf(told, sizeof(told), "%s", message);
}

static void set_up(void)
{
    struct shard_context_config config = {.struct_size = sizeof(config), .log = on_log};
    ck_assert_int_eq(shard_context_new(&config, &context), 0);
    ck_assert_int_eq(shard_champion_new(context, NULL, &champion), 0);
    shard__random_seed(&dice, 3);
    demotions = 0;
}

static void tear_down(void)
{
    shard_champion_free(champion);
    shard_context_free(context);
}

static int32_t place_of(const char *name)
{
    const struct shard_schema *schema = shard_history_schema();
    for (int32_t i = 0; i < schema->feature_count; i++)
        if (strcmp(schema->features[i].name, name) == 0)
            return i;
    ck_abort_msg("there is no column %s", name);
}

/* What tasks that need more cores than `most` do, of which the prior knows nothing: they fail. */
static shard_model *model_of_cores(const char *columns, double most)
{
    char line[128];
    shard_table *table = NULL;
    shard_model *model = NULL;
    struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "linear"};
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    int size = snprintf(line, sizeof(line), "t,te,y,%s\n", columns);
    ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    for (int i = 0; i < 600; i++) {
        double cores = 8 * shard__random_unit(&dice);
        size = snprintf(line, sizeof(line), "%d,%d,%d,%.9g,%.9g\n", i, i + 1, cores > most, cores,
                        shard__random_unit(&dice));
        ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    }
    ck_assert_int_eq(shard_table_end(table), 0);
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    shard_table_free(table);
    return model;
}

static void make_row(double cores, float *ret_row)
{
    for (int32_t i = 0; i < shard_history_schema()->feature_count; i++)
        ret_row[i] = NAN;
    ret_row[place_of("task_cores")] = (float)cores;
    ret_row[place_of("all_failure_rate")] = 0.5F;
    ret_row[place_of("all_evidence")] = 1000;
}

static double p_fail_of(double cores)
{
    float row[MOST_COLUMNS];
    double p_fail;
    struct shard_matrix rows = {.values = row, .rows = 1};
    struct shard_forecasts ret = {.p_fail = &p_fail};
    make_row(cores, row);
    ck_assert_int_eq(
        shard_predict(shard_champion_predictor(champion), &rows, shard_history_schema()->feature_count, &ret), 0);
    return p_fail;
}

static void observe(double cores, double failed)
{
    float row[MOST_COLUMNS];
    struct shard_predictor_handle predictor = shard_champion_predictor(champion);
    make_row(cores, row);
    struct shard_observation observation = {.struct_size = sizeof(observation), .row = row, .failed = failed};
    predictor.port->observe(predictor.self, &observation);
}

static struct shard_champion_info describe(void)
{
    struct shard_champion_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_champion_describe(champion, &info), 0);
    return info;
}

START_TEST(without_a_model_the_prior_answers)
{
    ck_assert_int_eq(describe().state, SHARD_CHAMPION_NONE);
    ck_assert_double_eq_tol(p_fail_of(1), 0.5, 0.01);
    observe(1, 1);
    ck_assert_int_eq(describe().observed, 0);
}
END_TEST

START_TEST(a_model_answers_by_the_names_of_its_columns)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    ck_assert_int_eq(describe().state, SHARD_CHAMPION_IN_USE);
    ck_assert_double_lt(p_fail_of(1), 0.1);
    ck_assert_double_gt(p_fail_of(7), 0.9);
    ck_assert_int_eq(shard_champion_take(champion, NULL), 0);
    ck_assert_double_eq_tol(p_fail_of(1), 0.5, 0.01);
}
END_TEST

START_TEST(a_model_of_columns_that_are_not_there_is_refused_and_nothing_changes)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_model *other = model_of_cores("phase_of_moon,host_speed", 4);
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    ck_assert_int_eq(shard_champion_take(champion, other), SHARD_ECONFLICT);
    shard_error_copy(&error);
    ck_assert_ptr_nonnull(strstr(error.message, "'phase_of_moon'"));
    ck_assert_double_gt(p_fail_of(7), 0.9);
    shard_model_free(other);
}
END_TEST

START_TEST(a_model_that_holds_is_kept)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    for (int i = 0; i < 2000; i++) {
        double cores = 8 * shard__random_unit(&dice);
        observe(cores, shard__random_unit(&dice) < p_fail_of(cores));
    }
    struct shard_champion_info info = describe();
    ck_assert_int_eq(info.state, SHARD_CHAMPION_IN_USE);
    ck_assert_int_eq(info.observed, 2000);
    ck_assert_double_lt(info.log_loss, info.prior_log_loss);
    ck_assert_double_eq_tol(info.mean_p_fail, info.failure_rate, 0.1);
    ck_assert_int_eq(demotions, 0);
}
END_TEST

START_TEST(a_model_that_ranks_worse_than_the_prior_is_demoted_until_another_comes)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    for (int i = 0; i < 300 && demotions == 0; i++) {
        double cores = 8 * shard__random_unit(&dice);
        observe(cores, cores <= 4);
    }
    ck_assert_int_eq(demotions, 1);
    ck_assert_ptr_nonnull(strstr(told, "its log loss has become worse"));
    ck_assert_int_eq(describe().state, SHARD_CHAMPION_DEMOTED);
    ck_assert_double_eq_tol(p_fail_of(7), 0.5, 0.01);
    for (int i = 0; i < 100; i++)
        observe(7, 0);
    ck_assert_int_eq(demotions, 1);
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    ck_assert_int_eq(describe().state, SHARD_CHAMPION_IN_USE);
    ck_assert_int_eq(describe().observed, 0);
}
END_TEST

START_TEST(a_model_that_ranks_well_but_is_out_in_how_many_fail_is_demoted)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    for (int i = 0; i < 1000 && demotions == 0; i++) {
        observe(7, 1);
        observe(1, shard__random_unit(&dice) < 0.2);
    }
    ck_assert_int_eq(demotions, 1);
    ck_assert_ptr_nonnull(strstr(told, "not as often as it says"));
    ck_assert_double_lt(describe().log_loss, describe().prior_log_loss);
    ck_assert_int_eq(describe().state, SHARD_CHAMPION_DEMOTED);
}
END_TEST

START_TEST(a_model_that_is_out_by_less_than_the_prior_is_kept)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    double cores = 1;
    while (p_fail_of(cores) < 0.05)
        cores += 0.01;
    for (int i = 0; i < 1000; i++)
        observe(cores, i % 8 == 0);
    ck_assert_double_gt(describe().failure_rate, 1.5 * describe().mean_p_fail);
    ck_assert_msg(demotions == 0, "%s", told);
}
END_TEST

START_TEST(what_a_model_was_long_ago_is_forgotten)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    for (int i = 0; i < 20000; i++) {
        double cores = 8 * shard__random_unit(&dice);
        observe(cores, shard__random_unit(&dice) < p_fail_of(cores));
    }
    ck_assert_int_eq(demotions, 0);
    for (int i = 0; i < 1000 && demotions == 0; i++) {
        double cores = 8 * shard__random_unit(&dice);
        observe(cores, cores <= 4);
    }
    ck_assert_int_eq(demotions, 1);
}
END_TEST

START_TEST(censored_attempts_say_nothing)
{
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    for (int i = 0; i < 300; i++)
        observe(1, NAN);
    ck_assert_int_eq(describe().observed, 0);
    ck_assert_int_eq(demotions, 0);
}
END_TEST

START_TEST(it_says_why_in_the_columns_of_the_rows)
{
    float row[MOST_COLUMNS];
    double added[MOST_COLUMNS + 1], sum = 0;
    int32_t columns = shard_history_schema()->feature_count;
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("host_speed,task_cores", 0.5)), 0);
    ck_assert_int_eq(shard_champion_take(champion, model_of_cores("task_cores,host_speed", 4)), 0);
    make_row(7, row);
    ck_assert_int_eq(shard_contributions(shard_champion_predictor(champion), row, columns, added), 0);
    for (int32_t i = 0; i <= columns; i++)
        sum += added[i];
    ck_assert_double_gt(added[place_of("task_cores")], 1);
    double p = p_fail_of(7);
    ck_assert_double_eq_tol(sum, log(p / (1 - p)), 1e-6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("champion");
    TCase *tests = tcase_create("champion");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, without_a_model_the_prior_answers);
    tcase_add_test(tests, a_model_answers_by_the_names_of_its_columns);
    tcase_add_test(tests, a_model_of_columns_that_are_not_there_is_refused_and_nothing_changes);
    tcase_add_test(tests, a_model_that_holds_is_kept);
    tcase_add_test(tests, a_model_that_ranks_worse_than_the_prior_is_demoted_until_another_comes);
    tcase_add_test(tests, a_model_that_ranks_well_but_is_out_in_how_many_fail_is_demoted);
    tcase_add_test(tests, a_model_that_is_out_by_less_than_the_prior_is_kept);
    tcase_add_test(tests, what_a_model_was_long_ago_is_forgotten);
    tcase_add_test(tests, censored_attempts_say_nothing);
    tcase_add_test(tests, it_says_why_in_the_columns_of_the_rows);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
