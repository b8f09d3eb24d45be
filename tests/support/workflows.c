/* SPDX-License-Identifier: Apache-2.0 */
/* Making and comparing workflows. What a test asserts belongs to the test. */

#include "workflows.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

char *read_file(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    text[size] = '\0';
    *ret_bytes = (size_t)size;
    return text;
}

shard_workflow *load_workflow(shard_context *context, const char *path)
{
    size_t bytes;
    char *text = read_file(path, &bytes);
    shard_workflow *workflow = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    int status = shard_workflow_parse(context, text, bytes, path, SHARD_FORMAT_AUTO, NULL, &workflow);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    free(text);
    return workflow;
}

shard_builder *new_builder(shard_context *context)
{
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(context, NULL, &builder), 0);
    return builder;
}

shard_task_id add_task(shard_builder *builder, const char *name)
{
    const struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = name};
    shard_task_id task = shard_builder_add_task(builder, &spec);
    ck_assert_int_ge(task, 0);
    return task;
}

void add_edge(shard_builder *builder, const char *from, const char *to)
{
    int status =
        shard_builder_add_edge(builder, shard_builder_find_task(builder, from), shard_builder_find_task(builder, to));
    ck_assert_int_eq(status, 0);
}

shard_workflow *seal(shard_builder *builder)
{
    shard_workflow *workflow = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    int status = shard_builder_seal(builder, &workflow);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    shard_builder_free(builder);
    return workflow;
}

