/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_TRAIN_H
#define SHARD_TRAIN_H

/*
 * Learning from attempts that have ended: a table of them, measures of forecasts, and a trainer that tries several
 * kinds of model, chooses by time-ordered validation and says why.
 *
 * What never happens here: a row is trained on only if its attempt had ended when the first row that it is tested on
 * started. The trainer blocks, for seconds to minutes: call it where that does no harm, never in the engine's thread.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/forest.h>
#include <shard/predictor.h>

SHARD_BEGIN

typedef struct shard_table shard_table;

/** How a table is read. Zero is the default of each field. Strings are copied. */
struct shard_table_config {
    size_t struct_size;
    const char *time_column;    /* when the attempt started, in seconds of any clock; NULL: "t" */
    const char *end_column;     /* when it ended; empty: it has not; NULL: "te" */
    const char *label_column;   /* 1: it failed, 0: it did not, empty: censored; NULL: "y" */
    const char *const *ignored; /* columns that are left out; they may hold text */
    int32_t ignored_count;
    int32_t label_optional;     /* non-zero: for forecasts alone; no label, no times and no order of time is needed */
    int64_t max_cells;          /* features kept, 4 bytes each; 0: 33,554,432. A longer table, or one of more than
                                   524,288 rows, is thinned evenly */
    const char *seconds_column; /* how long the attempt ran; NULL, or where it is empty: from start to end, with all
                                   waiting in between */
};

/** What a table holds. Pointers live until the table is fed, cleared or freed. */
struct shard_table_info {
    size_t struct_size;
    int64_t rows_read;
    int64_t rows;    /* that are kept */
    int32_t columns; /* features */
    int32_t has_label;
    const float *values; /* row by row; NaN: not known */
    const double *starts;
    const double *ends;  /* NaN: it has not ended */
    const float *labels; /* NaN: censored */
};

/**
 * Makes an empty table.
 *
 * `config` NULL means all defaults.
 *
 * Returns 0 and the table, which shard_table_free() ends.
 * Errors: SHARD_EINVAL, SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_table_new(shard_context *context, const struct shard_table_config *config, shard_table **ret_table);

/**
 * Reads comma-separated values (RFC 4180) in pieces of any size, the first line is the header; end says that it was
 * all.
 *
 * Every column but time, end, label and those that are ignored is a feature and must hold finite numbers; empty, `nan`,
 * `na` and `null` are "not known". Rows must come in order of start. Memory is bounded by `max_cells`.
 *
 * Returns 0.
 * Errors: SHARD_EPARSE and SHARD_EINVAL (the line, the column, and what was expected), SHARD_ELIMIT (2,048 columns,
 * fields of 65,536 bytes), SHARD_ENOMEM, SHARD_ESTATE (after one of these).
 */
SHARD_API int shard_table_feed(shard_table *table, const void *bytes, size_t size);
SHARD_API int shard_table_end(shard_table *table);

/**
 * Takes rows as numbers instead of text: first the names of the features, of which nothing is kept, then row by row.
 *
 * `values` has a number for each name, the seconds column among them if there is one; NaN is "not known". `label` is as
 * shard_outcome_label() has it, `end` NaN: it has not ended. Rows come in order of start, and memory is bounded, as
 * with text; messages count the names as line 1.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (the row, the column, and what was expected), SHARD_EPARSE (a name), SHARD_ELIMIT (2,048
 * columns), SHARD_ENOMEM, SHARD_ESTATE (after one of these, or in another order).
 */
SHARD_API int shard_table_columns(shard_table *table, const char *const *names, int32_t count);
SHARD_API int shard_table_add(shard_table *table, double start, double end, int label, const float *values);

/**
 * Forgets the rows, so that a table of any length can be forecast in pieces. The header stays.
 */
SHARD_API void shard_table_clear(shard_table *table);

/**
 * Ends a table. NULL is fine.
 */
SHARD_API void shard_table_free(shard_table *table);

/**
 * Describes a table. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_table_describe(const shard_table *table, struct shard_table_info *ret_info);

/**
 * Names a feature of a table.
 *
 * Returns a string that lives as long as the table; NULL when there is no such column.
 */
SHARD_API const char *shard_table_column(const shard_table *table, int32_t column);

/** How good forecasts were. NaN: cannot be said, for lack of rows or of one of the classes. */
struct shard_score {
    size_t struct_size;
    int64_t rows;     /* that have a label */
    double base_rate; /* share that failed */
    double roc_auc;   /* chance that a failure is ranked above a success */
    double pr_auc;    /* average precision */
    double brier;     /* mean squared error of the probability */
    double log_loss;
    double ece; /* expected calibration error, ten bins of equal width */
};

