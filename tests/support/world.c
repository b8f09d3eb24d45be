/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world's time, its hosts and runs, and its loop: deliver, step when the descriptor asks for it, or let time pass.
 *
 * It is longer than 400 lines because the laws that hold in every run are checked where the world learns what happened.
 */

#include "world.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "engine/engine.h"

static int64_t clock_of(void *self, enum shard_clock_kind kind)
{
    const struct world *world = self;
    return kind == SHARD_CLOCK_WALL ? world->wall_ns : world->now_ns;
}

static void take_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    struct world *world = self;
    (void)message;
    ck_assert_msg(strcmp(id, "lifecycle") != 0, "%s", message);
    if (level > SHARD_LOG_WARNING)
        return;
    world->logs++;
    for (int i = 0; i < 32; i++)
        if (world->log_ids[i][0] == '\0' || strcmp(world->log_ids[i], id) == 0) {
            snprintf(world->log_ids[i], sizeof(world->log_ids[i]), "%s", id);
            world->log_counts[i]++;
            return;
        }
}

int world_logged(const struct world *world, const char *id)
{
    for (int i = 0; i < 32; i++)
        if (strcmp(world->log_ids[i], id) == 0)
            return world->log_counts[i];
    return 0;
}

int world_forgives(struct world *world, int status)
{
    if (status != SHARD_ENOMEM || world->forgiven >= world->tracked.failed)
        return 0;
    world->forgiven++;
    return 1;
}

static void end_policy(struct world *world)
{
    if (world->policy.port != NULL && world->policy.port->destroy != NULL)
        world->policy.port->destroy(world->policy.self);
    world->policy = (struct shard_policy_handle){0};
}

/* Again and again, as the one allocation that a test makes fail may be its own. */
static void make_policy(struct world *world)
{
    int status = 0;
    do
        if (world->policy_name != NULL)
            status = shard_policy_by_name(world->context, world->policy_name, &world->policy);
    while (status == SHARD_ENOMEM);
    ck_assert_int_eq(status, 0);
}

void world_init(struct world *world, const char *policy)
{
    memset(world, 0, sizeof(*world));
    tracked_init(&world->tracked);
    world->now_ns = INT64_C(1000000000000);
    world->wall_ns = INT64_C(1700000000000000000);
    world->volume_count = 1;
    world->random = 1;
    struct shard_context_config config = {.struct_size = sizeof(config),
                                          .alloc = tracked_alloc,
                                          .alloc_self = &world->tracked,
                                          .log = take_log,
                                          .log_self = world,
                                          .clock = clock_of,
                                          .clock_self = world};
    ck_assert_int_eq(shard_context_new(&config, &world->context), 0);
    ck_assert_int_eq(shard_memory_store_open(world->context, NULL, &world->memory), 0);
    ck_assert_int_eq(shard_sink_new(world->context, &world->memory_sink), 0);
    world->policy_name = policy;
    make_policy(world);
    world->executor = world_executor;
    world->store = world_store;
    world->config = (struct shard_engine_config){.struct_size = sizeof(world->config),
                                                 .executor = &world->executor,
                                                 .executor_self = world,
                                                 .store = {&world->store, world},
                                                 .policy = world->policy,
                                                 .owner = "world"};
}

static void drop_pending(struct world *world, int index)
{
    struct world_pending *pending = &world->pendings[index];
    if (pending->image != NULL)
        pending->image->release(pending->image);
    free(pending->starts);
    *pending = world->pendings[--world->pending_count];
}

static void end_engine(struct world *world)
{
    shard_engine_free(world->engine);
    world->engine = NULL;
    while (world->pending_count > 0)
        drop_pending(world, 0);
    for (int i = 0; i < world->run_count; i++)
        world->runs[i].id = -1;
}

void world_crash(struct world *world)
{
    end_engine(world);
    if (world->policy_name == NULL)
        return;
    /* A policy serves one engine: it dies with it. A test may have put another table in front of it. */
    end_policy(world);
    make_policy(world);
    world->config.policy.self = world->policy.self;
}

