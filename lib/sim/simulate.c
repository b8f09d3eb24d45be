/* SPDX-License-Identifier: Apache-2.0 */
/* One simulation: its making, the loop that lets the engine step or time pass, and its end. */

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "sim/sim.h"

/* Where every simulation's time begins: the engine takes 0 for "not yet". The wall clock is so much ahead. */
static const int64_t BEGIN_NS = INT64_C(1000000000);
static const int64_t WALL_NS = INT64_C(1700000000000000000);

static int64_t clock_of(void *self, enum shard_clock_kind kind)
{
    const struct shard__sim *sim = self;
    return kind == SHARD_CLOCK_WALL ? WALL_NS + sim->now_ns : sim->now_ns;
}

int shard__sim_push(struct shard__sim *sim, double seconds, const struct shard__sim_event *event)
{
    int32_t at = sim->free_event;
    if (at >= 0)
        sim->free_event = sim->events[at].subject;
    else if (shard__grow(sim->context, &sim->events, &sim->event_capacity, (size_t)sim->event_count + 1,
                         sizeof(*sim->events)) < 0)
        return SHARD_ENOMEM;
    else
        at = sim->event_count++;
    sim->events[at] = *event;
    double when = (double)sim->now_ns + ceil(seconds * 1e9);
    if (shard__heap_push(sim->context, &sim->queue, when, at) == 0)
        return 0;
    sim->events[at].subject = sim->free_event;
    sim->free_event = at;
    return SHARD_ENOMEM;
}

static int submit(struct shard__sim *sim)
{
    struct shard_run_spec spec = {.struct_size = sizeof(spec),
                                  .name = sim->config->run == NULL ? "simulated" : sim->config->run,
                                  .keep_going = 1,
                                  .wait_for_hosts = 1};
    shard_run_id run = shard_engine_submit(sim->engine, sim->workflow, &spec);
    sim->answered = 1;
    return run < 0 ? run : 0;
}

static int happen(struct shard__sim *sim, const struct shard__sim_event *event)
{
    sim->result.events++;
    switch (event->kind) {
    case SHARD__SIM_SUBMIT:
        return submit(sim);
    case SHARD__SIM_ATTEMPT:
        return shard__sim_attempt_is_due(sim, event->subject, event->generation);
    case SHARD__SIM_SAMPLES:
        return shard__sim_samples(sim);
    case SHARD__SIM_STAGED:
        sim->answered = 1;
        if (shard__sim_data_is_on(sim, event->subject, event->generation) < 0)
            return SHARD_ENOMEM;
        return shard_sink_staged(sim->engine->sink, event->token, 0, NULL);
    case SHARD__SIM_SICKEN:
    case SHARD__SIM_PREEMPT:
    case SHARD__SIM_RETURN:
    case SHARD__SIM_OUTAGE:
    case SHARD__SIM_LOAD:
        return shard__sim_live(sim, event);
    }
    return 0;
}

/* All that happens at one instant. */
static int happen_now(struct shard__sim *sim)
{
    int status = 0;
    while (status == 0 && sim->queue.count > 0 && sim->queue.items[0].key <= (double)sim->now_ns) {
        int32_t at = shard__heap_pop(&sim->queue).id;
        struct shard__sim_event event = sim->events[at];
        sim->events[at].subject = sim->free_event;
        sim->free_event = at;
        status = happen(sim, &event);
    }
    return status;
}

static void take_event(struct shard__sim *sim, const struct shard_event *event)
{
    if (event->kind == SHARD_EVENT_RUN_STARTED)
        sim->started_ns = sim->now_ns;
    if (event->kind == SHARD_EVENT_RUN_ENDED) {
        sim->has_ended = 1;
        sim->ended_ns = sim->now_ns;
        sim->result.run_state = event->run_state;
        if (event->code < 0)
            sim->status = shard__fail(event->code, "%s", event->message == NULL ? "the run ended" : event->message);
    }
    if (sim->config->on_event != NULL)
        sim->config->on_event(sim->config->on_event_self, event);
}

static int step(struct shard__sim *sim)
{
    sim->answered = 0;
    int status = shard_engine_step(sim->engine);
    struct shard_event event = {.struct_size = sizeof(event)};
    while (status >= 0 && shard_engine_next_event(sim->engine, &event) == 1)
        take_event(sim, &event);
    return status < 0 ? status : sim->status;
}

/* Nothing ran and nothing ended for so long that nothing will: a day, which no wait of a policy exceeds. */
static int stuck(struct shard__sim *sim)
{
    static const double DAY_NS = 86400e9;
    double limit = sim->config->max_seconds > 0 ? sim->config->max_seconds : 365 * 86400.0;
    if ((double)(sim->now_ns - BEGIN_NS) <= limit * 1e9 &&
        (sim->running > 0 || (double)(sim->now_ns - sim->progress_ns) < DAY_NS))
        return 0;
    struct shard_run_info info = {.struct_size = sizeof(info)};
    shard_engine_run(sim->engine, 0, &info);
    return shard__fail(SHARD_ESTATE, "the simulated run is stuck after %.0f s: %d tasks ready, %d blocked, %d running",
                       (double)(sim->now_ns - BEGIN_NS) / 1e9, info.by_state[SHARD_TASK_READY],
                       info.by_state[SHARD_TASK_BLOCKED], info.by_state[SHARD_TASK_RUNNING]);
}

