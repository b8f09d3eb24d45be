/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the walk layout: trees in groups of sixteen as they come, since they are summed in order; padded or linked. */

#include <string.h>

#include "forest.h"

/* A node's word, but for what LINK puts there besides. */
static uint64_t word_of(const shard_forest *forest, const struct shard__node *node)
{
    uint32_t key = node->feature & ~SHARD__MISSING_LEFT;
    if ((node->feature & SHARD__MISSING_LEFT) == 0)
        key += (uint32_t)forest->feature_count;
    return (uint64_t)shard__threshold_below(node->value) << 32 | 8 * key;
}

/* A tree on its way into its group's heap. */
struct placement {
    const shard_forest *forest;
    const struct shard__node *nodes;
    uint64_t *heap;
    float *leaves; /* of the group: index 0 is the leftmost of the first tree */
    int depth;
};

/* Writes a subtree at heap index `index`; a leaf above the last level fills all that is below it. */
static void place(const struct placement *placement, int32_t node_index, uint32_t index, int level)
{
    const struct shard__node *node = &placement->nodes[node_index];
    if (node->left >= 0) {
        placement->heap[index] = word_of(placement->forest, node);
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
        .heap = forest->walk_nodes + group->nodes,
        .leaves = forest->walk_leaves + group->nodes,
        .depth = group->depth,
    };
    for (int32_t i = 0; i < group->tree_count; i++) {
        placement.nodes = forest->nodes + forest->trees[group->first_tree + i].first;
        place(&placement, 0, (uint32_t)(SHARD__GROUP_TREES + i), 0);
    }
}

/* The walks of a group's missing trees go over its first tree, and are not added. */
static void fill_links(shard_forest *forest, struct shard__group *group)
{
    uint64_t *links = forest->walk_nodes + group->nodes;
    float *values = forest->walk_leaves + group->nodes;
    uint64_t at = 0;
    for (int32_t i = 0; i < group->tree_count; i++) {
        const struct shard__tree *tree = &forest->trees[group->first_tree + i];
        const struct shard__node *nodes = forest->nodes + tree->first;
        uint64_t root = at;
        group->roots[i] = (uint16_t)root;
        for (int32_t k = 0; k < tree->node_count; k++, at++) {
            values[at] = nodes[k].value;
            if (nodes[k].left >= 0)
                links[at] = word_of(forest, &nodes[k]) | (root + (uint64_t)nodes[k].left) << 16;
            else
                links[at] = (uint64_t)UINT32_MAX << 32 | at << 16;
        }
    }
}

static int may_link(const shard_forest *forest)
{
    return shard__key_count(forest) <= SHARD__LINK_KEYS;
}

/* What suits a group: padding may take up to four times the nodes that there are. */
static enum shard__group_kind kind_of(const shard_forest *forest, const struct shard__group *group)
{
    if (group->depth <= SHARD__HEAP_DEPTH &&
        (!may_link(forest) || group->tree_count * (2 << group->depth) <= 4 * (group->node_count + group->tree_count)))
        return SHARD__GROUP_HEAP;
    return may_link(forest) && group->node_count <= SHARD__LINK_NODES ? SHARD__GROUP_LINK : SHARD__GROUP_PLAIN;
}

/* Adds a tree to a group if they go together. */
static int join(const shard_forest *forest, struct shard__group *group, const struct shard__tree *tree)
{
    struct shard__group wider = *group;
    wider.depth = tree->depth > group->depth ? tree->depth : group->depth;
    wider.node_count += tree->node_count;
    wider.tree_count++;
    wider.kind = kind_of(forest, &wider);
    if (group->tree_count > 0 && (group->kind == SHARD__GROUP_PLAIN || wider.kind == SHARD__GROUP_PLAIN ||
                                  group->tree_count == SHARD__GROUP_TREES))
        return 0;
    *group = wider;
    return 1;
}

/* Counts groups and their room, and writes the groups down once there is a place for them. */
static void form_groups(shard_forest *forest)
{
    forest->group_count = forest->walk_count = 0;
    for (int32_t tree = 0; tree < forest->tree_count; forest->group_count++) {
        struct shard__group group = {.first_tree = tree, .nodes = forest->walk_count};
        while (tree < forest->tree_count && join(forest, &group, &forest->trees[tree]))
            tree++;
        if (group.kind == SHARD__GROUP_HEAP)
            forest->walk_count += (size_t)SHARD__GROUP_TREES << group.depth;
        else if (group.kind == SHARD__GROUP_LINK)
            forest->walk_count += (size_t)group.node_count;
        if (forest->groups != NULL)
            forest->groups[forest->group_count] = group;
    }
}

static int allocate(shard_forest *forest)
{
    const shard_context *context = forest->context;
    forest->groups = shard__zalloc(context, forest->group_count * sizeof(struct shard__group));
    forest->walk_nodes = shard__zalloc(context, (forest->walk_count + 1) * sizeof(uint64_t));
    forest->walk_leaves = shard__zalloc(context, (forest->walk_count + 1) * sizeof(float));
    return forest->groups != NULL && forest->walk_nodes != NULL && forest->walk_leaves != NULL ? 0 : SHARD_ENOMEM;
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
