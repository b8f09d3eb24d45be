/* SPDX-License-Identifier: Apache-2.0 */
/* What few tasks have, and what is asked of a task whether it has that or not. */

#include "run.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

struct shard__extra *shard__run_extra(const struct shard__run *run, int32_t task)
{
    if (!run->tasks[task].has_extra)
        return NULL;
    return &run->extras[shard__intmap_find(&run->extra_of, (uint64_t)task)];
}

struct shard__extra *shard__run_make_extra(struct shard__run *run, int32_t task)
{
    struct shard__extra *extra = shard__run_extra(run, task);
    if (extra != NULL)
        return extra;
    if (shard__grow(run->context, &run->extras, &run->extra_capacity, (size_t)run->extra_count + 1,
                    sizeof(*run->extras)) < 0 ||
        shard__intmap_set(run->context, &run->extra_of, (uint64_t)task, run->extra_count) < 0)
        return NULL;
    extra = &run->extras[run->extra_count++];
    *extra = (struct shard__extra){
        .parent = -1, .origin = task, .count = 1, .first_subtask = -1, .wanted_host = -1, .amended = -1};
    if (task < run->workflow->task_count)
        extra->unit_end = shard__workflow_units(run->workflow, task);
    run->tasks[task].has_extra = 1;
    return extra;
}

int32_t shard__run_origin(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    return extra == NULL ? task : extra->origin;
}

struct shard__need shard__run_told(const struct shard__run *run, int32_t task)
{
    const struct shard__amended *amended = shard__run_amended(run, task);
    const struct shard__profile *profile = shard__workflow_profile(run->workflow, shard__run_origin(run, task));
    return amended != NULL ? amended->need
                           : (struct shard__need){profile->cpu_millicores, profile->memory_bytes, profile->disk_bytes};
}

struct shard__need shard__run_need(const struct shard__run *run, int32_t task)
{
    struct shard__need need = shard__run_told(run, task);
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (extra != NULL && extra->memory_bytes > 0)
        need.memory_bytes = extra->memory_bytes;
    if (extra != NULL && extra->disk_bytes > 0)
        need.disk_bytes = extra->disk_bytes;
    return need;
}

void shard__run_units(const struct shard__run *run, int32_t task, int64_t *ret_begin, int64_t *ret_end)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    *ret_begin = extra == NULL ? 0 : extra->unit_begin;
    *ret_end = extra == NULL ? shard__workflow_units(run->workflow, task) : extra->unit_end;
}

int shard__run_check_depth(const struct shard__run *run, int32_t task)
{
    int32_t levels = 0;
    for (const struct shard__extra *extra = shard__run_extra(run, task); extra != NULL && extra->parent >= 0;
         extra = shard__run_extra(run, extra->parent))
        levels++;
    if (levels >= SHARD__MOST_LEVELS)
        return shard__fail_task(SHARD_ELIMIT, task, "it is %d splits and second attempts deep, expected at most %d",
                                levels, SHARD__MOST_LEVELS - 1);
    return 0;
}

int shard__run_task_name(const struct shard__run *run, int32_t task, char *ret_name, size_t capacity)
{
    if (task < run->workflow->task_count)
        return snprintf(ret_name, capacity, "%s", shard__workflow_task_name(run->workflow, task));
    /* A subtask's name is its ancestors' indices behind the name of the task that was split first. */
    int32_t indices[64];
    int depth = 0;
    while (task >= run->workflow->task_count && depth < 64) {
        const struct shard__extra *extra = shard__run_extra(run, task);
        if (extra == NULL)
            break; /* every subtask has one */
        indices[depth++] = extra->index;
        task = extra->parent;
    }
    int length = snprintf(ret_name, capacity, "%s", shard__workflow_task_name(run->workflow, task));
    while (depth > 0) {
        size_t at = (size_t)length < capacity ? (size_t)length : capacity;
        length += snprintf(ret_name + at, capacity - at, "/%d", indices[--depth]);
    }
    return length;
}

