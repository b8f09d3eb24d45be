/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_TALLY_H
#define SHARDRUN_TALLY_H

/* Counts what events tell, per host and in all, for the progress line and the summary. Prints nothing. */

#include <shard/engine.h>

struct host_tally {
    int64_t ended[SHARD_OUTCOME_COUNT]; /* attempts, by how they ended */
    int64_t attempts;
    double busy_seconds; /* of attempts, added up */
    int running;
};

struct tally {
    struct host_tally *hosts; /* by shard_host_id */
    int host_count;
    double work_seconds;      /* expected, of all tasks */
    double work_done_seconds; /* of those that are done */
    double work_before;       /* done before this process began */
    double mean_seconds;      /* what a task counts whose seconds are not known */
    int64_t adopted;
};

void tally_init(struct tally *tally, int host_count);
void tally_clear(struct tally *tally);
/* The workflow is known, and `run` says what was done before; call it once the run has started. */
void tally_begin(struct tally *tally, const shard_engine *engine, shard_run_id run, const shard_workflow *workflow);
void tally_event(struct tally *tally, const shard_workflow *workflow, const struct shard_event *event);
/* Seconds that are probably left; NaN: not known yet. */
double tally_seconds_left(const struct tally *tally, double elapsed);
int tally_busy_hosts(const struct tally *tally);

#endif
