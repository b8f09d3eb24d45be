/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forest against XGBoost's C API, in the same run and on the same models, which it trains first: 28 columns, 14 of
 * the task and 14 of the host. Single thread. Ours and the peer's turn by turn (A B A B), medians, in CPU time of the
 * thread, so that a busy machine disturbs less. All margins are compared; one bit that differs ends the program.
 *
 * The peer is XGBoosterPredictFromDense with nthread 1 and its proxy kept, which is XGBoost's best call, or (cases
 * "... DMatrix") XGBoosterPredict on a DMatrix made for the rows. For pairs it is what it takes for the rows of the
 * pairs, put together beforehand. Loading: our reader against XGBoosterLoadModel. What it gave, and what was tried, is
 * in predict.md.
 *
 * It is longer than 400 lines because each shape of question is asked of us and of the peer in the same way.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <shard/forest.h>
#include <xgboost/c_api.h>

#include "measure.h"

enum { COLUMNS = 28, SIDE = 14, ROWS = 1000, TRAIN_ROWS = 20000, RUNS = 9 };

struct model {
    const char *name;
    const char *rounds;
    const char *depth;
    const char *leaves; /* NULL: grown by depth */
};

static const struct model models[] = {
    {"100x6", "100", "6", NULL},
    {"300x6", "300", "6", NULL},
    {"500x8", "500", "8", NULL},
    {"500x64leaves", "500", "0", "64"},
};

/* What is measured: one model in both hands. */
struct bench {
    const struct model *model;
    shard_context *context;
    shard_forest *best;
    shard_forest *avx2;
    shard_forest *portable;
    BoosterHandle booster;
    DMatrixHandle proxy;
    char json[64], ubjson[64];
    float *rows;   /* ROWS of COLUMNS */
    float *pairs;  /* the rows of one task with each host */
    float *ours;   /* ROWS * ROWS */
    float *theirs; /* ROWS */
    shard_forest_block *tasks, *one_task, *hosts;
    int next; /* row or task that is next */
};

static void check(int status)
{
    bench_check("predict", status, "library");
}

static void check_peer(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "predict: XGBoost: %s\n", XGBGetLastError());
    exit(EXIT_FAILURE);
}

/* Columns of different scales, one in twenty not known. */
static void draw_rows(unsigned long long seed, float *rows, size_t count)
{
    for (size_t i = 0; i < count * COLUMNS; i++) {
        double x = bench_uniform(&seed);
        rows[i] = bench_uniform(&seed) < 0.05 ? NAN : i % 5 == 0 ? (float)exp(6 * x) : (float)x;
    }
}

static float label(const float *row, unsigned long long *state)
{
    double sum = bench_uniform(state) - 0.5;
    for (int i = 0; i + SIDE < COLUMNS; i++)
        if (!isnan(row[i]) && !isnan(row[i + SIDE]))
            sum += (i % 3 - 1) * (double)row[i] / (1 + (double)row[i]) * (double)row[i + SIDE] /
                   (1 + (double)row[i + SIDE]);
    return sum > 0.1;
}

static void train(struct bench *bench)
{
    const char *parameters[][2] = {{"objective", "binary:logistic"},
                                   {"tree_method", "hist"},
                                   {"eta", "0.1"},
                                   {"nthread", "1"},
                                   {"max_depth", bench->model->depth}};
    float *rows = malloc(sizeof(float) * TRAIN_ROWS * COLUMNS), *labels = malloc(sizeof(float) * TRAIN_ROWS);
    unsigned long long state = 11;
    DMatrixHandle matrix;
    BoosterHandle booster;
    draw_rows(7, rows, TRAIN_ROWS);
    for (size_t i = 0; i < TRAIN_ROWS; i++)
        labels[i] = label(rows + i * COLUMNS, &state);
    check_peer(XGDMatrixCreateFromMat(rows, TRAIN_ROWS, COLUMNS, NAN, &matrix));
    check_peer(XGDMatrixSetFloatInfo(matrix, "label", labels, TRAIN_ROWS));
    check_peer(XGBoosterCreate(&matrix, 1, &booster));
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
        check_peer(XGBoosterSetParam(booster, parameters[i][0], parameters[i][1]));
    if (bench->model->leaves != NULL) {
        check_peer(XGBoosterSetParam(booster, "grow_policy", "lossguide"));
        check_peer(XGBoosterSetParam(booster, "max_leaves", bench->model->leaves));
    }
    for (int i = 0; i < atoi(bench->model->rounds); i++)
        check_peer(XGBoosterUpdateOneIter(booster, i, matrix));
    check_peer(XGBoosterSaveModel(booster, bench->json));
    check_peer(XGBoosterSaveModel(booster, bench->ubjson));
    check_peer(XGBoosterFree(booster));
    check_peer(XGDMatrixFree(matrix));
    free(rows);
    free(labels);
}

