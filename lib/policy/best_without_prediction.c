/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `best_without_prediction`: the best that is to be had without forecasts, put together from what engines
 * and papers do. Tasks by upward rank (HEFT; Topcuoglu et al. 2002), bound to a host only when one is free; hosts whose
 * decayed failure rate is high are left out for as long as it is; what failed is tried again elsewhere; divisible tasks
 * are split when they failed or when slots are idle; stragglers get a second attempt (LATE; Zaharia et al. 2008).
 * Memory is admitted by the engine, which also asks for more after out_of_memory. It is the opponent of `adaptive`.
 */

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "choose.h"
#include "kinds.h"
#include "pace.h"
#include "rate.h"
#include "slots.h"
#include "split_plan.h"
#include "stragglers.h"

/* Up to so many open hosts are all weighed; of more, so many drawn ones. */
enum { ALL_WEIGHED = 64 };

/* A host is left out from this rate on, once it has failed this often, both decayed. The prior is of so many attempts
   at such a rate; a speculative attempt may take a tenth of the slots. */
static const double most_rate = 0.2, least_failures = 1.5, prior_p = 0.02, prior_attempts = 2;
static const double half_life_seconds = 600, speculative_share = 0.1;

struct best {
    shard_context *context;
    struct shard__slots slots;
    struct shard__kinds kinds;
    struct shard__pace pace;
    struct shard__stragglers stragglers;
    struct shard__rate *hosts;
    size_t host_capacity;
    int32_t host_count;
    struct shard__intmap failed_on; /* (run, task, host): failures */
    int32_t runs;
};

struct choice {
    int32_t host;
    double finish_seconds;
};

static uint64_t key_of(const struct shard_view *view, int32_t task, int32_t host)
{
    return ((uint64_t)(view->run_number & 0xffff) << 47) ^ ((uint64_t)task << 20) ^ (uint64_t)host;
}

static double rate_of(const struct best *policy, const struct shard_view *view, int32_t host, double *ret_failures)
{
    struct shard__rate rate = host < policy->host_count ? policy->hosts[host] : (struct shard__rate){0};
    shard__rate_decay(&rate, half_life_seconds, view->now_ns);
    *ret_failures = (double)rate.failures;
    return shard__rate_mean(&rate, prior_p, prior_attempts);
}

static int is_wanted(const struct best *policy, const struct shard_view *view, int32_t task, int32_t host)
{
    double failures;
    if (rate_of(policy, view, host, &failures) >= most_rate && failures >= least_failures)
        return 0;
    return view->tasks->failures(view->run, task) == 0 ||
           shard__intmap_find(&policy->failed_on, key_of(view, task, host)) < 0;
}

static double rank(void *self, const shard_view *view, shard_task_id task)
{
    (void)self;
    return view->tasks->rank_seconds(view->run, task);
}

static void weigh(const struct shard_view *view, int32_t task, int32_t host, double seconds, struct choice *best)
{
    double staging = view->tasks->staging_seconds(view->run, task, host);
    double finish = (isnan(staging) ? 0 : staging) + seconds / view->cluster->hosts[host].speed;
    if (finish < best->finish_seconds || (finish == best->finish_seconds && host < best->host))
        *best = (struct choice){host, finish};
}

static struct choice weigh_all(const struct best *policy, const struct shard_view *view, int32_t task, double seconds)
{
    const struct shard__cluster *cluster = view->cluster;
    struct choice best = {-1, INFINITY};
    struct shard__need need = view->tasks->need(view->run, task);
    int draw = cluster->open_count > ALL_WEIGHED;
    for (int32_t i = 0; i < (draw ? ALL_WEIGHED : cluster->open_count); i++) {
        int32_t at = draw ? (int32_t)(shard__random_next(view->random) % (uint64_t)cluster->open_count) : i;
        if (shard__view_admits(view, task, &need, cluster->open[at]) &&
            is_wanted(policy, view, task, cluster->open[at]))
            weigh(view, task, cluster->open[at], seconds, &best);
    }
    return best;
}