/**
 * Scores forecasts. Rows whose label is NaN do not count. `ret_score->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (a forecast that is no probability), SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_score_forecasts(const shard_context *context, const double *p_fail, const float *labels,
                                    int64_t count, struct shard_score *ret_score);

/** Boosted trees to be trained: what of a port for trees. Arrays have `count` rows. */
struct shard_trees_job {
    size_t struct_size;
    const float *values; /* row by row; NaN: missing; no infinities */
    int64_t count;
    int32_t columns;
    const float *labels;
    const float *weights;     /* NULL: 1 each */
    const float *margins;     /* base margins; NULL: none */
    const int8_t *monotone;   /* of each column -1, 0 or 1; NULL: none */
    const char *const *names; /* of the columns; NULL: none */
    int64_t hold_out;         /* the last so many rows are not trained on but say when to stop; 0: none */
    int32_t patience;         /* rounds without a better loss there; 0: 20 */
    int32_t rounds;           /* at most */
    int32_t depth;            /* of a tree; 0: bounded by leaves alone */
    int32_t leaves;           /* of a tree; 0: bounded by depth alone */
    double learning_rate;     /* 0: 0.1 */
    double min_child_weight;  /* 0: 1 */
    double row_share;         /* of the rows for each tree; 0: all */
    double column_share;      /* of the columns for each tree; 0: all */
    double failure_weight;    /* of failed rows against others (class imbalance); 0: 1 */
    uint32_t seed;
    const void *continue_from; /* a model to go on with (its bytes, which have been checked); NULL: begin */
    size_t continue_bytes;
    const float *uppers; /* NULL: labels are 0 or 1. Else times are learnt, by how far their logarithms are out: each is
                            its label if its upper is the same, and longer than that if its upper is infinite */
};

/** The port for training trees. Functions return 0 or a negative code. */
struct shard_trees {
    size_t struct_size;
    const char *name;
    /** Trains and answers with an XGBoost model file in bytes, which release() frees. Blocks. */
    int (*train)(void *self, const struct shard_trees_job *job, void **ret_bytes, size_t *ret_size);
    void (*release)(void *self, void *bytes, size_t size);
    /** (optional) Ends it; called by whoever made it. */
    void (*destroy)(void *self);
};

/** A trainer of trees as others hold it. */
struct shard_trees_handle {
    const struct shard_trees *port;
    void *self;
};

/** How the XGBoost adapter trains. Zero is the default. */
struct shard_xgboost_config {
    size_t struct_size;
    int32_t threads; /* 0: 1, in the calling thread: OpenMP's threads spin and cost busy cores many times their worth */
};

/**
 * Makes a trainer of trees of XGBoost (tree_method hist), which `-Dxgboost` builds in. The first one loads libxgboost.
 *
 * Returns 0. End it with `handle.port->destroy(handle.self)`.
 * Errors: SHARD_ENOTSUP (this build or machine has no XGBoost), SHARD_EINVAL, SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_xgboost_trees(shard_context *context, const struct shard_xgboost_config *config,
                                  struct shard_trees_handle *ret_trees);

/** How to train. Zero is the default of each field. */
struct shard_train_config {
    size_t struct_size;
    struct shard_trees_handle trees; /* port NULL: no trees are tried */
    const char *candidate;           /* train this one; NULL: choose */
    uint32_t seed;
};

typedef struct shard_model shard_model;

/**
 * Trains on the rows of a table that have a label and an end, and chooses.
 *
 * Candidates: `prior` (the table's own rate columns, weighed), `linear` (logistic regressions), `trees`,
 * `prior_trees` (trees on the prior's margin) and blends of them. Each is scored on the most recent rows by models that
 * were trained before; README says how. At the end the chosen one is trained on all rows.
 *
 * Returns 0 and the model, which shard_model_free() ends.
 * Errors: SHARD_EINVAL (no rows, one class only, a candidate of that name is not there), SHARD_ENOTSUP (`candidate`
 * needs trees), SHARD_EVERSION, SHARD_ENOMEM, and what the port of trees fails with.
 */
SHARD_API int shard_train(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                          shard_model **ret_model);

/**
 * Trains trees that tell how many times the usual seconds an attempt takes, for shard_forest_predictor(); shard_train()
 * does it, too. Usual is what the columns `task_expected_seconds`, `kind_seconds`, `kind_seconds_ratio`, `host_speed`,
 * `host_seconds_ratio` and `host_evidence` of shard/history.h say; a table without the first two teaches nothing.
 *
 * Attempts that failed or were stopped are known to have taken longer. Trees are kept only if they foresaw the most
 * recent rows better than the prior did.
 *
 * Returns 0 and the trees, which shard_forest_free() ends; or NULL: the prior's seconds are as good.
 * Errors: SHARD_EINVAL (no rows), SHARD_EVERSION, SHARD_ENOMEM, and what the port of trees fails with.
 */
