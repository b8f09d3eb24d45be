/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finds out what became of an attempt that an earlier program started, and makes the answer stay true: what never ran
 * is fenced so that it never will, what a lost shim left behind is killed before it is called lost.
 */
#include "attempt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS 2
#define START_ROUNDS 1000
#define KILL_ROUNDS 5000

static void pause_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static bool is_there(int dir_fd, const char *name)
{
    return faccessat(dir_fd, name, F_OK, 0) == 0;
}

/* Does this process carry the mark of the attempt in its environment? */
static bool is_marked(const char *pid, const char *mark, size_t mark_length)
{
    char path[300];
    char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    if (launch__read_file(AT_FDCWD, path, (size_t)8 << 20, &text, &size) < 0)
        return false;
    bool found = false;
    for (char *at = text; !found && at < text + size; at += strlen(at) + 1)
        found = strlen(at) == mark_length && memcmp(at, mark, mark_length) == 0;
    free(text);
    return found;
}

/* Where there are no cgroups: kills every process that carries the mark. True if there was one. */
static bool kill_marked(const char *dir)
{
    char *mark = launch__format(LAUNCH__MARK "=%s", dir);
    DIR *proc = opendir("/proc");
    bool any = false;
    for (struct dirent *entry = proc == NULL || mark == NULL ? NULL : readdir(proc); entry != NULL;
         entry = readdir(proc)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        int fd = pid <= 1 || pid == getpid() ? -1 : pidfd_open(pid, 0);
        /* The descriptor pins the process before its environment is read, so the one that is killed is the one seen. */
        if (fd >= 0 && is_marked(entry->d_name, mark, strlen(mark)))
            any = pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0 || any;
        if (fd >= 0)
            close(fd);
    }
    if (proc != NULL)
        closedir(proc);
    free(mark);
    return any;
}

/* Kills what the shim left, and reads what the cgroup still knows of it. */
static void fence(const char *dir, int dir_fd, struct launch_result *result)
{
    struct launch__orders orders;
    if (launch__orders_read(dir_fd, &orders) < 0)
        return;
    const struct launch__group *group = &orders.group;
    for (int round = 0; round < KILL_ROUNDS; round++) {
        bool any = group->count > 0 ? launch__group_kill(group) : kill_marked(dir);
        if (!any)
            break;
        pause_ms(ROUND_MS);
    }
    result->out_of_memory = launch__group_oom_kills(group) > 0;
    result->max_memory_bytes = launch__group_peak_memory(group);
    for (int round = 0; round < KILL_ROUNDS && launch__group_remove(group) == -EBUSY; round++)
        pause_ms(ROUND_MS);
    launch__orders_clear(&orders);
    launch__remove_tree(dir_fd, LAUNCH__FILE_RUNTIME);
    launch__remove_tree(dir_fd, LAUNCH__FILE_PID);
}

static int settle_lost(const char *dir, int dir_fd, struct launch_result *ret_result)
{
    struct launch_result lost = {.how = LAUNCH_LOST};
    struct timespec now;
    snprintf(lost.message, sizeof lost.message, "the shim was killed before the command ended");
    fence(dir, dir_fd, &lost);
    clock_gettime(CLOCK_REALTIME, &now);
    lost.ended_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    int fd = launch__result_reserve(dir_fd);
    if (fd >= 0) {
        launch__result_write(dir_fd, fd, &lost); /* if that fails, the next adopter comes to the same answer */
        close(fd);
    }
    *ret_result = lost;
    return 0;
}

int launch__settle(const char *dir, int dir_fd, struct launch_result *ret_result)
{
    if (launch__result_read(dir_fd, ret_result) == 0)
        return 0;
    return is_there(dir_fd, LAUNCH__FILE_BEGUN) ? settle_lost(dir, dir_fd, ret_result) : -ENOENT;
}

