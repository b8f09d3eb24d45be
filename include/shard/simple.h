/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SIMPLE_H
#define SHARD_SIMPLE_H

/*
 * The simple tier: one blocking call that runs a workflow with a function. For a first try, for tests, and for programs
 * whose tasks are function calls. It stands on the engine, the memory store and the policy `heft`.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/engine.h>

SHARD_BEGIN

/** A task as the function gets it. Pointers are valid during the call. */
struct shard_call {
    size_t struct_size;
    shard_task_id task; /* in the workflow */
    const char *name;
    const char *kind;
    const void *payload;
    size_t payload_bytes;
    int32_t attempt;
    int64_t unit_begin; /* of a subtask, else [0, units) */
    int64_t unit_end;
    int32_t is_merge;
};

/** Does a task. Returns 0 when it is done, anything else when it failed (task_error; it may be tried again). */
typedef int (*shard_task_fn)(void *self, const struct shard_call *call);

/** Options; all zero is the default. */
struct shard_simple_config {
    size_t struct_size;
    int32_t threads; /* 0: the function runs in the calling thread, one task at a time */
    int32_t retries; /* of a task whose function failed; 0: none; above 254 counts as 254 */
};

/**
 * Runs a workflow to its end. Dependencies are kept; with threads, what may run at a time does.
 *
 * `config` NULL means all defaults. `ret_info` may be NULL. Memory that is missing while tasks run is waited for, about
 * ten seconds; then the run is given up. Without threads, tasks that were not begun by then are not begun.
 *
 * Returns 0 when every task is done.
 * Errors: SHARD_ECANCELLED (a task failed for good: the detail names it), SHARD_EINVAL, SHARD_ENOMEM, SHARD_EIO.
 */
SHARD_API int shard_simple_run(shard_context *context, shard_workflow *workflow, shard_task_fn function, void *self,
                               const struct shard_simple_config *config, struct shard_run_info *ret_info);

SHARD_END

#endif
