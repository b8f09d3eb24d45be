/* SPDX-License-Identifier: Apache-2.0 */
/* What befalls hosts: they fall sick and recover, are taken away and come back, alone or by the rack, and others use
 * them. */

#include <stdio.h>

#include "base/context.h"
#include "sim/sim.h"

static int push(struct shard__sim *sim, enum shard__sim_event_kind kind, int32_t subject, int32_t generation,
                double seconds)
{
    struct shard__sim_event event = {.kind = kind, .subject = subject, .generation = generation};
    return shard__sim_push(sim, seconds, &event);
}

static int next_own(struct shard__sim *sim, enum shard__sim_event_kind kind, int32_t host, double mean_seconds)
{
    return push(sim, kind, host, 0, shard__sim_exponential(&sim->hosts[host].random, mean_seconds));
}

void shard__sim_host_name(int32_t host, char *ret_name)
{
    snprintf(ret_name, 32, "host-%d", host);
}

int shard__sim_join(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_host *host = &sim->hosts[at];
    const struct shard_scenario *scenario = sim->scenario;
    char name[32], boot_id[32], labels[48];
    shard__sim_host_name(at, name);
    snprintf(labels, sizeof(labels), "rack=%d", (int)(at / scenario->rack_hosts));
    snprintf(boot_id, sizeof(boot_id), "%d", ++host->boots);
    shard_volume_id volume = shard__sim_volume(sim, at);
    struct shard_host_spec spec = {.struct_size = sizeof(spec),
                                   .name = name,
                                   .boot_id = boot_id,
                                   .labels = labels,
                                   .cpu_millicores = scenario->slots * 1000,
                                   .memory_bytes = scenario->memory_bytes,
                                   .slots = (int32_t)scenario->slots,
                                   .speed = host->speed,
                                   .volumes = &volume,
                                   .volume_count = 1};
    host->id = shard_engine_add_host(sim->engine, &spec);
    sim->answered = 1;
    return host->id < 0 ? host->id : 0;
}

static int add_volumes(struct shard__sim *sim)
{
    const struct shard_scenario *scenario = sim->scenario;
    int32_t count = scenario->volumes == SHARD__VOLUMES_RACK  ? sim->rack_count
                    : scenario->volumes == SHARD__VOLUMES_OWN ? sim->host_count
                                                              : 0;
    for (int32_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "volume-%d", i);
        struct shard_volume_spec volume = {.struct_size = sizeof(volume),
                                           .name = name,
                                           .bytes_per_second = scenario->bytes_per_second,
                                           .latency_seconds = scenario->latency_seconds};
        shard_volume_id id = shard_engine_add_volume(sim->engine, &volume);
        if (id < 0)
            return id;
    }
    return 0;
}

/* The first moment of a host that has episodes is anywhere in its cycle. */
static int begin_sickness(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_host *host = &sim->hosts[at];
    const struct shard__sickness *sickness = host->sickness;
    if (sickness == NULL)
        return 0;
    double cycle = sickness->sick_seconds + sickness->well_seconds;
    int is_flapping = sickness->kind == SHARD__SICK_FLAPPING;
    host->is_sick = !is_flapping && shard__random_unit(&host->random) * cycle < sickness->sick_seconds;
    if (sickness->well_seconds <= 0) {
        host->is_sick = 1;
        return 0;
    }
    return next_own(sim, SHARD__SIM_SICKEN, at, host->is_sick ? sickness->sick_seconds : sickness->well_seconds);
}

int shard__sim_begin_lives(struct shard__sim *sim)
{
    const struct shard_scenario *scenario = sim->scenario;
    int status = add_volumes(sim);
    for (int32_t i = 0; i < sim->host_count && status == 0; i++) {
        status = begin_sickness(sim, i);
        if (status == 0)
            status = shard__sim_join(sim, i);
        if (status == 0 && scenario->preempt_seconds > 0)
            status = next_own(sim, SHARD__SIM_PREEMPT, i, scenario->preempt_seconds);
        if (status == 0 && scenario->load_mean > 0)
            status = next_own(sim, SHARD__SIM_LOAD, i, scenario->load_change_seconds);
    }
    /* A rack's luck is its first host's. */
    for (int32_t i = 0; i < sim->rack_count && status == 0 && scenario->outage_seconds > 0; i++)
        status = push(sim, SHARD__SIM_OUTAGE, i, 0,
                      shard__sim_exponential(&sim->hosts[i * scenario->rack_hosts].random, scenario->outage_seconds));
    if (status == 0)
        status = push(sim, SHARD__SIM_SAMPLES, 0, 0, 0);
    return status;
}

