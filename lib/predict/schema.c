/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas of features: checked, hashed, and compared so that the message lists what differs. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <shard/predictor.h>
#include <shard/workflow.h>

#include "base/blake2b.h"
#include "base/error.h"
#include "base/map.h"

static const char *const group_names[] = {"task", "host", "pair"};
static const char *const role_names[] = {"value", "key"};

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard_schema *schema = owner;
    *ret_bytes = strlen(schema->features[id].name);
    return schema->features[id].name;
}

static int check_feature(const struct shard_feature *feature, int32_t index)
{
    size_t size = feature->name != NULL ? strlen(feature->name) : 0;
    if (size == 0 || size > SHARD_MAX_NAME_BYTES)
        return shard__fail(SHARD_EINVAL, "column %d: a name of %zu bytes, expected 1 to %d", index, size,
                           SHARD_MAX_NAME_BYTES);
    for (const char *c = feature->name; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("[]<>", *c) != NULL)
            return shard__fail(SHARD_EINVAL, "column %d, '%.64s': names have no white space and none of []<>", index,
                               feature->name);
    if ((int)feature->group < 0 || feature->group > SHARD_FEATURE_PAIR)
        return shard__fail(SHARD_EINVAL, "column '%s': unknown group %d", feature->name, (int)feature->group);
    if ((int)feature->role < 0 || feature->role > SHARD_FEATURE_KEY)
        return shard__fail(SHARD_EINVAL, "column '%s': unknown role %d", feature->name, (int)feature->role);
    if (feature->monotone < -1 || feature->monotone > 1)
        return shard__fail(SHARD_EINVAL, "column '%s': monotone is %d, expected -1, 0 or 1", feature->name,
                           feature->monotone);
    return 0;
}

int shard_schema_check(const shard_context *context, const struct shard_schema *schema)
{
    struct shard_schema ours;
    struct shard__namemap names = {0};
    shard__clear_error();
    int status = shard__take_struct(&ours, sizeof(ours), schema, "schema");
    if (status < 0)
        return status;
    if (ours.feature_count < 1 || ours.features == NULL)
        return shard__fail(SHARD_EINVAL, "a schema of %d columns", ours.feature_count);
    for (int32_t i = 0; status == 0 && i < ours.feature_count; i++) {
        const char *name = ours.features[i].name;
        if ((status = check_feature(&ours.features[i], i)) < 0)
            break;
        if (shard__namemap_find(&names, name, strlen(name), name_of, &ours) >= 0)
            status = shard__fail(SHARD_EINVAL, "column '%s' comes twice", name);
        else
            status = shard__namemap_add(context, &names, i, name_of, &ours);
    }
    shard__namemap_free(context, &names);
    return status;
}

uint64_t shard_schema_hash(const struct shard_schema *schema)
{
    /* What came before, the name's own digest, and three bytes. */
    unsigned char record[2 * SHARD__DIGEST_BYTES + 3] = {0};
    uint64_t hash = 0;
    for (int32_t i = 0; i < schema->feature_count; i++) {
        const struct shard_feature *feature = &schema->features[i];
        shard__blake2b(feature->name, strlen(feature->name), record + SHARD__DIGEST_BYTES);
        record[2 * SHARD__DIGEST_BYTES] = (unsigned char)feature->group;
        record[2 * SHARD__DIGEST_BYTES + 1] = (unsigned char)feature->role;
        record[2 * SHARD__DIGEST_BYTES + 2] = (unsigned char)(feature->monotone + 1);
        shard__blake2b(record, sizeof(record), record);
    }
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | record[i];
    return hash;
}

/* The list of differences, cut where the message would be. */
struct list {
    char text[800];
    size_t size;
    int count;
};

static void add(struct list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct list *list, const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(list->text) - list->size;
    list->count++;
    int used = snprintf(list->text + list->size, room, "%s", list->size > 0 ? "; " : "");
    va_start(arguments, format);
    int more =
        vsnprintf(list->text + list->size + used, room > (size_t)used ? room - (size_t)used : 0, format, arguments);
    va_end(arguments);
    size_t size = more >= 0 ? (size_t)used + (size_t)more : room;
    if (size < room)
        list->size += size;
    else
        list->text[list->size] = '\0';
}

static int32_t find(const struct shard_schema *schema, const char *name, int32_t guess)
{
    if (guess < schema->feature_count && strcmp(schema->features[guess].name, name) == 0)
        return guess;
    for (int32_t i = 0; i < schema->feature_count; i++)
        if (strcmp(schema->features[i].name, name) == 0)
            return i;
    return -1;
}

static void compare_feature(struct list *list, const struct shard_feature *model, int32_t at,
                            const struct shard_schema *given)
{
    int32_t there = find(given, model->name, at);
    if (there < 0) {
        add(list, "'%.64s' is missing", model->name);
        return;
    }
    const struct shard_feature *other = &given->features[there];
    if (there != at)
        add(list, "'%.64s' is column %d, not %d", model->name, there, at);
    if (other->group != model->group)
        add(list, "'%.64s' is of group %s, not %s", model->name, group_names[other->group], group_names[model->group]);
    if (other->role != model->role)
        add(list, "'%.64s' is a %s, not a %s", model->name, role_names[other->role], role_names[model->role]);
    if (other->monotone != model->monotone)
        add(list, "'%.64s' has the sign %d, not %d", model->name, other->monotone, model->monotone);
}

int shard_schema_compare(const struct shard_schema *model, const struct shard_schema *given)
{
    struct list list = {.size = 0};
    shard__clear_error();
    for (int32_t i = 0; i < model->feature_count; i++)
        compare_feature(&list, &model->features[i], i, given);
    for (int32_t i = 0; i < given->feature_count; i++)
        if (find(model, given->features[i].name, i) < 0)
            add(&list, "'%.64s' is unknown to the model", given->features[i].name);
    if (list.count == 0)
        return 0;
    return shard__fail(SHARD_ECONFLICT, "%d differences from the model's columns: %s", list.count, list.text);
}
