/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SIMULATE_H
#define SHARDRUN_SIMULATE_H

/* What the parts of `shardrun simulate` share: what is to be simulated, and what came of it. */

#include <stdbool.h>

#include <shard/champion.h>
#include <shard/forest.h>
#include <shard/sim.h>
#include <shard/train.h>

/* A workflow as it is simulated, under the name that its lines carry. */
struct simulated {
    char *name;
    shard_workflow *workflow;
};

struct learning;

/* What adaptive:learned goes by. */
struct learned {
    shard_forest *failure; /* NULL: nothing could be learnt */
    shard_forest *seconds; /* NULL: the prior's are as good */
    double evidence;       /* attempts that taught a leaf, in the mean */
};

struct simulate {
    shard_context *context;
    shard_scenario *scenario;
    const char *scenario_name;
    int hosts;
    int copies;
    long first_seed, last_seed;
    char **policies;
    int policy_count;
    struct learned learned;
    struct shard_adaptive_config adaptive;
    struct simulated *workflows;
    int workflow_count;
    int jobs; /* child processes */
    bool json;
    bool verbose;
};

/* One line of the output. */
struct simulate_line {
    int status; /* of shard_simulate() */
    char problem[256];
    double decide_cpu_us_per_task;
    struct shard_sim_result result;
};

/* ---- simulate_policy.c ---- */
/* Makes a policy by the name that users give, with what its engine needs besides. 0, or an exit code and a message. */
struct simulate_policy {
    struct shard_policy_handle handle; /* timed */
    struct shard_policy port;
    struct shard_policy_handle inner;
    struct shard_engine_config engine;
    bool oracle;
    struct shard_predictor_handle predictor; /* of its own: the forest's */
    shard_champion *champion;                /* with a model of its own */
    struct learning *learning;               /* NULL: nobody learns from it */
    double cpu_ns;                           /* that the policy took, once it was timed */
    uint64_t calls, ticks, empty_ticks, all_ticks;
};
int simulate_policy_make(const struct simulate *simulate, const char *name, struct simulate_policy *ret_policy);
/* Before a simulation, and after it: then cpu_ns is what the policy took of it. */
void simulate_policy_timing(struct simulate_policy *policy);
void simulate_policy_timed(struct simulate_policy *policy);
void simulate_policy_end(struct simulate_policy *policy);

/* ---- simulate_jobs.c ---- */
int simulate_line_count(const struct simulate *simulate);
/* Which workflow, seed and policy a line is of: policies fastest, then seeds. */
void simulate_line_of(const struct simulate *simulate, int line, int *ret_workflow, int *ret_policy, long *ret_seed);
/* Simulates everything, in child processes, and gives each line in order. 0 or an exit code. */
int simulate_all(const struct simulate *simulate,
                 void (*each)(void *self, const struct simulate *simulate, int line, const struct simulate_line *got),
                 void *self);

/* ---- simulate_run.c ---- */
/* Makes the scenario and the one workflow out of a run that a store has. 0 or an exit code, told. */
int simulate_load_run(struct simulate *simulate, const char *store, const char *run);

/* ---- simulate_table.c ---- */
void simulate_print_json(const struct simulate *simulate, int line, const struct simulate_line *got);
void simulate_print_table(const struct simulate *simulate, const struct simulate_line *lines);

#endif
