/* SPDX-License-Identifier: Apache-2.0 */
/* The world's executor: it outlives engines, as containers do, and holds each start against what must be true of it. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "world.h"

static int64_t after(const struct world *world, double seconds)
{
    return world->now_ns + (int64_t)(seconds * 1e9);
}

/* Whether an input is on a volume that the host mounts. */
static int is_there(const struct world_run *run, const struct world_host *host, int data)
{
    const unsigned char *on = &run->data_on[data * WORLD_MOST_VOLUMES];
    return on[host->volume] || (host->second_volume >= 0 && on[host->second_volume]);
}

static void check_data(const struct world *world, const struct world_run *run, const struct shard_start *start,
                       const struct world_host *host)
{
    int32_t inputs[64];
    int32_t count = shard_workflow_inputs(start->workflow, start->workflow_task, inputs, 64);
    for (int32_t i = 0; i < count && !world->edges_are_enough; i++)
        ck_assert_msg(is_there(run, host, inputs[i]), "task '%s' starts on '%s' without data %d", start->task_name,
                      host->name, inputs[i]);
}

static void check_start(struct world *world, struct world_run *run, const struct shard_start *start,
                        const struct world_host *host)
{
    struct world_task *task = world_task_of(world, run, start->task);
    ck_assert_msg(task->startable == start->attempt, "task '%s' starts as attempt %d, durable is %d", start->task_name,
                  start->attempt, task->startable);
    ck_assert_int_eq(start->epoch, run->epoch);
    ck_assert_msg(host->state == SHARD_HOST_UP, "task '%s' starts on '%s', which is %s", start->task_name, host->name,
                  shard_host_state_text(host->state));
    ck_assert_str_eq(start->boot_id, host->boot_id);
    int32_t before[64];
    int32_t count = shard_workflow_predecessors(start->workflow, start->workflow_task, before, 64);
    for (int32_t i = 0; i < count; i++)
        ck_assert_msg(run->tasks[before[i]].state == SHARD_TASK_DONE ||
                          (world->may_remake && run->tasks[before[i]].dones > 0),
                      "task '%s' starts before task %d is done", start->task_name, before[i]);
    for (int at = task->last; at >= 0; at = world->attempts[at].previous)
        ck_assert_msg(world->attempts[at].number < start->attempt, "task '%s' starts as attempt %d again",
                      start->task_name, start->attempt);
    check_data(world, run, start, host);
}

static int new_attempt(struct world *world, struct world_run *run, const struct shard_start *start, int host)
{
    if (world->attempt_count == world->attempt_capacity) {
        world->attempt_capacity = world->attempt_capacity * 2 + 64;
        world->attempts = realloc(world->attempts, sizeof(*world->attempts) * (size_t)world->attempt_capacity);
    }
    if (world->live_count == world->live_capacity) {
        world->live_capacity = world->live_capacity * 2 + 64;
        world->live = realloc(world->live, sizeof(*world->live) * (size_t)world->live_capacity);
    }
    int id = world->attempt_count++;
    struct world_task *task = &run->tasks[start->task];
    world->attempts[id] = (struct world_attempt){.engine = world->engine_number,
                                                 .run = (int)(run - world->runs),
                                                 .host = host,
                                                 .task = start->task,
                                                 .number = start->attempt,
                                                 .epoch = start->epoch,
                                                 .started_ns = world->now_ns,
                                                 .cpu = start->cpu_millicores,
                                                 .memory = start->memory_bytes,
                                                 .disk = start->disk_bytes,
                                                 .unit_begin = start->unit_begin,
                                                 .unit_end = start->unit_end,
                                                 .index = start->index,
                                                 .count = start->count,
                                                 .is_merge = start->is_merge,
                                                 .parent = start->parent,
                                                 .workflow_task = start->workflow_task,
                                                 .previous = task->last,
                                                 .before = -1,
                                                 .behind = -1};
    task->last = id;
    world->live[world->live_count++] = id;
    return id;
}

/* What an attempt takes of its host. */
static void take_room(struct world *world, const struct world_attempt *attempt)
{
    struct world_host *host = &world->hosts[attempt->host];
    ck_assert_msg(host->running < host->slots && host->cpu_used + attempt->cpu <= host->cpu &&
                      (host->memory == 0 || host->memory_used + (uint64_t)attempt->memory <= (uint64_t)host->memory),
                  "task %d is too much for '%s'", attempt->task, host->name);
    host->running++;
    host->cpu_used += attempt->cpu;
    host->memory_used += (uint64_t)attempt->memory;
}

/* Its command runs from now on. */
static void begin(struct world *world, struct world_attempt *attempt)
{
    take_room(world, attempt);
    attempt->before = -1;
    attempt->started_ns = world->now_ns;
    attempt->end_ns = attempt->plan.is_silent ? INT64_MAX : after(world, fmax(0, attempt->plan.seconds));
}

