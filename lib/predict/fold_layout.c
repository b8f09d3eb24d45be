/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the fold layout: the nodes of each tree with the lowest first. */

#include <string.h>

#include "fold.h"
#include "ranks.h"

/* Whether walks cost more. Measured: a column takes the time of 120 nodes, a step of a walk that of 20 with AVX2. */
static int suits(const shard_forest *forest, const struct shard__ranks *ranks, int use_avx2)
{
    int64_t walk = 0, fold = 120 * (int64_t)ranks->column_count, step = use_avx2 ? 20 : 9;
    for (int32_t i = 0; i < forest->tree_count; i++) {
        walk += step * forest->trees[i].depth;
        fold += forest->trees[i].leaf_count - 1;
    }
    return fold < walk;
}

static struct shard__fold_node node_of(const struct shard__ranks *ranks, size_t index)
{
    struct shard__rank rank = shard__rank_of(ranks, index);
    uint32_t lane = 2 * (uint32_t)rank.column + (uint32_t)rank.missing_right;
    return (struct shard__fold_node){.lane = lane * SHARD__FOLD_ROWS, .above = (int8_t)(rank.above - 128)};
}

/* One tree, the lowest level first. Choices 0 .. max_leaves - 1 are leaves, those behind are of inner nodes. */
static void fill_tree(const struct shard__ranks *ranks, const struct shard__tree *tree, struct shard__fold_node *to,
                      float *leaves)
{
    const struct shard__node *nodes = ranks->forest->nodes + tree->first;
    int32_t queue[2 * SHARD__FOLD_LEAVES], child[2 * SHARD__FOLD_LEAVES], choice[2 * SHARD__FOLD_LEAVES], end = 1;
    int32_t leaf = 0, inner = ranks->forest->max_leaves;
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
        *to = node_of(ranks, tree->first + (size_t)queue[at]);
        to->left = (uint16_t)(choice[child[at]] * SHARD__FOLD_ROWS);
        to->right = (uint16_t)(choice[child[at] + 1] * SHARD__FOLD_ROWS);
        to++;
        choice[at] = inner++;
    }
}

int shard__forest_build_fold(shard_forest *forest, const struct shard__ranks *ranks, int use_avx2)
{
    struct shard__fold *fold = &forest->fold;
    size_t nodes = 0, leaves = 0;
    if (!suits(forest, ranks, use_avx2))
        return 0;
    fold->use_avx2 = use_avx2;
    for (int32_t i = 0; i < forest->tree_count; i++)
        fold->leaf_count += (size_t)forest->trees[i].leaf_count;
    fold->nodes = shard__zalloc(forest->context, fold->leaf_count * sizeof(struct shard__fold_node));
    fold->leaves = shard__zalloc(forest->context, fold->leaf_count * sizeof(float));
    if (fold->nodes == NULL || fold->leaves == NULL)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < forest->tree_count; i++) {
        fill_tree(ranks, &forest->trees[i], fold->nodes + nodes, fold->leaves + leaves);
        nodes += (size_t)forest->trees[i].leaf_count - 1;
        leaves += (size_t)forest->trees[i].leaf_count;
    }
    return 0;
}
