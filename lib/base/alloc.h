/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_ALLOC_H
#define SHARD_BASE_ALLOC_H

/* Memory: every allocation of the library goes through these, and so through the context's allocator, with sizes. */

#include <stddef.h>

#include <shard/context.h>

struct shard_context {
    struct shard_context_config config;
};

/* The context's allocator: new_size 0 frees. On failure returns NULL and sets SHARD_ENOMEM; ptr stays good. */
void *shard__realloc(const shard_context *context, void *ptr, size_t old_size, size_t new_size);

/* Zeroed memory. */
void *shard__zalloc(const shard_context *context, size_t size);

/* Frees `size` bytes at ptr; NULL is fine. */
void shard__release(const shard_context *context, void *ptr, size_t size);

/* Strings know their own size: strlen + 1. NULL gives NULL in both. */
char *shard__strdup(const shard_context *context, const char *text);
void shard__strfree(const shard_context *context, char *text);

/* Memory that is handed to the caller and comes back through shard_free(). */
void *shard__handout(const shard_context *context, const void *bytes, size_t size);

/* Grows `*items` (of item_size each, *capacity of them) to hold at least `wanted`, doubling. 0 or SHARD_ENOMEM. */
int shard__grow(const shard_context *context, void *items_ptr, size_t *capacity, size_t wanted, size_t item_size);

#endif
