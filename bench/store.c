/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transition costs in a store: CPU in memory, CPU and durable transitions a second in SQLite, with 1, 64 and
 * 4,096 transitions a commit. The peer is a bare SQLite program that inserts as many rows of the same columns into one
 * plain table, as many to a transaction, with the same pragmas; ours also keeps the rows of the tasks, and checks them.
 * Both write to the same directory, in turns, and each figure is the median of its turns.
 *
 * usage: store [DIRECTORY] (on the disk that is to be measured; default /var/tmp)
 */

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shard/shard.h>

#include "commits.h"
#include "measure.h"

enum { ROUNDS = 5 };

static void remove_database(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-lease"};
    for (int i = 0; i < 4; i++) {
        char name[512];
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
}

static struct result measure_sqlite(shard_context *context, shard_workflow *workflow, const char *path, int64_t count,
                                    int32_t batch, int waiting)
{
    struct run run = {.context = context};
    struct shard_sqlite_store_config config = {.struct_size = sizeof(config), .path = path};
    remove_database(path);
    if (shard_sqlite_store_open(context, &config, &run.store) < 0)
        die("open");
    begin_run(&run, workflow);
    struct result result = commit_all(&run, count, batch, waiting);
    end_run(&run);
    remove_database(path);
    return result;
}

static struct result measure_memory(shard_context *context, shard_workflow *workflow, int64_t count, int32_t batch)
{
    struct run run = {.context = context};
    if (shard_memory_store_open(context, NULL, &run.store) < 0)
        die("open");
    begin_run(&run, workflow);
    struct result result = commit_all(&run, count, batch, 1);
    end_run(&run);
    return result;
}

static void must(int code, sqlite3 *db)
{
    if (code == SQLITE_OK || code == SQLITE_DONE)
        return;
    fprintf(stderr, "store: peer: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void bind_record(sqlite3_stmt *insert, const struct shard_record *record)
{
    const int64_t integers[] = {record->seq,    record->time_ns,    (int64_t)record->type, record->task,
                                record->host,   record->attempt,    record->version,       record->from,
                                record->to,     record->outcome,    record->decision,      record->reason,
                                record->parent, record->unit_begin, record->unit_end,      record->memory_bytes};
    for (int i = 0; i < 16; i++)
        sqlite3_bind_int64(insert, i + 1, integers[i]);
    sqlite3_bind_null(insert, 17);
    sqlite3_bind_double(insert, 18, (double)record->value);
    sqlite3_bind_double(insert, 19, (double)record->limit);
    sqlite3_bind_double(insert, 20, (double)record->seconds);
    sqlite3_bind_null(insert, 21);
}

static struct result measure_peer(const char *path, int64_t count, int32_t batch)
{
    static const char setup[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000;"
        "CREATE TABLE plain(seq INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER,"
        " f INTEGER, g INTEGER, h INTEGER, i INTEGER, j INTEGER, k INTEGER, l INTEGER, m INTEGER, n INTEGER,"
        " o INTEGER, p REAL, q REAL, r REAL, s REAL, t TEXT) STRICT";
    sqlite3 *db = NULL;
    sqlite3_stmt *begin, *insert, *commit;
    remove_database(path);
    must(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL), db);
    must(sqlite3_exec(db, setup, NULL, NULL, NULL), db);
    must(sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL), db);
    must(sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL), db);
    must(sqlite3_prepare_v2(db, "INSERT INTO plain VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &insert,
                            NULL),
         db);
    double cpu = bench_cpu_ns(), wall = bench_wall_ns();
    for (int64_t seq = 0; seq < count;) {
        must(sqlite3_step(begin), db);
        sqlite3_reset(begin);
        for (int32_t i = 0; i < batch; i++) {
            struct shard_record record = transition(++seq);
            bind_record(insert, &record);
            must(sqlite3_step(insert), db);
            sqlite3_reset(insert);
        }
        must(sqlite3_step(commit), db);
        sqlite3_reset(commit);
    }
    cpu = bench_cpu_ns() - cpu;
    wall = bench_wall_ns() - wall;
    sqlite3_finalize(begin);
    sqlite3_finalize(insert);
    sqlite3_finalize(commit);
    sqlite3_close(db);
    remove_database(path);
    return (struct result){.cpu_us = cpu / 1000 / (double)count, .per_second = (double)count / (wall / 1e9)};
}

struct figures {
    double cpu_us[ROUNDS];
    double per_second[ROUNDS];
};

static void note(struct figures *figures, int round, struct result result)
{
    figures->cpu_us[round] = result.cpu_us;
    figures->per_second[round] = result.per_second;
}

static void compare_sqlite(shard_context *context, shard_workflow *workflow, const char *path, int64_t count,
                           int32_t batch)
{
    struct figures ours, peer;
    char name[64];
    for (int round = 0; round < ROUNDS; round++) {
        note(&ours, round, measure_sqlite(context, workflow, path, count, batch, 1));
        note(&peer, round, measure_peer(path, count, batch));
    }
    snprintf(name, sizeof(name), "sqlite, CPU, %d a commit", batch);
    bench_row("store", name, bench_median(ours.cpu_us, ROUNDS), bench_median(peer.cpu_us, ROUNDS), "us/transition",
              ROUNDS);
    snprintf(name, sizeof(name), "sqlite, durable, %d a commit", batch);
    bench_row("store", name, bench_median(ours.per_second, ROUNDS), bench_median(peer.per_second, ROUNDS),
              "transitions/s", ROUNDS);
}

/* Commits of one transition that come faster than the disk: group commit against a transaction for each. */
static void compare_group_commit(shard_workflow *workflow, const char *path, int64_t count)
{
    struct figures ours, peer;
    shard_workers *workers = NULL;
    shard_context *context = NULL;
    struct shard_context_config config = {.struct_size = sizeof(config), .offload = shard_workers_offload};
    if (shard_workers_new(1, &workers) < 0)
        die("workers");
    config.offload_self = workers;
    if (shard_context_new(&config, &context) < 0)
        die("context");
    for (int round = 0; round < ROUNDS; round++) {
        note(&ours, round, measure_sqlite(context, workflow, path, count, 1, 1024));
        note(&peer, round, measure_peer(path, count / 16, 1));
    }
    bench_row("store", "sqlite, durable, 1 a commit, 1,024 waiting", bench_median(ours.per_second, ROUNDS),
              bench_median(peer.per_second, ROUNDS), "transitions/s", ROUNDS);
    shard_context_free(context);
    shard_workers_free(workers);
}

static void measure_memory_rows(shard_context *context, shard_workflow *workflow)
{
    static const int32_t batches[] = {1, 64, 4096};
    for (int i = 0; i < 3; i++) {
        double cpu_ns[ROUNDS];
        char name[64];
        for (int round = 0; round < ROUNDS; round++)
            cpu_ns[round] = 1000 * measure_memory(context, workflow, INT64_C(4096) * 200, batches[i]).cpu_us;
        snprintf(name, sizeof(name), "memory, CPU, %d a commit", batches[i]);
        bench_row("store", name, bench_median(cpu_ns, ROUNDS), NAN, "ns/transition", ROUNDS);
    }
}

int main(int argc, char **argv)
{
    char path[256];
    shard_context *context = NULL;
    snprintf(path, sizeof(path), "%s/shard-bench-%d.db", argc > 1 ? argv[1] : "/var/tmp", (int)getpid());
    if (shard_context_new(NULL, &context) < 0)
        die("context");
    shard_workflow *workflow = make_workflow(context, 20000);
    bench_header("store", "bare SQLite");
    measure_memory_rows(context, workflow);
    compare_sqlite(context, workflow, path, 300, 1);
    compare_sqlite(context, workflow, path, 64 * 150, 64);
    compare_sqlite(context, workflow, path, INT64_C(4096) * 12, 4096);
    compare_group_commit(workflow, path, 4000);
    shard_workflow_unref(workflow);
    shard_context_free(context);
    return 0;
}
