/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts out recorded workflows: the scaled workflow.
 */
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const int64_t most_bytes_of_all_files = INT64_C(1) << 30;
/* Asked for beyond what a task holds, for the program itself: what is asked for is the limit that its container gets.
 */
static const int64_t memory_beside_held = INT64_C(16) << 20;

struct scaling {
    const shard_workflow *recorded;
    const struct run_options *options;
    shard_builder *builder;
    double size_scale;
    int64_t largest_memory; /* of a host; 0: one has no limit */
    int64_t largest_cpu;
};

/* What was recorded of one task. */
struct recording {
    double seconds;
    double cpu_seconds;
    int64_t memory_bytes;
};

static double number_of(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) && json_number_value(value) >= 0 ? json_number_value(value) : otherwise;
}

/* What the payload does not say is taken from what the task asks for. */
static struct recording recording_of(const struct payload *payload, const struct shard_task_info *info)
{
    struct recording recording;
    double expected = isnan(info->expected_seconds) ? 0 : info->expected_seconds;
    recording.seconds = number_of(payload->replay, "runtime_seconds", expected);
    recording.cpu_seconds = recording.seconds * number_of(payload->replay, "cpu_percent", 100) / 100;
    recording.memory_bytes = (int64_t)number_of(payload->replay, "memory_bytes", (double)info->memory_bytes);
    return recording;
}

static int64_t largest(const struct host_list *hosts, bool memory)
{
    int64_t most = 0;
    for (int i = 0; i < hosts->count; i++) {
        int64_t here = memory ? hosts->items[i].memory_bytes : hosts->items[i].cpu_millicores;
        if (here == 0)
            return 0;
        most = here > most ? here : most;
    }
    return most;
}

static int add_task(const struct scaling *scaling, const struct shard_task_info *info, const struct payload *payload,
                    char **ret_problem)
{
    struct recording recording = recording_of(payload, info);
    double scale = scaling->options->replay_scale;
    double memory_scale = scale > 0 ? scaling->options->replay_memory_scale : 0;
    int64_t held = (int64_t)((double)recording.memory_bytes * memory_scale);
    int64_t memory = held > 0 ? held + memory_beside_held : 0;
    int64_t cpu = info->cpu_millicores;
    if (scaling->largest_memory > 0 && memory > scaling->largest_memory) {
        *ret_problem =
            need_printf("task '%s' needs %.0f MiB, as recorded, and the largest host has %.0f; use "
                        "fewer or larger hosts (--hosts), or --replay-memory-scale %.2g",
                        info->name, (double)memory / 1048576, (double)scaling->largest_memory / 1048576,
                        floor(99.0 * (double)scaling->largest_memory / (double)recording.memory_bytes) / 100);
        return -1;
    }
    if (scaling->largest_cpu > 0 && cpu > scaling->largest_cpu)
        cpu = scaling->largest_cpu;
    json_t *root = json_pack("{s:{s:f,s:f,s:I}}", "replay", "wall_seconds", recording.seconds * scale, "cpu_seconds",
                             recording.cpu_seconds * scale, "hold_bytes", (json_int_t)held);
    char *bytes = json_dumps(root, JSON_COMPACT);
    struct shard_task_spec spec = {.struct_size = sizeof spec,
                                   .name = info->name,
                                   .kind = info->kind,
                                   .payload = bytes,
                                   .payload_bytes = bytes != NULL ? strlen(bytes) : 0,
                                   .cpu_millicores = cpu,
                                   .memory_bytes = memory,
                                   .expected_seconds = recording.seconds * scale,
                                   .failure_cost_seconds = info->failure_cost_seconds,
                                   .priority = info->priority,
                                   .max_attempts = info->max_attempts,
                                   .units = info->units,
                                   .min_units = info->min_units,
                                   .parts = info->parts,
                                   /* What parts write has to be put together. */
                                   .has_merge = info->units > 1 && info->output_count > 0};
    int status = shard_builder_add_task(scaling->builder, &spec);
    free(bytes);
    json_decref(root);
    if (status < 0)
        *ret_problem = need_printf("task '%s' cannot be scaled: %s", info->name, shard_code_text(status));
    return status < 0 ? -1 : 0;
}

