/* SPDX-License-Identifier: Apache-2.0 */
/* Where the policy `adaptive` puts a ready task: start, wait for a better host, or split. */

#include "adaptive.h"
#include "base/context.h"

enum { MOST_OFFERS = 256, FULL_LOOKED_AT = 4, URGENT_TIMES = 4 };
/* From this urgency on, a task is worth a look at so many times as many open hosts, and its parts will not have to wait
   for slots: they go first. */
static const double urgent = 0.6;
/* A task that takes so many times what is left to do for each slot is worth splitting though no slot is idle. */
static const double dominates = 3;
enum { URGENT_PARTS = 8 };
/* What was refused is looked at again so much later: a host's samples and what ends there change forecasts. */
static const double refused_seconds = 5;
/* Where no host is wanted, those that wait are asked about again after so long at most. */
static const double most_wait_seconds = 1;
/* What a full host will be like when it has room is no better known than it was so long ago. */
static const int64_t later_ns = 30000000000;
/* A canary takes at most so many times what tasks take in the mean. */
static const double canary_share = 1.0;

double shard__adaptive_rank(void *self, const shard_view *view, shard_task_id task)
{
    (void)self;
    return view->tasks->rank_seconds(view->run, task);
}

/* Whether a host's health lets one more task start there, whichever. */
static int has_room(struct shard__adaptive *policy, const struct shard_view *view, int32_t host)
{
    const struct shard__host *about = &view->cluster->hosts[host];
    if (shard__health_of(&policy->health, host, view->now_ns) == SHARD__HEALTHY)
        return about->running < about->slots;
    struct shard__rate rate = shard__blame_host(&policy->blame, host, view->now_ns);
    return about->running < shard__health_slots(&policy->health, host, about->slots, &rate, view->now_ns);
}

int shard__adaptive_may_start(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, int32_t host)
{
    if (!has_room(policy, view, host))
        return 0;
    if (shard__health_of(&policy->health, host, view->now_ns) != SHARD__PROBATION)
        return 1;
    return task->failures == 0 && task->seconds <= canary_share * shard__pace_seconds(&policy->pace, -1, NAN) + 1e-9;
}

void shard__adaptive_pool_host(struct shard__adaptive *policy, const struct shard_view *view, int32_t host)
{
    int is_open = view->cluster->hosts[host].open_index >= 0, is_in = is_open && has_room(policy, view, host);
    /* One that is left out for its failures comes in again when something there ends, or its quarantine does. */
    if (shard__health_of(&policy->health, host, view->now_ns) == SHARD__QUARANTINED &&
        shard__pool_wake(&policy->pool, host, policy->health.hosts[host].until_ns) < 0)
        is_in = is_open;
    if (shard__pool_set(&policy->pool, host, is_in) < 0)
        policy->pool_is_short = 1;
}

/* What a kind was refused for all its forecasts: it is not asked again for every task that waits, but for short ones
   sooner. */
static void refuse(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                   const struct shard__offer *offers, int32_t count, double wait_seconds)
{
    int64_t until_ns = view->now_ns + shard__seconds_to_ns(fmin(refused_seconds, fmax(wait_seconds, task->seconds)));
    for (int32_t i = 0; i < count && !policy->pool_is_short; i++)
        shard__pool_refuse(&policy->pool, offers[i].host, task->kind, view->now_ns, until_ns);
}

/* Whether to look at a host for a task: then it is added to the offers. */
static int32_t look_at(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                       int32_t but_host, int32_t host, struct shard__offer *ret_offer)
{
    if (host == but_host || !shard__view_admits(view, task->task, &task->need, host) ||
        !shard__adaptive_may_start(policy, view, task, host))
        return 0;
    *ret_offer = (struct shard__offer){.host = host};
    return 1;
}

/* The hosts that tasks of a kind are drawn from. */
static int32_t pool_of(struct shard__adaptive *policy, const struct shard_view *view, int32_t kind,
                       const int32_t **ret_hosts)
{
    int32_t host;
    while ((host = shard__pool_woken(&policy->pool, view->now_ns)) >= 0)
        shard__adaptive_pool_host(policy, view, host);
    const struct shard__pool_list *pool = policy->pool_is_short ? NULL : shard__pool_of(&policy->pool, kind);
    *ret_hosts = pool == NULL ? view->cluster->open : pool->hosts;
    return pool == NULL ? view->cluster->open_count : pool->count;
}

