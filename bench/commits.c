/* SPDX-License-Identifier: Apache-2.0 */
#include "commits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum { LAG = 64 };

void die(const char *what)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    fprintf(stderr, "store: %s: %s\n", what, error.message);
    exit(1);
}

/* Tasks become ready, run and end, LAG tasks behind each other, as in a run that keeps its hosts busy. */
struct shard_record transition(int64_t seq)
{
    int64_t task = (seq - 1) / 3;
    int phase = (int)((seq - 1) % 3);
    task -= (int64_t)phase * LAG;
    struct shard_record record = {.seq = seq,
                                  .time_ns = INT64_C(1790000000000000000) + seq * 12345,
                                  .type = task < 0 ? SHARD_RECORD_RUN : SHARD_RECORD_TASK,
                                  .task = task < 0 ? -1 : (shard_task_id)task,
                                  .host = phase == 0 || task < 0 ? -1 : (shard_host_id)(task % 100),
                                  .attempt = phase > 0,
                                  .version = (uint32_t)phase,
                                  .p_fail = NAN,
                                  .parent = -1};
    if (task < 0)
        return record;
    record.from = phase == 0 ? SHARD_TASK_NONE : phase == 1 ? SHARD_TASK_READY : SHARD_TASK_RUNNING;
    record.to = phase == 0 ? SHARD_TASK_READY : phase == 1 ? SHARD_TASK_RUNNING : SHARD_TASK_DONE;
    record.reason = phase == 0 ? SHARD_REASON_PREDECESSORS_DONE : phase == 1 ? SHARD_REASON_EARLIEST_FINISH : 0;
    record.decision = phase == 1 ? SHARD_DECIDE_START : 0;
    record.value = phase == 1 ? 12.5F : 0;
    record.outcome = phase == 2 ? SHARD_OUTCOME_DONE : 0;
    record.seconds = phase == 2 ? 12.25F : 0;
    return record;
}

shard_workflow *make_workflow(shard_context *context, int tasks)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    if (shard_builder_new(context, "bench", &builder) < 0)
        die("builder");
    for (int i = 0; i < tasks; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec)};
        if (shard_builder_add_task(builder, &spec) < 0)
            die("task");
    }
    if (shard_builder_seal(builder, &workflow) < 0)
        die("seal");
    shard_builder_free(builder);
    return workflow;
}

void wait_answer(struct run *run, int returned)
{
    run->answer.struct_size = sizeof(run->answer);
    if (returned < 0 || shard_store_wait(&run->store, run->sink, -1, &run->answer) != 1 || run->answer.status < 0)
        die(returned < 0 ? "call" : run->answer.message);
}

void begin_run(struct run *run, shard_workflow *workflow)
{
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "bench", .workflow = workflow};
    if (shard_sink_new(run->context, &run->sink) < 0)
        die("sink");
    wait_answer(run, run->store.port->create(run->store.self, run->sink, 1, &create));
    wait_answer(run, run->store.port->acquire(run->store.self, run->sink, 1, "bench", "bench", 1000000));
}

void end_run(struct run *run)
{
    run->store.port->close(run->store.self);
    shard_sink_free(run->sink);
}

struct result commit_all(struct run *run, int64_t count, int32_t batch, int waiting)
{
    static struct shard_record records[MAX_BATCH];
    int64_t seq = 0, answered = 0;
    double cpu = bench_cpu_ns(), wall = bench_wall_ns();
    while (answered < count) {
        while (seq < count && seq - answered < (int64_t)batch * waiting) {
            for (int32_t i = 0; i < batch; i++)
                records[i] = transition(++seq);
            struct shard_commit commit = {.struct_size = sizeof(commit),
                                          .run = "bench",
                                          .epoch = 1,
                                          .operation = (uint64_t)seq,
                                          .records = records,
                                          .record_count = batch};
            if (run->store.port->commit(run->store.self, run->sink, 1, &commit) < 0)
                die("commit");
        }
        wait_answer(run, 0);
        answered += batch;
    }
    cpu = bench_cpu_ns() - cpu;
    wall = bench_wall_ns() - wall;
    return (struct result){.cpu_us = cpu / 1000 / (double)count, .per_second = (double)count / (wall / 1e9)};
}
