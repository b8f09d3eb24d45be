/* SPDX-License-Identifier: Apache-2.0 */
/* The policy `round_robin`: tasks as they become ready, hosts in turn. */

#include "base/context.h"
#include "base/error.h"
#include "choose.h"

struct round_robin {
    shard_context *context;
    int32_t next; /* host whose turn it is */
};

/* The admitting host that comes first from `next` on, around. */
static int32_t in_turn(const struct shard_view *view, int32_t task, const struct shard__need *need, int32_t next)
{
    const struct shard__cluster *cluster = view->cluster;
    int32_t best = -1, best_distance = INT32_MAX;
    /* Few open hosts: look at those. Many: the next one is near. */
    if (cluster->open_count <= 32) {
        for (int32_t i = 0; i < cluster->open_count; i++) {
            int32_t host = cluster->open[i];
            int32_t distance = host >= next ? host - next : host - next + cluster->host_count;
            if (distance < best_distance && shard__view_admits(view, task, need, host)) {
                best = host;
                best_distance = distance;
            }
        }
        return best;
    }
    for (int32_t i = 0; i < cluster->host_count; i++) {
        int32_t host = next + i < cluster->host_count ? next + i : next + i - cluster->host_count;
        if (shard__view_admits(view, task, need, host))
            return host;
    }
    return -1;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct round_robin *policy = self;
    struct shard__need need = view->tasks->need(view->run, task);
    int32_t host = in_turn(view, task, &need, policy->next < view->cluster->host_count ? policy->next : 0);
    if (host < 0) {
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0);
        return 0;
    }
    policy->next = host + 1;
    shard__decide_start(ret_decision, host, SHARD_REASON_NEXT_IN_TURN, 0);
    return 0;
}

static void destroy(void *self)
{
    struct round_robin *policy = self;
    shard__release(policy->context, policy, sizeof(*policy));
}

static const struct shard_policy port = {
    .struct_size = sizeof(struct shard_policy), .name = "round_robin", .place = place, .destroy = destroy};

int shard_policy_round_robin(shard_context *context, struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct round_robin *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->context = context;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
