/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun check`: validates a workflow file without running anything.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <shard/workflow.h>

#include "cli.h"
#include "payload.h"
#include "workflow_file.h"

struct check_options {
    const char *file;
    bool json;
};

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "print one JSON object", 0}, {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check_options *check = state->input;
    switch (key) {
    case 'j':
        check->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (check->file != NULL)
            argp_error(state, "one FILE at a time");
        check->file = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing; - is standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *format_name(enum shard_format format)
{
    switch (format) {
    case SHARD_FORMAT_NATIVE:
        return "native";
    case SHARD_FORMAT_WFFORMAT:
        return "wfformat";
    case SHARD_FORMAT_AUTO:
    default:
        return "unknown";
    }
}

static json_t *errors_of(const struct workflow_file *file)
{
    json_t *errors = json_array();
    if (file->problem == NULL)
        return errors;
    json_t *error = json_pack("{s:s}", "message", file->problem);
    if (file->report.line > 0)
        json_object_set_new(error, "line", json_integer(file->report.line));
    if (file->report.column > 0)
        json_object_set_new(error, "column", json_integer(file->report.column));
    if (file->report.pointer[0] != '\0')
        json_object_set_new(error, "pointer", json_string(file->report.pointer));
    json_array_append_new(errors, error);
    return errors;
}

static void print_json(const struct workflow_file *file, const struct shard_workflow_info *info)
{
    json_t *object = json_pack("{s:b,s:s,s:s,s:i,s:I,s:I,s:o}", "valid", file->problem == NULL, "format",
                               format_name(file->report.format), "version", file->report.version, "tasks",
                               (int)info->task_count, "edges", (json_int_t)info->edge_count, "files",
                               (json_int_t)file->report.file_count, "errors", errors_of(file));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_text(const char *path, const struct workflow_file *file, const struct shard_workflow_info *info)
{
    printf("%s: valid %s %s: %" PRId32 " tasks, %" PRId64 " edges, %" PRId64 " files, critical path %.1f s of %.1f s\n",
           path, format_name(file->report.format), file->report.version, info->task_count, info->edge_count,
           file->report.file_count, info->critical_path_seconds, info->total_seconds);
}

int cmd_check(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "FILE",
                                     .doc = "Validates a workflow file, native or WfFormat, without running anything."};
    struct check_options check = {0};
    struct workflow_file file = {0};
    struct shard_workflow_info info = {.struct_size = sizeof info};
    shard_context *context = NULL;

    cli_parse(&argp, argc, argv, &check);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = CLI_DONE;
    if (workflow_file_load(context, check.file, &file) < 0) {
        code = file.exit_code;
    } else {
        shard_workflow_describe(file.workflow, &info);
        if (payload_check_workflow(file.workflow, false, &file.problem) < 0)
            code = CLI_USAGE;
    }
    if (check.json)
        print_json(&file, &info);
    else if (code == CLI_DONE)
        print_text(check.file, &file, &info);
    else
        cli_error(code, "%s", file.problem);
    workflow_file_clear(&file);
    shard_context_free(context);
    return code;
}
