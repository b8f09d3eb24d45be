/* SPDX-License-Identifier: Apache-2.0 */
/* What executors answer, and what they fail to answer in time. An answer to what is over is refused and logged. */

#include <stdio.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

static struct shard__run *run_of(const struct shard_engine *engine, int32_t slot)
{
    const struct shard__member *member = &engine->members[engine->attempts.slots[slot].run];
    return member->phase == SHARD__PHASE_ACTIVE ? member->run : NULL;
}

static int stale(const struct shard_engine *engine, const char *what)
{
    shard__log(engine->context, SHARD_LOG_WARNING, "stale-answer", "executor '%s' told the %s of what is not under way",
               engine->executor.name, what);
    return 0;
}

static int ended(struct shard_engine *engine, const struct shard__answer *answer)
{
    int32_t slot = shard__attempts_find(&engine->attempts, answer->token);
    struct shard__run *run = slot < 0 ? NULL : run_of(engine, slot);
    if (run == NULL)
        return stale(engine, "end");
    uint8_t phase = engine->attempts.slots[slot].phase;
    if (phase == SHARD__ATTEMPT_STAGING)
        return stale(engine, "end");
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = (enum shard_outcome)answer->outcome,
                                    .exit_code = answer->code,
                                    .seconds = answer->as.ended.seconds,
                                    .cpu_seconds = (double)answer->as.ended.cpu_seconds,
                                    .max_memory_bytes = answer->as.ended.max_memory_bytes,
                                    .max_disk_bytes = answer->as.ended.max_disk_bytes,
                                    .units_done = answer->as.ended.units_done,
                                    .launch_seconds = (double)answer->as.ended.launch_seconds,
                                    .message = answer->message};
    return shard__run_attempt_ended(run, slot, &end);
}

/* An attempt of an earlier process that nobody knows: it is over, and tried again. */
static int unknown(struct shard__run *run, int32_t slot)
{
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = SHARD_OUTCOME_HOST_LOST,
                                    .message = "the executor does not know the attempt any more"};
    return shard__run_attempt_ended(run, slot, &end);
}

static int reattached(struct shard_engine *engine, const struct shard__answer *answer)
{
    int32_t slot = shard__attempts_find(&engine->attempts, answer->token);
    struct shard__run *run = slot < 0 ? NULL : run_of(engine, slot);
    if (run == NULL || engine->attempts.slots[slot].phase != SHARD__ATTEMPT_REATTACHING)
        return stale(engine, "reattachment");
    if (answer->code != SHARD_REATTACH_RUNNING)
        return unknown(run, slot);
    if (shard__events_reserve(engine, 1) < 0)
        return SHARD_ENOMEM;
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    shard__run_attempt_began(run, slot);
    struct shard__event event = {.kind = SHARD_EVENT_ATTEMPT_ADOPTED,
                                 .run = attempt->run,
                                 .task = attempt->task,
                                 .host = attempt->host,
                                 .attempt = attempt->number,
                                 .state = SHARD_TASK_RUNNING,
                                 .time_ns = engine->wall_ns};
    shard__events_add(engine, &event);
    return 0;
}

/* Progress is news, not history: when events pile up, or memory is short, it is left out. */
static void tell_progress(struct shard_engine *engine, int32_t slot)
{
    const struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (engine->event_count >= (size_t)engine->max_events / 2 || shard__events_reserve(engine, 1) < 0)
        return;
    struct shard__event event = {.kind = SHARD_EVENT_PROGRESS,
                                 .run = attempt->run,
                                 .task = attempt->task,
                                 .host = attempt->host,
                                 .attempt = attempt->number,
                                 .state = SHARD_TASK_RUNNING,
                                 .time_ns = engine->wall_ns,
                                 .seconds = (double)(engine->now_ns - attempt->started_ns) / 1e9,
                                 .units_done = attempt->units_done};
    shard__events_add(engine, &event);
}

static int progressed(struct shard_engine *engine, const struct shard__answer *answer)
{
    int32_t slot = shard__attempts_find(&engine->attempts, answer->token);
    struct shard__run *run = slot < 0 ? NULL : run_of(engine, slot);
    if (run == NULL || engine->attempts.slots[slot].phase == SHARD__ATTEMPT_STAGING) {
        /* A thread of the executor may well come too late, and often. */
        int is_known = engine->stale_progress == answer->token;
        engine->stale_progress = answer->token;
        return is_known ? 0 : stale(engine, "progress");
    }
    struct shard__attempt *attempt = &engine->attempts.slots[slot];
    int64_t begin, end, done = answer->as.units_done;
    shard__run_units(run, attempt->task, &begin, &end);
    if (done < attempt->units_done || done > end - begin) {
        if (!attempt->told_wrong_progress)
            shard__log(engine->context, SHARD_LOG_WARNING, "progress-refused",
                       "task %d says that %lld of %lld units are done, after %lld", attempt->task, (long long)done,
                       (long long)(end - begin), (long long)attempt->units_done);
        attempt->told_wrong_progress = 1;
    } else if (done > attempt->units_done) {
        attempt->units_done = done;
        tell_progress(engine, slot);
    }
    return 0;
}

