/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a short cycle among tasks that could not be ordered, and saying it by name. */

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"

#include "graph.h"

/* A path is shown in full up to this many tasks; of a longer one, the beginning and the end. */
enum { SHOWN_TASKS = 12, SHOWN_END = 4, SHOWN_NAME_BYTES = 60 };

/* The first predecessor that waits; each waiting task has one. */
static int32_t waiting_predecessor(const struct shard__csr *predecessors, int32_t task, const int32_t *waiting)
{
    const int32_t *id = predecessors->ids + predecessors->offsets[task];
    while (waiting[*id] == 0)
        id++;
    return *id;
}

/* A task that is on a cycle: going back from any waiting task long enough leads to one. `seen` is all zero. */
static int32_t task_on_cycle(const struct shard__csr *predecessors, int32_t tasks, const int32_t *waiting,
                             int32_t *seen)
{
    int32_t task = 0;
    while (task < tasks - 1 && waiting[task] == 0)
        task++;
    while (seen[task] == 0) {
        seen[task] = 1;
        task = waiting_predecessor(predecessors, task, waiting);
    }
    return task;
}

/*
 * The shortest cycle through a task, by breadth-first search along successors. parent[t] - 1 is where t was reached
 * from; it is all zero before. Returns the last task before `start` again.
 */
static int32_t search_back(const struct shard__csr *successors, int32_t start, const int32_t *waiting, int32_t *parent,
                           int32_t *queue)
{
    int32_t count = 0;
    queue[count++] = start;
    for (int32_t next = 0; next < count; next++) {
        const int32_t *row = shard__csr_row(successors, queue[next]);
        for (int32_t i = 0; i < shard__csr_count(successors, queue[next]); i++) {
            if (row[i] == start)
                return queue[next];
            if (waiting[row[i]] == 0 || parent[row[i]] != 0)
                continue;
            parent[row[i]] = queue[next] + 1;
            queue[count++] = row[i];
        }
    }
    return start;
}

static void write_name(struct shard__bytes *text, const struct shard__names *names, int32_t task)
{
    const char *name = shard__names_at(names, task);
    size_t bytes = strlen(name), cut = shard__utf8_cut(name, bytes, SHOWN_NAME_BYTES);
    shard__bytes_append(text, name, cut);
    shard__bytes_text(text, cut < bytes ? "... -> " : " -> ");
}

/* Writes "a -> b -> a"; path[0..length) is the cycle backwards from its last task to its first. */
static void write_path(struct shard__bytes *text, const struct shard__names *names, const int32_t *path, int32_t length)
{
    for (int32_t i = length; i-- > 0;) {
        if (length > SHOWN_TASKS && i == length - 1 - (SHOWN_TASKS - SHOWN_END)) {
            shard__bytes_printf(text, "(%d more) -> ", length - SHOWN_TASKS);
            i = SHOWN_END - 1;
        }
        write_name(text, names, path[i]);
    }
    write_name(text, names, path[length - 1]);
    text->size -= strlen(" -> ");
}

int shard__report_cycle(const shard_context *context, const struct shard__csr *successors,
                        const struct shard__csr *predecessors, const struct shard__names *names, int32_t tasks,
                        const int32_t *waiting)
{
    size_t bytes = (size_t)tasks * sizeof(int32_t);
    int status = SHARD_ENOMEM;
    struct shard__bytes text;
    shard__bytes_init(&text, context);
    int32_t *parent = shard__zalloc(context, bytes);
    int32_t *queue = shard__realloc(context, NULL, 0, bytes);
    if (parent == NULL || queue == NULL)
        goto out;
    int32_t start = task_on_cycle(predecessors, tasks, waiting, parent);
    memset(parent, 0, bytes);
    int32_t length = 0;
    int32_t last = search_back(successors, start, waiting, parent, queue);
    /* The queue is done with: the path goes there. */
    for (int32_t task = last; task != start; task = parent[task] - 1)
        queue[length++] = task;
    queue[length++] = start;
    write_path(&text, names, queue, length);
    status = text.status;
    if (status == 0)
        status = shard__fail_task(SHARD_ECYCLE, start, "tasks depend on each other in a circle: %.*s", (int)text.size,
                                  text.data);
out:
    shard__bytes_free(&text);
    shard__release(context, parent, bytes);
    shard__release(context, queue, bytes);
    return status;
}
