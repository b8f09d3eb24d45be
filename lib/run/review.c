/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the policy about tasks that run: each at most once a second, or as seldom as the policy asks for, a bounded
 * number in one call. What comes of it is that an attempt is left alone, ended so that its task goes elsewhere, given a
 * replica, or its rest to others.
 */

#include "run.h"

#include "base/context.h"
#include "base/error.h"

/* Slots looked at in one call; and how far ahead their tasks are fetched, which lie anywhere. */
enum { MOST_LOOKED_AT = 512, AHEAD = 8 };

static int check_move(const struct shard__run *run, const struct shard__attempt *attempt,
                      const struct shard_decision *decision)
{
    const struct shard__cluster *cluster = run->cluster;
    if (decision->kind != SHARD_DECIDE_MOVE)
        return shard__fail(SHARD_EINVAL, "decided %s for a running task, expected wait, move, split or replicate",
                           shard_decision_text((int)decision->kind));
    if (shard__run_replica(run, attempt->task) >= 0)
        return shard__fail_task(SHARD_ESTATE, attempt->task, "the task has a replica that is not done");
    if (decision->host < -1 || decision->host >= cluster->host_count)
        return shard__fail(SHARD_EHOST, "there is no host %d to move to", decision->host);
    if (decision->host == attempt->host)
        return shard__fail(SHARD_EHOST, "it runs on host '%s' already", cluster->hosts[decision->host].name);
    if (decision->host >= 0 && cluster->hosts[decision->host].state != SHARD_HOST_UP)
        return shard__fail(SHARD_EHOST, "host '%s' to move to is %s", cluster->hosts[decision->host].name,
                           shard_host_state_text((int)cluster->hosts[decision->host].state));
    return 0;
}

static int move(struct shard__run *run, int32_t slot, const struct shard_decision *decision)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    int status = check_move(run, attempt, decision);
    if (status < 0)
        return status;
    if (shard__run_make_extra(run, attempt->task) == NULL ||
        shard__run_cancel_attempt(run, slot, SHARD_OUTCOME_PREEMPTED) < 0)
        return SHARD_ENOMEM;
    attempt->is_moved = 1;
    attempt->move_reason = (uint8_t)decision->reason;
    attempt->move_p_fail = (float)decision->p_fail;
    attempt->move_value = (float)decision->value;
    attempt->move_limit = (float)decision->limit;
    shard__run_extra(run, attempt->task)->wanted_host = decision->host;
    return 0;
}

static int carry_out(struct shard__run *run, int32_t slot, const struct shard_decision *decision)
{
    if (decision->kind == SHARD_DECIDE_SPLIT)
        return shard__run_ask_rest(run, slot, decision);
    if (decision->kind != SHARD_DECIDE_REPLICATE)
        return move(run, slot, decision);
    int status = shard__run_check_replicate(run, slot, decision->host);
    return status < 0 ? status : shard__run_replicate(run, slot, decision);
}

static int obey(struct shard__run *run, int32_t slot, int32_t task, const struct shard_decision *decision)
{
    shard__run_keep_note(run, task, decision); /* first: the record may be made at once */
    int status = carry_out(run, slot, decision);
    if (status < 0)
        shard__strfree(run->context, shard__run_take_note(run, task));
    return status;
}

static int review(struct shard__run *run, int32_t slot)
{
    int32_t task = run->attempts->slots[slot].task;
    struct shard_decision decision = {
        .struct_size = sizeof(decision), .host = -1, .p_fail = NAN, .expected_seconds = NAN};
    int status = run->policy.port->review(run->policy.self, &run->view, task, &decision);
    shard__run_tame(&decision);
    if (status < 0)
        status = shard__fail(SHARD_ESTATE, "review failed: %s", shard_code_text(status));
    else if (decision.kind == SHARD_DECIDE_NOTHING || decision.kind == SHARD_DECIDE_WAIT)
        run->attempts->slots[slot].review_ns =
            shard__later_ns(run->now_ns, shard__seconds_to_ns(decision.wait_seconds));
    else
        status = obey(run, slot, task, &decision);
    if (status < 0 && status != SHARD_ENOMEM) {
        char name[128];
        shard__run_task_name(run, task, name, sizeof(name));
        shard__log(run->context, SHARD_LOG_WARNING, "decision-refused", "policy '%s', running task '%s': %s",
                   run->policy.port->name, name, shard__error_message());
        status = 0;
    }
    return status;
}

/* Has the processor fetch what a review asks first of a task. No function: a compiler drops one that does only that. */
#define FETCH(run, task)                                                            \
    do {                                                                            \
        __builtin_prefetch(&(run)->tasks[task]);                                    \
        if ((run)->workflow->units != NULL && (task) < (run)->workflow->task_count) \
            __builtin_prefetch(&(run)->workflow->units[task]);                      \
    } while (0)

int shard__run_review(struct shard__run *run)
{
    if (run->policy.port->review == NULL || run->stop != SHARD__GO_ON || run->in_flight == 0 ||
        run->now_ns < run->review_ns)
        return 0;
    int32_t end = run->review_next + MOST_LOOKED_AT;
    if (end > run->attempts->count)
        end = run->attempts->count;
    for (; run->review_next < end; run->review_next++) {
        const struct shard__attempt *attempt = &run->attempts->slots[run->review_next];
        if (run->review_next + AHEAD < end && attempt[AHEAD].run == run->number)
            FETCH(run, attempt[AHEAD].task);
        if (attempt->run == run->number && attempt->phase == SHARD__ATTEMPT_STARTED && !attempt->cancelled &&
            !attempt->is_shrinking && attempt->before < 0 && attempt->review_ns <= run->now_ns &&
            review(run, run->review_next) < 0)
            return SHARD_ENOMEM;
    }
    if (run->review_next < run->attempts->count)
        return 0; /* the rest when it is called again */
    run->review_next = 0;
    run->review_ns = shard__later_ns(run->now_ns, 1000000000);
    return 0;
}
