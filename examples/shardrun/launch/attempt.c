/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts attempts and watches them. At most once: the attempt directory can be made only once, and its lock is held
 * from before the shim exists until the shim is gone, because the shim inherits the very descriptor that holds it.
 */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_OUTPUT_BYTES ((uint64_t)1 << 20)
#define LONGEST_SECONDS 1e9
#define HIGH_FD 10

int launch__lock_take(int dir_fd, bool exclusive_make, int *ret_fd)
{
    int low = openat(dir_fd, LAUNCH__FILE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | (exclusive_make ? O_EXCL : 0), 0600);
    if (low < 0)
        return -errno;
    /* Above the numbers that the shim is given, so that arranging those cannot close it. */
    int fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    int code = fd < 0 ? -errno : 0;
    close(low);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (code == 0 && fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        code = errno == EACCES ? -EAGAIN : -errno;
        close(fd);
    }
    if (code == 0)
        *ret_fd = fd;
    return code;
}

struct launch_attempt *launch__attempt_make(const char *dir, int shim_fd)
{
    struct launch_attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt != NULL) {
        attempt->dir = strdup(dir);
        attempt->shim_fd = shim_fd;
        if (attempt->dir != NULL)
            return attempt;
    }
    if (shim_fd >= 0)
        close(shim_fd);
    free(attempt);
    return NULL;
}

static bool is_span(double seconds)
{
    return isfinite(seconds) && seconds >= 0 && seconds <= LONGEST_SECONDS;
}

/* A target below what the assembled root binds read-only would have to be made on this machine itself. */
static int check_bind(const struct launch_spec *spec, const struct launch_bind *bind, struct launch_error *error)
{
    if (bind->source[0] != '/' || access(bind->source, F_OK) != 0)
        return launch__fail(error, -ENOENT, "bind mount source '%s' is not there", bind->source);
    if (bind->target[0] != '/' || bind->target[1] == '\0' || strstr(bind->target, "/../") != NULL)
        return launch__fail(error, -EINVAL, "bind mount target '%s' is not a path in the container", bind->target);
    size_t count = 0;
    const char *const *fixed = launch__assembled_binds(&count);
    for (size_t i = 0; spec->rootfs->assembled && i < count; i++) {
        size_t length = strlen(fixed[i]);
        if (strncmp(bind->target, fixed[i], length) == 0 && bind->target[length] == '/' &&
            access(bind->target, F_OK) != 0)
            return launch__fail(error, -EROFS, "bind mount target '%s' is not there in the read-only '%s'",
                                bind->target, fixed[i]);
    }
    return 0;
}

static int check_spec(const struct launch_env *env, const struct launch_spec *spec, struct launch_error *error)
{
    if (spec->dir == NULL || spec->dir[0] != '/')
        return launch__fail(error, -EINVAL, "the attempt directory must be an absolute path");
    if (spec->host == NULL || spec->host[0] == '\0')
        return launch__fail(error, -EINVAL, "an attempt needs a host");
    if (spec->argv == NULL || spec->argv[0] == NULL || spec->argv[0][0] == '\0')
        return launch__fail(error, -EINVAL, "an attempt needs a command");
    if (!is_span(spec->timeout_seconds) || !is_span(spec->kill_grace_seconds))
        return launch__fail(error, -EINVAL, "timeout and kill grace must be 0 to 1e9 seconds");
    if (spec->cwd != NULL && spec->cwd[0] != '/')
        return launch__fail(error, -EINVAL, "working directory '%s' is not an absolute path", spec->cwd);
    if (!spec->container)
        return 0;
    if (env->runtime == NULL || spec->rootfs == NULL)
        return launch__fail(error, -EINVAL, "a container needs an environment with containers, and a root filesystem");
    int result = 0;
    for (size_t i = 0; i < spec->bind_count && result == 0; i++)
        result = check_bind(spec, &spec->binds[i], error);
    return result;
}

/* As runc wants it: on v1 below its own cgroup, which is ours; on v2 from the mount down. */
static char *runtime_cgroups_path(const struct launch_env *env, const struct launch_spec *spec)
{
    const struct launch__hierarchy *v2 = NULL;
    bool v1 = false;
    for (size_t i = 0; i < env->layout.count; i++) {
        v1 = v1 || (env->layout.hierarchy[i].controllers != 0 && !env->layout.hierarchy[i].v2);
        if (env->layout.hierarchy[i].v2)
            v2 = &env->layout.hierarchy[i];
    }
    char *name = launch__env_group_name(env, spec->host, spec->dir);
    if (v1 || v2 == NULL || name == NULL)
        return name;
    char *path = launch__format("%s/%s", v2->own + strlen(v2->mount), name);
    free(name);
    return path;
}

