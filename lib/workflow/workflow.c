/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed workflow's life and what it tells. Nothing here changes a workflow but its count of references. */

#include <string.h>

#include "base/error.h"

#include "graph.h"
#include "names.h"
#include "workflow.h"

static uint64_t payload_total(const struct shard_workflow *workflow)
{
    return workflow->payload_offsets == NULL ? 0 : workflow->payload_offsets[workflow->task_count];
}

/* Frees a workflow, also a half-made one whose columns are still its builder's. */
static void free_workflow(struct shard_workflow *workflow)
{
    shard_context *context = workflow->context;
    size_t tasks = (size_t)workflow->task_count, data = (size_t)workflow->data_count;
    shard__strfree(context, workflow->name);
    shard__names_free(context, &workflow->task_names, workflow->task_count);
    shard__names_free(context, &workflow->data_names, workflow->data_count);
    shard__names_free(context, &workflow->kind_names, workflow->kind_count);
    shard__release(context, workflow->profiles, (size_t)workflow->profile_count * sizeof(*workflow->profiles));
    shard__release(context, workflow->profile_of, tasks * sizeof(*workflow->profile_of));
    shard__release(context, workflow->expected_seconds, tasks * sizeof(*workflow->expected_seconds));
    shard__release(context, workflow->rank_seconds, tasks * sizeof(*workflow->rank_seconds));
    shard__release(context, workflow->units, tasks * sizeof(*workflow->units));
    shard__release(context, workflow->payloads, payload_total(workflow));
    shard__release(context, workflow->payload_offsets, (tasks + 1) * sizeof(*workflow->payload_offsets));
    shard__csr_free(context, &workflow->successors, workflow->task_count);
    shard__csr_free(context, &workflow->predecessors, workflow->task_count);
    shard__csr_free(context, &workflow->inputs, workflow->task_count);
    shard__csr_free(context, &workflow->outputs, workflow->task_count);
    shard__csr_free(context, &workflow->consumers, workflow->data_count);
    shard__release(context, workflow->data_bytes, data * sizeof(*workflow->data_bytes));
    shard__release(context, workflow->data_producer, data * sizeof(*workflow->data_producer));
    shard__release(context, workflow, sizeof(*workflow));
}

shard_workflow *shard_workflow_ref(shard_workflow *workflow)
{
    atomic_fetch_add_explicit(&workflow->references, 1, memory_order_relaxed);
    return workflow;
}

void shard_workflow_unref(shard_workflow *workflow)
{
    if (workflow != NULL && atomic_fetch_sub_explicit(&workflow->references, 1, memory_order_acq_rel) == 1)
        free_workflow(workflow);
}

static int check_task(const shard_workflow *workflow, shard_task_id task)
{
    if (task < 0 || task >= workflow->task_count)
        return shard__fail(SHARD_ENOENT, "workflow '%s' has no task %d, expected 0 to %d", workflow->name, task,
                           workflow->task_count - 1);
    return 0;
}

int shard_workflow_task(const shard_workflow *workflow, shard_task_id task, struct shard_task_info *ret_info)
{
    shard__clear_error();
    int status = check_task(workflow, task);
    if (status < 0)
        return status;
    const struct shard__profile *profile = shard__workflow_profile(workflow, task);
    struct shard_task_info info = {
        .name = shard__workflow_task_name(workflow, task),
        .kind = shard__names_at(&workflow->kind_names, profile->kind),
        .cpu_millicores = profile->cpu_millicores,
        .memory_bytes = profile->memory_bytes,
        .disk_bytes = profile->disk_bytes,
        .expected_seconds = (double)workflow->expected_seconds[task],
        .failure_cost_seconds = profile->failure_cost_seconds,
        .timeout_seconds = profile->timeout_seconds,
        .priority = profile->priority,
        .max_attempts = profile->max_attempts,
        .units = shard__workflow_units(workflow, task),
        .min_units = profile->min_units,
        .parts = profile->parts,
        .has_merge = profile->has_merge,
        .rank_seconds = (double)workflow->rank_seconds[task],
        .kind_id = profile->kind,
        .predecessor_count = shard__csr_count(&workflow->predecessors, task),
        .successor_count = shard__csr_count(&workflow->successors, task),
        .input_count = shard__csr_count(&workflow->inputs, task),
        .output_count = shard__csr_count(&workflow->outputs, task),
    };
    info.payload = shard__workflow_payload(workflow, task, &info.payload_bytes);
    return shard__give_struct(ret_info, &info, sizeof(info), "task info");
}

static int32_t copy_row(const shard_workflow *workflow, const struct shard__csr *csr, shard_task_id task,
                        int32_t *ret_ids, int32_t capacity)
{
    shard__clear_error();
    int status = check_task(workflow, task);
    if (status < 0)
        return status;
    int32_t count = shard__csr_count(csr, task);
    int32_t copied = count < capacity ? count : capacity;
    if (copied > 0)
        memcpy(ret_ids, shard__csr_row(csr, task), (size_t)copied * sizeof(*ret_ids));
    return count;
}

