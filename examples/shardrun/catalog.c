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

int catalog_try(struct catalog *catalog, shard_context *context, const struct run_options *options, const char *state)
{
    catalog->context = context;
    char *url = need_copy(options->catalog);
    char *branch = strrchr(url, '#');
    if (branch != NULL)
        *branch++ = '\0';
    char *path = repository_path(state, url);
    const struct shard_catalog_config config = {.struct_size = sizeof config,
                                                .path = path,
                                                .url = url,
                                                .branch = branch,
                                                .ssh_key_file = options->catalog_access.key,
                                                .https_token_file = options->catalog_access.token,
                                                .https_ca_file = options->catalog_access.authorities,
                                                .sync_seconds = options->catalog_seconds};
    int status = shard_catalog_open(context, &config, &catalog->handle);
    free(path);
    free(url);
    return status;
}

int catalog_open(struct catalog *catalog, shard_context *context, const struct run_options *options, const char *state)
{
    return options->catalog != NULL && catalog_try(catalog, context, options, state) < 0
               ? cli_library_error(options->catalog)
               : CLI_DONE;
}

const char *catalog_fix(const char *message)
{
    static const char *const fixes[][2] = {
        {"another key", "ask who runs the host whether its key changed; if so, ssh-keygen -R HOST, and ssh HOST once"},
        {"no key of host", "look at the host's key, and take it with: ssh HOST"},
        {"known hosts", "look at the host's key, and take it with: ssh HOST"},
        {"certificate", "name its authority with --catalog-ca, or correct the host's name"},
        {"credentials", "name a key with --catalog-key (or ssh-add one), a token with --catalog-token; one that has "
                        "expired can be replaced in its file, which is read each time"},
        {"shallow", "git fetch --unshallow in that repository"},
        {"has a work tree", "name a bare repository: git clone --bare makes one"},
        {"without end", "all else works; for time-outs libgit2 has to be one that libshard knows, 1.5 to 1.9"},
        {"without file://", "--catalog /path/of/it"},
        {"may not be written", "have whoever owns it give the right to push"},
        {"pushed to", "have whoever owns it give the right to push"},
        {"cannot push", "have whoever owns it give the right to push"},
        {"refused branch", "ask whoever owns it what its hooks let pass"},
        {"was silent", "see that the server is well: git ls-remote URL"},
        {"bare repository", "move away what is there; it is made anew from the remote"},
        {"cannot be reached", "see that the URL is right and the server runs: git ls-remote URL"},
    };
    for (size_t i = 0; i < sizeof fixes / sizeof fixes[0]; i++)
        if (strstr(message, fixes[i][0]) != NULL)
            return fixes[i][1];
    return "see git fsck in that repository";
}

