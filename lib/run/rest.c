/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that run are split and replicated: the task becomes the join of its subtasks, and the first of these goes on
 * with its attempt, under the number and the token that it has. The executor knows the attempt as it was started.
 */

#include "run.h"

#include <stdio.h>

#include "base/context.h"
#include "base/error.h"

static int64_t min_units_of(const struct shard__run *run, int32_t task)
{
    return shard__workflow_profile(run->workflow, shard__run_origin(run, task))->min_units;
}

static int64_t units_of(const struct shard__run *run, int32_t task)
{
    int64_t begin, end;
    shard__run_units(run, task, &begin, &end);
    return end - begin;
}

int32_t shard__run_replica(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (extra == NULL || extra->parent < 0 || run->tasks[extra->parent].state != SHARD_TASK_SPLIT)
        return -1;
    const struct shard__extra *parent = shard__run_extra(run, extra->parent);
    if (!parent->is_replicated)
        return -1;
    int32_t other = parent->first_subtask + !extra->index;
    return shard__state_is_final(run->tasks[other].state) ? -1 : other;
}

int32_t shard__run_replica_host(const struct shard__run *run, int32_t task)
{
    int32_t replica = shard__run_replica(run, task);
    return replica >= 0 && run->tasks[replica].slot >= 0 ? run->tasks[replica].host : -1;
}

int32_t shard__run_started_as(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    for (int level = extra == NULL ? 0 : extra->levels; level > 0; level--)
        task = shard__run_extra(run, task)->parent;
    return task;
}

int32_t shard__run_depth(const struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    int32_t depth = 0;
    int level = extra == NULL ? 0 : extra->levels;
    while (extra != NULL && level-- > 0) {
        extra = shard__run_extra(run, extra->parent);
        depth += extra != NULL && !extra->is_replicated;
    }
    return depth;
}

void shard__run_part(const struct shard__run *run, int32_t task, char *ret_part, size_t capacity)
{
    int32_t indices[64];
    int depth = 0;
    const struct shard__extra *extra = shard__run_extra(run, task);
    for (; extra != NULL && extra->parent >= 0 && depth < 64; extra = shard__run_extra(run, extra->parent))
        if (!shard__run_extra(run, extra->parent)->is_replicated)
            indices[depth++] = extra->index;
    ret_part[0] = '\0';
    for (size_t at = 0; depth > 0 && at < capacity;)
        at += (size_t)snprintf(ret_part + at, capacity - at, at == 0 ? "%d" : "/%d", indices[--depth]);
}

int shard__run_check_share(const struct shard__run *run, int32_t slot)
{
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    int32_t task = attempt->task;
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (attempt->phase != SHARD__ATTEMPT_STARTED || attempt->before >= 0 || attempt->cancelled)
        return shard__fail_task(SHARD_ESTATE, task, "its attempt has not started, or is told to end");
    if (attempt->is_shrinking)
        return shard__fail_task(SHARD_ESTATE, task, "its rest is being split off already");
    if (extra != NULL && extra->subtask_count > 0)
        return shard__fail_task(SHARD_ESTATE, task, "the task has been split before");
    if (shard__run_replica(run, task) >= 0)
        return shard__fail_task(SHARD_ESTATE, task, "the task has a replica that is not done");
    return shard__run_check_depth(run, task);
}

int shard__run_check_rest(const struct shard__run *run, int32_t slot, int32_t parts, int64_t keep_units,
                          int64_t *ret_kept)
{
    int status = shard__run_check_share(run, slot);
    if (status < 0)
        return status;
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    int32_t task = attempt->task;
    int64_t all = units_of(run, task), left = all - attempt->units_done, min_units = min_units_of(run, task);
    if (parts < 2 || keep_units < 0)
        return shard__fail_task(SHARD_EINVAL, task,
                                "%d parts of which %lld units are kept, expected 2 or more, and 0 "
                                "or more",
                                parts, (long long)keep_units);
    int64_t keep = keep_units > 0 ? keep_units : left / parts;
    int64_t kept = attempt->units_done + (keep < 1 ? 1 : keep > left ? left : keep);
    if (kept < min_units)
        kept = min_units;
    if ((all - kept) / min_units < parts - 1)
        return shard__fail_task(SHARD_EINVAL, task,
                                "%d parts of the %lld units that are left, expected at least %lld units in each", parts,
                                (long long)left, (long long)min_units);
    if ((int64_t)run->task_count + parts > SHARD_MAX_TASKS)
        return shard__fail_task(SHARD_ELIMIT, task, "more than %d tasks", SHARD_MAX_TASKS);
    *ret_kept = kept;
    return 0;
}

static void note_decision(struct shard__attempt *attempt, const struct shard_decision *decision)
{
    attempt->move_reason = (uint8_t)decision->reason;
    attempt->move_p_fail = (float)decision->p_fail;
    attempt->move_value = (float)decision->value;
    attempt->move_limit = (float)decision->limit;
}

