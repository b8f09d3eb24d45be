/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_SLOTS_H
#define SHARD_POLICY_SLOTS_H

/* Slots of the hosts that are up, in all and free, kept by host_changed so that nobody has to walk the hosts. */

#include "view.h"

struct shard__slots {
    shard_context *context;
    struct shard__slots_of_host {
        int32_t all, free;
    } * hosts;
    size_t capacity;
    int32_t count;
    int64_t all, free;
};

/* Takes a host's change in; one that there is no memory for counts as none. */
void shard__slots_update(struct shard__slots *slots, const struct shard_view *view, int32_t host);
void shard__slots_free(struct shard__slots *slots);

#endif
