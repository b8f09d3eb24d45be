/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_CLUSTER_PATHS_H
#define SHARD_CLUSTER_PATHS_H

/*
 * How long it takes to bring data from one volume to another: a latency and a bandwidth for each pair of them, fitted
 * to what staging took, the newest counting most, and shrunk to what the volumes were said to have.
 */

#include "base/map.h"

struct shard__path {
    double count, bytes, seconds, bytes_bytes, bytes_seconds; /* decayed sums */
};

struct shard__paths {
    struct shard__path *paths;
    size_t capacity;
    int32_t count;
    struct shard__intmap of_pair; /* (from, to): path */
};

/* Takes in what bringing so many bytes took. Without memory, or when a number makes no sense, it is left out. */
void shard__paths_learn(struct shard__paths *paths, const shard_context *context, int32_t from, int32_t to,
                        double bytes, double seconds);
/* Seconds for so many bytes (NaN: not known), where so many are told (NaN: not known). NaN: nobody knows. */
double shard__paths_seconds(const struct shard__paths *paths, int32_t from, int32_t to, double bytes,
                            double told_seconds);
void shard__paths_free(struct shard__paths *paths, const shard_context *context);

#endif
