/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun doctor`: checks what runs stand on, and says for each what to do about it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "doctor.h"
#include "need.h"

struct doctor_options {
    const char *store;
    const char *runtime;
    bool json;
    bool is_process;
    struct run_options catalog; /* only what names and opens a catalog */
};

enum { OPTION_STORE = 256, OPTION_RUNTIME, OPTION_EXECUTOR, OPTION_CATALOG };

static const struct argp_option options[] = {
    {"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
    {"runtime", OPTION_RUNTIME, "crun|runc|PATH", 0, "the OCI runtime to try (default: the first that works)", 0},
    {"executor", OPTION_EXECUTOR, "container|process", 0, "what runs will use (default container)", 0},
    {"catalog", OPTION_CATALOG, "URL[#BRANCH]", 0, "a catalog to check, too", 0},
    {"json", 'j', NULL, 0, "print one JSON object a line for each check", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct doctor_options *doctor = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &doctor->catalog.catalog_access;
        return 0;
    case OPTION_STORE:
        doctor->store = argument;
        return 0;
    case OPTION_RUNTIME:
        doctor->runtime = argument;
        return 0;
    case OPTION_EXECUTOR:
        doctor->is_process = strcmp(argument, "process") == 0;
        if (!doctor->is_process && strcmp(argument, "container") != 0)
            argp_error(state, "--executor: '%s' is neither container nor process", argument);
        return 0;
    case OPTION_CATALOG:
        doctor->catalog.catalog = argument;
        return 0;
    case 'j':
        doctor->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no arguments are expected");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void doctor_tell(struct doctor *doctor, const char *check, enum finding finding, const char *found, const char *fix)
{
    static const char *const texts[] = {"ok", "warning", "failed"};
    doctor->by_finding[finding]++;
    if (!doctor->json) {
        printf("%-8s %-11s %s\n", texts[finding], check, found);
        if (fix[0] != '\0')
            printf("%20s fix: %s\n", "", fix);
        return;
    }
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:s}", "check", check, "state", texts[finding], "found", found, "fix", fix);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

/* What a store warns of while it is used. */
struct warnings {
    struct text text;
};

static void take_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    struct warnings *warnings = self;
    (void)id;
    if (level > SHARD_LOG_WARNING)
        return;
    if (warnings->text.length > 0)
        text_puts(&warnings->text, "; ");
    text_puts(&warnings->text, message);
}

static int count_run(void *self, const struct shard_run_summary *run)
{
    (void)run;
    ++*(int *)self;
    return 0;
}

static void tell_store_error(struct doctor *doctor)
{
    struct shard_error error = {.struct_size = sizeof error};
    int code = shard_error_copy(&error);
    const char *advice = cli_advice(code);
    doctor_tell(doctor, "store", FINDING_FAILED, error.message,
                advice[0] != '\0' ? advice : "see what is there, or name another store with --store");
}

/* Opening checks a file whole; listing the runs reaches a server, which is warned of meanwhile. */
static void check_store(struct doctor *doctor, const struct place *place)
{
    struct warnings warnings = {{0}};
    struct shard_context_config config = {.struct_size = sizeof config, .log = take_log, .log_self = &warnings};
    struct shard_store_handle store = {0};
    shard_context *context = NULL;
    int runs = 0;
    if (place->store == NULL) {
        doctor_tell(doctor, "store", FINDING_WARNING, "a store in memory", "name a file, to be able to resume");
        return;
    }
    int status = shard_context_new(&config, &context);
    if (status == 0)
        status = place_try_store(place, context, true, &store);
    if (status == 0)
        status = store.port->list(store.self, count_run, &runs);
    if (status == SHARD_ENOENT) {
        doctor_tell(doctor, "store", FINDING_OK, "is not there yet; the first run makes it", "");
    } else if (status < 0) {
        tell_store_error(doctor);
    } else {
        char *found =
            need_printf("'%s' works and has %d runs%s%s", place->text, runs, warnings.text.length > 0 ? "; " : "",
                        warnings.text.length > 0 ? warnings.text.bytes : "");
        doctor_tell(doctor, "store", warnings.text.length > 0 ? FINDING_WARNING : FINDING_OK, found,
                    warnings.text.length > 0 ? "set the server up as the warnings say" : "");
        free(found);
    }
    store_close(&store);
    shard_context_free(context);
    text_clear(&warnings.text);
}

int cmd_doctor(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &catalog_access_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .children = children,
        .parser = parse,
        .doc = "Checks the store, a catalog, the OCI runtime, control groups, user namespaces, the "
               "clock and the disk, and says for each what to do about it. Ends with 3 "
               "when something has to be done before a run can work."};
    struct doctor_options given = {0};
    struct place place = {0};
    char *problem = NULL;
    cli_parse(&argp, argc, argv, &given);
    struct doctor doctor = {.json = given.json};
    if (place_parse(given.store, &place, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    check_store(&doctor, &place);
    if (given.catalog.catalog != NULL)
        doctor_check_catalog(&doctor, &given.catalog, &place);
    doctor_check_disk(&doctor, &place);
    doctor_check_cgroups(&doctor);
    if (!given.is_process) {
        doctor_check_namespaces(&doctor);
        doctor_check_runtime(&doctor, given.runtime);
    }
    doctor_check_clock(&doctor);
    place_clear(&place);
    return doctor.by_finding[FINDING_FAILED] > 0 ? CLI_ENVIRONMENT : CLI_DONE;
}
