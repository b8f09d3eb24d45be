/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run as a store gave it back. What the rows do not say follows from them: which tasks are blocked or ready, how many
 * subtasks a join waits for. What was running gets an attempt that waits to be reattached.
 */

#include "run.h"

#include <string.h>

#include "base/error.h"

static int check_row(const struct shard_run_image *image, const struct shard_task_row *row, int32_t workflow_tasks)
{
    if (row->task < 0 || row->state >= SHARD_TASK_STATE_COUNT || row->attempt < 0)
        return shard__fail(SHARD_ECORRUPT, "run '%s': the row of task %d makes no sense (state %d, attempt %d)",
                           image->name, row->task, row->state, row->attempt);
    if (row->task >= workflow_tasks && (row->parent < 0 || row->parent >= row->task))
        return shard__fail(SHARD_ECORRUPT, "run '%s': subtask %d has parent %d", image->name, row->task, row->parent);
    if (row->host >= image->host_count || row->host < -1)
        return shard__fail(SHARD_ECORRUPT, "run '%s': task %d ran on host %d of %d", image->name, row->task, row->host,
                           image->host_count);
    if (row->state == SHARD_TASK_RUNNING && row->host < 0)
        return shard__fail(SHARD_ECORRUPT, "run '%s': task %d runs nowhere", image->name, row->task);
    return 0;
}

/* A subtask that goes on with the attempt of a task above it says how far above. */
static int check_levels(const struct shard_run_image *image, const struct shard_task_row *row, int32_t workflow_tasks)
{
    if (row->state != SHARD_TASK_RUNNING || row->reason != SHARD_REASON_KEEPS_ATTEMPT)
        return 0;
    int is_good = row->task >= workflow_tasks && row->value >= 1 && row->value < 64;
    shard_task_id above = row->task;
    for (int level = 0; is_good && level < (int)row->value; level++) {
        /* Rows of subtasks stand last, without gaps, which is checked for those before this one. */
        const struct shard_task_row *of_above = &image->rows[image->row_count - 1];
        while (of_above > image->rows && of_above->task > above)
            of_above--;
        is_good = of_above->task == above && above >= workflow_tasks;
        above = of_above->parent;
    }
    if (!is_good)
        return shard__fail(SHARD_ECORRUPT, "run '%s': task %d keeps the attempt of a task %g levels above it",
                           image->name, row->task, (double)row->value);
    return 0;
}

/* Every subtask has a row, so that there is no gap behind the workflow's own tasks. */
static int check_rows(const struct shard_run_image *image, int32_t *ret_task_count)
{
    int32_t workflow_tasks = image->workflow->task_count;
    int32_t count = workflow_tasks;
    int32_t before = -1;
    for (int32_t i = 0; i < image->row_count; i++) {
        const struct shard_task_row *row = &image->rows[i];
        int status = check_row(image, row, workflow_tasks);
        if (status < 0)
            return status;
        if (row->task <= before)
            return shard__fail(SHARD_ECORRUPT, "run '%s': the row of task %d follows that of task %d", image->name,
                               row->task, before);
        before = row->task;
        status = check_levels(image, row, workflow_tasks);
        if (status < 0)
            return status;
        if (row->task >= workflow_tasks) {
            if (row->task != count)
                return shard__fail(SHARD_ECORRUPT, "run '%s': subtask %d has no row", image->name, count);
            count++;
        }
    }
    *ret_task_count = count;
    return 0;
}

/* The engine's id of a host of the records, -1: none; a host that is not there any more comes back as a ghost. */
static int find_host(struct shard__run *run, const struct shard_run_image *image, int32_t number, int32_t *ret_host)
{
    *ret_host = -1;
    if (number < 0 || image->hosts[number] == NULL)
        return 0;
    int32_t host = shard__cluster_find_host(run->cluster, image->hosts[number]);
    if (host < 0)
        host = shard__cluster_add_ghost(run->cluster, image->hosts[number]);
    if (host < 0)
        return host;
    *ret_host = host;
    return 0;
}

static int restore_hosts(struct shard__run *run, const struct shard_run_image *image)
{
    for (int32_t i = 0; i < image->host_count; i++) {
        int32_t host;
        if (find_host(run, image, i, &host) < 0 || shard__run_number_host(run, host, i) < 0)
            return SHARD_ENOMEM;
    }
    return 0;
}

/* Records do not say how much disk was asked for: as often as it ran out, that is so much more. */
static void restore_disk(const struct shard__run *run, int32_t task)
{
    struct shard__extra *extra = shard__run_extra(run, task);
    int times = extra == NULL ? 0 : extra->failures[SHARD_OUTCOME_OUT_OF_DISK];
    int64_t told = shard__run_told(run, task).disk_bytes;
    int64_t largest = shard__cluster_largest(run->cluster).disk_bytes;
    if (times == 0 || told == 0 || run->rules->memory_growth <= 1 || largest <= told)
        return;
    double wanted = (double)told * pow(run->rules->memory_growth, times);
    extra->disk_bytes = wanted < (double)largest ? (int64_t)wanted : largest;
}

