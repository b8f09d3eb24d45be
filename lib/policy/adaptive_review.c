/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy `adaptive` makes of running attempts, and of attempts that have ended. */

#include <string.h>

#include "adaptive.h"
#include "base/alloc.h"
#include "base/context.h"

/* Acting: at most so many of the slots have a second attempt, and the bucket of moves and second attempts fills with
   one for each FILL slots in a second, up to that share of them. */
static const double copies_share = 0.05, fill_slots = 50;
/* What an attempt has left against what is left for each slot: so many times as much decides when the run ends. */
static const double dominates = 3;
/* One of two attempts is for nothing: so much of the second, in the mean. */
static const double copy_loss = 0.5;
/* Given up before the budgets: so surely the task's own, on so many hosts. */
static const double at_fault_p = 0.75, data_share = 0.6;
enum { AT_FAULT_HOSTS = 7, DATA_AT_FAULT_HOSTS = 4 };
/* So many failures of a task that are a host's are tried again at once; then the back-off spares the budgets. */
enum { MOST_AT_ONCE = 2 };

int shard__adaptive_may_act(struct shard__adaptive *policy, const struct shard_view *view)
{
    double most = 1 + copies_share * (double)policy->slots.all;
    double passed = (double)(view->now_ns - policy->actions_ns) / 1e9;
    if (passed > 0) {
        policy->actions += passed * (1 + (double)policy->slots.all / fill_slots);
        policy->actions_ns = view->now_ns;
    }
    if (policy->actions > most)
        policy->actions = most;
    if (policy->actions < 1)
        return 0;
    policy->actions -= 1;
    return 1;
}

/* A divisible attempt that goes on when all others are done is shared with idle slots, though it be on time. */
static int ends_last(const struct shard__adaptive *policy, const struct shard__running *running,
                     const struct shard__progress *progress)
{
    double busy_seconds = policy->work_seconds / (double)(policy->slots.all > 0 ? policy->slots.all : 1);
    return running->units_done > 0 && running->units - running->units_done > 1 &&
           progress->left_seconds > dominates * busy_seconds;
}

/* The rest of a divisible attempt is shared with idle slots. */
static int wants_rest_split(struct shard__adaptive *policy, const struct shard_view *view,
                            const struct shard__weighed *task, const struct shard__running *running,
                            const struct shard__progress *progress, struct shard_decision *ret_decision)
{
    int64_t idle = policy->slots.free - view->tasks->ready_count(view->run);
    const struct shard__profile *profile =
        shard__workflow_profile(view->workflow, view->tasks->origin(view->run, task->task));
    if (running->units < 2 || running->units_done <= 0 || idle < 1)
        return 0;
    struct shard__split_overhead none = {0, 0};
    const struct shard__split_overhead *overhead =
        task->kind >= 0 && task->kind < policy->overhead_count ? &policy->overheads[task->kind] : &none;
    struct shard__split_ask ask = {.seconds = progress->left_seconds,
                                   .units = running->units - running->units_done,
                                   .min_units = profile->min_units,
                                   .p_fail = NAN,
                                   .idle_slots = idle + 1,
                                   .overhead_seconds =
                                       shard__split_overhead_seconds(overhead, progress->left_seconds / 2)};
    struct shard__split_plan plan;
    shard__split_plan(&ask, &plan);
    if (plan.parts < 2 || !shard__adaptive_may_act(policy, view))
        return 0;
    ret_decision->kind = SHARD_DECIDE_SPLIT;
    ret_decision->parts = plan.parts;
    ret_decision->reason = SHARD_REASON_IDLE_SLOTS;
    ret_decision->value = plan.parts;
    ret_decision->limit = (double)idle;
    ret_decision->note = shard__adaptive_note_split(policy, view, &plan, running->host, NAN);
    return 1;
}

/* Its host has turned bad: whether to begin again elsewhere costs less than to stay. */
static int wants_move(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                      const struct shard__running *running, const struct shard__progress *progress,
                      struct shard_decision *ret_decision)
{
    struct shard__offer stay = {.host = running->host}, best, next;
    if (!shard__adaptive_best_open(policy, view, task, running->host, &best, &next))
        return 0;
    shard__adaptive_forecast(policy, view, task, &stay, 1, 0);
    stay.seconds = progress->left_seconds;
    shard__adaptive_cost(policy, task, &stay, 1);
    /* What it has done is lost when it fails, and when it leaves. */
    double lost = policy->config.waste_weight * progress->ran_seconds;
    stay.cost_seconds += stay.p_fail * lost;
    best.cost_seconds += lost;
    next.cost_seconds += lost;
    if (stay.cost_seconds <= (1 + policy->config.hysteresis) * best.cost_seconds ||
        !shard__adaptive_may_act(policy, view))
        return 0;
    ret_decision->kind = SHARD_DECIDE_MOVE;
    ret_decision->host = best.host;
    ret_decision->reason = SHARD_REASON_HOST_SICK;
    ret_decision->p_fail = stay.p_fail;
    ret_decision->value = stay.cost_seconds;
    ret_decision->limit = best.cost_seconds;
    ret_decision->note = shard__adaptive_note_move(policy, view, &stay, &best, &next);
    return 1;
}

