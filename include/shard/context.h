/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_CONTEXT_H
#define SHARD_CONTEXT_H

/*
 * The context: where the library gets memory, time, randomness and a place to do slow work, and where its log goes.
 * Everything hangs off a context; there is no global state. A context may be shared by threads when the hooks that it
 * holds may be called from them; the objects made with it have their own rules.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/error.h>

SHARD_BEGIN

typedef struct shard_context shard_context;

/**
 * Allocator with user data and sizes (Lua's lua_Alloc). `new_size` 0 frees and returns NULL; `ptr` NULL allocates;
 * `old_size` is always the size last asked for. NULL for a size above 0 means no memory. Called from every thread that
 * uses an object of the context.
 */
typedef void *(*shard_alloc_fn)(void *self, void *ptr, size_t old_size, size_t new_size);

enum shard_log_level { SHARD_LOG_ERROR = 0, SHARD_LOG_WARNING = 1, SHARD_LOG_INFO = 2, SHARD_LOG_DEBUG = 3 };

/** Receives one line without a newline. `id` is a short frozen name of the message, such as "stale-answer". */
typedef void (*shard_log_fn)(void *self, enum shard_log_level level, const char *id, const char *message);

/** Which clock is asked for: MONOTONIC never jumps, WALL is nanoseconds since 1970 UTC and may. */
enum shard_clock_kind { SHARD_CLOCK_MONOTONIC = 0, SHARD_CLOCK_WALL = 1 };

/** Gives the time in nanoseconds. Virtual time is fine: the library never asks the system behind this hook's back. */
typedef int64_t (*shard_clock_fn)(void *self, enum shard_clock_kind kind);

/**
 * Runs `work(arg)` somewhere else, soon, exactly once: on a thread pool, in a worker process's thread, in an event
 * loop's pool. What blocks (fsync, a push) goes through this hook, so that the library itself makes no threads.
 * Returns 0, or a negative code when the job was not taken.
 */
typedef int (*shard_offload_fn)(void *self, void (*work)(void *arg), void *arg);

/** What a context is made of; all zero is the default: malloc, no log, the system's clocks, seed 0, no offload. */
struct shard_context_config {
    size_t struct_size;
    shard_alloc_fn alloc;
    void *alloc_self;
    shard_log_fn log;
    void *log_self;
    shard_clock_fn clock;
    void *clock_self;
    shard_offload_fn offload; /* NULL: an adapter that would block does so in the calling thread */
    void *offload_self;
    uint64_t seed; /* all randomness (jitter, exploration) derives from it */
};

/**
 * Makes a context.
 *
 * `config` NULL means all defaults. It is copied; what it points to must live as long as the context.
 *
 * Returns 0 and the context, which shard_context_free() ends.
 * Errors: SHARD_ENOMEM, SHARD_EVERSION (struct_size of a newer library with unknown fields set).
 */
SHARD_API int shard_context_new(const struct shard_context_config *config, shard_context **ret_context);

/**
 * Ends a context. Everything made with it must have been freed before. NULL is fine.
 */
SHARD_API void shard_context_free(shard_context *context);

/**
 * Frees a string or buffer that the library handed out with the words "free with shard_free".
 *
 * NULL is fine.
 */
SHARD_API void shard_free(shard_context *context, void *ptr);

typedef struct shard_workers shard_workers;

/**
 * Makes a small pool of threads whose shard_workers_offload() fits `shard_context_config.offload`.
 *
 * The one place where libshard makes threads, and only because you asked. Made before the context that uses it, and
 * freed after it. A program with a pool of its own (libuv, Go, Python) passes that instead.
 *
 * Returns 0 and the pool.
 * Errors: SHARD_EINVAL (count outside 1..256), SHARD_ENOMEM, SHARD_EIO (no thread to be had).
 */
SHARD_API int shard_workers_new(int count, shard_workers **ret_workers);

/**
 * Queues a job; a shard_offload_fn with the pool as `self`. Jobs start in the order in which they were queued.
 *
 * Returns 0, or SHARD_ENOMEM. Any thread may call it.
 */
SHARD_API int shard_workers_offload(void *workers, void (*work)(void *arg), void *arg);

/**
 * Waits for the jobs that are queued and ends the threads. NULL is fine.
 */
SHARD_API void shard_workers_free(shard_workers *workers);

SHARD_END

#endif