void world_free(struct world *world)
{
    end_engine(world);
    end_policy(world);
    for (int i = 0; i < world->run_count; i++) {
        shard_workflow_unref(world->runs[i].workflow);
        free(world->runs[i].tasks);
        free(world->runs[i].data_on);
    }
    world->memory.port->close(world->memory.self);
    shard_sink_free(world->memory_sink);
    free(world->attempts);
    free(world->live);
    free(world->pendings);
    tracked_context_free(&world->tracked, world->context);
}

/* ---- hosts ---- */

static void join(struct world *world, struct world_host *host)
{
    while (world->engine->cluster.volume_count < world->volume_count) {
        char name[32];
        snprintf(name, sizeof(name), "volume-%d", world->engine->cluster.volume_count);
        struct shard_volume_spec volume = {
            .struct_size = sizeof(volume), .name = name, .bytes_per_second = 1e6, .latency_seconds = 0.01};
        int status;
        do
            status = shard_engine_add_volume(world->engine, &volume);
        while (world_forgives(world, status));
        ck_assert_int_gt(status, 0);
    }
    shard_volume_id volumes[] = {host->volume, host->second_volume};
    struct shard_host_spec spec = {.struct_size = sizeof(spec),
                                   .name = host->name,
                                   .boot_id = host->boot_id,
                                   .cpu_millicores = host->cpu,
                                   .memory_bytes = host->memory,
                                   .disk_bytes = host->disk,
                                   .slots = host->slots,
                                   .speed = host->speed,
                                   .volumes = volumes,
                                   .volume_count = host->volume == 0          ? 0
                                                   : host->second_volume >= 0 ? 2
                                                                              : 1};
    do
        host->id = shard_engine_add_host(world->engine, &spec);
    while (world_forgives(world, host->id));
    ck_assert_int_ge(host->id, 0);
}

int world_add_host(struct world *world, const char *name, int64_t cpu, int64_t memory, int slots, int volume)
{
    struct world_host *host = &world->hosts[world->host_count];
    *host = (struct world_host){
        .cpu = cpu, .memory = memory, .slots = slots, .volume = volume, .second_volume = -1, .id = -1};
    snprintf(host->name, sizeof(host->name), "%s", name);
    snprintf(host->boot_id, sizeof(host->boot_id), "1");
    if (volume >= world->volume_count)
        world->volume_count = volume + 1;
    if (world->engine != NULL)
        join(world, host);
    return world->host_count++;
}

void world_lose_host(struct world *world, int index)
{
    struct world_host *host = &world->hosts[index];
    host->state = SHARD_HOST_LOST;
    for (int i = 0; i < world->live_count; i++) {
        int id = world->live[i];
        if (world->attempts[id].host != index)
            continue;
        world_end_attempt(world, id, SHARD_OUTCOME_HOST_LOST);
        world->attempts[id].is_told = 1;
        world->attempts[id].plan.reattach = WORLD_UNKNOWN;
        i--;
    }
    for (int r = 0; r < world->run_count && host->volume > 0; r++) {
        struct shard_workflow_info info = {.struct_size = sizeof(info)};
        shard_workflow_describe(world->runs[r].workflow, &info);
        for (int d = 0; d < info.data_count; d++)
            world->runs[r].data_on[d * WORLD_MOST_VOLUMES + host->volume] = 0;
    }
    int status = 0;
    do
        status = world->engine != NULL && host->id >= 0 ? shard_engine_host_lost(world->engine, host->id) : 0;
    while (world_forgives(world, status));
    ck_assert_int_eq(status, 0);
}

void world_return_host(struct world *world, int index)
{
    struct world_host *host = &world->hosts[index];
    snprintf(host->boot_id, sizeof(host->boot_id), "%d", atoi(host->boot_id) + 1);
    host->state = SHARD_HOST_UP;
    if (world->engine != NULL)
        join(world, host);
}

