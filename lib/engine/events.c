/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of events that the application pulls. */

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

int shard__events_reserve(struct shard_engine *engine, int32_t count)
{
    size_t wanted = engine->event_count + (size_t)count;
    if (wanted <= engine->event_capacity)
        return 0;
    size_t before = engine->event_capacity, grown = before;
    if (shard__grow(engine->context, &engine->events, &grown, wanted, sizeof(*engine->events)) < 0)
        return SHARD_ENOMEM;
    /* What stood at the end of the old ring moves to the end of the new one. */
    size_t tail = before - engine->event_head;
    if (engine->event_count > tail) {
        memmove(engine->events + grown - tail, engine->events + engine->event_head, tail * sizeof(*engine->events));
        engine->event_head = grown - tail;
    }
    engine->event_capacity = grown;
    return 0;
}

void shard__events_add(struct shard_engine *engine, const struct shard__event *event)
{
    size_t at = engine->event_head + engine->event_count++;
    engine->events[at < engine->event_capacity ? at : at - engine->event_capacity] = *event;
}

void shard__engine_warn(struct shard_engine *engine, int32_t run, int32_t task, int code, const char *id,
                        const char *message)
{
    shard__log(engine->context, SHARD_LOG_WARNING, id, "%s", message);
    if (shard__events_reserve(engine, 1) < 0)
        return;
    struct shard__event event = {.kind = SHARD_EVENT_WARNING,
                                 .run = run,
                                 .task = task,
                                 .host = -1,
                                 .code = code,
                                 .time_ns = engine->wall_ns,
                                 .message = shard__strdup(engine->context, message)};
    shard__events_add(engine, &event);
}

int shard_engine_next_event(shard_engine *engine, struct shard_event *ret_event)
{
    shard__clear_error();
    if (engine->event_count == 0)
        return 0;
    const struct shard__event *event = &engine->events[engine->event_head];
    struct shard_event ours = {.struct_size = sizeof(ours),
                               .kind = (enum shard_event_kind)event->kind,
                               .run = event->run,
                               .task = event->task,
                               .host = event->host,
                               .attempt = event->attempt,
                               .state = (enum shard_task_state)event->state,
                               .outcome = (enum shard_outcome)event->outcome,
                               .run_state = (enum shard_run_state)event->run_state,
                               .reason = (enum shard_reason_code)event->reason,
                               .time_ns = event->time_ns,
                               .seconds = event->seconds,
                               .code = event->code,
                               .message = event->message,
                               .units_done = event->units_done,
                               .decision = (enum shard_decision_kind)event->decision,
                               .p_fail = event->decision == SHARD_DECIDE_NOTHING ? (double)NAN : (double)event->p_fail};
    int status = shard__give_struct(ret_event, &ours, sizeof(ours), "event");
    if (status < 0)
        return status;
    shard__strfree(engine->context, engine->told_message);
    engine->told_message = event->message;
    engine->event_head = engine->event_head + 1 == engine->event_capacity ? 0 : engine->event_head + 1;
    if (engine->event_count-- == (size_t)engine->max_events)
        shard_engine_wake(engine); /* there is room again: placing goes on */
    return 1;
}
