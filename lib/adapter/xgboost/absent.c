/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the adapter in a build without XGBoost, so that the exported functions are the same everywhere. */

#include <shard/train.h>

#include "base/error.h"

int shard_xgboost_trees(shard_context *context, const struct shard_xgboost_config *config,
                        struct shard_trees_handle *ret_trees)
{
    (void)context;
    (void)config;
    (void)ret_trees;
    shard__clear_error();
    return shard__fail(SHARD_ENOTSUP, "this build of libshard has no xgboost: trees are not trained");
}
