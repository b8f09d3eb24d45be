/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's JSON half (RFC 8259, and the NaN and Infinity that XGBoost writes). */

#include <string.h>

#include "base/error.h"
#include "reader_format.h"

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

static int hex4(struct shard__reader *reader, unsigned *ret_value)
{
    unsigned value = 0;
    if (reader->end - reader->at < 4)
        return expected(reader, "four hex digits");
    for (int i = 0; i < 4; i++) {
        unsigned char c = *reader->at++;
        unsigned lower = c | 0x20u;
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + (lower - 'a') + 10;
        else
            return expected(reader, "four hex digits");
    }
    *ret_value = value;
    return 0;
}

static void append_utf8(struct shard__bytes *bytes, unsigned code)
{
    unsigned char utf8[4];
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; code >>= 6)
        utf8[i] = (unsigned char)(0x80 | (code & 0x3f));
    utf8[0] = (unsigned char)(lead[size] | code);
    shard__bytes_append(bytes, utf8, size);
}

static int unicode_escape(struct shard__reader *reader)
{
    unsigned code, low;
    int status = hex4(reader, &code);
    if (status == 0 && code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u')
            return expected(reader, "a pair of surrogates");
        reader->at += 2;
        status = hex4(reader, &low);
        if (status == 0 && (low < 0xdc00 || low >= 0xe000))
            return expected(reader, "a pair of surrogates");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (status == 0 && code == 0)
        return shard__reader_fail(reader, SHARD_EPARSE, "a string holds a NUL");
    if (status == 0)
        append_utf8(&reader->scratch, code);
    return status;
}

static int escape(struct shard__reader *reader)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end)
        return expected(reader, "an escape");
    char c = (char)*reader->at++;
    if (c == 'u')
        return unicode_escape(reader);
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL)
        return shard__reader_fail(reader, SHARD_EPARSE, "unknown escape");
    shard__bytes_append(&reader->scratch, &to[found - from], 1);
    return 0;
}

/* The rest of a string that has escapes; what came before is in scratch. */
static int escaped_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    while (reader->at < reader->end && *reader->at != '"') {
        int status = 0;
        unsigned char c = *reader->at++;
        if (c < 0x20)
            return shard__reader_fail(reader, SHARD_EPARSE, "a control character in a string");
        if (c == '\\')
            status = escape(reader);
        else
            shard__bytes_append(&reader->scratch, &c, 1);
        if (status < 0)
            return status;
    }
    if (reader->at == reader->end)
        return expected(reader, "the end of a string");
    reader->at++;
    *ret_text = (struct shard__text){reader->scratch.data, reader->scratch.size};
    return reader->scratch.status;
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
