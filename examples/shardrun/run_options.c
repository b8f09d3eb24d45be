/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `run` and `resume`.
 */
#include "run_options.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"

enum {
    OPTION_EXECUTOR = 256,
    OPTION_RUNTIME,
    OPTION_ROOTFS,
    OPTION_REPLAY,
    OPTION_REPLAY_MEMORY,
    OPTION_POLICY,
    OPTION_STORE,
    OPTION_RUN,
    OPTION_RETRIES,
    OPTION_MONITOR,
    OPTION_REPORT,
    OPTION_NO_REPORT,
    OPTION_NO_LEARNING,
    OPTION_NETWORK,
    OPTION_NO_CGROUP,
    OPTION_LEASE,
    OPTION_INPUTS,
    OPTION_MOUNT,
    OPTION_GRACE,
    OPTION_OUTPUT,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_WAIT,
    OPTION_CATALOG,
    OPTION_CATALOG_INTERVAL
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Where it runs:", 1},
    {"hosts", 'H', "N|FILE", 0, "N equal shares of this machine (default 1), or hosts from a JSON file", 0},
    {"executor", OPTION_EXECUTOR, "KIND", 0, "container (default) or process", 0},
    {"runtime", OPTION_RUNTIME, "crun|runc|PATH", 0, "OCI runtime; default: crun, else runc", 0},
    {"rootfs", OPTION_ROOTFS, "auto|DIR|oci:DIR", 0, "root filesystem; auto is made of this machine's /usr", 0},
    {"mount", OPTION_MOUNT, "PATH[:TARGET][:ro]", 0, "show PATH to the containers; may be given again", 0},
    {"network", OPTION_NETWORK, NULL, 0, "give containers the machine's network", 0},
    {"no-cgroup", OPTION_NO_CGROUP, NULL, 0, "make no cgroups: no limits are enforced", 0},
    {"kill-grace", OPTION_GRACE, "SECONDS", 0, "between SIGTERM and SIGKILL (default 10)", 0},
    {"max-output", OPTION_OUTPUT, "BYTES", 0, "kept of each attempt's stdout and stderr (default 1048576)", 0},
    {NULL, 0, NULL, 0, "What runs:", 2},
    {"inputs", OPTION_INPUTS, "DIR", 0, "where inputs that no task makes lie (default: beside FILE)", 0},
    {"replay", OPTION_REPLAY, "SCALE", OPTION_ARG_OPTIONAL,
     "act out what the file recorded, time and sizes times "
     "SCALE (default 1; 0: only the shape)",
     0},
    {"replay-memory-scale", OPTION_REPLAY_MEMORY, "SCALE", 0, "of the recorded memory (default 1; at most 1)", 0},
    {NULL, 0, NULL, 0, "Decisions:", 3},
    {"policy", OPTION_POLICY, "NAME", 0,
     "adaptive (default), best_without_prediction, exclude_after_failures, late, heft, least_loaded, random_retry "
     "or round_robin",
     0},
    {"keep-going", 'k', NULL, 0, "a failed task stops only what depends on it", 0},
    {"retries", OPTION_RETRIES, "CLASS=N,...", 0, "failures of a class that are tried again, for each task", 0},
    {"monitor-interval", OPTION_MONITOR, "MS", 0, "between samples of the hosts (default 500)", 0},
    {"seed", OPTION_SEED, "N", 0, "of all randomness (default 0)", 0},
    {NULL, 0, NULL, 0, "Where it is kept and shown:", 4},
    {"store", OPTION_STORE, "PATH|URL|memory:", 0,
     "default "
     ".shardrun/store.db",
     0},
    {"catalog", OPTION_CATALOG, "URL[#BRANCH]", 0,
     "Git repository that the workflow is published to, or with FILE catalog:[REVISION] comes from, and decisions with "
     "it",
     0},
    {"catalog-interval", OPTION_CATALOG_INTERVAL, "SECONDS", 0, "between looks at its remote (default 30)", 0},
    {"run", OPTION_RUN, "NAME", 0, "name of the run; default: the workflow's and a suffix", 0},
    {"lease", OPTION_LEASE, "SECONDS", 0, "how long a run is held without a sign of life (default 15)", 0},
    {"wait", OPTION_WAIT, NULL, 0, "of resume: stand by while another process holds the run, and take over", 0},
    {"report", OPTION_REPORT, "FILE", 0, "write the report to FILE", 0},
    {"no-report", OPTION_NO_REPORT, NULL, 0, "write no report", 0},
    {"no-learning", OPTION_NO_LEARNING, NULL, 0, "forecast by rates alone: train no model, use none", 0},
    {"json", OPTION_JSON, NULL, 0, "print one JSON object a line for each event", 0},
    {"quiet", 'q', NULL, 0, "show failures and warnings only", 0},
    {"verbose", 'v', NULL, 0, "show the library's log", 0},
    {0}};