void catalog_warn(const char *what)
{
    struct shard_error error = {.struct_size = sizeof error};
    shard_error_copy(&error);
    cli_warning("%s: %s; to do: %s", what, error.message, catalog_fix(error.message));
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
        catalog_warn("the catalog was not brought up to date");
    int status = shard_catalog_load(catalog->handle, &request, &report, ret_workflow);
    if (status < 0) {
        int code = cli_library_error(options->catalog);
        if (report.problems != NULL && report.bad > 1)
            fprintf(stderr, "%s", report.problems);
        shard_free(context, report.problems);
        return code;
    }
    keep_commit(options, report.commit);
    options->catalog_is_pinned = revision[0] != '\0';
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

/* Takes over what the catalog says of a task. One that has ended is left in peace. */
static void amend(struct catalog *catalog, const shard_workflow *workflow, shard_task_id of, const char *commit)
{
    struct show *show = catalog->show;
    struct shard_task_info info = {.struct_size = sizeof info};
    if (shard_workflow_task(workflow, of, &info) < 0)
        return;
    shard_task_id task = shard_workflow_find_task(show->workflow, info.name);
    int status = task < 0 ? task : shard_engine_amend(catalog->engine, show->run, task, &info, commit);
    if (status == 1)
        show_line(show, "task '%s' is amended by catalog commit %.12s", info.name, commit);
    else if (status < 0 && status != SHARD_ENOENT && status != SHARD_ESTATE)
        cli_library_error("an amendment of the catalog");
}

static void take_changes(struct catalog *catalog)
{
    struct shard_catalog_change change = {.struct_size = sizeof change};
    while (shard_catalog_next_change(catalog->handle, &change) == 1) {
        if (catalog->show->options->catalog_is_pinned)
            continue;
        if (change.code < 0)
            show_line(catalog->show,
                      "warning: the catalog has a task that is none any more, so what was known of it holds: %s",
                      change.message);
        else
            amend(catalog, change.workflow, 0, change.commit);
    }
}

/* The branch as it is here; what the remote has beyond it comes as changes. */
static void catch_up(struct catalog *catalog)
{
    const struct shard_catalog_request request = {.struct_size = sizeof request, .keep_rest = 1};
    struct shard_catalog_report report = {.struct_size = sizeof report};
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow *workflow = NULL;
    if (shard_catalog_load(catalog->handle, &request, &report, &workflow) < 0) {
        show_line(catalog->show, "warning: the catalog cannot be loaded, so what was known of tasks holds");
        return;
    }
    shard_workflow_describe(workflow, &whole);
    for (shard_task_id i = 0; !catalog->show->options->catalog_is_pinned && i < whole.task_count; i++)
        amend(catalog, workflow, i, report.commit);
    shard_workflow_unref(workflow);
    if (report.problems != NULL)
        show_line(catalog->show, "warning: the catalog has %d bad files:\n%s", report.bad, report.problems);
    shard_free(catalog->context, report.problems);
}

static void on_catalog(uv_poll_t *poll, int status, int events)
{
    struct catalog *catalog = poll->data;
    (void)status;
    (void)events;
    if (shard_catalog_step(catalog->handle) < 0)
        cli_library_error("catalog");
    take_changes(catalog);
}

int catalog_watch(struct catalog *catalog, uv_loop_t *loop, shard_engine *engine, struct show *show, bool is_resumed)
{
    if (catalog->handle == NULL)
        return CLI_DONE;
    catalog->engine = engine;
    catalog->show = show;
    if (is_resumed)
        catch_up(catalog);
    int status = uv_poll_init(loop, &catalog->poll, shard_catalog_fd(catalog->handle));
    if (status == 0) {
        catalog->poll.data = catalog;
        catalog->is_watched = true;
        status = uv_poll_start(&catalog->poll, UV_READABLE, on_catalog);
    }
    return status < 0 ? cli_error(CLI_ENVIRONMENT, "the event loop does not work: %s", uv_strerror(status)) : CLI_DONE;
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
    if (event->kind == SHARD_EVENT_HOST_CHANGED &&
        (state == SHARD_HOST_QUARANTINED || event->reason == SHARD_REASON_HOST_SICK)) {
        decision.what = "quarantined";
        decision.reason = event->message;
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

static const char model_name[] = "learned";

int catalog_put_model(struct catalog *catalog, const char *path)
{
    char commit[SHARD_COMMIT_TEXT], *bytes = NULL, *problem = NULL;
    size_t size = 0;
    int code = CLI_DONE;
    if (catalog->handle == NULL)
        return 1;
    if (file_read(path, &bytes, &size, &problem) < 0)
        code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    else if (shard_catalog_put_model(catalog->handle, model_name, bytes, size, NULL, commit) < 0)
        code = cli_library_error("the model is not in the catalog");
    free(bytes);
    free(problem);
    return code;
}

int catalog_get_model(struct catalog *catalog, const char *path)
{
    char *problem = NULL;
    void *bytes = NULL;
    size_t size = 0;
    int code = CLI_DONE;
    int status = catalog->handle == NULL ? SHARD_ENOENT
                                         : shard_catalog_get_model(catalog->handle, model_name, NULL, &bytes, &size);
    if (status == SHARD_ENOENT)
        return 1;
    if (status < 0)
        code = cli_library_error("the catalog's model");
    else if (file_write(path, bytes, size, &problem) < 0)
        code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    shard_free(catalog->context, bytes);
    return code;
}

void catalog_close(struct catalog *catalog)
{
    if (catalog->handle == NULL)
        return;
    if (shard_catalog_sync(catalog->handle) < 0)
        catalog_warn("the catalog was not pushed, and what was decided is kept here until the next run");
    shard_catalog_close(catalog->handle);
    catalog->handle = NULL;
}
