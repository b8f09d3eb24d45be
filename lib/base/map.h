/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_MAP_H
#define SHARD_BASE_MAP_H

/*
 * Hash tables with int32 values: from 64-bit keys (intmap), and from byte strings that the owner keeps (namemap stores
 * ids only and asks its owner for the name behind one, so a table of a million names costs 4 to 8 bytes each).
 */

#include <stddef.h>
#include <stdint.h>

#include "alloc.h"

/* Gives the bytes of the name behind an id. */
typedef const char *(*shard__name_of)(const void *owner, int32_t id, size_t *ret_bytes);

struct shard__namemap {
    int32_t *slots; /* id + 1, 0: free */
    size_t slot_count;
    size_t count;
};

/* The id of a name, or -1. */
int32_t shard__namemap_find(const struct shard__namemap *map, const char *name, size_t bytes, shard__name_of name_of,
                            const void *owner);
/* Room for one more, so that the next add cannot fail. 0 or SHARD_ENOMEM. */
int shard__namemap_reserve(const shard_context *context, struct shard__namemap *map, shard__name_of name_of,
                           const void *owner);
/* Adds an id whose name is not in the map; name_of must already know it. 0 or SHARD_ENOMEM (unchanged). */
int shard__namemap_add(const shard_context *context, struct shard__namemap *map, int32_t id, shard__name_of name_of,
                       const void *owner);
void shard__namemap_free(const shard_context *context, struct shard__namemap *map);

struct shard__intmap_slot {
    uint64_t key; /* key + 1, 0: free */
    int32_t value;
};

struct shard__intmap {
    struct shard__intmap_slot *slots;
    size_t slot_count;
    size_t count;
};

/* The value of a key (not UINT64_MAX), or -1. */
int32_t shard__intmap_find(const struct shard__intmap *map, uint64_t key);
/* Sets or replaces. 0 or SHARD_ENOMEM (unchanged). */
int shard__intmap_set(const shard_context *context, struct shard__intmap *map, uint64_t key, int32_t value);
/* Takes a key out; nothing happens if it is not there. */
void shard__intmap_remove(struct shard__intmap *map, uint64_t key);
void shard__intmap_free(const shard_context *context, struct shard__intmap *map);

uint64_t shard__hash_bytes(const void *bytes, size_t size);

static inline uint64_t shard__hash_int(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

#endif
