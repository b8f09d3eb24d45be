/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaf masks with AVX-512: the leftmost leaf is the highest bit, so that counting leading zeros gives the exit leaf; a
 * tree's 64 leaves fit in four registers, from which two permutes take sixteen values at once. Called only where the
 * processor has it (load.c asks).
 */

#include "masks.h"

#if SHARD__HAS_AVX512

#include <immintrin.h>

#define WITH_AVX512 __attribute__((target("avx512f,avx512cd,avx512vl,avx512dq,avx512bw,lzcnt")))
#define INLINE_AVX512 \
    static inline __attribute__((always_inline, target("avx512f,avx512cd,avx512vl,avx512dq,avx512bw,lzcnt")))

/* The leaves of one tree. */
struct leaf_table {
    __m512 part[4];
};

INLINE_AVX512 struct leaf_table load_leaves(const float *leaves)
{
    return (struct leaf_table){{_mm512_loadu_ps(leaves), _mm512_loadu_ps(leaves + 16), _mm512_loadu_ps(leaves + 32),
                                _mm512_loadu_ps(leaves + 48)}};
}

/* The values of sixteen exit leaves, from their masks. */
INLINE_AVX512 __m512 exit_values(const struct leaf_table *table, __m512i low, __m512i high)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512i leaf = _mm512_permutex2var_epi32(_mm512_lzcnt_epi64(low), even, _mm512_lzcnt_epi64(high));
    __m512 left = _mm512_permutex2var_ps(table->part[0], leaf, table->part[1]);
    __m512 right = _mm512_permutex2var_ps(table->part[2], leaf, table->part[3]);
    return _mm512_mask_blend_ps(_mm512_test_epi32_mask(leaf, _mm512_set1_epi32(32)), left, right);
}

/* `count` tiles (a constant) at a time: the leaves are loaded once for all of them. */
INLINE_AVX512 void tiles(const shard_forest *forest, const uint64_t *task, const uint64_t *hosts, int count,
                         float *sums)
{
    size_t tile = (size_t)forest->tree_count * SHARD__TILE;
    const float *leaves = forest->masks.leaves;
    __m512 sum[4];
    for (int i = 0; i < count; i++)
        sum[i] = _mm512_loadu_ps(sums + i * SHARD__TILE);
    for (int32_t tree = 0; tree < forest->tree_count; tree++) {
        struct leaf_table table = load_leaves(leaves + tree * SHARD__MASK_LEAVES);
        __m512i mask = _mm512_set1_epi64((long long)task[tree]);
        const uint64_t *at = hosts + tree * SHARD__TILE;
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            const uint64_t *pair = at + (size_t)i * tile;
            __m512i low = _mm512_and_si512(mask, _mm512_loadu_si512(pair));
            __m512i high = _mm512_and_si512(mask, _mm512_loadu_si512(pair + 8));
            sum[i] = _mm512_add_ps(sum[i], exit_values(&table, low, high));
        }
    }
    for (int i = 0; i < count; i++)
        _mm512_storeu_ps(sums + i * SHARD__TILE, sum[i]);
}

WITH_AVX512 void shard__mask_tiles_avx512(const shard_forest *forest, const uint64_t *task, const uint64_t *hosts,
                                          int64_t tile_count, float *sums)
{
    size_t tile = (size_t)forest->tree_count * SHARD__TILE;
    for (; tile_count >= 4; tile_count -= 4) {
        tiles(forest, task, hosts, 4, sums);
        hosts += 4 * tile;
        sums += 4 * SHARD__TILE;
    }
    for (; tile_count > 0; tile_count--) {
        tiles(forest, task, hosts, 1, sums);
        hosts += tile;
        sums += SHARD__TILE;
    }
}

WITH_AVX512 void shard__mask_pairs_avx512(const shard_forest *forest, struct shard__mask_pairs *pairs)
{
    const float *leaves = forest->masks.leaves;
    struct shard__mask_pairs at = *pairs;
    float s0 = at.sums[0], s1 = at.sums[1], s2 = at.sums[2], s3 = at.sums[3];
    for (int32_t tree = 0; tree < forest->tree_count; tree++) {
        s0 += leaves[(int)_lzcnt_u64(at.task[0][tree] & at.host[0][tree])];
        s1 += leaves[(int)_lzcnt_u64(at.task[1][tree] & at.host[1][tree])];
        s2 += leaves[(int)_lzcnt_u64(at.task[2][tree] & at.host[2][tree])];
        s3 += leaves[(int)_lzcnt_u64(at.task[3][tree] & at.host[3][tree])];
        leaves += SHARD__MASK_LEAVES;
    }
    pairs->sums[0] = s0, pairs->sums[1] = s1, pairs->sums[2] = s2, pairs->sums[3] = s3;
}

#endif
