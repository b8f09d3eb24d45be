/* SPDX-License-Identifier: Apache-2.0 */
/* Time series in memory: samples by host, when attempts were where, and outcomes. */

#include "series.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__memory_series *series = owner;
    *ret_bytes = strlen(series->hosts[id].name);
    return series->hosts[id].name;
}

static int32_t find_host(const struct shard__memory_series *series, const char *name)
{
    return shard__namemap_find(&series->host_names, name, strlen(name), name_of, series);
}

/* The index of a host, which is made when it is new, or SHARD_ENOMEM. */
static int32_t take_host(struct shard__memory_series *series, const char *name)
{
    int32_t id = find_host(series, name);
    if (id >= 0)
        return id;
    if (shard__grow(series->context, &series->hosts, &series->host_capacity, series->host_count + 1,
                    sizeof(*series->hosts)) < 0)
        return SHARD_ENOMEM;
    char *copy = shard__strdup(series->context, name);
    if (copy == NULL)
        return SHARD_ENOMEM;
    id = (int32_t)series->host_count;
    series->hosts[id] = (struct shard__memory_host){.name = copy};
    if (shard__namemap_add(series->context, &series->host_names, id, name_of, series) < 0) {
        shard__strfree(series->context, copy);
        return SHARD_ENOMEM;
    }
    series->host_count++;
    return id;
}

/* Samples of a host that are too old or too many go; their room is used again once it is half of all. */
static void cut_samples(const struct shard__memory_series *series, struct shard__memory_host *host)
{
    int64_t oldest_ns = host->items[host->count - 1].time_ns - series->keep.sample_ns;
    while (host->count - host->first > (size_t)series->keep.samples || host->items[host->first].time_ns < oldest_ns)
        host->first++;
    if (host->first < 64 || host->first * 2 < host->count)
        return;
    memmove(host->items, host->items + host->first, (host->count - host->first) * sizeof(*host->items));
    host->count -= host->first;
    host->first = 0;
}

/* Attempts of which no sample is left go, each time that there are twice as many as were left the last time. */
static void cut_spans(struct shard__memory_series *series)
{
    size_t left = 0;
    if (series->span_count < 64 || series->span_count < 2 * series->spans_after_cut)
        return;
    for (size_t i = 0; i < series->span_count; i++) {
        struct shard__memory_span *span = &series->spans[i];
        const struct shard__memory_host *host = &series->hosts[span->host];
        if (host->count == host->first || span->last_ns >= host->items[host->first].time_ns)
            series->spans[left++] = *span;
        else
            shard__strfree(series->context, span->run);
    }
    series->span_count = left;
    series->spans_after_cut = left;
}

static int keep_tag(struct shard__memory_series *series, int32_t host, int64_t time_ns,
                    const struct shard_sample_tag *tag)
{
    /* From the end: the attempts that run now are the newest. */
    for (size_t i = series->span_count; i-- > 0;) {
        struct shard__memory_span *span = &series->spans[i];
        if (span->task == tag->task && span->attempt == tag->attempt && span->host == host &&
            strcmp(span->run, tag->run) == 0) {
            span->last_ns = time_ns;
            return 0;
        }
    }
    if (shard__grow(series->context, &series->spans, &series->span_capacity, series->span_count + 1,
                    sizeof(*series->spans)) < 0)
        return SHARD_ENOMEM;
    char *run = shard__strdup(series->context, tag->run);
    if (run == NULL)
        return SHARD_ENOMEM;
    series->spans[series->span_count++] =
        (struct shard__memory_span){run, tag->task, tag->attempt, host, time_ns, time_ns};
    return 0;
}

