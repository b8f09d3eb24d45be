/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs to margins: through leaf masks where the forest has them, else by putting the rows together. Where a forest
 * splits on features of the pair itself, these clear leaves of a copy of the task's masks, pair by pair.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "evaluate.h"
#include "masks.h"

/* One call, checked. */
struct job {
    const shard_forest *forest;
    const shard_forest_block *tasks;
    const shard_forest_block *hosts;
    struct shard_pairs pairs;
    int64_t count;
    const int32_t *pair_columns;
    int32_t pair_column_count;
    int64_t pair_stride;
    float *margins; /* what each sum begins with, then the sums */
};

static int is_split_on(const shard_forest *forest, int32_t feature)
{
    const size_t *begins = forest->masks.begins + 2 * (size_t)feature;
    return begins[2] > begins[0];
}

static struct shard_pair pair_of(const struct job *job, int64_t index)
{
    if (job->pairs.wanted != NULL)
        return job->pairs.wanted[index];
    return (struct shard_pair){(int32_t)(index / job->hosts->rows), (int32_t)(index % job->hosts->rows)};
}

/* Marks a side's features in `taken`. */
static int take_columns(const shard_forest *forest, const int32_t *columns, int32_t count, unsigned char *taken)
{
    for (int32_t i = 0; i < count; i++) {
        if (columns[i] < 0 || columns[i] >= forest->feature_count)
            return shard__fail(SHARD_EINVAL, "column %d is feature %d, of %d", i, columns[i], forest->feature_count);
        if (taken[columns[i]])
            return shard__fail(SHARD_EINVAL, "feature %d comes from two columns", columns[i]);
        taken[columns[i]] = 1;
    }
    return 0;
}

static int check_pairs(struct job *job, const struct shard_pairs *pairs)
{
    if (job->tasks->forest != job->forest || job->hosts->forest != job->forest ||
        job->tasks->side != SHARD_FEATURE_TASK || job->hosts->side != SHARD_FEATURE_HOST)
        return shard__fail(SHARD_EINVAL, "pairs need a block of tasks and a block of hosts of this forest");
    int status = shard__take_struct(&job->pairs, sizeof(job->pairs), pairs, "pairs");
    if (status < 0)
        return status;
    const struct shard_matrix *features = &job->pairs.pair_features;
    job->count = job->pairs.wanted != NULL ? job->pairs.count : (int64_t)job->tasks->rows * job->hosts->rows;
    job->pair_stride = features->stride != 0 ? features->stride : job->pair_column_count;
    if (features->values == NULL)
        job->pair_column_count = 0;
    if (job->pairs.wanted == NULL && job->pairs.count != 0 && job->pairs.count != job->count)
        return shard__fail(SHARD_EINVAL, "%lld pairs, but %d tasks with %d hosts", (long long)job->pairs.count,
                           job->tasks->rows, job->hosts->rows);
    if (job->count < 0 || job->pair_stride < job->pair_column_count ||
        (features->values != NULL && features->rows < job->count))
        return shard__fail(SHARD_EINVAL, "features of %lld pairs in rows of %lld floats, for %lld pairs",
                           (long long)features->rows, (long long)job->pair_stride, (long long)job->count);
    for (int64_t i = 0; job->pairs.wanted != NULL && i < job->count; i++) {
        struct shard_pair pair = job->pairs.wanted[i];
        if (pair.task < 0 || pair.task >= job->tasks->rows || pair.host < 0 || pair.host >= job->hosts->rows)
            return shard__fail(SHARD_ENOENT, "pair %lld is task %d with host %d, of %d tasks and %d hosts",
                               (long long)i, pair.task, pair.host, job->tasks->rows, job->hosts->rows);
    }
    return 0;
}

static void put_columns(float *row, const shard_forest_block *block, int32_t index)
{
    const float *values = block->values + (size_t)index * (size_t)block->column_count;
    for (int32_t i = 0; i < block->column_count; i++)
        row[block->columns[i]] = values[i];
}

/* The rows of pairs first .. first + count - 1, put together. */
static void put_rows(const struct job *job, int64_t first, int count, float *rows)
{
    size_t width = (size_t)job->forest->feature_count;
    for (int i = 0; i < count; i++) {
        float *row = rows + (size_t)i * width;
        struct shard_pair pair = pair_of(job, first + i);
        for (size_t k = 0; k < width; k++)
            row[k] = NAN;
        put_columns(row, job->tasks, pair.task);
        put_columns(row, job->hosts, pair.host);
        for (int32_t k = 0; k < job->pair_column_count; k++)
            row[job->pair_columns[k]] = job->pairs.pair_features.values[(first + i) * job->pair_stride + k];
    }
}

