/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_MASKS_H
#define SHARD_PREDICT_MASKS_H

/*
 * Evaluation by leaf masks. QuickScorer's AND is separable: a row of one side clears the leaves that its own features
 * rule out, once; the exit leaf of a pair is the first bit of task & host. The kernels come in portable C and, chosen
 * when the forest is loaded, with AVX-512.
 */

#include "forest.h"

/* For all hosts at once AVX-512 wants them side by side: tile i has, tree by tree, the masks of rows 16i .. 16i + 15.
 */
enum { SHARD__TILE = 16 };

struct shard_forest_block {
    const shard_forest *forest;
    enum shard_feature_group side;
    int32_t *columns;
    int32_t column_count;
    int32_t rows;
    float *values; /* rows * column_count, for what goes without masks */
    uint64_t
        *masks; /* row by row, each tree by tree, since a pair reads the whole of one; NULL if the forest has none */
    size_t mask_count;
    uint64_t *tiles; /* the same; NULL: there are none */
    /* The columns in front that change often, learnt from what is set, and what the other columns of each row rule out:
       of a host most are about its samples, and stay as they are while tasks come and go. */
    int32_t quick_count;
    uint64_t *rests;          /* by row, tree by tree; NULL: not kept */
    unsigned char *has_rests; /* by row */
};

/* Where a row's masks begin in the tiles, of which each tree has SHARD__TILE. */
static inline size_t shard__tile_at(const shard_forest *forest, int32_t row)
{
    size_t at = (size_t)row;
    return at / SHARD__TILE * SHARD__TILE * (size_t)forest->tree_count + at % SHARD__TILE;
}

/* Clears in `masks`, tree by tree, the leaves that a feature's value rules out. */
void shard__mask_feature(const shard_forest *forest, int32_t feature, float value, uint64_t *masks);

/* One task with whole tiles of hosts: 16 sums a tile, which hold what each begins with. */
void shard__mask_tiles(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles, int64_t tile_count,
                       float *sums);

/* Pairs side by side, so that their sums need not wait for each other: the masks of each one's task and host. */
enum { SHARD__ABREAST = 4 };
struct shard__mask_pairs {
    const uint64_t *task[SHARD__ABREAST], *host[SHARD__ABREAST];
    float sums[SHARD__ABREAST]; /* what each begins with, then the sums */
};
void shard__mask_pairs(const shard_forest *forest, struct shard__mask_pairs *pairs);

#if defined(__x86_64__) && defined(__GNUC__)
#define SHARD__HAS_AVX512 1
void shard__mask_tiles_avx512(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles,
                              int64_t tile_count, float *sums);
void shard__mask_pairs_avx512(const shard_forest *forest, struct shard__mask_pairs *pairs);
#else
#define SHARD__HAS_AVX512 0
#endif

#endif
