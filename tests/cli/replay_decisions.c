/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the decisions of a finished run again: an engine with the same hosts, policy and seed is told of each end of an
 * attempt when the run's records say that it came, and its own records are held against those.
 *
 * Equal must be, bit for bit, all that says what was decided, for whom and where. Forecasts and costs rest on rates
 * that fade with the monotonic clock, of which records know the time of day; of them some parts in a million are let
 * go.
 */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "need.h"
#include "store_read.h"

enum { MS = 1000000, MOST_NUDGES = 20 };

struct attempt {
    shard_task_id task;
    int32_t number;
    shard_token token;
};

struct replay {
    int64_t wall_ns, first_ns;
    struct attempt *attempts;
    int attempt_count;
    shard_sink *sink;
    shard_engine *engine;
    struct shard_store_handle store;
};

static void die(const char *what)
{
    struct shard_error error = {.struct_size = sizeof error};
    shard_error_copy(&error);
    fprintf(stderr, "%s: %s\n", what, error.message);
    exit(2);
}

static int64_t now(void *self, enum shard_clock_kind kind)
{
    const struct replay *replay = self;
    return kind == SHARD_CLOCK_WALL ? replay->wall_ns : replay->wall_ns - replay->first_ns + 1000 * (int64_t)MS;
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct replay *replay = self;
    replay->sink = sink;
    replay->attempts = need_resized(replay->attempts, (size_t)replay->attempt_count + 1, sizeof *replay->attempts);
    replay->attempts[replay->attempt_count++] = (struct attempt){start->task, start->attempt, token};
    return 0;
}

/* Its end is in the records, if it came. */
static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    (void)self, (void)token, (void)reason;
}

static const struct shard_executor executor = {
    .struct_size = sizeof executor, .name = "records", .start = start, .cancel = cancel};

static void settle(struct replay *replay)
{
    struct pollfd item = {.fd = shard_engine_fd(replay->engine), .events = POLLIN};
    do {
        if (shard_engine_step(replay->engine) < 0)
            die("step");
    } while (poll(&item, 1, 0) == 1);
}

/* One that was not started here is a decision that differs, which is told at the end. */
static void tell_end(const struct replay *replay, const struct shard_record *record)
{
    struct shard_attempt_end end = {.struct_size = sizeof end,
                                    .outcome = (enum shard_outcome)record->outcome,
                                    .seconds = (double)record->seconds,
                                    .message = record->outcome == SHARD_OUTCOME_DONE ? NULL : record->detail};
    for (int i = 0; i < replay->attempt_count; i++) {
        const struct attempt *attempt = &replay->attempts[i];
        if (attempt->task != record->task || attempt->number != record->attempt)
            continue;
        if (shard_sink_attempt_ended(replay->sink, attempt->token, &end) < 0)
            die("end");
        return;
    }
}

static struct shard_run_image *load(struct shard_store_handle *store, shard_context *context, const char *run)
{
    struct shard_run_image *image = NULL;
    char *problem = NULL;
    if (store_read_run(store, context, run, SHARD_LOAD_RECORDS, &image, &problem) < 0) {
        fprintf(stderr, "%s\n", problem);
        exit(2);
    }
    return image;
}

static int is_near(float one, float other)
{
    return (isnan(one) && isnan(other)) || one == other || fabsf(one - other) <= 1e-5F * fabsf(one);
}

static int is_same(const struct shard_record *one, const struct shard_record *other)
{
    return one->task == other->task && one->host == other->host && one->attempt == other->attempt &&
           one->version == other->version && one->from == other->from && one->to == other->to &&
           one->outcome == other->outcome && one->decision == other->decision && one->reason == other->reason &&
           one->parent == other->parent && one->unit_begin == other->unit_begin && one->unit_end == other->unit_end &&
           one->memory_bytes == other->memory_bytes && is_near(one->p_fail, other->p_fail) &&
           is_near(one->value, other->value) && is_near(one->limit, other->limit) &&
           (one->outcome == SHARD_OUTCOME_NONE || one->seconds == other->seconds);
}

static void show(const char *which, const struct shard_record *record)
{
    char text[512];
    shard_record_text(record, "it", "its host", text, sizeof text);
    fprintf(stderr, "%s: record %lld, task %d on host %d, %d to %d (p %g, value %g, limit %g): %s\n", which,
            (long long)record->seq, record->task, record->host, record->from, record->to, (double)record->p_fail,
            (double)record->value, (double)record->limit, text);
}