/* Open hosts to look at: all if they are few, else the newest and so many drawn ones, or the newest that will do. */
static int32_t draw_offers(struct shard__adaptive *policy, const struct shard_view *view,
                           const struct shard__weighed *task, int32_t but_host, struct shard__offer *ret_offers)
{
    int32_t most = policy->config.candidates * (task->urgency >= urgent ? URGENT_TIMES : 1), count = 0;
    const int32_t *hosts;
    int32_t all = pool_of(policy, view, task->kind, &hosts);
    for (int32_t i = 0; all > most && i < 2 * most && count < most; i++) {
        int32_t host = hosts[i == 0 ? all - 1 : (int32_t)(shard__random_next(view->random) % (uint64_t)all)];
        count += look_at(policy, view, task, but_host, host, &ret_offers[count]);
    }
    for (int32_t i = all - 1; (all <= most || count == 0) && i >= 0; i--)
        count += look_at(policy, view, task, but_host, hosts[i], &ret_offers[count]);
    return count;
}

static int is_better(const struct shard__offer *offer, const struct shard__offer *other)
{
    if (offer->cost_seconds != other->cost_seconds)
        return offer->cost_seconds < other->cost_seconds;
    return offer->host < other->host;
}

static int best_of(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                   struct shard__offer *offers, int32_t count, struct shard__offer *ret_best,
                   struct shard__offer *ret_next)
{
    shard__adaptive_forecast(policy, view, task, offers, count, 0);
    shard__adaptive_cost(policy, task, offers, count);
    struct shard__offer none = {.host = -1, .cost_seconds = INFINITY};
    *ret_best = *ret_next = none;
    for (int32_t i = 0; i < count; i++) {
        if (ret_best->host < 0 || is_better(&offers[i], ret_best)) {
            *ret_next = *ret_best;
            *ret_best = offers[i];
        } else if (offers[i].host != ret_best->host && (ret_next->host < 0 || is_better(&offers[i], ret_next))) {
            *ret_next = offers[i];
        }
    }
    return count > 0;
}

int shard__adaptive_best_open(struct shard__adaptive *policy, const struct shard_view *view,
                              const struct shard__weighed *task, int32_t but_host, struct shard__offer *ret_best,
                              struct shard__offer *ret_next)
{
    struct shard__offer offers[MOST_OFFERS];
    int32_t count = draw_offers(policy, view, task, but_host, offers);
    return best_of(policy, view, task, offers, count, ret_best, ret_next);
}

/* The best of some full hosts that will have room: what waiting for it costs. 0: none is known. */
static int best_full(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                     struct shard__offer *ret_best)
{
    const struct shard__cluster *cluster = view->cluster;
    struct shard__offer offers[FULL_LOOKED_AT];
    int32_t count = 0, looked = 0;
    int draw = cluster->host_count > 2 * FULL_LOOKED_AT;
    for (; looked < (draw ? 2 * FULL_LOOKED_AT : cluster->host_count) && count < FULL_LOOKED_AT; looked++) {
        int32_t host = draw ? (int32_t)(shard__random_next(view->random) % (uint64_t)cluster->host_count) : looked;
        const struct shard__host *full = &cluster->hosts[host];
        if (full->state != SHARD_HOST_UP || full->running == 0 || shard__host_admits(full, &task->need) ||
            !shard__host_could_hold(full, &task->need) || host == view->tasks->replica_host(view->run, task->task) ||
            shard__health_of(&policy->health, host, view->now_ns) != SHARD__HEALTHY)
            continue;
        double wait_seconds = view->tasks->host_free_seconds(view->run, host);
        if (wait_seconds >= 0)
            offers[count++] = (struct shard__offer){.host = host, .wait_seconds = wait_seconds};
    }
    /* The first of all hosts to get free does so sooner than the first of those that were drawn. */
    for (int32_t i = 0; i < count; i++)
        offers[i].wait_seconds *= (double)looked / (double)cluster->host_count;
    shard__adaptive_forecast(policy, view, task, offers, count, later_ns);
    shard__adaptive_cost(policy, task, offers, count);
    for (int32_t i = 0; i < count; i++)
        if (i == 0 || is_better(&offers[i], ret_best))
            *ret_best = offers[i];
    return count > 0;
}

