/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy `adaptive` learns of memory and disk, and asks for. */

#include "adaptive.h"

/* Of the inputs of a task, the part that is its range's. */
static double size_of(const struct shard_view *view, int32_t task)
{
    int32_t origin = view->tasks->origin(view->run, task);
    double share = 1, whole = (double)view->workflow->expected_seconds[origin];
    if (origin != task && whole > 0)
        share = view->tasks->expected_seconds(view->run, task) / whole;
    return shard__view_input_bytes(view, origin) * share;
}

void shard__adaptive_learn_needs(struct shard__adaptive *policy, const struct shard_view *view,
                                 const struct shard__weighed *task, enum shard_outcome outcome)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    view->tasks->describe(view->run, task->task, &about);
    if (about.max_memory_bytes <= 0 && about.max_disk_bytes <= 0)
        return;
    struct shard__need_seen memory = {task->kind, size_of(view, task->task), about.memory_bytes,
                                      about.max_memory_bytes};
    struct shard__need_seen disk = {task->kind, memory.size, about.disk_bytes, about.max_disk_bytes};
    if (outcome == SHARD_OUTCOME_DONE) {
        shard__needs_done(&policy->needs, SHARD__NEEDS_MEMORY, &memory);
        shard__needs_done(&policy->needs, SHARD__NEEDS_DISK, &disk);
    } else if (outcome == SHARD_OUTCOME_OUT_OF_MEMORY) {
        shard__needs_ran_out(&policy->needs, SHARD__NEEDS_MEMORY, &memory);
    } else if (outcome == SHARD_OUTCOME_OUT_OF_DISK) {
        shard__needs_ran_out(&policy->needs, SHARD__NEEDS_DISK, &disk);
    }
}

void shard__adaptive_recall_needs(struct shard__adaptive *policy, const struct shard_view *view)
{
    for (int32_t task = 0; task < view->tasks->count(view->run); task++) {
        int64_t asked = view->tasks->need(view->run, task).memory_bytes;
        struct shard_task_view about = {.struct_size = sizeof(about)};
        if (asked == view->tasks->told(view->run, task).memory_bytes)
            continue;
        view->tasks->describe(view->run, task, &about);
        if (about.state != SHARD_TASK_DONE)
            continue;
        struct shard__need_seen seen = {shard__kinds_number(&policy->kinds, view, task), size_of(view, task), asked,
                                        (int64_t)((double)asked / SHARD__NEED_MARGIN)};
        shard__needs_done(&policy->needs, SHARD__NEEDS_MEMORY, &seen);
    }
}

void shard__adaptive_weigh_need(struct shard__adaptive *policy, const struct shard_view *view,
                                struct shard__weighed *task)
{
    const struct shard__need told = view->tasks->told(view->run, task->task);
    task->need = task->asked;
    if (task->kind >= policy->needs.kind_count)
        return;
    double size = size_of(view, task->task);
    task->need.memory_bytes = shard__needs_ask(&policy->needs, SHARD__NEEDS_MEMORY, task->kind, size, told.memory_bytes,
                                               task->asked.memory_bytes, task->failures > 0);
    task->need.disk_bytes = shard__needs_ask(&policy->needs, SHARD__NEEDS_DISK, task->kind, size, told.disk_bytes,
                                             task->asked.disk_bytes, task->failures > 0);
}

/* Of two hosts the one with more memory: as much as it has, or more than can be counted where that is not known. */
static int64_t memory_of(const struct shard__host *host)
{
    return host->capacity.memory_bytes == 0 ? INT64_MAX : host->capacity.memory_bytes;
}

int shard__adaptive_moderate_need(const struct shard_view *view, struct shard__weighed *task)
{
    const struct shard__need told = view->tasks->told(view->run, task->task);
    struct shard__need least = {task->need.cpu_millicores, told.memory_bytes, told.disk_bytes};
    const struct shard__host *largest = NULL;
    for (int32_t i = 0; i < view->cluster->host_count; i++) {
        const struct shard__host *host = &view->cluster->hosts[i];
        if (host->state >= SHARD_HOST_LEFT || !shard__host_could_hold(host, &least))
            continue;
        if (shard__host_could_hold(host, &task->need))
            return 0;
        if (largest == NULL || memory_of(host) > memory_of(largest))
            largest = host;
    }
    if (largest == NULL)
        return 0;
    if (task->need.memory_bytes > memory_of(largest))
        task->need.memory_bytes = largest->capacity.memory_bytes;
    if (largest->capacity.disk_bytes > 0 && task->need.disk_bytes > largest->capacity.disk_bytes)
        task->need.disk_bytes = largest->capacity.disk_bytes;
    return 1;
}
