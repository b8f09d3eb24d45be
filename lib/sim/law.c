/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of tasks and hosts, and how likely an attempt fails: what policies can only guess at. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "sim/sim.h"

/* What shard_sim_tile() left in the payload; else drawn from the name. */
static int64_t need_of(const struct shard__sim *sim, const struct shard_task_info *info)
{
    const struct shard_scenario *scenario = sim->scenario;
    double need = 0;
    if (info->payload_bytes > 5 && info->payload_bytes < 32 && memcmp(info->payload, "need=", 5) == 0) {
        char text[32] = {0};
        memcpy(text, (const char *)info->payload + 5, info->payload_bytes - 5);
        need = strtod(text, NULL);
    }
    if (!(need > 0))
        need = (double)scenario->memory_median_bytes *
               exp(scenario->memory_spread * shard__sim_normal(shard__hash_bytes(info->name, strlen(info->name))));
    double most = 0.8 * (double)scenario->memory_bytes; /* every task fits on some host */
    return (int64_t)(need < most ? need : most);
}

int shard__sim_draw_tasks(struct shard__sim *sim)
{
    struct shard_workflow_info whole = {.struct_size = sizeof(whole)};
    shard_workflow_describe(sim->workflow, &whole);
    sim->task_count = whole.task_count;
    sim->kind_count = whole.kind_count;
    sim->tasks = shard__zalloc(sim->context, sizeof(*sim->tasks) * (size_t)(whole.task_count + 1));
    sim->kinds = shard__zalloc(sim->context, sizeof(*sim->kinds) * (size_t)(whole.kind_count + 1));
    if (sim->tasks == NULL || sim->kinds == NULL)
        return SHARD_ENOMEM;
    double sigma = sim->scenario->noise, spread = sim->scenario->kind_spread, sum = 0;
    for (int32_t i = 0; i < whole.task_count; i++) {
        struct shard_task_info info = {.struct_size = sizeof(info)};
        shard_workflow_task(sim->workflow, i, &info);
        double seconds = info.expected_seconds >= 0 ? info.expected_seconds : 60;
        uint64_t key = shard__sim_mix(sim->seed, (uint64_t)i + 1);
        uint64_t kind = shard__sim_mix(sim->seed, shard__hash_bytes(info.kind, strlen(info.kind)));
        sim->tasks[i] = (struct shard__sim_task){
            .work_seconds = (float)(seconds * exp(sigma * shard__sim_normal(key) - sigma * sigma / 2)),
            .frailty = (float)exp(spread * shard__sim_normal(kind)),
            .need_bytes = need_of(sim, &info),
        };
        struct shard__sim_kind *of_kind = &sim->kinds[info.kind_id];
        double need = (double)sim->tasks[i].need_bytes;
        of_kind->frailty = (double)sim->tasks[i].frailty;
        of_kind->most_bytes = fmax(of_kind->most_bytes, need);
        of_kind->least_bytes = of_kind->least_bytes > 0 ? fmin(of_kind->least_bytes, need) : need;
        sum += (double)sim->tasks[i].work_seconds;
    }
    sim->mean_work = whole.task_count > 0 && sum > 0 ? sum / whole.task_count : 1;
    return 0;
}

/* Sicknesses are dealt out by lot, each to its share of the hosts, rounded. */
static void deal_sicknesses(struct shard__sim *sim, int32_t *order)
{
    struct shard__random random;
    shard__random_seed(&random, shard__sim_mix(sim->seed, 0x51c7));
    for (int32_t i = 0; i < sim->host_count; i++) {
        int32_t at = (int32_t)(shard__random_next(&random) % (uint64_t)(i + 1));
        order[i] = order[at];
        order[at] = i;
    }
    double until = 0;
    int32_t next = 0;
    for (int32_t s = 0; s < sim->scenario->sickness_count; s++) {
        const struct shard__sickness *sickness = &sim->scenario->sicknesses[s];
        until += sickness->share * sim->host_count;
        for (; next < sim->host_count && next < (int32_t)floor(until + 0.5); next++) {
            sim->hosts[order[next]].sickness = sickness;
            sim->result.sick_hosts++;
        }
    }
    for (int32_t i = 0; next < sim->host_count && i < (int32_t)(sim->scenario->decoys * sim->host_count); i++, next++)
        sim->hosts[order[next]].is_decoy = 1;
}

int shard__sim_draw_hosts(struct shard__sim *sim)
{
    const struct shard_scenario *scenario = sim->scenario;
    sim->host_count = sim->config->hosts > 0 ? sim->config->hosts : (int32_t)scenario->host_count;
    sim->rack_count = (int32_t)((sim->host_count + scenario->rack_hosts - 1) / scenario->rack_hosts);
    sim->hosts = shard__zalloc(sim->context, sizeof(*sim->hosts) * (size_t)sim->host_count);
    int32_t *order = shard__zalloc(sim->context, sizeof(*order) * (size_t)sim->host_count);
    if (sim->hosts == NULL || order == NULL) {
        shard__release(sim->context, order, sizeof(*order) * (size_t)sim->host_count);
        return SHARD_ENOMEM;
    }
    for (int32_t i = 0; i < sim->host_count; i++) {
        struct shard__sim_host *host = &sim->hosts[i];
        shard__random_seed(&host->random, shard__sim_mix(sim->seed, 0x100000000u + (uint64_t)i));
        host->speed = scenario->speed_min * pow(scenario->speed_max / scenario->speed_min,
                                                shard__random_unit(&host->random)); /* uniform in the logarithm */
        host->first_attempt = -1;
        host->id = -1;
        if (scenario->load_mean > 0)
            host->load = 2 * scenario->load_mean * shard__random_unit(&host->random);
    }
    deal_sicknesses(sim, order);
    shard__release(sim->context, order, sizeof(*order) * (size_t)sim->host_count);
    return 0;
}

double shard__sim_p_fail(double p_fail, double by_size, double frailty, double work, double mean_work)
{
    double size = work / mean_work;
    size = size > 4 ? 4 : size;
    return 1 - pow(1 - p_fail, frailty * (1 - by_size + by_size * size));
}

double shard__sim_risk(const struct shard__sim *sim, const struct shard__sim_host *host, double frailty, double work)
{
    const struct shard__sickness *sickness = host->sickness;
    double p_well = 1 - shard__sim_p_fail(sim->scenario->p_fail, 1, frailty, work, sim->mean_work);
    if (host->is_sick && sickness->p_fail > 0)
        p_well *= 1 - shard__sim_p_fail(sickness->p_fail, sickness->by_size, frailty, work, sim->mean_work);
    return 1 - p_well;
}

double shard__sim_rate(const struct shard__sim_host *host)
{
    double rate = host->speed * (1 - host->load);
    if (host->is_sick)
        rate *= host->sickness->speed;
    return rate > 1e-3 ? rate : 1e-3;
}

double shard__sim_lower_bound(const struct shard__sim *sim)
{
    struct shard_workflow_info whole = {.struct_size = sizeof(whole)};
    shard_workflow_describe(sim->workflow, &whole);
    double fastest = 0, sum = 0;
    for (int32_t i = 0; i < sim->host_count; i++) {
        sum += sim->hosts[i].speed * (double)sim->scenario->slots;
        fastest = fmax(fastest, sim->hosts[i].speed);
    }
    return fmax(whole.critical_path_seconds / fastest, whole.total_seconds / sum);
}
