/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_SIGNS_H
#define SHARD_PREDICT_SIGNS_H

/*
 * What signs say of failure and of slowness, learnt from the first attempt on: Bayesian regression of a few columns
 * beside what all else lets expect. Weights are normal, N(mean, covariance): of a number that is linear in them that
 * stays so (the Kalman filter), and of a probability the posterior is taken for normal again, with one Newton step (the
 * extended filter of a Bernoulli observation; Fahrmeir, JASA 1992). A weight never falls below 0: a sign is none of
 * health.
 */

enum { SHARD__SIGNS = 3 };

struct shard__signs {
    double mean[SHARD__SIGNS];
    double covariance[SHARD__SIGNS][SHARD__SIGNS];
};

void shard__signs_init(struct shard__signs *signs, const double *mean, double deviation);
/* What the signs add where the columns have these values. */
double shard__signs_sum(const struct shard__signs *signs, const double *values);
/* A failure (1) or none (0), where the columns had these values, and all else let expect this margin. */
void shard__signs_learn(struct shard__signs *signs, const double *values, double margin, double failed);
/* A number that was `over` what all else let expect, with noise of a standard deviation. */
void shard__signs_measure(struct shard__signs *signs, const double *values, double over, double deviation);

#endif
