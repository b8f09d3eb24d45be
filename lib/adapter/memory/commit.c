/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: records are folded into rows one after the other, with a note of what was there before. When one does not
 * match, or memory ends, the notes are played back and nothing has happened.
 */

#include "memory.h"

#include <string.h>

#include "adapter/common/check.h"
#include "base/alloc.h"
#include "base/error.h"

/* Whether the operation is in the window. Ids that only grow, as most do, need no search. */
static int is_known(const struct shard__memory_run *run, uint64_t operation)
{
    if (run->operation_count == 0 || operation > run->max_operation)
        return 0;
    for (int32_t i = 0; i < run->operation_count; i++)
        if (run->operations[i] == operation)
            return 1;
    return 0;
}

static void remember(struct shard__memory_run *run, uint64_t operation)
{
    run->operations[run->operation_next] = operation;
    run->operation_next = (run->operation_next + 1) % SHARD__MEMORY_OPERATIONS;
    if (run->operation_count < SHARD__MEMORY_OPERATIONS)
        run->operation_count++;
    if (operation > run->max_operation)
        run->max_operation = operation;
}

/* Notes what a row is before it changes. 0 or SHARD_ENOMEM. */
static int note_row(struct shard__memory_store *store, const struct shard__rows *rows, int32_t task,
                    struct shard__memory_undo *undo)
{
    undo->task = task;
    undo->packed = rows->packed[task];
    int64_t wide = shard__rows_wide_index(&undo->packed);
    if (wide < 0)
        return 0;
    size_t count = store->wide_copy_count;
    if (shard__grow(store->context, &store->wide_copies, &store->wide_copy_capacity, count + 1,
                    sizeof(*store->wide_copies)) < 0)
        return SHARD_ENOMEM;
    store->wide_copies[count] = rows->wide[wide];
    undo->wide = (int32_t)count;
    store->wide_copy_count++;
    return 0;
}

static int apply_task(struct shard__memory_store *store, struct shard__memory_run *run,
                      const struct shard_record *record, struct shard__memory_undo *undo)
{
    struct shard__rows *rows = &run->rows;
    if ((size_t)record->task >= rows->capacity) {
        /* All at once for the workflow's own tasks, whose number is known; by half for subtasks. */
        size_t wanted = rows->capacity + rows->capacity / 2;
        if (wanted < (size_t)run->task_count)
            wanted = (size_t)run->task_count;
        if (wanted < (size_t)record->task + 1)
            wanted = (size_t)record->task + 1;
        if (shard__rows_reserve(store->context, rows, wanted) < 0)
            return SHARD_ENOMEM;
    }
    struct shard_task_row row;
    shard__rows_get(rows, record->task, &row);
    int status = shard_task_row_apply(&row, record);
    if (status < 0)
        return status;
    struct shard__memory_undo note = *undo;
    status = note_row(store, rows, record->task, &note);
    if (status == 0)
        status = shard__rows_set(store->context, rows, &row);
    if (status == 0)
        *undo = note;
    return status;
}

/* A host keeps its name and a revision its detail for the whole run, or its history would lie. */
static int apply_text(struct shard__memory_store *store, const struct shard__memory_run *run,
                      struct shard__memory_texts *texts, int32_t number, const struct shard_record *record,
                      struct shard__memory_undo *undo)
{
    const shard_context *context = store->context;
    size_t at = (size_t)number;
    size_t bytes = (size_t)record->detail_bytes;
    if (shard__grow(context, &texts->items, &texts->capacity, at + 1, sizeof(*texts->items)) < 0)
        return SHARD_ENOMEM;
    for (; texts->count <= at; texts->count++)
        texts->items[texts->count] = NULL;
    const char *known = texts->items[at];
    if (known != NULL && (strlen(known) != bytes || memcmp(known, record->detail, bytes) != 0))
        return shard__fail(SHARD_ECONFLICT, "run '%s': %s %d is '%s', and cannot become '%.*s'", run->name,
                           texts == &run->hosts ? "host" : "revision", number, known, record->detail_bytes,
                           record->detail);
    if (known != NULL)
        return 0;
    char *text = shard__realloc(context, NULL, 0, bytes + 1);
    if (text == NULL)
        return SHARD_ENOMEM;
    memcpy(text, record->detail, bytes);
    text[bytes] = '\0';
    texts->items[at] = text;
    undo->texts = texts;
    undo->task = number;
    return 0;
}

static int apply(struct shard__memory_store *store, struct shard__memory_run *run, const struct shard_record *record,
                 struct shard__memory_undo *undo)
{
    *undo = (struct shard__memory_undo){.task = -1, .wide = -1};
    if (store->keep > 0 && record->detail != NULL) {
        undo->detail = shard__realloc(store->context, NULL, 0, (size_t)record->detail_bytes + 1);
        if (undo->detail == NULL)
            return SHARD_ENOMEM;
        memcpy(undo->detail, record->detail, (size_t)record->detail_bytes);
        undo->detail[record->detail_bytes] = '\0';
    }
    int status = 0;
    if (record->type == SHARD_RECORD_TASK)
        status = apply_task(store, run, record, undo);
    else if (record->type == SHARD_RECORD_HOST)
        status = apply_text(store, run, &run->hosts, record->host, record, undo);
    else if (record->type == SHARD_RECORD_REVISION)
        status = apply_text(store, run, &run->revisions, record->revision, record, undo);
    if (status < 0 && undo->detail != NULL)
        shard__release(store->context, undo->detail, (size_t)record->detail_bytes + 1);
    return status;
}

