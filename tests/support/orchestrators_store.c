/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Redis store as an orchestrator has it here: its answers pass through a sink of our own, so that it is known when
 * a lease was asked for, and so that a rule can be taken out.
 */

#include "orchestrators.h"

#include <stdio.h>
#include <string.h>

#include <check.h>

enum { LEASE_MS = 2000 };

static int without(enum orchestrators_without rule)
{
    return (orchestrators.plan->without & (unsigned)rule) != 0;
}

/* A token of our own for a call of the engine's. */
static shard_token note(struct orchestrator *one, shard_sink *sink, shard_token token, int is_lease)
{
    for (size_t i = 0; i < sizeof(one->calls) / sizeof(one->calls[0]); i++) {
        if (one->calls[i].sink != NULL)
            continue;
        one->calls[i].sink = sink;
        one->calls[i].token = token;
        one->calls[i].asked_ns = orchestrators.now_ns;
        one->calls[i].is_lease = is_lease;
        one->calls[i].is_answered = 0;
        one->calls[i].epoch = one->calls[i].newest_epoch = 0;
        return i + 1;
    }
    ck_abort_msg("more calls than anyone makes");
}

static int forget(struct orchestrator *one, shard_token token, int status)
{
    if (status < 0)
        one->calls[token - 1].sink = NULL;
    return status;
}

void orchestrators_answer(struct orchestrator *one)
{
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    while (shard_sink_wait(one->sink, 0, &answer) == 1) {
        struct orchestrators_call *call = &one->calls[answer.token - 1];
        ck_assert_ptr_nonnull(call->sink);
        if (answer.status == 0 && call->is_lease)
            one->lease_ends_ns = call->asked_ns + LEASE_MS * INT64_C(1000000);
        if (answer.status == 0 && call->is_lease && answer.epoch > 0)
            orchestrators.epoch_of[one->life] = answer.epoch;
        if (answer.status == 0 && call->epoch < call->newest_epoch)
            orchestrators_problem("a write of epoch %lld was taken when epoch %lld was given out already",
                                  (long long)call->epoch, (long long)call->newest_epoch);
        if (answer.status == SHARD_EFENCED)
            orchestrators_tally.fenced++;
        if (!call->is_answered)
            ck_assert_int_eq(shard_sink_store_answered(call->sink, call->token, answer.status, answer.epoch,
                                                       answer.image, answer.message),
                             0);
        call->sink = NULL;
    }
}

#define ONE ((struct orchestrator *)self)
#define REAL ONE->store.port
#define REAL_SELF ONE->store.self, ONE->sink

static int create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *what)
{
    shard_token ours = note(ONE, sink, token, 0);
    return forget(ONE, ours, REAL->create(REAL_SELF, ours, what));
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner, int64_t ms)
{
    shard_token ours = note(ONE, sink, token, 1);
    ck_assert_int_eq(ms, LEASE_MS);
    return forget(ONE, ours, REAL->acquire(REAL_SELF, ours, run, owner, ms));
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch, int64_t ms)
{
    if (without(WITHOUT_AN_END_OF_LEASES))
        return shard_sink_store_answered(sink, token, 0, epoch, NULL, NULL);
    shard_token ours = note(ONE, sink, token, 1);
    return forget(ONE, ours, REAL->renew(REAL_SELF, ours, run, epoch, ms));
}

static int release(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch)
{
    shard_token ours = note(ONE, sink, token, 0);
    return forget(ONE, ours, REAL->release(REAL_SELF, ours, run, epoch));
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *what)
{
    shard_token ours = note(ONE, sink, token, 0);
    ONE->calls[ours - 1].epoch = what->epoch;
    for (int life = 1; life <= orchestrators.lives; life++)
        if (orchestrators.epoch_of[life] > ONE->calls[ours - 1].newest_epoch)
            ONE->calls[ours - 1].newest_epoch = orchestrators.epoch_of[life];
    int status = forget(ONE, ours, REAL->commit(REAL_SELF, ours, what));
    if (status == 0 && without(WITHOUT_WAITING_FOR_THE_STORE)) {
        ONE->calls[ours - 1].is_answered = 1;
        shard_sink_store_answered(sink, token, 0, what->epoch, NULL, NULL);
    }
    return status;
}

