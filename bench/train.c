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

enum { ROWS = 100000, COLUMNS = 28, TREES = 200, DEPTH = 6, MOST_RUNS = 9, COMPARED = 1000 };

static float *values, *labels;

static void check(int status)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    if (status >= 0)
        return;
    shard_error_copy(&error);
    fprintf(stderr, "train: %s\n", error.message);
    exit(EXIT_FAILURE);
}

static void check_peer(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "train: XGBoost: %s\n", XGBGetLastError());
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double uniform(unsigned long long *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*state >> 11) * 0x1p-53;
}

static void draw(void)
{
    unsigned long long state = 11;
    for (size_t i = 0; i < (size_t)ROWS; i++) {
        float *row = values + i * COLUMNS;
        for (int j = 0; j < COLUMNS; j++)
            row[j] = uniform(&state) < 0.05 ? NAN : (float)uniform(&state);
        double sum = (isnan(row[0]) ? 0.5 : (double)row[0]) * (isnan(row[14]) ? 0.5 : (double)row[14]);
        labels[i] = uniform(&state) < sum * sum;
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
    double start = now();
    check(trees.port->train(trees.self, &job, &bytes, &size));
    double took = now() - start;
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
    double start = now();
    check_peer(XGDMatrixCreateFromMat_omp(values, ROWS, COLUMNS, NAN, &matrix, 1));
    check_peer(XGDMatrixSetFloatInfo(matrix, "label", labels, ROWS));
    check_peer(XGBoosterCreate(&matrix, 1, &booster));
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
        check_peer(XGBoosterSetParam(booster, parameters[i][0], parameters[i][1]));
    for (int round = 0; round < TREES; round++)
        check_peer(XGBoosterUpdateOneIter(booster, round, matrix));
    double took = now() - start;
    check_peer(XGBoosterPredict(booster, matrix, 1, 0, 0, &size, &result));
    memcpy(ret_margins, result, COMPARED * sizeof(float));
    check_peer(XGBoosterFree(booster));
    check_peer(XGDMatrixFree(matrix));
    return took;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
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
    qsort(a, (size_t)runs, sizeof(a[0]), ascending);
    qsort(b, (size_t)runs, sizeof(b[0]), ascending);
    fprintf(stderr, "%-40s %10s %10s  %8s\n", "case", "ours", "XGBoost", "times");
    fprintf(stderr, "%-40s %9.2fs %9.2fs  %8.3f\n", "train 100,000 x 28, 200 trees", a[runs / 2], b[runs / 2],
            a[runs / 2] / b[runs / 2]);
    printf("{\"bench\":\"train\",\"case\":\"100000x28x200\",\"ours\":%.4f,\"peer\":%.4f,\"ratio\":%.4f,"
           "\"unit\":\"s\",\"runs\":%d}\n",
           a[runs / 2], b[runs / 2], a[runs / 2] / b[runs / 2], runs);
    trees.port->destroy(trees.self);
    shard_context_free(context);
    free(values);
    free(labels);
    return EXIT_SUCCESS;
}
