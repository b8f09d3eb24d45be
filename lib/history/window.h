/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_HISTORY_WINDOW_H
#define SHARD_HISTORY_WINDOW_H

/*
 * The last 10 seconds, 60 seconds and 10 minutes of a quantity, each in ten buckets of sums: a sample costs the same
 * however many came before, and so does asking.
 */

#include <stdint.h>

enum { SHARD__WINDOWS = 3, SHARD__BUCKETS = 10 };

struct shard__bucket {
    int64_t number; /* of the bucket's time; what is older is overwritten */
    float count;
    float max;
    float x;  /* sum of the values */
    float t;  /* of the times since the bucket began, in seconds */
    float tt; /* of their squares */
    float tx;
};

struct shard__window {
    struct shard__bucket buckets[SHARD__BUCKETS];
};

/* One quantity. All zero is empty. */
struct shard__series {
    struct shard__window windows[SHARD__WINDOWS];
};

/* What a window says: NaN where it does not know. The slope is least squares, per second. */
struct shard__window_values {
    float mean, max, slope;
};

/* `time_ns` 0 or more. A value that is NaN is left out. */
void shard__series_add(struct shard__series *series, int64_t time_ns, double value);
void shard__series_values(const struct shard__series *series, int window, int64_t now_ns,
                          struct shard__window_values *ret_values);

#endif
