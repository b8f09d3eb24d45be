/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_HEALTH_H
#define SHARD_POLICY_HEALTH_H

/*
 * The health of hosts: healthy -> suspect (fewer tasks at once) -> quarantined (none, for a time that doubles each
 * time) -> probation (one cheap task, a canary, at a time) -> healthy. What moves a host is its decayed failure rate,
 * of failures that were blamed on it; what a task or a kind did is none of its business. At most a set share of the
 * hosts is quarantined at once: beyond that a host stays suspect, with one task at a time.
 */

#include "rate.h"

#include "base/map.h"

enum shard__health_state {
    SHARD__HEALTHY = 0,
    SHARD__SUSPECT = 1,
    SHARD__QUARANTINED = 2,
    SHARD__PROBATION = 3,
};

/* Zero is the default of each field. */
struct shard__health_config {
    double suspect_rate;       /* failure rate from which a host is suspect; 0: 0.15 */
    double quarantine_rate;    /* and quarantined; 0: 0.35 */
    double least_failures;     /* decayed failures before anything is done; 0: 1.4 */
    double quarantine_seconds; /* the first; doubles; 0: 60 */
    double longest_seconds;    /* 0: 1,800 */
    double most_quarantined;   /* share of the hosts, 0..1; 0: 0.5 */
    int32_t canaries;          /* tasks in a row that end well before a host is healthy again; 0: 2 */
};

struct shard__health_host {
    uint8_t state;
    uint8_t times;    /* quarantined so often lately */
    uint8_t canaries; /* that ended well */
    int64_t until_ns; /* of the quarantine */
};

struct shard__health {
    shard_context *context;
    struct shard__health_config config;
    struct shard__health_host *hosts;
    size_t capacity;
    int32_t count;
    int32_t quarantined;
};

/* Puts defaults in, and brings what is out of range or not a number into it. */
void shard__health_init(struct shard__health *health, shard_context *context,
                        const struct shard__health_config *config);
/*
 * An attempt on a host has ended. `rate`: of the host now. `failed`: the host's share of the failure; 0 when it ended
 * well. `hosts`: how many there are. Returns the state.
 */
enum shard__health_state shard__health_ended(struct shard__health *health, int32_t host, int32_t hosts,
                                             const struct shard__rate *rate, double failed, int64_t now_ns);
/* The state now: a quarantine whose time is over has become probation. */
enum shard__health_state shard__health_of(struct shard__health *health, int32_t host, int64_t now_ns);
/* How many attempts may run at once on a host of so many slots: 0 in quarantine, 1 on probation. */
int32_t shard__health_slots(struct shard__health *health, int32_t host, int32_t slots, const struct shard__rate *rate,
                            int64_t now_ns);
void shard__health_free(struct shard__health *health);

#endif
