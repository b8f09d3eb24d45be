/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `exclude_after_failures`: what Spark does (spark.excludeOnFailure.*): a host that failed a task is
 * excluded for that task, one that failed several tasks of a kind for the kind, and one that failed several tasks at
 * all for every task, for a time. Among the rest, the least loaded. Host loss, preemption and cancelling are nobody's
 * failure.
 */

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "choose.h"

/* How a host stands, for all tasks. */
struct record {
    int64_t excluded_until_ns;
    int32_t failed_tasks; /* since it was excluded last */
    int32_t failures;
    int32_t back_before, back_after; /* among those that come back: ids and 1 */
};

struct exclude {
    struct shard__load_heap heap;  /* without hosts that are excluded for all tasks: idle, they would come first */
    int32_t first_back, last_back; /* these, in the order in which they come back; ids and 1, 0: none */
    struct shard_exclude_config config;
    struct record *hosts;
    size_t host_capacity;
    int32_t host_count;
    struct shard__intmap task_failures; /* (run, task, host): failures */
    struct shard__intmap kind_failures; /* (run, kind, host): tasks that failed */
    int32_t runs;
};

static uint64_t key_of(const struct shard_view *view, int32_t what, int32_t host)
{
    return ((uint64_t)(view->run_number & 0xffff) << 47) ^ ((uint64_t)what << 20) ^ (uint64_t)host;
}

static int32_t kind_of(const struct shard_view *view, int32_t task)
{
    return shard__workflow_profile(view->workflow, view->tasks->origin(view->run, task))->kind;
}

static int is_excluded(const struct exclude *policy, const struct shard_view *view, int32_t host)
{
    return host < policy->host_count && policy->hosts[host].excluded_until_ns > view->now_ns;
}

static int is_wanted(const void *self, const struct shard_view *view, int32_t task, int32_t host)
{
    const struct exclude *policy = self;
    if (is_excluded(policy, view, host))
        return 0;
    if (shard__intmap_find(&policy->kind_failures, key_of(view, kind_of(view, task), host)) >=
        policy->config.max_failed_tasks_per_host_kind)
        return 0;
    return shard__intmap_find(&policy->task_failures, key_of(view, task, host)) <
           policy->config.max_task_failures_per_host;
}

/* Whether a host that is not excluded could take the task, were it empty. */
static int someone_could(const struct exclude *policy, const struct shard_view *view, const struct shard__need *need,
                         int32_t task)
{
    for (int32_t host = 0; host < view->cluster->host_count; host++) {
        const struct shard__host *other = &view->cluster->hosts[host];
        if (other->state == SHARD_HOST_UP && shard__host_could_hold(other, need) && is_wanted(policy, view, task, host))
            return 1;
    }
    return 0;
}

static int32_t least_bad(const struct exclude *policy, const struct shard_view *view, const struct shard__need *need,
                         int32_t task)
{
    int32_t best = -1;
    int64_t best_failures = INT64_MAX;
    for (int32_t i = 0; i < view->cluster->open_count; i++) {
        int32_t host = view->cluster->open[i];
        if (!shard__view_admits(view, task, need, host))
            continue;
        /* Its own failures of this task count before all others. */
        int64_t own = shard__intmap_find(&policy->task_failures, key_of(view, task, host));
        int64_t failures =
            (own < 0 ? 0 : own) * 1000000 + (host < policy->host_count ? policy->hosts[host].failures : 0);
        if (failures < best_failures || (failures == best_failures && host < best)) {
            best = host;
            best_failures = failures;
        }
    }
    return best;
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct exclude *policy = self;
    if (is_excluded(policy, view, host))
        shard__load_heap_leave(&policy->heap, host);
    else
        shard__load_heap_update(&policy->heap, view, host);
}

static void unlink_host(struct exclude *policy, int32_t host)
{
    struct record *record = &policy->hosts[host];
    if (record->back_before == 0 && policy->first_back != host + 1)
        return; /* it was not excluded */
    *(record->back_before > 0 ? &policy->hosts[record->back_before - 1].back_after : &policy->first_back) =
        record->back_after;
    *(record->back_after > 0 ? &policy->hosts[record->back_after - 1].back_before : &policy->last_back) =
        record->back_before;
    record->back_before = record->back_after = 0;
}

/* For as long as every other, so it is the last to come back. */
static void leave_out(struct exclude *policy, const struct shard_view *view, int32_t host)
{
    struct record *record = &policy->hosts[host];
    unlink_host(policy, host);
    record->excluded_until_ns = view->now_ns + shard__seconds_to_ns(policy->config.exclude_seconds);
    record->back_before = policy->last_back;
    *(policy->last_back > 0 ? &policy->hosts[policy->last_back - 1].back_after : &policy->first_back) = host + 1;
    policy->last_back = host + 1;
    shard__load_heap_leave(&policy->heap, host);
}

