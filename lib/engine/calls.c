/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the store: their tokens, and the way back of their answers. */

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* A token for a call, or 0 when there is no memory. */
static shard_token open_call(struct shard_engine *engine, int32_t member, enum shard__call_kind kind)
{
    int32_t slot = engine->first_free_call;
    uint32_t generation = 1;
    if (slot >= 0) {
        engine->first_free_call = engine->calls[slot].next_free;
        generation = engine->calls[slot].generation;
    } else {
        if (shard__grow(engine->context, &engine->calls, &engine->call_capacity, (size_t)engine->call_count + 1,
                        sizeof(*engine->calls)) < 0)
            return 0;
        slot = engine->call_count++;
    }
    engine->calls[slot] = (struct shard__call){generation, member, kind, -1};
    return (shard_token)generation << 32 | (uint32_t)slot;
}

static void close_call(struct shard_engine *engine, int32_t slot)
{
    struct shard__call *call = &engine->calls[slot];
    call->member = -1;
    call->generation = call->generation == UINT32_MAX ? 1 : call->generation + 1;
    call->next_free = engine->first_free_call;
    engine->first_free_call = slot;
}

/* A store that refused by its return value has answered with that. */
static int returned(struct shard_engine *engine, shard_token token, int status)
{
    if (status >= 0)
        return 0;
    struct shard_error error = {.struct_size = sizeof(error)};
    const char *message = shard_error_copy(&error) == status ? error.message : shard_code_text(status);
    int told = shard_sink_store_answered(engine->sink, token, status, 0, NULL, message);
    if (told < 0)
        close_call(engine, (int32_t)(uint32_t)token);
    return told;
}

int shard__call_create(struct shard_engine *engine, int32_t id)
{
    shard_token token = open_call(engine, id, SHARD__CALL_CREATE);
    if (token == 0)
        return SHARD_ENOMEM;
    const struct shard__run *run = engine->members[id].run;
    struct shard_store_create create = {
        .struct_size = sizeof(create),
        .run = run->name,
        .workflow = run->workflow,
        /* The first call comes before the first step, which is what sets the engine's own clock. */
        .time_ns = shard__wall_ns(engine->context)};
    return returned(engine, token, engine->store.create(engine->store_self, engine->sink, token, &create));
}

int shard__call_acquire(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    shard_token token = open_call(engine, id, SHARD__CALL_ACQUIRE);
    if (token == 0)
        return SHARD_ENOMEM;
    member->lease_sent_ns = shard__now_ns(engine->context);
    return returned(engine, token,
                    engine->store.acquire(engine->store_self, engine->sink, token, member->run->name, engine->owner,
                                          engine->lease_ns / 1000000));
}

int shard__call_load(struct shard_engine *engine, int32_t id)
{
    shard_token token = open_call(engine, id, SHARD__CALL_LOAD);
    if (token == 0)
        return SHARD_ENOMEM;
    return returned(
        engine, token,
        engine->store.load(engine->store_self, engine->sink, token, engine->members[id].run->name, SHARD_LOAD_STATE));
}

int shard__call_renew(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    shard_token token = open_call(engine, id, SHARD__CALL_RENEW);
    if (token == 0)
        return SHARD_ENOMEM;
    member->renew_sent_ns = shard__now_ns(engine->context);
    int status = returned(engine, token,
                          engine->store.renew(engine->store_self, engine->sink, token, member->run->name, member->epoch,
                                              engine->lease_ns / 1000000));
    if (status < 0)
        member->renew_sent_ns = 0;
    return status;
}

int shard__call_commit(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    shard_token token = open_call(engine, id, SHARD__CALL_COMMIT);
    if (token == 0)
        return SHARD_ENOMEM;
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = member->run->name,
                                  .epoch = member->epoch,
                                  .operation = member->operation,
                                  .records = member->batch,
                                  .record_count = member->batch_count};
    member->commit_under_way = 1;
    int status = returned(engine, token, engine->store.commit(engine->store_self, engine->sink, token, &commit));
    if (status < 0)
        member->commit_under_way = 0;
    return status;
}

int shard__call_release(struct shard_engine *engine, int32_t id)
{
    struct shard__member *member = &engine->members[id];
    shard_token token = open_call(engine, id, SHARD__CALL_RELEASE);
    if (token == 0)
        return SHARD_ENOMEM;
    return returned(engine, token,
                    engine->store.release(engine->store_self, engine->sink, token, member->run->name, member->epoch));
}

