/* SPDX-License-Identifier: Apache-2.0 */
/* The way in for text: tells the format, reads, seals, and keeps the report of what was found. */

#include <string.h>

#include "base/error.h"

#include "format.h"

int shard__reader_require(struct shard__reader *reader, uint32_t object, const char *key, enum shard__json_type type,
                          uint32_t *ret_node)
{
    uint32_t node = shard__json_member(&reader->json, object, key);
    if (node == 0)
        return shard__json_fail(&reader->json, object, SHARD_EPARSE, "has no '%s', expected one", key);
    int status = shard__json_expect(&reader->json, node, type);
    if (status == 0)
        *ret_node = node;
    return status;
}

shard_data_id shard__reader_data(struct shard__reader *reader, uint32_t node, const char *name, int64_t bytes)
{
    shard_builder *builder = reader->builder;
    shard_data_id id = shard__names_find(&builder->data.names, builder->data.count, 0, name, strlen(name));
    if (id >= 0)
        return id;
    id = shard_builder_add_data(builder, name, bytes);
    return id < 0 ? shard__json_within(&reader->json, node, id) : id;
}

static int fail_unknown(struct shard__reader *reader, uint32_t key, const struct shard__field *fields)
{
    struct shard__bytes known;
    shard__bytes_init(&known, reader->json.context);
    for (const struct shard__field *field = fields; field->key != NULL; field++)
        shard__bytes_printf(&known, "%s%s", field == fields ? "" : ", ", field->key);
    int status = known.status;
    if (status == 0)
        status =
            shard__json_fail(&reader->json, key, SHARD_EPARSE, "the key '%.64s' is not known, expected one of %.*s",
                             shard__json_string(&reader->json, key), (int)known.size, known.data);
    shard__bytes_free(&known);
    return status;
}

int shard__read_fields(struct shard__reader *reader, uint32_t object, const struct shard__field *fields, int strict,
                       void *self)
{
    const struct shard__json *json = &reader->json;
    int status = shard__json_expect(&reader->json, object, SHARD__JSON_OBJECT);
    for (uint32_t key = object + 1; status == 0 && key < json->nodes[object].next; key = json->nodes[key + 1].next) {
        const char *name = shard__json_string(json, key);
        const struct shard__field *field = fields;
        while (field->key != NULL && strcmp(field->key, name) != 0)
            field++;
        if (field->key != NULL)
            status = field->read(reader, key + 1, self);
        else if (strict)
            status = fail_unknown(reader, key, fields);
    }
    return status;
}

static int tell_format(struct shard__reader *reader, enum shard_format *ret_format)
{
    int status = shard__json_expect(&reader->json, 0, SHARD__JSON_OBJECT);
    if (status < 0)
        return status;
    if (shard__json_member(&reader->json, 0, "format") != 0)
        *ret_format = SHARD_FORMAT_NATIVE;
    else if (shard__json_member(&reader->json, 0, "schemaVersion") != 0)
        *ret_format = SHARD_FORMAT_WFFORMAT;
    else
        return shard__json_fail(&reader->json, 0, SHARD_EPARSE,
                                "is no workflow: expected the key 'format' (native) or 'schemaVersion' (WfFormat)");
    return 0;
}

static int read_format(struct shard__reader *reader, enum shard_format format)
{
    int status = format == SHARD_FORMAT_AUTO ? tell_format(reader, &format) : 0;
    if (status < 0)
        return status;
    reader->report.format = format;
    return format == SHARD_FORMAT_NATIVE ? shard__read_native(reader) : shard__read_wfformat(reader);
}

/* Seals; what is wrong with the whole is said at the task that it is about. */
static int seal(struct shard__reader *reader, shard_workflow **ret_workflow)
{
    const struct shard__json_node *nodes = reader->json.nodes;
    int status = shard_builder_seal(reader->builder, ret_workflow);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    if (status == 0 || error.task < 0 || reader->tasks == 0)
        return status;
    uint32_t node = reader->tasks + 1;
    for (int i = 0; i < error.task; i++)
        node = nodes[node].next;
    return shard__json_within(&reader->json, node, status);
}

static int parse(struct shard__reader *reader, shard_context *context, const char *text, size_t text_bytes,
                 const char *source, enum shard_format format, int is_task, shard_workflow **ret_workflow)
{
    int status = shard__json_parse(&reader->json, context, text, text_bytes, source, &reader->report);
    if (status == 0)
        status = shard_builder_new(context, NULL, &reader->builder);
    if (status == 0)
        status = is_task ? shard__read_native_task(reader) : read_format(reader, format);
    if (reader->builder != NULL)
        reader->report.file_count = reader->builder->data.count;
    if (status == 0)
        status = reader->scratch.status;
    if (status == 0)
        status = seal(reader, ret_workflow);
    shard_builder_free(reader->builder);
    shard__json_free(&reader->json);
    shard__bytes_free(&reader->scratch);
    return status;
}

static int parse_text(shard_context *context, const char *text, size_t text_bytes, const char *source,
                      enum shard_format format, int is_task, struct shard_parse_report *ret_report,
                      shard_workflow **ret_workflow)
{
    struct shard__reader reader = {0};
    shard_workflow *workflow = NULL;
    shard__bytes_init(&reader.scratch, context);
    if (text == NULL)
        return shard__fail(SHARD_EINVAL, "text is missing");
    if (ret_report != NULL) {
        int status = shard__give_struct(ret_report, &reader.report, sizeof(reader.report), "parse report");
        if (status < 0)
            return status;
    }
    int status = parse(&reader, context, text, text_bytes, source, format, is_task, &workflow);
    if (ret_report != NULL)
        shard__give_struct(ret_report, &reader.report, sizeof(reader.report), "parse report");
    if (status < 0)
        shard_workflow_unref(workflow);
    else
        *ret_workflow = workflow;
    return status;
}

int shard_workflow_parse(shard_context *context, const char *text, size_t text_bytes, const char *source,
                         enum shard_format format, struct shard_parse_report *ret_report, shard_workflow **ret_workflow)
{
    shard__clear_error();
    if (format < SHARD_FORMAT_AUTO || format > SHARD_FORMAT_WFFORMAT)
        return shard__fail(SHARD_EINVAL, "format is %d, expected 0 to %d", (int)format, SHARD_FORMAT_WFFORMAT);
    return parse_text(context, text, text_bytes, source == NULL ? "workflow" : source, format, 0, ret_report,
                      ret_workflow);
}

int shard_workflow_parse_task(shard_context *context, const char *text, size_t text_bytes, const char *source,
                              struct shard_parse_report *ret_report, shard_workflow **ret_workflow)
{
    shard__clear_error();
    return parse_text(context, text, text_bytes, source == NULL ? "task" : source, SHARD_FORMAT_NATIVE, 1, ret_report,
                      ret_workflow);
}
