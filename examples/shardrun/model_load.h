/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_MODEL_LOAD_H
#define SHARDRUN_MODEL_LOAD_H

/* Models that `shardrun train` wrote, for the commands that use them. */

#include <shard/train.h>

/* Returns CLI_DONE and the model, or an exit code after a message. */
int model_load(shard_context *context, const char *path, shard_model **ret_model);

#endif
