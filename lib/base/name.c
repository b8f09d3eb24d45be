/* SPDX-License-Identifier: Apache-2.0 */
/* The check of names: of tasks, kinds, data, hosts, volumes and runs. */

#include "name.h"

#include <stddef.h>
#include <string.h>

#include <shard/workflow.h>

#include "error.h"

/* The length of the well-formed UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

int shard__check_name(const char *name, const char *what)
{
    if (name == NULL || name[0] == '\0')
        return shard__fail(SHARD_EINVAL, "%s name: is empty, expected at least one character", what);
    size_t bytes = strnlen(name, SHARD_MAX_NAME_BYTES + 1);
    if (bytes > SHARD_MAX_NAME_BYTES)
        return shard__fail(SHARD_ELIMIT, "%s name '%.32s...': longer than %d bytes", what, name, SHARD_MAX_NAME_BYTES);
    const unsigned char *p = (const unsigned char *)name;
    while (*p != '\0') {
        size_t length = utf8_sequence(p);
        if (length == 0)
            return shard__fail(SHARD_EINVAL, "%s name: byte %zu is not UTF-8", what,
                               (size_t)(p - (const unsigned char *)name));
        if (*p < 0x20 || *p == 0x7f)
            return shard__fail(SHARD_EINVAL, "%s name '%.32s': has a control character at byte %zu", what, name,
                               (size_t)(p - (const unsigned char *)name));
        p += length;
    }
    return 0;
}
