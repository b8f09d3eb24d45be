/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a run in the engine: create or acquire, load, act under a lease, commit what happened, end and release.
 * One commit of a run is on its way at a time; what happens meanwhile is the next one, so that commits group by
 * themselves. A lease counts from when it was asked for, and the run is let go of before it ends.
 *
 * It is longer than 400 lines because it is one state machine, with an answer to each call of each phase.
 */

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* Placed in one go; a commit of so many records is good for any store, and fits a cache. */
enum { MOST_PLACED = 2048, MOST_RETRIES = 6 };

static const char *text_of(const struct shard__answer *answer)
{
    return answer->message == NULL ? shard_code_text(answer->code) : answer->message;
}

void shard__member_free(struct shard_engine *engine, struct shard__member *member)
{
    for (int32_t i = 0; i < member->batch_count; i++) {
        char *detail;
        memcpy(&detail, &member->batch[i].detail, sizeof(detail));
        shard__strfree(engine->context, detail);
    }
    shard__release(engine->context, member->batch, member->batch_capacity * sizeof(*member->batch));
    shard__strfree(engine->context, member->end_message);
    shard__run_free(member->run);
    *member = (struct shard__member){.phase = SHARD__PHASE_FORGOTTEN, .retry_ns = INT64_MAX};
}

/* Its attempts are nobody's any more: they run on, and whoever resumes the run reattaches them. */
static void let_go_of_attempts(struct shard_engine *engine, int32_t id)
{
    for (int32_t slot = 0; slot < engine->attempts.count; slot++)
        if (engine->attempts.slots[slot].phase != SHARD__ATTEMPT_FREE && engine->attempts.slots[slot].run == id)
            shard__attempts_close(&engine->attempts, slot);
}

/* The event of an end; what waits for it would wait for ever, so it is tried again by each step. */
static int tell_end(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    if (shard__events_reserve(engine, 1) < 0) {
        shard_engine_wake(engine);
        return SHARD_ENOMEM;
    }
    struct shard__event event = {.kind = SHARD_EVENT_RUN_ENDED,
                                 .run = id,
                                 .task = -1,
                                 .host = -1,
                                 .run_state = (uint8_t)member->end_state,
                                 .code = member->end_code,
                                 .time_ns = engine->wall_ns,
                                 .message = member->end_message};
    member->end_message = NULL;
    member->end_is_untold = 0;
    shard__events_add(engine, &event);
    return 0;
}

void shard__member_end(struct shard_engine *engine, int32_t id, enum shard_run_state state, int code,
                       const char *message)
{
    struct shard__member *member = &engine->members[id];
    let_go_of_attempts(engine, id);
    member->phase = SHARD__PHASE_ENDED;
    member->run->state = state;
    member->run->ended_ns = engine->now_ns;
    if (code < 0)
        shard__log(engine->context, SHARD_LOG_WARNING, "run-ended", "run '%s' ended %s: %s", member->run->name,
                   shard_run_state_text(state), message);
    if (message != member->end_message) {
        shard__strfree(engine->context, member->end_message);
        member->end_message = message == NULL ? NULL : shard__strdup(engine->context, message);
    }
    member->end_state = state;
    member->end_code = code;
    member->end_is_untold = tell_end(engine, id) < 0;
}

/* The event was reserved. What was running is reattached by the next step. */
static void activate(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    member->phase = SHARD__PHASE_ACTIVE;
    member->reattach_due = member->is_resume;
    member->run->started_ns = engine->now_ns;
    struct shard__event event = {
        .kind = SHARD_EVENT_RUN_STARTED, .run = id, .task = -1, .host = -1, .time_ns = engine->wall_ns};
    shard__events_add(engine, &event);
}

/* A call that may succeed later is made again after a while, longer each time. 0: it has been tried often enough. */
static int retry_later(struct shard_engine *engine, struct shard__member *member)
{
    if (member->retries >= MOST_RETRIES)
        return 0;
    member->retry_ns = engine->now_ns + (INT64_C(100000000) << member->retries++);
    return 1;
}

static int may_pass(int code)
{
    return code == SHARD_EIO || code == SHARD_ENOSPC || code == SHARD_EBUSY || code == SHARD_ENOMEM;
}

/* Before a run is active, only what was certainly not done is asked for again. */
static int asks_again(struct shard_engine *engine, struct shard__member *member, const struct shard__answer *answer)
{
    return (answer->code == SHARD_ENOMEM || answer->code == SHARD_EBUSY) && retry_later(engine, member);
}

