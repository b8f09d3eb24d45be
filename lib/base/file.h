/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_FILE_H
#define SHARD_BASE_FILE_H

/* Whole files, for rooms that may do no I/O themselves. */

#include "bytes.h"

/* Reads a file of at most `limit` bytes. 0, SHARD_ENOENT, SHARD_EIO, SHARD_ELIMIT, SHARD_ENOMEM. */
int shard__file_read(const shard_context *context, const char *path, size_t limit, struct shard__bytes *ret_bytes);

/* Replaces a file at once and durably: a new file beside it, fsync, rename. 0, SHARD_EIO, SHARD_ENOSPC, SHARD_ENOMEM.
 */
int shard__file_replace(const shard_context *context, const char *path, const void *data, size_t size);

#endif
