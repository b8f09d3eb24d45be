/* SPDX-License-Identifier: Apache-2.0 */
/* The workflows of simulations: copies of one side by side, with what a record of a real run does not say; and bags. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "sim/sim.h"

/* Memory that a WfFormat record says was used; 0: it does not. */
static double recorded_bytes(const struct shard_task_info *info)
{
    static const char key[] = "\"memory_bytes\":";
    const char *payload = info->payload;
    for (size_t i = 0; payload != NULL && i + sizeof(key) < info->payload_bytes; i++)
        if (memcmp(payload + i, key, sizeof(key) - 1) == 0) {
            char digits[32] = {0};
            size_t left = info->payload_bytes - i - (sizeof(key) - 1);
            memcpy(digits, payload + i + sizeof(key) - 1, left < 31 ? left : 31);
            return strtod(digits, NULL);
        }
    return 0;
}

struct tiler {
    const struct shard_scenario *scenario;
    const shard_workflow *from;
    shard_builder *builder;
    int32_t task_count, data_count, kind_count;
    double *asked; /* bytes, by kind */
};

static double median_of_kind(const struct shard_scenario *scenario, const char *kind)
{
    uint64_t key = shard__hash_bytes(kind, strlen(kind));
    return (double)scenario->memory_median_bytes * exp(scenario->memory_spread * shard__sim_normal(key));
}

/* What a task needs: as recorded, or drawn: three quarters of the spread are between kinds, and can be learned. */
static double need_of(const struct shard_scenario *scenario, const struct shard_task_info *info)
{
    double need = recorded_bytes(info), most = 0.8 * (double)scenario->memory_bytes;
    if (!(need > 0)) {
        uint64_t key = shard__hash_bytes(info->name, strlen(info->name));
        need = median_of_kind(scenario, info->kind) * exp(scenario->memory_spread * 0.3 * shard__sim_normal(key));
    }
    return need < most ? need : most;
}

/* Users ask for each kind what its largest task needs, times how careful they are. */
static int ask_for_kinds(struct tiler *tiler)
{
    const struct shard_scenario *scenario = tiler->scenario;
    tiler->asked = shard__zalloc(scenario->context, sizeof(*tiler->asked) * (size_t)(tiler->kind_count + 1));
    if (tiler->asked == NULL)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < tiler->task_count; i++) {
        struct shard_task_info info = {.struct_size = sizeof(info)};
        shard_workflow_task(tiler->from, i, &info);
        tiler->asked[info.kind_id] = fmax(tiler->asked[info.kind_id], need_of(scenario, &info));
    }
    for (int32_t i = 0; i < tiler->kind_count; i++) {
        static const double STEP = 64 << 20;
        const char *kind = shard_workflow_kind_name(tiler->from, i);
        uint64_t key = shard__sim_mix(shard__hash_bytes(kind, strlen(kind)), 0xa5c);
        double asked = tiler->asked[i] * scenario->request * exp(scenario->request_spread * shard__sim_normal(key));
        tiler->asked[i] = fmin(ceil(asked / STEP) * STEP, (double)scenario->memory_bytes);
    }
    return 0;
}

static void fill_units(const struct shard_scenario *scenario, struct shard_task_spec *spec)
{
    uint64_t kind = shard__hash_bytes(spec->kind, strlen(spec->kind));
    if (spec->units > 1 || shard__sim_unit(shard__sim_mix(kind, 0xd1f)) >= scenario->divisible)
        return;
    double units = ceil(spec->expected_seconds / scenario->unit_seconds);
    if (units >= 2) {
        spec->units = (int64_t)(units < 1e6 ? units : 1e6);
        spec->has_merge = 1;
    }
}

static int add_task(struct tiler *tiler, int32_t copy, int32_t task)
{
    char name[SHARD_MAX_NAME_BYTES + 1], payload[32];
    struct shard_task_info info = {.struct_size = sizeof(info)};
    shard_workflow_task(tiler->from, task, &info);
    snprintf(name, sizeof(name), "%d/%.1000s", copy, info.name);
    struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                   .name = name,
                                   .kind = info.kind,
                                   .payload = payload,
                                   .cpu_millicores = 1000,
                                   .expected_seconds = info.expected_seconds >= 0 ? info.expected_seconds : 60,
                                   .failure_cost_seconds = info.failure_cost_seconds,
                                   .priority = info.priority,
                                   .units = info.units,
                                   .min_units = info.min_units,
                                   .has_merge = info.has_merge,
                                   .zero_seconds_known = 1};
    spec.memory_bytes = (int64_t)tiler->asked[info.kind_id];
    fill_units(tiler->scenario, &spec);
    spec.payload_bytes =
        (size_t)snprintf(payload, sizeof(payload), "need=%lld", (long long)need_of(tiler->scenario, &info));
    shard_task_id id = shard_builder_add_task(tiler->builder, &spec);
    return id < 0 ? id : 0;
}

