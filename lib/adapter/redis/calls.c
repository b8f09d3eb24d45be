/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on their way. One stays in the list, with its command, until it is answered: a link that breaks, or a server
 * that refuses for now, costs nothing but to send it again. What each call writes is once by its operation id.
 */

#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"

enum { FIRST_PAUSE_NS = 20000000, LONGEST_PAUSE_NS = 500000000, ANSWER_PAUSE_NS = 5000000 };

struct shard__redis_call *shard__redis_call_new(struct shard__redis_store *store, shard_sink *sink, shard_token token,
                                                const char *run, shard__redis_take take)
{
    struct shard__redis_call *call = shard__zalloc(store->context, sizeof(*call));
    if (call == NULL)
        return NULL;
    shard__redis_command_init(&call->command, store->context);
    call->sink = sink;
    call->token = token;
    call->take = take;
    call->run = shard__strdup(store->context, run);
    if (call->run == NULL) {
        shard__redis_call_free(store, call);
        return NULL;
    }
    return call;
}

void shard__redis_call_free(struct shard__redis_store *store, struct shard__redis_call *call)
{
    if (call == NULL)
        return;
    shard__redis_load_free(store, call);
    shard__image_free(call->image);
    shard__redis_command_clear(&call->command);
    shard__strfree(store->context, call->run);
    shard__release(store->context, call, sizeof(*call));
}

int shard__redis_submit(struct shard__redis_store *store, struct shard__redis_call *call)
{
    if (call->command.body.status < 0) {
        shard__redis_call_free(store, call);
        return SHARD_ENOMEM;
    }
    call->deadline_ns = shard__later_ns(shard__now_ns(store->context), store->timeout_ns);
    call->previous = store->last;
    *(store->last == NULL ? &store->first : &store->last->next) = call;
    store->last = call;
    /* Whoever watches the descriptor is to step; a timer of one nanosecond is what it sees. */
    return 0;
}

static void unlink_call(struct shard__redis_store *store, struct shard__redis_call *call)
{
    *(call->previous == NULL ? &store->first : &call->previous->next) = call->next;
    *(call->next == NULL ? &store->last : &call->next->previous) = call->previous;
    struct shard__redis_link *link = &store->link;
    for (size_t i = 0; i < link->ring_count; i++) {
        struct shard__redis_expected *expected = &link->ring[(link->ring_head + i) % link->ring_capacity];
        if (expected->call == call)
            expected->call = NULL;
    }
    shard__redis_call_free(store, call);
}

void shard__redis_again(struct shard__redis_store *store, struct shard__redis_call *call)
{
    if (call->command.body.status < 0) {
        shard__fail(SHARD_ENOMEM, "store '%s': no memory for a command", store->name);
        shard__redis_end(store, call, SHARD_ENOMEM);
        return;
    }
    call->state = SHARD__REDIS_WAITING;
    call->retry_ns = 0;
}

void shard__redis_later(struct shard__redis_store *store, struct shard__redis_call *call, const char *why)
{
    int64_t pause_ns = (int64_t)FIRST_PAUSE_NS << (call->retries < 5 ? call->retries : 5);
    call->retries++;
    call->state = SHARD__REDIS_WAITING;
    call->has_status = 0;
    call->retry_ns = shard__now_ns(store->context) + (pause_ns > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause_ns);
    snprintf(call->message, sizeof(call->message), "%.*s", (int)sizeof(call->message) - 1, why);
}

void shard__redis_end(struct shard__redis_store *store, struct shard__redis_call *call, int status)
{
    (void)store;
    call->state = SHARD__REDIS_ENDED;
    call->retry_ns = 0;
    call->status = status;
    call->message[0] = '\0';
    if (status < 0)
        snprintf(call->message, sizeof(call->message), "%.*s", (int)sizeof(call->message) - 1, shard__error_message());
}

void shard__redis_end_all(struct shard__redis_store *store, int status)
{
    for (struct shard__redis_call *call = store->first; call != NULL; call = call->next)
        if (call->state != SHARD__REDIS_ENDED)
            shard__redis_end(store, call, status);
}

