/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_MEMORY_SERIES_H
#define SHARD_ADAPTER_MEMORY_SERIES_H

/* Time series in memory. The caller holds the store's mutex. */

#include "adapter/common/check.h"
#include "adapter/common/series.h"

/* A host's samples, oldest first: items[first] to items[count - 1]. What is before them has gone, and its room goes
 * when it is as much as the rest. */
struct shard__memory_host {
    char *name;
    struct shard_sample *items;
    size_t first, count, capacity;
};

/* When an attempt was on a host. */
struct shard__memory_span {
    char *run;
    shard_task_id task;
    int32_t attempt;
    int32_t host;
    int64_t first_ns, last_ns;
};

/* An outcome, one block of `size` bytes with all that it points to. */
struct shard__memory_outcome {
    struct shard_outcome_row row;
    size_t size;
};

struct shard__memory_series {
    const shard_context *context;
    struct shard__keep keep;
    struct shard__memory_host *hosts;
    size_t host_count, host_capacity;
    struct shard__namemap host_names;
    struct shard__memory_span *spans;
    size_t span_count, span_capacity, spans_after_cut;
    struct shard__memory_outcome **outcomes;
    size_t outcome_first, outcome_count, outcome_capacity;
};

/* 0, or SHARD_ENOMEM; then some of them are kept. */
int shard__memory_keep_samples(struct shard__memory_series *series, const struct shard_host_sample *samples,
                               int32_t count);
/* Keeps them and answers the token; 0, or SHARD_ENOMEM: then none is kept, and the token not answered. */
int shard__memory_keep_outcomes(struct shard__memory_series *series, shard_sink *sink, shard_token token,
                                const struct shard_outcome_row *outcomes, int32_t count);
int shard__memory_each_outcome(const struct shard__memory_series *series,
                               int (*each)(void *each_self, const struct shard_outcome_row *outcome), void *each_self);
int shard__memory_read_series(const struct shard__memory_series *series, const struct shard_series_query *query,
                              shard__series_each each, void *each_self);
void shard__memory_free_series(struct shard__memory_series *series);

#endif
