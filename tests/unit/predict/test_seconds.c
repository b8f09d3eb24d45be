/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of seconds: what they learn, when the prior's seconds stay, and who answers with them. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/champion.h>
#include <shard/forest.h>
#include <shard/history.h>
#include <shard/train.h>

#include "base/blake2b.h"
#include "base/random.h"
#include "suite.h"

enum { ROWS = 1500, COLUMNS = 4, MOST_COLUMNS = 256 };

static const struct shard_feature features[COLUMNS] = {
    {"task_expected_seconds", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0},
    {"task_cores", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0},
    {"host_speed", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 0},
    {"host_load_per_core", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 0},
};
static const struct shard_schema schema = {sizeof(schema), features, COLUMNS};

static shard_context *context;
static struct shard_trees_handle trees;
static struct shard__random dice;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    ck_assert_int_eq(shard_xgboost_trees(context, NULL, &trees), 0);
    shard__random_seed(&dice, 11);
}

static void tear_down(void)
{
    trees.port->destroy(trees.self);
    shard_context_free(context);
}

/* Hosts whose load is above 2 take `slow` times as long, which no rate tells; and one attempt in ten fails. */
static shard_table *made_table(double slow)
{
    static const char *const names[COLUMNS] = {"task_expected_seconds", "task_cores", "host_speed",
                                               "host_load_per_core"};
    shard_table *table = NULL;
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    ck_assert_int_eq(shard_table_columns(table, names, COLUMNS), 0);
    for (int i = 0; i < ROWS; i++) {
        double expected = 10 + 90 * shard__random_unit(&dice), speed = 0.5 + shard__random_unit(&dice);
        double load = 4 * shard__random_unit(&dice), noise = exp(0.3 * (shard__random_unit(&dice) - 0.5));
        float row[COLUMNS] = {(float)expected, (float)(1 + i % 4), (float)speed, (float)load};
        double seconds = noise * expected / speed * (load > 2 ? slow : 1);
        int failed = shard__random_unit(&dice) < 0.1;
        ck_assert_int_eq(shard_table_add(table, i, i + (failed ? seconds / 2 : seconds), failed, row), 0);
    }
    return table;
}

static struct shard_train_config usual_config(void)
{
    return (struct shard_train_config){
        .struct_size = sizeof(struct shard_train_config), .trees = trees, .candidate = "prior"};
}

static shard_model *train(double slow)
{
    struct shard_train_config config = usual_config();
    shard_table *table = made_table(slow);
    shard_model *model = NULL;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    shard_table_free(table);
    return model;
}

static double seconds_of(struct shard_predictor_handle predictor, const float *row, int32_t columns)
{
    double seconds = NAN;
    struct shard_matrix rows = {.values = row, .rows = 1};
    struct shard_forecasts ret = {.seconds = &seconds};
    ck_assert_int_eq(shard_predict(predictor, &rows, columns, &ret), 0);
    return seconds;
}

static float ratio_of(const float *values, const float *lowers, const float *uppers, int64_t count, float value)
{
    struct shard_trees_job job = {.struct_size = sizeof(job),
                                  .values = values,
                                  .count = count,
                                  .columns = 1,
                                  .labels = lowers,
                                  .uppers = uppers,
                                  .rounds = 60,
                                  .depth = 2};
    struct shard_matrix row = {.values = &value, .rows = 1};
    shard_forest *forest = NULL;
    void *bytes = NULL;
    size_t size = 0;
    float ratio = NAN;
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), 0);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes, size, "trained", NULL, &forest), 0);
    trees.port->release(trees.self, bytes, size);
    ck_assert_int_eq(shard_forest_margins(forest, &row, NULL, &ratio), 0);
    ck_assert_int_eq(shard_forest_transform(forest, &ratio, 1), 0);
    shard_forest_free(forest);
    return ratio;
}

