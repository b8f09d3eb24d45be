/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LEARNER_H
#define SHARDRUN_LEARNER_H

/*
 * Learning beside a run: the model that forecasts, and `shardrun train` as a child of low priority on the attempts that
 * the store keeps. Before there is enough history the prior forecasts; the model of earlier runs is used at once.
 */

#include <stdbool.h>
#include <uv.h>

#include <shard/champion.h>

#include "catalog.h"
#include "place.h"

struct learner {
    shard_context *context;
    shard_champion *champion;
    const struct shard_store_handle *store;
    char *store_text; /* as `train --store` takes it; NULL: nothing is trained */
    char *model;      /* where it lies */
    char *models;     /* where the run notes which was in use, and when */
    uv_loop_t *loop;
    uv_process_t trainer;
    struct catalog *catalog; /* where models are kept, too */
    bool has_learned;        /* a model of this run's is in use */
    bool training;
    bool stopped;
    bool demoted;  /* and it was noted */
    int64_t known; /* attempts that the store keeps, as far as they were counted, and those that ended since */
    int64_t next;  /* so many are to be known before the next training */
    int64_t asked; /* so many were known when the training began */
};

/*
 * Makes the champion, with the model that earlier runs left beside the store, or else in the catalog. With `learns`
 * false it stays the prior's and nothing is trained. Returns 0 or an exit code, told.
 */
int learner_open(struct learner *learner, shard_context *context, const struct place *place,
                 const struct run_place *run, const struct shard_store_handle *store, struct catalog *catalog,
                 bool learns);

/* Begins to train once there is enough, and again when there is half as much more. `learner_stop` before the loop ends.
 */
void learner_start(struct learner *learner, uv_loop_t *loop);
void learner_ended(struct learner *learner); /* an attempt has */
void learner_stop(struct learner *learner);

/* After the engine, before the catalog's end. Keeps what was learned there, and takes one that is half made. */
void learner_close(struct learner *learner);

#endif
