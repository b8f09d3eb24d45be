/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting: a task becomes the join of its subtasks, and what the end of a subtask means for it. */

#include "run.h"

#include <string.h>

#include "base/error.h"

int shard__run_check_split(const struct shard__run *run, int32_t task, int32_t parts)
{
    int64_t begin, end;
    shard__run_units(run, task, &begin, &end);
    int64_t min_units = shard__workflow_profile(run->workflow, shard__run_origin(run, task))->min_units;
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (run->tasks[task].state != SHARD_TASK_READY)
        return shard__fail_task(SHARD_ESTATE, task, "the task is %s, only a ready one can be split",
                                shard_task_state_text(run->tasks[task].state));
    if (extra != NULL && extra->subtask_count > 0)
        return shard__fail_task(SHARD_ESTATE, task, "the task has been split before");
    if (parts < 2)
        return shard__fail_task(SHARD_EINVAL, task, "%d parts, expected at least 2", parts);
    if (parts > (end - begin) / min_units)
        return shard__fail_task(SHARD_EINVAL, task, "%d parts of %lld units, expected at least %lld units in each",
                                parts, (long long)(end - begin), (long long)min_units);
    if ((int64_t)run->task_count + parts > SHARD_MAX_TASKS)
        return shard__fail_task(SHARD_ELIMIT, task, "more than %d tasks", SHARD_MAX_TASKS);
    return 0;
}

static int reserve(struct shard__run *run, int32_t task, int32_t parts)
{
    if (shard__run_reserve(run, parts + 1) < 0 ||
        shard__grow(run->context, &run->tasks, &run->task_capacity, (size_t)(run->task_count + parts),
                    sizeof(*run->tasks)) < 0 ||
        shard__run_make_extra(run, task) == NULL)
        return SHARD_ENOMEM;
    return 0;
}

/* Makes the tasks with their extras, not yet counted or seen. On failure the run is as before. */
static int make_subtasks(struct shard__run *run, int32_t parent, int32_t parts)
{
    int32_t first = run->task_count;
    int64_t begin, end;
    shard__run_units(run, parent, &begin, &end);
    int32_t origin = shard__run_origin(run, parent);
    for (int32_t i = 0; i < parts; i++) {
        run->tasks[first + i] = (struct shard__task){.host = -1, .slot = -1, .p_fail = NAN};
        struct shard__extra *extra = shard__run_make_extra(run, first + i);
        if (extra == NULL) {
            while (i-- > 0) {
                shard__intmap_remove(&run->extra_of, (uint64_t)(first + i));
                run->extra_count--;
            }
            return SHARD_ENOMEM;
        }
        extra->parent = parent;
        extra->origin = origin;
        extra->index = i;
        extra->count = parts;
        /* The first (end - begin) % parts subtasks get one unit more. */
        int64_t share = (end - begin) / parts, rest = (end - begin) % parts;
        extra->unit_begin = begin + share * i + (i < rest ? i : rest);
        extra->unit_end = extra->unit_begin + share + (i < rest);
        extra->memory_bytes = shard__run_extra(run, parent)->memory_bytes;
    }
    return 0;
}

int shard__run_split(struct shard__run *run, int32_t task, int32_t parts, const struct shard__cause *cause)
{
    if (reserve(run, task, parts) < 0 || make_subtasks(run, task, parts) < 0)
        return SHARD_ENOMEM;
    struct shard__extra *extra = shard__run_extra(run, task);
    extra->first_subtask = run->task_count;
    extra->subtask_count = parts;
    run->tasks[task].missing = (uint32_t)parts;
    struct shard__cause by_split = *cause;
    by_split.decision = SHARD_DECIDE_SPLIT;
    shard__run_transition(run, task, SHARD_TASK_SPLIT, &by_split);
    run->task_count += parts;
    run->by_state[SHARD_TASK_NONE] += parts;
    for (int32_t i = 0; i < parts; i++) {
        int32_t subtask = run->task_count - parts + i;
        shard__run_transition(run, subtask, SHARD_TASK_READY, &by_split);
        shard__run_make_ready(run, subtask);
    }
    return 0;
}

