/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_COMMITS_H
#define BENCH_COMMITS_H

/* Transitions as a busy run makes them, and a run that commits them: what the benchmarks of stores share. */

#include <shard/shard.h>

enum { MAX_BATCH = 4096 };

struct result {
    double cpu_us;     /* of a transition */
    double per_second; /* durable transitions */
};

/* The run "bench" of a workflow that is large enough, with its lease. */
struct run {
    shard_context *context;
    shard_sink *sink;
    struct shard_store_handle store;
    struct shard_answer answer;
};

void die(const char *what);
struct shard_record transition(int64_t seq);
shard_workflow *make_workflow(shard_context *context, int tasks);
void begin_run(struct run *run, shard_workflow *workflow);
void end_run(struct run *run);
/* The one answer that is awaited; an error ends the program. */
void wait_answer(struct run *run, int returned);
/* Commits `count` transitions, `batch` to a commit, of which up to `waiting` may be under way at a time. */
struct result commit_all(struct run *run, int64_t count, int32_t batch, int waiting);

#endif
