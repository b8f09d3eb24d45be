/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_CONTEXT_H
#define SHARD_BASE_CONTEXT_H

/* What hangs off the context besides memory: log, time, slow work. */

#include <stdint.h>

#include <shard/context.h>

#include "alloc.h"

/* One line to the log hook; does nothing without one. `id` is a short frozen name. */
void shard__log(const shard_context *context, enum shard_log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int64_t shard__now_ns(const shard_context *context);
int64_t shard__wall_ns(const shard_context *context);

/* Gives `work` to the offload hook, or runs it here when there is none. 0 or the hook's negative code. */
int shard__offload(const shard_context *context, void (*work)(void *arg), void *arg);

/* Seconds to nanoseconds, saturating; NaN and negative give 0. */
int64_t shard__seconds_to_ns(double seconds);

/* The time that is so much after another, at most INT64_MAX. `after_ns` is 0 or more. */
static inline int64_t shard__later_ns(int64_t time_ns, int64_t after_ns)
{
    return time_ns > INT64_MAX - after_ns ? INT64_MAX : time_ns + after_ns;
}

#endif
