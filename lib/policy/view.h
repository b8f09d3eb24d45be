/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_VIEW_H
#define SHARD_POLICY_VIEW_H

/*
 * What stands behind the public view: the cluster, the workflow, and the questions that only the run above can answer,
 * as a table of functions that the run fills in. Policies of the library may look here for speed; others have the
 * accessors of shard/policy.h.
 */

#include <shard/policy.h>

#include "base/random.h"
#include "cluster/cluster.h"
#include "workflow/workflow.h"

/* An attempt that the executor has. */
struct shard__running {
    int32_t host;
    int64_t started_ns;
    double expected_seconds; /* on this host, as it was forecast at the start; NaN: not known */
    int64_t units_done;      /* of its range; 0: none, or not told */
    int64_t units;           /* of its range, where any are done */
};

struct shard__view_tasks {
    int32_t (*count)(const void *run);
    void (*describe)(const void *run, int32_t task, struct shard_task_view *ret_task);
    struct shard__need (*need)(const void *run, int32_t task);
    /* What the workflow, or who amended it, says that the task needs, whatever was learned since. */
    struct shard__need (*told)(const void *run, int32_t task);
    /* The workflow's task that this one is, or comes from by splitting. */
    int32_t (*origin)(const void *run, int32_t task);
    int32_t (*failures)(const void *run, int32_t task);
    int32_t (*last_host)(const void *run, int32_t task);
    /* Of the whole task or of a subtask's share of it, on a host of speed 1, above 0; NaN: not known. */
    double (*expected_seconds)(const void *run, int32_t task);
    /* Of the workflow's task that it is or comes from, with what was amended: to the end of the workflow. */
    double (*rank_seconds)(const void *run, int32_t task);
    double (*failure_cost_seconds)(const void *run, int32_t task);
    double (*staging_seconds)(const void *run, int32_t task, int32_t host);
    double (*staging_bytes)(const void *run, int32_t task, int32_t host);
    /* Seconds until the first of what runs on a host is expected to end; NaN: not known. */
    double (*host_free_seconds)(const void *run, int32_t host);
    /* The attempt of a running task. 1, or 0 when the executor has none. */
    int (*running)(const void *run, int32_t task, struct shard__running *ret_running);
    /* Whether a ready task can be split at all: it has units enough, and is not the merge step of one that was. */
    int (*may_split)(const void *run, int32_t task);
    /* Whether a running task can be replicated at all, or have its rest split off: the same, whatever its units. */
    int (*may_share)(const void *run, int32_t task);
    /* The subtask that has the other of two attempts while either may be the first, and the host where that one is: no
       place for this task; -1: none. */
    int32_t (*replica)(const void *run, int32_t task);
    int32_t (*replica_host)(const void *run, int32_t task);
    /* Tasks that are ready and have no host yet. */
    int32_t (*ready_count)(const void *run);
    /* What the launch of a task's attempt took that has ended just now; 0: not known. */
    double (*launch_seconds)(const void *run, int32_t task);
};

/*
 * Who forecasts for the runs of an engine. What is not active has nothing to remember: a question makes it so. Ids are
 * good.
 */
struct shard__forecaster {
    int is_active;
    int has_predictor; /* somebody other than the prior answers */
    int wants_notes;   /* of decisions: somebody may ask why later */
    int (*forecast)(struct shard__forecaster *self, const struct shard_view *view, int32_t task, const int32_t *hosts,
                    int32_t count, const struct shard_forecasts *ret);
    /* A task is placed: what the decision says nothing of is filled in. */
    void (*placed)(struct shard__forecaster *self, const struct shard_view *view, int32_t task,
                   struct shard_decision *decision);
    /* An attempt has ended, and still holds its host. */
    void (*ended)(struct shard__forecaster *self, const struct shard_view *view, int32_t task, int32_t host,
                  enum shard_outcome outcome, double seconds);
};

struct shard_view {
    const struct shard__cluster *cluster;
    struct shard__cluster *wishes; /* the same, for what a policy may wish of hosts */
    const struct shard_workflow *workflow;
    const struct shard__view_tasks *tasks;
    const void *run;
    int32_t run_number; /* tells the runs of an engine apart */
    struct shard__random *random;
    struct shard__forecaster *forecaster; /* NULL: nothing is known */
    int64_t now_ns;
};

/* Has the engine tell that the policy leaves a host out for a time, by itself, and for which failures. */
void shard__view_leaves_out(const struct shard_view *view, int32_t host, float failures, float attempts);

/* The bytes of all inputs of a task of the workflow whose size is known; NaN: of none. */
double shard__view_input_bytes(const struct shard_view *view, int32_t task);

/* Whether what has ended just now ran out of as much as it had asked for (1), or of less (0: its host was short); -1:
   that is not known, or it ended otherwise. */
int shard__view_ran_out(const struct shard_view *view, int32_t task, enum shard_outcome outcome);

/* Describes a host for views, whichever struct_size the caller has: the whole of ours. */
void shard__host_describe(const struct shard__host *host, struct shard_host_view *ret_host);

/* Whether a task that asks for so much may start on a host now. */
static inline int shard__view_admits(const struct shard_view *view, int32_t task, const struct shard__need *need,
                                     int32_t host)
{
    return shard__host_admits(&view->cluster->hosts[host], need) && view->tasks->replica_host(view->run, task) != host;
}

#endif
