/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_READER_H
#define SHARD_PREDICT_READER_H

/*
 * A streaming reader over the bytes of a model file, JSON or UBJSON, behind one face. It builds no tree of values:
 * objects and arrays call back for each member, and the callback takes the value or skips it. It trusts nothing: each
 * count is held against the bytes that are left, nesting is bounded, and a failure has the byte where it happened.
 *
 * Knows the two formats, not what is written in them.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes that are not NUL-terminated. They live until the next text is read. */
struct shard__text {
    const char *data;
    size_t size;
};

struct shard__reader {
    const shard_context *context;
    const char *source; /* for messages */
    const unsigned char *begin;
    const unsigned char *at;
    const unsigned char *end;
    int binary; /* UBJSON */
    int depth;
    int32_t tree; /* for messages: which tree is being read, -1: none */
    struct shard__bytes scratch;
};

/* A growing array of numbers, used again from tree to tree. */
struct shard__floats {
    float *items;
    size_t count;
    size_t capacity;
};

struct shard__ints {
    int32_t *items;
    size_t count;
    size_t capacity;
};

/* Looks at the first bytes: JSON or UBJSON. 0, or SHARD_EPARSE / SHARD_ENOTSUP for what is neither. */
int shard__reader_init(struct shard__reader *reader, const shard_context *context, const char *source,
                       const void *bytes, size_t size);
void shard__reader_free(struct shard__reader *reader);

/* Nothing but white space may follow the value. */
int shard__reader_end(struct shard__reader *reader);

/* Fails with the source and the byte (and the tree) in front of the message. */
int shard__reader_fail(const struct shard__reader *reader, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An object's members; the callback must take or skip the value. It returns 0 or a negative code. */
typedef int (*shard__read_member)(struct shard__reader *reader, struct shard__text key, void *arg);
int shard__read_object(struct shard__reader *reader, shard__read_member member, void *arg);

/* An array's items. */
typedef int (*shard__read_item)(struct shard__reader *reader, size_t index, void *arg);
int shard__read_array(struct shard__reader *reader, shard__read_item item, void *arg);

int shard__read_text(struct shard__reader *reader, struct shard__text *ret_text);
int shard__read_int(struct shard__reader *reader, int64_t *ret_value);

/* Arrays of numbers. In an array of whole numbers, true and false are 1 and 0. */
int shard__read_floats(struct shard__reader *reader, struct shard__floats *floats);
int shard__read_ints(struct shard__reader *reader, struct shard__ints *ints);

/* Passes over an array of numbers and counts them. */
int shard__read_count(struct shard__reader *reader, size_t *ret_count);

/* Passes over any value. */
int shard__read_skip(struct shard__reader *reader);

/* Rounds text of a decimal number to the nearest float, as XGBoost does. 0 if it is no number. */
int shard__text_to_float(struct shard__text text, float *ret_value);
/* A whole number of up to 18 digits. 0 if it is none. */
int shard__text_to_int(struct shard__text text, int64_t *ret_value);

static inline int shard__text_is(struct shard__text text, const char *name)
{
    return text.size == __builtin_strlen(name) && __builtin_memcmp(text.data, name, text.size) == 0;
}

/* The largest nesting of a model file that is not refused; XGBoost writes less than ten levels. */
enum { SHARD__READER_DEPTH = 32 };

#endif
