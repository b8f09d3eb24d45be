/* SPDX-License-Identifier: Apache-2.0 */
/* The heap. Four children a node: half the depth of a binary heap, and the children share a cache line. */

#include "heap.h"

#include <string.h>

static int before(const struct shard__heap_item *a, const struct shard__heap_item *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    return (int32_t)(a->order - b->order) < 0;
}

int shard__heap_reserve(const shard_context *context, struct shard__heap *heap, size_t count)
{
    return shard__grow(context, &heap->items, &heap->capacity, heap->count + count, sizeof(*heap->items));
}

int shard__heap_push(const shard_context *context, struct shard__heap *heap, double key, int32_t id)
{
    if (shard__heap_reserve(context, heap, 1) < 0)
        return SHARD_ENOMEM;
    struct shard__heap_item item = {.key = key, .order = heap->next_order++, .id = id};
    size_t at = heap->count++;
    while (at > 0) {
        size_t parent = (at - 1) / 4;
        if (!before(&item, &heap->items[parent]))
            break;
        heap->items[at] = heap->items[parent];
        at = parent;
    }
    heap->items[at] = item;
    return 0;
}

static size_t smallest_child(const struct shard__heap *heap, size_t at)
{
    size_t first = at * 4 + 1;
    size_t last = first + 4 < heap->count ? first + 4 : heap->count;
    size_t best = first;
    for (size_t child = first + 1; child < last; child++)
        if (before(&heap->items[child], &heap->items[best]))
            best = child;
    return best;
}

struct shard__heap_item shard__heap_pop(struct shard__heap *heap)
{
    struct shard__heap_item top = heap->items[0];
    struct shard__heap_item item = heap->items[--heap->count];
    size_t at = 0;
    while (at * 4 + 1 < heap->count) {
        size_t child = smallest_child(heap, at);
        if (!before(&heap->items[child], &item))
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    if (heap->count > 0)
        heap->items[at] = item;
    return top;
}

void shard__heap_free(const shard_context *context, struct shard__heap *heap)
{
    shard__release(context, heap->items, heap->capacity * sizeof(*heap->items));
    memset(heap, 0, sizeof(*heap));
}
