/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun simulate`: the same workflows on the same made-up clusters under several policies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"
#include "need.h"
#include "place.h"
#include "scenarios.h"
#include "simulate.h"
#include "simulate_learn.h"
#include "workflow_file.h"

enum {
    KEY_SCENARIO = 0x200,
    KEY_HOSTS,
    KEY_COPIES,
    KEY_POLICY,
    KEY_SEEDS,
    KEY_JOBS,
    KEY_FROM_RUN,
    KEY_STORE,
    KEY_SPLIT_P,
    KEY_WASTE_WEIGHT,
    KEY_FAILURE_COST
};

static const struct argp_option options[] = {
    {"scenario", KEY_SCENARIO, "NAME|FILE", 0, "what befalls the hosts (healthy); a name that is known, or a file", 0},
    {"hosts", KEY_HOSTS, "N", 0, "so many hosts instead of the scenario's", 0},
    {"copies", KEY_COPIES, "K", 0, "run each workflow so many times side by side (as many as give a host 20 tasks)", 0},
    {"from-run", KEY_FROM_RUN, "RUN", 0, "a run of a store instead of FILE: its workflow, and hosts as they were", 0},
    {"store", KEY_STORE, "PATH|URL", 0, "of --from-run (default " PLACE_DEFAULT_STORE ")", 0},
    {"policy", KEY_POLICY, "P1,P2...", 0, "policies to compare (least_loaded)", 0},
    {"split-p", KEY_SPLIT_P, "P", 0, "adaptive: split from this probability of failure on (0.2)", 0},
    {"waste-weight", KEY_WASTE_WEIGHT, "W", 0, "adaptive: what a wasted second costs, in seconds of the run (1)", 0},
    {"failure-cost", KEY_FAILURE_COST, "SECONDS", 0, "adaptive: what a failure costs where the task does not say (0)",
     0},
    {"seeds", KEY_SEEDS, "FIRST-LAST", 0, "once with each of these seeds (1-1)", 0},
    {"jobs", KEY_JOBS, "N", 0, "use so many processes (one for each CPU)", 0},
    {"json", 'j', NULL, 0, "one JSON object a line for each workflow, policy and seed", 0},
    {"verbose", 'v', NULL, 0, "say which tasks are given up, and why, and show the library's log", 0},
    {0}};

struct simulate_options {
    struct simulate simulate;
    char **files;
    int file_count;
    const char *from_run;
    const char *store;
};

static void parse_seeds(struct argp_state *state, struct simulate *simulate, const char *text)
{
    char *first = need_printf("%s", text), *dash = strchr(first, '-');
    const char *last = first;
    if (dash != NULL) {
        *dash = '\0';
        last = dash + 1;
    }
    simulate->first_seed = cli_integer(state, "seeds", first, 0, 1000000000);
    simulate->last_seed = cli_integer(state, "seeds", last, simulate->first_seed, simulate->first_seed + 1000000);
    free(first);
}

/* In which range it must be is the policy's to say; 0 would be its default. */
static double parse_number(struct argp_state *state, const char *name, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value < 1e300))
        argp_error(state, "--%s wants a number above 0, not '%s'", name, text);
    return value;
}

static void parse_policies(struct argp_state *state, struct simulate *simulate, const char *text)
{
    char *list = need_printf("%s", text), *rest = NULL;
    for (char *name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        simulate->policies =
            need_resized(simulate->policies, (size_t)simulate->policy_count + 1, sizeof *simulate->policies);
        simulate->policies[simulate->policy_count++] = need_printf("%s", name);
    }
    free(list);
    if (simulate->policy_count == 0)
        argp_error(state, "--policy wants names, separated by commas");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct simulate_options *all = state->input;
    struct simulate *simulate = &all->simulate;
    switch (key) {
    case KEY_SCENARIO:
        simulate->scenario_name = argument;
        return 0;
    case KEY_HOSTS:
        simulate->hosts = (int)cli_integer(state, "hosts", argument, 1, 1000000);
        return 0;
    case KEY_COPIES:
        simulate->copies = (int)cli_integer(state, "copies", argument, 1, 1000000);
        return 0;
    case KEY_FROM_RUN:
        all->from_run = argument;
        return 0;
    case KEY_STORE:
        all->store = argument;
        return 0;
    case KEY_POLICY:
        parse_policies(state, simulate, argument);
        return 0;
    case KEY_SPLIT_P:
        simulate->adaptive.split_p = parse_number(state, "split-p", argument);
        return 0;
    case KEY_WASTE_WEIGHT:
        simulate->adaptive.waste_weight = parse_number(state, "waste-weight", argument);
        return 0;
    case KEY_FAILURE_COST:
        simulate->adaptive.failure_cost_seconds = parse_number(state, "failure-cost", argument);
        return 0;
    case KEY_SEEDS:
        parse_seeds(state, simulate, argument);
        return 0;
    case KEY_JOBS:
        simulate->jobs = (int)cli_integer(state, "jobs", argument, 1, 1024);
        return 0;
    case 'j':
        simulate->json = true;
        return 0;
    case 'v':
        simulate->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        all->files = need_resized(all->files, (size_t)all->file_count + 1, sizeof *all->files);
        all->files[all->file_count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (all->file_count == 0 && all->from_run == NULL)
            argp_error(state, "FILE is missing: a workflow, or bag:N for a bag of N tasks, or --from-run");
        if (all->from_run != NULL && (all->file_count > 0 || simulate->scenario_name != NULL || simulate->copies > 0))
            argp_error(state, "--from-run goes without FILE, --scenario and --copies: the run says these");
        if (all->store != NULL && all->from_run == NULL)
            argp_error(state, "--store is where --from-run looks for a run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int load_scenario(struct simulate *simulate)
{
    char *bytes = NULL, *problem = NULL;
    const char *text = NULL, *source = simulate->scenario_name;
    size_t length = 0;
    for (int i = 0; scenario_texts[i].name != NULL && text == NULL; i++) {
        if (strcmp(scenario_texts[i].name, source) == 0)
            text = scenario_texts[i].text;
    }
    if (text != NULL) {
        length = strlen(text);
    } else if (strchr(source, '/') == NULL && strchr(source, '.') == NULL) {
        cli_error(CLI_USAGE, "there is no scenario '%s'; those that are known:", source);
        for (int i = 0; scenario_texts[i].name != NULL; i++)
            fprintf(stderr, "  %s\n", scenario_texts[i].name);
        return CLI_USAGE;
    } else if (file_read(source, &bytes, &length, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    int status =
        shard_scenario_parse(simulate->context, text != NULL ? text : bytes, length, source, &simulate->scenario);
    free(bytes);
    return status < 0 ? cli_library_error("scenario") : CLI_DONE;
}

/* The last part of a path without its suffix; what is no path stays. */
static char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".json") == 0)
        length -= 5;
    return need_printf("%.*s", (int)length, base);
}

static int load_workflow(struct simulate *simulate, const char *path, struct simulated *ret_simulated)
{
    shard_workflow *workflow = NULL;
    char *rest = NULL;
    if (strncmp(path, "bag:", 4) == 0) {
        long tasks = strtol(path + 4, &rest, 10);
        if (rest == path + 4 || *rest != '\0' || tasks < 1 || tasks > 100000000)
            return cli_error(CLI_USAGE, "'%s': expected bag:N, with N from 1 to 100000000", path);
        if (shard_sim_bag(simulate->context, (int32_t)tasks, &workflow) < 0)
            return cli_library_error(path);
    } else {
        struct workflow_file file = {0};
        if (workflow_file_load(simulate->context, path, &file) < 0) {
            int code = cli_error(file.exit_code, "%s", file.problem);
            workflow_file_clear(&file);
            return code;
        }
        workflow = shard_workflow_ref(file.workflow);
        workflow_file_clear(&file);
    }
    int status = shard_sim_tile(simulate->context, simulate->scenario, workflow, simulate->copies, simulate->hosts,
                                &ret_simulated->workflow);
    shard_workflow_unref(workflow);
    ret_simulated->name = short_name(path);
    return status < 0 ? cli_library_error(path) : CLI_DONE;
}

/* adaptive:learned is trained here. */
static int learn(struct simulate *simulate)
{
    bool is_asked = false;
    for (int i = 0; i < simulate->policy_count; i++)
        is_asked = is_asked || strcmp(simulate->policies[i], "adaptive:learned") == 0;
    int code = is_asked ? simulate_learn(simulate, &simulate->learned) : CLI_DONE;
    if (is_asked && code == CLI_DONE && simulate->learned.failure == NULL)
        cli_warning("too little failed to learn from, or this build has no XGBoost: adaptive:learned goes by the "
                    "prior");
    return code;
}

static int load(struct simulate_options *all)
{
    struct simulate *simulate = &all->simulate;
    if (simulate->scenario_name == NULL)
        simulate->scenario_name = "healthy";
    int code = all->from_run == NULL ? load_scenario(simulate) : CLI_DONE;
    simulate->workflows = need_zeroed((size_t)all->file_count + 1, sizeof *simulate->workflows);
    if (all->from_run != NULL) {
        simulate->scenario_name = all->from_run;
        code = simulate_load_run(simulate, all->store, all->from_run);
    }
    for (int i = 0; i < all->file_count && code == CLI_DONE; i++) {
        code = load_workflow(simulate, all->files[i], &simulate->workflows[i]);
        simulate->workflow_count++;
    }
    if (code == CLI_DONE)
        code = learn(simulate);
    for (int i = 0; i < simulate->policy_count && code == CLI_DONE; i++) {
        struct simulate_policy policy;
        code = simulate_policy_make(simulate, simulate->policies[i], &policy);
        simulate_policy_end(&policy);
    }
    return code;
}

static void take_line(void *self, const struct simulate *simulate, int line, const struct simulate_line *got)
{
    struct simulate_line *lines = self;
    lines[line] = *got;
    if (got->result.run_state != SHARD_RUN_DONE) {
        int workflow, policy;
        long seed;
        simulate_line_of(simulate, line, &workflow, &policy, &seed);
        cli_warning("%s under %s with seed %ld: the run ended %s", simulate->workflows[workflow].name,
                    simulate->policies[policy], seed, shard_run_state_text((int)got->result.run_state));
    }
    if (simulate->json)
        simulate_print_json(simulate, line, got);
}

static void clear(struct simulate_options *all)
{
    struct simulate *simulate = &all->simulate;
    for (int i = 0; i < simulate->workflow_count; i++) {
        shard_workflow_unref(simulate->workflows[i].workflow);
        free(simulate->workflows[i].name);
    }
    for (int i = 0; i < simulate->policy_count; i++)
        free(simulate->policies[i]);
    shard_forest_free(simulate->learned.failure);
    shard_forest_free(simulate->learned.seconds);
    free(simulate->workflows);
    free(simulate->policies);
    free(all->files);
    shard_scenario_free(simulate->scenario);
    shard_context_free(simulate->context);
}

static void show_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    (void)self;
    if (level <= SHARD_LOG_WARNING)
        fprintf(stderr, "%s: %s\n", id, message);
}

int cmd_simulate(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE...",
        .doc = "Runs workflows on a simulated cluster, under each policy and with each seed, and compares.\v"
               "FILE is a workflow (native or WfFormat), or bag:N for a bag of N tasks. With --from-run, what a store "
               "knows of a run says how long tasks take and which hosts fail: what if? With the same seed, policies "
               "meet the same hosts, sicknesses and tasks."};
    struct simulate_options all = {
        .simulate = {.first_seed = 1, .last_seed = 1, .adaptive.struct_size = sizeof(struct shard_adaptive_config)}};
    struct simulate *simulate = &all.simulate;

    cli_parse(&argp, argc, argv, &all);
    if (simulate->policy_count == 0) {
        simulate->policies = need_zeroed(1, sizeof *simulate->policies);
        simulate->policies[simulate->policy_count++] = need_printf("least_loaded");
    }
    struct shard_context_config config = {.struct_size = sizeof config, .log = simulate->verbose ? show_log : NULL};
    if (shard_context_new(&config, &simulate->context) < 0)
        return cli_library_error("");
    int code = load(&all);
    if (code == CLI_DONE) {
        int count = simulate_line_count(simulate);
        struct simulate_line *lines = need_zeroed((size_t)count, sizeof *lines);
        if (simulate->jobs == 0)
            simulate->jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
        simulate->jobs = simulate->jobs < 1 ? 1 : simulate->jobs > count ? count : simulate->jobs;
        code = simulate_all(simulate, take_line, lines);
        if (code == CLI_DONE && !simulate->json)
            simulate_print_table(simulate, lines);
        free(lines);
    }
    clear(&all);
    return code;
}
