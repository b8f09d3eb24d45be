/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON. Knows no format. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

void shard__json_put_string(struct shard__bytes *out, const char *text)
{
    shard__bytes_append(out, "\"", 1);
    while (*text != '\0') {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        shard__bytes_append(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        if (*text == '"' || *text == '\\')
            shard__bytes_printf(out, "\\%c", *text);
        else
            shard__bytes_printf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        text++;
    }
    shard__bytes_append(out, "\"", 1);
}

/* printf() writes the locale's decimal point, of one or more bytes; JSON wants '.'. */
static void put_number(struct shard__bytes *out, const char *number)
{
    for (; *number != '\0'; number++) {
        if (strchr("0123456789+-e", *number) != NULL) {
            shard__bytes_append(out, number, 1);
        } else {
            shard__bytes_append(out, ".", 1);
            while (number[1] != '\0' && strchr("0123456789+-e", number[1]) == NULL)
                number++;
        }
    }
}

void shard__json_put_double(struct shard__bytes *out, double value)
{
    char number[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, value);
        if (strtod(number, NULL) == value)
            break;
    }
    put_number(out, number);
}

void shard__json_put_float(struct shard__bytes *out, float value)
{
    char number[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, (double)value);
        if (strtof(number, NULL) == value)
            break;
    }
    put_number(out, number);
}

/* Offset of the first quote of the text that no backslash precedes. */
static size_t string_end(const char *text, size_t begin, size_t end)
{
    size_t at = begin;
    while (at < end && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at;
}

void shard__json_put_value(struct shard__bytes *out, const struct shard__json *json, uint32_t node)
{
    const struct shard__json_node *n = &json->nodes[node];
    int quoted = n->type == SHARD__JSON_STRING;
    size_t begin = n->begin - (size_t)quoted, end = n->end + (size_t)quoted;
    const char *text = json->text;
    if (memchr(text + begin, '\n', end - begin) == NULL) {
        shard__bytes_append(out, text + begin, end - begin);
        return;
    }
    while (begin < end) {
        size_t at = begin;
        while (at < end && strchr(" \t\r\n\"", text[at]) == NULL)
            at++;
        if (at < end && text[at] == '"')
            at = string_end(text, at + 1, end) + 1;
        shard__bytes_append(out, text + begin, at - begin);
        begin = at;
        while (begin < end && strchr(" \t\r\n", text[begin]) != NULL)
            begin++;
    }
}
