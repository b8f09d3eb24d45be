/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of hosts: a ring for each, written behind. They have transactions of their own that are not waited for
 * (synchronous=NORMAL): a power cut may cost the last of them, and never costs a commit.
 */

#include "sqlite.h"

#include <math.h>

#include "base/error.h"

static void bind_double(sqlite3_stmt *statement, int index, double value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_double(statement, index, value);
}

/* A host's ring. */
struct ring {
    int64_t host;
    int64_t next;
    int64_t slots;
};

static int find_ring(struct shard__sqlite_store *store, const char *name, struct ring *ret_ring)
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
        *ret_ring = (struct ring){.host = sqlite3_column_int64(statement, 0),
                                  .next = sqlite3_column_int64(statement, 1),
                                  .slots = sqlite3_column_int64(statement, 2)};
        shard__sqlite_done(statement);
        return 0;
    }
    status = shard__sqlite_statement(store, SHARD__SQL_ADD_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, store->keep_samples);
    status = shard__sqlite_run(store, statement, "cannot write a host");
    *ret_ring = (struct ring){.host = sqlite3_last_insert_rowid(store->db), .slots = store->keep_samples};
    return status;
}

/* What lies beyond the end of a ring that was longer once would never be written over. */
static int cut(struct shard__sqlite_store *store, int64_t host)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_CUT_SAMPLES, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, host << 32 | store->keep_samples);
    sqlite3_bind_int64(statement, 2, host << 32 | UINT32_MAX);
    return shard__sqlite_run(store, statement, "cannot write a sample");
}

static int write_sample(struct shard__sqlite_store *store, int64_t key, const struct shard_sample *sample)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_PUT_SAMPLE, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, key);
    sqlite3_bind_int64(statement, 2, sample->time_ns);
    bind_double(statement, 3, sample->cpu_share);
    bind_double(statement, 4, sample->memory_share);
    bind_double(statement, 5, sample->disk_share);
    bind_double(statement, 6, sample->io_bytes_per_second);
    bind_double(statement, 7, sample->network_bytes_per_second);
    bind_double(statement, 8, sample->cpu_pressure);
    bind_double(statement, 9, sample->memory_pressure);
    bind_double(statement, 10, sample->io_pressure);
    bind_double(statement, 11, sample->load);
    bind_double(statement, 12, sample->temperature_celsius);
    return shard__sqlite_run(store, statement, "cannot write a sample");
}

static int write_ring(struct shard__sqlite_store *store, const struct ring *ring)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_CHANGE_SAMPLE_HOST, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, ring->host);
    sqlite3_bind_int64(statement, 2, ring->next);
    sqlite3_bind_int64(statement, 3, ring->slots);
    return shard__sqlite_run(store, statement, "cannot write a host");
}

static int put_sample(struct shard__sqlite_store *store, const struct shard_host_sample *host_sample)
{
    struct ring ring;
    int status = find_ring(store, host_sample->host, &ring);
    if (status == 0 && ring.slots > store->keep_samples)
        status = cut(store, ring.host);
    if (status < 0)
        return status;
    ring.slots = store->keep_samples;
    if (ring.next < 0 || ring.next >= ring.slots)
        ring.next = 0;
    status = write_sample(store, ring.host << 32 | ring.next, &host_sample->sample);
    ring.next++;
    return status < 0 ? status : write_ring(store, &ring);
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
