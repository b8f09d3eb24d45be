/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_ORCHESTRATOR_H
#define SHARDRUN_ORCHESTRATOR_H

/*
 * Joins the engine, its ports and the loop of libuv for one run. `run` and `resume` differ only in how the run begins.
 */

#include <uv.h>

#include <shard/engine.h>

#include "catalog.h"
#include "executor.h"
#include "learner.h"
#include "monitor.h"
#include "run_options.h"
#include "show.h"
#include "work.h"

struct orchestrator {
    struct run_options *options;
    struct place place;
    struct run_place run_place;
    struct work work;
    shard_workers *workers;
    shard_context *context;
    struct shard_store_handle store;
    struct catalog catalog;
    struct shard_policy_handle policy;
    struct launch_env *env;
    struct executor executor;
    struct learner learner;
    shard_engine *engine;
    shard_volume_id *volumes; /* that the outputs of each host go to, in the order of options->hosts */
    shard_run_id run;
    uv_loop_t loop;
    bool loop_made;
    uv_poll_t engine_poll;
    uv_timer_t tick;
    uv_signal_t signals[3]; /* INT, TERM, HUP */
    struct monitor monitor;
    bool *slowed; /* hosts, in the order of options->hosts, that have been slowed as their plan says */
    struct show show;
    int interrupts; /* that came so far */
    char *held_by;  /* another process held the run when it was looked at first, in its words; NULL: none did */
    int held_ticks; /* that are left to whoever that was */
    bool started;   /* RUN_STARTED was seen */
    bool ended;
    bool resumed;
    struct run_end end;
};

/* Makes the context of a command: its log goes to stderr, its slow work to `workers`. Returns 0 or an exit code, told.
 */
int orchestrator_context(struct orchestrator *orchestrator);

/* Says where the run's data lies, once options and run_place are settled. */
void orchestrator_work(struct orchestrator *orchestrator);

/*
 * Opens store (unless it is open), launch layer, policy and engine for options->run and joins the hosts. `workflow` is
 * for what must be known before anything starts: root filesystems. Returns 0 or an exit code; the error is told.
 */
int orchestrator_open(struct orchestrator *orchestrator, const shard_workflow *workflow);

/* Begins the run: anew with a workflow, or from the store with NULL. Returns 0 or an exit code. */
int orchestrator_begin(struct orchestrator *orchestrator, shard_workflow *workflow);

/* Loops until the run has ended, shows how, writes the report. Returns the exit code. */
int orchestrator_loop(struct orchestrator *orchestrator);

/*
 * Looks for the outputs of the tasks that the store calls done, and tells the engine which are gone (somebody removed
 * them, or a power cut took them), so that they are made again. For a run that was resumed, once it has started.
 */
void orchestrator_find_lost(struct orchestrator *orchestrator);

/* Ends everything that was opened; what runs goes on. Takes one that is half made. */
void orchestrator_close(struct orchestrator *orchestrator);

#endif
