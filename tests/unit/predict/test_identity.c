/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same bits as XGBoost: models drawn at random are given to both, and so are the rows. Built where libxgboost is.
 * SHARD_IDENTITY_ROWS asks for more rows (or fewer) than the million of a normal run.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/forest.h>
#include <xgboost/c_api.h>

#include "model_maker.h"
#include "suite.h"

struct pair_of_models {
    shard_context *context;
    shard_forest *forest;
    BoosterHandle booster;
    DMatrixHandle proxy;
    int features;
};

static void demand(int result)
{
    if (result != 0)
        ck_abort_msg("%s", XGBGetLastError());
}

static void load_both(struct pair_of_models *models, const struct model_spec *spec, enum model_format format,
                      enum shard_forest_path path)
{
    struct made_bytes bytes;
    struct shard_forest_options options = {.struct_size = sizeof(options), .path = path};
    make_model(spec, format, &bytes);
    models->features = spec->features;
    ck_assert_int_eq(shard_context_new(NULL, &models->context), 0);
    int status = shard_forest_load_buffer(models->context, bytes.data, bytes.size, "drawn", &options, &models->forest);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    demand(XGBoosterCreate(NULL, 0, &models->booster));
    demand(XGBoosterSetParam(models->booster, "nthread", "1"));
    demand(XGBoosterLoadModelFromBuffer(models->booster, bytes.data, bytes.size));
    demand(XGProxyDMatrixCreate(&models->proxy));
    free_bytes(&bytes);
}

static void free_both(struct pair_of_models *models)
{
    demand(XGDMatrixFree(models->proxy));
    demand(XGBoosterFree(models->booster));
    shard_forest_free(models->forest);
    shard_context_free(models->context);
}

/* XGBoost's margins (type 1) or predictions (type 0). They live until the next call. */
static const float *xgboost_predicts(struct pair_of_models *models, const float *rows, size_t count, int type)
{
    char array[256], config[256];
    const bst_ulong *shape;
    bst_ulong dimensions;
    const float *result;
    snprintf(array, sizeof(array), "{\"data\":[%lu,true],\"shape\":[%zu,%d],\"typestr\":\"<f4\",\"version\":3}",
             (unsigned long)(uintptr_t)rows, count, models->features);
    snprintf(config, sizeof(config),
             "{\"type\":%d,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,\"missing\":NaN,"
             "\"cache_id\":0}",
             type);
    demand(XGBoosterPredictFromDense(models->booster, array, config, models->proxy, &shape, &dimensions, &result));
    return result;
}

static void compare(const char *what, const float *ours, const float *theirs, size_t count,
                    const struct model_spec *spec)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&ours[i], &theirs[i], sizeof(float)) != 0)
            ck_abort_msg("%s, seed %llu, row %zu: %a, XGBoost has %a", what, (unsigned long long)spec->seed, i,
                         (double)ours[i], (double)theirs[i]);
}

/* One row at a time, all at once, and as predictions. */
static void compare_rows(struct pair_of_models *models, const struct model_spec *spec, const float *rows, size_t count)
{
    float *ours = malloc(count * sizeof(float)), *theirs = malloc(count * sizeof(float));
    struct shard_matrix matrix = {rows, (int64_t)count, 0};
    ck_assert(ours != NULL && theirs != NULL);
    memcpy(theirs, xgboost_predicts(models, rows, count, 1), count * sizeof(float));
    ck_assert_int_eq(shard_forest_margins(models->forest, &matrix, NULL, ours), 0);
    compare("margins of a batch", ours, theirs, count, spec);
    for (size_t i = 0; i < count && i < 50; i++) {
        struct shard_matrix row = {rows + i * (size_t)models->features, 1, 0};
        ck_assert_int_eq(shard_forest_margins(models->forest, &row, NULL, ours + i), 0);
    }
    compare("margins of a row", ours, theirs, count, spec);
    memcpy(theirs, xgboost_predicts(models, rows, count, 0), count * sizeof(float));
    ck_assert_int_eq(shard_forest_transform(models->forest, ours, (int64_t)count), 0);
    compare("predictions", ours, theirs, count, spec);
    free(ours);
    free(theirs);
}

