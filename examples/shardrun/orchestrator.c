/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and closes what one run needs: context, store, launch layer, policy, engine, hosts.
 */
#include "orchestrator.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"
#include "restless.h"

/* The library's log. Warnings are for everyone, the rest for --verbose. Any thread. */
static void on_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    const struct orchestrator *orchestrator = self;
    /* A held lease ends the command with an error of its own. */
    bool wanted = (level <= SHARD_LOG_WARNING && strcmp(id, "lease-held") != 0) ||
                  (orchestrator->options != NULL && orchestrator->options->verbose);
    if (wanted)
        fprintf(stderr, "%sshardrun: %s: %s\n", orchestrator->show.line_open ? "\r\033[K" : "", id, message);
}

int orchestrator_context(struct orchestrator *orchestrator)
{
    struct shard_context_config config = {.struct_size = sizeof config};
    if (shard_workers_new(2, &orchestrator->workers) < 0)
        return cli_library_error("no thread to be had");
    config.log = on_log;
    config.log_self = orchestrator;
    config.offload = shard_workers_offload;
    config.offload_self = orchestrator->workers;
    config.seed = orchestrator->options->seed;
    if (shard_context_new(&config, &orchestrator->context) < 0)
        return cli_library_error("");
    return 0;
}

static int open_launch(struct orchestrator *orchestrator)
{
    const struct run_options *options = orchestrator->options;
    struct launch_error error = {""};
    char *id = run_place_id(&orchestrator->run_place);
    struct launch_env_options wanted = {.state_dir = orchestrator->place.state,
                                        .id = id,
                                        .runtime = options->runtime,
                                        .want_containers = options->executor == EXECUTOR_CONTAINER,
                                        .without_cgroups = options->no_cgroup};
    int status = launch_env_open(&wanted, &error, &orchestrator->env);
    free(id);
    if (status < 0)
        return cli_error(CLI_ENVIRONMENT, "%s%s", error.text,
                         wanted.want_containers ? "; --executor process does without containers" : "");
    if (launch_env_warning(orchestrator->env) != NULL && !options->quiet)
        cli_warning("%s", launch_env_warning(orchestrator->env));
    for (int i = 0; i < options->hosts.count; i++) {
        const struct host_plan *plan = &options->hosts.items[i];
        struct launch_limits limits = {.memory_bytes = (uint64_t)plan->memory_limit_bytes,
                                       .cpu_millicores = (uint32_t)plan->cpu_limit};
        if (launch_host_make(orchestrator->env, plan->name, &limits, &error) < 0)
            return cli_error(CLI_ENVIRONMENT, "host '%s': %s", plan->name, error.text);
    }
    return 0;
}

static int open_executor(struct orchestrator *orchestrator, const shard_workflow *workflow)
{
    struct executor *executor = &orchestrator->executor;
    char *problem = NULL, *boot = NULL;
    size_t length = 0;
    executor->loop = &orchestrator->loop;
    executor->env = orchestrator->env;
    executor->work = &orchestrator->work;
    executor->planner = (struct launch_planner){
        .env = orchestrator->env, .options = orchestrator->options, .work = &orchestrator->work};
    if (file_read("/proc/sys/kernel/random/boot_id", &boot, &length, &problem) == 0)
        snprintf(executor->boot_id, sizeof executor->boot_id, "%.*s", (int)strcspn(boot, "\n"), boot);
    free(boot);
    free(problem);
    problem = NULL;
    if (launch_planner_prepare(&executor->planner, workflow, &problem) == 0 &&
        epoch_file_open(orchestrator->run_place.epoch, &executor->epoch, &problem) == 0)
        return 0;
    int code = cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    return code;
}

static int open_engine(struct orchestrator *orchestrator)
{
    const struct run_options *options = orchestrator->options;
    char host[HOST_NAME_MAX + 1] = "localhost";
    int made = strcmp(options->policy, RESTLESS) == 0
                   ? restless_policy(orchestrator->context, &orchestrator->policy)
                   : shard_policy_by_name(orchestrator->context, options->policy, &orchestrator->policy);
    if (made < 0)
        return cli_library_error("--policy");
    gethostname(host, sizeof host - 1);
    char *owner = need_printf("%s:%ld", host, (long)getpid());
    struct shard_engine_config config = {.struct_size = sizeof config,
                                         .executor = &executor_port,
                                         .executor_self = &orchestrator->executor,
                                         .store = orchestrator->store,
                                         .policy = orchestrator->policy,
                                         .predictor = shard_champion_predictor(orchestrator->learner.champion),
                                         .owner = owner,
                                         .keep_outcomes = 1,
                                         .lease_seconds = options->lease_seconds,
                                         .cancel_grace_seconds = options->kill_grace_seconds + 60};
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        config.retry[i].budget = options->retries[i];
    int status = shard_engine_new(orchestrator->context, &config, &orchestrator->engine);
    free(owner);
    return status < 0 ? cli_library_error("the engine does not start") : 0;
}

