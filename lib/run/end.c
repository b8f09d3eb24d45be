/* SPDX-License-Identifier: Apache-2.0 */
/* How attempts end, and what follows: successors, retries, giving up. */

#include "run.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

/* Tells whoever forecasts how an attempt ended, before its slot is free. */
static void remember_end(struct shard__run *run, int32_t slot, enum shard_outcome outcome, double seconds)
{
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    if (run->forecaster != NULL && run->forecaster->is_active)
        run->forecaster->ended(run->forecaster, &run->view, attempt->task, attempt->host, outcome, seconds);
}

void shard__run_close_attempt(struct shard__run *run, int32_t slot)
{
    struct shard__task *hot = &run->tasks[run->attempts->slots[slot].task];
    hot->slot = -1;
    if (hot->has_extra) /* its next attempt will be its own */
        shard__run_extra(run, run->attempts->slots[slot].task)->levels = 0;
    run->in_flight--;
    shard__run_next_begins(run, shard__attempts_close(run->attempts, slot));
}

static void predecessor_is_done(struct shard__run *run, int32_t task)
{
    static const struct shard__cause cause = {.reason = SHARD_REASON_PREDECESSORS_DONE};
    struct shard__task *hot = &run->tasks[task];
    if (hot->state == SHARD_TASK_SPLIT) {
        /* Its subtasks wait for it too, when it is made again because its output was lost. */
        const struct shard__extra *extra = shard__run_extra(run, task);
        for (int32_t i = 0; i < extra->subtask_count; i++)
            predecessor_is_done(run, extra->first_subtask + i);
    } else if (hot->state == SHARD_TASK_BLOCKED && --hot->missing == 0) {
        shard__run_transition(run, task, SHARD_TASK_READY, &cause);
        shard__run_make_ready(run, task);
    }
}

void shard__run_prefetch(const struct shard__run *run, int32_t task, int depth)
{
    const struct shard__csr *successors = &run->workflow->successors;
    if (task >= run->workflow->task_count || successors->offsets == NULL)
        return;
    if (depth == 0) {
        __builtin_prefetch(&run->tasks[task], 1);
        __builtin_prefetch(&successors->offsets[task]);
    } else if (depth == 1) {
        __builtin_prefetch(shard__csr_row(successors, task));
    } else {
        const int32_t *row = shard__csr_row(successors, task);
        for (int32_t i = 0; i < shard__csr_count(successors, task) && i < 8; i++)
            __builtin_prefetch(&run->tasks[row[i]], 1);
    }
}

void shard__run_release_successors(struct shard__run *run, int32_t task)
{
    if (task >= run->workflow->task_count)
        return;
    const int32_t *successors = shard__csr_row(&run->workflow->successors, task);
    int32_t count = shard__csr_count(&run->workflow->successors, task);
    for (int32_t i = 0; i < count; i++)
        predecessor_is_done(run, successors[i]);
}

static void predecessor_runs_again(struct shard__run *run, int32_t task)
{
    struct shard__task *hot = &run->tasks[task];
    if (hot->state == SHARD_TASK_SPLIT) {
        const struct shard__extra *extra = shard__run_extra(run, task);
        for (int32_t i = 0; i < extra->subtask_count; i++)
            predecessor_runs_again(run, extra->first_subtask + i);
    } else if (hot->state == SHARD_TASK_BLOCKED) {
        hot->missing++;
    }
}

void shard__run_hold_successors(struct shard__run *run, int32_t task)
{
    const int32_t *successors = shard__csr_row(&run->workflow->successors, task);
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->successors, task); i++)
        predecessor_runs_again(run, successors[i]);
}

