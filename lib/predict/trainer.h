/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_TRAINER_H
#define SHARD_PREDICT_TRAINER_H

/* Which rows train and which test, and how a candidate is chosen. */

#include "members.h"
#include "table.h"

/* What is chosen is chosen by the most recent rows: so many folds, each of that share of the rows. */
enum { SHARD__FOLD_COUNT = 2, SHARD__FOLD_SHARE = 14, SHARD__LEAST_FOLD_ROWS = 12 };

/* From the stiffest to the most mixed. */
enum {
    SHARD__CANDIDATE_PRIOR,
    SHARD__CANDIDATE_LINEAR,
    SHARD__CANDIDATE_TREES,
    SHARD__CANDIDATE_PRIOR_TREES,
    SHARD__CANDIDATE_PRIOR_LINEAR,
    SHARD__CANDIDATE_LINEAR_TREES,
    SHARD__CANDIDATE_PRIOR_LINEAR_TREES,
    SHARD__CANDIDATE_ALL,
    SHARD__CANDIDATE_COUNT
};

/* A candidate is the mean margin of some families. */
struct shard__candidate {
    const char *name;
    unsigned families;
};

extern const struct shard__candidate shard__candidates[SHARD__CANDIDATE_COUNT];

struct shard__choice {
    int chosen;
    int usual;                                 /* what is chosen unless another is better beyond doubt */
    int is_asked_for;                          /* by the caller, not chosen */
    double validation[SHARD__CANDIDATE_COUNT]; /* NaN: not tried */
    double own_rate;                           /* the loss of the folds' own base rates */
    int folds;                                 /* that could be scored */
    int is_foreseen;                           /* some candidate did about as well as the folds' own base rates */
    double error;                              /* of the difference between the best candidate and the usual one */
    double offset[SHARD__CANDIDATE_COUNT];     /* calibration: what is added to margins */
};

/*
 * Rows of [0, end) that may train what is tested from `now` on: their label is known and their attempt had ended.
 * `ret_ids` has room for `end`. Returns how many.
 */
int64_t shard__ended_rows(const shard_table *table, int64_t end, double now, int32_t *ret_ids);

/* Of the rows ids[0, first) those whose attempts had ended when that of ids[first] started. Returns how many. */
int64_t shard__ended_before(const shard_table *table, const int32_t *ids, int64_t first, int32_t *ret_ids);

/* Whether there are failures and successes among rows. */
int shard__has_both_classes(const shard_table *table, const int32_t *ids, int64_t count);

/* The number of the candidate of a name, or -1. */
int shard__candidate_find(const char *name);

/* Trains the families on rows of the table. */
int shard__learn(shard_context *context, const shard_table *table, const int32_t *ids, int64_t count,
                 const struct shard_train_config *config, unsigned families, struct shard__bundle *ret_bundle);

/* Chooses among the candidates by the most recent of the rows. 0 or a code. */
int shard__choose(shard_context *context, const shard_table *table, const int32_t *ids, int64_t count,
                  const struct shard_train_config *config, struct shard__choice *ret_choice);

/* All families that can be trained with a config. */
unsigned shard__families_of(const struct shard_train_config *config);

/* Whether a table can be trained on. 0 or a code. */
int shard__table_check(const shard_table *table);

/* Takes the caller's config and checks it. */
int shard__take_train_config(const struct shard_train_config *config, struct shard_train_config *ret_config);

#endif
