/* SPDX-License-Identifier: Apache-2.0 */
/* The fold (fold.h) with AVX2. Called only where the processor has it (load.c asks). */

#include "fold.h"

#if SHARD__HAS_AVX2

#include <immintrin.h>

#define FOLD_TARGET __attribute__((target("avx2,popcnt")))

FOLD_TARGET static inline int reached(float value, const float *thresholds)
{
    __m256 wide = _mm256_set1_ps(value);
    __m256i low = _mm256_castps_si256(_mm256_cmp_ps(wide, _mm256_loadu_ps(thresholds), _CMP_GE_OQ));
    __m256i high = _mm256_castps_si256(_mm256_cmp_ps(wide, _mm256_loadu_ps(thresholds + 8), _CMP_GE_OQ));
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(low, high))) / 2;
}

FOLD_TARGET static inline void choose(int8_t above, const uint8_t *lane, const uint8_t *left, const uint8_t *right,
                                      uint8_t *to)
{
    __m256i wide = _mm256_set1_epi8(above);
    for (int i = 0; i < SHARD__FOLD_ROWS; i += 32) {
        __m256i goes_left = _mm256_cmpgt_epi8(wide, _mm256_loadu_si256((const void *)(lane + i)));
        __m256i chosen = _mm256_blendv_epi8(_mm256_loadu_si256((const void *)(right + i)),
                                            _mm256_loadu_si256((const void *)(left + i)), goes_left);
        _mm256_storeu_si256((void *)(to + i), chosen);
    }
}

#include "fold_rows.h"

FOLD_TARGET void shard__fold_rows_avx2(const shard_forest *forest, const float *rows, int64_t stride, int count,
                                       uint8_t *room, float *sums)
{
    fold_rows(forest, rows, stride, count, room, sums);
}

#endif