/* ---- what a view asks ---- */

static int32_t count(const void *self)
{
    const struct shard__run *run = self;
    return run->task_count;
}

static double rank_seconds(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    const float *ranks = run->rank_seconds != NULL ? run->rank_seconds : run->workflow->rank_seconds;
    return (double)ranks[shard__run_origin(run, task)];
}

static void describe(const void *self, int32_t task, struct shard_task_view *ret_task)
{
    const struct shard__run *run = self;
    const struct shard__task *hot = &run->tasks[task];
    const struct shard__extra *extra = shard__run_extra(run, task);
    ret_task->info.struct_size = sizeof(ret_task->info);
    shard_workflow_task(run->workflow, shard__run_origin(run, task), &ret_task->info);
    const struct shard__amended *amended = shard__run_amended(run, task);
    if (amended != NULL) {
        ret_task->info.cpu_millicores = amended->need.cpu_millicores;
        ret_task->info.memory_bytes = amended->need.memory_bytes;
        ret_task->info.disk_bytes = amended->need.disk_bytes;
        ret_task->info.expected_seconds = amended->expected_seconds;
        ret_task->info.failure_cost_seconds = amended->failure_cost_seconds;
    }
    ret_task->info.rank_seconds = rank_seconds(run, task);
    ret_task->state = (enum shard_task_state)hot->state;
    ret_task->host = hot->host;
    ret_task->attempt = (int32_t)hot->attempt;
    struct shard__need asked = shard__run_need(run, task);
    ret_task->memory_bytes = asked.memory_bytes;
    ret_task->disk_bytes = asked.disk_bytes;
    shard__run_units(run, task, &ret_task->unit_begin, &ret_task->unit_end);
    ret_task->parent = extra == NULL ? -1 : extra->parent;
    ret_task->subtask_count = extra == NULL ? 0 : extra->subtask_count;
    ret_task->replica = shard__run_replica(run, task);
    if (hot->state == SHARD_TASK_READY)
        ret_task->ready_ns = run->started_ns + (int64_t)hot->ready_ms * 1000000;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        ret_task->failures[i] = extra == NULL ? 0 : extra->failures[i];
    const struct shard__attempt *attempt = hot->slot < 0 ? NULL : &run->attempts->slots[hot->slot];
    if (attempt != NULL && attempt->phase == SHARD__ATTEMPT_STARTED && attempt->before < 0) {
        ret_task->started_ns = attempt->started_ns;
        ret_task->units_done = attempt->units_done;
    }
    if (run->ended.task == task) {
        ret_task->max_memory_bytes = run->ended.memory_bytes;
        ret_task->max_disk_bytes = run->ended.disk_bytes;
        ret_task->launch_seconds = run->ended.launch_seconds;
    }
}

static struct shard__need need(const void *self, int32_t task)
{
    return shard__run_need(self, task);
}

static struct shard__need told(const void *self, int32_t task)
{
    return shard__run_told(self, task);
}

static int32_t origin(const void *self, int32_t task)
{
    return shard__run_origin(self, task);
}

static int32_t failures(const void *self, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(self, task);
    int32_t sum = 0;
    for (int i = 0; extra != NULL && i < SHARD_OUTCOME_COUNT; i++)
        sum += extra->failures[i];
    return sum;
}

static int32_t last_host(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    return run->tasks[task].host;
}

/* No attempt takes less: a task that is told to take 0 was rounded, and starting it takes some time as well. */
static const double least_seconds = 0.1;

static double expected_seconds(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    int32_t from = shard__run_origin(run, task);
    const struct shard__amended *amended = shard__run_amended(run, task);
    double seconds = amended != NULL ? amended->expected_seconds : (double)run->workflow->expected_seconds[from];
    int64_t begin, end, units = shard__workflow_units(run->workflow, from);
    shard__run_units(run, task, &begin, &end);
    if (units > 1)
        seconds *= (double)(end - begin) / (double)units;
    return seconds < least_seconds ? least_seconds : seconds;
}

