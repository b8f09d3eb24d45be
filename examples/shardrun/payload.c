/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the payload of a task means to shardrun.
 */
#include "payload.h"

#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "need.h"
#include "placeholder.h"

static const char *const keys[] = {"command", "merge",  "env",     "cwd",      "network",
                                   "image",   "replay", "program", "arguments"};

static int refuse(struct payload *payload, char **ret_problem, char *problem)
{
    payload_clear(payload);
    *ret_problem = problem;
    return -1;
}

/* Whether a value is a command: a text that is not empty, or such a list of texts. */
static bool is_command(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) > 0;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return false;
    }
    return json_string_length(json_array_get(value, 0)) > 0;
}

static bool is_environment(json_t *value)
{
    const char *name;
    json_t *text;
    if (!json_is_object(value))
        return false;
    json_object_foreach(value, name, text)
    {
        if (!json_is_string(text) || name[0] == '\0' || strchr(name, '=') != NULL)
            return false;
    }
    return true;
}

static char *unknown_key(const char *key)
{
    struct nearest nearest = nearest_begin(key);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0)
            return NULL;
        nearest_try(&nearest, keys[i]);
    }
    const char *guess = nearest_result(&nearest);
    return need_printf("unknown key '%s' in its payload; %s%s%s", key, guess != NULL ? "did you mean '" : "known are ",
                       guess != NULL ? guess : "command, merge, env, cwd, network, image and replay",
                       guess != NULL ? "'?" : "");
}

/* The first thing that is wrong with the fields of a payload; NULL: nothing. */
static char *field_problem(json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        char *unknown = unknown_key(key);
        if (unknown != NULL)
            return unknown;
        if ((strcmp(key, "command") == 0 || strcmp(key, "merge") == 0) && !is_command(value))
            return need_printf("/payload/%s is neither a shell text nor a list of texts", key);
        if (strcmp(key, "env") == 0 && !is_environment(value))
            return need_copy("/payload/env is not an object of names and texts");
        if (strcmp(key, "cwd") == 0 && !(json_is_string(value) && json_string_value(value)[0] == '/'))
            return need_copy("/payload/cwd is not an absolute path");
        if (strcmp(key, "network") == 0 && !json_is_boolean(value))
            return need_copy("/payload/network is neither true nor false");
        if (strcmp(key, "image") == 0 && !(json_is_string(value) && json_string_length(value) > 0))
            return need_copy("/payload/image is not a path");
        if (strcmp(key, "replay") == 0 && !json_is_object(value))
            return need_copy("/payload/replay is not an object");
    }
    return NULL;
}

int payload_read(const void *bytes, size_t length, struct payload *ret_payload, char **ret_problem)
{
    json_error_t error;
    *ret_payload = (struct payload){0};
    if (length == 0)
        return 0;
    ret_payload->root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (ret_payload->root == NULL)
        return refuse(ret_payload, ret_problem, need_printf("its payload is not JSON: %s", error.text));
    if (json_is_null(ret_payload->root)) {
        payload_clear(ret_payload);
        return 0;
    }
    if (!json_is_object(ret_payload->root))
        return refuse(ret_payload, ret_problem, need_copy("its payload is not an object with a command"));
    char *problem = field_problem(ret_payload->root);
    if (problem != NULL)
        return refuse(ret_payload, ret_problem, problem);
    ret_payload->command = json_object_get(ret_payload->root, "command");
    ret_payload->merge = json_object_get(ret_payload->root, "merge");
    ret_payload->env = json_object_get(ret_payload->root, "env");
    ret_payload->replay = json_object_get(ret_payload->root, "replay");
    ret_payload->cwd = json_string_value(json_object_get(ret_payload->root, "cwd"));
    ret_payload->image = json_string_value(json_object_get(ret_payload->root, "image"));
    ret_payload->network = json_is_true(json_object_get(ret_payload->root, "network"));
    return 0;
}

void payload_clear(struct payload *payload)
{
    json_decref(payload->root);
    *payload = (struct payload){0};
}

/* Names the pieces of data of a task as placeholders see them; their paths do not matter to a check. */
static void name_data(const shard_workflow *workflow, shard_task_id task, bool outputs, struct named_paths *paths)
{
    int32_t (*list)(const shard_workflow *, shard_task_id, shard_data_id *, int32_t) =
        outputs ? shard_workflow_outputs : shard_workflow_inputs;
    int32_t count = list(workflow, task, NULL, 0);
    if (count <= 0)
        return;
    shard_data_id *ids = need_zeroed((size_t)count, sizeof *ids);
    list(workflow, task, ids, count);
    for (int32_t i = 0; i < count; i++) {
        struct shard_data_info data = {.struct_size = sizeof data};
        shard_workflow_data(workflow, ids[i], &data);
        named_paths_take(paths, data.name, need_copy(data.name));
    }
    free(ids);
}

static int check_commands(const shard_workflow *workflow, shard_task_id task, const struct payload *payload,
                          char **ret_problem)
{
    struct placeholders values = {.task = "", .count = 1};
    struct strings argv = {0};
    int status = 0;
    name_data(workflow, task, false, &values.inputs);
    name_data(workflow, task, true, &values.outputs);
    if (payload->command != NULL)
        status = placeholders_fill(&values, payload->command, &argv, ret_problem);
    if (status == 0 && payload->merge != NULL) {
        values.is_merge = true;
        name_data(workflow, task, true, &values.parts);
        status = placeholders_fill(&values, payload->merge, &argv, ret_problem);
    }
    strings_clear(&argv);
    placeholders_clear(&values);
    return status;
}

static int check_task(const shard_workflow *workflow, shard_task_id task, const struct shard_task_info *info,
                      bool runnable, char **ret_problem)
{
    struct payload payload;
    if (payload_read(info->payload, info->payload_bytes, &payload, ret_problem) < 0)
        return -1;
    int status = check_commands(workflow, task, &payload, ret_problem);
    char *problem = NULL;
    if (status == 0 && info->has_merge != 0 && payload.command != NULL && payload.merge == NULL)
        problem = need_copy("it has a merge step, but its payload has no 'merge' command");
    else if (status == 0 && info->has_merge == 0 && info->parts > 1 && info->output_count > 0 &&
             payload.command != NULL)
        problem = need_copy("it is split and has outputs, but no merge step that makes them out of the parts");
    else if (status == 0 && runnable && payload.command == NULL)
        problem = need_copy(payload.replay != NULL ? "its program is not here, the file only records how it ran; run "
                                                     "the recording with --replay"
                                                   : "its payload has no 'command'");
    payload_clear(&payload);
    if (problem == NULL)
        return status;
    *ret_problem = problem;
    return -1;
}

int payload_check_workflow(const shard_workflow *workflow, bool runnable, char **ret_problem)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(workflow, &whole);
    for (shard_task_id task = 0; task < whole.task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        char *problem = NULL;
        shard_workflow_task(workflow, task, &info);
        if (check_task(workflow, task, &info, runnable, &problem) == 0)
            continue;
        *ret_problem = need_printf("task '%s': %s", info.name, problem);
        free(problem);
        return -1;
    }
    return 0;
}
