/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator: sizes, zeroing, growth and what is handed out to callers. Knows nothing of what is stored. */

#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* In front of memory that callers free, so that its size is known then. */
union handout_header {
    size_t size;
    max_align_t align;
};

void *shard__realloc(const shard_context *context, void *ptr, size_t old_size, size_t new_size)
{
    if (new_size > PTRDIFF_MAX) {
        shard__fail(SHARD_ENOMEM, "no memory for %zu bytes", new_size);
        return NULL;
    }
    void *result = context->config.alloc(context->config.alloc_self, ptr, old_size, new_size);
    if (result == NULL && new_size != 0)
        shard__fail(SHARD_ENOMEM, "no memory for %zu bytes", new_size);
    return result;
}

void *shard__zalloc(const shard_context *context, size_t size)
{
    void *result = shard__realloc(context, NULL, 0, size);
    if (result != NULL)
        memset(result, 0, size);
    return result;
}

void shard__release(const shard_context *context, void *ptr, size_t size)
{
    if (ptr != NULL)
        context->config.alloc(context->config.alloc_self, ptr, size, 0);
}

char *shard__strdup(const shard_context *context, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = shard__realloc(context, NULL, 0, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void shard__strfree(const shard_context *context, char *text)
{
    if (text != NULL)
        shard__release(context, text, strlen(text) + 1);
}

void *shard__handout(const shard_context *context, const void *bytes, size_t size)
{
    union handout_header *header = shard__realloc(context, NULL, 0, sizeof(*header) + size);
    if (header == NULL)
        return NULL;
    header->size = sizeof(*header) + size;
    if (bytes != NULL)
        memcpy(header + 1, bytes, size);
    return header + 1;
}

void shard_free(shard_context *context, void *ptr)
{
    if (ptr == NULL)
        return;
    union handout_header *header = (union handout_header *)ptr - 1;
    shard__release(context, header, header->size);
}

int shard__grow(const shard_context *context, void *items_ptr, size_t *capacity, size_t wanted, size_t item_size)
{
    if (wanted <= *capacity)
        return 0;
    size_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < wanted) {
        if (grown > PTRDIFF_MAX / 2 / item_size)
            return shard__fail(SHARD_ENOMEM, "no memory for %zu items", wanted);
        /* Large arrays grow by half: what a million tasks waste counts more than the copies. */
        grown += grown < 4096 ? grown : grown / 2;
    }
    void *items;
    memcpy(&items, items_ptr, sizeof(items));
    items = shard__realloc(context, items, *capacity * item_size, grown * item_size);
    if (items == NULL)
        return SHARD_ENOMEM;
    memcpy(items_ptr, &items, sizeof(items));
    *capacity = grown;
    return 0;
}
