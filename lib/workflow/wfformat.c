/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WfFormat, the WfCommons record of a run: versions 1.2 to 1.5. From 1.5 on, tasks refer to each other by id, files
 * have a list of their own, and what was measured stands under "execution"; before, tasks refer to each other by name
 * and hold all of it themselves.
 *
 * Edges are the parents and children that tasks list, no others: a record is complete. Files have the first task that
 * lists them as output for producer. What a task reads of another that is not among its ancestors is left out (see
 * unordered.c): the record shows that it did not wait for it.
 */

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"

#include "wfformat.h"

struct importer {
    struct shard__reader *reader;
    int is_legacy;
    int counts_in_kilobytes;
    struct shard__wf_index index; /* legacy: tasks by id; else execution records by task id */
};

static int read_version(struct shard__reader *reader, int *ret_is_legacy)
{
    static const char *const known[] = {"1.2", "1.3", "1.4", "1.5"};
    uint32_t node = 0;
    int status = shard__reader_require(reader, 0, "schemaVersion", SHARD__JSON_STRING, &node);
    if (status < 0)
        return status;
    const char *version = shard__json_string(&reader->json, node);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(version, known[i]) == 0) {
            memcpy(reader->report.version, known[i], strlen(known[i]) + 1);
            *ret_is_legacy = strcmp(version, "1.5") != 0;
            return 0;
        }
    }
    return shard__json_fail(&reader->json, node, SHARD_EVERSION, "WfFormat is '%.40s', expected 1.2, 1.3, 1.4 or 1.5",
                            version);
}

static int read_name(struct shard__reader *reader)
{
    uint32_t node = shard__json_member(&reader->json, 0, "name");
    if (node == 0)
        return 0;
    const char *name = NULL;
    int status = shard__json_read_string(&reader->json, node, &name);
    if (status < 0 || name[0] == '\0')
        return status;
    status = shard__builder_rename(reader->builder, name);
    return status < 0 ? shard__json_within(&reader->json, node, status) : 0;
}

/* Before 1.4 all systems but Pegasus recorded kilobytes. */
static int counts_in_kilobytes(const struct shard__reader *reader)
{
    const struct shard__json *json = &reader->json;
    uint32_t system = shard__json_member(json, 0, "wms");
    uint32_t name = 0;
    if (system != 0 && shard__json_type(json, system) == SHARD__JSON_OBJECT)
        name = shard__json_member(json, system, "name");
    return name == 0 || shard__json_type(json, name) != SHARD__JSON_STRING ||
           strcasestr(shard__json_string(json, name), "pegasus") == NULL;
}

/* 1.5: finds the record of each task's run. */
static int index_records(struct importer *importer, uint32_t workflow)
{
    struct shard__reader *reader = importer->reader;
    struct shard__json *json = &reader->json;
    uint32_t execution = shard__json_member(json, workflow, "execution"), tasks = 0;
    if (execution == 0)
        return 0;
    int status = shard__json_expect(json, execution, SHARD__JSON_OBJECT);
    if (status == 0)
        status = shard__reader_require(reader, execution, "tasks", SHARD__JSON_ARRAY, &tasks);
    for (uint32_t item = tasks + 1; status == 0 && item < json->nodes[tasks].next; item = json->nodes[item].next) {
        uint32_t id = 0;
        status = shard__json_expect(json, item, SHARD__JSON_OBJECT);
        if (status == 0)
            status = shard__reader_require(reader, item, "id", SHARD__JSON_STRING, &id);
        if (status < 0)
            break;
        const char *text = shard__json_string(json, id);
        if (shard__wf_index_find(&importer->index, text) >= 0)
            status = shard__json_fail(json, id, SHARD_EEXIST, "task '%.80s' has been executed once already", text);
        else
            status = shard__wf_index_add(&importer->index, id, item);
    }
    return status;
}

/* A size in bytes, which may be missing: -1 then. */
static int read_size(struct shard__reader *reader, uint32_t file, int64_t *ret_bytes)
{
    *ret_bytes = -1;
    uint32_t node = shard__json_member(&reader->json, file, "sizeInBytes");
    if (node == 0)
        node = shard__json_member(&reader->json, file, "size");
    return node == 0 ? 0 : shard__json_read_int(&reader->json, node, 0, INT64_MAX, ret_bytes);
}