int world_find_host(const struct world *world, const char *name)
{
    for (int i = 0; i < world->host_count; i++)
        if (strcmp(world->hosts[i].name, name) == 0)
            return i;
    return -1;
}

void world_start(struct world *world)
{
    ck_assert_ptr_null(world->engine);
    int status;
    do
        status = shard_engine_new(world->context, &world->config, &world->engine);
    while (world_forgives(world, status));
    ck_assert_msg(status == 0, "engine: %s", shard_code_text(status));
    world->engine_number++;
    for (int i = 0; i < world->host_count; i++) {
        world->hosts[i].id = -1;
        if (world->hosts[i].state == SHARD_HOST_UP)
            join(world, &world->hosts[i]);
    }
}

shard_sink *world_engine_sink(const struct world *world)
{
    return world->engine->sink;
}

/* ---- runs ---- */

struct world_run *world_find_run(struct world *world, const char *name)
{
    for (int i = 0; i < world->run_count; i++)
        if (strcmp(world->runs[i].name, name) == 0)
            return &world->runs[i];
    return NULL;
}

struct world_task *world_task_of(struct world *world, struct world_run *run, int32_t task)
{
    (void)world;
    if (task >= run->task_capacity) {
        run->task_capacity = task * 2 + 64;
        run->tasks = realloc(run->tasks, sizeof(*run->tasks) * (size_t)run->task_capacity);
    }
    while (run->task_count <= task)
        run->tasks[run->task_count++] = (struct world_task){.last = -1, .parent = -1, .host = -1};
    return &run->tasks[task];
}

int world_submit_spec(struct world *world, shard_workflow *workflow, const struct shard_run_spec *spec)
{
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    shard_workflow_describe(workflow, &info);
    int index = world->run_count++;
    struct world_run *run = &world->runs[index];
    *run = (struct world_run){.workflow = shard_workflow_ref(workflow), .state = -1};
    snprintf(run->name, sizeof(run->name), "%s", spec->name);
    if (info.task_count > 0)
        world_task_of(world, run, info.task_count - 1);
    run->data_on = calloc((size_t)info.data_count + 1, WORLD_MOST_VOLUMES);
    for (int d = 0; d < info.data_count; d++) {
        struct shard_data_info data = {.struct_size = sizeof(data)};
        shard_workflow_data(workflow, d, &data);
        if (data.producer < 0)
            memset(&run->data_on[d * WORLD_MOST_VOLUMES], 1, WORLD_MOST_VOLUMES);
    }
    do
        run->id = shard_engine_submit(world->engine, workflow, spec);
    while (world_forgives(world, run->id));
    ck_assert_msg(run->id >= 0, "submit: %s", shard_code_text(run->id));
    return index;
}

int world_submit(struct world *world, shard_workflow *workflow, const char *name, int keep_going)
{
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = name, .keep_going = keep_going};
    return world_submit_spec(world, workflow, &spec);
}

int world_begin_bag(struct world *world, int hosts, int slots, int tasks, struct shard_task_spec spec)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        world->config.retry[i] = (struct shard_retry){100, 0.1, 1};
    for (int i = 0; i < hosts; i++) {
        char name[16];
        snprintf(name, sizeof(name), "h%d", i);
        int host = world_add_host(world, name, 1000 * (int64_t)slots, (int64_t)1 << 30, slots, 0);
        world->hosts[host].disk = (int64_t)1 << 30;
    }
    ck_assert_int_eq(shard_builder_new(world->context, "flow", &builder), 0);
    spec.struct_size = sizeof(spec);
    for (int i = 0; i < tasks; i++)
        ck_assert_int_ge(shard_builder_add_task(builder, &spec), 0);
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    world_start(world);
    int run = world_submit(world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    return run;
}

void world_resume(struct world *world, int index)
{
    struct world_run *run = &world->runs[index];
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = run->name, .keep_going = 1};
    run->ended = 0;
    do
        run->id = shard_engine_resume(world->engine, &spec);
    while (world_forgives(world, run->id));
    ck_assert_msg(run->id >= 0, "resume: %s", shard_code_text(run->id));
}

