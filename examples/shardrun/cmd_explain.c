/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun explain`: the story of one task from the store's records, where it is now, and what it waits for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "explain_forecast.h"
#include "files.h"
#include "need.h"
#include "place.h"
#include "run_image.h"
#include "store_read.h"

struct explain_options {
    const char *run;
    const char *task;
    const char *store;
};

enum { OPTION_STORE = 256 };

static const struct argp_option options[] = {{"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
                                             {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct explain_options *explain = state->input;
    switch (key) {
    case OPTION_STORE:
        explain->store = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (explain->task != NULL)
            argp_error(state, "RUN and TASK are enough");
        if (explain->run == NULL)
            explain->run = argument;
        else
            explain->task = argument;
        return 0;
    case ARGP_KEY_END:
        if (explain->task == NULL)
            argp_error(state, "RUN and TASK are needed; `shardrun status` lists the runs");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_record(const struct shard_run_image *image, const struct shard_record *record, const char *name)
{
    char when[32] = "?", text[2048];
    time_t seconds = (time_t)(record->time_ns / 1000000000);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL)
        strftime(when, sizeof when, "%H:%M:%S", &local);
    shard_record_text(record, name, image_host_name(image, record->host), text, sizeof text);
    printf("%s.%03d  %s", when, (int)(record->time_ns / 1000000 % 1000), text);
    image_print_commit(image, record);
}

static int print_story(const struct shard_run_image *image, shard_task_id task, const char *name)
{
    int told = 0;
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        if (!image_is_of_task(record) || record->task != task)
            continue;
        print_record(image, record, name);
        told++;
    }
    return told;
}

/* Names the predecessors that are not done, at most some of them. */
static void print_blockers(const struct shard_run_image *image, shard_task_id task, const char *verb)
{
    enum { SHOWN = 8 };
    int32_t count = shard_workflow_predecessors(image->workflow, task, NULL, 0);
    int open = 0;
    if (count <= 0)
        return;
    shard_task_id *ids = need_zeroed((size_t)count, sizeof *ids);
    shard_workflow_predecessors(image->workflow, task, ids, count);
    for (int32_t i = 0; i < count; i++) {
        const struct shard_task_row *row = image_row(image, ids[i]);
        int state = row != NULL ? row->state : SHARD_TASK_BLOCKED;
        if (state == SHARD_TASK_DONE)
            continue;
        char *name = image_task_name(image, ids[i]);
        if (open++ < SHOWN)
            printf("%s '%s', which is %s\n", verb, name, shard_task_state_text(state));
        free(name);
    }
    if (open > SHOWN)
        printf("and for %d more\n", open - SHOWN);
    free(ids);
}

static void print_now(const struct shard_run_image *image, const struct run_place *place, shard_task_id task)
{
    const struct shard_task_row *row = image_row(image, task);
    int state = row != NULL && row->state != SHARD_TASK_NONE ? row->state : SHARD_TASK_BLOCKED;
    const char *host = row != NULL ? image_host_name(image, row->host) : NULL;
    printf("now: %s", shard_task_state_text(state));
    if (row != NULL && row->attempt > 0)
        printf(", attempt %d%s%s", row->attempt, host != NULL ? " on " : "", host != NULL ? host : "");
    if (row != NULL && row->reason != SHARD_REASON_NONE)
        printf(" (%s)", shard_reason_text(row->reason));
    putchar('\n');
    if (state == SHARD_TASK_BLOCKED || state == SHARD_TASK_SKIPPED)
        print_blockers(image, task, state == SHARD_TASK_BLOCKED ? "waits for" : "could not follow");
    if (state == SHARD_TASK_READY)
        puts("waits for a host that has room for it");
    for (int attempt = 1; row != NULL && attempt <= row->attempt; attempt++) {
        char *directory = run_place_attempt(place, task, attempt);
        if (path_exists(directory))
            printf("output of attempt %d: %s/stdout and stderr\n", attempt, directory);
        free(directory);
    }
}

static int explain_task(const struct shard_store_handle *store, shard_context *context,
                        const struct shard_run_image *image, const struct place *place, const char *wanted)
{
    struct run_place run_place;
    shard_task_id task = image_find_task(image, wanted);
    if (task < 0)
        return cli_error(CLI_USAGE, "run '%s' has no task '%s'; its parts are named 'TASK/0', 'TASK/1' ...",
                         image->name, wanted);
    run_place_init(&run_place, place, image->name);
    if (print_story(image, task, wanted) == 0)
        puts("nothing has happened to it yet");
    print_now(image, &run_place, task);
    run_place_clear(&run_place);
    return explain_forecasts(store, context, place, image->name, task);
}

static int explain_in(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                      const struct explain_options *explain)
{
    struct shard_run_image *image = NULL;
    char *problem = NULL;
    int code = store_read_run(store, context, explain->run, SHARD_LOAD_RECORDS, &image, &problem);
    if (code < 0) {
        code = code == SHARD_ENOENT ? place_no_run(place, explain->run) : cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        return code;
    }
    code = explain_task(store, context, image, place, explain->task);
    image->release(image);
    return code;
}

int cmd_explain(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "RUN TASK",
                                     .doc = "Says what happened to a task and why, where it is now, and what it waits "
                                            "for. It only reads, also while another process works on the run."};
    struct explain_options explain = {0};
    struct place place = {0};
    struct shard_store_handle store = {0};
    shard_context *context = NULL;
    char *problem = NULL;

    cli_parse(&argp, argc, argv, &explain);
    if (place_parse(explain.store, &place, &problem) < 0) {
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
        code = explain_in(&store, context, &place, &explain);
    store_close(&store);
    shard_context_free(context);
    place_clear(&place);
    return code;
}
