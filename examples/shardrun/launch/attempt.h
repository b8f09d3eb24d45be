/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_ATTEMPT_H
#define SHARDRUN_LAUNCH_ATTEMPT_H

/*
 * What an attempt is on the library side, shared by the files that start, watch and adopt attempts.
 */

#include "env.h"

struct launch_attempt {
    char *dir;
    int shim_fd; /* pidfd of the shim; polls readable when it has ended. For one that was settled: always readable */
    bool settled;
    struct launch_result result; /* when settled */
};

/* Takes fd; NULL if there is no memory (fd is closed then). */
struct launch_attempt *launch__attempt_make(const char *dir, int shim_fd);
/* Opens the lock file (made if absent) and tries to take it. -EAGAIN: a starter or a shim holds it. */
int launch__lock_take(int dir_fd, bool exclusive_make, int *ret_fd);
/*
 * The lock is ours and so nobody supervises the attempt any more: finds or makes its result. Kills what a lost shim
 * left. -ENOENT if no command ever ran.
 */
int launch__settle(const char *dir, int dir_fd, struct launch_result *ret_result);

#endif
