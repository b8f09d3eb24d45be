/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_LIFECYCLE_H
#define SHARD_RUN_LIFECYCLE_H

/* The table of lifecycle.def as code asks it. */

#include <shard/record.h>

enum shard__durability { SHARD__NOT_ALLOWED = 0, SHARD__DERIVED = 1, SHARD__DURABLE = 2, SHARD__EITHER = 3 };

/* Whether a task may go from one state to another, and whether that is written down. */
enum shard__durability shard__lifecycle(int from, int to);

static inline int shard__state_is_final(int state)
{
    return state >= SHARD_TASK_DONE;
}

#endif
