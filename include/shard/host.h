/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_HOST_H
#define SHARD_HOST_H

/*
 * Hosts and volumes as an engine takes them, and the samples that hosts report.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/version.h>

SHARD_BEGIN

typedef int32_t shard_host_id;   /* index of a host in its engine, in the order of adding; -1: none */
typedef int32_t shard_volume_id; /* index of a volume in its engine; -1: none */

/** Whether a host may get tasks. A host that left or was lost may come back under the same name. */
enum shard_host_state {
    SHARD_HOST_UP = 0,
    SHARD_HOST_DRAINING = 1,    /* what runs there may end, nothing new starts */
    SHARD_HOST_QUARANTINED = 2, /* as draining, but the engine's own doing, for a time */
    SHARD_HOST_LEFT = 3,        /* went away in good order */
    SHARD_HOST_LOST = 4         /* vanished: what ran there is over, what lay on its own volumes is gone */
};

/**
 * Names a host state: "up", "draining", "quarantined", "left", "lost".
 *
 * Returns a static string, "unknown" for another value.
 */
SHARD_API const char *shard_host_state_text(int state);

/** A host as it joins. Zero is the default of each field. */
struct shard_host_spec {
    size_t struct_size;
    const char *name;               /* needed; copied; unique in the engine */
    const char *labels;             /* "key=value,key=value" or NULL; copied */
    const char *boot_id;            /* changes when the host loses its memory; "" when not known; copied */
    int64_t cpu_millicores;         /* needed, above 0 */
    int64_t memory_bytes;           /* 0: not known, not checked */
    int64_t disk_bytes;             /* 0: not known, not checked */
    int32_t slots;                  /* tasks at a time; 0: one per 1,000 millicores, at least one */
    double speed;                   /* expected seconds are divided by it; 0: 1.0 */
    const shard_volume_id *volumes; /* that it mounts; outputs go to the first. None: the engine's common volume 0 */
    int32_t volume_count;
};

/** A volume: a host's own disk, or storage that several hosts mount. */
struct shard_volume_spec {
    size_t struct_size;
    const char *name;        /* needed; copied; unique in the engine */
    int32_t survives;        /* non-zero: its data outlives every host (shared storage) */
    double bytes_per_second; /* for the cost of staging to it, until that is learned; 0: not known */
    double latency_seconds;
};

/** One utilisation report of a host. Shares are 0..1 of the host's capacity; NaN: not known. */
struct shard_sample {
    size_t struct_size;
    int64_t time_ns; /* wall clock of the measurement */
    double cpu_share;
    double memory_share;
    double disk_share; /* of the space */
    double io_bytes_per_second;
    double network_bytes_per_second;
    double cpu_pressure; /* PSI "some", 0..1 */
    double memory_pressure;
    double io_pressure;
    double load; /* runnable threads, 1 minute */
    double temperature_celsius;
};

SHARD_END

#endif
