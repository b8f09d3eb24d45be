/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and records as bytes, little-endian whatever the machine. The layout of a row is that of scripts/commit.lua;
 * records lie one behind the other, each with only the parts that it has.
 */

#include "redis.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

enum { VERSION = 1 };
/* Parts of a record. */
enum { HAS_OPERANDS = 1, HAS_UNITS = 2, HAS_MEMORY = 4, HAS_DETAIL = 8, HAS_SECONDS = 16, HAS_REVISION = 32 };
enum { RECORD_FIXED = 39, RECORDS_HEAD = 7 };

static unsigned char *put(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
    return at + bytes;
}

static unsigned char *put_float(unsigned char *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return put(at, bits, 4);
}

static uint64_t get(const char **at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)(*at)[i] << 8 * i;
    *at += bytes;
    return value;
}

static float get_float(const char **at)
{
    uint32_t bits = (uint32_t)get(at, 4);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static unsigned char *put_head(unsigned char *at, const struct shard_task_row *row)
{
    at = put(at, row->version, 4);
    *at++ = row->state;
    at = put(at, (uint32_t)row->attempt, 4);
    at = put(at, (uint32_t)row->host, 4);
    at = put_float(at, row->seconds);
    return put(at, (uint64_t)row->time_ns, 8);
}

static unsigned char *put_decision(unsigned char *at, const struct shard_task_row *row)
{
    *at++ = row->decision;
    *at++ = row->reason;
    at = put_float(at, row->p_fail);
    at = put_float(at, row->value);
    return put_float(at, row->limit);
}

void shard__redis_pack_row(const struct shard_task_row *row, unsigned char ret_bytes[SHARD__REDIS_ROW])
{
    unsigned char *at = put_head(ret_bytes, row);
    *at++ = row->outcome;
    at = put_decision(at, row);
    at = put(at, (uint64_t)row->memory_bytes, 8);
    memcpy(at, row->failures, SHARD_OUTCOME_COUNT);
    at = put(at + SHARD_OUTCOME_COUNT, (uint32_t)row->parent, 4);
    at = put(at, (uint64_t)row->unit_begin, 8);
    put(at, (uint64_t)row->unit_end, 8);
}

size_t shard__redis_pack_change(const struct shard_task_row *row, unsigned char ret_bytes[SHARD__REDIS_CHANGE_MAX])
{
    static const unsigned char none[SHARD_OUTCOME_COUNT];
    unsigned char *at = put_head(ret_bytes, row);
    unsigned char *flags = at++;
    *flags = 0;
    if (row->outcome != SHARD_OUTCOME_NONE) {
        *flags |= 1;
        *at++ = row->outcome;
    }
    if (row->decision != SHARD_DECIDE_NOTHING || row->reason != SHARD_REASON_NONE) {
        *flags |= 2;
        at = put_decision(at, row);
    }
    if (row->memory_bytes != 0) {
        *flags |= 4;
        at = put(at, (uint64_t)row->memory_bytes, 8);
    }
    if (memcmp(row->failures, none, sizeof(none)) != 0) {
        *flags |= 8;
        memcpy(at, row->failures, sizeof(none));
        at += sizeof(none);
    }
    return (size_t)(at - ret_bytes);
}

int shard__redis_unpack_row(const char *bytes, size_t size, struct shard_task_row *ret_row)
{
    if (size != SHARD__REDIS_ROW)
        return shard__fail(SHARD_ECORRUPT, "row of task %d has %zu bytes, expected %d", ret_row->task, size,
                           (int)SHARD__REDIS_ROW);
    struct shard_task_row row = {.task = ret_row->task};
    const char *at = bytes;
    row.version = (uint32_t)get(&at, 4);
    row.state = (uint8_t)*at++;
    row.attempt = (int32_t)get(&at, 4);
    row.host = (int32_t)get(&at, 4);
    row.seconds = get_float(&at);
    row.time_ns = (int64_t)get(&at, 8);
    row.outcome = (uint8_t)*at++;
    row.decision = (uint8_t)*at++;
    row.reason = (uint8_t)*at++;
    row.p_fail = get_float(&at);
    row.value = get_float(&at);
    row.limit = get_float(&at);
    row.memory_bytes = (int64_t)get(&at, 8);
    memcpy(row.failures, at, SHARD_OUTCOME_COUNT);
    at += SHARD_OUTCOME_COUNT;
    row.parent = (int32_t)get(&at, 4);
    row.unit_begin = (int64_t)get(&at, 8);
    row.unit_end = (int64_t)get(&at, 8);
    if (row.task < 0 || row.task >= SHARD_MAX_TASKS || row.version < 1 || row.attempt < 0 || row.host < -1 ||
        row.state < 1 || row.state >= SHARD_TASK_STATE_COUNT || row.outcome >= SHARD_OUTCOME_COUNT || row.parent < -1 ||
        row.parent >= SHARD_MAX_TASKS)
        return shard__fail(SHARD_ECORRUPT, "row of task %d: a value is out of range", row.task);
    *ret_row = row;
    return 0;
}

/* FNV-1a of the run's name (Fowler, Noll and Vo, 1991). */
static uint32_t mark_of(const char *run)
{
    uint32_t mark = 2166136261U;
    for (; *run != '\0'; run++)
        mark = (mark ^ (unsigned char)*run) * 16777619U;
    return mark;
}

void shard__redis_pack_begin(struct shard__bytes *bytes, const char *run)
{
    unsigned char head[RECORDS_HEAD] = {'S', 'r', VERSION};
    put(head + 3, mark_of(run), 4);
    shard__bytes_append(bytes, head, sizeof(head));
}

static int parts_of(const struct shard_record *record)
{
    int parts = 0;
    if (!isnan(record->p_fail) || record->value != 0 || record->limit != 0)
        parts |= HAS_OPERANDS;
    if (record->parent != -1 || record->unit_begin != 0 || record->unit_end != 0)
        parts |= HAS_UNITS;
    if (record->memory_bytes != 0)
        parts |= HAS_MEMORY;
    if (record->detail != NULL)
        parts |= HAS_DETAIL;
    if (isnan(record->seconds) || record->seconds != 0)
        parts |= HAS_SECONDS;
    if (record->revision != 0)
        parts |= HAS_REVISION;
    return parts;
}

void shard__redis_pack_record(struct shard__bytes *bytes, const struct shard_record *record)
{
    unsigned char buffer[128], *at = buffer;
    int parts = parts_of(record);
    *at++ = (unsigned char)parts;
    *at++ = (unsigned char)record->type;
    at = put(at, (uint64_t)record->seq, 8);
    at = put(at, (uint64_t)record->time_ns, 8);
    at = put(at, (uint32_t)record->task, 4);
    at = put(at, (uint32_t)record->host, 4);
    at = put(at, (uint32_t)record->attempt, 4);
    at = put(at, record->version, 4);
    *at++ = record->from;
    *at++ = record->to;
    *at++ = record->outcome;
    *at++ = record->decision;
    *at++ = record->reason;
    if (parts & HAS_OPERANDS) {
        at = put_float(at, record->p_fail);
        at = put_float(at, record->value);
        at = put_float(at, record->limit);
    }
    if (parts & HAS_UNITS) {
        at = put(at, (uint32_t)record->parent, 4);
        at = put(at, (uint64_t)record->unit_begin, 8);
        at = put(at, (uint64_t)record->unit_end, 8);
    }
    if (parts & HAS_MEMORY)
        at = put(at, (uint64_t)record->memory_bytes, 8);
    if (parts & HAS_SECONDS)
        at = put_float(at, record->seconds);
    if (parts & HAS_REVISION)
        at = put(at, (uint32_t)record->revision, 4);
    if (parts & HAS_DETAIL)
        at = put(at, (uint32_t)record->detail_bytes, 4);
    shard__bytes_append(bytes, buffer, (size_t)(at - buffer));
    if (parts & HAS_DETAIL)
        shard__bytes_append(bytes, record->detail, (size_t)record->detail_bytes);
}

static int fail_cut(void)
{
    return shard__fail(SHARD_ECORRUPT, "records are cut off in the middle of one");
}

int shard__redis_unpack_begin(struct shard__redis_unpack *unpack, const char *run, const char *bytes, size_t size)
{
    const char *at = bytes + 3;
    if (size < 3 || bytes[0] != 'S' || bytes[1] != 'r')
        return shard__fail(SHARD_ECORRUPT, "run '%s': its records do not begin as records do", run);
    if (bytes[2] != VERSION)
        return shard__fail(SHARD_EVERSION, "run '%s': its records have version %d, this library knows version %d", run,
                           (unsigned char)bytes[2], (int)VERSION);
    if (size < RECORDS_HEAD)
        return fail_cut();
    if (get(&at, 4) != mark_of(run))
        return shard__fail(SHARD_ECORRUPT, "run '%s': a record is of another run; somebody copied or renamed keys",
                           run);
    unpack->at = at;
    unpack->end = bytes + size;
    return 0;
}

static size_t size_of_parts(int parts)
{
    return (parts & HAS_OPERANDS ? 12U : 0U) + (parts & HAS_UNITS ? 20U : 0U) + (parts & HAS_MEMORY ? 8U : 0U) +
           (parts & HAS_SECONDS ? 4U : 0U) + (parts & HAS_REVISION ? 4U : 0U) + (parts & HAS_DETAIL ? 4U : 0U);
}

static int check_record(const struct shard_record *record)
{
    if ((int)record->type > SHARD_RECORD_REVISION || record->task < -1 || record->task >= SHARD_MAX_TASKS ||
        record->host < -1 || record->attempt < 0 || record->from >= SHARD_TASK_STATE_COUNT ||
        record->to >= SHARD_TASK_STATE_COUNT || record->outcome >= SHARD_OUTCOME_COUNT || record->parent < -1 ||
        record->revision < 0)
        return shard__fail(SHARD_ECORRUPT, "record %lld: a value is out of range", (long long)record->seq);
    return 0;
}

int shard__redis_unpack_record(struct shard__redis_unpack *unpack, struct shard_record *ret_record)
{
    const char *at = unpack->at;
    size_t left = (size_t)(unpack->end - at);
    if (left == 0)
        return 0;
    if (left < RECORD_FIXED || left < RECORD_FIXED + size_of_parts(at[0]))
        return fail_cut();
    int parts = *at++;
    struct shard_record record = {.type = (enum shard_record_type)(unsigned char)*at++, .p_fail = NAN, .parent = -1};
    record.seq = (int64_t)get(&at, 8);
    record.time_ns = (int64_t)get(&at, 8);
    record.task = (int32_t)get(&at, 4);
    record.host = (int32_t)get(&at, 4);
    record.attempt = (int32_t)get(&at, 4);
    record.version = (uint32_t)get(&at, 4);
    record.from = (uint8_t)*at++;
    record.to = (uint8_t)*at++;
    record.outcome = (uint8_t)*at++;
    record.decision = (uint8_t)*at++;
    record.reason = (uint8_t)*at++;
    if (parts & HAS_OPERANDS) {
        record.p_fail = get_float(&at);
        record.value = get_float(&at);
        record.limit = get_float(&at);
    }
    if (parts & HAS_UNITS) {
        record.parent = (int32_t)get(&at, 4);
        record.unit_begin = (int64_t)get(&at, 8);
        record.unit_end = (int64_t)get(&at, 8);
    }
    if (parts & HAS_MEMORY)
        record.memory_bytes = (int64_t)get(&at, 8);
    if (parts & HAS_SECONDS)
        record.seconds = get_float(&at);
    if (parts & HAS_REVISION)
        record.revision = (int32_t)get(&at, 4);
    if (parts & HAS_DETAIL) {
        uint64_t bytes = get(&at, 4);
        if (bytes > (size_t)(unpack->end - at) || bytes > INT32_MAX)
            return fail_cut();
        record.detail = at;
        record.detail_bytes = (int32_t)bytes;
        at += bytes;
    }
    if (check_record(&record) < 0)
        return SHARD_ECORRUPT;
    unpack->at = at;
    *ret_record = record;
    return 1;
}