static int done(struct shard__run *run, int32_t slot, double seconds)
{
    int32_t task = run->attempts->slots[slot].task;
    int32_t host = run->attempts->slots[slot].host;
    if (shard__run_reserve_done(run, task) < 0)
        return SHARD_ENOMEM;
    struct shard__task *hot = &run->tasks[task];
    struct shard__cause cause = {.decision = SHARD_DECIDE_START,
                                 .reason = (enum shard_reason_code)hot->reason,
                                 .p_fail = (double)hot->p_fail,
                                 .value = (double)hot->value,
                                 .seconds = seconds,
                                 .outcome = SHARD_OUTCOME_DONE};
    run->cluster->hosts[host].done++;
    remember_end(run, slot, SHARD_OUTCOME_DONE, seconds);
    shard__run_close_attempt(run, slot);
    shard__run_transition(run, task, SHARD_TASK_DONE, &cause);
    shard__data_outputs_are_on(run, task, host);
    if (run->policy.port->after_success != NULL)
        run->policy.port->after_success(run->policy.self, &run->view, task, host, seconds);
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (extra != NULL && extra->parent >= 0)
        shard__run_subtask_done(run, extra->parent);
    else
        shard__run_release_successors(run, task);
    return 0;
}

/* A task is given up at most with its whole family; ranges halve at least, so that no family is deeper than 64. */
int shard__run_reserve_give_up(struct shard__run *run, int32_t task)
{
    int32_t size = shard__run_family_size(run, task);
    if (shard__run_reserve(run, size) < 0 || shard__effects_reserve(run->effects, size) < 0 ||
        shard__grow(run->context, &run->skips, &run->skip_capacity, (size_t)run->skip_count + 64, sizeof(*run->skips)) <
            0)
        return SHARD_ENOMEM;
    return 0;
}

void shard__run_give_up_reserved(struct shard__run *run, int32_t task, const struct shard__cause *cause)
{
    static const struct shard__cause subtask_failed = {
        .decision = SHARD_DECIDE_GIVE_UP, .reason = SHARD_REASON_PREDECESSOR_FAILED, .p_fail = NAN};
    if (shard__run_replica(run, task) >= 0) { /* the other may still do it */
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, cause);
        return;
    }
    shard__run_transition(run, task, SHARD_TASK_FAILED, cause);
    run->skips[run->skip_count++] = task;
    if (!run->keep_going && run->stop == SHARD__GO_ON)
        run->stop = SHARD__FAILING;
    const struct shard__extra *extra = shard__run_extra(run, task);
    int32_t parent = extra == NULL ? -1 : extra->parent;
    if (parent < 0 || run->tasks[parent].state != SHARD_TASK_SPLIT)
        return;
    /* With a subtask its parent fails, and its siblings are cancelled. */
    shard__run_give_up_reserved(run, parent, &subtask_failed);
    shard__run_cancel_subtasks(run, parent);
}

int shard__run_give_up(struct shard__run *run, int32_t task, const struct shard__cause *cause)
{
    if (shard__run_reserve_give_up(run, task) < 0)
        return SHARD_ENOMEM;
    shard__run_give_up_reserved(run, task, cause);
    return 0;
}

/* More after it ran out, as far as the largest host goes. 0: no change. */
static int64_t more_of(const struct shard__run *run, int64_t before, int64_t held, int64_t largest)
{
    if (run->rules->memory_growth <= 1)
        return 0;
    double wanted = (double)(held > before ? held : before) * run->rules->memory_growth;
    return wanted >= (double)largest ? largest : (int64_t)wanted;
}

/* What has run out is asked for in a larger size, where that is known and there is a host that has it. */
static void escalate(const struct shard__run *run, int32_t task, const struct shard_attempt_end *end,
                     enum shard_outcome outcome, struct shard_decision *decision)
{
    struct shard__need need = shard__run_need(run, task), largest = shard__cluster_largest(run->cluster);
    int is_memory = outcome == SHARD_OUTCOME_OUT_OF_MEMORY;
    int64_t before = is_memory ? need.memory_bytes : need.disk_bytes;
    int64_t wanted = is_memory ? more_of(run, before, end->max_memory_bytes, largest.memory_bytes)
                               : more_of(run, before, end->max_disk_bytes, largest.disk_bytes);
    if (wanted <= before)
        return;
    *(is_memory ? &decision->memory_bytes : &decision->disk_bytes) = wanted;
    decision->kind = SHARD_DECIDE_ESCALATE;
    decision->reason = is_memory ? SHARD_REASON_MORE_MEMORY : SHARD_REASON_MORE_DISK;
    decision->value = (double)wanted;
    decision->limit = (double)before;
}

