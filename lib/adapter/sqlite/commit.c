/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing one commit. Each change of a task carries its own condition (`WHERE version = ? AND state = ?`), so checking
 * and writing are one step. Transactions are strand.c's.
 */

#include "sqlite.h"

#include <math.h>
#include <string.h>

#include "adapter/common/check.h"
#include "base/error.h"

/* Trimming reads the operations of an epoch, so it is done now and then. */
enum { COMMITS_BETWEEN_TRIMS = 4096 };
/* Old records go a few at a time, though more than come. */
enum { RECORDS_BETWEEN_CUTS = 64, MOST_CUT = 8 * RECORDS_BETWEEN_CUTS };

static int64_t task_key(int64_t run, shard_task_id task)
{
    return run << SHARD__TASK_KEY_BITS | task;
}

/* SQLite has no NaN: NULL stands for it. */
static void bind_float(sqlite3_stmt *statement, int index, float value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_double(statement, index, (double)value);
}

static void bind_known(sqlite3_stmt *statement, int index, int64_t value, int is_known)
{
    if (is_known)
        sqlite3_bind_int64(statement, index, value);
    else
        sqlite3_bind_null(statement, index);
}

static int write_record(struct shard__sqlite_store *store, int64_t run, const struct shard_record *record)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_ADD_RECORD, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run << SHARD__RECORD_KEY_BITS | record->seq);
    sqlite3_bind_int64(statement, 2, record->time_ns);
    sqlite3_bind_int(statement, 3, (int)record->type);
    sqlite3_bind_int(statement, 4, record->task);
    sqlite3_bind_int(statement, 5, record->host);
    sqlite3_bind_int(statement, 6, record->attempt);
    sqlite3_bind_int64(statement, 7, record->version);
    sqlite3_bind_int(statement, 8, record->from);
    sqlite3_bind_int(statement, 9, record->to);
    sqlite3_bind_int(statement, 10, record->outcome);
    sqlite3_bind_int(statement, 11, record->decision);
    sqlite3_bind_int(statement, 12, record->reason);
    bind_float(statement, 13, record->p_fail);
    bind_float(statement, 14, record->value);
    bind_float(statement, 15, record->limit);
    bind_float(statement, 16, record->seconds);
    sqlite3_bind_int(statement, 17, record->parent);
    sqlite3_bind_int64(statement, 18, record->unit_begin);
    sqlite3_bind_int64(statement, 19, record->unit_end);
    sqlite3_bind_int64(statement, 20, record->memory_bytes);
    sqlite3_bind_text(statement, 21, record->detail, record->detail_bytes, SQLITE_STATIC);
    sqlite3_bind_int(statement, 22, record->revision);
    return shard__sqlite_run(store, statement, "cannot write a record");
}

/* Says what the row is instead of what the record expects. */
static int fail_conflict(struct shard__sqlite_store *store, int64_t run, const struct shard_record *record)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FIND_TASK, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, task_key(run, record->task));
    status = shard__sqlite_row(store, statement, "cannot read a task");
    if (status < 0)
        return status;
    int64_t version = status == 1 ? sqlite3_column_int64(statement, 0) : 0;
    int state = status == 1 ? sqlite3_column_int(statement, 1) : SHARD_TASK_NONE;
    shard__sqlite_done(statement);
    return shard__fail_task(SHARD_ECONFLICT, record->task, "task %d is %s at version %lld, expected %s at version %u",
                            record->task, shard_task_state_text(state), (long long)version,
                            shard_task_state_text(record->from), record->version);
}

static int count(struct shard__sqlite_store *store, int64_t run, const struct shard_record *record, int outcome,
                 int32_t times)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_COUNT_FAILURE, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, task_key(run, record->task));
    sqlite3_bind_int(statement, 2, outcome);
    sqlite3_bind_int(statement, 3, times);
    return shard__sqlite_run(store, statement, "cannot write a task");
}

