/* SPDX-License-Identifier: Apache-2.0 */
/* How attempts come to the executor: those whose start has become durable, and those of an earlier process. */

#include <string.h>

#include <shard/error.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* Room for the texts of a start that are made for it. */
struct shard__texts {
    char name[SHARD_MAX_NAME_BYTES + 64 * 12];
    char part[64 * 12];
};

/* What a subtask's start has besides; `task` is the one that the attempt was started as. */
static void fill_subtask(const struct shard__run *run, int32_t task, const struct shard__extra *now,
                         struct shard__texts *texts, struct shard_start *ret_start)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    int is_merge = extra->subtask_count > 0 && !extra->is_replicated && now == extra;
    ret_start->unit_begin = now->unit_begin;
    ret_start->unit_end = now->unit_end;
    ret_start->index = extra->index;
    ret_start->is_merge = is_merge;
    ret_start->count = is_merge ? extra->subtask_count : extra->count;
    ret_start->parent = extra->parent;
    shard__run_part(run, task, texts->part, sizeof(texts->part));
    ret_start->part = texts->part;
}

static void fill_start(const struct shard_engine *engine, const struct shard__member *member, int32_t slot,
                       struct shard__texts *texts, struct shard_start *ret_start)
{
    const struct shard__run *run = member->run;
    const struct shard_workflow *workflow = run->workflow;
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    const struct shard__host *host = &engine->cluster.hosts[attempt->host];
    int32_t task = shard__run_started_as(run, attempt->task), origin = shard__run_origin(run, task);
    const struct shard__profile *profile = shard__workflow_profile(workflow, origin);
    const struct shard__extra *extra = shard__run_extra(run, attempt->task);
    *ret_start = (struct shard_start){
        .struct_size = sizeof(*ret_start),
        .run = run->name,
        .epoch = member->epoch,
        .task = task,
        .attempt = attempt->number,
        .kind = shard_workflow_kind_name(workflow, profile->kind),
        .host = attempt->host,
        .host_name = host->name,
        .boot_id = host->boot_id,
        .cpu_millicores = attempt->need.cpu_millicores,
        .memory_bytes = attempt->need.memory_bytes,
        .disk_bytes = attempt->need.disk_bytes,
        .timeout_seconds = profile->timeout_seconds,
        .unit_end = shard__workflow_units(workflow, origin),
        .units = shard__workflow_units(workflow, origin),
        .count = 1,
        .parent = -1,
        .workflow = workflow,
        .workflow_task = origin,
        .part = "",
    };
    ret_start->payload = shard__workflow_payload(workflow, origin, &ret_start->payload_bytes);
    ret_start->task_name = texts->name;
    if (task < workflow->task_count)
        ret_start->task_name = shard__workflow_task_name(workflow, task);
    else
        shard__run_task_name(run, task, texts->name, sizeof(texts->name));
    if (extra != NULL)
        fill_subtask(run, task, extra, texts, ret_start);
}

/* Ends an attempt that does not run, as the executor would have. */
static void end_unstarted(struct shard_engine *engine, int32_t slot, enum shard_outcome outcome, const char *message)
{
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = outcome, .message = message};
    shard_token token = shard__attempts_token(&engine->attempts, slot);
    if (shard_sink_attempt_ended(engine->sink, token, &end) < 0) {
        /* No memory to say so: it ends by its time, which is over. */
        engine->attempts.slots[slot].cancelled = 1;
        engine->attempts.slots[slot].cancel_outcome = (uint8_t)outcome;
        shard__attempts_set_deadline(&engine->attempts, slot, engine->now_ns);
    }
}

/* The executor has it from now on. */
static void tell_started(struct shard_engine *engine, const struct shard__member *member, int32_t slot)
{
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    shard__run_attempt_began(member->run, slot);
    struct shard__event event = {.kind = SHARD_EVENT_ATTEMPT_STARTED,
                                 .run = attempt->run,
                                 .task = attempt->task,
                                 .host = attempt->host,
                                 .attempt = attempt->number,
                                 .state = SHARD_TASK_RUNNING,
                                 .time_ns = engine->wall_ns};
    shard__events_add(engine, &event);
}

/* An executor that refused by its return value has answered with that. */
static void refused(struct shard_engine *engine, int32_t slot, int status)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    end_unstarted(engine, slot, SHARD_OUTCOME_LAUNCH_ERROR,
                  shard_error_copy(&error) == status ? error.message : shard_code_text(status));
}

static void start(struct shard_engine *engine, const struct shard__member *member, int32_t slot)
{
    struct shard__texts texts;
    struct shard_start start;
    fill_start(engine, member, slot, &texts, &start);
    tell_started(engine, member, slot);
    shard__clear_error();
    int status = engine->executor.start(engine->executor_self, engine->sink,
                                        shard__attempts_token(&engine->attempts, slot), &start);
    if (status < 0)
        refused(engine, slot, status);
}