static double backoff_seconds(struct shard__run *run, const struct shard_retry *retry, int32_t failures)
{
    double seconds = retry->backoff_seconds;
    for (int32_t i = 1; i < failures && seconds < retry->backoff_max_seconds; i++)
        seconds *= 2;
    if (seconds > retry->backoff_max_seconds)
        seconds = retry->backoff_max_seconds;
    return seconds * (0.5 + 0.5 * shard__random_unit(&run->random));
}

/* What follows a failure, by the budgets: a wait, or giving up. */
static void decide_by_budget(struct shard__run *run, int32_t task, enum shard_outcome outcome,
                             struct shard_decision *decision)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    const struct shard_retry *retry = &run->rules->retry[outcome];
    int32_t most = shard__workflow_profile(run->workflow, shard__run_origin(run, task))->max_attempts;
    int32_t failures = extra->failures[outcome];
    decision->kind = SHARD_DECIDE_WAIT;
    decision->reason = SHARD_REASON_RETRY;
    decision->value = failures;
    decision->limit = retry->budget;
    decision->wait_seconds = backoff_seconds(run, retry, failures);
    if (failures > retry->budget) {
        decision->kind = SHARD_DECIDE_GIVE_UP;
        decision->reason = SHARD_REASON_BUDGET_SPENT;
    } else if (most > 0 && (int32_t)run->tasks[task].attempt - extra->moves >= most) {
        decision->kind = SHARD_DECIDE_GIVE_UP;
        decision->reason = SHARD_REASON_ATTEMPTS_SPENT;
        decision->value = run->tasks[task].attempt;
        decision->limit = most;
    }
}

static void decide_after_failure(struct shard__run *run, int32_t task, int32_t host,
                                 const struct shard_attempt_end *end, enum shard_outcome outcome,
                                 struct shard_decision *decision)
{
    *decision = (struct shard_decision){.struct_size = sizeof(*decision), .host = -1, .p_fail = NAN};
    if (outcome != SHARD_OUTCOME_CANCELLED && run->policy.port->after_failure != NULL &&
        run->policy.port->after_failure(run->policy.self, &run->view, task, host, outcome, decision) < 0)
        decision->kind = SHARD_DECIDE_NOTHING;
    shard__run_tame(decision);
    if (decision->kind == SHARD_DECIDE_WAIT || decision->kind == SHARD_DECIDE_ESCALATE) {
        /* The policy chooses when; how often at most stays with the budgets. */
        struct shard_decision budget = {0};
        decide_by_budget(run, task, outcome, &budget);
        if (budget.kind == SHARD_DECIDE_GIVE_UP) {
            *decision = budget;
        } else if (decision->reason == SHARD_REASON_RETRY) {
            decision->value = budget.value;
            decision->limit = budget.limit;
        }
    } else if (decision->kind != SHARD_DECIDE_GIVE_UP) {
        decide_by_budget(run, task, outcome, decision);
    }
    if (decision->kind == SHARD_DECIDE_ESCALATE) { /* more than the largest host has would only be unplaceable */
        struct shard__need largest = shard__cluster_largest(run->cluster);
        if (decision->memory_bytes > largest.memory_bytes)
            decision->memory_bytes = largest.memory_bytes;
        if (decision->disk_bytes > largest.disk_bytes)
            decision->disk_bytes = largest.disk_bytes;
    }
    if (decision->kind == SHARD_DECIDE_WAIT &&
        (outcome == SHARD_OUTCOME_OUT_OF_MEMORY || outcome == SHARD_OUTCOME_OUT_OF_DISK))
        escalate(run, task, end, outcome, decision);
}

