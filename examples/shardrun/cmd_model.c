/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun model show`: says what a model is made of and why it was chosen.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "model_load.h"

struct model_options {
    const char *words[2];
    int count;
    bool json;
};

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "print one JSON object", 0}, {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct model_options *model = state->input;
    switch (key) {
    case 'j':
        model->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (model->count == 2)
            argp_error(state, "one MODEL at a time");
        model->words[model->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (model->count < 2 || strcmp(model->words[0], "show") != 0)
            argp_error(state, "'show MODEL' was expected");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_json(const shard_model *model)
{
    struct shard_model_info info = {.struct_size = sizeof info};
    shard_model_describe(model, &info);
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, info.schema_hash);
    json_t *columns = json_array();
    for (int32_t j = 0; j < info.schema->feature_count; j++)
        json_array_append_new(columns, json_string(info.schema->features[j].name));
    json_t *object =
        json_pack("{s:s,s:I,s:f,s:i,s:s,s:s,s:o}", "chosen", info.chosen, "train_rows", (json_int_t)info.train_rows,
                  "base_rate", info.base_rate, "members", (int)info.member_count, "seconds",
                  info.has_seconds ? "trees" : "prior", "schema", hash, "columns", columns);
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

int cmd_model(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "show MODEL",
                                     .doc = "Says what a model is made of and why it was chosen."};
    struct model_options given = {0};
    shard_context *context = NULL;
    shard_model *model = NULL;
    char *text = NULL;

    cli_parse(&argp, argc, argv, &given);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = model_load(context, given.words[1], &model);
    if (code == CLI_DONE && given.json)
        print_json(model);
    else if (code == CLI_DONE && shard_model_text(context, model, &text) < 0)
        code = cli_library_error("");
    if (text != NULL)
        fputs(text, stdout);
    shard_free(context, text);
    shard_model_free(model);
    shard_context_free(context);
    return code;
}
