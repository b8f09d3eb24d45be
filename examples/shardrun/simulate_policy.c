/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of a simulation by name, and a port around them that measures the CPU time they take. Asking the clock costs
 * as much as a quick decision does: only one call in eight is timed, and counts eight times.
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

enum { TIMED_ONE_IN = 8 };

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* What one reading takes, the least of some: it is in each measured call, and none of the policy's. */
static double reading_ns(void)
{
    double least = INFINITY;
    for (int i = 0; i < 64; i++) {
        double before = cpu_ns();
        least = fmin(least, cpu_ns() - before);
    }
    return least;
}

static double begin(struct simulate_policy *policy)
{
    return policy->calls++ % TIMED_ONE_IN == 0 ? cpu_ns() : 0;
}

static void end(struct simulate_policy *policy, double since_ns)
{
    if (since_ns > 0)
        policy->cpu_ns += TIMED_ONE_IN * fmax(0, cpu_ns() - since_ns - policy->reading_ns);
}

static void attach(void *self, const shard_view *view)
{
    struct simulate_policy *policy = self;
    double since = begin(policy);
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
    double since = begin(policy);
    double value = policy->inner.port->rank(policy->inner.self, view, task);
    end(policy, since);
    return value;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct simulate_policy *policy = self;
    double since = begin(policy);
    int status = policy->inner.port->place(policy->inner.self, view, task, ret_decision);
    end(policy, since);
    if (policy->learning != NULL && status == 0 && ret_decision->kind == SHARD_DECIDE_START)
        learning_placed(policy->learning, view, task, ret_decision->host);
    return status;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct simulate_policy *policy = self;
    double since = begin(policy);
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
    double since = begin(policy);
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
    double since = begin(policy);
    policy->inner.port->after_success(policy->inner.self, view, task, host, seconds);
    end(policy, since);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct simulate_policy *policy = self;
    double since = begin(policy);
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
    *ret_policy = (struct simulate_policy){.engine.struct_size = sizeof ret_policy->engine, .reading_ns = reading_ns()};
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
