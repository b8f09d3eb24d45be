/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SIM_INTERNAL_H
#define SHARD_SIM_INTERNAL_H

/*
 * A simulation under way: an engine on a clock that jumps from event to event, hosts with a life of their own, and an
 * executor whose attempts are numbers. What happens is drawn from hashes of the seed and of what it happens to, not
 * from one stream: so that another policy meets the same hosts and the same tasks.
 */

#include <shard/sim.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/random.h"
#include "engine/engine.h"
#include "sim/scenario.h"

/* What a task truly is; the workflow only says what was expected. */
struct shard__sim_task {
    float work_seconds; /* on a host of speed 1 */
    float frailty;      /* how much more readily than others it fails */
    int64_t need_bytes;
};

/* What the tasks of a kind have in common. */
struct shard__sim_kind {
    double frailty;
    double least_bytes, most_bytes;
};

/* Why a host is not there; bits. */
enum { SHARD__AWAY_OUTAGE = 1, SHARD__AWAY_PREEMPTED = 2, SHARD__AWAY_FLAPPING = 4 };

struct shard__sim_host {
    double speed;
    double load;                            /* what others take of it now, 0..1 */
    const struct shard__sickness *sickness; /* NULL: it never sickens */
    int is_sick;
    unsigned away;
    int is_decoy;
    int boots;
    int32_t id; /* in the engine */
    int32_t first_attempt;
    int32_t running;
    double memory_used;          /* truly */
    struct shard__random random; /* of its own life */
};

struct shard__sim_attempt {
    uint64_t token; /* 0: the slot is free */
    int32_t host, task, number;
    int32_t origin;         /* task of the workflow */
    int32_t next, previous; /* on its host; next also in the list of free slots */
    int32_t behind;         /* runs after it in the same container; -1: none */
    int32_t generation;     /* of the event that ends it */
    float frailty;
    int64_t need_bytes;
    int64_t asked_bytes, asked_millicores;
    int64_t units, unit_begin, told; /* told: units that progress was told of */
    double work;                     /* with overhead */
    double overhead;
    double done;    /* of the work, when it was last updated; below 0 while it is launched */
    double ends_at; /* how much will be done when it ends, as far as is drawn */
    double rate;    /* 0: it has not begun */
    double launch_seconds;
    int64_t started_ns, updated_ns;
    enum shard_outcome outcome;
    uint64_t key; /* what its luck is drawn from */
};

enum shard__sim_event_kind {
    SHARD__SIM_ATTEMPT, /* subject: attempt */
    SHARD__SIM_SUBMIT,  /* the workflow comes */
    SHARD__SIM_SICKEN,  /* subject: host, which becomes sick or well */
    SHARD__SIM_PREEMPT, /* host is taken away */
    SHARD__SIM_RETURN,  /* host comes back; generation: the bit of `away` */
    SHARD__SIM_OUTAGE,  /* subject: rack */
    SHARD__SIM_LOAD,    /* host */
    SHARD__SIM_SAMPLES, /* all hosts */
    SHARD__SIM_STAGED   /* token; subject: data, generation: volume */
};

struct shard__sim_event {
    enum shard__sim_event_kind kind;
    int32_t subject; /* in the list of free ones: the next */
    int32_t generation;
    uint64_t token;
};

struct shard__sim {
    shard_context *context; /* its own: with the virtual clock */
    struct shard_context own;
    const struct shard_scenario *scenario;
    shard_workflow *workflow;
    const struct shard_sim_config *config;
    shard_engine *engine;
    struct shard_executor executor;
    struct shard_store_handle store; /* of its own; port NULL: the caller's */
    int64_t now_ns;
    uint64_t seed;
    int answered; /* the engine has something to take */

    struct shard__sim_task *tasks;
    int32_t task_count;
    double mean_work;
    struct shard__sim_kind *kinds;
    int32_t kind_count;
    struct shard__intmap kind_of, host_of; /* by the keys that columns have */

    struct shard__sim_host *hosts;
    int32_t host_count;
    int32_t rack_count;

    struct shard__sim_attempt *attempts;
    size_t attempt_capacity;
    int32_t attempt_count, free_attempt, running;
    struct shard__intmap attempt_of; /* by token */

    struct shard__intmap data_on; /* where data is, by data and volume */

