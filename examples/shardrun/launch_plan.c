/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Works out how an attempt is launched.
 */
#include "launch_plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "payload.h"
#include "progress.h"
#include "replay.h"

/* A runtime needs some memory of its own in the attempt's cgroup before the command begins. */
static const int64_t least_memory_limit = INT64_C(32) << 20;
enum { MOST_PIDS = 8192 };

static struct launch_rootfs *find_root(const struct launch_planner *planner, const char *source)
{
    for (int i = 0; i < planner->root_count; i++) {
        if (strcmp(planner->roots[i].source, source) == 0)
            return planner->roots[i].rootfs;
    }
    return NULL;
}

static int open_root(struct launch_planner *planner, const char *source, char **ret_problem)
{
    struct launch_error error = {""};
    struct launch_rootfs *rootfs = NULL;
    if (find_root(planner, source) != NULL)
        return 0;
    const char *path = strncmp(source, "oci:", 4) == 0 ? source + 4 : source;
    bool automatic = path[0] == '\0' || strcmp(path, "auto") == 0;
    char *absolute = automatic ? NULL : path_absolute(path);
    int status = launch_rootfs_open(planner->env, absolute, &error, &rootfs);
    free(absolute);
    if (status < 0) {
        *ret_problem = need_copy(error.text);
        return -1;
    }
    planner->roots = need_resized(planner->roots, (size_t)planner->root_count + 1, sizeof *planner->roots);
    planner->roots[planner->root_count++] = (struct opened_rootfs){need_copy(source), rootfs};
    return 0;
}

static int open_images(struct launch_planner *planner, const shard_workflow *workflow, char **ret_problem)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    int status = open_root(planner, planner->options->rootfs != NULL ? planner->options->rootfs : "", ret_problem);
    shard_workflow_describe(workflow, &whole);
    for (shard_task_id task = 0; status == 0 && task < whole.task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        struct payload payload;
        shard_workflow_task(workflow, task, &info);
        status = payload_read(info.payload, info.payload_bytes, &payload, ret_problem);
        if (status == 0 && payload.image != NULL)
            status = open_root(planner, payload.image, ret_problem);
        payload_clear(&payload);
    }
    return status;
}

int launch_planner_prepare(struct launch_planner *planner, const shard_workflow *workflow, char **ret_problem)
{
    if (planner->options->replay) {
        planner->burn = replay_find_burn(ret_problem);
        if (planner->burn == NULL)
            return -1;
    }
    if (planner->options->executor == EXECUTOR_CONTAINER)
        return open_images(planner, workflow, ret_problem);
    return 0;
}

void launch_planner_clear(struct launch_planner *planner)
{
    for (int i = 0; i < planner->root_count; i++) {
        launch_rootfs_close(planner->roots[i].rootfs);
        free(planner->roots[i].source);
    }
    free(planner->roots);
    free(planner->burn);
    *planner = (struct launch_planner){0};
}

/* The paths of a list without owning them: placeholders only read. */
static struct placeholders placeholders_of(const struct shard_start *start, const struct attempt_data *data,
                                           struct named_path *outputs)
{
    for (size_t i = 0; i < data->output_count; i++)
        outputs[i] = (struct named_path){data->outputs[i].name, data->outputs[i].written};
    return (struct placeholders){.inputs = data->inputs,
                                 .parts = data->parts,
                                 .outputs = {outputs, data->output_count},
                                 .task = start->task_name,
                                 .begin = start->unit_begin,
                                 .end = start->unit_end,
                                 .attempt = start->attempt,
                                 .index = start->index,
                                 .count = start->count,
                                 .is_merge = start->is_merge != 0};
}