static int load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags)
{
    shard_token ours = note(ONE, sink, token, 0);
    return forget(ONE, ours, REAL->load(REAL_SELF, ours, run, flags));
}

static int list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    return REAL->list(ONE->store.self, each, each_self);
}

static int descriptor(void *self)
{
    return REAL->fd(ONE->store.self);
}

static int step(void *self)
{
    int status = REAL->step(ONE->store.self);
    orchestrators_answer(self);
    return status;
}

static void close_port(void *self)
{
    (void)self;
}

const struct shard_store orchestrators_store = {.struct_size = sizeof(orchestrators_store),
                                                .name = "between",
                                                .create = create,
                                                .acquire = acquire,
                                                .renew = renew,
                                                .release = release,
                                                .commit = commit,
                                                .load = load,
                                                .list = list,
                                                .close = close_port,
                                                .fd = descriptor,
                                                .step = step};

void orchestrators_open_store(struct orchestrator *one, const char *prefix)
{
    struct shard_redis_store_config config = {
        .struct_size = sizeof(config), .url = orchestrators.proxy->url, .prefix = prefix, .timeout_ms = 3000};
    ck_assert_int_eq(shard_redis_store_open(one->context, &config, &one->store), 0);
    ck_assert_int_eq(shard_sink_new(one->context, &one->sink), 0);
    memset(one->calls, 0, sizeof(one->calls));
}

/* The link is broken before, so that nobody waits for a server that is served by this thread. */
void orchestrators_close_store(struct orchestrator *one)
{
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    redis_proxy_cut(orchestrators.proxy);
    for (int i = 0; i < 3; i++) /* replies first, then that it broke */
        one->store.port->step(one->store.self);
    one->store.port->close(one->store.self);
    while (shard_sink_wait(one->sink, 0, &answer) == 1)
        if (answer.image != NULL)
            answer.image->release(answer.image);
    shard_sink_free(one->sink);
}

/* Each record's time tells the life that wrote it, and so the epoch. */
static void check_records(const struct shard_run_image *image)
{
    int dones[ORCHESTRATORS_TASKS] = {0};
    int64_t epoch = 0;
    if (image->record_count != image->last_seq)
        orchestrators_problem("%lld records, the last is %lld", (long long)image->record_count,
                              (long long)image->last_seq);
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        int life = (int)(record->time_ns % 1000000);
        if (record->seq != i + 1)
            orchestrators_problem("record %lld stands in place %lld", (long long)record->seq, (long long)i + 1);
        if (life < 1 || life > orchestrators.lives || orchestrators.epoch_of[life] < epoch)
            orchestrators_problem("record %lld is of an older epoch than %lld", (long long)record->seq,
                                  (long long)epoch);
        else
            epoch = orchestrators.epoch_of[life];
        if (record->type == SHARD_RECORD_TASK && record->to == SHARD_TASK_DONE && dones[record->task]++ > 0)
            orchestrators_problem("task %d has two records of its completion", record->task);
    }
}

static void check_image(const struct shard_run_image *image)
{
    check_records(image);
    if (image->state != SHARD_RUN_DONE || image->row_count != ORCHESTRATORS_TASKS)
        orchestrators_problem("the run is %s, with %d tasks", shard_run_state_text(image->state), image->row_count);
    for (int i = 0; i < image->row_count; i++)
        if (image->rows[i].state != SHARD_TASK_DONE || orchestrators.executor.done[i] < 1)
            orchestrators_problem("task %d is %s and was completed %d times", i,
                                  shard_task_state_text(image->rows[i].state), orchestrators.executor.done[i]);
}

void orchestrators_check_store(const char *prefix)
{
    struct orchestrator *one = &orchestrators.two[0];
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    orchestrators_open_store(one, prefix);
    ck_assert_int_eq(one->store.port->load(one->store.self, one->sink, 1, "run", SHARD_LOAD_RECORDS), 0);
    while (shard_sink_wait(one->sink, 0, &answer) == 0) {
        redis_proxy_turn(orchestrators.proxy);
        orchestrators.now_ns += 1000000;
        one->store.port->step(one->store.self);
    }
    if (answer.status < 0)
        orchestrators_problem("the run cannot be loaded: %s", answer.message);
    else
        check_image(answer.image);
    if (answer.image != NULL)
        answer.image->release(answer.image);
    orchestrators_close_store(one);
}
