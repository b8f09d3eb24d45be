/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

/* What both formats' targets do with a model. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <shard/forest.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rows of the values that decide at a threshold or near none; more of them than go one by one. */
static inline void fuzz_evaluate(const shard_forest *forest, size_t columns)
{
    static const float values[] = {0.0f, -0.0f, NAN, INFINITY, -INFINITY, 1e-41f, 0.5f, -3.0f};
    enum { ROWS = 20 };
    float *rows = malloc(ROWS * (columns + 1) * sizeof(float)), *results = malloc(ROWS * (columns + 1) * sizeof(float));
    struct shard_matrix matrix = {rows, ROWS, (int64_t)columns};
    if (rows != NULL && results != NULL) {
        for (size_t i = 0; i < ROWS * columns; i++)
            rows[i] = values[(i + i / columns) % (sizeof(values) / sizeof(values[0]))];
        (void)shard_forest_margins(forest, &matrix, NULL, results);
        (void)shard_forest_contributions(forest, &matrix, NULL, results);
    }
    free(rows);
    free(results);
}

static inline int fuzz_model(const uint8_t *data, size_t size)
{
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    shard_context *context;
    shard_forest *forest;
    if (shard_context_new(NULL, &context) < 0)
        return 0;
    if (shard_forest_load_buffer(context, data, size, "fuzz", NULL, &forest) == 0) {
        if (shard_forest_describe(forest, &info) == 0 && info.feature_count <= 4096)
            fuzz_evaluate(forest, (size_t)info.feature_count);
        shard_forest_free(forest);
    }
    shard_context_free(context);
    return 0;
}

#endif
