/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_PLACEHOLDER_H
#define SHARDRUN_PLACEHOLDER_H

/*
 * Placeholders in commands. A placeholder is a word of small letters in braces:
 *
 *   {input} {output} {parts}             all paths: one argument each when it is the whole argument, else with spaces
 *   {input:NAME} {output:NAME} {parts:NAME}   the paths of that piece of data
 *   {begin} {end}                        the range of units of this attempt
 *   {index} {count}                      of a subtask among its siblings
 *   {task} {attempt}
 *
 * `{{` stands for one brace. Braces around anything else, and after a dollar sign, mean themselves, so shell and awk
 * text need no escaping but for a word alone in braces. In shell text values are quoted for the shell. {parts} is for
 * merge commands: what the subtasks wrote, in their order.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "need.h"

struct named_path {
    char *name;
    char *path;
};

struct named_paths {
    struct named_path *items;
    size_t count;
};

/* Adds a path, which it takes over, under a name, which it copies. */
void named_paths_take(struct named_paths *paths, const char *name, char *path);
void named_paths_clear(struct named_paths *paths);

struct placeholders {
    const char *task;
    struct named_paths inputs;
    struct named_paths outputs;
    struct named_paths parts; /* of the output of that name, in the order of the subtasks */
    int64_t begin, end;
    int32_t attempt, index, count;
    bool is_merge;
};

void placeholders_clear(struct placeholders *values);

/*
 * Appends the words of a command (a shell text or a list of texts) to `argv`. Returns 0, or -1 and one line that names
 * the placeholder that is wrong.
 */
int placeholders_fill(const struct placeholders *values, const json_t *command, struct strings *argv,
                      char **ret_problem);

#endif