/* Whether the replicas, or the disk, that were asked for have the write. */
static int has_enough(const struct shard__redis_store *store, enum shard__redis_expect kind, const redisReply *reply)
{
    if (kind == SHARD__REDIS_EXPECT_WAIT)
        return reply->type == REDIS_REPLY_INTEGER && reply->integer >= store->wait_replicas;
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_INTEGER &&
           reply->element[0]->integer >= 1;
}

static void waited(struct shard__redis_store *store, const struct shard__redis_expected *expected, redisReply *reply)
{
    struct shard__redis_call *call = expected->call;
    int passes;
    if (call->state != SHARD__REDIS_SENT)
        return; /* the command before it was refused, and is sent again */
    if (reply->type == REDIS_REPLY_ERROR)
        shard__redis_end(store, call, shard__redis_fail_reply(store, reply, &passes));
    else if (!has_enough(store, expected->kind, reply))
        shard__redis_later(store, call, "it is written, but not as many replicas (or disks) have it as were asked for");
    else if (call->has_status && call->expected == 0)
        shard__redis_end(store, call, 0);
}

/* A run lies on one node of a cluster, whole, so the link goes there: "MOVED 1234 host:port", or "ASK 1234 host:port"
 * when that node is only about to have it. A master that sentinels named and that is one no more is left. 1 when the
 * link is gone. */
static int goes_elsewhere(struct shard__redis_store *store, const redisReply *reply)
{
    if (store->master != NULL && strncmp(reply->str, "READONLY", 8) == 0) {
        shard__redis_link_break(store, "%s:%d is not the master any more", store->host, store->port);
        return 1;
    }
    int asks = strncmp(reply->str, "ASK ", 4) == 0;
    const char *place = asks || strncmp(reply->str, "MOVED ", 6) == 0 ? strchr(strchr(reply->str, ' ') + 1, ' ') : NULL;
    const char *colon = place == NULL ? NULL : strrchr(place, ':');
    if (colon == NULL || store->unix_socket != NULL)
        return 0;
    int is_here = colon == place + 1; /* the node that says so does not know its own name */
    shard__redis_link_go(store, is_here ? store->host : place + 1,
                         is_here ? strlen(store->host) : (size_t)(colon - place - 1),
                         (int32_t)strtol(colon + 1, NULL, 10));
    store->link.is_asking = asks;
    return 1;
}

void shard__redis_replied(struct shard__redis_store *store, const struct shard__redis_expected *expected,
                          redisReply *reply)
{
    struct shard__redis_call *call = expected->call;
    if (call == NULL || call->state != SHARD__REDIS_SENT)
        return;
    call->expected--;
    if (expected->kind != SHARD__REDIS_EXPECT_CALL) {
        waited(store, expected, reply);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        int passes = 0;
        if (goes_elsewhere(store, reply))
            return;
        if (strncmp(reply->str, "NOSCRIPT", 8) == 0) {
            memset(store->link.loaded, 0, sizeof(store->link.loaded));
            shard__redis_again(store, call);
            return;
        }
        int status = shard__redis_fail_reply(store, reply, &passes);
        if (passes)
            shard__redis_later(store, call, shard__redis_trouble(store));
        else
            shard__redis_end(store, call, status);
        return;
    }
    call->take(store, call, reply);
    /* It is done, but the reply to WAIT is still to come: not an answer yet. */
    if (call->state == SHARD__REDIS_ENDED && call->status == 0 && call->expected > 0) {
        call->state = SHARD__REDIS_SENT;
        call->has_status = 1;
    }
}

void shard__redis_unsend_all(struct shard__redis_store *store)
{
    for (struct shard__redis_call *call = store->first; call != NULL; call = call->next) {
        if (call->state != SHARD__REDIS_SENT)
            continue;
        call->state = SHARD__REDIS_WAITING;
        call->has_status = 0;
        call->retry_ns = 0;
    }
}

