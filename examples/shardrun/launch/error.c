/* SPDX-License-Identifier: Apache-2.0 */

/* The one place where the launch layer makes error texts. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

int launch__fail(struct launch_error *error, int code, const char *format, ...)
{
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *at = error->text; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    }
    return code;
}
