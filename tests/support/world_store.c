/* SPDX-License-Identifier: Apache-2.0 */
/* The world's store: the memory store, whose answers come when and as the scenario says; and what it learns from them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "world.h"

/* What the memory store answered in the call just made; it answers before it returns. */
static void take_answer(struct world *world, int status, struct shard_answer *answer)
{
    *answer = (struct shard_answer){.struct_size = sizeof(*answer), .status = status};
    if (status >= 0) {
        ck_assert_int_eq(shard_sink_wait(world->memory_sink, 0, answer), 1);
        return;
    }
    struct shard_error error = {.struct_size = sizeof(error)};
    if (shard_error_copy(&error) == status)
        snprintf(answer->message, sizeof(answer->message), "%.200s", error.message);
}

/* Gives the answer the fate that the scenario wants. */
static int answer(struct world *world, shard_token token, const struct world_fate *fate, struct shard_answer *given,
                  int run, int32_t (*starts)[2], int start_count)
{
    int code = fate->code < 0 ? fate->code : given->status;
    if (fate->code < 0 && given->image != NULL) {
        given->image->release(given->image);
        given->image = NULL;
    }
    if (fate->is_refused) {
        free(starts);
        return code;
    }
    for (int times = fate->is_twice ? 2 : 1; times > 0 && !fate->is_lost; times--) {
        struct world_pending *pending = world_pend(world, fate->seconds, 0, token);
        pending->code = code;
        pending->run = run;
        pending->epoch = given->epoch;
        if (times == 1) {
            pending->image = given->image;
            pending->starts = starts;
            pending->start_count = code < 0 ? 0 : start_count;
            given->image = NULL;
            starts = NULL;
        }
        snprintf(pending->message, sizeof(pending->message), "%.100s",
                 code < 0 && given->message[0] == '\0' ? "the store is told to fail" : given->message);
        if (fate->seconds <= 0) {
            struct world_pending now = *pending;
            world->pending_count--;
            world_deliver(world, &now);
        }
    }
    free(starts);
    if (given->image != NULL)
        given->image->release(given->image);
    return 0;
}

static struct world_fate fate_of(struct world *world, enum world_call call)
{
    struct world_fate fate = {0};
    world->calls[call]++;
    if (world->plan_store != NULL)
        world->plan_store(world, call, &fate);
    return fate;
}

static int create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_CREATE);
    struct shard_answer given = {.struct_size = sizeof(given)};
    (void)sink;
    if (!fate.is_undone)
        take_answer(world, world->memory.port->create(world->memory.self, world->memory_sink, 1, create), &given);
    return answer(world, token, &fate, &given, -1, NULL, 0);
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *name, const char *owner,
                   int64_t lease_ms)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_ACQUIRE);
    struct shard_answer given = {.struct_size = sizeof(given)};
    (void)sink;
    if (!fate.is_undone)
        take_answer(world,
                    world->memory.port->acquire(world->memory.self, world->memory_sink, 1, name, owner, lease_ms),
                    &given);
    if (given.status >= 0 && !fate.is_undone) {
        struct world_run *run = world_find_run(world, name);
        ck_assert_msg(run == NULL || given.epoch > run->epoch, "epoch %lld after %lld", (long long)given.epoch,
                      (long long)run->epoch);
        if (run != NULL)
            run->epoch = given.epoch;
    }
    return answer(world, token, &fate, &given, -1, NULL, 0);
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch, int64_t lease_ms)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_RENEW);
    struct shard_answer given = {.struct_size = sizeof(given)};
    (void)sink;
    if (!fate.is_undone)
        take_answer(world, world->memory.port->renew(world->memory.self, world->memory_sink, 1, name, epoch, lease_ms),
                    &given);
    return answer(world, token, &fate, &given, -1, NULL, 0);
}

static int release(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_RELEASE);
    struct shard_answer given = {.struct_size = sizeof(given)};
    (void)sink;
    if (!fate.is_undone)
        take_answer(world, world->memory.port->release(world->memory.self, world->memory_sink, 1, name, epoch), &given);
    return answer(world, token, &fate, &given, -1, NULL, 0);
}

