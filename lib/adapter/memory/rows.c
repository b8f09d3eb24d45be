/* SPDX-License-Identifier: Apache-2.0 */
/* Packing rows. The layout is this file's own; nothing of it leaves the process. */

#include "rows.h"

#include <string.h>

#include "base/alloc.h"

/* Fields of the word, from bit 0. State 15 is no state: the rest of the word is then the index of the whole row. */
enum {
    STATE_BITS = 4,
    OUTCOME_BITS = 4,
    DECISION_BITS = 4,
    REASON_BITS = 8,
    ATTEMPT_BITS = 6,
    VERSION_BITS = 8,
    MEMORY_BITS = 10,
    HOST_BITS = 20, /* host + 1 */
    WIDE_STATE = 15
};
_Static_assert(STATE_BITS + OUTCOME_BITS + DECISION_BITS + REASON_BITS + ATTEMPT_BITS + VERSION_BITS + MEMORY_BITS +
                       HOST_BITS ==
                   64,
               "the fields fill the word");
_Static_assert((int)SHARD_TASK_STATE_COUNT <= (int)WIDE_STATE, "state 15 is free");
_Static_assert(sizeof(struct shard__packed_row) == 32, "a row is half a cache line");

int shard__rows_reserve(const shard_context *context, struct shard__rows *rows, size_t count)
{
    if (count <= rows->capacity)
        return 0;
    size_t old_size = rows->capacity * sizeof(*rows->packed);
    size_t size = count * sizeof(*rows->packed);
    struct shard__packed_row *packed = shard__realloc(context, rows->packed, old_size, size);
    if (packed == NULL)
        return SHARD_ENOMEM;
    memset(packed + rows->capacity, 0, size - old_size);
    rows->packed = packed;
    rows->capacity = count;
    return 0;
}

static inline uint64_t take(uint64_t *word, int bits)
{
    uint64_t field = *word & ((UINT64_C(1) << bits) - 1);
    *word >>= bits;
    return field;
}

static inline void put(uint64_t *word, int *shift, int bits, uint64_t field)
{
    *word |= field << *shift;
    *shift += bits;
}

int64_t shard__rows_wide_index(const struct shard__packed_row *packed)
{
    uint64_t word = packed->word;
    return take(&word, STATE_BITS) == WIDE_STATE ? (int64_t)word : -1;
}

void shard__rows_get(const struct shard__rows *rows, int32_t task, struct shard_task_row *ret_row)
{
    const struct shard__packed_row *packed = &rows->packed[task];
    uint64_t word = packed->word;
    uint8_t state = (uint8_t)take(&word, STATE_BITS);
    if (state == WIDE_STATE) {
        *ret_row = rows->wide[word];
        return;
    }
    memset(ret_row, 0, sizeof(*ret_row));
    if (state == SHARD_TASK_NONE)
        return;
    ret_row->task = task;
    ret_row->state = state;
    ret_row->outcome = (uint8_t)take(&word, OUTCOME_BITS);
    ret_row->decision = (uint8_t)take(&word, DECISION_BITS);
    ret_row->reason = (uint8_t)take(&word, REASON_BITS);
    ret_row->attempt = (int32_t)take(&word, ATTEMPT_BITS);
    ret_row->version = (uint32_t)take(&word, VERSION_BITS);
    uint64_t memory = take(&word, MEMORY_BITS);
    ret_row->memory_bytes = memory == 0 ? 0 : rows->memory_values[memory - 1];
    ret_row->host = (int32_t)take(&word, HOST_BITS) - 1;
    ret_row->p_fail = packed->p_fail;
    ret_row->value = packed->value;
    ret_row->limit = packed->limit;
    ret_row->seconds = packed->seconds;
    ret_row->parent = -1;
    ret_row->time_ns = packed->time_ns;
}

/* The index of a value from 1, 0 for none, or a negative number when it cannot be had. */
static int32_t memory_index(const shard_context *context, struct shard__rows *rows, int64_t value)
{
    if (value <= 0)
        return value == 0 ? 0 : -1;
    int32_t known = shard__intmap_find(&rows->memory_index, (uint64_t)value);
    if (known >= 0)
        return known;
    size_t count = rows->memory_count;
    if (count + 1 >= 1 << MEMORY_BITS ||
        shard__grow(context, &rows->memory_values, &rows->memory_capacity, count + 1, sizeof(value)) < 0 ||
        shard__intmap_set(context, &rows->memory_index, (uint64_t)value, (int32_t)count + 1) < 0)
        return -1;
    rows->memory_values[count] = value;
    rows->memory_count++;
    return (int32_t)count + 1;
}

static inline int has_failures(const struct shard_task_row *row)
{
    unsigned any = 0;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        any |= row->failures[i];
    return any != 0;
}

static int fits(const struct shard_task_row *row)
{
    return row->parent == -1 && row->unit_begin == 0 && row->unit_end == 0 && row->state < WIDE_STATE &&
           row->outcome < 1 << OUTCOME_BITS && row->decision < 1 << DECISION_BITS && row->attempt >= 0 &&
           row->attempt < 1 << ATTEMPT_BITS && row->version < 1 << VERSION_BITS && row->host >= -1 &&
           row->host + 1 < 1 << HOST_BITS && !has_failures(row);
}

static int set_wide(const shard_context *context, struct shard__rows *rows, const struct shard_task_row *row)
{
    struct shard__packed_row *packed = &rows->packed[row->task];
    int64_t index = shard__rows_wide_index(packed);
    if (index < 0) {
        size_t count = rows->wide_count;
        if (shard__grow(context, &rows->wide, &rows->wide_capacity, count + 1, sizeof(*row)) < 0)
            return SHARD_ENOMEM;
        index = (int64_t)count;
        rows->wide_count++;
        packed->word = (uint64_t)index << STATE_BITS | WIDE_STATE;
    }
    rows->wide[index] = *row;
    return 0;
}

int shard__rows_set(const shard_context *context, struct shard__rows *rows, const struct shard_task_row *row)
{
    struct shard__packed_row *packed = &rows->packed[row->task];
    int32_t memory;
    if ((packed->word & WIDE_STATE) == WIDE_STATE || !fits(row) ||
        (memory = memory_index(context, rows, row->memory_bytes)) < 0)
        return set_wide(context, rows, row);
    uint64_t word = 0;
    int shift = 0;
    put(&word, &shift, STATE_BITS, row->state);
    put(&word, &shift, OUTCOME_BITS, row->outcome);
    put(&word, &shift, DECISION_BITS, row->decision);
    put(&word, &shift, REASON_BITS, row->reason);
    put(&word, &shift, ATTEMPT_BITS, (uint64_t)row->attempt);
    put(&word, &shift, VERSION_BITS, row->version);
    put(&word, &shift, MEMORY_BITS, (uint64_t)memory);
    put(&word, &shift, HOST_BITS, (uint64_t)(row->host + 1));
    *packed = (struct shard__packed_row){.word = word,
                                         .time_ns = row->time_ns,
                                         .p_fail = row->p_fail,
                                         .value = row->value,
                                         .limit = row->limit,
                                         .seconds = row->seconds};
    return 0;
}

void shard__rows_free(const shard_context *context, struct shard__rows *rows)
{
    shard__release(context, rows->packed, rows->capacity * sizeof(*rows->packed));
    shard__release(context, rows->wide, rows->wide_capacity * sizeof(*rows->wide));
    shard__release(context, rows->memory_values, rows->memory_capacity * sizeof(*rows->memory_values));
    shard__intmap_free(context, &rows->memory_index);
    memset(rows, 0, sizeof(*rows));
}
