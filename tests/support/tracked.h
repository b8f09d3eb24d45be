/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TRACKED_H
#define TEST_TRACKED_H

/*
 * An allocator for a context that holds the library to its word: sizes that come back are compared, what is not given
 * back is counted, and any one allocation can be made to fail. Works from several threads.
 */

#include <stddef.h>

#include <shard/context.h>

struct tracked {
    long live;        /* allocations not given back */
    long live_bytes;  /* in all */
    long calls;       /* that wanted memory, so far */
    long fail_at;     /* the call that fails, from 1; 0: none */
    long failed;      /* calls that were made to fail */
    long wrong_sizes; /* sizes that were not the ones asked for */
    void *lock;
};

void tracked_init(struct tracked *tracked);
void tracked_free(struct tracked *tracked);

/** The allocator; a shard_alloc_fn with a struct tracked as self. */
void *tracked_alloc(void *self, void *ptr, size_t old_size, size_t new_size);

/** Makes a context that uses it, with `offload` (or NULL) besides. */
shard_context *tracked_context(struct tracked *tracked, shard_offload_fn offload, void *offload_self);

/** Ends the context and checks that nothing is left and every size was right. */
void tracked_context_free(struct tracked *tracked, shard_context *context);

#endif