int shard__memory_keep_samples(struct shard__memory_series *series, const struct shard_host_sample *samples,
                               int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t id = take_host(series, samples[i].host);
        if (id < 0)
            return SHARD_ENOMEM;
        struct shard__memory_host *host = &series->hosts[id];
        if (host->count > 0 && samples[i].sample.time_ns <= host->items[host->count - 1].time_ns)
            continue;
        if (shard__grow(series->context, &host->items, &host->capacity, host->count + 1, sizeof(*host->items)) < 0)
            return SHARD_ENOMEM;
        for (int32_t tag = 0; tag < samples[i].tag_count; tag++)
            if (keep_tag(series, id, samples[i].sample.time_ns, &samples[i].tags[tag]) < 0)
                return SHARD_ENOMEM;
        host->items[host->count++] = samples[i].sample;
        cut_samples(series, host);
        cut_spans(series);
    }
    return 0;
}

static char *append(char **at, const char *text)
{
    char *place = *at;
    size_t bytes = strlen(text) + 1;
    memcpy(place, text, bytes);
    *at += bytes;
    return place;
}

static struct shard__memory_outcome *copy_outcome(const shard_context *context, const struct shard_outcome_row *row)
{
    size_t values_size = (size_t)row->columns * sizeof(float);
    size_t size = sizeof(struct shard__memory_outcome) + values_size + strlen(row->run) + strlen(row->host) +
                  strlen(row->kind) + 3;
    struct shard__memory_outcome *copy = shard__realloc(context, NULL, 0, size);
    if (copy == NULL)
        return NULL;
    *copy = (struct shard__memory_outcome){.row = *row, .size = size};
    char *at = (char *)(copy + 1);
    copy->row.values = memcpy(at, row->values, values_size);
    at += values_size;
    copy->row.run = append(&at, row->run);
    copy->row.host = append(&at, row->host);
    copy->row.kind = append(&at, row->kind);
    return copy;
}

static void cut_outcomes(struct shard__memory_series *series)
{
    int64_t oldest_ns = series->outcomes[series->outcome_count - 1]->row.end_ns - series->keep.outcome_ns;
    while (series->outcome_first + 1 < series->outcome_count &&
           (series->outcome_count - series->outcome_first > (size_t)series->keep.outcomes ||
            series->outcomes[series->outcome_first]->row.end_ns < oldest_ns)) {
        struct shard__memory_outcome *old = series->outcomes[series->outcome_first++];
        shard__release(series->context, old, old->size);
    }
    if (series->outcome_first < 64 || series->outcome_first * 2 < series->outcome_count)
        return;
    memmove(series->outcomes, series->outcomes + series->outcome_first,
            (series->outcome_count - series->outcome_first) * sizeof(struct shard__memory_outcome *));
    series->outcome_count -= series->outcome_first;
    series->outcome_first = 0;
}

static void drop_outcomes(const struct shard__memory_series *series, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        shard__release(series->context, series->outcomes[i], series->outcomes[i]->size);
}

int shard__memory_keep_outcomes(struct shard__memory_series *series, shard_sink *sink, shard_token token,
                                const struct shard_outcome_row *outcomes, int32_t count)
{
    size_t end = series->outcome_count;
    int status = shard__grow(series->context, &series->outcomes, &series->outcome_capacity, end + (size_t)count,
                             sizeof(struct shard__memory_outcome *));
    for (int32_t i = 0; status == 0 && i < count; i++) {
        series->outcomes[end] = copy_outcome(series->context, &outcomes[i]);
        if (series->outcomes[end] == NULL)
            status = SHARD_ENOMEM;
        else
            end++;
    }
    if (status == 0)
        status = shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
    if (status < 0) {
        drop_outcomes(series, series->outcome_count, end);
        return status;
    }
    series->outcome_count = end;
    cut_outcomes(series);
    return 0;
}

/* Those that started at the same time stay as they came: an index settles it. */
struct ordered {
    const struct shard_outcome_row *row;
    size_t index;
};

static int by_start(const void *left, const void *right)
{
    const struct ordered *a = left, *b = right;
    if (a->row->start_ns != b->row->start_ns)
        return a->row->start_ns > b->row->start_ns ? 1 : -1;
    return a->index > b->index ? 1 : -1;
}

