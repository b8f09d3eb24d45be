/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things lie, and names as parts of paths.
 */
#include "place.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "files.h"
#include "need.h"

enum { LONGEST_COMPONENT = 180, DAY_SECONDS = 86400 };

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
        hash = (hash ^ *p) * 0x100000001b3u;
    return hash;
}

int place_parse(const char *text, struct place *ret_place, char **ret_problem)
{
    struct place place = {0};
    const char *path = text != NULL ? text : PLACE_DEFAULT_STORE;
    size_t scheme = strcspn(path, ":/");
    bool in_memory = strcmp(path, "memory:") == 0;
    bool on_server = strncmp(path, "redis", 5) == 0 && strstr(path, "://") != NULL;
    if (strncmp(path, "sqlite:", 7) == 0) {
        path += 7;
    } else if (on_server) {
        /* The library takes it apart. */
    } else if (!in_memory && path[scheme] == ':') {
        *ret_problem = need_printf("there is no store of the kind '%.*s'; write PATH, sqlite:PATH, "
                                   "redis://[USER@]HOST[:PORT][/DB], redis+unix://[USER@]/PATH, "
                                   "redis-sentinel://[USER@]HOST[:PORT]/MASTER (rediss..: with TLS) or memory:",
                                   (int)scheme, path);
        return -1;
    }
    if (path[0] == '\0') {
        *ret_problem = need_copy("the store's path is empty; write PATH, sqlite:PATH or memory:");
        return -1;
    }
    char *absolute = path_absolute(in_memory || on_server ? PLACE_DEFAULT_STORE : path);
    char *directory = path_directory(absolute);
    place.text = in_memory ? need_copy("memory:") : need_copy(path);
    place.runs = path_join(directory, "runs");
    place.state = path_join(directory, "state");
    place.store = in_memory ? NULL : need_copy(on_server ? path : absolute);
    place.on_server = on_server;
    char *model = on_server ? need_printf("learned-%016" PRIx64 ".model", hash_of(path)) : need_copy("learned.model");
    place.model = path_join(directory, model);
    free(model);
    free(directory);
    free(absolute);
    *ret_place = place;
    return 0;
}

void place_clear(struct place *place)
{
    free(place->text);
    free(place->store);
    free(place->runs);
    free(place->state);
    free(place->model);
    *place = (struct place){0};
}

/* What is no number is out of range, which the library tells. */
static int32_t number_from(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    if (text == NULL)
        return 0;
    long number = strtol(text, &end, 10);
    return end == text || *end != '\0' || number < 0 || number > INT32_MAX ? -1 : (int32_t)number;
}

/* A password comes from a file or from the environment; on a command line everybody could read it. */
static int open_redis(const struct place *place, shard_context *context, struct shard_store_handle *ret_store)
{
    struct shard_redis_store_config config = {.struct_size = sizeof config,
                                              .url = place->store,
                                              .password = getenv("SHARDRUN_REDIS_PASSWORD"),
                                              .password_file = getenv("SHARDRUN_REDIS_PASSWORD_FILE")};
    config.keep_samples = place->keep.samples;
    config.keep_seconds = place->keep.sample_days * DAY_SECONDS;
    config.keep_outcomes = place->keep.outcomes;
    config.keep_outcome_seconds = place->keep.outcome_days * DAY_SECONDS;
    config.keep_records = place->keep.records;
    config.sentinel_user = getenv("SHARDRUN_REDIS_SENTINEL_USER");
    config.sentinel_password = getenv("SHARDRUN_REDIS_SENTINEL_PASSWORD");
    config.sentinel_password_file = getenv("SHARDRUN_REDIS_SENTINEL_PASSWORD_FILE");
    config.wait_replicas = number_from("SHARDRUN_REDIS_WAIT_REPLICAS");
    config.wait_ms = number_from("SHARDRUN_REDIS_WAIT_MS");
    config.waitaof = number_from("SHARDRUN_REDIS_WAITAOF");
    config.tls_ca = getenv("SHARDRUN_REDIS_TLS_CA");
    config.tls_cert = getenv("SHARDRUN_REDIS_TLS_CERT");
    config.tls_key = getenv("SHARDRUN_REDIS_TLS_KEY");
    config.tls_name = getenv("SHARDRUN_REDIS_TLS_NAME");
    return shard_redis_store_open(context, &config, ret_store);
}

int place_try_store(const struct place *place, shard_context *context, bool read_only,
                    struct shard_store_handle *ret_store)
{
    const struct keep *keep = &place->keep;
    struct shard_memory_store_config memory = {.struct_size = sizeof memory, .keep_records = INT64_MAX};
    struct shard_sqlite_store_config file = {.struct_size = sizeof file,
                                             .path = place->store,
                                             .read_only = read_only,
                                             .keep_samples = keep->samples,
                                             .keep_seconds = keep->sample_days * DAY_SECONDS,
                                             .keep_outcomes = keep->outcomes,
                                             .keep_outcome_seconds = keep->outcome_days * DAY_SECONDS,
                                             .keep_records = keep->records};
    if (place->on_server)
        return open_redis(place, context, ret_store);
    return place->store != NULL ? shard_sqlite_store_open(context, &file, ret_store)
                                : shard_memory_store_open(context, &memory, ret_store);
}