/* An attempt that has not begun. */
static int make_attempt(struct world *world, shard_token token, const struct shard_start *start)
{
    struct world_run *run = world_find_run(world, start->run);
    int host = world_find_host(world, start->host_name);
    ck_assert(run != NULL && host >= 0 && token != 0);
    check_start(world, run, start, &world->hosts[host]);
    struct world_plan plan = {0};
    if (world->plan != NULL)
        world->plan(world, start, &plan);
    if (plan.outcome == SHARD_OUTCOME_NONE)
        plan.outcome = SHARD_OUTCOME_DONE;
    if (plan.unit_seconds > 0)
        plan.seconds = plan.unit_seconds * (double)(start->unit_end - start->unit_begin);
    if (plan.seconds == 0)
        plan.seconds = 1;
    int id = new_attempt(world, run, start, host);
    world->attempts[id].token = token;
    world->attempts[id].plan = plan;
    world->attempts[id].end_ns = INT64_MAX;
    return id;
}

static int start_many(void *self, shard_sink *sink, const shard_token *tokens, const struct shard_start *starts,
                      int32_t count)
{
    struct world *world = self;
    (void)sink;
    int first = world->attempt_count;
    world->launches++;
    for (int i = 0; i < count; i++) {
        int id = make_attempt(world, tokens[i], &starts[i]);
        ck_assert_int_eq(world->attempts[id].host, world->attempts[first].host);
        ck_assert(world->attempts[id].cpu == world->attempts[first].cpu &&
                  world->attempts[id].memory == world->attempts[first].memory);
        if (id == first)
            continue;
        world->attempts[id].before = id - 1;
        world->attempts[id - 1].behind = id;
    }
    begin(world, &world->attempts[first]);
    struct world_plan plan = world->attempts[first].plan;
    if (plan.refuse < 0) {
        for (int id = first; id < first + count; id++) {
            world->attempts[id].behind = -1;
            world_end_attempt(world, id, SHARD_OUTCOME_LAUNCH_ERROR);
            world->attempts[id].is_told = 1;
        }
        return plan.refuse;
    }
    if (plan.seconds < 0 && !plan.is_silent) {
        world_end_attempt(world, first, plan.outcome);
        world_deliver_end(world, first);
    }
    return 0;
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    return start_many(self, sink, &token, start, 1);
}

/* One that runs is followed by the next in its container, or that is told that it will not begin. */
static void go_on_behind(struct world *world, const struct world_attempt *attempt)
{
    struct world_attempt *behind = attempt->behind < 0 ? NULL : &world->attempts[attempt->behind];
    if (attempt->before >= 0)
        world->attempts[attempt->before].behind = attempt->behind;
    if (behind != NULL && attempt->before >= 0) {
        behind->before = attempt->before;
    } else if (behind != NULL && attempt->outcome == SHARD_OUTCOME_DONE) {
        begin(world, behind);
    } else if (behind != NULL) {
        behind->plan.outcome = SHARD_OUTCOME_PREEMPTED;
        behind->end_ns = world->now_ns;
    }
}

/* It does not run any more; what it made is where it ran. */
void world_end_attempt(struct world *world, int id, enum shard_outcome outcome)
{
    struct world_attempt *attempt = &world->attempts[id];
    struct world_host *host = &world->hosts[attempt->host];
    struct world_run *run = &world->runs[attempt->run];
    ck_assert(!attempt->is_over);
    attempt->is_over = 1;
    attempt->outcome = outcome;
    if (outcome == SHARD_OUTCOME_DONE)
        attempt->units_did = attempt->units_kept > 0 ? attempt->units_kept : attempt->unit_end - attempt->unit_begin;
    else if (attempt->cancel_reason == SHARD_CANCEL_SPLIT)
        attempt->units_did = attempt->units_told;
    for (int i = 0; i < world->live_count; i++)
        if (world->live[i] == id)
            world->live[i--] = world->live[--world->live_count];
    if (attempt->before < 0) {
        host->running--;
        host->cpu_used -= attempt->cpu;
        host->memory_used -= (uint64_t)attempt->memory;
    }
    go_on_behind(world, attempt);
    if (outcome != SHARD_OUTCOME_DONE)
        return;
    int32_t outputs[64];
    int32_t count = shard_workflow_outputs(run->workflow, attempt->workflow_task, outputs, 64);
    for (int32_t i = 0; i < count; i++)
        run->data_on[outputs[i] * WORLD_MOST_VOLUMES + host->volume] = 1;
}

