/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_SIGNS_H
#define SHARD_PREDICT_SIGNS_H

/*
 * What signs say of failure, learnt from the first attempt on: Bayesian logistic regression of a few columns beside a
 * margin that is given. Weights are normal, N(mean, covariance), and after each attempt the posterior is taken for
 * normal again, with one Newton step (the extended Kalman filter of a Bernoulli observation; Fahrmeir, JASA 1992).
 * A weight never falls below 0: a sign is none of health.
 */

enum { SHARD__SIGNS = 3 };

struct shard__signs {
    double mean[SHARD__SIGNS];
    double covariance[SHARD__SIGNS][SHARD__SIGNS];
};

void shard__signs_init(struct shard__signs *signs, const double *mean, double deviation);
/* A failure (1) or none (0), where the columns had these values, and all else let expect this margin. */
void shard__signs_learn(struct shard__signs *signs, const double *values, double margin, double failed);

#endif
