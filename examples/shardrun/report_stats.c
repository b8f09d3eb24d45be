/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the attempts of a run add up to.
 */
#include "report_stats.h"

#include <math.h>
#include <stdlib.h>

#include "levels.h"

static int by_begin(const void *left, const void *right)
{
    const struct report_attempt *a = *(const struct report_attempt *const *)left;
    const struct report_attempt *b = *(const struct report_attempt *const *)right;
    if (a->begin_ns != b->begin_ns)
        return a->begin_ns < b->begin_ns ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Ends of what is under way, on one host or on all. A free lane is one whose end is not after a beginning. */
struct lanes {
    int64_t *ends;
    int count;
    int capacity;
};

static int take_lane(struct lanes *lanes, int64_t begin_ns, int64_t end_ns)
{
    int lane = 0;
    while (lane < lanes->count && lanes->ends[lane] > begin_ns)
        lane++;
    if (lane == lanes->capacity) {
        lanes->capacity = lanes->capacity < 8 ? 8 : lanes->capacity * 2;
        lanes->ends = need_resized(lanes->ends, (size_t)lanes->capacity, sizeof *lanes->ends);
    }
    lanes->count += lane == lanes->count;
    lanes->ends[lane] = end_ns;
    return lane;
}

static int by_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static int most_at_a_time(const struct report *report)
{
    size_t count = (size_t)report->attempt_count;
    int64_t *begins = need_zeroed(count, sizeof *begins), *ends = need_zeroed(count, sizeof *ends);
    int most = 0;
    for (size_t i = 0; i < count; i++) {
        begins[i] = report->attempts[i].begin_ns;
        ends[i] = report->attempts[i].end_ns;
    }
    qsort(begins, count, sizeof *begins, by_time);
    qsort(ends, count, sizeof *ends, by_time);
    for (size_t i = 0, ended = 0; i < count; i++) {
        while (ended < count && ends[ended] <= begins[i])
            ended++;
        most = (int)(i + 1 - ended) > most ? (int)(i + 1 - ended) : most;
    }
    free(begins);
    free(ends);
    return most;
}

static void give_lanes(struct report *report)
{
    size_t count = (size_t)report->attempt_count;
    struct report_attempt **sorted = need_zeroed(count, sizeof *sorted);
    struct lanes *lanes = need_zeroed((size_t)report->host_count, sizeof *lanes);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &report->attempts[i];
    qsort(sorted, count, sizeof *sorted, by_begin);
    for (size_t i = 0; i < count; i++) {
        struct report_attempt *attempt = sorted[i];
        if (attempt->host >= 0)
            attempt->lane = take_lane(&lanes[attempt->host], attempt->begin_ns, attempt->end_ns);
    }
    for (int i = 0; i < report->host_count; i++) {
        report->hosts[i].lanes = lanes[i].count;
        free(lanes[i].ends);
    }
    free(lanes);
    free(sorted);
    report->most_at_a_time = most_at_a_time(report);
}

static void count_attempts(struct report *report)
{
    for (int i = 0; i < report->attempt_count; i++) {
        const struct report_attempt *attempt = &report->attempts[i];
        struct report_kind *kind = &report->kinds[attempt->kind];
        bool failed = report_is_failure(attempt->outcome);
        double seconds = report_seconds(attempt);
        kind->attempts++;
        kind->failures += failed;
        kind->busy_seconds += seconds;
        report->failures += failed;
        report->lost_seconds += failed ? seconds : 0;
        report->busy_seconds += attempt->outcome == SHARD_OUTCOME_DONE ? seconds : 0;
        if (attempt->host < 0)
            continue;
        struct report_host *host = &report->hosts[attempt->host];
        host->attempts++;
        host->failures += failed;
        host->ended[attempt->outcome]++;
        host->busy_seconds += seconds;
    }
    for (int32_t task = 0; task < report->task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        if (shard_workflow_task(report->image->workflow, report->origin[task], &info) == 0)
            report->kinds[info.kind_id].tasks++;
    }
}

static int by_kind_and_seconds(const void *left, const void *right)
{
    const struct report_attempt *a = *(const struct report_attempt *const *)left;
    const struct report_attempt *b = *(const struct report_attempt *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    double x = report_seconds(a), y = report_seconds(b);
    return x < y ? -1 : x > y;
}

static void read_quantiles(struct report *report)
{
    const struct report_attempt **sorted = need_zeroed((size_t)report->attempt_count, sizeof *sorted);
    int count = 0;
    for (int i = 0; i < report->kind_count; i++)
        report->kinds[i].median_seconds = report->kinds[i].p95_seconds = report->kinds[i].longest_seconds = NAN;
    for (int i = 0; i < report->attempt_count; i++) {
        if (report->attempts[i].outcome == SHARD_OUTCOME_DONE)
            sorted[count++] = &report->attempts[i];
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_kind_and_seconds);
    for (int begin = 0, end; begin < count; begin = end) {
        struct report_kind *kind = &report->kinds[sorted[begin]->kind];
        for (end = begin; end < count && sorted[end]->kind == sorted[begin]->kind;)
            end++;
        kind->median_seconds = report_seconds(sorted[begin + (end - begin - 1) / 2]);
        kind->p95_seconds = report_seconds(sorted[begin + (int)ceil(0.95 * (end - begin)) - 1]);
        kind->longest_seconds = report_seconds(sorted[end - 1]);
    }
    free(sorted);
}

/* What a task took when it ended well: of one that was split, its longest subtask and its merge step. */
static double *measured_seconds(const struct report *report)
{
    double *seconds = need_zeroed((size_t)report->task_count, sizeof *seconds);
    double *parts = need_zeroed((size_t)report->task_count, sizeof *parts);
    for (int32_t task = report->task_count - 1; task >= 0; task--) {
        int32_t last = report->last_attempt[task], parent = report->parent[task];
        bool done = last >= 0 && report->attempts[last].outcome == SHARD_OUTCOME_DONE;
        seconds[task] = parts[task] + (done ? report_seconds(&report->attempts[last]) : 0);
        if (parent >= 0 && seconds[task] > parts[parent])
            parts[parent] = seconds[task];
    }
    free(parts);
    return seconds;
}

static double longest_path(const struct report *report)
{
    double *seconds = measured_seconds(report), longest = 0;
    int *level;
    shard_task_id *order;
    task_levels(report->image->workflow, &level, &order);
    double *before = need_zeroed((size_t)report->whole.task_count, sizeof *before);
    for (int32_t i = 0; i < report->whole.task_count; i++) {
        struct task_ids successors = task_successors(report->image->workflow, order[i]);
        double end = before[order[i]] + seconds[order[i]];
        longest = end > longest ? end : longest;
        for (int32_t s = 0; s < successors.count; s++) {
            if (end > before[successors.items[s]])
                before[successors.items[s]] = end;
        }
        free(successors.items);
    }
    free(seconds);
    free(before);
    free(level);
    free(order);
    return longest;
}

double report_least_seconds(const struct report *report)
{
    double spread = report->most_at_a_time > 0 ? report->busy_seconds / report->most_at_a_time : 0;
    return spread > report->longest_seconds ? spread : report->longest_seconds;
}

void report_add_up(struct report *report)
{
    report->kinds = need_zeroed((size_t)report->kind_count, sizeof *report->kinds);
    give_lanes(report);
    count_attempts(report);
    read_quantiles(report);
    report->longest_seconds = longest_path(report);
}