/* The fold of shard_task_row_apply(), in SQL. */
static int write_task(struct shard__sqlite_store *store, int64_t run, const struct shard_record *record)
{
    sqlite3_stmt *statement;
    int is_first = record->from == SHARD_TASK_NONE;
    int is_decided = record->decision != SHARD_DECIDE_NOTHING || record->reason != SHARD_REASON_NONE;
    int status = shard__sqlite_statement(store, is_first ? SHARD__SQL_ADD_TASK : SHARD__SQL_CHANGE_TASK, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, task_key(run, record->task));
    sqlite3_bind_int64(statement, 2, record->version);
    sqlite3_bind_int(statement, 3, record->attempt);
    sqlite3_bind_int(statement, 4, record->host);
    sqlite3_bind_int(statement, 5, record->to);
    bind_known(statement, 6, record->outcome, is_first || record->outcome != SHARD_OUTCOME_NONE);
    bind_known(statement, 7, record->decision, is_first || is_decided);
    bind_known(statement, 8, record->reason, is_first || is_decided);
    /* A first record without a decision leaves the operands as they are in a row of zeroes. */
    bind_float(statement, 9, is_decided ? record->p_fail : 0);
    bind_float(statement, 10, is_decided ? record->value : 0);
    bind_float(statement, 11, is_decided ? record->limit : 0);
    bind_float(statement, 12, record->seconds);
    sqlite3_bind_int64(statement, 13, record->time_ns);
    bind_known(statement, 14, record->memory_bytes, is_first || record->memory_bytes != 0);
    if (is_first) {
        sqlite3_bind_int(statement, 15, record->parent);
        sqlite3_bind_int64(statement, 16, record->unit_begin);
        sqlite3_bind_int64(statement, 17, record->unit_end);
    } else {
        sqlite3_bind_int(statement, 15, record->from);
    }
    status = shard__sqlite_run(store, statement, "cannot write a task");
    if (status == 0 && sqlite3_changes(store->db) == 0)
        status = fail_conflict(store, run, record);
    if (status == 0 && record->outcome > SHARD_OUTCOME_DONE && record->decision != SHARD_DECIDE_MOVE &&
        record->decision != SHARD_DECIDE_SPLIT)
        status = count(store, run, record, record->outcome, 1);
    if (status == 0 && is_first && record->parent >= 0 && record->attempt > 0)
        status = count(store, run, record, SHARD_OUTCOME_NONE, record->attempt);
    return status;
}

/* A host keeps its name and a revision its detail for the whole run, or its history would lie. */
static int write_text(struct shard__sqlite_store *store, int64_t run, const struct shard_record *record)
{
    int is_host = record->type == SHARD_RECORD_HOST;
    int32_t number = is_host ? record->host : record->revision;
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, is_host ? SHARD__SQL_ADD_HOST : SHARD__SQL_ADD_REVISION, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int(statement, 2, number);
    sqlite3_bind_text(statement, 3, record->detail, record->detail_bytes, SQLITE_STATIC);
    status = shard__sqlite_run(store, statement, "cannot write a host or a revision");
    if (status < 0 || sqlite3_changes(store->db) != 0)
        return status;
    status = shard__sqlite_statement(store, is_host ? SHARD__SQL_FIND_HOST : SHARD__SQL_FIND_REVISION, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int(statement, 2, number);
    status = shard__sqlite_row(store, statement, "cannot read a host or a revision");
    if (status != 1)
        return status;
    const void *known = sqlite3_column_text(statement, 0);
    int bytes = sqlite3_column_bytes(statement, 0);
    status = 0;
    if (bytes != record->detail_bytes || (bytes > 0 && memcmp(known, record->detail, (size_t)bytes) != 0))
        status =
            shard__fail(SHARD_ECONFLICT, "%s %d is '%.*s', and cannot become '%.*s'", is_host ? "host" : "revision",
                        number, bytes, (const char *)known, record->detail_bytes, record->detail);
    shard__sqlite_done(statement);
    return status;
}

static int write_operation(struct shard__sqlite_store *store, int64_t run, const struct shard__job *job)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_ADD_OPERATION, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int64(statement, 2, (int64_t)job->operation);
    sqlite3_bind_int64(statement, 3, job->records[0].seq);
    status = shard__sqlite_run(store, statement, "cannot write an operation");
    if (status < 0 || ++store->commits % COMMITS_BETWEEN_TRIMS != 0)
        return status;
    status = shard__sqlite_statement(store, SHARD__SQL_TRIM_OPERATIONS, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    return shard__sqlite_run(store, statement, "cannot trim the operations");
}

/* 1 when the operation is in the store. */
static int is_known(struct shard__sqlite_store *store, int64_t run, uint64_t operation)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FIND_OPERATION, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int64(statement, 2, (int64_t)operation);
    status = shard__sqlite_row(store, statement, "cannot read an operation");
    if (status == 1)
        shard__sqlite_done(statement);
    return status;
}

