/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ENGINE_ENGINE_H
#define SHARD_ENGINE_ENGINE_H

/*
 * The inside of an engine: the runs that it holds, each with its lease and its commit under way, the events that wait
 * to be pulled, and the descriptors. The only place that calls a port.
 */

#include <shard/engine.h>

#include "engine/foresight.h"
#include "engine/sink.h"
#include "run/run.h"

/* Where a run of the engine stands with the store. */
enum shard__phase {
    SHARD__PHASE_CREATING,
    SHARD__PHASE_ACQUIRING,
    SHARD__PHASE_LOADING,
    SHARD__PHASE_ACTIVE,
    SHARD__PHASE_ENDING, /* its last records are on their way */
    SHARD__PHASE_RELEASING,
    SHARD__PHASE_ENDED,
    SHARD__PHASE_FORGOTTEN
};

/* A run as the engine holds it. */
struct shard__member {
    struct shard__run *run; /* NULL once forgotten */
    enum shard__phase phase;
    int is_resume;
    int stands_by;    /* waits for the lease as long as it takes */
    int suspend;      /* let go of it as soon as nothing is on its way */
    int reattach_due; /* what was running has not been asked for yet */
    int64_t epoch;
    int64_t lease_sent_ns; /* when the lease that holds was asked for */
    int64_t renew_sent_ns; /* when the renewal that is on its way was; 0: none is */
    int64_t renew_next_ns; /* a renewal that failed is not asked for again before */
    int64_t acquire_since_ns;
    int64_t retry_ns; /* when the call that was refused for now is made again; INT64_MAX: there is none */
    int32_t retries;
    struct shard_record *batch; /* given to the store, or to be given again */
    size_t batch_capacity;
    int32_t batch_count;
    int commit_under_way;
    uint64_t operation;
    enum shard_run_state end_state;
    int end_code;
    char *end_message;
    int end_is_untold; /* it has ended, and there was no memory for the event yet */
};

enum shard__call_kind {
    SHARD__CALL_CREATE,
    SHARD__CALL_ACQUIRE,
    SHARD__CALL_LOAD,
    SHARD__CALL_RENEW,
    SHARD__CALL_COMMIT,
    SHARD__CALL_RELEASE,
    SHARD__CALL_SAMPLES,
    SHARD__CALL_OUTCOMES
};

/* A call to the store that is not answered yet. */
struct shard__call {
    uint32_t generation;
    int32_t member; /* -1: the slot is free */
    enum shard__call_kind kind;
    int32_t next_free;
};

struct shard__event {
    int64_t time_ns;
    char *message; /* from shard__strdup; NULL: none */
    double seconds;
    int64_t units_done;
    int32_t run, task, host, attempt;
    int32_t code;
    uint8_t kind, state, outcome, run_state, reason, decision;
    float p_fail; /* of a decision */
};

/* An attempt that ran on a host while a sample of it was taken. */
struct shard__tag {
    int32_t run; /* of a member, whose run may be gone by the time that it is written */
    int32_t task;
    int32_t attempt;
};

/* The starts that are given to the executor at once: room that is used again. */
struct shard__starts {
    struct shard_start *starts;
    struct shard__texts *texts; /* that they point to */
    shard_token *tokens;
    size_t capacity, text_capacity, token_capacity;
};

struct shard_engine {
    shard_context *context;
    struct shard_executor executor;
    void *executor_self;
    struct shard_store store;
    void *store_self;
    struct shard_policy policy;
    void *policy_self;
    struct shard_policy_handle own_policy; /* port NULL: the policy is the application's */
    char *owner;
    struct shard__rules rules;
    int64_t lease_ns;
    int64_t reattach_ns;
    int32_t step_budget;
    int32_t max_events;
    double adjust_threshold;

    struct shard__cluster cluster;
    struct shard__foresight foresight;
    struct shard__attempts attempts;
    struct shard__stages stages;
    struct shard__effects effects;
    struct shard__starts starts;

    struct shard__member *members;
    size_t member_capacity;
    int32_t member_count;
    int32_t *order; /* members that are not forgotten, by priority */
    size_t order_capacity;
    int32_t order_count;

    struct shard__call *calls;
    size_t call_capacity;
    int32_t call_count;
    int32_t first_free_call;

    struct shard__event *events; /* a ring */
    size_t event_capacity;
    size_t event_head, event_count;
    char *told_message; /* of the event that was pulled last */

