/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports samples of the hosts to the engine.
 */
#include "monitor.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "need.h"

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double share(double part, double whole)
{
    double value = part / whole;
    if (isnan(value) || whole <= 0)
        return NAN;
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static double rate(double now, double before, double seconds)
{
    return now >= before && seconds > 0 ? (now - before) / seconds : NAN;
}

/* What the host's own cgroup says, where there is one. */
static void sample_cgroup(struct monitor *monitor, int index, double seconds, struct shard_sample *sample)
{
    const struct host_plan *plan = &monitor->hosts->items[index];
    struct launch_usage usage;
    if (launch_host_usage(monitor->env, plan->name, &usage) < 0)
        return;
    uint64_t before = monitor->host_cpu_ns[index];
    monitor->host_cpu_ns[index] = usage.cpu_ns;
    sample->cpu_share = usage.cpu_ns >= before
                            ? share((double)(usage.cpu_ns - before) / 1e9, seconds * (double)plan->cpu_limit / 1000)
                            : NAN;
    if (plan->memory_limit_bytes > 0)
        sample->memory_share = share((double)usage.memory_bytes, (double)plan->memory_limit_bytes);
}

static void sample_host(struct monitor *monitor, int index, const struct machine_counters *now, double seconds)
{
    struct shard_sample sample = {
        .struct_size = sizeof sample,
        .time_ns = clock_ns(CLOCK_REALTIME),
        .cpu_share = share(now->cpu_busy - monitor->before.cpu_busy, now->cpu_total - monitor->before.cpu_total),
        .memory_share = share(now->memory_share, 1),
        .disk_share = share(now->disk_share, 1),
        .io_bytes_per_second = rate(now->io_bytes, monitor->before.io_bytes, seconds),
        .network_bytes_per_second = rate(now->network_bytes, monitor->before.network_bytes, seconds),
        .cpu_pressure = now->cpu_pressure,
        .memory_pressure = now->memory_pressure,
        .io_pressure = now->io_pressure,
        .load = now->load,
        .temperature_celsius = now->temperature_celsius,
    };
    sample_cgroup(monitor, index, seconds, &sample);
    shard_host_id host = shard_engine_find_host(monitor->engine, monitor->hosts->items[index].name);
    if (host >= 0)
        (void)shard_engine_host_sample(monitor->engine, host, &sample); /* a clock that jumps: the library logs it */
}

static void on_timer(uv_timer_t *timer)
{
    struct monitor *monitor = timer->data;
    struct machine_counters now;
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    machine_counters_read("", monitor->disk, &now);
    for (int i = 0; i < monitor->hosts->count; i++)
        sample_host(monitor, i, &now, (double)(now_ns - monitor->before_ns) / 1e9);
    monitor->before = now;
    monitor->before_ns = now_ns;
    shard_engine_wake(monitor->engine);
}

void monitor_start(struct monitor *monitor, uv_loop_t *loop, shard_engine *engine, const struct launch_env *env,
                   const struct host_list *hosts, const char *disk, int interval_ms)
{
    *monitor = (struct monitor){.engine = engine, .env = env, .hosts = hosts, .disk = need_copy(disk)};
    monitor->host_cpu_ns = need_zeroed((size_t)hosts->count, sizeof *monitor->host_cpu_ns);
    monitor->before_ns = clock_ns(CLOCK_MONOTONIC);
    machine_counters_read("", disk, &monitor->before);
    for (int i = 0; i < hosts->count; i++) {
        struct launch_usage usage;
        if (launch_host_usage(env, hosts->items[i].name, &usage) == 0)
            monitor->host_cpu_ns[i] = usage.cpu_ns;
    }
    uv_timer_init(loop, &monitor->timer);
    monitor->timer.data = monitor;
    uv_timer_start(&monitor->timer, on_timer, (uint64_t)interval_ms, (uint64_t)interval_ms);
}

void monitor_stop(struct monitor *monitor)
{
    uv_close((uv_handle_t *)&monitor->timer, NULL);
}

void monitor_clear(struct monitor *monitor)
{
    free(monitor->disk);
    free(monitor->host_cpu_ns);
    *monitor = (struct monitor){0};
}
