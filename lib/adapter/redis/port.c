/* SPDX-License-Identifier: Apache-2.0 */
/* The port's functions for leases and commits, and the step that moves everything. */

#include "redis.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"
#include "base/name.h"

static void forget_held(struct shard__redis_store *store, const char *run)
{
    for (size_t i = 0; i < store->held_count; i++) {
        if (strcmp(store->held[i].run, run) != 0)
            continue;
        shard__strfree(store->context, store->held[i].run);
        store->held[i] = store->held[--store->held_count];
        return;
    }
}

/* What is held is given back when the store is closed; without memory to note it, it ends by its time. */
static void note_held(struct shard__redis_store *store, const char *run, int64_t epoch)
{
    forget_held(store, run);
    if (shard__grow(store->context, &store->held, &store->held_capacity, store->held_count + 1, sizeof(*store->held)) <
        0)
        return;
    char *copy = shard__strdup(store->context, run);
    if (copy != NULL)
        store->held[store->held_count++] = (struct shard__redis_held){copy, epoch};
}

static void take_acquired(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    int status = shard__redis_script_status(store, call, reply);
    if (status == 0 && reply->elements < 2)
        status = shard__fail(SHARD_ECORRUPT, "run '%s': its epoch is missing", call->run);
    if (status == 0)
        status = shard__redis_reply_number(store, reply->element[1], "epoch", 1, INT64_MAX, &call->epoch);
    if (status == 0)
        note_held(store, call->run, call->epoch);
    shard__redis_end(store, call, status);
}

static void take_done(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    int status = shard__redis_script_status(store, call, reply);
    if (status == SHARD_EFENCED)
        for (size_t i = 0; i < store->held_count; i++)
            if (store->held[i].epoch == call->epoch && strcmp(store->held[i].run, call->run) == 0)
                store->held[i].epoch = 0;
    shard__redis_end(store, call, status);
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner,
                   int64_t lease_ms)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    int status = shard__check_lease(run, owner, lease_ms);
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, run, take_acquired);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->is_write = 1;
    shard__redis_script(store, &call->command, SHARD__REDIS_ACQUIRE, run);
    shard__redis_text(&call->command, owner);
    shard__redis_text(&call->command, store->handle);
    shard__redis_number(&call->command, (int64_t)++store->calls_made);
    shard__redis_number(&call->command, lease_ms);
    return shard__redis_submit(store, call);
}

static struct shard__redis_call *new_lease_call(struct shard__redis_store *store, shard_sink *sink, shard_token token,
                                                const char *what, const char *run, int64_t epoch, int64_t lease_ms)
{
    char id[64];
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, run, take_done);
    if (call == NULL)
        return NULL;
    snprintf(id, sizeof(id), "%s:%llu", store->handle, (unsigned long long)++store->calls_made);
    call->is_write = 1;
    call->epoch = epoch;
    shard__redis_script(store, &call->command, SHARD__REDIS_LEASE, run);
    shard__redis_text(&call->command, what);
    shard__redis_number(&call->command, epoch);
    shard__redis_number(&call->command, lease_ms);
    shard__redis_text(&call->command, id);
    return call;
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch, int64_t lease_ms)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    int status = shard__check_lease(run, "owner", lease_ms);
    if (status < 0)
        return status;
    struct shard__redis_call *call = new_lease_call(store, sink, token, "renew", run, epoch, lease_ms);
    return call == NULL ? SHARD_ENOMEM : shard__redis_submit(store, call);
}

static int release(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    int status = shard__check_name(run, "run");
    if (status < 0)
        return status;
    struct shard__redis_call *call = new_lease_call(store, sink, token, "release", run, epoch, 0);
    if (call == NULL)
        return SHARD_ENOMEM;
    forget_held(store, run);
    return shard__redis_submit(store, call);
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *theirs)
{
    struct shard__redis_store *store = self;
    struct shard_commit ours;
    shard__clear_error();
    int status = shard__check_commit(theirs, &ours);
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, ours.run, take_done);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->is_write = 1;
    call->epoch = ours.epoch;
    status = shard__redis_build_commit(store, call, &ours);
    if (status < 0) {
        shard__redis_call_free(store, call);
        return status;
    }
    return shard__redis_submit(store, call);
}