/* Gives the samples their tags: those of runs that are still there. Without memory they have none. */
static struct shard_sample_tag *tag_samples(struct shard_engine *engine, size_t *ret_size)
{
    size_t size = (size_t)engine->tag_count * sizeof(struct shard_sample_tag);
    struct shard_sample_tag *tags = size == 0 ? NULL : shard__realloc(engine->context, NULL, 0, size);
    int32_t from = 0, to = 0;
    for (int32_t i = 0; i < engine->sample_count; i++) {
        struct shard_host_sample *sample = &engine->samples[i];
        int32_t count = sample->tag_count;
        sample->tags = tags == NULL ? NULL : tags + to;
        sample->tag_count = 0;
        for (int32_t end = from + count; from < end; from++) {
            const struct shard__tag *tag = &engine->tags[from];
            const struct shard__run *run = engine->members[tag->run].run;
            if (tags == NULL || run == NULL)
                continue;
            tags[to++] = (struct shard_sample_tag){run->name, tag->task, tag->attempt};
            sample->tag_count++;
        }
    }
    engine->tag_count = 0;
    *ret_size = size;
    return tags;
}

int shard__call_samples(struct shard_engine *engine)
{
    if (engine->sample_count == 0 || engine->samples_under_way || engine->store.put_samples == NULL)
        return 0;
    shard_token token = open_call(engine, 0, SHARD__CALL_SAMPLES);
    if (token == 0)
        return SHARD_ENOMEM;
    engine->samples_under_way = 1;
    size_t tags_size = 0;
    struct shard_sample_tag *tags = tag_samples(engine, &tags_size);
    int32_t count = engine->sample_count;
    engine->sample_count = 0; /* the store has copied them, or they are lost: samples may be */
    int status = engine->store.put_samples(engine->store_self, engine->sink, token, engine->samples, count);
    shard__release(engine->context, tags, tags_size);
    return returned(engine, token, status);
}

int shard__call_outcomes(struct shard_engine *engine)
{
    struct shard__foresight *foresight = &engine->foresight;
    if (foresight->outcome_count == 0 || engine->outcomes_under_way)
        return 0;
    shard_token token = open_call(engine, 0, SHARD__CALL_OUTCOMES);
    if (token == 0)
        return SHARD_ENOMEM;
    engine->outcomes_under_way = 1;
    int status = engine->store.put_outcomes(engine->store_self, engine->sink, token, foresight->outcomes,
                                            foresight->outcome_count);
    status = returned(engine, token, status);
    shard__foresight_drop_outcomes(foresight); /* as with samples: the store has copied them, or they are lost */
    return status;
}

int shard__call_answered(struct shard_engine *engine, struct shard__answer *answer)
{
    uint32_t slot = (uint32_t)answer->token;
    if (slot >= (uint32_t)engine->call_count || engine->calls[slot].member < 0 ||
        engine->calls[slot].generation != (uint32_t)(answer->token >> 32)) {
        shard__log(engine->context, SHARD_LOG_WARNING, "stale-answer", "store '%s' answered a call that is not open",
                   engine->store.name);
        return 0;
    }
    struct shard__call call = engine->calls[slot];
    int status = 0;
    if (call.kind == SHARD__CALL_SAMPLES) {
        engine->samples_under_way = 0;
        if (answer->code < 0)
            shard__log(engine->context, SHARD_LOG_WARNING, "samples-lost", "samples were not stored: %s",
                       answer->message == NULL ? shard_code_text(answer->code) : answer->message);
    } else if (call.kind == SHARD__CALL_OUTCOMES) {
        engine->outcomes_under_way = 0;
        if (answer->code < 0)
            shard__log(engine->context, SHARD_LOG_WARNING, "outcomes-lost", "outcomes were not stored: %s",
                       answer->message == NULL ? shard_code_text(answer->code) : answer->message);
    } else if (engine->members[call.member].phase < SHARD__PHASE_ENDED) {
        status = shard__member_answered(engine, call.member, call.kind, answer);
    }
    if (status == 0)
        close_call(engine, (int32_t)slot);
    return status;
}

void shard__calls_free(struct shard_engine *engine)
{
    shard__release(engine->context, engine->calls, engine->call_capacity * sizeof(*engine->calls));
}
