/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_COMMON_SERIES_H
#define SHARD_ADAPTER_COMMON_SERIES_H

/* Down-sampling, the same for all stores: they feed what they have in the range, in any order, and tell the buckets. */

#include <shard/store.h>

#include "base/map.h"

struct shard__series_slot;

struct shard__series {
    const shard_context *context;
    struct shard_series_query query; /* checked; to_ns is never 0 */
    struct shard__series_slot *slots;
    size_t count, capacity;
    struct shard__intmap by_index;
};

typedef int (*shard__series_each)(void *each_self, const struct shard_series_bucket *bucket);

/* 0, SHARD_EINVAL, SHARD_ELIMIT or SHARD_EVERSION; there is something to end only after 0. */
int shard__series_begin(struct shard__series *series, const shard_context *context,
                        const struct shard_series_query *theirs);

/* What is not in the range is left out. 0 or SHARD_ENOMEM. */
int shard__series_sample(struct shard__series *series, const struct shard_sample *sample);
int shard__series_outcome(struct shard__series *series, const struct shard_outcome_row *outcome);

/* Tells the buckets, unless `status` is negative, and frees all. Returns `status`. */
int shard__series_end(struct shard__series *series, int status, shard__series_each each, void *each_self);

#endif
