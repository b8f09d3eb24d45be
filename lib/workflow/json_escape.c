/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a backslash in a string. Does not know where strings begin or end. */

#include <string.h>

#include "json.h"

/* The value of four hexadecimal digits, -1 if they are not. */
static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *out, int code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* Decodes \uXXXX, or a pair of them, at *p (behind the u). NULL when fine, else what is wrong. */
static const char *decode_unicode(char **p, char **out)
{
    int code = hex4(*p);
    if (code < 0)
        return "expected four hexadecimal digits after \\u";
    if (code == 0)
        return "a string has a NUL (\\u0000), expected none";
    *p += 4;
    if (code >= 0xdc00 && code <= 0xdfff)
        return "a low surrogate without its high one, expected a pair";
    if (code >= 0xd800 && code <= 0xdbff) {
        int low = (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return "a high surrogate without its low one, expected a pair";
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    }
    *out = put_utf8(*out, code);
    return NULL;
}

const char *shard__json_decode_escape(char **p, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *(*p)++;
    if (c == 'u')
        return decode_unicode(p, out);
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL)
        return "not an escape, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u";
    *(*out)++ = to[found - from];
    return NULL;
}
