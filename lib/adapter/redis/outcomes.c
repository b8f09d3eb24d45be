/* SPDX-License-Identifier: Apache-2.0 */
/* How attempts ended: whole in one stream, to train on, and short in sorted sets, for histories. */

#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { AT_A_TIME = 1000 };

static void take_put(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    shard__redis_end(store, call, shard__redis_script_status(store, call, reply));
}

static int put_outcome(struct shard__redis_command *command, struct shard__bytes *bytes,
                       const struct shard_outcome_row *row)
{
    char task[SHARD_MAX_NAME_BYTES + 32];
    snprintf(task, sizeof(task), "%d:%s", row->task, row->run);
    shard__redis_text(command, row->host);
    shard__redis_text(command, row->kind);
    shard__redis_text(command, task);
    shard__redis_number(command, row->end_ns / 1000000);
    bytes->size = 0;
    shard__redis_pack_short(bytes, row);
    shard__redis_arg(command, bytes->data, bytes->size);
    bytes->size = 0;
    shard__redis_pack_outcome(bytes, row);
    shard__redis_arg(command, bytes->data, bytes->size);
    return bytes->status;
}

int shard__redis_put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                              int32_t count)
{
    struct shard__redis_store *store = self;
    struct shard__bytes bytes;
    shard__clear_error();
    int status = shard__check_outcomes(outcomes, count);
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, "", take_put);
    if (call == NULL)
        return SHARD_ENOMEM;
    shard__bytes_init(&bytes, store->context);
    shard__redis_series_script(store, &call->command, SHARD__REDIS_OUTCOMES);
    shard__redis_text(&call->command, store->handle);
    shard__redis_number(&call->command, (int64_t)++store->calls_made);
    shard__redis_number(&call->command, store->keep.outcomes);
    shard__redis_number(&call->command, store->keep.outcome_ns / 1000000);
    for (int32_t i = 0; status == 0 && i < count; i++)
        status = put_outcome(&call->command, &bytes, &outcomes[i]);
    shard__bytes_free(&bytes);
    if (status < 0) {
        shard__redis_call_free(store, call);
        return status;
    }
    return shard__redis_submit(store, call);
}

int shard__redis_await(struct shard__redis_store *store, struct shard__redis_call *call, int *done)
{
    *done = 0;
    call->done = done;
    int status = shard__redis_submit(store, call);
    if (status < 0)
        return status;
    shard__redis_pump(store, done, INT64_MAX);
    return *done < 0 ? *done : 0;
}

/* All that is kept, one behind the other, and where each lies. */
struct whole {
    int64_t start_ns;
    size_t index;
    size_t at, size;
};

struct reading {
    struct shard__bytes bytes;
    struct whole *items;
    size_t count, capacity;
    char next[64]; /* the id after which the next page begins */
    int is_over;
};

static int take_entry(struct shard__redis_store *store, struct reading *reading, const redisReply *entry)
{
    const redisReply *fields = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 ? entry->element[1] : NULL;
    if (fields == NULL || fields->type != REDIS_REPLY_ARRAY || fields->elements != 2 ||
        fields->element[1]->type != REDIS_REPLY_STRING || entry->element[0]->type != REDIS_REPLY_STRING ||
        entry->element[0]->len >= sizeof(reading->next) - 1)
        return shard__fail(SHARD_ECORRUPT,
                           "store '%s': an entry of the outcomes makes no sense; " SHARD__REDIS_SERIES_ADVICE,
                           store->name);
    snprintf(reading->next, sizeof(reading->next), "(%s", entry->element[0]->str);
    if (shard__grow(store->context, &reading->items, &reading->capacity, reading->count + 1, sizeof(*reading->items)) <
        0)
        return SHARD_ENOMEM;
    reading->items[reading->count] =
        (struct whole){.index = reading->count, .at = reading->bytes.size, .size = fields->element[1]->len};
    reading->count++;
    shard__bytes_append(&reading->bytes, fields->element[1]->str, fields->element[1]->len);
    return reading->bytes.status;
}

static void take_page(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct reading *reading = (struct reading *)(uintptr_t)call->token;
    int passes, status = 0;
    if (reply->type != REDIS_REPLY_ARRAY)
        status = shard__redis_fail_reply(store, reply, &passes);
    for (size_t i = 0; status == 0 && i < reply->elements; i++)
        status = take_entry(store, reading, reply->element[i]);
    reading->is_over = status < 0 || reply->elements < AT_A_TIME;
    shard__redis_end(store, call, status);
}

static int read_all(struct shard__redis_store *store, struct reading *reading)
{
    int status = 0, done;
    while (status == 0 && !reading->is_over) {
        struct shard__redis_call *call = shard__redis_call_new(store, NULL, 0, "", take_page);
        if (call == NULL)
            return SHARD_ENOMEM;
        call->token = (shard_token)(uintptr_t)reading;
        shard__redis_text(&call->command, "XRANGE");
        shard__redis_series_key(store, &call->command, ":outcomes", "");
        shard__redis_text(&call->command, reading->next);
        shard__redis_text(&call->command, "+");
        shard__redis_text(&call->command, "COUNT");
        shard__redis_number(&call->command, AT_A_TIME);
        status = shard__redis_await(store, call, &done);
    }
    return status;
}

static int by_start(const void *left, const void *right)
{
    const struct whole *a = left, *b = right;
    if (a->start_ns != b->start_ns)
        return a->start_ns > b->start_ns ? 1 : -1;
    return a->index > b->index ? 1 : -1;
}

static int tell_all(struct shard__redis_store *store, struct reading *reading,
                    int (*each)(void *each_self, const struct shard_outcome_row *outcome), void *each_self)
{
    struct shard__bytes room;
    struct shard_outcome_row row;
    int status = 0, is_enough = 0;
    shard__bytes_init(&room, store->context);
    for (size_t i = 0; status == 0 && i < reading->count; i++) {
        struct whole *item = &reading->items[i];
        status = shard__redis_unpack_outcome(reading->bytes.data + item->at, item->size, &room, &row);
        if (status == 0)
            item->start_ns = row.start_ns;
    }
    if (status == 0 && reading->count > 0)
        qsort(reading->items, reading->count, sizeof(*reading->items), by_start);
    for (size_t i = 0; status == 0 && !is_enough && i < reading->count; i++) {
        const struct whole *item = &reading->items[i];
        status = shard__redis_unpack_outcome(reading->bytes.data + item->at, item->size, &room, &row);
        if (status == 0)
            is_enough = each(each_self, &row) != 0;
    }
    shard__bytes_free(&room);
    return status;
}

int shard__redis_each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                              void *each_self)
{
    struct shard__redis_store *store = self;
    struct reading reading = {.next = "-"};
    shard__clear_error();
    shard__bytes_init(&reading.bytes, store->context);
    int status = read_all(store, &reading);
    if (status == 0)
        status = tell_all(store, &reading, each, each_self);
    shard__bytes_free(&reading.bytes);
    shard__release(store->context, reading.items, reading.capacity * sizeof(*reading.items));
    return status;
}