static const struct shard_record *next_task(const struct shard_run_image *image, int64_t *at)
{
    while (*at < image->record_count && image->records[*at].type != SHARD_RECORD_TASK)
        ++*at;
    return *at < image->record_count ? &image->records[(*at)++] : NULL;
}

static int compare(const struct shard_run_image *was, const struct shard_run_image *is)
{
    int64_t at_was = 0, at_is = 0;
    int count = 0;
    for (;;) {
        const struct shard_record *one = next_task(was, &at_was), *other = next_task(is, &at_is);
        if (one == NULL && other == NULL)
            break;
        if (one == NULL || other == NULL || !is_same(one, other)) {
            if (one != NULL)
                show("was", one);
            if (other != NULL)
                show("is ", other);
            return 1;
        }
        count++;
    }
    printf("%d\n", count);
    return 0;
}

static int64_t count_records(struct replay *replay, shard_context *context, const char *run)
{
    struct shard_run_image *image = load(&replay->store, context, run);
    int64_t count = image->last_seq;
    image->release(image);
    return count;
}

/* All records of one step carry its time. A back-off that ends by the monotonic clock may need a little more of it. */
static void play(struct replay *replay, shard_context *context, const struct shard_run_image *was)
{
    int64_t at = 0;
    while (at < was->record_count) {
        int64_t first = at, time_ns = was->records[at].time_ns;
        replay->wall_ns = time_ns;
        for (; at < was->record_count && was->records[at].time_ns == time_ns; at++) {
            const struct shard_record *record = &was->records[at];
            if (record->type == SHARD_RECORD_TASK && record->from == SHARD_TASK_RUNNING &&
                record->outcome != SHARD_OUTCOME_NONE)
                tell_end(replay, record);
        }
        settle(replay);
        for (int i = 0; i < MOST_NUDGES && count_records(replay, context, was->name) < was->records[first].seq; i++) {
            replay->wall_ns += MS / 10;
            settle(replay);
        }
    }
}

static void open_engine(struct replay *replay, shard_context *context, const char *policy, char **hosts, int count)
{
    struct shard_engine_config config = {.struct_size = sizeof config,
                                         .executor = &executor,
                                         .executor_self = replay,
                                         .store = replay->store,
                                         .keep_outcomes = 1};
    shard_champion *champion = NULL; /* without a model, as that of a run without learning */
    if (shard_champion_new(context, NULL, &champion) < 0)
        die("champion");
    config.predictor = shard_champion_predictor(champion);
    config.retry[SHARD_OUTCOME_TASK_ERROR].budget = 50;
    if (shard_policy_by_name(context, policy, &config.policy) < 0 ||
        shard_engine_new(context, &config, &replay->engine) < 0)
        die(policy);
    for (int i = 0; i < count; i++) {
        struct shard_host_spec spec = {
            .struct_size = sizeof spec, .name = hosts[i], .cpu_millicores = 1000, .slots = 1};
        if (shard_engine_add_host(replay->engine, &spec) < 0)
            die(hosts[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: %s STORE RUN POLICY SEED HOST...\n", argv[0]);
        return 2;
    }
    struct replay replay = {0};
    struct shard_context_config config = {
        .struct_size = sizeof config, .clock = now, .clock_self = &replay, .seed = strtoull(argv[4], NULL, 10)};
    struct shard_sqlite_store_config sqlite = {.struct_size = sizeof sqlite, .path = argv[1], .read_only = 1};
    struct shard_memory_store_config memory = {
        .struct_size = sizeof memory, .keep_records = 1 << 20, .keep_outcomes = 1 << 20};
    struct shard_store_handle from = {0};
    shard_context *context = NULL;
    if (shard_context_new(&config, &context) < 0 || shard_sqlite_store_open(context, &sqlite, &from) < 0 ||
        shard_memory_store_open(context, &memory, &replay.store) < 0)
        die(argv[1]);
    struct shard_run_image *was = load(&from, context, argv[2]);
    replay.wall_ns = replay.first_ns = was->records[0].time_ns;
    open_engine(&replay, context, argv[3], argv + 5, argc - 5);
    struct shard_run_spec spec = {.struct_size = sizeof spec, .name = argv[2]};
    if (shard_engine_submit(replay.engine, was->workflow, &spec) < 0)
        die("submit");
    play(&replay, context, was);
    struct shard_run_image *is = load(&replay.store, context, argv[2]);
    int differs = compare(was, is);
    fflush(stdout);
    _Exit(differs);
}
