/* SPDX-License-Identifier: Apache-2.0 */
/* The recursion: from one normal posterior to the next. */

#include "signs.h"

#include <math.h>

#include "logistic.h"

/* Curvature is never taken for less than at this probability: one surprise must not turn a weight over. */
static const double least_p = 0.05;

void shard__signs_init(struct shard__signs *signs, const double *mean, double deviation)
{
    *signs = (struct shard__signs){0};
    for (int i = 0; i < SHARD__SIGNS; i++) {
        signs->mean[i] = mean[i];
        signs->covariance[i][i] = deviation * deviation;
    }
}

void shard__signs_learn(struct shard__signs *signs, const double *values, double margin, double failed)
{
    double with[SHARD__SIGNS] = {0}, spread = 0;
    for (int i = 0; i < SHARD__SIGNS; i++) {
        margin += signs->mean[i] * values[i];
        for (int k = 0; k < SHARD__SIGNS; k++)
            with[i] += signs->covariance[i][k] * values[k];
        spread += with[i] * values[i];
    }
    double p = shard__logistic_of(margin);
    double curvature = fmax(p * (1 - p), least_p * (1 - least_p));
    double gain = 1 / (1 + curvature * spread);
    for (int i = 0; i < SHARD__SIGNS; i++) {
        signs->mean[i] = fmax(0, signs->mean[i] + gain * with[i] * (failed - p));
        for (int k = 0; k < SHARD__SIGNS; k++)
            signs->covariance[i][k] -= gain * curvature * with[i] * with[k];
    }
}
