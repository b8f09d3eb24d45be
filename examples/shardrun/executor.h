/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_EXECUTOR_H
#define SHARDRUN_EXECUTOR_H

/*
 * The executor port of shardrun over the launch layer: containers and plain processes share everything but how their
 * command is wrapped (launch_plan.h). All of it happens in the thread of the loop.
 */

#include <uv.h>

#include <shard/executor.h>

#include "epoch.h"
#include "launch_plan.h"
#include "work.h"

struct attempt; /* one that runs */

struct executor {
    uv_loop_t *loop;
    struct launch_env *env;
    struct launch_planner planner;
    const struct work *work;
    struct epoch_file epoch;
    int64_t epoch_number; /* of the run, as the engine last named it */
    char boot_id[40];
    struct attempt *attempts;
    int attempt_count;
    int stage_count;
    uv_timer_t timer; /* looks for progress */
    bool has_timer;
};

extern const struct shard_executor executor_port; /* its self is a struct executor */

/* How many attempts run now. */
int executor_running(const struct executor *executor);

/* Lets go of the attempts that still run; they go on, and can be adopted. The loop must run once more afterwards. */
void executor_let_go(struct executor *executor);

#endif