static int margins_by_rows(const struct job *job)
{
    size_t width = (size_t)job->forest->feature_count;
    float *rows = shard__realloc(job->forest->context, NULL, 0, SHARD__BLOCK_ROWS * width * sizeof(float));
    int status = rows != NULL ? 0 : SHARD_ENOMEM;
    for (int64_t first = 0; status == 0 && first < job->count; first += SHARD__BLOCK_ROWS) {
        int64_t left = job->count - first;
        int count = left < SHARD__BLOCK_ROWS ? (int)left : SHARD__BLOCK_ROWS;
        put_rows(job, first, count, rows);
        struct shard_matrix matrix = {rows, count, 0};
        status = shard__margins(job->forest, &matrix, (int64_t)width, job->margins + first);
    }
    shard__release(job->forest->context, rows, SHARD__BLOCK_ROWS * width * sizeof(float));
    return status;
}

static void tiles(const struct job *job, const uint64_t *task, int64_t first, int64_t count, float *sums)
{
    const uint64_t *hosts = (job->hosts->tiles != NULL ? job->hosts->tiles : job->hosts->masks) +
                            (size_t)first * SHARD__TILE * (size_t)job->forest->tree_count;
#if SHARD__HAS_AVX512
    if (job->forest->use_avx512) {
        shard__mask_tiles_avx512(job->forest, task, hosts, count, sums);
        return;
    }
#endif
    shard__mask_tiles(job->forest, task, hosts, count, sums);
}

/* One task with the hosts of some tiles; the last one may be wider than the hosts that are left. */
static void task_with_tiles(const struct job *job, const uint64_t *task, int64_t first, int64_t count, float *margins)
{
    int64_t whole = job->hosts->rows / SHARD__TILE - first;
    size_t rest = (size_t)(job->hosts->rows % SHARD__TILE) * sizeof(float);
    float sums[SHARD__TILE] = {0};
    if (count <= whole) {
        tiles(job, task, first, count, margins);
        return;
    }
    tiles(job, task, first, whole, margins);
    memcpy(sums, margins + whole * SHARD__TILE, rest);
    tiles(job, task, first + whole, 1, sums);
    memcpy(margins + whole * SHARD__TILE, sums, rest);
}

static void sum_abreast(const struct job *job, struct shard__mask_pairs *pairs)
{
#if SHARD__HAS_AVX512
    if (job->forest->use_avx512) {
        shard__mask_pairs_avx512(job->forest, pairs);
        return;
    }
#endif
    shard__mask_pairs(job->forest, pairs);
}

/* A task's masks, less what the features that come from nowhere rule out. */
static const uint64_t *task_masks(const struct job *job, int32_t task, const uint64_t *others, uint64_t *scratch)
{
    size_t trees = (size_t)job->forest->tree_count;
    const uint64_t *masks = job->tasks->masks + (size_t)task * trees;
    if (others == NULL)
        return masks;
    for (size_t i = 0; i < trees; i++)
        scratch[i] = masks[i] & others[i];
    return scratch;
}

/* Some hosts with all tasks, then the next hosts: what is used again and again stays near. */
static void margins_of_all(const struct job *job, const uint64_t *others, uint64_t *scratch)
{
    enum { TOGETHER = 4 };
    int64_t hosts = job->hosts->rows, tile_count = (hosts + SHARD__TILE - 1) / SHARD__TILE;
    for (int64_t first = 0; first < tile_count; first += TOGETHER) {
        int64_t count = tile_count - first < TOGETHER ? tile_count - first : TOGETHER;
        for (int32_t task = 0; task < job->tasks->rows; task++)
            task_with_tiles(job, task_masks(job, task, others, scratch), first, count,
                            job->margins + task * hosts + first * SHARD__TILE);
    }
}

/* The pair's own features rule out leaves, too. */
static void mask_pair_features(const struct job *job, int64_t index, uint64_t *masks)
{
    const float *values = job->pairs.pair_features.values + index * job->pair_stride;
    for (int32_t k = 0; k < job->pair_column_count; k++)
        if (is_split_on(job->forest, job->pair_columns[k]))
            shard__mask_feature(job->forest, job->pair_columns[k], values[k], masks);
}

