/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training trees through the port against XGBoost's C API alone, with the same parameters: 100,000 rows of 28 columns,
 * 200 trees of depth 6, one thread. What the port adds is the copy of the rows, the checks, and the model in bytes.
 * Turn by turn (A B A B), CPU time of the thread; both models must forecast alike, bit for bit. An argument says how
 * often; 3.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shard/forest.h>
#include <shard/train.h>
#include <xgboost/c_api.h>

#include "measure.h"

enum { ROWS = 100000, COLUMNS = 28, TREES = 200, DEPTH = 6, MOST_RUNS = 9, COMPARED = 1000 };

static float *values, *labels;

static void check(int status)
{
    bench_check("train", status, "library");
}

static void check_peer(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "train: XGBoost: %s\n", XGBGetLastError());
    exit(EXIT_FAILURE);
}

static void draw(void)
{
    unsigned long long state = 11;
    for (size_t i = 0; i < (size_t)ROWS; i++) {
        float *row = values + i * COLUMNS;
        for (int j = 0; j < COLUMNS; j++)
            row[j] = bench_uniform(&state) < 0.05 ? NAN : (float)bench_uniform(&state);
        double sum = (isnan(row[0]) ? 0.5 : (double)row[0]) * (isnan(row[14]) ? 0.5 : (double)row[14]);
        labels[i] = bench_uniform(&state) < sum * sum;
    }
}

static double ours(shard_context *context, struct shard_trees_handle trees, float *ret_margins)
{
    struct shard_trees_job job = {.struct_size = sizeof(job),
                                  .values = values,
                                  .count = ROWS,
                                  .columns = COLUMNS,
                                  .labels = labels,
                                  .rounds = TREES,
                                  .depth = DEPTH};
    struct shard_matrix rows = {values, COMPARED, 0};
    void *bytes = NULL;
    size_t size = 0;
    shard_forest *forest = NULL;
    double start_ns = bench_thread_ns();
    check(trees.port->train(trees.self, &job, &bytes, &size));
    double took = (bench_thread_ns() - start_ns) * 1e-9;
    check(shard_forest_load_buffer(context, bytes, size, NULL, NULL, &forest));
    check(shard_forest_margins(forest, &rows, NULL, ret_margins));
    shard_forest_free(forest);
    trees.port->release(trees.self, bytes, size);
    return took;
}

static double theirs(float *ret_margins)
{
    static const char *const parameters[][2] = {{"objective", "binary:logistic"},
                                                {"tree_method", "hist"},
                                                {"nthread", "1"},
                                                {"max_bin", "64"},
                                                {"max_depth", "6"},
                                                {"eta", "0.1"},
                                                {"verbosity", "0"}};
    DMatrixHandle matrix;
    BoosterHandle booster;
    const float *result;
    bst_ulong size;
    double start_ns = bench_thread_ns();
    check_peer(XGDMatrixCreateFromMat_omp(values, ROWS, COLUMNS, NAN, &matrix, 1));
    check_peer(XGDMatrixSetFloatInfo(matrix, "label", labels, ROWS));
    check_peer(XGBoosterCreate(&matrix, 1, &booster));
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
        check_peer(XGBoosterSetParam(booster, parameters[i][0], parameters[i][1]));
    for (int round = 0; round < TREES; round++)
        check_peer(XGBoosterUpdateOneIter(booster, round, matrix));
    double took = (bench_thread_ns() - start_ns) * 1e-9;
    check_peer(XGBoosterPredict(booster, matrix, 1, 0, 0, &size, &result));
    memcpy(ret_margins, result, COMPARED * sizeof(float));
    check_peer(XGBoosterFree(booster));
    check_peer(XGDMatrixFree(matrix));
    return took;
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 3;
    static float our_margins[COMPARED], their_margins[COMPARED];
    double a[MOST_RUNS], b[MOST_RUNS];
    if (runs < 1 || runs > MOST_RUNS)
        return EXIT_FAILURE;
    shard_context *context = NULL;
    struct shard_trees_handle trees;
    values = malloc(sizeof(float) * ROWS * COLUMNS);
    labels = malloc(sizeof(float) * ROWS);
    check(shard_context_new(NULL, &context));
    check(shard_xgboost_trees(context, NULL, &trees));
    draw();
    for (int run = 0; run < runs; run++) {
        a[run] = ours(context, trees, our_margins);
        b[run] = theirs(their_margins);
        if (memcmp(our_margins, their_margins, sizeof(our_margins)) != 0) {
            fprintf(stderr, "train: the two models differ\n");
            return EXIT_FAILURE;
        }
    }
    bench_header("train", "XGBoost's C API");
    bench_row("train", "100,000 x 28, 200 trees", bench_median(a, runs), bench_median(b, runs), "CPU s", runs);
    trees.port->destroy(trees.self);
    shard_context_free(context);
    free(values);
    free(labels);
    return EXIT_SUCCESS;
}
