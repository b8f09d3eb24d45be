/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RECORD_H
#define SHARD_RECORD_H

/*
 * What a run is made of when it is written down: the states of a task, how an attempt can end, what was decided and
 * why, the record of one transition and the row that records add up to.
 *
 * The transitions that may happen stand in lib/run/lifecycle.def and in shard-lifecycle(7).
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/host.h>
#include <shard/workflow.h>

SHARD_BEGIN

/** States of a task. Values are frozen: stores keep them. */
enum shard_task_state {
    SHARD_TASK_NONE = 0,      /* not there yet: where the first record of a task begins */
    SHARD_TASK_BLOCKED = 1,   /* a predecessor is not done */
    SHARD_TASK_READY = 2,     /* may be placed */
    SHARD_TASK_BACKOFF = 3,   /* failed, and is tried again later */
    SHARD_TASK_STAGING = 4,   /* has a host; inputs are on their way to it */
    SHARD_TASK_RUNNING = 5,   /* an attempt was given to the executor */
    SHARD_TASK_SPLIT = 6,     /* waits for its subtasks, whose join it is */
    SHARD_TASK_DONE = 7,      /* ended well */
    SHARD_TASK_FAILED = 8,    /* given up */
    SHARD_TASK_SKIPPED = 9,   /* never ran, since a predecessor failed */
    SHARD_TASK_CANCELLED = 10 /* stopped on request */
};
enum { SHARD_TASK_STATE_COUNT = 11 };

/** How an attempt ended. Values are frozen. */
enum shard_outcome {
    SHARD_OUTCOME_NONE = 0, /* it has not ended */
    SHARD_OUTCOME_DONE = 1,
    SHARD_OUTCOME_TASK_ERROR = 2,
    SHARD_OUTCOME_OUT_OF_MEMORY = 3,
    SHARD_OUTCOME_OUT_OF_DISK = 4,
    SHARD_OUTCOME_TIMEOUT = 5,
    SHARD_OUTCOME_HOST_LOST = 6,
    SHARD_OUTCOME_PREEMPTED = 7,
    SHARD_OUTCOME_LAUNCH_ERROR = 8,
    SHARD_OUTCOME_STAGE_ERROR = 9,
    SHARD_OUTCOME_CANCELLED = 10
};
enum { SHARD_OUTCOME_COUNT = 11 };

/** What was decided. Values are frozen. */
enum shard_decision_kind {
    SHARD_DECIDE_NOTHING = 0, /* no opinion: the engine's default */
    SHARD_DECIDE_START = 1,
    SHARD_DECIDE_WAIT = 2,
    SHARD_DECIDE_MOVE = 3,
    SHARD_DECIDE_SPLIT = 4,
    SHARD_DECIDE_ESCALATE = 5, /* ask for more memory, or disk */
    SHARD_DECIDE_REPLICATE = 6,
    SHARD_DECIDE_GIVE_UP = 7
};

