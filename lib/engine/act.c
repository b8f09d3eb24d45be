/* SPDX-License-Identifier: Apache-2.0 */
/* What follows once records are durable: starts and events. And what the runs want done that needs no record. */

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* Room for the texts of a start that are made for it. */
struct texts {
    char name[SHARD_MAX_NAME_BYTES + 64 * 12];
    char part[64 * 12];
};

/* What a subtask's start has besides; `task` is the one that the attempt was started as. */
static void fill_subtask(const struct shard__run *run, int32_t task, const struct shard__extra *now,
                         struct texts *texts, struct shard_start *ret_start)
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
                       struct texts *texts, struct shard_start *ret_start)
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

static struct shard__event event_of(const struct shard_engine *engine, enum shard_event_kind kind, int32_t slot)
{
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    return (struct shard__event){.kind = (uint8_t)kind,
                                 .run = attempt->run,
                                 .task = attempt->task,
                                 .host = attempt->host,
                                 .attempt = attempt->number,
                                 .state = SHARD_TASK_RUNNING,
                                 .time_ns = engine->wall_ns};
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

static void start(struct shard_engine *engine, struct shard__member *member, int32_t slot)
{
    struct shard__attempt *attempt = &engine->attempts.slots[slot];
    struct texts texts;
    struct shard_start start;
    fill_start(engine, member, slot, &texts, &start);
    attempt->phase = SHARD__ATTEMPT_STARTED;
    attempt->started_ns = engine->now_ns;
    if (start.timeout_seconds > 0)
        shard__attempts_set_deadline(&engine->attempts, slot,
                                     shard__later_ns(engine->now_ns, shard__seconds_to_ns(start.timeout_seconds)));
    struct shard__event event = event_of(engine, SHARD_EVENT_ATTEMPT_STARTED, slot);
    shard__events_add(engine, &event);
    shard__clear_error();
    int status = engine->executor.start(engine->executor_self, engine->sink,
                                        shard__attempts_token(&engine->attempts, slot), &start);
    if (status >= 0)
        return;
    /* An executor that refused by its return value has answered with that. */
    struct shard_error error = {.struct_size = sizeof(error)};
    end_unstarted(engine, slot, SHARD_OUTCOME_LAUNCH_ERROR,
                  shard_error_copy(&error) == status ? error.message : shard_code_text(status));
}

/* A task's attempt that became durable: it starts, unless it was cancelled or its host taken out meanwhile. */
static void act_on_start(struct shard_engine *engine, struct shard__member *member, const struct shard_record *record)
{
    int32_t slot = member->run->tasks[record->task].slot;
    if (slot < 0)
        return;
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (attempt->phase != SHARD__ATTEMPT_RECORDED || attempt->number != record->attempt)
        return;
    if (!attempt->cancelled && engine->cluster.hosts[attempt->host].state == SHARD_HOST_UP)
        start(engine, member, slot);
    else
        end_unstarted(engine, slot,
                      attempt->cancelled ? (enum shard_outcome)attempt->cancel_outcome : SHARD_OUTCOME_PREEMPTED,
                      "it had not started yet");
}

/* The events of a record that are not told by the start of an attempt. Takes the detail as the message. */
static void tell(struct shard_engine *engine, int32_t id, struct shard_record *record)
{
    const struct shard__run *run = engine->members[id].run;
    struct shard__event event = {.run = id,
                                 .task = record->task,
                                 .host = record->host < 0 ? -1 : run->numbered_hosts[record->host],
                                 .attempt = record->attempt,
                                 .state = record->to,
                                 .outcome = record->outcome,
                                 .reason = record->reason,
                                 .decision = record->decision,
                                 .p_fail = record->p_fail,
                                 .time_ns = record->time_ns,
                                 .seconds = (double)record->seconds};
    if (record->outcome != SHARD_OUTCOME_NONE && record->from != SHARD_TASK_SPLIT) {
        event.kind = SHARD_EVENT_ATTEMPT_ENDED;
        memcpy(&event.message, &record->detail, sizeof(event.message));
        record->detail = NULL;
        shard__events_add(engine, &event);
        event.message = NULL;
    }
    if (record->to != SHARD_TASK_RUNNING) {
        event.kind = record->to == SHARD_TASK_DONE ? SHARD_EVENT_TASK_DONE : SHARD_EVENT_TASK_CHANGED;
        shard__events_add(engine, &event);
    }
}

static void free_detail(struct shard_engine *engine, struct shard_record *record)
{
    char *detail;
    memcpy(&detail, &record->detail, sizeof(detail));
    shard__strfree(engine->context, detail);
    record->detail = NULL;
}

int shard__act_on_batch(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    /* At most two events for each record: the end of an attempt, and what its task became. */
    if (shard__events_reserve(engine, 2 * member->batch_count) < 0)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < member->batch_count; i++) {
        struct shard_record *record = &member->batch[i];
        if (record->type == SHARD_RECORD_TASK) {
            tell(engine, id, record);
            if (record->to == SHARD_TASK_RUNNING)
                act_on_start(engine, member, record);
        }
        free_detail(engine, record);
    }
    member->batch_count = 0;
    return 0;
}

