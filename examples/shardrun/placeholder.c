/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills placeholders of commands in.
 */
#include "placeholder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A placeholder in a text: {word} or {word:name}. */
struct found {
    const char *word;
    size_t word_length;
    const char *name; /* NULL: none */
    size_t name_length;
    const char *after; /* the closing brace's successor */
};

void named_paths_take(struct named_paths *paths, const char *name, char *path)
{
    paths->items = need_resized(paths->items, paths->count + 1, sizeof *paths->items);
    paths->items[paths->count++] = (struct named_path){need_copy(name), path};
}

void named_paths_clear(struct named_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->items[i].name);
        free(paths->items[i].path);
    }
    free(paths->items);
    *paths = (struct named_paths){0};
}

void placeholders_clear(struct placeholders *values)
{
    named_paths_clear(&values->inputs);
    named_paths_clear(&values->outputs);
    named_paths_clear(&values->parts);
}

static bool find_here(const char *text, struct found *ret_found)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    if (text[0] != '{')
        return false;
    struct found found = {.word = text + 1, .word_length = strspn(text + 1, letters)};
    const char *end = found.word + found.word_length;
    if (found.word_length == 0)
        return false;
    if (*end == ':') {
        found.name = end + 1;
        found.name_length = strcspn(found.name, "}");
        end = found.name + found.name_length;
    }
    if (*end != '}')
        return false;
    found.after = end + 1;
    *ret_found = found;
    return true;
}

static bool word_is(const struct found *found, const char *word)
{
    return strlen(word) == found->word_length && strncmp(word, found->word, found->word_length) == 0;
}

/* Quotes where the shell could see something in it; a number stays one, for $((...)). */
static void add_quoted(struct text *text, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=,@./:";
    if (value[0] != '\0' && value[strspn(value, plain)] == '\0') {
        text_puts(text, value);
        return;
    }
    text_puts(text, "'");
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\'')
            text_puts(text, "'\\''");
        else
            text_add(text, p, 1);
    }
    text_puts(text, "'");
}

static const struct named_paths *list_of(const struct placeholders *values, const struct found *found)
{
    if (word_is(found, "input"))
        return &values->inputs;
    if (word_is(found, "output"))
        return &values->outputs;
    return word_is(found, "parts") ? &values->parts : NULL;
}

static int wrong(const struct found *found, const char *why, char **ret_problem)
{
    *ret_problem = need_printf("placeholder '%.*s': %s", (int)(found->after - found->word + 1), found->word - 1, why);
    return -1;
}

/* The paths that a placeholder stands for, in order, each given to `strings`. */
static int paths_of(const struct placeholders *values, const struct named_paths *list, const struct found *found,
                    struct strings *strings, char **ret_problem)
{
    size_t before = strings->count;
    if (list == &values->parts && !values->is_merge)
        return wrong(found, "only the merge command has parts", ret_problem);
    for (size_t i = 0; i < list->count; i++) {
        const struct named_path *item = &list->items[i];
        if (found->name == NULL ||
            (strlen(item->name) == found->name_length && strncmp(item->name, found->name, found->name_length) == 0))
            strings_take(strings, need_copy(item->path));
    }
    if (found->name != NULL && strings->count == before)
        return wrong(found, list == &values->inputs ? "the task has no such input" : "the task has no such output",
                     ret_problem);
    return 0;
}

/* The text of a placeholder that is a number or the task's name. NULL: there is none of that name. */
static char *scalar_of(const struct placeholders *values, const struct found *found)
{
    if (found->name != NULL)
        return NULL;
    if (word_is(found, "begin"))
        return need_printf("%" PRId64, values->begin);
    if (word_is(found, "end"))
        return need_printf("%" PRId64, values->end);
    if (word_is(found, "index"))
        return need_printf("%" PRId32, values->index);
    if (word_is(found, "count"))
        return need_printf("%" PRId32, values->count);
    if (word_is(found, "attempt"))
        return need_printf("%" PRId32, values->attempt);
    return word_is(found, "task") ? need_copy(values->task) : NULL;
}

static int add_value(const struct placeholders *values, const struct found *found, bool shell, struct text *text,
                     char **ret_problem)
{
    struct strings all = {0};
    char *scalar = scalar_of(values, found);
    const struct named_paths *list = list_of(values, found);
    if (scalar != NULL) {
        strings_take(&all, scalar);
    } else if (list == NULL) {
        return wrong(found, "there is none of that name; write '{{' for a brace that means itself", ret_problem);
    } else if (paths_of(values, list, found, &all, ret_problem) < 0) {
        strings_clear(&all);
        return -1;
    }
    for (size_t i = 0; i < all.count; i++) {
        text_puts(text, i > 0 ? " " : "");
        if (shell)
            add_quoted(text, all.items[i]);
        else
            text_puts(text, all.items[i]);
    }
    strings_clear(&all);
    return 0;
}

/* Fills in one text; all its placeholders in place. */
static int fill_text(const struct placeholders *values, const char *source, bool shell, char **ret_text,
                     char **ret_problem)
{
    struct text text = {0};
    const char *p = source;
    while (*p != '\0') {
        struct found found;
        if (p[0] == '{' && p[1] == '{') {
            text_puts(&text, "{");
            p += 2;
        } else if (find_here(p, &found) && !(p > source && p[-1] == '$')) {
            if (add_value(values, &found, shell, &text, ret_problem) < 0) {
                text_clear(&text);
                return -1;
            }
            p = found.after;
        } else {
            text_add(&text, p++, 1);
        }
    }
    *ret_text = text_take(&text);
    return 0;
}

static int fill_argument(const struct placeholders *values, const char *source, struct strings *argv,
                         char **ret_problem)
{
    struct found found;
    char *text = NULL;
    const struct named_paths *list = NULL;
    if (find_here(source, &found) && *found.after == '\0')
        list = list_of(values, &found);
    if (list != NULL)
        return paths_of(values, list, &found, argv, ret_problem);
    if (fill_text(values, source, false, &text, ret_problem) < 0)
        return -1;
    strings_take(argv, text);
    return 0;
}

int placeholders_fill(const struct placeholders *values, const json_t *command, struct strings *argv,
                      char **ret_problem)
{
    if (json_is_string(command)) {
        char *text = NULL;
        if (fill_text(values, json_string_value(command), true, &text, ret_problem) < 0)
            return -1;
        strings_take(argv, need_copy("/bin/sh"));
        strings_take(argv, need_copy("-c"));
        strings_take(argv, text);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(command); i++) {
        if (fill_argument(values, json_string_value(json_array_get(command, i)), argv, ret_problem) < 0)
            return -1;
    }
    return 0;
}
