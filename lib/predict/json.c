/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's JSON half (RFC 8259, and the NaN and Infinity that XGBoost writes). Workflows are read by
 * workflow/json*, which keeps all of a text at once, to say where in it the meaning is wrong: of the numbers of a
 * model, most of the file, it would make a node of 16 bytes each before they were read, and for UBJSON there is none of
 * it. Escapes are decoded there.
 */

#include <string.h>

#include "base/error.h"
#include "reader_format.h"
#include "workflow/json.h"

static inline void skip_space(struct shard__reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

/* Takes `c` if it is next. */
static inline int take(struct shard__reader *reader, unsigned char c)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c)
        return 0;
    reader->at++;
    return 1;
}

static int expected(const struct shard__reader *reader, const char *what)
{
    if (reader->at == reader->end)
        return shard__reader_fail(reader, SHARD_EPARSE, "the text ends where %s was expected", what);
    return shard__reader_fail(reader, SHARD_EPARSE, "expected %s", what);
}

static int enter(struct shard__reader *reader)
{
    if (++reader->depth > SHARD__READER_DEPTH)
        return shard__reader_fail(reader, SHARD_ELIMIT, "nested deeper than %d levels", SHARD__READER_DEPTH);
    return 0;
}

/* Decodes scratch in place, where escapes are as they stood in the file. */
static int decode(struct shard__reader *reader)
{
    char *p = reader->scratch.data, *out = p;
    while (*p != '\0') {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        p++;
        const char *problem = shard__json_decode_escape(&p, &out);
        if (problem != NULL)
            return shard__reader_fail(reader, SHARD_EPARSE, "%s", problem);
    }
    reader->scratch.size = (size_t)(out - reader->scratch.data);
    return 0;
}

/* The rest of a string that has escapes; what came before is in scratch. */
static int escaped_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    while (reader->at < reader->end && *reader->at != '"') {
        size_t size = *reader->at == '\\' && reader->at + 1 < reader->end ? 2 : 1;
        if (*reader->at < 0x20)
            return shard__reader_fail(reader, SHARD_EPARSE, "a control character in a string");
        shard__bytes_append(&reader->scratch, reader->at, size);
        reader->at += size;
    }
    if (reader->at == reader->end)
        return expected(reader, "the end of a string");
    reader->at++;
    shard__bytes_append(&reader->scratch, "", 1);
    int status = reader->scratch.status;
    if (status == 0)
        status = decode(reader);
    *ret_text = (struct shard__text){reader->scratch.data, reader->scratch.size};
    return status;
}

int shard__json_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    if (!take(reader, '"'))
        return expected(reader, "a string");
    const unsigned char *begin = reader->at;
    const unsigned char *at = begin;
    while (at < reader->end && *at != '"' && *at != '\\' && *at >= 0x20)
        at++;
    reader->at = at;
    if (at == reader->end)
        return expected(reader, "the end of a string");
    if (*at == '"') {
        reader->at++;
        *ret_text = (struct shard__text){(const char *)begin, (size_t)(at - begin)};
        return 0;
    }
    reader->scratch.size = 0;
    shard__bytes_append(&reader->scratch, begin, (size_t)(at - begin));
    return escaped_text(reader, ret_text);
}

int shard__json_object(struct shard__reader *reader, shard__read_member member, void *arg)
{
    int status;
    if (!take(reader, '{'))
        return expected(reader, "an object");
    if ((status = enter(reader)) < 0)
        return status;
    if (take(reader, '}')) {
        reader->depth--;
        return 0;
    }
    do {
        struct shard__text key;
        if ((status = shard__json_text(reader, &key)) < 0)
            return status;
        if (!take(reader, ':'))
            return expected(reader, "a colon");
        if ((status = member(reader, key, arg)) < 0)
            return status;
    } while (take(reader, ','));
    if (!take(reader, '}'))
        return expected(reader, "a comma or the end of the object");
    reader->depth--;
    return 0;
}

int shard__json_array(struct shard__reader *reader, shard__read_item item, void *arg)
{
    int status;
    size_t index = 0;
    if (!take(reader, '['))
        return expected(reader, "an array");
    if ((status = enter(reader)) < 0)
        return status;
    if (take(reader, ']')) {
        reader->depth--;
        return 0;
    }
    do {
        if ((status = item(reader, index++, arg)) < 0)
            return status;
    } while (take(reader, ','));
    if (!take(reader, ']'))
        return expected(reader, "a comma or the end of the array");
    reader->depth--;
    return 0;
}

