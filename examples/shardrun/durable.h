/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_DURABLE_H
#define SHARDRUN_DURABLE_H

/*
 * Sees to it that files outlive a power cut, in a thread of the loop's pool: a disk may take its time, and neither the
 * lease nor other attempts wait for it.
 */

#include <uv.h>

struct durable;

/* Told in the thread of the loop: 0, or the negative errno value of the first path that could not be synced. */
typedef void (*durable_done)(void *self, int status);

/* Paths to sync: files, directories with all that is in them, or directories alone. */
struct durable_paths {
    char **items; /* owned */
    size_t count;
    size_t capacity;
};

/* Adds a path, which it takes over. */
void durable_add(struct durable_paths *paths, char *path);

enum durable_depth {
    DURABLE_WHOLE, /* directories with all that is in them */
    DURABLE_ENTRY  /* directories alone: what is renamed into them */
};

/*
 * Begins to sync the paths, which it takes over; what is not there is passed over. `done` is told later, never before
 * this returns.
 */
struct durable *durable_begin(uv_loop_t *loop, struct durable_paths *paths, enum durable_depth depth, durable_done done,
                              void *self);

/* Nobody is to be told any more. */
void durable_forget(struct durable *durable);

#endif
