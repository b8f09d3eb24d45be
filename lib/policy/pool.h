/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_POOL_H
#define SHARD_POLICY_POOL_H

/*
 * The hosts that a policy would use now, so that it need not draw them from all that are open: a full cluster's few
 * open hosts are mostly those that nobody wants. Kept by host_changed, and by a clock of its own for hosts that are
 * left out for a time.
 */

#include "view.h"

#include "base/heap.h"

struct shard__pool {
    shard_context *context;
    int32_t *hosts; /* those in it; the last came in last */
    size_t capacity;
    int32_t count;
    struct shard__pool_host {
        int64_t wake_ns; /* asked for last */
        int32_t place;   /* in the list, and 1; 0: not in it */
    } * of_host;
    size_t host_capacity;
    int32_t known;             /* of them */
    struct shard__heap waking; /* hosts to be looked at again, by time */
};

/* Puts a host in, or takes it out. 0, or SHARD_ENOMEM: it is not in it. */
int shard__pool_set(struct shard__pool *pool, int32_t host, int is_in);
/* Asks for a host at a time, not long before which shard__pool_woken() gives it; again at the same time is asked for
 * once. 0 or SHARD_ENOMEM. */
int shard__pool_wake(struct shard__pool *pool, int32_t host, int64_t at_ns);
/* A host whose time has come; -1: none. */
int32_t shard__pool_woken(struct shard__pool *pool, int64_t now_ns);
void shard__pool_free(struct shard__pool *pool);

#endif
