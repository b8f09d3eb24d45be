/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_HEAP_H
#define SHARD_BASE_HEAP_H

/* A 4-ary min-heap of ids by key, and by order of adding where keys are equal: so that what comes out is determined. */

#include <stdint.h>

#include "alloc.h"

struct shard__heap_item {
    double key;
    uint32_t order; /* wraps after 2^32 additions; compared by difference */
    int32_t id;
};

struct shard__heap {
    struct shard__heap_item *items;
    size_t count;
    size_t capacity;
    uint32_t next_order;
};

/* 0 or SHARD_ENOMEM. */
int shard__heap_push(const shard_context *context, struct shard__heap *heap, double key, int32_t id);
/* Room for `count` more, so that so many pushes cannot fail. */
int shard__heap_reserve(const shard_context *context, struct shard__heap *heap, size_t count);
/* Takes the smallest out; the heap is not empty. */
struct shard__heap_item shard__heap_pop(struct shard__heap *heap);
void shard__heap_free(const shard_context *context, struct shard__heap *heap);

#endif
