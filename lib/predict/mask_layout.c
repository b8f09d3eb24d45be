/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the mask layout: for each inner node the leaves that stay when it sends a row right, sorted by feature. */

#include <string.h>

#include "forest.h"

/* A node on its way into its list. */
struct entry {
    uint32_t list;
    struct shard__mask_node node;
};

struct collection {
    const struct shard__node *nodes;
    struct entry *entries;
    size_t count;
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

/* Numbers the leaves of a subtree from `leaf` on, collects its inner nodes, and returns the number behind its last
 * leaf. */
static int collect(struct collection *collection, int32_t index, int leaf)
{
    const struct shard__node *node = &collection->nodes[index];
    if (node->left < 0) {
        collection->leaves[leaf] = node->value;
        return leaf + 1;
    }
    int middle = collect(collection, node->left, leaf);
    int missing_right = (node->feature & SHARD__MISSING_LEFT) == 0;
    collection->entries[collection->count++] = (struct entry){
        .list = 2 * (node->feature & ~SHARD__MISSING_LEFT) + (uint32_t)missing_right,
        .node = {.below = shard__threshold_below(node->value),
                 .tree = collection->tree,
                 .keep = ~range_bits(leaf, middle, collection->lead_high)},
    };
    return collect(collection, node->left + 1, middle);
}

/* One pass of a radix sort, by a byte of the threshold: stable, so that four passes sort it. */
static void sort_by_byte(const struct entry *from, struct entry *to, size_t count, int shift)
{
    size_t begins[257] = {0};
    for (size_t i = 0; i < count; i++)
        begins[(from[i].node.below >> shift & 0xff) + 1]++;
    for (int i = 0; i < 256; i++)
        begins[i + 1] += begins[i];
    for (size_t i = 0; i < count; i++)
        to[begins[from[i].node.below >> shift & 0xff]++] = from[i];
}

/* Sorts by threshold, then into the lists. `entries` has room for as many again behind the first `count`. */
static void fill_lists(shard_forest *forest, struct entry *entries, size_t count)
{
    struct shard__masks *masks = &forest->masks;
    size_t list_count = 2 * (size_t)forest->feature_count;
    struct entry *other = entries + count;
    sort_by_byte(entries, other, count, 0);
    sort_by_byte(other, entries, count, 8);
    sort_by_byte(entries, other, count, 16);
    sort_by_byte(other, entries, count, 24);
    for (size_t i = 0; i < count; i++)
        masks->begins[entries[i].list + 1]++;
    for (size_t i = 0; i < list_count; i++)
        masks->begins[i + 1] += masks->begins[i];
    for (size_t i = 0; i < count; i++)
        masks->nodes[masks->begins[entries[i].list]++] = entries[i].node;
    /* Each begin has moved to its list's end, which is the next one's begin. */
    memmove(masks->begins + 1, masks->begins, list_count * sizeof(size_t));
    masks->begins[0] = 0;
}

/* The nodes as collected: a batch of rows goes through them tree by tree. */
static int keep_by_tree(shard_forest *forest, const struct entry *entries, size_t count)
{
    struct shard__masks *masks = &forest->masks;
    size_t trees = (size_t)forest->tree_count;
    masks->by_tree = shard__zalloc(forest->context, masks->node_count * sizeof(struct shard__tree_mask));
    masks->tree_begins = shard__zalloc(forest->context, (trees + 1) * sizeof(size_t));
    if (masks->by_tree == NULL || masks->tree_begins == NULL)
        return SHARD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];
        uint32_t lane = entry->list % 2 * (uint32_t)forest->feature_count;
        masks->by_tree[i] = (struct shard__tree_mask){entry->node.below, entry->list / 2 + lane, entry->node.keep};
        masks->tree_begins[entry->node.tree + 1] = i + 1;
    }
    for (size_t i = 0; i < trees; i++)
        if (masks->tree_begins[i + 1] < masks->tree_begins[i])
            masks->tree_begins[i + 1] = masks->tree_begins[i];
    return 0;
}

static void collect_all(shard_forest *forest, struct entry *entries)
{
    struct collection collection = {.entries = entries, .lead_high = forest->lead_high};
    for (int32_t i = 0; i < forest->tree_count; i++) {
        collection.nodes = forest->nodes + forest->trees[i].first;
        collection.leaves = forest->masks.leaves + (size_t)i * SHARD__MASK_LEAVES;
        collection.tree = i;
        collect(&collection, 0, 0);
    }
}

int shard__forest_build_masks(shard_forest *forest)
{
    const shard_context *context = forest->context;
    struct shard__masks *masks = &forest->masks;
    size_t trees = (size_t)forest->tree_count, count = 0;
    if (forest->max_leaves > SHARD__MASK_LEAVES || trees == 0 || forest->plain)
        return 0;
    for (size_t i = 0; i < trees; i++)
        count += (size_t)forest->trees[i].leaf_count - 1;
    size_t begin_count = 2 * (size_t)forest->feature_count + 1, entry_bytes = (2 * count + 1) * sizeof(struct entry);
    masks->node_count = count + 1; /* one more: of one-leaf trees there are none, and the array says that masks are */
    struct entry *entries = shard__realloc(context, NULL, 0, entry_bytes);
    masks->begins = shard__zalloc(context, begin_count * sizeof(size_t));
    masks->leaves = shard__zalloc(context, trees * SHARD__MASK_LEAVES * sizeof(float));
    masks->nodes = shard__zalloc(context, masks->node_count * sizeof(struct shard__mask_node));
    int status = 0;
    if (entries == NULL || masks->begins == NULL || masks->leaves == NULL || masks->nodes == NULL)
        status = SHARD_ENOMEM;
    if (status == 0) {
        collect_all(forest, entries);
        if (forest->use_avx512)
            status = keep_by_tree(forest, entries, count);
        fill_lists(forest, entries, count);
    }
    shard__release(context, entries, entry_bytes);
    return status;
}
