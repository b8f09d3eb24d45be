/* SPDX-License-Identifier: Apache-2.0 */
/* The policy `adaptive`: its making, its configuration, and what it keeps between calls. */

#include "adaptive.h"

#include "base/context.h"
#include "base/error.h"

static void attach(void *self, const shard_view *view)
{
    struct shard__adaptive *policy = self;
    policy->runs++;
    policy->work_seconds += view->workflow->total_seconds;
    shard__adaptive_recall_needs(policy, view);
}

/* What was learnt of kinds and hosts serves the next run; what was learnt of tasks and data is over with the last. */
static void detach(void *self, const shard_view *view)
{
    struct shard__adaptive *policy = self;
    (void)view;
    if (--policy->runs > 0)
        return;
    policy->work_seconds = 0;
    shard__blame_forget_runs(&policy->blame);
    shard__stragglers_forget(&policy->stragglers);
    shard__kinds_forget_runs(&policy->kinds);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct shard__adaptive *policy = self;
    shard__slots_update(&policy->slots, view, host);
    shard__adaptive_pool_host(policy, view, host);
}

static void destroy(void *self)
{
    struct shard__adaptive *policy = self;
    const shard_context *context = policy->context;
    shard__slots_free(&policy->slots);
    shard__pool_free(&policy->pool);
    shard__kinds_free(&policy->kinds);
    shard__pace_free(&policy->pace);
    shard__needs_free(&policy->needs);
    shard__blame_free(&policy->blame);
    shard__health_free(&policy->health);
    shard__stragglers_free(&policy->stragglers);
    shard__recall_free(&policy->recall);
    shard__launches_free(&policy->launches);
    shard__release(context, policy->overheads, policy->overhead_capacity * sizeof(*policy->overheads));
    shard__release(context, policy, sizeof(*policy));
}

static const struct shard_policy port = {.struct_size = sizeof(struct shard_policy),
                                         .name = "adaptive",
                                         .attach = attach,
                                         .detach = detach,
                                         .rank = shard__adaptive_rank,
                                         .place = shard__adaptive_place,
                                         .review = shard__adaptive_review,
                                         .after_failure = shard__adaptive_after_failure,
                                         .after_success = shard__adaptive_after_success,
                                         .host_changed = host_changed,
                                         .destroy = destroy};

/* Each number: 0 is the default, and what is not in range is refused by name. */
static int take_number(double *field, const char *name, double least, double most, double otherwise)
{
    if (*field == 0)
        *field = otherwise;
    else if (!(*field >= least && *field <= most))
        return shard__fail(SHARD_EINVAL, "adaptive config: %s is %g, expected 0 (the default) or %g to %g", name,
                           *field, least, most);
    return 0;
}

static int check(struct shard_adaptive_config *config)
{
    const struct {
        double *field;
        const char *name;
        double least, most, otherwise;
    } numbers[] = {
        {&config->waste_weight, "waste_weight", 0.001, 1e6, 1},
        {&config->idle_weight, "idle_weight", 0.0001, 1e6, 0.3},
        {&config->hysteresis, "hysteresis", 0.0001, 10, 0.1},
        {&config->split_p, "split_p", 0.001, 1, 0.2},
        {&config->half_life_seconds, "half_life_seconds", 0.001, 1e9, 600},
        {&config->most_quarantined, "most_quarantined", 0.0001, 1, 0.5},
        {&config->quarantine_seconds, "quarantine_seconds", 0.001, 1e9, 60},
        {&config->failure_cost_seconds, "failure_cost_seconds", 0.001, 1e12, 0},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (take_number(numbers[i].field, numbers[i].name, numbers[i].least, numbers[i].most, numbers[i].otherwise) < 0)
            return SHARD_EINVAL;
    /* Below 0: none. */
    if (!(config->exploring_share <= 1))
        return shard__fail(SHARD_EINVAL, "adaptive config: exploring_share is %g, expected at most 1",
                           config->exploring_share);
    if (config->exploring_share == 0)
        config->exploring_share = 0.01;
    if (config->candidates < 0 || config->candidates > 64)
        return shard__fail(SHARD_EINVAL, "adaptive config: candidates is %d, expected 0 (the default) to 64",
                           config->candidates);
    if (config->candidates == 0)
        config->candidates = 12;
    return 0;
}

int shard_policy_adaptive(shard_context *context, const struct shard_adaptive_config *given,
                          struct shard_policy_handle *ret_policy)
{
    shard__clear_error();
    struct shard_adaptive_config config = {.struct_size = sizeof(config)};
    int status = given == NULL ? 0 : shard__take_struct(&config, sizeof(config), given, "adaptive config");
    if (status == 0)
        status = check(&config);
    if (status < 0)
        return status;
    struct shard__adaptive *policy = shard__zalloc(context, sizeof(*policy));
    if (policy == NULL)
        return SHARD_ENOMEM;
    policy->context = policy->slots.context = policy->pool.context = policy->kinds.context = context;
    policy->needs.context = policy->recall.context = policy->launches.context = context;
    policy->pace.context = policy->stragglers.context = policy->blame.context = context;
    policy->blame.half_life_seconds = config.half_life_seconds;
    const struct shard__health_config health = {.most_quarantined = config.most_quarantined,
                                                .quarantine_seconds = config.quarantine_seconds};
    shard__health_init(&policy->health, context, &health);
    policy->config = config;
    policy->actions = 1;
    *ret_policy = (struct shard_policy_handle){&port, policy};
    return 0;
}