/* A descriptor of the shim that holds the lock; -EAGAIN if it is not known yet, or has just ended. */
static int find_shim(int dir_fd)
{
    char *text = NULL;
    size_t size = 0;
    int result = launch__read_file(dir_fd, LAUNCH__FILE_BEGUN, 64, &text, &size);
    if (result < 0)
        return -EAGAIN;
    pid_t pid = size > 0 && text[size - 1] == '\n' ? (pid_t)strtol(text, NULL, 10) : 0;
    free(text);
    int shim_fd = pid > 1 ? pidfd_open(pid, 0) : -1;
    if (shim_fd < 0)
        return -EAGAIN;
    /* If the lock is still held now, the process was the shim when the descriptor was made: it lives as long as that.
     */
    int lock_fd = -1;
    if (launch__lock_take(dir_fd, false, &lock_fd) == -EAGAIN)
        return shim_fd;
    if (lock_fd >= 0)
        close(lock_fd);
    close(shim_fd);
    return -EAGAIN;
}

static int give_running(const char *dir, int shim_fd, enum launch_state *ret_state, struct launch_attempt **ret_attempt)
{
    struct launch_attempt *attempt = launch__attempt_make(dir, shim_fd);
    if (attempt == NULL)
        return -ENOMEM;
    *ret_attempt = attempt;
    *ret_state = LAUNCH_RUNNING;
    return 0;
}

static int give_ended(const char *dir, const struct launch_result *result, enum launch_state *ret_state,
                      struct launch_attempt **ret_attempt)
{
    int always_readable = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (always_readable < 0)
        return -errno;
    struct launch_attempt *attempt = launch__attempt_make(dir, always_readable);
    if (attempt == NULL)
        return -ENOMEM;
    attempt->settled = true;
    attempt->result = *result;
    *ret_attempt = attempt;
    *ret_state = LAUNCH_ENDED;
    return 0;
}

/* The lock is ours: no starter, no shim. */
static int adopt_unsupervised(const char *dir, int dir_fd, enum launch_state *ret_state,
                              struct launch_attempt **ret_attempt)
{
    struct launch_result result;
    int code = launch__settle(dir, dir_fd, &result);
    if (code == 0)
        return give_ended(dir, &result, ret_state, ret_attempt);
    if (code != -ENOENT)
        return code;
    code = launch__write_file(dir_fd, LAUNCH__FILE_FENCED, "", 0);
    if (code == 0) {
        *ret_attempt = NULL;
        *ret_state = LAUNCH_NEVER_RAN;
    }
    return code;
}

static int adopt_in(const char *dir, int dir_fd, enum launch_state *ret_state, struct launch_attempt **ret_attempt)
{
    for (int round = 0; round < START_ROUNDS; round++) {
        struct launch_result result;
        int lock_fd = -1;
        /* The shim may still be cleaning up: what it wrote is final. */
        if (launch__result_read(dir_fd, &result) == 0)
            return give_ended(dir, &result, ret_state, ret_attempt);
        int code = launch__lock_take(dir_fd, false, &lock_fd);
        if (code == 0) {
            code = adopt_unsupervised(dir, dir_fd, ret_state, ret_attempt);
            close(lock_fd);
            return code;
        }
        if (code != -EAGAIN)
            return code;
        int shim_fd = find_shim(dir_fd);
        if (shim_fd >= 0)
            return give_running(dir, shim_fd, ret_state, ret_attempt);
        pause_ms(ROUND_MS);
    }
    return -EAGAIN;
}

int launch_adopt(struct launch_env *env, const char *dir, struct launch_error *error, enum launch_state *ret_state,
                 struct launch_attempt **ret_attempt)
{
    (void)env;
    if (dir[0] != '/')
        return launch__fail(error, -EINVAL, "the attempt directory must be an absolute path");
    /* Making it, if it is not there, is what keeps an older program from starting it after our answer. */
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return launch__fail(error, -errno, "cannot make attempt directory '%s': %s", dir, strerror(errno));
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = dir_fd < 0 ? -errno : adopt_in(dir, dir_fd, ret_state, ret_attempt);
    if (dir_fd >= 0)
        close(dir_fd);
    if (result == -EAGAIN)
        return launch__fail(error, result, "another program is in the middle of starting '%s' and does not go on", dir);
    return result < 0 ? launch__fail(error, result, "cannot adopt '%s': %s", dir, strerror(-result)) : 0;
}
