/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MADE_RUN_H
#define MADE_RUN_H

/* Runs that never were: a workflow's tasks placed on hosts by a simple rule, as the records that a store would give. */

#include <shard/sink.h>

struct made_run_config {
    const char *name;
    int hosts;
    int lanes;           /* of each host */
    int sick_host;       /* on which every third attempt fails; -1: none */
    const char *message; /* of its failures */
    int parts;           /* the first task is split in so many; 0: not */
};

/* Never NULL; end it with image->release(image). */
struct shard_run_image *made_run(shard_workflow *workflow, const struct made_run_config *config);

#endif