static int descriptor(void *self)
{
    const struct shard__redis_store *store = self;
    return store->epoll_fd;
}

void shard__redis_wait(struct shard__redis_store *store, int timeout_ms)
{
    struct pollfd item = {.fd = store->epoll_fd, .events = POLLIN};
    (void)poll(&item, 1, timeout_ms);
}

static void arm(struct shard__redis_store *store, int64_t now_ns)
{
    int64_t next_ns = shard__redis_calls_next_ns(store), of_link_ns = shard__redis_link_next_ns(store);
    struct itimerspec when = {.it_value = {0}};
    if (of_link_ns < next_ns)
        next_ns = of_link_ns;
    if (next_ns == store->armed_ns && next_ns > now_ns)
        return;
    store->armed_ns = next_ns;
    if (next_ns != INT64_MAX) {
        int64_t left_ns = next_ns > now_ns ? next_ns - now_ns : 1;
        when.it_value.tv_sec = left_ns / 1000000000;
        when.it_value.tv_nsec = left_ns % 1000000000;
    }
    timerfd_settime(store->timer_fd, 0, &when, NULL);
}

int shard__redis_step(void *self)
{
    struct shard__redis_store *store = self;
    int64_t now_ns = shard__now_ns(store->context);
    uint64_t ticks;
    if (store->armed_ns <= now_ns && read(store->timer_fd, &ticks, sizeof(ticks)) > 0)
        store->armed_ns = INT64_MAX;
    if (store->link.state == SHARD__REDIS_RESOLVING)
        while (read(store->wake_fd, &ticks, sizeof(ticks)) < 0 && errno == EINTR)
            ;
    int status = shard__redis_link_step(store, now_ns);
    if (status == 0)
        status = shard__redis_calls_step(store, now_ns);
    shard__redis_flush(store);
    arm(store, now_ns);
    return status;
}

/* Leaves what is held, so that whoever comes next need not wait for the leases to end. */
static void leave_all(struct shard__redis_store *store)
{
    int done = 0;
    while (store->first != NULL) {
        /* Nobody is there for the answers any more. */
        struct shard__redis_call *call = store->first;
        store->first = call->next;
        shard__redis_call_free(store, call);
    }
    store->last = NULL;
    for (size_t i = 0; i < store->link.ring_count; i++)
        store->link.ring[(store->link.ring_head + i) % store->link.ring_capacity].call = NULL;
    if (store->link.state != SHARD__REDIS_UP)
        return;
    struct shard__redis_call *last = NULL;
    for (size_t i = 0; i < store->held_count; i++) {
        if (store->held[i].epoch == 0)
            continue;
        struct shard__redis_call *call =
            new_lease_call(store, NULL, 0, "leave", store->held[i].run, store->held[i].epoch, 0);
        if (call != NULL && shard__redis_submit(store, call) == 0)
            last = call;
    }
    if (last == NULL)
        return;
    last->done = &done;
    shard__redis_pump(store, &done, INT64_C(1000000000));
}

static void close_store(void *self)
{
    struct shard__redis_store *store = self;
    leave_all(store);
    shard__redis_free(store);
}

const struct shard_store shard__redis_port = {.struct_size = sizeof(shard__redis_port),
                                              .name = "redis",
                                              .create = shard__redis_create,
                                              .acquire = acquire,
                                              .renew = renew,
                                              .release = release,
                                              .commit = commit,
                                              .load = shard__redis_load,
                                              .put_samples = shard__redis_put_samples,
                                              .list = shard__redis_list,
                                              .close = close_store,
                                              .fd = descriptor,
                                              .step = shard__redis_step,
                                              .put_outcomes = shard__redis_put_outcomes,
                                              .each_outcome = shard__redis_each_outcome,
                                              .series = shard__redis_series,
                                              .compact = shard__redis_compact};
