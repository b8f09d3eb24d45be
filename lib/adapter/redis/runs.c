/* SPDX-License-Identifier: Apache-2.0 */
/* Making runs, and the list of them: an index beside the runs, whose slot is its own. */

#include "redis.h"

#include <stdio.h>
#include <string.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"

enum { PART_BYTES = 1 << 20 };

static void index_key(const struct shard__redis_store *store, struct shard__redis_command *command)
{
    char key[160];
    snprintf(key, sizeof(key), "%s:runs", store->prefix);
    shard__redis_text(command, key);
}

static void take_created(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    shard__redis_end(store, call, shard__redis_script_status(store, call, reply));
}

/* The run is in the list. What is listed and was never made is passed over. */
static void take_listed(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    (void)reply;
    shard__redis_end(store, call, 0);
}

static int build_create(struct shard__redis_store *store, struct shard__redis_call *call,
                        const struct shard_store_create *create)
{
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    char *text = NULL, id[64];
    size_t bytes = 0;
    int status = shard_workflow_describe(create->workflow, &info);
    if (status == 0)
        status = shard_workflow_to_json(create->workflow, &text, &bytes);
    if (status < 0)
        return status;
    snprintf(id, sizeof(id), "%s:%llu", store->handle, (unsigned long long)++store->calls_made);
    shard__redis_script(store, &call->command, SHARD__REDIS_CREATE, create->run);
    shard__redis_text(&call->command, id);
    shard__redis_text(&call->command, create->run);
    shard__redis_text(&call->command, info.name);
    shard__redis_number(&call->command, info.task_count);
    shard__redis_number(&call->command, create->time_ns);
    for (size_t at = 0; at < bytes; at += PART_BYTES)
        shard__redis_arg(&call->command, text + at, bytes - at < PART_BYTES ? bytes - at : PART_BYTES);
    shard_free(store->context, text);
    return 0;
}

/* A call of the store's own that puts the run into the list, in front of the one that makes it. */
static int submit_listing(struct shard__redis_store *store, const char *run)
{
    struct shard__redis_call *call = shard__redis_call_new(store, NULL, 0, run, take_listed);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->command.script = SHARD__REDIS_LIST;
    shard__redis_text(&call->command, "EVALSHA");
    shard__redis_text(&call->command, shard__redis_scripts[SHARD__REDIS_LIST].sha1);
    shard__redis_number(&call->command, 1);
    index_key(store, &call->command);
    shard__redis_text(&call->command, run);
    return shard__redis_submit(store, call);
}

int shard__redis_create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *theirs)
{
    struct shard__redis_store *store = self;
    struct shard_store_create create;
    shard__clear_error();
    int status = shard__check_create(theirs, &create);
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, create.run, take_created);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->is_write = 1;
    status = build_create(store, call, &create);
    if (status == 0)
        status = submit_listing(store, create.run);
    if (status < 0) {
        shard__redis_call_free(store, call);
        return status;
    }
    return shard__redis_submit(store, call);
}

void shard__redis_pump(struct shard__redis_store *store, const int *done, int64_t for_ns)
{
    int64_t end_ns = shard__later_ns(shard__now_ns(store->context), for_ns);
    while (*done == 0 && shard__now_ns(store->context) < end_ns) {
        shard__redis_step(store);
        if (*done == 0)
            shard__redis_wait(store, 100);
    }
}

/* What `list` collects, page by page. */
struct listing {
    struct shard__bytes names; /* each with a NUL */
    struct shard_run_summary summary;
    char *texts[3];
    int is_there;
};

static struct listing *listing_of(struct shard__redis_call *call)
{
    return (struct listing *)(uintptr_t)call->token;
}

static void take_names(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct listing *listing = listing_of(call);
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            shard__bytes_append(&listing->names, reply->element[i]->str, strlen(reply->element[i]->str) + 1);
    shard__redis_end(store, call, listing->names.status);
}

static void take_summary(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct listing *listing = listing_of(call);
    struct shard_run_summary *summary = &listing->summary;
    int64_t values[5] = {0};
    static const char *const names[] = {"state", "created", "updated", "epoch", "tasks"};
    int status = reply->type == REDIS_REPLY_ARRAY && reply->elements == 7
                     ? 0
                     : shard__fail(SHARD_ECORRUPT, "run '%s': its row makes no sense", call->run);
    listing->is_there = status == 0 && reply->element[0]->type == REDIS_REPLY_STRING;
    if (listing->is_there) {
        for (int i = 0; i < 5 && status == 0; i++)
            status =
                shard__redis_reply_number(store, reply->element[2 + i], names[i], INT64_MIN, INT64_MAX, &values[i]);
        for (int i = 0; i < 2 && status == 0; i++) {
            const redisReply *text = reply->element[i];
            listing->texts[i] = shard__strdup(store->context, text->type == REDIS_REPLY_STRING ? text->str : "");
            status = listing->texts[i] == NULL ? SHARD_ENOMEM : 0;
        }
        *summary = (struct shard_run_summary){.struct_size = sizeof(*summary),
                                              .workflow_name = listing->texts[0],
                                              .owner = listing->texts[1],
                                              .state = (enum shard_run_state)values[0],
                                              .created_ns = values[1],
                                              .updated_ns = values[2],
                                              .epoch = values[3],
                                              .task_count = (int32_t)values[4]};
    }
    shard__redis_end(store, call, status);
}

/* A call of the store's own that is waited for: 0, or its code. */
static int ask(struct shard__redis_store *store, struct listing *listing, const char *run, shard__redis_take take)
{
    static const char *const fields[] = {"workflow", "owner", "state", "created", "updated", "epoch", "tasks"};
    int done = 0;
    struct shard__redis_call *call = shard__redis_call_new(store, NULL, 0, run, take);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->token = (shard_token)(uintptr_t)listing;
    call->done = &done;
    if (take == take_names) {
        shard__redis_text(&call->command, "ZREVRANGE");
        index_key(store, &call->command);
        shard__redis_text(&call->command, "0");
        shard__redis_text(&call->command, "-1");
    } else {
        shard__redis_text(&call->command, "HMGET");
        shard__redis_key(store, &call->command, run, "run");
        for (int i = 0; i < 7; i++)
            shard__redis_text(&call->command, fields[i]);
    }
    int status = shard__redis_submit(store, call);
    if (status < 0)
        return status;
    shard__redis_pump(store, &done, INT64_MAX);
    return done < 0 ? done : 0;
}

int shard__redis_list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    struct shard__redis_store *store = self;
    struct listing listing = {.is_there = 0};
    shard__clear_error();
    shard__bytes_init(&listing.names, store->context);
    int status = ask(store, &listing, "", take_names);
    int stop = 0;
    for (size_t at = 0; status == 0 && !stop && at < listing.names.size;) {
        const char *name = listing.names.data + at;
        status = ask(store, &listing, name, take_summary);
        listing.summary.name = name;
        if (status == 0 && listing.is_there)
            stop = each(each_self, &listing.summary) != 0;
        for (int i = 0; i < 2; i++) {
            shard__strfree(store->context, listing.texts[i]);
            listing.texts[i] = NULL;
        }
        at += strlen(name) + 1;
    }
    shard__bytes_free(&listing.names);
    return status;
}