static int write_orders(const struct launch_spec *spec, int dir_fd, const struct launch__orders *orders,
                        struct launch_error *error)
{
    int result = launch__orders_write(dir_fd, orders);
    return result < 0 ? launch__fail(error, result, "cannot write into %s: %s", spec->dir, strerror(-result)) : 0;
}

static int write_container_orders(const struct launch_env *env, const struct launch_spec *spec, int dir_fd,
                                  const struct launch__orders *base, struct launch_error *error)
{
    struct launch__orders orders = *base;
    bool managed = !env->runtime_is_crun && env->layout.kind != LAUNCH_LAYOUT_NONE;
    char *cgroups_path = managed ? runtime_cgroups_path(env, spec) : NULL;
    int result = launch__oci_config_write(dir_fd, spec, cgroups_path, error);
    free(cgroups_path);
    if (result < 0)
        return result;
    char id[150];
    launch__group_leaf(spec->dir, id, sizeof id);
    for (char *at = id; *at != '\0'; at++)
        *at = *at == '%' ? '_' : *at;
    /* crun starts faster when it stays. runc stays at the price of copying all output, so that one is told to go. */
    const char *const crun[] = {env->runtime,
                                "--root=" LAUNCH__FILE_RUNTIME,
                                "--log=" LAUNCH__FILE_LOG,
                                "--cgroup-manager=disabled",
                                "run",
                                "--pid-file=" LAUNCH__FILE_PID,
                                id,
                                NULL};
    const char *const runc[] = {env->runtime,
                                "--root=" LAUNCH__FILE_RUNTIME,
                                "--log=" LAUNCH__FILE_LOG,
                                "--log-format=json",
                                "run",
                                "--detach",
                                "--pid-file=" LAUNCH__FILE_PID,
                                id,
                                NULL};
    const char *const runtime_env[] = {LAUNCH__DEFAULT_PATH, NULL};
    orders.argv = env->runtime_is_crun ? crun : runc;
    orders.env = runtime_env;
    orders.cwd = spec->dir;
    orders.managed = managed;
    orders.detached = !env->runtime_is_crun;
    return write_orders(spec, dir_fd, &orders, error);
}

static int write_process_orders(const struct launch_spec *spec, int dir_fd, const struct launch__orders *base,
                                struct launch_error *error)
{
    struct launch__orders orders = *base;
    static const char *const default_env[] = {LAUNCH__DEFAULT_PATH, NULL};
    const char *const *given = spec->env == NULL ? default_env : spec->env;
    size_t count = 0;
    while (given[count] != NULL)
        count++;
    char *mark = launch__format(LAUNCH__MARK "=%s", spec->dir);
    const char **env = calloc(count + 2, sizeof *env);
    int result = -ENOMEM;
    if (mark != NULL && env != NULL) {
        env[0] = mark;
        for (size_t i = 0; i < count; i++)
            env[i + 1] = given[i];
        orders.argv = spec->argv;
        orders.env = env;
        orders.cwd = spec->cwd == NULL ? spec->dir : spec->cwd;
        result = write_orders(spec, dir_fd, &orders, error);
    }
    free(env);
    free(mark);
    return result;
}

/* Everything the shim needs, in the attempt directory. */
static int prepare(struct launch_env *env, const struct launch_spec *spec, int dir_fd, struct launch_error *error)
{
    struct launch__orders orders = {
        .limits = spec->limits,
        .oom_group = spec->oom_group,
        .container = spec->container,
        .timeout_seconds = spec->timeout_seconds,
        .kill_grace_seconds = spec->kill_grace_seconds,
        .max_output_bytes = spec->max_output_bytes == 0 ? DEFAULT_OUTPUT_BYTES : spec->max_output_bytes,
    };
    int result = launch__host_ensure(env, spec->host, error);
    if (result < 0)
        return result;
    bool with_unused = spec->container && !env->runtime_is_crun; /* runc makes its group in every hierarchy */
    result = launch__env_group(env, spec->host, spec->dir, with_unused, &orders.group);
    if (result < 0)
        return launch__fail(error, result, "no memory for an attempt");
    result = spec->container ? write_container_orders(env, spec, dir_fd, &orders, error)
                             : write_process_orders(spec, dir_fd, &orders, error);
    launch__group_clear(&orders.group);
    return result;
}

