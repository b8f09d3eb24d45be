/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_ONE_STORE_H
#define TEST_ONE_STORE_H

/* A SQLite store in a private directory, for tests that do bad things to its file. */

#include <shard/shard.h>

enum { ONE_STORE_TASKS = 60 };

struct one_store {
    char directory[128];
    char path[160];
    shard_context *context;
    shard_sink *sink;
    shard_workflow *workflow;
    struct shard_store_handle store; /* port NULL: not open */
    int64_t epoch;
    int64_t last_seq; /* of what was answered well */
    struct shard_answer answer;
};

void one_store_setup(struct one_store *one, shard_context *context);
void one_store_teardown(struct one_store *one);

/** Opens and closes; 0 or the code. */
int one_store_open(struct one_store *one, int read_only);
void one_store_close(struct one_store *one);

/** Waits for the answer to a call that returned `returned`; its status. The image is freed by the next call. */
int one_store_answer(struct one_store *one, int returned);

/** Makes run "a" and takes its lease; the first failure or 0. */
int one_store_begin(struct one_store *one);

/** Commits the whole life of a task as three records after last_seq; the operation is the task + 1. */
int one_store_commit_task(struct one_store *one, shard_task_id task);

/** Loads run "a" with its history. */
int one_store_load(struct one_store *one);

/** Does what the SQL says to the file, behind the store's back. */
void one_store_sql(const struct one_store *one, const char *sql);

/** The version of the schema that the file says it has. */
int one_store_version(const struct one_store *one);

/** What the last call that failed said. */
const char *one_store_message(void);

/** Makes a store in which `tasks` tasks are done, and closes it. */
void one_store_fill(struct one_store *one, int tasks);

#endif
