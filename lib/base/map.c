/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing, at most three quarters full; removal shifts back, so there are no tombstones. */

#include "map.h"

#include <string.h>

uint64_t shard__hash_bytes(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t hash = 0x9e3779b97f4a7c15u ^ size;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        hash = shard__hash_int(hash ^ word);
        p += 8;
        size -= 8;
    }
    uint64_t word = 0;
    memcpy(&word, p, size);
    return shard__hash_int(hash ^ word);
}

static size_t name_slot(const struct shard__namemap *map, const char *name, size_t bytes, shard__name_of name_of,
                        const void *owner)
{
    size_t mask = map->slot_count - 1;
    size_t slot = shard__hash_bytes(name, bytes) & mask;
    while (map->slots[slot] != 0) {
        size_t other_bytes;
        const char *other = name_of(owner, map->slots[slot] - 1, &other_bytes);
        if (other_bytes == bytes && memcmp(other, name, bytes) == 0)
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

int32_t shard__namemap_find(const struct shard__namemap *map, const char *name, size_t bytes, shard__name_of name_of,
                            const void *owner)
{
    if (map->slot_count == 0)
        return -1;
    return map->slots[name_slot(map, name, bytes, name_of, owner)] - 1;
}

static void name_insert(struct shard__namemap *map, int32_t id, shard__name_of name_of, const void *owner)
{
    size_t bytes;
    const char *name = name_of(owner, id, &bytes);
    size_t mask = map->slot_count - 1;
    size_t slot = shard__hash_bytes(name, bytes) & mask;
    while (map->slots[slot] != 0)
        slot = (slot + 1) & mask;
    map->slots[slot] = id + 1;
}

int shard__namemap_reserve(const shard_context *context, struct shard__namemap *map, shard__name_of name_of,
                           const void *owner)
{
    if ((map->count + 1) * 4 <= map->slot_count * 3)
        return 0;
    struct shard__namemap grown = {.slot_count = map->slot_count == 0 ? 16 : map->slot_count * 2};
    grown.slots = shard__zalloc(context, grown.slot_count * sizeof(*grown.slots));
    if (grown.slots == NULL)
        return SHARD_ENOMEM;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i] != 0)
            name_insert(&grown, map->slots[i] - 1, name_of, owner);
    grown.count = map->count;
    shard__namemap_free(context, map);
    *map = grown;
    return 0;
}

int shard__namemap_add(const shard_context *context, struct shard__namemap *map, int32_t id, shard__name_of name_of,
                       const void *owner)
{
    int status = shard__namemap_reserve(context, map, name_of, owner);
    if (status < 0)
        return status;
    name_insert(map, id, name_of, owner);
    map->count++;
    return 0;
}

void shard__namemap_free(const shard_context *context, struct shard__namemap *map)
{
    shard__release(context, map->slots, map->slot_count * sizeof(*map->slots));
    memset(map, 0, sizeof(*map));
}

static size_t int_slot(const struct shard__intmap *map, uint64_t stored)
{
    size_t mask = map->slot_count - 1;
    size_t slot = shard__hash_int(stored) & mask;
    while (map->slots[slot].key != 0 && map->slots[slot].key != stored)
        slot = (slot + 1) & mask;
    return slot;
}

int32_t shard__intmap_find(const struct shard__intmap *map, uint64_t key)
{
    if (map->slot_count == 0)
        return -1;
    const struct shard__intmap_slot *slot = &map->slots[int_slot(map, key + 1)];
    return slot->key == 0 ? -1 : slot->value;
}

int shard__intmap_set(const shard_context *context, struct shard__intmap *map, uint64_t key, int32_t value)
{
    if ((map->count + 1) * 4 > map->slot_count * 3) {
        struct shard__intmap grown = {.slot_count = map->slot_count == 0 ? 16 : map->slot_count * 2};
        grown.slots = shard__zalloc(context, grown.slot_count * sizeof(*grown.slots));
        if (grown.slots == NULL)
            return SHARD_ENOMEM;
        for (size_t i = 0; i < map->slot_count; i++)
            if (map->slots[i].key != 0)
                grown.slots[int_slot(&grown, map->slots[i].key)] = map->slots[i];
        grown.count = map->count;
        shard__intmap_free(context, map);
        *map = grown;
    }
    struct shard__intmap_slot *slot = &map->slots[int_slot(map, key + 1)];
    if (slot->key == 0)
        map->count++;
    slot->key = key + 1;
    slot->value = value;
    return 0;
}

void shard__intmap_remove(struct shard__intmap *map, uint64_t key)
{
    if (map->slot_count == 0)
        return;
    size_t mask = map->slot_count - 1;
    size_t hole = int_slot(map, key + 1);
    if (map->slots[hole].key == 0)
        return;
    for (size_t i = (hole + 1) & mask; map->slots[i].key != 0; i = (i + 1) & mask) {
        size_t home = shard__hash_int(map->slots[i].key) & mask;
        /* Move back what would no longer be reached from its home across the hole. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].key = 0;
    map->count--;
}

void shard__intmap_free(const shard_context *context, struct shard__intmap *map)
{
    shard__release(context, map->slots, map->slot_count * sizeof(*map->slots));
    memset(map, 0, sizeof(*map));
}
