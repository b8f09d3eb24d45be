/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the native format, which workflow.schema.json describes. Keys that it does not have are errors. */

#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"

#include "format.h"

/* A task while it is read; what names other things is read once all of them are there. */
struct task {
    struct shard_task_spec spec;
    uint32_t payload_node;
};

static int read_format(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    const char *text = NULL;
    int status = shard__json_read_string(&reader->json, node, &text);
    if (status < 0)
        return status;
    if (strcmp(text, "libshard-workflow") != 0)
        return shard__json_fail(&reader->json, node, SHARD_EPARSE, "is '%.40s', expected 'libshard-workflow'", text);
    return 0;
}

static int read_version(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    int64_t version = 0;
    int status = shard__json_read_int(&reader->json, node, 0, INT32_MAX, &version);
    if (status < 0)
        return status;
    if (version != 1)
        return shard__json_fail(&reader->json, node, SHARD_EVERSION, "is %lld, this library knows version 1",
                                (long long)version);
    memcpy(reader->report.version, "1", 2);
    return 0;
}

/* Text that the builder would take for "none given" when it is empty. */
static int read_text(struct shard__reader *reader, uint32_t node, const char **ret_text)
{
    int status = shard__json_read_string(&reader->json, node, ret_text);
    if (status == 0 && (*ret_text)[0] == '\0')
        status = shard__json_fail(&reader->json, node, SHARD_EINVAL, "is empty, expected at least one character");
    return status;
}

static int read_workflow_name(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    const char *name = NULL;
    int status = read_text(reader, node, &name);
    if (status < 0)
        return status;
    status = shard__builder_rename(reader->builder, name);
    return status < 0 ? shard__json_within(&reader->json, node, status) : 0;
}

static int read_edges_are_whole(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    return shard__json_read_bool(&reader->json, node, &reader->builder->edges_are_whole);
}

struct data {
    const char *name;
    int64_t bytes;
};

static int read_data_name(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_text(reader, node, &((struct data *)self)->name);
}

static int read_data_bytes(struct shard__reader *reader, uint32_t node, void *self)
{
    return shard__json_read_size(&reader->json, node, &((struct data *)self)->bytes);
}

static int read_data(struct shard__reader *reader, uint32_t node, void *self)
{
    static const struct shard__field fields[] = {{"name", read_data_name}, {"bytes", read_data_bytes}, {0}};
    (void)self;
    struct shard__json *json = &reader->json;
    int status = shard__json_expect(json, node, SHARD__JSON_ARRAY);
    for (uint32_t item = node + 1; status == 0 && item < json->nodes[node].next; item = json->nodes[item].next) {
        struct data data = {.bytes = -1};
        status = shard__read_fields(reader, item, fields, 1, &data);
        if (status == 0 && data.name == NULL)
            status = shard__json_fail(json, item, SHARD_EPARSE, "has no 'name', expected one");
        if (status < 0)
            return status;
        shard_data_id id = shard_builder_add_data(reader->builder, data.name, data.bytes);
        if (id < 0)
            status = shard__json_within(json, item, id);
    }
    return status;
}

/* Readers of a task's fields: one line each. */
#define READ_TASK(field, read)                                                       \
    static int read_##field(struct shard__reader *reader, uint32_t node, void *self) \
    {                                                                                \
        struct task *task = self;                                                    \
        return read(reader, node, &task->spec.field);                                \
    }

static int read_size(struct shard__reader *reader, uint32_t node, int64_t *ret_bytes)
{
    return shard__json_read_size(&reader->json, node, ret_bytes);
}

static int read_seconds(struct shard__reader *reader, uint32_t node, double *ret_seconds)
{
    return shard__json_read_double(&reader->json, node, ret_seconds);
}

static int read_count(struct shard__reader *reader, uint32_t node, int64_t *ret_count)
{
    return shard__json_read_int(&reader->json, node, 0, INT64_MAX, ret_count);
}

static int read_small_count(struct shard__reader *reader, uint32_t node, int32_t *ret_count)
{
    int64_t value = 0;
    int status = shard__json_read_int(&reader->json, node, 0, INT32_MAX, &value);
    if (status == 0)
        *ret_count = (int32_t)value;
    return status;
}

