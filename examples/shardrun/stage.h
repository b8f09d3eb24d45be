/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_STAGE_H
#define SHARDRUN_STAGE_H

/* Brings a piece of data from one volume to another: a copy beside the target, then a rename. */

#include <uv.h>

#include <shard/executor.h>

#include "work.h"

/* Returns 0 and answers the token later, or a negative code. `counter` counts the copies that are under way. */
int stage_begin(uv_loop_t *loop, const struct work *work, shard_sink *sink, shard_token token,
                const struct shard_stage *stage, int *counter);

#endif
