/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placing ready tasks: the policy is asked, its answer is guarded, and what passes becomes an attempt. A task that the
 * policy wants to wait is held by itself; a profile that no host has room for is left out until a host changes.
 */

#include "run.h"

#include "base/context.h"
#include "base/error.h"

/* Profiles taken up again in one call, and tasks of a profile that are held before it is left out. */
enum { MOST_AT_ONCE = 256, HELD_OF_A_PROFILE = 8 };

static double key_of(struct shard__run *run, int32_t task)
{
    if (run->policy.port->rank == NULL)
        return 0;
    double rank = run->policy.port->rank(run->policy.self, &run->view, task);
    return isnan(rank) ? 0 : -rank;
}

int shard__run_make_ready(struct shard__run *run, int32_t task)
{
    int32_t profile = run->workflow->profile_of[shard__run_origin(run, task)];
    if (run->ready_is_short)
        return 0; /* the queues are made anew before they are used */
    /* Priority goes before every rank; ranks are seconds, so a year of them fits in between. */
    double key = key_of(run, task) - 1e8 * (double)run->workflow->profiles[profile].priority;
    if (shard__ready_push(&run->ready, profile, key, task) < 0)
        run->ready_is_short = 1;
    return 0;
}

static void flush_changed_hosts(struct shard__run *run)
{
    struct shard__cluster *cluster = run->cluster;
    while (cluster->dirty_count > 0) {
        int32_t host = cluster->dirty[--cluster->dirty_count];
        cluster->hosts[host].dirty = 0;
        if (run->policy.port->host_changed != NULL)
            run->policy.port->host_changed(run->policy.self, &run->view, host);
    }
}

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

static int hold(struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    if (shard__grow(run->context, &run->held, &run->held_capacity, (size_t)run->held_count + 1, sizeof(*run->held)) < 0)
        return SHARD_ENOMEM;
    run->held[run->held_count++] = task;
    look_within(run, decision->wait_seconds > 0 ? decision->wait_seconds : 1);
    struct shard__task *hot = &run->tasks[task];
    hot->decision = SHARD_DECIDE_WAIT;
    hot->reason = (unsigned)decision->reason & 0xffu;
    hot->value = (float)decision->value;
    return 0;
}

/* Takes held tasks and blocked profiles up again when something has changed since. */
static int look_again(struct shard__run *run)
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

static int check_start(const struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    const struct shard__cluster *cluster = run->cluster;
    if (decision->host < 0 || decision->host >= cluster->host_count)
        return shard__fail(SHARD_EHOST, "there is no host %d", decision->host);
    const struct shard__host *host = &cluster->hosts[decision->host];
    if (host->state != SHARD_HOST_UP)
        return shard__fail(SHARD_EHOST, "host '%s' is %s", host->name, shard_host_state_text(host->state));
    struct shard__need need = shard__run_need(run, task);
    if (decision->memory_bytes > 0)
        need.memory_bytes = decision->memory_bytes;
    if (!shard__host_admits(host, &need))
        return shard__fail(SHARD_ECAPACITY, "host '%s' has not enough free for the task", host->name);
    if (shard__data_gate(run, task, decision->host) == SHARD__GATE_STAGE && !run->can_stage)
        return shard__fail(SHARD_EGATE,
                           "an input is not on a volume that host '%s' mounts, and the executor cannot bring it",
                           host->name);
    return 0;
}

static int start(struct shard__run *run, int32_t profile, int32_t task, const struct shard_decision *decision)
{
    struct shard__task *hot = &run->tasks[task];
    struct shard__extra *extra = NULL;
    if (decision->memory_bytes > 0 && (extra = shard__run_make_extra(run, task)) == NULL)
        return SHARD_ENOMEM;
    if (shard__run_reserve_host(run, decision->host) < 0 || shard__run_reserve(run, 1) < 0 ||
        shard__attempts_reserve(run->attempts) < 0 || shard__effects_reserve(run->effects, 1) < 0)
        return SHARD_ENOMEM;
    enum shard__gate gate = shard__data_gate(run, task, decision->host);
    shard__ready_pop(&run->ready, profile);
    if (extra != NULL)
        extra->memory_bytes = decision->memory_bytes;
    struct shard__need need = shard__run_need(run, task);
    int32_t slot =
        shard__attempts_open(run->attempts, run->number, task, decision->host, (int32_t)hot->attempt + 1, &need);
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    attempt->expected_seconds = (float)shard__run_view_tasks.expected_seconds(run, task);
    hot->slot = slot;
    hot->host = decision->host;
    run->in_flight++;
    struct shard__cause cause = {.decision = SHARD_DECIDE_START,
                                 .reason = decision->reason,
                                 .p_fail = decision->p_fail,
                                 .value = decision->value,
                                 .limit = decision->limit};
    if (gate == SHARD__GATE_STAGE) {
        attempt->phase = SHARD__ATTEMPT_STAGING;
        shard__run_transition(run, task, SHARD_TASK_STAGING, &cause);
        if (shard__data_stage(run, slot) == 0)
            return 0;
        shard__run_unplace(run, slot, SHARD_REASON_NONE); /* no memory for the requests: back to where it was */
        return SHARD_ENOMEM;
    }
    attempt->phase = SHARD__ATTEMPT_RECORDED;
    hot->attempt++;
    run->attempt_count++;
    shard__run_transition(run, task, SHARD_TASK_RUNNING, &cause);
    return 0;
}

