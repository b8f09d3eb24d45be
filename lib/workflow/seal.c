/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seal: from a builder's columns to a workflow. All that can fail comes first and works on what is new; then the
 * columns change hands, which cannot fail, so that a builder whose seal failed is as it was.
 */

#include <string.h>

#include "base/error.h"

#include "builder.h"
#include "graph.h"

/* Appends behind the builder's edges, without counting them in, those that data makes. */
static int imply_edges(shard_builder *builder, const struct shard__csr *inputs, size_t *ret_count)
{
    struct shard__pairs edges = builder->edges;
    int status = 0;
    for (int32_t task = 0; inputs->offsets != NULL && task < builder->tasks.count; task++) {
        for (int32_t i = 0; i < shard__csr_count(inputs, task); i++) {
            int32_t data = shard__csr_row(inputs, task)[i];
            int32_t producer = builder->data_producer[data];
            if (producer < 0)
                continue;
            if (producer == task)
                return shard__fail_task(
                    SHARD_ECYCLE, task,
                    "tasks depend on each other in a circle: %s -> %s (reads data '%s' that it writes)",
                    shard__names_at(&builder->tasks.names, task), shard__names_at(&builder->tasks.names, task),
                    shard__names_at(&builder->data.names, data));
            if (edges.count >= SHARD_MAX_EDGES)
                return shard__fail(SHARD_ELIMIT, "edges: expected at most %d", SHARD_MAX_EDGES);
            status = shard__pairs_reserve(builder->context, &edges, 1);
            builder->edges.items = edges.items;
            builder->edges.capacity = edges.capacity;
            if (status < 0)
                return status;
            edges.items[edges.count++] = (struct shard__pair){producer, task};
        }
    }
    *ret_count = edges.count;
    return 0;
}

/* Lists of data by task, and of edges; leaves out or implies what the two say about each other. */
static int build_lists(shard_builder *builder, struct shard_workflow *workflow)
{
    const shard_context *context = builder->context;
    int32_t tasks = builder->tasks.count, data = builder->data.count;
    size_t edge_count = builder->edges.count;
    int status =
        shard__csr_group(context, builder->inputs.items, builder->inputs.count, tasks, data, &workflow->inputs);
    if (status == 0)
        status =
            shard__csr_group(context, builder->outputs.items, builder->outputs.count, tasks, data, &workflow->outputs);
    if (status == 0 && !builder->edges_are_whole)
        status = imply_edges(builder, &workflow->inputs, &edge_count);
    if (status == 0)
        status = shard__csr_edges(context, builder->edges.items, edge_count, tasks, &workflow->successors,
                                  &workflow->predecessors);
    if (status == 0 && builder->edges_are_whole)
        status = shard__drop_unordered_inputs(builder, &workflow->successors, &workflow->outputs, &workflow->inputs);
    if (status == 0)
        status = shard__csr_reverse(context, &workflow->inputs, tasks, data, &workflow->consumers);
    return status;
}

/* A growing array: where its pointer is, how much it has room for, and how much it needs. */
struct column {
    void *items_ptr;
    size_t *capacity;
    size_t count;
    size_t item_size;
};

static int fit_column(const shard_context *context, const struct column *column)
{
    void *items;
    memcpy(&items, column->items_ptr, sizeof(items));
    if (items == NULL || *column->capacity == column->count)
        return 0;
    items = shard__realloc(context, items, *column->capacity * column->item_size, column->count * column->item_size);
    if (items == NULL && column->count > 0)
        return SHARD_ENOMEM;
    memcpy(column->items_ptr, &items, sizeof(items));
    *column->capacity = column->count;
    return 0;
}

