/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to margins: by jumps where the processor can, or through the walk layout, or, many rows, by folds. A walk down a
 * tree waits for memory at each step, so many go on at a time: sixteen trees for one row, or eight rows for one tree.
 * The sum of a row is taken in the order of the trees, in float32, as XGBoost does; so all ways give its bits.
 */

#include "evaluate.h"

#include <string.h>

#include "base/error.h"
#include "fold.h"
#include "jump.h"

/* Written out, so that positions stay in registers as far as there are any. */
#define FOUR(do_one) do_one(0) do_one(1) do_one(2) do_one(3)
#define EIGHT(do_one) FOUR(do_one) do_one(4) do_one(5) do_one(6) do_one(7)
#define SIXTEEN(do_one) \
    EIGHT(do_one) do_one(8) do_one(9) do_one(10) do_one(11) do_one(12) do_one(13) do_one(14) do_one(15)

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * A step for row `row` of `rows` (constants: 1, or 8 whose keys lie side by side), after which `i` is the child's
 * index: four and five instructions, for which compilers take more. With AddressSanitizer it is C, which is looked
 * into; so the tests meet both.
 */
#if defined(__x86_64__) && defined(__LP64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define WALK(i, nodes, keys, rows, row, instructions)                                 \
    do {                                                                              \
        uint64_t word_, key_;                                                         \
        __asm__("movq (%[n],%[at],8), %[w]\n\t" instructions                          \
                : [at] "+&r"(i), [w] "=&r"(word_), [x] "=&r"(key_)                    \
                : [n] "r"(nodes), [k] "r"(keys), [by] "i"(rows), [off] "i"(8 * (row)) \
                : "cc", "memory");                                                    \
    } while (0)
#define HEAP_STEP(i, nodes, keys, rows, row) \
    WALK(i, nodes, keys, rows, row, "movl %k[w], %k[x]\n\tcmpq %c[off](%[k],%[x],%c[by]), %[w]\n\tadcq %[at], %[at]")
#define LINK_STEP(i, nodes, keys, rows, row)                                                                          \
    WALK(i, nodes, keys, rows, row,                                                                                   \
         "movzwl %w[w], %k[x]\n\tmovzwl 2(%[n],%[at],8), %k[at]\n\tcmpq %c[off](%[k],%[x],%c[by]), %[w]\n\tadcq $0, " \
         "%[at]")
#else
#define KEY(keys, place, rows, row) (keys)[(place) / 8 * (rows) + (row)]
#define HEAP_STEP(i, nodes, keys, rows, row) (i) = 2 * (i) + ((nodes)[i] < KEY(keys, (uint32_t)(nodes)[i], rows, row))
#define LINK_STEP(i, nodes, keys, rows, row) \
    (i) = ((nodes)[i] >> 16 & 0xffff) + ((nodes)[i] < KEY(keys, (nodes)[i] & 0xffff, rows, row))
#endif

/* Keys as the walks take them, of row `row` of `rows`. Four at a time, in the compilers' own vectors. */
ALWAYS_INLINE void lay_keys(const float *values, int32_t count, uint64_t *keys, int rows, int row)
{
    typedef float floats __attribute__((vector_size(16)));
    typedef uint32_t halves __attribute__((vector_size(16)));
    typedef uint64_t words __attribute__((vector_size(32)));
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        floats x;
        memcpy(&x, values + i, sizeof(x));
        halves bits = (halves)(x + 0.0f);
        halves missing = (halves)((bits & 0x7fffffffu) > 0x7f800000u);
        halves order = bits ^ ((0u - (bits >> 31)) | 0x80000000u);
        words left = __builtin_convertvector(order & ~missing, words) << 32;
        words right = __builtin_convertvector(order | missing, words) << 32;
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            keys[(i + k) * rows + row] = left[k];
            keys[(count + i + k) * rows + row] = right[k];
        }
    }
    for (; i < count; i++) {
        uint32_t left, right;
        shard__value_keys(values[i], &left, &right);
        keys[i * rows + row] = (uint64_t)left << 32;
        keys[(count + i) * rows + row] = (uint64_t)right << 32;
    }
}

