/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: making, leases, listing, end. Commits and loads have their own files. */

#include "memory.h"

#include <stdio.h>
#include <string.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__memory_store *store = owner;
    *ret_bytes = strlen(store->runs[id]->name);
    return store->runs[id]->name;
}

struct shard__memory_run *shard__memory_find(struct shard__memory_store *store, const char *name)
{
    int32_t id = shard__namemap_find(&store->names, name, strlen(name), name_of, store);
    if (id >= 0 && store->runs[id]->workflow != NULL)
        return store->runs[id];
    shard__fail(SHARD_ENOENT, "no run '%s' in the store", name);
    return NULL;
}

int shard__memory_check_epoch(const struct shard__memory_run *run, int64_t epoch)
{
    if (epoch == run->epoch && run->is_held)
        return 0;
    return shard__fail_fenced(run->name, epoch, run->epoch, run->owner == NULL ? "" : run->owner);
}

static void free_texts(const struct shard__memory_store *store, struct shard__memory_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        shard__strfree(store->context, texts->items[i]);
    shard__release(store->context, texts->items, texts->capacity * sizeof(*texts->items));
}

static void free_run(const struct shard__memory_store *store, struct shard__memory_run *run)
{
    if (run == NULL)
        return;
    shard__memory_free_records(store, run);
    free_texts(store, &run->hosts);
    free_texts(store, &run->revisions);
    shard__rows_free(store->context, &run->rows);
    shard__strfree(store->context, run->name);
    shard__strfree(store->context, run->owner);
    shard_workflow_unref(run->workflow);
    shard__release(store->context, run, sizeof(*run));
}

/* A run of that name without a workflow, which is not there yet for anyone. NULL: SHARD_ENOMEM. */
static struct shard__memory_run *add_place(struct shard__memory_store *store, const char *name)
{
    if (shard__grow(store->context, &store->runs, &store->run_capacity, store->run_count + 1, sizeof(*store->runs)) < 0)
        return NULL;
    struct shard__memory_run *run = shard__zalloc(store->context, sizeof(*run));
    if (run == NULL)
        return NULL;
    run->name = shard__strdup(store->context, name);
    store->runs[store->run_count] = run;
    if (run->name == NULL ||
        shard__namemap_add(store->context, &store->names, (int32_t)store->run_count, name_of, store) < 0) {
        free_run(store, run);
        return NULL;
    }
    store->run_count++;
    return run;
}

static int make_run(struct shard__memory_store *store, shard_sink *sink, shard_token token,
                    const struct shard_store_create *create, int32_t task_count)
{
    int32_t id = shard__namemap_find(&store->names, create->run, strlen(create->run), name_of, store);
    struct shard__memory_run *run = id >= 0 ? store->runs[id] : add_place(store, create->run);
    if (run == NULL)
        return SHARD_ENOMEM;
    if (run->workflow != NULL)
        return shard__fail(SHARD_EEXIST, "run '%s' is in the store already", create->run);
    int status = shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
    if (status < 0)
        return status;
    union {
        const shard_workflow *shown;
        shard_workflow *counted;
    } workflow = {create->workflow};
    run->workflow = shard_workflow_ref(workflow.counted);
    run->task_count = task_count;
    run->created_ns = create->time_ns;
    run->updated_ns = create->time_ns;
    return 0;
}

