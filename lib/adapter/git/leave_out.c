/* SPDX-License-Identifier: Apache-2.0 */
/* Which tasks of a catalog cannot be used, because they come after one that is not there. */

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"

#include "load.h"

/* Who comes after whom, as lists by the task that is before. */
struct followers {
    int32_t *first;   /* by task: index into next and task, -1: none */
    int32_t *next;    /* by edge */
    int32_t *waiting; /* tasks that are out and whose followers are not yet */
    size_t waiting_count;
};

void shard__git_loading_init(struct shard__git_loading *loading)
{
    shard__bytes_init(&loading->texts, loading->catalog->context);
    shard__bytes_init(&loading->data, loading->catalog->context);
    shard__bytes_init(&loading->whole, loading->catalog->context);
    shard__bytes_init(&loading->problems, loading->catalog->context);
}

void shard__git_loading_free(struct shard__git_loading *loading)
{
    const shard_context *context = loading->catalog->context;
    shard__bytes_free(&loading->texts);
    shard__bytes_free(&loading->data);
    shard__bytes_free(&loading->whole);
    shard__bytes_free(&loading->problems);
    shard__release(context, loading->tasks, loading->task_capacity * sizeof(*loading->tasks));
    shard__release(context, loading->afters, loading->after_capacity * sizeof(*loading->afters));
}

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__git_loading *loading = owner;
    const char *name = loading->texts.data + loading->tasks[id].name;
    *ret_bytes = strlen(name);
    return name;
}

static void put_out(struct shard__git_loading *loading, struct followers *followers, int32_t task)
{
    if (loading->tasks[task].is_out)
        return;
    loading->tasks[task].is_out = 1;
    loading->left_out++;
    followers->waiting[followers->waiting_count++] = task;
}

/* What a task comes after is not there: a problem of the file, unless another file explains it. */
static int note_missing(struct shard__git_loading *loading, const struct shard__git_after *after)
{
    if (loading->bad > 0)
        return 0;
    loading->first_problem = SHARD_ENOENT;
    loading->bad = 1;
    shard__bytes_printf(&loading->problems, "%s: /after: there is no task '%.200s'\n",
                        loading->texts.data + loading->tasks[after->task].path, loading->texts.data + after->name);
    return loading->problems.status;
}

static int relate(struct shard__git_loading *loading, const struct shard__namemap *map, struct followers *followers)
{
    int32_t not_there = 0;
    int status = 0;
    for (size_t i = 0; status == 0 && i < loading->after_count; i++) {
        const struct shard__git_after *after = &loading->afters[i];
        const char *name = loading->texts.data + after->name;
        int32_t before = shard__namemap_find(map, name, strlen(name), name_of, loading);
        if (before < 0) {
            if (not_there++ == 0)
                status = note_missing(loading, after);
            put_out(loading, followers, after->task);
            continue;
        }
        followers->next[i] = followers->first[before];
        followers->first[before] = (int32_t)i;
    }
    while (followers->waiting_count > 0) {
        int32_t task = followers->waiting[--followers->waiting_count];
        for (int32_t edge = followers->first[task]; edge >= 0; edge = followers->next[edge])
            put_out(loading, followers, loading->afters[edge].task);
    }
    return status;
}

int shard__git_leave_out(struct shard__git_loading *loading)
{
    const shard_context *context = loading->catalog->context;
    size_t tasks = (size_t)loading->task_count, edges = loading->after_count;
    struct shard__namemap map = {0};
    int32_t bad_files = loading->bad;
    int status = 0;
    if (edges > INT32_MAX)
        return shard__fail(SHARD_ELIMIT, "catalog '%s': has %zu edges, expected at most %d", loading->catalog->path,
                           edges, INT32_MAX);
    struct followers followers = {.first = shard__zalloc(context, (tasks + 1) * sizeof(int32_t)),
                                  .next = shard__zalloc(context, (edges + 1) * sizeof(int32_t)),
                                  .waiting = shard__zalloc(context, (tasks + 1) * sizeof(int32_t))};
    if (followers.first == NULL || followers.next == NULL || followers.waiting == NULL)
        status = SHARD_ENOMEM;
    for (int32_t i = 0; status == 0 && i < loading->task_count; i++) {
        followers.first[i] = -1;
        status = shard__namemap_add(context, &map, i, name_of, loading);
    }
    if (status == 0)
        status = relate(loading, &map, &followers);
    loading->left_out += bad_files;
    if (!loading->keep_rest)
        loading->left_out = 0;
    shard__namemap_free(context, &map);
    shard__release(context, followers.first, (tasks + 1) * sizeof(int32_t));
    shard__release(context, followers.next, (edges + 1) * sizeof(int32_t));
    shard__release(context, followers.waiting, (tasks + 1) * sizeof(int32_t));
    return status;
}
