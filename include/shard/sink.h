/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SINK_H
#define SHARD_SINK_H

/*
 * Where asynchronous ports answer. An engine has a sink and gives it, with a token, to each call of its executor and
 * its store; the port answers the token exactly once, from any thread, also from inside the call. Progress may be told
 * any number of times before the answer. A second answer, and one to a token that was never given, is refused.
 *
 * Programs that use a store without an engine (to list runs, say) make a sink of their own and wait on it.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/record.h>

SHARD_BEGIN

typedef struct shard_sink shard_sink;
typedef uint64_t shard_token; /* opaque; 0 is never given */

/** How an attempt ended, as the executor tells it. Zero is the default of each field. */
struct shard_attempt_end {
    size_t struct_size;
    enum shard_outcome outcome; /* needed */
    int32_t exit_code;          /* of the command; or 128 + signal */
    double seconds;             /* wall clock; 0: the engine's own measure */
    double cpu_seconds;         /* 0: not known */
    int64_t max_memory_bytes;   /* 0: not known */
    int64_t units_done;         /* of the attempt's range, from its begin; 0: none or not known. Looked at when the
                                   executor has `shrink`, or was told to cancel for a split: see shard/executor.h */
    const char *message;        /* one line for people, of a failure; copied; NULL: none */
    int64_t max_disk_bytes;     /* 0: not known */
    double launch_seconds;      /* beside `seconds`: until the command began; 0: not known, or there was no launch */
};

/**
 * Answers an executor's `start` or `reattach`: the attempt has ended, in the way that `end` says.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (outcome is none), SHARD_EVERSION, SHARD_ENOMEM (answer again later).
 */
SHARD_API int shard_sink_attempt_ended(shard_sink *sink, shard_token token, const struct shard_attempt_end *end);

/** What an executor can say of an attempt that it was asked to reattach to. */
enum shard_reattach {
    SHARD_REATTACH_RUNNING = 0, /* it still runs; its end will be told under the same token */
    SHARD_REATTACH_UNKNOWN = 1  /* it is not known here, and will not run: final answer */
};

/**
 * Answers an executor's `reattach`. (One that has ended meanwhile is told by shard_sink_attempt_ended() alone.)
 *
 * Returns 0.
 * Errors: SHARD_EINVAL, SHARD_ENOMEM.
 */
SHARD_API int shard_sink_reattached(shard_sink *sink, shard_token token, enum shard_reattach answer);

/**
 * Tells how many units of a running attempt's range are done, counted from its begin. Not an answer.
 *
 * The engine leaves out, and logs once for each attempt ("progress-refused"), what is less than was told before or more
 * than the range has; what is told after the end goes unheard, and is logged once ("stale-answer").
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (negative), SHARD_ENOMEM.
 */
SHARD_API int shard_sink_progress(shard_sink *sink, shard_token token, int64_t units_done);

/**
 * Answers an executor's `shrink`: how many units of its range, counted from its begin, the attempt will do, at least as
 * many as it has told are done. All of them: nothing is split off. Negative: a code, it does not shrink; with
 * SHARD_ENOTSUP the engine cancels it instead.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_sink_shrunk(shard_sink *sink, shard_token token, int64_t units);

/**
 * Answers an executor's `stage`: 0 when the data is on the volume, else a negative code and a message.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_sink_staged(shard_sink *sink, shard_token token, int status, const char *message);

/**
 * A run as a store gives it back: the rows of all tasks that have records, in the order of task ids, and what else a
 * recovery needs. Made by the store, freed by whoever took it, with `release`.
 */
struct shard_run_image {
    size_t struct_size;
    char *name;
    shard_workflow *workflow; /* one reference, dropped by release */
    enum shard_run_state state;
    int64_t epoch;
    int64_t last_seq;
    int64_t created_ns; /* wall clock */
    struct shard_task_row *rows;
    int32_t row_count;
    char **hosts; /* names by shard_host_id of the records; NULL where none was recorded */
    int32_t host_count;
    struct shard_record *records; /* history, oldest first, with details; only when asked for */
    int64_t record_count;
    void (*release)(struct shard_run_image *image);
    void *self;       /* of release */
    char **revisions; /* details of SHARD_RECORD_REVISION by number; NULL where none was recorded, as at 0 */
    int32_t revision_count;
};

/**
 * Answers a store's call.
 *
 * `status` is 0 or a negative code (SHARD_EFENCED, SHARD_EHELD, SHARD_ECONFLICT, SHARD_ENOSPC ...), `epoch` what
 * `acquire` gave, `image` what `load` gave (the sink takes it over) and `message` the detail of a failure.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM (the image is still the caller's).
 */
SHARD_API int shard_sink_store_answered(shard_sink *sink, shard_token token, int status, int64_t epoch,
                                        struct shard_run_image *image, const char *message);

/** An answer, as a program without an engine takes it from its own sink. */
struct shard_answer {
    size_t struct_size;
    shard_token token;
    int status;
    int64_t epoch;
    struct shard_run_image *image; /* the taker's, NULL: none */
    char message[256];
};

/**
 * Makes a sink for a program's own calls to a store. Tokens are the program's own, above 0.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_EIO.
 */
SHARD_API int shard_sink_new(shard_context *context, shard_sink **ret_sink);
SHARD_API void shard_sink_free(shard_sink *sink);

/**
 * A descriptor that is readable while answers wait; poll it, never read it.
 *
 * Returns the descriptor, which stays the sink's.
 */
SHARD_API int shard_sink_fd(const shard_sink *sink);

/**
 * Waits for the next answer of a store. `timeout_ms` below 0 waits without end, 0 does not wait.
 *
 * Returns 1 with an answer, 0 when the time is over.
 * Errors: SHARD_EIO, SHARD_EVERSION.
 */
SHARD_API int shard_sink_wait(shard_sink *sink, int timeout_ms, struct shard_answer *ret_answer);

SHARD_END

#endif
