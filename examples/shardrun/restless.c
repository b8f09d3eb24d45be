/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy that leaves no running task alone.
 */
#include "restless.h"

#include <stdlib.h>

#include <shard/error.h>

#include "need.h"

struct restless {
    struct shard_policy_handle inner;
};

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct restless *restless = self;
    return restless->inner.port->place(restless->inner.self, view, task, ret_decision);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct restless *restless = self;
    if (restless->inner.port->host_changed != NULL)
        restless->inner.port->host_changed(restless->inner.self, view, host);
}

/* A host other than its own that would take the task now; -1: none. */
static shard_host_id other_host(const shard_view *view, const struct shard_task_view *task, shard_task_id id)
{
    int32_t count = shard_view_host_count(view);
    shard_host_id first = (shard_host_id)(shard_view_random(view) % (uint64_t)count);
    for (int32_t i = 0; i < count; i++) {
        shard_host_id host = (first + i) % count;
        if (host != task->host && shard_view_admits(view, id, host) == 1)
            return host;
    }
    return -1;
}

static int review(void *self, const shard_view *view, shard_task_id id, struct shard_decision *ret_decision)
{
    struct shard_task_view task = {.struct_size = sizeof task};
    (void)self;
    if (shard_view_task(view, id, &task) < 0)
        return 0;
    uint64_t chance = shard_view_random(view) % 16;
    int64_t left = task.unit_end - task.unit_begin - task.units_done;
    ret_decision->reason = SHARD_REASON_POLICY;
    if (task.units_done > 0 && left >= 2 && chance < 8) {
        ret_decision->kind = SHARD_DECIDE_SPLIT;
        ret_decision->parts = 2 + (int32_t)(chance % 2 && left >= 3);
        ret_decision->keep_units = chance < 4 ? 1 : 0;
    } else if (chance < 11) {
        ret_decision->host = other_host(view, &task, id);
        ret_decision->kind = ret_decision->host < 0 ? SHARD_DECIDE_WAIT
                             : chance < 10          ? SHARD_DECIDE_REPLICATE
                                                    : SHARD_DECIDE_MOVE;
    }
    return 0;
}

static void destroy(void *self)
{
    struct restless *restless = self;
    if (restless->inner.port->destroy != NULL)
        restless->inner.port->destroy(restless->inner.self);
    free(restless);
}

static const struct shard_policy port = {.struct_size = sizeof port,
                                         .name = RESTLESS,
                                         .place = place,
                                         .review = review,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

int restless_policy(shard_context *context, struct shard_policy_handle *ret_policy)
{
    struct restless *restless = need_zeroed(1, sizeof *restless);
    int status = shard_policy_least_loaded(context, &restless->inner);
    if (status < 0) {
        free(restless);
        return status;
    }
    *ret_policy = (struct shard_policy_handle){&port, restless};
    return 0;
}
