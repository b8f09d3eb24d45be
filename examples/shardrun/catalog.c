/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog of a run: opened, loaded from or published to, and told what was decided.
 */
#include "catalog.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "files.h"
#include "need.h"

static const char scheme[] = "catalog:";

bool catalog_is_source(const char *file)
{
    return file != NULL && strncmp(file, scheme, sizeof scheme - 1) == 0;
}

/* Where the repository of a url is kept: a name that is a file's. */
static char *repository_path(const char *state, const char *url)
{
    char *name = need_printf("catalog-%s.git", url);
    for (char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
            *c = '_';
    }
    char *path = path_join(state, name);
    free(name);
    return path;
}

int catalog_open(struct catalog *catalog, shard_context *context, const struct run_options *options, const char *state)
{
    if (options->catalog == NULL)
        return CLI_DONE;
    char *url = need_copy(options->catalog);
    char *branch = strrchr(url, '#');
    if (branch != NULL)
        *branch++ = '\0';
    char *path = repository_path(state, url);
    const struct shard_catalog_config config = {.struct_size = sizeof config,
                                                .path = path,
                                                .url = url,
                                                .branch = branch,
                                                .ssh_key_file = options->catalog_key,
                                                .https_token_file = options->catalog_token};
    int status = shard_catalog_open(context, &config, &catalog->handle);
    free(path);
    free(url);
    return status < 0 ? cli_library_error(options->catalog) : CLI_DONE;
}

static void keep_commit(struct run_options *options, const char *commit)
{
    free(options->catalog_commit);
    options->catalog_commit = need_copy(commit);
}

int catalog_load(struct catalog *catalog, shard_context *context, struct run_options *options,
                 shard_workflow **ret_workflow)
{
    const char *revision = options->file + sizeof scheme - 1;
    const struct shard_catalog_request request = {.struct_size = sizeof request,
                                                  .revision = revision[0] != '\0' ? revision : NULL};
    struct shard_catalog_report report = {.struct_size = sizeof report};
    if (catalog->handle == NULL)
        return cli_error(CLI_USAGE, "%s needs --catalog URL, which says where the catalog is", options->file);
    /* Work goes on with what is here when the remote is not to be had. */
    if (shard_catalog_sync(catalog->handle) < 0)
        cli_warning("the catalog was not brought up to date: its remote is not to be had");
    int status = shard_catalog_load(catalog->handle, &request, &report, ret_workflow);
    if (status < 0) {
        int code = cli_library_error(options->catalog);
        if (report.problems != NULL && report.bad > 1)
            fprintf(stderr, "%s", report.problems);
        shard_free(context, report.problems);
        return code;
    }
    keep_commit(options, report.commit);
    return CLI_DONE;
}

int catalog_publish(struct catalog *catalog, const shard_workflow *workflow, struct run_options *options)
{
    char commit[SHARD_COMMIT_TEXT];
    if (catalog->handle == NULL)
        return CLI_DONE;
    char *message = need_printf("Publish the workflow of run %s\n\nRun: %s\n", options->run, options->run);
    int status = shard_catalog_publish(catalog->handle, workflow, message, commit);
    free(message);
    if (status < 0)
        return cli_library_error(options->catalog);
    keep_commit(options, commit);
    return CLI_DONE;
}

static void tell_changes(struct catalog *catalog)
{
    struct shard_catalog_change change = {.struct_size = sizeof change};
    while (shard_catalog_next_change(catalog->handle, &change) == 1) {
        if (change.code < 0)
            cli_warning("the catalog has a task that is none any more: %s", change.message);
        else
            cli_warning(
                "'%s' was changed in the catalog (%.12s); this run goes on with the revision that it began with",
                change.path, change.commit);
    }
}

static void on_catalog(uv_poll_t *poll, int status, int events)
{
    struct catalog *catalog = poll->data;
    (void)status;
    (void)events;
    if (shard_catalog_step(catalog->handle) < 0)
        cli_library_error("catalog");
    tell_changes(catalog);
}

int catalog_watch(struct catalog *catalog, uv_loop_t *loop)
{
    if (catalog->handle == NULL)
        return 0;
    int status = uv_poll_init(loop, &catalog->poll, shard_catalog_fd(catalog->handle));
    if (status < 0)
        return status;
    catalog->poll.data = catalog;
    catalog->is_watched = true;
    return uv_poll_start(&catalog->poll, UV_READABLE, on_catalog);
}

void catalog_unwatch(struct catalog *catalog)
{
    if (catalog->is_watched)
        uv_close((uv_handle_t *)&catalog->poll, NULL);
    catalog->is_watched = false;
}

/* What an event says was decided, NULL: nothing that is kept. */
static const char *decided(const struct shard_event *event)
{
    switch (event->decision) {
    case SHARD_DECIDE_MOVE:
        return "moved";
    case SHARD_DECIDE_SPLIT:
        return event->state == SHARD_TASK_SPLIT ? "split" : NULL; /* not for each subtask that came of it */
    case SHARD_DECIDE_ESCALATE:
        return "gets more memory";
    case SHARD_DECIDE_REPLICATE:
        return event->state == SHARD_TASK_SPLIT ? "replicated" : NULL;
    case SHARD_DECIDE_GIVE_UP:
        return "given up";
    case SHARD_DECIDE_NOTHING:
    case SHARD_DECIDE_START:
    case SHARD_DECIDE_WAIT:
    default:
        return NULL;
    }
}

static const char *host_name(const shard_engine *engine, shard_host_id host, enum shard_host_state *ret_state)
{
    struct shard_host_view view = {.struct_size = sizeof view};
    if (host < 0 || shard_engine_host(engine, host, &view) < 0)
        return NULL;
    *ret_state = view.state;
    return view.name;
}

void catalog_note(struct catalog *catalog, const shard_engine *engine, const struct shard_event *event, const char *run)
{
    char task[SHARD_MAX_NAME_BYTES + 64];
    enum shard_host_state state = SHARD_HOST_UP;
    struct shard_catalog_decision decision = {
        .struct_size = sizeof decision, .run = run, .p_fail = event->p_fail, .seconds = NAN, .time_ns = event->time_ns};
    if (catalog->handle == NULL)
        return;
    decision.host = host_name(engine, event->host, &state);
    if (event->kind == SHARD_EVENT_HOST_CHANGED && state == SHARD_HOST_QUARANTINED) {
        decision.what = "quarantined";
        decision.p_fail = NAN;
    } else if ((event->kind == SHARD_EVENT_TASK_CHANGED || event->kind == SHARD_EVENT_ATTEMPT_ENDED) &&
               decided(event) != NULL &&
               shard_engine_task_name(engine, event->run, event->task, task, sizeof task) >= 0) {
        /* The end of an attempt and what its task became are one decision. */
        if (event->kind == SHARD_EVENT_TASK_CHANGED && event->outcome != SHARD_OUTCOME_NONE)
            return;
        decision.task = task;
        decision.what = decided(event);
        decision.reason = shard_reason_text(event->reason);
    } else {
        return;
    }
    if (shard_catalog_note(catalog->handle, &decision) < 0)
        cli_library_error("a decision is not in the catalog");
}

void catalog_close(struct catalog *catalog)
{
    if (catalog->handle == NULL)
        return;
    if (shard_catalog_sync(catalog->handle) < 0)
        cli_warning("the catalog was not pushed: its remote is not to be had; what was decided is kept here, and goes "
                    "there with the next run");
    shard_catalog_close(catalog->handle);
    catalog->handle = NULL;
}
