/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_PAYLOAD_H
#define SHARDRUN_PAYLOAD_H

/*
 * What the payload of a task means to shardrun: a JSON object that says which command runs the task. The engine does
 * not look inside. Nothing here knows where files lie; that is for whoever fills in the placeholders (placeholder.h).
 *
 *   {"command": ["prog", "arg", ...] | "shell text",   shell text runs as /bin/sh -c TEXT
 *    "merge":   the same, for the merge step of a task that was split,
 *    "env":     {"NAME": "value"},
 *    "cwd":     "/absolute/path"                       default: the directory that the outputs go to
 *    "network": true                                   containers have none otherwise
 *    "image":   "DIR" | "oci:DIR[:TAG]"                root filesystem instead of the run's
 *    "replay":  {...},                                 what a WfFormat file recorded (replay.h)
 *    "program", "arguments"}                           what ran then; for people
 */

#include <jansson.h>
#include <stdbool.h>

#include <shard/workflow.h>

struct payload {
    json_t *root; /* owns what the others point to; NULL: the task has no payload */
    json_t *command;
    json_t *merge;
    json_t *env;
    json_t *replay;
    const char *cwd;
    const char *image;
    bool network;
};

/* Returns 0, or -1 and one line in `*ret_problem` for the caller to free. End it with payload_clear. */
int payload_read(const void *bytes, size_t length, struct payload *ret_payload, char **ret_problem);
void payload_clear(struct payload *payload);

/*
 * Checks the payloads of a whole workflow: keys, types, placeholders, and that split tasks with outputs have a merge
 * command. With `runnable`, a task without a command is a problem too. Returns 0, or -1 and one line that names the
 * first task that is wrong.
 */
int payload_check_workflow(const shard_workflow *workflow, bool runnable, char **ret_problem);

#endif