/* Whether a host that is wanted could take the task, were it empty. */
static int someone_could(const struct best *policy, const struct shard_view *view, int32_t task,
                         const struct shard__need *need)
{
    for (int32_t host = 0; host < view->cluster->host_count; host++) {
        const struct shard__host *other = &view->cluster->hosts[host];
        if (other->state == SHARD_HOST_UP && shard__host_could_hold(other, need) && is_wanted(policy, view, task, host))
            return 1;
    }
    return 0;
}

/* Of the hosts that admit the task, that which has failed least, and those last where it has failed itself. */
static int32_t least_bad(const struct best *policy, const struct shard_view *view, int32_t task,
                         const struct shard__need *need)
{
    int32_t least = -1;
    double least_rate = INFINITY;
    for (int32_t host = 0; host < view->cluster->host_count; host++) {
        if (!shard__view_admits(view, task, need, host))
            continue;
        double failures, worse = rate_of(policy, view, host, &failures);
        if (shard__intmap_find(&policy->failed_on, key_of(view, task, host)) >= 0)
            worse += 1;
        if (worse < least_rate) {
            least = host;
            least_rate = worse;
        }
    }
    return least;
}

static int wants_split(struct best *policy, const struct shard_view *view, int32_t task, double seconds,
                       struct shard_decision *ret_decision)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    int32_t failures = view->tasks->failures(view->run, task);
    int64_t idle = policy->slots.free - view->tasks->ready_count(view->run);
    if (view->workflow->units == NULL || (failures == 0 && idle < 2) || !view->tasks->may_split(view->run, task))
        return 0;
    view->tasks->describe(view->run, task, &about);
    struct shard__split_overhead none = {0, 0};
    struct shard__split_ask ask = {.seconds = seconds,
                                   .units = about.unit_end - about.unit_begin,
                                   .min_units = about.info.min_units,
                                   .p_fail = NAN,
                                   .failures = failures,
                                   .idle_slots = idle,
                                   .overhead_seconds = shard__split_overhead_seconds(&none, seconds)};
    struct shard__split_plan plan;
    return shard__split_decide(&ask, &plan, ret_decision);
}

static double seconds_of(struct best *policy, const struct shard_view *view, int32_t task)
{
    return shard__pace_seconds(&policy->pace, shard__kinds_number(&policy->kinds, view, task),
                               view->tasks->expected_seconds(view->run, task));
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct best *policy = self;
    double seconds = seconds_of(policy, view, task);
    if (wants_split(policy, view, task, seconds, ret_decision))
        return 0;
    struct shard__need need = view->tasks->need(view->run, task);
    struct choice best = weigh_all(policy, view, task, seconds);
    if (best.host >= 0) {
        shard__decide_start(ret_decision, best.host, SHARD_REASON_EARLIEST_FINISH, best.finish_seconds);
    } else if (!shard__someone_admits(view, task, &need)) {
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0);
    } else if (someone_could(policy, view, task, &need)) {
        shard__decide_wait(ret_decision, SHARD_REASON_EXCLUDED, 0, 0);
    } else {
        shard__decide_start(ret_decision, least_bad(policy, view, task, &need), SHARD_REASON_LEAST_BAD, 1);
    }
    if (ret_decision->kind == SHARD_DECIDE_START)
        ret_decision->expected_seconds = seconds / view->cluster->hosts[ret_decision->host].speed;
    return 0;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct best *policy = self;
    struct shard__running running;
    struct shard__progress progress;
    if (!view->tasks->running(view->run, task, &running) ||
        shard__stragglers_on_time(&policy->stragglers, &running, view->now_ns, ret_decision))
        return 0;
    double seconds = seconds_of(policy, view, task);
    double expected = seconds / view->cluster->hosts[running.host].speed;
    if (!shard__progress_of(&running, expected, view->now_ns, &progress))
        return 0;
    int64_t most = (int64_t)(speculative_share * (double)policy->slots.all);
    if (!shard__stragglers_review(&policy->stragglers, view, task, &progress, most < 1 ? 1 : most, ret_decision) ||
        policy->slots.free <= view->tasks->ready_count(view->run))
        return 0;
    struct choice best = weigh_all(policy, view, task, seconds);
    /* Only where it is expected to end well before the first attempt does: one of the two is for nothing. */
    if (best.host < 0 || best.host == running.host || 1.5 * best.finish_seconds >= progress.left_seconds)
        return 0;
    shard__stragglers_replicate(&policy->stragglers, view, task, &progress, best.host, best.finish_seconds,
                                ret_decision);
    return 0;
}