/* Ends an attempt that cannot be stopped at a unit; what it leaves done is told with its end. */
static int cancel_for_split(struct shard__run *run, int32_t slot)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    if (shard__run_make_extra(run, attempt->task) == NULL ||
        shard__run_cancel_attempt(run, slot, SHARD_OUTCOME_PREEMPTED) < 0)
        return SHARD_ENOMEM;
    attempt->is_split = 1;
    return 0;
}

int shard__run_ask_rest(struct shard__run *run, int32_t slot, const struct shard_decision *decision)
{
    int64_t kept;
    int status = shard__run_check_rest(run, slot, decision->parts, decision->keep_units, &kept);
    if (status == 0 && shard__effects_reserve(run->effects, 1) < 0)
        status = SHARD_ENOMEM;
    if (status == 0 && !run->can_shrink)
        status = cancel_for_split(run, slot);
    if (status < 0)
        return status;
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    note_decision(attempt, decision);
    attempt->parts = decision->parts;
    attempt->units_kept = kept;
    if (run->can_shrink) {
        attempt->is_shrinking = 1;
        shard__effects_add(run->effects, SHARD__EFFECT_SHRINK, run->number, slot);
    }
    return 0;
}

static struct shard__cause cause_of(const struct shard__run *run, int32_t slot, enum shard_decision_kind decision)
{
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    return (struct shard__cause){.decision = decision,
                                 .reason = (enum shard_reason_code)attempt->move_reason,
                                 .p_fail = (double)attempt->move_p_fail,
                                 .value = (double)attempt->move_value,
                                 .limit = (double)attempt->move_limit,
                                 .seconds = (double)(run->now_ns - attempt->started_ns) / 1e9};
}

/* As many parts of what is left as were wanted, or as there can be. */
static int32_t parts_of(int64_t units, int64_t min_units, int32_t wanted)
{
    int64_t most = units / min_units;
    return most < 1 ? 1 : most < wanted ? (int32_t)most : wanted;
}

static void make_ready(struct shard__run *run, int32_t first, int32_t count, const struct shard__cause *cause)
{
    /* Their first records come from a split, whatever it is called. */
    for (int32_t i = 0; i < count; i++) {
        shard__run_transition(run, first + i, SHARD_TASK_READY, cause);
        shard__run_make_ready(run, first + i);
    }
}

/* Makes a task the join of subtasks of which the first goes on with what runs in the slot. The subtasks were made. */
static int32_t hand_over(struct shard__run *run, int32_t slot, const struct shard__shares *shares,
                         const struct shard__cause *cause)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    int32_t parent = attempt->task;
    struct shard__extra *above = shard__run_extra(run, parent);
    uint8_t levels = (uint8_t)(above->levels + 1);
    shard__run_transition(run, parent, SHARD_TASK_SPLIT, cause);
    int32_t first = shard__run_adopt_subtasks(run, parent, shares);
    struct shard__task *hot = &run->tasks[first];
    hot->host = run->tasks[parent].host;
    hot->attempt = run->tasks[parent].attempt;
    hot->slot = slot;
    run->tasks[parent].slot = -1;
    above->levels = 0;
    shard__run_extra(run, first)->levels = levels;
    attempt->task = first;
    attempt->is_shrinking = 0;
    attempt->expected_seconds =
        (float)(shard__run_view_tasks.expected_seconds(run, first) / run->cluster->hosts[attempt->host].speed);
    struct shard__cause keeps = *cause;
    keeps.reason = SHARD_REASON_KEEPS_ATTEMPT;
    keeps.value = levels;
    keeps.limit = 0;
    keeps.seconds = 0;
    shard__run_transition(run, first, SHARD_TASK_RUNNING, &keeps);
    make_ready(run, first + 1, shares->count - 1, cause);
    return first;
}

int shard__run_shrunk(struct shard__run *run, int32_t slot, int64_t units)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    int32_t task = attempt->task;
    int64_t all = units_of(run, task);
    if (units == SHARD_ENOTSUP && !attempt->cancelled) {
        if (cancel_for_split(run, slot) < 0)
            return SHARD_ENOMEM;
        attempt->is_shrinking = 0;
        return 0;
    }
    if (units < 1 || units < attempt->units_done || units > all) {
        shard__log(run->context, SHARD_LOG_WARNING, "split-refused",
                   "task %d, of which %lld of %lld units are done: the executor keeps %lld of them", task,
                   (long long)attempt->units_done, (long long)all, (long long)units);
        attempt->is_shrinking = 0;
        return 0;
    }
    if (units == all || attempt->cancelled) {
        /* There is nothing to split off, or it is to end anyway: then its end says what it had done. */
        attempt->is_shrinking = 0;
        return 0;
    }
    struct shard__shares shares = {.count = 1 + parts_of(all - units, min_units_of(run, task), attempt->parts - 1),
                                   .kept = units};
    if (shard__run_make_subtasks(run, task, &shares) < 0)
        return SHARD_ENOMEM;
    struct shard__cause cause = cause_of(run, slot, SHARD_DECIDE_SPLIT);
    hand_over(run, slot, &shares, &cause);
    return 0;
}

