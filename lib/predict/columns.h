/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_COLUMNS_H
#define SHARD_PREDICT_COLUMNS_H

/*
 * What a table's columns are, found from their names and from the rows that are trained on, and how they become the
 * columns of a design matrix. Labels are not looked at here.
 */

#include <stdint.h>

#include "base/alloc.h"

/* Rows of a table, by number, in order of time. */
struct shard__rows {
    const float *values; /* of the table, row by row */
    int32_t columns;
    const float *labels;
    const int32_t *ids;
    int64_t count;
};

enum shard__column_form {
    SHARD__FORM_CONSTANT, /* says nothing */
    SHARD__FORM_SHARE,    /* within [0, 1], more than two values: rates, fractions */
    SHARD__FORM_FLAG,     /* within [0, 1], two values */
    SHARD__FORM_SINCE,    /* -1 stands for "never", else 0 or more: times since something */
    SHARD__FORM_AMOUNT    /* anything else */
};

struct shard__column {
    enum shard__column_form form;
    int is_rate;     /* a share of past attempts that failed */
    int is_decayed;  /* a rate that weighs recent attempts more */
    int is_relative; /* no id or counter */
    int is_clock;    /* hour, weekday ... */
    double drift;    /* Kolmogorov-Smirnov distance of its two halves in time; 0 for shares and times since */
    float largest;
};

/* Fills rows->columns of them. 0 or SHARD_ENOMEM. */
int shard__columns_profile(const shard_context *context, const struct shard__rows *rows, const char *const *names,
                           struct shard__column *ret_columns);

enum shard__operation {
    SHARD__OPERATION_PLAIN,
    SHARD__OPERATION_LOGIT, /* of a share kept within [0.001, 0.999] */
    SHARD__OPERATION_LOG,   /* sign(x) log(1 + |x|) */
    SHARD__OPERATION_NEVER, /* 1 for "never" */
    SHARD__OPERATION_SINCE, /* log(1 + x), "never" as the largest seen */
    SHARD__OPERATION_RATE   /* logit of a rate drawn a little to the base rate, so that 0 of few is not impossible */
};

/* A column of the design matrix. */
struct shard__term {
    int32_t column;
    enum shard__operation operation;
    double extra; /* SINCE: what "never" is; RATE: the base rate */
    double middle;
    double scale; /* 0: constant, the term is 0 */
    double bound; /* standardised values are kept within it */
};

enum shard__shape { SHARD__SHAPE_PLAIN, SHARD__SHAPE_SHAPED };

/* Whether a column means the same later on: it is no id or counter, and has drifted less than the limit. Trees, which
 * cannot leave the values that they have seen, need a smaller one than lines. A clock must have gone round so often
 * that both halves of the rows saw each hour alike; before, it says when something happened, not why. */
static inline int shard__column_is_steady(const struct shard__column *column, double drift_limit)
{
    static const double clock_limit = 0.05;
    return column->form != SHARD__FORM_CONSTANT && column->is_relative &&
           column->drift < (column->is_clock ? clock_limit : drift_limit);
}

/* Terms for the columns that are in the set. `ret_terms` has room for 2 * columns. Returns how many. */
int32_t shard__terms_choose(const struct shard__column *columns, int32_t count, int steady_only,
                            enum shard__shape shape, struct shard__term *ret_terms);
/* Terms of the rate columns, decayed ones alone if asked and there are any; not standardised. */
int32_t shard__terms_rates(const struct shard__column *columns, int32_t count, int decayed_only, double base_rate,
                           struct shard__term *ret_terms);
/* Sets middle and scale from rows. */
void shard__terms_standardise(struct shard__term *terms, int32_t count, const struct shard__rows *rows);
/* One row of the design matrix; NaN becomes 0, the middle. */
void shard__terms_apply(const struct shard__term *terms, int32_t count, const float *values, float *ret_row);

#endif