int shard__run_reserve_done(struct shard__run *run, int32_t task)
{
    int32_t levels = 1;
    const struct shard__extra *extra = shard__run_extra(run, task);
    for (; extra != NULL && extra->parent >= 0; extra = shard__run_extra(run, extra->parent))
        levels++;
    return shard__run_reserve(run, levels) < 0 ? SHARD_ENOMEM : shard__data_reserve_outputs(run, task, levels);
}

void shard__run_subtask_done(struct shard__run *run, int32_t parent)
{
    struct shard__task *hot = &run->tasks[parent];
    if (hot->state == SHARD_TASK_SPLIT && --hot->missing == 0)
        shard__run_join(run, parent);
}

void shard__run_join(struct shard__run *run, int32_t task)
{
    struct shard__cause cause = {.reason = SHARD_REASON_SUBTASKS_DONE, .p_fail = NAN};
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (shard__workflow_profile(run->workflow, shard__run_origin(run, task))->has_merge) {
        shard__run_transition(run, task, SHARD_TASK_READY, &cause);
        shard__run_make_ready(run, task);
        return;
    }
    cause.outcome = SHARD_OUTCOME_DONE;
    /* What it made lies where its last subtask ran. */
    int32_t host = run->tasks[extra->first_subtask + extra->subtask_count - 1].host;
    run->tasks[task].host = host;
    shard__run_transition(run, task, SHARD_TASK_DONE, &cause);
    if (host >= 0)
        shard__data_outputs_are_on(run, task, host);
    if (extra->parent >= 0)
        shard__run_subtask_done(run, extra->parent);
    else
        shard__run_release_successors(run, task);
}

/* The tasks below one. */
static int32_t count_below(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    int32_t count = extra == NULL ? 0 : extra->subtask_count;
    for (int32_t i = 0, subtasks = count; i < subtasks; i++)
        count += count_below(run, extra->first_subtask + i);
    return count;
}

int32_t shard__run_family_size(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    while (extra != NULL && extra->parent >= 0) {
        task = extra->parent;
        extra = shard__run_extra(run, task);
    }
    return 1 + count_below(run, task);
}

int shard__run_has_blocked_subtask(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (run->tasks[task].state != SHARD_TASK_SPLIT)
        return run->tasks[task].state == SHARD_TASK_BLOCKED;
    for (int32_t i = 0; i < extra->subtask_count; i++)
        if (shard__run_has_blocked_subtask(run, extra->first_subtask + i))
            return 1;
    return 0;
}

/* Cancels a subtask that has not ended. Reserved before. */
static void cancel_sibling(struct shard__run *run, int32_t task)
{
    const struct shard__cause cause = {.reason = SHARD_REASON_PREDECESSOR_FAILED, .p_fail = NAN};
    struct shard__task *hot = &run->tasks[task];
    switch ((enum shard_task_state)hot->state) {
    case SHARD_TASK_RUNNING:
        (void)shard__run_cancel_attempt(run, hot->slot, SHARD_OUTCOME_CANCELLED);
        break;
    case SHARD_TASK_STAGING:
        run->in_flight--;
        shard__attempts_close(run->attempts, hot->slot);
        hot->slot = -1;
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, &cause);
        break;
    case SHARD_TASK_BLOCKED:
    case SHARD_TASK_READY:
    case SHARD_TASK_BACKOFF:
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, &cause);
        break;
    case SHARD_TASK_SPLIT:
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, &cause);
        shard__run_cancel_subtasks(run, task);
        break;
    case SHARD_TASK_NONE:
    case SHARD_TASK_DONE:
    case SHARD_TASK_FAILED:
    case SHARD_TASK_SKIPPED:
    case SHARD_TASK_CANCELLED:
        break;
    }
}

void shard__run_cancel_subtasks(struct shard__run *run, int32_t parent)
{
    const struct shard__extra *extra = shard__run_extra(run, parent);
    for (int32_t i = 0; i < extra->subtask_count; i++)
        cancel_sibling(run, extra->first_subtask + i);
}