/* Who is done has done the units that it was for, no more and no less. */
static void check_units(struct world *world, struct world_run *run, const struct shard_record *record)
{
    const struct world_attempt *attempt = world_attempt_of(world, run, record->task, record->attempt);
    if (record->to != SHARD_TASK_DONE || record->from == SHARD_TASK_SPLIT || record->parent < 0 || attempt == NULL)
        return;
    ck_assert_msg(
        attempt->unit_begin == record->unit_begin && attempt->unit_begin + attempt->units_did == record->unit_end,
        "task %d has units %lld to %lld, attempt %d did %lld from %lld", record->task, (long long)record->unit_begin,
        (long long)record->unit_end, attempt->number, (long long)attempt->units_did, (long long)attempt->unit_begin);
}

/* A record that is in the store now, for the first time. */
static void learn(struct world *world, struct world_run *run, const struct shard_record *record)
{
    if (record->type == SHARD_RECORD_RUN)
        run->state = record->to;
    if (record->type != SHARD_RECORD_TASK)
        return;
    struct world_task *task = world_task_of(world, run, record->task);
    ck_assert_msg(record->attempt >= task->attempt, "task %d: attempt %d after %d", record->task, record->attempt,
                  task->attempt);
    ck_assert_msg(record->to != SHARD_TASK_RUNNING || record->reason == SHARD_REASON_KEEPS_ATTEMPT ||
                      record->attempt == task->attempt + 1,
                  "task %d runs as attempt %d after %d", record->task, record->attempt, task->attempt);
    world->seen[record->from][record->to] = 1;
    if (record->from == SHARD_TASK_NONE) {
        task->parent = record->parent;
        task->unit_begin = record->unit_begin;
        task->unit_end = record->unit_end;
    }
    check_units(world, run, record);
    if (record->to == SHARD_TASK_DONE)
        task->dones++;
    if (record->from == SHARD_TASK_DONE)
        task->remakes++;
    ck_assert_msg(task->dones <= task->remakes + 1, "task %d is done %d times", record->task, task->dones);
    ck_assert_msg(world->may_remake || task->remakes == 0, "task %d is made again", record->task);
    task->state = record->to;
    task->attempt = record->attempt;
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *commit)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_COMMIT);
    struct shard_answer given = {.struct_size = sizeof(given)};
    struct world_run *run = world_find_run(world, commit->run);
    int32_t(*starts)[2] = NULL;
    int start_count = 0;
    (void)sink;
    int is_again = commit->operation == run->operation && commit->epoch == run->operation_epoch;
    world->resent += is_again;
    run->is_performed &= is_again;
    run->operation = commit->operation;
    run->operation_epoch = commit->epoch;
    if (!fate.is_undone)
        take_answer(world, world->memory.port->commit(world->memory.self, world->memory_sink, 1, commit), &given);
    if (!fate.is_undone && given.status >= 0) {
        starts = malloc(sizeof(*starts) * (size_t)(commit->record_count + 1));
        for (int32_t i = 0; i < commit->record_count; i++) {
            const struct shard_record *record = &commit->records[i];
            if (!run->is_performed)
                learn(world, run, record);
            if (record->type == SHARD_RECORD_TASK && record->to == SHARD_TASK_RUNNING &&
                record->reason != SHARD_REASON_KEEPS_ATTEMPT) {
                starts[start_count][0] = record->task;
                starts[start_count++][1] = record->attempt;
            }
        }
        run->is_performed = 1;
    }
    return answer(world, token, &fate, &given, (int)(run - world->runs), starts, start_count);
}

static int load(void *self, shard_sink *sink, shard_token token, const char *name, enum shard_load_flags flags)
{
    struct world *world = self;
    struct world_fate fate = fate_of(world, WORLD_LOAD);
    struct shard_answer given = {.struct_size = sizeof(given)};
    (void)sink;
    if (!fate.is_undone)
        take_answer(world, world->memory.port->load(world->memory.self, world->memory_sink, 1, name, flags), &given);
    return answer(world, token, &fate, &given, -1, NULL, 0);
}

static int list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    struct world *world = self;
    return world->memory.port->list(world->memory.self, each, each_self);
}

static void close_store(void *self)
{
    (void)self;
}

const struct shard_store world_store = {.struct_size = sizeof(world_store),
                                        .name = "world",
                                        .create = create,
                                        .acquire = acquire,
                                        .renew = renew,
                                        .release = release,
                                        .commit = commit,
                                        .load = load,
                                        .list = list,
                                        .close = close_store};