static int loop(struct shard__sim *sim)
{
    int status = 0;
    while (status >= 0 && !sim->has_ended) {
        if (sim->answered || atomic_load(&sim->engine->woken) || sim->engine->armed_ns <= sim->now_ns) {
            status = step(sim);
            continue;
        }
        double next = sim->queue.count > 0 ? sim->queue.items[0].key : INFINITY;
        if (next > (double)sim->engine->armed_ns)
            next = (double)sim->engine->armed_ns;
        if (next > (double)sim->now_ns)
            sim->now_ns = (int64_t)next;
        status = stuck(sim);
        if (status == 0)
            status = happen_now(sim);
        if (status == 0)
            status = sim->status;
    }
    return status < 0 ? status : 0;
}

static int make_engine(struct shard__sim *sim)
{
    struct shard_engine_config config = {.struct_size = sizeof(config)};
    if (sim->config->engine != NULL) {
        int status = shard__take_struct(&config, sizeof(config), sim->config->engine, "engine config");
        if (status < 0)
            return status;
        config.struct_size = sizeof(config);
    }
    if (config.store.port == NULL) {
        int status = shard_memory_store_open(sim->context, NULL, &sim->store);
        if (status < 0)
            return status;
        config.store = sim->store;
    }
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        if (config.retry[i].budget == 0)
            config.retry[i].budget = 254;
    config.executor = &shard__sim_executor;
    config.executor_self = sim;
    config.policy = sim->config->policy;
    if (sim->config->oracle)
        config.predictor = shard__sim_oracle(sim);
    if (config.lease_seconds == 0)
        config.lease_seconds = 86400; /* nobody else is there; renewals would only be events */
    return shard_engine_new(sim->context, &config, &sim->engine);
}

static int begin(struct shard__sim *sim)
{
    int status = shard__sim_draw_tasks(sim);
    if (status == 0)
        status = shard__sim_draw_hosts(sim);
    if (status == 0 && sim->config->oracle)
        status = shard__sim_key_names(sim);
    if (status == 0)
        status = make_engine(sim);
    if (status == 0)
        status = shard__sim_begin_lives(sim);
    struct shard__sim_event event = {.kind = SHARD__SIM_SUBMIT};
    return status < 0 ? status : shard__sim_push(sim, sim->scenario->watched_seconds, &event);
}

static void finish(struct shard__sim *sim)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    sim->result.makespan_seconds = (double)(sim->ended_ns - sim->started_ns) / 1e9;
    sim->result.lower_bound_seconds = shard__sim_lower_bound(sim);
    if (shard_engine_run(sim->engine, 0, &info) == 0)
        sim->result.task_count = info.task_count;
}

static void end(struct shard__sim *sim)
{
    shard_engine_free(sim->engine);
    if (sim->store.port != NULL)
        sim->store.port->close(sim->store.self);
    shard__sim_attempts_free(sim);
    shard__heap_free(sim->context, &sim->queue);
    shard__release(sim->context, sim->events, sim->event_capacity * sizeof(*sim->events));
    shard__release(sim->context, sim->tasks, sizeof(*sim->tasks) * (size_t)(sim->task_count + 1));
    shard__release(sim->context, sim->kinds, sizeof(*sim->kinds) * (size_t)(sim->kind_count + 1));
    shard__intmap_free(sim->context, &sim->kind_of);
    shard__intmap_free(sim->context, &sim->host_of);
    shard__intmap_free(sim->context, &sim->data_on);
    shard__release(sim->context, sim->hosts, sizeof(*sim->hosts) * (size_t)sim->host_count);
}

static int check(const struct shard_sim_config *config, const shard_workflow *workflow)
{
    if (workflow == NULL)
        return shard__fail(SHARD_EINVAL, "simulation: workflow is missing");
    if (config->scenario == NULL)
        return shard__fail(SHARD_EINVAL, "simulation: scenario is missing");
    if (config->policy.port == NULL)
        return shard__fail(SHARD_EINVAL, "simulation: policy is missing");
    if (config->hosts < 0 || !(config->max_seconds >= 0))
        return shard__fail(SHARD_EINVAL, "simulation: hosts or max_seconds is negative");
    return 0;
}

int shard_simulate(shard_context *context, shard_workflow *workflow, const struct shard_sim_config *given,
                   struct shard_sim_result *ret_result)
{
    shard__clear_error();
    struct shard_sim_config config;
    int status = shard__take_struct(&config, sizeof(config), given, "simulation config");
    if (status == 0)
        status = check(&config, workflow);
    if (status < 0)
        return status;
    struct shard__sim sim = {.own = *context,
                             .scenario = config.scenario,
                             .workflow = workflow,
                             .config = &config,
                             .now_ns = BEGIN_NS,
                             .progress_ns = BEGIN_NS,
                             .seed = shard__sim_mix(config.seed, 0x5eed),
                             .free_attempt = -1,
                             .free_event = -1};
    sim.own.config.clock = clock_of;
    sim.own.config.clock_self = &sim;
    sim.own.config.offload = NULL;
    sim.own.config.seed = sim.seed;
    sim.context = &sim.own;
    sim.result.struct_size = sizeof(sim.result);
    shard__random_seed(&sim.random, shard__sim_mix(sim.seed, 0x5a3b));
    status = begin(&sim);
    if (status == 0)
        status = loop(&sim);
    if (status == 0)
        finish(&sim);
    end(&sim);
    return status < 0 ? status : shard__give_struct(ret_result, &sim.result, sizeof(sim.result), "simulation result");
}