static int reattach(struct shard_engine *engine, struct shard__member *member, int32_t slot)
{
    struct texts texts;
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

static int stage(struct shard_engine *engine, int32_t slot)
{
    struct shard__stage *wanted = &engine->stages.slots[slot];
    wanted->asked_ns = engine->now_ns;
    const struct shard__member *member = &engine->members[wanted->run];
    const struct shard__volume *volumes = engine->cluster.volumes;
    struct shard_stage stage = {.struct_size = sizeof(stage),
                                .run = member->run->name,
                                .epoch = member->epoch,
                                .task = wanted->task,
                                .data = wanted->data,
                                .data_name = shard__workflow_data_name(member->run->workflow, wanted->data),
                                .bytes = member->run->workflow->data_bytes[wanted->data],
                                .from = wanted->from,
                                .from_name = wanted->from < 0 ? "" : volumes[wanted->from].name,
                                .to = wanted->to,
                                .to_name = volumes[wanted->to].name,
                                .host = wanted->host};
    shard_token token = shard__stages_token(&engine->stages, slot);
    int status = engine->executor.stage(engine->executor_self, engine->sink, token, &stage);
    return status < 0 ? shard_sink_staged(engine->sink, token, status, shard_code_text(status)) : 0;
}

/* What the executor refuses by its return value comes back as an answer. 0 or SHARD_ENOMEM. */
static int shrink(struct shard_engine *engine, int32_t slot)
{
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (!attempt->is_shrinking || attempt->phase != SHARD__ATTEMPT_STARTED)
        return 0; /* it ended meanwhile */
    const struct shard__run *run = engine->members[attempt->run].run;
    shard_token token = shard__attempts_token(&engine->attempts, slot);
    int status = engine->executor.shrink(engine->executor_self, engine->sink, token, attempt->units_kept,
                                         shard__run_depth(run, attempt->task) + 1);
    return status < 0 ? shard_sink_shrunk(engine->sink, token, status) : 0;
}

static void cancel(struct shard_engine *engine, int32_t slot)
{
    static const enum shard_cancel_reason reasons[SHARD_OUTCOME_COUNT] = {
        [SHARD_OUTCOME_TIMEOUT] = SHARD_CANCEL_TIMEOUT, [SHARD_OUTCOME_PREEMPTED] = SHARD_CANCEL_MOVED};
    struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (!attempt->cancelled ||
        (attempt->phase != SHARD__ATTEMPT_STARTED && attempt->phase != SHARD__ATTEMPT_REATTACHING))
        return; /* it ended meanwhile */
    if (!attempt->told_executor)
        engine->executor.cancel(engine->executor_self, shard__attempts_token(&engine->attempts, slot),
                                attempt->is_split ? SHARD_CANCEL_SPLIT : reasons[attempt->cancel_outcome]);
    attempt->told_executor = 1;
}

int shard__carry_out(struct shard_engine *engine)
{
    int status = 0;
    int32_t kept = 0;
    /* Ports may answer at once, but only into the sink: the list does not grow while it is walked. */
    for (int32_t i = 0; i < engine->effects.count; i++) {
        struct shard__effect *effect = &engine->effects.items[i];
        switch (effect->kind) {
        case SHARD__EFFECT_CANCEL:
            cancel(engine, effect->slot);
            break;
        case SHARD__EFFECT_STAGE:
            if (stage(engine, effect->slot) < 0) {
                /* It was refused, and there was no memory to say so: it is asked for again. */
                engine->effects.items[kept++] = *effect;
                status = SHARD_ENOMEM;
            }
            break;
        case SHARD__EFFECT_SHRINK:
            if (shrink(engine, effect->slot) < 0) {
                engine->effects.items[kept++] = *effect;
                status = SHARD_ENOMEM;
            }
            break;
        case SHARD__EFFECT_WARN:
            shard__engine_warn(engine, effect->run, effect->slot, effect->code, "run", effect->message);
            shard__strfree(engine->context, effect->message);
            break;
        }
    }
    engine->effects.count = kept;
    return status;
}
