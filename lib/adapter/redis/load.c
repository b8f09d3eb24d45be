/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a run back, page by page, so that neither side is held up for long: the run's row, its workflow, the rows of
 * its tasks, then in one script what is left, with the records that were written meanwhile. Those bring each row to the
 * moment of that script: a row that was read later than others is ahead by records that do not match it any more.
 */

#include "redis.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"
#include "base/name.h"

enum { PARTS_AT_A_TIME = 2, ROWS_AT_A_TIME = 2000, RECORDS_AT_A_TIME = 32, MOST_STARTS = 5 };

struct shard__redis_load {
    int with_records;
    int starts;
    int64_t since; /* last_seq before the rows were read */
    int64_t parts;
    struct shard__bytes workflow;
    struct shard__intmap by_task; /* index of the row in the image */
    char next_record[64];         /* where the next page of records begins */
};

static void take_row(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);
static void take_part(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);
static void take_tasks(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);
static void take_end(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);
static void take_records(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);

void shard__redis_load_free(struct shard__redis_store *store, struct shard__redis_call *call)
{
    if (call->load == NULL)
        return;
    shard__bytes_free(&call->load->workflow);
    shard__intmap_free(store->context, &call->load->by_task);
    shard__release(store->context, call->load, sizeof(*call->load));
    call->load = NULL;
}

/* A large run takes as long as it takes: what must not is each of its pages. */
static void ask_next(struct shard__redis_store *store, struct shard__redis_call *call)
{
    call->deadline_ns = shard__later_ns(shard__now_ns(store->context), store->timeout_ns);
    shard__redis_again(store, call);
}

static void ask_key(struct shard__redis_store *store, struct shard__redis_call *call, const char *verb,
                    const char *suffix, shard__redis_take take)
{
    shard__redis_command_clear(&call->command);
    shard__redis_text(&call->command, verb);
    shard__redis_key(store, &call->command, call->run, suffix);
    call->take = take;
}

/* Begins from the front, also when it had begun before. */
static void ask_row(struct shard__redis_store *store, struct shard__redis_call *call)
{
    ask_key(store, call, "HMGET", "run", take_row);
    shard__redis_text(&call->command, "v");
    shard__redis_text(&call->command, "seq");
    shard__redis_text(&call->command, "name");
}

static void ask_part(struct shard__redis_store *store, struct shard__redis_call *call)
{
    ask_key(store, call, "LRANGE", "workflow", take_part);
    shard__redis_number(&call->command, call->load->parts);
    shard__redis_number(&call->command, call->load->parts + PARTS_AT_A_TIME - 1);
    ask_next(store, call);
}

static void ask_tasks(struct shard__redis_store *store, struct shard__redis_call *call, const char *cursor)
{
    ask_key(store, call, "HSCAN", "tasks", take_tasks);
    shard__redis_text(&call->command, cursor);
    shard__redis_text(&call->command, "COUNT");
    shard__redis_number(&call->command, ROWS_AT_A_TIME);
    ask_next(store, call);
}

static void ask_end(struct shard__redis_store *store, struct shard__redis_call *call)
{
    shard__redis_script(store, &call->command, SHARD__REDIS_LOAD, call->run);
    shard__redis_number(&call->command, call->load->since);
    call->is_write = store->wait_replicas > 0 || store->waitaof;
    shard__redis_text(&call->command, call->is_write ? "1" : "0");
    call->take = take_end;
    ask_next(store, call);
}

static void ask_records(struct shard__redis_store *store, struct shard__redis_call *call)
{
    call->is_write = 0;
    ask_key(store, call, "XRANGE", "records", take_records);
    shard__redis_text(&call->command, call->load->next_record);
    shard__redis_number(&call->command, call->image->image.last_seq);
    shard__redis_text(&call->command, "COUNT");
    shard__redis_number(&call->command, RECORDS_AT_A_TIME);
    ask_next(store, call);
}

static int read_row(struct shard__redis_store *store, struct shard__redis_call *call, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return shard__fail(SHARD_ECORRUPT, "run '%s': its row makes no sense", call->run);
    const redisReply *format = reply->element[0], *name = reply->element[2];
    if (format->type == REDIS_REPLY_NIL)
        return shard__fail(SHARD_ENOENT, "no run '%s' in store '%s'", call->run, store->name);
    if (format->type != REDIS_REPLY_STRING || name->type != REDIS_REPLY_STRING)
        return shard__fail(SHARD_ECORRUPT, "run '%s': its row makes no sense", call->run);
    if (strcmp(format->str, "1") != 0)
        return shard__fail(SHARD_EVERSION, "run '%s' has format '%.20s', this library knows 1", call->run, format->str);
    if (strcmp(name->str, call->run) != 0)
        return shard__fail(SHARD_ECORRUPT,
                           "run '%s': its keys are those of run '%.100s'; somebody copied or renamed them", call->run,
                           name->str);
    return shard__redis_reply_number(store, reply->element[1], "last_seq", 0, INT64_C(1) << 50, &call->load->since);
}

