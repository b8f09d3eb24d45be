/* SPDX-License-Identifier: Apache-2.0 */
/* Leaf masks in portable C: what a row rules out, and the exit leaves of pairs. */

#include "masks.h"

/* A list is sorted: the nodes that send the value right are those up to the first that does not. */
static void clear(const struct shard__mask_node *at, const struct shard__mask_node *end, uint32_t key, uint64_t *masks)
{
    for (; at < end && at->below < key; at++)
        masks[at->tree] &= at->keep;
}

void shard__mask_feature(const shard_forest *forest, int32_t feature, float value, uint64_t *masks)
{
    const struct shard__masks *layout = &forest->masks;
    const size_t *begins = layout->begins + 2 * (size_t)feature;
    uint32_t keys[2];
    shard__row_keys(&value, 1, keys);
    clear(layout->nodes + begins[0], layout->nodes + begins[1], keys[0], masks);
    clear(layout->nodes + begins[1], layout->nodes + begins[2], keys[1], masks);
}

static inline int first_leaf(uint64_t mask)
{
    return __builtin_ctzll(mask);
}

/* Eight hosts at a time: their sums stay in registers. */
static void half_tile(const shard_forest *forest, const uint64_t *task, const uint64_t *hosts, float *sums)
{
    const float *leaves = forest->masks.leaves;
    float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], s4 = sums[4], s5 = sums[5], s6 = sums[6],
          s7 = sums[7];
    for (int32_t tree = 0; tree < forest->tree_count; tree++) {
        uint64_t mask = task[tree];
        s0 += leaves[first_leaf(mask & hosts[0])];
        s1 += leaves[first_leaf(mask & hosts[1])];
        s2 += leaves[first_leaf(mask & hosts[2])];
        s3 += leaves[first_leaf(mask & hosts[3])];
        s4 += leaves[first_leaf(mask & hosts[4])];
        s5 += leaves[first_leaf(mask & hosts[5])];
        s6 += leaves[first_leaf(mask & hosts[6])];
        s7 += leaves[first_leaf(mask & hosts[7])];
        hosts += SHARD__TILE;
        leaves += SHARD__MASK_LEAVES;
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

void shard__mask_tiles(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles, int64_t tile_count,
                       float *sums)
{
    for (int64_t i = 0; i < tile_count; i++) {
        half_tile(forest, task, tiles, sums);
        half_tile(forest, task, tiles + SHARD__TILE / 2, sums + SHARD__TILE / 2);
        tiles += (size_t)forest->tree_count * SHARD__TILE;
        sums += SHARD__TILE;
    }
}

float shard__mask_pair(const shard_forest *forest, const uint64_t *task, const uint64_t *host, float sum)
{
    const float *leaves = forest->masks.leaves;
    for (int32_t tree = 0; tree < forest->tree_count; tree++)
        sum += leaves[tree * SHARD__MASK_LEAVES + first_leaf(task[tree] & host[tree * SHARD__TILE])];
    return sum;
}
