/* SPDX-License-Identifier: Apache-2.0 */
/* The fold (fold.h) with AVX2. Called only where the processor has it (load.c asks). */

#include "fold.h"

#if SHARD__HAS_AVX2

#include <immintrin.h>
#include <string.h>

#define WITH_AVX2 __attribute__((target("avx2,popcnt")))

enum { ROWS = SHARD__FOLD_ROWS, VECTOR = 32, TOGETHER = 4 };

/* How many of sixteen sorted thresholds a value reaches: none if it is missing. */
WITH_AVX2 static inline int reached(__m256 value, const float *thresholds)
{
    __m256i low = _mm256_castps_si256(_mm256_cmp_ps(value, _mm256_loadu_ps(thresholds), _CMP_GE_OQ));
    __m256i high = _mm256_castps_si256(_mm256_cmp_ps(value, _mm256_loadu_ps(thresholds + 8), _CMP_GE_OQ));
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(low, high))) / 2;
}

/* A column's two lanes: of each row how many thresholds it reaches, less 128, since bytes are compared with sign. */
WITH_AVX2 static void rank(const struct shard__rank_column *column, const float *rows, int64_t stride, int count,
                           uint8_t *lanes)
{
    uint8_t ranks[ROWS], missing[ROWS];
    for (int i = 0; i < ROWS; i++) {
        float value = rows[(i < count ? i : count - 1) * stride + column->feature];
        __m256 wide = _mm256_set1_ps(value);
        int coarse = reached(wide, column->pivots);
        ranks[i] = (uint8_t)(16 * coarse + reached(wide, column->thresholds + 16 * coarse));
        missing[i] = value != value ? UINT8_MAX : 0;
    }
    for (int i = 0; i < ROWS; i++) {
        lanes[i] = ranks[i] ^ 0x80;
        lanes[ROWS + i] = (ranks[i] | missing[i]) ^ 0x80;
    }
}

/* The inner nodes of one tree; what the last one, its root, chose is left in `ret_exits`. */
WITH_AVX2 static void fold_tree(const struct shard__fold_node *node, int32_t inner_count, const uint8_t *lanes,
                                uint8_t *choices, int32_t leaf_room, uint8_t *ret_exits)
{
    uint8_t *to = choices + (size_t)leaf_room * ROWS;
    for (const struct shard__fold_node *end = node + inner_count; node < end; node++, to += ROWS) {
        const uint8_t *lane = lanes + node->lane, *left = choices + node->left, *right = choices + node->right;
        __m256i above = _mm256_set1_epi8(node->above);
        for (int i = 0; i < ROWS; i += VECTOR) {
            __m256i goes_left = _mm256_cmpgt_epi8(above, _mm256_loadu_si256((const void *)(lane + i)));
            __m256i chosen = _mm256_blendv_epi8(_mm256_loadu_si256((const void *)(right + i)),
                                                _mm256_loadu_si256((const void *)(left + i)), goes_left);
            _mm256_storeu_si256((void *)(to + i), chosen);
        }
    }
    memcpy(ret_exits, inner_count > 0 ? to - ROWS : choices, ROWS);
}

WITH_AVX2 void shard__fold_rows(const shard_forest *forest, const float *rows, int64_t stride, int count, uint8_t *room,
                                float *sums)
{
    const struct shard__fold *fold = &forest->fold;
    const struct shard__fold_node *nodes = fold->nodes;
    const float *leaves[TOGETHER], *next = fold->leaves;
    uint8_t *lanes = room, *choices = room + (size_t)forest->rank_column_count * 2 * ROWS, exits[TOGETHER][ROWS];
    for (int32_t i = 0; i < forest->rank_column_count; i++)
        rank(&forest->rank_columns[i], rows, stride, count, lanes + (size_t)i * 2 * ROWS);
    for (int32_t i = 0; i < forest->max_leaves; i++)
        memset(choices + (size_t)i * ROWS, i, ROWS);
    for (int32_t tree = 0; tree < forest->tree_count; tree += TOGETHER) {
        int some = forest->tree_count - tree < TOGETHER ? forest->tree_count - tree : TOGETHER;
        for (int k = 0; k < some; k++) {
            int32_t leaf_count = forest->trees[tree + k].leaf_count;
            fold_tree(nodes, leaf_count - 1, lanes, choices, forest->max_leaves, exits[k]);
            leaves[k] = next;
            nodes += leaf_count - 1;
            next += leaf_count;
        }
        for (int i = 0; i < ROWS && some == TOGETHER; i++)
            sums[i] = sums[i] + leaves[0][exits[0][i]] + leaves[1][exits[1][i]] + leaves[2][exits[2][i]] +
                      leaves[3][exits[3][i]];
        for (int k = 0; k < some && some < TOGETHER; k++)
            for (int i = 0; i < ROWS; i++)
                sums[i] += leaves[k][exits[k][i]];
    }
}

#endif
