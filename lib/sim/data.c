/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where data is in a simulated cluster, by what attempts have made and what was brought, not by what the engine thinks:
 * the data gate, seen from where attempts start. A part of a piece counts as the piece, and what a host takes with it
 * when it vanishes is not taken back: the engine is stricter.
 */

#include "base/error.h"
#include "sim/sim.h"

int32_t shard__sim_volume(const struct shard__sim *sim, int32_t host)
{
    const struct shard_scenario *scenario = sim->scenario;
    /* Volume 0 is common; the others are the racks' or the hosts', in order. */
    return scenario->volumes == SHARD__VOLUMES_RACK  ? 1 + (int32_t)(host / scenario->rack_hosts)
           : scenario->volumes == SHARD__VOLUMES_OWN ? 1 + host
                                                     : 0;
}

static uint64_t key_of(int32_t data, int32_t volume)
{
    return (uint64_t)(uint32_t)data << 31 | (uint64_t)(uint32_t)volume;
}

int shard__sim_data_is_on(struct shard__sim *sim, int32_t data, int32_t volume)
{
    return shard__intmap_set(sim->context, &sim->data_on, key_of(data, volume), 1);
}

int shard__sim_outputs_are_on(struct shard__sim *sim, int32_t task, int32_t host)
{
    const struct shard__csr *outputs = &sim->workflow->outputs;
    int status = 0;
    if (sim->scenario->volumes == SHARD__VOLUMES_SHARED)
        return 0; /* all is everywhere */
    for (int32_t i = 0; i < shard__csr_count(outputs, task) && status == 0; i++)
        status = shard__sim_data_is_on(sim, shard__csr_row(outputs, task)[i], shard__sim_volume(sim, host));
    return status;
}

int shard__sim_check_inputs(const struct shard__sim *sim, const struct shard_start *start)
{
    const struct shard__csr *inputs = &sim->workflow->inputs;
    if (sim->scenario->volumes == SHARD__VOLUMES_SHARED || start->is_merge) /* that reads what its parts have made */
        return 0;
    for (int32_t i = 0; i < shard__csr_count(inputs, start->workflow_task); i++) {
        int32_t data = shard__csr_row(inputs, start->workflow_task)[i];
        if (sim->workflow->data_producer[data] >= 0 &&
            shard__intmap_find(&sim->data_on, key_of(data, shard__sim_volume(sim, start->host))) < 0)
            return shard__fail(SHARD_ESTATE, "task '%s' starts on '%s', which mounts no volume with its input %d",
                               start->task_name, start->host_name, data);
    }
    return 0;
}
