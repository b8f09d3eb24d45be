/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings among the effects. */

#include "effects.h"

#include <stdarg.h>
#include <stdio.h>

void shard__effects_warn(struct shard__effects *effects, int32_t run, int32_t task, int code, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (shard__effects_reserve(effects, 1) < 0)
        return;
    char *message = shard__strdup(effects->context, text);
    if (message == NULL)
        return;
    effects->items[effects->count++] =
        (struct shard__effect){.kind = SHARD__EFFECT_WARN, .run = run, .slot = task, .code = code, .message = message};
}
