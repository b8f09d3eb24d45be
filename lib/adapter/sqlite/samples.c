/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of hosts, by host and time, and when attempts were on them; written behind. They have transactions of their
 * own that are not waited for (synchronous=NORMAL): a power cut may cost the last of them, and never costs a commit.
 */

#include "sqlite.h"

#include <math.h>

#include "adapter/common/series.h"
#include "base/error.h"
#include "base/sample.h"

static void bind_double(sqlite3_stmt *statement, int index, double value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_double(statement, index, value);
}

struct host {
    int64_t id;
    int64_t samples; /* that are kept */
    int64_t newest_ns;
};

static int find_host(struct shard__sqlite_store *store, const char *name, struct host *ret_host)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FIND_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    status = shard__sqlite_row(store, statement, "cannot read the hosts");
    if (status < 0)
        return status;
    if (status == 1) {
        *ret_host = (struct host){.id = sqlite3_column_int64(statement, 0),
                                  .samples = sqlite3_column_int64(statement, 1),
                                  .newest_ns = sqlite3_column_int64(statement, 2)};
        shard__sqlite_done(statement);
        return 0;
    }
    status = shard__sqlite_statement(store, SHARD__SQL_ADD_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    status = shard__sqlite_run(store, statement, "cannot write a host");
    *ret_host = (struct host){.id = sqlite3_last_insert_rowid(store->db), .newest_ns = -1};
    return status;
}

static int write_sample(struct shard__sqlite_store *store, int64_t host, const struct shard_sample *sample)
{
    double values[SHARD__SAMPLE_VALUES];
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_PUT_SAMPLE, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host);
    sqlite3_bind_int64(statement, 2, sample->time_ns);
    shard__sample_values(sample, values);
    for (int i = 0; i < SHARD__SAMPLE_VALUES; i++)
        bind_double(statement, 3 + i, values[i]);
    return shard__sqlite_run(store, statement, "cannot write a sample");
}

static int write_span(struct shard__sqlite_store *store, int64_t host, int64_t time_ns,
                      const struct shard_sample_tag *tag)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_PUT_SPAN, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, tag->run, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, tag->task);
    sqlite3_bind_int(statement, 3, tag->attempt);
    sqlite3_bind_int64(statement, 4, host);
    sqlite3_bind_int64(statement, 5, time_ns);
    return shard__sqlite_run(store, statement, "cannot write a sample");
}

/* Runs a statement that deletes samples of a host. */
static int cut(struct shard__sqlite_store *store, enum shard__statement which, struct host *host, int64_t bound)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host->id);
    sqlite3_bind_int64(statement, 2, bound);
    status = shard__sqlite_run(store, statement, "cannot write a sample");
    if (status < 0 || sqlite3_changes(store->db) == 0)
        return status;
    host->samples -= sqlite3_changes(store->db);
    status = shard__sqlite_statement(store, SHARD__SQL_CUT_SPANS, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host->id);
    return shard__sqlite_run(store, statement, "cannot write a sample");
}

/* What is too old, and what is too many: the latter by a sixteenth at a time, since it has to be counted. */
static int cut_samples(struct shard__sqlite_store *store, struct host *host)
{
    int64_t keep = store->keep.samples;
    int status = cut(store, SHARD__SQL_CUT_OLD_SAMPLES, host, host->newest_ns - store->keep.sample_ns);
    if (status == 0 && host->samples > keep + keep / 16)
        status = cut(store, SHARD__SQL_CUT_SAMPLES, host, keep);
    return status;
}

static int write_host(struct shard__sqlite_store *store, const struct host *host)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_CHANGE_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host->id);
    sqlite3_bind_int64(statement, 2, host->samples);
    sqlite3_bind_int64(statement, 3, host->newest_ns);
    return shard__sqlite_run(store, statement, "cannot write a host");
}

static int put_sample(struct shard__sqlite_store *store, const struct shard_host_sample *host_sample)
{
    struct host host;
    int status = find_host(store, host_sample->host, &host);
    if (status < 0 || host_sample->sample.time_ns <= host.newest_ns)
        return status;
    status = write_sample(store, host.id, &host_sample->sample);
    host.samples++;
    host.newest_ns = host_sample->sample.time_ns;
    for (int32_t i = 0; status == 0 && i < host_sample->tag_count; i++)
        status = write_span(store, host.id, host.newest_ns, &host_sample->tags[i]);
    if (status == 0)
        status = cut_samples(store, &host);
    return status < 0 ? status : write_host(store, &host);
}

int shard__sqlite_put_samples(struct shard__sqlite_store *store, const struct shard__job *jobs)
{
    sqlite3_exec(store->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    int status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    for (const struct shard__job *job = jobs; job != NULL; job = job->next) {
        if (status == 0 && job->outcomes != NULL)
            status = shard__sqlite_put_outcomes(store, job);
        for (int32_t i = 0; status == 0 && job->samples != NULL && i < job->count; i++)
            status = put_sample(store, &job->samples[i]);
    }
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    shard__sqlite_rollback(store);
    sqlite3_exec(store->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return status;
}
