/* SPDX-License-Identifier: Apache-2.0 */
/* How attempts ended, to train on: written behind as samples are, the newest kept. */

#include "sqlite.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MOST_COLUMNS = 4096 };

static void bind_double(sqlite3_stmt *statement, int index, double value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_double(statement, index, value);
}

static int put(struct shard__sqlite_store *store, const struct shard_outcome_row *outcome)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_PUT_OUTCOME, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, outcome->run, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, outcome->host, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, outcome->kind, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, outcome->task);
    sqlite3_bind_int(statement, 5, outcome->attempt);
    sqlite3_bind_int(statement, 6, (int)outcome->outcome);
    sqlite3_bind_int64(statement, 7, outcome->start_ns);
    sqlite3_bind_int64(statement, 8, outcome->end_ns);
    bind_double(statement, 9, outcome->seconds);
    bind_double(statement, 10, outcome->p_fail);
    sqlite3_bind_int64(statement, 11, (int64_t)outcome->schema_hash);
    sqlite3_bind_blob(statement, 12, outcome->values, outcome->columns * (int)sizeof(float), SQLITE_STATIC);
    return shard__sqlite_run(store, statement, "cannot write an outcome");
}

static int cut(struct shard__sqlite_store *store, enum shard__statement which, int64_t bound)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, bound);
    return shard__sqlite_run(store, statement, "cannot write an outcome");
}

int shard__sqlite_put_outcomes(struct shard__sqlite_store *store, const struct shard__job *job)
{
    int status = 0;
    for (int32_t i = 0; status == 0 && i < job->count; i++)
        status = put(store, &job->outcomes[i]);
    int64_t last = sqlite3_last_insert_rowid(store->db) - store->keep.outcomes;
    if (status == 0)
        status = cut(store, SHARD__SQL_CUT_OLD_OUTCOMES, job->outcomes[job->count - 1].end_ns - store->keep.outcome_ns);
    if (status == 0 && last > 0)
        status = cut(store, SHARD__SQL_CUT_OUTCOMES, last);
    return status;
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text == NULL ? "" : text;
}

static double column_double(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

/* One row. `values` holds a copy: a blob need not lie where a float may. 1: go on, 0: enough, or a code. */
static int tell(struct shard__sqlite_store *store, sqlite3_stmt *statement, float *values,
                int (*each)(void *each_self, const struct shard_outcome_row *outcome), void *each_self)
{
    int bytes = sqlite3_column_bytes(statement, 11), outcome = sqlite3_column_int(statement, 5);
    if (bytes % (int)sizeof(float) != 0 || bytes > MOST_COLUMNS * (int)sizeof(float) || outcome < 0 ||
        outcome >= SHARD_OUTCOME_COUNT)
        return shard__fail(SHARD_ECORRUPT, "store '%s': an outcome of %d bytes of columns that ended with %d",
                           store->path, bytes, outcome);
    if (bytes > 0)
        memcpy(values, sqlite3_column_blob(statement, 11), (size_t)bytes);
    struct shard_outcome_row row = {.struct_size = sizeof(row),
                                    .run = column_text(statement, 0),
                                    .host = column_text(statement, 1),
                                    .kind = column_text(statement, 2),
                                    .task = sqlite3_column_int(statement, 3),
                                    .attempt = sqlite3_column_int(statement, 4),
                                    .outcome = (enum shard_outcome)outcome,
                                    .start_ns = sqlite3_column_int64(statement, 6),
                                    .end_ns = sqlite3_column_int64(statement, 7),
                                    .seconds = column_double(statement, 8),
                                    .p_fail = column_double(statement, 9),
                                    .schema_hash = (uint64_t)sqlite3_column_int64(statement, 10),
                                    .values = values,
                                    .columns = bytes / (int)sizeof(float)};
    return each(each_self, &row) == 0;
}

int shard__sqlite_each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                               void *each_self)
{
    struct shard__sqlite_store *store = self;
    sqlite3_stmt *statement = NULL;
    shard__clear_error();
    float *values = shard__zalloc(store->context, MOST_COLUMNS * sizeof(*values));
    if (values == NULL)
        return SHARD_ENOMEM;
    pthread_mutex_lock(&store->db_mutex);
    int status = shard__sqlite_statement(store, SHARD__SQL_GET_OUTCOMES, &statement);
    while (status >= 0 && (status = shard__sqlite_row(store, statement, "cannot read the outcomes")) == 1) {
        status = tell(store, statement, values, each, each_self);
        if (status == 0)
            break;
    }
    if (statement != NULL)
        shard__sqlite_done(statement);
    pthread_mutex_unlock(&store->db_mutex);
    shard__release(store->context, values, MOST_COLUMNS * sizeof(*values));
    return status < 0 ? status : 0;
}
