/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_LOGISTIC_H
#define SHARD_PREDICT_LOGISTIC_H

/*
 * Logistic regression with a ridge, by Newton's method with step halving (IRLS). Knows nothing of tables: a design
 * matrix in, coefficients out. The same solver fits the linear candidate, the prior's weights and calibrations.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

enum { SHARD__LOGISTIC_MAX_COLUMNS = 4096 };

/* What is fitted: minimise sum w log(1 + exp(-+z)) + ridge/2 |coefficients - targets|^2, z = intercept + x *
 * coefficients.
 */
struct shard__logistic {
    const float *design; /* count rows of `columns` floats, all finite */
    const float *labels; /* 0 or 1 */
    const float *weights;
    int64_t count;
    int32_t columns;
    double ridge;
    const double *targets; /* what each coefficient is drawn to; NULL: 0 */
    int not_negative;      /* coefficients stay at 0 or above (active set) */
};

/* Writes columns + 1 numbers, the intercept first. 0 or SHARD_ENOMEM. */
int shard__logistic_fit(const shard_context *context, const struct shard__logistic *problem, double *ret_coefficients);

double shard__logistic_of(double margin);
/* log(p / (1 - p)), with p kept off 0 and 1 by 1e-7. */
double shard__logit(double p);

#endif