static int created(struct shard_engine *engine, int32_t id, const struct shard__answer *answer)
{
    if (asks_again(engine, &engine->members[id], answer))
        return 0;
    if (answer->code < 0) {
        shard__member_end(engine, id, SHARD_RUN_SUSPENDED, answer->code, text_of(answer));
        return 0;
    }
    engine->members[id].phase = SHARD__PHASE_ACQUIRING;
    engine->members[id].acquire_since_ns = engine->now_ns;
    return shard__call_acquire(engine, id);
}

static int acquired(struct shard_engine *engine, int32_t id, const struct shard__answer *answer)
{
    struct shard__member *member = &engine->members[id];
    int64_t lease_twice = shard__later_ns(engine->lease_ns, engine->lease_ns);
    if (answer->code == SHARD_EHELD && (member->stands_by || engine->now_ns - member->acquire_since_ns < lease_twice)) {
        if (member->retries++ == 0)
            shard__engine_warn(engine, id, -1, SHARD_EHELD, "lease-held", text_of(answer));
        member->retry_ns = engine->now_ns + 250000000;
        return 0;
    }
    if (answer->code == SHARD_EIO && member->stands_by) {
        member->retry_ns = engine->now_ns + 1000000000;
        return 0;
    }
    if (asks_again(engine, member, answer))
        return 0;
    if (answer->code < 0) {
        shard__member_end(engine, id, SHARD_RUN_SUSPENDED, answer->code, text_of(answer));
        return 0;
    }
    if (shard__events_reserve(engine, 1) < 0)
        return SHARD_ENOMEM;
    member->retries = 0;
    member->epoch = answer->as.store.epoch;
    if (!member->is_resume) {
        activate(engine, id);
        return 0;
    }
    member->phase = SHARD__PHASE_LOADING;
    return shard__call_load(engine, id);
}

static int release_lease(struct shard_engine *engine, int32_t id)
{
    int status = shard__call_release(engine, id);
    if (status == 0)
        engine->members[id].phase = SHARD__PHASE_RELEASING;
    return status;
}

/* A run that is like the member's own before it was restored; that was not done whole for want of memory. */
static int begin_again(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    const struct shard__run *half = member->run;
    struct shard_run_spec spec = {.struct_size = sizeof(spec),
                                  .name = half->name,
                                  .keep_going = half->keep_going,
                                  .wait_for_hosts = half->wait_for_hosts,
                                  .priority = half->priority};
    struct shard__run_config config = {.context = half->context,
                                       .cluster = half->cluster,
                                       .attempts = half->attempts,
                                       .stages = half->stages,
                                       .effects = half->effects,
                                       .policy = half->policy,
                                       .forecaster = half->forecaster,
                                       .rules = half->rules,
                                       .can_stage = half->can_stage,
                                       .can_shrink = half->can_shrink,
                                       .can_start_many = half->can_start_many,
                                       .number = half->number,
                                       .spec = &spec};
    struct shard__run *run = NULL;
    int status = shard__run_new(&config, &run);
    if (status < 0)
        return status;
    let_go_of_attempts(engine, id);
    shard__run_free(member->run);
    member->run = run;
    return 0;
}

static int loaded(struct shard_engine *engine, int32_t id, struct shard__answer *answer)
{
    struct shard__member *member = &engine->members[id];
    struct shard_run_image *image = answer->as.store.image;
    if (asks_again(engine, member, answer))
        return 0;
    if (shard__events_reserve(engine, 1) < 0)
        return SHARD_ENOMEM;
    int status = answer->code;
    const char *message = text_of(answer);
    if (status >= 0 && image != NULL && image->state == SHARD_RUN_CANCELLED) {
        shard__strfree(engine->context, member->end_message);
        member->end_message = shard__strdup(engine->context, "the run was cancelled, and that is for good");
        member->end_state = SHARD_RUN_CANCELLED;
        member->end_code = SHARD_ESTATE;
        return release_lease(engine, id);
    }
    if (status >= 0 && image != NULL) {
        shard__run_set_time(member->run, engine->now_ns, engine->wall_ns);
        status = shard__run_restore(member->run, image);
        if (status == 0 && image->state == SHARD_RUN_SUSPENDED)
            status = shard__run_record_state(member->run, SHARD_RUN_ACTIVE);
        if (status == SHARD_ENOMEM && begin_again(engine, id) == 0)
            return SHARD_ENOMEM; /* the answer is dealt with again */
        message = shard__error_message();
    } else if (status >= 0) {
        status = SHARD_ECORRUPT;
        message = "the store answered a load without a run";
    }
    if (status < 0) {
        shard__member_end(engine, id, SHARD_RUN_SUSPENDED, status, message);
        return 0;
    }
    activate(engine, id);
    return 0;
}

