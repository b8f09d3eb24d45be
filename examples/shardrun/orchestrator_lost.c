/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the outputs that a run has lost while nobody looked.
 */
#include <stdlib.h>

#include "files.h"
#include "orchestrator.h"

/* The volume of the host that made a task's outputs; -1: its host has not come back. */
static shard_volume_id volume_of(const struct orchestrator *orchestrator, shard_task_id task, const char **ret_name)
{
    struct shard_task_view view = {.struct_size = sizeof view};
    struct shard_host_view host = {.struct_size = sizeof host};
    if (shard_engine_task(orchestrator->engine, orchestrator->run, task, &view) < 0 || view.state != SHARD_TASK_DONE ||
        view.host < 0 || shard_engine_host(orchestrator->engine, view.host, &host) < 0)
        return -1;
    int index = host_list_find(&orchestrator->options->hosts, host.name);
    if (index < 0)
        return -1;
    *ret_name = work_volume_of(&orchestrator->work, host.name);
    return orchestrator->volumes[index];
}

void orchestrator_find_lost(struct orchestrator *orchestrator)
{
    const shard_workflow *workflow = orchestrator->show.workflow;
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    int lost = 0;
    shard_workflow_describe(workflow, &whole);
    for (shard_data_id data = 0; data < whole.data_count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        const char *name = COMMON_VOLUME;
        shard_workflow_data(workflow, data, &info);
        shard_volume_id volume = info.producer >= 0 ? volume_of(orchestrator, info.producer, &name) : -1;
        if (volume < 0)
            continue;
        char *path = work_made_path(&orchestrator->work, name, info.name);
        if (!path_exists(path)) {
            lost++;
            shard_engine_data_is_lost(orchestrator->engine, orchestrator->run, data, volume);
        }
        free(path);
    }
    if (lost > 0)
        show_line(&orchestrator->show,
                  "warning: %d outputs of tasks that were done are gone; those that are needed are "
                  "made again",
                  lost);
}
