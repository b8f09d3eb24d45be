/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule that everything began with: a task that is likely to fail where it is to run goes to the best of the hosts
 * where it is less likely to, before it has started. The policy `adaptive` weighs more; this is the plain rule.
 */

#include "run.h"

#include "base/context.h"
#include "base/error.h"

/* A host by what the rule looks at, one after the other; less is better. */
struct candidate {
    double failure_rate; /* in whole hundredths: less than that is no difference */
    double in_use;       /* with the task, of what the host has least of; in whole tenths */
    double staging_seconds;
};

/* Where a task is to run that has not started; -1: nowhere yet. SHARD_ESTATE in other states. */
static int find_assigned(const struct shard__run *run, int32_t task, int32_t *ret_host)
{
    const struct shard__task *hot = &run->tasks[task];
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (hot->state != SHARD_TASK_READY && hot->state != SHARD_TASK_STAGING)
        return shard__fail_task(SHARD_ESTATE, task, "the task is %s, only one that is ready or staging can be adjusted",
                                shard_task_state_text(hot->state));
    *ret_host = hot->host;
    if (hot->state == SHARD_TASK_READY && extra != NULL && extra->wanted_host >= 0)
        *ret_host = extra->wanted_host;
    return 0;
}

static double share(int64_t used, int64_t capacity)
{
    return capacity > 0 ? (double)used / (double)capacity : 0;
}

static double in_use(const struct shard__host *host, const struct shard__need *need)
{
    double most = share(host->running + 1, host->slots);
    most = fmax(most, share(host->used.cpu_millicores + need->cpu_millicores, host->capacity.cpu_millicores));
    most = fmax(most, share(host->used.memory_bytes + need->memory_bytes, host->capacity.memory_bytes));
    return fmax(most, share(host->used.disk_bytes + need->disk_bytes, host->capacity.disk_bytes));
}

/* The hosts that would take the task now, with its inputs; `ret_hosts` has room for all. */
static int32_t find_candidates(const struct shard__run *run, int32_t task, int32_t assigned, int32_t *ret_hosts)
{
    struct shard__need need = shard__run_need(run, task);
    int32_t count = 0;
    for (int32_t i = 0; i < run->cluster->open_count; i++) {
        int32_t host = run->cluster->open[i];
        enum shard__gate gate = shard__data_gate(run, task, host);
        if (host != assigned && host != shard__run_replica_host(run, task) &&
            shard__host_admits(&run->cluster->hosts[host], &need) && gate != SHARD__GATE_LOST &&
            (gate == SHARD__GATE_OPEN || run->can_stage))
            ret_hosts[count++] = host;
    }
    return count;
}

static int is_better(const struct candidate *one, const struct candidate *other)
{
    if (one->failure_rate != other->failure_rate)
        return one->failure_rate < other->failure_rate;
    if (one->in_use != other->in_use)
        return one->in_use < other->in_use;
    /* What is not known counts as long. */
    return one->staging_seconds < (isnan(other->staging_seconds) ? INFINITY : other->staging_seconds);
}

/* The best of the hosts behind the first, which is the assigned one; -1: none is less likely to fail. */
static int32_t choose(const struct shard__run *run, int32_t task, const int32_t *hosts, int32_t count,
                      const double *p_fail)
{
    struct shard__need need = shard__run_need(run, task);
    struct candidate best = {0};
    int32_t chosen = -1;
    for (int32_t i = 1; i < count; i++) {
        if (!(p_fail[i] < p_fail[0]))
            continue;
        struct candidate candidate = {.failure_rate = round(p_fail[i] * 100),
                                      .in_use = round(in_use(&run->cluster->hosts[hosts[i]], &need) * 10),
                                      .staging_seconds = shard__data_staging_seconds(run, task, hosts[i])};
        if (chosen >= 0 && !is_better(&candidate, &best))
            continue;
        best = candidate;
        chosen = i;
    }
    return chosen;
}

static int move(struct shard__run *run, int32_t task, int32_t host, double p_fail, double p_before, double threshold)
{
    struct shard__extra *extra = shard__run_make_extra(run, task);
    if (extra == NULL)
        return SHARD_ENOMEM;
    extra->wanted_host = host;
    extra->wanted_reason = SHARD_REASON_FORECAST_BETTER;
    extra->wanted_value = (float)p_before;
    extra->wanted_limit = (float)threshold;
    extra->wanted_p_fail = (float)p_fail;
    if (run->tasks[task].slot >= 0)
        shard__run_unplace(run, run->tasks[task].slot, SHARD_REASON_FORECAST_BETTER);
    run->seen_changes = -1; /* one that waits is looked at */
    return 1;
}

static void warn(struct shard__run *run, int32_t task, int32_t host, double p_fail, double threshold)
{
    char name[128];
    shard__run_task_name(run, task, name, sizeof(name));
    shard__effects_warn(run->effects, run->number, task, SHARD_EHOST,
                        "task '%s' fails on host '%s' with probability %.3f, above %.2f, and no other host is better",
                        name, run->cluster->hosts[host].name, p_fail, threshold);
}

int shard__run_adjust(struct shard__run *run, int32_t task, double threshold)
{
    int32_t assigned = -1, count = run->cluster->open_count + 1;
    int status = find_assigned(run, task, &assigned);
    if (status < 0 || assigned < 0)
        return status;
    size_t host_bytes = (size_t)count * sizeof(int32_t), number_bytes = (size_t)count * sizeof(double);
    int32_t *hosts = shard__realloc(run->context, NULL, 0, host_bytes);
    double *p_fail = shard__realloc(run->context, NULL, 0, number_bytes);
    status = SHARD_ENOMEM;
    if (hosts != NULL && p_fail != NULL) {
        hosts[0] = assigned;
        int32_t asked = 1 + find_candidates(run, task, assigned, hosts + 1);
        status = shard_view_forecast(&run->view, task, hosts, asked, &(struct shard_forecasts){.p_fail = p_fail});
        int32_t chosen = status == 0 && p_fail[0] > threshold ? choose(run, task, hosts, asked, p_fail) : -1;
        if (chosen >= 0)
            status = move(run, task, hosts[chosen], p_fail[chosen], p_fail[0], threshold);
        else if (status == 0 && p_fail[0] > threshold)
            warn(run, task, assigned, p_fail[0], threshold);
    }
    shard__release(run->context, p_fail, number_bytes);
    shard__release(run->context, hosts, host_bytes);
    return status;
}
