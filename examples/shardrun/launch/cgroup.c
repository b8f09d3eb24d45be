/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One cgroup budget, whatever the layout: made, limited, entered, read, emptied by force and removed. On v1 a group is
 * one directory per hierarchy. Used by the library side and by the shim; where groups lie is decided elsewhere.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000u
#define CPU_QUOTA_MIN_US 1000u

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Control files of cgroups either have a dot in their name or are one of these. */
static bool is_control_name(const char *name)
{
    return strcmp(name, "tasks") == 0 || strcmp(name, "notify_on_release") == 0 || strcmp(name, "release_agent") == 0;
}

static uint64_t fnv1a(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

void launch__group_escape(const char *name, char *ret_escaped, size_t size)
{
    size_t to = 0;
    const char *from = name;
    for (; *from != '\0' && to + 24 < size; from++) {
        if (is_plain(*from) && !(from == name && is_control_name(name)))
            ret_escaped[to++] = *from;
        else
            to += (size_t)snprintf(ret_escaped + to, size - to, "%%%02x", (unsigned)(unsigned char)*from);
    }
    ret_escaped[to] = '\0';
    if (*from != '\0')
        snprintf(ret_escaped + to, size - to, "-%016llx", (unsigned long long)fnv1a(name));
}

void launch__group_leaf(const char *attempt_dir, char *ret_leaf, size_t size)
{
    const char *base = strrchr(attempt_dir, '/');
    char name[128];
    launch__group_escape(base == NULL ? attempt_dir : base + 1, name, sizeof name);
    snprintf(ret_leaf, size, "%s-%016llx", name, (unsigned long long)fnv1a(attempt_dir));
}

int launch__group_open(const struct launch__layout *layout, const char *relative, bool with_unused,
                       struct launch__group *ret_group)
{
    struct launch__group group = {.count = 0};
    for (size_t i = 0; i < layout->count; i++) {
        const struct launch__hierarchy *hierarchy = &layout->hierarchy[i];
        if (hierarchy->controllers == 0 && !with_unused)
            continue;
        group.dir[group.count].controllers = hierarchy->controllers;
        group.dir[group.count].v2 = hierarchy->v2;
        group.dir[group.count].path = launch__format("%s/%s", hierarchy->own, relative);
        if (group.dir[group.count++].path == NULL) {
            launch__group_clear(&group);
            return -ENOMEM;
        }
    }
    *ret_group = group;
    return 0;
}

void launch__group_clear(struct launch__group *group)
{
    for (size_t i = 0; i < group->count; i++)
        free(group->dir[i].path);
    group->count = 0;
}

int launch__group_make(const struct launch__group *group, struct launch_error *error)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->dir[i].controllers != 0 && mkdir(group->dir[i].path, 0755) != 0 && errno != EEXIST)
            return launch__fail(error, -errno, "cannot make cgroup %s: %s", group->dir[i].path, strerror(errno));
    }
    return 0;
}

int launch__group_delegate(const struct launch__group *group, struct launch_error *error)
{
    static const struct {
        unsigned controller;
        const char *text;
    } order[] = {{LAUNCH__MEMORY, "+memory"}, {LAUNCH__CPU, "+cpu"}, {LAUNCH__PIDS, "+pids"}};
    for (size_t i = 0; i < group->count; i++) {
        for (size_t k = 0; group->dir[i].v2 && k < sizeof order / sizeof order[0]; k++) {
            if ((group->dir[i].controllers & order[k].controller) == 0)
                continue;
            int result = launch__write_control(group->dir[i].path, "cgroup.subtree_control", order[k].text);
            if (result < 0)
                return launch__fail(error, result, "cannot give children of cgroup %s the controller %s: %s",
                                    group->dir[i].path, order[k].text + 1, strerror(-result));
        }
    }
    return 0;
}

