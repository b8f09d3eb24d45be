/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_H
#define SHARD_POLICY_H

/*
 * The policy port: where tasks go. For authors of policies; the policies that come with the library are made by the
 * functions at the end.
 *
 * A policy computes and touches nothing else: it looks at a view, which is valid during the call only, and answers
 * with a decision. It may keep state behind `self`, and serves one engine in its life, whose hosts its state is about.
 * All calls come from the thread that steps the engine, so it needs no lock, and it wakes nobody. Randomness comes from
 * the view, so that the same inputs give the same answers.
 *
 * The engine guards, the policy advises: what would break a dependency, the data gate, a capacity, a quarantine or a
 * fence is refused, logged with the rule's name, and the engine goes on with its own default.
 *
 * Order of calls: attach once per run, then any of the others, then detach. `host_changed` comes before the first
 * `place` that could choose the host, and again whenever the host's state or free capacity has changed. `place` comes
 * for a ready task when at least one host has room for it; `after_failure` once for each attempt that failed, before
 * the engine decides on a retry. A task that waits is asked about again when something has changed that could let it
 * start. With the reason NO_CAPACITY, or EXCLUDED for a task that has had no attempt, so does every task that asks for
 * the same resources, and is not asked about before; a replica waits by itself. `review` comes for each running task,
 * about once a second.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/predictor.h>
#include <shard/record.h>

SHARD_BEGIN

typedef struct shard_view shard_view;

/** A host as a policy sees it. `name` lives as long as the view. */
struct shard_host_view {
    size_t struct_size;
    const char *name;
    enum shard_host_state state;
    int32_t slots;
    int32_t running;
    int64_t cpu_millicores, cpu_free_millicores;
    int64_t memory_bytes, memory_free_bytes; /* 0: not known, then free is INT64_MAX */
    int64_t disk_bytes, disk_free_bytes;
    double speed;
    int32_t has_sample;
    struct shard_sample sample; /* the newest */
    int64_t done;               /* attempts that ended well here, this engine */
    int64_t failures;           /* attempts that failed here (not: cancelled, preempted) */
};

/** A task as a policy sees it: what the workflow says is in `info`, the rest is the run's. */
struct shard_task_view {
    size_t struct_size;
    struct shard_task_info info;
    enum shard_task_state state;
    shard_host_id host;   /* of the current or last attempt; -1: none yet */
    int32_t attempt;      /* attempts so far */
    int64_t memory_bytes; /* asked for now: after an escalation more than info.memory_bytes */
    int64_t unit_begin, unit_end;
    shard_task_id parent;
    int64_t ready_ns; /* monotonic, since when, to the millisecond; 0 while not ready */
    int32_t failures[SHARD_OUTCOME_COUNT];
    int64_t started_ns;       /* monotonic: since when its attempt has run, or was found running; 0: none runs */
    int64_t units_done;       /* as that attempt last told, from unit_begin; 0: none, or it does not tell */
    int64_t disk_bytes;       /* asked for now, as memory_bytes */
    int64_t max_memory_bytes; /* that the attempt held which has ended just now; 0: not known, or in other calls than */
    int64_t max_disk_bytes;   /* after_failure and after_success */
    double launch_seconds;    /* the same of what its launch took beside the seconds that it ran */
    int32_t subtask_count; /* that it was split into, if ever: what is placed then is its merge step, which is neither
                              split nor replicated */
    shard_task_id replica; /* the subtask that has the other of two attempts, while either may be the first: it is not
                              placed where that one is, and is neither moved, split nor replicated; -1: none */
};

/** What a policy answers. Zero is "no opinion". */
struct shard_decision {
    size_t struct_size;
    enum shard_decision_kind kind;
    shard_host_id host;      /* START, MOVE, REPLICATE */
    int32_t parts;           /* SPLIT */
    double wait_seconds;     /* WAIT: at most so long, and never more than an hour; 0: until a host changes;
                                in review: at least so long */
    int64_t memory_bytes;    /* ESCALATE, and with START: what to ask for instead; 0: no change */
    double p_fail;           /* forecast it stands on; NaN, and what is no probability: not known */
    double expected_seconds; /* the same, of seconds */
    enum shard_reason_code reason;
    double value; /* of the reason */
    double limit;
    int64_t keep_units; /* SPLIT of a running task: how many units its attempt keeps beside those that it has done;
                           0: an equal share of the rest */
    const char *note; /* what else was weighed, as UTF-8 text; the policy's own until it is called again. NULL: nothing
                         is said. An engine that keeps outcomes keeps it, for explain: with the record of a START,
                         SPLIT, MOVE or REPLICATE, and of a WAIT with that of what follows it */
    int64_t disk_bytes; /* as memory_bytes */
    int32_t with;       /* START: so many more tasks, at most SHARD_MOST_WITH, that run one after another in the same
                           container, behind this one: those that come next, ask for the same, have had no attempt and
                           have their inputs on the host; as many as there are, none if the executor cannot (start_many) */
};
enum { SHARD_MOST_WITH = 63 };

