/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_STORE_H
#define SHARD_STORE_H

/*
 * The store port: durable state of runs. For authors of stores, and for programs that read one; the stores that come
 * with the library are made by the functions at the end.
 *
 * Every call but close takes a sink and a token and is answered exactly once by shard_sink_store_answered(), from any
 * thread. A negative return value is an answer too: the token is not answered again. What a call points to is valid
 * during the call only. No call blocks the caller (SQLite goes through the context's offload hook).
 *
 * Rules (each has a test in tests/conformance/):
 *  1. A write carries the epoch of its lease; any but the current one is refused with SHARD_EFENCED.
 *  2. A commit's records carry each task's expected version and from-state; if one does not match, the whole commit is
 *     refused with SHARD_ECONFLICT and nothing is written. A commit is atomic. Its first record follows last_seq.
 *  3. A commit carries an operation id; the id of a commit that is in the store is a success that changes nothing. A
 *     store may remember the ids of the current epoch only, and of the newest commits (1,024 at least).
 *  4. The answer comes after the write is durable.
 *  5. `acquire` gives an epoch larger than each before. It is refused with SHARD_EHELD while another owner holds the
 *     lease and may be alive. A lease ends by `release`, by its time, or when the store knows that its owner is dead.
 *     The same owner, by name and through the same handle, may take it again at any time.
 *  6. `load` shows only what is durable, and all that was answered.
 *  7. A host id keeps the name of its first SHARD_RECORD_HOST; another name is SHARD_ECONFLICT.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/sink.h>

SHARD_BEGIN

/** Makes a run. */
struct shard_store_create {
    size_t struct_size;
    const char *run;                /* name, unique in the store */
    const shard_workflow *workflow; /* the store takes a reference or writes it down */
    int64_t time_ns;
};

/** A batch of records. */
struct shard_commit {
    size_t struct_size;
    const char *run;
    int64_t epoch;
    uint64_t operation;                 /* unique for each commit of an epoch; a resend has the same */
    const struct shard_record *records; /* seq ascending without gaps */
    int32_t record_count;
};

/** Flags of `load`. */
enum shard_load_flags { SHARD_LOAD_STATE = 0, SHARD_LOAD_RECORDS = 1 };

/** A sample of a host, written behind. */
struct shard_host_sample {
    const char *host;
    struct shard_sample sample;
};

/** A run in a list. */
struct shard_run_summary {
    size_t struct_size;
    const char *name;
    const char *workflow_name;
    const char *owner; /* of the last lease, "" if none */
    enum shard_run_state state;
    int64_t created_ns;
    int64_t updated_ns;
    int64_t epoch;
    int32_t task_count;
};

/** The port. Functions marked (optional) may be NULL. */
struct shard_store {
    size_t struct_size;
    const char *name;
    /** Makes a run; SHARD_EEXIST if the name is taken. */
    int (*create)(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create);
    /** Takes the lease of a run for `lease_ms`; answers its epoch. SHARD_ENOENT, SHARD_EHELD. */
    int (*acquire)(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner,
                   int64_t lease_ms);
    /** Prolongs a lease to `lease_ms` from now. SHARD_EFENCED. */
    int (*renew)(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch, int64_t lease_ms);
    /** Gives a lease back. SHARD_EFENCED. */
    int (*release)(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch);
    /** Writes records. SHARD_EFENCED, SHARD_ECONFLICT, SHARD_ENOSPC, SHARD_EIO. */
    int (*commit)(void *self, shard_sink *sink, shard_token token, const struct shard_commit *commit);
    /** Reads a run; answers an image. SHARD_ENOENT, SHARD_ECORRUPT. */
    int (*load)(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags);
    /** (optional) Keeps samples of hosts, bounded by age and count; may drop what it cannot hold. */
    int (*put_samples)(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                       int32_t count);
    /** Calls `each` for every run, newest first, before it returns; for tools, may block. `each` returns 0 to go on. */
    int (*list)(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self);
    /** Ends the store; no call is under way. */
    void (*close)(void *self);
};

/** A store as an engine or a program holds it: table and self. */
struct shard_store_handle {
    const struct shard_store *port;
    void *self;
};

/** Options of the memory store. */
struct shard_memory_store_config {
    size_t struct_size;
    int64_t keep_records; /* of each run, the newest; 0: none. Rows are always kept */
};

/**
 * Makes a store that forgets everything at its end: for tests and throw-away runs. Calls are answered before they
 * return. Close it with `handle.port->close(handle.self)`.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API int shard_memory_store_open(shard_context *context, const struct shard_memory_store_config *config,
                                      struct shard_store_handle *ret_store);

/** Options of the SQLite store. */
struct shard_sqlite_store_config {
    size_t struct_size;
    const char *path;        /* of the database file; made if it is not there */
    int32_t read_only;       /* non-zero: for status and explain; no lease, no write */
    int64_t keep_samples;    /* of each host; 0: 100,000 */
    int32_t busy_timeout_ms; /* how long a write waits for another process; 0: 10,000 */
};

/**
 * Opens the embedded store: one SQLite file in WAL mode, durable at each answer, shared by processes of one machine.
 *
 * The file is checked when it is opened. Close it with `handle.port->close(handle.self)`.
 *
 * Returns 0.
 * Errors: SHARD_EIO, SHARD_ENOENT (read only, and not there), SHARD_ENOSPC, SHARD_ECORRUPT (truncated, damaged or not a
 * database), SHARD_EVERSION (written by a newer library), SHARD_ENOTSUP (built without SQLite), SHARD_ENOMEM.
 */
SHARD_API int shard_sqlite_store_open(shard_context *context, const struct shard_sqlite_store_config *config,
                                      struct shard_store_handle *ret_store);

SHARD_END

#endif
