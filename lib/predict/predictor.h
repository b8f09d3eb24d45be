/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_PREDICTOR_H
#define SHARD_PREDICT_PREDICTOR_H

/* What surrounds a call of the predictor port. */

#include <shard/predictor.h>

/* Sets what is wanted to NaN. */
void shard__forecasts_forget(const struct shard_forecasts *ret, int64_t count);
/* Whether each is NaN or in its range. 0 or SHARD_EINVAL. */
int shard__forecasts_check(struct shard_predictor_handle predictor, const struct shard_forecasts *ret, int64_t count);
/* The failure of a predictor, with its own message if it left one. Returns the status. */
int shard__forecasts_failed(struct shard_predictor_handle predictor, int status);
/* The same arrays from a row on. */
struct shard_forecasts shard__forecasts_from(const struct shard_forecasts *ret, int64_t first);

#endif
