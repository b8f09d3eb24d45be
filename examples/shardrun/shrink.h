/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SHRINK_H
#define SHARDRUN_SHRINK_H

/*
 * How a running command agrees to do fewer units than it was started for, so that others can do the rest. Two files in
 * the attempt's own directory, which the command cannot write to, make this survive shardrun: what the command was
 * asked last, and what it has agreed to. The command sees the limit and answers by its progress (progress.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "progress.h"

struct shrink {
    int64_t range; /* units that the attempt will do */
    int32_t depth; /* parts that were split off it; 0: none was */
    bool is_asked;
    int64_t asked; /* the limit that the command has not answered yet */
    int32_t asked_depth;
};

/* What is known of the attempt in a directory, which was started, or is known by the engine, for `range` units. */
void shrink_restore(struct shrink *shrink, const char *directory, int64_t range);
/* Asks the command to do only so many units. Returns 0, or -1 and one line. */
int shrink_ask(struct shrink *shrink, const char *directory, const char *outputs, int64_t units, int32_t depth,
               char **ret_problem);
/* Whether the command has answered: then nothing is asked any more, and range and depth are as it has agreed. */
bool shrink_answered(struct shrink *shrink, const char *directory, const struct progress *progress);

#endif
