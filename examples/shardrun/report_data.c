/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts and tasks out of a run's records. What they add up to is in report_stats.c.
 */
#include "report_data.h"

#include <stdlib.h>
#include <string.h>

#include "report_stats.h"

bool report_is_failure(int outcome)
{
    return outcome != SHARD_OUTCOME_NONE && outcome != SHARD_OUTCOME_DONE && outcome != SHARD_OUTCOME_CANCELLED;
}

double report_seconds(const struct report_attempt *attempt)
{
    return attempt->end_ns > attempt->begin_ns ? (double)(attempt->end_ns - attempt->begin_ns) / 1e9 : 0;
}

double report_makespan(const struct report *report)
{
    return report->end_ns > report->begin_ns ? (double)(report->end_ns - report->begin_ns) / 1e9 : 0;
}

const char *report_host_name(const struct report *report, int32_t host)
{
    return host >= 0 && host < report->host_count ? report->hosts[host].name : "no host";
}

char *report_task_name(const struct report *report, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    if (shard_workflow_task(report->image->workflow, task, &info) == 0)
        return need_copy(info.name);
    if (task < 0 || task >= report->task_count || report->parent[task] < 0)
        return need_printf("task %d", task);
    char *parent = report_task_name(report, report->parent[task]);
    char *name = need_printf("%s/%d", parent, report->index[task]);
    free(parent);
    return name;
}

/* Tasks with ids up to the largest that a row or a record names. */
static void read_tasks(struct report *report)
{
    const struct shard_run_image *image = report->image;
    report->task_count = report->whole.task_count;
    for (int32_t i = 0; i < image->row_count; i++) {
        if (image->rows[i].task >= report->task_count)
            report->task_count = image->rows[i].task + 1;
    }
    size_t count = (size_t)report->task_count;
    int32_t *children = need_zeroed(count, sizeof *children);
    report->parent = need_zeroed(count, sizeof *report->parent);
    report->index = need_zeroed(count, sizeof *report->index);
    report->origin = need_zeroed(count, sizeof *report->origin);
    report->last_attempt = need_zeroed(count, sizeof *report->last_attempt);
    for (int32_t task = 0; task < report->task_count; task++) {
        report->parent[task] = -1;
        report->origin[task] = task < report->whole.task_count ? task : 0;
        report->last_attempt[task] = -1;
    }
    for (int32_t i = 0; i < image->row_count; i++) {
        const struct shard_task_row *row = &image->rows[i];
        if (row->task < report->whole.task_count || row->parent < 0 || row->parent >= row->task)
            continue;
        report->parent[row->task] = row->parent;
        report->index[row->task] = children[row->parent]++;
        report->origin[row->task] = report->origin[row->parent];
    }
    free(children);
}

static int32_t kind_of(const struct report *report, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    return shard_workflow_task(report->image->workflow, report->origin[task], &info) == 0 ? info.kind_id : 0;
}

static struct report_attempt *begin_attempt(struct report *report, const struct shard_record *record)
{
    int count = report->attempt_count;
    /* The room doubles whenever it is full. */
    if (report->attempts == NULL || (count & (count - 1)) == 0)
        report->attempts = need_resized(report->attempts, count == 0 ? 1 : 2 * (size_t)count, sizeof *report->attempts);
    struct report_attempt *attempt = &report->attempts[report->attempt_count];
    *attempt =
        (struct report_attempt){.task = record->task,
                                .host = record->host >= 0 && record->host < report->host_count ? record->host : -1,
                                .number = record->attempt,
                                .kind = kind_of(report, record->task),
                                .previous = report->last_attempt[record->task],
                                .begin_ns = record->time_ns,
                                .end_ns = record->time_ns,
                                .record = -1};
    report->last_attempt[record->task] = report->attempt_count++;
    return attempt;
}

static void end_attempt(struct report *report, int64_t index)
{
    const struct shard_record *record = &report->image->records[index];
    int32_t last = report->last_attempt[record->task];
    struct report_attempt *attempt = last >= 0 ? &report->attempts[last] : NULL;
    if (attempt == NULL || attempt->record >= 0) {
        /* It ended before it ran: its inputs could not be brought. */
        attempt = begin_attempt(report, record);
        attempt->begin_ns -= record->seconds > 0 ? (int64_t)((double)record->seconds * 1e9) : 0;
    }
    attempt->end_ns = record->time_ns > attempt->begin_ns ? record->time_ns : attempt->begin_ns;
    attempt->outcome = record->outcome;
    attempt->record = index;
}

static void read_attempts(struct report *report)
{
    const struct shard_run_image *image = report->image;
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        report->end_ns = record->time_ns > report->end_ns ? record->time_ns : report->end_ns;
        if (record->type != SHARD_RECORD_TASK || record->task < 0 || record->task >= report->task_count)
            continue;
        if (record->outcome != SHARD_OUTCOME_NONE && record->outcome < SHARD_OUTCOME_COUNT)
            end_attempt(report, i);
        else if (record->to == SHARD_TASK_RUNNING)
            begin_attempt(report, record);
    }
    for (int i = 0; i < report->attempt_count; i++) {
        if (report->attempts[i].record < 0)
            report->attempts[i].end_ns = report->end_ns;
    }
}

static void read_hosts(struct report *report, const struct host_list *hosts)
{
    report->host_count = report->image->host_count;
    report->hosts = need_zeroed((size_t)report->host_count, sizeof *report->hosts);
    for (int i = 0; i < report->host_count; i++) {
        const char *name = report->image->hosts[i];
        int plan = hosts != NULL && name != NULL ? host_list_find(hosts, name) : -1;
        report->hosts[i].name = name != NULL ? name : "?";
        report->hosts[i].plan = plan >= 0 ? &hosts->items[plan] : NULL;
    }
}

void report_read(const struct shard_run_image *image, const struct host_list *hosts, struct report *ret_report)
{
    struct report report = {.image = image, .whole = {.struct_size = sizeof report.whole}};
    shard_workflow_describe(image->workflow, &report.whole);
    run_counts_read(image, &report.counts);
    report.palette = palette_read(image->workflow, &report.kind_count);
    report.begin_ns = image->created_ns;
    report.end_ns = report.counts.last_ns > report.begin_ns ? report.counts.last_ns : report.begin_ns;
    read_hosts(&report, hosts);
    read_tasks(&report);
    read_attempts(&report);
    report_add_up(&report);
    *ret_report = report;
}

void report_clear(struct report *report)
{
    free(report->palette);
    free(report->kinds);
    free(report->hosts);
    free(report->attempts);
    free(report->parent);
    free(report->index);
    free(report->origin);
    free(report->last_attempt);
    *report = (struct report){0};
}
