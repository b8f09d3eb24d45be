/* SPDX-License-Identifier: Apache-2.0 */
/* Trees through the port of XGBoost, and the trainer with them. Built where libxgboost is. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/forest.h>
#include <shard/train.h>
#include <xgboost/c_api.h>

#include "base/random.h"
#include "predict/train_model.h"
#include "suite.h"

enum { ROWS = 800, COLUMNS = 2 };

static shard_context *context;
static struct shard_trees_handle trees;
static struct shard__random dice;
static float values[ROWS * COLUMNS];
static float labels[ROWS];

/* Rows fail when just one of the two columns is high: no line can say that. */
static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    ck_assert_int_eq(shard_xgboost_trees(context, NULL, &trees), 0);
    shard__random_seed(&dice, 5);
    for (int i = 0; i < ROWS; i++) {
        float a = (float)shard__random_unit(&dice);
        float b = (float)shard__random_unit(&dice);
        values[2 * i] = a;
        values[2 * i + 1] = b;
        labels[i] = (a > 0.5F) != (b > 0.5F);
    }
}

static void tear_down(void)
{
    trees.port->destroy(trees.self);
    shard_context_free(context);
}

static struct shard_trees_job usual_job(void)
{
    return (struct shard_trees_job){.struct_size = sizeof(struct shard_trees_job),
                                    .values = values,
                                    .count = ROWS,
                                    .columns = COLUMNS,
                                    .labels = labels,
                                    .rounds = 30,
                                    .depth = 3};
}

static shard_forest *grow(const struct shard_trees_job *job)
{
    void *bytes = NULL;
    size_t size = 0;
    shard_forest *forest = NULL;
    ck_assert_int_eq(trees.port->train(trees.self, job, &bytes, &size), 0);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes, size, "trained", NULL, &forest), 0);
    trees.port->release(trees.self, bytes, size);
    return forest;
}

static float margin_of(const shard_forest *forest, float a, float b)
{
    float row[] = {a, b};
    float margin = NAN;
    struct shard_matrix rows = {.values = row, .rows = 1};
    ck_assert_int_eq(shard_forest_margins(forest, &rows, NULL, &margin), 0);
    return margin;
}

START_TEST(trees_learn_what_no_line_can)
{
    struct shard_trees_job job = usual_job();
    shard_forest *forest = grow(&job);
    ck_assert_float_gt(margin_of(forest, 0.1F, 0.9F), 1);
    ck_assert_float_gt(margin_of(forest, 0.9F, 0.1F), 1);
    ck_assert_float_lt(margin_of(forest, 0.1F, 0.1F), -1);
    ck_assert_float_lt(margin_of(forest, 0.9F, 0.9F), -1);
    shard_forest_free(forest);
}
END_TEST

START_TEST(a_monotone_sign_holds)
{
    static const int8_t signs[] = {1, 0};
    struct shard_trees_job job = usual_job();
    job.monotone = signs;
    shard_forest *forest = grow(&job);
    float last = -INFINITY;
    for (int i = 0; i <= 50; i++) {
        float margin = margin_of(forest, (float)i / 50, 0.2F);
        ck_assert_float_ge(margin, last);
        last = margin;
    }
    shard_forest_free(forest);
}
END_TEST

START_TEST(a_hold_out_that_nobody_can_foresee_stops_the_rounds)
{
    struct shard_trees_job job = usual_job();
    for (int i = ROWS / 2; i < ROWS; i++)
        labels[i] = shard__random_unit(&dice) < 0.5;
    job.hold_out = ROWS / 2;
    job.patience = 5;
    job.rounds = 200;
    shard_forest *forest = grow(&job);
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
    ck_assert_int_ge(info.best_iteration, 0);
    ck_assert_int_lt(info.tree_count, 20);
    shard_forest_free(forest);
}
END_TEST

START_TEST(a_model_goes_on_with_new_rows)
{
    struct shard_trees_job job = usual_job();
    void *bytes = NULL;
    size_t size = 0;
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), 0);
    job.continue_from = bytes;
    job.continue_bytes = size;
    job.rounds = 10;
    shard_forest *forest = grow(&job);
    ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
    ck_assert_int_eq(info.tree_count, 40);
    shard_forest_free(forest);
    trees.port->release(trees.self, bytes, size);
}
END_TEST

START_TEST(a_job_that_makes_no_sense_is_refused)
{
    void *bytes = NULL;
    size_t size = 0;
    struct shard_trees_job job = usual_job();
    job.hold_out = ROWS;
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), SHARD_EINVAL);
    job = usual_job();
    job.count = 0;
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), SHARD_EINVAL);
    job = usual_job();
    labels[3] = 7;
    ck_assert_int_eq(trees.port->train(trees.self, &job, &bytes, &size), SHARD_EINVAL);
    ck_assert_ptr_null(bytes);
}
END_TEST