/* Takes the first `count` records of a commit back, the last one first. */
static void take_back(struct shard__memory_store *store, struct shard__memory_run *run,
                      const struct shard_commit *commit, int32_t count, size_t wide_count)
{
    while (count-- > 0) {
        const struct shard__memory_undo *undo = &store->undo[count];
        if (undo->detail != NULL)
            shard__release(store->context, undo->detail, (size_t)commit->records[count].detail_bytes + 1);
        if (undo->texts != NULL) {
            shard__strfree(store->context, undo->texts->items[undo->task]);
            undo->texts->items[undo->task] = NULL;
        } else if (undo->task >= 0) {
            run->rows.packed[undo->task] = undo->packed;
            if (undo->wide >= 0)
                run->rows.wide[shard__rows_wide_index(&undo->packed)] = store->wide_copies[undo->wide];
        }
    }
    run->rows.wide_count = wide_count;
}

/* Moves the records, whose details are copied already, into the history. */
static void keep_records(const struct shard__memory_store *store, struct shard__memory_run *run,
                         const struct shard_commit *commit)
{
    for (int32_t i = 0; i < commit->record_count; i++) {
        struct shard_record *place = &run->records[(commit->records[i].seq - 1) % store->keep];
        union {
            const char *shown;
            char *owned;
        } old = {place->detail};
        if (old.owned != NULL)
            shard__release(store->context, old.owned, (size_t)place->detail_bytes + 1);
        *place = commit->records[i];
        place->detail = store->undo[i].detail;
    }
}

void shard__memory_free_records(const struct shard__memory_store *store, struct shard__memory_run *run)
{
    for (size_t i = 0; i < run->record_capacity; i++) {
        union {
            const char *shown;
            char *owned;
        } detail = {run->records[i].detail};
        if (detail.owned != NULL)
            shard__release(store->context, detail.owned, (size_t)run->records[i].detail_bytes + 1);
    }
    shard__release(store->context, run->records, run->record_capacity * sizeof(*run->records));
}

static int reserve_records(const struct shard__memory_store *store, struct shard__memory_run *run, int64_t last_seq)
{
    size_t wanted = (size_t)(last_seq < store->keep ? last_seq : store->keep);
    size_t old = run->record_capacity;
    if (shard__grow(store->context, &run->records, &run->record_capacity, wanted, sizeof(*run->records)) < 0)
        return SHARD_ENOMEM;
    if (run->record_capacity > old)
        memset(run->records + old, 0, (run->record_capacity - old) * sizeof(*run->records));
    return 0;
}

static void finish(const struct shard__memory_store *store, struct shard__memory_run *run,
                   const struct shard_commit *commit)
{
    const struct shard_record *last = &commit->records[commit->record_count - 1];
    if (store->keep > 0)
        keep_records(store, run, commit);
    for (const struct shard_record *record = commit->records; record <= last; record++)
        if (record->type == SHARD_RECORD_RUN)
            run->state = (enum shard_run_state)record->to;
    run->last_seq = last->seq;
    run->updated_ns = last->time_ns;
    remember(run, commit->operation);
}

/* A commit that is new and follows the last; under the mutex. */
static int write_commit(struct shard__memory_store *store, struct shard__memory_run *run, shard_sink *sink,
                        shard_token token, const struct shard_commit *commit)
{
    size_t count = (size_t)commit->record_count;
    size_t wide_count = run->rows.wide_count;
    int status = reserve_records(store, run, run->last_seq + commit->record_count);
    if (status == 0)
        status = shard__grow(store->context, &store->undo, &store->undo_capacity, count, sizeof(*store->undo));
    store->wide_copy_count = 0;
    int32_t applied = 0;
    while (status == 0 && applied < commit->record_count) {
        /* Rows lie anywhere in memory; the one that comes a little later is asked for now. */
        const struct shard_record *later = &commit->records[applied + 8 < commit->record_count ? applied + 8 : applied];
        if (later->task >= 0 && (size_t)later->task < run->rows.capacity)
            __builtin_prefetch(&run->rows.packed[later->task], 1);
        status = apply(store, run, &commit->records[applied], &store->undo[applied]);
        applied += status == 0;
    }
    /* The answer needs memory too. Whoever reads it meets the mutex before anything of the store. */
    if (status == 0)
        status = shard_sink_store_answered(sink, token, 0, commit->epoch, NULL, NULL);
    if (status == 0)
        finish(store, run, commit);
    else
        take_back(store, run, commit, applied, wide_count);
    return status;
}

int shard__memory_commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *theirs)
{
    struct shard__memory_store *store = self;
    struct shard_commit commit;
    int status = shard__check_commit(theirs, &commit);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    struct shard__memory_run *run = shard__memory_find(store, commit.run);
    status = run == NULL ? SHARD_ENOENT : shard__memory_check_epoch(run, commit.epoch);
    if (status == 0 && is_known(run, commit.operation))
        status = shard_sink_store_answered(sink, token, 0, commit.epoch, NULL, NULL);
    else if (status == 0 && commit.records[0].seq != run->last_seq + 1)
        status = shard__fail_seq(commit.run, commit.records[0].seq, run->last_seq);
    else if (status == 0)
        status = write_commit(store, run, sink, token, &commit);
    pthread_mutex_unlock(&store->mutex);
    return status;
}
