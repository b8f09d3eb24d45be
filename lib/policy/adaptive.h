/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_ADAPTIVE_H
#define SHARD_POLICY_ADAPTIVE_H

/* What the files of the policy `adaptive` share: its state, forecasts, and the expected cost of a choice. */

#include "blame.h"
#include "health.h"
#include "kinds.h"
#include "launches.h"
#include "needs.h"
#include "pace.h"
#include "pool.h"
#include "recall.h"
#include "slots.h"
#include "split_plan.h"
#include "stragglers.h"

struct shard__adaptive {
    shard_context *context;
    struct shard_adaptive_config config; /* with the defaults put in */
    struct shard__slots slots;
    struct shard__pool pool; /* hosts that are open, well enough for one more, and were not refused of late */
    int pool_is_short;       /* there was no memory for a host: all that are open are looked at */
    struct shard__kinds kinds;
    struct shard__pace pace;
    struct shard__needs needs;
    struct shard__blame blame;
    struct shard__health health;
    struct shard__stragglers stragglers;
    struct shard__recall recall;
    struct shard__launches launches;
    struct shard__split_overhead *overheads; /* by kind */
    size_t overhead_capacity;
    int32_t overhead_count;
    int32_t runs;
    double work_seconds; /* of tasks that are not done, on a host of speed 1 */
    double actions;      /* moves and second attempts that may still be asked for now: a bucket that fills with time */
    int64_t actions_ns;  /* when it was last filled */
    char note[512];      /* of the last decision */
};

/* A task as it is weighed. */
struct shard__weighed {
    int32_t task;
    int32_t kind;
    int32_t failures;
    uint64_t key;
    struct shard__need need;  /* with what was learned of its kind */
    struct shard__need asked; /* so far */
    double seconds;           /* on a host of speed 1 */
    double failure_cost;      /* seconds */
    double busy_seconds;      /* what is left to do, for each slot */
    double urgency;           /* 0..1: what a second of delay costs, against a second of the whole run */
    uint64_t data[SHARD__BLAME_DATA];
    int32_t data_count;
};

/* A choice of a host: what is expected, and what it costs. */
struct shard__offer {
    int32_t host;
    double p_fail; /* corrected for having been picked among many */
    double evidence;
    double least_p;     /* it has failed there */
    double seconds;     /* with staging */
    double run_seconds; /* without */
    double wait_seconds;
    double cost_seconds;
};

/* What a task of a kind takes on a host of speed 1. */
double shard__adaptive_seconds(const struct shard__adaptive *policy, const struct shard_view *view, int32_t task,
                               int32_t kind);
void shard__adaptive_weigh_task(struct shard__adaptive *policy, const struct shard_view *view, int32_t task,
                                struct shard__weighed *ret_task);
void shard__adaptive_about(const struct shard__weighed *task, int32_t host, int64_t now_ns,
                           struct shard__blame_about *ret_about);
/* Fills in forecasts of a task on the hosts of offers; wait_seconds must be set. What the predictor said of a host
 * before will do if it is not as old as `stale_ns`. */
void shard__adaptive_forecast(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, struct shard__offer *offers, int32_t count,
                              int64_t stale_ns);
/* Corrects forecasts for the picking of the best of so many, and puts the costs in. */
void shard__adaptive_cost(const struct shard__adaptive *policy, const struct shard__weighed *task,
                          struct shard__offer *offers, int32_t count);
/* Whether the health of a host lets one more task start there; a suspect one takes fewer, one on probation a cheap one.
 */
int shard__adaptive_may_start(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, int32_t host);
/* A host has changed, or what is thought of its health: whether it is in the pool. */
void shard__adaptive_pool_host(struct shard__adaptive *policy, const struct shard_view *view, int32_t host);
/* The best open offer of those that are looked at, of at most `most`; 0: none. */
int shard__adaptive_best_open(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, int32_t but_host, struct shard__offer *ret_best,
                              struct shard__offer *ret_next);
/* What a decision was weighed against, in words, if anybody wants to know; NULL: nobody does. Of a start, a wait or a
   second attempt: `next` and `later` may be NULL or no host. */
const char *shard__adaptive_note(struct shard__adaptive *policy, const struct shard_view *view,
                                 const struct shard__offer *best, const struct shard__offer *next,
                                 const struct shard__offer *later);
/* Of a split: in parts, and as one, where it would go or runs. */
const char *shard__adaptive_note_split(struct shard__adaptive *policy, const struct shard_view *view,
                                       const struct shard__split_plan *plan, int32_t host, double p_fail);
/* Of a move: to stay where it is, or to begin again. */
const char *shard__adaptive_note_move(struct shard__adaptive *policy, const struct shard_view *view,
                                      const struct shard__offer *stay, const struct shard__offer *best,
                                      const struct shard__offer *next);
/* Learns what an attempt held that has ended, and what those held that were done before a run was taken up. */
void shard__adaptive_learn_needs(struct shard__adaptive *policy, const struct shard_view *view,
                                 const struct shard__weighed *task, enum shard_outcome outcome);
void shard__adaptive_recall_needs(struct shard__adaptive *policy, const struct shard_view *view);
/* Puts into `task` what to ask for. */
void shard__adaptive_weigh_need(struct shard__adaptive *policy, const struct shard_view *view,
                                struct shard__weighed *task);
/* What no host could hold becomes what the largest has. 1 if that has changed it. */
int shard__adaptive_moderate_need(const struct shard_view *view, struct shard__weighed *task);
/* Whether to act now: takes one from the bucket. */
int shard__adaptive_may_act(struct shard__adaptive *policy, const struct shard_view *view);

/* ---- the port's functions ---- */
double shard__adaptive_rank(void *self, const shard_view *view, shard_task_id task);
int shard__adaptive_place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision);
int shard__adaptive_review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision);
int shard__adaptive_after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                                  enum shard_outcome outcome, struct shard_decision *ret_decision);
void shard__adaptive_after_success(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                                   double seconds);

#endif
