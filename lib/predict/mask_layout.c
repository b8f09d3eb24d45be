/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the mask layout: for each inner node the leaves that stay when it sends a row right, sorted by feature. */

#include <string.h>

#include "forest.h"

struct collection {
    const struct shard__node *nodes;
    struct shard__mask_node *made; /* of each node */
    float *leaves;
    int32_t tree;
    int lead_high;
};

/* The bits of leaves first .. end - 1. */
static uint64_t range_bits(int first, int end, int lead_high)
{
    uint64_t bits = end - first < 64 ? (UINT64_C(1) << ((end - first) & 63)) - 1 : UINT64_MAX;
    return lead_high ? bits << ((64 - end) & 63) : bits << (first & 63);
}

/* Numbers the leaves of a subtree from `leaf` on, makes its inner nodes, and returns the number behind its last leaf.
 */
static int collect(struct collection *collection, int32_t index, int leaf)
{
    const struct shard__node *node = &collection->nodes[index];
    if (node->left < 0) {
        collection->leaves[leaf] = node->value;
        return leaf + 1;
    }
    int middle = collect(collection, node->left, leaf);
    collection->made[index] = (struct shard__mask_node){
        .below = shard__threshold_below(node->value),
        .tree = collection->tree,
        .keep = ~range_bits(leaf, middle, collection->lead_high),
    };
    return collect(collection, node->left + 1, middle);
}

static void collect_all(shard_forest *forest, struct shard__mask_node *made)
{
    struct collection collection = {.lead_high = forest->lead_high};
    for (int32_t i = 0; i < forest->tree_count; i++) {
        collection.nodes = forest->nodes + forest->trees[i].first;
        collection.made = made + forest->trees[i].first;
        collection.leaves = forest->masks.leaves + (size_t)i * SHARD__MASK_LEAVES;
        collection.tree = i;
        collect(&collection, 0, 0);
    }
}

static size_t list_of(const shard_forest *forest, const struct shard__split *split)
{
    uint32_t feature = forest->nodes[split->node].feature;
    return 2 * (size_t)(feature & ~SHARD__MISSING_LEFT) + ((feature & SHARD__MISSING_LEFT) == 0);
}

static void fill_lists(shard_forest *forest, const struct shard__splits *splits, const struct shard__mask_node *made)
{
    struct shard__masks *masks = &forest->masks;
    size_t list_count = 2 * (size_t)forest->feature_count;
    for (size_t i = 0; i < splits->count; i++)
        masks->begins[list_of(forest, &splits->items[i]) + 1]++;
    for (size_t i = 0; i < list_count; i++)
        masks->begins[i + 1] += masks->begins[i];
    for (size_t i = 0; i < splits->count; i++)
        masks->nodes[masks->begins[list_of(forest, &splits->items[i])]++] = made[splits->items[i].node];
    /* Each begin has moved to its list's end, which is the next one's begin. */
    memmove(masks->begins + 1, masks->begins, list_count * sizeof(size_t));
    masks->begins[0] = 0;
}

int shard__forest_build_masks(shard_forest *forest, const struct shard__splits *splits)
{
    const shard_context *context = forest->context;
    struct shard__masks *masks = &forest->masks;
    size_t trees = (size_t)forest->tree_count, made_bytes = forest->node_count * sizeof(struct shard__mask_node);
    if (forest->max_leaves > SHARD__MASK_LEAVES || trees == 0)
        return 0;
    masks->node_count =
        splits->count + 1; /* one more: of one-leaf trees there are none, and the array says that masks are */
    struct shard__mask_node *made = shard__realloc(context, NULL, 0, made_bytes);
    masks->begins = shard__zalloc(context, (2 * (size_t)forest->feature_count + 1) * sizeof(size_t));
    masks->leaves = shard__zalloc(context, trees * SHARD__MASK_LEAVES * sizeof(float));
    masks->nodes = shard__zalloc(context, masks->node_count * sizeof(struct shard__mask_node));
    int status = 0;
    if (made == NULL || masks->begins == NULL || masks->leaves == NULL || masks->nodes == NULL) {
        status = SHARD_ENOMEM;
    } else {
        collect_all(forest, made);
        fill_lists(forest, splits, made);
    }
    shard__release(context, made, made_bytes);
    return status;
}