static int read_signed(struct shard__reader *reader, uint32_t node, int32_t *ret_value)
{
    int64_t value = 0;
    int status = shard__json_read_int(&reader->json, node, INT32_MIN, INT32_MAX, &value);
    if (status == 0)
        *ret_value = (int32_t)value;
    return status;
}

static int read_flag(struct shard__reader *reader, uint32_t node, int32_t *ret_flag)
{
    int value = 0;
    int status = shard__json_read_bool(&reader->json, node, &value);
    if (status == 0)
        *ret_flag = value;
    return status;
}

READ_TASK(name, read_text)
READ_TASK(kind, read_text)
READ_TASK(cpu_millicores, read_count)
READ_TASK(memory_bytes, read_size)
READ_TASK(disk_bytes, read_size)
READ_TASK(failure_cost_seconds, read_seconds)
READ_TASK(timeout_seconds, read_seconds)
READ_TASK(priority, read_signed)
READ_TASK(max_attempts, read_small_count)
READ_TASK(units, read_count)
READ_TASK(min_units, read_count)
READ_TASK(parts, read_small_count)
READ_TASK(has_merge, read_flag)
#undef READ_TASK

static int read_expected_seconds(struct shard__reader *reader, uint32_t node, void *self)
{
    struct task *task = self;
    task->spec.zero_seconds_known = 1;
    return shard__json_read_double(&reader->json, node, &task->spec.expected_seconds);
}

/* Payloads are kept in the scratch, one after the other the task's only one. */
static int begin_payload(struct shard__reader *reader, uint32_t node, struct task *task)
{
    if (task->payload_node != 0)
        return shard__json_fail(&reader->json, node, SHARD_EPARSE,
                                "has both 'payload' and 'payload_base64', expected one of them");
    task->payload_node = node;
    reader->scratch.size = 0;
    return 0;
}

static int end_payload(struct shard__reader *reader, struct task *task)
{
    task->spec.payload = reader->scratch.data;
    task->spec.payload_bytes = reader->scratch.size;
    return reader->scratch.status;
}

static int read_payload(struct shard__reader *reader, uint32_t node, void *self)
{
    int status = begin_payload(reader, node, self);
    if (status < 0)
        return status;
    shard__json_put_value(&reader->scratch, &reader->json, node);
    return end_payload(reader, self);
}

static int read_payload_base64(struct shard__reader *reader, uint32_t node, void *self)
{
    const char *text = "";
    int status = begin_payload(reader, node, self);
    if (status == 0)
        status = shard__json_read_string(&reader->json, node, &text);
    if (status < 0)
        return status;
    if (shard__base64_get(&reader->scratch, text, strlen(text)) < 0)
        return shard__json_fail(&reader->json, node, SHARD_EINVAL, "is not base64 (RFC 4648, with padding)");
    return end_payload(reader, self);
}

/* Lists of names wait until all tasks are there. */
static int skip_list(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    return shard__json_expect(&reader->json, node, SHARD__JSON_ARRAY);
}

static const struct shard__field task_fields[] = {
    {"name", read_name},
    {"kind", read_kind},
    {"after", skip_list},
    {"inputs", skip_list},
    {"outputs", skip_list},
    {"cpu_millicores", read_cpu_millicores},
    {"memory_bytes", read_memory_bytes},
    {"disk_bytes", read_disk_bytes},
    {"expected_seconds", read_expected_seconds},
    {"failure_cost_seconds", read_failure_cost_seconds},
    {"timeout_seconds", read_timeout_seconds},
    {"priority", read_priority},
    {"max_attempts", read_max_attempts},
    {"units", read_units},
    {"min_units", read_min_units},
    {"parts", read_parts},
    {"has_merge", read_has_merge},
    {"payload", read_payload},
    {"payload_base64", read_payload_base64},
    {0},
};

static int read_tasks(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)self;
    struct shard__json *json = &reader->json;
    int status = shard__json_expect(json, node, SHARD__JSON_ARRAY);
    if (status == 0)
        reader->tasks = node;
    for (uint32_t item = node + 1; status == 0 && item < json->nodes[node].next; item = json->nodes[item].next) {
        struct task task = {.spec = {.struct_size = sizeof(task.spec)}};
        status = shard__read_fields(reader, item, task_fields, 1, &task);
        if (status < 0)
            return status;
        shard_task_id id = shard_builder_add_task(reader->builder, &task.spec);
        if (id < 0)
            status = shard__json_within(json, item, id);
    }
    return status;
}

