/* SPDX-License-Identifier: Apache-2.0 */
/* Names end to end in one text. Checks neither what a name looks like nor that it is new: its users do. */

#include "names.h"

#include <string.h>

#include "base/error.h"

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__names *names = owner;
    *ret_bytes = names->offsets[id + 1] - names->offsets[id] - 1;
    return names->text + names->offsets[id];
}

int shard__name_list_reserve(const shard_context *context, struct shard__name_list *list, size_t bytes)
{
    size_t used = list->count == 0 ? 0 : list->names.offsets[list->count];
    size_t more = (bytes == 0 ? SHARD__AUTOMATIC_BYTES : bytes) + 1;
    if (used + more > UINT32_MAX)
        return shard__fail(SHARD_ELIMIT, "names have more than 4 GiB in all");
    int status = shard__grow(context, &list->names.offsets, &list->offset_capacity, (size_t)list->count + 2,
                             sizeof(*list->names.offsets));
    if (status == 0)
        status = shard__grow(context, &list->names.text, &list->text_capacity, used + more, 1);
    if (status == 0 && list->count == 0)
        list->names.offsets[0] = 0;
    if (status == 0 && bytes > 0)
        status = shard__namemap_reserve(context, &list->names.map, name_of, &list->names);
    return status;
}

size_t shard__automatic_name(int32_t id, char text[SHARD__AUTOMATIC_BYTES])
{
    char digits[SHARD__AUTOMATIC_BYTES];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    text[0] = 't';
    for (size_t i = 0; i < count; i++)
        text[1 + i] = digits[count - 1 - i];
    text[count + 1] = '\0';
    return count + 1;
}

int32_t shard__name_list_add(const shard_context *context, struct shard__name_list *list, const char *name,
                             size_t bytes)
{
    char automatic[SHARD__AUTOMATIC_BYTES];
    int in_map = bytes > 0;
    if (!in_map) {
        bytes = shard__automatic_name(list->count, automatic);
        name = automatic;
    }
    uint32_t at = list->names.offsets[list->count];
    memcpy(list->names.text + at, name, bytes);
    list->names.text[at + bytes] = '\0';
    list->names.offsets[++list->count] = at + (uint32_t)bytes + 1;
    if (in_map)
        shard__namemap_add(context, &list->names.map, list->count - 1, name_of, &list->names);
    return list->count - 1;
}

int shard__name_list_fit(const shard_context *context, struct shard__name_list *list)
{
    if (list->count == 0) {
        shard__name_list_free(context, list);
        return 0;
    }
    size_t offsets = (size_t)list->count + 1, text = list->names.offsets[list->count];
    void *fitted = shard__realloc(context, list->names.text, list->text_capacity, text);
    if (fitted == NULL)
        return SHARD_ENOMEM;
    list->names.text = fitted;
    list->text_capacity = text;
    fitted = shard__realloc(context, list->names.offsets, list->offset_capacity * sizeof(uint32_t),
                            offsets * sizeof(uint32_t));
    if (fitted == NULL)
        return SHARD_ENOMEM;
    list->names.offsets = fitted;
    list->offset_capacity = offsets;
    return 0;
}

void shard__name_list_free(const shard_context *context, struct shard__name_list *list)
{
    shard__release(context, list->names.text, list->text_capacity);
    shard__release(context, list->names.offsets, list->offset_capacity * sizeof(uint32_t));
    shard__namemap_free(context, &list->names.map);
    memset(list, 0, sizeof(*list));
}

/* The id that "t<id>" stands for if that task has this as its name, else -1. */
static int32_t find_automatic(const struct shard__names *names, int32_t count, const char *name, size_t bytes)
{
    int64_t id = 0;
    if (bytes < 2 || bytes > 10 || name[0] != 't')
        return -1;
    for (size_t i = 1; i < bytes; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        id = id * 10 + (name[i] - '0');
    }
    if (id >= count)
        return -1;
    size_t its_bytes;
    const char *its_name = name_of(names, (int32_t)id, &its_bytes);
    return its_bytes == bytes && memcmp(its_name, name, bytes) == 0 ? (int32_t)id : -1;
}

int32_t shard__names_find(const struct shard__names *names, int32_t count, int automatic, const char *name,
                          size_t bytes)
{
    int32_t id = shard__namemap_find(&names->map, name, bytes, name_of, names);
    if (id < 0 && automatic)
        id = find_automatic(names, count, name, bytes);
    return id;
}

void shard__names_free(const shard_context *context, struct shard__names *names, int32_t count)
{
    if (names->offsets != NULL) {
        shard__release(context, names->text, names->offsets[count]);
        shard__release(context, names->offsets, ((size_t)count + 1) * sizeof(uint32_t));
    }
    shard__namemap_free(context, &names->map);
    memset(names, 0, sizeof(*names));
}

size_t shard__names_memory(const struct shard__names *names, int32_t count)
{
    if (names->offsets == NULL)
        return 0;
    return names->offsets[count] + ((size_t)count + 1) * sizeof(uint32_t) + names->map.slot_count * sizeof(int32_t);
}
