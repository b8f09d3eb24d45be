/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file `exit.json` of an attempt directory, in which the shim leaves how the command ended. Whole or absent, and
 * durable: an adopter of the next day relies on it. Its room on the disk is taken before the command starts, so that a
 * disk that the command has filled cannot swallow the result, and making it durable in the end is one write in place.
 * Written without a JSON library so that the shim stays small.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULT_MAX ((size_t)64 << 10)
#define RESULT_BYTES 4096 /* what the file always takes: the result, then spaces */
#define TEMPORARY LAUNCH__FILE_RESULT ".tmp"

static const char *const how_names[] = {"exited", "signaled", "failed", "lost"};

/* Copies message as the inside of a JSON string; what is not printable ASCII becomes a question mark. */
static void escape(const char *message, char *ret_text, size_t size)
{
    size_t to = 0;
    for (; *message != '\0' && to + 2 < size; message++) {
        unsigned char c = (unsigned char)*message;
        if (c == '"' || c == '\\')
            ret_text[to++] = '\\';
        ret_text[to++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    ret_text[to] = '\0';
}

static int format(const struct launch_result *result, char *ret_text, size_t size)
{
    char message[2 * LAUNCH_MESSAGE_MAX + 2];
    escape(result->message, message, sizeof message);
    int length =
        snprintf(ret_text, size,
                 "{\"version\":1,\"how\":\"%s\",\"exit_code\":%d,\"signal\":%d,\"out_of_memory\":%d,"
                 "\"timed_out\":%d,\"killed\":%d,\"wall_us\":%" PRIu64 ",\"cpu_us\":%" PRIu64 ","
                 "\"max_memory_bytes\":%" PRIu64 ",\"max_rss_bytes\":%" PRIu64 ","
                 "\"stdout_dropped_bytes\":%" PRIu64 ",\"stderr_dropped_bytes\":%" PRIu64 ","
                 "\"ended_at_us\":%" PRIu64 ",\"message\":\"%s\",\"end\":1}\n",
                 how_names[result->how], result->exit_code, result->signal, result->out_of_memory, result->timed_out,
                 result->killed, (uint64_t)(result->wall_seconds * 1e6), (uint64_t)(result->cpu_seconds * 1e6),
                 result->max_memory_bytes, result->max_rss_bytes, result->stdout_dropped_bytes,
                 result->stderr_dropped_bytes, (uint64_t)(result->ended_at * 1e6), message);
    return length < 0 || (size_t)length >= size ? -EOVERFLOW : length;
}

int launch__result_reserve(int dir_fd)
{
    char blank[RESULT_BYTES];
    memset(blank, ' ', sizeof blank);
    int fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int code = launch__write_all(fd, blank, sizeof blank);
    if (code == 0)
        return fd;
    close(fd);
    return code;
}

int launch__result_write(int dir_fd, int reserved_fd, const struct launch_result *result)
{
    char text[RESULT_BYTES];
    int length = format(result, text, sizeof text);
    if (length < 0)
        return length;
    memset(text + length, ' ', sizeof text - (size_t)length);
    text[sizeof text - 1] = '\n';
    ssize_t put = pwrite(reserved_fd, text, sizeof text, 0);
    if (put != (ssize_t)sizeof text)
        return put < 0 ? -errno : -EIO;
    if (fdatasync(reserved_fd) != 0 || renameat(dir_fd, TEMPORARY, dir_fd, LAUNCH__FILE_RESULT) != 0)
        return -errno;
    return 0;
}

/* The text after "key": in a file of our own making. */
static const char *value_of(const char *text, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(text, quoted);
    return at == NULL ? "" : at + strlen(quoted);
}

static uint64_t number_of(const char *text, const char *key)
{
    return strtoull(value_of(text, key), NULL, 10);
}

/* Times are whole microseconds in the file: no decimal point, which a locale could change. */
static double seconds_of(const char *text, const char *key)
{
    return (double)number_of(text, key) / 1e6;
}

static void take_message(const char *text, struct launch_result *result)
{
    const char *at = value_of(text, "message");
    size_t to = 0;
    for (at += *at == '"'; *at != '\0' && *at != '"' && to + 1 < sizeof result->message; at++) {
        at += at[0] == '\\' && at[1] != '\0';
        result->message[to++] = *at;
    }
    result->message[to] = '\0';
}

static int parse(const char *text, struct launch_result *ret_result)
{
    struct launch_result result = {.how = LAUNCH_EXITED};
    size_t names = sizeof how_names / sizeof how_names[0];
    size_t how = 0;
    const char *name = value_of(text, "how");
    while (how < names && (name[0] != '"' || strncmp(name + 1, how_names[how], strlen(how_names[how])) != 0))
        how++;
    if (number_of(text, "version") != 1 || number_of(text, "end") != 1 || how == names)
        return -EBADMSG;
    result.how = (enum launch_how)how;
    result.exit_code = (int)number_of(text, "exit_code");
    result.signal = (int)number_of(text, "signal");
    result.out_of_memory = number_of(text, "out_of_memory") != 0;
    result.timed_out = number_of(text, "timed_out") != 0;
    result.killed = number_of(text, "killed") != 0;
    result.wall_seconds = seconds_of(text, "wall_us");
    result.cpu_seconds = seconds_of(text, "cpu_us");
    result.max_memory_bytes = number_of(text, "max_memory_bytes");
    result.max_rss_bytes = number_of(text, "max_rss_bytes");
    result.stdout_dropped_bytes = number_of(text, "stdout_dropped_bytes");
    result.stderr_dropped_bytes = number_of(text, "stderr_dropped_bytes");
    result.ended_at = seconds_of(text, "ended_at_us");
    take_message(text, &result);
    *ret_result = result;
    return 0;
}

int launch__result_read(int dir_fd, struct launch_result *ret_result)
{
    char *text = NULL;
    size_t size = 0;
    int code = launch__read_file(dir_fd, LAUNCH__FILE_RESULT, RESULT_MAX, &text, &size);
    if (code < 0)
        return code;
    code = strlen(text) == size ? parse(text, ret_result) : -EBADMSG;
    free(text);
    return code;
}