/* A small generator of our own, so that a seed stays the same workflow whatever the library does. */
static unsigned draw(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static shard_task_id add_random_task(shard_builder *builder, unsigned *state, int id)
{
    static const char *const payloads[] = {
        "", "{\"a\": [1, 2.5e-3, \"\\u00e9\"]}", "not JSON", " 1 ", "{\n}", "\"x\"", "null"};
    static const char *const names[] = {"\u00e9t\u00e9", "a \"quoted\" name", "../up", "back\\slash", "t7"};
    char name[64], kind[32];
    struct shard_task_spec spec = {.struct_size = sizeof(spec)};
    snprintf(name, sizeof(name), "%s/%d", names[draw(state, 5)], id);
    snprintf(kind, sizeof(kind), "kind %u", draw(state, 4));
    spec.name = draw(state, 3) == 0 ? NULL : name;
    spec.kind = draw(state, 3) == 0 ? NULL : kind;
    spec.payload = payloads[draw(state, 7)];
    spec.payload_bytes = strlen(spec.payload);
    spec.cpu_millicores = draw(state, 3) * 250;
    spec.memory_bytes = (int64_t)draw(state, 3) << 33;
    spec.disk_bytes = draw(state, 2) * INT64_C(123456789012345);
    spec.expected_seconds = draw(state, 4) == 0 ? 0 : draw(state, 100000) / 997.0;
    spec.zero_seconds_known = (int32_t)draw(state, 2);
    spec.failure_cost_seconds = draw(state, 3) / 3.0;
    spec.timeout_seconds = draw(state, 2) * 1e-3;
    spec.priority = (int32_t)draw(state, 7) - 3;
    spec.max_attempts = (int32_t)draw(state, 3);
    spec.units = draw(state, 50);
    spec.min_units = spec.units == 0 ? 0 : draw(state, (unsigned)spec.units) + 1;
    spec.parts = spec.units == 0 ? 0 : (int32_t)draw(state, (unsigned)(spec.units / spec.min_units) + 1);
    spec.has_merge = (int32_t)draw(state, 2);
    shard_task_id task = shard_builder_add_task(builder, &spec);
    ck_assert_int_eq(task, id);
    return task;
}

/* The task at a place of the order in which edges go: the order of ids, or for every other seed the reverse. */
static shard_task_id task_at(unsigned seed, int place, int count)
{
    return seed % 2 == 0 ? place : count - 1 - place;
}

/* Edges and reads lead from earlier places to later ones, so that there is no cycle. */
static void add_random_relations(shard_builder *builder, unsigned seed, unsigned *state, int tasks, int data)
{
    int written[1024] = {0};
    ck_assert_int_le(data, 1024);
    for (int place = 0; place < tasks; place++) {
        shard_task_id task = task_at(seed, place, tasks);
        for (unsigned i = draw(state, 4); i > 0 && place > 0; i--) {
            shard_task_id before = task_at(seed, (int)draw(state, (unsigned)place), tasks);
            ck_assert_int_eq(shard_builder_add_edge(builder, before, task), 0);
        }
        for (unsigned i = draw(state, 4); i > 0 && data > 0; i--) {
            int id = (int)draw(state, (unsigned)data);
            if (written[id] == 0 && draw(state, 2) == 0) {
                ck_assert_int_eq(shard_builder_add_output(builder, task, id), 0);
                written[id] = place + 1;
            } else if (written[id] > 0 && written[id] <= place) {
                ck_assert_int_eq(shard_builder_add_input(builder, task, id), 0);
            }
        }
    }
}

shard_builder *random_builder(shard_context *context, unsigned seed, int tasks)
{
    unsigned state = seed * 2654435761u + 1;
    shard_builder *builder = NULL;
    int count = (int)draw(&state, (unsigned)tasks + 1), data = (int)draw(&state, (unsigned)tasks + 1);
    ck_assert_int_eq(shard_builder_new(context, draw(&state, 2) == 0 ? NULL : "random \u2713", &builder), 0);
    for (int i = 0; i < data; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dir/file-%d", i);
        ck_assert_int_eq(shard_builder_add_data(builder, name, (int64_t)draw(&state, 1000) - 10), i);
    }
    for (int i = 0; i < count; i++)
        add_random_task(builder, &state, i);
    add_random_relations(builder, seed, &state, count, data);
    return builder;
}

static void assert_same_lists(const shard_workflow *a, const shard_workflow *b, shard_task_id task)
{
    static int32_t (*const lists[])(const shard_workflow *, shard_task_id, int32_t *, int32_t) = {
        shard_workflow_predecessors, shard_workflow_successors, shard_workflow_inputs, shard_workflow_outputs};
    for (size_t i = 0; i < 4; i++) {
        int32_t of_a[256], of_b[256];
        int32_t count = lists[i](a, task, of_a, 256);
        ck_assert_int_eq(lists[i](b, task, of_b, 256), count);
        ck_assert_mem_eq(of_a, of_b, (size_t)(count < 256 ? count : 256) * sizeof(int32_t));
    }
}

static void assert_same_task(const shard_workflow *a, const shard_workflow *b, shard_task_id task)
{
    struct shard_task_info x = {.struct_size = sizeof(x)}, y = {.struct_size = sizeof(y)};
    ck_assert_int_eq(shard_workflow_task(a, task, &x), 0);
    ck_assert_int_eq(shard_workflow_task(b, task, &y), 0);
    ck_assert_str_eq(x.name, y.name);
    ck_assert_str_eq(x.kind, y.kind);
    ck_assert_uint_eq(x.payload_bytes, y.payload_bytes);
    if (x.payload_bytes > 0)
        ck_assert_mem_eq(x.payload, y.payload, x.payload_bytes);
    ck_assert_int_eq(shard_workflow_find_task(b, x.name), task);
    /* What remains are numbers without padding between them; NaN is the same bits in both. */
    x.name = y.name = x.kind = y.kind = NULL;
    x.payload = y.payload = NULL;
    ck_assert_int_eq(memcmp(&x, &y, sizeof(x)), 0);
    assert_same_lists(a, b, task);
}

void assert_same_workflow(const shard_workflow *a, const shard_workflow *b)
{
    struct shard_workflow_info x = {.struct_size = sizeof(x)}, y = {.struct_size = sizeof(y)};
    ck_assert_int_eq(shard_workflow_describe(a, &x), 0);
    ck_assert_int_eq(shard_workflow_describe(b, &y), 0);
    ck_assert_str_eq(x.name, y.name);
    ck_assert_int_eq(x.task_count, y.task_count);
    ck_assert_int_eq(x.data_count, y.data_count);
    ck_assert_int_eq(x.kind_count, y.kind_count);
    ck_assert_int_eq(x.edge_count, y.edge_count);
    ck_assert_uint_eq(x.memory_bytes, y.memory_bytes);
    ck_assert_double_eq(x.critical_path_seconds, y.critical_path_seconds);
    ck_assert_double_eq(x.total_seconds, y.total_seconds);
    for (int i = 0; i < x.kind_count; i++)
        ck_assert_str_eq(shard_workflow_kind_name(a, i), shard_workflow_kind_name(b, i));
    for (int i = 0; i < x.task_count; i++)
        assert_same_task(a, b, i);
    for (int i = 0; i < x.data_count; i++) {
        struct shard_data_info d = {.struct_size = sizeof(d)}, e = {.struct_size = sizeof(e)};
        ck_assert_int_eq(shard_workflow_data(a, i, &d), 0);
        ck_assert_int_eq(shard_workflow_data(b, i, &e), 0);
        ck_assert_str_eq(d.name, e.name);
        ck_assert_int_eq(d.bytes, e.bytes);
        ck_assert_int_eq(d.producer, e.producer);
        ck_assert_int_eq(d.consumer_count, e.consumer_count);
    }
}

int last_code(void)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    return shard_error_copy(&error);
}

void assert_message_has(const char *text)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(strstr(error.message, text) != NULL, "message is \"%s\", without \"%s\"", error.message, text);
}