static int add_tasks(const struct scaling *scaling, int32_t count, char **ret_problem)
{
    int status = 0;
    for (shard_task_id task = 0; status == 0 && task < count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        struct payload payload;
        shard_workflow_task(scaling->recorded, task, &info);
        status = payload_read(info.payload, info.payload_bytes, &payload, ret_problem);
        if (status == 0)
            status = add_task(scaling, &info, &payload, ret_problem);
        payload_clear(&payload);
    }
    return status;
}

static int64_t scaled_bytes(const struct scaling *scaling, int64_t bytes)
{
    double scaled = bytes > 0 ? (double)bytes * scaling->size_scale : 0;
    return scaled < 1 ? 1 : (int64_t)scaled;
}

static int add_data(const struct scaling *scaling, int32_t count)
{
    int status = 0;
    for (shard_data_id data = 0; status >= 0 && data < count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(scaling->recorded, data, &info);
        status = shard_builder_add_data(scaling->builder, info.name, scaled_bytes(scaling, info.bytes));
    }
    return status < 0 ? status : 0;
}

typedef int32_t (*list_fn)(const shard_workflow *, shard_task_id, int32_t *, int32_t);
typedef int (*add_fn)(shard_builder *, shard_task_id, int32_t);

static int add_predecessor(shard_builder *builder, shard_task_id task, shard_task_id predecessor)
{
    return shard_builder_add_edge(builder, predecessor, task);
}

static int copy_list(const struct scaling *scaling, shard_task_id task, list_fn list, add_fn add)
{
    int32_t count = list(scaling->recorded, task, NULL, 0);
    int32_t *ids = need_zeroed((size_t)(count > 0 ? count : 0), sizeof *ids);
    int status = 0;
    list(scaling->recorded, task, ids, count);
    for (int32_t i = 0; status >= 0 && i < count; i++)
        status = add(scaling->builder, task, ids[i]);
    free(ids);
    return status < 0 ? status : 0;
}

static int copy_relations(const struct scaling *scaling, int32_t count)
{
    int status = 0;
    for (shard_task_id task = 0; status == 0 && task < count; task++) {
        status = copy_list(scaling, task, shard_workflow_predecessors, add_predecessor);
        if (status == 0)
            status = copy_list(scaling, task, shard_workflow_inputs, shard_builder_add_input);
        if (status == 0)
            status = copy_list(scaling, task, shard_workflow_outputs, shard_builder_add_output);
    }
    return status;
}

static double size_scale_of(const shard_workflow *recorded, int32_t count, double scale, int64_t free_bytes)
{
    double total = 0;
    double most = (double)(free_bytes / 4 < most_bytes_of_all_files ? free_bytes / 4 : most_bytes_of_all_files);
    for (shard_data_id data = 0; data < count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(recorded, data, &info);
        total += info.bytes > 0 ? (double)info.bytes * scale : 0;
    }
    if (total <= most)
        return scale;
    cli_warning("the files of the replay would take %.1f GiB; their sizes are scaled by another %.2g", total / 0x1p30,
                most / total);
    return scale * most / total;
}

int replay_scale(shard_context *context, const shard_workflow *recorded, const struct run_options *options,
                 int64_t free_bytes, shard_workflow **ret_scaled, char **ret_problem)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(recorded, &whole);
    struct scaling scaling = {
        .recorded = recorded,
        .options = options,
        .size_scale = size_scale_of(recorded, whole.data_count, options->replay_scale, free_bytes),
        .largest_memory = largest(&options->hosts, true),
        .largest_cpu = largest(&options->hosts, false),
    };
    int status = shard_builder_new(context, whole.name, &scaling.builder);
    if (status == 0)
        status = add_tasks(&scaling, whole.task_count, ret_problem);
    if (status == 0)
        status = add_data(&scaling, whole.data_count);
    if (status == 0)
        status = copy_relations(&scaling, whole.task_count);
    if (status == 0)
        status = shard_builder_seal(scaling.builder, ret_scaled);
    if (status < 0 && *ret_problem == NULL)
        *ret_problem = need_printf("the workflow cannot be scaled: %s", shard_code_text(status));
    shard_builder_free(scaling.builder);
    return status < 0 ? -1 : 0;
}
