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
    uint32_t left, right;
    shard__value_keys(value, &left, &right);
    clear(layout->nodes + begins[0], layout->nodes + begins[1], left, masks);
    clear(layout->nodes + begins[1], layout->nodes + begins[2], right, masks);
}

/*
 * sum += the leaf of the first bit of task & host. Four instructions; compilers take more, since they widen the bit's
 * number and gather the leaves of four sums to add them at once. With AddressSanitizer it is C, which is looked into;
 * so the tests meet both.
 */
#if defined(__x86_64__) && defined(__LP64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define ADD_FIRST_LEAF(sum, leaves, task, host)                    \
    do {                                                           \
        uint64_t mask_ = (task) & (host);                          \
        __asm__("rep bsfq %[m], %[m]\n\taddss (%[l],%[m],4), %[s]" \
                : [m] "+r"(mask_), [s] "+x"(sum)                   \
                : [l] "r"(leaves)                                  \
                : "cc", "memory");                                 \
    } while (0)
#else
#define ADD_FIRST_LEAF(sum, leaves, task, host) (sum) += (leaves)[__builtin_ctzll((task) & (host))]
#endif

/* Eight hosts at a time: their sums stay in registers. */
static void half_tile(const shard_forest *forest, const uint64_t *task, const uint64_t *hosts, float *sums)
{
    const float *leaves = forest->masks.leaves;
    size_t trees = (size_t)forest->tree_count;
    const uint64_t *high = hosts + 4 * trees;
    float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], s4 = sums[4], s5 = sums[5], s6 = sums[6],
          s7 = sums[7];
    for (size_t tree = 0; tree < trees; tree++) {
        uint64_t mask = task[tree];
        ADD_FIRST_LEAF(s0, leaves, mask, hosts[tree]);
        ADD_FIRST_LEAF(s1, leaves, mask, hosts[tree + trees]);
        ADD_FIRST_LEAF(s2, leaves, mask, hosts[tree + 2 * trees]);
        ADD_FIRST_LEAF(s3, leaves, mask, hosts[tree + 3 * trees]);
        ADD_FIRST_LEAF(s4, leaves, mask, high[tree]);
        ADD_FIRST_LEAF(s5, leaves, mask, high[tree + trees]);
        ADD_FIRST_LEAF(s6, leaves, mask, high[tree + 2 * trees]);
        ADD_FIRST_LEAF(s7, leaves, mask, high[tree + 3 * trees]);
        leaves += SHARD__MASK_LEAVES;
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

void shard__mask_tiles(const shard_forest *forest, const uint64_t *task, const uint64_t *tiles, int64_t tile_count,
                       float *sums)
{
    size_t half = (size_t)forest->tree_count * SHARD__TILE / 2;
    for (int64_t i = 0; i < 2 * tile_count; i++)
        half_tile(forest, task, tiles + (size_t)i * half, sums + i * (SHARD__TILE / 2));
}

void shard__mask_pairs(const shard_forest *forest, struct shard__mask_pairs *pairs)
{
    const float *leaves = forest->masks.leaves;
    struct shard__mask_pairs at = *pairs;
    float s0 = at.sums[0], s1 = at.sums[1], s2 = at.sums[2], s3 = at.sums[3];
    for (int32_t tree = 0; tree < forest->tree_count; tree++) {
        ADD_FIRST_LEAF(s0, leaves, at.task[0][tree], at.host[0][tree]);
        ADD_FIRST_LEAF(s1, leaves, at.task[1][tree], at.host[1][tree]);
        ADD_FIRST_LEAF(s2, leaves, at.task[2][tree], at.host[2][tree]);
        ADD_FIRST_LEAF(s3, leaves, at.task[3][tree], at.host[3][tree]);
        leaves += SHARD__MASK_LEAVES;
    }
    pairs->sums[0] = s0, pairs->sums[1] = s1, pairs->sums[2] = s2, pairs->sums[3] = s3;
}