static int may_start(const struct shard_engine *engine, int32_t slot)
{
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    return attempt->phase == SHARD__ATTEMPT_RECORDED && !attempt->cancelled &&
           engine->cluster.hosts[attempt->host].state == SHARD_HOST_UP;
}

/* The next one that is started with an attempt and runs behind it in its container; -1: none. */
static int32_t next_behind(const struct shard_engine *engine, int32_t slot)
{
    do
        slot = engine->attempts.slots[slot].behind;
    while (slot >= 0 && !may_start(engine, slot));
    return slot;
}

/* Starts an attempt and those behind it in one container; room was made for what is said of them. */
static void start_many(struct shard_engine *engine, const struct shard__member *member, int32_t first)
{
    struct shard__starts *starts = &engine->starts;
    int32_t slots[SHARD_MOST_WITH + 1], count = 0;
    for (int32_t slot = first; slot >= 0; slot = next_behind(engine, slot)) {
        fill_start(engine, member, slot, &starts->texts[count], &starts->starts[count]);
        starts->tokens[count] = shard__attempts_token(&engine->attempts, slot);
        slots[count++] = slot;
    }
    for (int32_t i = 0; i < count; i++)
        tell_started(engine, member, slots[i]);
    shard__clear_error();
    int status =
        engine->executor.start_many(engine->executor_self, engine->sink, starts->tokens, starts->starts, count);
    for (int32_t i = 0; status < 0 && i < count; i++)
        refused(engine, slots[i], status);
}

int shard__starts_reserve(struct shard_engine *engine, const struct shard__member *member)
{
    struct shard__starts *starts = &engine->starts;
    size_t count = 1;
    for (int32_t i = 0; i < member->batch_count && count <= SHARD_MOST_WITH; i++)
        count += member->batch[i].reason == SHARD_REASON_SHARES_LAUNCH;
    if (count == 1)
        return 0;
    if (shard__grow(engine->context, &starts->texts, &starts->text_capacity, count, sizeof(*starts->texts)) < 0 ||
        shard__grow(engine->context, &starts->starts, &starts->capacity, count, sizeof(*starts->starts)) < 0 ||
        shard__grow(engine->context, &starts->tokens, &starts->token_capacity, count, sizeof(*starts->tokens)) < 0)
        return SHARD_ENOMEM;
    return 0;
}

void shard__starts_free(struct shard_engine *engine)
{
    const struct shard__starts *starts = &engine->starts;
    shard__release(engine->context, starts->texts, starts->text_capacity * sizeof(*starts->texts));
    shard__release(engine->context, starts->starts, starts->capacity * sizeof(*starts->starts));
    shard__release(engine->context, starts->tokens, starts->token_capacity * sizeof(*starts->tokens));
}

void shard__start_recorded(struct shard_engine *engine, const struct shard__member *member,
                           const struct shard_record *record)
{
    int32_t slot = member->run->tasks[record->task].slot;
    if (slot < 0)
        return;
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (attempt->phase != SHARD__ATTEMPT_RECORDED || attempt->number != record->attempt)
        return; /* with one that is before it in its container, maybe */
    if (!may_start(engine, slot))
        end_unstarted(engine, slot,
                      attempt->cancelled ? (enum shard_outcome)attempt->cancel_outcome : SHARD_OUTCOME_PREEMPTED,
                      "it had not started yet");
    else if (next_behind(engine, slot) >= 0)
        start_many(engine, member, slot);
    else
        start(engine, member, slot);
}

static int reattach(struct shard_engine *engine, struct shard__member *member, int32_t slot)
{
    struct shard__texts texts;
    struct shard_start start;
    fill_start(engine, member, slot, &texts, &start);
    shard_token token = shard__attempts_token(&engine->attempts, slot);
    int status = engine->executor.reattach == NULL
                     ? SHARD_ENOTSUP
                     : engine->executor.reattach(engine->executor_self, engine->sink, token, &start);
    if (status < 0)
        status = shard_sink_reattached(engine->sink, token, SHARD_REATTACH_UNKNOWN);
    if (status == 0)
        shard__attempts_set_deadline(&engine->attempts, slot, shard__later_ns(engine->now_ns, engine->reattach_ns));
    return status;
}

int shard__reattach_all(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    for (int32_t slot = 0; slot < engine->attempts.count; slot++) {
        struct shard__attempt *attempt = &engine->attempts.slots[slot];
        if (attempt->phase != SHARD__ATTEMPT_REATTACHING || attempt->run != id || attempt->was_asked_for)
            continue;
        if (reattach(engine, member, slot) < 0)
            return SHARD_ENOMEM;
        attempt->was_asked_for = 1; /* and is not again, when memory runs out before the others are */
    }
    return 0;
}
