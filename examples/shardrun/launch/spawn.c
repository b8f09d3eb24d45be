/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts programs on behalf of the library side: the shim, and tools such as tar. posix_spawn throughout: the caller
 * may be a big program whose page tables a fork would copy.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH_FD 10

static char *const tool_env[] = {(char[]){LAUNCH__DEFAULT_PATH}, (char[]){"LC_ALL=C"}, NULL};

/* block: the program starts with all signals blocked, in a session of its own. */
static int spawn(const char *path, char *const *argv, posix_spawn_file_actions_t *actions, bool block, pid_t *ret_pid)
{
    posix_spawnattr_t attributes;
    int code = posix_spawnattr_init(&attributes);
    if (code != 0)
        return -code;
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, block ? &all : &none);
    posix_spawnattr_setflags(
        &attributes, (short)(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (block ? POSIX_SPAWN_SETSID : 0)));
    pid_t pid = 0;
    code = posix_spawn(&pid, path, actions, &attributes, argv, tool_env);
    posix_spawnattr_destroy(&attributes);
    if (code == 0)
        *ret_pid = pid;
    return -code;
}

int launch__spawn_shim(const struct launch_env *env, const char *dir, int lock_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return -code;
    bool isolated = env->namespace_fd >= 0;
    char fd_text[16];
    snprintf(fd_text, sizeof fd_text, "%d", isolated ? LAUNCH__NAMESPACE_FD : -1);
    char *argv[] = {env->shim_path, strdup(dir), fd_text, NULL};
    for (int fd = 0; fd < 3 && code == 0; fd++)
        code = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&actions, lock_fd, LAUNCH__LOCK_FD);
    if (code == 0 && isolated)
        code = posix_spawn_file_actions_adddup2(&actions, env->namespace_fd, LAUNCH__NAMESPACE_FD);
    if (code == 0)
        code = argv[1] == NULL ? ENOMEM : -spawn(env->shim_path, argv, &actions, true, ret_pid);
    free(argv[1]);
    posix_spawn_file_actions_destroy(&actions);
    return -code;
}

/* Waits for the end of a tool. */
static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

/* Keeps the beginning and reads on to the end, so that the tool never waits for us. */
static void take_complaint(int fd, const char *program, struct launch_error *error)
{
    char kept[LAUNCH_MESSAGE_MAX / 2] = "";
    char chunk[4096] = "";
    size_t size = 0;
    for (ssize_t got = read(fd, chunk, sizeof chunk); got > 0; got = read(fd, chunk, sizeof chunk)) {
        size_t part = sizeof kept - 1 - size < (size_t)got ? sizeof kept - 1 - size : (size_t)got;
        memcpy(kept + size, chunk, part);
        size += part;
    }
    kept[size] = '\0';
    launch__fail(error, 0, "%s: %s", program, size > 0 ? kept : "failed");
}

int launch__run_program(const char *const *argv, struct launch_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return launch__fail(error, -errno, "cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    pid_t pid = 0;
    int code = spawn(argv[0], launch__exec_list(argv), &actions, false, &pid);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code < 0) {
        launch__fail(error, code, "cannot run %s: %s", argv[0], strerror(-code));
    } else {
        struct launch_error complaint = {""};
        take_complaint(ends[0], argv[0], &complaint);
        code = wait_for(pid);
        if (code < 0)
            launch__fail(error, code, "%s", complaint.text);
    }
    close(ends[0]);
    return code;
}

int launch__spawn_namespace(const struct launch_env *env, const char *mount_point, int *ret_fd)
{
    int keep[2];
    int ready[2];
    if (pipe2(keep, O_CLOEXEC) != 0)
        return -errno;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        int code = -errno;
        close(keep[0]);
        close(keep[1]);
        return code;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, keep[0], 0);
    posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
    char *argv[] = {env->shim_path, (char[]){"--hide"}, strdup(mount_point), NULL};
    pid_t pid = 0;
    int code = argv[2] == NULL ? -ENOMEM : spawn(env->shim_path, argv, &actions, false, &pid);
    posix_spawn_file_actions_destroy(&actions);
    free(argv[2]);
    close(keep[0]);
    close(ready[1]);
    char byte;
    int fd = -1;
    if (code == 0 && read(ready[0], &byte, 1) == 1) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
        int low = open(path, O_RDONLY | O_CLOEXEC);
        fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
        if (low >= 0)
            close(low);
    }
    close(ready[0]);
    close(keep[1]); /* lets the helper end */
    if (code == 0)
        wait_for(pid);
    if (code == 0 && fd < 0)
        code = -EPERM;
    if (code == 0)
        *ret_fd = fd;
    return code;
}
