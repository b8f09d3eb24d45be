/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a graph, and what follows from it: ranks and the critical path. No recursion, however long the chain. */

#include <math.h>

#include "base/error.h"

#include "graph.h"

/* Whether each task was added after its predecessors: then ids are in order as they are. */
static int ids_are_in_order(const struct shard__csr *predecessors, int32_t tasks)
{
    for (int32_t task = 0; task < tasks; task++) {
        int32_t count = shard__csr_count(predecessors, task);
        /* Rows are sorted. */
        if (count > 0 && shard__csr_row(predecessors, task)[count - 1] > task)
            return 0;
    }
    return 1;
}

int32_t shard__topological_order(const struct shard__csr *successors, const struct shard__csr *predecessors,
                                 int32_t tasks, int32_t *order, int32_t *waiting)
{
    int32_t ordered = 0;
    if (ids_are_in_order(predecessors, tasks)) {
        for (int32_t task = 0; task < tasks; task++)
            order[task] = task;
        return tasks;
    }
    for (int32_t task = 0; task < tasks; task++) {
        waiting[task] = shard__csr_count(predecessors, task);
        if (waiting[task] == 0)
            order[ordered++] = task;
    }
    if (successors->offsets == NULL)
        return ordered;
    /* `order` is its own queue. */
    for (int32_t next = 0; next < ordered; next++) {
        int32_t task = order[next];
        for (uint32_t i = successors->offsets[task]; i < successors->offsets[task + 1]; i++)
            if (--waiting[successors->ids[i]] == 0)
                order[ordered++] = successors->ids[i];
    }
    return ordered;
}

int shard__order(const shard_context *context, const struct shard__csr *successors,
                 const struct shard__csr *predecessors, const struct shard__names *names, int32_t tasks,
                 int32_t **ret_order)
{
    size_t bytes = (size_t)tasks * sizeof(int32_t);
    *ret_order = NULL;
    if (tasks == 0)
        return 0;
    int32_t *order = shard__realloc(context, NULL, 0, bytes);
    int32_t *waiting = shard__realloc(context, NULL, 0, bytes);
    int status = order == NULL || waiting == NULL ? SHARD_ENOMEM : 0;
    if (status == 0 && shard__topological_order(successors, predecessors, tasks, order, waiting) < tasks)
        status = shard__report_cycle(context, successors, predecessors, names, tasks, waiting);
    if (status == 0) {
        *ret_order = order;
        order = NULL;
    }
    shard__release(context, order, bytes);
    shard__release(context, waiting, bytes);
    return status;
}

/* Seconds from the start of each task to the end of the workflow; a task that is not known takes `unknown_seconds`. */
static double longest_paths(const struct shard_workflow *workflow, const float *expected_seconds, const int32_t *order,
                            double unknown_seconds, double *ret_paths)
{
    const struct shard__csr *successors = &workflow->successors;
    double longest = 0;
    for (int32_t i = workflow->task_count; i-- > 0;) {
        int32_t task = order[i];
        const int32_t *row = shard__csr_row(successors, task);
        double after = 0;
        for (int32_t k = 0; k < shard__csr_count(successors, task); k++)
            if (ret_paths[row[k]] > after)
                after = ret_paths[row[k]];
        float seconds = expected_seconds[task];
        ret_paths[task] = after + (isnan(seconds) ? unknown_seconds : (double)seconds);
        if (ret_paths[task] > longest)
            longest = ret_paths[task];
    }
    return longest;
}

/* What a task that is not known counts as. */
static double mean_seconds(const float *expected_seconds, size_t count, int32_t *ret_known, double *ret_total)
{
    int32_t known = 0;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(expected_seconds[i]))
            continue;
        known++;
        total += (double)expected_seconds[i];
    }
    *ret_known = known;
    *ret_total = total;
    return known == 0 ? 1 : total / known;
}

int shard__rank(struct shard_workflow *workflow, const float *expected_seconds, const int32_t *order)
{
    const shard_context *context = workflow->context;
    size_t count = (size_t)workflow->task_count;
    int32_t known = 0;
    double total = 0;
    if (count == 0)
        return 0;
    double mean = mean_seconds(expected_seconds, count, &known, &total);
    /* Sums are in double: in float a long chain of short tasks would lose its order. */
    double *paths = shard__realloc(context, NULL, 0, count * sizeof(*paths));
    workflow->rank_seconds = shard__realloc(context, NULL, 0, count * sizeof(*workflow->rank_seconds));
    int status = paths == NULL || workflow->rank_seconds == NULL ? SHARD_ENOMEM : 0;
    if (status == 0) {
        workflow->total_seconds = total;
        workflow->critical_path_seconds = longest_paths(workflow, expected_seconds, order, mean, paths);
        for (size_t i = 0; i < count; i++)
            workflow->rank_seconds[i] = (float)paths[i];
        if (known < workflow->task_count)
            workflow->critical_path_seconds = longest_paths(workflow, expected_seconds, order, 0, paths);
    }
    shard__release(context, paths, count * sizeof(*paths));
    return status;
}

int shard__rank_anew(const struct shard_workflow *workflow, const float *expected_seconds, float *ret_rank_seconds)
{
    const shard_context *context = workflow->context;
    size_t count = (size_t)workflow->task_count;
    int32_t known, *order = NULL;
    double total;
    int status = shard__order(context, &workflow->successors, &workflow->predecessors, &workflow->task_names,
                              workflow->task_count, &order);
    double *paths = status < 0 ? NULL : shard__realloc(context, NULL, 0, count * sizeof(*paths));
    if (paths != NULL) {
        longest_paths(workflow, expected_seconds, order, mean_seconds(expected_seconds, count, &known, &total), paths);
        for (size_t i = 0; i < count; i++)
            ret_rank_seconds[i] = (float)paths[i];
    }
    status = paths == NULL ? SHARD_ENOMEM : 0;
    shard__release(context, paths, count * sizeof(*paths));
    shard__release(context, order, count * sizeof(*order));
    return status;
}
