/* SPDX-License-Identifier: Apache-2.0 */
/* Jumps (jump.h) with AVX-512 and its byte permutes (VBMI). Called only where the processor has them (load.c asks). */

#include "jump.h"

#if SHARD__HAS_VBMI

#include <immintrin.h>

#define WITH_VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi,popcnt")))
#define INLINE_VBMI static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vbmi,popcnt")))

enum { FLOATS = 16, TOGETHER = 4 };

/* A row's rank in each column; what is missing goes left by the one lane, right by the other. */
struct lanes {
    __m512i left, right;
};

/* How many of sixteen sorted thresholds a value reaches: none if it is missing. */
INLINE_VBMI int reached(__m512 value, const float *thresholds)
{
    uint32_t mask = _cvtmask16_u32(_mm512_cmp_ps_mask(value, _mm512_loadu_ps(thresholds), _CMP_GE_OQ));
    return _mm_popcnt_u32(mask);
}

INLINE_VBMI struct lanes rank(const shard_forest *forest, const float *row)
{
    uint8_t ranks[SHARD__JUMP_COLUMNS] = {0};
    float values[SHARD__JUMP_COLUMNS] = {0};
    __mmask64 missing = 0;
    for (int32_t i = 0; i < forest->rank_column_count; i++) {
        const struct shard__rank_column *column = &forest->rank_columns[i];
        values[i] = row[column->feature];
        __m512 value = _mm512_set1_ps(values[i]);
        int coarse = 16 * reached(value, column->pivots);
        ranks[i] = (uint8_t)(coarse + reached(value, column->thresholds + coarse));
    }
    for (int i = SHARD__JUMP_COLUMNS - FLOATS; i >= 0; i -= FLOATS) {
        __m512 some = _mm512_loadu_ps(values + i);
        missing = missing << FLOATS | _mm512_cmp_ps_mask(some, some, _CMP_UNORD_Q);
    }
    __m512i left = _mm512_loadu_si512(ranks);
    return (struct lanes){left, _mm512_mask_set1_epi8(left, missing, -1)};
}

/* 64, 65 ... 127: a leaf leads to itself. */
INLINE_VBMI __m512i leaf_numbers(void)
{
    uint8_t numbers[SHARD__JUMP_NODES];
    for (int i = 0; i < SHARD__JUMP_NODES; i++)
        numbers[i] = (uint8_t)(SHARD__JUMP_NODES + i);
    return _mm512_loadu_si512(numbers);
}

/* `count` rows (a constant) through all trees, each of which is loaded once for all of them. */
INLINE_VBMI void add_trees(const shard_forest *forest, const float *rows, int64_t stride, int count, int doublings,
                           float *margins)
{
    const struct shard__jumps *jumps = &forest->jumps;
    const struct shard__jump_vector *nodes = jumps->nodes, *shape = jumps->shapes;
    const float *leaves = jumps->leaves, *end = leaves + (size_t)forest->tree_count * SHARD__JUMP_NODES;
    const __m512i at_leaves = leaf_numbers();
    struct lanes lanes[TOGETHER];
    float sums[TOGETHER];
    for (int i = 0; i < count; i++) {
        lanes[i] = rank(forest, rows + i * stride);
        sums[i] = margins[i];
    }
    for (; leaves < end; leaves += SHARD__JUMP_NODES, nodes += jumps->node_step, shape += jumps->shape_step) {
        __m512i lane = _mm512_load_si512(&nodes[SHARD__JUMP_LANE]);
        __m512i above = _mm512_load_si512(&nodes[SHARD__JUMP_ABOVE]);
        __m512i left = _mm512_load_si512(&shape[SHARD__JUMP_LEFT]);
        __m512i right = _mm512_load_si512(&shape[SHARD__JUMP_RIGHT]);
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            __m512i ranks = _mm512_permutex2var_epi8(lanes[i].left, lane, lanes[i].right);
            __m512i jump = _mm512_mask_blend_epi8(_mm512_cmpgt_epu8_mask(above, ranks), right, left);
            for (int k = 0; k < doublings; k++)
                jump = _mm512_permutex2var_epi8(jump, jump, at_leaves);
            sums[i] += leaves[_mm_cvtsi128_si32(_mm512_castsi512_si128(jump)) & (SHARD__JUMP_NODES - 1)];
        }
    }
    for (int i = 0; i < count; i++)
        margins[i] = sums[i];
}

INLINE_VBMI void add_to_rows(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, int doublings,
                             float *margins)
{
    int64_t row = 0;
    for (; row + TOGETHER <= rows->rows; row += TOGETHER)
        add_trees(forest, rows->values + row * stride, stride, TOGETHER, doublings, margins + row);
    for (; row < rows->rows; row++)
        add_trees(forest, rows->values + row * stride, stride, 1, doublings, margins + row);
}

/* Constant doublings are laid out without a loop. */
WITH_VBMI void shard__jump_rows(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride,
                                float *margins)
{
    switch (forest->jumps.doublings) {
#define CASE(n)                                        \
    case n:                                            \
        add_to_rows(forest, rows, stride, n, margins); \
        break;
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
#undef CASE
    default:
        add_to_rows(forest, rows, stride, forest->jumps.doublings, margins);
    }
}

#endif
