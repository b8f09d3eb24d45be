/* SPDX-License-Identifier: Apache-2.0 */
/* A history out of the streams of hosts and the sorted sets of outcomes, read page by page and put together here: a
 * script that did it would hold up every other call of the server. */

#include "adapter/common/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "redis.h"

enum { AT_A_TIME = 2000 };

/* When an attempt was on a host. */
struct span {
    char *host;
    int32_t attempt;
    int64_t first_ns, last_ns;
};

struct reading {
    struct shard__series answer;
    char next[64]; /* of a stream */
    int64_t skip;  /* of a sorted set */
    int is_over;
    struct span *spans;
    size_t span_count, span_capacity;
};

static int fail_entry(const struct shard__redis_store *store, const char *what)
{
    return shard__fail(SHARD_ECORRUPT, "store '%s': %s makes no sense; " SHARD__REDIS_SERIES_ADVICE, store->name, what);
}

/* What an id says of the time: milliseconds, and behind the dash nanoseconds and one. */
static int time_of(const redisReply *id, int64_t *ret_ns)
{
    int64_t ms, ns;
    int end = 0;
    if (id->type != REDIS_REPLY_STRING || sscanf(id->str, "%" SCNd64 "-%" SCNd64 "%n", &ms, &ns, &end) != 2 ||
        (size_t)end != id->len || ms < 0 || ms > INT64_MAX / 1000000 - 1 || ns < 1 || ns > 1000000)
        return -1;
    *ret_ns = ms * 1000000 + ns - 1;
    return 0;
}

static int take_sample(struct shard__redis_store *store, struct reading *reading, const redisReply *entry)
{
    const redisReply *fields = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 ? entry->element[1] : NULL;
    struct shard_sample sample;
    int64_t time_ns;
    if (fields == NULL || fields->type != REDIS_REPLY_ARRAY || fields->elements != 2 ||
        fields->element[1]->type != REDIS_REPLY_STRING || time_of(entry->element[0], &time_ns) < 0)
        return fail_entry(store, "an entry of the samples");
    int status = shard__redis_unpack_sample(fields->element[1]->str, fields->element[1]->len, time_ns, &sample);
    if (status == 0)
        status = shard__series_sample(&reading->answer, &sample);
    snprintf(reading->next, sizeof(reading->next), "(%.60s", entry->element[0]->str);
    return status;
}

static int take_outcome(struct shard__redis_store *store, struct reading *reading, const redisReply *member)
{
    struct shard_outcome_row row = {0};
    if (member->type != REDIS_REPLY_STRING)
        return fail_entry(store, "an outcome");
    int status = shard__redis_unpack_short(member->str, member->len, &row);
    return status < 0 ? status : shard__series_outcome(&reading->answer, &row);
}

typedef int (*take_one)(struct shard__redis_store *store, struct reading *reading, const redisReply *entry);

static void take_page(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply, take_one one)
{
    struct reading *reading = (struct reading *)(uintptr_t)call->token;
    int passes, status = 0;
    if (reply->type != REDIS_REPLY_ARRAY)
        status = shard__redis_fail_reply(store, reply, &passes);
    for (size_t i = 0; status == 0 && i < reply->elements; i++)
        status = one(store, reading, reply->element[i]);
    reading->is_over = status < 0 || reply->elements < AT_A_TIME;
    reading->skip += (int64_t)(status < 0 ? 0 : reply->elements);
    shard__redis_end(store, call, status);
}

static void take_samples(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    take_page(store, call, reply, take_sample);
}

static void take_outcomes(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    take_page(store, call, reply, take_outcome);
}

static struct shard__redis_call *new_call(struct shard__redis_store *store, struct reading *reading,
                                          shard__redis_take take, const char *command, const char *suffix,
                                          const char *name)
{
    struct shard__redis_call *call = shard__redis_call_new(store, NULL, 0, "", take);
    if (call == NULL)
        return NULL;
    call->token = (shard_token)(uintptr_t)reading;
    shard__redis_text(&call->command, command);
    shard__redis_series_key(store, &call->command, suffix, name);
    return call;
}

/* Samples of a host from first_ns to last_ns, and in the range that is asked for. */
static int feed_host(struct shard__redis_store *store, struct reading *reading, const char *host, int64_t first_ns,
                     int64_t last_ns)
{
    const struct shard_series_query *query = &reading->answer.query;
    char last[64];
    int status = 0, done;
    if (first_ns < query->from_ns)
        first_ns = query->from_ns;
    if (last_ns > query->to_ns - 1)
        last_ns = query->to_ns - 1;
    if (last_ns < first_ns)
        return 0;
    snprintf(reading->next, sizeof(reading->next), "%" PRId64 "-%" PRId64, first_ns / 1000000, first_ns % 1000000 + 1);
    snprintf(last, sizeof(last), "%" PRId64 "-%" PRId64, last_ns / 1000000, last_ns % 1000000 + 1);
    reading->is_over = 0;
    while (status == 0 && !reading->is_over) {
        struct shard__redis_call *call = new_call(store, reading, take_samples, "XRANGE", ":host:", host);
        if (call == NULL)
            return SHARD_ENOMEM;
        shard__redis_text(&call->command, reading->next);
        shard__redis_text(&call->command, last);
        shard__redis_text(&call->command, "COUNT");
        shard__redis_number(&call->command, AT_A_TIME);
        status = shard__redis_await(store, call, &done);
    }
    return status;
}

