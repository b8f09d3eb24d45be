/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_EXECUTOR_H
#define SHARD_EXECUTOR_H

/*
 * The executor port: how an engine gets tasks run. For authors of executors.
 *
 * Order of calls, for each attempt (run, task, attempt number):
 *   start -> [cancel]* -> one shard_sink_attempt_ended()
 *   after a restart: reattach -> shard_sink_reattached(RUNNING) -> [cancel]* -> shard_sink_attempt_ended()
 *                             or shard_sink_reattached(UNKNOWN)
 *                             or shard_sink_attempt_ended()
 * and for each piece of data: stage -> one shard_sink_staged().
 *
 * All calls come from the thread that steps the engine and must not block. A negative return value of start, reattach
 * or stage is an answer too (launch_error, unknown, stage_error): the token is not answered again.
 *
 * An executor starts an attempt (run, task, attempt) at most once, whatever it is asked; it keeps the highest epoch of
 * each run that it has seen and refuses a lower one with SHARD_EFENCED; a start names the boot id that the host had
 * when it joined, and a host that has another by now refuses it (host_lost).
 *
 * The rest of a running attempt may be given to others (a split of a running task). An executor with `shrink` is asked
 * to let the attempt do only the first `units` of its range, and answers how many it will do. From then on
 *  - it does these and no others, also after a restart of the engine's process or of the executor: what was answered is
 *    kept as durably as the attempt itself;
 *  - its outputs are part 0 of what it was started for (`part` with "0", or "/0", behind it, `depth` times);
 *  - its end is told with outcome DONE and units_done, when they are done. An end with DONE and fewer units than the
 *    range has is taken as such an answer, so that a process that dies between the two loses nothing.
 * The attempt keeps its token. It belongs to a subtask now; reattach names it as it was started, with the range that is
 * left to it, and again asks for `depth` once.
 *
 * Small tasks whose launch takes longer than they run may share one. An executor with `start_many` is given some
 * attempts of one host at once, which ask for the same, and runs their commands one after another, in that order, in
 * one container. Each is answered under its own token, as it ends. The container ends with the first that does not end
 * well, or is cancelled while it runs: that one is answered first, then those behind it, as PREEMPTED, and nobody is
 * blamed for these. One that is cancelled before it has begun is left out. After a restart each is asked for by
 * itself: what runs, and what will run once those before it have ended, is RUNNING.
 *
 * Without `shrink`, or when it answers SHARD_ENOTSUP, the attempt is cancelled (SHARD_CANCEL_SPLIT). Its end tells in
 * units_done how many units it leaves behind done, with their outputs in place as part 0; 0 when it cannot say.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/sink.h>

SHARD_BEGIN

/** One attempt. Pointers are valid during the call only. */
struct shard_start {
    size_t struct_size;
    const char *run; /* name of the run */
    int64_t epoch;
    shard_task_id task;
    int32_t attempt;
    const char *task_name; /* a subtask has its parent's name and "/<index>" */
    const char *kind;
    const void *payload;
    size_t payload_bytes;
    shard_host_id host;
    const char *host_name;
    const char *boot_id;
    int64_t cpu_millicores; /* as asked for by this attempt; 0: one slot */
    int64_t memory_bytes;
    int64_t disk_bytes;
    double timeout_seconds; /* 0: none; the engine watches it too and cancels */
    int64_t unit_begin;     /* the range that this attempt is for */
    int64_t unit_end;
    int64_t units;        /* of the whole task */
    int32_t index;        /* of a subtask among its siblings; 0 */
    int32_t count;        /* of the siblings; 1. For a merge step: the number of subtasks */
    int32_t is_merge;     /* the merge step of a task that was split */
    shard_task_id parent; /* of a subtask; -1 */
    const shard_workflow *workflow;
    shard_task_id
        workflow_task; /* its task in the workflow (of a subtask: its oldest ancestor), for inputs and outputs */
    const char *part;  /* which part of workflow_task's outputs it makes: "" all; "2/0": of part 2 the part 0 */
};

/** Why an attempt is cancelled. */
enum shard_cancel_reason {
    SHARD_CANCEL_REQUESTED = 0, /* the run or task was cancelled */
    SHARD_CANCEL_TIMEOUT = 1,
    SHARD_CANCEL_MOVED = 2,
    SHARD_CANCEL_FENCED = 3,
    SHARD_CANCEL_SPLIT = 4 /* what it has not done goes to others: units_done of its end says what need not be redone */
};

/** Bring one piece of data to a volume. */
struct shard_stage {
    size_t struct_size;
    const char *run;
    int64_t epoch;
    shard_task_id task; /* the first task that waits for it */
    shard_data_id data;
    const char *data_name;
    int64_t bytes; /* -1: not known */
    shard_volume_id from;
    const char *from_name;
    shard_volume_id to;
    const char *to_name;
    shard_host_id host; /* that mounts `to` */
};

/** The port. Functions marked (optional) may be NULL. */
struct shard_executor {
    size_t struct_size;
    const char *name;
    /** Starts an attempt. */
    int (*start)(void *self, shard_sink *sink, shard_token token, const struct shard_start *start);
    /** Ends an attempt soon; its end is told as usual. Unknown tokens are ignored. May come twice. */
    void (*cancel)(void *self, shard_token token, enum shard_cancel_reason reason);
    /** (optional) Brings data to a volume. Without it, data that is not there cannot be had. */
    int (*stage)(void *self, shard_sink *sink, shard_token token, const struct shard_stage *stage);
    /** (optional) Finds an attempt of an earlier process again. Without it every one is unknown. */
    int (*reattach)(void *self, shard_sink *sink, shard_token token, const struct shard_start *start);
    /**
     * (optional) Asks a running attempt to do only the first `units` of its range, or a few more when it is further
     * already; answered once, before its end, by shard_sink_shrunk(). `depth` counts how often, this time included, a
     * part was split off the attempt; the same number comes again when an answer did not become durable.
     */
    int (*shrink)(void *self, shard_sink *sink, shard_token token, int64_t units, int32_t depth);
    /**
     * (optional) Starts attempts that run one after another in one container: 2 or more, at most SHARD_MOST_WITH + 1.
     * What a start asks for is what the container gets. Without it policies' wishes for that go unheard.
     */
    int (*start_many)(void *self, shard_sink *sink, const shard_token *tokens, const struct shard_start *starts,
                      int32_t count);
};

SHARD_END

#endif