/* 1.5: the list of all files. */
static int read_files(struct importer *importer, uint32_t specification)
{
    struct shard__reader *reader = importer->reader;
    struct shard__json *json = &reader->json;
    uint32_t files = shard__json_member(json, specification, "files");
    if (files == 0)
        return 0;
    int status = shard__json_expect(json, files, SHARD__JSON_ARRAY);
    for (uint32_t item = files + 1; status == 0 && item < json->nodes[files].next; item = json->nodes[item].next) {
        uint32_t id = 0;
        int64_t bytes = -1;
        status = shard__json_expect(json, item, SHARD__JSON_OBJECT);
        if (status == 0)
            status = shard__reader_require(reader, item, "id", SHARD__JSON_STRING, &id);
        if (status == 0)
            status = read_size(reader, item, &bytes);
        if (status < 0)
            return status;
        status = shard_builder_add_data(reader->builder, shard__json_string(json, id), bytes);
        status = status < 0 ? shard__json_within(json, id, status) : 0;
    }
    return status;
}

/* What tasks call each other: the id from 1.5 on, before that the name. */
static int read_reference(struct importer *importer, uint32_t item, uint32_t *ret_node)
{
    struct shard__reader *reader = importer->reader;
    int status = shard__json_expect(&reader->json, item, SHARD__JSON_OBJECT);
    if (status == 0)
        status = shard__reader_require(reader, item, importer->is_legacy ? "name" : "id", SHARD__JSON_STRING, ret_node);
    if (status == 0 && shard__json_string(&reader->json, *ret_node)[0] == '\0')
        status = shard__json_fail(&reader->json, *ret_node, SHARD_EINVAL, "is empty, expected at least one character");
    return status;
}

/* Where the record of a task's run is: in an object of its own, or in the task. */
static int read_record(struct importer *importer, uint32_t item, const char *reference,
                       struct shard__wf_record *ret_record)
{
    *ret_record = (struct shard__wf_record){.runtime_seconds = NAN,
                                            .cpu_percent = NAN,
                                            .cores = NAN,
                                            .memory_bytes = -1,
                                            .read_bytes = -1,
                                            .written_bytes = -1,
                                            .counts_in_kilobytes = importer->counts_in_kilobytes};
    int64_t from = importer->is_legacy ? (int64_t)item : shard__wf_index_find(&importer->index, reference);
    return from < 0 ? 0 : shard__wf_read_record(importer->reader, (uint32_t)from, ret_record);
}

static int add_task(struct importer *importer, uint32_t item)
{
    struct shard__reader *reader = importer->reader;
    struct shard__json *json = &reader->json;
    struct shard__wf_record record;
    char kind[SHARD_MAX_NAME_BYTES + 1];
    uint32_t reference = 0;
    int status = read_reference(importer, item, &reference);
    if (status < 0)
        return status;
    const char *name = shard__json_string(json, reference), *title = name;
    status = read_record(importer, item, name, &record);
    if (status < 0)
        return status;
    uint32_t title_node = shard__json_member(json, item, "name");
    if (title_node != 0)
        status = shard__json_read_string(json, title_node, &title);
    if (status < 0)
        return status;
    shard__wf_put_payload(reader, &record);
    if (reader->scratch.status < 0)
        return reader->scratch.status;
    const struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                         .name = name,
                                         .kind = shard__wf_kind(reader, &record, title, kind),
                                         .payload = reader->scratch.data,
                                         .payload_bytes = reader->scratch.size,
                                         .expected_seconds = record.runtime_seconds,
                                         .zero_seconds_known = 1};
    shard_task_id task = shard_builder_add_task(reader->builder, &spec);
    if (task < 0)
        return shard__json_within(json, item, task);
    uint32_t id = importer->is_legacy ? shard__json_member(json, item, "id") : 0;
    if (id == 0)
        return 0;
    status = shard__json_expect(json, id, SHARD__JSON_STRING);
    if (status == 0 && shard__wf_index_find(&importer->index, shard__json_string(json, id)) < 0)
        status = shard__wf_index_add(&importer->index, id, (uint32_t)task);
    return status;
}

