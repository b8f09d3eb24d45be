/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun resume`: goes on with a run of an earlier process.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "files.h"
#include "orchestrator.h"
#include "run_status.h"
#include "store_read.h"

/* The options that the run began with, under those of this command line. Returns an exit code. */
static int read_options(struct orchestrator *orchestrator, int argc, char **argv)
{
    struct run_options *options = orchestrator->options;
    char *problem = NULL;
    run_options_parse(options, true, argc, argv);
    int status = place_parse(options->store, &orchestrator->place, &problem);
    if (status == 0 && orchestrator->place.store == NULL) {
        problem = need_copy("a store in memory keeps nothing to resume; name the one of the run with --store");
        status = -1;
    }
    if (status == 0) {
        run_place_init(&orchestrator->run_place, &orchestrator->place, options->run);
        if (!path_exists(orchestrator->run_place.options)) {
            problem = need_printf("there is no run '%s' beside the store '%s'; `shardrun status` lists the runs, "
                                  "--store names another store",
                                  options->run, orchestrator->place.text);
            status = -1;
        } else {
            status = run_options_load(options, orchestrator->run_place.options, &problem);
        }
    }
    if (status == 0) {
        run_options_parse(options, true, argc, argv);
        if (options->hosts_text != NULL)
            status = run_options_read_hosts(options, &problem);
    }
    int code = status < 0 ? cli_error(CLI_USAGE, "%s", problem) : CLI_DONE;
    free(problem);
    return code;
}

static int load(struct orchestrator *orchestrator, struct shard_run_image **ret_image)
{
    const char *run = orchestrator->options->run;
    char *problem = NULL;
    int status =
        store_read_run(&orchestrator->store, orchestrator->context, run, SHARD_LOAD_STATE, ret_image, &problem);
    int code = CLI_DONE;
    if (status == SHARD_ENOENT && run_place_has_begun(&orchestrator->run_place))
        code = place_no_run(&orchestrator->place, run);
    else if (status == SHARD_ENOENT)
        code = cli_error(CLI_USAGE,
                         "run '%s' was interrupted before it was in the store, so nothing of it ran; start it again "
                         "with `shardrun run`",
                         run);
    else if (status < 0)
        code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    return code;
}

/* A run that has ended needs no going on: says so as its own process would have. */
static int already_ended(const struct orchestrator *orchestrator, const struct shard_run_image *image)
{
    const struct run_options *options = orchestrator->options;
    struct run_status status;
    run_status_read(&status, image, NULL, orchestrator->place.text);
    if (options->json)
        run_status_print_json(&status, "run_finished");
    else if (!options->quiet)
        run_status_print_text(&status, &orchestrator->run_place);
    switch (image->state) {
    case SHARD_RUN_FAILED:
        return CLI_FAILED;
    case SHARD_RUN_CANCELLED:
        return CLI_CANCELLED;
    case SHARD_RUN_DONE:
    case SHARD_RUN_ACTIVE:
    case SHARD_RUN_SUSPENDED:
    case SHARD_RUN_FENCED:
    default:
        return CLI_DONE;
    }
}

static int go_on(struct orchestrator *orchestrator, const struct shard_run_image *image)
{
    int code = orchestrator_open(orchestrator, image->workflow);
    if (code == 0)
        code = orchestrator_begin(orchestrator, NULL);
    if (code == 0)
        code = orchestrator_loop(orchestrator);
    return code;
}

int cmd_resume(int argc, char **argv)
{
    struct run_options options;
    struct orchestrator orchestrator = {.options = &options};
    struct shard_run_image *image = NULL;

    run_options_init(&options);
    int code = read_options(&orchestrator, argc, argv);
    if (code == 0)
        code = orchestrator_context(&orchestrator);
    orchestrator.place.keep = options.keep;
    if (code == 0)
        code = place_open_store(&orchestrator.place, orchestrator.context, false, &orchestrator.store);
    if (code == 0)
        code = load(&orchestrator, &image);
    if (code == 0 && image->state != SHARD_RUN_ACTIVE && image->state != SHARD_RUN_SUSPENDED)
        code = already_ended(&orchestrator, image);
    else if (code == 0)
        code = go_on(&orchestrator, image);
    if (image != NULL)
        image->release(image);
    orchestrator_close(&orchestrator);
    run_options_clear(&options);
    return code;
}
