/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_CHAMPION_H
#define SHARD_CHAMPION_H

/*
 * A champion: a trained model in use, watched. For programs that forecast with models of shard_train() in an engine.
 *
 * It is a predictor over the columns of shard/history.h. Without a model it answers as the prior does. With one, p_fail
 * is the model's; seconds and evidence stay the prior's. Models may come at any time between two steps of the engine.
 *
 * Failures drift, and a model that was good may mislead. So each attempt that ends is forecast again from the row that
 * it was placed by, by model and prior, and both are scored (an attempt counts half after 200 more). The model is
 * demoted, with a warning in the log, when its bounded log loss is worse than the prior's by three standard errors, or
 * when it is out by four standard errors in how many attempts fail and the prior is out by less. The prior answers
 * then, until another model comes.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/predictor.h>
#include <shard/train.h>

SHARD_BEGIN

typedef struct shard_champion shard_champion;

/** How a champion stands. Values are frozen. */
enum shard_champion_state {
    SHARD_CHAMPION_NONE = 0,   /* there is no model: the prior answers */
    SHARD_CHAMPION_IN_USE = 1, /* the model answers */
    SHARD_CHAMPION_DEMOTED = 2 /* there is one, but the prior answers */
};

/** A champion in numbers. Scores are of the attempts since the model came, recent ones weighing more; NaN: none. */
struct shard_champion_info {
    size_t struct_size;
    enum shard_champion_state state;
    int64_t observed;      /* attempts that ended since, censored ones left out */
    double log_loss;       /* the model's; a forecast counts as at least .02 and at most .98 */
    double prior_log_loss; /* what the prior would have had */
    double mean_p_fail;    /* forecast by the model */
    double failure_rate;   /* as it was */
};

/**
 * Makes a champion without a model, for rows of the columns of `schema`; NULL: shard_history_schema().
 *
 * `schema` must outlive it, and begin with the library's columns.
 *
 * Returns 0 and the champion, which shard_champion_free() ends.
 * Errors: SHARD_EINVAL (a schema that makes no sense), SHARD_ENOMEM.
 */
SHARD_API int shard_champion_new(shard_context *context, const struct shard_schema *schema,
                                 shard_champion **ret_champion);

/**
 * Puts a model in the place of the one that is there. NULL: none. The champion owns it from then on, and begins to
 * score anew.
 *
 * The model's columns are found by their names; the rows may have more. When it fails, the model stays the caller's and
 * nothing has changed.
 *
 * Returns 0.
 * Errors: SHARD_ECONFLICT (columns that rows do not have: the message lists them), SHARD_ENOMEM.
 */
SHARD_API int shard_champion_take(shard_champion *champion, shard_model *model);

/**
 * Gives the champion as a predictor, for shard_engine_config.predictor. It lives as long as the champion; its destroy
 * is NULL.
 */
SHARD_API struct shard_predictor_handle shard_champion_predictor(shard_champion *champion);

/**
 * Describes a champion. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_champion_describe(const shard_champion *champion, struct shard_champion_info *ret_info);

/**
 * Ends a champion and its model, after the engine that asks it. NULL is fine.
 */
SHARD_API void shard_champion_free(shard_champion *champion);

SHARD_END

#endif
