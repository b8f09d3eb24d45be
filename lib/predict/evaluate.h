/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_EVALUATE_H
#define SHARD_PREDICT_EVALUATE_H

/* Rows to margins. What both the rows and the pairs that have no masks need. */

#include "forest.h"

enum { SHARD__BLOCK_ROWS = SHARD__FOLD_ROWS };

/* Rows that fit (each has feature_count floats or more); `margins` hold what each sum begins with. 0 or SHARD_ENOMEM.
 */
int shard__margins(const shard_forest *forest, const struct shard_matrix *rows, int64_t stride, float *margins);

#endif
