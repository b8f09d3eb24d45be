/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A commit as arguments of its script. Records of one task are folded into one change here, so that the script looks at
 * each task once; it still checks what the first of them expects.
 */

#include "redis.h"

#include <string.h>

#include "base/error.h"

/* Records of a commit are cut into pieces of about this size, so that a load can page. */
enum { PIECE_BYTES = 128 << 10 };

struct change {
    struct shard_task_row row;
    uint32_t version; /* that the first record expects */
    uint8_t from;
};

struct plan {
    struct change *changes;
    size_t capacity, count;
    struct shard__intmap by_task;
    int is_contradictory;
};

static int add_record(const shard_context *context, struct plan *plan, const struct shard_record *record)
{
    int32_t index = shard__intmap_find(&plan->by_task, (uint64_t)record->task);
    if (index < 0) {
        index = (int32_t)plan->count;
        if (shard__grow(context, &plan->changes, &plan->capacity, plan->count + 1, sizeof(*plan->changes)) < 0 ||
            shard__intmap_set(context, &plan->by_task, (uint64_t)record->task, index) < 0)
            return SHARD_ENOMEM;
        plan->count++;
        plan->changes[index] = (struct change){.row = {.task = record->task, .version = record->version},
                                               .version = record->version,
                                               .from = record->from};
        plan->changes[index].row.state = record->from;
    }
    if (shard_task_row_apply(&plan->changes[index].row, record) < 0)
        plan->is_contradictory = 1;
    return 0;
}

static void put_change(struct shard__redis_command *command, const struct change *change)
{
    unsigned char bytes[SHARD__REDIS_CHANGE_MAX], expected[5];
    shard__redis_number(command, change->row.task);
    if (change->version == 0) {
        shard__redis_arg(command, "", 0);
        shard__redis_pack_row(&change->row, bytes);
        shard__redis_arg(command, bytes, SHARD__REDIS_ROW);
        return;
    }
    for (int i = 0; i < 4; i++)
        expected[i] = (unsigned char)(change->version >> 8 * i);
    expected[4] = change->from;
    shard__redis_arg(command, expected, sizeof(expected));
    shard__redis_arg(command, bytes, shard__redis_pack_change(&change->row, bytes));
}

static int put_records(const struct shard__redis_store *store, struct shard__redis_command *command,
                       const struct shard_commit *commit)
{
    struct shard__bytes piece;
    shard__bytes_init(&piece, store->context);
    for (int32_t i = 0; i < commit->record_count; i++) {
        if (piece.size == 0)
            shard__redis_pack_begin(&piece, commit->run);
        shard__redis_pack_record(&piece, &commit->records[i]);
        if (piece.size >= PIECE_BYTES || i == commit->record_count - 1) {
            shard__redis_arg(command, piece.data, piece.size);
            piece.size = 0;
        }
    }
    int status = piece.status;
    shard__bytes_free(&piece);
    return status;
}

/* What keeps its text for the whole run: hosts and, under numbers below 0, revisions. */
static int is_text(const struct shard_record *record)
{
    return record->type == SHARD_RECORD_HOST || record->type == SHARD_RECORD_REVISION;
}

static int put_all(struct shard__redis_store *store, struct shard__redis_call *call, const struct shard_commit *commit,
                   const struct plan *plan)
{
    struct shard__redis_command *command = &call->command;
    const struct shard_record *last = &commit->records[commit->record_count - 1];
    int state = -1, texts = 0;
    for (const struct shard_record *record = commit->records; record <= last; record++) {
        state = record->type == SHARD_RECORD_RUN ? record->to : state;
        texts += is_text(record);
    }
    unsigned char operation[8];
    for (int i = 0; i < 8; i++)
        operation[i] = (unsigned char)(commit->operation >> 8 * i);
    shard__redis_script(store, command, SHARD__REDIS_COMMIT, commit->run);
    shard__redis_number(command, commit->epoch);
    shard__redis_arg(command, operation, sizeof(operation));
    shard__redis_number(command, commit->records[0].seq - 1);
    shard__redis_number(command, last->seq);
    shard__redis_number(command, last->time_ns);
    if (state < 0)
        shard__redis_text(command, "");
    else
        shard__redis_number(command, state);
    shard__redis_text(command, plan->is_contradictory ? "1" : "0");
    shard__redis_number(command, (int64_t)plan->count);
    shard__redis_number(command, texts);
    shard__redis_number(command, last->seq < store->keep.records ? 0 : last->seq - store->keep.records + 1);
    for (size_t i = 0; i < plan->count; i++)
        put_change(command, &plan->changes[i]);
    for (const struct shard_record *record = commit->records; record <= last; record++) {
        if (!is_text(record))
            continue;
        shard__redis_number(command, record->type == SHARD_RECORD_HOST ? record->host : -record->revision);
        shard__redis_arg(command, record->detail, (size_t)record->detail_bytes);
    }
    return put_records(store, command, commit);
}

int shard__redis_build_commit(struct shard__redis_store *store, struct shard__redis_call *call,
                              const struct shard_commit *commit)
{
    struct plan plan = {0};
    int status = 0;
    if (commit->records[commit->record_count - 1].seq >= INT64_C(1) << 50)
        status = shard__fail(SHARD_ELIMIT, "run '%s': more than 2^50 records", commit->run);
    for (int32_t i = 0; status == 0 && i < commit->record_count; i++)
        if (commit->records[i].type == SHARD_RECORD_TASK)
            status = add_record(store->context, &plan, &commit->records[i]);
    if (status == 0)
        status = put_all(store, call, commit, &plan);
    shard__release(store->context, plan.changes, plan.capacity * sizeof(*plan.changes));
    shard__intmap_free(store->context, &plan.by_task);
    return status;
}