static int wants_split(struct shard__adaptive *policy, const struct shard_view *view, const struct shard__weighed *task,
                       const struct shard__offer *best, struct shard_decision *ret_decision)
{
    int64_t idle = policy->slots.free - view->tasks->ready_count(view->run);
    int64_t taken = policy->slots.all / 4 < URGENT_PARTS ? policy->slots.all / 4 : URGENT_PARTS;
    if (task->urgency >= urgent && task->seconds > dominates * task->busy_seconds && idle < taken)
        idle = taken;
    if (view->workflow->units == NULL ||
        (task->failures == 0 && idle < 2 && !(best->p_fail >= policy->config.split_p)) ||
        (task->failures == 0 && view->tasks->origin(view->run, task->task) != task->task) || /* a part stays one */
        !view->tasks->may_split(view->run, task->task))
        return 0;
    struct shard_task_view about = {.struct_size = sizeof(about)};
    view->tasks->describe(view->run, task->task, &about);
    struct shard__split_overhead none = {0, 0};
    const struct shard__split_overhead *overhead =
        task->kind >= 0 && task->kind < policy->overhead_count ? &policy->overheads[task->kind] : &none;
    struct shard__split_ask ask = {.seconds = best->host >= 0 ? best->seconds : task->seconds,
                                   .units = about.unit_end - about.unit_begin,
                                   .min_units = about.info.min_units,
                                   .p_fail = best->host >= 0 ? best->p_fail : NAN,
                                   .failures = task->failures,
                                   .idle_slots = idle,
                                   .overhead_seconds = shard__split_overhead_seconds(overhead, task->seconds / 4),
                                   .likely_p = policy->config.split_p,
                                   .failure_cost_seconds = task->failure_cost};
    struct shard__split_plan plan;
    if (!shard__split_decide(&ask, &plan, ret_decision))
        return 0;
    ret_decision->p_fail = ask.p_fail;
    ret_decision->note = shard__adaptive_note_split(policy, view, &plan, best->host, ask.p_fail);
    return 1;
}

/* No open host will have it: whether one that is quarantined is all there is. The least bad of these; -1: it waits. */
static int32_t least_bad(struct shard__adaptive *policy, const struct shard_view *view,
                         const struct shard__weighed *task)
{
    int32_t least = -1;
    double least_rate = INFINITY;
    for (int32_t host = 0; host < view->cluster->host_count; host++) {
        const struct shard__host *other = &view->cluster->hosts[host];
        if (other->state != SHARD_HOST_UP || !shard__host_could_hold(other, &task->need))
            continue;
        if (other->running > 0 || shard__adaptive_may_start(policy, view, task, host))
            return -1; /* what runs ends, and then it is asked again */
        struct shard__rate rate = shard__blame_host(&policy->blame, host, view->now_ns);
        double mean = shard__rate_mean(&rate, 0.02, 2);
        if (shard__view_admits(view, task->task, &task->need, host) && mean < least_rate) {
            least = host;
            least_rate = mean;
        }
    }
    return least;
}

static void wait_for(struct shard_decision *ret_decision, enum shard_reason_code reason, double value, double seconds)
{
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->reason = reason;
    ret_decision->value = value;
    ret_decision->wait_seconds = seconds;
}

static void start_on(struct shard_decision *ret_decision, const struct shard__offer *offer,
                     enum shard_reason_code reason, double limit)
{
    ret_decision->kind = SHARD_DECIDE_START;
    ret_decision->host = offer->host;
    ret_decision->reason = reason;
    ret_decision->p_fail = offer->p_fail;
    ret_decision->expected_seconds = offer->seconds;
    ret_decision->value = offer->cost_seconds;
    ret_decision->limit = isfinite(limit) ? limit : 0;
}

/* What it costs that a slot stands idle which could have done useful work. */
static double idle_cost(const struct shard__adaptive *policy, const struct shard__weighed *task,
                        const struct shard__offer *offer)
{
    return task->failures > 0 ? 0 : policy->config.idle_weight * (1 - offer->p_fail) * offer->seconds;
}

/* Nobody will have it: the least bad host that is quarantined, if that is all there is. */
static void start_on_least_bad(struct shard__adaptive *policy, const struct shard_view *view,
                               const struct shard__weighed *task, struct shard_decision *ret_decision)
{
    struct shard__offer best = {.host = least_bad(policy, view, task)};
    if (best.host < 0) {
        wait_for(ret_decision, SHARD_REASON_EXCLUDED, 0, 0);
        return;
    }
    shard__adaptive_forecast(policy, view, task, &best, 1, 0);
    shard__adaptive_cost(policy, task, &best, 1);
    shard__log(policy->context, SHARD_LOG_WARNING, "least-bad-host", "every host is quarantined: host '%s' is used",
               view->cluster->hosts[best.host].name);
    start_on(ret_decision, &best, SHARD_REASON_LEAST_BAD, 0);
}

/* Whether a host that is free at once, twice as fast and never fails would be worth waiting for: most are not. */
static int may_be_worth_waiting(const struct shard__adaptive *policy, const struct shard__weighed *task,
                                const struct shard__offer *offer)
{
    double best_cost = task->urgency * offer->seconds / 2;
    return offer->cost_seconds > (1 + policy->config.hysteresis) * best_cost + idle_cost(policy, task, offer);
}

