/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's UBJSON half (Universal Binary JSON draft 12). XGBoost writes arrays with a count, and arrays of numbers
 * with a type; other writers' arrays without either are read too. High-precision numbers and typed objects, which no
 * XGBoost writes, are refused.
 */

#include <string.h>

#include "base/error.h"
#include "reader_format.h"
#include "ubjson_number.h"

static size_t left(const struct shard__reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static int ends(const struct shard__reader *reader, const char *what)
{
    return shard__reader_fail(reader, SHARD_EPARSE, "the file ends where %s was expected", what);
}

/* The next marker, past no-ops. */
static int next_marker(struct shard__reader *reader, unsigned char *ret_marker)
{
    while (reader->at < reader->end && *reader->at == 'N')
        reader->at++;
    if (reader->at == reader->end)
        return ends(reader, "a value");
    *ret_marker = *reader->at++;
    return 0;
}

static int take(struct shard__reader *reader, unsigned char marker)
{
    while (reader->at < reader->end && *reader->at == 'N')
        reader->at++;
    if (reader->at == reader->end || *reader->at != marker)
        return 0;
    reader->at++;
    return 1;
}

static int wrong(struct shard__reader *reader, unsigned char marker, const char *what)
{
    reader->at--;
    if (marker > 0x20 && marker < 0x7f)
        return shard__reader_fail(reader, SHARD_EPARSE, "expected %s, found a value of type '%c'", what, marker);
    return shard__reader_fail(reader, SHARD_EPARSE, "expected %s, found byte 0x%02x", what, marker);
}

static int whole_of_type(struct shard__reader *reader, unsigned char type, int64_t *ret_value)
{
    if (!is_whole(type))
        return wrong(reader, type, "a whole number");
    size_t size = number_size(type);
    if (left(reader) < size)
        return ends(reader, "a whole number");
    *ret_value = decode_whole(type, reader->at);
    reader->at += size;
    return 0;
}

int shard__ubjson_int(struct shard__reader *reader, int64_t *ret_value)
{
    unsigned char type = 0;
    int status = next_marker(reader, &type);
    return status < 0 ? status : whole_of_type(reader, type, ret_value);
}

/* A count of things of at least `item_size` bytes each, which must be there. */
static int count_of(struct shard__reader *reader, size_t item_size, size_t *ret_count)
{
    int64_t count = 0;
    int status = shard__ubjson_int(reader, &count);
    if (status < 0)
        return status;
    if (count < 0 || (uint64_t)count > left(reader) / item_size)
        return shard__reader_fail(reader, SHARD_EPARSE, "a count of %lld, but %zu bytes are left", (long long)count,
                                  left(reader));
    *ret_count = (size_t)count;
    return 0;
}

/* A string without its marker: length and bytes. */
static int counted_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    size_t size = 0;
    int status = count_of(reader, 1, &size);
    if (status < 0)
        return status;
    if (memchr(reader->at, '\0', size) != NULL)
        return shard__reader_fail(reader, SHARD_EPARSE, "a string holds a NUL");
    *ret_text = (struct shard__text){(const char *)reader->at, size};
    reader->at += size;
    return 0;
}

int shard__ubjson_text(struct shard__reader *reader, struct shard__text *ret_text)
{
    unsigned char type = 0;
    int status = next_marker(reader, &type);
    if (status < 0)
        return status;
    return type == 'S' ? counted_text(reader, ret_text) : wrong(reader, type, "a string");
}

static int enter(struct shard__reader *reader)
{
    if (++reader->depth > SHARD__READER_DEPTH)
        return shard__reader_fail(reader, SHARD_ELIMIT, "nested deeper than %d levels", SHARD__READER_DEPTH);
    return 0;
}

/* Behind '{' or '[': the type and the count, if there are any. Type 0: each item has its own; count SIZE_MAX: up to
 * `]`. */
