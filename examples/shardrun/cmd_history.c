/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun history`: what a store has measured of a host, a kind or a task, in steps of time.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "history.h"
#include "need.h"
#include "run_image.h"
#include "store_read.h"
#include "store_reader.h"
#include "when.h"

struct history_options {
    const char *name;
    const char *store;
    const char *run;
    int of; /* enum shard_series_of; -1: whatever has the name */
    int64_t now_ns, from_ns, to_ns, every_ns;
    bool json;
};

enum { OPTION_STORE = 256, OPTION_RUN, OPTION_OF, OPTION_FROM, OPTION_TO, OPTION_EVERY };

static const char *const of_texts[] = {"host", "kind", "task"};

static const struct argp_option options[] = {
    {"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
    {"of", OPTION_OF, "host|kind|task", 0, "what NAME is, where several things have it", 0},
    {"run", OPTION_RUN, "RUN", 0, "NAME is a task of this run (default: of the newest that has it)", 0},
    {"from", OPTION_FROM, "TIME", 0, "not before: 2026-11-24T13:05, 13:05, @SECONDS, or 30m ago", 0},
    {"to", OPTION_TO, "TIME", 0, "before this", 0},
    {"every", OPTION_EVERY, "SPAN", 0, "width of a step: 10s, 5m, 2h, 1d (default: some 20 steps)", 0},
    {"json", 'j', NULL, 0, "print one JSON object a line for each step", 0},
    {0}};

static int64_t take_time(struct argp_state *state, const char *option, const char *text, int64_t now_ns)
{
    int64_t time_ns = 0;
    if (!when_parse(text, now_ns, &time_ns))
        argp_error(state, "--%s: '%s' is no time; write 2026-11-24T13:05, 13:05, @1700000000, or 30m for so long ago",
                   option, text);
    return time_ns;
}

static int take_of(struct argp_state *state, const char *text)
{
    for (int of = 0; of < 3; of++)
        if (strcmp(text, of_texts[of]) == 0)
            return of;
    argp_error(state, "--of: '%s' is none of host, kind and task", text);
    return -1;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct history_options *history = state->input;
    switch (key) {
    case OPTION_STORE:
        history->store = argument;
        return 0;
    case OPTION_RUN:
        history->run = argument;
        return 0;
    case OPTION_OF:
        history->of = take_of(state, argument);
        return 0;
    case OPTION_FROM:
        history->from_ns = take_time(state, "from", argument, history->now_ns);
        return 0;
    case OPTION_TO:
        history->to_ns = take_time(state, "to", argument, history->now_ns);
        return 0;
    case OPTION_EVERY:
        if (!when_parse_span(argument, &history->every_ns))
            argp_error(state, "--every: '%s' is no span of time above 0; write 10s, 5m, 2h or 1d", argument);
        return 0;
    case 'j':
        history->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (history->name != NULL)
            argp_error(state, "one NAME at a time");
        history->name = argument;
        return 0;
    case ARGP_KEY_END:
        if (history->name == NULL)
            argp_error(state, "the NAME of a host, a kind or a task is needed");
        if (history->to_ns != 0 && history->to_ns <= history->from_ns)
            argp_error(state, "--to is not after --from");
        if (history->run != NULL && (history->of == SHARD_SERIES_HOST || history->of == SHARD_SERIES_KIND))
            argp_error(state, "--run is for a task; hosts and kinds are of all runs");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The task of that name in the run, or in the newest that has one. 0 with its run, 1: there is none, or a code. */
static int find_task(const struct store_reader *reader, const struct history_options *history,
                     struct shard_series_query *query, char **ret_run)
{
    struct strings runs = {0};
    int code = CLI_DONE, found = 0;
    if (history->run != NULL)
        strings_take(&runs, need_copy(history->run));
    else
        code = store_reader_runs(reader, &runs);
    for (size_t i = 0; code == CLI_DONE && !found && i < runs.count; i++) {
        struct shard_run_image *image = NULL;
        char *problem = NULL;
        int status = store_read_run(&reader->store, reader->context, runs.items[i], SHARD_LOAD_STATE, &image, &problem);
        if (status < 0 && (history->run != NULL || status != SHARD_ENOENT))
            code = status == SHARD_ENOENT ? place_no_run(&reader->place, history->run)
                                          : cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        if (image == NULL)
            continue;
        query->task = image_find_task(image, history->name);
        found = query->task >= 0;
        if (found)
            *ret_run = need_copy(image->name);
        image->release(image);
    }
    strings_clear(&runs);
    return code != CLI_DONE ? code : found ? -1 : CLI_DONE;
}

/* Reads what is kept of one kind of thing. 0 or an exit code; nothing is an empty history. */
static int read_one(const struct store_reader *reader, const struct history_options *history, int of,
                    struct history *ret_history, char **ret_what)
{
    struct shard_series_query query = {.struct_size = sizeof query,
                                       .of = (enum shard_series_of)of,
                                       .name = history->name,
                                       .from_ns = history->from_ns,
                                       .to_ns = history->to_ns,
                                       .every_ns = history->every_ns};
    char *run = NULL;
    *ret_history = (struct history){0};
    if (of == SHARD_SERIES_TASK) {
        int code = find_task(reader, history, &query, &run);
        if (code >= 0)
            return code;
        query.name = run;
    }
    *ret_what = run == NULL ? need_printf("%s '%s'", of_texts[of], history->name)
                            : need_printf("task '%s' of run '%s'", history->name, run);
    int status = history_read(&reader->store, &query, ret_history);
    free(run);
    return status < 0 ? cli_library_error("the history cannot be read") : CLI_DONE;
}

static int fail_empty(const struct history_options *history)
{
    return cli_error(CLI_USAGE, "nothing is kept of a host, kind or task '%s'%s; `shardrun status` lists the runs",
                     history->name, history->from_ns != 0 || history->to_ns != 0 ? " in that time" : "");
}

/* Looks for everything of that name, and shows it when it is one thing. */
static int show(const struct store_reader *reader, const struct history_options *history)
{
    struct history found[3];
    char *what[3] = {NULL, NULL, NULL};
    int of = -1, code = CLI_DONE, hits = 0;
    memset(found, 0, sizeof found);
    for (int i = 0; code == CLI_DONE && i < 3; i++) {
        if ((history->of >= 0 && history->of != i) || (history->run != NULL && i != SHARD_SERIES_TASK))
            continue;
        code = read_one(reader, history, i, &found[i], &what[i]);
        hits += found[i].count > 0;
        of = found[i].count > 0 ? i : of;
    }
    if (code == CLI_DONE && hits == 0)
        code = fail_empty(history);
    else if (code == CLI_DONE && hits > 1)
        code = cli_error(CLI_USAGE, "'%s' is the name of several things; say which with --of=%s", history->name,
                         found[0].count == 0 ? "kind or --of=task" : "host, --of=kind or --of=task");
    else if (code == CLI_DONE && history->json)
        history_print_json(&found[of]);
    else if (code == CLI_DONE)
        history_print(&found[of], what[of]);
    for (int i = 0; i < 3; i++) {
        history_clear(&found[i]);
        free(what[i]);
    }
    return code;
}

int cmd_history(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "NAME",
                                     .doc = "Shows what a store has measured of a host, a kind or a task: load of the "
                                            "hosts, how attempts ended and how long they took, in steps of time. It "
                                            "only reads, also while a run goes on."};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct history_options history = {.of = -1, .now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    struct store_reader reader;
    cli_parse(&argp, argc, argv, &history);
    int code = store_reader_open(&reader, history.store, NULL);
    if (code == CLI_DONE && reader.store.port->series == NULL)
        code = cli_error(CLI_USAGE, "store '%s' keeps no history", reader.place.text);
    if (code == CLI_DONE)
        code = show(&reader, &history);
    store_reader_close(&reader);
    return code;
}
