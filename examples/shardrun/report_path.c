/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path that decided when a run ended: backwards from the attempt that ended last, each time to what was done last
 * of all that the task had waited for.
 */
#include <stdlib.h>

#include "levels.h"
#include "report_data.h"

/* When a task was done, or -1: for one that was split, when the last of its subtasks was, or its merge step. */
static int64_t done_ns(const struct report *report, shard_task_id task, const int32_t *last_part)
{
    int32_t last = report->last_attempt[task];
    if (last >= 0)
        return report->attempts[last].end_ns;
    return last_part[task] >= 0 ? done_ns(report, last_part[task], last_part) : -1;
}

/* The subtask of each task that ended last; -1. */
static int32_t *last_parts(const struct report *report)
{
    int32_t *last_part = need_zeroed((size_t)report->task_count, sizeof *last_part);
    for (int32_t task = 0; task < report->task_count; task++)
        last_part[task] = -1;
    for (int32_t task = report->task_count - 1; task >= 0; task--) {
        int32_t parent = report->parent[task];
        if (parent >= 0 &&
            (last_part[parent] < 0 || done_ns(report, task, last_part) > done_ns(report, last_part[parent], last_part)))
            last_part[parent] = task;
    }
    return last_part;
}

/* What a task waited for longest, of those that have an attempt; -1: nothing. */
static shard_task_id latest_before(const struct report *report, shard_task_id task, const int32_t *last_part)
{
    shard_task_id latest = -1;
    if (last_part[task] >= 0)
        return last_part[task];
    struct task_ids before = task_predecessors(report->image->workflow, report->origin[task]);
    for (int32_t i = 0; i < before.count; i++) {
        int64_t end = done_ns(report, before.items[i], last_part);
        if (end >= 0 && (latest < 0 || end > done_ns(report, latest, last_part)))
            latest = before.items[i];
    }
    free(before.items);
    while (latest >= 0 && report->last_attempt[latest] < 0)
        latest = last_part[latest];
    return latest;
}

static shard_task_id last_to_end(const struct report *report)
{
    int last = -1;
    for (int i = 0; i < report->attempt_count; i++) {
        if (last < 0 || report->attempts[i].end_ns >= report->attempts[last].end_ns)
            last = i;
    }
    return last >= 0 ? report->attempts[last].task : -1;
}

struct report_step *report_path(const struct report *report, int *ret_count)
{
    struct report_step *steps = NULL;
    int32_t *last_part = last_parts(report);
    int count = 0;
    for (shard_task_id task = last_to_end(report); task >= 0 && count <= report->task_count;) {
        shard_task_id before = latest_before(report, task, last_part);
        steps = need_resized(steps, (size_t)count + 1, sizeof *steps);
        steps[count++] = (struct report_step){
            task, before >= 0 ? report->attempts[report->last_attempt[before]].end_ns : report->begin_ns,
            report->last_attempt[task]};
        task = before;
    }
    for (int i = 0; i < count / 2; i++) {
        struct report_step step = steps[i];
        steps[i] = steps[count - 1 - i];
        steps[count - 1 - i] = step;
    }
    free(last_part);
    *ret_count = count;
    return steps;
}
