/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the jump layout: the inner nodes of each tree side by side. */

#include "jump.h"
#include "ranks.h"

enum { VECTOR = sizeof(struct shard__jump_vector) };

/* A tree on its way. */
struct placement {
    const struct shard__ranks *ranks;
    size_t first; /* of its nodes */
    struct shard__jump_vector *nodes;
    struct shard__jump_vector *shape;
    float *leaves;
    int inner_count;
    int leaf_count;
};

static const struct shard__node *node_at(const struct placement *placement, int32_t index)
{
    return &placement->ranks->forest->nodes[placement->first + (size_t)index];
}

static void set_node(const struct placement *placement, int32_t index, int number)
{
    struct shard__rank rank = shard__rank_of(placement->ranks, placement->first + (size_t)index);
    int32_t lane = rank.column + (rank.missing_right ? SHARD__JUMP_COLUMNS : 0);
    placement->nodes[SHARD__JUMP_LANE].of[number] = (uint8_t)lane;
    placement->nodes[SHARD__JUMP_ABOVE].of[number] = (uint8_t)rank.above;
}

static void set_children(struct shard__jump_vector *shape, int number, int left, int right)
{
    shape[SHARD__JUMP_LEFT].of[number] = (uint8_t)left;
    shape[SHARD__JUMP_RIGHT].of[number] = (uint8_t)right;
}

/* Places a subtree, and returns what leads to it. */
static int place(struct placement *placement, int32_t index)
{
    const struct shard__node *node = node_at(placement, index);
    if (node->left < 0) {
        placement->leaves[placement->leaf_count] = node->value;
        return SHARD__JUMP_NODES + placement->leaf_count++;
    }
    int number = placement->inner_count++;
    set_node(placement, index, number);
    int left = place(placement, node->left);
    set_children(placement->shape, number, left, place(placement, node->left + 1));
    return number;
}

static void place_tree(struct placement *placement)
{
    int root = place(placement, 0);
    if (root != 0) /* a leaf: whatever the first node decides, it leads there */
        set_children(placement->shape, 0, root, root);
}

/* Places a subtree where so many levels are, all of which a leaf fills. */
static void place_padded(const struct placement *placement, int32_t index, int number, int levels)
{
    const struct shard__node *node = node_at(placement, index);
    if (node->left >= 0) {
        set_node(placement, index, number);
        place_padded(placement, node->left, 2 * number + 1, levels - 1);
        place_padded(placement, node->left + 1, 2 * number + 2, levels - 1);
        return;
    }
    int first = ((number + 1) << levels) - (1 << placement->ranks->forest->max_depth);
    for (int i = 0; i < 1 << levels; i++)
        placement->leaves[first + i] = node->value;
}

static void fill_padded_shape(struct shard__jump_vector *shape, int depth)
{
    int inner_count = (1 << depth) - 1;
    for (int i = 0; i < inner_count; i++) {
        int left = 2 * i + 1;
        if (left >= inner_count)
            left += SHARD__JUMP_NODES - inner_count;
        set_children(shape, i, left, left + 1);
    }
}

/* A tree has its compares, then its shape; or there is one shape behind those of all trees. */
static int allocate(const shard_forest *forest, int is_padded, struct shard__jumps *jumps)
{
    size_t trees = (size_t)forest->tree_count, vectors = is_padded ? 2 * trees + 2 : 4 * trees;
    jumps->bytes = VECTOR + vectors * VECTOR + trees * SHARD__JUMP_NODES * sizeof(float);
    jumps->room = shard__zalloc(forest->context, jumps->bytes);
    if (jumps->room == NULL)
        return SHARD_ENOMEM;
    jumps->nodes = (void *)((char *)jumps->room + VECTOR - (uintptr_t)jumps->room % VECTOR);
    jumps->shapes = jumps->nodes + (is_padded ? 2 * trees : 2);
    jumps->leaves = (void *)(jumps->nodes + vectors);
    jumps->node_step = is_padded ? 2 : 4;
    jumps->shape_step = is_padded ? 0 : 4;
    return 0;
}

/* Whether walks cost more. Measured: a tree takes the time of three steps of a walk, a column that of four. */
static int suits(const shard_forest *forest, const struct shard__ranks *ranks)
{
    int64_t walk = 0, jump = 3 * (int64_t)forest->tree_count + 4 * (int64_t)ranks->column_count;
    for (int32_t i = 0; i < forest->tree_count; i++)
        walk += forest->trees[i].depth;
    return forest->max_leaves <= SHARD__JUMP_NODES && ranks->column_count <= SHARD__JUMP_COLUMNS && jump < walk;
}

int shard__forest_build_jumps(shard_forest *forest, const struct shard__ranks *ranks)
{
    struct shard__jumps *jumps = &forest->jumps;
    int is_padded = forest->max_depth <= SHARD__JUMP_PADDED_DEPTH;
    if (!suits(forest, ranks))
        return 0;
    if (allocate(forest, is_padded, jumps) < 0)
        return SHARD_ENOMEM;
    if (is_padded)
        fill_padded_shape(jumps->shapes, forest->max_depth);
    for (int i = 0; i < forest->tree_count; i++) {
        struct placement placement = {.ranks = ranks,
                                      .first = forest->trees[i].first,
                                      .nodes = jumps->nodes + i * jumps->node_step,
                                      .shape = jumps->shapes + i * jumps->shape_step,
                                      .leaves = jumps->leaves + (size_t)i * SHARD__JUMP_NODES};
        if (is_padded)
            place_padded(&placement, 0, 0, forest->max_depth);
        else
            place_tree(&placement);
    }
    while (1 << jumps->doublings < forest->max_depth)
        jumps->doublings++;
    return 0;
}
