/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to margins through the walk layout. A walk down a tree waits for memory at each step, so many go on at a time:
 * sixteen trees for one row, or eight rows for one tree. The sum of a row is taken in the order of the trees, in
 * float32, as XGBoost does; so all ways give its bits.
 */

#include "evaluate.h"

#include <string.h>

#include "base/error.h"
#include "masks.h"

/* Written out, so that positions stay in registers as far as there are any. */
#define EIGHT(do_one) do_one(0) do_one(1) do_one(2) do_one(3) do_one(4) do_one(5) do_one(6) do_one(7)
#define SIXTEEN(do_one) \
    EIGHT(do_one) do_one(8) do_one(9) do_one(10) do_one(11) do_one(12) do_one(13) do_one(14) do_one(15)

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The step i = base + (below < key), where base is 2i or left: two instructions, for which compilers take four. */
ALWAYS_INLINE size_t advance(size_t twice_or_left, uint32_t below, uint32_t key)
{
    return twice_or_left + (below < key);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define HEAP_STEP(i, node_array, key_array)               \
    do {                                                  \
        uint64_t key_;                                    \
        __asm__("movl 4(%[n],%[at],8), %k[x]\n\t"         \
                "movl (%[k],%[x],4), %k[x]\n\t"           \
                "cmpl %k[x], (%[n],%[at],8)\n\t"          \
                "adcq %[at], %[at]"                       \
                : [at] "+&r"(i), [x] "=&r"(key_)          \
                : [n] "r"(node_array), [k] "r"(key_array) \
                : "cc", "memory");                        \
    } while (0)
#else
#define HEAP_STEP(i, node_array, key_array) \
    (i) = advance(2 * (i), (node_array)[i].below, (key_array)[(node_array)[i].key])
#endif
#define LINK_STEP(i, node_array, key_array) \
    (i) = advance((node_array)[i].left, (node_array)[i].below, (key_array)[(node_array)[i].key])

/* The padded trees of a group for one row. */
ALWAYS_INLINE float add_heap(const struct shard__heap_node *nodes, const float *leaves, const uint32_t *keys, int depth,
                             int count, float sum)
{
    size_t below = (size_t)SHARD__GROUP_TREES << depth;
#define START(k) size_t i##k = SHARD__GROUP_TREES + (k);
#define STEP(k) HEAP_STEP(i##k, nodes, keys);
#define ADD(k)       \
    if ((k) < count) \
        sum += leaves[i##k - below];
    if (count <= 8) {
        EIGHT(START)
        for (int level = 0; level < depth; level++) {
            EIGHT(STEP)
        }
        EIGHT(ADD)
        return sum;
    }
    SIXTEEN(START)
#pragma GCC unroll 8
    for (int level = 0; level < depth; level++) {
        SIXTEEN(STEP)
    }
    SIXTEEN(ADD)
#undef START
#undef STEP
#undef ADD
    return sum;
}

/* A constant depth lets the steps be laid out without a loop. */
static float add_heap_group(const shard_forest *forest, const struct shard__group *group, const uint32_t *keys,
                            float sum)
{
    const struct shard__heap_node *nodes = forest->heap + group->nodes;
    const float *leaves = forest->heap_leaves + group->nodes;
    int count = group->tree_count;
    switch (group->depth) {
#define CASE(d) \
    case d:     \
        return add_heap(nodes, leaves, keys, d, count, sum);
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
#undef CASE
    default:
        return add_heap(nodes, leaves, keys, group->depth, count, sum);
    }
}

/* The linked trees of a group for one row. */
static float add_link_group(const shard_forest *forest, const struct shard__group *group, const uint32_t *keys,
                            float sum)
{
#define START(k)                                                               \
    const struct shard__link_node *nodes##k = forest->links + group->links[k]; \
    size_t i##k = 0;
#define STEP(k) LINK_STEP(i##k, nodes##k, keys);
#define ADD(k)                   \
    if ((k) < group->tree_count) \
        sum += forest->link_values[group->links[k] + i##k];
    SIXTEEN(START)
    for (int level = 0; level < group->depth; level++) {
        SIXTEEN(STEP)
    }
    SIXTEEN(ADD)
#undef START
#undef STEP
#undef ADD
    return sum;
}

static float row_margin(const shard_forest *forest, const float *row, uint32_t *keys, float sum)
{
    shard__row_keys(row, forest->feature_count, keys);
    for (size_t i = 0; i < forest->group_count; i++) {
        const struct shard__group *group = &forest->groups[i];
        if (group->kind == SHARD__GROUP_HEAP)
            sum = add_heap_group(forest, group, keys, sum);
        else if (group->kind == SHARD__GROUP_LINK)
            sum = add_link_group(forest, group, keys, sum);
        else
            sum += shard__walk(forest->nodes + forest->trees[group->first_tree].first, row);
    }
    return sum;
}

/* One padded tree for eight rows, whose keys are `stride` apart. */
static void add_heap_tree(const struct shard__heap_node *nodes, const float *leaves, size_t root, const uint32_t *keys,
                          size_t stride, int depth, float *sums)
{
    size_t below = (size_t)SHARD__GROUP_TREES << depth;
#define START(k)                                 \
    const uint32_t *keys##k = keys + (k)*stride; \
    size_t i##k = root;
#define STEP(k) HEAP_STEP(i##k, nodes, keys##k);
#define ADD(k) sums[k] += leaves[i##k - below];
    EIGHT(START)
    for (int level = 0; level < depth; level++) {
        EIGHT(STEP)
    }
    EIGHT(ADD)
#undef START
#undef STEP
#undef ADD
}

static void add_link_tree(const struct shard__link_node *nodes, const float *values, const uint32_t *keys,
                          size_t stride, int depth, float *sums)
{
#define START(k)                                 \
    const uint32_t *keys##k = keys + (k)*stride; \
    size_t i##k = 0;
#define STEP(k) LINK_STEP(i##k, nodes, keys##k);
#define ADD(k) sums[k] += values[i##k];
    EIGHT(START)
    for (int level = 0; level < depth; level++) {
        EIGHT(STEP)
    }
    EIGHT(ADD)
#undef START
#undef STEP
#undef ADD
}

/* `count` is a multiple of eight here. */
static void add_heap_group_to_rows(const shard_forest *forest, const struct shard__group *group, const uint32_t *keys,
                                   int count, float *sums)
{
    size_t stride = shard__key_count(forest);
    for (int32_t k = 0; k < group->tree_count; k++)
        for (int row = 0; row < count; row += 8)
            add_heap_tree(forest->heap + group->nodes, forest->heap_leaves + group->nodes,
                          (size_t)SHARD__GROUP_TREES + (size_t)k, keys + (size_t)row * stride, stride, group->depth,
                          sums + row);
}

static void add_link_group_to_rows(const shard_forest *forest, const struct shard__group *group, const uint32_t *keys,
                                   int count, float *sums)
{
    size_t stride = shard__key_count(forest);
    for (int32_t k = 0; k < group->tree_count; k++)
        for (int row = 0; row < count; row += 8)
            add_link_tree(forest->links + group->links[k], forest->link_values + group->links[k],
                          keys + (size_t)row * stride, stride, forest->trees[group->first_tree + k].depth, sums + row);
}

static void add_deep_tree_to_rows(const shard_forest *forest, int32_t tree, const float *rows, int64_t stride,
                                  int count, float *sums)
{
    const struct shard__node *nodes = forest->nodes + forest->trees[tree].first;
    for (int row = 0; row < count; row++)
        sums[row] += shard__walk(nodes, rows + row * stride);
}

static void walk_block(const shard_forest *forest, const float *rows, int64_t stride, int count, uint32_t *keys,
                       float *margins)
{
    size_t key_count = shard__key_count(forest);
    float sums[SHARD__BLOCK_ROWS] = {0};
    memcpy(sums, margins, (size_t)count * sizeof(float));
    for (int row = 0; row < count; row++)
        shard__row_keys(rows + row * stride, forest->feature_count, keys + (size_t)row * key_count);
    /* The last eight may be fewer: the rest walks over zeros, and is not given out. */
    int padded = (count + 7) / 8 * 8;
    memset(keys + (size_t)count * key_count, 0, (size_t)(padded - count) * key_count * sizeof(uint32_t));
    for (size_t i = 0; i < forest->group_count; i++) {
        const struct shard__group *group = &forest->groups[i];
        if (group->kind == SHARD__GROUP_PLAIN)
            add_deep_tree_to_rows(forest, group->first_tree, rows, stride, count, sums);
        else if (group->kind == SHARD__GROUP_HEAP)
            add_heap_group_to_rows(forest, group, keys, padded, sums);
        else
            add_link_group_to_rows(forest, group, keys, padded, sums);
    }
    memcpy(margins, sums, (size_t)count * sizeof(float));
}

static void plain_margins(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins)
{
    for (int64_t i = 0; i < rows->rows; i++)
        for (int32_t tree = 0; tree < forest->tree_count; tree++)
            margins[i] += shard__walk(forest->nodes + forest->trees[tree].first, rows->values + i * stride);
}

#if SHARD__HAS_AVX512
/* Up to 32 rows by masks: their keys lie key by key. */
static void mask_block(const shard_forest *forest, const float *rows, int64_t stride, int count, uint32_t *keys,
                       float *margins)
{
    float sums[SHARD__AVX512_ROWS] = {0};
    memcpy(sums, margins, (size_t)count * sizeof(float));
    shard__lay_keys_avx512(rows, stride, count, forest->feature_count, keys);
    shard__mask_rows_avx512(forest, keys, sums);
    memcpy(margins, sums, (size_t)count * sizeof(float));
}
#endif

/* How many rows go together, for so many. */
static int rows_together(const shard_forest *forest, int64_t rows)
{
#if SHARD__HAS_AVX512
    if (forest->masks.by_tree != NULL && rows >= SHARD__AVX512_ROWS / 2)
        return SHARD__AVX512_ROWS;
#endif
    (void)forest;
    return rows < 8 ? 1 : SHARD__BLOCK_ROWS;
}

static void together(const shard_forest *forest, const float *rows, int64_t stride, int step, int count, uint32_t *keys,
                     float *margins)
{
    if (step == 1)
        *margins = row_margin(forest, rows, keys, *margins);
#if SHARD__HAS_AVX512
    else if (step == SHARD__AVX512_ROWS)
        mask_block(forest, rows, stride, count, keys, margins);
#endif
    else
        walk_block(forest, rows, stride, count, keys, margins);
}

int shard__margins(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins)
{
    enum { ON_STACK = 4096 };
    uint32_t small[ON_STACK], *keys = small;
    int step = rows_together(forest, rows->rows);
    size_t needed = shard__key_count(forest) * (size_t)step;
    if (forest->plain) {
        plain_margins(forest, rows, stride, margins);
        return 0;
    }
    if (needed > ON_STACK && (keys = shard__realloc(forest->context, NULL, 0, needed * sizeof(uint32_t))) == NULL)
        return SHARD_ENOMEM;
    for (int64_t i = 0; i < rows->rows; i += step) {
        int64_t left = rows->rows - i;
        together(forest, rows->values + i * stride, stride, step, left < step ? (int)left : step, keys, margins + i);
    }
    if (keys != small)
        shard__release(forest->context, keys, needed * sizeof(uint32_t));
    return 0;
}

int shard_forest_margins(const shard_forest *forest, const struct shard_matrix *rows, const float *base_margins,
                         float *ret_margins)
{
    shard__clear_error();
    int64_t stride = rows->stride != 0 ? rows->stride : forest->feature_count;
    if (rows->rows < 0 || stride < forest->feature_count)
        return shard__fail(SHARD_EINVAL, "%lld rows of %lld floats, expected at least %d floats a row",
                           (long long)rows->rows, (long long)stride, forest->feature_count);
    for (int64_t i = 0; i < rows->rows; i++)
        ret_margins[i] = base_margins != NULL ? base_margins[i] : forest->base_margin;
    return shard__margins(forest, rows, stride, ret_margins);
}
