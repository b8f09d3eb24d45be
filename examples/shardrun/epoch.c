/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The highest epoch that has started anything of a run.
 */
#include "epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <shard/error.h>

#include "need.h"

/* Fixed width, so that a write replaces the whole. */
enum { DIGITS = 20 };

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

static int64_t read_epoch(int fd)
{
    char digits[DIGITS + 1] = {0};
    return pread(fd, digits, DIGITS, 0) > 0 ? strtoll(digits, NULL, 10) : 0;
}

static int write_epoch(int fd, int64_t epoch)
{
    char digits[DIGITS + 2];
    int length = snprintf(digits, sizeof digits, "%0*" PRId64 "\n", DIGITS - 1, epoch);
    if (pwrite(fd, digits, (size_t)length, 0) != length || fdatasync(fd) < 0)
        return SHARD_EIO;
    return 0;
}

int epoch_enter(struct epoch_file *file, int64_t epoch)
{
    int status = 0;
    while (flock(file->fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return SHARD_EIO;
    }
    int64_t seen = read_epoch(file->fd);
    if (seen > epoch)
        status = SHARD_EFENCED;
    else if (seen < epoch)
        status = write_epoch(file->fd, epoch);
    if (status < 0)
        epoch_leave(file);
    return status;
}

void epoch_leave(struct epoch_file *file)
{
    (void)flock(file->fd, LOCK_UN);
}