/* Most questions are about tasks that wait for a host that is wanted: while others run, that has to be cheap. */
static int must_wait(struct shard__adaptive *policy, const struct shard_view *view, int32_t id)
{
    const int32_t *hosts;
    return policy->slots.all > policy->slots.free &&
           pool_of(policy, view, shard__kinds_number(&policy->kinds, view, id), &hosts) == 0 &&
           (view->workflow->units == NULL || !view->tasks->may_split(view->run, id));
}

/* A small share goes elsewhere, so that what is thought of hosts does not rest on what was thought of them. */
static int explore(const struct shard__adaptive *policy, const struct shard_view *view,
                   const struct shard__weighed *task, const struct shard__offer *offers, int32_t count,
                   struct shard__offer *best, struct shard__offer *next)
{
    if (count < 2 || task->failures > 0 || task->urgency >= 0.5 ||
        shard__random_unit(view->random) >= policy->config.exploring_share)
        return 0;
    struct shard__offer drawn = offers[shard__random_next(view->random) % (uint64_t)count];
    if (drawn.host == best->host)
        return 0;
    *next = *best;
    *best = drawn;
    return 1;
}

/* Small tasks share a launch that takes longer than they run. */
static int32_t take_along(const struct shard__adaptive *policy, const struct shard_view *view,
                          const struct shard__weighed *task, const struct shard__offer *offer)
{
    struct shard__launch_ask ask = {.launch_seconds = shard__launches_seconds(&policy->launches, task->kind),
                                    .run_seconds = offer->run_seconds,
                                    .p_fail = offer->p_fail,
                                    .ready = view->tasks->ready_count(view->run),
                                    .slots = policy->slots.all};
    return task->failures > 0 ? 0 : shard__launches_with(&ask);
}

int shard__adaptive_place(void *self, const shard_view *view, shard_task_id id, struct shard_decision *ret_decision)
{
    struct shard__adaptive *policy = self;
    struct shard__weighed task;
    struct shard__offer best, next, later, offers[MOST_OFFERS];
    if (must_wait(policy, view, id)) {
        /* Until the first host is offered again; health comes back with time too, and calls nobody for that. */
        wait_for(ret_decision, SHARD_REASON_EXCLUDED, 0,
                 fmin(most_wait_seconds, shard__pool_next_seconds(&policy->pool, view->now_ns)));
        return 0;
    }
    shard__adaptive_weigh_task(policy, view, id, &task);
    int32_t count = draw_offers(policy, view, &task, -1, offers);
    if (count == 0 && shard__adaptive_moderate_need(view, &task))
        count = draw_offers(policy, view, &task, -1, offers);
    int found = best_of(policy, view, &task, offers, count, &best, &next);
    int is_canary = found && shard__health_of(&policy->health, best.host, view->now_ns) == SHARD__PROBATION;
    int may_wait =
        found && !is_canary && may_be_worth_waiting(policy, &task, &best) && best_full(policy, view, &task, &later);
    int waits = may_wait && best.cost_seconds >
                                (1 + policy->config.hysteresis) * later.cost_seconds + idle_cost(policy, &task, &best);
    /* Whether it is likely to fail as one is asked of where it would go: a sick host that is refused is no reason. */
    if (wants_split(policy, view, &task, waits ? &later : &best, ret_decision))
        return 0;
    int explores = found && !waits && !is_canary && explore(policy, view, &task, offers, count, &best, &next);
    if (!found) {
        start_on_least_bad(policy, view, &task, ret_decision);
    } else if (waits) {
        refuse(policy, view, &task, offers, count, later.wait_seconds);
        wait_for(ret_decision, SHARD_REASON_PREFERS_OTHER, later.wait_seconds, later.wait_seconds + 1);
        ret_decision->host = later.host;
        ret_decision->p_fail = best.p_fail;
        ret_decision->limit = best.cost_seconds - later.cost_seconds;
        ret_decision->note = shard__adaptive_note(policy, view, &best, &next, &later);
    } else {
        start_on(ret_decision, &best,
                 explores    ? SHARD_REASON_EXPLORES
                 : is_canary ? SHARD_REASON_CANARY
                             : SHARD_REASON_LOWEST_COST,
                 next.host >= 0 ? next.cost_seconds
                 : may_wait     ? later.cost_seconds
                                : 0);
        ret_decision->note = shard__adaptive_note(policy, view, &best, &next, may_wait ? &later : NULL);
        ret_decision->with = explores || is_canary ? 0 : take_along(policy, view, &task, &best);
    }
    if (ret_decision->kind == SHARD_DECIDE_START) {
        ret_decision->memory_bytes = task.need.memory_bytes != task.asked.memory_bytes ? task.need.memory_bytes : 0;
        ret_decision->disk_bytes = task.need.disk_bytes != task.asked.disk_bytes ? task.need.disk_bytes : 0;
    }
    return 0;
}
