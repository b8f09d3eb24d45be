/* SPDX-License-Identifier: Apache-2.0 */
/* The check of names: of tasks, kinds, data, hosts, volumes and runs. */

#include "name.h"

#include <stddef.h>
#include <string.h>

#include <shard/workflow.h>

#include "error.h"
#include "utf8.h"

/* Of a name that is refused, so much is shown. */
enum { SHOWN_BYTES = 40 };

/* Index of the first control character (C0, DEL, C1), or `bytes`. */
static size_t find_control(const char *name, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)name;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0))
            return i;
    return bytes;
}

int shard__check_name(const char *name, const char *what)
{
    if (name == NULL || name[0] == '\0')
        return shard__fail(SHARD_EINVAL, "%s name: is empty, expected at least one character", what);
    size_t bytes = strlen(name);
    if (bytes > SHARD_MAX_NAME_BYTES)
        return shard__fail(SHARD_ELIMIT, "%s name '%.*s...': has %zu bytes, expected at most %d", what,
                           (int)shard__utf8_cut(name, bytes, SHOWN_BYTES), name, bytes, SHARD_MAX_NAME_BYTES);
    size_t good = shard__utf8_prefix(name, bytes);
    if (good < bytes)
        return shard__fail(SHARD_EINVAL, "%s name '%.*s...': byte %zu is not UTF-8", what,
                           (int)shard__utf8_cut(name, good, SHOWN_BYTES), name, good);
    size_t control = find_control(name, bytes);
    if (control < bytes)
        return shard__fail(SHARD_EINVAL, "%s name '%.*s...': has a control character at byte %zu, expected none", what,
                           (int)shard__utf8_cut(name, control, SHOWN_BYTES), name, control);
    return 0;
}
