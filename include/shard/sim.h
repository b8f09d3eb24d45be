/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SIM_H
#define SHARD_SIM_H

/*
 * The simulated cluster: the very engine, policies and store of a real run, on hosts, a clock and samples that are
 * made up. A scenario (JSON, shardrun-scenario(5)) says what the hosts are like and what befalls them; the seed says
 * when and where. The same workflow, scenario, policy and seed give the same decisions, byte for byte; and with the
 * same seed every policy meets the same hosts, the same episodes of sickness and the same true size of each task.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/engine.h>

SHARD_BEGIN

typedef struct shard_scenario shard_scenario;

/**
 * Reads a scenario from JSON text. `source` names the text in messages and may be NULL.
 *
 * Returns 0 and the scenario, which shard_scenario_free() ends.
 * Errors: SHARD_EPARSE and SHARD_EINVAL (message has source, line, JSON pointer, and what was expected), SHARD_ELIMIT,
 * SHARD_ENOMEM.
 */
SHARD_API int shard_scenario_parse(shard_context *context, const char *text, size_t text_bytes, const char *source,
                                   shard_scenario **ret_scenario);

/**
 * Ends a scenario. NULL is fine.
 */
SHARD_API void shard_scenario_free(shard_scenario *scenario);

/**
 * Makes the workflow that a simulation runs: `copies` of a workflow side by side, with what records of real runs do not
 * say. Tasks get the memory that their user would ask for, and those of some kinds are divisible, as the scenario says.
 *
 * `copies` 0: as many as give each of `hosts` 20 tasks. `hosts` 0: the scenario's. Payloads are left out.
 *
 * Returns 0 and a workflow with one reference for the caller.
 * Errors: SHARD_EINVAL (copies or hosts below 0), SHARD_ELIMIT, SHARD_ENOMEM.
 */
SHARD_API int shard_sim_tile(shard_context *context, const shard_scenario *scenario, const shard_workflow *workflow,
                             int32_t copies, int32_t hosts, shard_workflow **ret_workflow);

/**
 * Makes a bag of tasks: no edges, 8 kinds, seconds drawn from log-normal laws around a minute. Always the same bag.
 *
 * Returns 0 and a workflow with one reference for the caller, for shard_sim_tile().
 * Errors: SHARD_EINVAL (fewer than 1), SHARD_ELIMIT, SHARD_ENOMEM.
 */
SHARD_API int shard_sim_bag(shard_context *context, int32_t tasks, shard_workflow **ret_workflow);

/** What is simulated. Zero is the default of each field but the first two. */
struct shard_sim_config {
    size_t struct_size;
    const shard_scenario *scenario;    /* needed */
    struct shard_policy_handle policy; /* needed; a new one for each simulation, as policies remember */
    uint64_t seed;
    int32_t hosts;                            /* 0: the scenario's */
    const struct shard_engine_config *engine; /* what is not the simulator's to say; its executor and policy are not
                                                 used, its store if there is one. Budgets that are 0 are as large as can
                                                 be: a simulation is to end because the work is done */
    const char *run;                          /* the run's name; NULL: "simulated" */
    /** (optional) Each event of the engine as it comes. */
    void (*on_event)(void *self, const struct shard_event *event);
    void *on_event_self;
    int32_t oracle;     /* non-zero: the engine's predictor is one that knows which hosts are sick and how likely each
                           attempt fails, though not which do */
    double max_seconds; /* of virtual time, after which the run counts as stuck; 0: a year */
};

/** How it went. Seconds are virtual. */
struct shard_sim_result {
    size_t struct_size;
    enum shard_run_state run_state;
    double makespan_seconds;
    double lower_bound_seconds; /* max(critical path on the fastest host, work / speed of all slots) */
    double useful_cpu_seconds;  /* of attempts, or parts of them, whose work counts in the end */
    double wasted_cpu_seconds;  /* of the others */
    int64_t attempts;
    int64_t failed_attempts;               /* not: cancelled, preempted */
    int32_t max_failures_of_a_task;        /* the same, of the task that has most */
    int64_t outcomes[SHARD_OUTCOME_COUNT]; /* attempts by how they ended */
    int32_t task_count;                    /* with subtasks */
    int32_t sick_hosts;                    /* that are or become sick */
    int64_t events;                        /* of the simulation */
    int64_t launches;                      /* of containers, in which one attempt or several ran */
};

/**
 * Simulates one run of a workflow from its first to its last moment.
 *
 * Time is virtual and begins at the same moment in every simulation; memory, log and nothing else are `context`'s.
 *
 * Returns 0; a run that failed is a result too.
 * Errors: SHARD_EINVAL (which field), SHARD_EUNPLACEABLE, SHARD_ESTATE (stuck: what waits, and since when),
 * SHARD_ENOMEM, SHARD_EIO, SHARD_EVERSION.
 */
SHARD_API int shard_simulate(shard_context *context, shard_workflow *workflow, const struct shard_sim_config *config,
                             struct shard_sim_result *ret_result);

SHARD_END

#endif
