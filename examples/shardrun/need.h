/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_NEED_H
#define SHARDRUN_NEED_H

/*
 * Memory that shardrun cannot go on without. A program, unlike a library, may end when there is none: what runs
 * outlives it and `shardrun resume` adopts it.
 */

#include <stdarg.h>
#include <stddef.h>

void *need_zeroed(size_t count, size_t size) __attribute__((returns_nonnull));
void *need_resized(void *ptr, size_t count, size_t size) __attribute__((returns_nonnull));
char *need_copy(const char *text);
char *need_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *need_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A text that grows. All zero is the empty one; end it with text_clear. */
struct text {
    char *bytes; /* ends with a NUL; NULL while nothing was added */
    size_t length;
    size_t capacity;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text);
/* Hands the bytes over, "" if nothing was added; the text is empty afterwards. */
char *text_take(struct text *text);

/* A list of strings that ends with NULL, as exec wants it. All zero is the empty one; it owns its strings. */
struct strings {
    char **items;
    size_t count;
};

void strings_take(struct strings *strings, char *item); /* takes over `item` */
void strings_clear(struct strings *strings);

#endif
