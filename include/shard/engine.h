/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ENGINE_H
#define SHARD_ENGINE_H

/*
 * The engine: hosts, runs, and the loop that joins the ports. It is one pollable descriptor and one function:
 *
 *     for (;;) {
 *         poll(shard_engine_fd(engine));
 *         shard_engine_step(engine);
 *         while (shard_engine_next_event(engine, &event) == 1) { ... }
 *     }
 *
 * An engine belongs to one thread at a time; only the answers of ports (shard/sink.h) and shard_engine_wake() may come
 * from others. Step never blocks and does bounded work; when more is left, the descriptor stays readable. The library
 * makes no callbacks but the ports' own.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/executor.h>
#include <shard/history.h>
#include <shard/policy.h>
#include <shard/store.h>

SHARD_BEGIN

typedef struct shard_engine shard_engine;
typedef int32_t shard_run_id; /* index of a run in its engine; -1: none */

/** Retries of one failure class. Zero is the class's default; -1 in `budget` means none. */
struct shard_retry {
    int32_t budget;         /* failures of this class that are retried, for each task; above 254 counts as 254 */
    double backoff_seconds; /* before the first retry; doubles, jittered by half of it */
    double backoff_max_seconds;
};

/** What an engine is made of. Ports must outlive it. */
struct shard_engine_config {
    size_t struct_size;
    const struct shard_executor *executor; /* needed */
    void *executor_self;
    struct shard_store_handle store;   /* needed */
    struct shard_policy_handle policy; /* port NULL: `adaptive` with its defaults, of the engine's own */
    const char *owner;                 /* who holds the leases, for messages: "host:pid"; NULL: "libshard"; copied */
    double lease_seconds;              /* 0: 15 */
    struct shard_retry retry[SHARD_OUTCOME_COUNT]; /* by enum shard_outcome */
    double memory_growth;    /* ask for so many times as much after out_of_memory, and after out_of_disk where it is
                                known how much; 0: 2; 1: never more */
    double reattach_seconds; /* how long an answer to reattach may take; 0: 60 */
    double
        cancel_grace_seconds; /* how long a cancelled attempt may take to end before its host counts as lost; 0: 120 */
    int32_t step_budget;      /* transitions per step, about; 0: 65,536 */
    int32_t max_events;       /* events kept when nobody pulls them; 0: 1,048,576. At the bound no new work is taken */
    double adjust_threshold;  /* of shard_engine_adjust(), 0..1; 0: 0.5 */
    double most_quarantined;  /* share of the hosts that may be quarantined at once; 0: 0.5, at least one; -1: none */
    struct shard_predictor_handle predictor; /* port NULL: the prior over what the engine remembers, once a policy asks.
                                                Its schema, if it has one, is that of shard_history_schema() and then
                                                the columns of `features`. It has 0.1 s of a step; when that is over it
                                                rests for 99 times what its last call took, with a log record, and
                                                the prior answers; so does it of seconds that it does not tell */
    const struct shard_feature_source *features; /* columns of your own; NULL: none */
    void *features_self;
    int32_t
        keep_outcomes; /* non-zero: the columns of each attempt go to the store with how it ended, if it keeps them */
};

/**
 * Makes an engine, without hosts and runs. Volume 0, "common", is there: it survives every host and is mounted by the
 * hosts that name no volumes.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (what is missing), SHARD_EVERSION, SHARD_ENOMEM, SHARD_EIO (no descriptor to be had).
 */
SHARD_API int shard_engine_new(shard_context *context, const struct shard_engine_config *config,
                               shard_engine **ret_engine);

/**
 * Ends an engine at once: nothing is cancelled, no lease is given back, as if the process had died. NULL is fine.
 *
 * To stop in good order, shard_engine_suspend() or shard_engine_cancel() each run and step until it has ended.
 * Executor and store must not answer afterwards: close the store first, since its close answers what it still owes.
 */
SHARD_API void shard_engine_free(shard_engine *engine);

/**
 * The one descriptor to watch for reading; it covers timers, answers of other threads and work that is left.
 *
 * Returns the descriptor, which stays the engine's.
 */
SHARD_API int shard_engine_fd(const shard_engine *engine);

