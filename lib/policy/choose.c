/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of open hosts by load, and how it is searched. Ties go to the lower id, so that answers are determined. */

#include "choose.h"

#include "base/context.h"
#include "base/error.h"

/* Places that wait to be looked at: one for each level of a heap of as many hosts as there can be, and one more. */
enum { MOST_LEVELS = 33 };

double shard__host_load(const struct shard__host *host)
{
    double load = (double)host->running / (double)host->slots;
    double cpu = (double)host->used.cpu_millicores / (double)host->capacity.cpu_millicores;
    if (cpu > load)
        load = cpu;
    if (host->capacity.memory_bytes > 0) {
        double memory = (double)host->used.memory_bytes / (double)host->capacity.memory_bytes;
        if (memory > load)
            load = memory;
    }
    return load;
}

void shard__decide_start(struct shard_decision *ret_decision, int32_t host, enum shard_reason_code reason, double value)
{
    ret_decision->kind = SHARD_DECIDE_START;
    ret_decision->host = host;
    ret_decision->reason = reason;
    ret_decision->value = value;
}

void shard__decide_wait(struct shard_decision *ret_decision, enum shard_reason_code reason, double value,
                        double wait_seconds)
{
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->reason = reason;
    ret_decision->value = value;
    ret_decision->wait_seconds = wait_seconds;
}

static int before(const struct shard__load_heap *heap, int32_t a, int32_t b)
{
    if (heap->load[a] != heap->load[b])
        return heap->load[a] < heap->load[b];
    return a < b;
}

static void put(struct shard__load_heap *heap, int32_t at, int32_t host)
{
    heap->hosts[at] = host;
    heap->position[host] = at;
}

static void sift_up(struct shard__load_heap *heap, int32_t at)
{
    int32_t host = heap->hosts[at];
    while (at > 0 && before(heap, host, heap->hosts[(at - 1) / 2])) {
        put(heap, at, heap->hosts[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, host);
}

static void sift_down(struct shard__load_heap *heap, int32_t at)
{
    int32_t host = heap->hosts[at];
    for (;;) {
        int32_t child = at * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap, heap->hosts[child + 1], heap->hosts[child]))
            child++;
        if (!before(heap, heap->hosts[child], host))
            break;
        put(heap, at, heap->hosts[child]);
        at = child;
    }
    put(heap, at, host);
}

static void take_out(struct shard__load_heap *heap, int32_t at)
{
    heap->position[heap->hosts[at]] = -1;
    int32_t last = heap->hosts[--heap->count];
    if (at == heap->count)
        return;
    put(heap, at, last);
    sift_up(heap, at);
    sift_down(heap, heap->position[last]);
}

static int make_room(struct shard__load_heap *heap, int32_t host_count)
{
    size_t wanted = (size_t)host_count;
    size_t position_capacity = heap->host_capacity;
    if (shard__grow(heap->context, &heap->hosts, &heap->capacity, wanted, sizeof(*heap->hosts)) < 0 ||
        shard__grow(heap->context, &heap->load, &heap->load_capacity, wanted, sizeof(*heap->load)) < 0 ||
        shard__grow(heap->context, &heap->position, &position_capacity, wanted, sizeof(*heap->position)) < 0)
        return SHARD_ENOMEM;
    heap->host_capacity = position_capacity;
    for (; heap->host_count < host_count; heap->host_count++)
        heap->position[heap->host_count] = -1;
    return 0;
}

static void take_in(struct shard__load_heap *heap, const struct shard_view *view, int32_t id)
{
    const struct shard__host *host = &view->cluster->hosts[id];
    int32_t at = heap->position[id];
    if (host->open_index < 0) {
        if (at >= 0)
            take_out(heap, at);
        return;
    }
    heap->load[id] = (float)shard__host_load(host);
    if (at < 0) {
        at = heap->count++;
        put(heap, at, id);
    }
    sift_up(heap, at);
    sift_down(heap, heap->position[id]);
}

void shard__load_heap_update(struct shard__load_heap *heap, const struct shard_view *view, int32_t id)
{
    int32_t known = heap->host_count;
    if (id >= known && make_room(heap, view->cluster->host_count) < 0)
        return;
    /* With those that there was no memory for before. */
    for (int32_t other = known; other < heap->host_count; other++)
        take_in(heap, view, other);
    take_in(heap, view, id);
}

void shard__load_heap_leave(struct shard__load_heap *heap, int32_t id)
{
    if (id < heap->host_count && heap->position[id] >= 0)
        take_out(heap, heap->position[id]);
}

void shard__load_heap_free(struct shard__load_heap *heap)
{
    shard__release(heap->context, heap->hosts, heap->capacity * sizeof(*heap->hosts));
    shard__release(heap->context, heap->load, heap->load_capacity * sizeof(*heap->load));
    shard__release(heap->context, heap->position, heap->host_capacity * sizeof(*heap->position));
}

int shard__someone_admits(const struct shard_view *view, int32_t task, const struct shard__need *need)
{
    for (int32_t i = 0; i < view->cluster->open_count; i++)
        if (shard__view_admits(view, task, need, view->cluster->open[i]))
            return 1;
    return 0;
}

int32_t shard__load_heap_best(const struct shard__load_heap *heap, const struct shard_view *view,
                              const struct shard__need *need, shard__host_filter filter, const void *filter_self,
                              int32_t task)
{
    int32_t best = -1, places[MOST_LEVELS], count = 0;
    /* The root is nearly always good; when it is not, those below it are looked at that may be better than what was
       found. */
    if (heap->count > 0)
        places[count++] = 0;
    while (count > 0) {
        int32_t at = places[--count], host = heap->hosts[at];
        if (best >= 0 && !before(heap, host, best))
            continue;
        if (shard__view_admits(view, task, need, host) && (filter == NULL || filter(filter_self, view, task, host)))
            best = host;
        for (int32_t child = at * 2 + 2; best != host && child > at * 2; child--)
            if (child < heap->count)
                places[count++] = child;
    }
    /* Hosts that there was no memory to take in. */
    for (int32_t host = heap->host_count; best < 0 && host < view->cluster->host_count; host++)
        if (shard__view_admits(view, task, need, host) && (filter == NULL || filter(filter_self, view, task, host)))
            best = host;
    return best;
}