START_TEST(what_was_stopped_is_known_to_take_longer)
{
    enum { COUNT = 400 };
    float values[COUNT], lowers[COUNT], uppers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int is_stopped = i % 4 == 3;
        values[i] = (float)(i % 2);
        lowers[i] = i % 4 == 1 ? 4 : 1;
        uppers[i] = is_stopped ? INFINITY : lowers[i];
    }
    ck_assert_float_eq_tol(ratio_of(values, lowers, uppers, COUNT, 0), 1, 0.1);
    ck_assert_float_eq_tol(ratio_of(values, lowers, uppers, COUNT, 1), 4, 0.4);
}
END_TEST

START_TEST(trees_learn_what_slows_hosts_and_say_it_in_both_forms)
{
    struct shard_train_config config = usual_config();
    shard_table *table = made_table(5);
    shard_forest *seconds = NULL, *failure = NULL;
    struct shard_predictor_handle handle;
    void *bytes = NULL;
    size_t size = 0;
    static const float zeros[COLUMNS * 4] = {0}, labels[4] = {0, 1, 0, 1};
    struct shard_trees_job job = {.struct_size = sizeof(job),
                                  .values = zeros,
                                  .count = 4,
                                  .columns = COLUMNS,
                                  .labels = labels,
                                  .rounds = 1,
                                  .depth = 1};
    ck_assert_int_eq(shard_train_seconds(context, table, &config, &seconds), 0);
    ck_assert_ptr_nonnull(seconds);
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), 0);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes, size, "trained", NULL, &failure), 0);
    trees.port->release(trees.self, bytes, size);
    struct shard_forest_predictor_config of = {.struct_size = sizeof(of),
                                               .failure = failure,
                                               .seconds = seconds,
                                               .evidence = 50,
                                               .seconds_are_ratios = 1,
                                               .schema = &schema};
    ck_assert_int_eq(shard_forest_predictor(context, &of, &handle), 0);
    static const float tasks[] = {40, 1, 100, 2}, hosts[] = {1, 0.5F, 0.5F, 3, 2, 3};
    struct shard_matrix task_rows = {tasks, 2, 0}, host_rows = {hosts, 3, 0};
    struct shard_pairs all = {.struct_size = sizeof(all)};
    double by_pairs[6], evidence[6];
    struct shard_forecasts ret = {.seconds = by_pairs, .evidence = evidence};
    ck_assert_int_eq(shard_predict_pairs(context, handle, &schema, &task_rows, &host_rows, &all, &ret), 0);
    for (int i = 0; i < 6; i++) {
        const float *host = hosts + (ptrdiff_t)i % 3 * 2;
        float row[COLUMNS] = {tasks[i / 3 * 2], tasks[i / 3 * 2 + 1], host[0], host[1]};
        double truth = (double)(row[0] / row[2]) * (row[3] > 2 ? 5 : 1);
        ck_assert_double_eq_tol(seconds_of(handle, row, COLUMNS) / truth, 1, 0.15);
        ck_assert_double_eq(seconds_of(handle, row, COLUMNS), by_pairs[i]);
        ck_assert_double_eq(evidence[i], 50);
    }
    handle.port->destroy(handle.self);
    shard_forest_free(failure);
    shard_forest_free(seconds);
    shard_table_free(table);
}
END_TEST

START_TEST(the_priors_seconds_stay_where_trees_are_no_better)
{
    struct shard_model_info info = {.struct_size = sizeof(info)};
    struct shard_predictor_handle predictor;
    static const float row[COLUMNS] = {40, 1, 1, 3};
    shard_model *model = train(1);
    char *text = NULL;
    ck_assert_int_eq(shard_model_describe(model, &info), 0);
    ck_assert_int_eq(info.has_seconds, 0);
    ck_assert_int_gt(info.later_rows, 100);
    ck_assert_double_ge(info.seconds_error, info.prior_seconds_error);
    ck_assert_int_eq(shard_model_text(context, model, &text), 0);
    ck_assert_ptr_nonnull(strstr(text, "seconds: the prior's; trees were no better: "));
    ck_assert_int_eq(shard_model_predictor(context, model, &predictor), 0);
    ck_assert(isnan(seconds_of(predictor, row, COLUMNS)));
    predictor.port->destroy(predictor.self);
    shard_free(context, text);
    shard_model_free(model);
}
END_TEST

