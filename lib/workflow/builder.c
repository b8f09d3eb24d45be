/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting tasks, edges and data. Each call either adds one thing or changes nothing: room is made first, and counts
 * move last. Whether the whole makes sense (cycles) is the seal's question.
 */

#include "builder.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "base/utf8.h"

int shard__builder_rename(shard_builder *builder, const char *name)
{
    int status = shard__check_name(name, "workflow");
    if (status < 0)
        return status;
    char *copy = shard__strdup(builder->context, name);
    if (copy == NULL)
        return SHARD_ENOMEM;
    shard__strfree(builder->context, builder->name);
    builder->name = copy;
    return 0;
}

int shard_builder_new(shard_context *context, const char *name, shard_builder **ret_builder)
{
    shard__clear_error();
    shard_builder *builder = shard__zalloc(context, sizeof(*builder));
    if (builder == NULL)
        return SHARD_ENOMEM;
    builder->context = context;
    int status = shard__builder_rename(builder, name == NULL || name[0] == '\0' ? "workflow" : name);
    if (status < 0)
        shard__release(context, builder, sizeof(*builder));
    else
        *ret_builder = builder;
    return status;
}

static void free_pairs(const shard_context *context, struct shard__pairs *pairs)
{
    shard__release(context, pairs->items, pairs->capacity * sizeof(*pairs->items));
}

void shard__builder_clear(shard_builder *builder)
{
    shard_context *context = builder->context;
    shard__strfree(context, builder->name);
    shard__name_list_free(context, &builder->tasks);
    shard__name_list_free(context, &builder->data);
    shard__name_list_free(context, &builder->kinds);
    shard__release(context, builder->profiles, builder->profile_capacity * sizeof(*builder->profiles));
    shard__namemap_free(context, &builder->profile_map);
    shard__release(context, builder->profile_of, builder->profile_of_capacity * sizeof(*builder->profile_of));
    shard__release(context, builder->expected_seconds, builder->expected_capacity * sizeof(*builder->expected_seconds));
    shard__release(context, builder->units, builder->units_capacity * sizeof(*builder->units));
    shard__release(context, builder->payload_offsets,
                   builder->payload_offsets_capacity * sizeof(*builder->payload_offsets));
    shard__release(context, builder->payloads, builder->payload_capacity);
    free_pairs(context, &builder->edges);
    free_pairs(context, &builder->inputs);
    free_pairs(context, &builder->outputs);
    shard__release(context, builder->data_bytes, builder->data_bytes_capacity * sizeof(*builder->data_bytes));
    shard__release(context, builder->data_producer, builder->data_producer_capacity * sizeof(*builder->data_producer));
    memset(builder, 0, sizeof(*builder));
    builder->context = context;
}

void shard_builder_free(shard_builder *builder)
{
    if (builder == NULL)
        return;
    shard_context *context = builder->context;
    shard__builder_clear(builder);
    shard__release(context, builder, sizeof(*builder));
}

int shard__builder_is_open(const shard_builder *builder)
{
    return builder->sealed ? shard__fail(SHARD_ESTATE, "builder is sealed, expected an open one") : 0;
}

int shard__pairs_reserve(const shard_context *context, struct shard__pairs *pairs, size_t more)
{
    return shard__grow(context, &pairs->items, &pairs->capacity, pairs->count + more, sizeof(*pairs->items));
}

static const char *profile_bytes(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard_builder *builder = owner;
    *ret_bytes = SHARD__PROFILE_BYTES;
    return (const char *)&builder->profiles[id];
}

/* The id that a kind has, or will have once added; makes room for that. */
static int32_t intended_kind(shard_builder *builder, const char **kind)
{
    if (*kind == NULL || (*kind)[0] == '\0')
        *kind = "task";
    size_t bytes = strlen(*kind);
    int32_t id = shard__names_find(&builder->kinds.names, builder->kinds.count, 0, *kind, bytes);
    if (id >= 0)
        return id;
    int status = shard__check_name(*kind, "kind");
    if (status == 0)
        status = shard__name_list_reserve(builder->context, &builder->kinds, bytes);
    return status < 0 ? status : builder->kinds.count;
}

