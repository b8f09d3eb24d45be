/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of ready tasks. Most policies add tasks in the order in which they want them, so most live in the lines.
 */

#include "ready.h"

#include <string.h>

#include "base/error.h"

int shard__ready_init(struct shard__ready *ready, shard_context *context, int32_t profile_count)
{
    memset(ready, 0, sizeof(*ready));
    ready->context = context;
    if (profile_count == 0)
        return 0;
    ready->queues = shard__zalloc(context, (size_t)profile_count * sizeof(*ready->queues));
    ready->blocked = shard__zalloc(context, (size_t)profile_count * sizeof(*ready->blocked));
    ready->queue_count = profile_count;
    return ready->queues == NULL || ready->blocked == NULL ? SHARD_ENOMEM : 0;
}

void shard__ready_free(struct shard__ready *ready)
{
    const shard_context *context = ready->context;
    for (int32_t i = 0; ready->queues != NULL && i < ready->queue_count; i++) {
        shard__release(context, ready->queues[i].line, ready->queues[i].line_capacity * sizeof(*ready->queues[i].line));
        shard__heap_free(context, &ready->queues[i].heap);
    }
    shard__release(context, ready->queues, (size_t)ready->queue_count * sizeof(*ready->queues));
    shard__release(context, ready->blocked, (size_t)ready->queue_count * sizeof(*ready->blocked));
    shard__heap_free(context, &ready->order);
}

static int is_empty(const struct shard__ready_queue *queue)
{
    return queue->line_head == queue->line_end && queue->heap.count == 0;
}

/* Whether the queue's first task stands in its line. The queue is not empty. */
static int first_is_in_line(const struct shard__ready_queue *queue)
{
    if (queue->line_head == queue->line_end)
        return 0;
    return queue->heap.count == 0 || queue->line[queue->line_head].key <= queue->heap.items[0].key;
}

static const struct shard__heap_item *first_of(const struct shard__ready_queue *queue)
{
    return first_is_in_line(queue) ? &queue->line[queue->line_head] : &queue->heap.items[0];
}

static int push_line(struct shard__ready *ready, struct shard__ready_queue *queue, double key, int32_t task)
{
    if (queue->line_end == queue->line_capacity && queue->line_head > queue->line_end / 2) {
        memmove(queue->line, queue->line + queue->line_head,
                (queue->line_end - queue->line_head) * sizeof(*queue->line));
        queue->line_end -= queue->line_head;
        queue->line_head = 0;
    }
    if (shard__grow(ready->context, &queue->line, &queue->line_capacity, queue->line_end + 1, sizeof(*queue->line)) < 0)
        return SHARD_ENOMEM;
    queue->line[queue->line_end++] = (struct shard__heap_item){.key = key, .id = task};
    return 0;
}

/* Lists a profile under the key of its first task. An older entry of it in `order` is found stale by its key. */
static int list_profile(struct shard__ready *ready, int32_t profile)
{
    struct shard__ready_queue *queue = &ready->queues[profile];
    if (shard__heap_push(ready->context, &ready->order, first_of(queue)->key, profile) < 0)
        return SHARD_ENOMEM;
    queue->listed = 1;
    return 0;
}

int shard__ready_push(struct shard__ready *ready, int32_t profile, double key, int32_t task)
{
    struct shard__ready_queue *queue = &ready->queues[profile];
    int was_empty = is_empty(queue);
    int is_first = was_empty || key < first_of(queue)->key;
    /* The entry in `order` must not fail once the task is in. */
    if (is_first && shard__heap_reserve(ready->context, &ready->order, 1) < 0)
        return SHARD_ENOMEM;
    int in_line = queue->line_head == queue->line_end || key >= queue->line[queue->line_end - 1].key;
    int status =
        in_line ? push_line(ready, queue, key, task) : shard__heap_push(ready->context, &queue->heap, key, task);
    if (status < 0)
        return status;
    ready->count++;
    if (is_first && !queue->blocked)
        list_profile(ready, profile);
    return 0;
}

/* Drops the stale entries once they are many: what is listed again fits, since it replaces more than it is. */
static void tidy_order(struct shard__ready *ready)
{
    if (ready->order.count <= 2 * (size_t)ready->queue_count + 64)
        return;
    ready->order.count = 0;
    for (int32_t profile = 0; profile < ready->queue_count; profile++)
        if (!ready->queues[profile].blocked && !is_empty(&ready->queues[profile]))
            list_profile(ready, profile);
}

int32_t shard__ready_first(struct shard__ready *ready, int32_t *ret_profile)
{
    tidy_order(ready);
    while (ready->order.count > 0) {
        int32_t profile = ready->order.items[0].id;
        const struct shard__ready_queue *queue = &ready->queues[profile];
        if (queue->listed && !queue->blocked && !is_empty(queue) && ready->order.items[0].key <= first_of(queue)->key) {
            *ret_profile = profile;
            return first_of(queue)->id;
        }
        shard__heap_pop(&ready->order);
    }
    return -1;
}

int32_t shard__ready_first_of(struct shard__ready *ready, int32_t profile)
{
    const struct shard__ready_queue *queue = &ready->queues[profile];
    if (is_empty(queue) || shard__heap_reserve(ready->context, &ready->order, 1) < 0)
        return -1;
    return first_of(queue)->id;
}

void shard__ready_pop(struct shard__ready *ready, int32_t profile)
{
    struct shard__ready_queue *queue = &ready->queues[profile];
    double key = first_of(queue)->key;
    if (first_is_in_line(queue))
        queue->line_head++;
    else
        shard__heap_pop(&queue->heap);
    if (queue->line_head == queue->line_end)
        queue->line_head = queue->line_end = 0;
    ready->count--;
    if (ready->order.count > 0 && ready->order.items[0].id == profile && !is_empty(queue) &&
        first_of(queue)->key == key)
        return; /* the entry is good for the next one too */
    if (ready->order.count > 0 && ready->order.items[0].id == profile)
        shard__heap_pop(&ready->order);
    queue->listed = 0;
    if (!is_empty(queue) && !queue->blocked)
        list_profile(ready, profile); /* an entry was just taken out: there is room */
}

void shard__ready_block(struct shard__ready *ready, int32_t profile)
{
    struct shard__ready_queue *queue = &ready->queues[profile];
    if (queue->blocked)
        return;
    queue->blocked = 1;
    queue->listed = 0;
    ready->blocked[(ready->blocked_first + ready->blocked_count++) % ready->queue_count] = profile;
    if (ready->order.count > 0 && ready->order.items[0].id == profile)
        shard__heap_pop(&ready->order);
}

int shard__ready_unblock(struct shard__ready *ready, int32_t most)
{
    while (ready->blocked_count > 0 && most-- > 0) {
        int32_t profile = ready->blocked[ready->blocked_first];
        struct shard__ready_queue *queue = &ready->queues[profile];
        if (!is_empty(queue) && list_profile(ready, profile) < 0)
            return SHARD_ENOMEM;
        queue->blocked = 0;
        ready->blocked_first = (ready->blocked_first + 1) % ready->queue_count;
        ready->blocked_count--;
    }
    return 0;
}
