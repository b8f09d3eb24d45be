/* SPDX-License-Identifier: Apache-2.0 */
/* The policy `least_loaded`: tasks as they become ready, each to the host with the smallest share in use. */

#include "base/context.h"
#include "base/error.h"
#include "choose.h"

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    const struct shard__load_heap *heap = self;
    struct shard__need need = view->tasks->need(view->run, task);
    int32_t host = shard__load_heap_best(heap, view, &need, NULL, NULL, task);
    if (host < 0)
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0);
    else
        shard__decide_start(ret_decision, host, SHARD_REASON_LEAST_LOADED, (double)heap->load[host]);
    return 0;
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    shard__load_heap_update(self, view, host);
}

static void destroy(void *self)
{
    struct shard__load_heap *heap = self;
    shard__load_heap_free(heap);
    shard__release(heap->context, heap, sizeof(*heap));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "least_loaded",
                                         .place = place,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

int shard_policy_least_loaded(shard_context *context, struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct shard__load_heap *heap = shard__zalloc(context, sizeof(*heap));
    if (heap == NULL)
        return SHARD_ENOMEM;
    heap->context = context;
    *ret_policy = (struct shard_policy_handle){&port, heap};
    return 0;
}