static struct span *span_of(struct shard__redis_store *store, struct reading *reading, int32_t attempt,
                            const char *host)
{
    for (size_t i = 0; i < reading->span_count; i++)
        if (reading->spans[i].attempt == attempt && strcmp(reading->spans[i].host, host) == 0)
            return &reading->spans[i];
    if (shard__grow(store->context, &reading->spans, &reading->span_capacity, reading->span_count + 1,
                    sizeof(*reading->spans)) < 0)
        return NULL;
    char *copy = shard__strdup(store->context, host);
    if (copy == NULL)
        return NULL;
    reading->spans[reading->span_count] = (struct span){.host = copy, .attempt = attempt, .last_ns = INT64_MAX};
    return &reading->spans[reading->span_count++];
}

/* A field is '<' or '>', the attempt, a space and the host; its value a time. */
static int take_field(struct shard__redis_store *store, struct reading *reading, const redisReply *field,
                      const redisReply *value)
{
    char *end = NULL;
    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING || field->len < 3 ||
        (field->str[0] != '<' && field->str[0] != '>'))
        return fail_entry(store, "when an attempt was on a host");
    long attempt = strtol(field->str + 1, &end, 10);
    if (*end != ' ' || attempt < INT32_MIN || attempt > INT32_MAX)
        return fail_entry(store, "when an attempt was on a host");
    struct span *span = span_of(store, reading, (int32_t)attempt, end + 1);
    if (span == NULL)
        return SHARD_ENOMEM;
    int64_t time_ns = strtoll(value->str, &end, 10);
    if (*end != '\0' || time_ns < 0)
        return fail_entry(store, "when an attempt was on a host");
    if (field->str[0] == '<')
        span->first_ns = time_ns;
    else
        span->last_ns = time_ns;
    return 0;
}

static void take_spans(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct reading *reading = (struct reading *)(uintptr_t)call->token;
    int passes, status = 0;
    if (reply->type != REDIS_REPLY_ARRAY)
        status = shard__redis_fail_reply(store, reply, &passes);
    for (size_t i = 0; status == 0 && i + 1 < reply->elements; i += 2)
        status = take_field(store, reading, reply->element[i], reply->element[i + 1]);
    shard__redis_end(store, call, status);
}

static int feed_spans(struct shard__redis_store *store, struct reading *reading, const char *task)
{
    int done;
    struct shard__redis_call *call = new_call(store, reading, take_spans, "HGETALL", ":span:", task);
    int status = call == NULL ? SHARD_ENOMEM : shard__redis_await(store, call, &done);
    for (size_t i = 0; status == 0 && i < reading->span_count; i++)
        status =
            feed_host(store, reading, reading->spans[i].host, reading->spans[i].first_ns, reading->spans[i].last_ns);
    return status;
}

/* Pages by rank: an outcome that comes or goes meanwhile may be missed or seen twice, as with any growing set. */
static int feed_outcomes(struct shard__redis_store *store, struct reading *reading, const char *suffix,
                         const char *name)
{
    const struct shard_series_query *query = &reading->answer.query;
    int status = 0, done;
    reading->is_over = 0;
    reading->skip = 0;
    while (status == 0 && !reading->is_over) {
        struct shard__redis_call *call = new_call(store, reading, take_outcomes, "ZRANGEBYSCORE", suffix, name);
        if (call == NULL)
            return SHARD_ENOMEM;
        shard__redis_number(&call->command, query->from_ns / 1000000);
        shard__redis_number(&call->command, query->to_ns / 1000000);
        shard__redis_text(&call->command, "LIMIT");
        shard__redis_number(&call->command, reading->skip);
        shard__redis_number(&call->command, AT_A_TIME);
        status = shard__redis_await(store, call, &done);
    }
    return status;
}

int shard__redis_series(void *self, const struct shard_series_query *theirs, shard__series_each each, void *each_self)
{
    struct shard__redis_store *store = self;
    struct reading reading = {.skip = 0};
    char task[SHARD_MAX_NAME_BYTES + 32];
    shard__clear_error();
    int status = shard__series_begin(&reading.answer, store->context, theirs);
    if (status < 0)
        return status;
    const struct shard_series_query *query = &reading.answer.query;
    snprintf(task, sizeof(task), "%d:%s", query->task, query->name);
    if (query->of == SHARD_SERIES_HOST)
        status = feed_host(store, &reading, query->name, 0, INT64_MAX);
    else if (query->of == SHARD_SERIES_TASK)
        status = feed_spans(store, &reading, task);
    if (status == 0)
        status = query->of == SHARD_SERIES_HOST   ? feed_outcomes(store, &reading, ":ends:", query->name)
                 : query->of == SHARD_SERIES_KIND ? feed_outcomes(store, &reading, ":kind:", query->name)
                                                  : feed_outcomes(store, &reading, ":task:", task);
    for (size_t i = 0; i < reading.span_count; i++)
        shard__strfree(store->context, reading.spans[i].host);
    shard__release(store->context, reading.spans, reading.span_capacity * sizeof(*reading.spans));
    return shard__series_end(&reading.answer, status, each, each_self);
}
