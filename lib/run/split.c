/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting: a task becomes the join of its subtasks, and what the end of a subtask means for it. */

#include "run.h"

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
    if (shard__run_replica(run, task) >= 0)
        return shard__fail_task(SHARD_ESTATE, task, "the task has a replica that is not done");
    if (parts < 2)
        return shard__fail_task(SHARD_EINVAL, task, "%d parts, expected at least 2", parts);
    if (parts > (end - begin) / min_units)
        return shard__fail_task(SHARD_EINVAL, task, "%d parts of %lld units, expected at least %lld units in each",
                                parts, (long long)(end - begin), (long long)min_units);
    if ((int64_t)run->task_count + parts > SHARD_MAX_TASKS)
        return shard__fail_task(SHARD_ELIMIT, task, "more than %d tasks", SHARD_MAX_TASKS);
    return shard__run_check_depth(run, task);
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

/* The range of a subtask. The first of those that share equally get one unit more where that does not come out even. */
static void set_range(struct shard__extra *extra, const struct shard__shares *shares, int64_t begin, int64_t end)
{
    int32_t i = extra->index, parts = shares->count;
    extra->unit_begin = begin;
    extra->unit_end = end;
    if (shares->is_replicated)
        return;
    if (shares->kept > 0) {
        extra->unit_end = begin + shares->kept;
        if (i == 0)
            return;
        begin += shares->kept;
        parts--;
        i--;
    }
    int64_t share = (end - begin) / parts, rest = (end - begin) % parts;
    extra->unit_begin = begin + share * i + (i < rest ? i : rest);
    extra->unit_end = extra->unit_begin + share + (i < rest);
}

int shard__run_make_subtasks(struct shard__run *run, int32_t parent, const struct shard__shares *shares)
{
    if (reserve(run, parent, shares->count) < 0)
        return SHARD_ENOMEM;
    int32_t first = run->task_count;
    int64_t begin, end;
    shard__run_units(run, parent, &begin, &end);
    int32_t origin = shard__run_origin(run, parent);
    for (int32_t i = 0; i < shares->count; i++) {
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
        extra->count = shares->count;
        set_range(extra, shares, begin, end);
        extra->memory_bytes = shard__run_extra(run, parent)->memory_bytes;
        extra->disk_bytes = shard__run_extra(run, parent)->disk_bytes;
    }
    return 0;
}

int32_t shard__run_adopt_subtasks(struct shard__run *run, int32_t parent, const struct shard__shares *shares)
{
    int32_t first = run->task_count;
    struct shard__extra *extra = shard__run_extra(run, parent);
    extra->first_subtask = first;
    extra->subtask_count = shares->count;
    extra->is_replicated = shares->is_replicated != 0;
    run->tasks[parent].missing = (uint32_t)shares->count;
    run->task_count += shares->count;
    run->by_state[SHARD_TASK_NONE] += shares->count;
    return first;
}

int shard__run_split(struct shard__run *run, int32_t task, int32_t parts, const struct shard__cause *cause)
{
    struct shard__shares shares = {.count = parts};
    if (shard__run_make_subtasks(run, task, &shares) < 0)
        return SHARD_ENOMEM;
    struct shard__cause by_split = *cause;
    by_split.decision = SHARD_DECIDE_SPLIT;
    shard__run_transition(run, task, SHARD_TASK_SPLIT, &by_split);
    by_split.detail = NULL;
    int32_t first = shard__run_adopt_subtasks(run, task, &shares);
    for (int32_t i = 0; i < parts; i++) {
        shard__run_transition(run, first + i, SHARD_TASK_READY, &by_split);
        shard__run_make_ready(run, first + i);
    }
    return 0;
}

int shard__run_reserve_done(struct shard__run *run, int32_t task)
{
    int32_t levels = 1, cancelled = 0;
    const struct shard__extra *extra = shard__run_extra(run, task);
    for (; extra != NULL && extra->parent >= 0; levels++) {
        extra = shard__run_extra(run, extra->parent);
        if (extra != NULL && extra->is_replicated) /* replicas of what is done */
            cancelled = shard__run_family_size(run, task);
    }
    if (cancelled > 0 && shard__effects_reserve(run->effects, cancelled) < 0)
        return SHARD_ENOMEM;
    return shard__run_reserve(run, levels + cancelled) < 0 ? SHARD_ENOMEM
                                                           : shard__data_reserve_outputs(run, task, levels);
}

void shard__run_subtask_done(struct shard__run *run, int32_t parent)
{
    struct shard__task *hot = &run->tasks[parent];
    if (hot->state != SHARD_TASK_SPLIT)
        return;
    if (shard__run_extra(run, parent)->is_replicated) {
        hot->missing = 0;
        shard__run_cancel_subtasks(run, parent);
    } else {
        hot->missing--;
    }
    if (hot->missing == 0)
        shard__run_join(run, parent);
}

/* Where what a join made lies: where its last subtask ran; of replicas, the one that was done. */
static int32_t host_of_join(const struct shard__run *run, const struct shard__extra *extra)
{
    int32_t last = extra->first_subtask + extra->subtask_count - 1;
    if (extra->is_replicated && run->tasks[last].state != SHARD_TASK_DONE)
        last--;
    return run->tasks[last].host;
}

void shard__run_join(struct shard__run *run, int32_t task)
{
    struct shard__cause cause = {.reason = SHARD_REASON_SUBTASKS_DONE, .p_fail = NAN};
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (shard__workflow_profile(run->workflow, shard__run_origin(run, task))->has_merge && !extra->is_replicated) {
        shard__run_transition(run, task, SHARD_TASK_READY, &cause);
        shard__run_make_ready(run, task);
        return;
    }
    cause.outcome = SHARD_OUTCOME_DONE;
    int32_t host = host_of_join(run, extra);
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
static void cancel_sibling(struct shard__run *run, int32_t task, enum shard_reason_code reason)
{
    const struct shard__cause cause = {.reason = reason, .p_fail = NAN};
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
    enum shard_reason_code reason = extra->is_replicated ? SHARD_REASON_REPLICA_FIRST : SHARD_REASON_PREDECESSOR_FAILED;
    for (int32_t i = 0; i < extra->subtask_count; i++)
        cancel_sibling(run, extra->first_subtask + i, reason);
}
