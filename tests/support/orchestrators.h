/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_ORCHESTRATORS_H
#define TEST_ORCHESTRATORS_H

/*
 * Two orchestrators, one run, one Redis server behind a proxy that fails by lot, and an executor that outlives them
 * all: who dies, stalls and takes over when is drawn from a seed. What must hold in each schedule is checked while it
 * goes on and, from what is in the store, at its end. Each rule that this rests on can be taken out, to see it missed.
 */

#include <shard/shard.h>

#include "redis_proxy.h"

/** Rules that are not kept, as bits. */
enum orchestrators_without {
    WITHOUT_WAITING_FOR_THE_STORE = 1, /* commits are answered before they are durable */
    WITHOUT_NEW_NUMBERS = 2,           /* the executor knows a task, but not which attempt of it */
    WITHOUT_FENCING_STARTS = 4,        /* the executor takes starts of any epoch */
    WITHOUT_STARTING_ONCE = 8,         /* the executor starts again what it has started */
    WITHOUT_BOOT_IDS = 16,             /* a host that has lost its memory starts what it is asked to */
    WITHOUT_AN_END_OF_LEASES = 32,     /* leases are taken as prolonged without an answer */
    WITHOUT_REATTACHING = 64           /* what ran is not looked for after a restart */
};

enum { ORCHESTRATORS_TASKS = 24, ORCHESTRATORS_LIVES = 200 };

struct orchestrators_plan {
    uint64_t seed;
    double trouble;   /* share of the requests that do not just pass */
    unsigned without; /* enum orchestrators_without */
};

/** Runs one schedule: NULL when all held, else what did not, until the next call. */
const char *orchestrators_run(struct redis_proxy *proxy, const struct orchestrators_plan *plan);

/** How often in all schedules so far: a second took over, one died, one was found fenced. */
struct orchestrators_tally {
    long take_overs, deaths, stalls, fenced, lives, turns;
};
extern struct orchestrators_tally orchestrators_tally;

/* ---- orchestrators_executor.c ---- */

/* An attempt, and to whom its end is told. */
struct orchestrators_attempt {
    int task, number;
    int64_t epoch;
    int64_t ends; /* turn */
    int is_over;
    enum shard_outcome outcome;
    struct {
        int life; /* 0: none */
        shard_sink *sink;
        shard_token token;
    } told[2];
};

enum { ORCHESTRATORS_ATTEMPTS = 2000 };

/* A start on its way to the host. */
struct orchestrators_start {
    int index, life; /* of the orchestrator */
    shard_sink *sink;
    shard_token token;
    int task, number;
    int64_t epoch, due; /* turn */
    char boot_id[16];
};

struct orchestrators_executor {
    struct orchestrators_start late[64];
    int late_count;
    struct orchestrators_attempt attempts[ORCHESTRATORS_ATTEMPTS];
    int attempt_count;
    int64_t epoch; /* the highest that was seen */
    char boot_id[16];
    int done[ORCHESTRATORS_TASKS];
    int may_redo[ORCHESTRATORS_TASKS]; /* it was done on a host that was lost before anyone wrote that down */
};

struct orchestrator {
    int life; /* its number among all that there were; 0: it is not there */
    shard_context *context;
    struct shard_store_handle store; /* the real one, behind `port` */
    struct shard_store port;
    shard_sink *sink; /* of the port's calls */
    struct orchestrators_call {
        shard_sink *sink; /* NULL: free */
        shard_token token;
        int64_t asked_ns, epoch, newest_epoch; /* of a commit: its own, and the newest that was given out by then */
        int is_lease, is_answered;
    } calls[256];
    struct shard_policy_handle policy;
    shard_engine *engine;
    shard_run_id run;
    char boot_id[16];     /* of the host, as it knows it */
    int64_t stalls_until; /* turn */
    int64_t lease_ends_ns;
    int has_ended, code;
    enum shard_run_state state;
};

struct orchestrators {
    const struct orchestrators_plan *plan;
    struct redis_proxy *proxy;
    shard_context *context; /* of the workflow */
    shard_workflow *workflow;
    struct orchestrator two[2];
    struct orchestrators_executor executor;
    uint64_t random;
    int64_t now_ns, turn;
    int lives, must_submit, is_done;
    int64_t epoch_of[ORCHESTRATORS_LIVES + 1];
    int told_done[ORCHESTRATORS_TASKS];
    char problem[256]; /* the first */
};

extern const struct shard_executor orchestrators_executor;
extern const struct shard_store orchestrators_store;
extern struct orchestrators orchestrators;

void orchestrators_problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t orchestrators_draw(uint64_t below);
/* Ends what is due. */
void orchestrators_execute(void);
/* The host dies with what runs there, and is there again at once, without a memory. */
void orchestrators_reboot(void);
/* ---- orchestrators_store.c ---- */
void orchestrators_open_store(struct orchestrator *one, const char *prefix);
void orchestrators_close_store(struct orchestrator *one);
/* Hands answers on to the engine. */
void orchestrators_answer(struct orchestrator *one);
/* What is in the store at the end, looked at from outside. */
void orchestrators_check_store(const char *prefix);

#endif
