/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_RANKS_H
#define SHARD_PREDICT_RANKS_H

/* Thresholds by rank, while layouts are made of them: in which column each is, and as the how manieth. */

#include "forest.h"

/* The thresholds of a feature, each counted once. */
struct shard__rank_feature {
    int32_t threshold_count;
    int32_t first_column;
    float last; /* as they come, ascending */
};

struct shard__ranks {
    const shard_forest *forest;
    struct shard__rank_feature *features;
    int32_t *places; /* of each node: the number of its threshold among its feature's */
    int32_t column_count;
};

/* Of an inner node, which sends a row left where above > the row's rank in the column. */
struct shard__rank {
    int32_t column;
    int32_t above;         /* 1 .. 255 */
    int32_t missing_right; /* 0 or 1 */
};

/* 0 or SHARD_ENOMEM; shard__ranks_free() ends them, whatever was returned. */
int shard__ranks_make(const shard_forest *forest, const struct shard__splits *splits, struct shard__ranks *ret_ranks);
void shard__ranks_free(struct shard__ranks *ranks);

static inline struct shard__rank shard__rank_of(const struct shard__ranks *ranks, size_t node_index)
{
    uint32_t feature = ranks->forest->nodes[node_index].feature;
    int32_t place = ranks->places[node_index];
    return (struct shard__rank){
        .column = ranks->features[feature & ~SHARD__MISSING_LEFT].first_column + place / SHARD__RANK_THRESHOLDS,
        .above = place % SHARD__RANK_THRESHOLDS + 1,
        .missing_right = (feature & SHARD__MISSING_LEFT) == 0,
    };
}

/* Makes what rows are ranked by. 0 or SHARD_ENOMEM. */
int shard__forest_build_ranks(shard_forest *forest, const struct shard__splits *splits,
                              const struct shard__ranks *ranks);

/* Make the layouts of ranks, if they suit the forest. 0 or SHARD_ENOMEM. */
int shard__forest_build_fold(shard_forest *forest, const struct shard__ranks *ranks, int use_avx2);
int shard__forest_build_jumps(shard_forest *forest, const struct shard__ranks *ranks);

#endif
