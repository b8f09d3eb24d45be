/* SPDX-License-Identifier: Apache-2.0 */
/* The fold (fold.h) in the compilers' own vectors, of sixteen bytes: x86-64 and ARM have them always. */

#include "fold.h"

#if SHARD__HAS_FOLD

#include <string.h>

#define FOLD_TARGET

static inline int reached(float value, const float *thresholds)
{
    typedef float floats __attribute__((vector_size(16)));
    typedef int32_t ints __attribute__((vector_size(16)));
    floats wide = {value, value, value, value}, of[4];
    memcpy(of, thresholds, sizeof(of));
    ints minus = (wide >= of[0]) + (wide >= of[1]) + (wide >= of[2]) + (wide >= of[3]);
    return -(minus[0] + minus[1] + minus[2] + minus[3]);
}

static inline void choose(int8_t above, const uint8_t *lane, const uint8_t *left, const uint8_t *right, uint8_t *to)
{
    typedef int8_t bytes __attribute__((vector_size(16)));
    bytes wide = above - (bytes){0};
    for (int i = 0; i < SHARD__FOLD_ROWS; i += 16) {
        bytes ranks, if_left, if_right;
        memcpy(&ranks, lane + i, sizeof(ranks));
        memcpy(&if_left, left + i, sizeof(if_left));
        memcpy(&if_right, right + i, sizeof(if_right));
        bytes goes_left = wide > ranks, chosen = (goes_left & if_left) | (~goes_left & if_right);
        memcpy(to + i, &chosen, sizeof(chosen));
    }
}

#include "fold_rows.h"

void shard__fold_rows(const shard_forest *forest, const float *rows, int64_t stride, int count, uint8_t *room,
                      float *sums)
{
    fold_rows(forest, rows, stride, count, room, sums);
}

#endif
