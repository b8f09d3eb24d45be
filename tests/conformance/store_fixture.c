/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait, and small things that the checks of the store suite share. No check is in here. */

#include "store_fixture.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <shard/shard.h>

const char *store_problem(struct store_fixture *fixture, int line, const char *what, const char *format, ...)
{
    int length =
        snprintf(fixture->problem, sizeof(fixture->problem), "%s: line %d: %s: ", fixture->subject->name, line, what);
    if (length >= 0 && (size_t)length < sizeof(fixture->problem)) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(fixture->problem + length, sizeof(fixture->problem) - (size_t)length, format, arguments);
        va_end(arguments);
    }
    return fixture->problem;
}

static void drop_image(struct store_fixture *fixture)
{
    if (fixture->answer.image != NULL)
        fixture->answer.image->release(fixture->answer.image);
    memset(&fixture->answer, 0, sizeof(fixture->answer));
    fixture->answer.struct_size = sizeof(fixture->answer);
}

int store_wait(struct store_fixture *fixture, shard_token token, int returned)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    struct shard_answer second = {.struct_size = sizeof(second)};
    shard_error_copy(&error);
    drop_image(fixture);
    if (returned < 0) {
        fixture->answer.status = returned;
        snprintf(fixture->answer.message, sizeof(fixture->answer.message), "%.*s", 255, error.message);
    } else if (shard_store_wait(&fixture->store, fixture->sink, 60000, &fixture->answer) != 1 ||
               fixture->answer.token != token) {
        fixture->answer.status = SHARD_ESTALE;
        snprintf(fixture->answer.message, sizeof(fixture->answer.message), "the call was not answered");
    }
    if (shard_sink_wait(fixture->sink, 0, &second) != 0) {
        if (second.image != NULL)
            second.image->release(second.image);
        fixture->answer.status = SHARD_ESTALE;
        snprintf(fixture->answer.message, sizeof(fixture->answer.message), "a call was answered twice");
    }
    return fixture->answer.status;
}

int store_create(struct store_fixture *fixture, const char *run)
{
    struct shard_store_create create = {
        .struct_size = sizeof(create), .run = run, .workflow = fixture->workflow, .time_ns = 1000};
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token, fixture->store.port->create(fixture->store.self, fixture->sink, token, &create));
}

int store_acquire(struct store_fixture *fixture, const char *run, const char *owner)
{
    shard_token token = ++fixture->last_token;
    return store_wait(
        fixture, token,
        fixture->store.port->acquire(fixture->store.self, fixture->sink, token, run, owner, STORE_LEASE_MS));
}

int store_renew(struct store_fixture *fixture, const char *run, int64_t epoch, int64_t lease_ms)
{
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token,
                      fixture->store.port->renew(fixture->store.self, fixture->sink, token, run, epoch, lease_ms));
}

int store_release(struct store_fixture *fixture, const char *run, int64_t epoch)
{
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token,
                      fixture->store.port->release(fixture->store.self, fixture->sink, token, run, epoch));
}

int store_commit(struct store_fixture *fixture, const char *run, int64_t epoch, uint64_t operation,
                 const struct shard_record *records, int32_t count)
{
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = run,
                                  .epoch = epoch,
                                  .operation = operation,
                                  .records = records,
                                  .record_count = count};
    shard_token token = ++fixture->last_token;
    return store_wait(fixture, token, fixture->store.port->commit(fixture->store.self, fixture->sink, token, &commit));
}

int store_load(struct store_fixture *fixture, const char *run, enum shard_load_flags flags)
{
    shard_token token = ++fixture->last_token;
    int status =
        store_wait(fixture, token, fixture->store.port->load(fixture->store.self, fixture->sink, token, run, flags));
    return status == 0 && fixture->answer.image == NULL ? SHARD_ESTALE : status;
}

int64_t store_begin(struct store_fixture *fixture, const char *run, const char *owner)
{
    int status = store_create(fixture, run);
    if (status == 0)
        status = store_acquire(fixture, run, owner);
    return status < 0 ? status : fixture->answer.epoch;
}

int store_open_another(struct store_fixture *fixture, struct store_fixture *ret_other)
{
    *ret_other = *fixture;
    memset(&ret_other->answer, 0, sizeof(ret_other->answer));
    return fixture->subject->open(fixture->subject, fixture->context, &ret_other->store);
}

void store_close_another(struct store_fixture *other)
{
    drop_image(other);
    other->store.port->close(other->store.self);
}

int store_reopen(struct store_fixture *fixture)
{
    fixture->store.port->close(fixture->store.self);
    int status = fixture->subject->open(fixture->subject, fixture->context, &fixture->store);
    if (status < 0)
        fixture->store.port = NULL;
    return status;
}

static int64_t clock_of_fixture(void *self, enum shard_clock_kind kind)
{
    struct store_fixture *fixture = self;
    struct timespec now;
    clock_gettime(kind == SHARD_CLOCK_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + fixture->clock_ahead_ns;
}

static int make_workflow(struct store_fixture *fixture)
{
    shard_builder *builder = NULL;
    int status = shard_builder_new(fixture->context, "flow \"of\" work", &builder);
    for (int i = 0; status >= 0 && i < STORE_TASKS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "task %d", i);
        struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = name, .expected_seconds = 1.5};
        status = shard_builder_add_task(builder, &spec);
        if (status >= 0 && i > 0)
            status = shard_builder_add_edge(builder, i - 1, i);
    }
    if (status >= 0)
        status = shard_builder_seal(builder, &fixture->workflow);
    shard_builder_free(builder);
    return status;
}