static int make_directory_of(const struct place *place)
{
    char *directory = path_directory(place->store);
    char *problem = NULL;
    int code = directory_make(directory, &problem) < 0 ? cli_error(CLI_ENVIRONMENT, "no store can be made: %s", problem)
                                                       : CLI_DONE;
    free(problem);
    free(directory);
    return code;
}

int place_open_store(const struct place *place, shard_context *context, bool read_only,
                     struct shard_store_handle *ret_store)
{
    bool is_file = place->store != NULL && !place->on_server;
    int code = is_file && !read_only ? make_directory_of(place) : CLI_DONE;
    if (code != CLI_DONE || place_try_store(place, context, read_only, ret_store) == 0)
        return code;
    code = cli_library_error("the store does not work");
    /* A store that is too new, damaged or not there is not the command line's fault. */
    return is_file && code == CLI_USAGE ? CLI_ENVIRONMENT : code;
}

void store_close(struct shard_store_handle *store)
{
    if (store->port != NULL)
        store->port->close(store->self);
    *store = (struct shard_store_handle){0};
}

int place_no_run(const struct place *place, const char *run)
{
    struct run_place run_place;
    run_place_init(&run_place, place, run);
    int code =
        run_place_has_begun(&run_place)
            ? cli_error(CLI_ENVIRONMENT,
                        "run '%s' has begun, its files are in '%s', but '%s' does not know it: name the store "
                        "that has it (--store); if this is the one, it has lost the run, which can only be run "
                        "anew: remove that directory, or give another name (--run)",
                        run, run_place.directory, place->text)
            : cli_error(CLI_USAGE, "there is no run '%s' in '%s'; `shardrun status` lists the runs", run, place->text);
    run_place_clear(&run_place);
    return code;
}

void run_place_init(struct run_place *run_place, const struct place *place, const char *run)
{
    char *name = encode_name(run);
    run_place->directory = path_join(place->runs, name);
    run_place->options = path_join(run_place->directory, "options.json");
    run_place->epoch = path_join(run_place->directory, "epoch");
    run_place->attempts = path_join(run_place->directory, "attempts");
    run_place->work = path_join(run_place->directory, "work");
    run_place->models = path_join(run_place->directory, "models");
    run_place->report = path_join(run_place->directory, "report.html");
    free(name);
}

void run_place_clear(struct run_place *run_place)
{
    free(run_place->directory);
    free(run_place->options);
    free(run_place->epoch);
    free(run_place->attempts);
    free(run_place->work);
    free(run_place->models);
    free(run_place->report);
    *run_place = (struct run_place){0};
}

bool run_place_has_begun(const struct run_place *run_place)
{
    struct stat info;
    return stat(run_place->epoch, &info) == 0 && info.st_size > 0;
}

char *run_place_attempt(const struct run_place *run_place, int task, int attempt)
{
    return need_printf("%s/%d.%d", run_place->attempts, task, attempt);
}

char *run_place_volume(const struct run_place *run_place, const char *volume)
{
    char *name = encode_name(volume);
    char *path = path_join(run_place->work, name);
    free(name);
    return path;
}

char *run_place_id(const struct run_place *run_place)
{
    const char *slash = strrchr(run_place->directory, '/');
    return need_printf("%.40s-%016" PRIx64, slash != NULL ? slash + 1 : "", hash_of(run_place->directory));
}

int run_place_make(const struct run_place *run_place, char **ret_problem)
{
    if (!directory_is_empty(run_place->attempts) || !directory_is_empty(run_place->work)) {
        *ret_problem = need_printf("'%s' holds the files of another run of that name; choose another name with --run, "
                                   "or remove it",
                                   run_place->directory);
        return -1;
    }
    if (directory_make(run_place->attempts, ret_problem) < 0)
        return -1;
    return directory_make(run_place->work, ret_problem) < 0 ? -1 : 0;
}

char *encode_name(const char *name)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=,@.";
    struct text text = {0};
    for (const char *p = name; *p != '\0'; p++) {
        bool plain = (unsigned char)*p >= 0x80 || strchr(kept, *p) != NULL;
        if (plain && !(p == name && *p == '.'))
            text_add(&text, p, 1);
        else
            text_printf(&text, "%%%02X", (unsigned)(unsigned char)*p);
    }
    if (text.length > LONGEST_COMPONENT) {
        text.length = LONGEST_COMPONENT;
        text_printf(&text, "~%016" PRIx64, hash_of(name));
    }
    return text_take(&text);
}
