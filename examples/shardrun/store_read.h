/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_STORE_READ_H
#define SHARDRUN_STORE_READ_H

/* Reads runs out of a store without an engine, for the commands that only look. */

#include <shard/store.h>

/*
 * Loads a run, waiting for the answer. Returns 0 and an image that ends with `image->release(image)`, or a negative
 * code and one line.
 */
int store_read_run(const struct shard_store_handle *store, shard_context *context, const char *run,
                   enum shard_load_flags flags, struct shard_run_image **ret_image, char **ret_problem);

/* What the rows of a run add up to. Tasks without a row are ready or blocked, as an engine would find them. */
struct run_counts {
    int tasks; /* with subtasks */
    int by_state[SHARD_TASK_STATE_COUNT];
    int64_t attempts;
    int64_t failures[SHARD_OUTCOME_COUNT];
    int64_t last_ns; /* wall clock of the newest record */
};

void run_counts_read(const struct shard_run_image *image, struct run_counts *ret_counts);

/* Whether an owner "host:pid" is a process of this machine that is alive: 1, 0, or -1 when that cannot be told. */
int owner_is_alive(const char *owner);

#endif
