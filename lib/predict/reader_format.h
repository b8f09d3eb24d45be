/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_READER_FORMAT_H
#define SHARD_PREDICT_READER_FORMAT_H

/* What each format gives to reader.c. Each function stands before a value and leaves `at` behind it. */

#include "reader.h"

int shard__json_object(struct shard__reader *reader, shard__read_member member, void *arg);
int shard__json_array(struct shard__reader *reader, shard__read_item item, void *arg);
int shard__json_text(struct shard__reader *reader, struct shard__text *ret_text);
int shard__json_int(struct shard__reader *reader, int64_t *ret_value);
int shard__json_floats(struct shard__reader *reader, struct shard__floats *floats);
int shard__json_ints(struct shard__reader *reader, struct shard__ints *ints);
int shard__json_count(struct shard__reader *reader, size_t *ret_count);
int shard__json_skip(struct shard__reader *reader);

int shard__ubjson_object(struct shard__reader *reader, shard__read_member member, void *arg);
int shard__ubjson_array(struct shard__reader *reader, shard__read_item item, void *arg);
int shard__ubjson_text(struct shard__reader *reader, struct shard__text *ret_text);
int shard__ubjson_int(struct shard__reader *reader, int64_t *ret_value);
int shard__ubjson_floats(struct shard__reader *reader, struct shard__floats *floats);
int shard__ubjson_ints(struct shard__reader *reader, struct shard__ints *ints);
int shard__ubjson_count(struct shard__reader *reader, size_t *ret_count);
int shard__ubjson_skip(struct shard__reader *reader);

/* Scans a decimal number: returns where it ends, NULL if there is none. */
const unsigned char *shard__scan_float(const unsigned char *at, const unsigned char *end, float *ret_value);
const unsigned char *shard__scan_int(const unsigned char *at, const unsigned char *end, int64_t *ret_value);

/* Room for one more. */
static inline int shard__push_float(const struct shard__reader *reader, struct shard__floats *floats, float value)
{
    if (floats->count == floats->capacity) {
        int status = shard__grow(reader->context, &floats->items, &floats->capacity, floats->count + 1, sizeof(float));
        if (status < 0)
            return status;
    }
    floats->items[floats->count++] = value;
    return 0;
}

static inline int shard__push_int(const struct shard__reader *reader, struct shard__ints *ints, int32_t value)
{
    if (ints->count == ints->capacity) {
        int status = shard__grow(reader->context, &ints->items, &ints->capacity, ints->count + 1, sizeof(int32_t));
        if (status < 0)
            return status;
    }
    ints->items[ints->count++] = value;
    return 0;
}

#endif
