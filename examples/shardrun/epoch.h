/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_EPOCH_H
#define SHARDRUN_EPOCH_H

/*
 * The highest epoch that has started anything of a run, kept in a file beside it. A shardrun that was frozen and comes
 * back finds a higher one there and starts nothing more, and puts no output in place.
 */

#include <stdint.h>

struct epoch_file {
    int fd;
};

/* Returns 0, or -1 and one line. */
int epoch_file_open(const char *path, struct epoch_file *ret_file, char **ret_problem);
void epoch_file_close(struct epoch_file *file); /* takes one that is all zero */

/*
 * Raises the epoch in the file to `epoch` and keeps other processes from raising it until epoch_leave. Waits for one
 * that does so; should that one be stopped, it is continued, or told of when it cannot be. Returns 0, SHARD_EFENCED
 * when it is higher already, or SHARD_EIO; nothing is held then.
 */
int epoch_enter(struct epoch_file *file, int64_t epoch);
void epoch_leave(struct epoch_file *file);

#endif
