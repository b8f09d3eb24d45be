/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LEVELS_H
#define SHARDRUN_LEVELS_H

/* Orders on the tasks of a workflow, for pictures and sums along paths. */

#include <shard/workflow.h>

/* The direct successors or predecessors of a task; free(ids.items). */
struct task_ids {
    shard_task_id *items;
    int32_t count;
};

struct task_ids task_successors(const shard_workflow *workflow, shard_task_id task);
struct task_ids task_predecessors(const shard_workflow *workflow, shard_task_id task);

/*
 * The level of each task, which is the number of tasks before it on the longest path that leads to it, and the tasks in
 * an order in which each comes after its predecessors. Returns the number of levels; free both arrays.
 */
int task_levels(const shard_workflow *workflow, int **ret_level, shard_task_id **ret_order);

#endif
