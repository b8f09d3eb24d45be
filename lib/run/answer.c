/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to every answer of a policy before it is looked at: numbers that no guard would refuse are brought to
 * where they do no harm. Whether the answer can be carried out is said by those who asked.
 */

#include "run.h"

/* A policy that wants to wait longer is asked again in between. */
static const double longest_wait_seconds = 3600;

void shard__run_tame(struct shard_decision *decision)
{
    int reason = (int)decision->reason;
    /* A record with the reason "keeps the attempt" is read back when a run is taken up: it is the engine's alone. */
    if (reason < 0 || reason > SHARD_REASON_LAST || reason == SHARD_REASON_KEEPS_ATTEMPT ||
        reason == SHARD_REASON_SHARES_LAUNCH)
        decision->reason = SHARD_REASON_POLICY;
    if (!(decision->wait_seconds > 0))
        decision->wait_seconds = 0;
    if (decision->wait_seconds > longest_wait_seconds)
        decision->wait_seconds = longest_wait_seconds;
    if (!(decision->p_fail >= 0 && decision->p_fail <= 1))
        decision->p_fail = NAN;
    if (!(decision->expected_seconds >= 0 && isfinite(decision->expected_seconds)))
        decision->expected_seconds = NAN;
    if (decision->memory_bytes < 0)
        decision->memory_bytes = 0;
    if (decision->disk_bytes < 0)
        decision->disk_bytes = 0;
}