static int container_head(struct shard__reader *reader, unsigned char *ret_type, size_t *ret_count)
{
    unsigned char type = 0;
    size_t count = SIZE_MAX;
    if (take(reader, '$')) {
        int status = next_marker(reader, &type);
        if (status < 0)
            return status;
        if (number_size(type) == 0)
            return wrong(reader, type, "a type of numbers");
        if (reader->at == reader->end || *reader->at != '#')
            return shard__reader_fail(reader, SHARD_EPARSE, "expected a count behind the type of an array");
    }
    if (take(reader, '#')) {
        int status = count_of(reader, type != 0 ? number_size(type) : 1, &count);
        if (status < 0)
            return status;
    }
    *ret_type = type;
    *ret_count = count;
    return 0;
}

/* 1: there is another item, 0: the container has ended. */
static int another(struct shard__reader *reader, size_t index, size_t count, unsigned char closing)
{
    if (count != SIZE_MAX)
        return index < count;
    return !take(reader, closing);
}

int shard__ubjson_object(struct shard__reader *reader, shard__read_member member, void *arg)
{
    unsigned char type = 0;
    size_t count = 0;
    int status = next_marker(reader, &type);
    if (status < 0)
        return status;
    if (type != '{')
        return wrong(reader, type, "an object");
    if ((status = enter(reader)) < 0 || (status = container_head(reader, &type, &count)) < 0)
        return status;
    if (type != 0)
        return shard__reader_fail(reader, SHARD_EPARSE, "an object with one type for all members is not read");
    for (size_t i = 0; another(reader, i, count, '}'); i++) {
        struct shard__text key;
        if ((status = counted_text(reader, &key)) < 0 || (status = member(reader, key, arg)) < 0)
            return status;
    }
    reader->depth--;
    return 0;
}

/* The head of an array; what is no array is refused. */
static int array_head(struct shard__reader *reader, unsigned char *ret_type, size_t *ret_count)
{
    unsigned char marker = 0;
    int status = next_marker(reader, &marker);
    if (status < 0)
        return status;
    return marker == '[' ? container_head(reader, ret_type, ret_count) : wrong(reader, marker, "an array");
}

int shard__ubjson_array(struct shard__reader *reader, shard__read_item item, void *arg)
{
    unsigned char type = 0;
    size_t count = 0;
    int status = array_head(reader, &type, &count);
    if (status < 0 || (status = enter(reader)) < 0)
        return status;
    if (type != 0 && count > 0)
        return shard__reader_fail(reader, SHARD_EPARSE, "an array of numbers where other values were expected");
    for (size_t i = 0; another(reader, i, count, ']'); i++)
        if ((status = item(reader, i, arg)) < 0)
            return status;
    reader->depth--;
    return 0;
}

/* The next number of an array whose type is `type`, or its own when that is 0. */
static int next_number(struct shard__reader *reader, unsigned char type, unsigned char *ret_type,
                       const unsigned char **ret_at)
{
    if (type == 0) {
        int status = next_marker(reader, &type);
        if (status < 0)
            return status;
        if (number_size(type) == 0)
            return wrong(reader, type, "a number");
    }
    if (left(reader) < number_size(type))
        return ends(reader, "a number");
    *ret_type = type;
    *ret_at = reader->at;
    reader->at += number_size(type);
    return 0;
}

/* An array of the type that XGBoost writes, in one go: its bytes are there (container_head looked). */
static int typed_floats(struct shard__reader *reader, size_t count, struct shard__floats *floats)
{
    int status = shard__grow(reader->context, &floats->items, &floats->capacity, count, sizeof(float));
    if (status < 0)
        return status;
    for (size_t i = 0; i < count; i++)
        floats->items[i] = decode_float('d', reader->at + 4 * i);
    floats->count = count;
    reader->at += 4 * count;
    return 0;
}

static int typed_ints(struct shard__reader *reader, size_t count, struct shard__ints *ints)
{
    int status = shard__grow(reader->context, &ints->items, &ints->capacity, count, sizeof(int32_t));
    if (status < 0)
        return status;
    for (size_t i = 0; i < count; i++)
        ints->items[i] = (int32_t)big_endian4(reader->at + 4 * i);
    ints->count = count;
    reader->at += 4 * count;
    return 0;
}

