/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts and costs of the policy `adaptive`. A choice costs, in seconds,
 *
 *     J = u (wait + staging + run) + p (w lost + failure cost + u (lost + run)) (1 + 3 failures)
 *
 * with u the urgency of the task (a second of delay against a second of the run's end), p the probability of failure, w
 * the weight of wasted time, and lost the time that is gone when it fails: half of the attempt in the mean.
 */

#include "adaptive.h"

/* The least that a second of delay counts: tasks that nobody waits for are not put off for ever. */
static const double least_urgency = 0.2, lost_share = 0.5, dearer_by_failure = 3;
static const double failed_here_p = 0.6;
/* A model that does not say how much it has seen counts as so many attempts. */
static const double model_attempts = 20;
enum { TOGETHER = 64 };

static void note_data(const struct shard_view *view, int32_t origin, struct shard__weighed *task)
{
    const int32_t *inputs = shard__csr_row(&view->workflow->inputs, origin);
    int32_t count = shard__csr_count(&view->workflow->inputs, origin);
    for (int32_t i = 0; i < count && i < 8 && task->data_count < SHARD__BLAME_DATA; i++)
        if (shard__csr_count(&view->workflow->consumers, inputs[i]) > 1) /* else it is not to be told from the task */
            task->data[task->data_count++] = (uint64_t)(uint32_t)view->run_number << 31 | (uint64_t)(uint32_t)inputs[i];
}

double shard__adaptive_seconds(const struct shard__adaptive *policy, const struct shard_view *view, int32_t task,
                               int32_t kind)
{
    return shard__pace_seconds(&policy->pace, kind, view->tasks->expected_seconds(view->run, task));
}

void shard__adaptive_weigh_task(struct shard__adaptive *policy, const struct shard_view *view, int32_t id,
                                struct shard__weighed *ret_task)
{
    int32_t origin = view->tasks->origin(view->run, id);
    *ret_task = (struct shard__weighed){.task = id,
                                        .kind = shard__kinds_number(&policy->kinds, view, id),
                                        .failures = view->tasks->failures(view->run, id),
                                        .key = (uint64_t)(uint32_t)view->run_number << 31 | (uint64_t)(uint32_t)id,
                                        .asked = view->tasks->need(view->run, id)};
    shard__adaptive_weigh_need(policy, view, ret_task);
    double told = view->tasks->failure_cost_seconds(view->run, id);
    ret_task->failure_cost = told > 0 ? told : policy->config.failure_cost_seconds;
    ret_task->seconds = shard__adaptive_seconds(policy, view, id, ret_task->kind);
    /* What comes after it against what is left to do for all slots: the larger decides when the run ends. */
    double rank = view->tasks->rank_seconds(view->run, id);
    double busy = policy->work_seconds / (double)(policy->slots.all > 0 ? policy->slots.all : 1);
    ret_task->busy_seconds = busy;
    double share = rank > 0 ? rank / (busy > rank ? busy : rank) : 0;
    ret_task->urgency = least_urgency + (1 - least_urgency) * share * share;
    note_data(view, origin, ret_task);
}

void shard__adaptive_about(const struct shard__weighed *task, int32_t host, int64_t now_ns,
                           struct shard__blame_about *ret_about)
{
    *ret_about = (struct shard__blame_about){.task = task->key,
                                             .kind = task->kind,
                                             .host = host,
                                             .data = task->data,
                                             .data_count = task->data_count,
                                             .now_ns = now_ns};
}

/* The predictor's answer, pooled with the blame's probability by the evidence of each. Seconds are the predictor's
   where it knows them. */
static void pool_answer(struct shard__offer *offer, const struct shard__recalled *answer)
{
    double attempts = isnan(answer->evidence) ? model_attempts : answer->evidence;
    double floor = isnan(answer->evidence) ? offer->least_p : 0;
    double p = (answer->p_fail * attempts + offer->p_fail * offer->evidence) / (attempts + offer->evidence);
    offer->p_fail = p > floor ? p : floor;
    offer->evidence += attempts;
    if (answer->slowness >= 0)
        offer->seconds += (answer->slowness - 1) * offer->run_seconds;
}

static uint32_t magnitude(double value)
{
    return value > 0 && value < 1e30 ? (uint32_t)(ilogb(value) + 128) & 0xff : 0;
}

/* What the predictor is asked: tasks of a kind that have failed, or that have not, are a group, and those whose seconds
   and needs are about the same a sort. */
static struct shard__recalled question_of(const struct shard_view *view, const struct shard__weighed *task)
{
    return (struct shard__recalled){.group = task->kind * 2 + (task->failures > 0),
                                    .sort = 1u << 30 | magnitude(task->seconds) |
                                            magnitude((double)task->need.memory_bytes) << 8,
                                    .at_ns = view->now_ns};
}

/* Whether what the predictor said last of such a task will do. */
static int recall(const struct shard__adaptive *policy, const struct shard_view *view,
                  const struct shard__recalled *question, struct shard__offer *offer, int64_t stale_ns)
{
    const struct shard__recalled *answer = shard__recall_find(&policy->recall, offer->host, question->group);
    if (answer == NULL || answer->sort != question->sort || view->now_ns - answer->at_ns >= stale_ns)
        return 0;
    pool_answer(offer, answer);
    return 1;
}

/* What the engine's predictor says of the same hosts; what it does not know stays as it was. */
static void ask_predictor(struct shard__adaptive *policy, const struct shard_view *view, int32_t task,
                          const struct shard__recalled *question, struct shard__offer *const *offers, int32_t count)
{
    double p_fail[TOGETHER], seconds[TOGETHER], evidence[TOGETHER];
    int32_t hosts[TOGETHER];
    const struct shard_forecasts ret = {.p_fail = p_fail, .seconds = seconds, .evidence = evidence};
    for (int32_t i = 0; i < count; i++)
        hosts[i] = offers[i]->host;
    if (view->forecaster->forecast(view->forecaster, view, task, hosts, count, &ret) < 0)
        return;
    for (int32_t i = 0; i < count; i++) {
        struct shard__recalled answer = *question;
        answer.p_fail = p_fail[i];
        answer.evidence = evidence[i];
        answer.slowness = seconds[i] / offers[i]->run_seconds;
        if (isnan(p_fail[i]))
            continue;
        pool_answer(offers[i], &answer);
        shard__recall_keep(&policy->recall, hosts[i], &answer);
    }
}

static void forecast_without(const struct shard__adaptive *policy, const struct shard_view *view,
                             const struct shard__weighed *task, struct shard__offer *offer)
{
    struct shard__blame_about about;
    shard__adaptive_about(task, offer->host, view->now_ns, &about);
    offer->p_fail = shard__blame_p_fail(&policy->blame, &about, &offer->evidence);
    /* Where it has failed already it is likely to fail again, whatever the rates say. */
    offer->least_p =
        task->failures > 0 && shard__blame_failed_on(&policy->blame, task->key, offer->host) ? failed_here_p : 0;
    offer->p_fail = offer->p_fail > offer->least_p ? offer->p_fail : offer->least_p;
    double staging = view->tasks->staging_seconds(view->run, task->task, offer->host);
    offer->run_seconds =
        task->seconds / view->cluster->hosts[offer->host].speed * shard__pace_slowness(&policy->pace, offer->host);
    offer->seconds = (staging >= 0 ? staging : 0) + offer->run_seconds;
}

void shard__adaptive_forecast(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, struct shard__offer *offers, int32_t count,
                              int64_t stale_ns)
{
    struct shard__offer *asked[TOGETHER];
    int32_t asked_count = 0;
    for (int32_t i = 0; i < count; i++)
        forecast_without(policy, view, task, &offers[i]);
    if (view->forecaster == NULL || !view->forecaster->has_predictor || count == 0)
        return;
    struct shard__recalled question = question_of(view, task);
    for (int32_t i = 0; i < count; i++) {
        if (!recall(policy, view, &question, &offers[i], stale_ns))
            asked[asked_count++] = &offers[i];
        if (asked_count == TOGETHER || (i + 1 == count && asked_count > 0)) {
            ask_predictor(policy, view, task->task, &question, asked, asked_count);
            asked_count = 0;
        }
    }
}

void shard__adaptive_cost(const struct shard__adaptive *policy, const struct shard__weighed *task,
                          struct shard__offer *offers, int32_t count)
{
    double p_sum = 0, weight = 2 * log1p((double)count);
    for (int32_t i = 0; i < count; i++)
        p_sum += offers[i].p_fail;
    double p_mean = count > 0 ? p_sum / count : 0;
    for (int32_t i = 0; i < count; i++) {
        struct shard__offer *offer = &offers[i];
        /* The best of many forecasts is the luckiest: what is better than the mean is believed as far as there is
           evidence for it, the less the more were looked at. */
        double shrunk = (offer->p_fail * offer->evidence + p_mean * weight) / (offer->evidence + weight);
        double p = offer->p_fail > shrunk ? offer->p_fail : shrunk;
        double lost = lost_share * offer->seconds;
        double loss = policy->config.waste_weight * lost + task->failure_cost + task->urgency * (lost + offer->seconds);
        offer->p_fail = p;
        offer->cost_seconds = task->urgency * (offer->wait_seconds + offer->seconds) +
                              p * loss * (1 + dearer_by_failure * task->failures);
    }
}