static shard_table *made_table(void)
{
    shard_table *table = NULL;
    char line[200];
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    ck_assert_int_eq(shard_table_feed(table, "t,te,y,a,b\n", 11), 0);
    for (int i = 0; i < ROWS; i++) {
        int size = snprintf(line, sizeof(line), "%d,%d,%d,%.9g,%.9g\n", i, i + 1, (int)labels[i], (double)values[2 * i],
                            (double)values[2 * i + 1]);
        ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    }
    ck_assert_int_eq(shard_table_end(table), 0);
    return table;
}

START_TEST(the_trainer_chooses_trees_where_lines_are_blind)
{
    shard_table *table = made_table();
    struct shard_evaluate_config config = {.struct_size = sizeof(config),
                                           .train = {.struct_size = sizeof(config.train), .trees = trees}};
    shard_evaluation *evaluation = NULL;
    struct shard_evaluation_info info = {.struct_size = sizeof(info)};
    struct shard_candidate_info candidate = {.struct_size = sizeof(candidate)};
    ck_assert_int_eq(shard_evaluate(context, table, &config, &evaluation), 0);
    shard_evaluation_describe(evaluation, &info);
    ck_assert_int_eq(shard_evaluation_candidate(evaluation, info.candidate_count, &candidate), 0);
    ck_assert_str_eq(candidate.name, "chosen");
    ck_assert_double_gt(candidate.score.roc_auc, 0.95);
    shard_evaluation_free(evaluation);
    shard_table_free(table);
}
END_TEST

START_TEST(trees_that_few_failures_taught_add_little_to_the_prior)
{
    shard_table *table = made_table();
    struct shard_train_config config = {.struct_size = sizeof(config), .trees = trees, .candidate = "prior_trees"};
    shard_model *model = NULL;
    double prior, full, half, none;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    struct shard__bundle *bundle = &model->bundle;
    ck_assert_double_gt(shard__trees_say(bundle), 0.9);
    ck_assert_int_eq(shard__bundle_margins(bundle, 1U << SHARD__FAMILY_PRIOR, values, COLUMNS, 1, &prior), 0);
    ck_assert_int_eq(shard__bundle_margins(bundle, 1U << SHARD__FAMILY_PRIOR_TREES, values, COLUMNS, 1, &full), 0);
    full = prior + (full - prior) / shard__trees_say(bundle);
    bundle->base_rate = 10 / (double)bundle->train_rows;
    ck_assert_int_eq(shard__bundle_margins(bundle, 1U << SHARD__FAMILY_PRIOR_TREES, values, COLUMNS, 1, &half), 0);
    bundle->base_rate = 0;
    ck_assert_int_eq(shard__bundle_margins(bundle, 1U << SHARD__FAMILY_PRIOR_TREES, values, COLUMNS, 1, &none), 0);
    ck_assert_double_gt(fabs(full - prior), 0.1);
    ck_assert_double_eq_tol(half, (full + prior) / 2, 1e-9);
    ck_assert_double_eq_tol(none, prior, 1e-9);
    shard_model_free(model);
    shard_table_free(table);
}
END_TEST

START_TEST(a_model_with_trees_comes_back_from_bytes_as_it_was)
{
    shard_table *table = made_table();
    struct shard_train_config config = {.struct_size = sizeof(config), .trees = trees, .candidate = "all"};
    shard_model *models[2] = {NULL, NULL};
    void *bytes = NULL;
    size_t size = 0;
    double p[2][ROWS];
    ck_assert_int_eq(shard_train(context, table, &config, &models[0]), 0);
    ck_assert_int_eq(shard_model_to_bytes(context, models[0], &bytes, &size), 0);
    ck_assert_int_eq(shard_model_from_bytes(context, bytes, size, "bytes", &models[1]), 0);
    for (int i = 0; i < 2; i++) {
        struct shard_predictor_handle predictor;
        struct shard_matrix rows = {.values = values, .rows = ROWS};
        struct shard_forecasts ret = {.p_fail = p[i]};
        ck_assert_int_eq(shard_model_predictor(context, models[i], &predictor), 0);
        ck_assert_int_eq(shard_predict(predictor, &rows, COLUMNS, &ret), 0);
        predictor.port->destroy(predictor.self);
    }
    ck_assert_mem_eq(p[0], p[1], sizeof(p[0]));
    shard_free(context, bytes);
    shard_model_free(models[0]);
    shard_model_free(models[1]);
    shard_table_free(table);
}
END_TEST

START_TEST(what_each_column_adds_adds_up_to_the_forecast_of_every_candidate)
{
    static const char *const names[] = {
        "prior", "linear", "trees", "prior_trees", "prior_linear", "linear_trees", "prior_linear_trees", "all"};
    shard_table *table = made_table();
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        struct shard_train_config config = {.struct_size = sizeof(config), .trees = trees, .candidate = names[n]};
        struct shard_predictor_handle predictor;
        shard_model *model = NULL;
        ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
        ck_assert_int_eq(shard_model_predictor(context, model, &predictor), 0);
        for (int i = 0; i < 50; i++) {
            double p, added[COLUMNS + 1], sum = 0;
            struct shard_matrix row = {.values = values + (ptrdiff_t)i * COLUMNS, .rows = 1};
            struct shard_forecasts ret = {.p_fail = &p};
            ck_assert_int_eq(shard_predict(predictor, &row, COLUMNS, &ret), 0);
            ck_assert_int_eq(shard_contributions(predictor, row.values, COLUMNS, added), 0);
            for (int j = 0; j <= COLUMNS; j++)
                sum += added[j];
            ck_assert_double_eq_tol(sum, log(p / (1 - p)), 1e-5);
        }
        predictor.port->destroy(predictor.self);
        shard_model_free(model);
    }
    shard_table_free(table);
}
END_TEST