static void take_back(struct exclude *policy, const struct shard_view *view)
{
    while (policy->first_back > 0 && !is_excluded(policy, view, policy->first_back - 1)) {
        int32_t host = policy->first_back - 1;
        unlink_host(policy, host);
        shard__load_heap_update(&policy->heap, view, host);
    }
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct exclude *policy = self;
    struct shard__need need = view->tasks->need(view->run, task);
    take_back(policy, view);
    int32_t host = shard__load_heap_best(&policy->heap, view, &need, is_wanted, policy, task);
    if (host >= 0) {
        shard__decide_start(ret_decision, host, SHARD_REASON_LEAST_LOADED, (double)policy->heap.load[host]);
        return 0;
    }
    if (!shard__someone_admits(view, task, &need)) {
        shard__decide_wait(ret_decision, SHARD_REASON_NO_CAPACITY, 0, 0); /* excluded or not: all are full */
    } else if (someone_could(policy, view, &need, task)) {
        shard__decide_wait(ret_decision, SHARD_REASON_EXCLUDED, 0, 0); /* what has room is excluded, the rest is full */
    } else {
        host = least_bad(policy, view, &need, task);
        shard__decide_start(ret_decision, host, SHARD_REASON_LEAST_BAD, shard__host_load(&view->cluster->hosts[host]));
    }
    return 0;
}

static int counts(enum shard_outcome outcome)
{
    return outcome == SHARD_OUTCOME_TASK_ERROR || outcome == SHARD_OUTCOME_OUT_OF_MEMORY ||
           outcome == SHARD_OUTCOME_OUT_OF_DISK || outcome == SHARD_OUTCOME_TIMEOUT ||
           outcome == SHARD_OUTCOME_LAUNCH_ERROR || outcome == SHARD_OUTCOME_STAGE_ERROR;
}

static int make_room(struct exclude *policy, int32_t host)
{
    int32_t before = policy->host_count;
    if (host < before)
        return 0;
    if (shard__grow(policy->heap.context, &policy->hosts, &policy->host_capacity, (size_t)host + 1,
                    sizeof(*policy->hosts)) < 0)
        return SHARD_ENOMEM;
    memset(policy->hosts + before, 0, (size_t)(host + 1 - before) * sizeof(*policy->hosts));
    policy->host_count = host + 1;
    return 0;
}

static int32_t bump(struct exclude *policy, struct shard__intmap *map, uint64_t key)
{
    int32_t before = shard__intmap_find(map, key);
    int32_t after = before < 0 ? 1 : before + 1;
    if (shard__intmap_set(policy->heap.context, map, key, after) < 0)
        shard__log(policy->heap.context, SHARD_LOG_WARNING, "policy-no-memory", "a failure is not counted: no memory");
    return after;
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct exclude *policy = self;
    (void)ret_decision; /* whether it is tried again is the retry budget's business */
    if (host < 0 || !counts(outcome) || make_room(policy, host) < 0)
        return 0;
    struct record *record = &policy->hosts[host];
    record->failures++;
    /* A task that fails again on the same host is one failed task. */
    if (bump(policy, &policy->task_failures, key_of(view, task, host)) > 1)
        return 0;
    bump(policy, &policy->kind_failures, key_of(view, kind_of(view, task), host));
    if (++record->failed_tasks >= policy->config.max_failed_tasks_per_host) {
        record->failed_tasks = 0;
        leave_out(policy, view, host);
        shard__log(policy->heap.context, SHARD_LOG_INFO, "host-excluded", "host '%s' is excluded for %.0f s",
                   view->cluster->hosts[host].name, policy->config.exclude_seconds);
    }
    return 0;
}

static void attach(void *self, const shard_view *view)
{
    struct exclude *policy = self;
    (void)view;
    policy->runs++;
}

/* What was counted by task and kind is of no use once no run is left. */
static void detach(void *self, const shard_view *view)
{
    struct exclude *policy = self;
    (void)view;
    if (--policy->runs == 0) {
        shard__intmap_free(policy->heap.context, &policy->task_failures);
        shard__intmap_free(policy->heap.context, &policy->kind_failures);
    }
}

static void destroy(void *self)
{
    struct exclude *policy = self;
    const shard_context *context = policy->heap.context;
    shard__load_heap_free(&policy->heap);
    shard__intmap_free(context, &policy->task_failures);
    shard__intmap_free(context, &policy->kind_failures);
    shard__release(context, policy->hosts, policy->host_capacity * sizeof(*policy->hosts));
    shard__release(context, policy, sizeof(*policy));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "exclude_after_failures",
                                         .attach = attach,
                                         .detach = detach,
                                         .place = place,
                                         .after_failure = after_failure,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

static int32_t or_default(int32_t value, int32_t default_value)
{
    return value == 0 ? default_value : value;
}

int shard_policy_exclude_after_failures(shard_context *context, const struct shard_exclude_config *given,
                                        struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct shard_exclude_config config = {.struct_size = sizeof(config)};
    int status = given == NULL ? 0 : shard__take_struct(&config, sizeof(config), given, "exclude config");
    if (status < 0)
        return status;
    if (config.max_task_failures_per_host < 0 || config.max_failed_tasks_per_host_kind < 0 ||
        config.max_failed_tasks_per_host < 0 || !(config.exclude_seconds >= 0))
        return shard__fail(SHARD_EINVAL, "exclude config: a bound is negative, expected 0 (the default) or more");
    config.max_task_failures_per_host = or_default(config.max_task_failures_per_host, 1);
    config.max_failed_tasks_per_host_kind = or_default(config.max_failed_tasks_per_host_kind, 2);
    config.max_failed_tasks_per_host = or_default(config.max_failed_tasks_per_host, 2);
    if (config.exclude_seconds == 0)
        config.exclude_seconds = 3600;
    struct exclude *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->heap.context = context;
    policy->config = config;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
