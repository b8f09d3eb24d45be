/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and directories, with errors that name the file.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "need.h"

static const char *remedy(int error)
{
    switch (error) {
    case ENOENT:
        return "check the path";
    case EACCES:
    case EPERM:
        return "check its permissions";
    case EROFS:
        return "it is on a read-only file system; choose another place";
    case ENOSPC:
    case EDQUOT:
        return "make room there or choose another place";
    case ENOTDIR:
    case EEXIST:
        return "a part of the path is a file, not a directory";
    case EISDIR:
        return "it is a directory";
    default:
        return "choose another place";
    }
}

static int problem(char **ret_problem, const char *doing, const char *path)
{
    int error = errno;
    *ret_problem = need_printf("cannot %s '%s': %s; %s", doing, path, strerror(error), remedy(error));
    return -error;
}

static int read_all(int fd, char **ret_bytes, size_t *ret_length)
{
    size_t capacity = 1 << 16, length = 0;
    char *bytes = need_zeroed(capacity, 1);
    for (;;) {
        ssize_t got = read(fd, bytes + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(bytes);
            return -1;
        }
        if (got == 0)
            break;
        length += (size_t)got;
        if (length + 1 == capacity) {
            capacity *= 2;
            bytes = need_resized(bytes, capacity, 1);
        }
    }
    bytes[length] = '\0';
    *ret_bytes = bytes;
    *ret_length = length;
    return 0;
}

int file_read(const char *path, char **ret_bytes, size_t *ret_length, char **ret_problem)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return problem(ret_problem, "open", path);
    int status = 0;
    if (read_all(fd, ret_bytes, ret_length) < 0)
        status = problem(ret_problem, "read", standard_input ? "standard input" : path);
    if (!standard_input)
        close(fd);
    return status;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        length -= (size_t)done;
    }
    return 0;
}

static void sync_directory_of(const char *path)
{
    char *directory = path_directory(path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the rename is atomic all the same */
        close(fd);
    }
    free(directory);
}

int file_write(const char *path, const char *bytes, size_t length, char **ret_problem)
{
    char *temporary = need_printf("%s.%ld.tmp", path, (long)getpid());
    int status = 0;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = problem(ret_problem, "write", path);
        goto out;
    }
    if (write_all(fd, bytes, length) < 0 || fsync(fd) < 0)
        status = problem(ret_problem, "write", path);
    if (close(fd) < 0 && status == 0)
        status = problem(ret_problem, "write", path);
    if (status == 0 && rename(temporary, path) < 0)
        status = problem(ret_problem, "write", path);
    if (status < 0)
        unlink(temporary);
    else
        sync_directory_of(path);
out:
    free(temporary);
    return status;
}

int file_put(const char *path, const char *bytes, size_t length, char **ret_problem)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return problem(ret_problem, "write", path);
    int status = write_all(fd, bytes, length) < 0 ? problem(ret_problem, "write", path) : 0;
    if (close(fd) < 0 && status == 0)
        status = problem(ret_problem, "write", path);
    return status;
}

int directory_make(const char *path, char **ret_problem)
{
    struct stat found;
    char *part = need_copy(path);
    int status = 0;
    for (char *end = part + 1; status == 0 && *part != '\0'; end++) {
        if (*end != '/' && *end != '\0')
            continue;
        char kept = *end;
        *end = '\0';
        if (mkdir(part, 0777) < 0 && !(errno == EEXIST && stat(part, &found) == 0 && S_ISDIR(found.st_mode)))
            status = problem(ret_problem, "make the directory", part);
        *end = kept;
        if (kept == '\0')
            break;
    }
    free(part);
    return status;
}

/* Empties the directory behind `fd`, which it closes. */
static int empty_directory(int fd)
{
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        close(fd);
        return -1;
    }
    int status = 0;
    for (struct dirent *entry; status == 0 && (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        status = below < 0 ? -1 : empty_directory(below);
        if (status == 0)
            status = unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    int error = errno;
    closedir(directory);
    errno = error;
    return status;
}

int directory_remove(const char *path, char **ret_problem)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : problem(ret_problem, "open", path);
    if (empty_directory(fd) < 0 || rmdir(path) < 0)
        return problem(ret_problem, "remove", path);
    return 0;
}

bool directory_is_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT;
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(directory)) != NULL;)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

char *path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    return need_printf("%s%s%s", directory, length > 0 && directory[length - 1] == '/' ? "" : "/", name);
}

char *path_absolute(const char *path)
{
    if (path[0] == '/')
        return need_copy(path);
    char *current = getcwd(NULL, 0);
    char *absolute = path_join(current != NULL ? current : "/", path);
    free(current);
    return absolute;
}

char *path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return need_copy(".");
    if (slash == path)
        return need_copy("/");
    return need_printf("%.*s", (int)(slash - path), path);
}

bool path_exists(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0;
}
