/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs are the same bits as the rows put together, whatever the path, the split of the features and what is asked for;
 * batches, too, are the same bits on every path.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <shard/forest.h>

#include "model_maker.h"
#include "predict/fold.h"
#include "predict/forest.h"
#include "suite.h"

enum { TASKS = 7, HOSTS = 45, FEATURES = 12 };

static shard_context *context;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_context_free(context);
}

static shard_forest *load(uint64_t seed, enum shard_forest_path path, int max_leaves)
{
    struct model_spec spec = {
        .seed = seed, .trees = 20, .depth = 9, .features = FEATURES, .leaf_percent = 10, .max_leaves = max_leaves};
    struct shard_forest_options options = {.struct_size = sizeof(options), .path = path};
    struct made_bytes bytes;
    shard_forest *forest;
    make_model(&spec, MODEL_JSON, &bytes);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes.data, bytes.size, NULL, &options, &forest), 0);
    free_bytes(&bytes);
    return forest;
}

/* Features 0 .. 4 of the task, 5 .. 8 of the host; 9 and 10 of the pair if `with_pair`; the rest comes from nowhere. */
struct sides {
    float tasks[TASKS * 5], hosts[HOSTS * 4], pairs[TASKS * HOSTS * 2];
    shard_forest_block *task_block, *host_block;
};

static const int32_t task_columns[] = {0, 1, 2, 3, 4};
static const int32_t host_columns[] = {5, 6, 7, 8};
static const int32_t pair_columns[] = {9, 10};

static void make_sides(const shard_forest *forest, struct sides *sides)
{
    struct shard_matrix tasks = {sides->tasks, TASKS, 0}, hosts = {sides->hosts, HOSTS, 0};
    draw_rows(1, sides->tasks, sizeof(sides->tasks) / sizeof(float));
    draw_rows(2, sides->hosts, sizeof(sides->hosts) / sizeof(float));
    draw_rows(3, sides->pairs, sizeof(sides->pairs) / sizeof(float));
    ck_assert_int_eq(shard_forest_block_new(forest, SHARD_FEATURE_TASK, task_columns, 5, TASKS, &sides->task_block), 0);
    ck_assert_int_eq(shard_forest_block_new(forest, SHARD_FEATURE_HOST, host_columns, 4, HOSTS, &sides->host_block), 0);
    ck_assert_int_eq(shard_forest_block_set(sides->task_block, 0, &tasks), 0);
    ck_assert_int_eq(shard_forest_block_set(sides->host_block, 0, &hosts), 0);
}

static void free_sides(struct sides *sides)
{
    shard_forest_block_free(sides->task_block);
    shard_forest_block_free(sides->host_block);
}

static float by_row(const shard_forest *forest, const struct sides *sides, int task, int host, int64_t pair, float base)
{
    float row[FEATURES], margin;
    struct shard_matrix matrix = {row, 1, 0};
    for (int i = 0; i < FEATURES; i++)
        row[i] = NAN;
    memcpy(row, sides->tasks + task * 5, 5 * sizeof(float));
    memcpy(row + 5, sides->hosts + host * 4, 4 * sizeof(float));
    if (pair >= 0)
        memcpy(row + 9, sides->pairs + pair * 2, 2 * sizeof(float));
    ck_assert_int_eq(shard_forest_margins(forest, &matrix, &base, &margin), 0);
    return margin;
}

static void compare(const shard_forest *forest, const struct sides *sides, const struct shard_pair *wanted,
                    int64_t count, int with_pair)
{
    float margins[TASKS * HOSTS], bases[TASKS * HOSTS];
    struct shard_pairs pairs = {.struct_size = sizeof(pairs), .wanted = wanted, .count = count};
    if (with_pair)
        pairs.pair_features = (struct shard_matrix){sides->pairs, TASKS * HOSTS, 0};
    for (int i = 0; i < TASKS * HOSTS; i++)
        bases[i] = (float)i / 8;
    ck_assert_int_eq(shard_forest_pair_margins(forest, sides->task_block, sides->host_block, &pairs, pair_columns,
                                               with_pair ? 2 : 0, bases, margins),
                     0);
    for (int64_t i = 0; i < count; i++) {
        int task = wanted != NULL ? wanted[i].task : (int)i / HOSTS,
            host = wanted != NULL ? wanted[i].host : (int)i % HOSTS;
        float expected = by_row(forest, sides, task, host, with_pair ? i : -1, bases[i]);
        ck_assert_msg(memcmp(&margins[i], &expected, sizeof(float)) == 0, "pair %lld: %a, by row %a", (long long)i,
                      (double)margins[i], (double)expected);
    }
}

