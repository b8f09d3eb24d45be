/* SPDX-License-Identifier: Apache-2.0 */
/* Decayed geometric means of what attempts took. What is not finite, or not above 0, changes nothing. */

#include "pace.h"

#include <string.h>

#include "base/alloc.h"

/* Of each mean: so much of the old stays when an attempt is added; and attempts that the prior is worth. */
static const float keeps_kind = 0.98F, keeps_host = 0.9F, prior_weight = 2;
/* No ratio counts as more than this: e^3 is twenty times. */
static const float most_log = 3;

static void add(struct shard__pace_mean *mean, float keeps, float value)
{
    mean->sum = mean->sum * keeps + value;
    mean->weight = mean->weight * keeps + 1;
}

static int make_room(const struct shard__pace *pace, struct shard__pace_mean **means, size_t *capacity, int32_t *count,
                     int32_t wanted)
{
    if (wanted < *count)
        return 0;
    if (shard__grow(pace->context, means, capacity, (size_t)wanted + 1, sizeof(**means)) < 0)
        return SHARD_ENOMEM;
    memset(*means + *count, 0, (size_t)(wanted + 1 - *count) * sizeof(**means));
    *count = wanted + 1;
    return 0;
}

static float bounded(double value)
{
    return value > (double)most_log ? most_log : value < -(double)most_log ? -most_log : (float)value;
}

double shard__pace_seconds(const struct shard__pace *pace, int32_t kind, double told_seconds)
{
    int is_told = told_seconds >= 0 && isfinite(told_seconds);
    const struct shard__pace_mean none = {0, 0};
    const struct shard__pace_mean *mean = kind >= 0 && kind < pace->kind_count ? &pace->kinds[kind] : &none;
    if (is_told)
        return told_seconds * exp((double)(mean->sum / (mean->weight + prior_weight)));
    if (mean->weight > 0)
        return exp((double)(mean->sum / mean->weight));
    return pace->overall.weight > 0 ? exp((double)(pace->overall.sum / pace->overall.weight)) : 1;
}

double shard__pace_slowness(const struct shard__pace *pace, int32_t host)
{
    if (host < 0 || host >= pace->host_count)
        return 1;
    return exp((double)(pace->hosts[host].sum / (pace->hosts[host].weight + prior_weight)));
}

void shard__pace_done(struct shard__pace *pace, int32_t kind, int32_t host, double told_seconds, double speed,
                      double seconds)
{
    if (!(seconds > 0 && isfinite(seconds) && speed > 0 && isfinite(speed)))
        return;
    double at_speed_1 = seconds * speed;
    double expected = shard__pace_seconds(pace, kind, told_seconds);
    int is_told = told_seconds > 0 && isfinite(told_seconds);
    if (host >= 0 && expected > 0 && make_room(pace, &pace->hosts, &pace->host_capacity, &pace->host_count, host) == 0)
        add(&pace->hosts[host], keeps_host, bounded(log(at_speed_1 / expected)));
    /* What a slow host took says less of the kind: its own slowness is taken out. */
    double of_kind = at_speed_1 / shard__pace_slowness(pace, host);
    if (kind >= 0 && make_room(pace, &pace->kinds, &pace->kind_capacity, &pace->kind_count, kind) == 0)
        add(&pace->kinds[kind], keeps_kind, is_told ? bounded(log(of_kind / told_seconds)) : (float)log(of_kind));
    add(&pace->overall, keeps_kind, (float)log(at_speed_1));
}

void shard__pace_free(struct shard__pace *pace)
{
    shard__release(pace->context, pace->kinds, pace->kind_capacity * sizeof(*pace->kinds));
    shard__release(pace->context, pace->hosts, pace->host_capacity * sizeof(*pace->hosts));
}
