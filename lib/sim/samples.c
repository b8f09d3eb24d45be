/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts report: how busy they are, with noise, and the signs of their sickness as far as the scenario lets them
 * show. A decoy looks half as sick as a sick host does and is well.
 */

#include "base/context.h"
#include "sim/sim.h"

struct signs {
    double memory, disk, cpu_pressure, memory_pressure, io_pressure, load, heat;
};

static const struct signs signs_of[] = {
    [SHARD__SICK_FAILING] = {0, 0, 0.1, 0, 0.3, 1, 12}, [SHARD__SICK_SLOW] = {0, 0, 0.5, 0, 0, 4, 20},
    [SHARD__SICK_MEMORY] = {0.5, 0, 0, 0.5, 0.1, 1, 0}, [SHARD__SICK_DISK] = {0, 0.5, 0, 0, 0.4, 1, 0},
    [SHARD__SICK_FLAPPING] = {0, 0, 0, 0, 0, 0, 8},
};

/* Near enough to normal, and quick: the sum of three uniform numbers. */
static double noise(struct shard__sim *sim)
{
    uint64_t bits = shard__random_next(&sim->random);
    double sum = (double)(bits & 0x1fffff) + (double)((bits >> 21) & 0x1fffff) + (double)(bits >> 43);
    return (sum * 0x1p-21 - 1.5) * 2 * sim->scenario->sample_noise;
}

static double share(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static int sample(struct shard__sim *sim, int32_t at)
{
    const struct shard__sim_host *host = &sim->hosts[at];
    const struct shard_scenario *scenario = sim->scenario;
    struct signs signs = {0};
    double strength = host->is_decoy ? scenario->sample_signal / 2 : scenario->sample_signal;
    if (host->is_sick)
        signs = signs_of[host->sickness->kind];
    else if (host->is_decoy)
        signs = signs_of[at % SHARD__SICK_FLAPPING];
    else
        strength = 0;
    double busy = (double)host->running / (double)scenario->slots, pressed = busy + host->load - 1;
    struct shard_sample report = {
        .struct_size = sizeof(report),
        .time_ns = shard__wall_ns(sim->context),
        .cpu_share = share(busy * (1 - host->load) + host->load + noise(sim)),
        .memory_share =
            share(0.1 + host->memory_used / (double)scenario->memory_bytes + strength * signs.memory + noise(sim)),
        .disk_share = share(0.3 + 0.002 * (at % 100) + strength * signs.disk + noise(sim)),
        .io_bytes_per_second = 1e6 * (1 + busy * 20 * share(1 + noise(sim))),
        .network_bytes_per_second = 1e6 * (1 + busy * 5 * share(1 + noise(sim))),
        .cpu_pressure = share((pressed > 0 ? pressed : 0) + strength * signs.cpu_pressure + noise(sim)),
        .memory_pressure = share(strength * signs.memory_pressure + noise(sim)),
        .io_pressure = share(0.05 + strength * signs.io_pressure + noise(sim)),
        .load = host->running + host->load * (double)scenario->slots + strength * signs.load,
        .temperature_celsius = 45 + 15 * busy + strength * signs.heat + 40 * noise(sim),
    };
    return shard_engine_host_sample(sim->engine, host->id, &report);
}

int shard__sim_samples(struct shard__sim *sim)
{
    int status = 0;
    for (int32_t i = 0; i < sim->host_count && status == 0; i++) {
        if (sim->hosts[i].away != 0)
            continue;
        status = sample(sim, i);
        if (sim->hosts[i].running > 0)
            shard__sim_tell_progress(sim, i);
    }
    struct shard__sim_event event = {.kind = SHARD__SIM_SAMPLES};
    sim->answered = 1;
    return status < 0 ? status : shard__sim_push(sim, sim->scenario->sample_seconds, &event);
}