static void count(struct best *policy, const struct shard_view *view, int32_t host, double failed)
{
    if (host < 0)
        return;
    if (host >= policy->host_count) {
        if (shard__grow(policy->context, &policy->hosts, &policy->host_capacity, (size_t)host + 1,
                        sizeof(*policy->hosts)) < 0)
            return;
        memset(policy->hosts + policy->host_count, 0, (size_t)(host + 1 - policy->host_count) * sizeof(*policy->hosts));
        policy->host_count = host + 1;
    }
    shard__rate_add(&policy->hosts[host], half_life_seconds, view->now_ns, failed);
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct best *policy = self;
    (void)ret_decision; /* whether it is tried again is the retry budget's business */
    shard__stragglers_over(&policy->stragglers, view, task);
    if (outcome == SHARD_OUTCOME_PREEMPTED || outcome == SHARD_OUTCOME_CANCELLED || host < 0)
        return 0;
    count(policy, view, host, 1);
    uint64_t key = key_of(view, task, host);
    if (shard__intmap_set(policy->context, &policy->failed_on, key, 1) < 0)
        shard__log(policy->context, SHARD_LOG_WARNING, "policy-no-memory", "a failure is not counted: no memory");
    return 0;
}

static void after_success(void *self, const shard_view *view, shard_task_id task, shard_host_id host, double seconds)
{
    struct best *policy = self;
    count(policy, view, host, 0);
    shard__stragglers_over(&policy->stragglers, view, task);
    shard__pace_done(&policy->pace, shard__kinds_number(&policy->kinds, view, task), host,
                     view->tasks->expected_seconds(view->run, task), view->cluster->hosts[host].speed, seconds);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct best *policy = self;
    shard__slots_update(&policy->slots, view, host);
}

static void attach(void *self, const shard_view *view)
{
    struct best *policy = self;
    (void)view;
    policy->runs++;
}

static void detach(void *self, const shard_view *view)
{
    struct best *policy = self;
    (void)view;
    if (--policy->runs > 0)
        return;
    shard__stragglers_forget(&policy->stragglers);
    shard__kinds_forget_runs(&policy->kinds);
    shard__intmap_free(policy->context, &policy->failed_on);
}

static void destroy(void *self)
{
    struct best *policy = self;
    const shard_context *context = policy->context;
    shard__slots_free(&policy->slots);
    shard__kinds_free(&policy->kinds);
    shard__pace_free(&policy->pace);
    shard__stragglers_free(&policy->stragglers);
    shard__intmap_free(context, &policy->failed_on);
    shard__release(context, policy->hosts, policy->host_capacity * sizeof(*policy->hosts));
    shard__release(context, policy, sizeof(*policy));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "best_without_prediction",
                                         .attach = attach,
                                         .detach = detach,
                                         .rank = rank,
                                         .place = place,
                                         .review = review,
                                         .after_failure = after_failure,
                                         .after_success = after_success,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

int shard_policy_best_without_prediction(shard_context *context, struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct best *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->context = policy->slots.context = policy->kinds.context = context;
    policy->pace.context = policy->stragglers.context = context;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
