/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the walk layout: trees in groups of eight as they come, since they are summed in order; padded or linked. */

#include <string.h>

#include "forest.h"

static uint32_t key_of(const shard_forest *forest, const struct shard__node *node)
{
    uint32_t feature = node->feature & ~SHARD__MISSING_LEFT;
    return (node->feature & SHARD__MISSING_LEFT) != 0 ? feature : feature + (uint32_t)forest->feature_count;
}

/* A tree on its way into its group's heap. */
struct placement {
    const shard_forest *forest;
    const struct shard__node *nodes;
    struct shard__heap_node *heap;
    float *leaves; /* of the group: index 0 is the leftmost of the first tree */
    int depth;
};

/* Writes a subtree at heap index `index`; a leaf above the last level fills all that is below it. */
static void place(const struct placement *placement, int32_t node_index, uint32_t index, int level)
{
    const struct shard__node *node = &placement->nodes[node_index];
    if (node->left >= 0) {
        placement->heap[index].below = shard__threshold_below(node->value);
        placement->heap[index].key = key_of(placement->forest, node);
        place(placement, node->left, 2 * index, level + 1);
        place(placement, node->left + 1, 2 * index + 1, level + 1);
        return;
    }
    int below = placement->depth - level;
    uint32_t first = (index << below) - ((uint32_t)SHARD__GROUP_TREES << placement->depth);
    for (uint32_t i = 0; i < 1u << below; i++)
        placement->leaves[first + i] = node->value;
}

static void fill_heap(shard_forest *forest, const struct shard__group *group)
{
    struct placement placement = {
        .forest = forest,
        .heap = forest->heap + group->nodes,
        .leaves = forest->heap_leaves + group->nodes,
        .depth = group->depth,
    };
    for (int32_t i = 0; i < group->tree_count; i++) {
        placement.nodes = forest->nodes + forest->trees[group->first_tree + i].first;
        place(&placement, 0, (uint32_t)(SHARD__GROUP_TREES + i), 0);
    }
}

/* The walks of a group's missing trees go over its first tree, and are not added. */
static void fill_links(shard_forest *forest, const struct shard__group *group)
{
    for (int32_t i = 0; i < group->tree_count; i++) {
        const struct shard__tree *tree = &forest->trees[group->first_tree + i];
        const struct shard__node *nodes = forest->nodes + tree->first;
        struct shard__link_node *links = forest->links + group->links[i];
        for (int32_t k = 0; k < tree->node_count; k++) {
            forest->link_values[group->links[i] + (size_t)k] = nodes[k].value;
            if (nodes[k].left >= 0)
                links[k] = (struct shard__link_node){.below = shard__threshold_below(nodes[k].value),
                                                     .key = (uint16_t)key_of(forest, &nodes[k]),
                                                     .left = (uint16_t)nodes[k].left};
            else
                links[k] = (struct shard__link_node){.below = UINT32_MAX, .left = (uint16_t)k};
        }
    }
}

/* What suits a tree: padding may take up to four times the nodes that there are. */
static enum shard__group_kind kind_of(const shard_forest *forest, const struct shard__tree *tree)
{
    if (tree->depth <= SHARD__HEAP_DEPTH && (2 << tree->depth) <= 4 * (tree->node_count + 1))
        return SHARD__GROUP_HEAP;
    if (tree->node_count <= SHARD__LINK_NODES && shard__key_count(forest) <= SHARD__LINK_NODES)
        return SHARD__GROUP_LINK;
    return SHARD__GROUP_PLAIN;
}

/* Adds a tree to a group if they go together. */
static int join(const shard_forest *forest, struct shard__group *group, const struct shard__tree *tree)
{
    enum shard__group_kind kind = kind_of(forest, tree);
    int limit = group->kind == SHARD__GROUP_PLAIN ? 1 : SHARD__GROUP_TREES;
    if (group->tree_count > 0 && (kind != group->kind || group->tree_count == limit))
        return 0;
    group->kind = kind;
    group->depth = tree->depth > group->depth ? tree->depth : group->depth;
    group->tree_count++;
    return 1;
}

/* Gives a group its place; `forest`'s counts say how much is taken. */
static void take_room(shard_forest *forest, struct shard__group *group)
{
    if (group->kind == SHARD__GROUP_HEAP) {
        group->nodes = forest->heap_count;
        forest->heap_count += (size_t)SHARD__GROUP_TREES << group->depth;
    } else if (group->kind == SHARD__GROUP_LINK) {
        for (int32_t i = 0; i < SHARD__GROUP_TREES; i++) {
            group->links[i] = i < group->tree_count ? forest->link_count : group->links[0];
            if (i < group->tree_count)
                forest->link_count += (size_t)forest->trees[group->first_tree + i].node_count;
        }
    }
}

/* Counts groups and their room, and writes the groups down once there is a place for them. */
static void form_groups(shard_forest *forest)
{
    forest->group_count = forest->heap_count = forest->link_count = 0;
    for (int32_t tree = 0; tree < forest->tree_count; forest->group_count++) {
        struct shard__group group = {.first_tree = tree};
        while (tree < forest->tree_count && join(forest, &group, &forest->trees[tree]))
            tree++;
        take_room(forest, &group);
        if (forest->groups != NULL)
            forest->groups[forest->group_count] = group;
    }
}

static int allocate(shard_forest *forest)
{
    const shard_context *context = forest->context;
    forest->groups = shard__zalloc(context, forest->group_count * sizeof(struct shard__group));
    if (forest->groups == NULL)
        return SHARD_ENOMEM;
    if (forest->heap_count > 0) {
        forest->heap = shard__zalloc(context, forest->heap_count * sizeof(struct shard__heap_node));
        forest->heap_leaves = shard__zalloc(context, forest->heap_count * sizeof(float));
        if (forest->heap == NULL || forest->heap_leaves == NULL)
            return SHARD_ENOMEM;
    }
    if (forest->link_count > 0) {
        forest->links = shard__zalloc(context, forest->link_count * sizeof(struct shard__link_node));
        forest->link_values = shard__zalloc(context, forest->link_count * sizeof(float));
        if (forest->links == NULL || forest->link_values == NULL)
            return SHARD_ENOMEM;
    }
    return 0;
}

int shard__forest_build_walk(shard_forest *forest)
{
    form_groups(forest);
    if (forest->group_count == 0)
        return 0;
    int status = allocate(forest);
    if (status < 0)
        return status;
    form_groups(forest);
    for (size_t i = 0; i < forest->group_count; i++) {
        if (forest->groups[i].kind == SHARD__GROUP_HEAP)
            fill_heap(forest, &forest->groups[i]);
        else if (forest->groups[i].kind == SHARD__GROUP_LINK)
            fill_links(forest, &forest->groups[i]);
    }
    return 0;
}
