/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICTOR_H
#define SHARD_PREDICTOR_H

/*
 * The predictor port: how likely a task is to fail on a host, and how long it takes there. For authors of predictors,
 * and for programs that ask one; forest.h evaluates XGBoost models behind this port.
 *
 * A predictor is given a matrix of features, one row for each (task, host), and answers for all of its rows. Not known
 * is an answer: NaN, in features and forecasts alike. It computes and touches nothing else; all calls come from one
 * thread at a time.
 *
 * A call is to take microseconds for a row: an engine's step waits for it, and cannot end it. There is no form of the
 * port that answers later: a forecast is wanted when a task is about to be placed, and by then the host has changed.
 * So an engine leaves a slow predictor alone for 99 times what it took, and asks the prior (see
 * shard_engine_config.predictor). One that asks a service, or may hang, answers NaN for what it does not know yet, and
 * works that out in a thread or process of its own.
 *
 * A scheduler asks about many pairs of few tasks and few hosts. The two-sided form is for that: a block holds rows of
 * one side, what a row alone decides is computed when it is set, and a pair of rows then costs little. A predictor
 * without the two-sided form serves too: shard_predict_pairs() puts the rows together for it.
 *
 * Order of calls: block_new, then block_set for rows of the block as often as they change, predict_pairs with a block
 * of each side, block_free before destroy. The other functions come at any time before destroy.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/context.h>

SHARD_BEGIN

/** What a column describes. Values are frozen: models keep them. */
enum shard_feature_group {
    SHARD_FEATURE_TASK = 0, /* the task alone: expected seconds, attempt number, its kind's history */
    SHARD_FEATURE_HOST = 1, /* the host alone: load, pressure, failure rates */
    SHARD_FEATURE_PAIR = 2  /* the two together: this kind on this host, request against what is free */
};

/** How a column may be used. Values are frozen. */
enum shard_feature_role {
    SHARD_FEATURE_VALUE = 0, /* a quantity */
    SHARD_FEATURE_KEY = 1 /* an identity (kind, host, user) as a whole number below 2^24: to count by, not to compare */
};

/** A column. Frozen: this struct does not grow. */
struct shard_feature {
    const char *name; /* unique in its schema; no white space, none of "[]<>" (XGBoost's rule) */
    enum shard_feature_group group;
    enum shard_feature_role role;
    int32_t monotone; /* 1: p_fail may only rise with it, -1: only fall, 0: free */
};

/** The columns of a matrix, in order. */
struct shard_schema {
    size_t struct_size;
    const struct shard_feature *features;
    int32_t feature_count;
};

/**
 * Checks a schema: names that are there, unique and of XGBoost's form, groups, roles and signs that exist.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (which column and why), SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_schema_check(const shard_context *context, const struct shard_schema *schema);

/**
 * Hashes a schema: count, names, groups, roles and signs, in order. The same on every machine and in every version.
 *
 * Returns 64 bits (the first of a BLAKE2b-256). The schema must be one that shard_schema_check() takes.
 */
SHARD_API uint64_t shard_schema_hash(const struct shard_schema *schema);

/**
 * Compares the schema that a model was made for with the one that rows come in.
 *
 * Returns 0 when they are the same.
 * Errors: SHARD_ECONFLICT; the message lists the differences: columns that are missing, unknown, elsewhere, or of
 * another group, role or sign.
 */
SHARD_API int shard_schema_compare(const struct shard_schema *model, const struct shard_schema *given);

/** A block of floats, row by row; NaN is "not known". Frozen. */
struct shard_matrix {
    const float *values;
    int64_t rows;
    int64_t stride; /* floats from one row to the next; 0: as many as there are columns */
};

/** Where forecasts go: for each row or pair one number. What is NULL is not wanted. Frozen. */
struct shard_forecasts {
    double *p_fail;   /* 0..1 */
    double *seconds;  /* of the attempt if it does not fail, 0 or more */
    double *evidence; /* attempts' worth of history behind p_fail: as if it were a rate seen in so many. Who picks the
                         best of many forecasts picks the luckiest errors, and corrects for it by this */
};

/** A pair that is wanted: a row of the task block and a row of the host block. Frozen. */
struct shard_pair {
    int32_t task;
    int32_t host;
};

/** Pairs as they are asked for. */
struct shard_pairs {
    size_t struct_size;
    const struct shard_pair *wanted;   /* NULL: every task with every host, task by task */
    int64_t count;                     /* of `wanted`, and of the rows of `pair_features` */
    struct shard_matrix pair_features; /* columns of the group PAIR in the schema's order, one row for each pair; values
                                          NULL when there are no such columns: they are NaN then */
};

