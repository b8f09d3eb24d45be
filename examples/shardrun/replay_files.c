/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts out recorded workflows: the files of a replay and the orders of shardrun-burn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "replay.h"

#ifndef SHARDRUN_LIBEXEC
#define SHARDRUN_LIBEXEC "/usr/local/libexec/shardrun"
#endif

static int write_bytes(const char *path, int64_t bytes)
{
    static const char block[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    int status = 0;
    while (status == 0 && bytes > 0) {
        size_t wanted = bytes < (int64_t)sizeof block ? (size_t)bytes : sizeof block;
        ssize_t done = write(fd, block, wanted);
        if (done < 0 && errno != EINTR)
            status = -1;
        bytes -= done > 0 ? done : 0;
    }
    int error = errno;
    close(fd);
    errno = error;
    return status;
}

int replay_make_inputs(const struct work *work, const shard_workflow *workflow, char **ret_problem)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(workflow, &whole);
    for (shard_data_id data = 0; data < whole.data_count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(workflow, data, &info);
        if (info.producer >= 0)
            continue;
        char *path = work_data_path(work, workflow, data, COMMON_VOLUME);
        bool made = write_bytes(path, info.bytes) == 0;
        if (!made)
            *ret_problem =
                need_printf("input '%s' of the replay cannot be made at '%s': %s", info.name, path, strerror(errno));
        free(path);
        if (!made)
            return -1;
    }
    return 0;
}

char *replay_find_burn(char **ret_problem)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *directory = path_directory(self);
    char *beside = path_join(directory, "shardrun-burn");
    free(directory);
    if (access(beside, X_OK) == 0)
        return beside;
    free(beside);
    if (access(SHARDRUN_LIBEXEC "/shardrun-burn", X_OK) == 0)
        return need_copy(SHARDRUN_LIBEXEC "/shardrun-burn");
    *ret_problem =
        need_copy("shardrun-burn, which acts the tasks of a replay, is neither beside shardrun nor in " SHARDRUN_LIBEXEC
                  "; install it again");
    return NULL;
}

/* Orders are texts that end with NUL, so that paths may hold anything; burn.c reads them. */
static void add_order(struct text *orders, char *order)
{
    text_add(orders, order, strlen(order) + 1);
    free(order);
}

static double number_of(const json_t *replay, const char *key)
{
    return json_number_value(json_object_get(replay, key));
}

/* Which share of its task's units an attempt is for. */
static double share_of(const struct shard_start *start)
{
    return start->units > 1 ? (double)(start->unit_end - start->unit_begin) / (double)start->units : 1;
}

int replay_plan(const char *burn, const struct payload *payload, const struct shard_start *start,
                const struct attempt_data *data, struct strings *argv, char **ret_problem)
{
    struct text orders = {0};
    double written = share_of(start), share = start->is_merge != 0 ? 0 : written;
    const struct named_paths *read = start->is_merge != 0 ? &data->parts : &data->inputs;
    add_order(&orders, need_printf("cpu %.6f", share * number_of(payload->replay, "cpu_seconds")));
    add_order(&orders, need_printf("wall %.6f", share * number_of(payload->replay, "wall_seconds")));
    add_order(&orders, need_printf("hold %.0f", number_of(payload->replay, "hold_bytes")));
    for (size_t i = 0; i < read->count; i++)
        add_order(&orders, need_printf("read %s", read->items[i].path));
    for (size_t i = 0; i < data->output_count; i++)
        add_order(&orders,
                  need_printf("write %.0f %s", written * (double)data->outputs[i].bytes, data->outputs[i].written));
    char *path = path_join(data->directory, ".orders");
    int status = file_put(path, orders.bytes, orders.length, ret_problem);
    text_clear(&orders);
    strings_take(argv, need_copy(burn));
    strings_take(argv, path);
    return status < 0 ? -1 : 0;
}