static int shrunk(struct shard_engine *engine, const struct shard__answer *answer)
{
    int32_t slot = shard__attempts_find(&engine->attempts, answer->token);
    struct shard__run *run = slot < 0 ? NULL : run_of(engine, slot);
    if (run == NULL || !engine->attempts.slots[slot].is_shrinking)
        return stale(engine, "shrinking");
    return shard__run_shrunk(run, slot, answer->as.units_done);
}

static int staged(struct shard_engine *engine, const struct shard__answer *answer)
{
    int32_t slot = shard__stages_find(&engine->stages, answer->token);
    if (slot < 0)
        return stale(engine, "staging");
    const struct shard__stage stage = engine->stages.slots[slot];
    struct shard__member *member = &engine->members[stage.run];
    int is_good =
        answer->code >= 0 && member->phase == SHARD__PHASE_ACTIVE && shard__volume_is_there(&engine->cluster, stage.to);
    if (is_good && shard__data_add(member->run, stage.data, stage.to) < 0)
        return SHARD_ENOMEM;
    if (is_good)
        shard__paths_learn(&engine->cluster.paths, engine->context, stage.from, stage.to,
                           (double)member->run->workflow->data_bytes[stage.data],
                           (double)(engine->now_ns - stage.asked_ns) / 1e9);
    for (uint64_t token; (token = shard__stages_next_waiter(&engine->stages, slot)) != 0;) {
        int32_t waiter = shard__attempts_find(&engine->attempts, token);
        if (waiter < 0 || member->phase != SHARD__PHASE_ACTIVE)
            continue;
        engine->attempts.slots[waiter].staging--;
        struct shard_attempt_end end = {
            .struct_size = sizeof(end), .outcome = SHARD_OUTCOME_STAGE_ERROR, .message = answer->message};
        /* Without memory here the attempt waits for its time to be over, which is set for that. */
        int status =
            is_good ? shard__run_staged(member->run, waiter) : shard__run_attempt_ended(member->run, waiter, &end);
        if (status < 0)
            shard__attempts_set_deadline(&engine->attempts, waiter, engine->now_ns);
    }
    shard__stages_close(&engine->stages, slot);
    return 0;
}

/*
 * The tasks of a large run lie anywhere in memory. Asking for what an answer will need while the ones before it are
 * dealt with hides most of that: first where its successors are listed, then the list, then the successors.
 */
static void look_ahead(const struct shard_engine *engine)
{
    static const size_t distances[] = {15, 10, 5};
    for (int depth = 0; depth < 3; depth++) {
        size_t at = engine->batch_next + distances[depth];
        if (at >= engine->batch.count || engine->batch.answers[at].kind != SHARD__ANSWER_ENDED)
            continue;
        int32_t slot = shard__attempts_find(&engine->attempts, engine->batch.answers[at].token);
        const struct shard__run *run = slot < 0 ? NULL : run_of(engine, slot);
        if (run != NULL)
            shard__run_prefetch(run, engine->attempts.slots[slot].task, depth);
    }
}

int shard__take_answers(struct shard_engine *engine, int32_t *ret_progress)
{
    if (engine->batch_next == engine->batch.count) {
        engine->batch_next = 0;
        shard__sink_take(engine->sink, &engine->batch);
    }
    while (engine->batch_next < engine->batch.count && *ret_progress < engine->step_budget) {
        struct shard__answer *answer = &engine->batch.answers[engine->batch_next];
        look_ahead(engine);
        int status = 0;
        switch ((enum shard__answer_kind)answer->kind) {
        case SHARD__ANSWER_ENDED:
            status = ended(engine, answer);
            break;
        case SHARD__ANSWER_REATTACHED:
            status = reattached(engine, answer);
            break;
        case SHARD__ANSWER_PROGRESS:
            status = progressed(engine, answer);
            break;
        case SHARD__ANSWER_SHRUNK:
            status = shrunk(engine, answer);
            break;
        case SHARD__ANSWER_STAGED:
            status = staged(engine, answer);
            break;
        case SHARD__ANSWER_STORE:
            status = shard__call_answered(engine, answer);
            break;
        }
        if (status < 0)
            return status;
        engine->batch_next++;
        ++*ret_progress;
    }
    return 0;
}