static int relate_after(struct shard__reader *reader, uint32_t node, const char *name, shard_task_id task)
{
    shard_task_id before = shard_builder_find_task(reader->builder, name);
    if (before < 0 && reader->is_alone) {
        const struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = name};
        before = shard_builder_add_task(reader->builder, &spec);
    }
    int status = before < 0 ? before : shard_builder_add_edge(reader->builder, before, task);
    return status < 0 ? shard__json_within(&reader->json, node, status) : 0;
}

static int relate_data(struct shard__reader *reader, uint32_t node, const char *name, shard_task_id task,
                       int (*add)(shard_builder *, shard_task_id, shard_data_id))
{
    shard_data_id data = shard__reader_data(reader, node, name, -1);
    if (data < 0)
        return data;
    int status = add(reader->builder, task, data);
    return status < 0 ? shard__json_within(&reader->json, node, status) : 0;
}

static int relate(struct shard__reader *reader, uint32_t item, shard_task_id task)
{
    struct shard__json *json = &reader->json;
    for (uint32_t key = item + 1; key < json->nodes[item].next; key = json->nodes[key + 1].next) {
        const char *field = shard__json_string(json, key);
        int is_after = strcmp(field, "after") == 0, is_input = strcmp(field, "inputs") == 0;
        if (!is_after && !is_input && strcmp(field, "outputs") != 0)
            continue;
        for (uint32_t i = key + 2; i < json->nodes[key + 1].next; i = json->nodes[i].next) {
            const char *name = NULL;
            int status = read_text(reader, i, &name);
            if (status == 0)
                status = is_after ? relate_after(reader, i, name, task)
                                  : relate_data(reader, i, name, task,
                                                is_input ? shard_builder_add_input : shard_builder_add_output);
            if (status < 0)
                return status;
        }
    }
    return 0;
}

static int skip_value(struct shard__reader *reader, uint32_t node, void *self)
{
    (void)reader;
    (void)node;
    (void)self;
    return 0;
}

int shard__read_native(struct shard__reader *reader)
{
    /* Data first, wherever it stands, so that ids are as written; the format is checked before anything is. */
    static const struct shard__field head[] = {{"format", read_format},
                                               {"version", read_version},
                                               {"name", read_workflow_name},
                                               {"data", skip_value},
                                               {"tasks", skip_value},
                                               {"$schema", skip_value},
                                               {"edges_are_whole", read_edges_are_whole},
                                               {0}};
    static const struct shard__field data[] = {{"data", read_data}, {0}};
    static const struct shard__field tasks[] = {{"tasks", read_tasks}, {0}};
    struct shard__json *json = &reader->json;
    uint32_t node = 0;
    int status = shard__read_fields(reader, 0, head, 1, NULL);
    if (status == 0)
        status = shard__reader_require(reader, 0, "format", SHARD__JSON_STRING, &node);
    if (status == 0)
        status = shard__reader_require(reader, 0, "version", SHARD__JSON_NUMBER, &node);
    if (status == 0)
        status = shard__reader_require(reader, 0, "tasks", SHARD__JSON_ARRAY, &node);
    if (status == 0)
        status = shard__read_fields(reader, 0, data, 0, NULL);
    if (status == 0)
        status = shard__read_fields(reader, 0, tasks, 0, NULL);
    shard_task_id task = 0;
    for (uint32_t item = node + 1; status == 0 && item < json->nodes[node].next; item = json->nodes[item].next)
        status = relate(reader, item, task++);
    return status;
}

int shard__read_native_task(struct shard__reader *reader)
{
    struct task task = {.spec = {.struct_size = sizeof(task.spec)}};
    reader->is_alone = 1;
    int status = shard__read_fields(reader, 0, task_fields, 1, &task);
    if (status == 0 && task.spec.name == NULL)
        status = shard__json_fail(&reader->json, 0, SHARD_EPARSE, "has no 'name', expected one");
    if (status < 0)
        return status;
    shard_task_id id = shard_builder_add_task(reader->builder, &task.spec);
    return id < 0 ? shard__json_within(&reader->json, 0, id) : relate(reader, 0, id);
}
