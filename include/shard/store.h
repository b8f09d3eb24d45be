/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_STORE_H
#define SHARD_STORE_H

/*
 * The store port: durable state of runs. For authors of stores, and for programs that read one; the stores that come
 * with the library are made by the functions at the end.
 *
 * Every call but close takes a sink and a token and is answered exactly once by shard_sink_store_answered(), from any
 * thread. A negative return value is an answer too: the token is not answered again. What a call points to is valid
 * during the call only. No call blocks the caller (SQLite goes through the context's offload hook; Redis is pumped).
 *
 * A store that talks over a descriptor of its own has `fd` and `step`: calls only queue, and `step` sends, receives and
 * answers. An engine watches the descriptor behind its own and steps the store; a program without an engine waits with
 * shard_store_wait(). Such a store is used by one thread at a time.
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
 *  7. A host id keeps the name of its first SHARD_RECORD_HOST; another name is SHARD_ECONFLICT. A revision keeps the
 *     detail of its SHARD_RECORD_REVISION likewise.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/series.h>
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

/** An attempt that runs on a host while a sample of it is taken. */
struct shard_sample_tag {
    const char *run;
    shard_task_id task;
    int32_t attempt;
};

/** A sample of a host, written behind. One that is not later than the newest of its host is not kept. */
struct shard_host_sample {
    const char *host;
    struct shard_sample sample;
    const struct shard_sample_tag *tags;
    int32_t tag_count;
};