/* v1 keeps the sum of memory and swap at or above memory at all times, so the order depends on the direction. */
static int limit_memory_v1(const char *path, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", bytes == 0 ? -1LL : (long long)bytes);
    int result = launch__write_control(path, "memory.limit_in_bytes", text);
    int swap = launch__write_control(path, "memory.memsw.limit_in_bytes", text);
    if (result < 0 && swap == 0)
        result = launch__write_control(path, "memory.limit_in_bytes", text);
    return result; /* without swap accounting there is nothing to limit */
}

static int limit_memory_v2(const char *path, uint64_t bytes, bool oom_group)
{
    char text[32] = "max";
    if (bytes != 0)
        snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    int result = launch__write_control(path, "memory.max", text);
    launch__write_control(path, "memory.swap.max", bytes == 0 ? "max" : "0");
    if (oom_group && result == 0)
        result = launch__write_control(path, "memory.oom.group", "1");
    return result;
}

static int limit_cpu(const char *path, bool v2, uint32_t millicores)
{
    char text[64];
    uint64_t quota = (uint64_t)millicores * CPU_PERIOD_US / 1000;
    if (quota < CPU_QUOTA_MIN_US)
        quota = CPU_QUOTA_MIN_US;
    if (!v2) {
        snprintf(text, sizeof text, "%lld", millicores == 0 ? -1LL : (long long)quota);
        return launch__write_control(path, "cpu.cfs_quota_us", text);
    }
    if (millicores == 0)
        snprintf(text, sizeof text, "max %u", CPU_PERIOD_US);
    else
        snprintf(text, sizeof text, "%llu %u", (unsigned long long)quota, CPU_PERIOD_US);
    return launch__write_control(path, "cpu.max", text);
}

static int limit_pids(const char *path, uint32_t pids)
{
    char text[32] = "max";
    if (pids != 0)
        snprintf(text, sizeof text, "%u", pids);
    return launch__write_control(path, "pids.max", text);
}

int launch__group_limit(const struct launch__group *group, const struct launch_limits *limits, bool oom_group,
                        struct launch_error *error)
{
    for (size_t i = 0; i < group->count; i++) {
        const char *path = group->dir[i].path;
        unsigned controllers = group->dir[i].controllers;
        int result = 0;
        const char *what = "memory";
        if ((controllers & LAUNCH__MEMORY) != 0)
            result = group->dir[i].v2 ? limit_memory_v2(path, limits->memory_bytes, oom_group)
                                      : limit_memory_v1(path, limits->memory_bytes);
        if (result == 0 && (controllers & LAUNCH__CPU) != 0) {
            what = "cpu";
            result = limit_cpu(path, group->dir[i].v2, limits->cpu_millicores);
        }
        if (result == 0 && (controllers & LAUNCH__PIDS) != 0) {
            what = "pids";
            result = limit_pids(path, limits->pids);
        }
        if (result < 0)
            return launch__fail(error, result, "cannot set the %s limit of cgroup %s: %s", what, path,
                                strerror(-result));
    }
    return 0;
}

int launch__group_enter(const struct launch__group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->dir[i].controllers == 0)
            continue;
        int result = launch__write_control(group->dir[i].path, "cgroup.procs", "0");
        if (result < 0)
            return result;
    }
    return 0;
}

/* A number from the list may belong to another process by now; the descriptor pins which one is asked and killed. */
static void kill_member(pid_t pid, const char *path)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return;
    char file[64];
    char *text = NULL;
    size_t size = 0;
    snprintf(file, sizeof file, "/proc/%d/cgroup", (int)pid);
    const char *leaf = strrchr(path, '/');
    if (leaf != NULL && launch__read_file(AT_FDCWD, file, (size_t)1 << 20, &text, &size) == 0) {
        if (strstr(text, leaf) != NULL)
            pidfd_send_signal(fd, SIGKILL, NULL, 0);
        free(text);
    }
    close(fd);
}

/* Kills what cgroup.procs lists now; true if it listed any. */
static bool kill_listed(const char *path)
{
    char *file = launch__format("%s/cgroup.procs", path);
    char *text = NULL;
    size_t size = 0;
    bool any = false;
    if (file != NULL && launch__read_file(AT_FDCWD, file, (size_t)64 << 20, &text, &size) == 0) {
        for (char *at = text; *at != '\0';) {
            char *end = NULL;
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            any = true;
            if (pid > 1)
                kill_member((pid_t)pid, path);
            at = end + strspn(end, "\n");
        }
    }
    free(text);
    free(file);
    return any;
}