/**
 * Does what there is to do: takes answers, expires timers, places tasks, commits, calls ports. Never blocks.
 *
 * Returns the number of events that can be pulled.
 * Errors: SHARD_ENOMEM (call again later: nothing is lost). What happens to a single run is told by its events.
 */
SHARD_API int shard_engine_step(shard_engine *engine);

/**
 * Makes the descriptor readable. Any thread, also a signal handler.
 */
SHARD_API void shard_engine_wake(shard_engine *engine);

/** What happened. Values are frozen. */
enum shard_event_kind {
    SHARD_EVENT_NONE = 0,
    SHARD_EVENT_RUN_STARTED = 1, /* created or resumed, and durable */
    SHARD_EVENT_RUN_ENDED = 2, /* run_state; the run may be forgotten. SUSPENDED with SHARD_ENOENT: the store lost it */
    SHARD_EVENT_ATTEMPT_STARTED = 3,
    SHARD_EVENT_ATTEMPT_ADOPTED = 4, /* found running after a restart */
    SHARD_EVENT_ATTEMPT_ENDED = 5,   /* outcome, seconds, message */
    SHARD_EVENT_TASK_CHANGED = 6,    /* to a state that no other event tells: SPLIT, BACKOFF, SKIPPED, FAILED ... */
    SHARD_EVENT_TASK_DONE = 7,
    SHARD_EVENT_HOST_CHANGED = 8, /* its state; or, of a reason, the policy leaves it out for a time: message */
    SHARD_EVENT_WARNING = 9,      /* message: a refused decision, a task that no host can hold, a store in trouble */
    SHARD_EVENT_PROGRESS = 10 /* units_done of a running attempt, seconds since it started; left out when many wait */
};

/** One event. `message` lives until the next call of next_event or step. */
struct shard_event {
    size_t struct_size;
    enum shard_event_kind kind;
    shard_run_id run;
    shard_task_id task;
    shard_host_id host;
    int32_t attempt;
    enum shard_task_state state;
    enum shard_outcome outcome;
    enum shard_run_state run_state;
    enum shard_reason_code reason;
    int64_t time_ns; /* wall clock */
    double seconds;
    int code; /* of WARNING and RUN_ENDED: what is behind it, 0 or a negative code */
    const char *message;
    int64_t units_done;                /* of PROGRESS */
    enum shard_decision_kind decision; /* that led here, of ATTEMPT_ENDED and TASK_CHANGED, with its reason; and */
    double p_fail;                     /* the forecast that it stood on; NaN: not known */
};

/**
 * Takes the oldest event. Events of a transition come after it is durable. `ret_event->struct_size` must be set.
 *
 * Returns 1 with an event, 0 when there is none.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_engine_next_event(shard_engine *engine, struct shard_event *ret_event);

/**
 * Adds a volume, or a host. A host of a name that left or was lost comes back under its old id.
 *
 * Returns its id.
 * Errors: SHARD_EINVAL (which field and why), SHARD_EEXIST, SHARD_ENOENT (volume), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API shard_volume_id shard_engine_add_volume(shard_engine *engine, const struct shard_volume_spec *spec);
SHARD_API shard_host_id shard_engine_add_host(shard_engine *engine, const struct shard_host_spec *spec);

/**
 * Looks a host up by name.
 *
 * Returns its id.
 * Errors: SHARD_ENOENT.
 */
SHARD_API shard_host_id shard_engine_find_host(const shard_engine *engine, const char *name);

/**
 * Describes a host, as policies see it. `ret_host->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_engine_host(const shard_engine *engine, shard_host_id host, struct shard_host_view *ret_host);

/**
 * Takes a host's utilisation report. Samples that are older than the newest, or from more than a minute ahead, and
 * values that are no shares are refused; each refusal is logged.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EINVAL (which field), SHARD_EVERSION.
 */
SHARD_API int shard_engine_host_sample(shard_engine *engine, shard_host_id host, const struct shard_sample *sample);

/**
 * Changes a host's state: nothing new starts there (drain), it may get tasks again (undrain), it goes away in good
 * order (leave: what runs is cancelled and tried elsewhere), it has vanished (lost: what ran there is over).
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_ESTATE, SHARD_ENOMEM.
 */
