/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of a run on disk.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

const char *work_volume_of(const struct work *work, const char *host)
{
    int index = host_list_find(work->hosts, host);
    return index >= 0 && work->hosts->items[index].own_volume ? host : COMMON_VOLUME;
}

char *work_made_path(const struct work *work, const char *volume, const char *data)
{
    char *directory = run_place_volume(work->place, volume);
    char *encoded = encode_name(data);
    char *path = path_join(directory, encoded);
    free(encoded);
    free(directory);
    return path;
}

char *work_data_path(const struct work *work, const shard_workflow *workflow, shard_data_id data, const char *volume)
{
    struct shard_data_info info = {.struct_size = sizeof info};
    shard_workflow_data(workflow, data, &info);
    if (info.producer >= 0)
        return work_made_path(work, volume, info.name);
    if (work->inputs == NULL)
        return work_made_path(work, COMMON_VOLUME, info.name);
    return info.name[0] == '/' ? need_copy(info.name) : path_join(work->inputs, info.name);
}

int work_make(const struct work *work, char **ret_problem)
{
    char *path = run_place_volume(work->place, COMMON_VOLUME);
    int status = directory_make(path, ret_problem);
    free(path);
    for (int i = 0; status == 0 && i < work->hosts->count; i++) {
        if (!work->hosts->items[i].own_volume)
            continue;
        path = run_place_volume(work->place, work->hosts->items[i].name);
        status = directory_make(path, ret_problem);
        free(path);
    }
    return status < 0 ? -1 : 0;
}

/* Whether a path has a component "..": such a name would leave the inputs directory. */
static bool leaves(const char *name)
{
    for (const char *p = name; p != NULL && *p != '\0'; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return true;
    }
    return false;
}

int work_check_inputs(const struct work *work, const shard_workflow *workflow, char **ret_problem)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(workflow, &whole);
    for (shard_data_id data = 0; work->inputs != NULL && data < whole.data_count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(workflow, data, &info);
        if (info.producer >= 0 || info.consumer_count == 0)
            continue;
        if (info.name[0] != '/' && leaves(info.name)) {
            *ret_problem = need_printf("input '%s' leaves the directory of the inputs; name it by its whole path, or "
                                       "choose another directory with --inputs",
                                       info.name);
            return -1;
        }
        char *path = work_data_path(work, workflow, data, COMMON_VOLUME);
        bool there = access(path, R_OK) == 0;
        if (!there)
            *ret_problem = need_printf("input '%s' is not there (%s: %s), and no task makes it; --inputs says where "
                                       "inputs lie",
                                       info.name, path, strerror(errno));
        free(path);
        if (!there)
            return -1;
    }
    return 0;
}

/* ".part2.part0" for the part "2/0": what its outputs' names end with. "" for a whole task. */
static char *part_suffix(const struct shard_start *start)
{
    struct text text = {0};
    for (const char *p = start->part; *p != '\0'; p += strspn(p, "/")) {
        int length = (int)strcspn(p, "/");
        text_printf(&text, ".part%.*s", length, p);
        p += length;
    }
    return text_take(&text);
}

static void find_inputs(struct attempt_data *data, const struct work *work, const struct shard_start *start)
{
    int32_t count = shard_workflow_inputs(start->workflow, start->workflow_task, NULL, 0);
    if (count <= 0)
        return;
    shard_data_id *ids = need_zeroed((size_t)count, sizeof *ids);
    const char *volume = work_volume_of(work, start->host_name);
    shard_workflow_inputs(start->workflow, start->workflow_task, ids, count);
    for (int32_t i = 0; i < count; i++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(start->workflow, ids[i], &info);
        named_paths_take(&data->inputs, info.name, work_data_path(work, start->workflow, ids[i], volume));
    }
    free(ids);
}

static void add_output(struct attempt_data *data, const struct work *work, const struct shard_data_info *info,
                       const char *volume, const char *suffix)
{
    struct output_file *output = &data->outputs[data->output_count++];
    char *encoded = encode_name(info->name);
    char *target = work_made_path(work, volume, info->name);
    output->name = need_copy(info->name);
    output->written = need_printf("%s/%s%s", data->directory, encoded, suffix);
    output->target = need_printf("%s%s", target, suffix);
    output->bytes = info->bytes;
    free(target);
    free(encoded);
}

