/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer. */

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void shard__bytes_init(struct shard__bytes *bytes, const shard_context *context)
{
    memset(bytes, 0, sizeof(*bytes));
    bytes->context = context;
}

void shard__bytes_free(struct shard__bytes *bytes)
{
    shard__release(bytes->context, bytes->data, bytes->capacity);
    shard__bytes_init(bytes, bytes->context);
}

static int reserve(struct shard__bytes *bytes, size_t more)
{
    if (bytes->status == 0)
        bytes->status = shard__grow(bytes->context, &bytes->data, &bytes->capacity, bytes->size + more, 1);
    return bytes->status;
}

void shard__bytes_append(struct shard__bytes *bytes, const void *data, size_t size)
{
    if (size == 0 || reserve(bytes, size) < 0)
        return;
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void shard__bytes_text(struct shard__bytes *bytes, const char *text)
{
    shard__bytes_append(bytes, text, strlen(text));
}

void shard__bytes_printf(struct shard__bytes *bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0 || reserve(bytes, (size_t)length + 1) < 0)
        return;
    va_start(arguments, format);
    vsnprintf(bytes->data + bytes->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    bytes->size += (size_t)length;
}

int shard__bytes_handout(struct shard__bytes *bytes, char **ret_text, size_t *ret_bytes)
{
    size_t size = bytes->size;
    shard__bytes_append(bytes, "", 1);
    int status = bytes->status;
    if (status == 0) {
        char *text = shard__handout(bytes->context, bytes->data, bytes->size);
        if (text == NULL) {
            status = SHARD_ENOMEM;
        } else {
            *ret_text = text;
            if (ret_bytes != NULL)
                *ret_bytes = size;
        }
    }
    shard__bytes_free(bytes);
    return status;
}
