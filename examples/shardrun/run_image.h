/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_RUN_IMAGE_H
#define SHARDRUN_RUN_IMAGE_H

/* Names and rows in the image of a run, subtasks included: part 1 of task "t" is "t/1". */

#include <stdbool.h>

#include <shard/store.h>

/* NULL when the task has none. */
const struct shard_task_row *image_row(const struct shard_run_image *image, shard_task_id task);
char *image_task_name(const struct shard_run_image *image, shard_task_id task); /* the caller's to free */
/* The task of that name, negative when there is none. */
shard_task_id image_find_task(const struct shard_run_image *image, const char *wanted);
/* NULL when it is not known. */
const char *image_host_name(const struct shard_run_image *image, shard_host_id host);

/* The commit of the catalog that a start ran under; 0 bytes when there is none. */
int image_commit(const struct shard_run_image *image, int32_t revision, const char **ret_commit);
/* Ends a printed line with that commit, if the record is of a start that has one. */
void image_print_commit(const struct shard_run_image *image, const struct shard_record *record);
/* Whether a record tells of a task: of its transitions, or what the catalog amended. */
bool image_is_of_task(const struct shard_record *record);

#endif
