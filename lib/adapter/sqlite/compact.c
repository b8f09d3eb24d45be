/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops old records and what is left of time series that nobody has written to for long, and gives the room back. The
 * file is only written anew while no run is held: whoever holds one would wait for it.
 */

#include <stdint.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"
#include "sqlite.h"

/* Deletes with one number; how many rows went. */
static int drop(struct shard__sqlite_store *store, enum shard__statement which, int64_t bound, int64_t *ret_count)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, bound);
    status = shard__sqlite_run(store, statement, "cannot be compacted");
    if (status == 0)
        *ret_count = sqlite3_changes(store->db);
    return status;
}

/* The one row of a statement: one or two numbers. */
static int ask(struct shard__sqlite_store *store, enum shard__statement which, int64_t bound, int64_t ret_numbers[2])
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, bound);
    status = shard__sqlite_row(store, statement, "cannot be read");
    for (int i = 0; status == 1 && i < sqlite3_column_count(statement); i++)
        ret_numbers[i] = sqlite3_column_int64(statement, i);
    if (status == 1)
        shard__sqlite_done(statement);
    return status < 0 ? status : 0;
}

static int drop_all(struct shard__sqlite_store *store, int64_t keep_records, struct shard_compacted *done)
{
    int64_t now_ns = shard__wall_ns(store->context), others = 0;
    int status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    if (status == 0)
        status = drop(store, SHARD__SQL_DROP_RECORDS, keep_records, &done->records);
    if (status == 0)
        status = drop(store, SHARD__SQL_MARK_DROPPED, keep_records, &others);
    if (status == 0)
        status = drop(store, SHARD__SQL_DROP_SAMPLES, now_ns - store->keep.sample_ns, &done->samples);
    if (status == 0)
        status = drop(store, SHARD__SQL_DROP_SPANS, now_ns - store->keep.sample_ns, &others);
    if (status == 0)
        status = drop(store, SHARD__SQL_DROP_OUTCOMES, now_ns - store->keep.outcome_ns, &done->outcomes);
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COUNT_SAMPLES, "cannot be compacted");
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    shard__sqlite_rollback(store);
    return status;
}

/* Writes the file anew, without holes, and empties the log beside it. */
static int shrink_file(struct shard__sqlite_store *store)
{
    shard__sqlite_finalize(store);
    int code = sqlite3_exec(store->db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : shard__sqlite_fail(store, code, "cannot be written anew");
}

int shard__sqlite_compact(void *self, const struct shard_compact *what, struct shard_compacted *ret_done)
{
    struct shard__sqlite_store *store = self;
    struct shard_compact ours;
    struct shard_compacted done = {.struct_size = sizeof(done)};
    int64_t held[2] = {0, 0}, bytes[2];
    shard__clear_error();
    int status = shard__check_compact(what, &ours);
    if (status == 0 && store->is_read_only)
        status = shard__fail(SHARD_ENOTSUP, "store '%s': was opened read only", store->path);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->db_mutex);
    status = ask(store, SHARD__SQL_COUNT_HELD, shard__wall_ns(store->context), held);
    if (status == 0 && (status = ask(store, SHARD__SQL_COUNT_BYTES, 0, bytes)) == 0)
        done.bytes_before = bytes[0];
    if (status == 0)
        status = drop_all(store, ours.keep_records, &done);
    if (status == 0 && held[1] == 0)
        status = shrink_file(store);
    if (status == 0 && (status = ask(store, SHARD__SQL_COUNT_BYTES, 0, bytes)) == 0)
        done.bytes_after = bytes[0];
    pthread_mutex_unlock(&store->db_mutex);
    done.runs = (int32_t)held[0];
    done.is_partial = held[1] > 0;
    return status < 0 ? status : shard__give_struct(ret_done, &done, sizeof(done), "compacted");
}
