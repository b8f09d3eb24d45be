/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_MEMBERS_H
#define SHARD_PREDICT_MEMBERS_H

/*
 * The models that the trainer knows: families of members that see the rows differently, and whose margins are averaged.
 * A bundle is one of each, trained on the same rows. Choosing between families is the trainer's.
 */

#include <shard/forest.h>
#include <shard/train.h>

#include "columns.h"

enum shard__family {
    SHARD__FAMILY_PRIOR,
    SHARD__FAMILY_LINEAR,
    SHARD__FAMILY_TREES,
    SHARD__FAMILY_PRIOR_TREES,
    SHARD__FAMILY_COUNT
};

enum { SHARD__MEMBER_COUNT = 28 };

struct shard__member_spec {
    const char *name;
    enum shard__family family;
    int narrow; /* prior: decayed rates alone; others: steady columns alone */
    enum shard__shape shape;
    double ridge;
    double half_life; /* of a row's weight, as a share of the rows; 0: all weigh alike */
    int32_t depth;
    int32_t rounds;
    int by_merit; /* prior: rates weigh by merit, not alike */
};

extern const struct shard__member_spec shard__members[SHARD__MEMBER_COUNT];

struct shard__member {
    int is_fitted;
    enum shard__family family;
    struct shard__term *terms; /* prior, linear */
    int32_t term_count;
    int32_t term_capacity;
    double *coefficients; /* term_count + 1, the intercept first */
    int32_t *columns;     /* trees: which of the table's */
    int32_t column_count;
    int32_t column_capacity;
    void *bytes; /* trees: the model file */
    size_t size;
    shard_forest *forest;
};

struct shard__bundle {
    shard_context *context;
    int32_t column_count;
    struct shard__column *columns;
    struct shard__member members[SHARD__MEMBER_COUNT];
    unsigned families; /* 1 << enum shard__family: what is fitted */
    int64_t train_rows;
    double base_rate;
};

/* What a bundle is trained on. Labels of all rows are 0 or 1. */
struct shard__lesson {
    struct shard__rows rows;
    const char *const *names;
    struct shard_trees_handle trees;
    uint32_t seed;
    unsigned families;
};

/* How much is believed of what trees add to the prior: few failures teach them little, and what they add then is mostly
 * chance. Ten weigh as much as the prior's own word (as in the rule of ten events a variable, Peduzzi and others 1996).
 */
static inline double shard__trees_say(const struct shard__bundle *bundle)
{
    static const double doubt = 10;
    double failures = bundle->base_rate * (double)bundle->train_rows;
    return failures / (failures + doubt);
}

/* Trains. On failure the bundle is to be cleared too. */
int shard__bundle_fit(shard_context *context, const struct shard__lesson *lesson, struct shard__bundle *ret_bundle);
void shard__bundle_clear(struct shard__bundle *bundle);

/* Mean margins of the families of the mask, for rows that follow each other. 0 or a code. */
int shard__bundle_margins(const struct shard__bundle *bundle, unsigned families, const float *values, int64_t stride,
                          int64_t count, double *ret_margins);

/* What each column adds to the mean margin of the families, for one row, and last what is there without any: columns +
 * 1 numbers. 0 or a code. */
int shard__bundle_contributions(const struct shard__bundle *bundle, unsigned families, const float *row, double *ret);

/* Rows as a member of trees sees them: its columns, "never" as missing. `ret` has room for count * column_count. */
void shard__member_gather(const struct shard__bundle *bundle, const struct shard__member *member, const float *values,
                          int64_t stride, int64_t count, float *ret);

/* Trains a model of trees: its bytes, which are the caller's whether or not they could be loaded, and the trees. */
int shard__grow_trees(shard_context *context, const struct shard_trees_handle *trees, const struct shard_trees_job *job,
                      void **ret_bytes, size_t *ret_size, shard_forest **ret_forest);

#endif