static int restore_extra(struct shard__run *run, const struct shard_task_row *row)
{
    int has_failures = 0;
    for (int i = SHARD_OUTCOME_DONE + 1; i < SHARD_OUTCOME_COUNT; i++)
        has_failures |= row->failures[i] != 0;
    if (!has_failures && row->task < run->workflow->task_count && row->memory_bytes == 0 &&
        row->state != SHARD_TASK_BACKOFF)
        return 0;
    struct shard__extra *extra = shard__run_make_extra(run, row->task);
    if (extra == NULL)
        return SHARD_ENOMEM;
    memcpy(extra->failures, row->failures, sizeof(extra->failures));
    extra->failures[SHARD_OUTCOME_NONE] = 0;
    extra->memory_bytes = row->memory_bytes;
    run->tasks_with_failures += has_failures;
    for (int i = SHARD_OUTCOME_DONE + 1; i < SHARD_OUTCOME_COUNT; i++)
        run->failures[i] += row->failures[i];
    if (row->task < run->workflow->task_count)
        return 0;
    extra->parent = row->parent;
    extra->unit_begin = row->unit_begin;
    extra->unit_end = row->unit_end;
    extra->origin = shard__run_origin(run, row->parent);
    struct shard__extra *parent = shard__run_make_extra(run, row->parent);
    if (parent == NULL)
        return SHARD_ENOMEM;
    if (parent->first_subtask < 0)
        parent->first_subtask = row->task;
    extra = shard__run_extra(run, row->task);
    extra->index = parent->subtask_count++;
    const struct shard__extra *first = shard__run_extra(run, parent->first_subtask);
    parent->is_replicated =
        parent->subtask_count == 2 && first->unit_begin == extra->unit_begin && first->unit_end == extra->unit_end;
    if (row->state == SHARD_TASK_RUNNING && row->reason == SHARD_REASON_KEEPS_ATTEMPT)
        extra->levels = (uint8_t)row->value; /* checked with the row */
    return 0;
}

static int restore_attempt(struct shard__run *run, const struct shard_task_row *row, int32_t host)
{
    if (shard__attempts_reserve(run->attempts) < 0)
        return SHARD_ENOMEM;
    struct shard__need need = shard__run_need(run, row->task);
    int32_t slot = shard__attempts_open(run->attempts, run->number, row->task, host, row->attempt, &need);
    run->attempts->slots[slot].phase = SHARD__ATTEMPT_REATTACHING;
    run->attempts->slots[slot].expected_seconds =
        (float)(shard__run_view_tasks.expected_seconds(run, row->task) / run->cluster->hosts[host].speed);
    run->tasks[row->task].slot = slot;
    run->in_flight++;
    return 0;
}

static int restore_row(struct shard__run *run, const struct shard_run_image *image, const struct shard_task_row *row)
{
    struct shard__task *hot = &run->tasks[row->task];
    int32_t host;
    if (find_host(run, image, row->host, &host) < 0 || restore_extra(run, row) < 0)
        return SHARD_ENOMEM;
    restore_disk(run, row->task);
    shard__run_ask_as_amended(run, row->task);
    hot->version = row->version;
    hot->host = host;
    hot->attempt = (uint32_t)row->attempt & 0x7fffffff;
    hot->p_fail = row->p_fail;
    hot->value = row->value;
    hot->outcome = row->outcome;
    hot->decision = row->decision;
    hot->reason = row->reason;
    hot->durable = (unsigned)row->state & 0xfu;
    run->attempt_count += row->attempt - row->failures[SHARD_OUTCOME_NONE];
    run->by_state[SHARD_TASK_NONE]--;
    run->by_state[row->state]++;
    hot->state = (unsigned)row->state & 0xfu;
    if (row->state == SHARD_TASK_RUNNING)
        return restore_attempt(run, row, host);
    if (row->state == SHARD_TASK_DONE && row->task < run->workflow->task_count && host >= 0) {
        if (shard__data_reserve_outputs(run, row->task, 1) < 0)
            return SHARD_ENOMEM;
        /* What a ghost's own volume had is not known to be anywhere; what lay on the common one is there. */
        if (run->cluster->hosts[host].state < SHARD_HOST_LEFT || run->cluster->volume_count == 1)
            shard__data_outputs_are_on(run, row->task, host);
    }
    return 0;
}

/*
 * What was being cancelled when the process ended: a task that was cancelled by itself, or as a part of one that goes
 * on, was so with the whole run; and what is left of a family that was given up has to end too.
 */
