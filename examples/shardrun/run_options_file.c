/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that keeps the options of a run, so that `resume` goes on as it began.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "files.h"
#include "run_options.h"

enum { FILE_VERSION = 1 };

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_string(text));
}

int run_options_save(const struct run_options *options, const char *path, char **ret_problem)
{
    json_t *mounts = json_array(), *retries = json_array();
    for (size_t i = 0; i < options->mounts.count; i++)
        json_array_append_new(mounts, json_string(options->mounts.items[i]));
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        json_array_append_new(retries, json_integer(options->retries[i]));
    json_t *object = json_pack(
        "{s:i,s:s,s:I,s:s,s:s,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:f,s:f,s:f,s:f,s:f,s:I,s:i,s:I,s:o,s:o,s:o}", "version",
        FILE_VERSION, "run", options->run, "created_ns", (json_int_t)options->created_ns, "policy", options->policy,
        "executor", options->executor == EXECUTOR_PROCESS ? "process" : "container", "replay", options->replay,
        "keep_going", options->keep_going, "network", options->network, "no_cgroup", options->no_cgroup, "no_report",
        options->no_report, "no_learning", options->no_learning, "catalog_is_pinned", options->catalog_is_pinned,
        "catalog_seconds", options->catalog_seconds, "replay_scale", options->replay_scale, "replay_memory_scale",
        options->replay_memory_scale, "lease_seconds", options->lease_seconds, "kill_grace_seconds",
        options->kill_grace_seconds, "max_output_bytes", (json_int_t)options->max_output_bytes, "monitor_interval_ms",
        (int)options->monitor_interval_ms, "seed", (json_int_t)options->seed, "mounts", mounts, "retries", retries,
        "hosts", host_list_to_json(&options->hosts));
    json_object_set_new(object, "keep", keep_to_json(&options->keep));
    set_text(object, "runtime", options->runtime);
    set_text(object, "rootfs", options->rootfs);
    set_text(object, "inputs", options->inputs);
    set_text(object, "report", options->report);
    set_text(object, "catalog", options->catalog);
    set_text(object, "catalog_commit", options->catalog_commit);
    char *bytes = json_dumps(object, JSON_INDENT(2));
    int status = file_write(path, bytes != NULL ? bytes : "", bytes != NULL ? strlen(bytes) : 0, ret_problem);
    free(bytes);
    json_decref(object);
    return status < 0 ? -1 : 0;
}

static void take_text(const json_t *object, const char *key, char **slot)
{
    const char *text = json_string_value(json_object_get(object, key));
    free(*slot);
    *slot = text != NULL ? need_copy(text) : NULL;
}

static void take_number(const json_t *object, const char *key, double *slot)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value))
        *slot = json_number_value(value);
}

static void take_flags(const json_t *object, struct run_options *options)
{
    options->replay = json_is_true(json_object_get(object, "replay"));
    options->keep_going = json_is_true(json_object_get(object, "keep_going"));
    options->network = json_is_true(json_object_get(object, "network"));
    options->no_cgroup = json_is_true(json_object_get(object, "no_cgroup"));
    options->no_report = json_is_true(json_object_get(object, "no_report"));
    options->no_learning = json_is_true(json_object_get(object, "no_learning"));
}

static void take_lists(const json_t *object, struct run_options *options)
{
    const json_t *mounts = json_object_get(object, "mounts"), *retries = json_object_get(object, "retries");
    strings_clear(&options->mounts);
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const char *mount = json_string_value(json_array_get(mounts, i));
        if (mount != NULL)
            strings_take(&options->mounts, need_copy(mount));
    }
    for (size_t i = 0; i < SHARD_OUTCOME_COUNT; i++)
        options->retries[i] = (int32_t)json_integer_value(json_array_get(retries, i));
}

static int take_all(const json_t *object, const char *path, struct run_options *options, char **ret_problem)
{
    const char *executor = json_string_value(json_object_get(object, "executor"));
    struct host_list hosts = {0};
    if (json_integer_value(json_object_get(object, "version")) != FILE_VERSION || executor == NULL ||
        !json_is_string(json_object_get(object, "policy"))) {
        *ret_problem =
            need_printf("'%s' is not of this version of shardrun; resume with the one that began the run", path);
        return -1;
    }
    if (host_list_from_json(json_object_get(object, "hosts"), path, &hosts, ret_problem) < 0)
        return -1;
    host_list_clear(&options->hosts);
    options->hosts = hosts;
    options->executor = strcmp(executor, "process") == 0 ? EXECUTOR_PROCESS : EXECUTOR_CONTAINER;
    options->created_ns = json_integer_value(json_object_get(object, "created_ns"));
    options->max_output_bytes = json_integer_value(json_object_get(object, "max_output_bytes"));
    options->monitor_interval_ms = (int32_t)json_integer_value(json_object_get(object, "monitor_interval_ms"));
    options->seed = (uint64_t)json_integer_value(json_object_get(object, "seed"));
    take_number(object, "replay_scale", &options->replay_scale);
    take_number(object, "replay_memory_scale", &options->replay_memory_scale);
    take_number(object, "lease_seconds", &options->lease_seconds);
    take_number(object, "catalog_seconds", &options->catalog_seconds);
    take_number(object, "kill_grace_seconds", &options->kill_grace_seconds);
    take_text(object, "policy", &options->policy);
    take_text(object, "runtime", &options->runtime);
    take_text(object, "rootfs", &options->rootfs);
    take_text(object, "inputs", &options->inputs);
    take_text(object, "report", &options->report);
    take_text(object, "catalog", &options->catalog);
    take_text(object, "catalog_commit", &options->catalog_commit);
    options->catalog_is_pinned = json_is_true(json_object_get(object, "catalog_is_pinned"));
    keep_from_json(json_object_get(object, "keep"), &options->keep);
    take_flags(object, options);
    take_lists(object, options);
    return 0;
}

int run_options_load(struct run_options *options, const char *path, char **ret_problem)
{
    char *bytes = NULL;
    size_t length = 0;
    json_error_t error;
    if (file_read(path, &bytes, &length, ret_problem) < 0)
        return -1;
    json_t *object = json_loadb(bytes, length, 0, &error);
    free(bytes);
    if (object == NULL) {
        *ret_problem = need_printf("%s:%d: %s; the run cannot go on without its options", path, error.line, error.text);
        return -1;
    }
    int status = take_all(object, path, options, ret_problem);
    json_decref(object);
    return status;
}