    struct shard__heap queue; /* events by time in ns, exact below 2^53: 104 days */
    struct shard__sim_event *events;
    size_t event_capacity;
    int32_t event_count, free_event;

    struct shard__random random; /* of samples and staging */
    int32_t *failures;           /* by task of the run */
    size_t failure_capacity;
    int status; /* first failure inside a callback */
    int has_ended;
    int64_t started_ns, ended_ns, progress_ns; /* progress: an attempt last ended */
    struct shard_sim_result result;
};

enum { SHARD__SIM_DRAW_NOISE = 1, SHARD__SIM_DRAW_FAIL, SHARD__SIM_DRAW_WHEN, SHARD__SIM_DRAW_EPISODE };

/* ---- draws.c: luck ---- */
uint64_t shard__sim_mix(uint64_t a, uint64_t b);
double shard__sim_unit(uint64_t key); /* [0, 1) */
double shard__sim_normal(uint64_t key);
double shard__sim_exponential(struct shard__random *random, double mean);

/* ---- law.c: what is true ---- */
int shard__sim_draw_tasks(struct shard__sim *sim);
int shard__sim_draw_hosts(struct shard__sim *sim);
/* How likely an attempt of so much work fails from one cause that fails the mean one with `p_fail`. */
double shard__sim_p_fail(double p_fail, double by_size, double frailty, double work, double mean_work);
/* How likely an attempt fails on a host as it is now, whatever the cause. */
double shard__sim_risk(const struct shard__sim *sim, const struct shard__sim_host *host, double frailty, double work);
double shard__sim_rate(const struct shard__sim_host *host);
double shard__sim_lower_bound(const struct shard__sim *sim);

/* ---- executor.c ---- */
extern const struct shard_executor shard__sim_executor;

/* ---- attempts.c ---- */
/* An attempt that has not begun. Its number, or a negative code. */
int32_t shard__sim_make_attempt(struct shard__sim *sim, uint64_t token, const struct shard_start *start);
int shard__sim_begin_attempt(struct shard__sim *sim, int32_t attempt, double launch_seconds);
/* Ends it, and with `tell` says so; what is behind it begins, or ends too. */
void shard__sim_end_attempt(struct shard__sim *sim, int32_t attempt, enum shard_outcome outcome, int tell);
/* It does only so many units, or those that it has begun. How many, or SHARD_ENOMEM. */
int64_t shard__sim_shrink_attempt(struct shard__sim *sim, int32_t attempt, int64_t units);
/* The rate of a host has changed: what runs there ends at another time. */
int shard__sim_retime(struct shard__sim *sim, int32_t host);
/* It fell sick while attempts run. */
void shard__sim_strike(struct shard__sim *sim, int32_t host);
/* The host has vanished with all that runs there. */
void shard__sim_lose_attempts(struct shard__sim *sim, int32_t host);
int shard__sim_attempt_is_due(struct shard__sim *sim, int32_t attempt, int32_t generation);
void shard__sim_tell_progress(struct shard__sim *sim, int32_t host);
void shard__sim_attempts_free(struct shard__sim *sim);

/* ---- data.c: where data is ---- */
int32_t shard__sim_volume(const struct shard__sim *sim, int32_t host);
int shard__sim_data_is_on(struct shard__sim *sim, int32_t data, int32_t volume);
int shard__sim_outputs_are_on(struct shard__sim *sim, int32_t task, int32_t host);
/* Whether the inputs of what is started are where it is started. 0 or SHARD_ESTATE. */
int shard__sim_check_inputs(const struct shard__sim *sim, const struct shard_start *start);

/* ---- life.c: what befalls hosts ---- */
int shard__sim_begin_lives(struct shard__sim *sim);
int shard__sim_live(struct shard__sim *sim, const struct shard__sim_event *event);
int shard__sim_join(struct shard__sim *sim, int32_t host);

/* The name of a host, at most 31 bytes. */
void shard__sim_host_name(int32_t host, char *ret_name);

/* ---- oracle.c ---- */
struct shard_predictor_handle shard__sim_oracle(struct shard__sim *sim);
int shard__sim_key_names(struct shard__sim *sim);

/* ---- samples.c ---- */
int shard__sim_samples(struct shard__sim *sim);

/* ---- simulate.c ---- */
int shard__sim_push(struct shard__sim *sim, double seconds, const struct shard__sim_event *event);

#endif
