/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_PLAN_H
#define SHARDRUN_LAUNCH_PLAN_H

/*
 * Works out how an attempt is launched: its command with the placeholders filled in, its environment, what its
 * container shows. Starts nothing.
 */

#include <shard/executor.h>

#include "launch/launch.h"
#include "need.h"
#include "run_options.h"
#include "work.h"

struct opened_rootfs {
    char *source; /* "" is the run's own */
    struct launch_rootfs *rootfs;
};

struct launch_planner {
    struct launch_env *env;
    const struct run_options *options;
    const struct work *work;
    struct opened_rootfs *roots;
    int root_count;
    char *burn; /* absolute path of shardrun-burn; needed for replays */
};

/*
 * Opens every root filesystem that the workflow's payloads name, and finds shardrun-burn for a replay. Blocks while an
 * image is unpacked. Returns 0, or -1 and one line.
 */
int launch_planner_prepare(struct launch_planner *planner, const shard_workflow *workflow, char **ret_problem);
void launch_planner_clear(struct launch_planner *planner);

struct launch_plan {
    struct launch_spec spec; /* points into the rest */
    char *directory;
    char *cwd;
    struct strings argv;
    struct strings env;
    struct strings bind_paths;
    struct launch_bind *binds;
    size_t bind_count;
};

/* Fills a plan in and writes what it needs below the data's directory. Returns 0, or -1 and one line. End it with
 * launch_plan_clear in both cases. */
int launch_plan_make(struct launch_plan *plan, const struct launch_planner *planner, const struct shard_start *start,
                     const struct attempt_data *data, char **ret_problem);
void launch_plan_clear(struct launch_plan *plan);

#endif
