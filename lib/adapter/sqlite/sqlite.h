/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_SQLITE_SQLITE_H
#define SHARD_ADAPTER_SQLITE_SQLITE_H

/*
 * The inside of the SQLite store. A call copies its arguments into a job (port.c); one strand at a time does the jobs
 * in the order in which they came (strand.c), in whatever thread the offload hook gave it. The connection and what
 * belongs to it are used under db_mutex only.
 */

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <sys/types.h>

#include <shard/store.h>

#include "adapter/common/check.h"

/* Keys of rows put the run in front, so that a run's rows lie together and an integer finds one. */
enum { SHARD__TASK_KEY_BITS = 32, SHARD__RECORD_KEY_BITS = 40 };

/* Prepared statements, by what they are for; sqlite3_stmt of each is made at first use. */
enum shard__statement {
    SHARD__SQL_BEGIN_READ,
    SHARD__SQL_BEGIN_WRITE,
    SHARD__SQL_COMMIT,
    SHARD__SQL_SAVEPOINT,
    SHARD__SQL_ROLLBACK_TO,
    SHARD__SQL_RELEASE,
    SHARD__SQL_FIND_RUN,
    SHARD__SQL_ADD_RUN,
    SHARD__SQL_ADD_WORKFLOW,
    SHARD__SQL_GET_WORKFLOW,
    SHARD__SQL_SET_LEASE,
    SHARD__SQL_FORGET_OPERATIONS,
    SHARD__SQL_FIND_OPERATION,
    SHARD__SQL_ADD_OPERATION,
    SHARD__SQL_TRIM_OPERATIONS,
    SHARD__SQL_ADD_RECORD,
    SHARD__SQL_ADD_TASK,
    SHARD__SQL_CHANGE_TASK,
    SHARD__SQL_FIND_TASK,
    SHARD__SQL_COUNT_FAILURE,
    SHARD__SQL_ADD_HOST,
    SHARD__SQL_FIND_HOST,
    SHARD__SQL_ADD_REVISION,
    SHARD__SQL_FIND_REVISION,
    SHARD__SQL_CHANGE_RUN,
    SHARD__SQL_GET_TASKS,
    SHARD__SQL_GET_FAILURES,
    SHARD__SQL_GET_HOSTS,
    SHARD__SQL_GET_REVISIONS,
    SHARD__SQL_GET_RECORDS,
    SHARD__SQL_LIST_RUNS,
    SHARD__SQL_FIND_SAMPLE_HOST,
    SHARD__SQL_ADD_SAMPLE_HOST,
    SHARD__SQL_CHANGE_SAMPLE_HOST,
    SHARD__SQL_CUT_SAMPLES,
    SHARD__SQL_CUT_OLD_SAMPLES,
    SHARD__SQL_CUT_SPANS,
    SHARD__SQL_PUT_SAMPLE,
    SHARD__SQL_PUT_SPAN,
    SHARD__SQL_PUT_OUTCOME,
    SHARD__SQL_CUT_OUTCOMES,
    SHARD__SQL_CUT_OLD_OUTCOMES,
    SHARD__SQL_GET_OUTCOMES,
    SHARD__SQL_DROP_RECORDS,
    SHARD__SQL_MARK_DROPPED,
    SHARD__SQL_MARK_CUT,
    SHARD__SQL_CUT_RECORDS,
    SHARD__SQL_DROP_SAMPLES,
    SHARD__SQL_DROP_SPANS,
    SHARD__SQL_DROP_OUTCOMES,
    SHARD__SQL_COUNT_SAMPLES,
    SHARD__SQL_COUNT_HELD,
    SHARD__SQL_COUNT_BYTES,
    SHARD__SQL_GET_SAMPLES,
    SHARD__SQL_GET_SPANS,
    SHARD__SQL_OUTCOMES_OF_HOST,
    SHARD__SQL_OUTCOMES_OF_KIND,
    SHARD__SQL_OUTCOMES_OF_TASK,
    SHARD__STATEMENT_COUNT
};

enum shard__job_kind {
    SHARD__JOB_CREATE,
    SHARD__JOB_ACQUIRE,
    SHARD__JOB_RENEW,
    SHARD__JOB_RELEASE,
    SHARD__JOB_COMMIT,
    SHARD__JOB_LOAD,
    SHARD__JOB_SAMPLES
};

/* A call on its way. One allocation of `size` bytes; what it points to lies behind it, but for the workflow. */
struct shard__job {
    struct shard__job *next;
    size_t size;
    enum shard__job_kind kind;
    shard_sink *sink;
    shard_token token;
    const char *run;
    const char *owner;
    shard_workflow *workflow; /* a reference */
    int64_t time_ns;
    int64_t lease_ms;
    int64_t epoch; /* of the call, then of the answer */
    uint64_t operation;
    struct shard_record *records;
    struct shard_host_sample *samples;
    struct shard_outcome_row *outcomes; /* of a job of samples that has these instead */
    int32_t count;                      /* of records or samples */
    int32_t flags;

    /* The answer. */
    int status;
    struct shard_run_image *image;
    char message[256];
};

/* A lease that this handle holds, and so the byte of the lease file that it has locked. */
struct shard__held {
    int64_t run;
    int64_t epoch;
};

struct shard__sqlite_store {
    shard_context *context;
    char *path;      /* as it was given, for messages */
    char *real_path; /* as SQLite gets it */
    int is_read_only;
    int32_t busy_timeout_ms;
    struct shard__keep keep;
    pid_t pid;
    char boot_id[64];

