/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's making, its end, its descriptor and its step. */

#include "engine/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <shard/policy.h>

#include "base/context.h"
#include "base/error.h"

/* Failures are counted in a byte that stays at 255: a larger budget would never be spent. */
enum { MOST_RETRIES = UINT8_MAX - 1 };

/* Budgets and back-offs of the failure classes where the application says nothing. */
static const struct shard_retry default_retry[SHARD_OUTCOME_COUNT] = {
    [SHARD_OUTCOME_TASK_ERROR] = {2, 1, 60},          [SHARD_OUTCOME_OUT_OF_MEMORY] = {3, 0, 0},
    [SHARD_OUTCOME_OUT_OF_DISK] = {3, 1, 60},         [SHARD_OUTCOME_TIMEOUT] = {1, 0, 0},
    [SHARD_OUTCOME_HOST_LOST] = {10, 0, 0},           [SHARD_OUTCOME_PREEMPTED] = {100, 0, 0},
    [SHARD_OUTCOME_LAUNCH_ERROR] = {5, 0.5, 30},      [SHARD_OUTCOME_STAGE_ERROR] = {5, 0.5, 30},
    [SHARD_OUTCOME_CANCELLED] = {MOST_RETRIES, 0, 0},
};

static int take_retry(const struct shard_engine_config *config, struct shard__rules *rules)
{
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++) {
        struct shard_retry retry = config->retry[i];
        if (retry.budget < -1 || !(retry.backoff_seconds >= 0) || !(retry.backoff_max_seconds >= 0))
            return shard__fail(SHARD_EINVAL, "engine config: retry of %s is negative", shard_outcome_text(i));
        if (retry.budget == 0)
            retry.budget = default_retry[i].budget;
        if (retry.budget < 0)
            retry.budget = 0;
        if (retry.budget > MOST_RETRIES)
            retry.budget = MOST_RETRIES;
        if (retry.backoff_seconds == 0)
            retry.backoff_seconds = default_retry[i].backoff_seconds;
        if (retry.backoff_max_seconds == 0)
            retry.backoff_max_seconds = default_retry[i].backoff_max_seconds;
        if (retry.backoff_max_seconds < retry.backoff_seconds)
            retry.backoff_max_seconds = retry.backoff_seconds;
        rules->retry[i] = retry;
    }
    return 0;
}

static int check_config(const struct shard_engine_config *config)
{
    const struct shard_executor *executor = config->executor;
    if (executor == NULL || executor->start == NULL || executor->cancel == NULL)
        return shard__fail(SHARD_EINVAL, "engine config: executor is missing, or its start or cancel is");
    const struct shard_store *store = config->store.port;
    if (store == NULL || store->create == NULL || store->acquire == NULL || store->renew == NULL ||
        store->release == NULL || store->commit == NULL || store->load == NULL)
        return shard__fail(SHARD_EINVAL, "engine config: store is missing, or one of its functions is");
    if (config->policy.port != NULL && config->policy.port->place == NULL)
        return shard__fail(SHARD_EINVAL, "engine config: the policy's place is missing");
    if (!(config->lease_seconds >= 0) || !(config->memory_growth >= 0) || !(config->reattach_seconds >= 0) ||
        !(config->cancel_grace_seconds >= 0) || config->step_budget < 0 || config->max_events < 0)
        return shard__fail(SHARD_EINVAL, "engine config: a number is negative or NaN");
    if (!(config->adjust_threshold >= 0 && config->adjust_threshold <= 1))
        return shard__fail(SHARD_EINVAL, "engine config: adjust_threshold is %g, expected 0 to 1",
                           config->adjust_threshold);
    if (config->most_quarantined != -1 && !(config->most_quarantined >= 0 && config->most_quarantined <= 1))
        return shard__fail(SHARD_EINVAL, "engine config: most_quarantined is %g, expected 0 to 1, or -1",
                           config->most_quarantined);
    return 0;
}

static int64_t seconds_or(double seconds, double default_seconds)
{
    return shard__seconds_to_ns(seconds == 0 ? default_seconds : seconds);
}

static int open_descriptors(struct shard_engine *engine)
{
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->epoll_fd < 0 || engine->timer_fd < 0 || engine->wake_fd < 0)
        return shard__fail_errno(SHARD_EIO, errno, "cannot make the engine's descriptors");
    const int watched[] = {engine->timer_fd, engine->wake_fd, shard_sink_fd(engine->sink)};
    for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
        if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, watched[i], &event) < 0)
            return shard__fail_errno(SHARD_EIO, errno, "cannot watch the engine's descriptors");
    }
    if (engine->store.fd == NULL)
        return 0;
    /* A store that is pumped: its descriptor nests behind the engine's, so that the application watches one. */
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->store.fd(engine->store_self), &event) < 0)
        return shard__fail_errno(SHARD_EIO, errno, "cannot watch the descriptor of store '%s'", engine->store.name);
    return 0;
}

