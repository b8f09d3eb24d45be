/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_SPLIT_PLAN_H
#define SHARD_POLICY_SPLIT_PLAN_H

/*
 * Whether to split a task, and in how many parts: when it is likely to fail as one, when it has failed, or when slots
 * are idle that its parts could use; never always. Small failures cost less, parallelism shortens, overhead is paid
 * once a part. The overhead is learned by kind from what subtasks take beyond their share.
 */

#include <shard/policy.h>

struct shard__split_ask {
    double seconds; /* as one, where it would go */
    int64_t units, min_units;
    double p_fail;           /* as one, where it would go; NaN: not known, taken as 0 */
    int32_t failures;        /* so far */
    int64_t idle_slots;      /* that nobody waits for */
    double overhead_seconds; /* of each part */
    double likely_p;         /* from which p_fail is reason enough; 0: 0.2 */
    double failure_cost_seconds;
};

struct shard__split_plan {
    int32_t parts; /* 0: leave it whole */
    enum shard_reason_code reason;
    double limit;         /* of the reason */
    double cost_seconds;  /* expected, so split */
    double whole_seconds; /* expected, as one */
};

void shard__split_plan(const struct shard__split_ask *ask, struct shard__split_plan *ret_plan);

/* Plans, and says so in a decision. 1; 0: the task stays whole, and the decision as it was. */
int shard__split_decide(const struct shard__split_ask *ask, struct shard__split_plan *ret_plan,
                        struct shard_decision *ret_decision);

/* Learned overhead of a kind: seconds of a part beyond its share, a mean that forgets. */
struct shard__split_overhead {
    float seconds;
    float weight;
};
void shard__split_learn(struct shard__split_overhead *overhead, double share_seconds, double seconds);
double shard__split_overhead_seconds(const struct shard__split_overhead *overhead, double share_seconds);

#endif