static int64_t find_task(const struct importer *importer, const char *reference)
{
    const shard_builder *builder = importer->reader->builder;
    int32_t task = shard__names_find(&builder->tasks.names, builder->tasks.count, 1, reference, strlen(reference));
    return task >= 0 || !importer->is_legacy ? task : shard__wf_index_find(&importer->index, reference);
}

static int add_edges(struct importer *importer, uint32_t list, shard_task_id task, int are_parents)
{
    struct shard__json *json = &importer->reader->json;
    shard_builder *builder = importer->reader->builder;
    int status = shard__json_expect(json, list, SHARD__JSON_ARRAY);
    for (uint32_t item = list + 1; status == 0 && item < json->nodes[list].next; item = json->nodes[item].next) {
        const char *reference = NULL;
        status = shard__json_read_string(json, item, &reference);
        if (status < 0)
            return status;
        int64_t other = find_task(importer, reference);
        if (other < 0)
            return shard__json_fail(json, item, SHARD_ENOENT, "task '%.200s' has the %s '%.200s', which is not there",
                                    shard__names_at(&builder->tasks.names, task), are_parents ? "parent" : "child",
                                    reference);
        status = are_parents ? shard_builder_add_edge(builder, (shard_task_id)other, task)
                             : shard_builder_add_edge(builder, task, (shard_task_id)other);
        if (status < 0)
            return shard__json_within(json, item, status);
    }
    return status;
}

/* A task reads or writes data; a second writer is one more reader's concern, not a producer. */
static int add_relation(struct importer *importer, uint32_t node, shard_task_id task, shard_data_id data, int is_output)
{
    shard_builder *builder = importer->reader->builder;
    int status;
    if (is_output && builder->data_producer[data] >= 0 && builder->data_producer[data] != task) {
        shard__log(builder->context, SHARD_LOG_WARNING, "second-writer",
                   "workflow '%s': '%s' is written by '%s' and by '%s'; the first counts as its producer",
                   builder->name, shard__names_at(&builder->data.names, data),
                   shard__names_at(&builder->tasks.names, builder->data_producer[data]),
                   shard__names_at(&builder->tasks.names, task));
        return 0;
    }
    status = is_output ? shard_builder_add_output(builder, task, data) : shard_builder_add_input(builder, task, data);
    return status < 0 ? shard__json_within(&importer->reader->json, node, status) : 0;
}

/* 1.5: a list of file ids. */
static int add_file_ids(struct importer *importer, uint32_t list, shard_task_id task, int is_output)
{
    struct shard__json *json = &importer->reader->json;
    int status = shard__json_expect(json, list, SHARD__JSON_ARRAY);
    for (uint32_t item = list + 1; status == 0 && item < json->nodes[list].next; item = json->nodes[item].next) {
        const char *id = NULL;
        status = shard__json_read_string(json, item, &id);
        if (status < 0)
            return status;
        shard_data_id data = shard__reader_data(importer->reader, item, id, -1);
        status = data < 0 ? data : add_relation(importer, item, task, data, is_output);
    }
    return status;
}