/* Takes a host away; in good order, or with all that runs there. */
static int go_away(struct shard__sim *sim, int32_t at, unsigned bit, double seconds)
{
    struct shard__sim_host *host = &sim->hosts[at];
    unsigned before = host->away;
    host->away |= bit;
    int status = push(sim, SHARD__SIM_RETURN, at, (int32_t)bit, seconds);
    if (before != 0 || status < 0)
        return status;
    sim->answered = 1;
    if (bit == SHARD__AWAY_PREEMPTED)
        return shard_engine_host_leave(sim->engine, host->id);
    shard__sim_lose_attempts(sim, at);
    return shard_engine_host_lost(sim->engine, host->id);
}

static int come_back(struct shard__sim *sim, int32_t at, unsigned bit)
{
    struct shard__sim_host *host = &sim->hosts[at];
    if ((host->away & bit) == 0)
        return 0;
    host->away &= ~bit;
    return host->away == 0 ? shard__sim_join(sim, at) : 0;
}

static int sicken(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_host *host = &sim->hosts[at];
    const struct shard__sickness *sickness = host->sickness;
    if (sickness->kind == SHARD__SICK_FLAPPING) {
        double down = shard__sim_exponential(&host->random, sickness->sick_seconds);
        int status = go_away(sim, at, SHARD__AWAY_FLAPPING, down);
        return status < 0 ? status
                          : push(sim, SHARD__SIM_SICKEN, at, 0,
                                 down + shard__sim_exponential(&host->random, sickness->well_seconds));
    }
    host->is_sick = !host->is_sick;
    if (host->is_sick)
        shard__sim_strike(sim, at);
    int status = shard__sim_retime(sim, at);
    return status < 0
               ? status
               : next_own(sim, SHARD__SIM_SICKEN, at, host->is_sick ? sickness->sick_seconds : sickness->well_seconds);
}

static int preempt(struct shard__sim *sim, int32_t at)
{
    const struct shard_scenario *scenario = sim->scenario;
    double away = shard__sim_exponential(&sim->hosts[at].random, scenario->away_seconds);
    int status = go_away(sim, at, SHARD__AWAY_PREEMPTED, away);
    return status < 0 ? status
                      : push(sim, SHARD__SIM_PREEMPT, at, 0,
                             away + shard__sim_exponential(&sim->hosts[at].random, scenario->preempt_seconds));
}

static int lose_rack(struct shard__sim *sim, int32_t rack)
{
    const struct shard_scenario *scenario = sim->scenario;
    int32_t first = rack * (int32_t)scenario->rack_hosts, status = 0;
    struct shard__random *random = &sim->hosts[first].random;
    double down = shard__sim_exponential(random, scenario->down_seconds);
    for (int32_t i = first; i < sim->host_count && i < first + scenario->rack_hosts && status == 0; i++)
        status = go_away(sim, i, SHARD__AWAY_OUTAGE, down);
    return status < 0
               ? status
               : push(sim, SHARD__SIM_OUTAGE, rack, 0, down + shard__sim_exponential(random, scenario->outage_seconds));
}

/* Others take another share of the host: uniform, with the mean of the scenario. */
static int change_load(struct shard__sim *sim, int32_t at)
{
    const struct shard_scenario *scenario = sim->scenario;
    double load = 2 * scenario->load_mean * shard__random_unit(&sim->hosts[at].random);
    sim->hosts[at].load = load < 0.95 ? load : 0.95;
    int status = shard__sim_retime(sim, at);
    return status < 0 ? status : next_own(sim, SHARD__SIM_LOAD, at, scenario->load_change_seconds);
}

int shard__sim_live(struct shard__sim *sim, const struct shard__sim_event *event)
{
    switch (event->kind) {
    case SHARD__SIM_SICKEN:
        return sicken(sim, event->subject);
    case SHARD__SIM_PREEMPT:
        return preempt(sim, event->subject);
    case SHARD__SIM_RETURN:
        return come_back(sim, event->subject, (unsigned)event->generation);
    case SHARD__SIM_OUTAGE:
        return lose_rack(sim, event->subject);
    case SHARD__SIM_LOAD:
        return change_load(sim, event->subject);
    case SHARD__SIM_SUBMIT:
    case SHARD__SIM_ATTEMPT:
    case SHARD__SIM_SAMPLES:
    case SHARD__SIM_STAGED:
        break;
    }
    return 0;
}
