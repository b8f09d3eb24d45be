/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `heft` (heterogeneous earliest finish time; Topcuoglu, Hariri and Wu, IEEE TPDS 13(3), 2002), made
 * dynamic: tasks by upward rank, each to the host where it would end first from now on, staging included. A full host
 * is weighed by when its next slot gets free, and waited for when that is better. It is blind to failures.
 */

#include "base/context.h"
#include "base/error.h"
#include "choose.h"

/* Up to so many open hosts are all weighed; of more, so many drawn ones. Full hosts only in clusters up to MANY. */
enum { ALL_WEIGHED = 64, FULL_WEIGHED = 256 };

struct heft {
    struct shard__load_heap heap; /* for tasks that end at the same time on every host */
    double min_speed, max_speed;
};

struct choice {
    int32_t host;
    double finish_seconds;
    double wait_seconds; /* until it gets free; 0: it is open */
};

static double rank(void *self, const shard_view *view, shard_task_id task)
{
    (void)self;
    return view->tasks->rank_seconds(view->run, task);
}

static void weigh(const struct shard_view *view, int32_t task, int32_t host, double seconds, double wait_seconds,
                  struct choice *best)
{
    double staging = view->tasks->staging_seconds(view->run, task, host);
    if (isnan(staging))
        staging = 0;
    double finish = wait_seconds + staging + seconds / view->cluster->hosts[host].speed;
    if (finish < best->finish_seconds || (finish == best->finish_seconds && host < best->host))
        *best = (struct choice){host, finish, wait_seconds};
}

static void weigh_open(const struct shard_view *view, const struct shard__need *need, int32_t task, double seconds,
                       struct choice *best)
{
    const struct shard__cluster *cluster = view->cluster;
    int draw = cluster->open_count > ALL_WEIGHED;
    int32_t count = draw ? ALL_WEIGHED : cluster->open_count;
    for (int32_t i = 0; i < count; i++) {
        int32_t at = draw ? (int32_t)(shard__random_next(view->random) % (uint64_t)cluster->open_count) : i;
        if (shard__view_admits(view, task, need, cluster->open[at]))
            weigh(view, task, cluster->open[at], seconds, 0, best);
    }
}

static void weigh_full(const struct shard_view *view, const struct shard__need *need, int32_t task, double seconds,
                       struct choice *best)
{
    const struct shard__cluster *cluster = view->cluster;
    for (int32_t host = 0; host < cluster->host_count; host++) {
        const struct shard__host *full = &cluster->hosts[host];
        if (full->state != SHARD_HOST_UP || shard__host_admits(full, need) || !shard__host_could_hold(full, need))
            continue;
        double wait_seconds = view->tasks->host_free_seconds(view->run, host);
        if (!isnan(wait_seconds) && wait_seconds > 0)
            weigh(view, task, host, seconds, wait_seconds, best);
    }
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct heft *policy = self;
    struct shard__need need = view->tasks->need(view->run, task);
    int32_t origin = view->tasks->origin(view->run, task);
    double seconds = view->tasks->expected_seconds(view->run, task);
    if (isnan(seconds))
        seconds = 1;
    struct choice best = {-1, INFINITY, 0};
    if (policy->min_speed == policy->max_speed && shard__csr_count(&view->workflow->inputs, origin) == 0) {
        best.host = shard__load_heap_best(&policy->heap, view, &need, NULL, NULL, task);
        best.finish_seconds = seconds / policy->max_speed;
    } else {
        weigh_open(view, &need, task, seconds, &best);
        if (view->cluster->host_count <= FULL_WEIGHED)
            weigh_full(view, &need, task, seconds, &best);
    }
    if (best.host < 0) {
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0);
    } else if (best.wait_seconds > 0) {
        shard__decide_wait(ret_decision, SHARD_REASON_PREFERS_OTHER, best.wait_seconds, best.wait_seconds);
        ret_decision->host = best.host;
    } else {
        shard__decide_start(ret_decision, best.host, SHARD_REASON_EARLIEST_FINISH, best.finish_seconds);
        ret_decision->expected_seconds = best.finish_seconds;
    }
    return 0;
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct heft *policy = self;
    double speed = view->cluster->hosts[host].speed;
    if (speed < policy->min_speed)
        policy->min_speed = speed;
    if (speed > policy->max_speed)
        policy->max_speed = speed;
    shard__load_heap_update(&policy->heap, view, host);
}

static void destroy(void *self)
{
    struct heft *policy = self;
    const shard_context *context = policy->heap.context;
    shard__load_heap_free(&policy->heap);
    shard__release(context, policy, sizeof(*policy));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "heft",
                                         .rank = rank,
                                         .place = place,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

int shard_policy_heft(shard_context *context, struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct heft *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->heap.context = context;
    policy->min_speed = INFINITY;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