struct parse_state {
    struct run_options *options;
    bool resume;
    bool has_argument;
};

static void replace(char **slot, const char *text)
{
    char *copy = need_copy(text);
    free(*slot);
    *slot = copy;
}

static void parse_retries(struct argp_state *state, const char *text, int32_t *retries)
{
    char *copy = need_copy(text), *rest = copy;
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(item, '=');
        int outcome = SHARD_OUTCOME_TASK_ERROR;
        if (value == NULL) {
            argp_error(state, "--retries wants CLASS=N,..., not '%s'", text);
            break;
        }
        *value++ = '\0';
        while (outcome < SHARD_OUTCOME_COUNT && strcmp(shard_outcome_text(outcome), item) != 0)
            outcome++;
        if (outcome == SHARD_OUTCOME_COUNT)
            argp_error(state,
                       "--retries: there is no failure class '%s'; there are task_error, out_of_memory, "
                       "out_of_disk, timeout, host_lost, preempted, launch_error, stage_error and cancelled",
                       item);
        long count = cli_integer(state, "retries", value, 0, 1000000);
        retries[outcome] = count > 0 ? (int32_t)count : -1;
    }
    free(copy);
}

static void parse_replay(struct run_options *options, const char *argument, struct argp_state *state)
{
    options->replay = true;
    options->replay_scale = argument != NULL ? cli_number(state, "replay", argument, 0, 1e6) : 1;
}

