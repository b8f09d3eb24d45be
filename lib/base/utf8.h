/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_UTF8_H
#define SHARD_BASE_UTF8_H

/* Well-formed text. */

#include <stddef.h>

/* How many of the `bytes` at `text` are well-formed UTF-8 (RFC 3629: shortest form, no surrogates). */
size_t shard__utf8_prefix(const char *text, size_t bytes);

/* `bytes`, or where to cut so that at most `most` remain and no character is halved. */
size_t shard__utf8_cut(const char *text, size_t bytes, size_t most);

#endif