static void set_up(struct bench *bench, const char *directory)
{
    struct shard_forest_options avx2 = {.struct_size = sizeof(avx2), .path = SHARD_FOREST_PATH_AVX2};
    struct shard_forest_options portable = {.struct_size = sizeof(portable), .path = SHARD_FOREST_PATH_PORTABLE};
    snprintf(bench->json, sizeof(bench->json), "%s/model.json", directory);
    snprintf(bench->ubjson, sizeof(bench->ubjson), "%s/model.ubj", directory);
    train(bench);
    check(shard_forest_load_file(bench->context, bench->json, NULL, &bench->best));
    check(shard_forest_load_file(bench->context, bench->json, &avx2, &bench->avx2));
    check(shard_forest_load_file(bench->context, bench->json, &portable, &bench->portable));
    check_peer(XGBoosterCreate(NULL, 0, &bench->booster));
    check_peer(XGBoosterSetParam(bench->booster, "nthread", "1"));
    check_peer(XGBoosterLoadModel(bench->booster, bench->json));
    check_peer(XGProxyDMatrixCreate(&bench->proxy));
}

static void tear_down(struct bench *bench)
{
    check_peer(XGDMatrixFree(bench->proxy));
    check_peer(XGBoosterFree(bench->booster));
    shard_forest_free(bench->best);
    shard_forest_free(bench->avx2);
    shard_forest_free(bench->portable);
    unlink(bench->json);
    unlink(bench->ubjson);
}

static void make_blocks(struct bench *bench, const shard_forest *forest)
{
    struct shard_matrix task_rows = {bench->rows, ROWS, COLUMNS}, host_rows = {bench->rows + SIDE, ROWS, COLUMNS};
    int32_t columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        columns[i] = i;
    check(shard_forest_block_new(forest, SHARD_FEATURE_TASK, columns, SIDE, ROWS, &bench->tasks));
    check(shard_forest_block_new(forest, SHARD_FEATURE_TASK, columns, SIDE, 1, &bench->one_task));
    check(shard_forest_block_new(forest, SHARD_FEATURE_HOST, columns + SIDE, SIDE, ROWS, &bench->hosts));
    check(shard_forest_block_set(bench->tasks, 0, &task_rows));
    check(shard_forest_block_set(bench->hosts, 0, &host_rows));
}

static void free_blocks(struct bench *bench)
{
    shard_forest_block_free(bench->tasks);
    shard_forest_block_free(bench->one_task);
    shard_forest_block_free(bench->hosts);
}

static const float *peer_dense(struct bench *bench, const float *rows, int count)
{
    char array[160];
    const char *config = "{\"type\":1,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,"
                         "\"missing\":NaN,\"cache_id\":0}";
    const bst_ulong *shape;
    bst_ulong dimensions;
    const float *result;
    snprintf(array, sizeof(array), "{\"data\":[%zu,true],\"shape\":[%d,%d],\"typestr\":\"<f4\",\"version\":3}",
             (size_t)rows, count, COLUMNS);
    check_peer(XGBoosterPredictFromDense(bench->booster, array, config, bench->proxy, &shape, &dimensions, &result));
    return result;
}