/* The engine's own choice, when the policy's was refused: the first host that would do. */
static int default_host(const struct shard__run *run, int32_t task)
{
    for (int32_t i = 0; i < run->cluster->open_count; i++) {
        struct shard_decision decision = {.host = run->cluster->open[i]};
        if (check_start(run, task, &decision) == 0)
            return decision.host;
    }
    return -1;
}

static void refuse(struct shard__run *run, int32_t task, struct shard_decision *decision)
{
    char name[128];
    shard__run_task_name(run, task, name, sizeof(name));
    shard__log(run->context, SHARD_LOG_WARNING, "decision-refused", "policy '%s', task '%s': %s",
               run->policy.port->name, name, shard__error_message());
    int32_t host = default_host(run, task);
    *decision = (struct shard_decision){.kind = host < 0 ? SHARD_DECIDE_WAIT : SHARD_DECIDE_START,
                                        .host = host,
                                        .p_fail = NAN,
                                        .reason = SHARD_REASON_REFUSED};
}

static void ask(struct shard__run *run, int32_t task, struct shard_decision *decision)
{
    *decision = (struct shard_decision){.struct_size = sizeof(*decision), .host = -1, .p_fail = NAN};
    int parts = shard__workflow_profile(run->workflow, shard__run_origin(run, task))->parts;
    if (parts > 1 && task < run->workflow->task_count && run->tasks[task].attempt == 0 &&
        shard__run_check_split(run, task, parts) == 0) {
        decision->kind = SHARD_DECIDE_SPLIT;
        decision->parts = parts;
        decision->reason = SHARD_REASON_PARTS_ASKED;
        decision->value = parts;
        return;
    }
    struct shard__extra *extra = shard__run_extra(run, task);
    if (extra != NULL && extra->wanted_host >= 0) { /* moved: it goes where the policy wanted it, if that is possible */
        decision->host = extra->wanted_host;
        extra->wanted_host = -1;
        if (check_start(run, task, decision) == 0) {
            decision->kind = SHARD_DECIDE_START;
            decision->reason = SHARD_REASON_POLICY;
            return;
        }
        decision->host = -1;
    }
    decision->expected_seconds = NAN;
    int status = run->policy.port->place(run->policy.self, &run->view, task, decision);
    if (status < 0) {
        shard__fail(SHARD_ESTATE, "place failed: %s", shard_code_text(status));
        refuse(run, task, decision);
    } else if (decision->kind == SHARD_DECIDE_START && check_start(run, task, decision) < 0) {
        refuse(run, task, decision);
    } else if (decision->kind == SHARD_DECIDE_SPLIT && shard__run_check_split(run, task, decision->parts) < 0) {
        refuse(run, task, decision);
    } else if (decision->kind != SHARD_DECIDE_START && decision->kind != SHARD_DECIDE_SPLIT &&
               decision->kind != SHARD_DECIDE_GIVE_UP && decision->kind != SHARD_DECIDE_WAIT) {
        shard__fail(SHARD_EINVAL, "decided %s for a ready task, expected start, wait, split or give_up",
                    shard_decision_text((int)decision->kind));
        refuse(run, task, decision);
    }
}

