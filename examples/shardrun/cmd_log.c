/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun log`: all that happened to a task, in every run of the store that has it, with what its parts did and what
 * was measured while it ran.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "cli.h"
#include "history.h"
#include "need.h"
#include "run_image.h"
#include "store_read.h"
#include "store_reader.h"
#include "when.h"

struct log_options {
    const char *task;
    const char *store;
    const char *run;            /* NULL: all */
    struct run_options catalog; /* only what names and opens a catalog */
    bool json;
};

enum { OPTION_STORE = 256, OPTION_RUN, OPTION_CATALOG };

static const struct argp_option options[] = {
    {"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
    {"run", OPTION_RUN, "RUN", 0, "only this run (default: all that have the task)", 0},
    {"catalog", OPTION_CATALOG, "URL[#BRANCH]", 0, "tell its commits that touched the task, too", 0},
    {"json", 'j', NULL, 0, "print one JSON object a line for each record and commit", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct log_options *log = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &log->catalog.catalog_access;
        return 0;
    case OPTION_STORE:
        log->store = argument;
        return 0;
    case OPTION_RUN:
        log->run = argument;
        return 0;
    case OPTION_CATALOG:
        log->catalog.catalog = argument;
        return 0;
    case 'j':
        log->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (log->task != NULL)
            argp_error(state, "one TASK at a time; --run names a run");
        log->task = argument;
        return 0;
    case ARGP_KEY_END:
        if (log->task == NULL)
            argp_error(state, "a TASK is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Whether a task is the one that is asked for, or a part of it. */
static bool is_of(const struct shard_run_image *image, shard_task_id task, shard_task_id wanted)
{
    for (const struct shard_task_row *row; task >= 0 && task != wanted; task = row == NULL ? -1 : row->parent)
        row = image_row(image, task);
    return task == wanted;
}

static void print_json(const struct shard_run_image *image, const struct shard_record *record, const char *name,
                       const char *text)
{
    const char *host = image_host_name(image, record->host);
    json_t *object =
        json_pack("{s:f,s:s,s:I,s:s,s:i,s:s?,s:s,s:s,s:s}", "time", (double)record->time_ns / 1e9, "run", image->name,
                  "seq", (json_int_t)record->seq, "task", name, "attempt", (int)record->attempt, "host", host, "from",
                  shard_task_state_text(record->from), "to", shard_task_state_text(record->to), "text", text);
    const char *commit;
    int length = image_commit(image, record->revision, &commit);
    if (length > 0)
        json_object_set_new(object, "catalog_commit", json_stringn(commit, (size_t)length));
    if (record->outcome != SHARD_OUTCOME_NONE)
        json_object_set_new(object, "outcome", json_string(shard_outcome_text(record->outcome)));
    if (record->reason != SHARD_REASON_NONE)
        json_object_set_new(object, "reason", json_string(shard_reason_text(record->reason)));
    if (!isnan(record->p_fail))
        json_object_set_new(object, "p_fail", json_real((double)record->p_fail));
    if (!isnan(record->seconds))
        json_object_set_new(object, "seconds", json_real((double)record->seconds));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static void print_record(const struct shard_run_image *image, const struct shard_record *record, bool json)
{
    char when[32], text[2048];
    char *name = image_task_name(image, record->task);
    shard_record_text(record, name, image_host_name(image, record->host), text, sizeof text);
    when_text(record->time_ns, when);
    if (json)
        print_json(image, record, name, text);
    else
        printf("%s.%03d  %s", when, (int)(record->time_ns / 1000000 % 1000), text);
    if (!json)
        image_print_commit(image, record);
    free(name);
}

static int keep_all(void *self, const struct shard_series_bucket *bucket)
{
    for (int i = 0; i < SHARD_MEASURE_COUNT && i < bucket->value_count; i++)
        ((struct shard_series_value *)self)[i] = bucket->values[i];
    return 0;
}

/* What the hosts did while it ran there, if the store has samples of that time. */
static void print_measured(const struct store_reader *reader, const struct shard_run_image *image, shard_task_id task)
{
    struct shard_series_value values[SHARD_MEASURE_COUNT] = {{0}};
    struct shard_series_query query = {
        .struct_size = sizeof query, .of = SHARD_SERIES_TASK, .name = image->name, .task = task};
    if (reader->store.port->series == NULL ||
        reader->store.port->series(reader->store.self, &query, keep_all, values) < 0)
        return;
    const struct shard_series_value *cpu = &values[SHARD_MEASURE_CPU_SHARE],
                                    *memory = &values[SHARD_MEASURE_MEMORY_SHARE];
    if (cpu->count == 0 || memory->count == 0)
        return;
    printf("measured on its hosts meanwhile, %lld times: cpu %.0f%% (at most %.0f%%), memory %.0f%% (at most %.0f%%)\n",
           (long long)cpu->count, 100 * cpu->mean, 100 * cpu->max, 100 * memory->mean, 100 * memory->max);
}

static void log_run(const struct store_reader *reader, const struct shard_run_image *image, shard_task_id task,
                    const struct log_options *log)
{
    int64_t told = 0;
    if (!log->json)
        printf("run %s\n", image->name);
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        if (!image_is_of_task(record) || !is_of(image, record->task, task))
            continue;
        print_record(image, record, log->json);
        told++;
    }
    if (log->json)
        return;
    const struct shard_task_row *row = image_row(image, task);
    if (told == 0 && row != NULL)
        puts("its records are gone: `shardrun compact` drops old ones");
    else if (told == 0)
        puts("nothing has happened to it yet");
    printf("now %s\n",
           shard_task_state_text(row != NULL && row->state != SHARD_TASK_NONE ? row->state : SHARD_TASK_BLOCKED));
    print_measured(reader, image, task);
}

/* 1 when the run has the task, 0 when it has not, or an exit code below 0. */
static int log_one(const struct store_reader *reader, const char *run, const struct log_options *log, int *ret_code)
{
    struct shard_run_image *image = NULL;
    char *problem = NULL;
    int status = store_read_run(&reader->store, reader->context, run, SHARD_LOAD_RECORDS, &image, &problem);
    if (status < 0 && (log->run != NULL || status != SHARD_ENOENT))
        *ret_code =
            status == SHARD_ENOENT ? place_no_run(&reader->place, log->run) : cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    if (image == NULL)
        return 0;
    shard_task_id task = image_find_task(image, log->task);
    if (task >= 0)
        log_run(reader, image, task, log);
    image->release(image);
    return task >= 0;
}

static int log_all(const struct store_reader *reader, const struct log_options *log)
{
    struct strings runs = {0};
    int code = CLI_DONE, found = 0;
    if (log->run != NULL)
        strings_take(&runs, need_copy(log->run));
    else
        code = store_reader_runs(reader, &runs);
    for (size_t i = runs.count; code == CLI_DONE && i-- > 0;)
        found += log_one(reader, runs.items[i], log, &code);
    strings_clear(&runs);
    if (code == CLI_DONE && found == 0)
        code = cli_error(CLI_USAGE, "no run%s%s%s has a task '%s'; its parts are named 'TASK/0', 'TASK/1' ...",
                         log->run != NULL ? " '" : "", log->run != NULL ? log->run : "", log->run != NULL ? "'" : "",
                         log->task);
    return code;
}

/* Commits are told oldest first, as records are, and come newest first. */
static int keep_commit(void *self, const struct shard_catalog_commit *commit)
{
    json_array_insert_new(self, 0,
                          json_pack("{s:f,s:s,s:s,s:s,s:b}", "time", (double)commit->time_ns / 1e9, "catalog_commit",
                                    commit->commit, "author", commit->author, "message", commit->message, "is_change",
                                    commit->is_change));
    return 0;
}

static void print_commit(const json_t *commit, bool json)
{
    char when[32];
    if (json) {
        json_dumpf(commit, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        return;
    }
    when_text((int64_t)(json_real_value(json_object_get(commit, "time")) * 1e9), when);
    const char *message = json_string_value(json_object_get(commit, "message"));
    printf("%s      commit %.12s by %s%s: %.*s\n", when, json_string_value(json_object_get(commit, "catalog_commit")),
           json_string_value(json_object_get(commit, "author")),
           json_is_true(json_object_get(commit, "is_change")) ? " changed it" : "", (int)strcspn(message, "\n"),
           message);
}

static int log_catalog(const struct store_reader *reader, const struct log_options *log)
{
    struct catalog catalog = {0};
    if (log->catalog.catalog == NULL)
        return CLI_DONE;
    int code = catalog_open(&catalog, reader->context, &log->catalog, reader->place.state);
    if (code != CLI_DONE)
        return code;
    if (shard_catalog_sync(catalog.handle) < 0)
        catalog_warn("the catalog was not brought up to date");
    json_t *commits = json_array();
    if (shard_catalog_history(catalog.handle, log->task, keep_commit, commits) < 0)
        code = cli_library_error(log->catalog.catalog);
    if (!log->json)
        printf("catalog %s\n", log->catalog.catalog);
    for (size_t i = 0; i < json_array_size(commits); i++)
        print_commit(json_array_get(commits, i), log->json);
    if (!log->json && json_array_size(commits) == 0)
        puts("no commit has touched it");
    json_decref(commits);
    shard_catalog_close(catalog.handle);
    return code;
}

int cmd_log(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &catalog_access_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .children = children,
        .parser = parse,
        .args_doc = "TASK",
        .doc = "Tells all that happened to a task and its parts, in every run of the store "
               "that has it, oldest first, with reasons and forecasts; and with --catalog the "
               "commits that touched it. It only reads."};
    struct log_options log = {0};
    struct store_reader reader;
    cli_parse(&argp, argc, argv, &log);
    int code = store_reader_open(&reader, log.store, NULL);
    if (code == CLI_DONE)
        code = log_all(&reader, &log);
    if (code == CLI_DONE)
        code = log_catalog(&reader, &log);
    store_reader_close(&reader);
    return code;
}