static const float *peer_dmatrix(struct bench *bench, const float *rows, int count)
{
    DMatrixHandle matrix;
    bst_ulong size;
    const float *result;
    check_peer(XGDMatrixCreateFromMat(rows, (bst_ulong)count, COLUMNS, NAN, &matrix));
    check_peer(XGBoosterPredict(bench->booster, matrix, 1, 0, 0, &size, &result));
    memcpy(bench->theirs, result, (size_t)count * sizeof(float));
    check_peer(XGDMatrixFree(matrix));
    return bench->theirs;
}

static void compare(const char *name, const float *ours, const float *theirs, size_t count)
{
    if (memcmp(ours, theirs, count * sizeof(float)) == 0)
        return;
    fprintf(stderr, "predict: %s: margins differ from XGBoost's\n", name);
    exit(EXIT_FAILURE);
}

/* What each case does once, for ours and for the peer; `per` of it are what the figure is about. */
typedef void (*work)(struct bench *bench);

static const float *next_row(struct bench *bench)
{
    bench->next = (bench->next + 1) % ROWS;
    return bench->rows + (size_t)bench->next * COLUMNS;
}

static void row(struct bench *bench, const shard_forest *forest)
{
    struct shard_matrix row = {next_row(bench), 1, 0};
    check(shard_forest_margins(forest, &row, NULL, bench->ours));
}

static void our_row(struct bench *bench)
{
    row(bench, bench->best);
}

static void our_portable_row(struct bench *bench)
{
    row(bench, bench->portable);
}

static void peer_row(struct bench *bench)
{
    (void)peer_dense(bench, next_row(bench), 1);
}

static void peer_row_dmatrix(struct bench *bench)
{
    (void)peer_dmatrix(bench, next_row(bench), 1);
}

static void batch(struct bench *bench, const shard_forest *forest)
{
    struct shard_matrix rows = {bench->rows, ROWS, 0};
    check(shard_forest_margins(forest, &rows, NULL, bench->ours));
}

static void our_batch(struct bench *bench)
{
    batch(bench, bench->best);
}

static void our_avx2_batch(struct bench *bench)
{
    batch(bench, bench->avx2);
}

static void our_portable_batch(struct bench *bench)
{
    batch(bench, bench->portable);
}

static void peer_batch(struct bench *bench)
{
    (void)peer_dense(bench, bench->rows, ROWS);
}

static void peer_batch_dmatrix(struct bench *bench)
{
    (void)peer_dmatrix(bench, bench->rows, ROWS);
}

static const shard_forest *forest_of_blocks(const struct bench *bench, int portable)
{
    return portable ? bench->portable : bench->best;
}

/* A new task against hosts whose masks are there: the task's masks are built each time. */
static void one_task(struct bench *bench, int portable)
{
    struct shard_pairs pairs = {.struct_size = sizeof(pairs)};
    struct shard_matrix row = {next_row(bench), 1, COLUMNS};
    check(shard_forest_block_set(bench->one_task, 0, &row));
    check(shard_forest_pair_margins(forest_of_blocks(bench, portable), bench->one_task, bench->hosts, &pairs, NULL, 0,
                                    NULL, bench->ours));
}

/* Everything: masks of all tasks and hosts, and a million pairs. */
static void all_pairs(struct bench *bench, int portable)
{
    struct shard_pairs pairs = {.struct_size = sizeof(pairs)};
    struct shard_matrix task_rows = {bench->rows, ROWS, COLUMNS}, host_rows = {bench->rows + SIDE, ROWS, COLUMNS};
    check(shard_forest_block_set(bench->tasks, 0, &task_rows));
    check(shard_forest_block_set(bench->hosts, 0, &host_rows));
    check(shard_forest_pair_margins(forest_of_blocks(bench, portable), bench->tasks, bench->hosts, &pairs, NULL, 0,
                                    NULL, bench->ours));
}

static void our_one_task(struct bench *bench)
{
    one_task(bench, 0);
}

static void our_portable_one_task(struct bench *bench)
{
    one_task(bench, 1);
}

static void our_all_pairs(struct bench *bench)
{
    all_pairs(bench, 0);
}

static void our_portable_all_pairs(struct bench *bench)
{
    all_pairs(bench, 1);
}

static void peer_pairs(struct bench *bench)
{
    (void)peer_dense(bench, bench->pairs, ROWS);
}