static double failure_cost_seconds(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    const struct shard__amended *amended = shard__run_amended(run, task);
    return amended != NULL ? amended->failure_cost_seconds
                           : shard__workflow_profile(run->workflow, shard__run_origin(run, task))->failure_cost_seconds;
}

static double staging_seconds(const void *self, int32_t task, int32_t host)
{
    return shard__data_staging_seconds(self, task, host);
}

static double staging_bytes(const void *self, int32_t task, int32_t host)
{
    return shard__data_staging_bytes(self, task, host);
}

static double host_free_seconds(const void *self, int32_t host)
{
    const struct shard__run *run = self;
    double first = INFINITY;
    for (int32_t slot = run->cluster->hosts[host].first_attempt; slot >= 0;
         slot = run->attempts->slots[slot].next_on_host) {
        const struct shard__attempt *attempt = &run->attempts->slots[slot];
        if (attempt->before >= 0)
            continue;
        double ran = attempt->phase == SHARD__ATTEMPT_STARTED ? (double)(run->now_ns - attempt->started_ns) / 1e9 : 0;
        double left = (double)attempt->expected_seconds - ran;
        for (int32_t behind = attempt->behind; behind >= 0; behind = run->attempts->slots[behind].behind)
            left += (double)run->attempts->slots[behind].expected_seconds;
        if (left < first)
            first = left;
    }
    return first == INFINITY ? NAN : first > 0 ? first : 0;
}

static int running(const void *self, int32_t task, struct shard__running *ret_running)
{
    const struct shard__run *run = self;
    int32_t slot = run->tasks[task].slot;
    if (slot < 0 || run->attempts->slots[slot].phase != SHARD__ATTEMPT_STARTED ||
        run->attempts->slots[slot].before >= 0)
        return 0;
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    *ret_running = (struct shard__running){.host = attempt->host,
                                           .started_ns = attempt->started_ns,
                                           .expected_seconds = (double)attempt->expected_seconds,
                                           .units_done = attempt->units_done};
    if (attempt->units_done > 0) {
        int64_t begin, end;
        shard__run_units(run, task, &begin, &end);
        ret_running->units = end - begin;
    }
    return 1;
}

static int may_split(const void *self, int32_t task)
{
    int64_t begin, end;
    shard__run_units(self, task, &begin, &end);
    if (end - begin < 2)
        return 0; /* most have none: a message would cost more than the question */
    int may = shard__run_check_split(self, task, 2) == 0;
    shard__clear_error(); /* why not is nobody's error */
    return may;
}

static int may_share(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    int may = run->tasks[task].slot >= 0 && shard__run_check_share(run, run->tasks[task].slot) == 0;
    shard__clear_error();
    return may;
}

static int32_t replica(const void *self, int32_t task)
{
    return shard__run_replica(self, task);
}

static int32_t replica_host(const void *self, int32_t task)
{
    return shard__run_replica_host(self, task);
}

static int32_t ready_count(const void *self)
{
    const struct shard__run *run = self;
    return run->by_state[SHARD_TASK_READY];
}

static double launch_seconds(const void *self, int32_t task)
{
    const struct shard__run *run = self;
    return run->ended.task == task ? run->ended.launch_seconds : 0;
}

const struct shard__view_tasks shard__run_view_tasks = {
    .count = count,
    .describe = describe,
    .need = need,
    .told = told,
    .origin = origin,
    .failures = failures,
    .last_host = last_host,
    .expected_seconds = expected_seconds,
    .rank_seconds = rank_seconds,
    .failure_cost_seconds = failure_cost_seconds,
    .staging_seconds = staging_seconds,
    .staging_bytes = staging_bytes,
    .host_free_seconds = host_free_seconds,
    .running = running,
    .may_split = may_split,
    .may_share = may_share,
    .replica = replica,
    .replica_host = replica_host,
    .ready_count = ready_count,
    .launch_seconds = launch_seconds,
};