/** Why. Values are frozen; `value` and `limit` of the reason are what the comment says. */
enum shard_reason_code {
    SHARD_REASON_NONE = 0,
    SHARD_REASON_NEXT_IN_TURN = 1,        /* round robin */
    SHARD_REASON_LEAST_LOADED = 2,        /* value: load of the host after the start, 0..1 */
    SHARD_REASON_EARLIEST_FINISH = 3,     /* value: seconds until the expected end */
    SHARD_REASON_ONLY_HOST = 4,           /* no other host admits it */
    SHARD_REASON_NO_CAPACITY = 5,         /* wait: every host that could is full */
    SHARD_REASON_EXCLUDED = 6,            /* wait: the hosts that could are excluded; value: seconds left */
    SHARD_REASON_PREFERS_OTHER = 7,       /* wait: value: seconds until `host` is free */
    SHARD_REASON_RETRY = 8,               /* value: failures of this class so far, limit: its budget */
    SHARD_REASON_BUDGET_SPENT = 9,        /* give up: value and limit as above */
    SHARD_REASON_ATTEMPTS_SPENT = 10,     /* give up: value: attempts, limit: the task's max_attempts */
    SHARD_REASON_PARTS_ASKED = 11,        /* split: value: parts */
    SHARD_REASON_PREDECESSOR_FAILED = 12, /* skipped */
    SHARD_REASON_REQUESTED = 13,          /* by the application */
    SHARD_REASON_PREDECESSORS_DONE = 14,
    SHARD_REASON_SUBTASKS_DONE = 15,
    SHARD_REASON_BACKOFF_OVER = 16,
    SHARD_REASON_INPUT_LOST = 17, /* an output that is needed is gone: made again */
    SHARD_REASON_HOST_GONE = 18,
    SHARD_REASON_UNKNOWN_AT_REATTACH = 19,
    SHARD_REASON_UNPLACEABLE = 20,   /* no host that is known is large enough */
    SHARD_REASON_REFUSED = 21,       /* the policy's answer was refused by a guard */
    SHARD_REASON_STAGED = 22,        /* its inputs have arrived */
    SHARD_REASON_LEAST_BAD = 23,     /* all hosts are excluded: the least bad one is used */
    SHARD_REASON_MORE_MEMORY = 24,   /* escalate: value: bytes asked for now, limit: before */
    SHARD_REASON_POLICY = 25,        /* a policy of somebody else's; value is its own */
    SHARD_REASON_DRAWN = 26,         /* by lot; value: hosts that it was drawn from */
    SHARD_REASON_LOWEST_COST = 27,   /* value: expected cost in seconds, limit: that of the next best choice */
    SHARD_REASON_EXPLORES = 28,      /* to learn about the host; value: expected cost, limit: that of the best */
    SHARD_REASON_CANARY = 29,        /* the host is on probation, and the task is cheap; value: expected cost */
    SHARD_REASON_STRAGGLER = 30,     /* value: seconds it is expected to take yet, limit: elsewhere, from its begin */
    SHARD_REASON_HOST_SICK = 31,     /* value: what staying is expected to cost in seconds, limit: leaving */
    SHARD_REASON_FAILS_LIKELY = 32,  /* split: value: parts, limit: probability of failure as one */
    SHARD_REASON_FAILED_BEFORE = 33, /* split: value: parts, limit: failures so far */
    SHARD_REASON_IDLE_SLOTS = 34,    /* split: value: parts, limit: slots that are idle */
    SHARD_REASON_TASK_AT_FAULT = 35, /* give up: value: hosts that it failed on, limit: its share of the blame */
    SHARD_REASON_DATA_AT_FAULT = 36, /* give up: value: tasks that fail with an input, limit: its share of the blame */
    SHARD_REASON_CRITICAL = 37,      /* replicate: value: what a failure delays in seconds, limit: the replica's cost */
    SHARD_REASON_KEEPS_ATTEMPT = 38, /* a subtask goes on with the attempt of the task `value` levels above it */
    SHARD_REASON_REPLICA_FIRST = 39, /* cancelled: its replica was done first */
    SHARD_REASON_REPLICA_RUNS = 40,  /* not tried again: its replica goes on */
    SHARD_REASON_FORECAST_BETTER = 41, /* start: value: probability of failure where it was, limit: the threshold */
    SHARD_REASON_MORE_DISK = 42,       /* escalate: value: bytes asked for now, limit: before */
    SHARD_REASON_AMENDED = 43,         /* it had a host, and is placed anew: what is known of it was amended */
    SHARD_REASON_SHARES_LAUNCH = 44,   /* start: in one container, behind the task with the id `value` */
    SHARD_REASON_CAME_APART = 45       /* it had not begun when one before it in its container did not end well */
};
/* The last of them. It grows with the library. */
enum { SHARD_REASON_LAST = SHARD_REASON_CAME_APART };

/**
 * Names of the values above, as they stand in events and reports: "out_of_memory", "running", "start".
 *
 * Returns a static string, "unknown" for a value that is none. For a reason it is a phrase such as "least loaded host".
 */
SHARD_API const char *shard_task_state_text(int state);
SHARD_API const char *shard_outcome_text(int outcome);
SHARD_API const char *shard_decision_text(int decision);
SHARD_API const char *shard_reason_text(int reason);

/** What a record is about. Values are frozen. */
enum shard_record_type {
    SHARD_RECORD_TASK = 0, /* a transition of `task` */
    SHARD_RECORD_HOST = 1, /* `host` joined this run's history: its name is `detail`, its state `to` */
    SHARD_RECORD_RUN = 2,  /* the run's state changed to `to` (enum shard_run_state) */
    /* `revision` of the catalog holds from here on: `detail` is its commit; where it amended `task`, there is a second
       line, the native format's JSON of what is known of it now. Without one, `task` is -1. */
    SHARD_RECORD_REVISION = 3
};