void world_deliver_end(struct world *world, int id)
{
    struct world_attempt *attempt = &world->attempts[id];
    if (attempt->engine != world->engine_number || world->engine == NULL || attempt->is_told)
        return;
    attempt->is_told = 1;
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = attempt->outcome,
                                    .exit_code = attempt->outcome == SHARD_OUTCOME_DONE ? 0 : 1,
                                    .units_done = attempt->units_did,
                                    .max_memory_bytes = attempt->plan.max_memory_bytes,
                                    .max_disk_bytes = attempt->plan.max_disk_bytes,
                                    .message = attempt->plan.message};
    for (int times = attempt->plan.is_told_twice ? 2 : 1; times > 0; times--)
        while (shard_sink_attempt_ended(world_engine_sink(world), attempt->token, &end) == SHARD_ENOMEM)
            ;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    struct world *world = self;
    for (int i = 0; i < world->live_count; i++) {
        struct world_attempt *attempt = &world->attempts[world->live[i]];
        if (attempt->token != token || attempt->engine != world->engine_number)
            continue;
        attempt->cancels++;
        attempt->cancel_reason = (int)reason;
        if (!attempt->plan.ignores_cancel && !attempt->plan.is_silent) {
            attempt->plan.outcome = SHARD_OUTCOME_CANCELLED;
            attempt->end_ns = world->now_ns;
        }
        return;
    }
}

/* A promise to do only so many units, which the attempt keeps whatever becomes of the engine. */
static int shrink(void *self, shard_sink *sink, shard_token token, int64_t units, int32_t depth)
{
    struct world *world = self;
    (void)sink;
    world->shrinks++;
    for (int i = 0; i < world->live_count; i++) {
        struct world_attempt *attempt = &world->attempts[world->live[i]];
        if (attempt->token != token || attempt->engine != world->engine_number)
            continue;
        int64_t all = attempt->units_kept > 0 ? attempt->units_kept : attempt->unit_end - attempt->unit_begin;
        ck_assert_msg(depth == attempt->depth || depth == attempt->depth + 1, "shrunk at depth %d after %d", depth,
                      attempt->depth);
        if (attempt->plan.shrink == WORLD_CANNOT_SHRINK)
            return SHARD_ENOTSUP;
        int64_t answer = SHARD_ESTATE;
        if (attempt->plan.shrink != WORLD_REFUSES_TO_SHRINK) {
            answer = units <= attempt->units_told ? attempt->units_told + 1 : units;
            if (attempt->plan.shrink == WORLD_KEEPS_ALL || answer > all)
                answer = all;
            if (answer < all) {
                attempt->units_kept = answer;
                attempt->depth = depth;
                if (attempt->plan.unit_seconds > 0 && attempt->end_ns != INT64_MAX)
                    attempt->end_ns =
                        attempt->started_ns + (int64_t)((double)answer * attempt->plan.unit_seconds * 1e9);
            }
        }
        world_pend(world, attempt->plan.shrink == WORLD_SHRINKS_LATE ? 0.7 : 0, 3, token)->epoch = answer;
        return 0;
    }
    return SHARD_ENOENT; /* it ended just now */
}

static int stage(void *self, shard_sink *sink, shard_token token, const struct shard_stage *stage)
{
    struct world *world = self;
    struct world_run *run = world_find_run(world, stage->run);
    struct world_stage_plan plan = {0};
    (void)sink;
    world->stages++;
    if (world->plan_stage != NULL)
        world->plan_stage(world, stage, &plan);
    if (plan.refuse < 0)
        return plan.refuse;
    if (plan.is_silent)
        return 0;
    struct world_pending *pending = world_pend(world, plan.seconds == 0 ? 1 : plan.seconds, 1, token);
    pending->code = plan.status;
    pending->run = (int)(run - world->runs);
    pending->data = stage->data;
    pending->volume = stage->to;
    if (plan.seconds < 0) {
        struct world_pending now = *pending;
        world->pending_count--;
        world_deliver(world, &now);
    }
    return 0;
}

static int reattach(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct world *world = self;
    struct world_run *run = world_find_run(world, start->run);
    (void)sink;
    int id = world_task_of(world, run, start->task)->last;
    while (id >= 0 && world->attempts[id].number != start->attempt)
        id = world->attempts[id].previous;
    struct world_attempt *attempt = id < 0 ? NULL : &world->attempts[id];
    enum world_reattach how = attempt == NULL ? WORLD_UNKNOWN : attempt->plan.reattach;
    if (attempt != NULL && how != WORLD_TRUTH && !attempt->is_over) {
        world_end_attempt(world, id, SHARD_OUTCOME_HOST_LOST); /* unknown: it will not run */
        attempt->is_told = 1;
    }
    if (how == WORLD_SILENT || how == WORLD_REFUSED)
        return how == WORLD_SILENT ? 0 : SHARD_EIO;
    if (how == WORLD_UNKNOWN) {
        world_pend(world, 0.001, 2, token)->code = SHARD_REATTACH_UNKNOWN;
        return 0;
    }
    attempt->token = token;
    attempt->engine = world->engine_number;
    attempt->is_told = 0;
    if (attempt->is_over)
        world_deliver_end(world, id);
    else
        world_pend(world, 0.001, 2, token)->code = SHARD_REATTACH_RUNNING;
    return 0;
}

const struct shard_executor world_executor = {.struct_size = sizeof(world_executor),
                                              .name = "world",
                                              .start = start,
                                              .cancel = cancel,
                                              .stage = stage,
                                              .reattach = reattach,
                                              .shrink = shrink,
                                              .start_many = start_many};