/* After nine tenths of the lease the run is let go of. */
static int64_t lease_end_ns(const struct shard_engine *engine, const struct shard__member *member)
{
    return shard__later_ns(member->lease_sent_ns, engine->lease_ns - engine->lease_ns / 10);
}

static void lose_lease(struct shard_engine *engine, int32_t id)
{
    shard__member_end(engine, id, SHARD_RUN_FENCED, SHARD_EFENCED, "the lease ended before it could be renewed");
}

static int committed(struct shard_engine *engine, int32_t id, const struct shard__answer *answer)
{
    struct shard__member *member = &engine->members[id];
    member->commit_under_way = 0;
    if (answer->code >= 0 && engine->now_ns >= lease_end_ns(engine, member)) {
        /* The answer was there in time, but nobody looked: what it allows is another's to do by now. */
        lose_lease(engine, id);
        return 0;
    }
    if (answer->code >= 0) {
        member->retries = 0;
        return shard__act_on_batch(engine, id);
    }
    if (may_pass(answer->code) && retry_later(engine, member)) {
        shard__engine_warn(engine, id, -1, answer->code, "store-trouble", text_of(answer));
        return 0;
    }
    enum shard_run_state state = answer->code == SHARD_EFENCED ? SHARD_RUN_FENCED : SHARD_RUN_SUSPENDED;
    shard__member_end(engine, id, state, answer->code, text_of(answer));
    return 0;
}

static int renewed(struct shard_engine *engine, int32_t id, const struct shard__answer *answer)
{
    struct shard__member *member = &engine->members[id];
    if (answer->code >= 0)
        member->lease_sent_ns = member->renew_sent_ns;
    member->renew_sent_ns = 0;
    if (answer->code == SHARD_EFENCED) {
        shard__member_end(engine, id, SHARD_RUN_FENCED, answer->code, text_of(answer));
    } else if (answer->code < 0) {
        member->renew_next_ns = engine->now_ns + engine->lease_ns / 20;
        shard__engine_warn(engine, id, -1, answer->code, "store-trouble", text_of(answer));
    }
    return 0;
}

/* The store had the run, as an answer said, and now knows none of that name. It is not made again: what it had done is
 * not known any more. */
static int is_lost(const struct shard__member *member, enum shard__call_kind kind, const struct shard__answer *answer)
{
    int was_there = kind == SHARD__CALL_LOAD || kind == SHARD__CALL_RENEW || kind == SHARD__CALL_COMMIT ||
                    (kind == SHARD__CALL_ACQUIRE && !member->is_resume);
    return was_there && answer->code == SHARD_ENOENT && member->phase < SHARD__PHASE_RELEASING;
}

static void lose_run(struct shard_engine *engine, int32_t id, const struct shard__answer *answer)
{
    char message[512];
    snprintf(message, sizeof(message), "the store has lost the run, which it had acknowledged: %.400s",
             text_of(answer));
    shard__member_end(engine, id, SHARD_RUN_SUSPENDED, SHARD_ENOENT, message);
}

int shard__member_answered(struct shard_engine *engine, int32_t id, enum shard__call_kind kind,
                           struct shard__answer *answer)
{
    struct shard__member *member = &engine->members[id];
    if (is_lost(member, kind, answer)) {
        lose_run(engine, id, answer);
        return 0;
    }
    switch (kind) {
    case SHARD__CALL_CREATE:
        return created(engine, id, answer);
    case SHARD__CALL_ACQUIRE:
        return acquired(engine, id, answer);
    case SHARD__CALL_LOAD:
        return loaded(engine, id, answer);
    case SHARD__CALL_RENEW:
        return renewed(engine, id, answer);
    case SHARD__CALL_COMMIT:
        return committed(engine, id, answer);
    case SHARD__CALL_RELEASE:
        /* What cannot be released ends by its time. */
        shard__member_end(engine, id, member->end_state, member->end_code, member->end_message);
        return 0;
    case SHARD__CALL_SAMPLES:
    case SHARD__CALL_OUTCOMES:
        break;
    }
    return 0;
}