/* Pairs in any order, some at a time. `own`: room for the masks of that many; NULL: a pair's are its task's. */
static void margins_of_wanted(const struct job *job, const uint64_t *others, uint64_t *own)
{
    size_t trees = (size_t)job->forest->tree_count;
    for (int64_t first = 0; first < job->count; first += SHARD__ABREAST) {
        int64_t count = job->count - first < SHARD__ABREAST ? job->count - first : SHARD__ABREAST;
        struct shard__mask_pairs abreast;
        for (int64_t i = 0; i < SHARD__ABREAST; i++) {
            int64_t at = first + (i < count ? i : 0); /* what is too many is of no use, and does no harm */
            struct shard_pair pair = pair_of(job, at);
            abreast.task[i] = job->tasks->masks + (size_t)pair.task * trees;
            abreast.host[i] = job->hosts->masks + (size_t)pair.host * trees;
            abreast.sums[i] = job->margins[at];
            if (own == NULL || i >= count)
                continue;
            uint64_t *masks = own + (size_t)i * trees;
            if (task_masks(job, pair.task, others, masks) != masks)
                memcpy(masks, abreast.task[i], trees * sizeof(uint64_t));
            mask_pair_features(job, at, masks);
            abreast.task[i] = masks;
        }
        sum_abreast(job, &abreast);
        memcpy(job->margins + first, abreast.sums, (size_t)count * sizeof(float));
    }
}

/* What is missing in every pair: features that no column brings. NULL in `*ret_others` if they rule out nothing. */
static void mask_others(const shard_forest *forest, const unsigned char *taken, uint64_t *others,
                        const uint64_t **ret_others)
{
    int any = 0;
    memset(others, 0xff, (size_t)forest->tree_count * sizeof(uint64_t));
    for (int32_t i = 0; i < forest->feature_count; i++)
        if (!taken[i] && is_split_on(forest, i)) {
            shard__mask_feature(forest, i, NAN, others);
            any = 1;
        }
    *ret_others = any ? others : NULL;
}

static int evaluate(const struct job *job, const unsigned char *taken)
{
    const shard_forest *forest = job->forest;
    enum { ON_STACK = 16384 };
    size_t trees = (size_t)forest->tree_count, scratch_bytes = (2 + SHARD__ABREAST) * (trees + 1) * sizeof(uint64_t);
    uint64_t small[ON_STACK / sizeof(uint64_t)], *scratch = small;
    const uint64_t *others;
    int has_own = 0;
    if (forest->masks.nodes == NULL)
        return margins_by_rows(job);
    for (int32_t i = 0; i < job->pair_column_count && !has_own; i++)
        has_own = is_split_on(forest, job->pair_columns[i]);
    if (scratch_bytes > ON_STACK && (scratch = shard__realloc(forest->context, NULL, 0, scratch_bytes)) == NULL)
        return SHARD_ENOMEM;
    mask_others(forest, taken, scratch, &others);
    int may_tile = !forest->use_avx512 || job->hosts->tiles != NULL;
    if (job->pairs.wanted == NULL && !has_own && may_tile)
        margins_of_all(job, others, scratch + trees);
    else
        margins_of_wanted(job, others, has_own || others != NULL ? scratch + 2 * trees : NULL);
    if (scratch != small)
        shard__release(forest->context, scratch, scratch_bytes);
    return 0;
}

int shard_forest_pair_margins(const shard_forest *forest, const shard_forest_block *tasks,
                              const shard_forest_block *hosts, const struct shard_pairs *pairs,
                              const int32_t *pair_columns, int32_t pair_column_count, const float *base_margins,
                              float *ret_margins)
{
    struct job job = {.forest = forest,
                      .tasks = tasks,
                      .hosts = hosts,
                      .pair_columns = pair_columns,
                      .pair_column_count = pair_column_count,
                      .margins = ret_margins};
    shard__clear_error();
    int status = check_pairs(&job, pairs);
    if (status < 0)
        return status;
    unsigned char *taken = shard__zalloc(forest->context, (size_t)forest->feature_count);
    if (taken == NULL)
        return SHARD_ENOMEM;
    if ((status = take_columns(forest, tasks->columns, tasks->column_count, taken)) == 0 &&
        (status = take_columns(forest, hosts->columns, hosts->column_count, taken)) == 0 &&
        (status = take_columns(forest, pair_columns, job.pair_column_count, taken)) == 0) {
        for (int64_t i = 0; i < job.count; i++)
            ret_margins[i] = base_margins != NULL ? base_margins[i] : forest->base_margin;
        status = evaluate(&job, taken);
    }
    shard__release(forest->context, taken, (size_t)forest->feature_count);
    return status;
}
