/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_RANDOM_H
#define SHARD_BASE_RANDOM_H

/* Seeded random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. Same seed, same numbers. */

#include <stdint.h>

struct shard__random {
    uint64_t state[4];
};

static inline uint64_t shard__splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void shard__random_seed(struct shard__random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = shard__splitmix(&seed);
}

static inline uint64_t shard__random_next(struct shard__random *random)
{
    uint64_t *s = random->state;
    uint64_t scaled = s[1] * 5;
    uint64_t result = ((scaled << 7) | (scaled >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Uniform in [0, 1). */
static inline double shard__random_unit(struct shard__random *random)
{
    return (double)(shard__random_next(random) >> 11) * 0x1p-53;
}

#endif
