/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_MONITOR_H
#define SHARDRUN_MONITOR_H

/*
 * Measures the machine and each host's cgroup, and reports the samples to the engine. What a host's cgroup knows (CPU,
 * memory) is the host's own; the rest (disk, network, pressure, load) is the machine's, which all hosts share.
 */

#include <uv.h>

#include <shard/engine.h>

#include "hosts.h"
#include "launch/launch.h"

/* Counters of the machine at one time; shares come from two of them. */
struct machine_counters {
    double cpu_busy, cpu_total;      /* clock ticks */
    double io_bytes, network_bytes;  /* since boot */
    double memory_share, disk_share; /* 0..1 */
    double cpu_pressure, memory_pressure, io_pressure;
    double load, temperature_celsius;
};

struct monitor {
    uv_timer_t timer;
    shard_engine *engine;
    const struct launch_env *env;
    const struct host_list *hosts;
    char *disk; /* path on the disk that is watched */
    struct machine_counters before;
    int64_t before_ns;
    uint64_t *host_cpu_ns; /* of each host, when it was last looked at */
};

/* `root` is "" but in tests: the files below it are read instead of the machine's. */
void machine_counters_read(const char *root, const char *disk, struct machine_counters *ret_counters);

void monitor_start(struct monitor *monitor, uv_loop_t *loop, shard_engine *engine, const struct launch_env *env,
                   const struct host_list *hosts, const char *disk, int interval_ms);
void monitor_stop(struct monitor *monitor); /* the loop must run once more; then monitor_clear */
void monitor_clear(struct monitor *monitor);

#endif
