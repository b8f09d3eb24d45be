/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SIMULATE_LEARN_H
#define SHARDRUN_SIMULATE_LEARN_H

/* Models in simulations: where their rows come from, and how they are trained. */

#include <shard/forest.h>
#include <shard/history.h>
#include <shard/train.h>

#include "simulate.h"

/* The columns of attempts as they were placed, and how they ended. */
struct learning {
    struct shard_predictor_handle prior;
    bool wants; /* the next row that is asked about is one to keep */
    int round;  /* each is later than all before */
    float *values;
    double *starts, *ends; /* seconds */
    signed char *labels;   /* -1: not known */
    int rows, capacity;
    int *row_of; /* by task; -1: none */
    int task_count;
};

/* A predictor for the engine of a simulation that is learnt from; it answers as the prior does. */
int learning_begin(shard_context *context, struct learning *learning);
struct shard_predictor_handle learning_predictor(struct learning *learning);
void learning_next_run(struct learning *learning, int round);
/* What the policy's port sees: a task was placed on a host, an attempt has ended. */
void learning_placed(struct learning *learning, const shard_view *view, shard_task_id task, shard_host_id host);
void learning_ended(struct learning *learning, const shard_view *view, shard_task_id task, enum shard_outcome outcome);
/* Trains 300 trees of failure on the rows, and trees of seconds; none where nothing, or everything, failed, or without
   XGBoost. An exit code. */
int learning_train(shard_context *context, const struct learning *learning, struct learned *ret_learned);
void learning_end(struct learning *learning);

/* Simulates each workflow with seeds that are not scored, and trains on that. An exit code. */
int simulate_learn(const struct simulate *simulate, struct learned *ret_learned);

#endif
