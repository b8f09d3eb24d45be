/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_FOLD_ROWS_H
#define SHARD_PREDICT_FOLD_ROWS_H

/*
 * The fold (fold.h), for what processors can do. Who includes this has defined FOLD_TARGET, the attributes of a
 * function for them, and the two steps that take the time:
 *
 *     int reached(float value, const float *thresholds)   how many of sixteen sorted ones: none if it is missing
 *     void choose(int8_t above, const uint8_t *lane, const uint8_t *left, const uint8_t *right, uint8_t *to)
 *                                                          64 times: to = above > (int8_t)lane ? left : right
 */

#include <string.h>

#include "fold.h"

enum { ROWS = SHARD__FOLD_ROWS, TREES_TOGETHER = 4 };

/* A column's two lanes: of each row how many thresholds it reaches, less 128, since bytes are compared with sign. */
FOLD_TARGET static void rank(const struct shard__rank_column *column, const float *rows, int64_t stride, int count,
                             uint8_t *lanes)
{
    uint8_t ranks[ROWS], missing[ROWS];
    for (int i = 0; i < ROWS; i++) {
        float value = rows[(i < count ? i : count - 1) * stride + column->feature];
        int coarse = reached(value, column->pivots);
        ranks[i] = (uint8_t)(16 * coarse + reached(value, column->thresholds + 16 * coarse));
        missing[i] = value != value ? UINT8_MAX : 0;
    }
    for (int i = 0; i < ROWS; i++) {
        lanes[i] = ranks[i] ^ 0x80;
        lanes[ROWS + i] = (ranks[i] | missing[i]) ^ 0x80;
    }
}

/* The inner nodes of one tree; what the last one, its root, chose is left in `ret_exits`. */
FOLD_TARGET static void fold_tree(const struct shard__fold_node *node, int32_t inner_count, const uint8_t *lanes,
                                  uint8_t *choices, int32_t leaf_room, uint8_t *ret_exits)
{
    uint8_t *to = choices + (size_t)leaf_room * ROWS;
    for (const struct shard__fold_node *end = node + inner_count; node < end; node++, to += ROWS)
        choose(node->above, lanes + node->lane, choices + node->left, choices + node->right, to);
    memcpy(ret_exits, inner_count > 0 ? to - ROWS : choices, ROWS);
}

FOLD_TARGET static void fold_rows(const shard_forest *forest, const float *rows, int64_t stride, int count,
                                  uint8_t *room, float *sums)
{
    const struct shard__fold *fold = &forest->fold;
    const struct shard__fold_node *nodes = fold->nodes;
    const float *leaves[TREES_TOGETHER], *next = fold->leaves;
    uint8_t *lanes = room, *choices = room + (size_t)forest->rank_column_count * 2 * ROWS, exits[TREES_TOGETHER][ROWS];
    for (int32_t i = 0; i < forest->rank_column_count; i++)
        rank(&forest->rank_columns[i], rows, stride, count, lanes + (size_t)i * 2 * ROWS);
    for (int32_t i = 0; i < forest->max_leaves; i++)
        memset(choices + (size_t)i * ROWS, i, ROWS);
    for (int32_t tree = 0; tree < forest->tree_count; tree += TREES_TOGETHER) {
        int some = forest->tree_count - tree < TREES_TOGETHER ? forest->tree_count - tree : TREES_TOGETHER;
        for (int k = 0; k < some; k++) {
            int32_t leaf_count = forest->trees[tree + k].leaf_count;
            fold_tree(nodes, leaf_count - 1, lanes, choices, forest->max_leaves, exits[k]);
            leaves[k] = next;
            nodes += leaf_count - 1;
            next += leaf_count;
        }
        for (int i = 0; i < ROWS && some == TREES_TOGETHER; i++)
            sums[i] = sums[i] + leaves[0][exits[0][i]] + leaves[1][exits[1][i]] + leaves[2][exits[2][i]] +
                      leaves[3][exits[3][i]];
        for (int k = 0; k < some && some < TREES_TOGETHER; k++)
            for (int i = 0; i < ROWS; i++)
                sums[i] += leaves[k][exits[k][i]];
    }
}

#endif
