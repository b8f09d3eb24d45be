/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_STAGES_H
#define SHARD_RUN_STAGES_H

/*
 * Data on its way to a volume: each piece is asked for once, however many attempts wait for it. Slots have generations,
 * as attempts have.
 */

#include <stdint.h>

#include "base/map.h"

struct shard__stage {
    uint32_t generation;
    int32_t run; /* -1: the slot is free */
    int32_t data;
    int32_t from, to; /* volumes */
    int32_t host;     /* that asked first */
    int32_t task;
    int64_t asked_ns;     /* when the executor was; monotonic */
    int32_t first_waiter; /* in waiters; -1: none. Of a free slot: the next one */
};

struct shard__waiter {
    uint64_t attempt; /* its token */
    int32_t next;
};

struct shard__stages {
    shard_context *context;
    struct shard__stage *slots;
    size_t capacity;
    int32_t count;
    int32_t first_free;
    struct shard__waiter *waiters;
    size_t waiter_capacity;
    int32_t waiter_count;
    int32_t free_waiter;
    struct shard__intmap by_key; /* (run, data, volume) */
};

void shard__stages_init(struct shard__stages *stages, shard_context *context);
void shard__stages_free(struct shard__stages *stages);

/* Room for `count` new stages and waiters. 0 or SHARD_ENOMEM. */
int shard__stages_reserve(struct shard__stages *stages, int32_t count);

/*
 * Lets an attempt wait for data on a volume. Reserved before. Returns the slot, and whether it is new and must be asked
 * for.
 */
int32_t shard__stages_wait(struct shard__stages *stages, const struct shard__stage *wanted, uint64_t attempt,
                           int *ret_is_new);

uint64_t shard__stages_token(const struct shard__stages *stages, int32_t slot);
/* -1 when it is over. */
int32_t shard__stages_find(const struct shard__stages *stages, uint64_t token);

/* The next attempt that waits, taken out of the list; 0 when none is left. */
uint64_t shard__stages_next_waiter(struct shard__stages *stages, int32_t slot);
/* Ends a stage, whose list is empty. */
void shard__stages_close(struct shard__stages *stages, int32_t slot);

#endif
