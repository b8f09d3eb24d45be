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

double shard__signs_sum(const struct shard__signs *signs, const double *values)
{
    double sum = 0;
    for (int i = 0; i < SHARD__SIGNS; i++)
        sum += signs->mean[i] * values[i];
    return sum;
}

/* An observation that was `surprise` off, of this precision. */
static void update(struct shard__signs *signs, const double *values, double surprise, double precision)
{
    double with[SHARD__SIGNS] = {0}, spread = 0;
    for (int i = 0; i < SHARD__SIGNS; i++) {
        for (int k = 0; k < SHARD__SIGNS; k++)
            with[i] += signs->covariance[i][k] * values[k];
        spread += with[i] * values[i];
    }
    double gain = 1 / (1 + precision * spread);
    for (int i = 0; i < SHARD__SIGNS; i++) {
        signs->mean[i] = fmax(0, signs->mean[i] + gain * precision * with[i] * surprise);
        for (int k = 0; k < SHARD__SIGNS; k++)
            signs->covariance[i][k] -= gain * precision * with[i] * with[k];
    }
}

void shard__signs_learn(struct shard__signs *signs, const double *values, double margin, double failed)
{
    double p = shard__logistic_of(margin + shard__signs_sum(signs, values));
    double curvature = fmax(p * (1 - p), least_p * (1 - least_p));
    update(signs, values, (failed - p) / curvature, curvature);
}

void shard__signs_measure(struct shard__signs *signs, const double *values, double over, double deviation)
{
    update(signs, values, over - shard__signs_sum(signs, values), 1 / (deviation * deviation));
}
