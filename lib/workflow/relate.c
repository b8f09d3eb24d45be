/* SPDX-License-Identifier: Apache-2.0 */
/* Edges and data of an open builder: what comes after what, and who reads and writes what. */

#include <string.h>

#include "base/error.h"
#include "base/name.h"

#include "builder.h"

static int check_task(const shard_builder *builder, const char *what, shard_task_id task)
{
    if (task < 0 || task >= builder->tasks.count)
        return shard__fail(SHARD_ENOENT, "%s: there is no task %d, expected 0 to %d", what, task,
                           builder->tasks.count - 1);
    return 0;
}

static int add_pair(const shard_builder *builder, struct shard__pairs *pairs, int32_t a, int32_t b, const char *what)
{
    if (pairs->count >= SHARD_MAX_EDGES)
        return shard__fail(SHARD_ELIMIT, "%s: expected at most %d", what, SHARD_MAX_EDGES);
    if (pairs->count == pairs->capacity && shard__pairs_reserve(builder->context, pairs, 1) < 0)
        return SHARD_ENOMEM;
    pairs->items[pairs->count++] = (struct shard__pair){a, b};
    return 0;
}

int shard_builder_add_edge(shard_builder *builder, shard_task_id from, shard_task_id to)
{
    shard__clear_error();
    int status = shard__builder_is_open(builder);
    if (status == 0)
        status = check_task(builder, "edge", from);
    if (status == 0)
        status = check_task(builder, "edge", to);
    if (status < 0)
        return status;
    if (from == to)
        return shard__fail_task(SHARD_ECYCLE, from, "tasks depend on each other in a circle: %s -> %s",
                                shard__names_at(&builder->tasks.names, from),
                                shard__names_at(&builder->tasks.names, from));
    return add_pair(builder, &builder->edges, from, to, "edges");
}

/* Room for one more piece of data. */
static int reserve_data(shard_builder *builder, size_t name_bytes)
{
    size_t count = (size_t)builder->data.count;
    int status = shard__grow(builder->context, &builder->data_bytes, &builder->data_bytes_capacity, count + 1,
                             sizeof(*builder->data_bytes));
    if (status == 0)
        status = shard__grow(builder->context, &builder->data_producer, &builder->data_producer_capacity, count + 1,
                             sizeof(*builder->data_producer));
    return status < 0 ? status : shard__name_list_reserve(builder->context, &builder->data, name_bytes);
}

shard_data_id shard_builder_add_data(shard_builder *builder, const char *name, int64_t bytes)
{
    shard__clear_error();
    int status = shard__builder_is_open(builder);
    if (status < 0)
        return status;
    status = shard__check_name(name, "data");
    if (status < 0)
        return status;
    size_t name_bytes = strlen(name);
    if (shard__names_find(&builder->data.names, builder->data.count, 0, name, name_bytes) >= 0)
        return shard__fail(SHARD_EEXIST, "data '%s' is there already, expected another name", name);
    if (builder->data.count >= SHARD_MAX_TASKS)
        return shard__fail(SHARD_ELIMIT, "data '%s': expected at most %d pieces", name, SHARD_MAX_TASKS);
    status = reserve_data(builder, name_bytes);
    if (status < 0)
        return status;
    int32_t id = shard__name_list_add(builder->context, &builder->data, name, name_bytes);
    builder->data_bytes[id] = bytes < 0 ? -1 : bytes;
    builder->data_producer[id] = -1;
    return id;
}

shard_data_id shard_builder_find_data(const shard_builder *builder, const char *name)
{
    shard__clear_error();
    int32_t id =
        name == NULL ? -1 : shard__names_find(&builder->data.names, builder->data.count, 0, name, strlen(name));
    return id < 0 ? shard__fail(SHARD_ENOENT, "there is no data '%s'", name == NULL ? "" : name) : id;
}

static int check_relation(const shard_builder *builder, const char *what, shard_task_id task, shard_data_id data)
{
    int status = shard__builder_is_open(builder);
    if (status == 0)
        status = check_task(builder, what, task);
    if (status == 0 && (data < 0 || data >= builder->data.count))
        status = shard__fail_task(SHARD_ENOENT, task, "%s of task '%s': there is no data %d, expected 0 to %d", what,
                                  shard__names_at(&builder->tasks.names, task), data, builder->data.count - 1);
    return status;
}

int shard_builder_add_input(shard_builder *builder, shard_task_id task, shard_data_id data)
{
    shard__clear_error();
    int status = check_relation(builder, "input", task, data);
    return status < 0 ? status : add_pair(builder, &builder->inputs, task, data, "inputs");
}

int shard_builder_add_output(shard_builder *builder, shard_task_id task, shard_data_id data)
{
    shard__clear_error();
    int status = check_relation(builder, "output", task, data);
    if (status < 0)
        return status;
    int32_t producer = builder->data_producer[data];
    if (producer == task)
        return 0;
    if (producer >= 0)
        return shard__fail_task(SHARD_EEXIST, task, "task '%s' writes data '%s', which task '%s' writes already",
                                shard__names_at(&builder->tasks.names, task),
                                shard__names_at(&builder->data.names, data),
                                shard__names_at(&builder->tasks.names, producer));
    status = add_pair(builder, &builder->outputs, task, data, "outputs");
    if (status == 0)
        builder->data_producer[data] = task;
    return status;
}
