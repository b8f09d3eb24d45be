/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into shardrun by a test: writes the order of what makes files durable to the file $SYNC_LOG, one line each,
 * "sync PATH" or "rename FROM TO".
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(const char *what, const char *path, const char *other)
{
    char line[9000];
    const char *log = getenv("SYNC_LOG");
    int fd = log == NULL ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int length = snprintf(line, sizeof line, "%s %s %s\n", what, path, other);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}

static void tell_fd(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    tell("sync", path, "");
}

int fsync(int fd)
{
    int (*real)(int) = NULL;
    void *found = dlsym(RTLD_NEXT, "fsync");
    memcpy(&real, &found, sizeof real);
    tell_fd(fd);
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = NULL;
    void *found = dlsym(RTLD_NEXT, "fdatasync");
    memcpy(&real, &found, sizeof real);
    tell_fd(fd);
    return real(fd);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = NULL;
    void *found = dlsym(RTLD_NEXT, "rename");
    memcpy(&real, &found, sizeof real);
    tell("rename", from, to);
    return real(from, to);
}
