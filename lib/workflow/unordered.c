/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads that a recorded workflow's edges do not put after the write. The record shows that the task ran without waiting
 * for that producer (it read an older file of that name), so the read cannot be waited for: it is left out, and said.
 */

#include <string.h>

#include "base/context.h"
#include "base/error.h"

#include "graph.h"

/* Edges looked at in all, so that a hostile file cannot make this quadratic; a read that is not settled then is left
   out. Real files, whose reads are along edges, need none. */
enum { MAX_STEPS = 1 << 26 };

struct search {
    const struct shard__csr *successors;
    int32_t *reached; /* task + 1 of the search that reached it */
    int32_t *queue;
    int64_t steps;
};

static int has_id(const struct shard__csr *csr, int32_t row, int32_t id)
{
    const int32_t *ids = shard__csr_row(csr, row);
    int32_t low = 0, high = shard__csr_count(csr, row);
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < shard__csr_count(csr, row) && ids[low] == id;
}

/* Marks all descendants of a task. */
static void search_from(struct search *search, int32_t start)
{
    int32_t count = 0;
    search->queue[count++] = start;
    for (int32_t next = 0; next < count && search->steps < MAX_STEPS; next++) {
        const int32_t *row = shard__csr_row(search->successors, search->queue[next]);
        int32_t degree = shard__csr_count(search->successors, search->queue[next]);
        search->steps += degree;
        for (int32_t i = 0; i < degree; i++) {
            if (search->reached[row[i]] == start + 1)
                continue;
            search->reached[row[i]] = start + 1;
            search->queue[count++] = row[i];
        }
    }
}

/* Whether `task` is a descendant of `producer`; searches once for all that a producer writes. */
static int comes_after(struct search *search, int32_t producer, int32_t task, int32_t *searched)
{
    if (has_id(search->successors, producer, task))
        return 1;
    if (*searched != producer) {
        search_from(search, producer);
        *searched = producer;
    }
    return search->reached[task] == producer + 1;
}

/* Sets drop[i] for each i of inputs->ids that is to be left out. */
static size_t find_unordered(const shard_builder *builder, struct search *search, const struct shard__csr *outputs,
                             const struct shard__csr *inputs, const struct shard__csr *consumers, char *drop)
{
    size_t dropped = 0;
    int32_t searched = -1;
    for (int32_t producer = 0; producer < builder->tasks.count; producer++) {
        for (int32_t i = 0; i < shard__csr_count(outputs, producer); i++) {
            int32_t data = shard__csr_row(outputs, producer)[i];
            for (int32_t k = 0; k < shard__csr_count(consumers, data); k++) {
                int32_t task = shard__csr_row(consumers, data)[k];
                if (comes_after(search, producer, task, &searched))
                    continue;
                uint32_t at = inputs->offsets[task];
                while (inputs->ids[at] != data)
                    at++;
                drop[at] = 1;
                if (dropped++ == 0)
                    shard__log(builder->context, SHARD_LOG_WARNING, "input-left-out",
                               "workflow '%s': task '%s' reads '%s', but no edges put it after its producer '%s'",
                               builder->name, shard__names_at(&builder->tasks.names, task),
                               shard__names_at(&builder->data.names, data),
                               shard__names_at(&builder->tasks.names, producer));
            }
        }
    }
    return dropped;
}

/* Takes the marked ids out of a csr; there is still at least room for what stays. */
static int compact(const shard_context *context, struct shard__csr *csr, int32_t rows, const char *drop)
{
    uint32_t kept = 0, begin = 0, all = csr->offsets[rows];
    int32_t *ids = csr->ids;
    for (int32_t row = 0; row < rows; row++) {
        uint32_t end = csr->offsets[row + 1];
        for (uint32_t i = begin; i < end; i++)
            if (!drop[i])
                ids[kept++] = ids[i];
        csr->offsets[row + 1] = kept;
        begin = end;
    }
    if (kept == 0) {
        csr->offsets[rows] = all;
        shard__csr_free(context, csr, rows);
        return 0;
    }
    ids = shard__realloc(context, csr->ids, all * sizeof(*ids), kept * sizeof(*ids));
    if (ids == NULL) {
        csr->offsets[rows] = all;
        return SHARD_ENOMEM;
    }
    csr->ids = ids;
    return 0;
}

int shard__drop_unordered_inputs(const shard_builder *builder, const struct shard__csr *successors,
                                 const struct shard__csr *outputs, struct shard__csr *inputs)
{
    const shard_context *context = builder->context;
    int32_t tasks = builder->tasks.count;
    size_t bytes = (size_t)tasks * sizeof(int32_t);
    if (inputs->offsets == NULL || outputs->offsets == NULL)
        return 0;
    size_t input_count = inputs->offsets[tasks];
    struct shard__csr consumers;
    int status = shard__csr_reverse(context, inputs, tasks, builder->data.count, &consumers);
    if (status < 0)
        return status;
    struct search search = {.successors = successors};
    char *drop = shard__zalloc(context, input_count);
    search.reached = shard__zalloc(context, bytes);
    search.queue = shard__realloc(context, NULL, 0, bytes);
    if (drop == NULL || search.reached == NULL || search.queue == NULL)
        status = SHARD_ENOMEM;
    else if (find_unordered(builder, &search, outputs, inputs, &consumers, drop) > 0)
        status = compact(context, inputs, tasks, drop);
    shard__csr_free(context, &consumers, builder->data.count);
    shard__release(context, drop, input_count);
    shard__release(context, search.reached, bytes);
    shard__release(context, search.queue, bytes);
    return status;
}
