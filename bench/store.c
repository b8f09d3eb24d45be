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

#include "measure.h"

enum { ROUNDS = 5, LAG = 64, MAX_BATCH = 4096 };

struct result {
    double cpu_us;     /* of a transition */
    double per_second; /* durable transitions */
};

static void die(const char *what)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    fprintf(stderr, "store: %s: %s\n", what, error.message);
    exit(1);
}

/* Tasks become ready, run and end, LAG tasks behind each other, as in a run that keeps its hosts busy. */
static struct shard_record transition(int64_t seq)
{
    int64_t task = (seq - 1) / 3;
    int phase = (int)((seq - 1) % 3);
    task -= (int64_t)phase * LAG;
    struct shard_record record = {.seq = seq,
                                  .time_ns = INT64_C(1790000000000000000) + seq * 12345,
                                  .type = task < 0 ? SHARD_RECORD_RUN : SHARD_RECORD_TASK,
                                  .task = task < 0 ? -1 : (shard_task_id)task,
                                  .host = phase == 0 || task < 0 ? -1 : (shard_host_id)(task % 100),
                                  .attempt = phase > 0,
                                  .version = (uint32_t)phase,
                                  .p_fail = NAN,
                                  .parent = -1};
    if (task < 0)
        return record;
    record.from = phase == 0 ? SHARD_TASK_NONE : phase == 1 ? SHARD_TASK_READY : SHARD_TASK_RUNNING;
    record.to = phase == 0 ? SHARD_TASK_READY : phase == 1 ? SHARD_TASK_RUNNING : SHARD_TASK_DONE;
    record.reason = phase == 0 ? SHARD_REASON_PREDECESSORS_DONE : phase == 1 ? SHARD_REASON_EARLIEST_FINISH : 0;
    record.decision = phase == 1 ? SHARD_DECIDE_START : 0;
    record.value = phase == 1 ? 12.5F : 0;
    record.outcome = phase == 2 ? SHARD_OUTCOME_DONE : 0;
    record.seconds = phase == 2 ? 12.25F : 0;
    return record;
}

/* The run "bench" of a workflow that is large enough, with its lease. */
struct run {
    shard_context *context;
    shard_sink *sink;
    struct shard_store_handle store;
    struct shard_answer answer;
};

static void wait_answer(struct run *run, int returned)
{
    run->answer.struct_size = sizeof(run->answer);
    if (returned < 0 || shard_sink_wait(run->sink, -1, &run->answer) != 1 || run->answer.status < 0)
        die(returned < 0 ? "call" : run->answer.message);
}

static void begin_run(struct run *run, shard_workflow *workflow)
{
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "bench", .workflow = workflow};
    if (shard_sink_new(run->context, &run->sink) < 0)
        die("sink");
    wait_answer(run, run->store.port->create(run->store.self, run->sink, 1, &create));
    wait_answer(run, run->store.port->acquire(run->store.self, run->sink, 1, "bench", "bench", 1000000));
}

static void end_run(struct run *run)
{
    run->store.port->close(run->store.self);
    shard_sink_free(run->sink);
}

/* Commits `count` transitions, `batch` to a commit, of which up to `waiting` may be under way at a time. */
static struct result commit_all(struct run *run, int64_t count, int32_t batch, int waiting)
{
    static struct shard_record records[MAX_BATCH];
    int64_t seq = 0, answered = 0;
    double cpu = bench_cpu_ns(), wall = bench_wall_ns();
    while (answered < count) {
        while (seq < count && seq - answered < (int64_t)batch * waiting) {
            for (int32_t i = 0; i < batch; i++)
                records[i] = transition(++seq);
            struct shard_commit commit = {.struct_size = sizeof(commit),
                                          .run = "bench",
                                          .epoch = 1,
                                          .operation = (uint64_t)seq,
                                          .records = records,
                                          .record_count = batch};
            if (run->store.port->commit(run->store.self, run->sink, 1, &commit) < 0)
                die("commit");
        }
        wait_answer(run, 0);
        answered += batch;
    }
    cpu = bench_cpu_ns() - cpu;
    wall = bench_wall_ns() - wall;
    return (struct result){.cpu_us = cpu / 1000 / (double)count, .per_second = (double)count / (wall / 1e9)};
}

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

static shard_workflow *make_workflow(shard_context *context)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    if (shard_builder_new(context, "bench", &builder) < 0)
        die("builder");
    for (int i = 0; i < 20000; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec)};
        if (shard_builder_add_task(builder, &spec) < 0)
            die("task");
    }
    if (shard_builder_seal(builder, &workflow) < 0)
        die("seal");
    shard_builder_free(builder);
    return workflow;
}

int main(int argc, char **argv)
{
    char path[256];
    shard_context *context = NULL;
    snprintf(path, sizeof(path), "%s/shard-bench-%d.db", argc > 1 ? argv[1] : "/var/tmp", (int)getpid());
    if (shard_context_new(NULL, &context) < 0)
        die("context");
    shard_workflow *workflow = make_workflow(context);
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
