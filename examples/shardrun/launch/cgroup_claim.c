/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decides where on this machine shardrun may make its cgroups, and makes the one that holds all hosts; then the budgets
 * of hosts in it. What differs between layouts is known in cgroup_layout.c and cgroup.c.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WANTED (LAUNCH__MEMORY | LAUNCH__CPU | LAUNCH__PIDS)
#define SUPERVISOR "shardrun-supervisor"

/* Asks v2 to let children of directory have the controllers; returns those that they have now. */
static unsigned enable(const char *directory, unsigned controllers)
{
    unsigned enabled = controllers & LAUNCH__CPUACCT;
    for (unsigned one = 1; one <= LAUNCH__PIDS; one <<= 1) {
        if ((controllers & WANTED & one) == 0)
            continue;
        if (launch__write_control(directory, "cgroup.subtree_control",
                                  one == LAUNCH__MEMORY ? "+memory"
                                  : one == LAUNCH__CPU  ? "+cpu"
                                                        : "+pids") == 0)
            enabled |= one;
    }
    return enabled;
}

/* Only the root of the whole v2 tree may have processes and give controllers; it alone has no type. */
static bool may_hold_processes(const char *directory)
{
    char *path = launch__format("%s/cgroup.type", directory);
    bool may = path != NULL && access(path, F_OK) != 0;
    free(path);
    return may;
}

/*
 * If we are alone in the group, or it is the root of a container that root runs in, the processes step aside into a
 * child. True if none is left. This comes before any controller is enabled: the kernel refuses memory to a group with
 * processes, but it takes cpu and pids, makes the group the root of threaded groups, and then none can move to a child.
 */
static bool step_aside(const char *directory, bool is_root_of_mount)
{
    char *path = launch__format("%s/cgroup.procs", directory);
    char *aside = launch__format("%s/" SUPERVISOR, directory);
    char *text = NULL;
    size_t size = 0;
    bool empty = false;
    if (path != NULL && aside != NULL && launch__read_file(AT_FDCWD, path, (size_t)1 << 20, &text, &size) == 0) {
        empty = size == 0;
        bool alone = !empty && (pid_t)strtol(text, NULL, 10) == getpid() && strchr(text, '\n') == text + size - 1;
        bool allowed = alone || (!empty && is_root_of_mount && geteuid() == 0);
        bool made = allowed && (mkdir(aside, 0755) == 0 || errno == EEXIST);
        char *save = NULL;
        empty = empty || made;
        for (char *pid = made ? strtok_r(text, "\n", &save) : NULL; pid != NULL; pid = strtok_r(NULL, "\n", &save)) {
            int code = launch__write_control(aside, "cgroup.procs", pid);
            empty = empty && (code == 0 || code == -ESRCH); /* one may have ended meanwhile */
        }
    }
    free(text);
    free(aside);
    free(path);
    return empty;
}

/* Makes our group in a v2 directory; returns the controllers it has to give. */
static unsigned claim_v2_in(const char *directory, const char *name, bool is_root_of_mount)
{
    unsigned offered = launch__layout_offered(directory);
    if ((offered & WANTED) == 0 || (!may_hold_processes(directory) && !step_aside(directory, is_root_of_mount)))
        return 0;
    char *path = launch__format("%s/%s", directory, name);
    if (path == NULL || (mkdir(path, 0755) != 0 && errno != EEXIST)) {
        free(path);
        return 0;
    }
    unsigned enabled = enable(directory, offered);
    if ((enabled & WANTED) != 0)
        enabled = enable(path, enabled);
    if ((enabled & WANTED) == 0) {
        rmdir(path);
        enabled = 0;
    }
    free(path);
    return enabled;
}

/* Below our own group if it was delegated to us; else, for root, below the root of the hierarchy. */
static void claim_v2(struct launch__hierarchy *hierarchy, const char *name, unsigned taken)
{
    bool own_is_root = strcmp(hierarchy->own, hierarchy->mount) == 0;
    unsigned claimed = claim_v2_in(hierarchy->own, name, own_is_root) & ~taken;
    if ((claimed & LAUNCH__MEMORY & ~taken) == 0 && !own_is_root && geteuid() == 0) {
        unsigned above = claim_v2_in(hierarchy->mount, name, true) & ~taken;
        char *root = above == 0 ? NULL : strdup(hierarchy->mount);
        if (root != NULL) {
            free(hierarchy->own);
            hierarchy->own = root;
            claimed = above;
        }
    }
    hierarchy->controllers = claimed;
}

static void claim_v1(struct launch__hierarchy *hierarchy, const char *name)
{
    char *path = launch__format("%s/%s", hierarchy->own, name);
    if (path == NULL || (mkdir(path, 0755) != 0 && errno != EEXIST))
        hierarchy->controllers = 0;
    free(path);
}