/* The padded trees of a group for one row. */
ALWAYS_INLINE float add_heap(const uint64_t *nodes, const float *leaves, const uint64_t *keys, int depth, int count,
                             float sum)
{
    size_t below = (size_t)SHARD__GROUP_TREES << depth;
#define START(k) uint64_t i##k = SHARD__GROUP_TREES + (k);
#define STEP(k) HEAP_STEP(i##k, nodes, keys, 1, 0);
#define ADD(k)       \
    if ((k) < count) \
        sum += leaves[i##k - below];
#define SUM_OF(trees) \
    trees(START);     \
    _Pragma("GCC unroll 8") for (int level = 0; level < depth; level++){trees(STEP)} trees(ADD) return sum
    if (count <= 4) {
        SUM_OF(FOUR);
    }
    if (count <= 8) {
        SUM_OF(EIGHT);
    }
    SUM_OF(SIXTEEN);
#undef SUM_OF
#undef START
#undef STEP
#undef ADD
}

/* A constant depth lets the steps be laid out without a loop. */
static float add_heap_group(const shard_forest *forest, const struct shard__group *group, const uint64_t *keys,
                            float sum)
{
    const uint64_t *nodes = forest->walk_nodes + group->nodes;
    const float *leaves = forest->walk_leaves + group->nodes;
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

/* The upper half of a leaf's word is the largest number: so many words are ANDed to see whether all walks are over. */
#define ARE_LEAVES(words) ((words) >> 32 == UINT32_MAX)

/* The linked trees of a group for one row. */
static float add_link_group(const shard_forest *forest, const struct shard__group *group, const uint64_t *keys,
                            float sum)
{
    const uint64_t *nodes = forest->walk_nodes + group->nodes;
    const float *values = forest->walk_leaves + group->nodes;
#define START(k) uint64_t i##k = group->roots[k];
#define STEP(k) LINK_STEP(i##k, nodes, keys, 1, 0);
#define AND(k) words &= nodes[i##k];
#define ADD(k)                   \
    if ((k) < group->tree_count) \
        sum += values[i##k];
    SIXTEEN(START)
    for (int level = 0; level < group->depth; level += 2) {
        uint64_t words = UINT64_MAX;
        SIXTEEN(STEP)
        SIXTEEN(STEP)
        SIXTEEN(AND)
        if (ARE_LEAVES(words))
            break;
    }
    SIXTEEN(ADD)
#undef START
#undef STEP
#undef ADD
    return sum;
}

static float row_margin(const shard_forest *forest, const float *row, uint64_t *keys, float sum)
{
    lay_keys(row, forest->feature_count, keys, 1, 0);
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

/* One padded tree for eight rows. */
static void add_heap_tree(const uint64_t *nodes, const float *leaves, uint64_t root, const uint64_t *keys, int depth,
                          float *sums)
{
    size_t below = (size_t)SHARD__GROUP_TREES << depth;
#define START(k) uint64_t i##k = root;
#define STEP(k) HEAP_STEP(i##k, nodes, keys, 8, k);
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

static void add_link_tree(const uint64_t *nodes, const float *values, uint64_t root, const uint64_t *keys, int depth,
                          float *sums)
{
#define START(k) uint64_t i##k = root;
#define STEP(k) LINK_STEP(i##k, nodes, keys, 8, k);
#define ADD(k) sums[k] += values[i##k];
    EIGHT(START)
    for (int level = 0; level < depth; level += 2) {
        uint64_t words = UINT64_MAX;
        EIGHT(STEP)
        EIGHT(STEP)
        EIGHT(AND)
        if (ARE_LEAVES(words))
            break;
    }
    EIGHT(ADD)
#undef START
#undef STEP
#undef AND
#undef ADD
}

/* `count` is a multiple of eight here. */
static void add_group_to_rows(const shard_forest *forest, const struct shard__group *group, const uint64_t *keys,
                              int count, float *sums)
{
    const uint64_t *nodes = forest->walk_nodes + group->nodes;
    const float *leaves = forest->walk_leaves + group->nodes;
    size_t key_count = shard__key_count(forest);
    for (int32_t k = 0; k < group->tree_count; k++) {
        int depth = forest->trees[group->first_tree + k].depth;
        for (int row = 0; row < count; row += 8) {
            const uint64_t *eight = keys + (size_t)row * key_count;
            if (group->kind == SHARD__GROUP_HEAP)
                add_heap_tree(nodes, leaves, (uint64_t)(SHARD__GROUP_TREES + k), eight, group->depth, sums + row);
            else
                add_link_tree(nodes, leaves, group->roots[k], eight, depth, sums + row);
        }
    }
}

static void add_deep_tree_to_rows(const shard_forest *forest, int32_t tree, const float *rows, int64_t stride,
                                  int count, float *sums)
{
    const struct shard__node *nodes = forest->nodes + forest->trees[tree].first;
    for (int row = 0; row < count; row++)
        sums[row] += shard__walk(nodes, rows + row * stride);
}

static void walk_block(const shard_forest *forest, const float *rows, int64_t stride, int count, uint64_t *keys,
                       float *margins)
{
    size_t key_count = shard__key_count(forest);
    float sums[SHARD__BLOCK_ROWS] = {0};
    memcpy(sums, margins, (size_t)count * sizeof(float));
    /* The last eight may be fewer: the rest walks as the last row does, and is not given out. */
    int padded = (count + 7) / 8 * 8;
    for (int row = 0; row < padded; row++)
        lay_keys(rows + (row < count ? row : count - 1) * stride, forest->feature_count,
                 keys + (size_t)(row & ~7) * key_count, 8, row & 7);
    for (size_t i = 0; i < forest->group_count; i++) {
        const struct shard__group *group = &forest->groups[i];
        if (group->kind == SHARD__GROUP_PLAIN)
            add_deep_tree_to_rows(forest, group->first_tree, rows, stride, count, sums);
        else
            add_group_to_rows(forest, group, keys, padded, sums);
    }
    memcpy(margins, sums, (size_t)count * sizeof(float));
}

static void plain_margins(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins)
{
    for (int64_t i = 0; i < rows->rows; i++)
        for (int32_t tree = 0; tree < forest->tree_count; tree++)
            margins[i] += shard__walk(forest->nodes + forest->trees[tree].first, rows->values + i * stride);
}

#if SHARD__HAS_FOLD
static void fold_block(const shard_forest *forest, const float *rows, int64_t stride, int count, uint8_t *room,
                       float *margins)
{
    float sums[SHARD__BLOCK_ROWS] = {0};
    memcpy(sums, margins, (size_t)count * sizeof(float));
#if SHARD__HAS_AVX2
    if (forest->fold.use_avx2)
        shard__fold_rows_avx2(forest, rows, stride, count, room, sums);
    else
#endif
        shard__fold_rows(forest, rows, stride, count, room, sums);
    memcpy(margins, sums, (size_t)count * sizeof(float));
}
#endif

/* Up to SHARD__BLOCK_ROWS rows. A fold costs as much for few of them. */
static void block(const shard_forest *forest, const float *rows, int64_t stride, int count, uint64_t *room,
                  float *margins)
{
    enum { FEW = 40 };
#if SHARD__HAS_FOLD
    if (forest->fold.nodes != NULL && count >= FEW) {
        fold_block(forest, rows, stride, count, (uint8_t *)room, margins);
        return;
    }
#endif
    walk_block(forest, rows, stride, count, room, margins);
}

int shard__margins(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins)
{
    enum { ON_STACK = 32768 };
    uint64_t small[ON_STACK / sizeof(uint64_t)], *room = small;
    int step = rows->rows < 8 ? 1 : SHARD__BLOCK_ROWS;
    size_t needed = shard__key_count(forest) * (size_t)step * sizeof(uint64_t), folds = shard__fold_bytes(forest);
    if (forest->plain) {
        plain_margins(forest, rows, stride, margins);
        return 0;
    }
#if SHARD__HAS_VBMI
    if (forest->jumps.nodes != NULL) {
        shard__jump_rows(forest, rows, stride, margins);
        return 0;
    }
#endif
    if (step > 1 && folds > needed)
        needed = folds;
    if (needed > ON_STACK && (room = shard__realloc(forest->context, NULL, 0, needed)) == NULL)
        return SHARD_ENOMEM;
    for (int64_t i = 0; i < rows->rows; i += step) {
        const float *at = rows->values + i * stride;
        if (step == 1)
            margins[i] = row_margin(forest, at, room, margins[i]);
        else
            block(forest, at, stride, rows->rows - i < step ? (int)(rows->rows - i) : step, room, margins + i);
    }
    if (room != small)
        shard__release(forest->context, room, needed);
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