static void take_row(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    int status = read_row(store, call, reply);
    if (status < 0)
        shard__redis_end(store, call, status);
    else
        ask_part(store, call);
}

static int parse_workflow(struct shard__redis_store *store, struct shard__redis_call *call)
{
    const struct shard__bytes *text = &call->load->workflow;
    if (text->status < 0)
        return text->status;
    int status = shard_workflow_parse(store->context, text->data, text->size, store->name, SHARD_FORMAT_NATIVE, NULL,
                                      &call->image->image.workflow);
    if (status < 0 && status != SHARD_ENOMEM) {
        struct shard_error error = {.struct_size = sizeof(error)};
        shard_error_copy(&error);
        status = shard__fail(SHARD_ECORRUPT, "run '%s': its workflow is damaged: %.200s", call->run, error.message);
    }
    shard__bytes_free(&call->load->workflow);
    shard__bytes_init(&call->load->workflow, store->context);
    return status;
}

static void take_part(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    struct shard__redis_load *load = call->load;
    int status = 0;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            shard__bytes_append(&load->workflow, reply->element[i]->str, reply->element[i]->len);
    load->parts += (int64_t)reply->elements;
    if (reply->elements == PARTS_AT_A_TIME) {
        ask_part(store, call);
        return;
    }
    status = parse_workflow(store, call);
    if (status < 0)
        shard__redis_end(store, call, status);
    else
        ask_tasks(store, call, "0");
}

/* The row of a task in the image; a new one of zeroes when there was none. NULL: SHARD_ENOMEM. */
static struct shard_task_row *row_of(struct shard__redis_store *store, struct shard__redis_call *call, int32_t task)
{
    struct shard__intmap *map = &call->load->by_task;
    int32_t index = shard__intmap_find(map, (uint64_t)(uint32_t)task);
    if (index >= 0)
        return &call->image->image.rows[index];
    struct shard_task_row *row = shard__image_add_row(call->image);
    if (row != NULL &&
        shard__intmap_set(store->context, map, (uint64_t)(uint32_t)task, call->image->image.row_count - 1) < 0)
        row = NULL;
    if (row != NULL)
        row->task = task;
    return row;
}

/* A scan may show a task twice: the newer row counts. */
static int keep_row(struct shard__redis_store *store, struct shard__redis_call *call, const redisReply *id,
                    const redisReply *bytes)
{
    int64_t task;
    int status = shard__redis_reply_number(store, id, "a task's id", 0, SHARD_MAX_TASKS - 1, &task);
    struct shard_task_row read = {.task = (int32_t)task};
    if (status == 0)
        status = shard__redis_unpack_row(bytes->str, bytes->type == REDIS_REPLY_STRING ? bytes->len : 0, &read);
    if (status < 0)
        return status;
    struct shard_task_row *row = row_of(store, call, read.task);
    if (row == NULL)
        return SHARD_ENOMEM;
    if (read.version > row->version)
        *row = read;
    return 0;
}

static void take_tasks(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    int status = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        status = shard__fail(SHARD_ECORRUPT, "run '%s': its tasks make no sense", call->run);
    const redisReply *page = status == 0 ? reply->element[1] : NULL;
    for (size_t i = 0; status == 0 && i + 1 < page->elements; i += 2)
        status = keep_row(store, call, page->element[i], page->element[i + 1]);
    if (status < 0)
        shard__redis_end(store, call, status);
    else if (strcmp(reply->element[0]->str, "0") == 0)
        ask_end(store, call);
    else
        ask_tasks(store, call, reply->element[0]->str);
}

/* The bytes of an entry of the stream: [id, [d, bytes]]. NULL: it is none of ours. */
static const redisReply *bytes_of(const redisReply *entry)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[0]->type != REDIS_REPLY_STRING ||
        entry->element[1]->type != REDIS_REPLY_ARRAY || entry->element[1]->elements != 2 ||
        entry->element[1]->element[1]->type != REDIS_REPLY_STRING)
        return NULL;
    return entry->element[1]->element[1];
}

static int apply(struct shard__redis_store *store, struct shard__redis_call *call, const struct shard_record *record)
{
    if (record->type != SHARD_RECORD_TASK)
        return 0;
    struct shard_task_row *row = row_of(store, call, record->task);
    if (row == NULL)
        return SHARD_ENOMEM;
    /* The row was read after this record: it has it already. */
    if (record->version < row->version)
        return 0;
    if (shard_task_row_apply(row, record) < 0)
        return shard__fail(SHARD_ECORRUPT, "run '%s': record %lld does not match the row of task %d", call->run,
                           (long long)record->seq, record->task);
    return 0;
}

typedef int (*each_record)(struct shard__redis_store *store, struct shard__redis_call *call,
                           const struct shard_record *record);

