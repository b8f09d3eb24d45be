/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_RESTLESS_H
#define SHARDRUN_RESTLESS_H

/*
 * The policy `restless`: least loaded, and it moves, splits and replicates tasks that run, at random. It is no use but
 * to try executors, commands and stores with; the campaign of kills runs under it.
 */

#include <shard/policy.h>

#define RESTLESS "restless"

/* End it with its destroy. Returns 0 or a negative code. */
int restless_policy(shard_context *context, struct shard_policy_handle *ret_policy);

#endif