static void find_outputs(struct attempt_data *data, const struct work *work, const struct shard_start *start,
                         const char *volume, const char *suffix)
{
    int32_t count = shard_workflow_outputs(start->workflow, start->workflow_task, NULL, 0);
    if (count <= 0)
        return;
    shard_data_id *ids = need_zeroed((size_t)count, sizeof *ids);
    shard_workflow_outputs(start->workflow, start->workflow_task, ids, count);
    data->outputs = need_zeroed((size_t)count, sizeof *data->outputs);
    for (int32_t i = 0; i < count; i++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(start->workflow, ids[i], &info);
        add_output(data, work, &info, volume, suffix);
        char *whole = start->is_merge != 0 ? work_made_path(work, COMMON_VOLUME, info.name) : NULL;
        for (int32_t part = 0; whole != NULL && part < start->count; part++)
            named_paths_take(&data->parts, info.name, need_printf("%s%s.part%d", whole, suffix, part));
        free(whole);
    }
    free(ids);
}

void attempt_data_init(struct attempt_data *data, const struct work *work, const struct shard_start *start)
{
    char *suffix = part_suffix(start);
    /* Parts are exchanged through the common volume: the merge step may run on any host. */
    const char *volume = suffix[0] != '\0' ? COMMON_VOLUME : work_volume_of(work, start->host_name);
    char *directory = run_place_volume(work->place, volume);
    *data = (struct attempt_data){0};
    data->directory = need_printf("%s/.out/%d.%d", directory, start->task, start->attempt);
    find_inputs(data, work, start);
    find_outputs(data, work, start, volume, suffix);
    free(directory);
    data->suffix = suffix;
}

void attempt_data_first_part(struct attempt_data *data, const struct work *work, int depth)
{
    for (size_t i = 0; i < data->output_count; i++) {
        struct output_file *output = &data->outputs[i];
        struct text target = {0};
        char *whole = work_made_path(work, COMMON_VOLUME, output->name);
        text_printf(&target, "%s%s", whole, data->suffix);
        for (int level = 0; level < depth; level++)
            text_puts(&target, ".part0");
        free(whole);
        free(output->target);
        output->target = text_take(&target);
    }
}

void attempt_data_clear(struct attempt_data *data)
{
    for (size_t i = 0; i < data->output_count; i++) {
        free(data->outputs[i].name);
        free(data->outputs[i].written);
        free(data->outputs[i].target);
    }
    free(data->outputs);
    free(data->directory);
    free(data->suffix);
    named_paths_clear(&data->inputs);
    named_paths_clear(&data->parts);
    *data = (struct attempt_data){0};
}

const char *attempt_data_missing(const struct attempt_data *data)
{
    for (size_t i = 0; i < data->inputs.count; i++) {
        if (access(data->inputs.items[i].path, F_OK) < 0)
            return data->inputs.items[i].name;
    }
    return NULL;
}

void attempt_data_list_files(const struct attempt_data *data, struct durable_paths *paths)
{
    for (size_t i = 0; i < data->output_count; i++) {
        durable_add(paths, need_copy(data->outputs[i].written));
        durable_add(paths, need_copy(data->outputs[i].target));
    }
}

void attempt_data_list_directories(const struct attempt_data *data, struct durable_paths *paths)
{
    for (size_t i = 0; i < data->output_count; i++) {
        char *directory = path_directory(data->outputs[i].target);
        if (paths->count > 0 && strcmp(paths->items[paths->count - 1], directory) == 0)
            free(directory);
        else
            durable_add(paths, directory);
    }
}

static int move_into_place(const struct output_file *output, char **ret_problem)
{
    if (rename(output->written, output->target) == 0)
        return 0;
    /* An earlier attempt's output may be a directory that is not empty, or of another kind. */
    bool in_the_way = errno == ENOTEMPTY || errno == EEXIST || errno == EISDIR || errno == ENOTDIR;
    if (in_the_way && (unlink(output->target) == 0 || directory_remove(output->target, ret_problem) == 0) &&
        rename(output->written, output->target) == 0)
        return 0;
    free(*ret_problem);
    *ret_problem = need_printf("output '%s' cannot be put at '%s': %s", output->name, output->target, strerror(errno));
    return -1;
}

int attempt_data_commit(const struct attempt_data *data, const char *marker, char **ret_problem)
{
    bool begun = path_exists(marker);
    for (size_t i = 0; !begun && i < data->output_count; i++) {
        if (access(data->outputs[i].written, F_OK) < 0) {
            *ret_problem =
                need_printf("the command ended well but did not write its output '%s'", data->outputs[i].name);
            return -1;
        }
    }
    int fd = data->output_count > 0 && !begun ? open(marker, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0)
        close(fd);
    else if (data->output_count > 0 && !begun) {
        *ret_problem = need_printf("'%s' cannot be written: %s", marker, strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < data->output_count; i++) {
        const struct output_file *output = &data->outputs[i];
        if (begun && access(output->written, F_OK) < 0 && access(output->target, F_OK) == 0)
            continue;
        if (move_into_place(output, ret_problem) < 0)
            return -1;
    }
    return 0;
}