/** An attempt that has ended, with the columns that were known of it when it was placed; written behind. */
struct shard_outcome_row {
    size_t struct_size;
    const char *run;
    const char *host;
    const char *kind;
    shard_task_id task;
    int32_t attempt;
    enum shard_outcome outcome; /* CANCELLED and PREEMPTED say nothing of failure: censored */
    int64_t start_ns;           /* when it was placed, wall clock */
    int64_t end_ns;
    double seconds;
    double p_fail;        /* forecast that it stood on; NaN: not known */
    uint64_t schema_hash; /* of the columns: shard_schema_hash(); shard_history_schema() has the library's */
    const float *values;  /* NaN: not known */
    int32_t columns;
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

/** What a store may drop. */
struct shard_compact {
    size_t struct_size;
    int64_t keep_records; /* of each run, the newest at least; 0: 10,000 */
};

/** What a store has dropped. */
struct shard_compacted {
    size_t struct_size;
    int32_t runs;       /* that were looked at */
    int32_t is_partial; /* non-zero: a run is held, and what was freed was not given back to the system */
    int64_t records;    /* or pieces of history, where several records make one */
    int64_t samples;
    int64_t outcomes;
    int64_t bytes_before; /* of what the store lies in; 0: not known */
    int64_t bytes_after;
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
    /** (optional, with step) A descriptor that is readable when `step` has something to do. The store's own. */
    int (*fd)(void *self);
    /** (optional, with fd) Sends, receives, answers: bounded work, never blocks. 0, or SHARD_ENOMEM (step again). */
    int (*step)(void *self);
    /** (optional) Keeps how attempts ended, to train on; bounded; may drop what it cannot hold. */
    int (*put_outcomes)(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                        int32_t count);
    /**
     * (optional, with put_outcomes) Calls `each` for every outcome that is kept, in the order of start_ns, before it
     * returns; for tools, may block. `each` returns 0 to go on, and calls nothing of the store.
     */
    int (*each_outcome)(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                        void *each_self);
    /**
     * (optional, with put_samples and put_outcomes) Calls `each` for every bucket that has something, oldest first,
     * before it returns; for tools, may block. What is not known has no buckets. `each` returns 0 to go on.
     */
    int (*series)(void *self, const struct shard_series_query *query,
                  int (*each)(void *each_self, const struct shard_series_bucket *bucket), void *each_self);
    /**
     * (optional) Drops old records, and of time series what is older than the store keeps, and gives back what it can;
     * for tools, may block. The rows of tasks are the snapshot that stays, so runs can still be resumed. A run may be
     * held meanwhile.
     */
    int (*compact)(void *self, const struct shard_compact *what, struct shard_compacted *ret_done);
};

/** A store as an engine or a program holds it: table and self. */
struct shard_store_handle {
    const struct shard_store *port;
    void *self;
};

/**
 * Waits for the next answer to a call of a program's own, as shard_sink_wait() does, and steps the store meanwhile
 * where it has to be. `timeout_ms` below 0 waits without end, 0 does not wait.
 *
 * Returns 1 with an answer, 0 when the time is over.
 * Errors: SHARD_EIO, SHARD_EVERSION.
 */
SHARD_API int shard_store_wait(const struct shard_store_handle *store, shard_sink *sink, int timeout_ms,
                               struct shard_answer *ret_answer);

/** Options of the memory store. */
struct shard_memory_store_config {
    size_t struct_size;
    int64_t keep_records;  /* of each run, the newest; 0: none. Rows are always kept */
    int64_t keep_samples;  /* of each host, the newest; 0: 100,000, or no series at all with keep_outcomes 0 too */
    int64_t keep_seconds;  /* older samples of a host than its newest by so much go; 0: 30 days */
    int64_t keep_outcomes; /* the newest; 0: 500,000, or no series at all with keep_samples 0 too */
    int64_t keep_outcome_seconds; /* older outcomes than the newest by so much go; 0: two years */
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
    const char *path;             /* of the database file; made if it is not there */
    int32_t read_only;            /* non-zero: for status and explain; no lease, no write */
    int64_t keep_samples;         /* of each host; 0: 100,000 */
    int32_t busy_timeout_ms;      /* how long a write waits for another process; 0: 10,000 */
    int64_t keep_seconds;         /* older samples of a host than its newest by so much go; 0: 30 days */
    int64_t keep_outcomes;        /* the newest; 0: 500,000 */
    int64_t keep_outcome_seconds; /* older outcomes than the newest by so much go; 0: two years */
    int64_t keep_records;         /* of each run, the newest at least; 0: 10,000,000. Rows are always kept */
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

/**
 * Options of the Redis store: a URL, or the fields after it. What a URL does not say, the fields may.
 *
 * redis://[USER@]HOST[:PORT][/DB], redis+unix://[USER@]/PATH[?db=DB], or
 * redis-sentinel://[USER@]HOST[:PORT][,HOST[:PORT]
 * ...]/MASTER[/DB], whose hosts are sentinels (port 26379) that are asked for the master, again when it is lost. A
 * server of a cluster may be any of its nodes: the store follows to the one that has the run. rediss:// and
 * rediss-sentinel:// are the same with TLS. A password never stands in a URL: URLs are logged, and shown by ps.
 */
struct shard_redis_store_config {
    size_t struct_size;
    const char *url;              /* NULL: the fields below */
    const char *host;             /* name or address; NULL: 127.0.0.1 */
    int32_t port;                 /* 0: 6379 */
    int32_t db;                   /* number of the database */
    const char *unix_socket;      /* path, instead of host and port */
    const char *user;             /* of an ACL; NULL: the default user */
    const char *password;         /* NULL: none */
    const char *password_file;    /* its first line is the password */
    const char *prefix;           /* of all keys; NULL: "shard" */
    int32_t wait_replicas;        /* a write is answered when so many replicas have it (WAIT) */
    int32_t wait_ms;              /* how long a write waits for them before it is sent again; 0: 1,000 */
    int32_t waitaof;              /* non-zero: a write is answered when the server's own AOF is synced (WAITAOF, 7.2) */
    int32_t timeout_ms;           /* a call, of a load a page, that is not answered in this time fails; 0: 30,000 */
    int64_t keep_samples;         /* of each host; 0: 100,000 */
    int64_t keep_seconds;         /* older samples of a host than its newest by so much go; 0: 30 days */
    int64_t keep_outcomes;        /* the newest; 0: 500,000 */
    int64_t keep_outcome_seconds; /* older outcomes than the newest by so much go; 0: two years */
    const char *sentinel_user;    /* to sentinels, which have users of their own; NULL: the default one */
    const char *sentinel_password;
    const char *sentinel_password_file;
    int32_t tls;          /* non-zero: TLS, as rediss:// says; to sentinels too. Certificates are always checked */
    const char *tls_ca;   /* file, or directory, of the authorities that are trusted; NULL: those of the system */
    const char *tls_cert; /* file with a certificate of ours, for servers that ask for one */
    const char *tls_key;  /* file with its key, without a pass phrase; NULL: in tls_cert */
    const char *tls_name; /* that the server's certificate must have; NULL: the host's name or address */
    int64_t keep_records; /* of each run, the newest at least; 0: 10,000,000. Rows are always kept */
};

/**
 * Makes a store on a Redis server (6.2 or newer) or Valkey, shared by processes of any number of machines.
 *
 * Returns before there is a connection. While there never was one, a server that cannot be reached fails the calls at
 * once; later on, calls wait for it to come back, for `timeout_ms`, and are sent again with the same operation id. How
 * durable an answer is depends on the server: it warns (log id "store-risk") when appendonly is off, when appendfsync
 * is not always, and when keys can be evicted. Leases run by the server's clock.
 *
 * Host names are looked up through the offload hook. It has `fd` and `step`: see the top of this page. Close it with
 * `handle.port->close(handle.self)`, which waits for at most a second, to give back what is held.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (which field, or file for TLS), SHARD_EIO (password file, descriptors), SHARD_ENOTSUP (built
 * without hiredis, or without OpenSSL and TLS is wanted), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API int shard_redis_store_open(shard_context *context, const struct shard_redis_store_config *config,
                                     struct shard_store_handle *ret_store);

SHARD_END

#endif
