/* SPDX-License-Identifier: Apache-2.0 */
/* What follows once records are durable: starts and events. And what the runs want done that needs no record. */

#include <string.h>

#include "base/context.h"
#include "engine/engine.h"

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
    if (shard__events_reserve(engine, 2 * member->batch_count) < 0 || shard__starts_reserve(engine, member) < 0)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < member->batch_count; i++) {
        struct shard_record *record = &member->batch[i];
        if (record->type == SHARD_RECORD_TASK) {
            tell(engine, id, record);
            if (record->to == SHARD_TASK_RUNNING)
                shard__start_recorded(engine, member, record);
        }
        free_detail(engine, record);
    }
    member->batch_count = 0;
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
