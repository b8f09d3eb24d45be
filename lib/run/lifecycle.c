/* SPDX-License-Identifier: Apache-2.0 */
/* The table of lifecycle.def as a matrix. */

#include "lifecycle.h"

enum { DERIVED = SHARD__DERIVED, DURABLE = SHARD__DURABLE, EITHER = SHARD__EITHER };

enum shard__durability shard__lifecycle(int from, int to)
{
#define SHARD_TRANSITION(from_state, to_state, durability, text) \
    [SHARD_TASK_##from_state][SHARD_TASK_##to_state] = (durability),
    static const unsigned char table[SHARD_TASK_STATE_COUNT][SHARD_TASK_STATE_COUNT] = {
#include "lifecycle.def"
    };
#undef SHARD_TRANSITION
    return (enum shard__durability)table[from][to];
}
