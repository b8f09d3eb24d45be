/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts thresholds into columns, by which rows are ranked. */

#include "ranks.h"

#include <math.h>

static void number_thresholds(const struct shard__splits *splits, struct shard__ranks *ranks)
{
    for (size_t i = 0; i < splits->count; i++) {
        uint32_t index = splits->items[i].node;
        const struct shard__node *node = &ranks->forest->nodes[index];
        struct shard__rank_feature *feature = &ranks->features[node->feature & ~SHARD__MISSING_LEFT];
        if (feature->threshold_count == 0 || feature->last != node->value)
            feature->threshold_count++;
        feature->last = node->value;
        ranks->places[index] = feature->threshold_count - 1;
    }
    for (int32_t i = 0; i < ranks->forest->feature_count; i++) {
        struct shard__rank_feature *feature = &ranks->features[i];
        feature->first_column = ranks->column_count;
        ranks->column_count += (feature->threshold_count + SHARD__RANK_THRESHOLDS - 1) / SHARD__RANK_THRESHOLDS;
    }
}

int shard__ranks_make(const shard_forest *forest, const struct shard__splits *splits, struct shard__ranks *ret_ranks)
{
    *ret_ranks = (struct shard__ranks){
        .forest = forest,
        .features = shard__zalloc(forest->context, (size_t)forest->feature_count * sizeof(struct shard__rank_feature)),
        .places = shard__zalloc(forest->context, forest->node_count * sizeof(int32_t)),
    };
    if (ret_ranks->features == NULL || ret_ranks->places == NULL)
        return SHARD_ENOMEM;
    number_thresholds(splits, ret_ranks);
    return 0;
}

void shard__ranks_free(struct shard__ranks *ranks)
{
    const shard_forest *forest = ranks->forest;
    shard__release(forest->context, ranks->features,
                   (size_t)forest->feature_count * sizeof(struct shard__rank_feature));
    shard__release(forest->context, ranks->places, forest->node_count * sizeof(int32_t));
}

int shard__forest_build_ranks(shard_forest *forest, const struct shard__splits *splits,
                              const struct shard__ranks *ranks)
{
    forest->rank_column_count = ranks->column_count;
    forest->rank_columns =
        shard__zalloc(forest->context, (size_t)ranks->column_count * sizeof(struct shard__rank_column));
    if (forest->rank_columns == NULL)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < ranks->column_count; i++) {
        struct shard__rank_column *column = &forest->rank_columns[i];
        for (int k = 0; k < 16; k++)
            column->pivots[k] = NAN;
        for (int k = 0; k <= SHARD__RANK_THRESHOLDS; k++)
            column->thresholds[k] = NAN;
    }
    for (size_t i = 0; i < splits->count; i++) {
        uint32_t index = splits->items[i].node;
        const struct shard__node *node = &forest->nodes[index];
        struct shard__rank rank = shard__rank_of(ranks, index);
        struct shard__rank_column *column = &forest->rank_columns[rank.column];
        column->feature = (int32_t)(node->feature & ~SHARD__MISSING_LEFT);
        column->thresholds[rank.above - 1] = node->value;
        if (rank.above % 16 == 0)
            column->pivots[rank.above / 16 - 1] = node->value;
    }
    return 0;
}
