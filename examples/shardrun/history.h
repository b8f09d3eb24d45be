/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_HISTORY_H
#define SHARDRUN_HISTORY_H

/* A history out of a store, and how it is shown. */

#include <stdbool.h>

#include <shard/store.h>

struct history_bucket {
    int64_t start_ns;
    struct shard_series_value values[SHARD_MEASURE_COUNT];
};

struct history {
    struct history_bucket *buckets; /* that have something, oldest first */
    size_t count;
    size_t capacity;
    int64_t every_ns;
    int64_t counts[SHARD_MEASURE_COUNT]; /* over all buckets */
};

/* Reads one; every_ns 0 in the query chooses a width that gives some twenty rows. 0 or a code of the library. */
int history_read(const struct shard_store_handle *store, const struct shard_series_query *query,
                 struct history *ret_history);
void history_clear(struct history *history);
bool history_has(const struct history *history, int measure);

/* A table, and below it a line of bars for each measure that has something. */
void history_print(const struct history *history, const char *what);
/* One object a line for each bucket. */
void history_print_json(const struct history *history);

#endif
