/* SPDX-License-Identifier: Apache-2.0 */
/* The table of data on its way. */

#include "stages.h"

#include <string.h>

void shard__stages_init(struct shard__stages *stages, shard_context *context)
{
    memset(stages, 0, sizeof(*stages));
    stages->context = context;
    stages->first_free = -1;
    stages->free_waiter = -1;
}

void shard__stages_free(struct shard__stages *stages)
{
    shard__release(stages->context, stages->slots, stages->capacity * sizeof(*stages->slots));
    shard__release(stages->context, stages->waiters, stages->waiter_capacity * sizeof(*stages->waiters));
    shard__intmap_free(stages->context, &stages->by_key);
}

/* Runs and volumes beyond 65,535 share keys with others; then a piece may be brought twice, which does no harm. */
static uint64_t key_of(const struct shard__stage *stage)
{
    return (uint64_t)(stage->run & 0x7fff) << 48 | (uint64_t)(stage->to & 0xffff) << 32 | (uint32_t)stage->data;
}

int shard__stages_reserve(struct shard__stages *stages, int32_t count)
{
    if (shard__grow(stages->context, &stages->slots, &stages->capacity, (size_t)(stages->count + count),
                    sizeof(*stages->slots)) < 0)
        return SHARD_ENOMEM;
    return shard__grow(stages->context, &stages->waiters, &stages->waiter_capacity,
                       (size_t)(stages->waiter_count + count), sizeof(*stages->waiters));
}

static void add_waiter(struct shard__stages *stages, int32_t slot, uint64_t attempt)
{
    int32_t waiter = stages->free_waiter;
    if (waiter >= 0)
        stages->free_waiter = stages->waiters[waiter].next;
    else
        waiter = stages->waiter_count++;
    stages->waiters[waiter] = (struct shard__waiter){attempt, stages->slots[slot].first_waiter};
    stages->slots[slot].first_waiter = waiter;
}

static int32_t open_slot(struct shard__stages *stages, const struct shard__stage *wanted)
{
    int32_t slot = stages->first_free;
    uint32_t generation = 1;
    if (slot >= 0) {
        stages->first_free = stages->slots[slot].first_waiter;
        generation = stages->slots[slot].generation;
    } else {
        slot = stages->count++;
    }
    stages->slots[slot] = *wanted;
    stages->slots[slot].generation = generation;
    stages->slots[slot].first_waiter = -1;
    return slot;
}

int32_t shard__stages_wait(struct shard__stages *stages, const struct shard__stage *wanted, uint64_t attempt,
                           int *ret_is_new)
{
    int32_t slot = shard__intmap_find(&stages->by_key, key_of(wanted));
    *ret_is_new = slot < 0 || stages->slots[slot].run != wanted->run || stages->slots[slot].to != wanted->to;
    if (*ret_is_new) {
        slot = open_slot(stages, wanted);
        /* Without memory for the key it is only brought twice. */
        (void)shard__intmap_set(stages->context, &stages->by_key, key_of(wanted), slot);
    }
    add_waiter(stages, slot, attempt);
    return slot;
}

uint64_t shard__stages_token(const struct shard__stages *stages, int32_t slot)
{
    return (uint64_t)stages->slots[slot].generation << 32 | (uint32_t)slot;
}

int32_t shard__stages_find(const struct shard__stages *stages, uint64_t token)
{
    uint32_t slot = (uint32_t)token;
    if (slot >= (uint32_t)stages->count || stages->slots[slot].run < 0 ||
        stages->slots[slot].generation != (uint32_t)(token >> 32))
        return -1;
    return (int32_t)slot;
}

uint64_t shard__stages_next_waiter(struct shard__stages *stages, int32_t slot)
{
    int32_t waiter = stages->slots[slot].first_waiter;
    if (waiter < 0)
        return 0;
    stages->slots[slot].first_waiter = stages->waiters[waiter].next;
    stages->waiters[waiter].next = stages->free_waiter;
    stages->free_waiter = waiter;
    return stages->waiters[waiter].attempt;
}

void shard__stages_close(struct shard__stages *stages, int32_t slot)
{
    struct shard__stage *stage = &stages->slots[slot];
    if (shard__intmap_find(&stages->by_key, key_of(stage)) == slot)
        shard__intmap_remove(&stages->by_key, key_of(stage));
    stage->run = -1;
    stage->generation = stage->generation == UINT32_MAX ? 1 : stage->generation + 1;
    stage->first_waiter = stages->first_free;
    stages->first_free = slot;
}
