/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_BLAME_H
#define SHARD_POLICY_BLAME_H

/*
 * Whose failure it was. Each task, kind, host and piece of data is taken to fail attempts by itself, independently of
 * the others (noisy-or: p = 1 - (1 - p_task)(1 - p_kind)(1 - p_host)(1 - p_data)). A failure is shared out among the
 * four in proportion to how likely each was to cause it, by what is known of them so far; that is one step of the
 * expectation-maximisation of that model. What a failed task does later is evidence about its earlier failures, so that
 * those are shared out anew: a task that fails wherever it runs takes the blame off the hosts, one that is done
 * elsewhere puts it on them.
 *
 * Also the library's own forecast when there is no model. Nothing here knows of runs: tasks and data are keys.
 */

#include "rate.h"

#include "base/map.h"

enum { SHARD__BLAME_CASES = 6, SHARD__BLAME_DATA = 3 };

/* A failure that is not settled: where, and what share the host has. */
struct shard__blame_case {
    int32_t host;
    int32_t kind;
    float of_host, of_kind, of_task, of_data; /* add up to 1; 0 of what is not in it */
    float host_factor;                        /* what the outcome says: more or less the host's */
};

/* A task that has failed. */
struct shard__blame_task {
    uint64_t key;
    uint64_t data[SHARD__BLAME_DATA];
    int32_t data_count;
    int32_t attempts; /* since it was first seen failing */
    int32_t failures;
    int32_t hosts; /* different ones that it failed on */
    int32_t case_count;
    struct shard__blame_case cases[SHARD__BLAME_CASES]; /* the last */
};

struct shard__blame {
    shard_context *context;
    double half_life_seconds;
    struct shard__rate *kinds;
    size_t kind_capacity;
    int32_t kind_count;
    struct shard__rate *hosts;
    size_t host_capacity;
    int32_t host_count;
    struct shard__rate *data; /* pieces that a failed task reads */
    size_t data_capacity;
    int32_t data_count;
    struct shard__blame_task *tasks;
    size_t task_capacity;
    int32_t task_count;
    struct shard__intmap data_of, task_of,
        pairs; /* pairs: failures of a kind on a host since its last success there, at most 255 */
};

/* What an attempt was about. */
struct shard__blame_about {
    uint64_t task;
    int32_t kind, host;
    const uint64_t *data; /* keys of inputs that other tasks read too */
    int32_t data_count;
    int64_t now_ns;
};

/* Shares of a failure, adding up to 1. */
struct shard__blame_shares {
    double task, kind, host, data;
    int32_t hosts; /* different ones that the task has failed on */
    double p_task; /* how likely it fails by its own doing */
};

/*
 * Takes a failure in, and says whose it is. `host_factor`: what the outcome says besides, 1: nothing, 4: four times as
 * likely to be the host's (a launch that failed). Without memory the shares are the best guess, and are not kept.
 */
void shard__blame_failed(struct shard__blame *blame, const struct shard__blame_about *about, double host_factor,
                         struct shard__blame_shares *ret_shares);
void shard__blame_done(struct shard__blame *blame, const struct shard__blame_about *about);

/* Failures and attempts that count against a host, decayed. */
struct shard__rate shard__blame_host(const struct shard__blame *blame, int32_t host, int64_t now_ns);
/* Whether a task has failed on a host, among its last failures; on how many hosts it has failed. */
int shard__blame_failed_on(const struct shard__blame *blame, uint64_t task, int32_t host);
/* The forecast: probability that an attempt fails, and the attempts' worth of evidence behind it. */
double shard__blame_p_fail(const struct shard__blame *blame, const struct shard__blame_about *about,
                           double *ret_evidence);
/* Drops what is known by keys: no run is left. */
void shard__blame_forget_runs(struct shard__blame *blame);
void shard__blame_free(struct shard__blame *blame);

#endif