/* Which of a task's neighbours `list` gives, added by `add`. */
static int add_links(struct tiler *tiler, int32_t copy, int32_t task,
                     int32_t (*list)(const shard_workflow *, shard_task_id, int32_t *, int32_t),
                     int (*add)(shard_builder *, int32_t, int32_t), int32_t per_copy)
{
    int32_t few[64], *ids = few, capacity = 64, status = 0;
    int32_t count = list(tiler->from, task, few, capacity);
    if (count > capacity) {
        capacity = count;
        ids = shard__zalloc(tiler->scenario->context, sizeof(*ids) * (size_t)capacity);
        if (ids == NULL)
            return SHARD_ENOMEM;
        list(tiler->from, task, ids, capacity);
    }
    for (int32_t i = 0; i < count && status == 0; i++)
        status = add(tiler->builder, copy * tiler->task_count + task, copy * per_copy + ids[i]);
    if (ids != few)
        shard__release(tiler->scenario->context, ids, sizeof(*ids) * (size_t)capacity);
    return status;
}

static int add_data(struct tiler *tiler, int32_t copy)
{
    int status = 0;
    for (int32_t i = 0; i < tiler->data_count && status >= 0; i++) {
        char name[SHARD_MAX_NAME_BYTES + 1];
        struct shard_data_info info = {.struct_size = sizeof(info)};
        shard_workflow_data(tiler->from, i, &info);
        snprintf(name, sizeof(name), "%d/%.1000s", copy, info.name);
        status = shard_builder_add_data(tiler->builder, name, info.bytes);
    }
    return status < 0 ? status : 0;
}

static int add_copy(struct tiler *tiler, int32_t copy)
{
    int status = add_data(tiler, copy);
    for (int32_t i = 0; i < tiler->task_count && status == 0; i++)
        status = add_task(tiler, copy, i);
    for (int32_t i = 0; i < tiler->task_count && status == 0; i++) {
        status = add_links(tiler, copy, i, shard_workflow_successors, shard_builder_add_edge, tiler->task_count);
        if (status == 0)
            status = add_links(tiler, copy, i, shard_workflow_inputs, shard_builder_add_input, tiler->data_count);
        if (status == 0)
            status = add_links(tiler, copy, i, shard_workflow_outputs, shard_builder_add_output, tiler->data_count);
    }
    return status;
}

int shard_sim_tile(shard_context *context, const shard_scenario *scenario, const shard_workflow *workflow,
                   int32_t copies, int32_t hosts, shard_workflow **ret_workflow)
{
    shard__clear_error();
    if (scenario == NULL || workflow == NULL || copies < 0 || hosts < 0)
        return shard__fail(SHARD_EINVAL, "tiling: expected a scenario, a workflow, and copies and hosts of 0 or more");
    struct shard_workflow_info whole = {.struct_size = sizeof(whole)};
    shard_workflow_describe(workflow, &whole);
    if (copies == 0) {
        int64_t wanted = 20 * (int64_t)(hosts > 0 ? hosts : scenario->host_count);
        copies = whole.task_count > 0 ? (int32_t)((wanted + whole.task_count - 1) / whole.task_count) : 1;
    }
    if ((int64_t)copies * whole.task_count > SHARD_MAX_TASKS || (int64_t)copies * whole.data_count > INT32_MAX)
        return shard__fail(SHARD_ELIMIT, "%d copies of %d tasks are more than %d", copies, whole.task_count,
                           SHARD_MAX_TASKS);
    struct tiler tiler = {.scenario = scenario,
                          .from = workflow,
                          .task_count = whole.task_count,
                          .data_count = whole.data_count,
                          .kind_count = whole.kind_count};
    int status = ask_for_kinds(&tiler);
    if (status == 0)
        status = shard_builder_new(context, whole.name, &tiler.builder);
    for (int32_t i = 0; i < copies && status == 0; i++)
        status = add_copy(&tiler, i);
    if (status == 0)
        status = shard_builder_seal(tiler.builder, ret_workflow);
    shard_builder_free(tiler.builder);
    shard__release(scenario->context, tiler.asked, sizeof(*tiler.asked) * (size_t)(tiler.kind_count + 1));
    return status;
}

int shard_sim_bag(shard_context *context, int32_t tasks, shard_workflow **ret_workflow)
{
    enum { KINDS = 8 };
    shard__clear_error();
    if (tasks < 1)
        return shard__fail(SHARD_EINVAL, "a bag of %d tasks: expected 1 or more", tasks);
    shard_builder *builder = NULL;
    int status = shard_builder_new(context, "bag", &builder);
    for (int32_t i = 0; i < tasks && status >= 0; i++) {
        char kind[16];
        uint64_t of_kind = shard__sim_mix(0xba9, (uint64_t)(i % KINDS));
        snprintf(kind, sizeof(kind), "kind-%d", i % KINDS);
        struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                       .kind = kind,
                                       .cpu_millicores = 1000,
                                       .expected_seconds =
                                           60 * exp(0.6 * shard__sim_normal(of_kind) +
                                                    0.5 * shard__sim_normal(shard__sim_mix(0x7a5c, (uint64_t)i)))};
        status = shard_builder_add_task(builder, &spec);
    }
    if (status >= 0)
        status = shard_builder_seal(builder, ret_workflow);
    shard_builder_free(builder);
    return status < 0 ? status : 0;
}
