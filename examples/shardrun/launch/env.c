/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opens and closes a launch environment: the state directory, the shim, cgroups, the runtime. Blocks; the rest of the
 * layer does not.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIM_NAME "shardrun-shim"
#ifndef SHARDRUN_LIBEXECDIR
#define SHARDRUN_LIBEXECDIR "/usr/local/libexec/shardrun"
#endif

/* The directory of the running program. */
static void own_directory(char *ret_path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", ret_path, size - 1);
    ret_path[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(ret_path, '/');
    if (slash != NULL)
        *slash = '\0';
}

static int find_shim(struct launch_env *env, const char *given, struct launch_error *error)
{
    char own[PATH_MAX];
    char beside[PATH_MAX + 32];
    char built[PATH_MAX + 32];
    own_directory(own, sizeof own);
    snprintf(beside, sizeof beside, "%s/" SHIM_NAME, own);
    snprintf(built, sizeof built, "%s/launch/" SHIM_NAME, own); /* where meson builds it */
    const char *const usual[] = {beside, built, SHARDRUN_LIBEXECDIR "/" SHIM_NAME};
    size_t count = given == NULL ? sizeof usual / sizeof usual[0] : 1;
    for (size_t i = 0; i < count && env->shim_path == NULL; i++) {
        const char *path = given == NULL ? usual[i] : given;
        if (access(path, X_OK) == 0)
            env->shim_path = realpath(path, NULL);
    }
    if (env->shim_path != NULL)
        return 0;
    if (given != NULL)
        return launch__fail(error, -ENOENT, "the shim '%s' is not there or may not be run", given);
    return launch__fail(error, -ENOENT, SHIM_NAME " is neither in %s nor in " SHARDRUN_LIBEXECDIR, own);
}

static int open_state(struct launch_env *env, const char *path, struct launch_error *error)
{
    if (path == NULL || path[0] != '/')
        return launch__fail(error, -EINVAL, "the state directory must be an absolute path, not '%s'",
                            path == NULL ? "" : path);
    int result = launch__make_path(path);
    if (result == 0 && access(path, W_OK | X_OK) != 0)
        result = -errno;
    if (result < 0)
        return launch__fail(error, result, "cannot write into the state directory '%s': %s", path, strerror(-result));
    env->state_dir = realpath(path, NULL);
    return env->state_dir == NULL ? launch__fail(error, -errno, "cannot use '%s': %s", path, strerror(errno)) : 0;
}

static int open_cgroups(struct launch_env *env, const struct launch_env_options *options, struct launch_error *error)
{
    char name[160];
    if (options->id == NULL || options->id[0] == '\0')
        return launch__fail(error, -EINVAL, "an environment needs an id to name its cgroup");
    launch__group_escape(options->id, name, sizeof name);
    env->group_name = launch__format("shardrun-%s", name);
    if (env->group_name == NULL)
        return launch__fail(error, -ENOMEM, "no memory");
    if (!options->without_cgroups)
        return launch__cgroup_claim(env, error, &env->warning);
    env->warning = strdup("cgroups are not used: limits of memory, cpu and pids are not enforced");
    return 0;
}

int launch_env_open(const struct launch_env_options *options, struct launch_error *error, struct launch_env **ret_env)
{
    struct launch_env *env = calloc(1, sizeof *env);
    if (env == NULL)
        return launch__fail(error, -ENOMEM, "no memory for the launch environment");
    env->namespace_fd = -1;
    int result = open_state(env, options->state_dir, error);
    if (result == 0)
        result = find_shim(env, options->shim_path, error);
    if (result == 0)
        result = open_cgroups(env, options, error);
    if (result == 0 && options->want_containers)
        result = launch__runtime_find(env, options->runtime, error);
    if (result < 0) {
        launch_env_close(env);
        return result;
    }
    *ret_env = env;
    return 0;
}

void launch_env_close(struct launch_env *env)
{
    if (env == NULL)
        return;
    struct launch__group group;
    /* A program that was killed in the middle of its probe has left the probe's budget. */
    if (env->group_name != NULL)
        launch_host_remove(env, LAUNCH__PROBE_HOST, NULL);
    /* Ours alone, and empty once its hosts are removed; with hosts in it, it stays. */
    if (env->group_name != NULL && launch__group_open(&env->layout, env->group_name, true, &group) == 0) {
        launch__group_remove(&group);
        launch__group_clear(&group);
    }
    if (env->namespace_fd >= 0)
        close(env->namespace_fd);
    launch__layout_clear(&env->layout);
    free(env->warning);
    free(env->runtime);
    free(env->shim_path);
    free(env->group_name);
    free(env->state_dir);
    free(env);
}

const char *launch_env_warning(const struct launch_env *env)
{
    return env->warning;
}

enum launch_layout launch_env_layout(const struct launch_env *env)
{
    return env->layout.kind;
}

const char *launch_env_runtime(const struct launch_env *env)
{
    return env->runtime;
}
