/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_EVALUATE_H
#define SHARD_PREDICT_EVALUATE_H

/* Rows to margins. What both the rows and the pairs that have no masks need. */

#include "forest.h"

/* Rows `count` (at most SHARD__BLOCK_ROWS) of `stride` floats; margins hold what each sum begins with. `keys` has room
 * for SHARD__BLOCK_ROWS rows' keys. */
enum { SHARD__BLOCK_ROWS = 64 };
void shard__forest_block_margins(const shard_forest *forest, const float *rows, int64_t stride, int count,
                                 uint32_t *keys, float *margins);

#endif
