/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SIM_SCENARIO_H
#define SHARD_SIM_SCENARIO_H

/* A scenario as it was read: numbers, checked, with their defaults filled in. */

#include <shard/sim.h>

#include "base/alloc.h"

enum shard__sickness_kind {
    SHARD__SICK_FAILING,
    SHARD__SICK_SLOW,
    SHARD__SICK_MEMORY,
    SHARD__SICK_DISK,
    SHARD__SICK_FLAPPING
};

enum shard__volumes { SHARD__VOLUMES_SHARED, SHARD__VOLUMES_RACK, SHARD__VOLUMES_OWN };

/* What may befall a host. */
struct shard__sickness {
    int64_t kind;
    double share;                      /* of the hosts that have it, at times or always */
    double p_fail;                     /* of an attempt of mean size of a kind that is neither robust nor frail */
    double by_size;                    /* 0: each attempt is as likely to fail; 1: in proportion to its size */
    double fail_from, fail_to;         /* when an attempt fails, as a share of its work */
    double speed;                      /* the host's is multiplied by it */
    double sick_seconds, well_seconds; /* mean lengths of episodes; well 0: always sick */
};

enum { SHARD__MOST_SICKNESSES = 32 };

struct shard_scenario {
    const shard_context *context;
    char *name;
    int64_t host_count;
    int64_t slots;
    int64_t memory_bytes;
    double speed_min, speed_max;
    int64_t rack_hosts;
    int64_t volumes; /* enum shard__volumes */
    double bytes_per_second, latency_seconds;

    double noise;
    double p_fail;           /* of an attempt of mean size anywhere */
    double overhead_seconds; /* of each attempt, as a part of its work */
    double launch_seconds;   /* of each container */
    int64_t memory_median_bytes;
    double memory_spread;
    double request, request_spread;
    double kind_spread;
    double divisible;
    double unit_seconds;

    struct shard__sickness sicknesses[SHARD__MOST_SICKNESSES];
    int32_t sickness_count;

    double preempt_seconds, away_seconds;  /* mean time between those of a host; 0: never */
    double outage_seconds, down_seconds;   /* of a rack */
    double load_mean, load_change_seconds; /* what others take of a host */

    double sample_seconds, sample_noise, sample_signal;
    double decoys;          /* share of healthy hosts that look a little sick */
    double watched_seconds; /* that hosts have reported for when the workflow comes */
};

#endif
