/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the fold layout: thresholds into columns, and the nodes of each tree with the lowest first. */

#include <math.h>
#include <string.h>

#include "fold.h"

enum { MAX_LEAVES = 256 }; /* a leaf's number is a byte */

/* A feature's thresholds as they come, ascending. */
struct feature {
    int32_t threshold_count; /* each is counted once */
    int32_t first_column;
    float last;
};

/* On the way. */
struct making {
    shard_forest *forest;
    const struct shard__splits *splits;
    struct feature *features;
    int32_t *places; /* of each node: the number of its threshold among its feature's */
};

static uint32_t feature_of(const struct shard__node *node)
{
    return node->feature & ~SHARD__MISSING_LEFT;
}

static void number_thresholds(struct making *making)
{
    for (size_t i = 0; i < making->splits->count; i++) {
        uint32_t index = making->splits->items[i].node;
        const struct shard__node *node = &making->forest->nodes[index];
        struct feature *feature = &making->features[feature_of(node)];
        if (feature->threshold_count == 0 || feature->last != node->value)
            feature->threshold_count++;
        feature->last = node->value;
        making->places[index] = feature->threshold_count - 1;
    }
}

/* How many columns there are; 0 if walks cost less. Measured: of a step's time, a node takes a twentieth, a column six.
 */
static int32_t count_columns(struct making *making)
{
    const shard_forest *forest = making->forest;
    int64_t walk = 0, fold = 0;
    int32_t columns = 0;
    for (int32_t i = 0; i < forest->tree_count; i++) {
        walk += 20 * (int64_t)forest->trees[i].depth;
        fold += forest->trees[i].leaf_count - 1;
    }
    for (int32_t i = 0; i < forest->feature_count; i++) {
        struct feature *feature = &making->features[i];
        feature->first_column = columns;
        columns += (feature->threshold_count + SHARD__FOLD_THRESHOLDS - 1) / SHARD__FOLD_THRESHOLDS;
    }
    return fold + 120 * (int64_t)columns < walk ? columns : 0;
}

static void fill_columns(const struct making *making)
{
    struct shard__fold *fold = &making->forest->fold;
    for (int32_t i = 0; i < fold->column_count; i++) {
        struct shard__fold_column *column = &fold->columns[i];
        for (int k = 0; k < 16; k++)
            column->pivots[k] = NAN;
        for (int k = 0; k <= SHARD__FOLD_THRESHOLDS; k++)
            column->thresholds[k] = NAN;
    }
    for (size_t i = 0; i < making->splits->count; i++) {
        uint32_t index = making->splits->items[i].node;
        const struct shard__node *node = &making->forest->nodes[index];
        uint32_t feature = feature_of(node);
        int32_t place = making->places[index], at = place % SHARD__FOLD_THRESHOLDS;
        struct shard__fold_column *column =
            &fold->columns[making->features[feature].first_column + place / SHARD__FOLD_THRESHOLDS];
        column->feature = (int32_t)feature;
        column->thresholds[at] = node->value;
        if (at % 16 == 15)
            column->pivots[at / 16] = node->value;
    }
}

static struct shard__fold_node node_of(const struct making *making, size_t index)
{
    const struct shard__node *node = &making->forest->nodes[index];
    int32_t place = making->places[index];
    int32_t column = making->features[feature_of(node)].first_column + place / SHARD__FOLD_THRESHOLDS;
    uint32_t lane = 2 * (uint32_t)column + ((node->feature & SHARD__MISSING_LEFT) == 0);
    return (struct shard__fold_node){.lane = lane * SHARD__FOLD_ROWS,
                                     .above = (int8_t)(place % SHARD__FOLD_THRESHOLDS + 1 - 128)};
}

/* One tree, the lowest level first. Choices 0 .. max_leaves - 1 are leaves, those behind are of inner nodes. */
static void fill_tree(const struct making *making, const struct shard__tree *tree, struct shard__fold_node *to,
                      float *leaves)
{
    const struct shard__node *nodes = making->forest->nodes + tree->first;
    int32_t queue[2 * MAX_LEAVES], child[2 * MAX_LEAVES], choice[2 * MAX_LEAVES], end = 1;
    int32_t leaf = 0, inner = making->forest->max_leaves;
    queue[0] = 0;
    for (int32_t at = 0; at < end; at++) {
        int32_t left = nodes[queue[at]].left;
        child[at] = end;
        if (left < 0)
            continue;
        queue[end++] = left;
        queue[end++] = left + 1;
    }
    for (int32_t at = end - 1; at >= 0; at--) {
        if (nodes[queue[at]].left < 0) {
            leaves[leaf] = nodes[queue[at]].value;
            choice[at] = leaf++;
            continue;
        }
        *to = node_of(making, tree->first + (size_t)queue[at]);
        to->left = (uint16_t)(choice[child[at]] * SHARD__FOLD_ROWS);
        to->right = (uint16_t)(choice[child[at] + 1] * SHARD__FOLD_ROWS);
        to++;
        choice[at] = inner++;
    }
}

static int fill(const struct making *making)
{
    shard_forest *forest = making->forest;
    struct shard__fold *fold = &forest->fold;
    size_t nodes = 0, leaves = 0;
    fold->leaf_count = making->splits->count + (size_t)forest->tree_count;
    fold->columns = shard__zalloc(forest->context, (size_t)fold->column_count * sizeof(struct shard__fold_column));
    fold->nodes = shard__zalloc(forest->context, fold->leaf_count * sizeof(struct shard__fold_node));
    fold->leaves = shard__zalloc(forest->context, fold->leaf_count * sizeof(float));
    if (fold->columns == NULL || fold->nodes == NULL || fold->leaves == NULL)
        return SHARD_ENOMEM;
    fill_columns(making);
    for (int32_t i = 0; i < forest->tree_count; i++) {
        fill_tree(making, &forest->trees[i], fold->nodes + nodes, fold->leaves + leaves);
        nodes += (size_t)forest->trees[i].leaf_count - 1;
        leaves += (size_t)forest->trees[i].leaf_count;
    }
    return 0;
}

int shard__forest_build_fold(shard_forest *forest, const struct shard__splits *splits)
{
    if (forest->max_leaves > MAX_LEAVES || splits->count == 0)
        return 0;
    size_t feature_bytes = (size_t)forest->feature_count * sizeof(struct feature);
    size_t place_bytes = forest->node_count * sizeof(int32_t);
    struct making making = {.forest = forest,
                            .splits = splits,
                            .features = shard__zalloc(forest->context, feature_bytes),
                            .places = shard__zalloc(forest->context, place_bytes)};
    int status = making.features != NULL && making.places != NULL ? 0 : SHARD_ENOMEM;
    if (status == 0) {
        number_thresholds(&making);
        forest->fold.column_count = count_columns(&making);
        status = forest->fold.column_count > 0 ? fill(&making) : 0;
    }
    shard__release(forest->context, making.features, feature_bytes);
    shard__release(forest->context, making.places, place_bytes);
    return status;
}
