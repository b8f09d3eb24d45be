/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun status`: the runs of a store, or where one run is. It only reads, so it may be called at any time.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "need.h"
#include "run_status.h"

struct status_options {
    const char *run; /* NULL: all of them */
    const char *store;
    bool json;
};

enum { OPTION_STORE = 256 };

static const struct argp_option options[] = {{"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
                                             {"json", 'j', NULL, 0, "print one JSON object a line", 0},
                                             {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct status_options *status = state->input;
    switch (key) {
    case OPTION_STORE:
        status->store = argument;
        return 0;
    case 'j':
        status->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (status->run != NULL)
            argp_error(state, "one RUN at a time");
        status->run = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct listing {
    bool json;
    int count;
};

static int print_summary(void *self, const struct shard_run_summary *run)
{
    struct listing *listing = self;
    time_t created = (time_t)(run->created_ns / 1000000000);
    const char *state = shard_run_state_text((int)run->state);
    char when[32] = "?";
    struct tm local;
    listing->count++;
    if (localtime_r(&created, &local) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    if (run->state == SHARD_RUN_ACTIVE && owner_is_alive(run->owner) == 0)
        state = "interrupted";
    if (!listing->json) {
        printf("%-40s %-11s %9d tasks  %s  %s\n", run->name, state, run->task_count, when, run->workflow_name);
        return 0;
    }
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:i,s:f,s:f,s:s}", "run", run->name, "workflow", run->workflow_name, "state",
                  shard_run_state_text((int)run->state), "tasks", (int)run->task_count, "created",
                  (double)run->created_ns / 1e9, "updated", (double)run->updated_ns / 1e9, "owner", run->owner);
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(object);
    return 0;
}

static int list_runs(const struct shard_store_handle *store, const struct status_options *status)
{
    struct listing listing = {status->json, 0};
    if (store->port->list(store->self, print_summary, &listing) < 0)
        return cli_library_error("the runs cannot be listed");
    if (listing.count == 0 && !status->json)
        puts("no runs");
    return CLI_DONE;
}

struct owner_of {
    const char *run;
    char *owner;
};

static int find_owner(void *self, const struct shard_run_summary *run)
{
    struct owner_of *wanted = self;
    if (strcmp(run->name, wanted->run) != 0)
        return 0;
    wanted->owner = need_copy(run->owner);
    return 1;
}

static int show_run(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                    const struct status_options *options_given)
{
    struct shard_run_image *image = NULL;
    struct owner_of wanted = {options_given->run, NULL};
    struct run_place run_place;
    struct run_status status;
    char *problem = NULL;
    int code = store_read_run(store, context, options_given->run, SHARD_LOAD_STATE, &image, &problem);
    if (code < 0) {
        code =
            code == SHARD_ENOENT ? place_no_run(place, options_given->run) : cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        return code;
    }
    store->port->list(store->self, find_owner, &wanted);
    run_place_init(&run_place, place, options_given->run);
    run_status_read(&status, image, wanted.owner, place->text);
    if (options_given->json)
        run_status_print_json(&status, NULL);
    else
        run_status_print_text(&status, &run_place);
    run_place_clear(&run_place);
    free(wanted.owner);
    image->release(image);
    return CLI_DONE;
}

int cmd_status(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "[RUN]",
                                     .doc = "Lists the runs of a store, or says where one run is. It only reads, also "
                                            "while another process works on the run."};
    struct status_options status = {0};
    struct place place = {0};
    struct shard_store_handle store = {0};
    shard_context *context = NULL;
    char *problem = NULL;

    cli_parse(&argp, argc, argv, &status);
    if (place_parse(status.store, &place, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    if (place.store == NULL)
        return cli_error(CLI_USAGE, "a store in memory keeps no runs; name a file");
    int code = shard_context_new(NULL, &context) < 0 ? cli_library_error("") : CLI_DONE;
    if (code == 0)
        code = place_open_store(&place, context, true, &store);
    if (code == 0)
        code = status.run == NULL ? list_runs(&store, &status) : show_run(&store, context, &place, &status);
    store_close(&store);
    shard_context_free(context);
    place_clear(&place);
    return code;
}
