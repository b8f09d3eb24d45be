/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ready tasks that wait: a task that the policy wants to wait is held by itself; a profile that no host has room for is
 * left out until a host changes; a task whose input is nowhere waits for that, and one that no host will ever do for is
 * given up.
 */

#include "run.h"

#include "base/context.h"
#include "base/error.h"

/* Profiles taken up again in one call, and tasks of a profile that are held before it is left out. */
enum { MOST_AT_ONCE = 256, HELD_OF_A_PROFILE = 8 };

/* Whether a host could run the task, were it empty. */
static int could_run(const struct shard__run *run, int32_t task, const struct shard__need *need, int32_t host)
{
    return shard__host_could_hold(&run->cluster->hosts[host], need) &&
           (run->can_stage || shard__data_gate(run, task, host) != SHARD__GATE_STAGE);
}

/* Whether any host that is not gone could run the task; and whether there is any such host at all. */
static int someone_could_run(const struct shard__run *run, int32_t task, const struct shard__need *need, int *ret_hosts)
{
    *ret_hosts = 0;
    for (int32_t i = 0; i < run->cluster->host_count; i++) {
        const struct shard__host *host = &run->cluster->hosts[i];
        if (host->state >= SHARD_HOST_LEFT)
            continue;
        (*ret_hosts)++;
        if (could_run(run, task, need, i))
            return 1;
    }
    return 0;
}

/* A ready task for which there is no room: gives it up when no host will ever do. 1 if that happened. */
static int give_up_unplaceable(struct shard__run *run, int32_t task)
{
    int hosts;
    struct shard__need need = shard__run_need(run, task);
    if (run->wait_for_hosts || someone_could_run(run, task, &need, &hosts) || hosts == 0)
        return 0;
    struct shard__cause cause = {.decision = SHARD_DECIDE_GIVE_UP, .reason = SHARD_REASON_UNPLACEABLE, .p_fail = NAN};
    int status = shard__run_give_up(run, task, &cause);
    return status < 0 ? status : 1;
}

/* Those that wait are looked at again then, or before. */
static void look_within(struct shard__run *run, double seconds)
{
    /* Not so soon that no time passes in between. */
    int64_t at_ns = shard__later_ns(run->now_ns, shard__seconds_to_ns(seconds < 0.001 ? 0.001 : seconds));
    if (at_ns < run->look_ns)
        run->look_ns = at_ns;
}

static double seconds_of(const struct shard_decision *decision)
{
    return decision->wait_seconds > 0 ? decision->wait_seconds : 1;
}

static int hold(struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    if (shard__grow(run->context, &run->held, &run->held_capacity, (size_t)run->held_count + 1, sizeof(*run->held)) < 0)
        return SHARD_ENOMEM;
    run->held[run->held_count++] = task;
    look_within(run, seconds_of(decision));
    struct shard__task *hot = &run->tasks[task];
    hot->decision = SHARD_DECIDE_WAIT;
    hot->reason = (unsigned)decision->reason & 0xffu;
    hot->value = (float)decision->value;
    shard__run_keep_note(run, task, decision);
    return 0;
}

int shard__run_look_again(struct shard__run *run)
{
    int look = run->cluster->changes != run->seen_changes || run->now_ns >= run->look_ns;
    if (look)
        run->blocked_left = run->ready.blocked_count;
    if (run->blocked_left > 0) {
        int32_t most = run->blocked_left < MOST_AT_ONCE ? run->blocked_left : MOST_AT_ONCE;
        if (shard__ready_unblock(&run->ready, most) < 0)
            return SHARD_ENOMEM;
        run->blocked_left -= most;
    }
    if (!look)
        return 0;
    run->seen_changes = run->cluster->changes;
    run->look_ns = INT64_MAX;
    /* At most HELD_OF_A_PROFILE of each profile are held, so all of them can be looked at. */
    while (run->held_count > 0) {
        int32_t task = run->held[--run->held_count];
        if (run->tasks[task].state == SHARD_TASK_READY)
            shard__run_make_ready(run, task);
    }
    return 0;
}

int shard__run_wait(struct shard__run *run, int32_t profile, int32_t task, const struct shard_decision *decision,
                    int *held_in_row)
{
    int status = give_up_unplaceable(run, task);
    if (status != 0)
        return status < 0 ? status : 0;
    struct shard__task *hot = &run->tasks[task];
    hot->decision = SHARD_DECIDE_WAIT;
    hot->reason = (unsigned)decision->reason & 0xffu;
    hot->value = (float)decision->value;
    /* Where a task that has not failed is not wanted, none is that asks for the same; but only a replica keeps off the
       other's host. */
    int for_all =
        shard__run_replica(run, task) < 0 && (decision->reason == SHARD_REASON_NO_CAPACITY ||
                                              (decision->reason == SHARD_REASON_EXCLUDED && hot->attempt == 0));
    if (for_all || *held_in_row >= HELD_OF_A_PROFILE) {
        /* Where nothing runs, nothing will end and change that: only time can. Those that are not asked may be wanted
           sooner. */
        if (decision->reason != SHARD_REASON_NO_CAPACITY || run->attempts->active == 0)
            look_within(run, fmin(1, seconds_of(decision)));
        *held_in_row = 0;
        shard__ready_block(&run->ready, profile);
        return 0;
    }
    ++*held_in_row;
    status = hold(run, task, decision);
    if (status == 0)
        shard__ready_pop(&run->ready, profile);
    return status;
}

/* Whether an input is lost for good: who makes it was given up. */
static int is_lost_for_good(const struct shard__run *run, int32_t task)
{
    int32_t from = shard__run_origin(run, task);
    const int32_t *inputs = shard__csr_row(&run->workflow->inputs, from);
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->inputs, from); i++) {
        int32_t producer = run->workflow->data_producer[inputs[i]];
        if (shard__data_volume(run, inputs[i]) < 0 && producer >= 0 && run->tasks[producer].state >= SHARD_TASK_FAILED)
            return 1;
    }
    return 0;
}

int shard__run_wait_for_data(struct shard__run *run, int32_t profile, int32_t task)
{
    static const struct shard__cause lost = {
        .decision = SHARD_DECIDE_GIVE_UP, .reason = SHARD_REASON_PREDECESSOR_FAILED, .p_fail = NAN};
    static const struct shard_decision later = {.reason = SHARD_REASON_INPUT_LOST, .wait_seconds = 3600};
    shard__ready_pop(&run->ready, profile); /* first, since its producers may come before it in the queue */
    int status = shard__data_remake(run, task);
    if (status == SHARD_ENOENT && is_lost_for_good(run, task)) {
        status = shard__run_give_up(run, task, &lost);
    } else if (status == SHARD_ENOENT) {
        /* Made by a task that it does not depend on, or by none: it is looked at again when that has changed. */
        if (run->tasks[task].reason != SHARD_REASON_INPUT_LOST) {
            char name[128];
            shard__run_task_name(run, task, name, sizeof(name));
            shard__effects_warn(run->effects, run->number, task, SHARD_EGATE, "task '%s': an input is on no volume",
                                name);
        }
        status = hold(run, task, &later);
    }
    if (status < 0)
        shard__run_make_ready(run, task);
    return status;
}