static void compare_model(const struct model_spec *spec, enum model_format format, enum shard_forest_path path,
                          size_t count)
{
    struct pair_of_models models = {0};
    float *rows = malloc(count * (size_t)spec->features * sizeof(float));
    ck_assert_ptr_nonnull(rows);
    load_both(&models, spec, format, path);
    draw_rows(spec->seed + 1, rows, count * (size_t)spec->features);
    compare_rows(&models, spec, rows, count);
    free_both(&models);
    free(rows);
}

START_TEST(margins_are_xgboosts_on_a_million_rows_of_models_drawn_at_random)
{
    static const char *const objectives[] = {"binary:logistic", "reg:squarederror", "reg:squaredlogerror",
                                             "survival:aft"};
    static const char *const base_scores[] = {"5E-1", "1.2345679E-1", "9.9999E-1", "3E-5"};
    const char *asked = getenv("SHARD_IDENTITY_ROWS");
    size_t wanted = asked != NULL ? strtoul(asked, NULL, 10) : 1000000, per_model = 2500;
    uint64_t state = 42;
    for (size_t done = 0, i = 0; done < wanted; done += per_model, i++) {
        uint64_t r = draw(&state);
        struct model_spec spec = {
            .seed = r,
            .trees = 1 + (int)(r % 40),
            .depth = (int)(r >> 8) % 13,
            .features = 1 + (int)((r >> 16) % 40),
            .leaf_percent = (int)(r >> 24) % 50,
            .max_leaves = (r >> 32) % 3 == 0 ? 0 : 64,
            .deleted = (r >> 36) % 4 == 0,
            .objective = objectives[(r >> 40) % 4],
            .base_score = base_scores[(r >> 44) % 4],
        };
        compare_model(&spec, i % 2 == 0 ? MODEL_JSON : MODEL_UBJSON, (enum shard_forest_path)(i / 2 % 4), per_model);
    }
}
END_TEST

START_TEST(margins_are_xgboosts_for_one_leaf_trees)
{
    for (int path = 0; path < 4; path++) {
        struct model_spec spec = {.seed = 1, .trees = 17, .depth = 0, .features = 3};
        compare_model(&spec, MODEL_JSON, (enum shard_forest_path)path, 100);
    }
}
END_TEST

START_TEST(margins_are_xgboosts_for_trees_of_depth_20)
{
    for (int path = 0; path < 4; path++) {
        struct model_spec spec = {.seed = 2, .trees = 9, .depth = 20, .features = 28, .leaf_percent = 30};
        compare_model(&spec, MODEL_UBJSON, (enum shard_forest_path)path, 2000);
        spec.max_leaves = 64;
        compare_model(&spec, MODEL_UBJSON, (enum shard_forest_path)path, 2000);
    }
}
END_TEST

START_TEST(margins_are_xgboosts_for_trees_of_few_leaves)
{
    for (int path = 0; path < 4; path++) {
        struct model_spec spec = {.trees = 150, .features = 4, .leaf_percent = 5, .max_leaves = 64};
        for (spec.depth = 4; spec.depth <= 16; spec.depth++) {
            spec.seed = (uint64_t)spec.depth;
            compare_model(&spec, MODEL_JSON, (enum shard_forest_path)path, 300);
        }
        struct model_spec comb = {.seed = 0x5a1, .trees = 60, .features = 12, .depth = 63, .comb = 1};
        compare_model(&comb, MODEL_UBJSON, (enum shard_forest_path)path, 300);
    }
}
END_TEST