SHARD_API int shard_engine_host_drain(shard_engine *engine, shard_host_id host);
SHARD_API int shard_engine_host_undrain(shard_engine *engine, shard_host_id host);
SHARD_API int shard_engine_host_leave(shard_engine *engine, shard_host_id host);
SHARD_API int shard_engine_host_lost(shard_engine *engine, shard_host_id host);

/**
 * Quarantines a host for a time, as a policy may with shard_view_quarantine(): the same rules hold. 0 seconds end it,
 * as shard_engine_host_undrain() does.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EINVAL (seconds), SHARD_EHOST (it is neither up nor quarantined), SHARD_ECAPACITY (the
 * budget is spent, or no host would be left), SHARD_ENOMEM.
 */
SHARD_API int shard_engine_host_quarantine(shard_engine *engine, shard_host_id host, double seconds);

/** A run as it is submitted. Zero is the default of each field. */
struct shard_run_spec {
    size_t struct_size;
    const char *name;       /* needed; unique in the store */
    int32_t keep_going;     /* non-zero: a failed task stops only what depends on it; 0: nothing new starts after it */
    int32_t wait_for_hosts; /* non-zero: a task that no host can hold waits for one that joins */
    int32_t priority;       /* of the run among the runs of the engine; larger goes first */
    int32_t stand_by;       /* resume, non-zero: wait for the lease as long as it takes; 0: twice lease_seconds */
    const char *catalog_commit; /* submit: of the catalog, that the workflow is of, in hex; NULL: none */
};

/**
 * Begins a new run of a workflow. The run takes a reference. Hosts should have been added before.
 *
 * Returns the run's id at once; RUN_STARTED or RUN_ENDED follows.
 * Errors: SHARD_EINVAL, SHARD_EUNPLACEABLE (a task needs more than any host has, which one and what; not with
 * wait_for_hosts), SHARD_EEXIST (name, in this engine), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API shard_run_id shard_engine_submit(shard_engine *engine, shard_workflow *workflow,
                                           const struct shard_run_spec *spec);

/**
 * Takes up a run that is in the store: waits for its lease, loads it, reattaches what was running.
 *
 * Returns the run's id at once; RUN_STARTED follows, or RUN_ENDED (with SHARD_ENOENT, SHARD_EHELD ...).
 * Errors: SHARD_EINVAL, SHARD_EEXIST, SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API shard_run_id shard_engine_resume(shard_engine *engine, const struct shard_run_spec *spec);

/**
 * Stops a run: cancel ends what runs and the run for good; drain starts nothing new and ends it (SUSPENDED) when what
 * runs has ended; suspend lets go of it at once, durable and with the lease given back, while its attempts run on and
 * can be adopted by a resume.
 *
 * Returns 0; RUN_ENDED follows.
 * Errors: SHARD_ENOENT, SHARD_ESTATE, SHARD_ENOMEM.
 */
SHARD_API int shard_engine_cancel(shard_engine *engine, shard_run_id run);
SHARD_API int shard_engine_drain(shard_engine *engine, shard_run_id run);
SHARD_API int shard_engine_suspend(shard_engine *engine, shard_run_id run);

/**
 * Drops a run that has ended from memory; its id is not used again. What the store has stays.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_ESTATE (it has not ended).
 */
SHARD_API int shard_engine_forget(shard_engine *engine, shard_run_id run);

/**
 * Splits a ready task into `parts` subtasks of about the same number of units, as a policy could; or, of a running
 * task, the units that it has not done (`parts` counts the one that its attempt keeps). That takes until the executor
 * has answered, and TASK_CHANGED tells it; the attempt may end before.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_ESTATE, SHARD_EINVAL (fewer than 2 parts, or more than units / min_units), SHARD_ENOMEM.
 */
SHARD_API int shard_engine_split(shard_engine *engine, shard_run_id run, shard_task_id task, int32_t parts);

