/* SPDX-License-Identifier: Apache-2.0 */
/* Lines through what staging took: the intercept is the latency, the slope what a byte takes. */

#include "paths.h"

#include <math.h>

/* So much of the old stays with each new one, and what was told counts as so many. */
static const double keeps = 0.95, told_weight = 2;
/* Sizes that differ by less than this share, as a standard deviation, cannot tell latency from bandwidth. */
static const double least_spread = 0.1;

static uint64_t key_of(int32_t from, int32_t to)
{
    return (uint64_t)(uint32_t)from << 32 | (uint32_t)to;
}

void shard__paths_learn(struct shard__paths *paths, const shard_context *context, int32_t from, int32_t to,
                        double bytes, double seconds)
{
    if (from < 0 || to < 0 || !(bytes >= 0 && bytes < 1e18) || !(seconds >= 0 && seconds < 1e9))
        return;
    int32_t at = shard__intmap_find(&paths->of_pair, key_of(from, to));
    if (at < 0) {
        if (shard__grow(context, &paths->paths, &paths->capacity, (size_t)paths->count + 1, sizeof(*paths->paths)) <
                0 ||
            shard__intmap_set(context, &paths->of_pair, key_of(from, to), paths->count) < 0)
            return;
        at = paths->count++;
        paths->paths[at] = (struct shard__path){0};
    }
    struct shard__path *path = &paths->paths[at];
    path->count = path->count * keeps + 1;
    path->bytes = path->bytes * keeps + bytes;
    path->seconds = path->seconds * keeps + seconds;
    path->bytes_bytes = path->bytes_bytes * keeps + bytes * bytes;
    path->bytes_seconds = path->bytes_seconds * keeps + bytes * seconds;
}

/* Neither latency nor bandwidth is below 0; where one would be, or sizes are too much alike, all is bandwidth. */
static double fitted(const struct shard__path *path, double bytes)
{
    double mean_bytes = path->bytes / path->count, mean_seconds = path->seconds / path->count;
    double variance = path->bytes_bytes / path->count - mean_bytes * mean_bytes;
    double covariance = path->bytes_seconds / path->count - mean_bytes * mean_seconds;
    if (!(mean_bytes > 0))
        return mean_seconds;
    double slope = mean_seconds / mean_bytes;
    if (variance > least_spread * least_spread * mean_bytes * mean_bytes && covariance / variance < slope)
        slope = covariance > 0 ? covariance / variance : 0;
    return mean_seconds + slope * (bytes - mean_bytes);
}

double shard__paths_seconds(const struct shard__paths *paths, int32_t from, int32_t to, double bytes,
                            double told_seconds)
{
    int32_t at = from < 0 ? -1 : shard__intmap_find(&paths->of_pair, key_of(from, to));
    if (at < 0)
        return told_seconds;
    const struct shard__path *path = &paths->paths[at];
    double learned = fitted(path, isnan(bytes) ? path->bytes / path->count : bytes);
    if (isnan(told_seconds))
        return learned;
    return (path->count * learned + told_weight * told_seconds) / (path->count + told_weight);
}

void shard__paths_free(struct shard__paths *paths, const shard_context *context)
{
    shard__release(context, paths->paths, paths->capacity * sizeof(*paths->paths));
    shard__intmap_free(context, &paths->of_pair);
}
