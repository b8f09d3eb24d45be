/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files by which a command tells its progress.
 */
#include "progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

enum { TAIL_BYTES = 128 };

char *progress_path(const char *directory)
{
    return path_join(directory, ".progress");
}

char *progress_limit_path(const char *directory)
{
    return path_join(directory, ".limit");
}

/* The last whole line of a text that ends with NUL: what follows the last end of a line may still be being written. */
static char *last_line(char *text)
{
    char *end = strrchr(text, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    char *before = strrchr(text, '\n');
    return before != NULL ? before + 1 : text;
}

bool progress_read(const char *directory, struct progress *ret_progress)
{
    char text[TAIL_BYTES + 1] = "", *rest = NULL;
    char *path = progress_path(directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    if (fd < 0)
        return false;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t length = pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    close(fd);
    char *line = length > 0 ? last_line(text) : NULL;
    if (line == NULL)
        return false;
    struct progress progress = {.done = strtoll(line, &rest, 10)};
    if (rest == line || progress.done < 0)
        return false;
    char *second = rest;
    progress.limit_seen = strtoll(second, &rest, 10);
    progress.looks = rest != second;
    if (rest[strspn(rest, " \t\r")] != '\0')
        return false;
    *ret_progress = progress;
    return true;
}