int shard__memory_each_outcome(const struct shard__memory_series *series,
                               int (*each)(void *each_self, const struct shard_outcome_row *outcome), void *each_self)
{
    size_t count = series->outcome_count - series->outcome_first;
    struct ordered *order = NULL;
    if (count == 0)
        return 0;
    order = shard__realloc(series->context, NULL, 0, count * sizeof(*order));
    if (order == NULL)
        return SHARD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = (struct ordered){&series->outcomes[series->outcome_first + i]->row, i};
    qsort(order, count, sizeof(*order), by_start);
    for (size_t i = 0; i < count; i++)
        if (each(each_self, order[i].row) != 0)
            break;
    shard__release(series->context, order, count * sizeof(*order));
    return 0;
}

static int feed_host(const struct shard__memory_series *series, struct shard__series *answer, int32_t id,
                     int64_t first_ns, int64_t last_ns)
{
    const struct shard__memory_host *host = &series->hosts[id];
    int status = 0;
    for (size_t i = host->first; status == 0 && i < host->count; i++)
        if (host->items[i].time_ns >= first_ns && host->items[i].time_ns <= last_ns)
            status = shard__series_sample(answer, &host->items[i]);
    return status;
}

static int feed_samples(const struct shard__memory_series *series, struct shard__series *answer)
{
    const struct shard_series_query *query = &answer->query;
    int status = 0;
    if (query->of == SHARD_SERIES_HOST) {
        int32_t id = find_host(series, query->name);
        return id < 0 ? 0 : feed_host(series, answer, id, 0, INT64_MAX);
    }
    for (size_t i = 0; status == 0 && query->of == SHARD_SERIES_TASK && i < series->span_count; i++) {
        const struct shard__memory_span *span = &series->spans[i];
        if (span->task == query->task && strcmp(span->run, query->name) == 0)
            status = feed_host(series, answer, span->host, span->first_ns, span->last_ns);
    }
    return status;
}

static int is_of(const struct shard_series_query *query, const struct shard_outcome_row *row)
{
    switch (query->of) {
    case SHARD_SERIES_HOST:
        return strcmp(row->host, query->name) == 0;
    case SHARD_SERIES_KIND:
        return strcmp(row->kind, query->name) == 0;
    case SHARD_SERIES_TASK:
        return row->task == query->task && strcmp(row->run, query->name) == 0;
    }
    return 0;
}

int shard__memory_read_series(const struct shard__memory_series *series, const struct shard_series_query *query,
                              shard__series_each each, void *each_self)
{
    struct shard__series answer;
    int status = shard__series_begin(&answer, series->context, query);
    if (status < 0)
        return status;
    status = feed_samples(series, &answer);
    for (size_t i = series->outcome_first; status == 0 && i < series->outcome_count; i++)
        if (is_of(&answer.query, &series->outcomes[i]->row))
            status = shard__series_outcome(&answer, &series->outcomes[i]->row);
    return shard__series_end(&answer, status, each, each_self);
}

void shard__memory_free_series(struct shard__memory_series *series)
{
    const shard_context *context = series->context;
    for (size_t i = 0; i < series->host_count; i++) {
        shard__strfree(context, series->hosts[i].name);
        shard__release(context, series->hosts[i].items, series->hosts[i].capacity * sizeof(*series->hosts[i].items));
    }
    shard__release(context, series->hosts, series->host_capacity * sizeof(*series->hosts));
    shard__namemap_free(context, &series->host_names);
    for (size_t i = 0; i < series->span_count; i++)
        shard__strfree(context, series->spans[i].run);
    shard__release(context, series->spans, series->span_capacity * sizeof(*series->spans));
    drop_outcomes(series, series->outcome_first, series->outcome_count);
    shard__release(context, series->outcomes, series->outcome_capacity * sizeof(struct shard__memory_outcome *));
}
