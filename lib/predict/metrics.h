/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_METRICS_H
#define SHARD_PREDICT_METRICS_H

/* How good forecasts were: the measures of shard/train.h, on arrays. */

#include <shard/train.h>

#include "base/alloc.h"

enum { SHARD__RELIABILITY_BINS = 10 };

/* Rows whose label is NaN do not count. 0 or SHARD_ENOMEM. */
int shard__score(const shard_context *context, const double *p_fail, const float *labels, int64_t count,
                 struct shard_score *ret_score);

/* Mean log loss with forecasts kept within [floor, 1 - floor]: no single row costs more than -log(floor). */
double shard__bounded_log_loss(const double *p_fail, const float *labels, int64_t count, double floor);

#endif