static int take_config(struct shard_engine *engine, const struct shard_engine_config *config)
{
    int status = shard__take_struct(&engine->executor, sizeof(engine->executor), config->executor, "executor");
    if (status == 0)
        status = shard__take_struct(&engine->store, sizeof(engine->store), config->store.port, "store");
    if (status == 0)
        status = shard__take_struct(&engine->policy, sizeof(engine->policy), config->policy.port, "policy");
    if (status == 0)
        status = take_retry(config, &engine->rules);
    if (status == 0 && (engine->store.fd == NULL) != (engine->store.step == NULL))
        status = shard__fail(SHARD_EINVAL, "engine config: store '%s' has only one of fd and step", engine->store.name);
    if (status < 0)
        return status;
    engine->executor_self = config->executor_self;
    engine->store_self = config->store.self;
    engine->policy_self = config->policy.self;
    engine->rules.memory_growth = config->memory_growth == 0 ? 2 : config->memory_growth;
    engine->rules.cancel_grace_ns = seconds_or(config->cancel_grace_seconds, 120);
    engine->adjust_threshold = config->adjust_threshold == 0 ? 0.5 : config->adjust_threshold;
    engine->cluster.most_quarantined = config->most_quarantined == 0 ? 0.5 : config->most_quarantined;
    engine->lease_ns = seconds_or(config->lease_seconds, 15);
    engine->reattach_ns = seconds_or(config->reattach_seconds, 60);
    engine->step_budget = config->step_budget == 0 ? 65536 : config->step_budget;
    engine->max_events = config->max_events == 0 ? 1048576 : config->max_events;
    engine->owner = shard__strdup(engine->context, config->owner == NULL ? "libshard" : config->owner);
    return engine->owner == NULL ? SHARD_ENOMEM : 0;
}

int shard_engine_new(shard_context *context, const struct shard_engine_config *given, shard_engine **ret_engine)
{
    shard__clear_error();
    struct shard_engine_config config;
    int status = shard__take_struct(&config, sizeof(config), given, "engine config");
    if (status == 0)
        status = check_config(&config);
    if (status < 0)
        return status;
    struct shard_engine *engine = shard__zalloc(context, sizeof(*engine));
    if (engine == NULL)
        return SHARD_ENOMEM;
    engine->context = context;
    engine->epoll_fd = engine->timer_fd = engine->wake_fd = -1;
    engine->first_free_call = -1;
    engine->armed_ns = INT64_MAX;
    engine->effects.context = context;
    engine->foresight.context = context;
    shard__attempts_init(&engine->attempts, context, &engine->cluster);
    shard__stages_init(&engine->stages, context);
    status = shard__cluster_init(&engine->cluster, context);
    if (status == 0 && config.policy.port == NULL) {
        status = shard_policy_adaptive(context, NULL, &engine->own_policy);
        config.policy = engine->own_policy;
    }
    if (status == 0)
        status = take_config(engine, &config);
    if (status == 0)
        status = shard__foresight_init(&engine->foresight, context, &engine->cluster, config.predictor, config.features,
                                       config.features_self,
                                       config.keep_outcomes != 0 && engine->store.put_outcomes != NULL);
    if (status == 0)
        status = shard_sink_new(context, &engine->sink);
    if (status == 0)
        status = open_descriptors(engine);
    if (status < 0) {
        shard_engine_free(engine);
        return status;
    }
    *ret_engine = engine;
    return 0;
}

void shard_engine_free(shard_engine *engine)
{
    if (engine == NULL)
        return;
    const shard_context *context = engine->context;
    for (int32_t i = 0; i < engine->member_count; i++)
        if (engine->members[i].phase != SHARD__PHASE_FORGOTTEN)
            shard__member_free(engine, &engine->members[i]);
    for (int32_t i = 0; i < engine->effects.count; i++)
        shard__strfree(context, engine->effects.items[i].message);
    while (engine->event_count > 0) {
        shard__strfree(context, engine->events[engine->event_head].message);
        engine->event_head = engine->event_head + 1 == engine->event_capacity ? 0 : engine->event_head + 1;
        engine->event_count--;
    }
    shard__strfree(context, engine->told_message);
    shard__strfree(context, engine->owner);
    shard__release(context, engine->members, engine->member_capacity * sizeof(*engine->members));
    shard__release(context, engine->order, engine->order_capacity * sizeof(*engine->order));
    shard__release(context, engine->events, engine->event_capacity * sizeof(*engine->events));
    shard__release(context, engine->tags, engine->tag_capacity * sizeof(*engine->tags));
    shard__release(context, engine->samples, engine->sample_capacity * sizeof(*engine->samples));
    shard__release(context, engine->effects.items, engine->effects.capacity * sizeof(*engine->effects.items));
    shard__starts_free(engine);
    shard__calls_free(engine);
    if (engine->own_policy.port != NULL)
        engine->own_policy.port->destroy(engine->own_policy.self);
    shard__stages_free(&engine->stages);
    shard__attempts_free(&engine->attempts);
    shard__foresight_free(&engine->foresight);
    shard__cluster_free(&engine->cluster);
    shard_sink_free(engine->sink);
    const int descriptors[] = {engine->timer_fd, engine->wake_fd, engine->epoll_fd};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    shard__release(context, engine, sizeof(*engine));
}

