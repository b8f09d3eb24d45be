/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun evaluate`: trains on the first rows of a table, tests on the rest, and shows how good each candidate is.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include <shard/train.h>

#include "cli.h"
#include "forecast_plot.h"
#include "table_file.h"

enum { KEY_SPLIT = 0x200, KEY_PREQUENTIAL, KEY_BLOCKS, KEY_PLOTS, KEY_STORE };

struct evaluate_options {
    struct table_options table;
    struct shard_evaluate_config config;
    const char *path;
    const char *store;
    const char *plots;
    bool json;
};

static const struct argp_option options[] = {
    {"store", KEY_STORE, "PATH", 0, "the attempts that a store keeps, instead of TABLE", 0},
    {"split", KEY_SPLIT, "SHARE", 0, "train on this share of the rows, test on the rest (default: 0.7)", 0},
    {"prequential", KEY_PREQUENTIAL, NULL, 0,
     "test block by block, learning each before the next (--split: where to begin, default: 0.3)", 0},
    {"blocks", KEY_BLOCKS, "COUNT", 0, "of --prequential (default: 10)", 0},
    {"plots", KEY_PLOTS, "DIR", 0, "write reliability.svg and precision-recall.svg", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct evaluate_options *evaluate = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &evaluate->table;
        return 0;
    case KEY_SPLIT:
        evaluate->config.split = cli_number(state, "--split", argument, 0.01, 0.99);
        return 0;
    case KEY_PREQUENTIAL:
        evaluate->config.prequential = 1;
        return 0;
    case KEY_BLOCKS:
        evaluate->config.blocks = (int32_t)cli_integer(state, "--blocks", argument, 1, 10000);
        return 0;
    case KEY_PLOTS:
        evaluate->plots = argument;
        return 0;
    case 'j':
        evaluate->json = true;
        return 0;
    case KEY_STORE:
        evaluate->store = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (evaluate->path != NULL)
            argp_error(state, "one TABLE at a time");
        evaluate->path = argument;
        return 0;
    case ARGP_KEY_END:
        if ((evaluate->path == NULL) == (evaluate->store == NULL))
            argp_error(state, "one TABLE (- is standard input), or --store");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *score_json(const struct shard_candidate_info *candidate)
{
    json_t *object = json_object();
    json_object_set_new(object, "roc_auc", number_or_null(candidate->score.roc_auc));
    json_object_set_new(object, "pr_auc", number_or_null(candidate->score.pr_auc));
    json_object_set_new(object, "brier", number_or_null(candidate->score.brier));
    json_object_set_new(object, "log_loss", number_or_null(candidate->score.log_loss));
    json_object_set_new(object, "ece", number_or_null(candidate->score.ece));
    json_object_set_new(object, "validation_log_loss", number_or_null(candidate->validation));
    return object;
}

static json_t *seconds_json(const struct shard_evaluation_info *info)
{
    if (info->seconds_rows == 0)
        return json_null();
    return json_pack("{s:s,s:I,s:f,s:f}", "chosen", info->has_seconds ? "trees" : "prior", "rows",
                     (json_int_t)info->seconds_rows, "error", info->seconds_error, "prior_error",
                     info->prior_seconds_error);
}

static void print_json(const shard_evaluation *evaluation, const struct shard_evaluation_info *info)
{
    json_t *candidates = json_object();
    for (int32_t n = 0; n <= info->candidate_count; n++) {
        struct shard_candidate_info candidate = {.struct_size = sizeof candidate};
        shard_evaluation_candidate(evaluation, n, &candidate);
        json_object_set_new(candidates, candidate.name, score_json(&candidate));
    }
    json_t *object = json_object();
    json_object_set_new(object, "rows", json_integer(info->rows));
    json_object_set_new(object, "train_rows", json_integer(info->train_rows));
    json_object_set_new(object, "test_rows", json_integer(info->test_rows));
    json_object_set_new(object, "base_rate_train", number_or_null(info->base_rate_train));
    json_object_set_new(object, "base_rate_test", number_or_null(info->base_rate_test));
    json_object_set_new(object, "chosen", json_string(info->chosen));
    json_object_set_new(object, "candidates", candidates);
    json_object_set_new(object, "seconds", seconds_json(info));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static void print_table(const shard_evaluation *evaluation, const struct shard_evaluation_info *info)
{
    printf("%" PRId64 " rows: %" PRId64 " to train (%.1f %% failed), %" PRId64 " to test (%.1f %% failed)\n\n",
           info->rows, info->train_rows, 100 * info->base_rate_train, info->test_rows, 100 * info->base_rate_test);
    printf("%-20s%10s%10s%10s%10s%10s\n", "candidate", "ROC-AUC", "PR-AUC", "Brier", "log loss", "ECE");
    for (int32_t n = 0; n <= info->candidate_count; n++) {
        struct shard_candidate_info candidate = {.struct_size = sizeof candidate};
        shard_evaluation_candidate(evaluation, n, &candidate);
        const struct shard_score *score = &candidate.score;
        printf("%-20s%10.4f%10.4f%10.4f%10.4f%10.4f\n", candidate.name, score->roc_auc, score->pr_auc, score->brier,
               score->log_loss, score->ece);
    }
    printf("\nchosen, without a look at the rows of the test: %s\n", info->chosen);
    if (info->seconds_rows > 0)
        printf("seconds: %s chosen, mean error of the logarithm %.4f (prior %.4f) on %" PRId64 " rows\n",
               info->has_seconds ? "trees" : "prior", info->seconds_error, info->prior_seconds_error,
               info->seconds_rows);
}

static int evaluate_table(shard_context *context, struct evaluate_options *evaluate, const shard_table *table)
{
    shard_evaluation *evaluation = NULL;
    struct shard_evaluation_info info = {.struct_size = sizeof info};
    struct shard_trees_handle trees = table_trees(context);
    evaluate->config.struct_size = sizeof evaluate->config;
    evaluate->config.train.struct_size = sizeof evaluate->config.train;
    evaluate->config.train.trees = trees;
    int code = CLI_DONE;
    if (shard_evaluate(context, table, &evaluate->config, &evaluation) < 0) {
        code = cli_library_error(evaluate->store != NULL ? evaluate->store : evaluate->path);
    } else {
        shard_evaluation_describe(evaluation, &info);
        if (evaluate->json)
            print_json(evaluation, &info);
        else
            print_table(evaluation, &info);
        if (evaluate->plots != NULL)
            code = forecast_plots_write(evaluate->plots, &info);
    }
    shard_evaluation_free(evaluation);
    table_trees_end(trees);
    return code;
}

int cmd_evaluate(int argc, char **argv)
{
    static const struct argp_child children[] = {{&table_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TABLE\n--store PATH",
        .doc = "Trains on the first rows of a CSV table of attempts and tests on the rest. A row trains only if its "
               "attempt had ended when the first row of the test started; the candidate is chosen without a look at "
               "the test.\vRows come in order of start. Columns t, te and y say when an attempt started, when it ended "
               "and whether it failed; all others are features and must be known before the start. Names are a hint: "
               "..._rate and ..._ewma are shares of past attempts that failed, ...since... times since a failure, "
               "..._id, ..._n and clocks (hour, weekday) say nothing that lasts.",
        .children = children};
    struct evaluate_options evaluate = {0};
    shard_context *context = NULL;
    shard_table *table = NULL;

    cli_parse(&argp, argc, argv, &evaluate);
    if (shard_context_new(NULL, &context) < 0)
        return cli_library_error("");
    int code = evaluate.store != NULL ? table_read_store(context, evaluate.store, &table)
                                      : table_read(context, evaluate.path, &evaluate.table, &table);
    if (code == CLI_DONE)
        code = evaluate_table(context, &evaluate, table);
    shard_table_free(table);
    strings_clear(&evaluate.table.ignored);
    shard_context_free(context);
    return code;
}
