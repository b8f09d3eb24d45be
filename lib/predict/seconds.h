/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_SECONDS_H
#define SHARD_PREDICT_SECONDS_H

/*
 * A trained model of seconds: trees that tell how many times the usual seconds an attempt takes, by every column of a
 * table; and whether they foresaw later attempts better than the prior does, without which they are not used.
 */

#include <shard/forest.h>
#include <shard/train.h>

#include "table.h"
#include "usual.h"

struct shard__seconds {
    shard_forest *forest; /* NULL: the prior's are used */
    void *bytes;          /* its model file */
    size_t size;
    int64_t rows;              /* that could be learnt from */
    int64_t later;             /* rows on which both were scored; 0: too few, or there were no trees */
    double error, prior_error; /* mean distance of the logarithm there: of trees and of the prior */
};

/* Learns from the rows that had ended by `now`, and chooses by the most recent of them. 0 or a code. */
int shard__seconds_train(shard_context *context, const shard_table *table, double now,
                         const struct shard_train_config *config, struct shard__seconds *ret_seconds);

/* Scores what has been chosen, and the prior, on rows [first, end) of the table, those whose attempts are done. */
struct shard__seconds_score {
    int64_t rows;
    double error, prior_error; /* summed */
};
int shard__seconds_test(shard_context *context, const shard_table *table, const struct shard__seconds *seconds,
                        int64_t first, int64_t end, struct shard__seconds_score *score);

/* The trees' seconds of rows that have all columns; NaN where there are no usual seconds. 0 or a code. */
int shard__seconds_ask(const shard_forest *forest, const struct shard__usual *usual, const struct shard_matrix *rows,
                       double *ret_seconds);

void shard__seconds_clear(const shard_context *context, struct shard__seconds *seconds);

#endif
