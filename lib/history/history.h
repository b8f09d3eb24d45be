/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_HISTORY_HISTORY_H
#define SHARD_HISTORY_HISTORY_H

/*
 * What an engine remembers: windows over the samples of hosts, and how attempts ended, by everything, kind, host and
 * kind on host. Time is told; nothing here does I/O or reads a clock.
 *
 * Counts decay forwards (Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009): what happens later weighs more, and
 * nothing that lies there is touched. A rate is the quotient of two sums, where the weights go out.
 */

#include <shard/history.h>

#include "base/map.h"
#include "cluster/cluster.h"
#include "history/window.h"

enum shard__feature {
#define FEATURE(id, name, group, role) SHARD__F_##id,
#include "history/features.def"
#undef FEATURE
    SHARD__F_COUNT
};

enum {
    SHARD__F_HOST_BEGIN = SHARD__F_HOST_KEY,
    SHARD__F_PAIR_BEGIN = SHARD__F_PAIR_FAILURE_RATE,
    SHARD__TASK_FEATURES = SHARD__F_HOST_BEGIN,
    SHARD__HOST_FEATURES = SHARD__F_PAIR_BEGIN - SHARD__F_HOST_BEGIN,
    SHARD__PAIR_FEATURES = SHARD__F_COUNT - SHARD__F_PAIR_BEGIN,
    SHARD__SERIES = 8,    /* quantities of a host that have windows: the first of enum shard_measure */
    SHARD__PRESSURES = 3, /* the last of them */
    SHARD__FIRST_PRESSURE = SHARD__SERIES - SHARD__PRESSURES
};

/* How attempts ended, in decayed weights. */
struct shard__tally {
    double attempts, failures;
    double expected;         /* failures that the kinds alone let expect */
    double timed, log_ratio; /* attempts that were done, and the logarithms of their seconds over what was expected */
    int64_t failed_ns, done_ns; /* the last of each; INT64_MIN: never */
};

struct shard__kind {
    char *name;
    uint32_t key;
    struct shard__tally tally; /* the ratio is to the workflow's expected seconds */
    double memory_failures;
    double w, wx, wy, wxx, wxy; /* of log seconds (y) over log(1 + input bytes) (x), of those that were done */
};

struct shard__host_history {
    struct shard__tally tally; /* the ratio is to the kind's seconds */
    double recent_attempts, recent_failures;
    int64_t joined_ns;
    uint32_t key;
    struct shard__series *series; /* SHARD__SERIES of them; NULL: no sample yet */
};

struct shard__history {
    shard_context *context;
    int64_t origin_ns, recent_origin_ns; /* of the weights */
    int64_t weight_ns;                   /* when the two below are for */
    double weight, recent_weight;
    struct shard__tally all;
    struct shard__kind *kinds;
    size_t kind_capacity;
    int32_t kind_count;
    struct shard__namemap kind_names;
    struct shard__host_history *hosts; /* by host of the cluster */
    size_t host_capacity;
    int32_t host_count;
    struct shard__tally *pairs;
    size_t pair_capacity;
    int32_t pair_count;
    struct shard__intmap pair_of; /* by kind and host */
    struct {
        double mean, samples; /* of all hosts, the last thousand or so */
    } peers[SHARD__PRESSURES];
};

/* What of a task the columns are made of. */
struct shard__task_facts {
    int32_t kind; /* of the history */
    double expected_seconds;
    double input_bytes; /* NaN: not known */
    int64_t cpu_millicores, memory_bytes, disk_bytes;
    int64_t units;
    int32_t fan_in, fan_out;
    int32_t attempt; /* the next: 1, 2, ... */
    int32_t failures;
    int32_t last_host;
    int last_failed;
    double timeout_seconds;
};

void shard__history_init(struct shard__history *history, shard_context *context);
void shard__history_free(struct shard__history *history);

/* The id of a kind's name, made if it is new, or SHARD_ENOMEM. */
int32_t shard__history_kind(struct shard__history *history, const char *name);
/* Room for so many hosts, those that are new having joined now. 0 or SHARD_ENOMEM. */
int shard__history_reserve_hosts(struct shard__history *history, const struct shard__cluster *cluster, int64_t now_ns);
/* Takes a sample of a host that there is room for. Without memory it is left out. */
void shard__history_sample(struct shard__history *history, int32_t host, const struct shard_sample *sample);

/* How an attempt ended. */
struct shard__ending {
    int32_t kind, host;
    enum shard_outcome outcome;
    double seconds;
    double expected_seconds; /* NaN: not known */
    double input_bytes;
    int64_t time_ns;
    double speed; /* of the host, as it says; 0: 1 */
};
/* Without memory for a pair, the rest is kept. */
void shard__history_ended(struct shard__history *history, const struct shard__ending *ending);

/* The columns of a group, as many as the group has; those that samples of a host tell, as of `wall_ns`, apart. */
void shard__features_task(struct shard__history *history, const struct shard__task_facts *task, int64_t now_ns,
                          float *ret_values);
void shard__features_host(struct shard__history *history, const struct shard__cluster *cluster, int32_t host,
                          int64_t now_ns, float *ret_values);
void shard__features_samples(const struct shard__history *history, const struct shard__cluster *cluster, int32_t host,
                             int64_t wall_ns, float *ret_values);
void shard__features_pair(struct shard__history *history, const struct shard__cluster *cluster,
                          const struct shard__task_facts *task, int32_t host, double stage_bytes, double stage_seconds,
                          int64_t now_ns, float *ret_values);

/* A key of a name: 1 to 2^24 - 1, which a float holds. */
uint32_t shard__name_key(const char *name);

#endif