/* ---- the loop ---- */

struct world_pending *world_pend(struct world *world, double seconds, int kind, shard_token token)
{
    if (world->pending_count == world->pending_capacity) {
        world->pending_capacity = world->pending_capacity * 2 + 16;
        world->pendings = realloc(world->pendings, sizeof(*world->pendings) * (size_t)world->pending_capacity);
    }
    struct world_pending *pending = &world->pendings[world->pending_count++];
    *pending = (struct world_pending){.at_ns = world->now_ns + (seconds > 0 ? (int64_t)(seconds * 1e9) : 0),
                                      .engine = world->engine_number,
                                      .kind = kind,
                                      .token = token,
                                      .run = -1};
    return pending;
}

void world_deliver(struct world *world, struct world_pending *pending)
{
    shard_sink *sink = world->engine->sink;
    struct world_run *run = pending->run < 0 ? NULL : &world->runs[pending->run];
    int status;
    if (pending->kind == 1) {
        if (pending->code >= 0)
            run->data_on[pending->data * WORLD_MOST_VOLUMES + pending->volume] = 1;
        do
            status = shard_sink_staged(sink, pending->token, pending->code, pending->code < 0 ? "told to fail" : NULL);
        while (status == SHARD_ENOMEM);
    } else if (pending->kind == 3) {
        do
            status = shard_sink_shrunk(sink, pending->token, pending->epoch);
        while (status == SHARD_ENOMEM);
    } else if (pending->kind == 2) {
        do
            status = shard_sink_reattached(sink, pending->token, (enum shard_reattach)pending->code);
        while (status == SHARD_ENOMEM);
    } else {
        for (int i = 0; i < pending->start_count; i++)
            world_task_of(world, run, pending->starts[i][0])->startable = pending->starts[i][1];
        do
            status = shard_sink_store_answered(sink, pending->token, pending->code, pending->epoch, pending->image,
                                               pending->code < 0 ? pending->message : NULL);
        while (status == SHARD_ENOMEM);
        free(pending->starts);
    }
    ck_assert_int_eq(status, 0);
}

/* When the next unit of an attempt is done; INT64_MAX: it has told all, or tells none. */
static int64_t unit_ns(const struct world_attempt *attempt)
{
    if (!(attempt->plan.unit_seconds > 0) || attempt->end_ns == INT64_MAX)
        return INT64_MAX;
    int64_t at_ns =
        attempt->started_ns + (int64_t)((double)(attempt->units_told + 1) * attempt->plan.unit_seconds * 1e9);
    return at_ns < attempt->end_ns ? at_ns : INT64_MAX;
}

static int tell_units(struct world *world)
{
    int told = 0;
    for (int i = 0; i < world->live_count; i++) {
        struct world_attempt *attempt = &world->attempts[world->live[i]];
        if (unit_ns(attempt) > world->now_ns)
            continue;
        attempt->units_told++;
        told++;
        if (attempt->engine == world->engine_number)
            (void)shard_sink_progress(world->engine->sink, attempt->token, attempt->units_told);
    }
    return told;
}

static int64_t next_ns(const struct world *world)
{
    int64_t next = world->engine->armed_ns;
    for (int i = 0; i < world->pending_count; i++)
        if (world->pendings[i].at_ns < next)
            next = world->pendings[i].at_ns;
    for (int i = 0; i < world->live_count; i++) {
        const struct world_attempt *attempt = &world->attempts[world->live[i]];
        if (attempt->end_ns < next)
            next = attempt->end_ns;
        if (unit_ns(attempt) < next)
            next = unit_ns(attempt);
    }
    return next;
}