SHARD_API int shard_train_seconds(shard_context *context, const shard_table *table,
                                  const struct shard_train_config *config, shard_forest **ret_forest);

/**
 * Ends a model. NULL is fine.
 */
SHARD_API void shard_model_free(shard_model *model);

/** A model in numbers. Pointers live as long as the model. */
struct shard_model_info {
    size_t struct_size;
    const char *chosen;
    const struct shard_schema *schema;
    uint64_t schema_hash;
    int64_t train_rows;
    double base_rate;
    int32_t member_count; /* models whose margins are averaged */
    int32_t has_seconds;  /* trees forecast seconds, too; 0: the prior's are as good */
    int64_t later_rows;   /* on which that was found out; 0: they were too few */
    double seconds_error; /* of trees there: mean distance of the logarithm from that of what attempts took */
    double prior_seconds_error;
};

/**
 * Describes a model. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_model_describe(const shard_model *model, struct shard_model_info *ret_info);

/**
 * Says what a model is made of and why it was chosen, one fact a line.
 *
 * Returns 0 and a NUL-terminated text to be freed with shard_free().
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_model_text(shard_context *context, const shard_model *model, char **ret_text);

/**
 * Makes a predictor of a model, which must outlive it. It answers with p_fail, and says why; with seconds if it has
 * trees for them; evidence is a sixteenth of the rows that it learnt from. One thread at a time.
 *
 * Returns 0. End it with `handle.port->destroy(handle.self)`.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_model_predictor(shard_context *context, const shard_model *model,
                                    struct shard_predictor_handle *ret_predictor);

/**
 * Writes a model to bytes to be freed with shard_free(), and reads one. Bytes carry a checksum: a damaged model is
 * refused, never used.
 *
 * Returns 0.
 * Errors: SHARD_EPARSE, SHARD_ECORRUPT, SHARD_EVERSION (a newer format), SHARD_ENOMEM.
 */
SHARD_API int shard_model_to_bytes(shard_context *context, const shard_model *model, void **ret_bytes,
                                   size_t *ret_size);
SHARD_API int shard_model_from_bytes(shard_context *context, const void *bytes, size_t size, const char *source,
                                     shard_model **ret_model);

/** How a table is to be evaluated. */
struct shard_evaluate_config {
    size_t struct_size;
    double
        split; /* train on this share of the rows, from the first on, and test on the rest; 0: 0.7, prequential 0.3 */
    int32_t prequential; /* non-zero: from that row on test block by block, and learn each block before the next */
    int32_t blocks;      /* of the prequential test; 0: 10 */
    struct shard_train_config train;
};

/** What came out. Pointers live as long as the evaluation. */
struct shard_evaluation_info {
    size_t struct_size;
    int64_t rows; /* of the table as it was read */
    int64_t train_rows;
    int64_t test_rows;
    double base_rate_train;
    double base_rate_test;
    const char *chosen; /* of the last block when prequential */
    int32_t candidate_count;
    const double *p_fail; /* of the chosen one, test_rows of them */
    const float *labels;
    int32_t has_seconds;  /* trees were chosen for seconds; of the last block when prequential */
    int64_t seconds_rows; /* of the test, that are done and of which the prior told seconds; 0: no errors */
    double seconds_error; /* of what was chosen there, and of the prior, as shard_model_info has it */
    double prior_seconds_error;
};

/** One candidate's scores. */
struct shard_candidate_info {
    size_t struct_size;
    const char *name;
    double validation; /* what it was chosen by: bounded log loss on the most recent training rows; lower is better */
    struct shard_score score;
};

typedef struct shard_evaluation shard_evaluation;

/**
 * Trains on the first rows of a table and tests on the rest. The choice does not look at the rows of the test.
 *
 * Returns 0 and the evaluation, which shard_evaluation_free() ends.
 * Errors: as of shard_train().
 */
SHARD_API int shard_evaluate(shard_context *context, const shard_table *table,
                             const struct shard_evaluate_config *config, shard_evaluation **ret_evaluation);

/**
 * Ends an evaluation. NULL is fine.
 */
SHARD_API void shard_evaluation_free(shard_evaluation *evaluation);

/**
 * Describes an evaluation, or one of its candidates; number candidate_count is the chosen one, under the name "chosen".
 *
 * Returns 0.
 * Errors: SHARD_EVERSION, SHARD_ENOENT.
 */
SHARD_API int shard_evaluation_describe(const shard_evaluation *evaluation, struct shard_evaluation_info *ret_info);
SHARD_API int shard_evaluation_candidate(const shard_evaluation *evaluation, int32_t number,
                                         struct shard_candidate_info *ret_candidate);

SHARD_END

#endif