    pthread_mutex_t mutex; /* of the jobs */
    pthread_cond_t is_idle;
    struct shard__job *first, **end;
    struct shard__job *first_samples, **end_samples;
    int64_t samples_waiting;
    int is_scheduled;

    pthread_mutex_t db_mutex;
    sqlite3 *db;
    sqlite3_stmt *statements[SHARD__STATEMENT_COUNT];
    int lease_fd; /* -1: read only */
    struct shard__held *held;
    size_t held_count;
    size_t held_capacity;
    uint32_t commits; /* since the operations of a run were last trimmed */
};

/* A row of the table of runs. Text is valid until the statement is reset, which shard__sqlite_done() does. */
struct shard__run_row {
    int64_t id;
    int64_t epoch;
    int64_t last_seq;
    int64_t dropped_seq; /* records up to this one are gone */
    int64_t created_ns;
    int64_t lease_ms;
    int64_t lease_ends_ns;      /* monotonic, of the boot */
    int64_t lease_ends_wall_ns; /* wall clock */
    const char *owner;
    const char *boot_id;
    int state;
    int is_held;
    int is_locked; /* its owner keeps a lock while it lives */
};

/* statements.c */
/* The statement, reset and ready to be bound. 0 or a negative code. */
int shard__sqlite_statement(struct shard__sqlite_store *store, enum shard__statement which,
                            sqlite3_stmt **ret_statement);
/* Runs a statement to its end. 0 or a negative code. `doing` is for the message: "cannot write". */
int shard__sqlite_run(struct shard__sqlite_store *store, sqlite3_stmt *statement, const char *doing);
/* Steps: 1 with a row, 0 at the end (then it is reset), or a negative code. */
int shard__sqlite_row(struct shard__sqlite_store *store, sqlite3_stmt *statement, const char *doing);
/* Resets a statement that has given its last wanted row. */
void shard__sqlite_done(sqlite3_stmt *statement);
/* A statement without parameters, such as BEGIN. */
int shard__sqlite_simple(struct shard__sqlite_store *store, enum shard__statement which, const char *doing);
/* Ends a transaction that went wrong; does nothing when SQLite has ended it already. Keeps the error. */
void shard__sqlite_rollback(struct shard__sqlite_store *store);
void shard__sqlite_finalize(struct shard__sqlite_store *store);
/* The library's code for what SQLite said, with a message. */
int shard__sqlite_fail(struct shard__sqlite_store *store, int code, const char *doing);

/* runs.c */
/* Reads the row of a run; the caller calls shard__sqlite_done(*ret_statement) when it has read the text. */
int shard__sqlite_find_run(struct shard__sqlite_store *store, const char *run, struct shard__run_row *ret_row,
                           sqlite3_stmt **ret_statement);
int shard__sqlite_create(struct shard__sqlite_store *store, struct shard__job *job);
int shard__sqlite_list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self);

/* lease.c */
int shard__sqlite_open_leases(struct shard__sqlite_store *store);
void shard__sqlite_close_leases(struct shard__sqlite_store *store);
int shard__sqlite_acquire(struct shard__sqlite_store *store, struct shard__job *job);
int shard__sqlite_renew(struct shard__sqlite_store *store, struct shard__job *job);
int shard__sqlite_release(struct shard__sqlite_store *store, struct shard__job *job);
/* 0, or SHARD_EFENCED when the epoch does not hold the run; lets go of the lock of an epoch that is fenced. */
int shard__sqlite_check_epoch(struct shard__sqlite_store *store, const char *run, int64_t epoch,
                              const struct shard__run_row *row);

/* commit.c */
/* Writes a commit inside the transaction that is open. 0 or a negative code. */
int shard__sqlite_write_commit(struct shard__sqlite_store *store, const struct shard__job *job);

/* load.c */
int shard__sqlite_load(struct shard__sqlite_store *store, struct shard__job *job);

/* outcomes.c */
int shard__sqlite_put_outcomes(struct shard__sqlite_store *store, const struct shard__job *job);
int shard__sqlite_each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                               void *each_self);

/* samples.c */
/* Writes the samples of a list of jobs in one transaction that is not waited for. */
int shard__sqlite_put_samples(struct shard__sqlite_store *store, const struct shard__job *jobs);

/* series.c */
int shard__sqlite_series(void *self, const struct shard_series_query *query,
                         int (*each)(void *each_self, const struct shard_series_bucket *bucket), void *each_self);

/* compact.c */
int shard__sqlite_compact(void *self, const struct shard_compact *what, struct shard_compacted *ret_done);

/* strand.c */
/* Queues a job and sees to it that it is done; 0, or a negative code when it is not (the job is freed). */
int shard__sqlite_submit(struct shard__sqlite_store *store, struct shard__job *job);
void shard__sqlite_free_job(struct shard__sqlite_store *store, struct shard__job *job);
/* Waits until no job is left. */
void shard__sqlite_wait_idle(struct shard__sqlite_store *store);

/* port.c */
extern const struct shard_store shard__sqlite_port;

/* schema.c */
/* Makes, migrates or refuses the schema of the open file. */
int shard__sqlite_prepare_schema(struct shard__sqlite_store *store);

/* open.c */
void shard__sqlite_close(void *self);

#endif
