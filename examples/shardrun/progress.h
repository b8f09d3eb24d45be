/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_PROGRESS_H
#define SHARDRUN_PROGRESS_H

/*
 * What a command tells of itself while it runs, by two files in the directory that it writes its outputs to:
 *
 *   $SHARD_PROGRESS  the command writes there how many units of its range are done, counted from {begin}: a number, or
 *                    lines of numbers of which the last whole one counts;
 *   $SHARD_LIMIT     appears when the command is to do fewer units than it was started for: so many, counted from
 *                    {begin}. A command that looks there before each unit says so by a second number on its line of
 *                    progress: the limit that it has seen, 0 for none. Having seen one, it begins no unit at or behind
 *                    it.
 *
 * Only the reading and writing of these files lives here.
 */

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t done;
    bool looks;         /* the command says which limit it has seen */
    int64_t limit_seen; /* 0: none */
};

/* The names of the two files of an attempt that writes to `directory`. */
char *progress_path(const char *directory);
char *progress_limit_path(const char *directory);

/* Reads what the command last told. Returns false when there is nothing, or nothing that makes sense. */
bool progress_read(const char *directory, struct progress *ret_progress);

#endif
