/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what events tell.
 */
#include "tally.h"

#include <math.h>
#include <stdlib.h>

#include "need.h"

void tally_init(struct tally *tally, int host_count)
{
    *tally = (struct tally){.hosts = need_zeroed((size_t)host_count, sizeof *tally->hosts), .host_count = host_count};
}

void tally_clear(struct tally *tally)
{
    free(tally->hosts);
    *tally = (struct tally){0};
}

/* What a task counts towards the whole, in seconds. Subtasks count nothing: their task does, when it is joined. */
static double weight(const struct tally *tally, const shard_workflow *workflow, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    if (shard_workflow_task(workflow, task, &info) < 0)
        return 0;
    return isnan(info.expected_seconds) ? tally->mean_seconds : info.expected_seconds;
}

void tally_begin(struct tally *tally, const shard_engine *engine, shard_run_id run, const shard_workflow *workflow)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    int known = 0;
    shard_workflow_describe(workflow, &whole);
    for (shard_task_id task = 0; task < whole.task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        shard_workflow_task(workflow, task, &info);
        known += !isnan(info.expected_seconds);
    }
    tally->mean_seconds = known > 0 && whole.total_seconds > 0 ? whole.total_seconds / known : 1;
    for (shard_task_id task = 0; task < whole.task_count; task++) {
        struct shard_task_view view = {.struct_size = sizeof view};
        double seconds = weight(tally, workflow, task);
        tally->work_seconds += seconds;
        if (shard_engine_task(engine, run, task, &view) == 0 && view.state == SHARD_TASK_DONE)
            tally->work_before += seconds;
    }
    tally->work_done_seconds = tally->work_before;
}

void tally_event(struct tally *tally, const shard_workflow *workflow, const struct shard_event *event)
{
    struct host_tally *host = event->host >= 0 && event->host < tally->host_count ? &tally->hosts[event->host] : NULL;
    if (event->kind == SHARD_EVENT_TASK_DONE && workflow != NULL)
        tally->work_done_seconds += weight(tally, workflow, event->task);
    tally->adopted += event->kind == SHARD_EVENT_ATTEMPT_ADOPTED;
    if (host == NULL)
        return;
    if (event->kind == SHARD_EVENT_ATTEMPT_STARTED || event->kind == SHARD_EVENT_ATTEMPT_ADOPTED) {
        host->attempts++;
        host->running++;
    } else if (event->kind == SHARD_EVENT_ATTEMPT_ENDED) {
        host->running -= host->running > 0;
        host->ended[event->outcome]++;
        host->busy_seconds += event->seconds > 0 ? event->seconds : 0;
    }
}

double tally_seconds_left(const struct tally *tally, double elapsed)
{
    double done = tally->work_done_seconds - tally->work_before;
    if (done <= 0 || elapsed <= 0)
        return NAN;
    double left = (tally->work_seconds - tally->work_done_seconds) * elapsed / done;
    return left > 0 ? left : 0;
}

int tally_busy_hosts(const struct tally *tally)
{
    int busy = 0;
    for (int i = 0; i < tally->host_count; i++)
        busy += tally->hosts[i].running > 0;
    return busy;
}
