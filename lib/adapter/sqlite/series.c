/* SPDX-License-Identifier: Apache-2.0 */
/* A history out of the tables of samples, spans and outcomes. */

#include "adapter/common/series.h"

#include <math.h>

#include "base/error.h"
#include "base/sample.h"
#include "sqlite.h"

static double column_double(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int feed_host(struct shard__sqlite_store *store, struct shard__series *answer, int64_t host, int64_t first_ns,
                     int64_t last_ns)
{
    sqlite3_stmt *statement;
    int64_t until_ns = answer->query.to_ns - 1;
    int status = shard__sqlite_statement(store, SHARD__SQL_GET_SAMPLES, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host);
    sqlite3_bind_int64(statement, 2, later(first_ns, answer->query.from_ns));
    sqlite3_bind_int64(statement, 3, last_ns < until_ns ? last_ns : until_ns);
    while ((status = shard__sqlite_row(store, statement, "cannot read the samples")) == 1) {
        double values[SHARD__SAMPLE_VALUES];
        struct shard_sample sample;
        for (int i = 0; i < SHARD__SAMPLE_VALUES; i++)
            values[i] = column_double(statement, 1 + i);
        shard__sample_of(sqlite3_column_int64(statement, 0), values, &sample);
        if (shard__series_sample(answer, &sample) < 0) {
            shard__sqlite_done(statement);
            return SHARD_ENOMEM;
        }
    }
    return status;
}

static int feed_named_host(struct shard__sqlite_store *store, struct shard__series *answer)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FIND_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, answer->query.name, -1, SQLITE_STATIC);
    status = shard__sqlite_row(store, statement, "cannot read the hosts");
    if (status <= 0)
        return status;
    int64_t host = sqlite3_column_int64(statement, 0);
    shard__sqlite_done(statement);
    return feed_host(store, answer, host, 0, INT64_MAX);
}

static int feed_spans(struct shard__sqlite_store *store, struct shard__series *answer)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_GET_SPANS, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, answer->query.name, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, answer->query.task);
    while ((status = shard__sqlite_row(store, statement, "cannot read the samples")) == 1) {
        status = feed_host(store, answer, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                           sqlite3_column_int64(statement, 2));
        if (status < 0) {
            shard__sqlite_done(statement);
            return status;
        }
    }
    return status;
}

static int feed_outcomes(struct shard__sqlite_store *store, struct shard__series *answer)
{
    const struct shard_series_query *query = &answer->query;
    sqlite3_stmt *statement;
    enum shard__statement which = query->of == SHARD_SERIES_HOST   ? SHARD__SQL_OUTCOMES_OF_HOST
                                  : query->of == SHARD_SERIES_KIND ? SHARD__SQL_OUTCOMES_OF_KIND
                                                                   : SHARD__SQL_OUTCOMES_OF_TASK;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, query->name, -1, SQLITE_STATIC);
    if (query->of == SHARD_SERIES_TASK)
        sqlite3_bind_int(statement, 2, query->task);
    sqlite3_bind_int64(statement, 3, query->from_ns);
    sqlite3_bind_int64(statement, 4, query->to_ns - 1);
    while ((status = shard__sqlite_row(store, statement, "cannot read the outcomes")) == 1) {
        struct shard_outcome_row row = {.end_ns = sqlite3_column_int64(statement, 0),
                                        .outcome = (enum shard_outcome)sqlite3_column_int(statement, 1),
                                        .seconds = column_double(statement, 2),
                                        .p_fail = column_double(statement, 3)};
        if (shard__series_outcome(answer, &row) < 0) {
            shard__sqlite_done(statement);
            return SHARD_ENOMEM;
        }
    }
    return status;
}

int shard__sqlite_series(void *self, const struct shard_series_query *query, shard__series_each each, void *each_self)
{
    struct shard__sqlite_store *store = self;
    struct shard__series answer;
    shard__clear_error();
    int status = shard__series_begin(&answer, store->context, query);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->db_mutex);
    if (answer.query.of == SHARD_SERIES_HOST)
        status = feed_named_host(store, &answer);
    else if (answer.query.of == SHARD_SERIES_TASK)
        status = feed_spans(store, &answer);
    if (status == 0)
        status = feed_outcomes(store, &answer);
    pthread_mutex_unlock(&store->db_mutex);
    return shard__series_end(&answer, status, each, each_self);
}