/* The first subtask, whose units the attempt had done. Reserved before. */
static void first_is_done(struct shard__run *run, int32_t first, int32_t host, uint32_t number, double seconds)
{
    struct shard__task *hot = &run->tasks[first];
    struct shard__cause cause = {.decision = SHARD_DECIDE_SPLIT,
                                 .reason = SHARD_REASON_KEEPS_ATTEMPT,
                                 .p_fail = NAN,
                                 .seconds = seconds,
                                 .outcome = SHARD_OUTCOME_DONE};
    hot->host = host;
    hot->attempt = number & 0x7fffffff;
    run->cluster->hosts[host].done++;
    shard__run_transition(run, first, SHARD_TASK_DONE, &cause);
    if (run->policy.port->after_success != NULL)
        run->policy.port->after_success(run->policy.self, &run->view, first, host, seconds);
    run->tasks[shard__run_extra(run, first)->parent].missing--;
}

int shard__run_ended_in_part(struct shard__run *run, int32_t slot, int64_t units, double seconds)
{
    const struct shard__attempt attempt = run->attempts->slots[slot];
    int32_t task = attempt.task;
    int64_t all = units_of(run, task), min_units = min_units_of(run, task);
    int32_t wanted = attempt.parts < 2 ? 2 : attempt.parts;
    struct shard__shares shares = {.count = parts_of(all, min_units, wanted)};
    if (units > 0)
        shares = (struct shard__shares){.count = 1 + parts_of(all - units, min_units, wanted - 1), .kept = units};
    if (shares.count < 2)
        shares.count = 2;
    if (shard__run_make_subtasks(run, task, &shares) < 0)
        return SHARD_ENOMEM;
    struct shard__cause cause = cause_of(run, slot, SHARD_DECIDE_SPLIT);
    struct shard__cause of_end = cause;
    of_end.seconds = seconds;
    shard__run_close_attempt(run, slot);
    if (units <= 0) {
        of_end.outcome = SHARD_OUTCOME_PREEMPTED; /* all of it is done anew, which is nobody's failure */
        run->failures[SHARD_OUTCOME_PREEMPTED]++;
    }
    shard__run_transition(run, task, SHARD_TASK_SPLIT, &of_end);
    int32_t first = shard__run_adopt_subtasks(run, task, &shares);
    if (units > 0)
        first_is_done(run, first, attempt.host, (uint32_t)attempt.number, seconds);
    make_ready(run, first + (units > 0), shares.count - (units > 0), &cause);
    return 0;
}

int shard__run_check_replicate(const struct shard__run *run, int32_t slot, int32_t host)
{
    int status = shard__run_check_share(run, slot);
    if (status < 0)
        return status;
    const struct shard__cluster *cluster = run->cluster;
    const struct shard__attempt *attempt = &run->attempts->slots[slot];
    if (host < 0 || host >= cluster->host_count)
        return shard__fail(SHARD_EHOST, "there is no host %d for a replica", host);
    const struct shard__host *other = &cluster->hosts[host];
    if (host == attempt->host)
        return shard__fail(SHARD_EHOST, "it runs on host '%s' already", other->name);
    if (other->state != SHARD_HOST_UP)
        return shard__fail(SHARD_EHOST, "host '%s' for a replica is %s", other->name,
                           shard_host_state_text((int)other->state));
    struct shard__need need = shard__run_need(run, attempt->task);
    if (!shard__host_admits(other, &need))
        return shard__fail(SHARD_ECAPACITY, "host '%s' has not enough free for a replica", other->name);
    enum shard__gate gate = shard__data_gate(run, attempt->task, host);
    if (gate == SHARD__GATE_LOST || (gate == SHARD__GATE_STAGE && !run->can_stage))
        return shard__fail(SHARD_EGATE, "an input cannot be had on host '%s'", other->name);
    if ((int64_t)run->task_count + 2 > SHARD_MAX_TASKS)
        return shard__fail_task(SHARD_ELIMIT, attempt->task, "more than %d tasks", SHARD_MAX_TASKS);
    return 0;
}

int shard__run_replicate(struct shard__run *run, int32_t slot, const struct shard_decision *decision)
{
    struct shard__shares shares = {.count = 2, .is_replicated = 1};
    if (shard__run_make_subtasks(run, run->attempts->slots[slot].task, &shares) < 0)
        return SHARD_ENOMEM;
    note_decision(&run->attempts->slots[slot], decision);
    struct shard__cause cause = cause_of(run, slot, SHARD_DECIDE_REPLICATE);
    int32_t first = hand_over(run, slot, &shares, &cause);
    shard__run_extra(run, first + 1)->wanted_host = decision->host;
    return 0;
}
