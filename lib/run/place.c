/* SPDX-License-Identifier: Apache-2.0 */
/* Placing ready tasks: the policy is asked, its answer is guarded, and what passes becomes an attempt. */

#include "run.h"

#include "base/context.h"
#include "base/error.h"

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
    if (shard__run_amended(run, task) != NULL)
        profile = run->workflow->profile_count; /* it needs what it needs, so it waits with others that do */
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

static int check_start(const struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    const struct shard__cluster *cluster = run->cluster;
    if (decision->host < 0 || decision->host >= cluster->host_count)
        return shard__fail(SHARD_EHOST, "there is no host %d", decision->host);
    const struct shard__host *host = &cluster->hosts[decision->host];
    if (host->state != SHARD_HOST_UP)
        return shard__fail(SHARD_EHOST, "host '%s' is %s", host->name, shard_host_state_text(host->state));
    if (shard__run_replica_host(run, task) == decision->host)
        return shard__fail(SHARD_EHOST, "its replica is on host '%s'", host->name);
    struct shard__need need = shard__run_need(run, task);
    if (decision->memory_bytes > 0)
        need.memory_bytes = decision->memory_bytes;
    if (decision->disk_bytes > 0)
        need.disk_bytes = decision->disk_bytes;
    if (!shard__host_admits(host, &need))
        return shard__fail(SHARD_ECAPACITY, "host '%s' has not enough free for the task", host->name);
    if (shard__data_gate(run, task, decision->host) == SHARD__GATE_STAGE && !run->can_stage)
        return shard__fail(SHARD_EGATE,
                           "an input is not on a volume that host '%s' mounts, and the executor cannot bring it",
                           host->name);
    return 0;
}

int32_t shard__run_open_attempt(struct shard__run *run, int32_t profile, int32_t task, struct shard_decision *decision)
{
    struct shard__task *hot = &run->tasks[task];
    struct shard__extra *extra = NULL;
    if ((decision->memory_bytes > 0 || decision->disk_bytes > 0) && (extra = shard__run_make_extra(run, task)) == NULL)
        return SHARD_ENOMEM;
    if (shard__run_reserve_host(run, decision->host) < 0 || shard__run_reserve(run, 1) < 0 ||
        shard__attempts_reserve(run->attempts) < 0 || shard__effects_reserve(run->effects, 1) < 0)
        return SHARD_ENOMEM;
    if (run->forecaster != NULL && run->forecaster->is_active)
        run->forecaster->placed(run->forecaster, &run->view, task, decision);
    shard__ready_pop(&run->ready, profile);
    if (extra != NULL && decision->memory_bytes > 0)
        extra->memory_bytes = decision->memory_bytes;
    if (extra != NULL && decision->disk_bytes > 0)
        extra->disk_bytes = decision->disk_bytes;
    struct shard__need need = shard__run_need(run, task);
    int32_t slot =
        shard__attempts_open(run->attempts, run->number, task, decision->host, (int32_t)hot->attempt + 1, &need);
    run->attempts->slots[slot].expected_seconds =
        (float)(shard__run_view_tasks.expected_seconds(run, task) / run->cluster->hosts[decision->host].speed);
    hot->slot = slot;
    hot->host = decision->host;
    run->in_flight++;
    return slot;
}

static struct shard__cause cause_of_start(const struct shard__run *run, const struct shard_decision *decision)
{
    struct shard__cause cause = {.decision = SHARD_DECIDE_START,
                                 .reason = decision->reason,
                                 .p_fail = decision->p_fail,
                                 .value = decision->value,
                                 .limit = decision->limit};
    if (run->forecaster != NULL && run->forecaster->is_active && decision->expected_seconds > 0)
        cause.seconds = decision->expected_seconds;
    return cause;
}

void shard__run_record_start(struct shard__run *run, int32_t slot, const struct shard_decision *decision)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    struct shard__cause cause = cause_of_start(run, decision);
    cause.detail = shard__run_note(run, attempt->task, decision);
    attempt->phase = SHARD__ATTEMPT_RECORDED;
    run->tasks[attempt->task].attempt++;
    run->attempt_count++;
    shard__run_transition(run, attempt->task, SHARD_TASK_RUNNING, &cause);
}

static int start(struct shard__run *run, int32_t profile, int32_t task, struct shard_decision *decision)
{
    enum shard__gate gate = shard__data_gate(run, task, decision->host);
    int32_t slot = shard__run_open_attempt(run, profile, task, decision);
    if (slot < 0)
        return slot;
    if (gate == SHARD__GATE_OPEN) {
        shard__run_record_start(run, slot, decision);
        shard__run_share_launch(run, profile, slot, decision);
        return 0;
    }
    struct shard__cause cause = cause_of_start(run, decision);
    shard__run_keep_note(run, task, decision);
    run->attempts->slots[slot].phase = SHARD__ATTEMPT_STAGING;
    shard__run_transition(run, task, SHARD_TASK_STAGING, &cause);
    if (shard__data_stage(run, slot) == 0)
        return 0;
    shard__run_unplace(run, slot, SHARD_REASON_NONE); /* no memory for the requests: back to where it was */
    return SHARD_ENOMEM;
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
                                        .expected_seconds = NAN,
                                        .reason = SHARD_REASON_REFUSED};
}

/* What moved a task before it had started, if that was no policy. */
static void take_adjustment(struct shard__extra *extra, struct shard_decision *decision)
{
    if (extra->wanted_reason == SHARD_REASON_NONE)
        return;
    decision->reason = (enum shard_reason_code)extra->wanted_reason;
    decision->value = (double)extra->wanted_value;
    decision->limit = (double)extra->wanted_limit;
    decision->p_fail = (double)extra->wanted_p_fail;
    extra->wanted_reason = SHARD_REASON_NONE;
}

static void ask(struct shard__run *run, int32_t task, struct shard_decision *decision)
{
    *decision =
        (struct shard_decision){.struct_size = sizeof(*decision), .host = -1, .p_fail = NAN, .expected_seconds = NAN};
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
            take_adjustment(extra, decision);
            return;
        }
        decision->host = -1;
    }
    int status = run->policy.port->place(run->policy.self, &run->view, task, decision);
    shard__run_tame(decision);
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
        return shard__run_wait_for_data(run, profile, task);
    } else if (decision.kind == SHARD_DECIDE_SPLIT) {
        /* It stays in the queue, where its subtasks may stand before it, and is taken out as one that is not ready. */
        char *note = shard__run_note(run, task, &decision);
        cause.detail = note;
        status = shard__run_split(run, task, decision.parts, &cause);
        if (status < 0)
            shard__strfree(run->context, note);
        return status;
    } else if (decision.kind == SHARD_DECIDE_GIVE_UP) {
        return shard__run_give_up(run, task, &cause);
    }
    return shard__run_wait(run, profile, task, &decision, held_in_row);
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
    if (run->stop != SHARD__GO_ON || shard__run_look_again(run) < 0)
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
    shard__strfree(run->context, shard__run_take_note(run, task));
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
