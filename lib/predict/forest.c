/* SPDX-License-Identifier: Apache-2.0 */
/* The forest as an object: what it says of itself, what its margins mean, and its end. */

#include "forest.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

void shard_forest_free(shard_forest *forest)
{
    if (forest == NULL)
        return;
    const shard_context *context = forest->context;
    const struct shard__masks *masks = &forest->masks;
    const struct shard__fold *fold = &forest->fold;
    for (size_t i = 0; i < forest->feature_name_count; i++)
        shard__strfree(context, forest->feature_names[i]);
    for (size_t i = 0; i < forest->attribute_count; i++) {
        shard__strfree(context, forest->attributes[i].name);
        shard__strfree(context, forest->attributes[i].value);
    }
    shard__release(context, forest->feature_names, forest->feature_name_capacity * sizeof(char *));
    shard__release(context, forest->attributes, forest->attribute_capacity * sizeof(struct shard__attribute));
    shard__release(context, forest->nodes, forest->node_capacity * sizeof(struct shard__node));
    shard__release(context, forest->covers, forest->cover_capacity * sizeof(float));
    shard__release(context, forest->trees, forest->tree_capacity * sizeof(struct shard__tree));
    shard__release(context, forest->groups, forest->group_count * sizeof(struct shard__group));
    shard__release(context, forest->walk_nodes, (forest->walk_count + 1) * sizeof(uint64_t));
    shard__release(context, forest->walk_leaves, (forest->walk_count + 1) * sizeof(float));
    shard__release(context, masks->nodes, masks->node_count * sizeof(struct shard__mask_node));
    shard__release(context, masks->begins, (2 * (size_t)forest->feature_count + 1) * sizeof(size_t));
    shard__release(context, masks->leaves, (size_t)forest->tree_count * SHARD__MASK_LEAVES * sizeof(float));
    shard__release(context, forest->rank_columns,
                   (size_t)forest->rank_column_count * sizeof(struct shard__rank_column));
    shard__release(context, forest->jumps.room, forest->jumps.bytes);
    shard__release(context, fold->nodes, fold->leaf_count * sizeof(struct shard__fold_node));
    shard__release(context, fold->leaves, fold->leaf_count * sizeof(float));
    shard__release(context, forest, sizeof(*forest));
}

static size_t memory_of(const shard_forest *forest)
{
    size_t bytes = sizeof(*forest) + forest->node_capacity * sizeof(struct shard__node) +
                   forest->cover_capacity * sizeof(float) + forest->tree_capacity * sizeof(struct shard__tree) +
                   forest->group_count * sizeof(struct shard__group) +
                   forest->walk_count * (sizeof(uint64_t) + sizeof(float)) +
                   (size_t)forest->rank_column_count * sizeof(struct shard__rank_column) + forest->jumps.bytes +
                   forest->fold.leaf_count * (sizeof(struct shard__fold_node) + sizeof(float));
    if (forest->masks.nodes != NULL)
        bytes += forest->masks.node_count * sizeof(struct shard__mask_node) +
                 (2 * (size_t)forest->feature_count + 1) * sizeof(size_t) +
                 (size_t)forest->tree_count * SHARD__MASK_LEAVES * sizeof(float);
    return bytes;
}

int shard_forest_describe(const shard_forest *forest, struct shard_forest_info *ret_info)
{
    shard__clear_error();
    struct shard_forest_info info = {
        .objective = forest->objective,
        .feature_count = forest->feature_count,
        .tree_count = forest->tree_count,
        .round_count = forest->round_count,
        .max_depth = forest->max_depth,
        .max_leaves = forest->max_leaves,
        .base_score = (double)forest->base_score,
        .base_margin = forest->base_margin,
        .best_iteration = forest->best_iteration,
        .has_masks = forest->masks.nodes != NULL,
        .path = forest->plain                 ? "plain"
                : forest->masks.nodes == NULL ? "heap"
                : forest->use_avx512          ? "avx512"
                                              : "portable",
        .memory_bytes = memory_of(forest),
    };
    for (int32_t i = 0; i < forest->tree_count; i++)
        info.node_count += forest->trees[i].node_count;
    memcpy(info.version, forest->version, sizeof(info.version));
    memcpy(info.digest, forest->digest, sizeof(info.digest));
    return shard__give_struct(ret_info, &info, sizeof(info), "forest info");
}

const char *shard_forest_feature_name(const shard_forest *forest, int32_t feature)
{
    return feature >= 0 && (size_t)feature < forest->feature_name_count ? forest->feature_names[feature] : NULL;
}

const char *shard_forest_attribute(const shard_forest *forest, const char *name)
{
    for (size_t i = 0; i < forest->attribute_count; i++)
        if (strcmp(forest->attributes[i].name, name) == 0)
            return forest->attributes[i].value;
    return NULL;
}

/* XGBoost's Sigmoid in float32, with its guards; a NaN passes through both. */
static float sigmoid(float margin)
{
    float x = -margin;
    x = 88.7f < x ? 88.7f : x;
    float denominator = expf(x) + 1.0f + 1e-16f;
    return 1.0f / denominator;
}

int shard_forest_transform(const shard_forest *forest, float *values, int64_t count)
{
    shard__clear_error();
    if (forest->objective == SHARD_OBJECTIVE_BINARY_LOGISTIC)
        for (int64_t i = 0; i < count; i++)
            values[i] = sigmoid(values[i]);
    else if (forest->objective == SHARD_OBJECTIVE_AFT)
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)exp((double)values[i]); /* in double, as XGBoost */
    return 0;
}