/* Gives the store what has been recorded since the last commit. */
static int commit(struct shard_engine *engine, int32_t id, int32_t *ret_progress)
{
    struct shard__member *member = &engine->members[id];
    struct shard__run *run = member->run;
    if (member->commit_under_way)
        return 0;
    if (member->batch_count > 0) { /* refused for now, or there was no memory to send it */
        if (member->retry_ns != INT64_MAX && engine->now_ns < member->retry_ns)
            return 0;
        member->retry_ns = INT64_MAX;
        return shard__call_commit(engine, id);
    }
    if (run->record_count == 0)
        return 0;
    struct shard_record *records = member->batch;
    size_t capacity = member->batch_capacity;
    member->batch = run->records;
    member->batch_capacity = run->record_capacity;
    member->batch_count = run->record_count;
    run->records = records;
    run->record_capacity = capacity;
    run->record_count = 0;
    member->operation++;
    *ret_progress += member->batch_count;
    return shard__call_commit(engine, id);
}

/* A renewal is due after a third of the lease. */
static int64_t renewal_ns(const struct shard_engine *engine, const struct shard__member *member)
{
    int64_t due_ns = shard__later_ns(member->lease_sent_ns, engine->lease_ns / 3);
    return due_ns > member->renew_next_ns ? due_ns : member->renew_next_ns;
}

/* The lease: asked for again in time, and given up before it ends. */
static int keep_lease(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    if (engine->now_ns >= lease_end_ns(engine, member)) {
        lose_lease(engine, id);
        return 0;
    }
    if (member->renew_sent_ns == 0 && engine->now_ns >= renewal_ns(engine, member))
        return shard__call_renew(engine, id);
    return 0;
}

/* The end, once nothing is on its way: recorded, committed, released. */
static int wind_up(struct shard_engine *engine, int32_t id, int32_t *ret_progress)
{
    struct shard__member *member = &engine->members[id];
    struct shard__run *run = member->run;
    if (member->phase == SHARD__PHASE_ACTIVE) {
        enum shard_run_state state = member->suspend ? SHARD_RUN_SUSPENDED : shard__run_verdict(run);
        if (state == SHARD_RUN_ACTIVE)
            return 0;
        if (shard__run_record_state(run, state) < 0)
            return SHARD_ENOMEM;
        member->end_state = state;
        member->phase = SHARD__PHASE_ENDING;
        ++*ret_progress; /* the record is to be committed */
        return 0;
    }
    if (run->record_count > 0 || member->batch_count > 0 || member->commit_under_way)
        return 0;
    return release_lease(engine, id);
}

/* What the store refused for now, before the run is active, when its time has come. */
static int ask_again(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    if (engine->now_ns < member->retry_ns)
        return 0;
    int status = member->phase == SHARD__PHASE_CREATING    ? shard__call_create(engine, id)
                 : member->phase == SHARD__PHASE_ACQUIRING ? shard__call_acquire(engine, id)
                                                           : shard__call_load(engine, id);
    if (status == 0)
        member->retry_ns = INT64_MAX;
    return status;
}

int shard__member_step(struct shard_engine *engine, int32_t id, int32_t *ret_progress)
{
    struct shard__member *member = &engine->members[id];
    struct shard__run *run = member->run;
    if (member->phase < SHARD__PHASE_ACTIVE)
        return ask_again(engine, id);
    if (member->end_is_untold)
        return tell_end(engine, id);
    if (member->phase != SHARD__PHASE_ACTIVE && member->phase != SHARD__PHASE_ENDING)
        return 0;
    shard__run_set_time(run, engine->now_ns, engine->wall_ns);
    int status = keep_lease(engine, id);
    if (status < 0 || member->phase == SHARD__PHASE_ENDED)
        return status;
    if (member->reattach_due) {
        status = shard__reattach_all(engine, id);
        if (status < 0)
            return status;
        member->reattach_due = 0;
    }
    if (member->phase == SHARD__PHASE_ACTIVE) {
        status = shard__run_advance(run);
        if (status == 0)
            status = shard__run_review(run);
        if (status == 0 && !member->suspend && engine->event_count < (size_t)engine->max_events)
            status = shard__run_place(run, MOST_PLACED);
        if (status < 0)
            return status;
        *ret_progress += status;
    }
    status = commit(engine, id, ret_progress);
    return status < 0 ? status : wind_up(engine, id, ret_progress);
}

int64_t shard__member_next_ns(const struct shard_engine *engine, const struct shard__member *member)
{
    if (member->phase < SHARD__PHASE_ACTIVE)
        return member->retry_ns;
    if (member->phase != SHARD__PHASE_ACTIVE && member->phase != SHARD__PHASE_ENDING)
        return INT64_MAX;
    int64_t next = shard__run_next_ns(member->run);
    int64_t lease = lease_end_ns(engine, member);
    if (member->renew_sent_ns == 0 && renewal_ns(engine, member) < lease)
        lease = renewal_ns(engine, member);
    if (lease < next)
        next = lease;
    return member->retry_ns < next ? member->retry_ns : next;
}
