/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: rows of one side of pairs, and the leaf masks that each row decides alone. */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "masks.h"

static int check_columns(const shard_forest *forest, const int32_t *columns, int32_t count)
{
    if (count < 0 || count > forest->feature_count)
        return shard__fail(SHARD_EINVAL, "%d columns, of %d features", count, forest->feature_count);
    unsigned char *taken = shard__zalloc(forest->context, (size_t)forest->feature_count);
    int status = taken != NULL ? 0 : SHARD_ENOMEM;
    for (int32_t i = 0; i < count && status == 0; i++) {
        if (columns[i] < 0 || columns[i] >= forest->feature_count)
            status = shard__fail(SHARD_EINVAL, "column %d is feature %d, of %d", i, columns[i], forest->feature_count);
        else if (taken[columns[i]]++)
            status = shard__fail(SHARD_EINVAL, "feature %d comes from two columns", columns[i]);
    }
    shard__release(forest->context, taken, (size_t)forest->feature_count);
    return status;
}

static void mask_columns(const shard_forest_block *block, const float *values, int32_t begin, int32_t end,
                         uint64_t *masks)
{
    for (int32_t i = begin; i < end; i++)
        shard__mask_feature(block->forest, block->columns[i], values[i], masks);
}

/* Of a row, of which the first `changed` columns may have changed. */
static void mask_row(shard_forest_block *block, int32_t row, const float *values, int32_t changed)
{
    size_t trees = (size_t)block->forest->tree_count;
    uint64_t *masks = block->masks + (size_t)row * trees;
    uint64_t *rest = block->rests == NULL ? masks : block->rests + (size_t)row * trees;
    if (block->rests == NULL || changed > block->quick_count || !block->has_rests[row]) {
        memset(rest, 0xff, trees * sizeof(uint64_t));
        mask_columns(block, values, block->quick_count, block->column_count, rest);
    }
    if (block->rests != NULL) {
        block->has_rests[row] = 1;
        memcpy(masks, rest, trees * sizeof(uint64_t));
    }
    mask_columns(block, values, 0, block->quick_count, masks);
    if (block->tiles == NULL)
        return;
    uint64_t *tile = block->tiles + shard__tile_at(block->forest, row);
    for (size_t tree = 0; tree < trees; tree++)
        tile[tree * SHARD__TILE] = masks[tree];
}

/* How many columns there are in front of those that are the same. */
static int32_t count_changed(const float *before, const float *after, int32_t count)
{
    while (count > 0 && memcmp(&before[count - 1], &after[count - 1], sizeof(float)) == 0)
        count--;
    return count;
}

/* When more than half of a row stays as it was, that is worth keeping, if there is memory for it. */
static void learn_quick(shard_forest_block *block, int32_t changed)
{
    size_t rows = (size_t)block->rows, rest_bytes = rows * (size_t)block->forest->tree_count * sizeof(uint64_t);
    if (changed <= block->quick_count || changed > block->column_count / 2)
        return;
    if (block->rests == NULL) {
        uint64_t *rests = shard__realloc(block->forest->context, NULL, 0, rest_bytes);
        block->has_rests = rests == NULL ? NULL : shard__zalloc(block->forest->context, rows);
        if (block->has_rests == NULL) {
            shard__release(block->forest->context, rests, rest_bytes);
            return;
        }
        block->rests = rests;
    }
    block->quick_count = changed;
    memset(block->has_rests, 0, rows);
}

