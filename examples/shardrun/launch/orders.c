/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What launch_start tells the shim: a file of NUL-ended strings "key=value", so that any bytes an argument may hold
 * pass through unquoted. Written by the library, read by the shim and, for the cgroup alone, by an adopter.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_MAX ((size_t)64 << 20)
#define VERSION "1"

static void put(FILE *file, const char *key, const char *value)
{
    fprintf(file, "%s=%s", key, value);
    fputc('\0', file);
}

static void put_number(FILE *file, const char *key, uint64_t number)
{
    fprintf(file, "%s=%" PRIu64, key, number);
    fputc('\0', file);
}

static void put_all(FILE *file, const struct launch__orders *orders)
{
    put(file, "version", VERSION);
    put_number(file, "memory_bytes", orders->limits.memory_bytes);
    put_number(file, "cpu_millicores", orders->limits.cpu_millicores);
    put_number(file, "pids", orders->limits.pids);
    put_number(file, "oom_group", orders->oom_group);
    put_number(file, "container", orders->container);
    put_number(file, "managed", orders->managed);
    put_number(file, "detached", orders->detached);
    put_number(file, "timeout_us", (uint64_t)(orders->timeout_seconds * 1e6));
    put_number(file, "kill_grace_us", (uint64_t)(orders->kill_grace_seconds * 1e6));
    put_number(file, "max_output_bytes", orders->max_output_bytes);
    put(file, "cwd", orders->cwd);
    for (size_t i = 0; i < orders->group.count; i++) {
        fprintf(file, "group=%c%u %s", orders->group.dir[i].v2 ? '2' : '1', orders->group.dir[i].controllers,
                orders->group.dir[i].path);
        fputc('\0', file);
    }
    for (const char *const *argument = orders->argv; *argument != NULL; argument++)
        put(file, "argv", *argument);
    for (const char *const *variable = orders->env; *variable != NULL; variable++)
        put(file, "env", *variable);
    put(file, "end", "");
}

int launch__orders_write(int dir_fd, const struct launch__orders *orders)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return -ENOMEM;
    put_all(file, orders);
    int result = fclose(file) != 0 ? -ENOMEM : 0;
    if (result == 0 && size > ORDERS_MAX)
        result = -E2BIG;
    if (result == 0)
        result = launch__write_file(dir_fd, LAUNCH__FILE_ORDERS, text, size);
    free(text);
    return result;
}

static int take_group(struct launch__orders *orders, char *value)
{
    struct launch__group *group = &orders->group;
    char version = '\0';
    unsigned controllers = 0;
    int path = 0;
    if (group->count == LAUNCH__HIERARCHIES || sscanf(value, "%c%u %n", &version, &controllers, &path) != 2 ||
        path == 0)
        return -EBADMSG;
    group->dir[group->count].v2 = version == '2';
    group->dir[group->count].controllers = controllers;
    group->dir[group->count].path = value + path;
    group->count++;
    return 0;
}

static int take_number(struct launch__orders *orders, const char *key, const char *value)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0)
        return -EBADMSG;
    if (strcmp(key, "memory_bytes") == 0)
        orders->limits.memory_bytes = number;
    else if (strcmp(key, "cpu_millicores") == 0)
        orders->limits.cpu_millicores = (uint32_t)number;
    else if (strcmp(key, "pids") == 0)
        orders->limits.pids = (uint32_t)number;
    else if (strcmp(key, "oom_group") == 0)
        orders->oom_group = number != 0;
    else if (strcmp(key, "container") == 0)
        orders->container = number != 0;
    else if (strcmp(key, "managed") == 0)
        orders->managed = number != 0;
    else if (strcmp(key, "detached") == 0)
        orders->detached = number != 0;
    else if (strcmp(key, "timeout_us") == 0)
        orders->timeout_seconds = (double)number / 1e6;
    else if (strcmp(key, "kill_grace_us") == 0)
        orders->kill_grace_seconds = (double)number / 1e6;
    else if (strcmp(key, "max_output_bytes") == 0)
        orders->max_output_bytes = number;
    else
        return -EBADMSG;
    return 0;
}

/* Both lists have room for all strings of the file. */
struct lists {
    const char **argv;
    const char **env;
    size_t argc;
    size_t envc;
};

static int take(struct launch__orders *orders, const char *key, char *value, struct lists *lists)
{
    if (strcmp(key, "version") == 0)
        return strcmp(value, VERSION) == 0 ? 0 : -EBADMSG;
    if (strcmp(key, "argv") == 0)
        lists->argv[lists->argc++] = value;
    else if (strcmp(key, "env") == 0)
        lists->env[lists->envc++] = value;
    else if (strcmp(key, "cwd") == 0)
        orders->cwd = value;
    else if (strcmp(key, "group") == 0)
        return take_group(orders, value);
    else
        return take_number(orders, key, value);
    return 0;
}

/* Splits orders->text, which ends with "end=". */
static int take_all(struct launch__orders *orders, size_t size, size_t strings)
{
    struct lists lists = {.argv = orders->lists, .env = orders->lists + strings};
    orders->argv = lists.argv;
    orders->env = lists.env;
    char *end = orders->text + size;
    for (char *at = orders->text; at < end;) {
        char *next = at + strlen(at) + 1;
        char *value = strchr(at, '=');
        if (value == NULL)
            return -EBADMSG;
        *value++ = '\0';
        if (strcmp(at, "end") == 0)
            return lists.argc == 0 || orders->cwd == NULL ? -EBADMSG : 0;
        int result = take(orders, at, value, &lists);
        if (result < 0)
            return result;
        at = next;
    }
    return -EBADMSG;
}

int launch__orders_read(int dir_fd, struct launch__orders *ret_orders)
{
    struct launch__orders orders = {.argv = NULL};
    size_t size = 0;
    int result = launch__read_file(dir_fd, LAUNCH__FILE_ORDERS, ORDERS_MAX, &orders.text, &size);
    if (result < 0)
        return result;
    size_t strings = 1;
    for (size_t i = 0; i < size; i++)
        strings += orders.text[i] == '\0';
    orders.lists = calloc(2 * strings, sizeof *orders.lists);
    result = orders.lists == NULL ? -ENOMEM : take_all(&orders, size, strings);
    if (result < 0) {
        launch__orders_clear(&orders);
        return result;
    }
    *ret_orders = orders;
    return 0;
}

void launch__orders_clear(struct launch__orders *orders)
{
    free(orders->lists);
    free(orders->text);
    *orders = (struct launch__orders){.argv = NULL};
}
