/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read, and replaced so that a reader or a crash sees the old one or the new one, never a part. */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

static int fail_file(const char *path, const char *what)
{
    int code = errno == ENOENT ? SHARD_ENOENT : errno == ENOSPC || errno == EDQUOT ? SHARD_ENOSPC : SHARD_EIO;
    return shard__fail_errno(code, errno, "%s: %s", path, what);
}

static int read_all(int fd, const char *path, size_t limit, struct shard__bytes *bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_file(path, "cannot be looked at");
    if (!S_ISREG(info.st_mode))
        return shard__fail(SHARD_EIO, "%s: is no regular file", path);
    if ((uint64_t)info.st_size > limit)
        return shard__fail(SHARD_ELIMIT, "%s: has %lld bytes, more than %zu", path, (long long)info.st_size, limit);
    size_t size = (size_t)info.st_size;
    int status = shard__grow(bytes->context, &bytes->data, &bytes->capacity, size + 1, 1);
    while (status == 0 && bytes->size < size) {
        ssize_t got = read(fd, bytes->data + bytes->size, size - bytes->size);
        if (got == 0)
            break;
        if (got > 0)
            bytes->size += (size_t)got;
        else if (errno != EINTR)
            status = fail_file(path, "cannot be read");
    }
    return status;
}

int shard__file_read(const shard_context *context, const char *path, size_t limit, struct shard__bytes *ret_bytes)
{
    struct shard__bytes bytes;
    shard__bytes_init(&bytes, context);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_file(path, "cannot be opened");
    int status = read_all(fd, path, limit, &bytes);
    close(fd);
    if (status < 0)
        shard__bytes_free(&bytes);
    else
        *ret_bytes = bytes;
    return status;
}

static int write_all(int fd, const char *path, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put >= 0) {
            at += put;
            size -= (size_t)put;
        } else if (errno != EINTR) {
            return fail_file(path, "cannot be written");
        }
    }
    return fsync(fd) == 0 ? 0 : fail_file(path, "cannot be written");
}

/* Makes the rename durable; a file system that cannot sync a directory is taken as it is. */
static void sync_directory(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        slash[slash == path ? 1 : 0] = '\0';
    int fd = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

int shard__file_replace(const shard_context *context, const char *path, const void *data, size_t size)
{
    size_t room = strlen(path) + sizeof(".XXXXXX");
    char *beside = shard__realloc(context, NULL, 0, room);
    if (beside == NULL)
        return SHARD_ENOMEM;
    snprintf(beside, room, "%s.XXXXXX", path);
    int status = 0;
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        status = fail_file(path, "cannot be made");
        goto out;
    }
    if (fchmod(fd, 0644) != 0)
        status = fail_file(path, "cannot be made readable");
    if (status == 0)
        status = write_all(fd, path, data, size);
    close(fd);
    if (status == 0 && rename(beside, path) != 0)
        status = fail_file(path, "cannot be replaced");
    if (status < 0)
        (void)unlink(beside);
    else
        sync_directory(beside);
out:
    shard__release(context, beside, room);
    return status;
}