/**
 * One transition, as it is committed. `seq` is given by the engine, without gaps, from 1.
 *
 * A subtask's first record (from NONE) carries parent, unit_begin and unit_end. One that goes on with the attempt of
 * the task that was split begins as RUNNING, with that attempt's number, and one whose units that attempt had done as
 * DONE. Two subtasks with the same range, which is their parent's, are replicas: one of them is enough.
 */
struct shard_record {
    int64_t seq;
    int64_t time_ns; /* wall clock */
    enum shard_record_type type;
    shard_task_id task;
    shard_host_id host; /* -1: none */
    int32_t attempt;    /* 1, 2, ...: 0 before the first */
    uint32_t version;   /* of the task before this transition; the first record of a task has 0 */
    uint8_t from;       /* enum shard_task_state */
    uint8_t to;
    uint8_t outcome;  /* enum shard_outcome, of the attempt that this transition ended */
    uint8_t decision; /* enum shard_decision_kind that led here */
    uint8_t reason;   /* enum shard_reason_code */
    uint8_t reserved[3];
    float p_fail;         /* forecast that the decision stood on; NaN: not known */
    float value;          /* of the reason */
    float limit;          /* of the reason */
    float seconds;        /* of the attempt that ended, or until the back-off is over; of a start: as forecast */
    shard_task_id parent; /* -1: not a subtask */
    int64_t unit_begin;
    int64_t unit_end;
    int64_t memory_bytes; /* asked for by this attempt; 0: not known */
    const char *detail;   /* UTF-8 text: an error message, a host's name; NULL: none */
    int32_t detail_bytes; /* without a NUL */
    int32_t revision;     /* of a start: the SHARD_RECORD_REVISION that held, from 1; 0: the run has no catalog */
};

/** States of a run. Values are frozen. */
enum shard_run_state {
    SHARD_RUN_ACTIVE = 0,
    SHARD_RUN_DONE = 1,
    SHARD_RUN_FAILED = 2, /* all that could run did, and a task failed */
    SHARD_RUN_CANCELLED = 3,
    SHARD_RUN_SUSPENDED = 4, /* stopped in good order, to be resumed */
    SHARD_RUN_FENCED = 5     /* someone else holds it now; this engine has let go of it. Never stored */
};

/**
 * Names a run state: "active", "done", "failed", "cancelled", "suspended", "fenced".
 *
 * Returns a static string, "unknown" for another value.
 */
SHARD_API const char *shard_run_state_text(int state);

/** What a task's records add up to; what a store keeps of it. */
struct shard_task_row {
    shard_task_id task;
    uint32_t version;
    int32_t attempt;
    shard_host_id host; /* of the current attempt, or of the one that made the outputs */
    uint8_t state;
    uint8_t outcome;  /* of the last attempt that ended */
    uint8_t decision; /* the last, with its reason, forecast and operands */
    uint8_t reason;
    uint8_t failures[SHARD_OUTCOME_COUNT]; /* attempts that ended so, saturating at 255; not for DONE, nor when the
                                              decision was MOVE or SPLIT: that is nobody's failure. Under NONE, of a
                                              subtask: attempts that are its parent's, one of which it went on with */
    uint8_t reserved;
    float p_fail;
    float value;
    float limit;
    float seconds;
    shard_task_id parent;
    int64_t unit_begin;
    int64_t unit_end;
    int64_t time_ns;
    int64_t memory_bytes;
};

/**
 * Folds a record into the row of its task; how every store keeps its rows. A row of zeroes is a task without records.
 *
 * State, attempt, host, seconds and time are the record's. Parent and units are those of the first record. What a
 * record leaves at none or 0 (outcome; decision and reason with their operands; memory) stays what it was.
 *
 * Returns 0.
 * Errors: SHARD_ECONFLICT (version or from-state is not the row's; the row is unchanged).
 */
SHARD_API int shard_task_row_apply(struct shard_task_row *row, const struct shard_record *record);

/**
 * Puts a record into words: "attempt 2 ended on host-b: out_of_memory after 12.3 s; tried again (1 of 3)".
 *
 * Writes at most `capacity` bytes including a NUL.
 *
 * Returns the length that the whole text has.
 */
SHARD_API int shard_record_text(const struct shard_record *record, const char *task_name, const char *host_name,
                                char *ret_text, size_t capacity);

SHARD_END

#endif
