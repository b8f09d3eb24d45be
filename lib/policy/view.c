/* SPDX-License-Identifier: Apache-2.0 */
/* The public accessors of a view. */

#include "view.h"

#include <math.h>

#include "base/error.h"
#include "needs.h"
#include "predict/predictor.h"

int64_t shard_view_now_ns(const shard_view *view)
{
    return view->now_ns;
}

uint64_t shard_view_random(const shard_view *view)
{
    return shard__random_next(view->random);
}

int32_t shard_view_host_count(const shard_view *view)
{
    return view->cluster->host_count;
}

int32_t shard_view_task_count(const shard_view *view)
{
    return view->tasks->count(view->run);
}

static int check_host(const shard_view *view, shard_host_id host)
{
    if (host < 0 || host >= view->cluster->host_count)
        return shard__fail(SHARD_ENOENT, "there is no host %d", host);
    return 0;
}

static int check_task(const shard_view *view, shard_task_id task)
{
    if (task < 0 || task >= view->tasks->count(view->run))
        return shard__fail(SHARD_ENOENT, "there is no task %d", task);
    return 0;
}

double shard__view_input_bytes(const struct shard_view *view, int32_t task)
{
    const struct shard_workflow *workflow = view->workflow;
    int32_t count = shard__csr_count(&workflow->inputs, task);
    const int32_t *inputs = shard__csr_row(&workflow->inputs, task);
    double bytes = 0;
    for (int32_t i = 0; i < count; i++)
        bytes += workflow->data_bytes[inputs[i]] < 0 ? 0 : (double)workflow->data_bytes[inputs[i]];
    return bytes > 0 || count == 0 ? bytes : NAN;
}

int shard__view_ran_out(const struct shard_view *view, int32_t task, enum shard_outcome outcome)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    if (outcome != SHARD_OUTCOME_OUT_OF_MEMORY && outcome != SHARD_OUTCOME_OUT_OF_DISK)
        return -1;
    view->tasks->describe(view->run, task, &about);
    int is_memory = outcome == SHARD_OUTCOME_OUT_OF_MEMORY;
    return shard__need_was_full(is_memory ? about.memory_bytes : about.disk_bytes,
                                is_memory ? about.max_memory_bytes : about.max_disk_bytes);
}

void shard__host_describe(const struct shard__host *host, struct shard_host_view *ret_host)
{
    const struct shard__need *capacity = &host->capacity;
    *ret_host = (struct shard_host_view){
        .struct_size = sizeof(*ret_host),
        .name = host->name,
        .state = host->state,
        .slots = host->slots,
        .running = host->running,
        .cpu_millicores = capacity->cpu_millicores,
        .cpu_free_millicores = capacity->cpu_millicores - host->used.cpu_millicores,
        .memory_bytes = capacity->memory_bytes,
        .memory_free_bytes = capacity->memory_bytes == 0 ? INT64_MAX : capacity->memory_bytes - host->used.memory_bytes,
        .disk_bytes = capacity->disk_bytes,
        .disk_free_bytes = capacity->disk_bytes == 0 ? INT64_MAX : capacity->disk_bytes - host->used.disk_bytes,
        .speed = host->speed,
        .has_sample = host->has_sample,
        .sample = host->sample,
        .done = host->done,
        .failures = host->failures,
    };
}

int shard_view_host(const shard_view *view, shard_host_id host, struct shard_host_view *ret_host)
{
    shard__clear_error();
    int status = check_host(view, host);
    if (status < 0)
        return status;
    struct shard_host_view ours;
    shard__host_describe(&view->cluster->hosts[host], &ours);
    return shard__give_struct(ret_host, &ours, sizeof(ours), "host view");
}

int shard_view_task(const shard_view *view, shard_task_id task, struct shard_task_view *ret_task)
{
    shard__clear_error();
    int status = check_task(view, task);
    if (status < 0)
        return status;
    struct shard_task_view ours = {.struct_size = sizeof(ours)};
    view->tasks->describe(view->run, task, &ours);
    return shard__give_struct(ret_task, &ours, sizeof(ours), "task view");
}

int32_t shard_view_open_hosts(const shard_view *view, const shard_host_id **ret_hosts)
{
    *ret_hosts = view->cluster->open;
    return view->cluster->open_count;
}

int shard_view_admits(const shard_view *view, shard_task_id task, shard_host_id host)
{
    shard__clear_error();
    int status = check_host(view, host);
    if (status == 0)
        status = check_task(view, task);
    if (status < 0)
        return status;
    struct shard__need need = view->tasks->need(view->run, task);
    return shard__view_admits(view, task, &need, host);
}

int shard_view_quarantine(const shard_view *view, shard_host_id host, double seconds)
{
    shard__clear_error();
    int status = check_host(view, host);
    if (status == 0)
        status = shard__cluster_check_quarantine(view->wishes, host, seconds);
    if (status < 0)
        return status;
    struct shard__host *wished = &view->wishes->hosts[host];
    view->wishes->wish_count += !wished->has_wish;
    wished->has_wish = 1;
    wished->quarantined_until_ns = shard__quarantine_end_ns(view->now_ns, seconds);
    return 0;
}

void shard__view_leaves_out(const struct shard_view *view, int32_t id, float failures, float attempts)
{
    struct shard__host *host = &view->wishes->hosts[id];
    view->wishes->left_out_count += host->attempts_told == 0;
    host->failures_told = failures;
    host->attempts_told = attempts;
}

double shard_view_staging_seconds(const shard_view *view, shard_task_id task, shard_host_id host)
{
    if (check_host(view, host) < 0 || check_task(view, task) < 0)
        return NAN;
    return view->tasks->staging_seconds(view->run, task, host);
}

int shard_view_forecast(const shard_view *view, shard_task_id task, const shard_host_id *hosts, int32_t count,
                        const struct shard_forecasts *ret)
{
    shard__clear_error();
    int status = check_task(view, task);
    if (status == 0 && count < 0)
        status = shard__fail(SHARD_EINVAL, "forecasts for %d hosts", count);
    for (int32_t i = 0; status == 0 && i < count; i++)
        status = check_host(view, hosts[i]);
    if (status < 0)
        return status;
    if (view->forecaster != NULL)
        return view->forecaster->forecast(view->forecaster, view, task, hosts, count, ret);
    shard__forecasts_forget(ret, count);
    return 0;
}
