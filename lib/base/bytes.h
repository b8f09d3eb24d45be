/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_BYTES_H
#define SHARD_BASE_BYTES_H

/* A growing buffer of bytes or text. A failure sticks, so that only the end needs to look. */

#include <stddef.h>

#include "alloc.h"

struct shard__bytes {
    const shard_context *context;
    char *data; /* not NUL-terminated */
    size_t size;
    size_t capacity;
    int status; /* 0 or SHARD_ENOMEM */
};

void shard__bytes_init(struct shard__bytes *bytes, const shard_context *context);
void shard__bytes_free(struct shard__bytes *bytes);
void shard__bytes_append(struct shard__bytes *bytes, const void *data, size_t size);
void shard__bytes_text(struct shard__bytes *bytes, const char *text);
void shard__bytes_printf(struct shard__bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands the text out with a NUL, to be freed with shard_free(), and frees the buffer. 0 or SHARD_ENOMEM. */
int shard__bytes_handout(struct shard__bytes *bytes, char **ret_text, size_t *ret_bytes);

#endif