/* Before 1.5: file objects. A path in front of the name belongs to it. */
static int add_file_objects(struct importer *importer, uint32_t list, shard_task_id task)
{
    struct shard__reader *reader = importer->reader;
    struct shard__json *json = &reader->json;
    int status = shard__json_expect(json, list, SHARD__JSON_ARRAY);
    for (uint32_t item = list + 1; status == 0 && item < json->nodes[list].next; item = json->nodes[item].next) {
        uint32_t name = 0, link = 0;
        int64_t bytes = -1;
        status = shard__json_expect(json, item, SHARD__JSON_OBJECT);
        if (status == 0)
            status = shard__reader_require(reader, item, "name", SHARD__JSON_STRING, &name);
        if (status == 0)
            status = shard__reader_require(reader, item, "link", SHARD__JSON_STRING, &link);
        if (status == 0)
            status = read_size(reader, item, &bytes);
        if (status < 0)
            return status;
        const char *direction = shard__json_string(json, link);
        int is_output = strcmp(direction, "output") == 0;
        if (!is_output && strcmp(direction, "input") != 0)
            return shard__json_fail(json, link, SHARD_EPARSE, "is '%.40s', expected 'input' or 'output'", direction);
        uint32_t path = shard__json_member(json, item, "path");
        reader->scratch.size = 0;
        if (path != 0 && shard__json_type(json, path) == SHARD__JSON_STRING)
            shard__bytes_text(&reader->scratch, shard__json_string(json, path));
        shard__bytes_text(&reader->scratch, shard__json_string(json, name));
        shard__bytes_append(&reader->scratch, "", 1);
        if (reader->scratch.status < 0)
            return reader->scratch.status;
        shard_data_id data = shard__reader_data(reader, name, reader->scratch.data, bytes);
        status = data < 0 ? data : add_relation(importer, item, task, data, is_output);
    }
    return status;
}

static int relate(struct importer *importer, uint32_t item, shard_task_id task)
{
    const struct shard__json *json = &importer->reader->json;
    int status = 0;
    for (uint32_t key = item + 1; status == 0 && key < json->nodes[item].next; key = json->nodes[key + 1].next) {
        const char *field = shard__json_string(json, key);
        if (strcmp(field, "parents") == 0)
            status = add_edges(importer, key + 1, task, 1);
        else if (strcmp(field, "children") == 0)
            status = add_edges(importer, key + 1, task, 0);
        else if (importer->is_legacy && strcmp(field, "files") == 0)
            status = add_file_objects(importer, key + 1, task);
        else if (!importer->is_legacy && strcmp(field, "inputFiles") == 0)
            status = add_file_ids(importer, key + 1, task, 0);
        else if (!importer->is_legacy && strcmp(field, "outputFiles") == 0)
            status = add_file_ids(importer, key + 1, task, 1);
    }
    return status;
}

/* Finds the array of tasks, and reads what stands beside it. */
static int find_tasks(struct importer *importer, uint32_t *ret_tasks)
{
    struct shard__reader *reader = importer->reader;
    uint32_t workflow = 0, specification = 0;
    int status = shard__reader_require(reader, 0, "workflow", SHARD__JSON_OBJECT, &workflow);
    if (status < 0)
        return status;
    if (importer->is_legacy) {
        int has_jobs = shard__json_member(&reader->json, workflow, "jobs") != 0;
        importer->counts_in_kilobytes = counts_in_kilobytes(reader);
        return shard__reader_require(reader, workflow, has_jobs ? "jobs" : "tasks", SHARD__JSON_ARRAY, ret_tasks);
    }
    status = shard__reader_require(reader, workflow, "specification", SHARD__JSON_OBJECT, &specification);
    if (status == 0)
        status = read_files(importer, specification);
    if (status == 0)
        status = index_records(importer, workflow);
    if (status == 0)
        status = shard__reader_require(reader, specification, "tasks", SHARD__JSON_ARRAY, ret_tasks);
    return status;
}

int shard__read_wfformat(struct shard__reader *reader)
{
    struct shard__json *json = &reader->json;
    struct importer importer = {.reader = reader, .index = {.json = json}};
    uint32_t tasks = 0;
    int status = read_version(reader, &importer.is_legacy);
    if (status == 0)
        status = read_name(reader);
    if (status == 0)
        status = find_tasks(&importer, &tasks);
    reader->builder->edges_are_whole = 1;
    reader->tasks = tasks;
    for (uint32_t item = tasks + 1; status == 0 && item < json->nodes[tasks].next; item = json->nodes[item].next)
        status = add_task(&importer, item);
    shard_task_id task = 0;
    for (uint32_t item = tasks + 1; status == 0 && item < json->nodes[tasks].next; item = json->nodes[item].next)
        status = relate(&importer, item, task++);
    shard__wf_index_free(&importer.index);
    return status;
}
