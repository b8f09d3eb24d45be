/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_POOL_H
#define SHARD_POLICY_POOL_H

/*
 * The hosts that a policy would use now, so that it need not draw them from all that are open: a full cluster's few
 * open hosts are mostly those that nobody wants. Kept by host_changed, and by a clock of its own for hosts that are
 * left out for a time. Each kind has a list of its own, by its number modulo 64: what was not good enough for one kind
 * may be for another.
 */

#include "view.h"

#include "base/heap.h"

enum { SHARD__POOL_LISTS = 64 };

struct shard__pool_list {
    int32_t *hosts; /* the last came in last */
    size_t capacity;
    int32_t count;
    int32_t *places; /* by host: in the list, and 1; 0: not in it */
    size_t place_capacity;
    int32_t known;
};

struct shard__pool {
    shard_context *context;
    struct shard__pool_list lists[SHARD__POOL_LISTS];
    uint64_t used; /* lists that were asked for */
    struct shard__pool_host {
        int64_t wake_ns;       /* asked for last */
        int64_t refused_until; /* in ns */
        uint64_t refused;      /* a bit for each list that it stays out of until then */
        int is_in;
    } * hosts;
    size_t capacity;
    int32_t known;             /* of them */
    struct shard__heap waking; /* hosts to be looked at again, by time */
};

/* Puts a host in, or takes it out. 0, or SHARD_ENOMEM: it is not in every list that it should be in. */
int shard__pool_set(struct shard__pool *pool, int32_t host, int is_in);
/* The list of a kind; it is good until the pool is changed. NULL: there is no memory for it. */
const struct shard__pool_list *shard__pool_of(struct shard__pool *pool, int32_t kind);
/* A host that was set stays out of a kind's list until then: the first time at which it was to stay out of any. Then
 * shard__pool_woken() gives it, and it is to be set again. Without memory it stays in. */
void shard__pool_refuse(struct shard__pool *pool, int32_t host, int32_t kind, int64_t now_ns, int64_t until_ns);
/* Asks for a host at a time, not long before which shard__pool_woken() gives it; again at the same time is asked for
 * once. 0 or SHARD_ENOMEM. */
int shard__pool_wake(struct shard__pool *pool, int32_t host, int64_t at_ns);
/* Seconds until shard__pool_woken() gives the next host, a little more rather than less; infinity: none is asked for.
 */
double shard__pool_next_seconds(const struct shard__pool *pool, int64_t now_ns);
/* A host whose time has come; -1: none. */
int32_t shard__pool_woken(struct shard__pool *pool, int64_t now_ns);
void shard__pool_free(struct shard__pool *pool);

#endif