/**
 * Looks at one task that has a host and has not started, and moves it when it is likely to fail there.
 *
 * That is a task whose inputs are on their way to its host, or a ready one that is to go to a host (after a move or an
 * earlier call) or ran on one before. When its forecast probability of failure there is above adjust_threshold, the
 * candidates are the hosts that admit it, where its inputs are or can be brought, and where it is less likely to fail.
 * It goes to the best of them: by probability of failure (in hundredths), then by what is free, then by how long its
 * inputs take to get there. When there is none, a WARNING says so. What is not known (NaN) is no reason to move.
 *
 * Returns 1 when it was moved, else 0.
 * Errors: SHARD_ENOENT, SHARD_ESTATE (it has started, or is not ready yet, or has ended), SHARD_ENOMEM.
 */
SHARD_API int shard_engine_adjust(shard_engine *engine, shard_run_id run, shard_task_id task);

/**
 * Amends what is known of a task, as a commit of the catalog says: the first of shard_catalog_next_change()'s workflow,
 * or a task of a revision that was loaded anew. `task` is one of the workflow's own.
 *
 * Of `info`, this takes cpu_millicores, memory_bytes, disk_bytes, expected_seconds and failure_cost_seconds, for the
 * attempts that start from now on, those of its subtasks included; what runs goes on as it began, and a task whose
 * inputs are on their way is placed anew. More that was asked for after a failure is still asked for. With the next
 * step ranks follow from the seconds, in one pass over the workflow however many tasks were amended. The amendment is a
 * record of the run, with its commit, and comes back with a resume.
 *
 * Returns 1, or 0 when all of that was known.
 * Errors: SHARD_ENOENT, SHARD_ESTATE (the task has ended), SHARD_EINVAL (commit, or which value), SHARD_ENOMEM,
 * SHARD_EVERSION.
 */
SHARD_API int shard_engine_amend(shard_engine *engine, shard_run_id run, shard_task_id task,
                                 const struct shard_task_info *info, const char *commit);

/**
 * Says where data without a producer lies. Before any such call it is on volume 0 and, if no other volume was told,
 * taken to be on every volume.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_ENOMEM.
 */
SHARD_API int shard_engine_data_is_on(shard_engine *engine, shard_run_id run, shard_data_id data,
                                      shard_volume_id volume);

/**
 * Says that a piece of data is gone from a volume. When it is still needed and nowhere else, its producer runs again.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_ENOMEM.
 */
SHARD_API int shard_engine_data_is_lost(shard_engine *engine, shard_run_id run, shard_data_id data,
                                        shard_volume_id volume);

/** A run in numbers. */
struct shard_run_info {
    size_t struct_size;
    const char *name;               /* lives as long as the run */
    const shard_workflow *workflow; /* the run's own reference */
    enum shard_run_state state;
    int64_t epoch;
    int32_t task_count; /* with subtasks */
    int32_t by_state[SHARD_TASK_STATE_COUNT];
    int64_t attempts;
    int64_t failures[SHARD_OUTCOME_COUNT]; /* attempts by how they ended */
    int32_t tasks_with_failures;
    int64_t started_ns; /* monotonic */
    int64_t ended_ns;   /* 0: not yet */
    size_t memory_bytes;
    const char *catalog_commit; /* the last that mattered; NULL: none. Lives until the next amendment */
};

/**
 * Describes a run. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_engine_run(const shard_engine *engine, shard_run_id run, struct shard_run_info *ret_info);

/**
 * Describes a task of a run, subtasks included, and its name ("parent/2" for a subtask).
 *
 * Returns 0; for the name, its whole length, of which at most capacity - 1 bytes and a NUL are written.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_engine_task(const shard_engine *engine, shard_run_id run, shard_task_id task,
                                struct shard_task_view *ret_task);
SHARD_API int shard_engine_task_name(const shard_engine *engine, shard_run_id run, shard_task_id task, char *ret_name,
                                     size_t capacity);

/**
 * Says why a task is where it is: the last decision with its reason and forecast, and for one that waits, what it
 * waits for and why each host that it could run on does not take it now.
 *
 * The text has one fact a line.
 *
 * Returns 0 and a NUL-terminated text to be freed with shard_free().
 * Errors: SHARD_ENOENT, SHARD_ENOMEM.
 */
SHARD_API int shard_engine_explain(const shard_engine *engine, shard_run_id run, shard_task_id task, char **ret_text);

SHARD_END

#endif
