/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `late`: tasks as they become ready, each to the least loaded host, tried again elsewhere when it failed;
 * and when no task waits and slots are idle, a second attempt for stragglers in LATE's way (Zaharia et al., OSDI 2008):
 * at most a tenth of the slots, never on a host that is among the slowest quarter.
 */

#include "base/context.h"
#include "base/error.h"
#include "choose.h"
#include "kinds.h"
#include "pace.h"
#include "slots.h"
#include "stragglers.h"

struct late {
    struct shard__load_heap heap;
    struct shard__slots slots;
    struct shard__kinds kinds;
    struct shard__pace pace;
    struct shard__stragglers stragglers;
    int32_t runs;
};

/* The paper's SpeculativeCap, and what it calls a slow node, here by how much longer things take there than in the
   mean: a quarter of hosts that are alike is not slow. */
static const double speculative_share = 0.1, slow_host = 1.25;

/* Not where it failed last, when it has failed. */
static int is_elsewhere(const void *self, const struct shard_view *view, int32_t task, int32_t host)
{
    (void)self;
    return view->tasks->failures(view->run, task) == 0 || view->tasks->last_host(view->run, task) != host;
}

static int is_fast(const void *self, const struct shard_view *view, int32_t task, int32_t host)
{
    const struct late *policy = self;
    return view->tasks->last_host(view->run, task) != host && shard__pace_slowness(&policy->pace, host) < slow_host;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct late *policy = self;
    struct shard__need need = view->tasks->need(view->run, task);
    int32_t host = shard__load_heap_best(&policy->heap, view, &need, is_elsewhere, policy, task);
    if (host < 0)
        host = shard__load_heap_best(&policy->heap, view, &need, NULL, NULL, task);
    if (host < 0)
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0);
    else
        shard__decide_start(ret_decision, host, SHARD_REASON_LEAST_LOADED,
                            shard__host_load(&view->cluster->hosts[host]));
    return 0;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct late *policy = self;
    struct shard__running running;
    struct shard__progress progress;
    if (!view->tasks->running(view->run, task, &running) ||
        shard__stragglers_on_time(&policy->stragglers, &running, view->now_ns, ret_decision))
        return 0;
    double seconds = shard__pace_seconds(&policy->pace, shard__kinds_number(&policy->kinds, view, task),
                                         view->tasks->expected_seconds(view->run, task));
    double expected = seconds / view->cluster->hosts[running.host].speed;
    if (!shard__progress_of(&running, expected, view->now_ns, &progress))
        return 0;
    int64_t most = (int64_t)(speculative_share * (double)policy->slots.all);
    int is_wanted =
        shard__stragglers_review(&policy->stragglers, view, task, &progress, most < 1 ? 1 : most, ret_decision);
    if (!is_wanted || view->tasks->ready_count(view->run) > 0 || policy->slots.free == 0)
        return 0;
    struct shard__need need = view->tasks->need(view->run, task);
    int32_t host = shard__load_heap_best(&policy->heap, view, &need, is_fast, policy, task);
    if (host < 0)
        return 0;
    shard__stragglers_replicate(&policy->stragglers, view, task, &progress, host,
                                seconds / view->cluster->hosts[host].speed, ret_decision);
    return 0;
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct late *policy = self;
    (void)host;
    (void)outcome;
    (void)ret_decision; /* whether it is tried again is the retry budget's business */
    shard__stragglers_over(&policy->stragglers, view, task);
    return 0;
}

static void after_success(void *self, const shard_view *view, shard_task_id task, shard_host_id host, double seconds)
{
    struct late *policy = self;
    shard__stragglers_over(&policy->stragglers, view, task);
    shard__pace_done(&policy->pace, shard__kinds_number(&policy->kinds, view, task), host,
                     view->tasks->expected_seconds(view->run, task), view->cluster->hosts[host].speed, seconds);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct late *policy = self;
    shard__slots_update(&policy->slots, view, host);
    shard__load_heap_update(&policy->heap, view, host);
}

static void attach(void *self, const shard_view *view)
{
    struct late *policy = self;
    (void)view;
    policy->runs++;
}

static void detach(void *self, const shard_view *view)
{
    struct late *policy = self;
    (void)view;
    if (--policy->runs > 0)
        return;
    shard__stragglers_forget(&policy->stragglers);
    shard__kinds_forget_runs(&policy->kinds);
}

static void destroy(void *self)
{
    struct late *policy = self;
    const shard_context *context = policy->heap.context;
    shard__load_heap_free(&policy->heap);
    shard__slots_free(&policy->slots);
    shard__kinds_free(&policy->kinds);
    shard__pace_free(&policy->pace);
    shard__stragglers_free(&policy->stragglers);
    shard__release(context, policy, sizeof(*policy));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "late",
                                         .attach = attach,
                                         .detach = detach,
                                         .place = place,
                                         .review = review,
                                         .after_failure = after_failure,
                                         .after_success = after_success,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

int shard_policy_late(shard_context *context, struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct late *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->heap.context = policy->slots.context = policy->kinds.context = context;
    policy->pace.context = policy->stragglers.context = context;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
