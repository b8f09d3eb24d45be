/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops old records, run by run. Time series go by themselves: streams are trimmed as they grow, and sets and hashes
 * expire. What is freed the server uses again; its files it writes anew when it sees fit.
 */

#include <string.h>

#include "adapter/common/check.h"
#include "base/error.h"
#include "redis.h"

struct compaction {
    struct shard__bytes names; /* of the runs, each with a NUL */
    int64_t dropped;
};

static int take_name(void *self, const struct shard_run_summary *run)
{
    struct compaction *compaction = self;
    shard__bytes_append(&compaction->names, run->name, strlen(run->name) + 1);
    return compaction->names.status;
}

static void take_trimmed(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct compaction *compaction = (struct compaction *)(uintptr_t)call->token;
    int64_t dropped = 0;
    int status = shard__redis_script_status(store, call, reply);
    if (status == 0 && reply->elements < 2)
        status = shard__fail(SHARD_ECORRUPT, "run '%s': a script's answer is too short", call->run);
    if (status == 0)
        status = shard__redis_reply_number(store, reply->element[1], "number of records", 0, INT64_MAX, &dropped);
    compaction->dropped += dropped;
    shard__redis_end(store, call, status);
}

static int compact_run(struct shard__redis_store *store, struct compaction *compaction, const char *run,
                       int64_t keep_records)
{
    int done;
    struct shard__redis_call *call = shard__redis_call_new(store, NULL, 0, run, take_trimmed);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->token = (shard_token)(uintptr_t)compaction;
    shard__redis_script(store, &call->command, SHARD__REDIS_COMPACT, run);
    shard__redis_number(&call->command, keep_records);
    return shard__redis_await(store, call, &done);
}

int shard__redis_compact(void *self, const struct shard_compact *what, struct shard_compacted *ret_done)
{
    struct shard__redis_store *store = self;
    struct shard_compact ours;
    struct shard_compacted done = {.struct_size = sizeof(done)};
    struct compaction compaction = {.dropped = 0};
    shard__clear_error();
    int status = shard__check_compact(what, &ours);
    if (status < 0)
        return status;
    shard__bytes_init(&compaction.names, store->context);
    status = shard__redis_list(store, take_name, &compaction);
    if (status == 0)
        status = compaction.names.status;
    for (size_t at = 0; status == 0 && at < compaction.names.size; done.runs++) {
        const char *name = compaction.names.data + at;
        status = compact_run(store, &compaction, name, ours.keep_records);
        at += strlen(name) + 1;
    }
    shard__bytes_free(&compaction.names);
    done.records = compaction.dropped;
    return status < 0 ? status : shard__give_struct(ret_done, &done, sizeof(done), "compacted");
}