static int create_run(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *theirs)
{
    struct shard__memory_store *store = self;
    struct shard_store_create create;
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    int status = shard__check_create(theirs, &create);
    if (status == 0)
        status = shard_workflow_describe(create.workflow, &info);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    status = make_run(store, sink, token, &create, info.task_count);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static int64_t lease_end_ns(const struct shard__memory_store *store, int64_t lease_ms)
{
    return shard__now_ns(store->context) + lease_ms * 1000000;
}

/* Under the mutex. Whoever held the run is fenced by the new epoch. */
static int take_lease(struct shard__memory_store *store, shard_sink *sink, shard_token token, const char *name,
                      const char *owner, int64_t lease_ms)
{
    struct shard__memory_run *run = shard__memory_find(store, name);
    if (run == NULL)
        return SHARD_ENOENT;
    int64_t left_ns = run->lease_ends_ns - shard__now_ns(store->context);
    if (run->is_held && left_ns > 0 && strcmp(run->owner, owner) != 0)
        return shard__fail_held(store->context, name, run->owner, left_ns);
    char *copy = shard__strdup(store->context, owner);
    if (copy == NULL)
        return SHARD_ENOMEM;
    int status = shard_sink_store_answered(sink, token, 0, run->epoch + 1, NULL, NULL);
    if (status < 0) {
        shard__strfree(store->context, copy);
        return status;
    }
    shard__strfree(store->context, run->owner);
    run->owner = copy;
    run->epoch++;
    run->is_held = 1;
    run->lease_ends_ns = lease_end_ns(store, lease_ms);
    run->max_operation = 0;
    run->operation_count = 0;
    run->operation_next = 0;
    return 0;
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *name, const char *owner,
                   int64_t lease_ms)
{
    struct shard__memory_store *store = self;
    int status = shard__check_lease(name, owner, lease_ms);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    status = take_lease(store, sink, token, name, owner, lease_ms);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

/* Prolongs the lease, or ends it when `lease_ms` is 0. */
static int change_lease(struct shard__memory_store *store, shard_sink *sink, shard_token token, const char *name,
                        int64_t epoch, int64_t lease_ms)
{
    pthread_mutex_lock(&store->mutex);
    struct shard__memory_run *run = shard__memory_find(store, name);
    int status = run == NULL ? SHARD_ENOENT : shard__memory_check_epoch(run, epoch);
    if (status == 0)
        status = shard_sink_store_answered(sink, token, 0, epoch, NULL, NULL);
    if (status == 0) {
        run->is_held = lease_ms != 0;
        run->lease_ends_ns = lease_end_ns(store, lease_ms);
    }
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch, int64_t lease_ms)
{
    int status = shard__check_lease(name, "owner", lease_ms);
    return status < 0 ? status : change_lease(self, sink, token, name, epoch, lease_ms);
}

static int release(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch)
{
    int status = shard__check_lease(name, "owner", 1);
    return status < 0 ? status : change_lease(self, sink, token, name, epoch, 0);
}

/* Fills in the summary of a run; the owner, which may change, is copied. 0 when the run is not there yet. */
static int summarise(struct shard__memory_store *store, size_t index, struct shard_run_summary *ret_summary,
                     char owner[SHARD_MAX_NAME_BYTES + 1])
{
    pthread_mutex_lock(&store->mutex);
    const struct shard__memory_run *run = store->runs[index];
    int is_there = run->workflow != NULL;
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    if (is_there && shard_workflow_describe(run->workflow, &info) == 0) {
        snprintf(owner, SHARD_MAX_NAME_BYTES + 1, "%s", run->owner == NULL ? "" : run->owner);
        *ret_summary = (struct shard_run_summary){.struct_size = sizeof(*ret_summary),
                                                  .name = run->name,
                                                  .workflow_name = info.name,
                                                  .owner = owner,
                                                  .state = run->state,
                                                  .created_ns = run->created_ns,
                                                  .updated_ns = run->updated_ns,
                                                  .epoch = run->epoch,
                                                  .task_count = info.task_count};
    }
    pthread_mutex_unlock(&store->mutex);
    return is_there;
}

static int list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    struct shard__memory_store *store = self;
    char owner[SHARD_MAX_NAME_BYTES + 1];
    pthread_mutex_lock(&store->mutex);
    size_t index = store->run_count;
    pthread_mutex_unlock(&store->mutex);
    /* Runs are never taken out, so nothing needs to be locked while `each` does what it likes. */
    while (index-- > 0) {
        struct shard_run_summary summary;
        if (summarise(store, index, &summary, owner) && each(each_self, &summary) != 0)
            break;
    }
    return 0;
}

static int put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                       int32_t count)
{
    struct shard__memory_store *store = self;
    shard__clear_error();
    int status = shard__check_samples(samples, count);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    status = shard__memory_keep_samples(&store->series, samples, count);
    pthread_mutex_unlock(&store->mutex);
    return status < 0 ? status : shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
}

static int put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                        int32_t count)
{
    struct shard__memory_store *store = self;
    shard__clear_error();
    int status = shard__check_outcomes(outcomes, count);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    status = shard__memory_keep_outcomes(&store->series, sink, token, outcomes, count);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static int each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                        void *each_self)
{
    struct shard__memory_store *store = self;
    shard__clear_error();
    pthread_mutex_lock(&store->mutex);
    int status = shard__memory_each_outcome(&store->series, each, each_self);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static int read_series(void *self, const struct shard_series_query *query, shard__series_each each, void *each_self)
{
    struct shard__memory_store *store = self;
    shard__clear_error();
    pthread_mutex_lock(&store->mutex);
    int status = shard__memory_read_series(&store->series, query, each, each_self);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static void close_store(void *self)
{
    struct shard__memory_store *store = self;
    shard_context *context = store->context;
    for (size_t i = 0; i < store->run_count; i++)
        free_run(store, store->runs[i]);
    shard__release(context, store->runs, store->run_capacity * sizeof(*store->runs));
    shard__namemap_free(context, &store->names);
    shard__release(context, store->undo, store->undo_capacity * sizeof(*store->undo));
    shard__release(context, store->wide_copies, store->wide_copy_capacity * sizeof(*store->wide_copies));
    shard__memory_free_series(&store->series);
    pthread_mutex_destroy(&store->mutex);
    shard__release(context, store, sizeof(*store));
}

#define RUNS_OF_PORT                                                                                              \
    .struct_size = sizeof(struct shard_store), .name = "memory", .create = create_run, .acquire = acquire,        \
    .renew = renew, .release = release, .commit = shard__memory_commit, .load = shard__memory_load, .list = list, \
    .close = close_store

/* Whoever keeps no series need not be given any. */
static const struct shard_store port_of_runs = {RUNS_OF_PORT};
static const struct shard_store port_with_series = {RUNS_OF_PORT, .put_samples = put_samples,
                                                    .put_outcomes = put_outcomes, .each_outcome = each_outcome,
                                                    .series = read_series};

int shard_memory_store_open(shard_context *context, const struct shard_memory_store_config *config,
                            struct shard_store_handle *ret_store)
{
    shard__clear_error();
    struct shard_memory_store_config ours = {0};
    struct shard__keep keep = {0};
    int status = config == NULL ? 0 : shard__take_struct(&ours, sizeof(ours), config, "memory store config");
    if (status == 0)
        status = shard__check_keep("memory store", ours.keep_samples, ours.keep_seconds, ours.keep_outcomes,
                                   ours.keep_outcome_seconds, ours.keep_records, &keep);
    if (status < 0)
        return status;
    struct shard__memory_store *store = shard__zalloc(context, sizeof(*store));
    if (store == NULL)
        return SHARD_ENOMEM;
    int has_series = ours.keep_samples > 0 || ours.keep_outcomes > 0;
    store->context = context;
    store->keep = ours.keep_records;
    store->series.context = context;
    store->series.keep = keep;
    pthread_mutex_init(&store->mutex, NULL);
    *ret_store = (struct shard_store_handle){.port = has_series ? &port_with_series : &port_of_runs, .self = store};
    return 0;
}
