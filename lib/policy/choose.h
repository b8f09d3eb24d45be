/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_CHOOSE_H
#define SHARD_POLICY_CHOOSE_H

/*
 * What the baseline policies share: answers, and the walk over the hosts that admit a task, ordered by load.
 */

#include "view.h"

/* Hosts that are open, in a heap by load; kept by host_changed. */
struct shard__load_heap {
    shard_context *context;
    int32_t *hosts; /* heap of ids */
    size_t capacity;
    int32_t count;
    int32_t *position; /* by host; -1: not in the heap */
    float *load;       /* by host, as when it was last told */
    size_t host_capacity;
    size_t load_capacity;
    int32_t host_count;
};

/* Takes a host's change in. Hosts without memory to be taken in are looked at after the others. */
void shard__load_heap_update(struct shard__load_heap *heap, const struct shard_view *view, int32_t host);
/* Leaves a host out until its next change is taken in. */
void shard__load_heap_leave(struct shard__load_heap *heap, int32_t host);
void shard__load_heap_free(struct shard__load_heap *heap);

/* Whether a policy wants a host for a task at all. */
typedef int (*shard__host_filter)(const void *self, const struct shard_view *view, int32_t task, int32_t host);

/* The least loaded host that admits the need and passes the filter (NULL: each does); -1: none. */
int32_t shard__load_heap_best(const struct shard__load_heap *heap, const struct shard_view *view,
                              const struct shard__need *need, shard__host_filter filter, const void *filter_self,
                              int32_t task);

/* Whether any host admits the task now. */
int shard__someone_admits(const struct shard_view *view, int32_t task, const struct shard__need *need);

/* The larger of the shares of slots, CPU and memory in use, 0..1. */
double shard__host_load(const struct shard__host *host);

/* Makes `ret_decision` a start on a host, or a wait. */
void shard__decide_start(struct shard_decision *ret_decision, int32_t host, enum shard_reason_code reason,
                         double value);
void shard__decide_wait(struct shard_decision *ret_decision, enum shard_reason_code reason, double value,
                        double wait_seconds);

#endif
