/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: what is well-formed, and where it may be cut. */

#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the well-formed character at p, 0 when there is none (RFC 3629, section 4). */
static size_t character_bytes(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || size > left)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

size_t shard__utf8_prefix(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    while (at < bytes) {
        uint64_t word;
        if (bytes - at >= sizeof(word)) {
            memcpy(&word, p + at, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        size_t size = character_bytes(p + at, bytes - at);
        if (size == 0)
            break;
        at += size;
    }
    return at;
}

size_t shard__utf8_cut(const char *text, size_t bytes, size_t most)
{
    if (bytes <= most)
        return bytes;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}
