/* SPDX-License-Identifier: Apache-2.0 */
/* The context and its defaults: malloc, the system's clocks, no log, no offload. */

#include "context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "error.h"

static void *default_alloc(void *self, void *ptr, size_t old_size, size_t new_size)
{
    (void)self;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

static int64_t default_clock(void *self, enum shard_clock_kind kind)
{
    (void)self;
    struct timespec time;
    clock_gettime(kind == SHARD_CLOCK_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int shard_context_new(const struct shard_context_config *config, shard_context **ret_context)
{
    shard__clear_error();
    struct shard_context made = {0};
    if (config != NULL) {
        int status = shard__take_struct(&made.config, sizeof(made.config), config, "context config");
        if (status < 0)
            return status;
    }
    if (made.config.alloc == NULL)
        made.config.alloc = default_alloc;
    if (made.config.clock == NULL)
        made.config.clock = default_clock;
    shard_context *context = shard__realloc(&made, NULL, 0, sizeof(*context));
    if (context == NULL)
        return SHARD_ENOMEM;
    *context = made;
    *ret_context = context;
    return 0;
}

void shard_context_free(shard_context *context)
{
    if (context == NULL)
        return;
    struct shard_context copy = *context;
    shard__release(&copy, context, sizeof(*context));
}

void shard__log(const shard_context *context, enum shard_log_level level, const char *id, const char *format, ...)
{
    if (context->config.log == NULL)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    context->config.log(context->config.log_self, level, id, line);
}

int64_t shard__now_ns(const shard_context *context)
{
    return context->config.clock(context->config.clock_self, SHARD_CLOCK_MONOTONIC);
}

int64_t shard__wall_ns(const shard_context *context)
{
    return context->config.clock(context->config.clock_self, SHARD_CLOCK_WALL);
}

int shard__offload(const shard_context *context, void (*work)(void *arg), void *arg)
{
    if (context->config.offload != NULL)
        return context->config.offload(context->config.offload_self, work, arg);
    work(arg);
    return 0;
}

int64_t shard__seconds_to_ns(double seconds)
{
    if (!(seconds > 0))
        return 0;
    return seconds >= 9e9 ? INT64_MAX : (int64_t)(seconds * 1e9);
}

const char *shard_version(void)
{
    return SHARD_VERSION_STRING;
}