/** How an attempt ended, for predictors that learn as they go. */
struct shard_observation {
    size_t struct_size;
    const float *row; /* as it was when the attempt started */
    double failed;    /* 1, 0, or NaN: censored (cancelled, moved, preempted), not to be learnt as either */
    double seconds;   /* how long it ran */
    int64_t start_ns; /* wall clock */
    int64_t end_ns;
};

/** The port. Functions marked (optional) may be NULL. Functions return 0 or a negative code. */
struct shard_predictor {
    size_t struct_size;
    const char *name;
    /** (optional) The columns that rows must have; NULL: any. Lives as long as the predictor. */
    const struct shard_schema *(*schema)(void *self);
    /** Forecasts for each row. `columns` is how many floats of a row count. What is not known is set to NaN. */
    int (*predict)(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret);
    /**
     * (optional, these four together) The two-sided form. A block has `rows` rows of the columns of one group, TASK or
     * HOST, in the schema's order, all NaN at first; block_set replaces some of them, from `first` on.
     */
    int (*block_new)(void *self, enum shard_feature_group side, int32_t rows, void **ret_block);
    int (*block_set)(void *self, void *block, int32_t first, const struct shard_matrix *rows);
    void (*block_free)(void *self, void *block);
    int (*predict_pairs)(void *self, const void *task_block, const void *host_block, const struct shard_pairs *pairs,
                         const struct shard_forecasts *ret);
    /**
     * (optional) Why: what each column adds to the log-odds of failure for one row, and last what the model says
     * without any. `ret_contributions` has room for columns + 1.
     */
    int (*contributions)(void *self, const float *row, int32_t columns, double *ret_contributions);
    /** (optional) An attempt has ended. Never comes before the forecast that the attempt stood on; does not come
        while a predictor that was slow is left alone. */
    void (*observe)(void *self, const struct shard_observation *observation);
    /** (optional) Ends the predictor; called by whoever made it, never by who asks it. */
    void (*destroy)(void *self);
};

/** A predictor as others hold it: table and self. */
struct shard_predictor_handle {
    const struct shard_predictor *port;
    void *self;
};

/**
 * Asks a predictor, and checks what it answers: this is how the library calls the port.
 *
 * Arrays of `ret` have room for each row, and are set to NaN where the predictor does not set them. When it fails or
 * answers out of range, they hold nothing of use.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (columns or rows that do not fit, or an answer that is no probability, no time or no count: the
 * message names the predictor, the row and the value), and what the predictor fails with.
 */
SHARD_API int shard_predict(struct shard_predictor_handle predictor, const struct shard_matrix *rows, int32_t columns,
                            const struct shard_forecasts *ret);

/**
 * Asks a predictor about pairs of a task and a host, through its two-sided form, or row by row if it has none.
 *
 * `tasks` and `hosts` have the columns of their group of `schema`, in its order. For blocks that are used again, call
 * the port's functions: they keep what was computed for a row.
 *
 * Returns 0.
 * Errors: as of shard_predict(); also SHARD_ENOMEM, SHARD_ENOENT (a pair whose row is not there).
 */
SHARD_API int shard_predict_pairs(shard_context *context, struct shard_predictor_handle predictor,
                                  const struct shard_schema *schema, const struct shard_matrix *tasks,
                                  const struct shard_matrix *hosts, const struct shard_pairs *pairs,
                                  const struct shard_forecasts *ret);

/**
 * Asks a predictor why: what each column adds to the log-odds of failure for one row.
 *
 * `ret_contributions` has room for columns + 1 numbers; the last is what the predictor says without any column. They
 * add up to the log-odds of its forecast. For trees these are the SHAP values that XGBoost has too.
 *
 * Returns 0.
 * Errors: SHARD_ENOTSUP (it does not say), SHARD_EINVAL (another number of columns), and what the predictor fails with.
 */
SHARD_API int shard_contributions(struct shard_predictor_handle predictor, const float *row, int32_t columns,
                                  double *ret_contributions);

/**
 * Renders contributions as text, one a line, the largest first: at most `most` columns by name with their values, what
 * the others add, what is there whatever the columns say, and the sum with the probability that it is.
 *
 * Returns 0 and a NUL-terminated text to be freed with shard_free().
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_contributions_text(shard_context *context, const struct shard_schema *schema, const float *row,
                                       const double *contributions, int32_t most, char **ret_text);

SHARD_END

#endif