int shard_engine_fd(const shard_engine *engine)
{
    return engine->epoll_fd;
}

void shard_engine_wake(shard_engine *engine)
{
    uint64_t one = 1;
    if (!atomic_exchange(&engine->woken, 1))
        while (write(engine->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}

static void take_wake(struct shard_engine *engine)
{
    uint64_t count;
    /* The flag last: a wake in between is not lost, it only makes one step more. */
    if (atomic_load(&engine->woken)) {
        while (read(engine->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
            ;
        atomic_store(&engine->woken, 0);
    }
}

/* The timer follows the next thing that time alone brings. A time that is over is as good as now. */
static void arm_timer(struct shard_engine *engine)
{
    int64_t next = engine->attempts.next_deadline_ns;
    if (engine->cluster.release_ns < next)
        next = engine->cluster.release_ns;
    for (int32_t i = 0; i < engine->order_count; i++) {
        int64_t of_member = shard__member_next_ns(engine, &engine->members[engine->order[i]]);
        if (of_member < next)
            next = of_member;
    }
    if (next == engine->armed_ns && next > engine->now_ns)
        return;
    engine->armed_ns = next;
    struct itimerspec when = {0};
    if (next != INT64_MAX) {
        /* Relative, since the context's clock need not be the system's. */
        int64_t left = next > engine->now_ns ? next - engine->now_ns : 1;
        when.it_value.tv_sec = left / 1000000000;
        when.it_value.tv_nsec = left % 1000000000;
    }
    timerfd_settime(engine->timer_fd, 0, &when, NULL);
}

/* A store that is pumped gets its turn before answers are taken, and once more to send what has been asked for. */
static int pump_store(struct shard_engine *engine)
{
    return engine->store.step == NULL ? 0 : engine->store.step(engine->store_self);
}

static int step_once(struct shard_engine *engine, int32_t *ret_progress)
{
    int status = pump_store(engine);
    if (status < 0)
        return status;
    for (int32_t i = 0; i < engine->order_count; i++)
        if (engine->members[engine->order[i]].phase == SHARD__PHASE_ACTIVE)
            shard__run_set_time(engine->members[engine->order[i]].run, engine->now_ns, engine->wall_ns);
    status = shard__take_answers(engine, ret_progress);
    if (status == 0)
        status = shard__expire_attempts(engine);
    for (int32_t i = 0; i < engine->order_count && status == 0; i++)
        status = shard__member_step(engine, engine->order[i], ret_progress);
    if (status == 0)
        status = shard__keep_quarantines(engine);
    if (status == 0)
        status = shard__call_samples(engine);
    if (status == 0)
        status = shard__call_outcomes(engine);
    if (status == 0)
        status = pump_store(engine);
    int carried = shard__carry_out(engine);
    return status < 0 ? status : carried;
}

int shard_engine_step(shard_engine *engine)
{
    shard__clear_error();
    engine->now_ns = shard__now_ns(engine->context);
    engine->wall_ns = shard__wall_ns(engine->context);
    engine->foresight.wall_ns = engine->wall_ns;
    engine->foresight.spent_ns = 0;
    take_wake(engine);
    uint64_t expired;
    if (engine->armed_ns <= engine->now_ns && read(engine->timer_fd, &expired, sizeof(expired)) > 0)
        engine->armed_ns = INT64_MAX;
    int32_t done = 0, before;
    int status;
    do {
        before = done;
        status = step_once(engine, &done);
    } while (status == 0 && done > before && done < engine->step_budget);
    arm_timer(engine);
    if (status < 0 || done > before)
        shard_engine_wake(engine); /* more is left */
    return status < 0 ? status : engine->event_count > INT32_MAX ? INT32_MAX : (int)engine->event_count;
}