/* Puts a failed task into its back-off, or gives it up. Reserved: a record, a skip, an extra, an entry in the heap. */
static int follow(struct shard__run *run, int32_t task, struct shard__cause *cause,
                  const struct shard_decision *decision)
{
    struct shard__extra *extra = shard__run_extra(run, task);
    cause->decision = decision->kind;
    cause->reason = decision->reason;
    cause->value = decision->value;
    cause->limit = decision->limit;
    if (decision->kind == SHARD_DECIDE_GIVE_UP) {
        shard__run_give_up_reserved(run, task, cause);
        return 0;
    }
    if (decision->kind == SHARD_DECIDE_ESCALATE && decision->memory_bytes > 0)
        extra->memory_bytes = decision->memory_bytes;
    if (decision->kind == SHARD_DECIDE_ESCALATE && decision->disk_bytes > 0)
        extra->disk_bytes = decision->disk_bytes;
    extra->retry_ns = shard__later_ns(run->now_ns, shard__seconds_to_ns(decision->wait_seconds));
    shard__run_transition(run, task, SHARD_TASK_BACKOFF, cause);
    return shard__heap_push(run->context, &run->backoff, (double)extra->retry_ns / 1e9, task);
}

/* An attempt that the policy moved away has ended: nobody has failed. Reserved: an extra, a record, the heap. */
static int moved(struct shard__run *run, int32_t slot, double seconds)
{
    const struct shard__attempt attempt = run->attempts->slots[slot];
    struct shard__cause cause = {.outcome = SHARD_OUTCOME_PREEMPTED, .seconds = seconds};
    struct shard_decision decision = {.kind = SHARD_DECIDE_MOVE,
                                      .reason = (enum shard_reason_code)attempt.move_reason,
                                      .value = (double)attempt.move_value,
                                      .limit = (double)attempt.move_limit};
    cause.p_fail = (double)attempt.move_p_fail;
    shard__run_extra(run, attempt.task)->moves++;
    run->failures[SHARD_OUTCOME_PREEMPTED]++;
    remember_end(run, slot, SHARD_OUTCOME_PREEMPTED, seconds);
    shard__run_close_attempt(run, slot);
    return follow(run, attempt.task, &cause, &decision);
}

static int failed(struct shard__run *run, int32_t slot, const struct shard_attempt_end *end, enum shard_outcome outcome,
                  double seconds)
{
    int32_t task = run->attempts->slots[slot].task;
    int32_t host = run->attempts->slots[slot].host;
    struct shard__extra *extra = shard__run_make_extra(run, task);
    if (extra == NULL || shard__heap_reserve(run->context, &run->backoff, 1) < 0 ||
        shard__run_reserve_give_up(run, task) < 0)
        return SHARD_ENOMEM;
    int is_orphan = extra->parent >= 0 && run->tasks[extra->parent].state != SHARD_TASK_SPLIT;
    if (run->attempts->slots[slot].is_moved && outcome == SHARD_OUTCOME_PREEMPTED && !is_orphan)
        return moved(run, slot, seconds);
    char *detail = NULL;
    if (end->message != NULL && end->message[0] != '\0' && (detail = shard__strdup(run->context, end->message)) == NULL)
        return SHARD_ENOMEM;
    struct shard__cause cause = {
        .p_fail = (double)run->tasks[task].p_fail, .seconds = seconds, .outcome = outcome, .detail = detail};
    int is_blamed = outcome != SHARD_OUTCOME_CANCELLED && outcome != SHARD_OUTCOME_PREEMPTED;
    if (is_blamed && outcome != SHARD_OUTCOME_HOST_LOST)
        run->cluster->hosts[host].failures++;
    run->failures[outcome]++;
    if (is_blamed) {
        int is_first = 1;
        for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
            is_first &= extra->failures[i] == 0;
        run->tasks_with_failures += is_first;
    }
    if (extra->failures[outcome] < UINT8_MAX)
        extra->failures[outcome]++;
    remember_end(run, slot, outcome, seconds);
    shard__run_close_attempt(run, slot);
    struct shard_decision decision;
    int ends_for_good = is_orphan || (outcome == SHARD_OUTCOME_CANCELLED && run->stop == SHARD__CANCELLING);
    if (ends_for_good) {
        cause.reason = is_orphan && shard__run_extra(run, extra->parent)->is_replicated ? SHARD_REASON_REPLICA_FIRST
                                                                                        : SHARD_REASON_REQUESTED;
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, &cause);
        return 0;
    }
    decide_after_failure(run, task, host, end, outcome, &decision);
    if (shard__run_replica(run, task) >= 0) {
        cause.reason = SHARD_REASON_REPLICA_RUNS;
        shard__run_transition(run, task, SHARD_TASK_CANCELLED, &cause);
        return 0;
    }
    return follow(run, task, &cause, &decision);
}

