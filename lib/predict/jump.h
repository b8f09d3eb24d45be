/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_JUMP_H
#define SHARD_PREDICT_JUMP_H

/*
 * Rows to margins with AVX-512: all nodes of a tree are decided at once, and then jump. A node's jump leads to the
 * child that was decided for; jumping from where it leads gives jumps of two levels, these give four, and so on
 * (pointer jumping, Wyllie 1979), until the root's jump leads to a leaf. Chosen when the forest is loaded.
 */

#include "forest.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define SHARD__HAS_VBMI 1
/* Rows that fit; `margins` hold what each sum begins with. */
void shard__jump_rows(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins);
#else
#define SHARD__HAS_VBMI 0
#endif

#endif
