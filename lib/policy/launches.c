/* SPDX-License-Identifier: Apache-2.0 */
/* Launches that tasks share. Pure arithmetic and a table of means. */

#include "launches.h"

#include <math.h>
#include <string.h>

#include <shard/policy.h>

/* Of the time of a container, the part that its launch may take before more tasks are to share it. */
static const double small_share = 0.1;

enum { MOST_REMEMBERED = 20 };

void shard__launches_learn(struct shard__launches *launches, int32_t kind, double seconds)
{
    if (kind < 0 || !(seconds > 0 && seconds < 1e9))
        return;
    size_t before = launches->capacity;
    if (shard__grow(launches->context, &launches->kinds, &launches->capacity, (size_t)kind + 1,
                    sizeof(*launches->kinds)) < 0)
        return;
    memset(launches->kinds + before, 0, (launches->capacity - before) * sizeof(*launches->kinds));
    if (kind >= launches->count)
        launches->count = kind + 1;
    struct shard__launch_mean *mean = &launches->kinds[kind];
    mean->weight = mean->weight < MOST_REMEMBERED ? mean->weight + 1 : MOST_REMEMBERED;
    mean->seconds += ((float)seconds - mean->seconds) / mean->weight;
}

double shard__launches_seconds(const struct shard__launches *launches, int32_t kind)
{
    return kind < 0 || kind >= launches->count ? 0 : (double)launches->kinds[kind].seconds;
}

void shard__launches_free(struct shard__launches *launches)
{
    shard__release(launches->context, launches->kinds, launches->capacity * sizeof(*launches->kinds));
    launches->kinds = NULL;
}

int32_t shard__launches_with(const struct shard__launch_ask *ask)
{
    if (!(ask->launch_seconds > ask->run_seconds) || ask->slots <= 0)
        return 0;
    /* Whatever goes with one that fails is launched again, each by itself: there should be none in most containers. */
    double together = ask->p_fail > 0 ? fmin(SHARD_MOST_WITH + 1, 1 / ask->p_fail) : SHARD_MOST_WITH + 1;
    double share = (double)ask->ready / (double)ask->slots;
    if (ask->run_seconds > 0)
        together = fmin(together, ceil(ask->launch_seconds * (1 / small_share - 1) / ask->run_seconds));
    together = fmin(together, share);
    return together >= 2 ? (int32_t)together - 1 : 0;
}