START_TEST(pairs_have_the_bits_of_their_rows)
{
    static const int leaves[] = {2, 30, 64, 200};
    struct shard_pair wanted[100];
    uint64_t state = 4;
    for (int i = 0; i < 100; i++)
        wanted[i] = (struct shard_pair){(int32_t)(draw(&state) % TASKS), (int32_t)(draw(&state) % HOSTS)};
    for (uint64_t seed = 0; seed < 24; seed++) {
        shard_forest *forest = load(seed, (enum shard_forest_path)(seed % 3), leaves[seed / 3 % 4]);
        struct sides sides;
        make_sides(forest, &sides);
        for (int with_pair = 0; with_pair < 2; with_pair++) {
            compare(forest, &sides, NULL, TASKS * HOSTS, with_pair);
            compare(forest, &sides, wanted, 100, with_pair);
        }
        free_sides(&sides);
        shard_forest_free(forest);
    }
}
END_TEST

static void load_spec(const struct model_spec *spec, enum shard_forest_path path, shard_forest **ret_forest)
{
    struct shard_forest_options options = {.struct_size = sizeof(options), .path = path};
    struct made_bytes bytes;
    make_model(spec, MODEL_UBJSON, &bytes);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes.data, bytes.size, NULL, &options, ret_forest), 0);
    free_bytes(&bytes);
}

/* How rows are evaluated here, and whether there is more than one column of a feature if `several`. */
static void check_layouts(const shard_forest *best, const shard_forest *avx2, int several)
{
    ck_assert_ptr_null(avx2->jumps.nodes);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")) {
        ck_assert_ptr_nonnull(avx2->fold.nodes);
        ck_assert_int_eq(avx2->fold.use_avx2, 1);
        ck_assert_int_gt(avx2->rank_column_count, several ? avx2->feature_count : 0);
    }
    if (__builtin_cpu_supports("avx512vbmi"))
        ck_assert_int_eq(best->jumps.nodes != NULL, best->max_leaves <= SHARD__JUMP_NODES);
#else
    ck_assert_ptr_null(best->jumps.nodes);
    (void)several;
#endif
}

/* Portably, forests are folded whose trees are deep for their leaves. */
static void check_portable(const shard_forest *portable, int is_deep)
{
    ck_assert_ptr_null(portable->jumps.nodes);
    ck_assert_int_eq(portable->fold.use_avx2, 0);
    if (is_deep)
        ck_assert_int_eq(portable->fold.nodes != NULL, SHARD__HAS_FOLD);
}

START_TEST(batches_have_the_same_bits_on_every_path)
{
    enum { ROWS = 64 + 64 + 45 + 20, WIDTH = 5 };
    static const struct model_spec specs[] = {
        {.seed = 1, .trees = 1, .depth = 9, .features = 1, .max_leaves = 64},
        {.seed = 2, .trees = 90, .depth = 20, .features = 5, .max_leaves = 64, .leaf_percent = 10, .deleted = 1},
        {.seed = 3, .trees = 41, .depth = 20, .features = 4, .max_leaves = 64},
        {.seed = 4, .trees = 300, .depth = 20, .features = 1, .max_leaves = 200, .leaf_percent = 30},
        {.seed = 5, .trees = 150, .depth = 5, .features = 5, .leaf_percent = 10},
        {.seed = 6, .trees = 150, .depth = 20, .features = 1, .max_leaves = 64, .leaf_percent = 5},
        {.seed = 7, .trees = 50, .depth = 63, .features = 3, .comb = 1},
    };
    static const int64_t counts[] = {ROWS, 64 + 64 + 45, 64, 40, 39, 8, 7};
    float rows[ROWS * WIDTH], expected[ROWS], margins[ROWS];
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        shard_forest *plain, *portable, *avx2, *best;
        load_spec(&specs[i], SHARD_FOREST_PATH_PLAIN, &plain);
        load_spec(&specs[i], SHARD_FOREST_PATH_PORTABLE, &portable);
        load_spec(&specs[i], SHARD_FOREST_PATH_AVX2, &avx2);
        load_spec(&specs[i], SHARD_FOREST_PATH_BEST, &best);
        if (specs[i].trees > 1)
            check_layouts(best, avx2, specs[i].features == 1);
        check_portable(portable, specs[i].comb);
        draw_rows(i, rows, ROWS * WIDTH);
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
            struct shard_matrix given = {rows, counts[k], WIDTH};
            size_t bytes = (size_t)counts[k] * sizeof(float);
            ck_assert_int_eq(shard_forest_margins(plain, &given, NULL, expected), 0);
            ck_assert_int_eq(shard_forest_margins(portable, &given, NULL, margins), 0);
            ck_assert_mem_eq(margins, expected, bytes);
            ck_assert_int_eq(shard_forest_margins(avx2, &given, NULL, margins), 0);
            ck_assert_mem_eq(margins, expected, bytes);
            ck_assert_int_eq(shard_forest_margins(best, &given, NULL, margins), 0);
            ck_assert_mem_eq(margins, expected, bytes);
        }
        shard_forest_free(plain);
        shard_forest_free(portable);
        shard_forest_free(avx2);
        shard_forest_free(best);
    }
}
END_TEST

