/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_BASE64_H
#define SHARD_BASE_BASE64_H

/* Base64 with padding (RFC 4648, section 4), for bytes that have to stand in text. */

#include <stddef.h>

#include "bytes.h"

void shard__base64_put(struct shard__bytes *out, const void *bytes, size_t size);

/* Appends what `text` stands for. 0, or -1 when it is not base64 (`out` is as before). */
int shard__base64_get(struct shard__bytes *out, const char *text, size_t size);

#endif
