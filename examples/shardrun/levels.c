/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders on the tasks of a workflow.
 */
#include "levels.h"

#include <stdlib.h>

#include "need.h"

struct task_ids task_successors(const shard_workflow *workflow, shard_task_id task)
{
    struct task_ids ids = {NULL, shard_workflow_successors(workflow, task, NULL, 0)};
    ids.items = need_zeroed((size_t)ids.count, sizeof *ids.items);
    shard_workflow_successors(workflow, task, ids.items, ids.count);
    return ids;
}

struct task_ids task_predecessors(const shard_workflow *workflow, shard_task_id task)
{
    struct task_ids ids = {NULL, shard_workflow_predecessors(workflow, task, NULL, 0)};
    ids.items = need_zeroed((size_t)ids.count, sizeof *ids.items);
    shard_workflow_predecessors(workflow, task, ids.items, ids.count);
    return ids;
}

/* Counts down the predecessors that are not in the order yet (Kahn 1962). */
int task_levels(const shard_workflow *workflow, int **ret_level, shard_task_id **ret_order)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(workflow, &whole);
    int *level = need_zeroed((size_t)whole.task_count, sizeof *level);
    int32_t *open = need_zeroed((size_t)whole.task_count, sizeof *open);
    shard_task_id *order = need_zeroed((size_t)whole.task_count, sizeof *order);
    int32_t tail = 0;
    int levels = 0;
    for (shard_task_id task = 0; task < whole.task_count; task++) {
        open[task] = shard_workflow_predecessors(workflow, task, NULL, 0);
        if (open[task] == 0)
            order[tail++] = task;
    }
    for (int32_t head = 0; head < tail; head++) {
        shard_task_id task = order[head];
        struct task_ids successors = task_successors(workflow, task);
        levels = level[task] >= levels ? level[task] + 1 : levels;
        for (int32_t i = 0; i < successors.count; i++) {
            shard_task_id to = successors.items[i];
            level[to] = level[to] <= level[task] ? level[task] + 1 : level[to];
            if (--open[to] == 0)
                order[tail++] = to;
        }
        free(successors.items);
    }
    free(open);
    *ret_level = level;
    *ret_order = order;
    return levels;
}
