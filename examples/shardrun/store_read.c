/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads runs out of a store without an engine.
 */
#include "store_read.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "need.h"

int store_read_run(const struct shard_store_handle *store, shard_context *context, const char *run,
                   enum shard_load_flags flags, struct shard_run_image **ret_image, char **ret_problem)
{
    struct shard_answer answer = {.struct_size = sizeof answer};
    shard_sink *sink = NULL;
    int status = shard_sink_new(context, &sink);
    if (status == 0)
        status = store->port->load(store->self, sink, 1, run, flags);
    if (status == 0) {
        status = shard_store_wait(store, sink, -1, &answer);
        status = status == 1 ? answer.status : status;
    }
    shard_sink_free(sink);
    if (status < 0) {
        *ret_problem = answer.message[0] != '\0' ? need_copy(answer.message)
                                                 : need_printf("run '%s': %s", run, shard_code_text(status));
        return status;
    }
    *ret_image = answer.image;
    return 0;
}

/* A task of the workflow that has no row has not run yet: it is ready, or a predecessor is not done. */
static void count_without_row(const struct shard_run_image *image, int32_t task_count, int *by_state)
{
    const struct shard_task_row *row = image->rows, *end = image->rows + image->row_count;
    bool *done = need_zeroed((size_t)task_count, sizeof *done),
         *has_row = need_zeroed((size_t)task_count, sizeof *done);
    for (; row < end && row->task < task_count; row++) {
        has_row[row->task] = true;
        done[row->task] = row->state == SHARD_TASK_DONE;
    }
    for (shard_task_id task = 0; task < task_count; task++) {
        if (has_row[task])
            continue;
        int32_t count = shard_workflow_predecessors(image->workflow, task, NULL, 0), missing = 0;
        shard_task_id *before = need_zeroed((size_t)count, sizeof *before);
        shard_workflow_predecessors(image->workflow, task, before, count);
        for (int32_t i = 0; i < count; i++)
            missing += !done[before[i]];
        free(before);
        by_state[missing > 0 ? SHARD_TASK_BLOCKED : SHARD_TASK_READY]++;
    }
    free(has_row);
    free(done);
}

void run_counts_read(const struct shard_run_image *image, struct run_counts *ret_counts)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    struct run_counts counts = {0};
    shard_workflow_describe(image->workflow, &whole);
    for (int32_t i = 0; i < image->row_count; i++) {
        const struct shard_task_row *row = &image->rows[i];
        counts.tasks += row->task >= whole.task_count;
        counts.by_state[row->state]++;
        counts.attempts += row->attempt - row->failures[SHARD_OUTCOME_NONE];
        counts.last_ns = row->time_ns > counts.last_ns ? row->time_ns : counts.last_ns;
        for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++)
            counts.failures[outcome] += row->failures[outcome];
    }
    counts.tasks += whole.task_count;
    count_without_row(image, whole.task_count, counts.by_state);
    *ret_counts = counts;
}

int owner_is_alive(const char *owner)
{
    char host[HOST_NAME_MAX + 1] = "";
    const char *colon = strrchr(owner, ':');
    if (colon == NULL || gethostname(host, sizeof host - 1) < 0 || strlen(host) != (size_t)(colon - owner) ||
        strncmp(owner, host, strlen(host)) != 0)
        return -1;
    long pid = strtol(colon + 1, NULL, 10);
    if (pid <= 0)
        return -1;
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}