static void our_load(struct bench *bench, const char *path)
{
    shard_forest *forest;
    check(shard_forest_load_file(bench->context, path, NULL, &forest));
    shard_forest_free(forest);
}

static void our_load_json(struct bench *bench)
{
    our_load(bench, bench->json);
}

static void our_load_ubjson(struct bench *bench)
{
    our_load(bench, bench->ubjson);
}

static void peer_load(const char *path)
{
    BoosterHandle booster;
    check_peer(XGBoosterCreate(NULL, 0, &booster));
    check_peer(XGBoosterSetParam(booster, "nthread", "1"));
    check_peer(XGBoosterLoadModel(booster, path));
    check_peer(XGBoosterFree(booster));
}

static void peer_load_json(struct bench *bench)
{
    peer_load(bench->json);
}

static void peer_load_ubjson(struct bench *bench)
{
    peer_load(bench->ubjson);
}

static double once(struct bench *bench, work do_work, int times)
{
    double start_ns = bench_thread_ns();
    for (int i = 0; i < times; i++)
        do_work(bench);
    return (bench_thread_ns() - start_ns) * 1e-9 / times;
}

/* How often it takes to fill some milliseconds. */
static int times_for(struct bench *bench, work do_work)
{
    double seconds = once(bench, do_work, 1);
    seconds = once(bench, do_work, 1) < seconds ? once(bench, do_work, 1) : seconds;
    double times = 0.004 / (seconds > 1e-9 ? seconds : 1e-9);
    return times < 1 ? 1 : times > 20000 ? 20000 : (int)times;
}

/* A B A B ...; medians. `our_per` and `peer_per`: how many units one call is. */
static void measure(struct bench *bench, const char *name, const char *unit, double scale, work ours, double our_per,
                    work peer, double peer_per)
{
    double a[RUNS], b[RUNS];
    int our_times = times_for(bench, ours), peer_times = times_for(bench, peer);
    for (int i = 0; i < RUNS; i++) {
        a[i] = once(bench, ours, our_times) / our_per * scale;
        b[i] = once(bench, peer, peer_times) / peer_per * scale;
    }
    double our_median = bench_median(a, RUNS), peer_median = bench_median(b, RUNS);
    fprintf(stderr, "%-14s %-34s %10.3f %10.3f  %7.1fx  %s\n", bench->model->name, name, our_median, peer_median,
            peer_median / our_median, unit);
    printf("{\"bench\":\"predict\",\"case\":\"%s %s\",\"ours\":%.6g,\"peer\":%.6g,\"ratio\":%.4g,\"unit\":\"%s\","
           "\"runs\":%d}\n",
           bench->model->name, name, our_median, peer_median, peer_median / our_median, unit, RUNS);
    fflush(stdout);
}

/* The bits of all forms before anything is timed. */
static void check_identity(struct bench *bench)
{
    struct shard_pairs pairs = {.struct_size = sizeof(pairs)};
    memcpy(bench->theirs, peer_dense(bench, bench->rows, ROWS), ROWS * sizeof(float));
    our_batch(bench);
    compare("batch", bench->ours, bench->theirs, ROWS);
    our_avx2_batch(bench);
    compare("AVX2 batch", bench->ours, bench->theirs, ROWS);
    our_portable_batch(bench);
    compare("portable batch", bench->ours, bench->theirs, ROWS);
    for (int i = 0; i < ROWS; i++) {
        struct shard_matrix row = {bench->rows + (size_t)i * COLUMNS, 1, 0};
        check(shard_forest_margins(bench->best, &row, NULL, bench->ours + i));
    }
    compare("one row", bench->ours, bench->theirs, ROWS);
    for (int portable = 0; portable < 2; portable++) {
        const shard_forest *forest = portable ? bench->portable : bench->best;
        make_blocks(bench, forest);
        check(shard_forest_pair_margins(forest, bench->tasks, bench->hosts, &pairs, NULL, 0, NULL, bench->ours));
        for (int task = 0; task < ROWS; task += 111) {
            for (int host = 0; host < ROWS; host++) {
                float *row = bench->pairs + (size_t)host * COLUMNS;
                memcpy(row, bench->rows + (size_t)task * COLUMNS, SIDE * sizeof(float));
                memcpy(row + SIDE, bench->rows + (size_t)host * COLUMNS + SIDE, SIDE * sizeof(float));
            }
            compare("pairs", bench->ours + (size_t)task * ROWS, peer_dense(bench, bench->pairs, ROWS), ROWS);
        }
        free_blocks(bench);
    }
}