static int deliver_due(struct world *world)
{
    int delivered = 0;
    for (int i = 0; i < world->pending_count; i++) {
        if (world->pendings[i].at_ns > world->now_ns)
            continue;
        struct world_pending pending = world->pendings[i];
        world->pendings[i--] = world->pendings[--world->pending_count];
        world_deliver(world, &pending);
        delivered++;
    }
    for (int i = 0; i < world->live_count; i++) {
        int id = world->live[i];
        if (world->attempts[id].end_ns > world->now_ns)
            continue;
        world_end_attempt(world, id, world->attempts[id].plan.outcome);
        world_deliver_end(world, id);
        delivered++;
        i--;
    }
    delivered += tell_units(world);
    return delivered;
}

static void take_event(struct world *world, const struct shard_event *event)
{
    world->events_seen++;
    world->by_event[event->kind]++;
    if (event->kind == SHARD_EVENT_WARNING && event->message != NULL)
        snprintf(world->last_warning, sizeof(world->last_warning), "%s", event->message);
    for (int i = 0; i < world->run_count && event->kind == SHARD_EVENT_RUN_ENDED; i++) {
        struct world_run *run = &world->runs[i];
        if (run->id != event->run)
            continue;
        run->ended = 1;
        run->end = *event;
        snprintf(run->end_message, sizeof(run->end_message), "%s", event->message == NULL ? "" : event->message);
    }
    if (world->on_event != NULL)
        world->on_event(world, event);
}

/* The engine's descriptor, less the timer, which runs on the system's clock. */
static int wants_step(const struct world *world)
{
    struct pollfd items[] = {{.fd = world->engine->wake_fd, .events = POLLIN},
                             {.fd = shard_sink_fd(world->engine->sink), .events = POLLIN}};
    return poll(items, 2, 0) > 0 || world->engine->armed_ns <= world->now_ns;
}

int world_turn(struct world *world)
{
    if (deliver_due(world) == 0 && !wants_step(world)) {
        int64_t next = next_ns(world);
        if (next == INT64_MAX)
            return 0;
        world->wall_ns += next - world->now_ns;
        world->now_ns = next;
        return 1;
    }
    int status = shard_engine_step(world->engine);
    ck_assert_msg(status >= 0 || world_forgives(world, status), "step: %s", shard_code_text(status));
    world->steps++;
    struct shard_event event = {.struct_size = sizeof(event)};
    for (int pulled = 0; world->max_pull == 0 || pulled < world->max_pull; pulled++) {
        if (shard_engine_next_event(world->engine, &event) != 1)
            break;
        take_event(world, &event);
        if (world->engine == NULL)
            break;
    }
    return 1;
}

void world_fail(struct world *world, int index, const char *what)
{
    struct world_run *run = &world->runs[index];
    for (int t = 0; t < run->task_count && world->engine != NULL; t++) {
        char *text = NULL;
        if (run->tasks[t].state < SHARD_TASK_DONE && shard_engine_explain(world->engine, run->id, t, &text) == 0)
            ck_abort_msg("run '%s' %s (%d %s); stored as %s: %s", run->name, what, run->end.code, run->end_message,
                         shard_task_state_text(run->tasks[t].state), text);
    }
    ck_abort_msg("run '%s' %s at its end: %s", run->name, what, run->end_message);
}

enum shard_run_state world_finish(struct world *world, int index)
{
    int64_t most = world->steps + 200000;
    while (!world->runs[index].ended) {
        if (world_turn(world) == 0)
            world_fail(world, index, "hangs");
        if (world->steps > most)
            world_fail(world, index, "spins");
    }
    return world->runs[index].end.run_state;
}

void world_pass(struct world *world, double seconds)
{
    int64_t until_ns = world->now_ns + (int64_t)(seconds * 1e9);
    while (world->now_ns < until_ns) {
        if (deliver_due(world) > 0 || wants_step(world)) {
            world_turn(world);
            continue;
        }
        int64_t next = next_ns(world) < until_ns ? next_ns(world) : until_ns;
        world->wall_ns += next - world->now_ns;
        world->now_ns = next;
    }
    world_settle(world);
}

void world_settle(struct world *world)
{
    while (next_ns(world) <= world->now_ns || wants_step(world))
        world_turn(world);
}

/* ---- what there is to say ---- */

