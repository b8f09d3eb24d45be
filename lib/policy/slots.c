/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of slots over hosts. */

#include "slots.h"

#include <string.h>

#include "base/alloc.h"

void shard__slots_update(struct shard__slots *slots, const struct shard_view *view, int32_t id)
{
    if (id >= slots->count) {
        if (shard__grow(slots->context, &slots->hosts, &slots->capacity, (size_t)id + 1, sizeof(*slots->hosts)) < 0)
            return;
        memset(slots->hosts + slots->count, 0, (size_t)(id + 1 - slots->count) * sizeof(*slots->hosts));
        slots->count = id + 1;
    }
    const struct shard__host *host = &view->cluster->hosts[id];
    struct shard__slots_of_host *known = &slots->hosts[id];
    int is_up = host->state == SHARD_HOST_UP;
    int32_t all = is_up ? host->slots : 0;
    int32_t left = is_up && host->slots > host->running ? host->slots - host->running : 0;
    slots->all += all - known->all;
    slots->free += left - known->free;
    known->all = all;
    known->free = left;
}

void shard__slots_free(struct shard__slots *slots)
{
    shard__release(slots->context, slots->hosts, slots->capacity * sizeof(*slots->hosts));
}
