/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's face: which format it is, where in the file one is, and each call passed on to the format. */

#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "reader_format.h"

static int is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int refuse_head(const struct shard__reader *reader, size_t size)
{
    const unsigned char *bytes = reader->begin;
    if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return shard__fail(SHARD_ENOTSUP, "%s: compressed with gzip; unpack it first", reader->source);
    if (size >= 4 && memcmp(bytes, "binf", 4) == 0)
        return shard__fail(SHARD_ENOTSUP, "%s: XGBoost's old binary format; save the model as JSON or UBJSON",
                           reader->source);
    return shard__fail(SHARD_EPARSE, "%s: neither a JSON nor a UBJSON model of XGBoost (it begins with no object)",
                       reader->source);
}

int shard__reader_init(struct shard__reader *reader, const shard_context *context, const char *source,
                       const void *bytes, size_t size)
{
    memset(reader, 0, sizeof(*reader));
    reader->context = context;
    reader->source = source != NULL ? source : "model";
    reader->begin = reader->at = bytes;
    reader->end = reader->begin + size;
    reader->tree = -1;
    shard__bytes_init(&reader->scratch, context);
    if (size == 0)
        return shard__fail(SHARD_EPARSE, "%s: is empty", reader->source);
    const unsigned char *at = reader->begin;
    while (at < reader->end && is_space(*at))
        at++;
    if (at == reader->end || *at != '{')
        return refuse_head(reader, size);
    /* Behind the brace JSON has white space, a quote or a brace; UBJSON the type of a length, or a count. */
    const unsigned char *next = at + 1;
    while (next < reader->end && is_space(*next))
        next++;
    reader->binary = next < reader->end && *next != '\0' && strchr("iUIlL#$N", *next) != NULL;
    if (reader->binary && at != reader->begin)
        return refuse_head(reader, size);
    return 0;
}

void shard__reader_free(struct shard__reader *reader)
{
    shard__bytes_free(&reader->scratch);
}

int shard__reader_end(struct shard__reader *reader)
{
    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    if (reader->at < reader->end)
        return shard__reader_fail(reader, SHARD_EPARSE, "expected the end, %zu more bytes follow",
                                  (size_t)(reader->end - reader->at));
    return 0;
}

int shard__reader_fail(const struct shard__reader *reader, int code, const char *format, ...)
{
    char message[512], place[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (reader->tree >= 0)
        snprintf(place, sizeof(place), "tree %d: ", reader->tree);
    return shard__fail(code, "%s: byte %zu: %s%s", reader->source, (size_t)(reader->at - reader->begin), place,
                       message);
}

int shard__read_object(struct shard__reader *reader, shard__read_member member, void *arg)
{
    return reader->binary ? shard__ubjson_object(reader, member, arg) : shard__json_object(reader, member, arg);
}

int shard__read_array(struct shard__reader *reader, shard__read_item item, void *arg)
{
    return reader->binary ? shard__ubjson_array(reader, item, arg) : shard__json_array(reader, item, arg);
}

int shard__read_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    return reader->binary ? shard__ubjson_text(reader, ret_text) : shard__json_text(reader, ret_text);
}

int shard__read_int(struct shard__reader *reader, int64_t *ret_value)
{
    return reader->binary ? shard__ubjson_int(reader, ret_value) : shard__json_int(reader, ret_value);
}

int shard__read_floats(struct shard__reader *reader, struct shard__floats *floats)
{
    floats->count = 0;
    return reader->binary ? shard__ubjson_floats(reader, floats) : shard__json_floats(reader, floats);
}

int shard__read_ints(struct shard__reader *reader, struct shard__ints *ints)
{
    ints->count = 0;
    return reader->binary ? shard__ubjson_ints(reader, ints) : shard__json_ints(reader, ints);
}

int shard__read_count(struct shard__reader *reader, size_t *ret_count)
{
    return reader->binary ? shard__ubjson_count(reader, ret_count) : shard__json_count(reader, ret_count);
}

int shard__read_skip(struct shard__reader *reader)
{
    return reader->binary ? shard__ubjson_skip(reader) : shard__json_skip(reader);
}