/** The port. Functions marked (optional) may be NULL. */
struct shard_policy {
    size_t struct_size;
    const char *name;
    /** (optional) A run begins or ends. `self` serves all runs of the engine. */
    void (*attach)(void *self, const shard_view *view);
    void (*detach)(void *self, const shard_view *view);
    /** (optional) How urgent a ready task is; larger goes first, after its priority. NULL: in the order of readiness.
     */
    double (*rank)(void *self, const shard_view *view, shard_task_id task);
    /** Where a ready task goes: START, WAIT, SPLIT or GIVE_UP. */
    int (*place)(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision);
    /**
     * (optional) Whether to do something about a running task. WAIT: nothing, and it is not asked about this attempt
     * for `wait_seconds`.
     *
     * MOVE: its attempt is ended as preempted, which nobody is blamed for and no budget pays, and the task is placed
     * again, on `host` if it is 0 or more and admits it then.
     *
     * SPLIT: the units that are not done are shared by `parts`, of which the running attempt keeps one (keep_units).
     * The task becomes the join of its subtasks; the first, "name/0", goes on with the attempt, the others are ready.
     * No unit is done twice. An executor that cannot stop an attempt at a unit ends it, and what it leaves done is
     * kept.
     *
     * REPLICATE: a second attempt begins on `host`, which must be another and admit the task now. The task becomes the
     * join of two subtasks that each have its whole range, the first of which goes on with the attempt; it is done when
     * one of them is, and the other is cancelled, which nobody is blamed for. While both live neither is moved, split
     * or replicated again, and one that fails is not tried again.
     */
    int (*review)(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision);
    /** (optional) What follows a failure: WAIT (and try again), ESCALATE, SPLIT, GIVE_UP; NOTHING: the retry budget. */
    int (*after_failure)(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision);
    /** (optional) An attempt ended well. */
    void (*after_success)(void *self, const shard_view *view, shard_task_id task, shard_host_id host, double seconds);
    /** (optional) The state or the free capacity of a host has changed, or it has a new sample. */
    void (*host_changed)(void *self, const shard_view *view, shard_host_id host);
    /** (optional) Ends the policy; called by whoever made it, never by the engine. */
    void (*destroy)(void *self);
};

/** A policy as an engine takes it: table and self. */
struct shard_policy_handle {
    const struct shard_policy *port;
    void *self;
};

/**
 * Gives a view's time, monotonic nanoseconds.
 *
 * Returns the time at which the engine's current step began.
 */
SHARD_API int64_t shard_view_now_ns(const shard_view *view);

/**
 * Gives a view's next random number, from the run's seed.
 *
 * Returns 64 uniform bits.
 */
SHARD_API uint64_t shard_view_random(const shard_view *view);

/**
 * Counts the hosts of a view, gone ones included, or its tasks, subtasks included.
 *
 * Returns the number; ids are below it.
 */
SHARD_API int32_t shard_view_host_count(const shard_view *view);
SHARD_API int32_t shard_view_task_count(const shard_view *view);

/**
 * Describes a host or a task. `struct_size` of what is returned must be set.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_view_host(const shard_view *view, shard_host_id host, struct shard_host_view *ret_host);
SHARD_API int shard_view_task(const shard_view *view, shard_task_id task, struct shard_task_view *ret_task);

/**
 * Lists the hosts that are up and have a free slot, in no particular order. `*ret_hosts` lives as long as the view.
 *
 * Returns how many there are.
 */
SHARD_API int32_t shard_view_open_hosts(const shard_view *view, const shard_host_id **ret_hosts);

/**
 * Says whether a host would be accepted for a task now: state, slots, CPU, memory and disk that are asked for, and that
 * its replica is not there.
 *
 * Returns 1 or 0.
 * Errors: SHARD_ENOENT.
 */
SHARD_API int shard_view_admits(const shard_view *view, shard_task_id task, shard_host_id host);

/**
 * Estimates how long it takes to bring a task's inputs to a host.
 *
 * Returns seconds; 0 when all are there; NaN when that is not known; infinity when one of them cannot be had there.
 */
SHARD_API double shard_view_staging_seconds(const shard_view *view, shard_task_id task, shard_host_id host);

/**
 * Asks that a host gets no new tasks for `seconds`; any function of a policy may call it. The engine sets the host to
 * QUARANTINED at the end of its step. What runs there runs on. Asked again, it lasts so long from then; 0 ends it. The
 * engine keeps a budget (most_quarantined) and at least one host up; when that one goes away and nothing runs, the host
 * whose quarantine ends next is let out, with a warning.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EINVAL (seconds), SHARD_EHOST (it is neither up nor quarantined), SHARD_ECAPACITY (the
 * budget is spent, or no host would be left).
 */
SHARD_API int shard_view_quarantine(const shard_view *view, shard_host_id host, double seconds);

/**
 * Forecasts a task on some hosts: probability of failure, seconds, evidence; `ret` has arrays with room for `count`.
 *
 * The engine's predictor is asked about all of them in one call, or the prior when it has none, or when that one fails:
 * there is always an answer, and NaN is one. What is asked of hosts that have not changed since is cheap. A policy that
 * asks makes the engine remember how attempts end from then on; to ask about 0 hosts in attach is enough for that.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EINVAL (a negative count), SHARD_ENOMEM.
 */
