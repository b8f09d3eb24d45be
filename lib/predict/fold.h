/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_FOLD_H
#define SHARD_PREDICT_FOLD_H

/*
 * Many rows at once. All nodes of a tree are decided for 64 rows, the lowest first; each passes on, for each
 * row, the number of the leaf that was chosen beneath it, so that the root's is the exit leaf: nothing is walked, and
 * nothing waits. Chosen when the forest is loaded.
 */

#include "forest.h"

/* Bytes that shard__fold_rows() needs as `room`: the rows' columns and what nodes chose. */
static inline size_t shard__fold_bytes(const shard_forest *forest)
{
    return (size_t)(2 * forest->rank_column_count + 2 * forest->max_leaves) * SHARD__FOLD_ROWS;
}

/* Rows 0 .. count - 1, of at most 64. `sums` has 64 floats, which hold what each row's begins with. */
#if defined(__GNUC__) && (defined(__SSE2__) || defined(__ARM_NEON))
#define SHARD__HAS_FOLD 1
void shard__fold_rows(const shard_forest *forest, const float *rows, int64_t stride, int count, uint8_t *room,
                      float *sums);
#else
#define SHARD__HAS_FOLD 0
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define SHARD__HAS_AVX2 1
void shard__fold_rows_avx2(const shard_forest *forest, const float *rows, int64_t stride, int count, uint8_t *room,
                           float *sums);
#else
#define SHARD__HAS_AVX2 0
#endif

#endif
