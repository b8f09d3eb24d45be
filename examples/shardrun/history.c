/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the history of a host, a kind or a task, and finds a width for its buckets.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "need.h"

#define SECOND INT64_C(1000000000)
enum { ROWS = 24 };

static int take_bucket(void *self, const struct shard_series_bucket *bucket)
{
    struct history *history = self;
    if (history->count == history->capacity) {
        history->capacity = history->capacity == 0 ? 64 : 2 * history->capacity;
        history->buckets = need_resized(history->buckets, history->capacity, sizeof *history->buckets);
    }
    struct history_bucket *own = &history->buckets[history->count++];
    memset(own, 0, sizeof *own);
    own->start_ns = bucket->start_ns;
    for (int i = 0; i < SHARD_MEASURE_COUNT && i < bucket->value_count; i++) {
        own->values[i] = bucket->values[i];
        history->counts[i] += bucket->values[i].count;
    }
    return 0;
}

static int read_with(const struct shard_store_handle *store, const struct shard_series_query *query, int64_t every_ns,
                     struct history *ret_history)
{
    struct shard_series_query own = *query;
    own.every_ns = every_ns;
    *ret_history = (struct history){.every_ns = every_ns};
    int status = store->port->series(store->self, &own, take_bucket, ret_history);
    if (status < 0)
        history_clear(ret_history);
    return status;
}

/* The first of the widths that people reckon in which needs no more rows than wanted. */
static int64_t width_for(int64_t span_ns)
{
    static const int64_t seconds[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        if (span_ns <= ROWS * seconds[i] * SECOND)
            return seconds[i] * SECOND;
    int64_t days = span_ns / (ROWS * 86400 * SECOND) + 1;
    return days * 86400 * SECOND;
}

int history_read(const struct shard_store_handle *store, const struct shard_series_query *query,
                 struct history *ret_history)
{
    struct shard_series_query own = *query;
    int64_t every_ns = query->every_ns;
    if (every_ns == 0) {
        /* Once by the minute, to see how far it reaches. */
        struct history seen;
        int status = read_with(store, &own, 60 * SECOND, &seen);
        if (status < 0 || seen.count == 0) {
            *ret_history = (struct history){.every_ns = 60 * SECOND};
            return status;
        }
        every_ns = width_for(seen.buckets[seen.count - 1].start_ns + 60 * SECOND - seen.buckets[0].start_ns);
        history_clear(&seen);
    }
    return read_with(store, &own, every_ns, ret_history);
}

void history_clear(struct history *history)
{
    free(history->buckets);
    *history = (struct history){0};
}

bool history_has(const struct history *history, int measure)
{
    return history->counts[measure] > 0;
}
