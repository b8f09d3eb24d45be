/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of ids by row: counting sort, and what is listed twice taken out. Does not know what rows and ids are. */

#include <string.h>

#include "graph.h"

/* After filling, offsets[row] is the end of the row: move it back to the beginning. */
static void shift_offsets(uint32_t *offsets, int32_t rows)
{
    memmove(offsets + 1, offsets, (size_t)rows * sizeof(*offsets));
    offsets[0] = 0;
}

/* Turns counts at offsets[row + 1] into the beginnings of the rows. */
static void sum_offsets(uint32_t *offsets, int32_t rows)
{
    for (int32_t row = 0; row < rows; row++)
        offsets[row + 1] += offsets[row];
}

static int new_csr(const shard_context *context, int32_t rows, size_t count, struct shard__csr *ret_csr)
{
    struct shard__csr csr;
    csr.offsets = shard__zalloc(context, ((size_t)rows + 1) * sizeof(*csr.offsets));
    if (csr.offsets == NULL)
        return SHARD_ENOMEM;
    csr.ids = shard__realloc(context, NULL, 0, count * sizeof(*csr.ids));
    if (csr.ids == NULL) {
        shard__release(context, csr.offsets, ((size_t)rows + 1) * sizeof(*csr.offsets));
        return SHARD_ENOMEM;
    }
    *ret_csr = csr;
    return 0;
}

/* Frees a csr whose offsets do not say yet (or any more) how many ids were allocated. */
static void free_raw(const shard_context *context, struct shard__csr *csr, int32_t rows, size_t allocated)
{
    shard__release(context, csr->ids, allocated * sizeof(*csr->ids));
    shard__release(context, csr->offsets, ((size_t)rows + 1) * sizeof(*csr->offsets));
    *csr = (struct shard__csr){0};
}

void shard__csr_free(const shard_context *context, struct shard__csr *csr, int32_t rows)
{
    if (csr->offsets != NULL)
        free_raw(context, csr, rows, csr->offsets[rows]);
}

size_t shard__csr_memory(const struct shard__csr *csr, int32_t rows)
{
    if (csr->offsets == NULL)
        return 0;
    return ((size_t)rows + 1) * sizeof(*csr->offsets) + csr->offsets[rows] * sizeof(*csr->ids);
}

/* Gives back what the ids that were kept do not need. On failure the csr is freed. */
static int fit_ids(const shard_context *context, struct shard__csr *csr, int32_t rows, size_t allocated)
{
    size_t kept = csr->offsets[rows];
    if (kept == allocated)
        return 0;
    int32_t *ids = shard__realloc(context, csr->ids, allocated * sizeof(*ids), kept * sizeof(*ids));
    if (ids == NULL) {
        free_raw(context, csr, rows, allocated);
        return SHARD_ENOMEM;
    }
    csr->ids = ids;
    return 0;
}

/* Keeps the first of ids that a row has twice; last_row has a place for each id. */
static void drop_repeated(struct shard__csr *csr, int32_t rows, int32_t *last_row)
{
    uint32_t kept = 0, begin = 0;
    for (int32_t row = 0; row < rows; row++) {
        uint32_t end = csr->offsets[row + 1];
        for (uint32_t i = begin; i < end; i++) {
            int32_t id = csr->ids[i];
            if (last_row[id] == row + 1)
                continue;
            last_row[id] = row + 1;
            csr->ids[kept++] = id;
        }
        csr->offsets[row + 1] = kept;
        begin = end;
    }
}

/* The same where rows are sorted. */
static void drop_adjacent(struct shard__csr *csr, int32_t rows)
{
    uint32_t kept = 0, begin = 0;
    for (int32_t row = 0; row < rows; row++) {
        uint32_t end = csr->offsets[row + 1], first = kept;
        for (uint32_t i = begin; i < end; i++)
            if (kept == first || csr->ids[kept - 1] != csr->ids[i])
                csr->ids[kept++] = csr->ids[i];
        csr->offsets[row + 1] = kept;
        begin = end;
    }
}

