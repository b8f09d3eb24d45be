/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns what the launch layer saw of an attempt into an outcome.
 */
#include "outcome.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "need.h"

enum { TAIL_BYTES = 4096, LINE_BYTES = 300 };

/* The end of the attempt's stderr, "" if there is none. */
static char *stderr_tail(const char *directory)
{
    char *path = path_join(directory, "stderr");
    char *tail = need_zeroed(TAIL_BYTES + 1, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (fd >= 0 && fstat(fd, &found) == 0) {
        off_t from = found.st_size > TAIL_BYTES ? found.st_size - TAIL_BYTES : 0;
        ssize_t got = pread(fd, tail, TAIL_BYTES, from);
        tail[got > 0 ? got : 0] = '\0';
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return tail;
}

static bool says_disk_full(const char *tail)
{
    return strstr(tail, "No space left on device") != NULL || strstr(tail, "Disk quota exceeded") != NULL ||
           strstr(tail, "ENOSPC") != NULL;
}

/* Cuts a text down to its last line that says something, without control characters. */
static char *last_line(char *tail)
{
    size_t length = strlen(tail);
    while (length > 0 && isspace((unsigned char)tail[length - 1]))
        tail[--length] = '\0';
    char *line = strrchr(tail, '\n');
    line = line != NULL ? line + 1 : tail;
    if (strlen(line) > LINE_BYTES)
        line[LINE_BYTES] = '\0';
    for (char *p = line; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    }
    return line;
}

static struct verdict verdict(enum shard_outcome outcome, char *message)
{
    return (struct verdict){outcome, message};
}

static struct verdict command_failed(const struct launch_result *result, const char *directory)
{
    char *tail = stderr_tail(directory);
    bool full = says_disk_full(tail);
    char *line = last_line(tail);
    const char *colon = line[0] != '\0' ? ": " : "";
    char *message = result->how == LAUNCH_SIGNALED
                        ? need_printf("the command was ended by signal %d (%s)%s%s", result->signal,
                                      strsignal(result->signal), colon, line)
                        : need_printf("the command ended with exit code %d%s%s", result->exit_code, colon, line);
    free(tail);
    return verdict(full ? SHARD_OUTCOME_OUT_OF_DISK : SHARD_OUTCOME_TASK_ERROR, message);
}

struct verdict verdict_of(const struct launch_result *result, const char *directory, bool cancelled,
                          enum shard_cancel_reason reason)
{
    /* Exit code 0 is not to be trusted when the kernel killed a part of the command: a shell pipeline hides it. */
    if (result->how == LAUNCH_EXITED && result->exit_code == 0 && !result->timed_out && !result->out_of_memory)
        return verdict(SHARD_OUTCOME_DONE, NULL);
    if (result->how == LAUNCH_FAILED)
        return verdict(strstr(result->message, "No space left on device") != NULL ? SHARD_OUTCOME_OUT_OF_DISK
                                                                                  : SHARD_OUTCOME_LAUNCH_ERROR,
                       need_copy(result->message));
    if (result->timed_out || (result->killed && cancelled && reason == SHARD_CANCEL_TIMEOUT))
        return verdict(SHARD_OUTCOME_TIMEOUT, need_printf("it had not ended after %.1f s", result->wall_seconds));
    if (result->killed && cancelled)
        return verdict(SHARD_OUTCOME_CANCELLED, NULL);
    if (result->out_of_memory)
        return verdict(SHARD_OUTCOME_OUT_OF_MEMORY, need_printf("the kernel ended it for its memory, %.1f MiB at most",
                                                                (double)result->max_memory_bytes / 1048576));
    if (result->how == LAUNCH_LOST)
        return verdict(SHARD_OUTCOME_PREEMPTED, need_printf("its supervisor is gone, so how it ended is not known%s%s",
                                                            result->message[0] != '\0' ? ": " : "", result->message));
    return command_failed(result, directory);
}