static int allocate(shard_forest_block *block, const int32_t *columns, int has_tiles)
{
    const shard_context *context = block->forest->context;
    size_t trees = (size_t)block->forest->tree_count, count = (size_t)block->column_count;
    size_t padded = ((size_t)block->rows + SHARD__TILE - 1) / SHARD__TILE * SHARD__TILE;
    block->columns = shard__zalloc(context, (count + 1) * sizeof(int32_t));
    block->values = shard__realloc(context, NULL, 0, ((size_t)block->rows * count + 1) * sizeof(float));
    if (block->columns == NULL || block->values == NULL)
        return SHARD_ENOMEM;
    if (count > 0)
        memcpy(block->columns, columns, count * sizeof(int32_t));
    for (size_t i = 0; i < (size_t)block->rows * count; i++)
        block->values[i] = NAN;
    if (block->forest->masks.nodes == NULL)
        return 0;
    block->mask_count = padded * trees + 1;
    block->masks = shard__realloc(context, NULL, 0, block->mask_count * sizeof(uint64_t));
    if (has_tiles)
        block->tiles = shard__realloc(context, NULL, 0, block->mask_count * sizeof(uint64_t));
    if (block->masks == NULL || (has_tiles && block->tiles == NULL))
        return SHARD_ENOMEM;
    /* Rows that no one asks for must have a first leaf, too. */
    memset(block->masks, 0xff, block->mask_count * sizeof(uint64_t));
    if (block->tiles != NULL)
        memset(block->tiles, 0xff, block->mask_count * sizeof(uint64_t));
    for (int32_t row = 0; row < block->rows; row++)
        mask_row(block, row, block->values, block->column_count);
    return 0;
}

int shard__block_new(const shard_forest *forest, enum shard_feature_group side, const int32_t *columns,
                     int32_t column_count, int32_t rows, int has_tiles, shard_forest_block **ret_block)
{
    shard__clear_error();
    if (side != SHARD_FEATURE_TASK && side != SHARD_FEATURE_HOST)
        return shard__fail(SHARD_EINVAL, "a block's side is TASK or HOST, not %d", (int)side);
    if (rows < 0)
        return shard__fail(SHARD_EINVAL, "a block of %d rows", rows);
    int status = check_columns(forest, columns, column_count);
    if (status < 0)
        return status;
    shard_forest_block *block = shard__zalloc(forest->context, sizeof(*block));
    if (block == NULL)
        return SHARD_ENOMEM;
    block->forest = forest;
    block->side = side;
    block->column_count = column_count;
    block->rows = rows;
    if ((status = allocate(block, columns, has_tiles)) < 0) {
        shard_forest_block_free(block);
        return status;
    }
    *ret_block = block;
    return 0;
}

int shard_forest_block_new(const shard_forest *forest, enum shard_feature_group side, const int32_t *columns,
                           int32_t column_count, int32_t rows, shard_forest_block **ret_block)
{
    int has_tiles = side == SHARD_FEATURE_HOST && forest->use_avx512;
    return shard__block_new(forest, side, columns, column_count, rows, has_tiles, ret_block);
}

int shard_forest_block_set(shard_forest_block *block, int32_t first, const struct shard_matrix *rows)
{
    shard__clear_error();
    int64_t stride = rows->stride != 0 ? rows->stride : block->column_count;
    if (first < 0 || rows->rows < 0 || rows->rows > block->rows - first || stride < block->column_count)
        return shard__fail(SHARD_EINVAL, "%lld rows of %lld floats from row %d on, in a block of %d rows of %d columns",
                           (long long)rows->rows, (long long)stride, first, block->rows, block->column_count);
    for (int64_t i = 0; i < rows->rows; i++) {
        int32_t row = first + (int32_t)i;
        float *values = block->values + (size_t)row * (size_t)block->column_count;
        size_t bytes = (size_t)block->column_count * sizeof(float);
        int32_t changed = count_changed(values, rows->values + i * stride, block->column_count);
        if (changed == 0)
            continue; /* a task is asked about more than once, and most hosts stay as they were */
        memcpy(values, rows->values + i * stride, bytes);
        if (block->masks == NULL)
            continue;
        learn_quick(block, changed);
        mask_row(block, row, values, changed);
    }
    return 0;
}

int64_t shard__block_rows(const shard_forest_block *block)
{
    return block->rows;
}

void shard_forest_block_free(shard_forest_block *block)
{
    if (block == NULL)
        return;
    const shard_context *context = block->forest->context;
    shard__release(context, block->columns, ((size_t)block->column_count + 1) * sizeof(int32_t));
    shard__release(context, block->values, ((size_t)block->rows * (size_t)block->column_count + 1) * sizeof(float));
    shard__release(context, block->masks, block->mask_count * sizeof(uint64_t));
    shard__release(context, block->tiles, block->mask_count * sizeof(uint64_t));
    shard__release(context, block->rests, (size_t)block->rows * (size_t)block->forest->tree_count * sizeof(uint64_t));
    shard__release(context, block->has_rests, (size_t)block->rows);
    shard__release(context, block, sizeof(*block));
}