int shard__json_int(struct shard__reader *reader, int64_t *ret_value)
{
    skip_space(reader);
    const unsigned char *after = shard__scan_int(reader->at, reader->end, ret_value);
    if (after == NULL || (after < reader->end && (*after == '.' || *after == 'e' || *after == 'E')))
        return expected(reader, "a whole number");
    reader->at = after;
    return 0;
}

int shard__json_floats(struct shard__reader *reader, struct shard__floats *floats)
{
    if (!take(reader, '['))
        return expected(reader, "an array of numbers");
    if (take(reader, ']'))
        return 0;
    do {
        float value;
        skip_space(reader);
        const unsigned char *after = shard__scan_float(reader->at, reader->end, &value);
        if (after == NULL)
            return expected(reader, "a number");
        reader->at = after;
        int status = shard__push_float(reader, floats, value);
        if (status < 0)
            return status;
    } while (take(reader, ','));
    return take(reader, ']') ? 0 : expected(reader, "a comma or the end of the array");
}

int shard__json_count(struct shard__reader *reader, size_t *ret_count)
{
    size_t count = 0;
    if (!take(reader, '['))
        return expected(reader, "an array of numbers");
    if (!take(reader, ']')) {
        do {
            skip_space(reader);
            const unsigned char *begin = reader->at;
            while (reader->at<reader->end && * reader->at> ' ' && *reader->at != ',' && *reader->at != ']')
                reader->at++;
            if (reader->at == begin)
                return expected(reader, "a number");
            count++;
        } while (take(reader, ','));
        if (!take(reader, ']'))
            return expected(reader, "a comma or the end of the array");
    }
    *ret_count = count;
    return 0;
}

static int int_or_bool(struct shard__reader *reader, int64_t *ret_value)
{
    size_t left = (size_t)(reader->end - reader->at);
    if (left >= 4 && memcmp(reader->at, "true", 4) == 0) {
        reader->at += 4;
        *ret_value = 1;
        return 0;
    }
    if (left >= 5 && memcmp(reader->at, "false", 5) == 0) {
        reader->at += 5;
        *ret_value = 0;
        return 0;
    }
    return shard__json_int(reader, ret_value);
}

int shard__json_ints(struct shard__reader *reader, struct shard__ints *ints)
{
    if (!take(reader, '['))
        return expected(reader, "an array of whole numbers");
    if (take(reader, ']'))
        return 0;
    do {
        int64_t value;
        skip_space(reader);
        int status = int_or_bool(reader, &value);
        if (status == 0 && (value < INT32_MIN || value > INT32_MAX))
            status = shard__reader_fail(reader, SHARD_EPARSE, "a whole number that does not fit in 32 bits");
        if (status == 0)
            status = shard__push_int(reader, ints, (int32_t)value);
        if (status < 0)
            return status;
    } while (take(reader, ','));
    return take(reader, ']') ? 0 : expected(reader, "a comma or the end of the array");
}

static int skip_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    (void)key;
    (void)arg;
    return shard__json_skip(reader);
}

static int skip_item(struct shard__reader *reader, size_t index, void *arg)
{
    (void)index;
    (void)arg;
    return shard__json_skip(reader);
}

static int skip_word(struct shard__reader *reader)
{
    static const char *const words[] = {"true", "false", "null"};
    float number;
    const unsigned char *after = shard__scan_float(reader->at, reader->end, &number);
    for (size_t i = 0; after == NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(reader->end - reader->at) >= size && memcmp(reader->at, words[i], size) == 0)
            after = reader->at + size;
    }
    if (after == NULL)
        return expected(reader, "a value");
    reader->at = after;
    return 0;
}

int shard__json_skip(struct shard__reader *reader)
{
    struct shard__text text;
    skip_space(reader);
    unsigned char c = reader->at < reader->end ? *reader->at : 0;
    switch (c) {
    case '{':
        return shard__json_object(reader, skip_member, NULL);
    case '[':
        return shard__json_array(reader, skip_item, NULL);
    case '"':
        return shard__json_text(reader, &text);
    default:
        return skip_word(reader);
    }
}
