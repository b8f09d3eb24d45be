/* SPDX-License-Identifier: Apache-2.0 */
/* Base64. Strict: no white space, no missing padding, no bits beyond the end, so that each text is the only one. */

#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void shard__base64_put(struct shard__bytes *out, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (; size > 0; p += 3) {
        size_t taken = size < 3 ? size : 3;
        uint32_t group = (uint32_t)p[0] << 16;
        group |= taken > 1 ? (uint32_t)p[1] << 8 : 0;
        group |= taken > 2 ? (uint32_t)p[2] : 0;
        char text[4];
        for (size_t i = 0; i < 4; i++)
            text[i] = i <= taken ? alphabet[group >> (18 - 6 * i) & 63] : '=';
        shard__bytes_append(out, text, 4);
        size -= taken;
    }
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; how many bytes it stands for, or -1. */
static int decode_group(const char *text, int is_last, unsigned char ret_bytes[3])
{
    int count = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
    if (count < 3 && !is_last)
        return -1;
    uint32_t group = 0;
    for (int i = 0; i < 4; i++) {
        int value = i <= count ? digit(text[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | (uint32_t)value;
    }
    if ((count == 1 && (group & 0xffff) != 0) || (count == 2 && (group & 0xff) != 0))
        return -1;
    ret_bytes[0] = (unsigned char)(group >> 16);
    ret_bytes[1] = (unsigned char)(group >> 8);
    ret_bytes[2] = (unsigned char)group;
    return count;
}

int shard__base64_get(struct shard__bytes *out, const char *text, size_t size)
{
    size_t before = out->size;
    if (size % 4 != 0)
        return -1;
    for (size_t i = 0; i < size; i += 4) {
        unsigned char bytes[3];
        int count = decode_group(text + i, i + 4 == size, bytes);
        if (count < 0) {
            out->size = before;
            return -1;
        }
        shard__bytes_append(out, bytes, (size_t)count);
    }
    return 0;
}
