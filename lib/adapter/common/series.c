/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of time series, and the names of what is measured. */

#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <shard/history.h>

#include "base/error.h"
#include "base/name.h"
#include "base/sample.h"

struct shard__series_slot {
    int64_t start_ns;
    struct shard_series_value values[SHARD_MEASURE_COUNT]; /* `mean` is the sum until the end */
};

const char *shard_measure_text(int measure)
{
    static const char *const texts[] = {"cpu_share",
                                        "memory_share",
                                        "disk_share",
                                        "io_bytes_per_second",
                                        "network_bytes_per_second",
                                        "cpu_pressure",
                                        "memory_pressure",
                                        "io_pressure",
                                        "load",
                                        "temperature_celsius",
                                        "seconds",
                                        "failed",
                                        "p_fail",
                                        "censored"};
    _Static_assert(sizeof(texts) / sizeof(texts[0]) == SHARD_MEASURE_COUNT, "a text for each measure");
    return measure >= 0 && measure < SHARD_MEASURE_COUNT ? texts[measure] : "?";
}

int shard__series_begin(struct shard__series *series, const shard_context *context,
                        const struct shard_series_query *theirs)
{
    struct shard_series_query query;
    int status = shard__take_struct(&query, sizeof(query), theirs, "series query");
    if (status == 0 && ((int)query.of < SHARD_SERIES_HOST || query.of > SHARD_SERIES_TASK))
        status = shard__fail(SHARD_EINVAL, "series query: of is %d, expected 0 to 2", (int)query.of);
    if (status == 0)
        status = shard__check_name(query.name, query.of == SHARD_SERIES_HOST   ? "host"
                                               : query.of == SHARD_SERIES_KIND ? "kind"
                                                                               : "run");
    if (status == 0 && query.of == SHARD_SERIES_TASK && (query.task < 0 || query.task >= SHARD_MAX_TASKS))
        status = shard__fail(SHARD_EINVAL, "series query: task id is out of range");
    if (status == 0 && query.to_ns == 0)
        query.to_ns = INT64_MAX;
    if (status == 0 && (query.from_ns < 0 || query.to_ns < query.from_ns || query.every_ns < 0))
        status =
            shard__fail(SHARD_EINVAL, "series query: from_ns, to_ns and every_ns are 0 or more, and from before to");
    if (status == 0)
        *series = (struct shard__series){.context = context, .query = query};
    return status;
}

static struct shard__series_slot *slot_at(struct shard__series *series, int64_t time_ns)
{
    const struct shard_series_query *query = &series->query;
    int64_t index = query->every_ns == 0 ? 0 : (time_ns - query->from_ns) / query->every_ns;
    int32_t found = shard__intmap_find(&series->by_index, (uint64_t)index);
    if (found >= 0)
        return &series->slots[found];
    if (series->count >= INT32_MAX ||
        shard__grow(series->context, &series->slots, &series->capacity, series->count + 1, sizeof(*series->slots)) <
            0 ||
        shard__intmap_set(series->context, &series->by_index, (uint64_t)index, (int32_t)series->count) < 0)
        return NULL;
    struct shard__series_slot *slot = &series->slots[series->count++];
    memset(slot, 0, sizeof(*slot));
    slot->start_ns = query->from_ns + index * query->every_ns;
    return slot;
}

static void add(struct shard__series_slot *slot, int measure, double value)
{
    struct shard_series_value *cell = &slot->values[measure];
    if (isnan(value))
        return;
    if (cell->count == 0 || value < cell->min)
        cell->min = value;
    if (cell->count == 0 || value > cell->max)
        cell->max = value;
    cell->mean += value;
    cell->count++;
}

static int is_in(const struct shard__series *series, int64_t time_ns)
{
    return time_ns >= series->query.from_ns && time_ns < series->query.to_ns;
}

int shard__series_sample(struct shard__series *series, const struct shard_sample *sample)
{
    double values[SHARD__SAMPLE_VALUES];
    if (!is_in(series, sample->time_ns))
        return 0;
    struct shard__series_slot *slot = slot_at(series, sample->time_ns);
    if (slot == NULL)
        return SHARD_ENOMEM;
    shard__sample_values(sample, values);
    for (int i = 0; i < SHARD__SAMPLE_VALUES; i++)
        add(slot, i, values[i]);
    return 0;
}

int shard__series_outcome(struct shard__series *series, const struct shard_outcome_row *outcome)
{
    if (!is_in(series, outcome->end_ns))
        return 0;
    struct shard__series_slot *slot = slot_at(series, outcome->end_ns);
    if (slot == NULL)
        return SHARD_ENOMEM;
    int label = shard_outcome_label((int)outcome->outcome);
    add(slot, SHARD_MEASURE_CENSORED, label < 0);
    add(slot, SHARD_MEASURE_SECONDS, label == 0 ? outcome->seconds : NAN);
    add(slot, SHARD_MEASURE_FAILED, label < 0 ? NAN : (double)label);
    add(slot, SHARD_MEASURE_P_FAIL, outcome->p_fail);
    return 0;
}

static int by_start(const void *left, const void *right)
{
    const struct shard__series_slot *a = left, *b = right;
    return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

static void finish(struct shard__series_slot *slot)
{
    for (int i = 0; i < SHARD_MEASURE_COUNT; i++) {
        struct shard_series_value *cell = &slot->values[i];
        if (cell->count == 0)
            *cell = (struct shard_series_value){0, NAN, NAN, NAN};
        else
            cell->mean /= (double)cell->count;
    }
}

int shard__series_end(struct shard__series *series, int status, shard__series_each each, void *each_self)
{
    if (status >= 0 && series->count > 0)
        qsort(series->slots, series->count, sizeof(*series->slots), by_start);
    for (size_t i = 0; status >= 0 && i < series->count; i++) {
        finish(&series->slots[i]);
        struct shard_series_bucket bucket = {.struct_size = sizeof(bucket),
                                             .start_ns = series->slots[i].start_ns,
                                             .values = series->slots[i].values,
                                             .value_count = SHARD_MEASURE_COUNT};
        if (each(each_self, &bucket) != 0)
            break;
    }
    shard__release(series->context, series->slots, series->capacity * sizeof(*series->slots));
    shard__intmap_free(series->context, &series->by_index);
    return status;
}
