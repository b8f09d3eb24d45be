/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_GIT_LOAD_H
#define SHARD_ADAPTER_GIT_LOAD_H

/* A workflow while it is read from its files. Offsets are of `texts`. */

#include "git.h"

struct shard__git_loaded {
    size_t name;
    size_t path;
    size_t text;
    size_t text_bytes;
    int is_out; /* it comes after one that is not there */
};

/* A task, and the name of one that it comes after. */
struct shard__git_after {
    int32_t task;
    size_t name;
};

struct shard__git_loading {
    shard_catalog *catalog;
    int keep_rest;
    struct shard__bytes texts;
    struct shard__bytes data;
    struct shard__bytes whole;
    struct shard__bytes problems;
    struct shard__git_loaded *tasks;
    int32_t task_count;
    size_t task_capacity;
    struct shard__git_after *afters;
    size_t after_count;
    size_t after_capacity;
    int32_t bad;
    int32_t left_out;
    int first_problem; /* code of it */
};

void shard__git_loading_init(struct shard__git_loading *loading);
void shard__git_loading_free(struct shard__git_loading *loading);

/* Marks the tasks that come after one that is not there, near or far, and counts them with the bad files. With none
   that is bad, the first such name is a failure that says who names it. */
int shard__git_leave_out(struct shard__git_loading *loading);

#endif
