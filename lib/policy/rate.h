/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_RATE_H
#define SHARD_POLICY_RATE_H

/*
 * A failure rate that forgets: failures and attempts, each losing half of its weight in every half-life, and a Beta
 * prior of so many attempts at a rate. What is not finite or comes out of order changes nothing.
 */

#include <math.h>
#include <stdint.h>

struct shard__rate {
    float failures;
    float attempts;
    int64_t at_ns; /* what the two were last decayed to */
};

/* Decays to a time. One that is before the last leaves it as it is. */
static inline void shard__rate_decay(struct shard__rate *rate, double half_life_seconds, int64_t now_ns)
{
    if (now_ns <= rate->at_ns)
        return;
    if (rate->attempts > 0) {
        float left = (float)exp2(-(double)(now_ns - rate->at_ns) / 1e9 / half_life_seconds);
        rate->failures *= left;
        rate->attempts *= left;
    }
    rate->at_ns = now_ns;
}

/* Takes an attempt in, of which a share of 0..1 counts as failed. */
static inline void shard__rate_add(struct shard__rate *rate, double half_life_seconds, int64_t now_ns, double failed)
{
    shard__rate_decay(rate, half_life_seconds, now_ns);
    rate->attempts += 1;
    if (failed > 0)
        rate->failures += failed < 1 ? (float)failed : 1.0F;
}

/* The posterior mean. */
static inline double shard__rate_mean(const struct shard__rate *rate, double prior_p, double prior_attempts)
{
    return ((double)rate->failures + prior_p * prior_attempts) / ((double)rate->attempts + prior_attempts);
}

#endif
