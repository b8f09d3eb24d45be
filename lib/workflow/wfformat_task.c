/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What WfFormat records of one task's run, under the names that its versions have for it, as kind and payload. Units
 * are those of the format's own migration tool: kilobytes are 1000 bytes.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"

#include "wfformat.h"

/* A recorded number: what is negative was not measured but is wrong. */
static int read_amount(struct shard__reader *reader, uint32_t node, double *ret_value)
{
    double value = 0;
    int status = shard__json_read_double(&reader->json, node, &value);
    if (status < 0)
        return status;
    if (value < 0)
        return shard__json_fail(&reader->json, node, SHARD_EINVAL, "is %g, expected 0 or more", value);
    *ret_value = value;
    return 0;
}

static int read_bytes(struct shard__reader *reader, uint32_t node, double scale, int64_t *ret_bytes)
{
    double value = 0;
    int status = read_amount(reader, node, &value);
    if (status < 0)
        return status;
    if (value * scale >= 0x1p63)
        return shard__json_fail(&reader->json, node, SHARD_EINVAL, "is %g, expected less than 2^63 bytes", value);
    *ret_bytes = (int64_t)(value * scale);
    return 0;
}

static int read_runtime(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_amount(reader, node, &((struct shard__wf_record *)self)->runtime_seconds);
}

static int read_cpu_percent(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_amount(reader, node, &((struct shard__wf_record *)self)->cpu_percent);
}

static int read_cores(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_amount(reader, node, &((struct shard__wf_record *)self)->cores);
}

static int read_memory_bytes(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_bytes(reader, node, 1, &((struct shard__wf_record *)self)->memory_bytes);
}

/* An older key gives way to the newer one, should a file have both. */
static int read_memory_kilobytes(struct shard__reader *reader, uint32_t node, void *self)
{
    struct shard__wf_record *record = self;
    int64_t bytes = -1;
    int status = read_bytes(reader, node, 1000, &bytes);
    if (status == 0 && record->memory_bytes < 0)
        record->memory_bytes = bytes;
    return status;
}

static int read_read_bytes(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_bytes(reader, node, 1, &((struct shard__wf_record *)self)->read_bytes);
}

static int read_written_bytes(struct shard__reader *reader, uint32_t node, void *self)
{
    return read_bytes(reader, node, 1, &((struct shard__wf_record *)self)->written_bytes);
}

static int read_read_count(struct shard__reader *reader, uint32_t node, void *self)
{
    struct shard__wf_record *record = self;
    return read_bytes(reader, node, record->counts_in_kilobytes ? 1000 : 1, &record->read_bytes);
}

static int read_written_count(struct shard__reader *reader, uint32_t node, void *self)
{
    struct shard__wf_record *record = self;
    return read_bytes(reader, node, record->counts_in_kilobytes ? 1000 : 1, &record->written_bytes);
}

static int read_category(struct shard__reader *reader, uint32_t node, void *self)
{
    ((struct shard__wf_record *)self)->category = node;
    return shard__json_expect(&reader->json, node, SHARD__JSON_STRING);
}

static int read_program(struct shard__reader *reader, uint32_t node, void *self)
{
    ((struct shard__wf_record *)self)->program = node;
    return shard__json_expect(&reader->json, node, SHARD__JSON_STRING);
}

static int read_arguments(struct shard__reader *reader, uint32_t node, void *self)
{
    ((struct shard__wf_record *)self)->arguments = node;
    return shard__json_expect(&reader->json, node, SHARD__JSON_ARRAY);
}

static int read_command(struct shard__reader *reader, uint32_t node, void *self)
{
    static const struct shard__field fields[] = {{"program", read_program}, {"arguments", read_arguments}, {0}};
    return shard__read_fields(reader, node, fields, 0, self);
}

