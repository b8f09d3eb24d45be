/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and rows in the image of a run. A part is named by its parent and its number among its siblings.
 */
#include "run_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "need.h"

const struct shard_task_row *image_row(const struct shard_run_image *image, shard_task_id task)
{
    for (int32_t i = 0; i < image->row_count; i++) {
        if (image->rows[i].task == task)
            return &image->rows[i];
    }
    return NULL;
}

char *image_task_name(const struct shard_run_image *image, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    if (shard_workflow_task(image->workflow, task, &info) == 0)
        return need_copy(info.name);
    const struct shard_task_row *row = image_row(image, task);
    int index = 0;
    if (row == NULL || row->parent < 0)
        return need_printf("task %d", task);
    for (int32_t i = 0; i < image->row_count; i++)
        index += image->rows[i].parent == row->parent && image->rows[i].task < task &&
                 image->rows[i].unit_end > image->rows[i].unit_begin;
    char *parent = image_task_name(image, row->parent);
    char *name = need_printf("%s/%d", parent, index);
    free(parent);
    return name;
}

shard_task_id image_find_task(const struct shard_run_image *image, const char *wanted)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_task_id task = shard_workflow_find_task(image->workflow, wanted);
    shard_workflow_describe(image->workflow, &whole);
    for (int32_t i = 0; task < 0 && i < image->row_count; i++) {
        if (image->rows[i].task < whole.task_count)
            continue;
        char *name = image_task_name(image, image->rows[i].task);
        if (strcmp(name, wanted) == 0)
            task = image->rows[i].task;
        free(name);
    }
    return task;
}

const char *image_host_name(const struct shard_run_image *image, shard_host_id host)
{
    return host >= 0 && host < image->host_count && image->hosts[host] != NULL ? image->hosts[host] : NULL;
}

int image_commit(const struct shard_run_image *image, int32_t revision, const char **ret_commit)
{
    *ret_commit = revision > 0 && revision < image->revision_count && image->revisions[revision] != NULL
                      ? image->revisions[revision]
                      : "";
    return (int)strcspn(*ret_commit, "\n");
}

void image_print_commit(const struct shard_run_image *image, const struct shard_record *record)
{
    const char *commit;
    int length = record->type == SHARD_RECORD_TASK ? image_commit(image, record->revision, &commit) : 0;
    if (length > 0)
        printf("; catalog commit %.*s", length < 12 ? length : 12, commit);
    putchar('\n');
}

bool image_is_of_task(const struct shard_record *record)
{
    return record->type == SHARD_RECORD_TASK || (record->type == SHARD_RECORD_REVISION && record->task >= 0);
}
