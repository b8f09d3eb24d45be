/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_NAME_H
#define SHARD_BASE_NAME_H

/* What may be a name: UTF-8 without control characters, 1 to SHARD_MAX_NAME_BYTES bytes. */

/* 0, or SHARD_EINVAL / SHARD_ELIMIT with a message that says "<what> name: ...". */
int shard__check_name(const char *name, const char *what);

#endif