/* 1 when it was answered; without memory for the answer it stays. */
static int answer(struct shard__redis_store *store, struct shard__redis_call *call, int64_t now_ns)
{
    if (call->sink != NULL) {
        struct shard_run_image *image = call->image == NULL || call->status < 0 ? NULL : &call->image->image;
        int status = shard_sink_store_answered(call->sink, call->token, call->status, call->epoch, image,
                                               call->status < 0 ? call->message : NULL);
        if (status < 0) {
            call->retry_ns = now_ns + ANSWER_PAUSE_NS;
            return 0;
        }
        if (image != NULL)
            call->image = NULL;
    } else if (call->done != NULL) {
        *call->done = call->status < 0 ? call->status : 1;
    }
    unlink_call(store, call);
    return 1;
}

static int send_call(struct shard__redis_store *store, struct shard__redis_call *call)
{
    const struct shard__redis_command *command = &call->command;
    int waits = call->is_write && store->wait_replicas > 0, syncs = call->is_write && store->waitaof;
    int status = 0;
    if (command->script >= 0 && !store->link.loaded[command->script]) {
        const char *const load[] = {"SCRIPT", "LOAD", shard__redis_scripts[command->script].text, NULL};
        status = shard__redis_put_words(store, SHARD__REDIS_EXPECT_NOTHING, NULL, load);
        store->link.loaded[command->script] = 1;
    }
    const char *const asking[] = {"ASKING", NULL};
    if (status == 0 && store->link.is_asking)
        status = shard__redis_put_words(store, SHARD__REDIS_EXPECT_NOTHING, NULL, asking);
    if (status == 0)
        status = shard__redis_expect(store, SHARD__REDIS_EXPECT_CALL, call);
    if (status < 0)
        return status;
    shard__redis_put(store, command);
    call->expected = 1;
    if (waits || syncs) {
        char replicas[16], wait_ms[16];
        snprintf(replicas, sizeof(replicas), "%d", store->wait_replicas);
        snprintf(wait_ms, sizeof(wait_ms), "%d", store->wait_ms);
        const char *const wait[] = {"WAIT", replicas, wait_ms, NULL};
        const char *const sync[] = {"WAITAOF", "1", replicas, wait_ms, NULL};
        status = shard__redis_put_words(store, syncs ? SHARD__REDIS_EXPECT_WAITAOF : SHARD__REDIS_EXPECT_WAIT, call,
                                        syncs ? sync : wait);
        call->expected = 2;
    }
    call->state = SHARD__REDIS_SENT;
    return status;
}

static void expire(struct shard__redis_store *store, struct shard__redis_call *call)
{
    const char *why = call->message[0] != '\0' ? call->message : store->link.trouble;
    shard__redis_end(store, call,
                     shard__fail(SHARD_EIO, "store '%s': no answer in %lld ms%s%.150s", store->name,
                                 (long long)(store->timeout_ns / 1000000), why[0] != '\0' ? ": " : "", why));
}

int shard__redis_calls_step(struct shard__redis_store *store, int64_t now_ns)
{
    int status = 0;
    for (struct shard__redis_call *call = store->first, *next; call != NULL && status == 0; call = next) {
        next = call->next;
        if (call->state != SHARD__REDIS_ENDED && now_ns >= call->deadline_ns)
            expire(store, call);
        if (call->state == SHARD__REDIS_ENDED) {
            if (now_ns >= call->retry_ns)
                answer(store, call, now_ns);
        } else if (call->state == SHARD__REDIS_WAITING && store->link.state == SHARD__REDIS_UP &&
                   now_ns >= call->retry_ns) {
            status = send_call(store, call);
        }
    }
    return status;
}

int64_t shard__redis_calls_next_ns(const struct shard__redis_store *store)
{
    int64_t next_ns = INT64_MAX;
    for (const struct shard__redis_call *call = store->first; call != NULL; call = call->next) {
        int64_t due_ns = call->deadline_ns;
        if (call->state == SHARD__REDIS_ENDED ||
            (call->state == SHARD__REDIS_WAITING && store->link.state == SHARD__REDIS_UP))
            due_ns = call->retry_ns;
        if (due_ns < next_ns)
            next_ns = due_ns;
    }
    return next_ns;
}