static int each_of(struct shard__redis_store *store, struct shard__redis_call *call, const redisReply *entries,
                   each_record each)
{
    int status = entries->type == REDIS_REPLY_ARRAY
                     ? 0
                     : shard__fail(SHARD_ECORRUPT, "run '%s': its records make no sense", call->run);
    for (size_t i = 0; status == 0 && i < entries->elements; i++) {
        const redisReply *bytes = bytes_of(entries->element[i]);
        struct shard__redis_unpack unpack;
        struct shard_record record;
        if (bytes == NULL)
            return shard__fail(SHARD_ECORRUPT, "run '%s': a record is none of ours", call->run);
        status = shard__redis_unpack_begin(&unpack, call->run, bytes->str, bytes->len);
        while (status == 0 && (status = shard__redis_unpack_record(&unpack, &record)) == 1)
            status = each(store, call, &record);
    }
    return status;
}

static int compare_rows(const void *a, const void *b)
{
    const struct shard_task_row *left = a, *right = b;
    return left->task < right->task ? -1 : left->task > right->task;
}

static int read_end(struct shard__redis_store *store, struct shard__redis_call *call, const redisReply *reply)
{
    static const char *const names[] = {"state", "epoch", "last_seq", "created"};
    struct shard_run_image *image = &call->image->image;
    int64_t values[4];
    int status = shard__redis_script_status(store, call, reply);
    if (status == 0 && (reply->elements != 8 || reply->element[6]->type != REDIS_REPLY_ARRAY))
        status = shard__fail(SHARD_ECORRUPT, "run '%s': its row makes no sense", call->run);
    for (int i = 0; status == 0 && i < 4; i++)
        status = shard__redis_reply_number(store, reply->element[1 + i], names[i], i == 3 ? INT64_MIN : 0,
                                           i == 0 ? SHARD_RUN_SUSPENDED : INT64_MAX, &values[i]);
    if (status < 0)
        return status;
    image->state = (enum shard_run_state)values[0];
    image->epoch = call->epoch = values[1];
    image->last_seq = values[2];
    image->created_ns = values[3];
    const redisReply *hosts = reply->element[6];
    for (size_t i = 0; status == 0 && i + 1 < hosts->elements; i += 2) {
        int64_t id;
        status = shard__redis_reply_number(store, hosts->element[i], "a host's id", -INT32_MAX, INT32_MAX, &id);
        if (status == 0 && hosts->element[i + 1]->type != REDIS_REPLY_STRING)
            status = shard__fail(SHARD_ECORRUPT, "run '%s': its hosts make no sense", call->run);
        if (status == 0)
            status = (id < 0 ? shard__image_set_revision : shard__image_set_host)(
                call->image, (int32_t)(id < 0 ? -id : id), hosts->element[i + 1]->str, hosts->element[i + 1]->len);
    }
    return status == 0 ? each_of(store, call, reply->element[7], apply) : status;
}

static void take_end(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    int status = read_end(store, call, reply);
    struct shard_run_image *image = &call->image->image;
    if (status == 0 && image->row_count > 0)
        qsort(image->rows, (size_t)image->row_count, sizeof(*image->rows), compare_rows);
    if (status < 0 || !call->load->with_records) {
        shard__redis_end(store, call, status);
        return;
    }
    strcpy(call->load->next_record, "-");
    ask_records(store, call);
}

static int keep_record(struct shard__redis_store *store, struct shard__redis_call *call,
                       const struct shard_record *record)
{
    (void)store;
    const struct shard_run_image *image = &call->image->image;
    if (image->record_count > 0 && record->seq != image->records[image->record_count - 1].seq + 1)
        return shard__fail(SHARD_ECORRUPT, "run '%s': record %lld is missing", call->run,
                           (long long)image->records[image->record_count - 1].seq + 1);
    return shard__image_add_record(call->image, record);
}

static void take_records(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    const struct shard_run_image *image = &call->image->image;
    int status = each_of(store, call, reply, keep_record);
    if (status == 0 && reply->elements == RECORDS_AT_A_TIME) {
        char *next = call->load->next_record;
        next[0] = '(';
        next[1] = '\0';
        strncat(next, reply->element[RECORDS_AT_A_TIME - 1]->element[0]->str, sizeof(call->load->next_record) - 2);
        ask_records(store, call);
        return;
    }
    if (status == 0 && image->record_count > 0 && image->records[image->record_count - 1].seq != image->last_seq)
        status = shard__fail(SHARD_ECORRUPT, "run '%s': record %lld is missing", call->run, (long long)image->last_seq);
    shard__redis_end(store, call, status);
}

int shard__redis_load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    int status = shard__check_name(run, "run");
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, run, take_row);
    if (call == NULL)
        return SHARD_ENOMEM;
    call->load = shard__zalloc(store->context, sizeof(*call->load));
    call->image = shard__image_new(store->context, run);
    if (call->load == NULL || call->image == NULL) {
        shard__redis_call_free(store, call);
        return SHARD_ENOMEM;
    }
    shard__bytes_init(&call->load->workflow, store->context);
    call->load->with_records = (flags & SHARD_LOAD_RECORDS) != 0;
    ask_row(store, call);
    return shard__redis_submit(store, call);
}
