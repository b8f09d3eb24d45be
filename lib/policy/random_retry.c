/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `random_retry`: tasks as they become ready, each to a host drawn from those that admit it; what fails is
 * tried again by the engine's budgets, on another draw. The baseline that remembers nothing.
 */

#include "base/error.h"
#include "view.h"

/* Draws before the hosts are walked one by one: nearly always one of them admits the task. */
enum { DRAWS = 16 };

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)self;
    const struct shard__cluster *cluster = view->cluster;
    struct shard__need need = view->tasks->need(view->run, task);
    *ret_decision = (struct shard_decision){.struct_size = sizeof(*ret_decision),
                                            .kind = SHARD_DECIDE_WAIT,
                                            .host = -1,
                                            .reason = SHARD_REASON_NO_CAPACITY,
                                            .p_fail = NAN,
                                            .expected_seconds = NAN};
    uint64_t at = 0;
    int admits = 0;
    for (int i = 0; i < DRAWS + cluster->open_count && !admits && cluster->open_count > 0; i++) {
        at = i < DRAWS ? shard__random_next(view->random) % (uint64_t)cluster->open_count
                       : (at + 1) % (uint64_t)cluster->open_count;
        admits = shard__view_admits(view, task, &need, cluster->open[at]);
    }
    if (admits) {
        ret_decision->kind = SHARD_DECIDE_START;
        ret_decision->host = cluster->open[at];
        ret_decision->reason = SHARD_REASON_DRAWN;
        ret_decision->value = cluster->open_count;
    }
    return 0;
}

static void destroy(void *self)
{
    (void)self; /* there is none */
}

static const struct shard_policy port = {
    .struct_size = sizeof(struct shard_policy), .name = "random_retry", .place = place, .destroy = destroy};

int shard_policy_random_retry(shard_context *context, struct shard_policy_handle *ret_policy)
{
    (void)context;
    shard__clear_error();
    *ret_policy = (struct shard_policy_handle){&port, NULL};
    return 0;
}
