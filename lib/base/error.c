/* SPDX-License-Identifier: Apache-2.0 */
/* The detail of the last failure, per thread, and the rule for structs that grow. */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static _Thread_local struct shard_error last;

/* One line of UTF-8, whatever names went into it and wherever it was cut. */
static void make_presentable(char *message)
{
    size_t bytes = strlen(message), at = 0;
    for (char *c = message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    while ((at += shard__utf8_prefix(message + at, bytes - at)) < bytes)
        message[at] = '?';
}

__attribute__((format(printf, 4, 0))) static void set_detail(int code, int system_errno, int task, const char *format,
                                                             va_list arguments)
{
    last.code = code;
    last.system_errno = system_errno;
    last.task = task;
    int length = vsnprintf(last.message, sizeof(last.message), format, arguments);
    if (length < 0)
        last.message[0] = '\0';
    make_presentable(last.message);
}

int shard__fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_detail(code, 0, -1, format, arguments);
    va_end(arguments);
    return code;
}

int shard__fail_errno(int code, int system_errno, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_detail(code, system_errno, -1, format, arguments);
    va_end(arguments);
    size_t length = strlen(last.message);
    char buffer[128];
    const char *text = strerror_r(system_errno, buffer, sizeof(buffer));
    snprintf(last.message + length, sizeof(last.message) - length, ": %s", text);
    return code;
}

int shard__fail_task(int code, int task, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_detail(code, 0, task, format, arguments);
    va_end(arguments);
    return code;
}

int shard__fail_within(int code, const char *format, ...)
{
    char message[sizeof(last.message)];
    va_list arguments;
    va_start(arguments, format);
    memcpy(message, last.message, sizeof(message));
    set_detail(code, last.system_errno, last.task, format, arguments);
    va_end(arguments);
    size_t length = strlen(last.message);
    snprintf(last.message + length, sizeof(last.message) - length, "%s", message);
    make_presentable(last.message);
    return code;
}

void shard__clear_error(void)
{
    last.code = SHARD_OK;
    last.system_errno = 0;
    last.task = -1;
    last.message[0] = '\0';
}

const char *shard__error_message(void)
{
    return last.message;
}

int shard_error_copy(struct shard_error *ret_error)
{
    struct shard_error copy = last;
    if (copy.code == SHARD_OK)
        copy.task = -1;
    size_t size = ret_error->struct_size < sizeof(copy) ? ret_error->struct_size : sizeof(copy);
    size_t theirs = ret_error->struct_size;
    memcpy(ret_error, &copy, size);
    memcpy(ret_error, &theirs, sizeof(theirs));
    return copy.code;
}

const char *shard_code_text(int code)
{
    static const char *const texts[] = {
        [-SHARD_OK] = "success",
        [-SHARD_ENOMEM] = "out of memory",
        [-SHARD_EINVAL] = "invalid argument",
        [-SHARD_ENOENT] = "not found",
        [-SHARD_EEXIST] = "exists already",
        [-SHARD_ECYCLE] = "cycle",
        [-SHARD_EPARSE] = "cannot be parsed",
        [-SHARD_EVERSION] = "unknown version",
        [-SHARD_EIO] = "input/output error",
        [-SHARD_ENOSPC] = "no space left",
        [-SHARD_ECORRUPT] = "corrupt data",
        [-SHARD_ECONFLICT] = "conflict",
        [-SHARD_EFENCED] = "fenced",
        [-SHARD_EHELD] = "held by another",
        [-SHARD_ESTATE] = "not possible in this state",
        [-SHARD_ELIMIT] = "limit exceeded",
        [-SHARD_ENOTSUP] = "not supported",
        [-SHARD_EUNPLACEABLE] = "unplaceable",
        [-SHARD_EDEPENDENCY] = "dependency not done",
        [-SHARD_EGATE] = "input not there",
        [-SHARD_ECAPACITY] = "no capacity",
        [-SHARD_EHOST] = "host not usable",
        [-SHARD_ESTALE] = "stale answer",
        [-SHARD_EBUSY] = "busy",
        [-SHARD_ECANCELLED] = "cancelled",
    };
    size_t index = code <= 0 ? (size_t) - (long)code : sizeof(texts);
    return index < sizeof(texts) / sizeof(texts[0]) ? texts[index] : "unknown error";
}

int shard__take_struct(void *ours, size_t our_size, const void *theirs, const char *what)
{
    if (theirs == NULL)
        return shard__fail(SHARD_EINVAL, "%s is missing", what);
    size_t size;
    memcpy(&size, theirs, sizeof(size));
    if (size < sizeof(size))
        return shard__fail(SHARD_EINVAL, "%s: struct_size is not set", what);
    const unsigned char *bytes = theirs;
    for (size_t i = our_size; i < size; i++)
        if (bytes[i] != 0)
            return shard__fail(SHARD_EVERSION, "%s: a field that this library does not know is set (byte %zu)", what,
                               i);
    memset(ours, 0, our_size);
    memcpy(ours, theirs, size < our_size ? size : our_size);
    memcpy(ours, &our_size, sizeof(our_size));
    return 0;
}

int shard__give_struct(void *theirs, const void *ours, size_t our_size, const char *what)
{
    if (theirs == NULL)
        return shard__fail(SHARD_EINVAL, "%s is missing", what);
    size_t size;
    memcpy(&size, theirs, sizeof(size));
    if (size < sizeof(size))
        return shard__fail(SHARD_EINVAL, "%s: struct_size is not set", what);
    if (size > our_size)
        memset((unsigned char *)theirs + our_size, 0, size - our_size);
    memcpy(theirs, ours, size < our_size ? size : our_size);
    memcpy(theirs, &size, sizeof(size));
    return 0;
}
