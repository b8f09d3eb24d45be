/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_OUTCOME_H
#define SHARDRUN_OUTCOME_H

/* Turns what the launch layer saw of an attempt into an outcome and one line for people. */

#include <stdbool.h>

#include <shard/executor.h>

#include "launch/launch.h"

struct verdict {
    enum shard_outcome outcome;
    char *message; /* NULL: none */
};

/*
 * `directory` is the attempt's, `cancelled` whether the engine asked for the end and `reason` why.
 *
 * A command that failed counts as out of disk when one of the last lines of its stderr says so ("No space left on
 * device", "Disk quota exceeded", ENOSPC): there is no better sign, since the command's own exit code says nothing.
 */
struct verdict verdict_of(const struct launch_result *result, const char *directory, bool cancelled,
                          enum shard_cancel_reason reason);

#endif