int shard__wf_read_record(struct shard__reader *reader, uint32_t object, struct shard__wf_record *ret_record)
{
    static const struct shard__field fields[] = {
        {"runtimeInSeconds", read_runtime},
        {"runtime", read_runtime},
        {"avgCPU", read_cpu_percent},
        {"coreCount", read_cores},
        {"cores", read_cores},
        {"memoryInBytes", read_memory_bytes},
        {"memory", read_memory_kilobytes},
        {"readBytes", read_read_bytes},
        {"bytesRead", read_read_count},
        {"writtenBytes", read_written_bytes},
        {"bytesWritten", read_written_count},
        {"command", read_command},
        {"category", read_category},
        {0},
    };
    return shard__read_fields(reader, object, fields, 0, ret_record);
}

/* Whether text is a program's name, not a script (which Nextflow records in its place). */
static int is_program(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 128)
        return 0;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= ' ' || strchr("\"'$;|&<>(){}\\", text[i]) != NULL)
            return 0;
    return text[length - 1] != '/';
}

/* Length of a name without what numbers it: "_ID0000012", "_12", "12". */
static size_t stem_length(const char *name)
{
    size_t all = strlen(name), length = all;
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9')
        length--;
    if (length < all && length >= 2 && memcmp(name + length - 2, "ID", 2) == 0)
        length -= 2;
    if (length < all && length > 0 && (name[length - 1] == '_' || name[length - 1] == '-'))
        length--;
    return length == 0 ? all : length;
}

const char *shard__wf_kind(const struct shard__reader *reader, const struct shard__wf_record *record, const char *name,
                           char ret_buffer[SHARD_MAX_NAME_BYTES + 1])
{
    const struct shard__json *json = &reader->json;
    if (record->category != 0 && shard__json_string(json, record->category)[0] != '\0')
        return shard__json_string(json, record->category);
    if (record->program != 0 && is_program(shard__json_string(json, record->program))) {
        const char *program = shard__json_string(json, record->program);
        const char *slash = strrchr(program, '/');
        return slash == NULL ? program : slash + 1;
    }
    size_t length = stem_length(name);
    if (length > SHARD_MAX_NAME_BYTES)
        return name;
    memcpy(ret_buffer, name, length);
    ret_buffer[length] = '\0';
    return ret_buffer;
}

static void put_key(struct shard__bytes *out, const char *key, int *count)
{
    shard__bytes_printf(out, "%s\"%s\":", (*count)++ == 0 ? "" : ",", key);
}

static void put_amount(struct shard__bytes *out, const char *key, double value, int *count)
{
    if (isnan(value))
        return;
    put_key(out, key, count);
    shard__json_put_double(out, value);
}

static void put_bytes(struct shard__bytes *out, const char *key, int64_t value, int *count)
{
    if (value < 0)
        return;
    put_key(out, key, count);
    shard__bytes_printf(out, "%lld", (long long)value);
}

void shard__wf_put_payload(struct shard__reader *reader, const struct shard__wf_record *record)
{
    struct shard__bytes *out = &reader->scratch;
    int count = 0;
    out->size = 0;
    shard__bytes_text(out, "{\"replay\":{");
    put_amount(out, "runtime_seconds", record->runtime_seconds, &count);
    put_amount(out, "cpu_percent", record->cpu_percent, &count);
    put_amount(out, "cores", record->cores, &count);
    put_bytes(out, "memory_bytes", record->memory_bytes, &count);
    put_bytes(out, "read_bytes", record->read_bytes, &count);
    put_bytes(out, "written_bytes", record->written_bytes, &count);
    shard__bytes_text(out, "}");
    if (record->program != 0) {
        shard__bytes_text(out, ",\"program\":");
        shard__json_put_value(out, &reader->json, record->program);
    }
    if (record->arguments != 0) {
        shard__bytes_text(out, ",\"arguments\":");
        shard__json_put_value(out, &reader->json, record->arguments);
    }
    shard__bytes_text(out, "}");
}