static int start_shim(struct launch_env *env, const struct launch_spec *spec, int lock_fd, struct launch_error *error,
                      struct launch_attempt **ret_attempt)
{
    pid_t pid = 0;
    int result = launch__spawn_shim(env, spec->dir, lock_fd, &pid);
    if (result < 0)
        return launch__fail(error, result, "cannot start %s: %s", env->shim_path, strerror(-result));
    int fd = pidfd_open(pid, 0);
    struct launch_attempt *attempt = fd < 0 ? NULL : launch__attempt_make(spec->dir, fd);
    if (attempt == NULL) {
        /* It runs and can be adopted; that is all that can be said. */
        return launch__fail(error, -EINPROGRESS, "started %s, but cannot watch it: out of memory or descriptors",
                            spec->dir);
    }
    *ret_attempt = attempt;
    return 0;
}

int launch_start(struct launch_env *env, const struct launch_spec *spec, struct launch_error *error,
                 struct launch_attempt **ret_attempt)
{
    int lock_fd = -1;
    int dir_fd = -1;
    int result = check_spec(env, spec, error);
    if (result < 0)
        return result;
    if (mkdir(spec->dir, 0700) != 0)
        return launch__fail(error, -errno, "cannot make attempt directory '%s': %s", spec->dir, strerror(errno));
    dir_fd = open(spec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = dir_fd < 0 ? -errno : launch__lock_take(dir_fd, true, &lock_fd);
    /* An adopter may have been here since the directory was made: then it has said that this never ran. */
    if (result == -EAGAIN || (result == 0 && faccessat(dir_fd, LAUNCH__FILE_FENCED, F_OK, 0) == 0))
        result = -EEXIST;
    if (result < 0)
        launch__fail(error, result, "cannot lock attempt directory '%s': %s", spec->dir, strerror(-result));
    if (result == 0)
        result = prepare(env, spec, dir_fd, error);
    if (result == 0)
        result = start_shim(env, spec, lock_fd, error, ret_attempt);
    if (lock_fd >= 0)
        close(lock_fd);
    if (dir_fd >= 0)
        close(dir_fd);
    return result;
}

int launch_attempt_fd(const struct launch_attempt *attempt)
{
    return attempt->shim_fd;
}

static bool has_ended(int shim_fd)
{
    struct pollfd ended = {.fd = shim_fd, .events = POLLIN};
    return poll(&ended, 1, 0) > 0;
}

int launch_attempt_result(struct launch_attempt *attempt, struct launch_result *ret_result)
{
    if (!attempt->settled) {
        if (!has_ended(attempt->shim_fd))
            return -EAGAIN;
        siginfo_t info;
        waitid(P_PIDFD, (id_t)attempt->shim_fd, &info, WEXITED | WNOHANG); /* not our child after an adoption */
        int dir_fd = open(attempt->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int result = dir_fd < 0 ? -errno : launch__settle(attempt->dir, dir_fd, &attempt->result);
        if (dir_fd >= 0)
            close(dir_fd);
        if (result < 0) {
            attempt->result = (struct launch_result){.how = LAUNCH_FAILED};
            snprintf(attempt->result.message, sizeof attempt->result.message,
                     "the shim ended before it started the command");
        }
        attempt->settled = true;
    }
    *ret_result = attempt->result;
    return 0;
}

int launch_kill(struct launch_attempt *attempt, bool graceful)
{
    if (attempt->settled || pidfd_send_signal(attempt->shim_fd, graceful ? SIGTERM : SIGUSR1, NULL, 0) == 0)
        return 0;
    return errno == ESRCH ? 0 : -errno;
}

int launch_attempt_usage(const struct launch_attempt *attempt, struct launch_usage *ret_usage)
{
    struct launch__orders orders;
    int dir_fd = open(attempt->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = dir_fd < 0 ? -errno : launch__orders_read(dir_fd, &orders);
    if (dir_fd >= 0)
        close(dir_fd);
    if (result < 0)
        return result;
    result = launch__group_usage(&orders.group, ret_usage);
    launch__orders_clear(&orders);
    return result;
}

void launch_attempt_free(struct launch_attempt *attempt)
{
    if (attempt == NULL)
        return;
    if (attempt->shim_fd >= 0)
        close(attempt->shim_fd);
    free(attempt->dir);
    free(attempt);
}
