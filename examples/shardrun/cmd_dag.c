/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun dag`: draws the graph of a workflow file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dag_layout.h"
#include "dag_write.h"
#include "files.h"
#include "workflow_file.h"

struct dag_options {
    const char *file;
    const char *output; /* NULL: standard output */
    const char *format; /* NULL: by the name of the output */
    enum dag_grouping grouping;
};

enum { OPTION_FORMAT = 256, OPTION_GROUP };

static const struct argp_option options[] = {
    {"format", OPTION_FORMAT, "dot|svg", 0, "default: svg when -o FILE ends so, else dot", 0},
    {"output", 'o', "FILE", 0, "write to FILE instead of standard output", 0},
    {"group", OPTION_GROUP, "auto|always|never", 0,
     "draw one box for each kind and level instead of each task; auto (default): when there are more than 1,500 tasks",
     0},
    {0}};

static enum dag_grouping grouping_of(struct argp_state *state, const char *text)
{
    static const char *const names[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0)
            return (enum dag_grouping)i;
    }
    argp_error(state, "--group is auto, always or never, not '%s'", text);
    return DAG_GROUP_AUTO;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct dag_options *dag = state->input;
    switch (key) {
    case OPTION_FORMAT:
        if (strcmp(argument, "dot") != 0 && strcmp(argument, "svg") != 0)
            argp_error(state, "--format is dot or svg, not '%s'", argument);
        dag->format = argument;
        return 0;
    case OPTION_GROUP:
        dag->grouping = grouping_of(state, argument);
        return 0;
    case 'o':
        dag->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (dag->file != NULL)
            argp_error(state, "one FILE at a time");
        dag->file = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing; - is standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool wants_svg(const struct dag_options *dag)
{
    if (dag->format != NULL)
        return strcmp(dag->format, "svg") == 0;
    size_t length = dag->output != NULL ? strlen(dag->output) : 0;
    return length > 4 && strcmp(dag->output + length - 4, ".svg") == 0;
}

static int put(const struct text *text, const char *output)
{
    char *problem = NULL;
    if (output == NULL || strcmp(output, "-") == 0) {
        if (fwrite(text->bytes, 1, text->length, stdout) != text->length || fflush(stdout) != 0)
            return cli_error(CLI_ENVIRONMENT, "standard output: %s", strerror(errno));
        return CLI_DONE;
    }
    if (file_put(output, text->bytes, text->length, &problem) == 0)
        return CLI_DONE;
    int code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    return code;
}

static int draw(const shard_workflow *workflow, const struct dag_options *dag)
{
    struct dag_graph graph;
    struct text text = {0};
    dag_graph_read(workflow, dag->grouping, &graph);
    if (wants_svg(dag)) {
        dag_layout(&graph);
        dag_write_svg(&text, &graph);
    } else {
        dag_write_dot(&text, &graph);
    }
    int code = put(&text, dag->output);
    text_clear(&text);
    dag_graph_clear(&graph);
    return code;
}

int cmd_dag(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "FILE",
                                     .doc = "Draws the graph of a workflow file: as DOT for Graphviz, or as a picture "
                                            "in SVG with the critical path marked. - is standard input."};
    struct dag_options dag = {0};
    struct workflow_file file;
    shard_context *context = NULL;

    cli_parse(&argp, argc, argv, &dag);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = workflow_file_load(context, dag.file, &file) < 0 ? cli_error(file.exit_code, "%s", file.problem)
                                                                : draw(file.workflow, &dag);
    workflow_file_clear(&file);
    shard_context_free(context);
    return code;
}
