/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tables in pieces, so that a pipe of any length fits in bounded memory. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cli.h"
#include "table_file.h"

enum { PIECE = 1 << 16, KEY_TIME = 0x100, KEY_END, KEY_LABEL, KEY_SECONDS, KEY_IGNORE };

static const struct argp_option options[] = {
    {"time-column", KEY_TIME, "NAME", 0, "seconds at which an attempt started (default: t)", 0},
    {"end-column", KEY_END, "NAME", 0, "seconds at which it ended; empty: it has not (default: te)", 0},
    {"label-column", KEY_LABEL, "NAME", 0, "1: it failed, 0: it did not, empty: censored (default: y)", 0},
    {"seconds-column", KEY_SECONDS, "NAME", 0, "how long it ran (default: from start to end)", 0},
    {"ignore", KEY_IGNORE, "NAME", 0, "leave a column out, one of text for example; may be given again", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct table_options *table = state->input;
    switch (key) {
    case KEY_TIME:
        table->time_column = argument;
        return 0;
    case KEY_END:
        table->end_column = argument;
        return 0;
    case KEY_LABEL:
        table->label_column = argument;
        return 0;
    case KEY_SECONDS:
        table->seconds_column = argument;
        return 0;
    case KEY_IGNORE:
        strings_take(&table->ignored, need_copy(argument));
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp table_argp = {.options = options, .parser = parse};

FILE *table_open(const char *path)
{
    if (strcmp(path, "-") == 0)
        return stdin;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        cli_error(CLI_USAGE, "cannot open '%s': %s", path, strerror(errno));
    return file;
}

void table_close(FILE *file)
{
    if (file != stdin)
        fclose(file);
}

int table_make(shard_context *context, const struct table_options *table, bool label_optional, shard_table **ret_table)
{
    struct shard_table_config config = {.struct_size = sizeof config,
                                        .time_column = table->time_column,
                                        .end_column = table->end_column,
                                        .label_column = table->label_column,
                                        .seconds_column = table->seconds_column,
                                        .ignored = (const char *const *)table->ignored.items,
                                        .ignored_count = (int32_t)table->ignored.count,
                                        .label_optional = label_optional};
    return shard_table_new(context, &config, ret_table) < 0 ? cli_library_error("cannot make a table") : CLI_DONE;
}

static int read_pieces(const char *path, FILE *file, shard_table *table)
{
    static char piece[PIECE];
    for (;;) {
        size_t size = fread(piece, 1, sizeof piece, file);
        if (size == 0)
            break;
        if (shard_table_feed(table, piece, size) < 0)
            return cli_library_error(path);
    }
    if (ferror(file))
        return cli_error(CLI_USAGE, "cannot read '%s': %s", path, strerror(errno));
    return shard_table_end(table) < 0 ? cli_library_error(path) : CLI_DONE;
}

int table_read(shard_context *context, const char *path, const struct table_options *table, shard_table **ret_table)
{
    shard_table *made = NULL;
    FILE *file = table_open(path);
    if (file == NULL)
        return CLI_USAGE;
    int code = table_make(context, table, false, &made);
    if (code == CLI_DONE)
        code = read_pieces(path, file, made);
    table_close(file);
    if (code == CLI_DONE)
        *ret_table = made;
    else
        shard_table_free(made);
    return code;
}

static void warn_of_no_trees(void)
{
    struct shard_error error = {.struct_size = sizeof error};
    shard_error_copy(&error);
    cli_warning("only prior and linear are tried: %s", error.message);
}

struct shard_trees_handle table_trees(shard_context *context)
{
    struct shard_trees_handle trees = {0};
    if (shard_xgboost_trees(context, NULL, &trees) < 0)
        warn_of_no_trees();
    return trees;
}

void table_trees_end(struct shard_trees_handle trees)
{
    if (trees.port != NULL)
        trees.port->destroy(trees.self);
}
