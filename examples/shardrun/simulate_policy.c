/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of a simulation by name, and a port around them that measures the CPU time they take. Most calls are quicker
 * than the clock of CPU time can be asked; so they are measured by a quicker counter, less what that shows where
 * nothing happens, as a share of the CPU time of the simulation.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <shard/forest.h>
#include <shard/history.h>

#include "cli.h"
#include "model_load.h"
#include "simulate.h"
#include "simulate_learn.h"

/* An empty reading is taken with one call in so many. */
enum { EMPTY_ONE_IN = 8 };

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* In a unit of its own. What was begun before has ended. */
static uint64_t read_ticks(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

void simulate_policy_timing(struct simulate_policy *policy)
{
    policy->cpu_ns = cpu_ns();
    policy->all_ticks = read_ticks();
}

void simulate_policy_timed(struct simulate_policy *policy)
{
    uint64_t all = read_ticks() - policy->all_ticks;
    double inside = (double)policy->ticks - EMPTY_ONE_IN * (double)policy->empty_ticks;
    policy->cpu_ns = (cpu_ns() - policy->cpu_ns) * fmax(0, inside) / (double)all;
}

static uint64_t begin(struct simulate_policy *policy)
{
    if (policy->calls++ % EMPTY_ONE_IN == 0) {
        uint64_t since = read_ticks();
        policy->empty_ticks += read_ticks() - since;
    }
    return read_ticks();
}

static void end(struct simulate_policy *policy, uint64_t since)
{
    policy->ticks += read_ticks() - since;
}

static void attach(void *self, const shard_view *view)
{
    struct simulate_policy *policy = self;
    uint64_t since = begin(policy);
    policy->inner.port->attach(policy->inner.self, view);
    end(policy, since);
}

static void detach(void *self, const shard_view *view)
{
    struct simulate_policy *policy = self;
    policy->inner.port->detach(policy->inner.self, view);
}

static double rank(void *self, const shard_view *view, shard_task_id task)
{
    struct simulate_policy *policy = self;
    uint64_t since = begin(policy);
    double value = policy->inner.port->rank(policy->inner.self, view, task);
    end(policy, since);
    return value;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct simulate_policy *policy = self;
    uint64_t since = begin(policy);
    int status = policy->inner.port->place(policy->inner.self, view, task, ret_decision);
    end(policy, since);
    if (policy->learning != NULL && status == 0 && ret_decision->kind == SHARD_DECIDE_START)
        learning_placed(policy->learning, view, task, ret_decision->host);
    return status;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct simulate_policy *policy = self;
    uint64_t since = begin(policy);
    int status = policy->inner.port->review(policy->inner.self, view, task, ret_decision);
    end(policy, since);
    return status;
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct simulate_policy *policy = self;
    if (policy->learning != NULL)
        learning_ended(policy->learning, view, task, outcome);
    if (policy->inner.port->after_failure == NULL)
        return 0;
    uint64_t since = begin(policy);
    int status = policy->inner.port->after_failure(policy->inner.self, view, task, host, outcome, ret_decision);
    end(policy, since);
    return status;
}

static void after_success(void *self, const shard_view *view, shard_task_id task, shard_host_id host, double seconds)
{
    struct simulate_policy *policy = self;
    if (policy->learning != NULL)
        learning_ended(policy->learning, view, task, SHARD_OUTCOME_DONE);
    if (policy->inner.port->after_success == NULL)
        return;
    uint64_t since = begin(policy);
    policy->inner.port->after_success(policy->inner.self, view, task, host, seconds);
    end(policy, since);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct simulate_policy *policy = self;
    uint64_t since = begin(policy);
    policy->inner.port->host_changed(policy->inner.self, view, host);
    end(policy, since);
}

/* The table that times the functions which a policy has. */
static struct shard_policy timed_port(const struct shard_policy *inner)
{
    return (struct shard_policy){.struct_size = sizeof(struct shard_policy),
                                 .name = inner->name,
                                 .attach = inner->attach == NULL ? NULL : attach,
                                 .detach = inner->detach == NULL ? NULL : detach,
                                 .rank = inner->rank == NULL ? NULL : rank,
                                 .place = place,
                                 .review = inner->review == NULL ? NULL : review,
                                 .after_failure = after_failure,
                                 .after_success = after_success,
                                 .host_changed = inner->host_changed == NULL ? NULL : host_changed};
}

/* A model in use, as in `run`: what has drifted gives way to the prior. Each simulation begins with it anew. */
static int use_model(const struct simulate *simulate, const char *path, struct simulate_policy *policy)
{
    shard_model *model = NULL;
    int code = model_load(simulate->context, path, &model);
    if (code != CLI_DONE)
        return code;
    if (shard_champion_new(simulate->context, NULL, &policy->champion) < 0 ||
        shard_champion_take(policy->champion, model) < 0) {
        shard_model_free(model);
        cli_library_error(path);
        return CLI_USAGE;
    }
    policy->engine.predictor = shard_champion_predictor(policy->champion);
    return CLI_DONE;
}

/* What a run goes by that has no model yet. */
static int use_prior(const struct simulate *simulate, struct simulate_policy *policy)
{
    if (shard_prior_predictor(simulate->context, shard_history_schema(), &policy->predictor) < 0)
        return cli_library_error("adaptive:prior");
    policy->engine.predictor = policy->predictor;
    return CLI_DONE;
}

static int use_forest(const struct simulate *simulate, struct simulate_policy *policy)
{
    struct shard_forest_predictor_config config = {.struct_size = sizeof config,
                                                   .failure = simulate->learned.failure,
                                                   .seconds = simulate->learned.seconds,
                                                   .evidence = simulate->learned.evidence,
                                                   .seconds_are_ratios = simulate->learned.seconds != NULL,
                                                   .schema = shard_history_schema()};
    if (shard_forest_predictor(simulate->context, &config, &policy->predictor) < 0)
        return cli_library_error("adaptive:learned");
    policy->engine.predictor = policy->predictor;
    return CLI_DONE;
}

int simulate_policy_make(const struct simulate *simulate, const char *name, struct simulate_policy *ret_policy)
{
    static const char adaptive[] = "adaptive:";
    int code = CLI_DONE;
    *ret_policy = (struct simulate_policy){.engine.struct_size = sizeof ret_policy->engine};
    if (strncmp(name, adaptive, sizeof adaptive - 1) == 0) {
        const char *by = name + sizeof adaptive - 1;
        if (strcmp(by, "oracle") == 0)
            ret_policy->oracle = true;
        else if (strcmp(by, "learned") == 0)
            code =
                simulate->learned.failure == NULL ? use_prior(simulate, ret_policy) : use_forest(simulate, ret_policy);
        else if (strcmp(by, "prior") == 0)
            code = use_prior(simulate, ret_policy);
        else
            code = use_model(simulate, by, ret_policy);
        name = "adaptive";
    }
    if (code == CLI_DONE && (strcmp(name, "adaptive") == 0
                                 ? shard_policy_adaptive(simulate->context, &simulate->adaptive, &ret_policy->inner)
                                 : shard_policy_by_name(simulate->context, name, &ret_policy->inner)) < 0)
        code = cli_library_error("--policy");
    if (code != CLI_DONE) {
        simulate_policy_end(ret_policy);
        return code;
    }
    ret_policy->port = timed_port(ret_policy->inner.port);
    ret_policy->handle = (struct shard_policy_handle){&ret_policy->port, ret_policy};
    return CLI_DONE;
}

void simulate_policy_end(struct simulate_policy *policy)
{
    if (policy->inner.port != NULL)
        policy->inner.port->destroy(policy->inner.self);
    if (policy->predictor.port != NULL)
        policy->predictor.port->destroy(policy->predictor.self);
    shard_champion_free(policy->champion);
    *policy = (struct simulate_policy){0};
}