static void measure_pairs(struct bench *bench)
{
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    check(shard_forest_describe(bench->best, &info));
    if (!info.has_masks) {
        make_blocks(bench, bench->best);
        measure(bench, "pairs 1x1000 (no masks)", "ns/pair", 1e9, our_one_task, ROWS, peer_pairs, ROWS);
        free_blocks(bench);
        return;
    }
    make_blocks(bench, bench->portable);
    measure(bench, "pairs 1x1000 portable", "ns/pair", 1e9, our_portable_one_task, ROWS, peer_pairs, ROWS);
    measure(bench, "pairs 1000x1000 portable", "ns/pair", 1e9, our_portable_all_pairs, ROWS * ROWS, peer_pairs, ROWS);
    free_blocks(bench);
    if (strcmp(info.path, "portable") == 0)
        return;
    char one[64], all[64];
    snprintf(one, sizeof(one), "pairs 1x1000 %s", info.path);
    snprintf(all, sizeof(all), "pairs 1000x1000 %s", info.path);
    make_blocks(bench, bench->best);
    measure(bench, one, "ns/pair", 1e9, our_one_task, ROWS, peer_pairs, ROWS);
    measure(bench, all, "ns/pair", 1e9, our_all_pairs, ROWS * ROWS, peer_pairs, ROWS);
    free_blocks(bench);
}

static void measure_model(struct bench *bench, const char *directory)
{
    set_up(bench, directory);
    check_identity(bench);
    measure(bench, "one row", "us/row", 1e6, our_row, 1, peer_row, 1);
    measure(bench, "one row portable", "us/row", 1e6, our_portable_row, 1, peer_row, 1);
    measure(bench, "one row, DMatrix", "us/row", 1e6, our_row, 1, peer_row_dmatrix, 1);
    measure(bench, "batch of 1000", "us/row", 1e6, our_batch, ROWS, peer_batch, ROWS);
    measure(bench, "batch of 1000 AVX2", "us/row", 1e6, our_avx2_batch, ROWS, peer_batch, ROWS);
    measure(bench, "batch of 1000 portable", "us/row", 1e6, our_portable_batch, ROWS, peer_batch, ROWS);
    measure(bench, "batch of 1000, DMatrix", "us/row", 1e6, our_batch, ROWS, peer_batch_dmatrix, ROWS);
    measure_pairs(bench);
    measure(bench, "load JSON", "ms", 1e3, our_load_json, 1, peer_load_json, 1);
    measure(bench, "load UBJSON", "ms", 1e3, our_load_ubjson, 1, peer_load_ubjson, 1);
    tear_down(bench);
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/shard-bench-XXXXXX";
    struct bench bench = {0};
    if (mkdtemp(directory) == NULL)
        return EXIT_FAILURE;
    check(shard_context_new(NULL, &bench.context));
    bench.rows = malloc(sizeof(float) * ROWS * COLUMNS);
    bench.pairs = malloc(sizeof(float) * ROWS * COLUMNS);
    bench.ours = malloc(sizeof(float) * ROWS * ROWS);
    bench.theirs = malloc(sizeof(float) * ROWS);
    draw_rows(3, bench.rows, ROWS);
    fprintf(stderr, "%-14s %-34s %10s %10s  %8s\n", "model", "case", "ours", "XGBoost", "ratio");
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        bench.model = &models[i];
        if (argc < 2 || strcmp(argv[1], bench.model->name) == 0)
            measure_model(&bench, directory);
    }
    free(bench.rows);
    free(bench.pairs);
    free(bench.ours);
    free(bench.theirs);
    shard_context_free(bench.context);
    rmdir(directory);
    return EXIT_SUCCESS;
}