static error_t parse_numbers(int key, char *argument, struct argp_state *state, struct run_options *options)
{
    switch (key) {
    case OPTION_REPLAY_MEMORY:
        options->replay_memory_scale = cli_number(state, "replay-memory-scale", argument, 0, 1);
        return 0;
    case OPTION_LEASE:
        options->lease_seconds = cli_number(state, "lease", argument, 1, 86400);
        return 0;
    case OPTION_CATALOG_INTERVAL:
        options->catalog_seconds = cli_number(state, "catalog-interval", argument, 0.1, 86400);
        return 0;
    case OPTION_GRACE:
        options->kill_grace_seconds = cli_number(state, "kill-grace", argument, 0, 86400);
        return 0;
    case OPTION_OUTPUT:
        options->max_output_bytes = cli_integer(state, "max-output", argument, 1024, 1L << 40);
        return 0;
    case OPTION_MONITOR:
        options->monitor_interval_ms = (int32_t)cli_integer(state, "monitor-interval", argument, 10, 3600000);
        return 0;
    case OPTION_SEED:
        options->seed = (uint64_t)cli_integer(state, "seed", argument, 0, INT64_MAX);
        return 0;
    case OPTION_RETRIES:
        parse_retries(state, argument, options->retries);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_texts(int key, char *argument, struct argp_state *state, struct run_options *options)
{
    switch (key) {
    case 'H':
        replace(&options->hosts_text, argument);
        return 0;
    case OPTION_EXECUTOR:
        if (strcmp(argument, "container") != 0 && strcmp(argument, "process") != 0)
            argp_error(state, "--executor is container or process, not '%s'", argument);
        options->executor = strcmp(argument, "container") == 0 ? EXECUTOR_CONTAINER : EXECUTOR_PROCESS;
        return 0;
    case OPTION_RUNTIME:
        replace(&options->runtime, argument);
        return 0;
    case OPTION_ROOTFS:
        replace(&options->rootfs, argument);
        return 0;
    case OPTION_MOUNT:
        strings_take(&options->mounts, need_copy(argument));
        return 0;
    case OPTION_INPUTS:
        free(options->inputs);
        options->inputs = path_absolute(argument);
        return 0;
    case OPTION_POLICY:
        replace(&options->policy, argument);
        return 0;
    case OPTION_STORE:
        replace(&options->store, argument);
        return 0;
    case OPTION_CATALOG:
        replace(&options->catalog, argument);
        return 0;
    case OPTION_REPORT:
        free(options->report);
        options->report = path_absolute(argument);
        return 0;
    default:
        return parse_numbers(key, argument, state, options);
    }
}

static error_t parse_argument(char *argument, struct argp_state *state, struct parse_state *parse)
{
    if (parse->has_argument)
        argp_error(state, "one %s at a time; '%s' is too much", parse->resume ? "RUN" : "FILE", argument);
    parse->has_argument = true;
    replace(parse->resume ? &parse->options->run : &parse->options->file, argument);
    return 0;
}

static error_t parse_one(int key, char *argument, struct argp_state *state)
{
    struct parse_state *parse = state->input;
    struct run_options *options = parse->options;
    switch (key) {
    case OPTION_REPLAY:
        if (parse->resume)
            argp_error(state, "--replay was settled when the run began");
        parse_replay(options, argument, state);
        return 0;
    case OPTION_RUN:
        if (parse->resume)
            argp_error(state, "RUN is named without --run");
        replace(&options->run, argument);
        return 0;
    case OPTION_WAIT:
        if (!parse->resume)
            argp_error(state, "--wait is for resume");
        options->wait = true;
        return 0;
    case OPTION_NETWORK:
        options->network = true;
        return 0;
    case OPTION_NO_CGROUP:
        options->no_cgroup = true;
        return 0;
    case OPTION_NO_LEARNING:
        options->no_learning = true;
        return 0;
    case OPTION_NO_REPORT:
        options->no_report = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case 'k':
        options->keep_going = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->keep;
        state->child_inputs[1] = &options->catalog_access;
        return 0;
    case ARGP_KEY_ARG:
        return parse_argument(argument, state, parse);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, parse->resume ? "RUN is missing; `shardrun status` lists the runs"
                                        : "FILE is missing; - is standard input");
        return 0;
    default:
        return parse_texts(key, argument, state, options);
    }
}

void run_options_parse(struct run_options *options, bool resume, int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &keep_argp}, {.argp = &catalog_access_argp}, {0}};
    static const struct argp run = {
        .options = option_table,
        .children = children,
        .parser = parse_one,
        .args_doc = "FILE",
        .doc = "Runs a workflow file, native or WfFormat, on this machine. - is standard input.\v"
               "Ctrl-C lets what runs end and starts nothing new; a second one cancels. What was interrupted in any "
               "other way goes on with `shardrun resume RUN`."};
    static const struct argp resume_argp = {
        .options = option_table,
        .children = children,
        .parser = parse_one,
        .args_doc = "RUN",
        .doc = "Goes on with a run that was suspended or whose shardrun was killed, with the options that it began "
               "with; options given here override them. What still runs is adopted, not run again."};
    struct parse_state parse = {options, resume, false};
    cli_parse(resume ? &resume_argp : &run, argc, argv, &parse);
}

void run_options_init(struct run_options *options)
{
    *options = (struct run_options){.policy = need_copy("adaptive"),
                                    .replay_scale = 1,
                                    .replay_memory_scale = 1,
                                    .lease_seconds = 15,
                                    .kill_grace_seconds = 10,
                                    .max_output_bytes = 1 << 20,
                                    .monitor_interval_ms = 500};
}

void run_options_clear(struct run_options *options)
{
    free(options->store);
    free(options->file);
    free(options->run);
    free(options->runtime);
    free(options->rootfs);
    free(options->policy);
    free(options->hosts_text);
    host_list_clear(&options->hosts);
    free(options->inputs);
    free(options->report);
    free(options->catalog);
    free(options->catalog_commit);
    strings_clear(&options->mounts);
    *options = (struct run_options){0};
}

int run_options_read_hosts(struct run_options *options, char **ret_problem)
{
    struct host_list hosts = {0};
    if (host_list_read(options->hosts_text, &hosts, ret_problem) < 0)
        return -1;
    host_list_clear(&options->hosts);
    options->hosts = hosts;
    return 0;
}
