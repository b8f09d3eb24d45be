/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: a list, the place of each host in it, and the times at which hosts are looked at again. */

#include "pool.h"

#include "base/error.h"

/* A time in nanoseconds is not exact in a heap's key: a host comes this much later, so that it never comes too soon. */
static const double late_ns = 1024;

static int make_room(struct shard__pool *pool, int32_t host)
{
    if (shard__grow(pool->context, &pool->of_host, &pool->host_capacity, (size_t)host + 1, sizeof(*pool->of_host)) <
            0 ||
        shard__grow(pool->context, &pool->hosts, &pool->capacity, (size_t)host + 1, sizeof(*pool->hosts)) < 0)
        return SHARD_ENOMEM;
    for (; pool->known <= host; pool->known++)
        pool->of_host[pool->known] = (struct shard__pool_host){0};
    return 0;
}

int shard__pool_set(struct shard__pool *pool, int32_t host, int is_in)
{
    if (host >= pool->known && (!is_in || make_room(pool, host) < 0))
        return is_in ? SHARD_ENOMEM : 0;
    int32_t place = pool->of_host[host].place;
    if (is_in == (place > 0))
        return 0;
    if (is_in) {
        pool->hosts[pool->count++] = host;
        pool->of_host[host].place = pool->count;
        return 0;
    }
    int32_t last = pool->hosts[--pool->count];
    pool->hosts[place - 1] = last;
    pool->of_host[last].place = place;
    pool->of_host[host].place = 0;
    return 0;
}

int shard__pool_wake(struct shard__pool *pool, int32_t host, int64_t at_ns)
{
    if (host >= pool->known && make_room(pool, host) < 0)
        return SHARD_ENOMEM;
    if (pool->of_host[host].wake_ns == at_ns)
        return 0;
    int status = shard__heap_push(pool->context, &pool->waking, (double)at_ns + late_ns, host);
    if (status == 0)
        pool->of_host[host].wake_ns = at_ns;
    return status;
}

int32_t shard__pool_woken(struct shard__pool *pool, int64_t now_ns)
{
    if (pool->waking.count == 0 || pool->waking.items[0].key > (double)now_ns)
        return -1;
    return shard__heap_pop(&pool->waking).id;
}

void shard__pool_free(struct shard__pool *pool)
{
    shard__release(pool->context, pool->hosts, pool->capacity * sizeof(*pool->hosts));
    shard__release(pool->context, pool->of_host, pool->host_capacity * sizeof(*pool->of_host));
    shard__heap_free(pool->context, &pool->waking);
}