START_TEST(a_row_that_is_set_again_counts_as_it_is_now)
{
    shard_forest *forest = load(5, SHARD_FOREST_PATH_BEST, 64);
    struct sides sides;
    make_sides(forest, &sides);
    struct shard_matrix one = {sides.hosts + 17 * 4, 1, 0};
    draw_rows(99, sides.hosts + 17 * 4, 4);
    ck_assert_int_eq(shard_forest_block_set(sides.host_block, 17, &one), 0);
    compare(forest, &sides, NULL, TASKS * HOSTS, 0);
    free_sides(&sides);
    shard_forest_free(forest);
}
END_TEST

START_TEST(a_row_counts_as_it_is_now_whichever_of_its_columns_change)
{
    /* The first column, then two, then all, of rows that were or were not set since. */
    static const struct {
        int host, columns;
    } steps[] = {{3, 1}, {3, 1}, {4, 1}, {3, 4}, {3, 1}, {5, 2}, {3, 1}, {3, 2}, {5, 4}, {4, 2}, {4, 3}, {5, 1}};
    shard_forest *forest = load(8, SHARD_FOREST_PATH_BEST, 64);
    struct sides sides;
    make_sides(forest, &sides);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        float *row = sides.hosts + steps[i].host * 4;
        struct shard_matrix one = {row, 1, 0};
        draw_rows(200 + i, row, (size_t)steps[i].columns);
        ck_assert_int_eq(shard_forest_block_set(sides.host_block, steps[i].host, &one), 0);
        compare(forest, &sides, NULL, TASKS * HOSTS, 0);
    }
    free_sides(&sides);
    shard_forest_free(forest);
}
END_TEST

START_TEST(pairs_that_make_no_sense_are_refused)
{
    shard_forest *forest = load(6, SHARD_FOREST_PATH_BEST, 64), *other = load(7, SHARD_FOREST_PATH_BEST, 64);
    struct sides sides;
    struct shard_pair beyond = {0, HOSTS}, before = {-1, 0};
    struct shard_pairs pairs = {.struct_size = sizeof(pairs), .wanted = &beyond, .count = 1};
    static const int32_t taken[] = {4, 5}, twice[] = {3, 3}, outside[] = {FEATURES};
    struct shard_matrix too_many = {sides.hosts, HOSTS, 0};
    shard_forest_block *block = NULL;
    float margins[TASKS * HOSTS];
    make_sides(forest, &sides);
#define PAIRS(f, t, h, columns, count) shard_forest_pair_margins(f, t, h, &pairs, columns, count, NULL, margins)
    ck_assert_int_eq(PAIRS(forest, sides.task_block, sides.host_block, NULL, 0), SHARD_ENOENT);
    pairs.wanted = &before;
    ck_assert_int_eq(PAIRS(forest, sides.task_block, sides.host_block, NULL, 0), SHARD_ENOENT);
    pairs.wanted = NULL;
    ck_assert_int_eq(PAIRS(forest, sides.task_block, sides.host_block, NULL, 0), SHARD_EINVAL);
    pairs.count = 0;
    ck_assert_int_eq(PAIRS(other, sides.task_block, sides.host_block, NULL, 0), SHARD_EINVAL);
    ck_assert_int_eq(PAIRS(forest, sides.host_block, sides.task_block, NULL, 0), SHARD_EINVAL);
    pairs.pair_features = (struct shard_matrix){sides.pairs, TASKS * HOSTS, 0};
    ck_assert_int_eq(PAIRS(forest, sides.task_block, sides.host_block, taken, 2), SHARD_EINVAL);
    ck_assert_int_eq(shard_forest_block_new(forest, SHARD_FEATURE_TASK, twice, 2, 1, &block), SHARD_EINVAL);
    ck_assert_int_eq(shard_forest_block_new(forest, SHARD_FEATURE_TASK, outside, 1, 1, &block), SHARD_EINVAL);
    ck_assert_int_eq(shard_forest_block_new(forest, SHARD_FEATURE_PAIR, taken, 2, 1, &block), SHARD_EINVAL);
    ck_assert_int_eq(shard_forest_block_set(sides.host_block, 1, &too_many), SHARD_EINVAL);
    ck_assert_ptr_null(block);
    free_sides(&sides);
    shard_forest_free(forest);
    shard_forest_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pairs");
    TCase *cases = tcase_create("pairs");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, pairs_have_the_bits_of_their_rows);
    tcase_add_test(cases, batches_have_the_same_bits_on_every_path);
    tcase_add_test(cases, a_row_that_is_set_again_counts_as_it_is_now);
    tcase_add_test(cases, a_row_counts_as_it_is_now_whichever_of_its_columns_change);
    tcase_add_test(cases, pairs_that_make_no_sense_are_refused);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
