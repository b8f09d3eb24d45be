/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_HISTORY_H
#define SHARD_HISTORY_H

/*
 * What an engine remembers of hosts and attempts, as columns for predictors. For authors of predictors and for programs
 * that train one; the columns are what rows of predictor.h hold when an engine asks.
 *
 * Every column is a rate, a ratio, a size or a time since, NaN where it is not known. Rates decay: an attempt counts
 * half after 6 hours (recent: after 10 minutes), and evidence says how many attempts that leaves. An attempt that was
 * cancelled, moved or preempted counts as neither. Keys are hashes of names, to count by.
 *
 * Columns of the task:
 *
 *     task_kind (key)           the kind
 *     task_expected_seconds     as the workflow says
 *     task_input_bytes          of all inputs whose size is known
 *     task_cores                asked for
 *     task_memory_bytes         asked for now, after escalations
 *     task_disk_bytes           asked for
 *     task_units                that it holds
 *     task_fan_in               predecessors
 *     task_fan_out              successors
 *     task_attempt              1 for the first
 *     task_failures             attempts of it that failed, in this run
 *     task_timeout_share        expected seconds / timeout
 *     all_failure_rate          of all attempts, with all_evidence
 *     kind_failure_rate         of its kind, with kind_evidence
 *     kind_memory_failure_rate  out of memory alone
 *     kind_seconds              what its kind takes for inputs of this size, on a host of speed 1 (geometric)
 *     kind_seconds_ratio        seconds x speed / expected seconds of its kind (geometric mean)
 *     kind_seconds_since_failure
 *
 * Columns of the host:
 *
 *     host (key)                    the host
 *     host_speed                    as it joined
 *     host_running_share            attempts / slots
 *     host_cpu_asked_share          asked for by what runs there / capacity; also memory and disk
 *     host_failure_rate             with host_evidence
 *     host_expected_failure_rate    what the kinds that ran there fail everywhere
 *     host_recent_failure_rate      with host_recent_evidence
 *     host_seconds_since_failure    also since_success, since_join
 *     host_seconds_ratio            seconds x speed / what they are in the mean: expected seconds times the kind's
 *                                   ratio, or what the kind takes (geometric mean)
 *     host_sample_age_seconds       of the newest sample; also host_load_per_core, host_temperature_celsius
 *     host_X_mean_W                 over W of 10s, 60s, 600s; also max and slope (per second), for X of cpu, memory,
 *                                   disk, io, network, cpu_pressure, memory_pressure, io_pressure
 *     host_cpu_pressure_over_peers  the mean of the last 10 s and 60 s, less that of all hosts; also memory and io
 *
 * Columns of the pair:
 *
 *     pair_failure_rate             of this kind on this host, with pair_evidence
 *     pair_seconds_since_failure
 *     pair_seconds_ratio            as host_seconds_ratio, of this kind alone
 *     pair_failed_here_last         1: this task's last attempt failed on this host; 0: it did not
 *     pair_cpu_free_share           asked for / free; also memory and disk
 *     pair_stage_bytes              inputs that are not there; pair_stage_seconds: what bringing them takes
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/policy.h>
#include <shard/predictor.h>

SHARD_BEGIN

/**
 * Gives the library's own columns, in order. A program's own columns come after them.
 *
 * Returns a static schema.
 */
SHARD_API const struct shard_schema *shard_history_schema(void);

/**
 * Says what the end of an attempt teaches: this is what the library learns from, everywhere.
 *
 * Returns 1 for a failure and 0 for `done`; -1 for one that is censored, which says nothing of either: `cancelled`,
 * `preempted` (as one that was moved ends), and none.
 */
SHARD_API int shard_outcome_label(int outcome);

/** Columns of a program's own, appended to the library's. Functions that are NULL leave their columns not known. */
struct shard_feature_source {
    size_t struct_size;
    const struct shard_feature *features; /* copied; values of one group in the order in which they stand here */
    int32_t feature_count;
    void (*task)(void *self, const shard_view *view, shard_task_id task, float *ret_values);
    void (*host)(void *self, const shard_view *view, shard_host_id host, float *ret_values);
    void (*pair)(void *self, const shard_view *view, shard_task_id task, shard_host_id host, float *ret_values);
};

/**
 * Makes the predictor `prior`, which needs no training: rates of task, kind, host and kind on host, shrunk to each
 * other, and the pressure that a host is under beyond what others are.
 *
 * It reads the library's columns of `schema`, which must outlive it; it takes those that are not there as not known. A
 * host counts by how much more fails there than the kinds that it had let expect (indirect standardisation), so that a
 * poisoned kind does not make a host look sick, on the scale of log-odds; each rate is shrunk to the one above it as a
 * beta-binomial is (Gelman et al., Bayesian Data Analysis, 2013, chapter 5). What pressure adds is guessed at first,
 * and learnt from the attempts that it is shown as they end (observe): logistic regression with a normal posterior.
 * Seconds are the kind's, for inputs of that size, times how slow the host is. It has the two-sided form, and
 * contributions.
 *
 * Returns 0. End it with `handle.port->destroy(handle.self)`.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL, SHARD_EVERSION.
 */
SHARD_API int shard_prior_predictor(shard_context *context, const struct shard_schema *schema,
                                    struct shard_predictor_handle *ret_predictor);

SHARD_END

#endif
