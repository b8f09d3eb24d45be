/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_MEMORY_ROWS_H
#define SHARD_ADAPTER_MEMORY_ROWS_H

/*
 * The rows of a run in 32 bytes a task. What most tasks never have (failures, a parent, units, large numbers) is not in
 * there: a task that has any of it gets a whole row in a side table, for good.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/record.h>

#include "base/map.h"

struct shard__packed_row {
    uint64_t word; /* fields of bits, see rows.c; 0: no row */
    int64_t time_ns;
    float p_fail;
    float value;
    float limit;
    float seconds;
};

struct shard__rows {
    struct shard__packed_row *packed; /* by task id */
    size_t capacity;
    struct shard_task_row *wide;
    size_t wide_count;
    size_t wide_capacity;
    int64_t *memory_values; /* the distinct values of memory_bytes; rows have the index, from 1 */
    size_t memory_count;
    size_t memory_capacity;
    struct shard__intmap memory_index;
};

/* Makes room for tasks below `count`. 0 or SHARD_ENOMEM. */
int shard__rows_reserve(const shard_context *context, struct shard__rows *rows, size_t count);

/* The row of a task below capacity; all zero when it has none. */
void shard__rows_get(const struct shard__rows *rows, int32_t task, struct shard_task_row *ret_row);

/* Sets the row of a task below capacity. 0, or SHARD_ENOMEM (unchanged). */
int shard__rows_set(const shard_context *context, struct shard__rows *rows, const struct shard_task_row *row);

/* The index of a task's whole row, or -1 when it has none. */
int64_t shard__rows_wide_index(const struct shard__packed_row *packed);

void shard__rows_free(const shard_context *context, struct shard__rows *rows);

#endif
