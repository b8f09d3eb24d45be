/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a workflow file into a sealed workflow.
 */
#include "workflow_file.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "files.h"
#include "need.h"

int workflow_file_load(shard_context *context, const char *path, struct workflow_file *ret_file)
{
    char *bytes = NULL;
    size_t length = 0;
    *ret_file = (struct workflow_file){.report.struct_size = sizeof ret_file->report};
    if (file_read(path, &bytes, &length, &ret_file->problem) < 0) {
        ret_file->exit_code = CLI_USAGE;
        return -1;
    }
    const char *source = strcmp(path, "-") == 0 ? "standard input" : path;
    int status =
        shard_workflow_parse(context, bytes, length, source, SHARD_FORMAT_AUTO, &ret_file->report, &ret_file->workflow);
    if (status < 0) {
        struct shard_error error = {.struct_size = sizeof error};
        shard_error_copy(&error);
        ret_file->problem = need_printf("%s%s", error.message, cli_advice(status));
        ret_file->exit_code = cli_exit_of(status);
    }
    free(bytes);
    return status < 0 ? -1 : 0;
}

void workflow_file_clear(struct workflow_file *file)
{
    shard_workflow_unref(file->workflow);
    free(file->problem);
    *file = (struct workflow_file){0};
}