/* The time of an attempt is over. */
static int expire(struct shard_engine *engine, struct shard__run *run, int32_t slot)
{
    struct shard__attempt *attempt = &engine->attempts.slots[slot];
    if (attempt->phase == SHARD__ATTEMPT_REATTACHING) {
        engine->executor.cancel(engine->executor_self, shard__attempts_token(&engine->attempts, slot),
                                SHARD_CANCEL_FENCED);
        return unknown(run, slot);
    }
    if (attempt->phase == SHARD__ATTEMPT_STAGING) { /* there was no memory when its data came */
        attempt->deadline_ns = INT64_MAX;
        shard__run_unplace(run, slot, SHARD_REASON_NONE);
        return 0;
    }
    if (!attempt->cancelled)
        return shard__run_cancel_attempt(run, slot, SHARD_OUTCOME_TIMEOUT);
    if (attempt->phase == SHARD__ATTEMPT_STARTED && !attempt->told_executor)
        engine->executor.cancel(engine->executor_self, shard__attempts_token(&engine->attempts, slot),
                                SHARD_CANCEL_REQUESTED);
    int32_t host = attempt->told_executor ? attempt->host : -1;
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = (enum shard_outcome)attempt->cancel_outcome,
                                    .message = "the executor did not answer"};
    int status = shard__run_attempt_ended(run, slot, &end);
    if (status < 0 || host < 0 || engine->cluster.hosts[host].state >= SHARD_HOST_LEFT)
        return status;
    char message[256];
    snprintf(message, sizeof(message), "host '%.100s' counts as lost: a cancelled attempt there does not end",
             engine->cluster.hosts[host].name);
    shard__engine_warn(engine, run->number, -1, SHARD_EHOST, "host-lost", message);
    return shard_engine_host_lost(engine, host);
}

int shard__expire_attempts(struct shard_engine *engine)
{
    struct shard__attempts *attempts = &engine->attempts;
    if (engine->now_ns < attempts->next_deadline_ns)
        return 0;
    attempts->next_deadline_ns = INT64_MAX;
    int status = 0;
    for (int32_t slot = 0; slot < attempts->count; slot++) {
        if (attempts->slots[slot].phase == SHARD__ATTEMPT_FREE)
            continue;
        struct shard__run *run = run_of(engine, slot);
        if (run != NULL && attempts->slots[slot].deadline_ns <= engine->now_ns && expire(engine, run, slot) < 0)
            status = SHARD_ENOMEM;
        /* Its end may have let others go, and its slot may be taken again: what stands there now counts. */
        if (attempts->slots[slot].phase != SHARD__ATTEMPT_FREE &&
            attempts->slots[slot].deadline_ns < attempts->next_deadline_ns)
            attempts->next_deadline_ns = attempts->slots[slot].deadline_ns;
    }
    return status;
}

/* The first attempt on a host that is of a run that acts and, when the host only leaves, not told to end; -1: none. */
static int32_t next_on(const struct shard_engine *engine, int32_t host, int lost)
{
    int32_t slot = engine->cluster.hosts[host].first_attempt;
    while (slot >= 0 && (run_of(engine, slot) == NULL || (!lost && engine->attempts.slots[slot].cancelled)))
        slot = engine->attempts.slots[slot].next_on_host;
    return slot;
}

int shard__end_attempts_on(struct shard_engine *engine, int32_t host, int lost)
{
    /* From the start each time: with one attempt others may end, those of its siblings. */
    for (int32_t slot; (slot = next_on(engine, host, lost)) >= 0;) {
        struct shard__run *run = run_of(engine, slot);
        int status;
        shard__run_set_time(run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
        if (engine->attempts.slots[slot].phase == SHARD__ATTEMPT_STAGING) {
            shard__run_unplace(run, slot, SHARD_REASON_HOST_GONE);
            status = 0;
        } else if (lost) {
            if (engine->attempts.slots[slot].phase >= SHARD__ATTEMPT_STARTED)
                engine->executor.cancel(engine->executor_self, shard__attempts_token(&engine->attempts, slot),
                                        SHARD_CANCEL_FENCED);
            struct shard_attempt_end end = {
                .struct_size = sizeof(end), .outcome = SHARD_OUTCOME_HOST_LOST, .message = "the host was lost"};
            status = shard__run_attempt_ended(run, slot, &end);
        } else {
            status = shard__run_cancel_attempt(run, slot, SHARD_OUTCOME_PREEMPTED);
        }
        if (status < 0)
            return status;
    }
    return 0;
}
