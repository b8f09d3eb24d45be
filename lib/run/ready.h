/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_READY_H
#define SHARD_RUN_READY_H

/*
 * The ready tasks of a run, by profile: tasks that ask for the same can be placed wherever one of them can, so when
 * there is no room for the first of a profile, the rest of it need not be looked at until a host changes.
 */

#include "base/heap.h"

struct shard__ready_queue {
    /* Tasks that came in the order of their keys stand in a line; what came out of order, in a heap. */
    struct shard__heap_item *line;
    size_t line_capacity;
    size_t line_head, line_end;
    struct shard__heap heap;
    int32_t listed;  /* has an entry in `order` that is good */
    int32_t blocked; /* there was no room for its first task */
};

struct shard__ready {
    shard_context *context;
    struct shard__ready_queue *queues; /* by profile */
    int32_t queue_count;
    struct shard__heap order; /* profiles by the key of their first task */
    int32_t *blocked;         /* profiles that are blocked, a ring with room for all, the longest blocked first */
    int32_t blocked_count;
    int32_t blocked_first;
    int64_t count;
};

int shard__ready_init(struct shard__ready *ready, shard_context *context, int32_t profile_count);
void shard__ready_free(struct shard__ready *ready);

/* Adds a task; the smallest key comes out first. 0 or SHARD_ENOMEM. */
int shard__ready_push(struct shard__ready *ready, int32_t profile, double key, int32_t task);

/* The first task of all profiles that are not blocked, and its profile; -1: none. */
int32_t shard__ready_first(struct shard__ready *ready, int32_t *ret_profile);

/*
 * Takes the first task of a profile out, the one that shard__ready_first() gave. Nothing may have been pushed since: a
 * new one may have come before it.
 */
void shard__ready_pop(struct shard__ready *ready, int32_t profile);

/*
 * The first task of a profile, whatever stands before it in others, to be taken out by shard__ready_pop(); -1: none, or
 * no memory for that. Once it is out, the rest of the profile may keep its place among the profiles.
 */
int32_t shard__ready_first_of(struct shard__ready *ready, int32_t profile);

/* Leaves a profile out until shard__ready_unblock(), which takes up the `most` that were left out first. */
void shard__ready_block(struct shard__ready *ready, int32_t profile);
int shard__ready_unblock(struct shard__ready *ready, int32_t most);

#endif