static int resume_cancelling(struct shard__run *run)
{
    for (int32_t i = 0; i < run->task_count; i++) {
        const struct shard__extra *extra = shard__run_extra(run, i);
        int is_part = extra != NULL && extra->parent >= 0;
        if (run->tasks[i].state == SHARD_TASK_CANCELLED && shard__run_replica(run, i) < 0 &&
            (!is_part || run->tasks[extra->parent].state == SHARD_TASK_SPLIT))
            run->stop = SHARD__CANCELLING;
    }
    for (int32_t i = 0; i < run->task_count; i++) {
        const struct shard__extra *extra = shard__run_extra(run, i);
        int is_orphan = extra != NULL && extra->parent >= 0 && run->tasks[extra->parent].state != SHARD_TASK_SPLIT;
        if (is_orphan && run->tasks[i].state == SHARD_TASK_SPLIT)
            is_orphan = 0; /* went with its parent */
        if (run->tasks[i].state == SHARD_TASK_RUNNING && (is_orphan || run->stop == SHARD__CANCELLING) &&
            shard__run_cancel_attempt(run, run->tasks[i].slot, SHARD_OUTCOME_CANCELLED) < 0)
            return SHARD_ENOMEM;
        if (is_orphan && run->tasks[i].state < SHARD_TASK_RUNNING) {
            static const struct shard__cause cause = {.reason = SHARD_REASON_PREDECESSOR_FAILED, .p_fail = NAN};
            if (shard__run_reserve(run, 1) < 0)
                return SHARD_ENOMEM;
            shard__run_transition(run, i, SHARD_TASK_CANCELLED, &cause);
        }
    }
    return 0;
}

/* What follows from the rows. */
static int derive(struct shard__run *run)
{
    if (shard__grow(run->context, &run->skips, &run->skip_capacity, (size_t)run->task_count + 64, sizeof(*run->skips)) <
        0)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < run->task_count; i++) {
        struct shard__task *hot = &run->tasks[i];
        struct shard__extra *extra = shard__run_extra(run, i);
        if (hot->state == SHARD_TASK_NONE || hot->state == SHARD_TASK_BACKOFF || hot->state == SHARD_TASK_READY)
            if (shard__run_settle(run, i) < 0)
                return SHARD_ENOMEM;
        if (hot->state == SHARD_TASK_FAILED || hot->state == SHARD_TASK_SKIPPED)
            run->skips[run->skip_count++] = i;
        if (hot->state == SHARD_TASK_FAILED && !run->keep_going)
            run->stop = SHARD__FAILING;
        if (extra != NULL && extra->parent >= 0)
            extra->count = shard__run_extra(run, extra->parent)->subtask_count;
    }
    return 0;
}

/* Counts what joins wait for, from the last task to the first: a subtask is behind its parent, so nested ones are done.
 */
static int count_joins(struct shard__run *run)
{
    for (int32_t i = run->task_count - 1; i >= 0; i--) {
        struct shard__extra *extra = shard__run_extra(run, i);
        if (run->tasks[i].state != SHARD_TASK_SPLIT)
            continue;
        uint32_t missing = 0;
        for (int32_t j = 0; extra != NULL && j < extra->subtask_count; j++)
            missing += run->tasks[extra->first_subtask + j].state != SHARD_TASK_DONE;
        if (extra != NULL && extra->is_replicated && missing < 2)
            missing = 0; /* one is enough */
        run->tasks[i].missing = missing;
        if (missing > 0 || extra == NULL)
            continue;
        if (shard__run_reserve_done(run, i) < 0)
            return SHARD_ENOMEM;
        shard__run_join(run, i);
    }
    return 0;
}

int shard__run_restore(struct shard__run *run, const struct shard_run_image *image)
{
    int32_t task_count = 0;
    int status = check_rows(image, &task_count);
    if (status < 0)
        return status;
    if (shard__run_take_workflow(run, image->workflow, task_count) < 0 || restore_hosts(run, image) < 0)
        return SHARD_ENOMEM;
    status = shard__run_restore_revisions(run, image);
    if (status == 0 && run->amended_count > 0)
        status = shard__run_rank(run);
    if (status < 0)
        return status;
    for (int32_t i = 0; i < image->row_count; i++)
        if (restore_row(run, image, &image->rows[i]) < 0)
            return SHARD_ENOMEM;
    for (int32_t i = 0; i < run->task_count; i++)
        shard__run_rejoin(run, i);
    run->next_seq = image->last_seq + 1;
    run->started_ns = run->now_ns;
    shard__run_attach(run);
    if (derive(run) < 0 || count_joins(run) < 0)
        return SHARD_ENOMEM;
    return resume_cancelling(run);
}
