/* SPDX-License-Identifier: Apache-2.0 */
/* The checking allocator. Its header lies in front of each block; it is not for measuring. */

#include "tracked.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

union header {
    size_t size;
    max_align_t align;
};

void tracked_init(struct tracked *tracked)
{
    memset(tracked, 0, sizeof(*tracked));
    tracked->lock = malloc(sizeof(pthread_mutex_t));
    pthread_mutex_init(tracked->lock, NULL);
}

void tracked_free(struct tracked *tracked)
{
    pthread_mutex_destroy(tracked->lock);
    free(tracked->lock);
}

static void *allocate(struct tracked *tracked, void *ptr, size_t old_size, size_t new_size)
{
    union header *old = ptr == NULL ? NULL : (union header *)ptr - 1;
    if (old != NULL && old->size != old_size)
        tracked->wrong_sizes++;
    if (new_size == 0) {
        if (old != NULL) {
            tracked->live--;
            tracked->live_bytes -= (long)old->size;
        }
        free(old);
        return NULL;
    }
    if (++tracked->calls == tracked->fail_at) {
        tracked->failed++;
        return NULL;
    }
    /* Always somewhere else, so that a pointer kept across a reallocation is found out. */
    union header *made = malloc(sizeof(*made) + new_size);
    if (made == NULL)
        return NULL;
    made->size = new_size;
    if (old != NULL) {
        memcpy(made + 1, ptr, old->size < new_size ? old->size : new_size);
        tracked->live_bytes -= (long)old->size;
        free(old);
    } else {
        tracked->live++;
    }
    tracked->live_bytes += (long)new_size;
    return made + 1;
}

void *tracked_alloc(void *self, void *ptr, size_t old_size, size_t new_size)
{
    struct tracked *tracked = self;
    pthread_mutex_lock(tracked->lock);
    void *result = allocate(tracked, ptr, old_size, new_size);
    pthread_mutex_unlock(tracked->lock);
    return result;
}

shard_context *tracked_context(struct tracked *tracked, shard_offload_fn offload, void *offload_self)
{
    struct shard_context_config config = {.struct_size = sizeof(config),
                                          .alloc = tracked_alloc,
                                          .alloc_self = tracked,
                                          .offload = offload,
                                          .offload_self = offload_self};
    shard_context *context = NULL;
    tracked_init(tracked);
    ck_assert_int_eq(shard_context_new(&config, &context), 0);
    return context;
}

void tracked_context_free(struct tracked *tracked, shard_context *context)
{
    shard_context_free(context);
    ck_assert_int_eq(tracked->live, 0);
    ck_assert_int_eq(tracked->live_bytes, 0);
    ck_assert_int_eq(tracked->wrong_sizes, 0);
    tracked_free(tracked);
}
