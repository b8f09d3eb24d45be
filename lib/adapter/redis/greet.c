/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a connection: who we are, which database, and what the server's settings put at risk. */

#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"

static int send_login(struct shard__redis_store *store, const struct shard__redis_login *login)
{
    const char *const with_user[] = {"AUTH", login->user, login->password, NULL};
    const char *const without[] = {"AUTH", login->password, NULL};
    if (login->password == NULL)
        return 0;
    return shard__redis_put_words(store, SHARD__REDIS_EXPECT_AUTH, NULL, login->user != NULL ? with_user : without);
}

int shard__redis_turn_to_sentinel(struct shard__redis_store *store)
{
    const char *at = store->sentinels, *host;
    size_t size;
    int32_t port;
    for (int32_t i = 0; i < store->sentinel_at; i++)
        at += strcspn(at, ",") + 1;
    int status = shard__redis_parse_host(at, strcspn(at, ","), 26379, &host, &size, &port);
    if (status == 0)
        shard__redis_link_go(store, host, size, port);
    store->link.is_to_sentinel = status == 0;
    return status;
}

int shard__redis_greet(struct shard__redis_store *store)
{
    char db[16];
    int status = send_login(store, store->link.is_to_sentinel ? &store->sentinel_login : &store->login);
    if (store->link.is_to_sentinel) {
        const char *const words[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", store->master, NULL};
        return status < 0 ? status : shard__redis_put_words(store, SHARD__REDIS_EXPECT_SENTINEL, NULL, words);
    }
    const char *const settings[] = {"CONFIG", "GET", "appen*", NULL};
    const char *const memory[] = {"CONFIG", "GET", "maxmemory*", NULL};
    if (status == 0 && !store->has_warned)
        status = shard__redis_put_words(store, SHARD__REDIS_EXPECT_CONFIG, NULL, settings);
    if (status == 0 && !store->has_warned)
        status = shard__redis_put_words(store, SHARD__REDIS_EXPECT_CONFIG, NULL, memory);
    const char *const role[] = {"ROLE", NULL};
    if (status == 0 && store->master != NULL)
        status = shard__redis_put_words(store, SHARD__REDIS_EXPECT_ROLE, NULL, role);
    snprintf(db, sizeof(db), "%d", store->db);
    const char *const select[] = {"SELECT", db, NULL};
    return status < 0 ? status : shard__redis_put_words(store, SHARD__REDIS_EXPECT_SELECT, NULL, select);
}

static const char *setting(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (reply->element[i]->type == REDIS_REPLY_STRING && reply->element[i + 1]->type == REDIS_REPLY_STRING &&
            strcmp(reply->element[i]->str, name) == 0)
            return reply->element[i + 1]->str;
    return NULL;
}

static void warn(const struct shard__redis_store *store, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        shard__log(store->context, SHARD_LOG_INFO, "store-risk",
                   "store '%s': its settings cannot be read, so nothing is known of how durable it is", store->name);
        return;
    }
    const char *append = setting(reply, "appendonly"), *sync = setting(reply, "appendfsync");
    const char *limit = setting(reply, "maxmemory"), *policy = setting(reply, "maxmemory-policy");
    if (append != NULL && strcmp(append, "yes") != 0)
        shard__log(store->context, SHARD_LOG_WARNING, "store-risk",
                   "store '%s': appendonly is off: when the server dies, what was answered since its last snapshot is "
                   "lost; set appendonly yes",
                   store->name);
    else if (sync != NULL && strcmp(sync, "always") != 0)
        shard__log(store->context, SHARD_LOG_WARNING, "store-risk",
                   "store '%s': appendfsync is %s: a power cut may lose what was answered last; set appendfsync always",
                   store->name, sync);
    if (limit != NULL && policy != NULL && strcmp(limit, "0") != 0 && strncmp(policy, "allkeys", 7) == 0)
        shard__log(store->context, SHARD_LOG_WARNING, "store-risk",
                   "store '%s': maxmemory-policy is %s: the server may drop whole runs when it is full; set noeviction",
                   store->name, policy);
}

/* A sentinel says where the master is, as it believes. */
static void take_master(struct shard__redis_store *store, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        shard__redis_link_break(store, "sentinel %s:%d knows no master '%s'", store->host, store->port, store->master);
        return;
    }
    store->has_master = 1;
    shard__redis_link_go(store, reply->element[0]->str, reply->element[0]->len,
                         (int32_t)strtol(reply->element[1]->str, NULL, 10));
}

static int is_master(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, "master") == 0;
}

void shard__redis_greeted(struct shard__redis_store *store, const struct shard__redis_expected *expected,
                          const redisReply *reply)
{
    int passes = 0;
    if (expected->kind == SHARD__REDIS_EXPECT_CONFIG) {
        /* A password that was not accepted, or that is missing, is told by SELECT. */
        if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOPERM", 6) == 0)
            warn(store, reply);
        return;
    }
    if (store->link.is_to_sentinel && reply->type == REDIS_REPLY_ERROR) {
        /* Another one may be of another mind. */
        (void)shard__redis_fail_reply(store, reply, &passes);
        shard__redis_link_break(store, "sentinel %s:%d: %s", store->host, store->port, shard__redis_trouble(store));
        return;
    }
    if (expected->kind == SHARD__REDIS_EXPECT_SENTINEL) {
        take_master(store, reply);
        return;
    }
    /* One that was master until now may still be named; the right to ask may be missing. */
    if (expected->kind == SHARD__REDIS_EXPECT_ROLE) {
        if (reply->type != REDIS_REPLY_ERROR && !is_master(reply))
            shard__redis_link_break(store, "%s:%d is not the master any more", store->host, store->port);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        int status = shard__redis_fail_reply(store, reply, &passes);
        if (!passes)
            shard__redis_end_all(store, status);
        shard__redis_link_break(store, "%s", shard__redis_trouble(store));
    } else if (expected->kind == SHARD__REDIS_EXPECT_SELECT) {
        store->link.state = SHARD__REDIS_UP;
        store->link.was_up = 1;
        store->link.failures = 0;
        store->link.trouble[0] = '\0';
        store->has_warned = 1;
    }
}
