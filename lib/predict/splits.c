/* SPDX-License-Identifier: Apache-2.0 */
/* All splits of a forest by their thresholds, for the layouts that want them sorted. */

#include "forest.h"

/* Collects a subtree's inner nodes (deleted nodes are in no subtree), and returns where the next one goes. */
static struct shard__split *collect(const shard_forest *forest, size_t first, int32_t index, struct shard__split *to)
{
    const struct shard__node *node = &forest->nodes[first + (size_t)index];
    if (node->left < 0)
        return to;
    *to++ = (struct shard__split){shard__threshold_below(node->value), (uint32_t)(first + (size_t)index)};
    return collect(forest, first, node->left + 1, collect(forest, first, node->left, to));
}

/* One pass of a radix sort, by a byte of the threshold: stable, so that four passes sort it. */
static void sort_by_byte(const struct shard__split *from, struct shard__split *to, size_t count, int shift)
{
    size_t begins[257] = {0};
    for (size_t i = 0; i < count; i++)
        begins[(from[i].below >> shift & 0xff) + 1]++;
    for (int i = 0; i < 256; i++)
        begins[i + 1] += begins[i];
    for (size_t i = 0; i < count; i++)
        to[begins[from[i].below >> shift & 0xff]++] = from[i];
}

int shard__splits_sort(const shard_forest *forest, struct shard__splits *ret_splits)
{
    size_t count = 0;
    for (int32_t i = 0; i < forest->tree_count; i++)
        count += (size_t)forest->trees[i].leaf_count - 1;
    ret_splits->bytes = (2 * count + 1) * sizeof(struct shard__split);
    struct shard__split *splits = shard__realloc(forest->context, NULL, 0, ret_splits->bytes);
    struct shard__split *other = splits + count, *end = splits;
    if (splits == NULL)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < forest->tree_count; i++)
        end = collect(forest, forest->trees[i].first, 0, end);
    sort_by_byte(splits, other, count, 0);
    sort_by_byte(other, splits, count, 8);
    sort_by_byte(splits, other, count, 16);
    sort_by_byte(other, splits, count, 24);
    ret_splits->items = splits;
    ret_splits->count = count;
    return 0;
}
