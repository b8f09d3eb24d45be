/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finds an OCI runtime and proves it by running one container with it, through the same code that runs all others.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_SECONDS 20

/* Absolute path of a program, looked up in PATH and where administrators' programs are. NULL if there is none. */
static char *find_program(const char *name)
{
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0 ? realpath(name, NULL) : NULL;
    const char *path = getenv("PATH");
    char *all =
        launch__format("%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", path == NULL ? "" : path);
    char *found = NULL;
    char *save = NULL;
    for (char *part = all == NULL ? NULL : strtok_r(all, ":", &save); part != NULL && found == NULL;
         part = strtok_r(NULL, ":", &save)) {
        char *candidate = launch__format("%s/%s", part, name);
        if (candidate != NULL && part[0] == '/' && access(candidate, X_OK) == 0) {
            found = candidate;
            candidate = NULL;
        }
        free(candidate);
    }
    free(all);
    return found;
}

static int probe_result(struct launch_attempt *attempt, struct launch_error *error)
{
    struct launch_result result;
    struct pollfd wait = {.fd = launch_attempt_fd(attempt), .events = POLLIN};
    while (poll(&wait, 1, PROBE_SECONDS * 2000) < 0 && errno == EINTR)
        continue;
    int code = launch_attempt_result(attempt, &result);
    if (code < 0) {
        launch_kill(attempt, false);
        return launch__fail(error, code, "it does not answer");
    }
    if (result.how == LAUNCH_EXITED && result.exit_code == 0)
        return 0;
    if (result.how == LAUNCH_EXITED)
        return launch__fail(error, -EIO, "a trial container ended with status %d", result.exit_code);
    return launch__fail(error, -EIO, "%s", result.message[0] != '\0' ? result.message : "a trial container was killed");
}

static int probe(struct launch_env *env, struct launch_error *error)
{
    static const char *const argv[] = {"/bin/true", NULL};
    char *scratch = launch__format("%s/probe.XXXXXX", env->state_dir);
    char *dir = scratch == NULL || mkdtemp(scratch) == NULL ? NULL : launch__format("%s/attempt", scratch);
    struct launch_rootfs *rootfs = NULL;
    struct launch_attempt *attempt = NULL;
    int result = dir == NULL ? launch__fail(error, -EIO, "cannot make a directory in %s", env->state_dir)
                             : launch_rootfs_open(env, NULL, error, &rootfs);
    if (result == 0) {
        struct launch_spec spec = {.dir = dir,
                                   .host = LAUNCH__PROBE_HOST,
                                   .argv = argv,
                                   .container = true,
                                   .rootfs = rootfs,
                                   .timeout_seconds = PROBE_SECONDS};
        result = launch_start(env, &spec, error, &attempt);
    }
    if (result == 0)
        result = probe_result(attempt, error);
    launch_attempt_free(attempt);
    launch_rootfs_close(rootfs);
    launch_host_remove(env, LAUNCH__PROBE_HOST, NULL);
    if (dir != NULL)
        launch__remove_tree(AT_FDCWD, scratch);
    free(dir);
    free(scratch);
    return result;
}

/* crun refuses a hybrid machine as long as it sees the v2 mount beside the v1 mounts. */
static int hide_v2_mount(struct launch_env *env, struct launch_error *error)
{
    struct launch__layout layout;
    int result = launch__layout_read("", error, &layout);
    if (result < 0)
        return result;
    for (size_t i = 0; layout.kind == LAUNCH_LAYOUT_HYBRID && i < layout.count && result == 0; i++) {
        if (layout.hierarchy[i].v2 && env->namespace_fd < 0)
            result = launch__spawn_namespace(env, layout.hierarchy[i].mount, &env->namespace_fd);
    }
    launch__layout_clear(&layout);
    if (result < 0)
        launch__fail(error, result,
                     "cannot hide the cgroup2 mount, which crun needs on a machine that has v1 and v2: %s",
                     strerror(-result));
    return result;
}

static int try_runtime(struct launch_env *env, const char *name, struct launch_error *error)
{
    env->runtime = find_program(name);
    if (env->runtime == NULL)
        return launch__fail(error, -ENOENT, "%s is not installed", name);
    env->runtime_is_crun = strstr(strrchr(env->runtime, '/'), "crun") != NULL;
    struct launch_error why = {""};
    int result = env->runtime_is_crun ? hide_v2_mount(env, &why) : 0;
    if (result == 0)
        result = probe(env, &why);
    if (result == 0)
        return 0;
    launch__fail(error, result, "%s does not work: %s", env->runtime, why.text);
    free(env->runtime);
    env->runtime = NULL;
    if (env->namespace_fd >= 0)
        close(env->namespace_fd);
    env->namespace_fd = -1;
    return result;
}

int launch__runtime_find(struct launch_env *env, const char *wanted, struct launch_error *error)
{
    struct launch_error first = {""};
    int result = try_runtime(env, wanted == NULL ? "crun" : wanted, &first);
    if (result == 0)
        return 0;
    if (wanted != NULL)
        return launch__fail(error, result, "cannot run containers: %.480s", first.text);
    struct launch_error second = {""};
    if (try_runtime(env, "runc", &second) == 0)
        return 0;
    return launch__fail(error, result,
                        "cannot run containers: %.200s; %.200s; install one (Debian: apt install crun) or run plain "
                        "processes",
                        first.text, second.text);
}
