/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

/*
 * A world for an engine: virtual time, an executor and a store that do as they are told, hosts, and a memory of all
 * that was asked of them. Whole runs of thousands of tasks take milliseconds. What must hold in every run is checked
 * while it goes on: a start only after its record is durable, on a host that is up and has room, with predecessors done
 * and inputs there; an attempt once; each task done once. Nothing that is about one scenario belongs here.
 */

#include <stdint.h>

#include <shard/shard.h>

#include "tracked.h"

struct world;

enum world_reattach { WORLD_TRUTH = 0, WORLD_UNKNOWN, WORLD_SILENT, WORLD_REFUSED };

enum world_shrink {
    WORLD_SHRINKS = 0,
    WORLD_SHRINKS_LATE,
    WORLD_CANNOT_SHRINK,
    WORLD_REFUSES_TO_SHRINK,
    WORLD_KEEPS_ALL
};

/** What becomes of an attempt. Zero: it is done after a second. */
struct world_plan {
    enum shard_outcome outcome; /* 0: done */
    double seconds;             /* until its end; 0: 1; below 0: at once, inside the call */
    int refuse;                 /* negative: start returns it */
    int is_silent;              /* never answers, not even when cancelled */
    int ignores_cancel;         /* runs to its end though cancelled */
    int is_told_twice;
    enum world_reattach reattach;
    int64_t max_memory_bytes, max_disk_bytes;
    const char *message;
    enum world_shrink shrink;
    double unit_seconds; /* above 0: of each unit, instead of `seconds`; each that is done is told */
};

/** What becomes of a stage. Zero: it is there after a second. */
struct world_stage_plan {
    int status;     /* negative: fails so */
    int refuse;     /* negative: stage returns it */
    double seconds; /* 0: 1; below 0: at once */
    int is_silent;
};

enum world_call { WORLD_CREATE, WORLD_ACQUIRE, WORLD_RENEW, WORLD_RELEASE, WORLD_COMMIT, WORLD_LOAD };

/** What becomes of a call to the store. Zero: done and answered at once. */
struct world_fate {
    int code;       /* negative: the answer, whatever was done */
    int is_undone;  /* nothing is done (with code) */
    int is_lost;    /* no answer ever */
    int is_twice;   /* answered twice */
    int is_refused; /* the code is returned instead of answered */
    double seconds; /* until the answer */
};

struct world_attempt {
    shard_token token;
    int engine; /* number of the engine that the token is of */
    int run, host;
    int32_t task, number;
    int64_t epoch, started_ns, end_ns; /* end_ns INT64_MAX: never */
    int64_t cpu, memory, disk;
    int64_t unit_begin, unit_end;
    int32_t index, count, is_merge, parent, workflow_task;
    struct world_plan plan;
    int is_over; /* does not run any more */
    int is_told; /* its end was told to the engine of its token */
    int cancels; /* so often it was cancelled */
    int cancel_reason;
    int64_t units_told; /* of unit_seconds */
    int64_t units_kept; /* since it was asked to shrink; 0: all */
    int64_t units_did;  /* when it is over and ended well, or was split */
    int32_t depth;      /* as it was last asked to shrink */
    enum shard_outcome outcome;
    int previous; /* attempt of the same task, -1: none */
    int before;   /* runs before it in its container; -1: it has begun, or may */
    int behind;   /* runs after it there; -1: none */
};

/** A task, as the store has it. */
struct world_task {
    int state;
    int32_t attempt;   /* of the last record */
    int32_t startable; /* attempt whose start record was answered */
    int host;          /* of the last record, index of the record's host */
    int dones;         /* records of DONE that an attempt or a join earned */
    int remakes;       /* records from DONE back */
    int last;          /* world_attempt, -1: none */
    int parent;
    int64_t unit_begin, unit_end; /* of a subtask */
};

struct world_run {
    char name[64];
    shard_workflow *workflow;
    struct world_task *tasks;
    int task_count, task_capacity;
    int64_t epoch;      /* the highest that was given */
    uint64_t operation; /* of the last commit */
    int64_t operation_epoch;
    int is_performed;       /* it is in the store */
    int state;              /* of the last RUN record; -1: none */
    unsigned char *data_on; /* by data * MOST_VOLUMES + volume */
    shard_run_id id;        /* in the current engine; -1: none */
    int ended;              /* RUN_ENDED was seen */
    struct shard_event end;
    char end_message[256];
};

enum { WORLD_MOST_HOSTS = 64, WORLD_MOST_RUNS = 8, WORLD_MOST_VOLUMES = 64 };

struct world_host {
    char name[32];
    char boot_id[16];
    int64_t cpu, memory, disk;
    int slots;
    double speed;
    int volume; /* its own; 0: the common one */
    int second_volume;
    enum shard_host_state state;
    shard_host_id id; /* in the current engine, -1 */
    int running;
    int64_t cpu_used;
    uint64_t memory_used; /* wraps where memory is not known and nothing bounds what is asked for */
};

struct world_pending {
    int64_t at_ns;
    int engine;
    int kind; /* 0: store, 1: staged, 2: reattached, 3: shrunk (epoch: the units) */
    shard_token token;
    int code;
    int run, data, volume;
    int64_t epoch;
    struct shard_run_image *image;
    int32_t (*starts)[2]; /* (task, attempt) that the answer makes startable */
    int start_count;
    char message[128];
};