/* The same for a profile; the task before is the likeliest to have it. */
static int32_t intended_profile(shard_builder *builder, const struct shard__profile *profile)
{
    if (builder->tasks.count > 0) {
        int32_t likely = builder->profile_of[builder->tasks.count - 1];
        if (memcmp(&builder->profiles[likely], profile, SHARD__PROFILE_BYTES) == 0)
            return likely;
    }
    int32_t id =
        shard__namemap_find(&builder->profile_map, (const char *)profile, SHARD__PROFILE_BYTES, profile_bytes, builder);
    if (id >= 0)
        return id;
    int status = shard__grow(builder->context, &builder->profiles, &builder->profile_capacity,
                             builder->profile_count + 1, sizeof(*builder->profiles));
    if (status == 0)
        status = shard__namemap_reserve(builder->context, &builder->profile_map, profile_bytes, builder);
    return status < 0 ? status : (int32_t)builder->profile_count;
}

/* Room for the columns that only some workflows have; they begin with the first task that needs them. */
static int reserve_rare_columns(shard_builder *builder, const struct shard_task_spec *spec)
{
    const shard_context *context = builder->context;
    size_t count = (size_t)builder->tasks.count;
    int status = 0;
    if (builder->units != NULL || spec->units > 1) {
        int first = builder->units == NULL;
        status = shard__grow(context, &builder->units, &builder->units_capacity, count + 1, sizeof(*builder->units));
        for (size_t i = 0; status == 0 && first && i < count; i++)
            builder->units[i] = 1;
    }
    if (status == 0 && (builder->payload_offsets != NULL || spec->payload_bytes > 0)) {
        int first = builder->payload_offsets == NULL;
        status = shard__grow(context, &builder->payload_offsets, &builder->payload_offsets_capacity, count + 2,
                             sizeof(*builder->payload_offsets));
        if (status == 0 && first)
            memset(builder->payload_offsets, 0, (count + 1) * sizeof(*builder->payload_offsets));
    }
    if (status == 0 && spec->payload_bytes > 0)
        status = shard__grow(context, &builder->payloads, &builder->payload_capacity,
                             builder->payload_bytes + spec->payload_bytes, 1);
    return status;
}

static int reserve_columns(shard_builder *builder, const struct shard_task_spec *spec, size_t name_bytes)
{
    const shard_context *context = builder->context;
    size_t count = (size_t)builder->tasks.count;
    int status = shard__grow(context, &builder->profile_of, &builder->profile_of_capacity, count + 1,
                             sizeof(*builder->profile_of));
    if (status == 0)
        status = shard__grow(context, &builder->expected_seconds, &builder->expected_capacity, count + 1,
                             sizeof(*builder->expected_seconds));
    if (status == 0)
        status = reserve_rare_columns(builder, spec);
    if (status == 0)
        status = shard__name_list_reserve(context, &builder->tasks, name_bytes);
    return status;
}

/* Adds what room was made for; cannot fail. */
static shard_task_id append_task(shard_builder *builder, const struct shard_task_spec *spec, size_t name_bytes,
                                 const struct shard__profile *profile, int32_t profile_id, float expected_seconds)
{
    size_t at = (size_t)builder->tasks.count;
    if (profile->kind == builder->kinds.count)
        shard__name_list_add(builder->context, &builder->kinds, spec->kind, strlen(spec->kind));
    if (profile_id == (int32_t)builder->profile_count) {
        memcpy(&builder->profiles[profile_id], profile, sizeof(*profile));
        shard__namemap_add(builder->context, &builder->profile_map, profile_id, profile_bytes, builder);
        builder->profile_count++;
    }
    builder->profile_of[at] = profile_id;
    builder->expected_seconds[at] = expected_seconds;
    if (builder->units != NULL)
        builder->units[at] = spec->units;
    if (spec->payload_bytes > 0)
        memcpy(builder->payloads + builder->payload_bytes, spec->payload, spec->payload_bytes);
    builder->payload_bytes += spec->payload_bytes;
    if (builder->payload_offsets != NULL)
        builder->payload_offsets[at + 1] = builder->payload_bytes;
    return shard__name_list_add(builder->context, &builder->tasks, spec->name, name_bytes);
}

