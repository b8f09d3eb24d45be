/* SPDX-License-Identifier: Apache-2.0 */
/* Luck: numbers drawn from keys, so that what is drawn does not depend on the order of drawing. */

#include <math.h>

#include "sim/sim.h"

uint64_t shard__sim_mix(uint64_t a, uint64_t b)
{
    uint64_t state = a ^ (b * 0x9e3779b97f4a7c15u);
    return shard__splitmix(&state);
}

double shard__sim_unit(uint64_t key)
{
    return (double)(shard__splitmix(&key) >> 11) * 0x1p-53;
}

/* Box and Muller 1958; the second number of the pair is not used. */
double shard__sim_normal(uint64_t key)
{
    double radius = 1 - shard__sim_unit(key), angle = shard__sim_unit(shard__sim_mix(key, 0x5bd1e995));
    return sqrt(-2 * log(radius)) * cos(6.283185307179586 * angle);
}

double shard__sim_exponential(struct shard__random *random, double mean)
{
    return -mean * log(1 - shard__random_unit(random));
}