static int fill_command(struct launch_plan *plan, const struct payload *payload, const struct shard_start *start,
                        const struct attempt_data *data, char **ret_problem)
{
    const json_t *command = start->is_merge != 0 ? payload->merge : payload->command;
    if (command == NULL) {
        *ret_problem =
            need_printf("task '%s' has no %s", start->task_name, start->is_merge != 0 ? "merge command" : "command");
        return -1;
    }
    struct named_path *outputs = need_zeroed(data->output_count, sizeof *outputs);
    struct placeholders values = placeholders_of(start, data, outputs);
    int status = placeholders_fill(&values, command, &plan->argv, ret_problem);
    free(outputs);
    return status;
}

static void pass_on(struct launch_plan *plan, const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    if (value != NULL || otherwise != NULL)
        strings_take(&plan->env, need_printf("%s=%s", name, value != NULL ? value : otherwise));
}

static void take_variable(struct launch_plan *plan, const char *name, char *value)
{
    strings_take(&plan->env, need_printf("%s=%s", name, value));
    free(value);
}

static void fill_environment(struct launch_plan *plan, const struct payload *payload, const struct shard_start *start,
                             const char *outputs, bool container)
{
    static const char path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const char *name;
    json_t *value;
    if (container) {
        strings_take(&plan->env, need_printf("PATH=%s", path));
        strings_take(&plan->env, need_copy("HOME=/tmp"));
    } else {
        pass_on(plan, "PATH", path);
        pass_on(plan, "HOME", "/");
        pass_on(plan, "USER", NULL);
        pass_on(plan, "TMPDIR", NULL);
    }
    pass_on(plan, "LANG", "C.UTF-8");
    strings_take(&plan->env, need_printf("SHARD_RUN=%s", start->run));
    strings_take(&plan->env, need_printf("SHARD_TASK=%s", start->task_name));
    strings_take(&plan->env, need_printf("SHARD_TASK_ID=%d", start->task));
    strings_take(&plan->env, need_printf("SHARD_ATTEMPT=%d", start->attempt));
    strings_take(&plan->env, need_printf("SHARD_HOST=%s", start->host_name));
    if (start->unit_end - start->unit_begin > 1) {
        strings_take(&plan->env, need_printf("SHARD_UNITS=%lld", (long long)(start->unit_end - start->unit_begin)));
        take_variable(plan, "SHARD_PROGRESS", progress_path(outputs));
        take_variable(plan, "SHARD_LIMIT", progress_limit_path(outputs));
    }
    json_object_foreach(payload->env, name, value)
    {
        strings_take(&plan->env, need_printf("%s=%s", name, json_string_value(value)));
    }
}

static void add_bind(struct launch_plan *plan, char *source, char *target, bool read_only)
{
    strings_take(&plan->bind_paths, source);
    if (target != source)
        strings_take(&plan->bind_paths, target);
    plan->binds = need_resized(plan->binds, plan->bind_count + 1, sizeof *plan->binds);
    plan->binds[plan->bind_count++] = (struct launch_bind){source, target, read_only};
}

static void add_same_bind(struct launch_plan *plan, const char *path, bool read_only)
{
    char *copy = need_copy(path);
    add_bind(plan, copy, copy, read_only);
}

/* PATH[:TARGET][:ro] */
static void add_user_bind(struct launch_plan *plan, const char *mount)
{
    size_t length = strlen(mount);
    bool read_only = length > 3 && strcmp(mount + length - 3, ":ro") == 0;
    char *text = need_printf("%.*s", (int)(read_only ? length - 3 : length), mount);
    char *colon = strchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    char *source = path_absolute(text);
    char *target = colon != NULL && colon[1] == '/' ? need_copy(colon + 1) : need_copy(source);
    free(text);
    add_bind(plan, source, target, read_only);
}

/*
 * A container sees the volumes that its host mounts, at the paths that they have outside and read-only; of them, only
 * the directory of its own outputs can be written to.
 */