static int is_automatic_name(int32_t id, const char *name, size_t bytes)
{
    char automatic[SHARD__AUTOMATIC_BYTES];
    return bytes > 1 && name[0] == 't' && shard__automatic_name(id, automatic) == bytes &&
           memcmp(automatic, name, bytes) == 0;
}

/* Checks a task's name, of no bytes when it is automatic. */
static int check_task_name(const shard_builder *builder, const char *name, size_t bytes)
{
    char automatic[SHARD__AUTOMATIC_BYTES];
    const int32_t count = builder->tasks.count;
    int status = 0;
    if (count >= SHARD_MAX_TASKS)
        return shard__fail(SHARD_ELIMIT, "expected at most %d tasks", SHARD_MAX_TASKS);
    if (bytes > 0) {
        status = shard__check_name(name, "task");
        if (status < 0)
            return status;
    } else if (builder->tasks.names.map.count > 0) {
        bytes = shard__automatic_name(count, automatic);
        name = automatic;
    } else {
        return 0;
    }
    int32_t other = shard__names_find(&builder->tasks.names, count, 1, name, bytes);
    if (other >= 0)
        status = shard__fail(SHARD_EEXIST, "the name is task %d's already, expected another", other);
    return status;
}

/* Says which task a message is about. */
static int fail_within_task(const shard_builder *builder, int status, const char *name, size_t bytes)
{
    if (bytes == 0)
        return shard__fail_within(status, "task 't%d': ", builder->tasks.count);
    size_t shown = shard__utf8_cut(name, shard__utf8_prefix(name, bytes), 60);
    return shard__fail_within(status, "task %d, '%.*s%s': ", builder->tasks.count, (int)shown, name,
                              shown < bytes ? "..." : "");
}

static shard_task_id add_task(shard_builder *builder, struct shard_task_spec *spec, size_t name_bytes)
{
    struct shard__profile profile = {0};
    float expected_seconds = 0;
    int status = check_task_name(builder, spec->name, name_bytes);
    if (status == 0)
        status = shard__check_spec(spec, &profile, &expected_seconds);
    if (status < 0)
        return status;
    profile.kind = intended_kind(builder, &spec->kind);
    if (profile.kind < 0)
        return profile.kind;
    int32_t profile_id = intended_profile(builder, &profile);
    if (profile_id < 0)
        return profile_id;
    status = reserve_columns(builder, spec, name_bytes);
    if (status < 0)
        return status;
    return append_task(builder, spec, name_bytes, &profile, profile_id, expected_seconds);
}

shard_task_id shard_builder_add_task(shard_builder *builder, const struct shard_task_spec *theirs)
{
    shard__clear_error();
    struct shard_task_spec spec = {0};
    int status = shard__builder_is_open(builder);
    if (status == 0)
        status = shard__take_struct(&spec, sizeof(spec), theirs, "task spec");
    if (status < 0)
        return status;
    size_t name_bytes = spec.name == NULL ? 0 : strlen(spec.name);
    if (is_automatic_name(builder->tasks.count, spec.name, name_bytes))
        name_bytes = 0;
    shard_task_id task = add_task(builder, &spec, name_bytes);
    return task < 0 ? fail_within_task(builder, task, spec.name, name_bytes) : task;
}

shard_task_id shard_builder_find_task(const shard_builder *builder, const char *name)
{
    shard__clear_error();
    int32_t id =
        name == NULL ? -1 : shard__names_find(&builder->tasks.names, builder->tasks.count, 1, name, strlen(name));
    return id < 0 ? shard__fail(SHARD_ENOENT, "there is no task '%s'", name == NULL ? "" : name) : id;
}