struct world_attempt *world_last_attempt(struct world *world, int run, int32_t task)
{
    int last = world_task_of(world, &world->runs[run], task)->last;
    return last < 0 ? NULL : &world->attempts[last];
}

enum shard_task_state world_state(struct world *world, int run, int32_t task)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world->engine, world->runs[run].id, task, &view), 0);
    return view.state;
}

int world_live_attempts(const struct world *world)
{
    return world->live_count;
}

uint64_t world_random(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random * 0x9e3779b97f4a7c15u >> 11;
}

double world_unit(struct world *world)
{
    return (double)(world_random(world) % 1000000) / 1e6;
}

/* Whether two tasks are the two subtasks of one that have its whole range both. */
static int are_replicas(const struct world_task *one, const struct world_task *other)
{
    return one->parent >= 0 && one->parent == other->parent && one->unit_begin == other->unit_begin &&
           one->unit_end == other->unit_end;
}

/* The subtasks of a task share its units without gap or overlap, or each of two has them all. */
static void check_shares(const struct world_run *run, int parent, int64_t begin, int64_t end)
{
    int count = 0, replicas = 0, done = 0;
    int64_t next = begin;
    for (int i = 0; i < run->task_count; i++) {
        const struct world_task *task = &run->tasks[i];
        if (task->parent != parent)
            continue;
        count++;
        done += task->state == SHARD_TASK_DONE;
        if (count > 1 && are_replicas(task, &run->tasks[i - 1]))
            replicas = 1;
        else if (task->unit_begin == next)
            next = task->unit_end;
        else
            ck_abort_msg("task %d has units from %lld, expected %lld", i, (long long)task->unit_begin, (long long)next);
        check_shares(run, i, task->unit_begin, task->unit_end);
    }
    ck_assert_msg(count == 0 || next == end, "the parts of task %d end at unit %lld of %lld", parent, (long long)next,
                  (long long)end);
    ck_assert_msg(run->tasks[parent].state != SHARD_TASK_DONE || done >= (replicas ? 1 : count),
                  "%d of %d parts of task %d are done", done, count, parent);
}

void world_check_done(struct world *world, int index)
{
    struct world_run *run = &world->runs[index];
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    shard_workflow_describe(run->workflow, &info);
    for (int i = 0; i < run->task_count; i++) {
        struct world_task *task = &run->tasks[i];
        if (task->state == SHARD_TASK_CANCELLED && i > 0 && i + 1 <= run->task_count &&
            ((i + 1 < run->task_count && are_replicas(task, task + 1)) || are_replicas(task, task - 1)))
            continue;
        int is_dropped = 0; /* below a replica that was not needed */
        for (int at = task->parent; at >= 0; at = run->tasks[at].parent)
            is_dropped |= run->tasks[at].state == SHARD_TASK_CANCELLED;
        if (is_dropped)
            continue;
        ck_assert_msg(task->state == SHARD_TASK_DONE, "task %d is %s", i, shard_task_state_text(task->state));
        ck_assert_int_eq(task->dones, task->remakes + 1);
    }
    for (int i = 0; i < info.task_count; i++) {
        struct shard_task_info task = {.struct_size = sizeof(task)};
        shard_workflow_task(run->workflow, i, &task);
        check_shares(run, i, 0, task.units);
    }
}

struct world_attempt *world_attempt_of(struct world *world, struct world_run *run, int32_t task, int32_t number)
{
    for (; task >= 0; task = run->tasks[task].parent)
        for (int at = run->tasks[task].last; at >= 0; at = world->attempts[at].previous)
            if (world->attempts[at].number == number)
                return &world->attempts[at];
    return NULL;
}

void world_explains(struct world *world, int run, int32_t task, const char *text)
{
    char *explanation = NULL;
    ck_assert_int_eq(shard_engine_explain(world->engine, world->runs[run].id, task, &explanation), 0);
    ck_assert_msg(strstr(explanation, text) != NULL, "'%s' is not in '%s'", text, explanation);
    shard_free(world->context, explanation);
}