int shard__ubjson_floats(struct shard__reader *reader, struct shard__floats *floats)
{
    unsigned char type = 0, item_type = 0;
    const unsigned char *at = NULL;
    size_t count = 0;
    int status = array_head(reader, &type, &count);
    if (status == 0 && type == 'd' && count != SIZE_MAX)
        return typed_floats(reader, count, floats);
    for (size_t i = 0; status == 0 && another(reader, i, count, ']'); i++)
        if ((status = next_number(reader, type, &item_type, &at)) == 0)
            status = shard__push_float(reader, floats, decode_float(item_type, at));
    return status;
}

int shard__ubjson_ints(struct shard__reader *reader, struct shard__ints *ints)
{
    unsigned char type = 0, item_type = 0;
    const unsigned char *at = NULL;
    size_t count = 0;
    int status = array_head(reader, &type, &count);
    if (status == 0 && type == 'l' && count != SIZE_MAX)
        return typed_ints(reader, count, ints);
    for (size_t i = 0; status == 0 && another(reader, i, count, ']'); i++) {
        if (type == 0 && (take(reader, 'T') || take(reader, 'F'))) {
            status = shard__push_int(reader, ints, reader->at[-1] == 'T');
            continue;
        }
        if ((status = next_number(reader, type, &item_type, &at)) < 0)
            break;
        int64_t value = is_whole(item_type) ? decode_whole(item_type, at) : INT64_MAX;
        if (value < INT32_MIN || value > INT32_MAX)
            return shard__reader_fail(reader, SHARD_EPARSE, "expected whole numbers of 32 bits");
        status = shard__push_int(reader, ints, (int32_t)value);
    }
    return status;
}

int shard__ubjson_count(struct shard__reader *reader, size_t *ret_count)
{
    unsigned char type = 0, item_type = 0;
    const unsigned char *at = NULL;
    size_t count = 0, i;
    int status = array_head(reader, &type, &count);
    if (status == 0 && type != 0 && count != SIZE_MAX) {
        reader->at += count * number_size(type);
        *ret_count = count;
        return 0;
    }
    for (i = 0; status == 0 && another(reader, i, count, ']'); i++)
        status = next_number(reader, type, &item_type, &at);
    if (status == 0)
        *ret_count = i;
    return status;
}

static int skip_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    (void)key;
    (void)arg;
    return shard__ubjson_skip(reader);
}

static int skip_item(struct shard__reader *reader, size_t index, void *arg)
{
    (void)index;
    (void)arg;
    return shard__ubjson_skip(reader);
}

/* A typed array is passed over in one step, any other item by item. */
static int skip_array(struct shard__reader *reader)
{
    const unsigned char *begin = reader->at;
    unsigned char type = 0;
    size_t count = 0;
    int status = array_head(reader, &type, &count);
    if (status < 0)
        return status;
    if (type != 0) {
        reader->at += count * number_size(type);
        return 0;
    }
    reader->at = begin;
    return shard__ubjson_array(reader, skip_item, NULL);
}

int shard__ubjson_skip(struct shard__reader *reader)
{
    struct shard__text text;
    unsigned char type = 0;
    int status = next_marker(reader, &type);
    if (status < 0)
        return status;
    if (type == '{' || type == '[') {
        reader->at--;
        return type == '{' ? shard__ubjson_object(reader, skip_member, NULL) : skip_array(reader);
    }
    if (type == 'S')
        return counted_text(reader, &text);
    if (type == 'Z' || type == 'T' || type == 'F')
        return 0;
    size_t size = type == 'C' ? 1 : number_size(type);
    if (size == 0)
        return wrong(reader, type, "a value");
    if (left(reader) < size)
        return ends(reader, "a number");
    reader->at += size;
    return 0;
}