/* Gives back what growing took too much of; the builder stays good. */
static int fit_builder(shard_builder *b)
{
    size_t tasks = (size_t)b->tasks.count, data = (size_t)b->data.count;
    const struct column columns[] = {
        {&b->profiles, &b->profile_capacity, b->profile_count, sizeof(*b->profiles)},
        {&b->profile_of, &b->profile_of_capacity, tasks, sizeof(*b->profile_of)},
        {&b->expected_seconds, &b->expected_capacity, tasks, sizeof(*b->expected_seconds)},
        {&b->units, &b->units_capacity, tasks, sizeof(*b->units)},
        {&b->payload_offsets, &b->payload_offsets_capacity, tasks + 1, sizeof(*b->payload_offsets)},
        {&b->payloads, &b->payload_capacity, b->payload_bytes, 1},
        {&b->data_bytes, &b->data_bytes_capacity, data, sizeof(*b->data_bytes)},
        {&b->data_producer, &b->data_producer_capacity, data, sizeof(*b->data_producer)},
    };
    int status = shard__name_list_fit(b->context, &b->tasks);
    if (status == 0)
        status = shard__name_list_fit(b->context, &b->data);
    if (status == 0)
        status = shard__name_list_fit(b->context, &b->kinds);
    for (size_t i = 0; status == 0 && i < sizeof(columns) / sizeof(columns[0]); i++)
        status = fit_column(b->context, &columns[i]);
    return status;
}

static void take_columns(struct shard_workflow *workflow, shard_builder *builder)
{
    workflow->name = builder->name;
    workflow->edges_are_whole = builder->edges_are_whole;
    workflow->profile_count = (int32_t)builder->profile_count;
    workflow->profiles = builder->profiles;
    workflow->task_names = builder->tasks.names;
    workflow->data_names = builder->data.names;
    workflow->kind_names = builder->kinds.names;
    workflow->profile_of = builder->profile_of;
    workflow->expected_seconds = builder->expected_seconds;
    workflow->units = builder->units;
    workflow->payload_offsets = builder->payload_offsets;
    workflow->payloads = builder->payloads;
    workflow->data_bytes = builder->data_bytes;
    workflow->data_producer = builder->data_producer;
    builder->name = NULL;
    builder->profiles = NULL;
    memset(&builder->tasks, 0, sizeof(builder->tasks));
    memset(&builder->data, 0, sizeof(builder->data));
    memset(&builder->kinds, 0, sizeof(builder->kinds));
    builder->profile_of = NULL;
    builder->expected_seconds = NULL;
    builder->units = NULL;
    builder->payload_offsets = NULL;
    builder->payloads = NULL;
    builder->data_bytes = NULL;
    builder->data_producer = NULL;
    shard__builder_clear(builder);
    builder->sealed = 1;
}

int shard_builder_seal(shard_builder *builder, shard_workflow **ret_workflow)
{
    shard__clear_error();
    int status = shard__builder_is_open(builder);
    if (status < 0)
        return status;
    struct shard_workflow *workflow = shard__zalloc(builder->context, sizeof(*workflow));
    if (workflow == NULL)
        return SHARD_ENOMEM;
    workflow->context = builder->context;
    atomic_init(&workflow->references, 1);
    workflow->task_count = builder->tasks.count;
    workflow->data_count = builder->data.count;
    workflow->kind_count = builder->kinds.count;
    int32_t *order = NULL;
    status = build_lists(builder, workflow);
    if (status == 0)
        status = shard__order(builder->context, &workflow->successors, &workflow->predecessors, &builder->tasks.names,
                              workflow->task_count, &order);
    if (status == 0)
        status = shard__rank(workflow, builder->expected_seconds, order);
    shard__release(builder->context, order, (size_t)workflow->task_count * sizeof(*order));
    if (status == 0)
        status = fit_builder(builder);
    if (status < 0) {
        shard_workflow_unref(workflow);
        return status;
    }
    if (workflow->successors.offsets != NULL)
        workflow->edge_count = workflow->successors.offsets[workflow->task_count];
    take_columns(workflow, builder);
    *ret_workflow = workflow;
    return 0;
}
