/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_BLAKE2B_H
#define SHARD_BASE_BLAKE2B_H

/*
 * BLAKE2b-256 (RFC 7693), without a key. Chosen for checksums because no change goes unseen, b2sum(1) of coreutils
 * checks it too, and it is fast without special instructions.
 */

#include <stddef.h>

enum { SHARD__DIGEST_BYTES = 32, SHARD__DIGEST_TEXT = 65 };

void shard__blake2b(const void *data, size_t size, unsigned char ret_digest[SHARD__DIGEST_BYTES]);

/* The same as lower-case hex, as `b2sum -l 256` prints it. */
void shard__blake2b_text(const void *data, size_t size, char ret_text[SHARD__DIGEST_TEXT]);

#endif
