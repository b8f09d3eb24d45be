/* SPDX-License-Identifier: Apache-2.0 */
/* What replies say: the answers of the scripts, and the errors of a server with what to do about them. */

#include "redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/common/check.h"
#include "base/error.h"

struct meaning {
    const char *word; /* that the error begins with, or that stands in it where a script met it */
    int code;
    int passes;
    const char *advice;
};

static const struct meaning meanings[] = {
    {"LOADING", SHARD_EBUSY, 1, "it is reading its data; wait until it has"},
    {"BUSY", SHARD_EBUSY, 1, "a script of somebody blocks it; SCRIPT KILL ends that"},
    {"MASTERDOWN", SHARD_EBUSY, 1, "it is a replica that has lost its master; name the master"},
    {"CLUSTERDOWN", SHARD_EBUSY, 1, "the cluster is not whole; see CLUSTER INFO"},
    {"TRYAGAIN", SHARD_EBUSY, 1, "the cluster moves these keys; wait"},
    {"NOREPLICAS", SHARD_EBUSY, 1, "fewer replicas are connected than min-replicas-to-write asks for"},
    {"OOM", SHARD_ENOSPC, 0, "it is out of memory: raise maxmemory, or remove old runs"},
    {"MISCONF", SHARD_ENOSPC, 0, "it cannot write to its disk: free space there, and see its log"},
    {"READONLY", SHARD_EIO, 0, "it is a read-only replica; name its master"},
    {"WRONGPASS", SHARD_EIO, 0,
     "user or password is wrong; see the user in the URL, and the password's file (sentinels have their own)"},
    {"NOAUTH", SHARD_EIO, 0, "it wants a password; give one by password or password_file (to sentinels: sentinel_...)"},
    {"NOPERM", SHARD_EIO, 0,
     "the user lacks a right; ACL: ~PREFIX:* ~{PREFIX:* +@read +@write +@scripting +@connection +time +wait"},
    {"WRONGTYPE", SHARD_ECORRUPT, 0, "a key of the run belongs to another program; use another prefix or db"},
    {"MOVED", SHARD_EBUSY, 1, "another node of the cluster has this run, and cannot be gone to"},
    {"ASK", SHARD_EBUSY, 1, "the cluster moves this run to another node; wait until it has"},
    {"CROSSSLOT", SHARD_ENOTSUP, 0, "the keys of a run are not in one slot; the prefix must be without braces"},
    {"unknown command", SHARD_ENOTSUP, 0, "it is too old; Redis 6.2 is needed, 7.2 for WAITAOF"},
    {"killed by user", SHARD_EBUSY, 1, "somebody ended a script with SCRIPT KILL"},
};

int shard__redis_fail_reply(const struct shard__redis_store *store, const redisReply *reply, int *ret_passes)
{
    *ret_passes = 0;
    if (reply->type != REDIS_REPLY_ERROR)
        return shard__fail(SHARD_ECORRUPT, "store '%s': a reply is not of the kind that was expected", store->name);
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const char *found = strstr(reply->str, meanings[i].word);
        /* A word of capitals is the error's own only in front, or where a script passes it on behind ": ". */
        if (found == NULL || (found != reply->str && found[-1] != ' ' && found[-1] != '-' && found[-1] != '('))
            continue;
        *ret_passes = meanings[i].passes;
        return shard__fail(meanings[i].code, "store '%s': %s (the server says '%.100s')", store->name,
                           meanings[i].advice, reply->str);
    }
    return shard__fail(SHARD_EIO, "store '%s': the server says '%.160s'", store->name, reply->str);
}

const char *shard__redis_trouble(const struct shard__redis_store *store)
{
    const char *message = shard__error_message();
    size_t size = strlen(store->name);
    if (strncmp(message, "store '", 7) == 0 && strncmp(message + 7, store->name, size) == 0 &&
        strncmp(message + 7 + size, "': ", 3) == 0)
        return message + 7 + size + 3;
    return message;
}

static const char *text_at(const redisReply *reply, size_t index)
{
    return index < reply->elements && reply->element[index]->type == REDIS_REPLY_STRING ? reply->element[index]->str
                                                                                        : "";
}

static int64_t number_at(const redisReply *reply, size_t index)
{
    return strtoll(text_at(reply, index), NULL, 10);
}

static int fail_conflict(const struct shard__redis_call *call, const redisReply *reply)
{
    int task = (int)number_at(reply, 1);
    const redisReply *old = reply->elements > 2 ? reply->element[2] : NULL;
    struct shard_task_row row = {.task = task};
    if (old != NULL && old->type == REDIS_REPLY_STRING && old->len > 0 &&
        shard__redis_unpack_row(old->str, old->len, &row) < 0)
        return SHARD_ECORRUPT;
    return shard__fail_task(SHARD_ECONFLICT, task,
                            "run '%s': task %d is %s at version %u, which is not what the commit expects", call->run,
                            task, shard_task_state_text(row.state), row.version);
}

int shard__redis_script_status(struct shard__redis_store *store, struct shard__redis_call *call,
                               const redisReply *reply)
{
    const char *word = reply->type == REDIS_REPLY_ARRAY ? text_at(reply, 0) : "";
    if (strcmp(word, "ok") == 0)
        return 0;
    if (strcmp(word, "noent") == 0)
        return shard__fail(SHARD_ENOENT, "no run '%s' in store '%s'", call->run, store->name);
    if (strcmp(word, "exists") == 0)
        return shard__fail(SHARD_EEXIST, "run '%s' is in store '%s' already", call->run, store->name);
    if (strcmp(word, "version") == 0)
        return shard__fail(SHARD_EVERSION, "run '%s' has format '%.20s', this library knows 1", call->run,
                           text_at(reply, 1));
    if (strcmp(word, "fenced") == 0)
        return shard__fail_fenced(call->run, call->epoch, number_at(reply, 1), text_at(reply, 2));
    if (strcmp(word, "held") == 0)
        return shard__fail_held(store->context, call->run, text_at(reply, 1), number_at(reply, 2) * 1000000);
    if (strcmp(word, "seq") == 0)
        return shard__fail(SHARD_ECONFLICT, "run '%s': the last record is %lld, and the commit does not follow it",
                           call->run, (long long)number_at(reply, 1));
    if (strcmp(word, "contradictory") == 0)
        return shard__fail(SHARD_ECONFLICT, "run '%s': records of the commit do not follow each other", call->run);
    if (strcmp(word, "conflict") == 0)
        return fail_conflict(call, reply);
    if (strcmp(word, "host") == 0)
        return shard__fail(SHARD_ECONFLICT, "%s %s is '%s', and cannot become '%s'",
                           text_at(reply, 1)[0] == '-' ? "revision" : "host", text_at(reply, 1), text_at(reply, 2),
                           text_at(reply, 3));
    return shard__fail(SHARD_ECORRUPT, "store '%s': a script's answer makes no sense", store->name);
}

int shard__redis_reply_number(const struct shard__redis_store *store, const redisReply *reply, const char *what,
                              int64_t low, int64_t high, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    int64_t number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, &end, 10) : 0;
    if (reply->type != REDIS_REPLY_STRING || end == reply->str || *end != '\0' || errno != 0 || number < low ||
        number > high)
        return shard__fail(SHARD_ECORRUPT, "store '%s': %s of a run is missing or out of range", store->name, what);
    *ret_number = number;
    return 0;
}