static int join_host(struct orchestrator *orchestrator, int index)
{
    const struct host_plan *plan = &orchestrator->options->hosts.items[index];
    shard_volume_id volume = 0;
    if (plan->own_volume) {
        struct shard_volume_spec spec = {.struct_size = sizeof spec, .name = plan->name};
        volume = shard_engine_add_volume(orchestrator->engine, &spec);
        if (volume < 0)
            return cli_library_error(plan->name);
    }
    orchestrator->volumes[index] = volume;
    struct shard_host_spec spec = {.struct_size = sizeof spec,
                                   .name = plan->name,
                                   .labels = plan->labels,
                                   .boot_id = orchestrator->executor.boot_id,
                                   .cpu_millicores = plan->cpu_millicores,
                                   .memory_bytes = plan->memory_bytes,
                                   .disk_bytes = plan->disk_bytes,
                                   .slots = plan->slots,
                                   .speed = plan->speed,
                                   .volumes = &volume,
                                   .volume_count = 1};
    if (shard_engine_add_host(orchestrator->engine, &spec) < 0)
        return cli_library_error(plan->name);
    return 0;
}

void orchestrator_work(struct orchestrator *orchestrator)
{
    const struct run_options *options = orchestrator->options;
    orchestrator->work = (struct work){.place = &orchestrator->run_place,
                                       .hosts = &options->hosts,
                                       .inputs = options->replay ? NULL : options->inputs};
}

int orchestrator_open(struct orchestrator *orchestrator, const shard_workflow *workflow)
{
    const struct run_options *options = orchestrator->options;
    int code = 0;
    orchestrator->run = -1;
    orchestrator_work(orchestrator);
    if (uv_loop_init(&orchestrator->loop) < 0)
        return cli_error(CLI_ENVIRONMENT, "the event loop cannot be made; raise `ulimit -n`");
    orchestrator->loop_made = true;
    if (orchestrator->store.port == NULL)
        code = place_open_store(&orchestrator->place, orchestrator->context, false, &orchestrator->store);
    if (code == 0 && orchestrator->catalog.handle == NULL)
        code = catalog_open(&orchestrator->catalog, orchestrator->context, options, orchestrator->place.state);
    if (code == 0)
        code = open_launch(orchestrator);
    if (code == 0)
        code = open_executor(orchestrator, workflow);
    if (code == 0)
        code =
            learner_open(&orchestrator->learner, orchestrator->context, &orchestrator->place, &orchestrator->run_place,
                         &orchestrator->store, &orchestrator->catalog, !options->no_learning);
    if (code == 0)
        code = open_engine(orchestrator);
    orchestrator->volumes = need_zeroed((size_t)options->hosts.count, sizeof *orchestrator->volumes);
    orchestrator->slowed = need_zeroed((size_t)options->hosts.count, sizeof *orchestrator->slowed);
    for (int i = 0; code == 0 && i < options->hosts.count; i++)
        code = join_host(orchestrator, i);
    if (code == 0)
        show_init(&orchestrator->show, options, &orchestrator->place, &orchestrator->run_place, orchestrator->engine);
    return code;
}

int orchestrator_begin(struct orchestrator *orchestrator, shard_workflow *workflow)
{
    struct shard_run_spec spec = {.struct_size = sizeof spec,
                                  .name = orchestrator->options->run,
                                  .keep_going = orchestrator->options->keep_going,
                                  .stand_by = orchestrator->options->wait,
                                  .catalog_commit = orchestrator->options->catalog_commit};
    orchestrator->resumed = workflow == NULL;
    orchestrator->run = workflow != NULL ? shard_engine_submit(orchestrator->engine, workflow, &spec)
                                         : shard_engine_resume(orchestrator->engine, &spec);
    if (orchestrator->run < 0)
        return cli_library_error(orchestrator->options->run);
    orchestrator->show.run = orchestrator->run;
    return 0;
}

static void remove_hosts(struct orchestrator *orchestrator)
{
    struct launch_error error;
    for (int i = 0; i < orchestrator->options->hosts.count; i++)
        (void)launch_host_remove(orchestrator->env, orchestrator->options->hosts.items[i].name, &error);
}

void orchestrator_close(struct orchestrator *orchestrator)
{
    if (orchestrator->engine != NULL)
        show_clear(&orchestrator->show);
    store_close(&orchestrator->store); /* what it still has to answer, it answers now, to the engine */
    shard_engine_free(orchestrator->engine);
    learner_close(&orchestrator->learner);
    if (orchestrator->policy.port != NULL && orchestrator->policy.port->destroy != NULL)
        orchestrator->policy.port->destroy(orchestrator->policy.self);
    catalog_close(&orchestrator->catalog);
    executor_let_go(&orchestrator->executor);
    if (orchestrator->loop_made) {
        /* A loop that was told to stop before it ran stops at once, so one round may not be enough. */
        while (uv_loop_close(&orchestrator->loop) == UV_EBUSY)
            uv_run(&orchestrator->loop, UV_RUN_DEFAULT);
    }
    epoch_file_close(&orchestrator->executor.epoch);
    launch_planner_clear(&orchestrator->executor.planner);
    /* Those that are in use stay for a resume; those of a run that somebody else holds are not ours to remove. */
    if (orchestrator->env != NULL && (orchestrator->started || !orchestrator->resumed) &&
        orchestrator->end.state != SHARD_RUN_FENCED)
        remove_hosts(orchestrator);
    launch_env_close(orchestrator->env);
    monitor_clear(&orchestrator->monitor);
    shard_context_free(orchestrator->context);
    shard_workers_free(orchestrator->workers);
    free(orchestrator->end.message);
    free(orchestrator->held_by);
    free(orchestrator->volumes);
    free(orchestrator->slowed);
    run_place_clear(&orchestrator->run_place);
    place_clear(&orchestrator->place);
}
