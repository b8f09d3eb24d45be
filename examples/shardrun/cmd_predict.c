/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun predict`: a table in, a column of forecasts out, in pieces, so that a table of any length fits.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/train.h>

#include "cli.h"
#include "model_load.h"
#include "table_file.h"

enum { PIECE = 1 << 16 };

struct predict_options {
    struct table_options table;
    const char *words[2]; /* MODEL TABLE */
    int count;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct predict_options *predict = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &predict->table;
        return 0;
    case ARGP_KEY_ARG:
        if (predict->count == 2)
            argp_error(state, "one MODEL and one TABLE were expected");
        predict->words[predict->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (predict->count < 2)
            argp_error(state, "MODEL and TABLE were expected; a TABLE of - is standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What is asked while a table is read. */
struct asker {
    shard_table *table;
    struct shard_predictor_handle predictor;
    const struct shard_schema *schema; /* of the model */
    bool is_checked;
    double *p;
    size_t capacity;
};

/* The table's columns must be the model's, by name and in order. */
static int check_columns(struct asker *asker, int32_t count)
{
    struct shard_feature *features = need_zeroed((size_t)count + 1, sizeof *features);
    for (int32_t j = 0; j < count; j++)
        features[j] = (struct shard_feature){.name = shard_table_column(asker->table, j), .group = SHARD_FEATURE_PAIR};
    struct shard_schema given = {.struct_size = sizeof given, .features = features, .feature_count = count};
    int code = CLI_DONE;
    if (shard_schema_compare(asker->schema, &given) < 0) {
        cli_library_error("the table has other columns than the model");
        code = CLI_USAGE;
    }
    free(features);
    asker->is_checked = code == CLI_DONE;
    if (asker->is_checked)
        puts("p_fail");
    return code;
}

/* Forecasts the rows that are there, and forgets them. */
static int ask(struct asker *asker)
{
    struct shard_table_info info = {.struct_size = sizeof info};
    shard_table_describe(asker->table, &info);
    if (info.columns > 0 && !asker->is_checked) {
        int code = check_columns(asker, info.columns);
        if (code != CLI_DONE)
            return code;
    }
    if (info.rows == 0)
        return CLI_DONE;
    if ((size_t)info.rows > asker->capacity) {
        asker->capacity = (size_t)info.rows;
        asker->p = need_resized(asker->p, asker->capacity, sizeof *asker->p);
    }
    struct shard_matrix rows = {.values = info.values, .rows = info.rows};
    struct shard_forecasts forecasts = {.p_fail = asker->p};
    if (shard_predict(asker->predictor, &rows, info.columns, &forecasts) < 0)
        return cli_library_error("cannot forecast");
    for (int64_t i = 0; i < info.rows; i++)
        printf("%.9g\n", asker->p[i]);
    shard_table_clear(asker->table);
    return CLI_DONE;
}

static int ask_in_pieces(struct asker *asker, const char *path, FILE *file)
{
    static char piece[PIECE];
    for (;;) {
        size_t size = fread(piece, 1, sizeof piece, file);
        if (size == 0)
            break;
        if (shard_table_feed(asker->table, piece, size) < 0)
            return cli_library_error(path);
        int code = ask(asker);
        if (code != CLI_DONE)
            return code;
    }
    if (ferror(file))
        return cli_error(CLI_USAGE, "cannot read '%s': %s", path, strerror(errno));
    return shard_table_end(asker->table) < 0 ? cli_library_error(path) : ask(asker);
}

static int predict_file(shard_context *context, struct predict_options *predict, const shard_model *model)
{
    struct shard_model_info info = {.struct_size = sizeof info};
    struct asker asker = {0};
    shard_model_describe(model, &info);
    asker.schema = info.schema;
    FILE *file = table_open(predict->words[1]);
    if (file == NULL)
        return CLI_USAGE;
    int code = table_make(context, &predict->table, true, &asker.table);
    if (code == CLI_DONE && shard_model_predictor(context, model, &asker.predictor) < 0)
        code = cli_library_error("");
    if (code == CLI_DONE)
        code = ask_in_pieces(&asker, predict->words[1], file);
    if (asker.predictor.port != NULL)
        asker.predictor.port->destroy(asker.predictor.self);
    shard_table_free(asker.table);
    table_close(file);
    free(asker.p);
    return code;
}

int cmd_predict(int argc, char **argv)
{
    static const struct argp_child children[] = {{&table_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {.parser = parse,
                                     .args_doc = "MODEL TABLE",
                                     .doc = "Prints how likely each row of a CSV table is to fail, one number a line "
                                            "under the header p_fail. Columns t, te and y are not needed and not used.",
                                     .children = children};
    struct predict_options predict = {0};
    shard_context *context = NULL;
    shard_model *model = NULL;

    cli_parse(&argp, argc, argv, &predict);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = model_load(context, predict.words[0], &model);
    if (code == CLI_DONE)
        code = predict_file(context, &predict, model);
    shard_model_free(model);
    strings_clear(&predict.table.ignored);
    shard_context_free(context);
    return code;
}
