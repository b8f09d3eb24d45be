/* SPDX-License-Identifier: Apache-2.0 */

/* Small file helpers of the launch layer: whole files, control files of the kernel, trees. Nothing about attempts. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t max_bytes, char **ret_text, size_t *ret_size)
{
    size_t size = 0;
    size_t room = 4096;
    char *text = malloc(room);
    int result = text == NULL ? -ENOMEM : 0;
    while (result == 0) {
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            result = got < 0 ? -errno : 1;
            break;
        }
        size += (size_t)got;
        if (size > max_bytes)
            result = -EFBIG;
        if (result == 0 && room - size < 2) {
            char *longer = realloc(text, room * 2);
            if (longer == NULL)
                result = -ENOMEM;
            else
                text = longer;
            room *= 2;
        }
    }
    if (result < 0) {
        free(text);
        return result;
    }
    text[size] = '\0';
    *ret_text = text;
    *ret_size = size;
    return 0;
}

int launch__read_file(int at, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size)
{
    int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = read_all(fd, max_bytes, ret_text, ret_size);
    close(fd);
    return result;
}

int launch__write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        at += put;
        size -= (size_t)put;
    }
    return 0;
}

int launch__write_file(int at, const char *path, const void *bytes, size_t size)
{
    int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = launch__write_all(fd, bytes, size);
    if (close(fd) != 0 && result == 0)
        result = -errno;
    return result;
}

int launch__write_control(const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static int read_control_text(const char *directory, const char *name, char *ret_text, size_t size)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, ret_text, size - 1);
    int result = got < 0 ? -errno : 0;
    close(fd);
    if (result == 0)
        ret_text[got] = '\0';
    return result;
}

static int parse_number(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || errno != 0)
        return -ENOENT;
    *ret_number = number;
    return 0;
}

int launch__read_control(const char *directory, const char *name, uint64_t *ret_number)
{
    char text[256] = "";
    int result = read_control_text(directory, name, text, sizeof text);
    return result < 0 ? result : parse_number(text, ret_number);
}

int launch__read_control_key(const char *directory, const char *name, const char *key, uint64_t *ret_number)
{
    char text[4096] = "";
    int result = read_control_text(directory, name, text, sizeof text);
    if (result < 0)
        return result;
    size_t length = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return parse_number(line + length + 1, ret_number);
    }
    return -ENOENT;
}

int launch__make_path(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, length + 1);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(part, 0755) != 0 && errno != EEXIST)
        return -errno;
    struct stat status;
    if (stat(part, &status) != 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

void launch__remove_tree(int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        close(fd);
        return;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            launch__remove_tree(fd, entry->d_name);
    }
    closedir(directory);
    unlinkat(at, name, AT_REMOVEDIR);
}

char *const *launch__exec_list(const char *const *list)
{
    char *const *plain;
    memcpy(&plain, &list, sizeof plain);
    return plain;
}

char *launch__format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return text;
}
