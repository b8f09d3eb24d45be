/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_LAUNCHES_H
#define SHARD_POLICY_LAUNCHES_H

/*
 * What launches take beside what runs, learned by kind, and how many tasks are to share one: where a launch takes
 * longer than a task, as many as make it a small part of what runs, but not more than leave each slot its share.
 */

#include "base/alloc.h"

struct shard__launches {
    shard_context *context;
    struct shard__launch_mean {
        float seconds; /* a mean that forgets */
        float weight;  /* launches, at most 20; 0: none was told of */
    } * kinds;
    size_t capacity;
    int32_t count;
};

/* Takes in what the launch of a container took for a task of a kind; what is not known, or no time, tells nothing. */
void shard__launches_learn(struct shard__launches *launches, int32_t kind, double seconds);
/* 0: not known. */
double shard__launches_seconds(const struct shard__launches *launches, int32_t kind);
void shard__launches_free(struct shard__launches *launches);

struct shard__launch_ask {
    double launch_seconds;
    double run_seconds; /* of the task, where it goes */
    double p_fail;      /* of each; NaN: not known, taken as 0 */
    int64_t ready;      /* tasks that wait, this one included */
    int64_t slots;      /* of all hosts that are up */
};

/* How many more are to go with one; 0: it starts alone. */
int32_t shard__launches_with(const struct shard__launch_ask *ask);

#endif