int shard__csr_group(const shard_context *context, const struct shard__pair *pairs, size_t count, int32_t rows,
                     int32_t ids, struct shard__csr *ret_csr)
{
    struct shard__csr csr = {0};
    *ret_csr = csr;
    if (count == 0)
        return 0;
    int32_t *last_row = shard__zalloc(context, (size_t)ids * sizeof(*last_row));
    if (last_row == NULL)
        return SHARD_ENOMEM;
    int status = new_csr(context, rows, count, &csr);
    if (status < 0)
        goto out;
    for (size_t i = 0; i < count; i++)
        csr.offsets[pairs[i].a + 1]++;
    sum_offsets(csr.offsets, rows);
    for (size_t i = 0; i < count; i++)
        csr.ids[csr.offsets[pairs[i].a]++] = pairs[i].b;
    shift_offsets(csr.offsets, rows);
    drop_repeated(&csr, rows, last_row);
    status = fit_ids(context, &csr, rows, count);
    if (status == 0)
        *ret_csr = csr;
out:
    shard__release(context, last_row, (size_t)ids * sizeof(*last_row));
    return status;
}

/* Fills `to` with the reversed pairs of `from`. */
static void reverse_into(const struct shard__csr *from, int32_t rows, struct shard__csr *to, int32_t to_rows)
{
    memset(to->offsets, 0, ((size_t)to_rows + 1) * sizeof(*to->offsets));
    for (uint32_t i = 0; i < from->offsets[rows]; i++)
        to->offsets[from->ids[i] + 1]++;
    sum_offsets(to->offsets, to_rows);
    for (int32_t row = 0; row < rows; row++)
        for (uint32_t i = from->offsets[row]; i < from->offsets[row + 1]; i++)
            to->ids[to->offsets[from->ids[i]]++] = row;
    shift_offsets(to->offsets, to_rows);
}

int shard__csr_reverse(const shard_context *context, const struct shard__csr *csr, int32_t rows, int32_t ids,
                       struct shard__csr *ret_csr)
{
    *ret_csr = (struct shard__csr){0};
    if (csr->offsets == NULL || csr->offsets[rows] == 0)
        return 0;
    struct shard__csr reversed;
    int status = new_csr(context, ids, csr->offsets[rows], &reversed);
    if (status < 0)
        return status;
    reverse_into(csr, rows, &reversed, ids);
    *ret_csr = reversed;
    return 0;
}

/* Both lists from edges; `predecessors` and `successors` have room for all of them. */
static void fill_both(const struct shard__pair *edges, size_t count, int32_t tasks, struct shard__csr *successors,
                      struct shard__csr *predecessors)
{
    for (size_t i = 0; i < count; i++)
        predecessors->offsets[edges[i].b + 1]++;
    sum_offsets(predecessors->offsets, tasks);
    for (size_t i = 0; i < count; i++)
        predecessors->ids[predecessors->offsets[edges[i].b]++] = edges[i].a;
    shift_offsets(predecessors->offsets, tasks);
    /* Each reversal goes through its rows in order, so what it fills is sorted. */
    reverse_into(predecessors, tasks, successors, tasks);
    drop_adjacent(successors, tasks);
    reverse_into(successors, tasks, predecessors, tasks);
}

int shard__csr_edges(const shard_context *context, const struct shard__pair *edges, size_t count, int32_t tasks,
                     struct shard__csr *ret_successors, struct shard__csr *ret_predecessors)
{
    struct shard__csr successors, predecessors;
    *ret_successors = *ret_predecessors = (struct shard__csr){0};
    if (count == 0)
        return 0;
    int status = new_csr(context, tasks, count, &predecessors);
    if (status < 0)
        return status;
    status = new_csr(context, tasks, count, &successors);
    if (status < 0) {
        free_raw(context, &predecessors, tasks, count);
        return status;
    }
    fill_both(edges, count, tasks, &successors, &predecessors);
    status = fit_ids(context, &successors, tasks, count);
    if (status < 0) {
        free_raw(context, &predecessors, tasks, count);
        return status;
    }
    status = fit_ids(context, &predecessors, tasks, count);
    if (status < 0) {
        shard__csr_free(context, &successors, tasks);
        return status;
    }
    *ret_successors = successors;
    *ret_predecessors = predecessors;
    return 0;
}
