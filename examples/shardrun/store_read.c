/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads runs out of a store without an engine.
 */
#include "store_read.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
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

void run_counts_read(const struct shard_run_image *image, struct run_counts *ret_counts)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    struct run_counts counts = {0};
    int with_row = 0;
    shard_workflow_describe(image->workflow, &whole);
    for (int32_t i = 0; i < image->row_count; i++) {
        const struct shard_task_row *row = &image->rows[i];
        with_row += row->task < whole.task_count;
        counts.tasks += row->task >= whole.task_count;
        counts.by_state[row->state]++;
        counts.attempts += row->attempt;
        counts.last_ns = row->time_ns > counts.last_ns ? row->time_ns : counts.last_ns;
        for (int outcome = 0; outcome < SHARD_OUTCOME_COUNT; outcome++)
            counts.failures[outcome] += row->failures[outcome];
    }
    counts.tasks += whole.task_count;
    counts.by_state[SHARD_TASK_BLOCKED] += whole.task_count - with_row;
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
