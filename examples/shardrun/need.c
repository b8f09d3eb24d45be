/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that shardrun cannot go on without, and the growing text and list of strings that stand on it.
 */
#include "need.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void *needed(void *ptr)
{
    if (ptr == NULL)
        exit(cli_error(CLI_ENVIRONMENT, "no memory left; what runs goes on, `shardrun resume` takes it up again"));
    return ptr;
}

void *need_zeroed(size_t count, size_t size)
{
    return needed(calloc(count > 0 ? count : 1, size));
}

void *need_resized(void *ptr, size_t count, size_t size)
{
    return needed(reallocarray(ptr, count > 0 ? count : 1, size));
}

char *need_copy(const char *text)
{
    return needed(strdup(text));
}

char *need_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    return needed(text);
}

char *need_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = need_vprintf(format, args);
    va_end(args);
    return text;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = text->capacity < 64 ? 64 : text->capacity * 2;
        while (capacity < text->length + length + 1)
            capacity *= 2;
        text->bytes = need_resized(text->bytes, capacity, 1);
        text->capacity = capacity;
    }
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *piece = need_vprintf(format, args);
    va_end(args);
    text_puts(text, piece);
    free(piece);
}

void text_clear(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

char *text_take(struct text *text)
{
    text_add(text, "", 0);
    char *bytes = text->bytes;
    *text = (struct text){0};
    return bytes;
}

void strings_take(struct strings *strings, char *item)
{
    strings->items = need_resized(strings->items, strings->count + 2, sizeof *strings->items);
    strings->items[strings->count++] = item;
    strings->items[strings->count] = NULL;
}

void strings_clear(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}
