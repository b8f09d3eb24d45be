/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_WORKFLOW_FILE_H
#define SHARDRUN_WORKFLOW_FILE_H

/* Reads a workflow file into a sealed workflow. What its tasks' payloads mean stands in command.h and replay.h. */

#include <shard/workflow.h>

struct workflow_file {
    shard_workflow *workflow;         /* NULL when it was refused */
    struct shard_parse_report report; /* of the parser; all zero when the file could not be read */
    char *problem;                    /* one line: why it was refused */
    int exit_code;                    /* of the refusal */
};

/* Returns 0, or -1 with `problem` set. "-" is standard input. End it with workflow_file_clear in both cases. */
int workflow_file_load(shard_context *context, const char *path, struct workflow_file *ret_file);
void workflow_file_clear(struct workflow_file *file);

#endif
