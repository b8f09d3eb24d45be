/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text inside HTML and SVG, and figures as people read them.
 */
#include "markup.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at `bytes`, 0 when it is none or stands for what XML 1.0 (section 2.2) leaves out. */
static int character_length(const unsigned char *bytes)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point = bytes[0];
    int length = point < 0x80 ? 1 : point >> 5 == 0x6 ? 2 : point >> 4 == 0xe ? 3 : point >> 3 == 0x1e ? 4 : 0;
    if (length > 1)
        point &= 0xffU >> (length + 1);
    for (int i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3f);
    }
    bool space = point == '\t' || point == '\n' || point == '\r';
    if (length == 0 || point < smallest[length] || (point < 0x20 && !space) || point == 0x7f ||
        (point >= 0xd800 && point <= 0xdfff) || point == 0xfffe || point == 0xffff || point > 0x10ffff)
        return 0;
    return length;
}

static void put_character(struct text *text, const char *bytes, int length)
{
    switch (bytes[0]) {
    case '<':
        text_puts(text, "&lt;");
        break;
    case '>':
        text_puts(text, "&gt;");
        break;
    case '&':
        text_puts(text, "&amp;");
        break;
    case '"':
        text_puts(text, "&quot;");
        break;
    case '\'':
        text_puts(text, "&#39;");
        break;
    default:
        text_add(text, bytes, (size_t)length);
        break;
    }
}

static int count_characters(const char *string)
{
    int count = 0;
    for (; *string != '\0'; string++)
        count += ((unsigned char)*string & 0xc0) != 0x80;
    return count;
}

void markup_escape(struct text *text, const char *string)
{
    while (*string != '\0') {
        int length = character_length((const unsigned char *)string);
        if (length == 0)
            text_puts(text, "?");
        else
            put_character(text, string, length);
        string += length == 0 ? 1 : length;
    }
}

void markup_escape_cut(struct text *text, const char *string, int characters)
{
    int surplus = count_characters(string) - (characters < 2 ? 2 : characters);
    if (surplus > 0) {
        text_puts(text, "\xe2\x80\xa6");
        for (surplus++; surplus > 0 || ((unsigned char)*string & 0xc0) == 0x80; string++)
            surplus -= ((unsigned char)*string & 0xc0) != 0x80;
    }
    markup_escape(text, string);
}

void markup_count(struct text *text, int64_t count)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, count);
    for (int i = 0; i < length; i++) {
        text_add(text, &digits[i], 1);
        if ((length - 1 - i) % 3 == 0 && i < length - 1 && digits[i] != '-')
            text_puts(text, ",");
    }
}

void markup_seconds(struct text *text, double seconds)
{
    if (isnan(seconds))
        text_puts(text, "not known");
    else if (seconds < 0.9995)
        text_printf(text, "%.0f ms", seconds * 1000);
    else if (seconds < 9.995)
        text_printf(text, "%.2f s", seconds);
    else if (seconds < 99.95)
        text_printf(text, "%.1f s", seconds);
    else if (seconds < 3599.5)
        text_printf(text, "%d:%02d min", (int)(round(seconds) / 60), (int)round(seconds) % 60);
    else
        text_printf(text, "%" PRId64 ":%02d h", (int64_t)(round(seconds / 60) / 60),
                    (int)fmod(round(seconds / 60), 60));
}

void markup_bytes(struct text *text, int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        size /= 1024;
    text_printf(text, "%.*f %s", unit == 0 || size >= 100 ? 0 : 1, size, units[unit]);
}

void markup_coordinate(struct text *text, double number)
{
    char digits[32];
    double rounded = round(number * 10) / 10;
    snprintf(digits, sizeof digits, rounded == floor(rounded) ? "%.0f" : "%.1f", rounded == 0 ? 0 : rounded);
    text_puts(text, digits);
}
