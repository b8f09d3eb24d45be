/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over samples: adding and asking. */

#include "window.h"

#include <math.h>

static const int64_t widths_ns[SHARD__WINDOWS] = {1000000000, 6000000000, 60000000000};

void shard__series_add(struct shard__series *series, int64_t time_ns, double value)
{
    if (isnan(value))
        return;
    for (int i = 0; i < SHARD__WINDOWS; i++) {
        int64_t number = time_ns / widths_ns[i];
        struct shard__bucket *bucket = &series->windows[i].buckets[number % SHARD__BUCKETS];
        float t = (float)((double)(time_ns - number * widths_ns[i]) / 1e9), x = (float)value;
        if (bucket->number != number || bucket->count == 0)
            *bucket = (struct shard__bucket){.number = number, .max = x};
        bucket->count++;
        bucket->max = x > bucket->max ? x : bucket->max;
        bucket->x += x;
        bucket->t += t;
        bucket->tt += t * t;
        bucket->tx += t * x;
    }
}

void shard__series_values(const struct shard__series *series, int window, int64_t now_ns,
                          struct shard__window_values *ret_values)
{
    int64_t now = now_ns / widths_ns[window];
    double width = (double)widths_ns[window] / 1e9;
    double count = 0, x = 0, t = 0, tt = 0, tx = 0;
    float max = -INFINITY;
    for (int i = 0; i < SHARD__BUCKETS; i++) {
        const struct shard__bucket *bucket = &series->windows[window].buckets[i];
        int64_t age = now - bucket->number;
        /* A host's clock may be ahead of ours by a bucket or so; what is far ahead was never taken. */
        if (bucket->count == 0 || age >= SHARD__BUCKETS)
            continue;
        double n = (double)bucket->count, offset = -(double)age * width;
        count += n;
        x += (double)bucket->x;
        t += (double)bucket->t + n * offset;
        tt += (double)bucket->tt + 2 * offset * (double)bucket->t + n * offset * offset;
        tx += (double)bucket->tx + offset * (double)bucket->x;
        max = bucket->max > max ? bucket->max : max;
    }
    double spread = count * tt - t * t;
    ret_values->mean = count > 0 ? (float)(x / count) : NAN;
    ret_values->max = count > 0 ? max : NAN;
    ret_values->slope = count > 1 && spread > 1e-6 * count ? (float)((count * tx - t * x) / spread) : NAN;
}
