/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_place.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

enum { MOST_TURNS = 100000 };

static int64_t clock_of(void *self, enum shard_clock_kind kind)
{
    const struct redis_place *place = self;
    return kind == SHARD_CLOCK_WALL ? INT64_C(1790000000000000000) + place->now_ns : place->now_ns;
}

static void take_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    struct redis_place *place = self;
    size_t length = strlen(place->log);
    snprintf(place->log + length, sizeof(place->log) - length, "%d %s: %s\n", (int)level, id, message);
}

void redis_place_open(struct redis_place *place)
{
    char path[192];
    shard_builder *builder = NULL;
    struct shard_context_config config = {
        .struct_size = sizeof(config), .clock = clock_of, .clock_self = place, .log = take_log, .log_self = place};
    memset(place, 0, sizeof(*place));
    place->now_ns = INT64_C(1000000000);
    place->server.setting = "--appendonly";
    place->server.value = "no";
    ck_assert_int_eq(redis_server_start(&place->server), 0);
    snprintf(path, sizeof(path), "%s/proxy", place->server.directory);
    redis_proxy_open(&place->proxy, path, place->server.socket);
    redis_proxy_begin(&place->proxy, 1, 0);
    ck_assert_int_eq(shard_context_new(&config, &place->context), 0);
    ck_assert_int_eq(shard_sink_new(place->context, &place->sink), 0);
    ck_assert_int_eq(shard_builder_new(place->context, "flow", &builder), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            shard_builder_add_task(builder, &(struct shard_task_spec){.struct_size = sizeof(struct shard_task_spec)}),
            i);
    ck_assert_int_eq(shard_builder_seal(builder, &place->workflow), 0);
    shard_builder_free(builder);
}

void redis_place_store(struct redis_place *place, const struct shard_redis_store_config *config)
{
    struct shard_redis_store_config ours = {.struct_size = sizeof(ours)};
    if (config != NULL)
        ours = *config;
    ours.url = place->proxy.url;
    ours.prefix = "p";
    ours.timeout_ms = ours.timeout_ms == 0 ? 1000 : ours.timeout_ms;
    ck_assert_int_eq(shard_redis_store_open(place->context, &ours, &place->store), 0);
}

void redis_place_close_store(struct redis_place *place)
{
    if (place->store.port == NULL)
        return;
    redis_proxy_cut(&place->proxy);
    for (int i = 0; i < 3; i++)
        place->store.port->step(place->store.self);
    place->store.port->close(place->store.self);
    place->store.port = NULL;
}

void redis_place_close(struct redis_place *place)
{
    redis_place_close_store(place);
    shard_workflow_unref(place->workflow);
    shard_sink_free(place->sink);
    shard_context_free(place->context);
    redis_proxy_close(&place->proxy);
    redis_server_remove(&place->server);
}

int redis_place_wait(struct redis_place *place, int returned)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    place->answer = (struct shard_answer){.struct_size = sizeof(place->answer), .status = returned};
    if (returned < 0) {
        shard_error_copy(&error);
        snprintf(place->answer.message, sizeof(place->answer.message), "%.255s", error.message);
        return returned;
    }
    for (int turns = 0; shard_sink_wait(place->sink, 0, &place->answer) == 0; turns++) {
        ck_assert_int_lt(turns, MOST_TURNS);
        place->now_ns += redis_proxy_turn(&place->proxy) ? 100000 : 5000000;
        ck_assert_int_eq(place->store.port->step(place->store.self), 0);
    }
    struct shard_run_image *image = place->answer.image;
    if (image != NULL) {
        place->last_seq = image->last_seq;
        place->rows = image->row_count;
        memset(&place->first, 0, sizeof(place->first));
        if (image->record_count > 0)
            place->first = image->records[0];
        image->release(image);
        place->answer.image = NULL;
    }
    if (place->answer.epoch > 0)
        place->epoch = place->answer.epoch;
    return place->answer.status;
}

int redis_place_create(struct redis_place *place)
{
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "a", .workflow = place->workflow};
    place->last_seq = 0;
    return redis_place_wait(place, place->store.port->create(place->store.self, place->sink, 1, &create));
}

int redis_place_acquire(struct redis_place *place)
{
    return redis_place_wait(place, place->store.port->acquire(place->store.self, place->sink, 1, "a", "me", 60000));
}

int redis_place_load(struct redis_place *place, enum shard_load_flags flags)
{
    return redis_place_wait(place, place->store.port->load(place->store.self, place->sink, 1, "a", flags));
}

int redis_place_commit(struct redis_place *place, int phase, uint64_t operation)
{
    static uint64_t operations = 1000;
    static const uint8_t states[] = {SHARD_TASK_NONE, SHARD_TASK_READY, SHARD_TASK_RUNNING, SHARD_TASK_DONE};
    struct shard_record record = {.seq = place->last_seq + 1,
                                  .host = -1,
                                  .version = (uint32_t)phase,
                                  .from = states[phase],
                                  .to = states[phase + 1],
                                  .p_fail = NAN,
                                  .parent = -1};
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "a",
                                  .epoch = place->epoch,
                                  .operation = operation != 0 ? operation : ++operations,
                                  .records = &record,
                                  .record_count = 1};
    int status = redis_place_wait(place, place->store.port->commit(place->store.self, place->sink, 1, &commit));
    if (status == 0)
        place->last_seq++;
    return status;
}

const char *redis_place_ask(struct redis_place *place, const char *a, const char *b, const char *c, const char *d,
                            const char *e, const char *f)
{
    const char *const words[] = {a, b, c, d, e, f, NULL};
    return redis_proxy_ask(&place->proxy, words);
}
