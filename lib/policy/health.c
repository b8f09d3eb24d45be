/* SPDX-License-Identifier: Apache-2.0 */
/* The states of hosts, and the budget of quarantines. */

#include "health.h"

#include <string.h>

#include "base/alloc.h"
#include "base/context.h"

/* The prior of a rate: a host that is new is taken to be good. */
static const double prior_p = 0.02, prior_attempts = 2;

static double or_default(double value, double least, double most, double otherwise)
{
    return value > 0 ? (value < least ? least : value > most ? most : value) : otherwise;
}

void shard__health_init(struct shard__health *health, shard_context *context, const struct shard__health_config *config)
{
    *health = (struct shard__health){.context = context};
    health->config = (struct shard__health_config){
        .suspect_rate = or_default(config->suspect_rate, 0.001, 1, 0.15),
        .quarantine_rate = or_default(config->quarantine_rate, 0.001, 1, 0.35),
        .least_failures = or_default(config->least_failures, 0.1, 1e6, 1.4),
        .quarantine_seconds = or_default(config->quarantine_seconds, 0.001, 1e9, 60),
        .longest_seconds = or_default(config->longest_seconds, 0.001, 1e9, 1800),
        .most_quarantined = or_default(config->most_quarantined, 0, 1, 0.5),
        .canaries = config->canaries > 0 ? (config->canaries > 100 ? 100 : config->canaries) : 2,
    };
}

static struct shard__health_host *host_at(struct shard__health *health, int32_t host)
{
    if (host < 0)
        return NULL;
    if (host >= health->count) {
        if (shard__grow(health->context, &health->hosts, &health->capacity, (size_t)host + 1, sizeof(*health->hosts)) <
            0)
            return NULL;
        memset(health->hosts + health->count, 0, (size_t)(host + 1 - health->count) * sizeof(*health->hosts));
        health->count = host + 1;
    }
    return &health->hosts[host];
}

static void let_out(struct shard__health *health, struct shard__health_host *host, int64_t now_ns)
{
    if (host->state == SHARD__QUARANTINED && now_ns >= host->until_ns) {
        host->state = SHARD__PROBATION;
        host->canaries = 0;
        health->quarantined--;
    }
}

/* Quarantines a host if the budget allows it. */
static void quarantine(struct shard__health *health, struct shard__health_host *host, int32_t hosts, int64_t now_ns)
{
    /* Quarantines that are over without anybody having looked count no more. */
    if ((double)(health->quarantined + 1) > health->config.most_quarantined * (double)hosts)
        for (int32_t i = 0; i < health->count; i++)
            let_out(health, &health->hosts[i], now_ns);
    if ((double)(health->quarantined + 1) > health->config.most_quarantined * (double)hosts) {
        host->state = SHARD__SUSPECT;
        return;
    }
    double seconds = health->config.quarantine_seconds * exp2(host->times);
    if (seconds > health->config.longest_seconds)
        seconds = health->config.longest_seconds;
    host->until_ns = shard__later_ns(now_ns, shard__seconds_to_ns(seconds));
    if (host->times < 30)
        host->times++;
    host->state = SHARD__QUARANTINED;
    health->quarantined++;
}

static void ended_well(const struct shard__health *health, struct shard__health_host *host, double rate)
{
    if (host->state == SHARD__PROBATION) {
        if (++host->canaries >= health->config.canaries) {
            host->state = SHARD__HEALTHY;
            host->times = host->times > 0 ? (uint8_t)(host->times - 1) : 0;
        }
    } else if (host->state == SHARD__SUSPECT && rate < health->config.suspect_rate) {
        host->state = SHARD__HEALTHY;
    }
}

enum shard__health_state shard__health_ended(struct shard__health *health, int32_t id, int32_t hosts,
                                             const struct shard__rate *rate, double failed, int64_t now_ns)
{
    struct shard__health_host *host = host_at(health, id);
    if (host == NULL)
        return SHARD__HEALTHY;
    let_out(health, host, now_ns);
    double mean = shard__rate_mean(rate, prior_p, prior_attempts);
    if (host->state == SHARD__QUARANTINED)
        return SHARD__QUARANTINED; /* what was still running there says nothing new */
    if (!(failed >= 0.5)) {
        if (!(failed > 0))
            ended_well(health, host, mean);
    } else if (host->state == SHARD__PROBATION) {
        quarantine(health, host, hosts, now_ns);
    } else if ((double)rate->failures >= health->config.least_failures && mean >= health->config.quarantine_rate) {
        quarantine(health, host, hosts, now_ns);
    } else if (mean >= health->config.suspect_rate) {
        host->state = SHARD__SUSPECT;
    }
    return (enum shard__health_state)host->state;
}

enum shard__health_state shard__health_of(struct shard__health *health, int32_t id, int64_t now_ns)
{
    if (id < 0 || id >= health->count)
        return SHARD__HEALTHY;
    let_out(health, &health->hosts[id], now_ns);
    return (enum shard__health_state)health->hosts[id].state;
}

int32_t shard__health_slots(struct shard__health *health, int32_t host, int32_t slots, const struct shard__rate *rate,
                            int64_t now_ns)
{
    switch (shard__health_of(health, host, now_ns)) {
    case SHARD__QUARANTINED:
        return 0;
    case SHARD__PROBATION:
        return slots > 0 ? 1 : 0;
    case SHARD__SUSPECT: {
        /* Step by step: all of its slots at the suspect rate, one at the quarantine rate. */
        double span = health->config.quarantine_rate - health->config.suspect_rate;
        double over = shard__rate_mean(rate, prior_p, prior_attempts) - health->config.suspect_rate;
        double share = span > 0 ? 1 - over / span : 0;
        int32_t most = share > 0 ? (int32_t)ceil((double)slots * share) : 1;
        return most < 1 ? (slots > 0 ? 1 : 0) : most > slots ? slots : most;
    }
    case SHARD__HEALTHY:
        break;
    }
    return slots;
}

void shard__health_free(struct shard__health *health)
{
    shard__release(health->context, health->hosts, health->capacity * sizeof(*health->hosts));
}
