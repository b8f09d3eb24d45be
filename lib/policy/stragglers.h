/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_STRAGGLERS_H
#define SHARD_POLICY_STRAGGLERS_H

/*
 * Which running tasks deserve a second attempt, in LATE's way (Zaharia, Konwinski, Joseph, Katz and Stoica, OSDI 2008):
 * of the tasks whose rate of progress is below that of a quarter of all, those that are expected to end last, a bounded
 * number at a time. Where an attempt tells no units, its rate is what it was expected to take against what it has
 * taken.
 *
 * A running task is told once in each round of reviews; who ends last is known when a round is over, so that the answer
 * comes in the next.
 */

#include "view.h"

enum { SHARD__STRAGGLERS_MOST = 16, SHARD__STRAGGLERS_RATES = 128 };

struct shard__straggler {
    int64_t key; /* run and task */
    double left_seconds;
};

struct shard__stragglers {
    shard_context *context;
    float rates[SHARD__STRAGGLERS_RATES]; /* the last that were seen, a ring */
    int32_t rate_count, rate_next;
    float slow_rate;                                      /* a quarter is below it, as of the last round */
    struct shard__straggler last[SHARD__STRAGGLERS_MOST]; /* of the round before */
    struct shard__straggler now[SHARD__STRAGGLERS_MOST];  /* of this round so far; the least is at 0 */
    int32_t last_count, now_count;
    int64_t round_ns;            /* when this round began */
    struct shard__intmap copies; /* tasks that have a second attempt, by key */
};

/* What is known of a running attempt. */
struct shard__progress {
    double ran_seconds;
    double left_seconds;
    double rate; /* 1: as expected */
};

/* How an attempt stands. `expected_seconds` on its host; NaN: not known, then only units tell. 0: nothing can be said.
 */
int shard__progress_of(const struct shard__running *running, double expected_seconds, int64_t now_ns,
                       struct shard__progress *ret_progress);

/* Takes a running task in. 1: it is slow, among the last to end, and there are fewer than `most` second attempts. One
   that is not slow is to be left alone for some seconds. */
int shard__stragglers_review(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task,
                             const struct shard__progress *progress, int64_t most, struct shard_decision *ret_decision);
/* Takes in, at little cost, an attempt that is not late yet and tells no units, and asks for it to be left alone for
   some seconds. 0: it has to be looked at closely. */
int shard__stragglers_on_time(struct shard__stragglers *stragglers, const struct shard__running *running,
                              int64_t now_ns, struct shard_decision *ret_decision);
/* Gives it a second attempt on a host where that is expected to take so many seconds. */
void shard__stragglers_replicate(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task,
                                 const struct shard__progress *progress, int32_t host, double seconds,
                                 struct shard_decision *ret_decision);
/* It got a second attempt; or is over. */
void shard__stragglers_copied(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task);
void shard__stragglers_over(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task);
int shard__stragglers_has_copy(const struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task);
/* Drops the second attempts of all runs: none is left. */
void shard__stragglers_forget(struct shard__stragglers *stragglers);
void shard__stragglers_free(struct shard__stragglers *stragglers);

#endif
