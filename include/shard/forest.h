/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_FOREST_H
#define SHARD_FOREST_H

/*
 * The forest: boosted trees that XGBoost trained, read from its JSON or UBJSON model files and evaluated bit for bit as
 * XGBoost does (float32, trees summed in order), without XGBoost. Also the checksum beside a saved model.
 *
 * A model is checked whole before any of it is used; XGBoost's own loader crashes, hangs or predicts something else on
 * a damaged file. Read: files of XGBoost 1.7 to 3.x with the booster gbtree and the objectives binary:logistic,
 * reg:squarederror, reg:squaredlogerror and survival:aft. Refused with SHARD_ENOTSUP and a message that says so: dart,
 * gblinear, several classes or targets, vector leaves, categorical splits, other objectives, gzip, and XGBoost's old
 * binary format.
 *
 * A forest does not change once it is loaded: any number of threads may evaluate it.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/predictor.h>

SHARD_BEGIN

typedef struct shard_forest shard_forest;

/** What a margin, the sum of the leaves, means. Values are frozen. */
enum shard_objective {
    SHARD_OBJECTIVE_BINARY_LOGISTIC = 1,   /* the log-odds of failure */
    SHARD_OBJECTIVE_SQUARED_ERROR = 2,     /* the value itself */
    SHARD_OBJECTIVE_SQUARED_LOG_ERROR = 3, /* the value itself; trained on log(1 + value) */
    SHARD_OBJECTIVE_AFT = 4                /* the natural logarithm of the survival time */
};

/** What to do about the checksum that shard_model_save() writes beside a model. */
enum shard_checksum_rule {
    SHARD_CHECKSUM_IF_THERE = 0, /* checked if the file is there, so that models of other tools can be dropped in */
    SHARD_CHECKSUM_NEEDED = 1,   /* a model without one is refused */
    SHARD_CHECKSUM_IGNORED = 2
};

/** How evaluation goes. All give the same bits. */
enum shard_forest_path {
    SHARD_FOREST_PATH_BEST = 0,     /* what is fastest on this machine */
    SHARD_FOREST_PATH_PORTABLE = 1, /* what every processor of the kind can do */
    SHARD_FOREST_PATH_PLAIN = 2,    /* one node after the other, for comparison */
    SHARD_FOREST_PATH_AVX2 = 3      /* the fastest without AVX-512, which slows some processors down */
};

/** How to load a model. All zero is the default. */
struct shard_forest_options {
    size_t struct_size;
    enum shard_checksum_rule checksum; /* of shard_forest_load_file() */
    const char *digest; /* if set, the BLAKE2b-256 that the bytes must have, in hex; from a catalog, say */
    int32_t rounds;     /* use the first so many boosting rounds; 0: up to the best iteration if the model
                           says one (early stopping), else all; -1: all */
    int32_t columns;    /* refuse a model with another number of features; 0: any */
    enum shard_forest_path path;
};

/**
 * Loads a model from a file, or from bytes that `source` names in messages (may be NULL). JSON and UBJSON are told
 * apart by their first bytes.
 *
 * Returns 0 and the forest, which shard_forest_free() ends.
 * Errors: SHARD_EPARSE and SHARD_EINVAL (the message has the source, the byte or the place in the model, and what was
 * expected), SHARD_ENOTSUP (a kind of model that is not evaluated here), SHARD_ECORRUPT (checksum), SHARD_ENOENT and
 * SHARD_EIO (file, or checksum that is needed and not there), SHARD_ELIMIT, SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_forest_load_file(shard_context *context, const char *path,
                                     const struct shard_forest_options *options, shard_forest **ret_forest);
SHARD_API int shard_forest_load_buffer(shard_context *context, const void *bytes, size_t size, const char *source,
                                       const struct shard_forest_options *options, shard_forest **ret_forest);

/**
 * Ends a forest. Predictors made of it must have been destroyed before. NULL is fine.
 */
SHARD_API void shard_forest_free(shard_forest *forest);

/** A forest in numbers. Pointers live as long as the forest. */
struct shard_forest_info {
    size_t struct_size;
    enum shard_objective objective;
    int32_t feature_count;
    int32_t tree_count; /* that are evaluated: `rounds` may have left some out */
    int32_t round_count;
    int32_t max_depth;      /* edges from the root to the deepest leaf */
    int32_t max_leaves;     /* of one tree */
    int64_t node_count;     /* leaves included */
    double base_score;      /* as the file has it: a probability for binary:logistic */
    float base_margin;      /* what each sum of leaves begins with */
    int32_t best_iteration; /* -1: the model says none */
    int32_t version[3];     /* of the XGBoost that wrote it */
    int32_t has_masks;      /* non-zero: no tree has more than 64 leaves, pairs go through leaf masks */
    const char *path;       /* what evaluates pairs here: "avx512", "portable" ... */
    char digest[65];        /* BLAKE2b-256 of the bytes it was loaded from, in hex */
    size_t memory_bytes;
};

/**
 * Describes a forest. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_forest_describe(const shard_forest *forest, struct shard_forest_info *ret_info);

/**
 * Gives the name of a feature, or the value of an attribute of the model (XGBoosterSetAttr).
 *
 * Returns a string that lives as long as the forest; NULL when the model has no such feature, name or attribute.
 */
SHARD_API const char *shard_forest_feature_name(const shard_forest *forest, int32_t feature);
SHARD_API const char *shard_forest_attribute(const shard_forest *forest, const char *name);