int shard__adaptive_review(void *self, const shard_view *view, shard_task_id id, struct shard_decision *ret_decision)
{
    struct shard__adaptive *policy = self;
    struct shard__running running;
    struct shard__progress progress;
    struct shard__weighed task;
    if (!view->tasks->running(view->run, id, &running))
        return 0;
    /* Most are well and on time: that has to be cheap. */
    int is_sick = shard__health_of(&policy->health, running.host, view->now_ns) == SHARD__QUARANTINED;
    if (!is_sick && shard__stragglers_on_time(&policy->stragglers, &running, view->now_ns, ret_decision))
        return 0;
    /* Against what it would take on a host that is as fast as it says: a slow one makes stragglers. */
    double seconds = shard__adaptive_seconds(policy, view, id, shard__kinds_number(&policy->kinds, view, id));
    if (!shard__progress_of(&running, seconds / view->cluster->hosts[running.host].speed, view->now_ns, &progress))
        return 0;
    int64_t most = (int64_t)(copies_share * (double)policy->slots.all);
    int is_slow = shard__stragglers_review(&policy->stragglers, view, id, &progress, most < 1 ? 1 : most, ret_decision);
    int is_idle = policy->slots.free > view->tasks->ready_count(view->run), may_copy = is_slow && is_idle;
    int may_share =
        may_copy || (is_idle && ends_last(policy, &running, &progress) && view->tasks->may_share(view->run, id));
    if ((!is_sick && !may_share) || shard__stragglers_has_copy(&policy->stragglers, view, id))
        return 0;
    shard__adaptive_weigh_task(policy, view, id, &task);
    if (is_sick && wants_move(policy, view, &task, &running, &progress, ret_decision))
        return 0;
    if (!may_share)
        return 0;
    struct shard__offer best, next;
    if (wants_rest_split(policy, view, &task, &running, &progress, ret_decision)) {
        shard__stragglers_copied(&policy->stragglers, view, id);
        return 0;
    }
    if (!may_copy || !shard__adaptive_best_open(policy, view, &task, running.host, &best, &next) ||
        task.urgency * (progress.left_seconds - best.seconds) <=
            (copy_loss * policy->config.waste_weight + policy->config.hysteresis) * best.seconds ||
        !shard__adaptive_may_act(policy, view))
        return 0;
    shard__stragglers_replicate(&policy->stragglers, view, id, &progress, best.host, best.seconds, ret_decision);
    ret_decision->p_fail = best.p_fail;
    ret_decision->note = shard__adaptive_note(policy, view, &best, &next, NULL);
    return 0;
}

/* How much likelier than by the rates alone an outcome is to be the host's doing. */
static double host_factor(enum shard_outcome outcome)
{
    switch (outcome) {
    case SHARD_OUTCOME_HOST_LOST:
        return 50;
    case SHARD_OUTCOME_LAUNCH_ERROR:
    case SHARD_OUTCOME_OUT_OF_DISK:
        return 4;
    case SHARD_OUTCOME_STAGE_ERROR:
    case SHARD_OUTCOME_TIMEOUT:
        return 2;
    case SHARD_OUTCOME_OUT_OF_MEMORY:
        return 0.5;
    case SHARD_OUTCOME_NONE:
    case SHARD_OUTCOME_DONE:
    case SHARD_OUTCOME_TASK_ERROR:
    case SHARD_OUTCOME_PREEMPTED:
    case SHARD_OUTCOME_CANCELLED:
        break;
    }
    return 1;
}

