/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WORKFLOWS_H
#define TEST_WORKFLOWS_H

/* Workflows to test with: files of tests/data, and random ones of which every field is used. Public headers only. */

#include <shard/workflow.h>

/** Reads a file whole, with a NUL behind it. To be freed with free(). */
char *read_file(const char *path, size_t *ret_bytes);

/** Reads a workflow from a file; the test fails if that fails. */
shard_workflow *load_workflow(shard_context *context, const char *path);

/** Starts a builder, adds a task of that name, an edge by name, and seals; the test fails if that fails. */
shard_builder *new_builder(shard_context *context);
shard_task_id add_task(shard_builder *builder, const char *name);
void add_edge(shard_builder *builder, const char *from, const char *to);
shard_workflow *seal(shard_builder *builder);

/** A random workflow of up to `tasks` tasks, the same for the same seed: edges, data, and every field at random. */
shard_builder *random_builder(shard_context *context, unsigned seed, int tasks);

/** Every field, list and name of the two is the same. */
void assert_same_workflow(const shard_workflow *a, const shard_workflow *b);

/** Code of the thread's last failure, and whether its message contains all that is given. */
int last_code(void);
void assert_message_has(const char *text);

#endif
