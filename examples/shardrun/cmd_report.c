/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun report`: writes the report of a run from what its store has.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "need.h"
#include "place.h"
#include "report.h"
#include "run_options.h"
#include "store_read.h"

struct report_options {
    const char *run;
    const char *store;
    const char *output; /* NULL: beside the run */
};

enum { OPTION_STORE = 256 };

static const struct argp_option options[] = {
    {"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
    {"output", 'o', "FILE", 0, "write to FILE instead of report.html beside the run", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct report_options *report = state->input;
    switch (key) {
    case OPTION_STORE:
        report->store = argument;
        return 0;
    case 'o':
        report->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (report->run != NULL)
            argp_error(state, "one RUN at a time");
        report->run = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "RUN is missing; `shardrun status` lists the runs");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The hosts come from the run's options; without them the report says less of them. */
static int write_of(const struct shard_run_image *image, const struct place *place, const char *output)
{
    struct run_options kept;
    struct run_place run_place;
    char *problem = NULL, *no_options = NULL;
    run_options_init(&kept);
    run_place_init(&run_place, place, image->name);
    bool known = run_options_load(&kept, run_place.options, &no_options) == 0;
    const char *path = output != NULL ? output : run_place.report;
    int code = CLI_DONE;
    if (report_write(image, known ? &kept.hosts : NULL, path, &problem) < 0)
        code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    else
        puts(path);
    free(problem);
    free(no_options);
    run_place_clear(&run_place);
    run_options_clear(&kept);
    return code;
}

static int report_from(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                       const struct report_options *report)
{
    struct shard_run_image *image = NULL;
    char *problem = NULL;
    int code = store_read_run(store, context, report->run, SHARD_LOAD_RECORDS, &image, &problem);
    if (code < 0) {
        code = code == SHARD_ENOENT ? place_no_run(place, report->run) : cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        return code;
    }
    code = write_of(image, place, report->output);
    image->release(image);
    return code;
}

int cmd_report(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "RUN",
                                     .doc = "Writes the report of a run, one HTML file, and says where. It only reads "
                                            "the store, also while another process works on the run."};
    struct report_options report = {0};
    struct place place = {0};
    struct shard_store_handle store = {0};
    shard_context *context = NULL;
    char *problem = NULL;

    cli_parse(&argp, argc, argv, &report);
    if (place_parse(report.store, &place, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    if (place.store == NULL) {
        place_clear(&place);
        return cli_error(CLI_USAGE, "a store in memory keeps no runs; name a file");
    }
    int code = shard_context_new(NULL, &context) < 0 ? cli_library_error("") : CLI_DONE;
    if (code == 0)
        code = place_open_store(&place, context, true, &store);
    if (code == 0)
        code = report_from(&store, context, &place, &report);
    store_close(&store);
    shard_context_free(context);
    place_clear(&place);
    return code;
}
