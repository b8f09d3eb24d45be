/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun import`: turns a workflow file of any format that is read into the native one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/workflow.h>

#include "cli.h"
#include "files.h"
#include "workflow_file.h"

struct import_options {
    const char *file;
    const char *output; /* NULL: standard output */
};

static const struct argp_option options[] = {{"output", 'o', "FILE", 0, "write to FILE instead of standard output", 0},
                                             {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct import_options *import = state->input;
    switch (key) {
    case 'o':
        import->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (import->file != NULL)
            argp_error(state, "one FILE at a time");
        import->file = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing; - is standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int write_out(const char *output, const char *text, size_t length)
{
    char *problem = NULL;
    if (output == NULL || strcmp(output, "-") == 0) {
        if (fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0)
            return CLI_DONE;
        return cli_error(CLI_ENVIRONMENT, "standard output takes no more; nothing else was changed");
    }
    if (file_write(output, text, length, &problem) == 0)
        return CLI_DONE;
    int code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    return code;
}

int cmd_import(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Turns a WfFormat file (1.2 to 1.5) into the native workflow format. What it records of each task's "
               "real execution stands in the task's payload, for `shardrun run --replay`."};
    struct import_options import = {0};
    struct workflow_file file = {0};
    shard_context *context = NULL;
    char *text = NULL;
    size_t length = 0;
    int code = CLI_DONE;

    cli_parse(&argp, argc, argv, &import);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    if (workflow_file_load(context, import.file, &file) < 0)
        code = cli_error(file.exit_code, "%s", file.problem);
    else if (shard_workflow_to_json(file.workflow, &text, &length) < 0)
        code = cli_library_error(import.file);
    else
        code = write_out(import.output, text, length);
    shard_free(context, text);
    workflow_file_clear(&file);
    shard_context_free(context);
    return code;
}
