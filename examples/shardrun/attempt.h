/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_ATTEMPT_H
#define SHARDRUN_ATTEMPT_H

/* An attempt that runs, as the executor knows it. */

#include "durable.h"
#include "executor.h"
#include "outcome.h"
#include "progress.h"
#include "shrink.h"

struct attempt {
    struct attempt *next;
    struct executor *executor;
    shard_sink *sink;
    shard_token token;
    struct launch_attempt *launch;
    uv_poll_t poll;
    char *directory;
    struct attempt_data data;
    bool cancelled;
    enum shard_cancel_reason cancel_reason;
    bool has_units; /* more than one: it may tell its progress */
    struct progress progress;
    struct shrink shrink;
    bool is_awaited; /* the engine waits for the answer to a shrink; one of an earlier process does not any more */
    bool is_ending;  /* its command has ended */
    struct durable *durable; /* that its outputs wait for; NULL: none */
    struct launch_result result;
    struct verdict verdict;
};

/* Watches an attempt from now on; takes over `launch` and the data. */
void attempt_watch(struct executor *executor, shard_sink *sink, shard_token token, const struct shard_start *start,
                   struct launch_attempt *launch, struct attempt_data *data);
/* Takes it out of the executor's list; it may go on. */
void attempt_forget(struct attempt *attempt);
/* What the command has told since; also whether it has agreed to do less. */
void attempt_look(struct attempt *attempt);
/* Answers a shrink that is waited for: it does what is its range now. */
void attempt_answer_shrink(struct attempt *attempt);
/* Answers that an attempt failed which was never watched. */
void attempt_fail(shard_sink *sink, shard_token token, enum shard_outcome outcome, const char *message);

#endif
