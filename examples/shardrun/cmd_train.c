/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun train`: trains on all attempts of a table that have ended, chooses, and keeps the model in a file.
 */
#include <stdio.h>
#include <stdlib.h>

#include <shard/train.h>

#include "catalog.h"
#include "cli.h"
#include "files.h"
#include "table_file.h"

enum { KEY_CANDIDATE = 0x200, KEY_STORE, KEY_CATALOG };

struct train_options {
    struct table_options table;
    const char *path;
    const char *store;
    const char *output;
    const char *candidate;
    struct run_options catalog; /* only what names and opens a catalog */
};

static const struct argp_option options[] = {
    {"store", KEY_STORE, "PATH", 0, "the attempts that a store keeps, instead of TABLE", 0},
    {"output", 'o', "MODEL", 0, "the file to write (needed)", 0},
    {"catalog", KEY_CATALOG, "URL[#BRANCH]", 0, "keep the model there, too, for runs with that catalog", 0},
    {"candidate", KEY_CANDIDATE, "NAME", 0, "train this candidate instead of choosing", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct train_options *train = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &train->table;
        state->child_inputs[1] = &train->catalog.catalog_access;
        return 0;
    case 'o':
        train->output = argument;
        return 0;
    case KEY_CANDIDATE:
        train->candidate = argument;
        return 0;
    case KEY_CATALOG:
        train->catalog.catalog = argument;
        return 0;
    case KEY_STORE:
        train->store = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (train->path != NULL)
            argp_error(state, "one TABLE at a time");
        train->path = argument;
        return 0;
    case ARGP_KEY_END:
        if ((train->path == NULL) == (train->store == NULL))
            argp_error(state, "one TABLE (- is standard input), or --store");
        if (train->output == NULL)
            argp_error(state, "--output is missing: where shall the model go?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int keep(shard_context *context, const shard_model *model, const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    char *problem = NULL;
    if (shard_model_to_bytes(context, model, &bytes, &size) < 0)
        return cli_library_error("cannot write the model");
    int code = CLI_DONE;
    if (file_write(path, bytes, size, &problem) < 0)
        code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    shard_free(context, bytes);
    return code;
}

static int publish(shard_context *context, const struct train_options *train)
{
    struct catalog catalog = {0};
    struct place place = {0};
    char *problem = NULL;
    int code = CLI_DONE;
    if (train->catalog.catalog == NULL)
        return CLI_DONE;
    if (place_parse(train->store, &place, &problem) < 0)
        code = cli_error(CLI_USAGE, "%s", problem);
    if (code == CLI_DONE)
        code = catalog_open(&catalog, context, &train->catalog, place.state);
    if (code == CLI_DONE)
        code = catalog_put_model(&catalog, train->output);
    catalog_close(&catalog);
    free(problem);
    place_clear(&place);
    return code;
}

static int train_and_keep(shard_context *context, const struct train_options *train, const shard_table *table)
{
    shard_model *model = NULL;
    char *text = NULL;
    struct shard_trees_handle trees = table_trees(context);
    struct shard_train_config config = {.struct_size = sizeof config, .trees = trees, .candidate = train->candidate};
    int code = CLI_DONE;
    if (shard_train(context, table, &config, &model) < 0)
        code = cli_library_error(train->store != NULL ? train->store : train->path);
    if (code == CLI_DONE)
        code = keep(context, model, train->output);
    if (code == CLI_DONE)
        code = publish(context, train);
    if (code == CLI_DONE && shard_model_text(context, model, &text) == 0)
        fputs(text, stdout);
    shard_free(context, text);
    shard_model_free(model);
    table_trees_end(trees);
    return code;
}

int cmd_train(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &table_argp}, {.argp = &catalog_access_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TABLE\n--store PATH",
        .doc = "Trains on all attempts of a CSV table that are labelled and have ended, and keeps the model.\v"
               "Candidates: prior, linear, trees, prior_trees, prior_linear, linear_trees, prior_linear_trees, all. "
               "`shardrun evaluate --help` says what a table looks like.",
        .children = children};
    struct train_options train = {0};
    shard_context *context = NULL;
    shard_table *table = NULL;

    cli_parse(&argp, argc, argv, &train);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = train.store != NULL ? table_read_store(context, train.store, &table)
                                   : table_read(context, train.path, &train.table, &table);
    if (code == CLI_DONE)
        code = train_and_keep(context, &train, table);
    shard_table_free(table);
    strings_clear(&train.table.ignored);
    shard_context_free(context);
    return code;
}