static char *describe_missing(enum launch_layout found, unsigned claimed)
{
    if ((claimed & WANTED) == WANTED)
        return NULL;
    if ((claimed & WANTED) != 0)
        return launch__format("limits of%s%s%s are not enforced: the cgroup controllers are not there",
                              claimed & LAUNCH__MEMORY ? "" : " memory", claimed & LAUNCH__CPU ? "" : " cpu",
                              claimed & LAUNCH__PIDS ? "" : " pids");
    if (found == LAUNCH_LAYOUT_NONE)
        return launch__format("no cgroups are mounted: limits of memory, cpu and pids are not enforced");
    return launch__format(
        "may not make cgroups: limits of memory, cpu and pids are not enforced, running out of memory "
        "is not recognised; run as root%s",
        found == LAUNCH_LAYOUT_V2 ? ", or under `systemd-run --user --scope -p Delegate=yes`" : "");
}

int launch__cgroup_claim(struct launch_env *env, struct launch_error *error, char **ret_warning)
{
    int result = launch__layout_read("", error, &env->layout);
    if (result < 0)
        return result;
    enum launch_layout found = env->layout.kind;
    unsigned claimed = 0;
    for (size_t i = 0; i < env->layout.count; i++) {
        struct launch__hierarchy *hierarchy = &env->layout.hierarchy[i];
        if (!hierarchy->v2 && hierarchy->controllers != 0)
            claim_v1(hierarchy, env->group_name);
        claimed |= hierarchy->v2 ? 0 : hierarchy->controllers;
    }
    for (size_t i = 0; i < env->layout.count; i++) {
        struct launch__hierarchy *hierarchy = &env->layout.hierarchy[i];
        if (hierarchy->v2 && (found == LAUNCH_LAYOUT_V2 || hierarchy->controllers != 0))
            claim_v2(hierarchy, env->group_name, claimed);
        claimed |= hierarchy->v2 ? hierarchy->controllers : 0;
    }
    if ((claimed & WANTED) == 0)
        env->layout.kind = LAUNCH_LAYOUT_NONE;
    *ret_warning = describe_missing(found, claimed);
    return 0;
}

char *launch__env_group_name(const struct launch_env *env, const char *host, const char *attempt_dir)
{
    char host_name[200];
    char leaf[200] = "";
    launch__group_escape(host, host_name, sizeof host_name);
    if (attempt_dir != NULL)
        launch__group_leaf(attempt_dir, leaf, sizeof leaf);
    return launch__format("%s/%s%s%s", env->group_name, host_name, attempt_dir == NULL ? "" : "/", leaf);
}

int launch__env_group(const struct launch_env *env, const char *host, const char *attempt_dir, bool with_unused,
                      struct launch__group *ret_group)
{
    if (env->layout.kind == LAUNCH_LAYOUT_NONE) {
        ret_group->count = 0;
        return 0;
    }
    char *name = launch__env_group_name(env, host, attempt_dir);
    int result = name == NULL ? -ENOMEM : launch__group_open(&env->layout, name, with_unused, ret_group);
    free(name);
    return result;
}

static int make_host(struct launch_env *env, const char *host, const struct launch_limits *limits,
                     struct launch_error *error)
{
    struct launch__group group;
    int result = launch__env_group(env, host, NULL, false, &group);
    if (result < 0)
        return launch__fail(error, result, "cannot make host '%s': %s", host, strerror(-result));
    result = launch__group_make(&group, error);
    if (result == 0)
        result = launch__group_delegate(&group, error);
    if (result == 0 && limits != NULL)
        result = launch__group_limit(&group, limits, false, error);
    launch__group_clear(&group);
    return result;
}

int launch_host_make(struct launch_env *env, const char *host, const struct launch_limits *limits,
                     struct launch_error *error)
{
    return make_host(env, host, limits, error);
}

int launch__host_ensure(struct launch_env *env, const char *host, struct launch_error *error)
{
    struct launch__group group;
    int result = launch__env_group(env, host, NULL, false, &group);
    if (result < 0)
        return launch__fail(error, result, "cannot find host '%s': %s", host, strerror(-result));
    bool there = true;
    for (size_t i = 0; i < group.count; i++)
        there = there && access(group.dir[i].path, F_OK) == 0;
    launch__group_clear(&group);
    return there ? 0 : make_host(env, host, NULL, error);
}

int launch_host_remove(struct launch_env *env, const char *host, struct launch_error *error)
{
    struct launch__group group;
    int result = launch__env_group(env, host, NULL, true, &group);
    if (result == 0) {
        result = launch__group_remove(&group);
        launch__group_clear(&group);
    }
    if (result < 0)
        return launch__fail(error, result, "cannot remove the cgroup of host '%s': %s", host, strerror(-result));
    return 0;
}

int launch_host_usage(const struct launch_env *env, const char *host, struct launch_usage *ret_usage)
{
    struct launch__group group;
    int result = launch__env_group(env, host, NULL, false, &group);
    if (result < 0)
        return result;
    result = launch__group_usage(&group, ret_usage);
    launch__group_clear(&group);
    return result;
}