const char *store_check_run(const struct store_check *check, struct store_subject *subject)
{
    subject->keep_samples = 0;
    subject->keep_seconds = 0;
    subject->keep_records = 0;
    static struct store_fixture fixture;
    const char *problem = NULL;
    memset(&fixture, 0, sizeof(fixture));
    fixture.subject = subject;
    struct shard_context_config config = {
        .struct_size = sizeof(config), .clock = clock_of_fixture, .clock_self = &fixture};
    if (subject->has_workers && shard_workers_new(2, &fixture.workers) == 0) {
        config.offload = shard_workers_offload;
        config.offload_self = fixture.workers;
    }
    if (subject->prepare != NULL)
        subject->prepare(subject);
    if (shard_context_new(&config, &fixture.context) < 0 || shard_sink_new(fixture.context, &fixture.sink) < 0 ||
        make_workflow(&fixture) < 0 || subject->open(subject, fixture.context, &fixture.store) < 0) {
        struct shard_error error = {.struct_size = sizeof(error)};
        shard_error_copy(&error);
        problem = store_problem(&fixture, 0, "setting up", "%s", error.message);
    } else {
        problem = check->run(&fixture);
    }
    drop_image(&fixture);
    if (fixture.store.port != NULL)
        fixture.store.port->close(fixture.store.self);
    shard_workers_free(fixture.workers);
    shard_workflow_unref(fixture.workflow);
    shard_sink_free(fixture.sink);
    shard_context_free(fixture.context);
    if (subject->clean != NULL)
        subject->clean(subject);
    return problem;
}

struct shard_record store_record(int64_t seq, shard_task_id task, uint32_t version, int from, int to)
{
    return (struct shard_record){.seq = seq,
                                 .time_ns = INT64_C(1790000000000000000) + seq,
                                 .task = task,
                                 .host = -1,
                                 .version = version,
                                 .from = (uint8_t)from,
                                 .to = (uint8_t)to,
                                 .p_fail = NAN,
                                 .parent = -1};
}

void store_life(struct shard_record records[3], int64_t seq, shard_task_id task)
{
    records[0] = store_record(seq, task, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    records[1] = store_record(seq + 1, task, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    records[1].host = 2;
    records[1].attempt = 1;
    records[1].decision = SHARD_DECIDE_START;
    records[1].reason = SHARD_REASON_LEAST_LOADED;
    records[1].p_fail = 0.125F;
    records[1].value = 0.5F;
    records[2] = store_record(seq + 2, task, 2, SHARD_TASK_RUNNING, SHARD_TASK_DONE);
    records[2].host = 2;
    records[2].attempt = 1;
    records[2].outcome = SHARD_OUTCOME_DONE;
    records[2].seconds = 12.25F;
}

static int same_float(float a, float b)
{
    return isnan(a) ? isnan(b) : !isnan(b) && !(a < b) && !(a > b);
}

int store_same_row(const struct shard_task_row *a, const struct shard_task_row *b)
{
    return a->task == b->task && a->version == b->version && a->attempt == b->attempt && a->host == b->host &&
           a->state == b->state && a->outcome == b->outcome && a->decision == b->decision && a->reason == b->reason &&
           memcmp(a->failures, b->failures, sizeof(a->failures)) == 0 && same_float(a->p_fail, b->p_fail) &&
           same_float(a->value, b->value) && same_float(a->limit, b->limit) && same_float(a->seconds, b->seconds) &&
           a->parent == b->parent && a->unit_begin == b->unit_begin && a->unit_end == b->unit_end &&
           a->time_ns == b->time_ns && a->memory_bytes == b->memory_bytes;
}

int store_same_record(const struct shard_record *a, const struct shard_record *b)
{
    return a->seq == b->seq && a->time_ns == b->time_ns && a->type == b->type && a->task == b->task &&
           a->host == b->host && a->attempt == b->attempt && a->version == b->version && a->from == b->from &&
           a->to == b->to && a->outcome == b->outcome && a->decision == b->decision && a->reason == b->reason &&
           same_float(a->p_fail, b->p_fail) && same_float(a->value, b->value) && same_float(a->limit, b->limit) &&
           same_float(a->seconds, b->seconds) && a->parent == b->parent && a->unit_begin == b->unit_begin &&
           a->unit_end == b->unit_end && a->memory_bytes == b->memory_bytes && a->detail_bytes == b->detail_bytes &&
           a->revision == b->revision && (a->detail == NULL) == (b->detail == NULL) &&
           (a->detail == NULL || memcmp(a->detail, b->detail, (size_t)a->detail_bytes) == 0);
}

const struct shard_task_row *store_row(const struct store_fixture *fixture, shard_task_id task)
{
    const struct shard_run_image *image = fixture->answer.image;
    for (int32_t i = 0; image != NULL && i < image->row_count; i++)
        if (image->rows[i].task == task)
            return &image->rows[i];
    return NULL;
}