START_TEST(margins_are_xgboosts_for_5000_trees)
{
    struct model_spec spec = {.seed = 3, .trees = 5000, .depth = 4, .features = 28, .leaf_percent = 10};
    compare_model(&spec, MODEL_JSON, SHARD_FOREST_PATH_BEST, 300);
    compare_model(&spec, MODEL_UBJSON, SHARD_FOREST_PATH_PORTABLE, 300);
}
END_TEST

START_TEST(margins_are_xgboosts_for_a_thousand_features)
{
    struct model_spec spec = {.seed = 4, .trees = 20, .depth = 9, .features = 1000, .leaf_percent = 5};
    compare_model(&spec, MODEL_JSON, SHARD_FOREST_PATH_BEST, 500);
}
END_TEST

START_TEST(margins_are_xgboosts_when_all_is_missing)
{
    struct pair_of_models models = {0};
    struct model_spec spec = {.seed = 5, .trees = 60, .depth = 7, .features = 28, .max_leaves = 64};
    float rows[100 * 28];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        rows[i] = NAN;
    load_both(&models, &spec, MODEL_JSON, SHARD_FOREST_PATH_BEST);
    compare_rows(&models, &spec, rows, 100);
    free_both(&models);
}
END_TEST

/* XGBoost's own contributions, through a DMatrix since the dense call has none. */
static void compare_contributions(const struct model_spec *spec)
{
    enum { ROWS = 200 };
    struct pair_of_models models = {0};
    size_t width = (size_t)spec->features + 1;
    float *rows = malloc(ROWS * width * sizeof(float)), *ours = malloc(ROWS * width * sizeof(float));
    const bst_ulong *shape;
    bst_ulong dimensions;
    const float *theirs;
    DMatrixHandle matrix;
    ck_assert(rows != NULL && ours != NULL);
    load_both(&models, spec, MODEL_JSON, SHARD_FOREST_PATH_BEST);
    draw_rows(spec->seed, rows, ROWS * (size_t)spec->features);
    for (size_t i = 0; i < ROWS * (size_t)spec->features; i++)
        rows[i] = isinf(rows[i]) ? 3e38f : rows[i];
    demand(XGDMatrixCreateFromMat(rows, ROWS, (bst_ulong)spec->features, NAN, &matrix));
    demand(XGBoosterPredictFromDMatrix(models.booster, matrix,
                                       "{\"type\":2,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,"
                                       "\"training\":false}",
                                       &shape, &dimensions, &theirs));
    struct shard_matrix given = {rows, ROWS, 0};
    ck_assert_int_eq(shard_forest_contributions(models.forest, &given, NULL, ours), 0);
    for (size_t i = 0; i < ROWS * width; i++)
        ck_assert_msg(fabsf(ours[i] - theirs[i]) <= 1e-5f, "seed %llu, row %zu, feature %zu: %g, XGBoost has %g",
                      (unsigned long long)spec->seed, i / width, i % width, (double)ours[i], (double)theirs[i]);
    demand(XGDMatrixFree(matrix));
    free_both(&models);
    free(rows);
    free(ours);
}

START_TEST(contributions_agree_with_xgboosts)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model_spec spec = {.seed = seed,
                                  .trees = 10,
                                  .depth = (int)seed,
                                  .features = 3 + 2 * (int)seed,
                                  .leaf_percent = 20,
                                  .max_leaves = 200};
        compare_contributions(&spec);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *cases = tcase_create("with XGBoost");
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, margins_are_xgboosts_on_a_million_rows_of_models_drawn_at_random);
    tcase_add_test(cases, margins_are_xgboosts_for_one_leaf_trees);
    tcase_add_test(cases, margins_are_xgboosts_for_trees_of_depth_20);
    tcase_add_test(cases, margins_are_xgboosts_for_trees_of_few_leaves);
    tcase_add_test(cases, margins_are_xgboosts_for_5000_trees);
    tcase_add_test(cases, margins_are_xgboosts_for_a_thousand_features);
    tcase_add_test(cases, margins_are_xgboosts_when_all_is_missing);
    tcase_add_test(cases, contributions_agree_with_xgboosts);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