int shard__adaptive_after_failure(void *self, const shard_view *view, shard_task_id id, shard_host_id host,
                                  enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct shard__adaptive *policy = self;
    struct shard__weighed task;
    struct shard__blame_about about;
    struct shard__blame_shares shares;
    shard__stragglers_over(&policy->stragglers, view, id);
    if (outcome == SHARD_OUTCOME_PREEMPTED || outcome == SHARD_OUTCOME_CANCELLED || host < 0)
        return 0; /* nobody's failure */
    shard__adaptive_weigh_task(policy, view, id, &task);
    shard__adaptive_learn_needs(policy, view, &task, outcome);
    if (shard__view_ran_out(view, id, outcome) == 1)
        return 0; /* it had asked for too little, and asks for more: that says nothing of where it ran */
    shard__adaptive_about(&task, host, view->now_ns, &about);
    shard__blame_failed(&policy->blame, &about, host_factor(outcome), &shares);
    struct shard__rate rate = shard__blame_host(&policy->blame, host, view->now_ns);
    enum shard__health_state before = shard__health_of(&policy->health, host, view->now_ns);
    enum shard__health_state after =
        shard__health_ended(&policy->health, host, view->cluster->host_count, &rate, shares.host, view->now_ns);
    shard__adaptive_pool_host(policy, view, host);
    if (after == SHARD__QUARANTINED && before != SHARD__QUARANTINED)
        shard__view_leaves_out(view, host, rate.failures, rate.attempts);
    if (outcome != SHARD_OUTCOME_OUT_OF_MEMORY && shares.hosts >= AT_FAULT_HOSTS && shares.p_task >= at_fault_p) {
        ret_decision->kind = SHARD_DECIDE_GIVE_UP;
        ret_decision->reason = SHARD_REASON_TASK_AT_FAULT;
        ret_decision->value = shares.hosts;
        ret_decision->limit = shares.task;
    } else if (shares.hosts >= DATA_AT_FAULT_HOSTS && shares.data >= data_share) {
        ret_decision->kind = SHARD_DECIDE_GIVE_UP;
        ret_decision->reason = SHARD_REASON_DATA_AT_FAULT;
        ret_decision->value = shares.hosts;
        ret_decision->limit = shares.data;
    } else if (shares.host >= 0.5 && task.failures <= MOST_AT_ONCE && outcome != SHARD_OUTCOME_OUT_OF_MEMORY) {
        /* Elsewhere it has no reason to fail: it need not wait. The budgets still count. */
        ret_decision->kind = SHARD_DECIDE_WAIT;
        ret_decision->reason = SHARD_REASON_RETRY;
    }
    return 0;
}

/* Overhead of parts, by kind. */
static void learn_overhead(struct shard__adaptive *policy, const struct shard_view *view,
                           const struct shard__weighed *task, int32_t host, double seconds)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    if (task->kind < 0 || view->tasks->origin(view->run, task->task) == task->task)
        return;
    view->tasks->describe(view->run, task->task, &about);
    if (about.parent < 0 || about.unit_end - about.unit_begin >= about.info.units)
        return; /* a replica has the whole range */
    if (task->kind >= policy->overhead_count) {
        if (shard__grow(policy->context, &policy->overheads, &policy->overhead_capacity, (size_t)task->kind + 1,
                        sizeof(*policy->overheads)) < 0)
            return;
        memset(policy->overheads + policy->overhead_count, 0,
               (size_t)(task->kind + 1 - policy->overhead_count) * sizeof(*policy->overheads));
        policy->overhead_count = task->kind + 1;
    }
    shard__split_learn(&policy->overheads[task->kind], task->seconds / view->cluster->hosts[host].speed, seconds);
}

void shard__adaptive_after_success(void *self, const shard_view *view, shard_task_id id, shard_host_id host,
                                   double seconds)
{
    struct shard__adaptive *policy = self;
    struct shard__weighed task;
    struct shard__blame_about about;
    shard__adaptive_weigh_task(policy, view, id, &task);
    shard__stragglers_over(&policy->stragglers, view, id);
    if (host < 0)
        return;
    shard__adaptive_about(&task, host, view->now_ns, &about);
    shard__blame_done(&policy->blame, &about);
    struct shard__rate rate = shard__blame_host(&policy->blame, host, view->now_ns);
    shard__health_ended(&policy->health, host, view->cluster->host_count, &rate, 0, view->now_ns);
    shard__adaptive_pool_host(policy, view, host);
    learn_overhead(policy, view, &task, host, seconds);
    shard__launches_learn(&policy->launches, task.kind, view->tasks->launch_seconds(view->run, id));
    shard__adaptive_learn_needs(policy, view, &task, SHARD_OUTCOME_DONE);
    double told = view->tasks->expected_seconds(view->run, id);
    if (told > 0)
        policy->work_seconds -= told < policy->work_seconds ? told : policy->work_seconds;
    shard__pace_done(&policy->pace, task.kind, host, told, view->cluster->hosts[host].speed, seconds);
}
