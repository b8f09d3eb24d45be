/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The highest epoch that has started anything of a run, and who was the last to hold the file: "EPOCH PID STARTED",
 * where STARTED tells a process from a later one with its number.
 */
#include "epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <shard/error.h>

#include "cli.h"
#include "need.h"

/* Fixed width, so that a write replaces the whole. */
enum { DIGITS = 20, LINE = 3 * DIGITS };

/* To start an attempt takes milliseconds; this is some seconds. */
enum { TELL_AFTER_TRIES = 200 };

struct line {
    int64_t epoch, pid;
    uint64_t started;
};

int epoch_file_open(const char *path, struct epoch_file *ret_file, char **ret_problem)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        *ret_problem = need_printf("cannot open '%s': %s; check its permissions", path, strerror(errno));
        return -1;
    }
    ret_file->fd = fd;
    return 0;
}

void epoch_file_close(struct epoch_file *file)
{
    if (file->fd > 0)
        close(file->fd);
    *file = (struct epoch_file){0};
}

static struct line read_line(int fd)
{
    char text[LINE + 1] = {0};
    struct line line = {0};
    if (pread(fd, text, LINE, 0) > 0)
        (void)sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNu64, &line.epoch, &line.pid, &line.started);
    return line;
}

/* What the kernel tells of a process (see proc(5), `stat`): its state, and when it started; '\0' when it is not there.
 */
static char look_at(int64_t pid, uint64_t *ret_started)
{
    char path[40], text[1024] = {0}, state = '\0';
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return '\0';
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    const char *behind_name = bytes > 0 ? strrchr(text, ')') : NULL;
    if (behind_name == NULL ||
        sscanf(behind_name + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
               &state, ret_started) != 2)
        return '\0';
    return state;
}

/*
 * Whoever was stopped while it holds the file is made to go on: it does what it had begun, under its epoch as was
 * recorded, and finds itself fenced when it wants anything more.
 */
static void wake_holder(int fd)
{
    uint64_t started = 0;
    const struct line line = read_line(fd);
    int holder = line.pid <= 1 ? -1 : pidfd_open((pid_t)line.pid, 0);
    if (holder < 0)
        return;
    if (look_at(line.pid, &started) == 'T' && started == line.started)
        (void)pidfd_send_signal(holder, SIGCONT, NULL, 0);
    close(holder);
}

/* One that does not go on: another user's that is stopped, or one in a cgroup that is frozen. */
static void tell_holder(int fd)
{
    const struct line line = read_line(fd);
    uint64_t started = 0;
    char path[40], state = look_at(line.pid, &started);
    struct stat info = {0};
    snprintf(path, sizeof path, "/proc/%" PRId64, line.pid);
    if (state == '\0' || started != line.started || stat(path, &info) < 0)
        cli_warning("nothing is started, as a process holds the file 'epoch' of the run; lslocks shows which: end it");
    else
        cli_warning("nothing is started, as process %" PRId64 " of user %u, in state %c, was at it and does not go on: "
                    "kill -CONT it or thaw its cgroup, and it does; or end it with kill -9",
                    line.pid, (unsigned)info.st_uid, state);
}

static int lock(int fd)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return SHARD_EIO;
        wake_holder(fd);
        if (tries == TELL_AFTER_TRIES)
            tell_holder(fd);
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int write_line(int fd, int64_t epoch, bool is_new)
{
    char text[LINE + 1];
    uint64_t started = 0;
    (void)look_at(getpid(), &started);
    int length = snprintf(text, sizeof text, "%0*" PRId64 " %*d %*" PRIu64 "\n", DIGITS - 1, epoch, DIGITS - 1,
                          (int)getpid(), DIGITS - 1, started);
    if (pwrite(fd, text, (size_t)length, 0) != length || (is_new && fdatasync(fd) < 0))
        return SHARD_EIO;
    return 0;
}

int epoch_enter(struct epoch_file *file, int64_t epoch)
{
    int status = lock(file->fd);
    if (status < 0)
        return status;
    int64_t seen = read_line(file->fd).epoch;
    status = seen > epoch ? SHARD_EFENCED : write_line(file->fd, epoch, seen < epoch);
    if (status < 0)
        epoch_leave(file);
    return status;
}

void epoch_leave(struct epoch_file *file)
{
    (void)flock(file->fd, LOCK_UN);
}