/* Whether an attempt's end leaves a part of its range to others. */
static int is_in_part(const struct shard__run *run, const struct shard__attempt *attempt,
                      const struct shard_attempt_end *end)
{
    const struct shard__extra *extra = shard__run_extra(run, attempt->task);
    int is_done = end->outcome == SHARD_OUTCOME_DONE;
    if (is_done ? !run->can_shrink || end->units_done <= 0 : !attempt->is_split)
        return 0;
    if (extra != NULL &&
        (extra->subtask_count > 0 || (extra->parent >= 0 && run->tasks[extra->parent].state != SHARD_TASK_SPLIT)))
        return 0; /* a merge step, or what nobody waits for any more */
    int64_t begin, units_end;
    shard__run_units(run, attempt->task, &begin, &units_end);
    return run->stop != SHARD__CANCELLING && units_end - begin > 1 && end->units_done < units_end - begin;
}

/* Whether an attempt that was told to end for a split had done all. */
static int had_done_all(const struct shard__run *run, const struct shard__attempt *attempt,
                        const struct shard_attempt_end *end)
{
    int64_t begin, units_end;
    shard__run_units(run, attempt->task, &begin, &units_end);
    return attempt->is_split && end->units_done > 0 && end->units_done >= units_end - begin;
}

int shard__run_attempt_ended(struct shard__run *run, int32_t slot, const struct shard_attempt_end *end)
{
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    double seconds = end->seconds;
    if (end->outcome != SHARD_OUTCOME_DONE && shard__run_come_apart(run, slot) < 0)
        return SHARD_ENOMEM;
    run->ended = (struct shard__held){attempt->task, end->max_memory_bytes, end->max_disk_bytes, end->launch_seconds};
    if (!(seconds > 0 && isfinite(seconds)))
        seconds = attempt->started_ns > 0 ? (double)(run->now_ns - attempt->started_ns) / 1e9 : 0;
    if ((end->units_done > 0 || attempt->is_split) && is_in_part(run, attempt, end))
        return shard__run_ended_in_part(run, slot, end->units_done, seconds);
    if (end->outcome == SHARD_OUTCOME_DONE || had_done_all(run, attempt, end))
        return done(run, slot, seconds);
    enum shard_outcome outcome = attempt->cancelled ? (enum shard_outcome)attempt->cancel_outcome : end->outcome;
    return failed(run, slot, end, outcome, seconds);
}

int shard__run_cancel_attempt(struct shard__run *run, int32_t slot, enum shard_outcome outcome)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    if (attempt->cancelled)
        return 0;
    if (attempt->phase == SHARD__ATTEMPT_STAGING) {
        shard__run_unplace(run, slot, SHARD_REASON_REQUESTED);
        return 0;
    }
    if (shard__effects_reserve(run->effects, 1) < 0)
        return SHARD_ENOMEM;
    attempt->cancelled = 1;
    attempt->cancel_outcome = (uint8_t)outcome;
    shard__attempts_set_deadline(run->attempts, slot, shard__later_ns(run->now_ns, run->rules->cancel_grace_ns));
    if (attempt->phase == SHARD__ATTEMPT_STARTED || attempt->phase == SHARD__ATTEMPT_REATTACHING)
        shard__effects_add(run->effects, SHARD__EFFECT_CANCEL, run->number, slot);
    return 0;
}
