/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts that share a container, and so its launch: one runs after another. Each has a number, a record and a fence
 * of its own; the one that runs holds what all of them ask for. They come apart when one does not end well.
 */

#include "run.h"

#include "base/context.h"

/* Records name the task before in a float, which holds no larger number exactly. */
enum { MOST_NAMED = 1 << 24 };

static int is_same_need(const struct shard__need *one, const struct shard__need *other)
{
    return one->cpu_millicores == other->cpu_millicores && one->memory_bytes == other->memory_bytes &&
           one->disk_bytes == other->disk_bytes;
}

/* Whether a ready task may run behind the attempt in `slot`, if it asks for the same. What has had an attempt starts
 * alone: also what was in a container that came apart. */
static int may_follow(const struct shard__run *run, int32_t task, int32_t slot)
{
    const struct shard__task *hot = &run->tasks[task];
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (hot->state != SHARD_TASK_READY || hot->attempt > 0 || run->attempts->slots[slot].task >= MOST_NAMED)
        return 0;
    if (extra != NULL && (extra->wanted_host >= 0 || extra->subtask_count > 0 || shard__run_replica(run, task) >= 0))
        return 0;
    return shard__data_gate(run, task, run->attempts->slots[slot].host) == SHARD__GATE_OPEN;
}

static int asks_for_the_same(const struct shard__run *run, int32_t task, int32_t slot,
                             const struct shard_decision *decision)
{
    struct shard__need need = shard__run_need(run, task);
    if (decision->memory_bytes > 0)
        need.memory_bytes = decision->memory_bytes;
    if (decision->disk_bytes > 0)
        need.disk_bytes = decision->disk_bytes;
    return is_same_need(&need, &run->attempts->slots[slot].need);
}

void shard__run_share_launch(struct shard__run *run, int32_t profile, int32_t slot,
                             const struct shard_decision *decision)
{
    int32_t with = !run->can_start_many ? 0 : decision->with < SHARD_MOST_WITH ? decision->with : SHARD_MOST_WITH;
    for (int32_t i = 0; i < with; i++) {
        int32_t task = shard__ready_first_of(&run->ready, profile);
        if (task < 0 || !may_follow(run, task, slot) || !asks_for_the_same(run, task, slot, decision))
            return;
        struct shard_decision own = *decision;
        own.reason = SHARD_REASON_SHARES_LAUNCH;
        own.value = run->attempts->slots[slot].task;
        own.limit = 0;
        own.note = NULL;
        int32_t behind = shard__run_open_attempt(run, profile, task, &own);
        if (behind < 0)
            return; /* no memory for it now: it is placed by itself */
        shard__attempts_queue(run->attempts, behind, slot);
        shard__run_record_start(run, behind, &own);
        slot = behind;
    }
}

/* Told by the reason of a move, which nobody is blamed for and no budget pays. */
static void comes_apart(struct shard__attempt *attempt)
{
    attempt->is_moved = 1;
    attempt->move_reason = SHARD_REASON_CAME_APART;
    attempt->move_p_fail = NAN;
}

int shard__run_come_apart(struct shard__run *run, int32_t slot)
{
    struct shard__attempt *ends = &run->attempts->slots[slot];
    if (ends->before >= 0) { /* it had not begun: whatever the executor calls that */
        if (!ends->cancelled) {
            ends->cancelled = 1;
            ends->cancel_outcome = SHARD_OUTCOME_PREEMPTED;
            comes_apart(ends);
        }
        return 0;
    }
    for (int32_t behind = ends->behind; behind >= 0; behind = run->attempts->slots[behind].behind) {
        if (run->attempts->slots[behind].cancelled)
            continue;
        if (shard__run_cancel_attempt(run, behind, SHARD_OUTCOME_PREEMPTED) < 0)
            return SHARD_ENOMEM;
        comes_apart(&run->attempts->slots[behind]);
    }
    return 0;
}

void shard__run_attempt_began(struct shard__run *run, int32_t slot)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    double timeout_seconds =
        shard__workflow_profile(run->workflow, shard__run_origin(run, attempt->task))->timeout_seconds;
    attempt->phase = SHARD__ATTEMPT_STARTED;
    attempt->started_ns = attempt->before < 0 ? run->now_ns : 0;
    if (!attempt->cancelled)
        shard__attempts_set_deadline(run->attempts, slot,
                                     attempt->before < 0 && timeout_seconds > 0
                                         ? shard__later_ns(run->now_ns, shard__seconds_to_ns(timeout_seconds))
                                         : INT64_MAX);
}

void shard__run_next_begins(struct shard__run *run, int32_t slot)
{
    if (slot >= 0 && run->attempts->slots[slot].phase == SHARD__ATTEMPT_STARTED)
        shard__run_attempt_began(run, slot);
}

/* The attempt that a task's is behind, by what its record says: a split or replicated one is its first subtask's now;
 * -1: it is not under way any more. */
static int32_t slot_before(const struct shard__run *run, int32_t task)
{
    double value = (double)run->tasks[task].value;
    if (!(value >= 0 && value < run->task_count))
        return -1;
    int32_t before = (int32_t)value;
    while (run->tasks[before].state == SHARD_TASK_SPLIT && shard__run_extra(run, before) != NULL &&
           shard__run_extra(run, before)->first_subtask > before)
        before = shard__run_extra(run, before)->first_subtask;
    return before == task ? -1 : run->tasks[before].slot;
}

/* Whether one attempt is among those that run before another, or is it. */
static int runs_before(const struct shard__run *run, int32_t slot, int32_t other)
{
    for (; other >= 0 && other != slot; other = run->attempts->slots[other].before)
        ;
    return other == slot;
}

void shard__run_rejoin(struct shard__run *run, int32_t task)
{
    const struct shard__task *hot = &run->tasks[task];
    if (hot->state != SHARD_TASK_RUNNING || hot->reason != SHARD_REASON_SHARES_LAUNCH || !run->can_start_many)
        return;
    int32_t before = slot_before(run, task);
    if (before < 0 || run->attempts->slots[before].behind >= 0 || runs_before(run, hot->slot, before) ||
        run->attempts->slots[before].host != hot->host ||
        !is_same_need(&run->attempts->slots[before].need, &run->attempts->slots[hot->slot].need))
        return;
    shard__attempts_queue(run->attempts, hot->slot, before);
}
