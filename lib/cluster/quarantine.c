/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of quarantines: how many hosts may be taken out at once. The rest is the engine's. */

#include "cluster.h"

#include "base/context.h"
#include "base/error.h"

/* A wish counts as if it were carried out. */
static int is_quarantined(const struct shard__host *host)
{
    return host->has_wish ? host->quarantined_until_ns > 0 : host->state == SHARD_HOST_QUARANTINED;
}

/* How many hosts are up, and how many are quarantined. */
static void count(const struct shard__cluster *cluster, int32_t *ret_up, int32_t *ret_quarantined)
{
    *ret_up = *ret_quarantined = 0;
    for (int32_t i = 0; i < cluster->host_count; i++) {
        const struct shard__host *host = &cluster->hosts[i];
        if (host->state != SHARD_HOST_UP && host->state != SHARD_HOST_QUARANTINED)
            continue;
        int quarantined = is_quarantined(host);
        *ret_up += !quarantined;
        *ret_quarantined += quarantined;
    }
}

int shard__cluster_check_quarantine(const struct shard__cluster *cluster, int32_t id, double seconds)
{
    const struct shard__host *host = &cluster->hosts[id];
    if (!(seconds >= 0))
        return shard__fail(SHARD_EINVAL, "host '%s': quarantine of %g seconds, expected 0 or more", host->name,
                           seconds);
    if (host->state != SHARD_HOST_UP && host->state != SHARD_HOST_QUARANTINED)
        return shard__fail(SHARD_EHOST, "host '%s' is %s, it cannot be quarantined", host->name,
                           shard_host_state_text((int)host->state));
    if (seconds == 0 || is_quarantined(host))
        return 0;
    int32_t up, quarantined;
    count(cluster, &up, &quarantined);
    double most = cluster->most_quarantined * (double)(up + quarantined);
    if (cluster->most_quarantined > 0 && most < 1)
        most = 1;
    if (up <= 1)
        return shard__fail(SHARD_ECAPACITY, "host '%s' is the last that is up, it cannot be quarantined", host->name);
    if ((double)(quarantined + 1) > most)
        return shard__fail(SHARD_ECAPACITY, "host '%s': %d of %d hosts are quarantined, and no more may be", host->name,
                           quarantined, up + quarantined);
    return 0;
}

int64_t shard__quarantine_end_ns(int64_t now_ns, double seconds)
{
    static const double longest_seconds = 1e9;
    return seconds > 0 ? shard__later_ns(now_ns, shard__seconds_to_ns(fmin(seconds, longest_seconds))) : 0;
}
