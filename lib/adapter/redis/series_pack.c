/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and outcomes as bytes, little-endian whatever the machine. */

#include "redis.h"

#include <string.h>

#include "adapter/common/series.h"
#include "base/error.h"
#include "base/sample.h"

enum { VERSION = 1, SHORT_FIXED = 34, MOST_COLUMNS = 4096 };

static void put(struct shard__bytes *bytes, uint64_t value, int size)
{
    char text[8];
    for (int i = 0; i < size; i++)
        text[i] = (char)(unsigned char)(value >> 8 * i);
    shard__bytes_append(bytes, text, (size_t)size);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void put_text(struct shard__bytes *bytes, const char *text)
{
    size_t size = strlen(text);
    put(bytes, size, 2);
    shard__bytes_append(bytes, text, size);
}

/* What is left of some bytes; `is_short` once there was less than was asked for. */
struct reader {
    const char *at;
    size_t left;
    int is_short;
};

static uint64_t get(struct reader *reader, int size)
{
    uint64_t value = 0;
    if (reader->left < (size_t)size) {
        reader->is_short = 1;
        return 0;
    }
    for (int i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)reader->at[i] << 8 * i;
    reader->at += size;
    reader->left -= (size_t)size;
    return value;
}

static double get_double(struct reader *reader)
{
    uint64_t bits = get(reader, 8);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void put_fixed(struct shard__bytes *bytes, const struct shard_outcome_row *row)
{
    put(bytes, VERSION, 1);
    put(bytes, (uint64_t)row->end_ns, 8);
    put(bytes, (uint64_t)row->outcome, 1);
    put(bytes, bits_of(row->seconds), 8);
    put(bytes, bits_of(row->p_fail), 8);
    put(bytes, (uint32_t)row->task, 4);
    put(bytes, (uint32_t)row->attempt, 4);
}

static int get_fixed(struct reader *reader, struct shard_outcome_row *row)
{
    int version = (int)get(reader, 1);
    if (!reader->is_short && version != VERSION)
        return shard__fail(SHARD_EVERSION,
                           "an outcome has format %d, this library knows %d; " SHARD__REDIS_SERIES_ADVICE, version,
                           (int)VERSION);
    row->struct_size = sizeof(*row);
    row->end_ns = (int64_t)get(reader, 8);
    int outcome = (int)get(reader, 1);
    row->outcome = (enum shard_outcome)outcome;
    row->seconds = get_double(reader);
    row->p_fail = get_double(reader);
    row->task = (shard_task_id)get(reader, 4);
    row->attempt = (int32_t)get(reader, 4);
    if (reader->is_short || outcome <= SHARD_OUTCOME_NONE || outcome >= SHARD_OUTCOME_COUNT || row->task < 0 ||
        row->attempt < 0)
        return shard__fail(SHARD_ECORRUPT, "an outcome is cut off or makes no sense; " SHARD__REDIS_SERIES_ADVICE);
    return 0;
}

/* Whose it is stands in the key, but for the run, which keeps outcomes of two runs apart. */
void shard__redis_pack_short(struct shard__bytes *bytes, const struct shard_outcome_row *row)
{
    put_fixed(bytes, row);
    shard__bytes_text(bytes, row->run);
}

int shard__redis_unpack_short(const char *bytes, size_t size, struct shard_outcome_row *ret_row)
{
    struct reader reader = {bytes, size, 0};
    return get_fixed(&reader, ret_row);
}

void shard__redis_pack_outcome(struct shard__bytes *bytes, const struct shard_outcome_row *row)
{
    put_fixed(bytes, row);
    put(bytes, (uint64_t)row->start_ns, 8);
    put(bytes, row->schema_hash, 8);
    put_text(bytes, row->run);
    put_text(bytes, row->host);
    put_text(bytes, row->kind);
    put(bytes, (uint32_t)row->columns, 4);
    for (int32_t i = 0; i < row->columns; i++) {
        uint32_t bits;
        memcpy(&bits, &row->values[i], sizeof(bits));
        put(bytes, bits, 4);
    }
}

/* Copies a text with a NUL; where it lies in the room. */
static size_t get_text(struct reader *reader, struct shard__bytes *room)
{
    size_t size = (size_t)get(reader, 2), place = room->size;
    if (size > reader->left)
        reader->is_short = 1;
    if (reader->is_short)
        return 0;
    shard__bytes_append(room, reader->at, size);
    shard__bytes_append(room, "", 1);
    reader->at += size;
    reader->left -= size;
    return place;
}

int shard__redis_unpack_outcome(const char *bytes, size_t size, struct shard__bytes *room,
                                struct shard_outcome_row *ret_row)
{
    struct reader reader = {bytes, size, 0};
    struct shard_outcome_row row = {0};
    size_t texts[3];
    room->size = 0;
    int status = get_fixed(&reader, &row);
    if (status < 0)
        return status;
    row.start_ns = (int64_t)get(&reader, 8);
    row.schema_hash = get(&reader, 8);
    /* The values come first in the room, where they are aligned; they stand last in the bytes. */
    struct reader texts_at = reader;
    for (int i = 0; i < 3 && !reader.is_short; i++) {
        size_t skip = (size_t)get(&reader, 2);
        if (skip > reader.left)
            reader.is_short = 1;
        else
            reader.at += skip, reader.left -= skip;
    }
    uint64_t columns = get(&reader, 4);
    if (reader.is_short || columns > MOST_COLUMNS || reader.left != columns * sizeof(float))
        return shard__fail(SHARD_ECORRUPT, "an outcome is cut off or makes no sense; " SHARD__REDIS_SERIES_ADVICE);
    for (uint64_t i = 0; i < columns; i++) {
        uint32_t value = (uint32_t)get(&reader, 4);
        shard__bytes_append(room, &value, sizeof(value));
    }
    for (int i = 0; i < 3; i++)
        texts[i] = get_text(&texts_at, room);
    if (room->status < 0)
        return room->status;
    row.columns = (int32_t)columns;
    row.values = (const float *)(const void *)room->data;
    row.run = room->data + texts[0];
    row.host = room->data + texts[1];
    row.kind = room->data + texts[2];
    *ret_row = row;
    return 0;
}

void shard__redis_pack_sample(const struct shard_sample *sample, unsigned char ret_bytes[SHARD__REDIS_SAMPLE])
{
    double values[SHARD__SAMPLE_VALUES];
    _Static_assert(SHARD__SAMPLE_VALUES * sizeof(double) == SHARD__REDIS_SAMPLE, "all values of a sample");
    shard__sample_values(sample, values);
    for (int i = 0; i < SHARD__SAMPLE_VALUES; i++)
        for (int byte = 0; byte < 8; byte++)
            ret_bytes[8 * i + byte] = (unsigned char)(bits_of(values[i]) >> 8 * byte);
}

int shard__redis_unpack_sample(const char *bytes, size_t size, int64_t time_ns, struct shard_sample *ret_sample)
{
    struct reader reader = {bytes, size, 0};
    double values[SHARD__SAMPLE_VALUES];
    if (size != SHARD__REDIS_SAMPLE)
        return shard__fail(SHARD_ECORRUPT, "a sample has %zu bytes, expected %d; " SHARD__REDIS_SERIES_ADVICE, size,
                           (int)SHARD__REDIS_SAMPLE);
    for (int i = 0; i < SHARD__SAMPLE_VALUES; i++)
        values[i] = get_double(&reader);
    shard__sample_of(time_ns, values, ret_sample);
    return 0;
}