/* There is no start for a task now. 0, or a negative code. */
static int wait(struct shard__run *run, int32_t profile, int32_t task, const struct shard_decision *decision,
                int *held_in_row)
{
    int status = give_up_unplaceable(run, task);
    if (status != 0)
        return status < 0 ? status : 0;
    struct shard__task *hot = &run->tasks[task];
    hot->decision = SHARD_DECIDE_WAIT;
    hot->reason = (unsigned)decision->reason & 0xffu;
    hot->value = (float)decision->value;
    if (decision->reason == SHARD_REASON_NO_CAPACITY || *held_in_row >= HELD_OF_A_PROFILE) {
        /* Where nothing runs, nothing will end and change that: only time can. */
        if (decision->reason != SHARD_REASON_NO_CAPACITY || run->attempts->active == 0)
            look_within(run, 1);
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

/* A task of which an input is nowhere. 0: it waits for that, or is given up; or SHARD_ENOMEM. */
static int wait_for_data(struct shard__run *run, int32_t profile, int32_t task)
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

/* One task. 1 if it was placed, 0 if it waits or is over, or a negative code. */
static int place_one(struct shard__run *run, int32_t profile, int32_t task, int *held_in_row)
{
    struct shard_decision decision;
    ask(run, task, &decision);
    struct shard__cause cause = {.decision = decision.kind,
                                 .reason = decision.reason,
                                 .p_fail = decision.p_fail,
                                 .value = decision.value,
                                 .limit = decision.limit};
    int status;
    if (decision.kind == SHARD_DECIDE_START) {
        if (shard__data_gate(run, task, decision.host) != SHARD__GATE_LOST) {
            status = start(run, profile, task, &decision);
            *held_in_row = 0;
            return status < 0 ? status : 1;
        }
        return wait_for_data(run, profile, task);
    } else if (decision.kind == SHARD_DECIDE_SPLIT) {
        /* It stays in the queue, where its subtasks may stand before it, and is taken out as one that is not ready. */
        return shard__run_split(run, task, decision.parts, &cause);
    } else if (decision.kind == SHARD_DECIDE_GIVE_UP) {
        return shard__run_give_up(run, task, &cause);
    }
    return wait(run, profile, task, &decision, held_in_row);
}

/* Said once: there are ready tasks, and no host that could ever take one. */
static void tell_no_hosts(struct shard__run *run)
{
    if (run->told_no_hosts || run->attempts->active > 0)
        return;
    for (int32_t i = 0; i < run->cluster->host_count; i++)
        if (run->cluster->hosts[i].state < SHARD_HOST_LEFT)
            return;
    run->told_no_hosts = 1;
    shard__effects_warn(run->effects, run->number, -1, SHARD_EHOST, "there is no host: tasks wait for one that joins");
}

int shard__run_place(struct shard__run *run, int32_t most)
{
    int placed = 0, held_in_row = 0;
    if (run->stop != SHARD__GO_ON || look_again(run) < 0)
        return run->stop != SHARD__GO_ON ? 0 : SHARD_ENOMEM;
    flush_changed_hosts(run);
    for (int32_t looked = 0; looked < most; looked++) {
        int32_t profile;
        int32_t task = shard__ready_first(&run->ready, &profile);
        if (task < 0)
            break;
        if (run->tasks[task].state != SHARD_TASK_READY) {
            shard__ready_pop(&run->ready, profile); /* cancelled, split or blocked while it stood in the queue */
            continue;
        }
        if (run->cluster->open_count == 0) {
            tell_no_hosts(run);
            break;
        }
        int status = place_one(run, profile, task, &held_in_row);
        if (status < 0)
            return status;
        placed += status;
        flush_changed_hosts(run);
    }
    return placed;
}

void shard__run_unplace(struct shard__run *run, int32_t slot, enum shard_reason_code reason)
{
    int32_t task = run->attempts->slots[slot].task;
    struct shard__cause cause = {.reason = reason, .p_fail = (double)run->tasks[task].p_fail};
    run->tasks[task].slot = -1;
    run->in_flight--;
    shard__attempts_close(run->attempts, slot);
    shard__run_transition(run, task, SHARD_TASK_READY, &cause);
    shard__run_make_ready(run, task);
}

int shard__run_staged(struct shard__run *run, int32_t slot)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    int32_t task = attempt->task;
    struct shard__task *hot = &run->tasks[task];
    if (attempt->phase != SHARD__ATTEMPT_STAGING || attempt->staging > 0)
        return 0;
    if (shard__run_reserve(run, 1) < 0)
        return SHARD_ENOMEM;
    enum shard__gate gate = shard__data_gate(run, task, attempt->host);
    int may_start = run->stop == SHARD__GO_ON && run->cluster->hosts[attempt->host].state == SHARD_HOST_UP;
    if (gate == SHARD__GATE_LOST || !may_start) {
        shard__run_unplace(run, slot, gate == SHARD__GATE_LOST ? SHARD_REASON_INPUT_LOST : SHARD_REASON_REQUESTED);
        return 0;
    }
    if (gate == SHARD__GATE_STAGE)
        return shard__data_stage(run, slot);
    struct shard__cause cause = {
        .decision = SHARD_DECIDE_START, .reason = SHARD_REASON_STAGED, .p_fail = (double)hot->p_fail};
    attempt->phase = SHARD__ATTEMPT_RECORDED;
    hot->attempt++;
    run->attempt_count++;
    shard__run_transition(run, task, SHARD_TASK_RUNNING, &cause);
    return 0;
}
