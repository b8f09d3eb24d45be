/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_EXPLAIN_FORECAST_H
#define SHARDRUN_EXPLAIN_FORECAST_H

/* What `shardrun explain` says of the forecasts that a task's attempts stood on. */

#include <shard/store.h>

#include "place.h"

/* Prints it, nothing when the store keeps no rows of the task. Returns 0 or an exit code, told. */
int explain_forecasts(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                      const char *run, shard_task_id task);

#endif