SHARD_API int shard_view_forecast(const shard_view *view, shard_task_id task, const shard_host_id *hosts, int32_t count,
                                  const struct shard_forecasts *ret);

/**
 * Makes the policy `round_robin`: tasks in the order of readiness, hosts in turn.
 *
 * End it with `handle.port->destroy(handle.self)`, after the engines that use it.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_policy_round_robin(shard_context *context, struct shard_policy_handle *ret_policy);

/**
 * Makes the policy `random_retry`: tasks in the order of readiness, each to a host drawn from those that admit it.
 *
 * Returns 0.
 */
SHARD_API int shard_policy_random_retry(shard_context *context, struct shard_policy_handle *ret_policy);

/**
 * Makes the policy `least_loaded`: tasks in the order of readiness, each to the host with the smallest share in use.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_policy_least_loaded(shard_context *context, struct shard_policy_handle *ret_policy);

/**
 * Makes the policy `heft`: tasks by critical-path rank, each to the host where it is expected to end first, staging
 * included (Topcuoglu, Hariri and Wu 2002, dynamic: hosts that are full now are weighed by when they get free).
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_policy_heft(shard_context *context, struct shard_policy_handle *ret_policy);

/** Options of `exclude_after_failures`; zero is the default, which is Spark's (spark.excludeOnFailure.*). */
struct shard_exclude_config {
    size_t struct_size;
    int32_t max_task_failures_per_host;     /* 0: 1: then the host is excluded for that task */
    int32_t max_failed_tasks_per_host_kind; /* 0: 2: then for the kind */
    int32_t max_failed_tasks_per_host;      /* 0: 2: then for all tasks, for a time */
    double exclude_seconds;                 /* 0: 3600 */
};

/**
 * Makes the policy `exclude_after_failures`: least loaded, less the hosts that have failed too often, as Spark counts.
 *
 * When every host that could is excluded, the one that failed least is used, with the reason "least bad".
 *
 * `config` NULL means all defaults.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL, SHARD_EVERSION.
 */
SHARD_API int shard_policy_exclude_after_failures(shard_context *context, const struct shard_exclude_config *config,
                                                  struct shard_policy_handle *ret_policy);

/**
 * Makes the policy `late`: least loaded, tried again elsewhere, and when slots are idle and no task waits, a second
 * attempt for the tasks that are slower than three quarters of all and are expected to end last (Zaharia, Konwinski,
 * Joseph, Katz and Stoica 2008): at most a tenth of the slots, none on a host that is slow itself.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_policy_late(shard_context *context, struct shard_policy_handle *ret_policy);

/**
 * Makes the policy `best_without_prediction`: tasks by critical-path rank, each to the host where it is expected to end
 * first among those whose decayed failure rate is low and on which it has not failed; divisible tasks are split when
 * they have failed or slots are idle; stragglers get a second attempt as of `late`.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_policy_best_without_prediction(shard_context *context, struct shard_policy_handle *ret_policy);

/** Options of `adaptive`; zero is the default of each field. */
struct shard_adaptive_config {
    size_t struct_size;
    double waste_weight;         /* what a wasted second of an attempt costs, in seconds of the run; 0: 1 */
    double idle_weight;          /* what an idle second of a slot costs that could do useful work; 0: 0.3. The smaller,
                                    the longer tasks wait for a better host */
    double hysteresis;           /* acts only when that share of the cost is gained; 0: 0.1 */
    double exploring_share;      /* of placements that go where it is not best; 0: 0.01; below 0: none */
    double split_p;              /* probability of failure from which a divisible task is split; 0: 0.2 */
    double half_life_seconds;    /* in which what was seen of hosts and kinds loses half of its weight; 0: 600 */
    double most_quarantined;     /* share of the hosts that may be quarantined at once; 0: 0.5 */
    double quarantine_seconds;   /* of the first quarantine of a host; doubles, up to half an hour; 0: 60 */
    int32_t candidates;          /* open hosts that are looked at for a task, at most 64; 0: 12 */
    double failure_cost_seconds; /* of tasks whose workflow says none */
};

/**
 * Makes the policy `adaptive`: of all that could be done with a task it takes what is expected to cost least, in
 * seconds: waiting, staging and running, and the probability of failure times what a failure costs. shard-policies(7)
 * has the formulas.
 *
 * `config` NULL means all defaults.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL (which field and why), SHARD_EVERSION.
 */
SHARD_API int shard_policy_adaptive(shard_context *context, const struct shard_adaptive_config *config,
                                    struct shard_policy_handle *ret_policy);

/**
 * Makes one of the policies above by its name, with default options.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT (the message lists the names), SHARD_EINVAL (no name), SHARD_ENOMEM.
 */
SHARD_API int shard_policy_by_name(shard_context *context, const char *name, struct shard_policy_handle *ret_policy);

SHARD_END

#endif
