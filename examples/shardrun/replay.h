/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_REPLAY_H
#define SHARDRUN_REPLAY_H

/*
 * Acts out workflows whose programs are not here. Each task becomes a process that burns the recorded CPU time, holds
 * the recorded memory, reads its inputs and writes outputs of the recorded sizes. Times and sizes are scaled once,
 * before the run begins, by making a scaled workflow out of the recorded one; that is what the run, its store and a
 * later `resume` know. Scale 0 keeps the shape alone: no burning, no memory, files of one byte.
 */

#include <shard/executor.h>
#include <shard/workflow.h>

#include "need.h"
#include "payload.h"
#include "run_options.h"
#include "work.h"

/*
 * Makes the scaled workflow. `free_bytes` is what the disk of the run has left: all files together get at most a
 * quarter of it, and at most 1 GiB. Returns 0, or -1 and one line (a task that recorded more memory than any host has).
 */
int replay_scale(shard_context *context, const shard_workflow *recorded, const struct run_options *options,
                 int64_t free_bytes, shard_workflow **ret_scaled, char **ret_problem);

/* Makes the files that no task makes, in the common volume. Returns 0, or -1 and one line. */
int replay_make_inputs(const struct work *work, const shard_workflow *workflow, char **ret_problem);

/* Finds shardrun-burn beside this program or in its libexec directory. NULL and one line when it is not there. */
char *replay_find_burn(char **ret_problem);

/*
 * The command of one attempt: writes its orders below the attempt's data directory and names them to shardrun-burn. A
 * part does its share of what was recorded; a merge step reads what the parts wrote, and writes as much as was
 * recorded.
 */
int replay_plan(const char *burn, const struct payload *payload, const struct shard_start *start,
                const struct attempt_data *data, struct strings *argv, char **ret_problem);

#endif