/* Of one member, in the table's columns, by XGBoost itself. */
static void add_xgboosts(const shard_model *model, const struct shard__member *member, const float *row, double share,
                         double *ret)
{
    float gathered[COLUMNS];
    DMatrixHandle matrix;
    BoosterHandle booster;
    const bst_ulong *shape;
    bst_ulong dimensions;
    const float *added;
    shard__member_gather(&model->bundle, member, row, COLUMNS, 1, gathered);
    ck_assert_int_eq(XGBoosterCreate(NULL, 0, &booster), 0);
    ck_assert_int_eq(XGBoosterLoadModelFromBuffer(booster, member->bytes, member->size), 0);
    ck_assert_int_eq(XGDMatrixCreateFromMat(gathered, 1, (bst_ulong)member->column_count, NAN, &matrix), 0);
    ck_assert_int_eq(XGBoosterPredictFromDMatrix(booster, matrix,
                                                 "{\"type\":2,\"iteration_begin\":0,\"iteration_end\":0,"
                                                 "\"strict_shape\":false,\"training\":false}",
                                                 &shape, &dimensions, &added),
                     0);
    for (int k = 0; k < member->column_count; k++)
        ret[member->columns[k]] += share * (double)added[k];
    ret[COLUMNS] += share * (double)added[member->column_count];
    XGDMatrixFree(matrix);
    XGBoosterFree(booster);
}

START_TEST(a_blend_of_trees_is_explained_as_xgboost_explains_its_members)
{
    shard_table *table = made_table();
    struct shard_train_config config = {.struct_size = sizeof(config), .trees = trees, .candidate = "trees"};
    struct shard_predictor_handle predictor;
    shard_model *model = NULL;
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    ck_assert_int_eq(shard_model_predictor(context, model, &predictor), 0);
    for (int i = 0; i < 20; i++) {
        double ours[COLUMNS + 1], theirs[COLUMNS + 1] = {0};
        const float *row = values + (ptrdiff_t)i * COLUMNS;
        int members = 0;
        for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
            members += model->bundle.members[m].is_fitted;
        for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
            if (model->bundle.members[m].is_fitted)
                add_xgboosts(model, &model->bundle.members[m], row, 1.0 / members, theirs);
        theirs[COLUMNS] += model->choice.offset[model->choice.chosen];
        ck_assert_int_gt(members, 1);
        ck_assert_int_eq(shard_contributions(predictor, row, COLUMNS, ours), 0);
        for (int j = 0; j <= COLUMNS; j++)
            ck_assert_double_eq_tol(ours[j], theirs[j], 1e-5);
    }
    predictor.port->destroy(predictor.self);
    shard_model_free(model);
    shard_table_free(table);
}
END_TEST

START_TEST(contributions_are_told_the_largest_first_with_their_columns)
{
    static const struct shard_feature features[] = {{"host_failure_rate", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 0},
                                                    {"task_cores", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0},
                                                    {"kind_failure_rate", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}};
    static const double added[] = {0.25, 2, -1, -1.25};
    static const float row[] = {0.5F, 4, NAN};
    struct shard_schema schema = {.struct_size = sizeof(schema), .features = features, .feature_count = 3};
    char *text = NULL;
    ck_assert_int_eq(shard_contributions_text(context, &schema, row, added, 2, &text), 0);
    ck_assert_str_eq(text, "+2.000 task_cores = 4\n-1.000 kind_failure_rate = nan\n+0.250 1 others\n"
                           "-1.250 whatever the columns say\n+0.000 log-odds of failure: 0.5000\n");
    shard_free(context, text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trees");
    TCase *tests = tcase_create("trees");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, trees_learn_what_no_line_can);
    tcase_add_test(tests, a_monotone_sign_holds);
    tcase_add_test(tests, a_hold_out_that_nobody_can_foresee_stops_the_rounds);
    tcase_add_test(tests, a_model_goes_on_with_new_rows);
    tcase_add_test(tests, a_job_that_makes_no_sense_is_refused);
    tcase_add_test(tests, the_trainer_chooses_trees_where_lines_are_blind);
    tcase_add_test(tests, trees_that_few_failures_taught_add_little_to_the_prior);
    tcase_add_test(tests, a_model_with_trees_comes_back_from_bytes_as_it_was);
    tcase_add_test(tests, what_each_column_adds_adds_up_to_the_forecast_of_every_candidate);
    tcase_add_test(tests, a_blend_of_trees_is_explained_as_xgboost_explains_its_members);
    tcase_add_test(tests, contributions_are_told_the_largest_first_with_their_columns);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
