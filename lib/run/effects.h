/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_EFFECTS_H
#define SHARD_RUN_EFFECTS_H

/*
 * What the runs want done that needs no record first: cancelling and shrinking attempts, bringing data, telling
 * warnings. (Starts
 * follow from records, once those are durable.) The engine carries them out.
 */

#include <stdint.h>

#include "base/alloc.h"

enum shard__effect_kind { SHARD__EFFECT_CANCEL, SHARD__EFFECT_STAGE, SHARD__EFFECT_SHRINK, SHARD__EFFECT_WARN };

struct shard__effect {
    enum shard__effect_kind kind;
    int32_t run;
    int32_t slot;  /* of the attempt, or of the stage; for a warning the task, -1: none */
    int code;      /* of a warning */
    char *message; /* of a warning; from shard__strdup */
};

struct shard__effects {
    shard_context *context;
    struct shard__effect *items;
    size_t capacity;
    int32_t count;
};

/* Room for so many more. */
static inline int shard__effects_reserve(struct shard__effects *effects, int32_t more)
{
    return shard__grow(effects->context, &effects->items, &effects->capacity, (size_t)(effects->count + more),
                       sizeof(*effects->items));
}

/* Reserved before. */
static inline void shard__effects_add(struct shard__effects *effects, enum shard__effect_kind kind, int32_t run,
                                      int32_t slot)
{
    effects->items[effects->count++] = (struct shard__effect){.kind = kind, .run = run, .slot = slot};
}

/* A warning for people; it is dropped when there is no memory for it. */
void shard__effects_warn(struct shard__effects *effects, int32_t run, int32_t task, int code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