static int change_run(struct shard__sqlite_store *store, int64_t run, const struct shard__job *job)
{
    const struct shard_record *last = &job->records[job->count - 1];
    int state = -1;
    for (const struct shard_record *record = job->records; record <= last; record++)
        if (record->type == SHARD_RECORD_RUN)
            state = record->to;
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_CHANGE_RUN, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int64(statement, 2, last->seq);
    sqlite3_bind_int64(statement, 3, last->time_ns);
    bind_known(statement, 4, state, state >= 0);
    return shard__sqlite_run(store, statement, "cannot write a run");
}

static int cut_records(struct shard__sqlite_store *store, int64_t run, const struct shard__job *job)
{
    sqlite3_stmt *statement;
    int64_t before = job->records[0].seq - 1, last = job->records[job->count - 1].seq;
    if (last <= store->keep.records || last / RECORDS_BETWEEN_CUTS == before / RECORDS_BETWEEN_CUTS)
        return 0;
    int status = shard__sqlite_statement(store, SHARD__SQL_MARK_CUT, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int64(statement, 2, store->keep.records);
    sqlite3_bind_int64(statement, 3, MOST_CUT + last - before);
    status = shard__sqlite_run(store, statement, "cannot drop old records");
    if (status == 0)
        status = shard__sqlite_statement(store, SHARD__SQL_CUT_RECORDS, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    return shard__sqlite_run(store, statement, "cannot drop old records");
}

static int write_all(struct shard__sqlite_store *store, int64_t run, const struct shard__job *job)
{
    int status = 0;
    for (int32_t i = 0; status == 0 && i < job->count; i++) {
        const struct shard_record *record = &job->records[i];
        if (record->type == SHARD_RECORD_TASK)
            status = write_task(store, run, record);
        else if (record->type == SHARD_RECORD_HOST || record->type == SHARD_RECORD_REVISION)
            status = write_text(store, run, record);
        if (status == 0)
            status = write_record(store, run, record);
    }
    if (status == 0)
        status = change_run(store, run, job);
    if (status == 0)
        status = cut_records(store, run, job);
    return status == 0 ? write_operation(store, run, job) : status;
}

int shard__sqlite_write_commit(struct shard__sqlite_store *store, const struct shard__job *job)
{
    struct shard__run_row row;
    sqlite3_stmt *statement;
    int status = shard__sqlite_find_run(store, job->run, &row, &statement);
    if (status < 0)
        return status;
    status = shard__sqlite_check_epoch(store, job->run, job->epoch, &row);
    shard__sqlite_done(statement);
    if (status < 0)
        return status;
    status = is_known(store, row.id, job->operation);
    if (status != 0)
        return status < 0 ? status : 0;
    if (job->records[0].seq != row.last_seq + 1)
        return shard__fail_seq(job->run, job->records[0].seq, row.last_seq);
    if (job->records[job->count - 1].seq >= INT64_C(1) << SHARD__RECORD_KEY_BITS)
        return shard__fail(SHARD_ELIMIT, "run '%s': more than 2^%d records", job->run, (int)SHARD__RECORD_KEY_BITS);
    return write_all(store, row.id, job);
}
