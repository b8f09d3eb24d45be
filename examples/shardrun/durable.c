/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsync of files and directories beside the loop.
 */
#include "durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "need.h"

struct durable {
    uv_work_t request;
    struct durable_paths paths;
    enum durable_depth depth;
    durable_done done; /* NULL: nobody waits */
    void *self;
    int status;
};

void durable_add(struct durable_paths *paths, char *path)
{
    if (paths->count == paths->capacity) {
        paths->capacity = paths->capacity == 0 ? 8 : 2 * paths->capacity;
        paths->items = need_resized(paths->items, paths->capacity, sizeof *paths->items);
    }
    paths->items[paths->count++] = path;
}

/* Not every file system can sync everything; one that cannot is taken as it is. */
static int sync_fd(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : -errno;
}

static int sync_at(int directory, const char *name, enum durable_depth depth);

/* Every entry, then the directory. Closes `fd`. */
static int sync_entries(int fd)
{
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = errno;
        close(fd);
        return -error;
    }
    int status = 0;
    for (const struct dirent *entry; status == 0 && (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = sync_at(dirfd(directory), entry->d_name, DURABLE_WHOLE);
    if (status == 0)
        status = sync_fd(dirfd(directory));
    closedir(directory);
    return status;
}

/* A file that may not be opened has its whole file system synced. */
static int sync_around(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = syncfs(fd) == 0 ? 0 : -errno;
    close(fd);
    return status;
}

static int sync_at(int directory, const char *name, enum durable_depth depth)
{
    struct stat found;
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode))
        return 0; /* links and the like are a matter of their directory */
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && directory != AT_FDCWD)
        return sync_around(directory);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (depth == DURABLE_WHOLE && S_ISDIR(found.st_mode))
        return sync_entries(fd);
    int status = sync_fd(fd);
    close(fd);
    return status;
}

/* The path's directory is opened first, so that a file in it which cannot be opened is reached by sync_around(). */
static int sync_path(const char *path, enum durable_depth depth)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path || slash[1] == '\0')
        return sync_at(AT_FDCWD, path, depth);
    char *above = strndup(path, (size_t)(slash - path));
    if (above == NULL)
        return -ENOMEM;
    int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 ? (errno == ENOENT ? 0 : -errno) : sync_at(fd, slash + 1, depth);
    if (fd >= 0)
        close(fd);
    free(above);
    return status;
}

static void work(uv_work_t *request)
{
    struct durable *durable = request->data;
    for (size_t i = 0; i < durable->paths.count && durable->status == 0; i++)
        durable->status = sync_path(durable->paths.items[i], durable->depth);
}

static void after(uv_work_t *request, int status)
{
    struct durable *durable = request->data;
    (void)status; /* nothing is ever cancelled */
    if (durable->done != NULL)
        durable->done(durable->self, durable->status);
    for (size_t i = 0; i < durable->paths.count; i++)
        free(durable->paths.items[i]);
    free(durable->paths.items);
    free(durable);
}

struct durable *durable_begin(uv_loop_t *loop, struct durable_paths *paths, enum durable_depth depth, durable_done done,
                              void *self)
{
    struct durable *durable = need_zeroed(1, sizeof *durable);
    durable->request.data = durable;
    durable->paths = *paths;
    durable->depth = depth;
    durable->done = done;
    durable->self = self;
    *paths = (struct durable_paths){0};
    if (uv_queue_work(loop, &durable->request, work, after) < 0)
        exit(cli_error(CLI_ENVIRONMENT, "no thread can be had to write to the disk; `shardrun resume` goes on"));
    return durable;
}

void durable_forget(struct durable *durable)
{
    if (durable != NULL)
        durable->done = NULL;
}
