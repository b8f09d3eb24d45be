/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Redis store against the conformance suite, on a real server. Its leases run by the server's clock, which a test
 * cannot move: what the test's clock is ahead, the ends of all leases in the server are moved back by.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/context.h"
#include "redis_server.h"
#include "store_suite.h"

struct place {
    struct redis_server server;
    const char *prefix;
};

/* A handle of the store under test, and how far the leases have been moved back already. */
struct handle {
    struct shard_store port;
    struct shard_store_handle real;
    shard_context *context;
    struct redis_server *server;
};

static long long moved_ms;

static void move_leases(const struct handle *handle)
{
    static const char script[] = "local moved = 0 for _, key in ipairs(redis.call('KEYS', '*}:run')) do"
                                 " local ends = redis.call('HGET', key, 'ends')"
                                 " redis.call('HSET', key, 'ends', string.format('%.0f', ends - ARGV[1] * 1000))"
                                 " moved = moved + 1 end return moved";
    struct timespec now;
    char text[32];
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long real_ns = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    long long ahead_ms = (shard__now_ns(handle->context) - real_ns + 500000) / 1000000;
    if (ahead_ms < moved_ms) /* another check, from its beginning */
        moved_ms = 0;
    if (ahead_ms == moved_ms)
        return;
    snprintf(text, sizeof(text), "%lld", ahead_ms - moved_ms);
    const char *const words[] = {"EVAL", script, "0", text, NULL};
    redis_server_ask(handle->server, words);
    moved_ms = ahead_ms;
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner,
                   int64_t lease_ms)
{
    struct handle *handle = self;
    move_leases(handle);
    return handle->real.port->acquire(handle->real.self, sink, token, run, owner, lease_ms);
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch, int64_t lease_ms)
{
    struct handle *handle = self;
    move_leases(handle);
    return handle->real.port->renew(handle->real.self, sink, token, run, epoch, lease_ms);
}

#define REAL(self) ((struct handle *)(self))->real
static int create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create)
{
    return REAL(self).port->create(REAL(self).self, sink, token, create);
}
static int release(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch)
{
    return REAL(self).port->release(REAL(self).self, sink, token, run, epoch);
}
static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *commit)
{
    return REAL(self).port->commit(REAL(self).self, sink, token, commit);
}
static int load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags)
{
    return REAL(self).port->load(REAL(self).self, sink, token, run, flags);
}
static int put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                       int32_t count)
{
    return REAL(self).port->put_samples(REAL(self).self, sink, token, samples, count);
}
static int put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                        int32_t count)
{
    return REAL(self).port->put_outcomes(REAL(self).self, sink, token, outcomes, count);
}
static int each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                        void *each_self)
{
    return REAL(self).port->each_outcome(REAL(self).self, each, each_self);
}
static int series(void *self, const struct shard_series_query *query,
                  int (*each)(void *each_self, const struct shard_series_bucket *bucket), void *each_self)
{
    return REAL(self).port->series(REAL(self).self, query, each, each_self);
}
static int compact(void *self, const struct shard_compact *what, struct shard_compacted *ret_done)
{
    return REAL(self).port->compact(REAL(self).self, what, ret_done);
}
static int list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    return REAL(self).port->list(REAL(self).self, each, each_self);
}
static int descriptor(void *self)
{
    return REAL(self).port->fd(REAL(self).self);
}
static int step(void *self)
{
    return REAL(self).port->step(REAL(self).self);
}

static void close_handle(void *self)
{
    REAL(self).port->close(REAL(self).self);
    free(self);
}

static int open_redis(struct store_subject *subject, shard_context *context, struct shard_store_handle *ret_store)
{
    struct place *place = subject->self;
    struct shard_redis_store_config config = {.struct_size = sizeof(config),
                                              .url = place->server.url,
                                              .prefix = place->prefix,
                                              .keep_samples = subject->keep_samples,
                                              .keep_outcomes = subject->keep_samples,
                                              .keep_seconds = subject->keep_seconds,
                                              .keep_outcome_seconds = subject->keep_seconds,
                                              .keep_records = subject->keep_records};
    struct handle *handle = calloc(1, sizeof(*handle));
    handle->port = (struct shard_store){.struct_size = sizeof(handle->port),
                                        .name = "redis",
                                        .create = create,
                                        .acquire = acquire,
                                        .renew = renew,
                                        .release = release,
                                        .commit = commit,
                                        .load = load,
                                        .put_samples = put_samples,
                                        .list = list,
                                        .close = close_handle,
                                        .fd = descriptor,
                                        .step = step,
                                        .put_outcomes = put_outcomes,
                                        .each_outcome = each_outcome,
                                        .series = series,
                                        .compact = compact};
    handle->context = context;
    handle->server = &place->server;
    int status = shard_redis_store_open(context, &config, &handle->real);
    if (status < 0)
        free(handle);
    else
        *ret_store = (struct shard_store_handle){.port = &handle->port, .self = handle};
    return status;
}

static void prepare(struct store_subject *subject)
{
    struct place *place = subject->self;
    moved_ms = 0;
    redis_server_start(&place->server);
}

static void clean(struct store_subject *subject)
{
    struct place *place = subject->self;
    redis_server_remove(&place->server);
}

int main(void)
{
    static struct place place = {.prefix = "another program's"};
    struct store_subject subject = {.name = "redis store",
                                    .open = open_redis,
                                    .prepare = prepare,
                                    .clean = clean,
                                    .self = &place,
                                    .shares = 1,
                                    .keeps = 1,
                                    .keeps_all = 1,
                                    .bounds_each = 1};
    return store_suite_run(&subject, 1);
}