START_TEST(a_model_keeps_its_trees_of_seconds)
{
    struct shard_model_info info = {.struct_size = sizeof(info)};
    static const float row[COLUMNS] = {40, 1, 1, 3};
    shard_model *models[2] = {train(5), NULL};
    void *bytes = NULL;
    size_t size = 0;
    double seconds[2];
    ck_assert_int_eq(shard_model_to_bytes(context, models[0], &bytes, &size), 0);
    ck_assert_int_eq(shard_model_from_bytes(context, bytes, size, "bytes", &models[1]), 0);
    ck_assert_int_eq(shard_model_describe(models[1], &info), 0);
    ck_assert_int_eq(info.has_seconds, 1);
    ck_assert_double_lt(info.seconds_error, info.prior_seconds_error / 2);
    for (int i = 0; i < 2; i++) {
        struct shard_predictor_handle predictor;
        ck_assert_int_eq(shard_model_predictor(context, models[i], &predictor), 0);
        seconds[i] = seconds_of(predictor, row, COLUMNS);
        predictor.port->destroy(predictor.self);
    }
    ck_assert_double_eq(seconds[0], seconds[1]);
    ck_assert_double_eq_tol(seconds[0], 200, 20);
    shard_free(context, bytes);
    shard_model_free(models[0]);
    shard_model_free(models[1]);
}
END_TEST

START_TEST(a_model_of_the_first_format_has_none_and_is_read)
{
    struct shard_model_info info = {.struct_size = sizeof(info)};
    char digest[SHARD__DIGEST_TEXT], *first = NULL;
    shard_model *model = train(1), *read = NULL;
    void *bytes = NULL;
    size_t size = 0;
    ck_assert_int_eq(shard_model_to_bytes(context, model, &bytes, &size), 0);
    /* As it was written then: without the line of seconds. */
    const char *line = strstr(bytes, "\nseconds ") + 1, *rest = strchr(line, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(rest, "digest "));
    ck_assert_int_gt(asprintf(&first, "%.*s%.*s", (int)(line - (char *)bytes), (char *)bytes,
                              (int)(strstr(rest, "digest ") - rest), rest),
                     0);
    memcpy(first, "libshard-model 1", 16);
    shard__blake2b_text(first, strlen(first), digest);
    char *whole = NULL;
    ck_assert_int_gt(asprintf(&whole, "%sdigest %s\n", first, digest), 0);
    ck_assert_int_eq(shard_model_from_bytes(context, whole, strlen(whole), "first", &read), 0);
    ck_assert_int_eq(shard_model_describe(read, &info), 0);
    ck_assert_int_eq(info.has_seconds, 0);
    ck_assert_int_eq(info.later_rows, 0);
    free(first);
    free(whole);
    shard_free(context, bytes);
    shard_model_free(model);
    shard_model_free(read);
}
END_TEST

START_TEST(an_evaluation_scores_seconds_on_rows_that_taught_nobody)
{
    struct shard_evaluate_config config = {.struct_size = sizeof(config), .train = usual_config()};
    struct shard_evaluation_info info = {.struct_size = sizeof(info)};
    for (int prequential = 0; prequential < 2; prequential++) {
        shard_table *table = made_table(5);
        shard_evaluation *evaluation = NULL;
        config.prequential = prequential;
        config.blocks = 3;
        ck_assert_int_eq(shard_evaluate(context, table, &config, &evaluation), 0);
        shard_evaluation_describe(evaluation, &info);
        ck_assert_int_eq(info.has_seconds, 1);
        ck_assert_int_gt(info.seconds_rows, info.test_rows * 8 / 10);
        ck_assert_int_lt(info.seconds_rows, info.test_rows);
        ck_assert_double_lt(info.seconds_error, 0.2);
        ck_assert_double_gt(info.prior_seconds_error, 0.4);
        shard_evaluation_free(evaluation);
        shard_table_free(table);
    }
}
END_TEST

