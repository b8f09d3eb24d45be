/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_PACE_H
#define SHARD_POLICY_PACE_H

/*
 * How long things take: by kind, the seconds of a task where the workflow does not say, and how far what it says is
 * off; by host, how much slower it is than its speed says. Means of logarithms that forget, shrunk to "as told" by a
 * prior of a few attempts, so that one odd attempt moves little.
 */

#include <math.h>

#include "view.h"

struct shard__pace_mean {
    float sum;    /* of the logarithms, decayed */
    float weight; /* attempts, decayed */
};

struct shard__pace {
    shard_context *context;
    struct shard__pace_mean *kinds; /* log of (seconds told or plain, on a host of speed 1) */
    size_t kind_capacity;
    int32_t kind_count;
    struct shard__pace_mean *hosts; /* log of (seconds / what the kind lets expect) */
    size_t host_capacity;
    int32_t host_count;
    struct shard__pace_mean overall; /* log of seconds: what a task takes that nothing is known of */
};

/* Takes an attempt in that ended well. `told_seconds`: what the workflow says for speed 1; NaN: nothing. */
void shard__pace_done(struct shard__pace *pace, int32_t kind, int32_t host, double told_seconds, double speed,
                      double seconds);
/* Seconds on a host of speed 1 that is as fast as it says. Never NaN. */
double shard__pace_seconds(const struct shard__pace *pace, int32_t kind, double told_seconds);
/* How much longer things take on a host than its speed says: 1 is as told. */
double shard__pace_slowness(const struct shard__pace *pace, int32_t host);
void shard__pace_free(struct shard__pace *pace);

#endif
