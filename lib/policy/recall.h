/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_RECALL_H
#define SHARD_POLICY_RECALL_H

/*
 * What a predictor answered last about each host, for some groups of tasks, so that a full host, which is only what a
 * task might wait for, need not be asked about again and again.
 */

#include <stdint.h>

#include <shard/shard.h>

/* Of one host and one group of tasks. */
struct shard__recalled {
    int32_t group;
    uint32_t sort; /* of tasks within the group; 0: there is no answer */
    int64_t at_ns;
    double p_fail, evidence;
    double slowness; /* of seconds, against what was expected without the predictor; NaN: not known */
};

enum { SHARD__RECALL_GROUPS = 16 }; /* of each host; another one takes its place by the group's last bits */

struct shard__recall {
    shard_context *context;
    struct shard__recalled *answers; /* SHARD__RECALL_GROUPS for each host */
    size_t capacity;
    int32_t host_count;
};

/* NULL: not known. */
const struct shard__recalled *shard__recall_find(const struct shard__recall *recall, int32_t host, int32_t group);
/* Without memory it is not kept. */
void shard__recall_keep(struct shard__recall *recall, int32_t host, const struct shard__recalled *answer);
void shard__recall_free(struct shard__recall *recall);

#endif
