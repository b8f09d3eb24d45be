/* SPDX-License-Identifier: Apache-2.0 */
/* No peer: StarPU was not found. */

#include "engine_peer.h"

#include <math.h>

const char *bench_peer_name(void)
{
    return "none (StarPU was not found when this was built)";
}

double bench_peer_ns(int32_t tasks, double *ret_bytes)
{
    (void)tasks;
    *ret_bytes = NAN;
    return NAN;
}