/**
 * Evaluates rows to margins.
 *
 * Rows have at least feature_count floats; NaN is missing. Each sum begins with the row's base margin in place of the
 * model's base score where `base_margins` is not NULL. The sums are XGBoost's, bit for bit.
 *
 * Returns 0. Any thread.
 * Errors: SHARD_EINVAL (rows that do not fit), SHARD_ENOMEM.
 */
SHARD_API int shard_forest_margins(const shard_forest *forest, const struct shard_matrix *rows,
                                   const float *base_margins, float *ret_margins);

/**
 * Turns margins into what the objective predicts: probabilities, values or survival times, in place.
 *
 * Returns 0. Any thread. binary:logistic is 1 / (1 + exp(-margin)) in float32 and NaN stays NaN.
 */
SHARD_API int shard_forest_transform(const shard_forest *forest, float *values, int64_t count);

/**
 * Explains rows: what each feature adds to the margin, by tree SHAP (Lundberg, Erion and Lee 2018).
 *
 * For each row feature_count + 1 numbers, the last of which is what the model says without any feature; they add up to
 * the margin. The base margin of a row counts there as in shard_forest_margins().
 *
 * Returns 0. Any thread.
 * Errors: SHARD_EINVAL (rows that do not fit; a model without the covers of its nodes), SHARD_ENOMEM.
 */
SHARD_API int shard_forest_contributions(const shard_forest *forest, const struct shard_matrix *rows,
                                         const float *base_margins, float *ret_contributions);

typedef struct shard_forest_block shard_forest_block;

/**
 * Makes a block of rows of one side of pairs. `columns` says which feature each column of the block is.
 *
 * Rows are NaN until they are set. What is kept for a row takes 8 bytes a tree.
 *
 * Returns 0 and the block, which shard_forest_block_free() ends, before the forest.
 * Errors: SHARD_EINVAL (a side that is neither TASK nor HOST, a feature that is not there or comes twice),
 * SHARD_ENOMEM.
 */
SHARD_API int shard_forest_block_new(const shard_forest *forest, enum shard_feature_group side, const int32_t *columns,
                                     int32_t column_count, int32_t rows, shard_forest_block **ret_block);

/**
 * Sets rows of a block, from `first` on, and computes what they decide alone: in each tree, which leaves are left.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (rows that do not fit), SHARD_ENOMEM.
 */
SHARD_API int shard_forest_block_set(shard_forest_block *block, int32_t first, const struct shard_matrix *rows);

/**
 * Ends a block. NULL is fine.
 */
SHARD_API void shard_forest_block_free(shard_forest_block *block);

/**
 * Evaluates pairs of rows to margins, the same bits as shard_forest_margins() on the rows put together.
 *
 * Features in neither block are missing, unless `pairs->pair_features` has them: its columns are then the features of
 * `pair_columns`, in that order. Each sum begins with the pair's base margin where `base_margins` is not NULL.
 *
 * Returns 0. Any thread, as long as nobody sets rows of the blocks.
 * Errors: SHARD_EINVAL (blocks of another forest or of the wrong side, or a feature that comes from two places),
 * SHARD_ENOENT (a pair whose row is not there), SHARD_EVERSION, SHARD_ENOMEM.
 */
SHARD_API int shard_forest_pair_margins(const shard_forest *forest, const shard_forest_block *tasks,
                                        const shard_forest_block *hosts, const struct shard_pairs *pairs,
                                        const int32_t *pair_columns, int32_t pair_column_count,
                                        const float *base_margins, float *ret_margins);

/** A predictor made of forests. Zero is the default of each field. */
struct shard_forest_predictor_config {
    size_t struct_size;
    const shard_forest *failure;       /* needed: a binary:logistic model */
    const shard_forest *seconds;       /* of another objective; NULL: seconds are not known */
    const struct shard_schema *schema; /* needed; copied. Models that name their features must name these */
    double slope;                      /* calibration: p_fail = 1 / (1 + exp(-(slope * margin + offset))); 0: 1 */
    double offset;
    double evidence;            /* attempts that stand behind each forecast; 0: not known */
    int32_t seconds_are_ratios; /* non-zero: `seconds` tells how many times the usual an attempt takes, as the trees of
                                   shard_train_seconds() do */
};

/**
 * Makes a predictor of forests, with the two-sided form and contributions. The forests must outlive it.
 *
 * A model whose features are not the schema's is refused with the list of differences. End it with
 * `handle.port->destroy(handle.self)`.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (what is missing or of the wrong objective), SHARD_ECONFLICT (features), SHARD_EVERSION,
 * SHARD_ENOMEM.
 */
SHARD_API int shard_forest_predictor(shard_context *context, const struct shard_forest_predictor_config *config,
                                     struct shard_predictor_handle *ret_predictor);

/**
 * Saves a model with its checksum: `path`, and `path` + ".b2" in the format of b2sum(1), so that `b2sum -c` checks it.
 *
 * The bytes are read as a model first; what would be refused is not written. Each file replaces the old one at once and
 * is on disk when the call returns. A crash between the two leaves a model that is refused for its checksum.
 *
 * Returns 0.
 * Errors: as of shard_forest_load_buffer(); SHARD_EIO, SHARD_ENOSPC.
 */
SHARD_API int shard_model_save(shard_context *context, const char *path, const void *bytes, size_t size);

SHARD_END

#endif