static void fill_binds(struct launch_plan *plan, const struct launch_planner *planner, const struct shard_start *start,
                       const struct attempt_data *data)
{
    const struct work *work = planner->work;
    const char *volume = work_volume_of(work, start->host_name);
    char *common = run_place_volume(work->place, COMMON_VOLUME);
    char *own = run_place_volume(work->place, volume);
    bool needs_common = strcmp(own, common) == 0 || start->is_merge != 0 || start->parent >= 0 || work->inputs == NULL;
    if (needs_common)
        add_same_bind(plan, common, true);
    if (strcmp(own, common) != 0)
        add_same_bind(plan, own, true);
    for (size_t i = 0; i < data->inputs.count; i++) {
        const char *path = data->inputs.items[i].path;
        if (strncmp(path, work->place->work, strlen(work->place->work)) != 0)
            add_same_bind(plan, path, true);
    }
    if (planner->burn != NULL)
        add_same_bind(plan, planner->burn, true);
    add_same_bind(plan, data->directory, false);
    for (size_t i = 0; i < planner->options->mounts.count; i++)
        add_user_bind(plan, planner->options->mounts.items[i]);
    free(own);
    free(common);
}

static void fill_spec(struct launch_plan *plan, const struct launch_planner *planner, const struct shard_start *start,
                      const struct payload *payload)
{
    const struct run_options *options = planner->options;
    bool container = options->executor == EXECUTOR_CONTAINER;
    int host = host_list_find(planner->work->hosts, start->host_name);
    const char *image = payload->image != NULL ? payload->image : options->rootfs;
    int64_t memory =
        start->memory_bytes > 0 && start->memory_bytes < least_memory_limit ? least_memory_limit : start->memory_bytes;
    plan->spec = (struct launch_spec){
        .dir = plan->directory,
        .host = start->host_name,
        .argv = (const char *const *)plan->argv.items,
        .env = (const char *const *)plan->env.items,
        .cwd = plan->cwd,
        .limits = {.memory_bytes = (uint64_t)memory, .pids = MOST_PIDS},
        .timeout_seconds = start->timeout_seconds,
        .kill_grace_seconds = options->kill_grace_seconds,
        .max_output_bytes = (uint64_t)options->max_output_bytes,
        .oom_group = true,
        .container = container,
        .rootfs = container ? find_root(planner, image != NULL ? image : "") : NULL,
        .tmp_bytes = host >= 0 ? (uint64_t)planner->work->hosts->items[host].tmp_bytes : 0,
        .binds = plan->binds,
        .bind_count = plan->bind_count,
        .network = options->network || payload->network,
    };
}

int launch_plan_make(struct launch_plan *plan, const struct launch_planner *planner, const struct shard_start *start,
                     const struct attempt_data *data, char **ret_problem)
{
    struct payload payload;
    *plan = (struct launch_plan){0};
    if (payload_read(start->payload, start->payload_bytes, &payload, ret_problem) < 0)
        return -1;
    plan->directory = run_place_attempt(planner->work->place, start->task, start->attempt);
    plan->cwd = need_copy(payload.cwd != NULL ? payload.cwd : data->directory);
    int status = directory_make(data->directory, ret_problem);
    if (status == 0 && planner->options->replay)
        status = replay_plan(planner->burn, &payload, start, data, &plan->argv, ret_problem);
    else if (status == 0)
        status = fill_command(plan, &payload, start, data, ret_problem);
    if (status == 0) {
        fill_environment(plan, &payload, start, data->directory, planner->options->executor == EXECUTOR_CONTAINER);
        if (planner->options->executor == EXECUTOR_CONTAINER)
            fill_binds(plan, planner, start, data);
        fill_spec(plan, planner, start, &payload);
    }
    payload_clear(&payload);
    return status < 0 ? -1 : 0;
}

void launch_plan_clear(struct launch_plan *plan)
{
    free(plan->directory);
    free(plan->cwd);
    free(plan->binds);
    strings_clear(&plan->argv);
    strings_clear(&plan->env);
    strings_clear(&plan->bind_paths);
    *plan = (struct launch_plan){0};
}
