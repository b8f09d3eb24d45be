/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_USUAL_H
#define SHARD_PREDICT_USUAL_H

/*
 * Usual seconds: what an attempt takes by what attempts of its kind and on its host took so far, whatever signs a host
 * shows now. They are a product of what the task's columns say and what the host's say, so that each is computed once.
 * The prior begins with them, and trees of seconds tell how many times as much an attempt takes.
 */

#include <shard/predictor.h>

enum shard__usual_column {
    SHARD__USUAL_EXPECTED,
    SHARD__USUAL_KIND_RATIO,
    SHARD__USUAL_KIND_SECONDS,
    SHARD__USUAL_SPEED,
    SHARD__USUAL_HOST_RATIO,
    SHARD__USUAL_HOST_EVIDENCE,
    SHARD__USUAL_COLUMNS
};

/* Where the columns are, by their names: in a row of all columns, or in a row of their own group; -1: nowhere. */
struct shard__usual {
    int32_t at[SHARD__USUAL_COLUMNS];
};

void shard__usual_find(const struct shard_schema *schema, int in_group, struct shard__usual *ret_usual);

/* Seconds on a host of speed 1; NaN: not known. */
double shard__usual_of_task(const struct shard__usual *usual, const float *row);
/* How many times as many seconds the host takes; 1 when nothing is known of it. */
double shard__usual_of_host(const struct shard__usual *usual, const float *row);

#endif
