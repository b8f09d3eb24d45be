/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun run`: begins a run of a workflow file and stays until it has ended.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>

#include "cli.h"
#include "files.h"
#include "orchestrator.h"
#include "payload.h"
#include "replay.h"
#include "workflow_file.h"

/* The workflow's name, cut, and a suffix that makes it the only one. */
static char *make_run_name(const shard_workflow *workflow)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    uint32_t suffix = (uint32_t)time(NULL);
    shard_workflow_describe(workflow, &whole);
    (void)!getrandom(&suffix, sizeof suffix, 0);
    return need_printf("%.80s-%06" PRIx32, whole.name, suffix & 0xffffff);
}

/* What is free on the disk that a path will be on; its last part need not be there yet. */
static int64_t free_bytes_at(const char *path)
{
    struct statvfs disk;
    char *here = need_copy(path);
    while (statvfs(here, &disk) < 0 && strcmp(here, "/") != 0) {
        char *above = path_directory(here);
        free(here);
        here = above;
    }
    free(here);
    return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
}

/* The workflow as it will run: checked, and scaled for a replay. Returns an exit code. */
static int read_workflow(struct orchestrator *orchestrator, shard_workflow **ret_workflow)
{
    struct run_options *options = orchestrator->options;
    struct workflow_file file;
    char *problem = NULL;
    int code = CLI_DONE;
    if (catalog_is_source(options->file)) {
        file = (struct workflow_file){0};
        code = catalog_load(&orchestrator->catalog, orchestrator->context, options, &file.workflow);
    } else if (workflow_file_load(orchestrator->context, options->file, &file) < 0) {
        code = cli_error(file.exit_code, "%s", file.problem);
    }
    if (code != CLI_DONE) {
        /* It was told. */
    } else if (payload_check_workflow(file.workflow, !options->replay, &problem) < 0 ||
               (options->replay && replay_scale(orchestrator->context, file.workflow, options,
                                                free_bytes_at(orchestrator->place.runs), ret_workflow, &problem) < 0)) {
        code = cli_error(CLI_USAGE, "%s: %s", options->file, problem);
    } else if (!options->replay) {
        *ret_workflow = shard_workflow_ref(file.workflow);
    }
    free(problem);
    workflow_file_clear(&file);
    return code;
}

struct search {
    const char *run;
    bool found;
};

static int compare_name(void *self, const struct shard_run_summary *run)
{
    struct search *search = self;
    search->found = strcmp(run->name, search->run) == 0;
    return search->found;
}

/* Makes the directories of the run and what must be in them before anything starts. Returns an exit code. */
static int make_files(struct orchestrator *orchestrator, const shard_workflow *workflow)
{
    const struct run_options *options = orchestrator->options;
    const struct shard_store_handle *store = &orchestrator->store;
    struct search search = {options->run, false};
    char *problem = NULL;
    if (store->port->list(store->self, compare_name, &search) < 0)
        return cli_library_error("the runs of the store cannot be listed");
    if (search.found)
        return cli_error(CLI_USAGE,
                         "a run '%s' is in the store already; `shardrun resume %s` goes on with it, --run gives "
                         "another name",
                         options->run, options->run);
    int status = run_place_make(&orchestrator->run_place, &problem);
    if (status == 0)
        status = work_make(&orchestrator->work, &problem);
    if (status == 0)
        status = run_options_save(options, orchestrator->run_place.options, &problem);
    if (status == 0 && options->replay)
        status = replay_make_inputs(&orchestrator->work, workflow, &problem);
    int code = status < 0 ? cli_error(CLI_ENVIRONMENT, "%s", problem) : CLI_DONE;
    free(problem);
    return code;
}

static int settle_options(struct orchestrator *orchestrator)
{
    struct run_options *options = orchestrator->options;
    struct timespec now;
    char *problem = NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    options->created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (options->inputs == NULL) {
        char *file = path_absolute(options->file);
        options->inputs = strcmp(options->file, "-") == 0 || catalog_is_source(options->file) ? path_absolute(".")
                                                                                              : path_directory(file);
        free(file);
    }
    int status = run_options_read_hosts(options, &problem);
    if (status == 0)
        status = place_parse(options->store, &orchestrator->place, &problem);
    orchestrator->place.keep = options->keep;
    int code = status < 0 ? cli_error(CLI_USAGE, "%s", problem) : CLI_DONE;
    free(problem);
    return code;
}

static int check_inputs(struct orchestrator *orchestrator, const shard_workflow *workflow)
{
    char *problem = NULL;
    if (work_check_inputs(&orchestrator->work, workflow, &problem) == 0)
        return CLI_DONE;
    int code = cli_error(CLI_USAGE, "%s: %s", orchestrator->options->file, problem);
    free(problem);
    return code;
}

/* Opens all, begins, loops. Returns an exit code; what was made of the
 * run's files is removed when it never began. */
static int run_workflow(struct orchestrator *orchestrator, shard_workflow *workflow)
{
    int code = place_open_store(&orchestrator->place, orchestrator->context, false, &orchestrator->store);
    if (code == 0)
        code = make_files(orchestrator, workflow);
    if (code == 0) {
        code = orchestrator_open(orchestrator, workflow);
        if (code == 0)
            code = orchestrator_begin(orchestrator, workflow);
        if (code == 0)
            code = orchestrator_loop(orchestrator);
        if (!orchestrator->started) {
            char *problem = NULL;
            (void)directory_remove(orchestrator->run_place.directory, &problem);
            free(problem);
        }
    }
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct run_options options;
    struct orchestrator orchestrator = {.options = &options};
    shard_workflow *workflow = NULL;

    run_options_init(&options);
    run_options_parse(&options, false, argc, argv);
    int code = settle_options(&orchestrator);
    if (code == 0)
        code = orchestrator_context(&orchestrator);
    if (code == 0)
        code = catalog_open(&orchestrator.catalog, orchestrator.context, &options, orchestrator.place.state);
    if (code == 0)
        code = read_workflow(&orchestrator, &workflow);
    if (code == 0) {
        if (options.run == NULL)
            options.run = make_run_name(workflow);
        run_place_init(&orchestrator.run_place, &orchestrator.place, options.run);
        orchestrator_work(&orchestrator);
        code = check_inputs(&orchestrator, workflow);
    }
    if (code == 0 && !catalog_is_source(options.file))
        code = catalog_publish(&orchestrator.catalog, workflow, &options);
    if (code == 0)
        code = run_workflow(&orchestrator, workflow);
    shard_workflow_unref(workflow);
    orchestrator_close(&orchestrator);
    run_options_clear(&options);
    return code;
}