struct world {
    struct tracked tracked;
    shard_context *context;
    int64_t now_ns, wall_ns;
    struct shard_store_handle memory;
    shard_sink *memory_sink;
    const char *policy_name; /* NULL: the test brings its own */
    struct shard_policy_handle policy;
    struct shard_engine_config config;
    struct shard_executor executor; /* as the engine gets it; change before the engine is made */
    struct shard_store store;
    shard_engine *engine;
    int engine_number;
    int max_pull; /* events pulled in a turn; below 0: none; 0: all */

    struct world_host hosts[WORLD_MOST_HOSTS];
    int host_count;
    int volume_count; /* with the common one */
    struct world_run runs[WORLD_MOST_RUNS];
    int run_count;
    struct world_attempt *attempts;
    int attempt_count, attempt_capacity;
    int *live;
    int live_count, live_capacity;
    struct world_pending *pendings;
    int pending_count, pending_capacity;

    void (*plan)(struct world *world, const struct shard_start *start, struct world_plan *plan);
    void (*plan_stage)(struct world *world, const struct shard_stage *stage, struct world_stage_plan *plan);
    void (*plan_store)(struct world *world, enum world_call call, struct world_fate *fate);
    void (*on_event)(struct world *world, const struct shard_event *event);
    void *user;
    uint64_t random;

    int shrinks;          /* the executor was asked to shrink so often */
    int launches;         /* of containers, for one attempt or several */
    int may_remake;       /* tasks may be done more than once */
    int edges_are_enough; /* data is not checked */
    int64_t steps, events_seen;
    int64_t by_event[16];
    int calls[8]; /* to the store, by enum world_call */
    int stages;
    int logs;             /* warnings and errors */
    char log_ids[32][32]; /* different ids of log lines */
    int log_counts[32];
    char last_warning[512]; /* of the last WARNING event */
    long forgiven;          /* calls that were refused since the tracked allocator failed */
    int resent;             /* commits with the operation of the one before */
    unsigned char seen[SHARD_TASK_STATE_COUNT][SHARD_TASK_STATE_COUNT]; /* durable transitions of records */
};

/** A world without hosts and engine: policy by name. `config` may be changed before world_start(). */
void world_init(struct world *world, const char *policy);
/** Ends all; the test fails when memory is lost. */
void world_free(struct world *world);

/** A host that the next engine, or the current one, gets. `volume`: 0 common, else its own (made if it is new). */
int world_add_host(struct world *world, const char *name, int64_t cpu, int64_t memory, int slots, int volume);
/** Makes the engine, with volumes and the hosts that are up. */
void world_start(struct world *world);
/** Drops the engine as a crash would. What runs, runs on. */
void world_crash(struct world *world);
/** The host vanishes, and the engine is told; what ran there is over, and what lay on its own volume gone. */
void world_lose_host(struct world *world, int host);
/** It comes back with another boot id. */
void world_return_host(struct world *world, int host);

/** Submits or resumes; the test fails if that is refused. Index of the run in the world. */
int world_submit(struct world *world, shard_workflow *workflow, const char *name, int keep_going);
int world_submit_spec(struct world *world, shard_workflow *workflow, const struct shard_run_spec *spec);
void world_resume(struct world *world, int run);

/**
 * Starts with hosts "h0", "h1", ... of as many slots each, a GiB of memory and of disk, budgets that are not spent
 * soon, and a run of tasks that are all as `spec` says and do not depend on each other. Index of the run.
 */
int world_begin_bag(struct world *world, int hosts, int slots, int tasks, struct shard_task_spec spec);

/** One thing: delivers what is due, steps if the descriptor asks for it, or lets time pass. 0: nothing will happen. */
int world_turn(struct world *world);
/** Turns until the run has ended; the test fails when it hangs. Its state. */
enum shard_run_state world_finish(struct world *world, int run);
/** Fails the test, and says of the first task that is not done what it waits for. */
void world_fail(struct world *world, int run, const char *what);
/** Turns for so long, or until nothing happens any more. */
void world_pass(struct world *world, double seconds);
/** Turns while things are due now. */
void world_settle(struct world *world);

/** What there is to say. */
struct world_attempt *world_last_attempt(struct world *world, int run, int32_t task);
enum shard_task_state world_state(struct world *world, int run, int32_t task);
int world_live_attempts(const struct world *world);
int world_logged(const struct world *world, const char *id);
uint64_t world_random(struct world *world);
double world_unit(struct world *world);
/** Every task of the workflow is done, each once, and each unit of it; replicas that were not needed are cancelled. */
void world_check_done(struct world *world, int run);
/** Explanation of a task; the test fails unless it has the text. */
void world_explains(struct world *world, int run, int32_t task, const char *text);

/** Whether a call was refused for want of memory, since an allocation was made to fail: it is made again. Once each. */
int world_forgives(struct world *world, int status);

/* ---- between the files of the world ---- */
extern const struct shard_executor world_executor;
extern const struct shard_store world_store;
struct world_pending *world_pend(struct world *world, double seconds, int kind, shard_token token);
void world_deliver(struct world *world, struct world_pending *pending);
void world_deliver_end(struct world *world, int attempt);
void world_end_attempt(struct world *world, int attempt, enum shard_outcome outcome);
/* The attempt that a task has under a number: its own, or one that it goes on with; NULL: none. */
struct world_attempt *world_attempt_of(struct world *world, struct world_run *run, int32_t task, int32_t number);
struct world_run *world_find_run(struct world *world, const char *name);
int world_find_host(const struct world *world, const char *name);
struct world_task *world_task_of(struct world *world, struct world_run *run, int32_t task);
shard_sink *world_engine_sink(const struct world *world);

#endif