bool launch__group_kill(const struct launch__group *group)
{
    bool any = false;
    /* First no more forks: else a process that forks faster than we read the list gets away. */
    for (size_t i = 0; i < group->count; i++) {
        if ((group->dir[i].controllers & LAUNCH__PIDS) != 0)
            launch__write_control(group->dir[i].path, "pids.max", "0");
    }
    for (size_t i = 0; i < group->count; i++) {
        if (group->dir[i].v2)
            launch__write_control(group->dir[i].path, "cgroup.kill", "1");
        if (group->dir[i].controllers != 0)
            any = kill_listed(group->dir[i].path) || any;
    }
    return any;
}

int launch__group_remove(const struct launch__group *group)
{
    int result = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (rmdir(group->dir[i].path) == 0 || errno == ENOENT)
            continue;
        /* Hierarchies that we do not use are a runtime's business; it is enough to have tried. */
        if (group->dir[i].controllers != 0)
            result = -errno;
    }
    return result;
}

int launch__group_usage(const struct launch__group *group, struct launch_usage *ret_usage)
{
    struct launch_usage usage = {0};
    bool any = false;
    for (size_t i = 0; i < group->count; i++) {
        const char *path = group->dir[i].path;
        unsigned controllers = group->dir[i].controllers;
        uint64_t number = 0;
        if ((controllers & LAUNCH__MEMORY) != 0 &&
            launch__read_control(path, group->dir[i].v2 ? "memory.current" : "memory.usage_in_bytes", &number) == 0) {
            usage.memory_bytes = number;
            any = true;
        }
        if ((controllers & LAUNCH__CPUACCT) != 0 && group->dir[i].v2 &&
            launch__read_control_key(path, "cpu.stat", "usage_usec", &number) == 0) {
            usage.cpu_ns = number * 1000;
            any = true;
        }
        if ((controllers & LAUNCH__CPUACCT) != 0 && !group->dir[i].v2 &&
            launch__read_control(path, "cpuacct.usage", &number) == 0) {
            usage.cpu_ns = number;
            any = true;
        }
        if ((controllers & LAUNCH__PIDS) != 0 && launch__read_control(path, "pids.current", &number) == 0)
            usage.pids = (uint32_t)number;
    }
    if (!any)
        return group->count == 0 ? -ENOTSUP : -ESRCH;
    *ret_usage = usage;
    return 0;
}

uint64_t launch__group_peak_memory(const struct launch__group *group)
{
    uint64_t peak = 0;
    for (size_t i = 0; i < group->count; i++) {
        if ((group->dir[i].controllers & LAUNCH__MEMORY) != 0)
            launch__read_control(group->dir[i].path, group->dir[i].v2 ? "memory.peak" : "memory.max_usage_in_bytes",
                                 &peak);
    }
    return peak;
}

uint64_t launch__group_file_cache(const struct launch__group *group)
{
    uint64_t active = 0, inactive = 0;
    for (size_t i = 0; i < group->count; i++) {
        const char *path = group->dir[i].path;
        bool v2 = group->dir[i].v2;
        if ((group->dir[i].controllers & LAUNCH__MEMORY) == 0)
            continue;
        launch__read_control_key(path, "memory.stat", v2 ? "active_file" : "total_active_file", &active);
        launch__read_control_key(path, "memory.stat", v2 ? "inactive_file" : "total_inactive_file", &inactive);
    }
    return active + inactive;
}

uint64_t launch__group_oom_kills(const struct launch__group *group)
{
    uint64_t kills = 0;
    for (size_t i = 0; i < group->count; i++) {
        if ((group->dir[i].controllers & LAUNCH__MEMORY) != 0)
            launch__read_control_key(group->dir[i].path, group->dir[i].v2 ? "memory.events" : "memory.oom_control",
                                     "oom_kill", &kills);
    }
    return kills;
}
