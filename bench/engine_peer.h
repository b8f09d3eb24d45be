/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_ENGINE_PEER_H
#define BENCH_ENGINE_PEER_H

/* The DAG of bench/engine, and the peer that runs it. */

#include <stdint.h>

/*
 * The k-th (0..2) predecessor of task i: three tasks out of the 5,000 before it, by a fixed hash; below 0: none. Tasks
 * are in topological order, about 5,000 are ready at a time at least, and neighbours in the graph are not in memory.
 */
static inline int32_t bench_predecessor(int32_t i, int k)
{
    uint64_t x = ((uint64_t)(uint32_t)i * 3 + (uint64_t)k + 1) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return i - 5000 - (int32_t)(x % 5000);
}

/* "StarPU 1.3 ...", or that it was not there when this was built. */
const char *bench_peer_name(void);

/* CPU ns a task for declaring and running the DAG, NaN without a peer; bytes a task that the process grew by. */
double bench_peer_ns(int32_t tasks, double *ret_bytes);

#endif
