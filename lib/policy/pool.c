/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: lists, the place of each host in them, and the times at which hosts are looked at again. */

#include "pool.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

/* A time in nanoseconds is not exact in a heap's key: a host comes this much later, so that it never comes too soon. */
static const double late_ns = 1024;

static int know(struct shard__pool *pool, int32_t host)
{
    if (host < pool->known)
        return 0;
    if (shard__grow(pool->context, &pool->hosts, &pool->capacity, (size_t)host + 1, sizeof(*pool->hosts)) < 0)
        return SHARD_ENOMEM;
    memset(pool->hosts + pool->known, 0, (size_t)(host + 1 - pool->known) * sizeof(*pool->hosts));
    pool->known = host + 1;
    return 0;
}

static int make_room(const struct shard__pool *pool, struct shard__pool_list *list, int32_t host)
{
    if (host < list->known)
        return 0;
    size_t wanted = (size_t)host + 1;
    if (shard__grow(pool->context, &list->places, &list->place_capacity, wanted, sizeof(*list->places)) < 0 ||
        shard__grow(pool->context, &list->hosts, &list->capacity, wanted, sizeof(*list->hosts)) < 0)
        return SHARD_ENOMEM;
    memset(list->places + list->known, 0, (wanted - (size_t)list->known) * sizeof(*list->places));
    list->known = host + 1;
    return 0;
}

static int put(const struct shard__pool *pool, struct shard__pool_list *list, int32_t host, int is_in)
{
    if (host >= list->known && (!is_in || make_room(pool, list, host) < 0))
        return is_in ? SHARD_ENOMEM : 0;
    int32_t place = list->places[host];
    if (is_in == (place > 0))
        return 0;
    if (is_in) {
        list->hosts[list->count++] = host;
        list->places[host] = list->count;
        return 0;
    }
    int32_t last = list->hosts[--list->count];
    list->hosts[place - 1] = last;
    list->places[last] = place;
    list->places[host] = 0;
    return 0;
}

static int is_wanted(const struct shard__pool *pool, int32_t host, int list)
{
    return pool->hosts[host].is_in && (pool->hosts[host].refused >> list & 1) == 0;
}

int shard__pool_set(struct shard__pool *pool, int32_t host, int is_in)
{
    int status = know(pool, host);
    if (status < 0)
        return status;
    pool->hosts[host].is_in = is_in;
    for (uint64_t left = pool->used; left != 0; left &= left - 1) {
        int list = __builtin_ctzll(left);
        if (put(pool, &pool->lists[list], host, is_wanted(pool, host, list)) < 0)
            status = SHARD_ENOMEM;
    }
    return status;
}

const struct shard__pool_list *shard__pool_of(struct shard__pool *pool, int32_t kind)
{
    int number = kind & (SHARD__POOL_LISTS - 1);
    struct shard__pool_list *list = &pool->lists[number];
    if ((pool->used >> number & 1) != 0)
        return list;
    for (int32_t host = 0; host < pool->known; host++)
        if (put(pool, list, host, is_wanted(pool, host, number)) < 0)
            return NULL;
    pool->used |= UINT64_C(1) << number;
    return list;
}

void shard__pool_refuse(struct shard__pool *pool, int32_t host, int32_t kind, int64_t now_ns, int64_t until_ns)
{
    struct shard__pool_host *known = &pool->hosts[host];
    int list = kind & (SHARD__POOL_LISTS - 1);
    if (known->refused == 0 || now_ns >= known->refused_until) {
        if (shard__pool_wake(pool, host, until_ns) < 0)
            return;
        known->refused = 0;
        known->refused_until = until_ns;
    }
    known->refused |= UINT64_C(1) << list;
    (void)put(pool, &pool->lists[list], host, 0);
}

int shard__pool_wake(struct shard__pool *pool, int32_t host, int64_t at_ns)
{
    if (know(pool, host) < 0)
        return SHARD_ENOMEM;
    if (pool->hosts[host].wake_ns == at_ns)
        return 0;
    int status = shard__heap_push(pool->context, &pool->waking, (double)at_ns + late_ns, host);
    if (status == 0)
        pool->hosts[host].wake_ns = at_ns;
    return status;
}

double shard__pool_next_seconds(const struct shard__pool *pool, int64_t now_ns)
{
    if (pool->waking.count == 0)
        return INFINITY;
    return fmax(0, pool->waking.items[0].key - (double)now_ns + late_ns) / 1e9;
}

int32_t shard__pool_woken(struct shard__pool *pool, int64_t now_ns)
{
    if (pool->waking.count == 0 || pool->waking.items[0].key > (double)now_ns)
        return -1;
    int32_t host = shard__heap_pop(&pool->waking).id;
    if (now_ns >= pool->hosts[host].refused_until)
        pool->hosts[host].refused = 0;
    return host;
}

void shard__pool_free(struct shard__pool *pool)
{
    for (int i = 0; i < SHARD__POOL_LISTS; i++) {
        struct shard__pool_list *list = &pool->lists[i];
        shard__release(pool->context, list->hosts, list->capacity * sizeof(*list->hosts));
        shard__release(pool->context, list->places, list->place_capacity * sizeof(*list->places));
    }
    shard__release(pool->context, pool->hosts, pool->capacity * sizeof(*pool->hosts));
    shard__heap_free(pool->context, &pool->waking);
}