/* Half of the attempts waited for ten hours between their start and their work. */
START_TEST(a_column_says_how_long_attempts_ran_without_their_waiting)
{
    static const char text[] = "t,te,y,ran,task_expected_seconds\n";
    struct shard_table_config config = {.struct_size = sizeof(config), .seconds_column = "ran"};
    struct shard_train_config train = usual_config();
    shard_table *table = NULL;
    shard_model *model = NULL;
    ck_assert_int_eq(shard_table_new(context, &config, &table), 0);
    ck_assert_int_eq(shard_table_feed(table, text, strlen(text)), 0);
    for (int i = 0; i < 600; i++) {
        char line[96];
        int size = snprintf(line, sizeof(line), "%d,%d,%d,%d,%d\n", i, i + 10 + i % 2 * 36000, i % 7 == 0, 10 + i % 3,
                            10 + i % 3);
        ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    }
    ck_assert_int_eq(shard_table_end(table), 0);
    ck_assert_str_eq(shard_table_column(table, 0), "task_expected_seconds");
    ck_assert_int_eq(shard_train(context, table, &train, &model), 0);
    struct shard_model_info info = {.struct_size = sizeof(info)};
    shard_model_describe(model, &info);
    ck_assert_int_gt(info.later_rows, 0);
    ck_assert_double_lt(info.prior_seconds_error, 0.01);
    shard_model_free(model);
    shard_table_free(table);
}
END_TEST

START_TEST(a_champion_tells_the_models_seconds)
{
    const struct shard_schema *own = shard_history_schema();
    float row[MOST_COLUMNS];
    shard_champion *champion = NULL;
    for (int32_t i = 0; i < own->feature_count; i++) {
        row[i] = NAN;
        for (int32_t k = 0; k < COLUMNS; k++)
            if (strcmp(own->features[i].name, features[k].name) == 0)
                row[i] = k == 0 ? 40 : k == 3 ? 3 : 1;
    }
    ck_assert_int_eq(shard_champion_new(context, NULL, &champion), 0);
    struct shard_predictor_handle predictor = shard_champion_predictor(champion);
    struct shard_matrix one = {.values = row, .rows = 1};
    double evidence;
    struct shard_forecasts ret = {.evidence = &evidence};
    ck_assert_double_eq_tol(seconds_of(predictor, row, own->feature_count), 40, 1e-6);
    ck_assert_int_eq(shard_champion_take(champion, train(1)), 0);
    ck_assert_int_eq(shard_predict(predictor, &one, own->feature_count, &ret), 0);
    ck_assert_double_eq(evidence, ROWS / 16.0);
    ck_assert_double_eq_tol(seconds_of(predictor, row, own->feature_count), 40, 1e-6);
    ck_assert_int_eq(shard_champion_take(champion, train(5)), 0);
    ck_assert_double_eq_tol(seconds_of(predictor, row, own->feature_count), 200, 20);
    shard_champion_free(champion);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seconds");
    TCase *tests = tcase_create("seconds");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_was_stopped_is_known_to_take_longer);
    tcase_add_test(tests, trees_learn_what_slows_hosts_and_say_it_in_both_forms);
    tcase_add_test(tests, the_priors_seconds_stay_where_trees_are_no_better);
    tcase_add_test(tests, a_model_keeps_its_trees_of_seconds);
    tcase_add_test(tests, a_model_of_the_first_format_has_none_and_is_read);
    tcase_add_test(tests, an_evaluation_scores_seconds_on_rows_that_taught_nobody);
    tcase_add_test(tests, a_column_says_how_long_attempts_ran_without_their_waiting);
    tcase_add_test(tests, a_champion_tells_the_models_seconds);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