int32_t shard_workflow_predecessors(const shard_workflow *workflow, shard_task_id task, shard_task_id *ret_ids,
                                    int32_t capacity)
{
    return copy_row(workflow, &workflow->predecessors, task, ret_ids, capacity);
}

int32_t shard_workflow_successors(const shard_workflow *workflow, shard_task_id task, shard_task_id *ret_ids,
                                  int32_t capacity)
{
    return copy_row(workflow, &workflow->successors, task, ret_ids, capacity);
}

int32_t shard_workflow_inputs(const shard_workflow *workflow, shard_task_id task, shard_data_id *ret_ids,
                              int32_t capacity)
{
    return copy_row(workflow, &workflow->inputs, task, ret_ids, capacity);
}

int32_t shard_workflow_outputs(const shard_workflow *workflow, shard_task_id task, shard_data_id *ret_ids,
                               int32_t capacity)
{
    return copy_row(workflow, &workflow->outputs, task, ret_ids, capacity);
}

int shard_workflow_data(const shard_workflow *workflow, shard_data_id data, struct shard_data_info *ret_info)
{
    shard__clear_error();
    if (data < 0 || data >= workflow->data_count)
        return shard__fail(SHARD_ENOENT, "workflow '%s' has no data %d, expected 0 to %d", workflow->name, data,
                           workflow->data_count - 1);
    const struct shard_data_info info = {
        .name = shard__names_at(&workflow->data_names, data),
        .bytes = workflow->data_bytes[data],
        .producer = workflow->data_producer[data],
        .consumer_count = shard__csr_count(&workflow->consumers, data),
    };
    return shard__give_struct(ret_info, &info, sizeof(info), "data info");
}

static size_t memory_bytes(const struct shard_workflow *workflow)
{
    size_t tasks = (size_t)workflow->task_count, data = (size_t)workflow->data_count;
    size_t bytes = sizeof(*workflow) + strlen(workflow->name) + 1;
    bytes += shard__names_memory(&workflow->task_names, workflow->task_count);
    bytes += shard__names_memory(&workflow->data_names, workflow->data_count);
    bytes += shard__names_memory(&workflow->kind_names, workflow->kind_count);
    bytes += (size_t)workflow->profile_count * sizeof(*workflow->profiles);
    bytes +=
        tasks * (sizeof(*workflow->profile_of) + sizeof(*workflow->expected_seconds) + sizeof(*workflow->rank_seconds));
    bytes += workflow->units == NULL ? 0 : tasks * sizeof(*workflow->units);
    bytes += workflow->payload_offsets == NULL ? 0 : (tasks + 1) * sizeof(*workflow->payload_offsets);
    bytes += payload_total(workflow);
    bytes += shard__csr_memory(&workflow->successors, workflow->task_count);
    bytes += shard__csr_memory(&workflow->predecessors, workflow->task_count);
    bytes += shard__csr_memory(&workflow->inputs, workflow->task_count);
    bytes += shard__csr_memory(&workflow->outputs, workflow->task_count);
    bytes += shard__csr_memory(&workflow->consumers, workflow->data_count);
    bytes += data * (sizeof(*workflow->data_bytes) + sizeof(*workflow->data_producer));
    return bytes;
}

int shard_workflow_describe(const shard_workflow *workflow, struct shard_workflow_info *ret_info)
{
    shard__clear_error();
    const struct shard_workflow_info info = {
        .name = workflow->name,
        .task_count = workflow->task_count,
        .data_count = workflow->data_count,
        .kind_count = workflow->kind_count,
        .edge_count = workflow->edge_count,
        .critical_path_seconds = workflow->critical_path_seconds,
        .total_seconds = workflow->total_seconds,
        .memory_bytes = memory_bytes(workflow),
    };
    return shard__give_struct(ret_info, &info, sizeof(info), "workflow info");
}

shard_task_id shard_workflow_find_task(const shard_workflow *workflow, const char *name)
{
    shard__clear_error();
    int32_t id =
        name == NULL ? -1 : shard__names_find(&workflow->task_names, workflow->task_count, 1, name, strlen(name));
    if (id < 0)
        return shard__fail(SHARD_ENOENT, "workflow '%s' has no task '%s'", workflow->name, name == NULL ? "" : name);
    return id;
}

shard_data_id shard_workflow_find_data(const shard_workflow *workflow, const char *name)
{
    shard__clear_error();
    int32_t id =
        name == NULL ? -1 : shard__names_find(&workflow->data_names, workflow->data_count, 0, name, strlen(name));
    if (id < 0)
        return shard__fail(SHARD_ENOENT, "workflow '%s' has no data '%s'", workflow->name, name == NULL ? "" : name);
    return id;
}

const char *shard_workflow_kind_name(const shard_workflow *workflow, int32_t kind_id)
{
    return kind_id < 0 || kind_id >= workflow->kind_count ? NULL : shard__names_at(&workflow->kind_names, kind_id);
}
