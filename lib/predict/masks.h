/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_MASKS_H
#define SHARD_PREDICT_MASKS_H

/*
 * Evaluation by leaf masks. QuickScorer's AND is separable: a row of one side clears the leaves that its own features
 * rule out, once; the exit leaf of a pair is the first bit of task & host. The kernels come in portable C and, chosen
 * when the forest is loaded, with AVX-512.
 */

#include "forest.h"

/* Hosts side by side: tile i has, tree by tree, the masks of rows 16i .. 16i + 15. Task rows lie tree by tree. */
enum { SHARD__TILE = 16 };

struct shard_forest_block {
    const shard_forest *forest;
    enum shard_feature_group side;
    int32_t *columns;
    int32_t column_count;
    int32_t rows;
    float *values;   /* rows * column_count, for what goes without masks */
    uint64_t *masks; /* NULL if the forest has none */
    size_t mask_count;
    uint64_t *row_masks; /* scratch: of one row, tree by tree */
};

/* Clears in `masks`, tree by tree, the leaves that a feature's value rules out. */
void shard__mask_feature(const shard_forest *forest, int32_t feature, float value, uint64_t *masks);

/* One task with whole tiles of hosts: 16 sums a tile, which hold what each begins with. */
void shard__mask_tiles(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles, int64_t tile_count,
                       float *sums);

/* One task with one host, whose masks are a tile's width apart. */
float shard__mask_pair(const shard_forest *forest, const uint64_t *task, const uint64_t *host, float sum);

#if defined(__x86_64__) && defined(__GNUC__)
#define SHARD__HAS_AVX512 1
void shard__mask_tiles_avx512(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles,
                              int64_t tile_count, float *sums);
float shard__mask_pair_avx512(const shard_forest *forest, const uint64_t *task, const uint64_t *host, float sum);

/* 32 rows, whose keys lie key by key: keys[32 * key + row]. Of fewer rows, the rest is missing throughout. */
enum { SHARD__AVX512_ROWS = 32 };
void shard__lay_keys_avx512(const float *rows, int64_t stride, int count, int32_t feature_count, uint32_t *keys);
void shard__mask_rows_avx512(const shard_forest *forest, const uint32_t *keys, float *sums);
#else
#define SHARD__HAS_AVX512 0
#endif

#endif
