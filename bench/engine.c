/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine itself costs: a DAG of N tasks with three predecessors each runs on 1,000 hosts with an executor that
 * does nothing, the memory store, records, reasons and events on, in one thread. CPU time from submit to the end of the
 * run, and the peak of all memory, workflow included, both per task. The peer is StarPU with empty codelets on the same
 * DAG and one worker, its own bookkeeping timed the same way.
 *
 * usage: engine [POLICY [TASKS...]]
 */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "engine_peer.h"
#include "measure.h"

enum { HOSTS = 1000, SLOTS = 16, RUNS = 5 };

struct counter {
    size_t now, peak;
};

static void *counting_alloc(void *self, void *ptr, size_t old_size, size_t new_size)
{
    struct counter *counter = self;
    counter->now += new_size - (ptr == NULL ? 0 : old_size);
    if (counter->now > counter->peak)
        counter->peak = counter->now;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

/* The executor that does nothing: every attempt is done at once. */
static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *attempt)
{
    (void)self;
    (void)attempt;
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = SHARD_OUTCOME_DONE, .seconds = 1};
    return shard_sink_attempt_ended(sink, token, &end);
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    (void)self;
    (void)token;
    (void)reason;
}

static const struct shard_executor nothing = {
    .struct_size = sizeof(struct shard_executor), .name = "nothing", .start = start, .cancel = cancel};

static void must(int status, const char *what)
{
    bench_check("engine", status, what);
}

static shard_workflow *build(shard_context *context, int32_t tasks)
{
    shard_builder *builder;
    must(shard_builder_new(context, "bench", &builder), "builder");
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .cpu_millicores = 1000, .expected_seconds = 1};
    for (int32_t i = 0; i < tasks; i++) {
        must(shard_builder_add_task(builder, &spec), "task");
        for (int k = 0; k < 3; k++) {
            int32_t from = bench_predecessor(i, k);
            if (from >= 0)
                must(shard_builder_add_edge(builder, from, i), "edge");
        }
    }
    shard_workflow *workflow;
    must(shard_builder_seal(builder, &workflow), "seal");
    shard_builder_free(builder);
    return workflow;
}

static void add_hosts(shard_engine *engine)
{
    for (int i = 0; i < HOSTS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "host-%d", i);
        struct shard_host_spec host = {
            .struct_size = sizeof(host), .name = name, .cpu_millicores = SLOTS * 1000, .slots = SLOTS};
        must(shard_engine_add_host(engine, &host), "host");
    }
}

/* Runs to the end; gives the events that were pulled. */
static int64_t run_to_end(shard_engine *engine)
{
    int64_t events = 0;
    for (;;) {
        must(shard_engine_step(engine), "step");
        struct shard_event event = {.struct_size = sizeof(event)};
        while (shard_engine_next_event(engine, &event) == 1) {
            events++;
            if (event.kind == SHARD_EVENT_RUN_ENDED) {
                if (event.run_state != SHARD_RUN_DONE) {
                    fprintf(stderr, "engine: the run ended %s\n", shard_run_state_text((int)event.run_state));
                    exit(1);
                }
                return events;
            }
        }
        struct pollfd item = {.fd = shard_engine_fd(engine), .events = POLLIN};
        poll(&item, 1, -1);
    }
}

struct figures {
    double build_ns, run_ns, bytes;
};

static struct figures measure(const char *policy_name, int32_t tasks)
{
    struct counter counter = {0};
    struct shard_context_config config = {
        .struct_size = sizeof(config), .alloc = counting_alloc, .alloc_self = &counter, .seed = 1};
    shard_context *context;
    must(shard_context_new(&config, &context), "context");
    struct shard_store_handle store;
    must(shard_memory_store_open(context, NULL, &store), "store");
    struct shard_policy_handle policy;
    must(shard_policy_by_name(context, policy_name, &policy), "policy");
    struct shard_engine_config engine_config = {
        .struct_size = sizeof(engine_config), .executor = &nothing, .store = store, .policy = policy};
    shard_engine *engine;
    must(shard_engine_new(context, &engine_config, &engine), "engine");
    add_hosts(engine);
    size_t before = counter.now;
    double at = bench_cpu_ns();
    shard_workflow *workflow = build(context, tasks);
    double built = bench_cpu_ns();
    counter.peak = counter.now; /* the builder's own peak is over before the run begins */
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "bench"};
    must(shard_engine_submit(engine, workflow, &spec), "submit");
    run_to_end(engine);
    double ran = bench_cpu_ns();
    struct figures figures = {(built - at) / tasks, (ran - built) / tasks, (double)(counter.peak - before) / tasks};
    shard_engine_free(engine);
    policy.port->destroy(policy.self);
    store.port->close(store.self);
    shard_workflow_unref(workflow);
    shard_context_free(context);
    return figures;
}

static void compare(const char *policy, int32_t tasks)
{
    double build_ns[RUNS], run_ns[RUNS], peer_ns[RUNS], bytes = 0, peer_bytes = NAN;
    for (int i = 0; i < RUNS; i++) { /* A B A B */
        struct figures ours = measure(policy, tasks);
        build_ns[i] = ours.build_ns;
        run_ns[i] = ours.run_ns;
        bytes = ours.bytes;
        peer_ns[i] = bench_peer_ns(tasks, &peer_bytes);
    }
    char name[64];
    snprintf(name, sizeof(name), "%s, %" PRId32 " tasks", policy, tasks);
    bench_row("engine", name, bench_median(run_ns, RUNS), bench_median(peer_ns, RUNS), "CPU ns a task, submit to done",
              RUNS);
    bench_row("engine", name, bench_median(build_ns, RUNS), NAN, "CPU ns a task, build and seal", RUNS);
    bench_row("engine", name, bytes, peer_bytes, "bytes a task, workflow included", RUNS);
}

int main(int argc, char **argv)
{
    static const int32_t sizes[] = {10000, 100000, 1000000};
    static const char *const policies[] = {"least_loaded", "round_robin", "heft", "exclude_after_failures"};
    bench_header("engine", bench_peer_name());
    if (argc > 1) {
        for (int i = 2; i < argc; i++)
            compare(argv[1], atoi(argv[i]));
        for (size_t i = 0; argc == 2 && i < sizeof(sizes) / sizeof(sizes[0]); i++)
            compare(argv[1], sizes[i]);
        return 0;
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        compare(policies[0], sizes[i]);
    for (size_t i = 1; i < sizeof(policies) / sizeof(policies[0]); i++)
        compare(policies[i], sizes[2]);
    return 0;
}