    struct shard_host_sample *samples; /* to be written; the names are the cluster's, and no tags are in them yet */
    struct shard__tag *tags;           /* of all samples, in their order */
    size_t tag_capacity;
    int32_t tag_count;
    size_t sample_capacity;
    int32_t sample_count;
    int samples_under_way, outcomes_under_way;

    shard_sink *sink;
    struct shard__batch batch; /* answers that were taken */
    size_t batch_next;         /* the first that is not dealt with */
    uint64_t stale_progress;   /* token of the last progress that came after an end, which was logged */

    int epoll_fd;
    int timer_fd;
    int wake_fd;
    atomic_int woken; /* wake_fd is readable */
    int64_t armed_ns;
    int64_t now_ns, wall_ns;
};

/* ---- events.c ---- */
/* Room for so many events, so that adding them cannot fail. */
int shard__events_reserve(struct shard_engine *engine, int32_t count);
/* Adds one; reserved before. The engine takes the message. */
void shard__events_add(struct shard_engine *engine, const struct shard__event *event);
/* A warning for people and the log; dropped from the events when there is no memory. */
void shard__engine_warn(struct shard_engine *engine, int32_t run, int32_t task, int code, const char *id,
                        const char *message);

/* ---- calls.c: calls to the store ---- */
/* Each is made at once; a refusal by return value comes back through the sink as an answer. 0 or SHARD_ENOMEM. */
int shard__call_create(struct shard_engine *engine, int32_t member);
int shard__call_acquire(struct shard_engine *engine, int32_t member);
int shard__call_load(struct shard_engine *engine, int32_t member);
int shard__call_renew(struct shard_engine *engine, int32_t member);
int shard__call_commit(struct shard_engine *engine, int32_t member);
int shard__call_release(struct shard_engine *engine, int32_t member);
int shard__call_samples(struct shard_engine *engine);
int shard__call_outcomes(struct shard_engine *engine);
/* Deals with an answer. */
int shard__call_answered(struct shard_engine *engine, struct shard__answer *answer);
void shard__calls_free(struct shard_engine *engine);

/* ---- member.c: the life of a run in the engine ---- */
/* What a member does in a step: lease, back-offs, placing, committing, ending. Adds to *ret_progress what it did. */
int shard__member_step(struct shard_engine *engine, int32_t member, int32_t *ret_progress);
int64_t shard__member_next_ns(const struct shard_engine *engine, const struct shard__member *member);
/* Ends it here and now, without the store: fenced, refused, or released. */
void shard__member_end(struct shard_engine *engine, int32_t member, enum shard_run_state state, int code,
                       const char *message);
int shard__member_answered(struct shard_engine *engine, int32_t member, enum shard__call_kind kind,
                           struct shard__answer *answer);
void shard__member_free(struct shard_engine *engine, struct shard__member *member);

/* ---- start.c: how attempts come to the executor ---- */
/* Room for the starts that a batch has which share a container. 0 or SHARD_ENOMEM. */
int shard__starts_reserve(struct shard_engine *engine, const struct shard__member *member);
void shard__starts_free(struct shard_engine *engine);
/* A task's attempt became durable: it starts, unless it was cancelled or its host taken out meanwhile. */
void shard__start_recorded(struct shard_engine *engine, const struct shard__member *member,
                           const struct shard_record *record);
int shard__reattach_all(struct shard_engine *engine, int32_t member);

/* ---- act.c: what follows once records are durable ---- */
int shard__act_on_batch(struct shard_engine *engine, int32_t member);
/* Carries out the runs' effects. */
int shard__carry_out(struct shard_engine *engine);

/* ---- answers.c ---- */
/* Deals with the answers of ports, as far as memory goes. */
int shard__take_answers(struct shard_engine *engine, int32_t *ret_progress);
/* Ends what has run out of time. */
int shard__expire_attempts(struct shard_engine *engine);
/* Ends every attempt on a host, whose state was set before. */
int shard__end_attempts_on(struct shard_engine *engine, int32_t host, int lost);

/* ---- hosts.c ---- */
/* Carries out what policies wish of hosts, and ends quarantines whose time is over. */
int shard__keep_quarantines(struct shard_engine *engine);

/* ---- query.c ---- */
/* The member of an id that the caller gave; NULL with SHARD_ENOENT. */
struct shard__member *shard__engine_member(const struct shard_engine *engine, int32_t run);

#endif
