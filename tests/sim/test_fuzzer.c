/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that decides at random, and answers rubbish now and then, on simulated clusters where everything goes wrong.
 * Whatever it says, each invariant holds in the stream of records as a store takes it: transitions are of the
 * lifecycle, no dependency, data gate, capacity, quarantine or fence is broken, each unit is done exactly once, and the
 * run ends. Where data lies is not in records: the simulated executor refuses to start what has not its inputs, which
 * ends the simulation.
 *
 * usage: test_fuzzer [SEED [DECISIONS]]; without arguments a few decisions, as a test.
 *
 * It is longer than 400 lines because the checker, the policy and the scenarios are one thought: what is drawn here is
 * what must not be believed there.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

/* A task as its records tell it. */
struct task {
    int state, attempt;
    int32_t parent;
    int64_t begin, end; /* units; of a task of the workflow: 0 and its units */
    int dones;
    int64_t memory, cpu; /* that its running attempt holds */
    int host;
    int32_t before; /* the task whose attempt runs before its own in one container; -1: it holds what it asks for */
};

/* A host as records tell it, and as the policy was told of its state. */
struct host {
    int running, is_up;
    int64_t memory, cpu;
};
enum { MOST_HOSTS = 32 };

struct fuzz {
    uint64_t random;
    int64_t decisions, rubbish, records, starts, together;
    struct shard_store_handle memory; /* where records go */
    shard_workflow *workflow;
    struct task *tasks;
    int32_t task_count, task_capacity;
    int32_t workflow_tasks;
    int64_t epoch;
    int64_t last_seq;
    int run_state;
    uint64_t seed;
    struct host hosts[MOST_HOSTS]; /* by N of "host-N" */
    int host_of[MOST_HOSTS];       /* by number of the records */
    int slots;                     /* of each host, and its memory */
    int64_t memory_bytes;
};

static uint64_t draw(struct fuzz *fuzz)
{
    uint64_t z = (fuzz->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t below(struct fuzz *fuzz, int64_t bound)
{
    return (int64_t)(draw(fuzz) % (uint64_t)bound);
}

static void broken(const struct fuzz *fuzz, const char *what, int32_t task)
{
    printf("Bail out! seed %" PRIu64 ", record %" PRId64 ", task %d: %s\n", fuzz->seed, fuzz->records, task, what);
    exit(1);
}

static void must(const struct fuzz *fuzz, int holds, const char *what, int32_t task)
{
    if (!holds)
        broken(fuzz, what, task);
}

/* ---- the policy ---- */

static double strange(struct fuzz *fuzz)
{
    static const double numbers[] = {-1, 0, 1e-300, 1, 1e300, -1e300};
    int64_t at = below(fuzz, 9);
    return at < 6 ? numbers[at] : at == 6 ? (double)NAN : at == 7 ? (double)INFINITY : -(double)INFINITY;
}

static void fill_rubbish(struct fuzz *fuzz, struct shard_decision *decision)
{
    fuzz->rubbish++;
    decision->kind = (enum shard_decision_kind)below(fuzz, 12);
    decision->host = (shard_host_id)(below(fuzz, 2) ? below(fuzz, 200) - 100 : (int64_t)(int32_t)draw(fuzz));
    decision->parts = below(fuzz, 3) == 0 ? (int32_t)draw(fuzz) : (int32_t)below(fuzz, 40) - 20;
    decision->keep_units = (int64_t)(draw(fuzz) >> below(fuzz, 64)) - 3;
    decision->wait_seconds = strange(fuzz);
    decision->memory_bytes = (int64_t)draw(fuzz);
    decision->p_fail = strange(fuzz);
    decision->expected_seconds = strange(fuzz);
    decision->reason = (enum shard_reason_code)below(fuzz, 100);
    decision->value = strange(fuzz);
    decision->limit = strange(fuzz);
    decision->with = (int32_t)draw(fuzz);
}

static void annoy_hosts(struct fuzz *fuzz, const shard_view *view)
{
    if (below(fuzz, 200) == 0)
        shard_view_quarantine(view, (shard_host_id)(below(fuzz, 40) - 5),
                              below(fuzz, 4) == 0 ? strange(fuzz) : (double)below(fuzz, 100));
}

static shard_host_id open_host(struct fuzz *fuzz, const shard_view *view)
{
    const shard_host_id *open;
    int32_t count = shard_view_open_hosts(view, &open);
    return count > 0 ? open[below(fuzz, count)] : 0;
}

static double rank(void *self, const shard_view *view, shard_task_id task)
{
    struct fuzz *fuzz = self;
    (void)view;
    return below(fuzz, 20) == 0 ? strange(fuzz) : (double)((task * 7919) % 101);
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct fuzz *fuzz = self;
    (void)task;
    fuzz->decisions++;
    annoy_hosts(fuzz, view);
    int64_t what = below(fuzz, 100);
    if (what < 5) {
        fill_rubbish(fuzz, ret_decision);
    } else if (what < 8) {
        ret_decision->kind = SHARD_DECIDE_SPLIT;
        ret_decision->parts = 2 + (int32_t)below(fuzz, 6);
    } else if (what < 12) {
        ret_decision->kind = SHARD_DECIDE_WAIT;
        ret_decision->wait_seconds = (double)below(fuzz, 30);
    } else {
        ret_decision->kind = SHARD_DECIDE_START;
        ret_decision->host = open_host(fuzz, view);
        if (below(fuzz, 20) == 0)
            ret_decision->memory_bytes = below(fuzz, INT64_C(1) << 34);
        if (below(fuzz, 3) == 0)
            ret_decision->with = (int32_t)below(fuzz, 8);
    }
    return below(fuzz, 1000) == 0 ? SHARD_EINVAL : 0;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct fuzz *fuzz = self;
    (void)task;
    int64_t what = below(fuzz, 400);
    fuzz->decisions += what < 12; /* leaving it alone is none */
    if (what == 0) {
        fill_rubbish(fuzz, ret_decision);
    } else if (what < 3) {
        ret_decision->kind = SHARD_DECIDE_MOVE;
        ret_decision->host = open_host(fuzz, view);
    } else if (what < 8) {
        ret_decision->kind = SHARD_DECIDE_SPLIT;
        ret_decision->parts = 2 + (int32_t)below(fuzz, 3);
        ret_decision->keep_units = below(fuzz, 3);
    } else if (what < 12) {
        ret_decision->kind = SHARD_DECIDE_REPLICATE;
        ret_decision->host = open_host(fuzz, view);
    }
    return 0;
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct fuzz *fuzz = self;
    (void)task;
    (void)host;
    (void)outcome;
    fuzz->decisions++;
    annoy_hosts(fuzz, view);
    int64_t what = below(fuzz, 40);
    if (what == 0) {
        fill_rubbish(fuzz, ret_decision);
        if (ret_decision->kind == SHARD_DECIDE_GIVE_UP && below(fuzz, 4) != 0)
            ret_decision->kind = SHARD_DECIDE_WAIT;
    } else if (what < 8) {
        ret_decision->kind = SHARD_DECIDE_ESCALATE;
        ret_decision->memory_bytes = below(fuzz, INT64_C(1) << 33);
    } else if (what < 14) {
        ret_decision->kind = SHARD_DECIDE_SPLIT;
        ret_decision->parts = 2 + (int32_t)below(fuzz, 4);
    } else if (what < 25) {
        ret_decision->kind = SHARD_DECIDE_WAIT;
        ret_decision->wait_seconds = (double)below(fuzz, 10);
    }
    return 0;
}

static int number_of(const struct fuzz *fuzz, const char *name)
{
    int number = -1;
    must(fuzz, sscanf(name, "host-%d", &number) == 1 && number >= 0 && number < MOST_HOSTS, "a host has another name",
         -1);
    return number;
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct fuzz *fuzz = self;
    struct shard_host_view about = {.struct_size = sizeof(about)};
    if (shard_view_host(view, host, &about) == 0)
        fuzz->hosts[number_of(fuzz, about.name)].is_up = about.state == SHARD_HOST_UP;
}

static const struct shard_policy policy = {.struct_size = sizeof(policy),
                                           .name = "fuzzer",
                                           .rank = rank,
                                           .place = place,
                                           .review = review,
                                           .after_failure = after_failure,
                                           .host_changed = host_changed};

/* ---- the checker: a store between the engine and the memory store ---- */

static struct task *task_of(struct fuzz *fuzz, int32_t id)
{
    while (id >= fuzz->task_capacity) {
        fuzz->task_capacity = fuzz->task_capacity * 2 + 64;
        fuzz->tasks = realloc(fuzz->tasks, sizeof(*fuzz->tasks) * (size_t)fuzz->task_capacity);
        if (fuzz->tasks == NULL)
            abort();
    }
    while (fuzz->task_count <= id) {
        struct task *task = &fuzz->tasks[fuzz->task_count];
        *task = (struct task){.parent = -1, .before = -1};
        if (fuzz->task_count < fuzz->workflow_tasks) {
            struct shard_task_info info = {.struct_size = sizeof(info)};
            shard_workflow_task(fuzz->workflow, fuzz->task_count, &info);
            task->end = info.units > 1 ? info.units : 1;
        }
        fuzz->task_count++;
    }
    return &fuzz->tasks[id];
}

static int32_t origin_of(struct fuzz *fuzz, int32_t id)
{
    while (task_of(fuzz, id)->parent >= 0)
        id = task_of(fuzz, id)->parent;
    return id;
}

/* All predecessors of the task in the workflow are done (or were, where lost data is made again). */
static void check_dependencies(struct fuzz *fuzz, int32_t id)
{
    int32_t before[64], origin = origin_of(fuzz, id);
    int32_t count = shard_workflow_predecessors(fuzz->workflow, origin, before, 64);
    for (int32_t i = 0; i < count && i < 64; i++)
        must(fuzz, task_of(fuzz, before[i])->dones > 0, "starts before a predecessor is done", id);
}

static void check_subtask(struct fuzz *fuzz, const struct shard_record *record)
{
    struct task *parent = task_of(fuzz, record->parent), *task = task_of(fuzz, record->task);
    parent = task_of(fuzz, record->parent);
    must(fuzz, record->parent < record->task, "is made before its parent", record->task);
    must(fuzz,
         record->unit_begin >= parent->begin && record->unit_end <= parent->end &&
             record->unit_begin < record->unit_end,
         "has units that are not its parent's", record->task);
    task->parent = record->parent;
    task->begin = record->unit_begin;
    task->end = record->unit_end;
}

/* What an attempt holds of its host is no more than the host has. */
static void hold(struct fuzz *fuzz, int32_t id)
{
    const struct task *task = task_of(fuzz, id);
    struct host *host = &fuzz->hosts[task->host];
    host->running++;
    host->memory += task->memory;
    host->cpu += task->cpu;
    must(fuzz, host->running <= fuzz->slots && host->memory <= fuzz->memory_bytes && host->cpu <= fuzz->slots * 1000,
         "starts on a host that has no room for it", id);
}

/* The task whose attempt runs just after that of another in its container; -1: none. */
static int32_t task_behind(const struct fuzz *fuzz, int32_t id)
{
    for (int32_t i = 0; i < fuzz->task_count; i++)
        if (fuzz->tasks[i].state == SHARD_TASK_RUNNING && fuzz->tasks[i].before == id)
            return i;
    return -1;
}

/* The host is up when it is placed, and has room; in a container that has begun before, what that has will do. */
static void check_start(struct fuzz *fuzz, const struct shard_record *record, int is_kept)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    int32_t origin = origin_of(fuzz, record->task);
    shard_workflow_task(fuzz->workflow, origin, &info);
    must(fuzz, record->host >= 0 && record->host < MOST_HOSTS, "starts on a host that nobody named", record->task);
    struct task *task = task_of(fuzz, record->task);
    task->host = fuzz->host_of[record->host];
    task->memory = record->memory_bytes > 0 ? record->memory_bytes : info.memory_bytes;
    task->cpu = info.cpu_millicores;
    must(fuzz, is_kept || fuzz->hosts[task->host].is_up, "starts on a host that is not up", record->task);
    task->before = is_kept ? task_of(fuzz, record->parent)->before : -1;
    if (is_kept && task_behind(fuzz, record->parent) >= 0)
        fuzz->tasks[task_behind(fuzz, record->parent)].before = record->task;
    if (record->reason == SHARD_REASON_SHARES_LAUNCH) {
        task->before = (int32_t)record->value;
        const struct task *before = task_of(fuzz, task->before);
        task = task_of(fuzz, record->task);
        must(fuzz,
             before->state == SHARD_TASK_RUNNING && before->host == task->host && before->memory == task->memory &&
                 before->cpu == task->cpu,
             "is behind one that asks for something else, or does not run there", record->task);
        fuzz->together++;
    }
    if (task->before < 0)
        hold(fuzz, record->task);
}

static void let_go(struct fuzz *fuzz, int32_t id)
{
    const struct task *task = &fuzz->tasks[id];
    struct host *host = &fuzz->hosts[task->host];
    if (task->before >= 0)
        return;
    host->running--;
    host->memory -= task->memory;
    host->cpu -= task->cpu;
}

/* What runs behind a task that has ended stands where that stood. */
static void move_up(struct fuzz *fuzz, int32_t id)
{
    int32_t behind = task_behind(fuzz, id);
    if (behind < 0)
        return;
    fuzz->tasks[behind].before = fuzz->tasks[id].before;
    if (fuzz->tasks[behind].before < 0)
        hold(fuzz, behind);
}

static void check_task(struct fuzz *fuzz, const struct shard_record *record)
{
    struct task *task = task_of(fuzz, record->task);
    if (record->from == SHARD_TASK_NONE && record->parent >= 0) {
        check_subtask(fuzz, record);
        task = task_of(fuzz, record->task);
    }
    must(fuzz, record->attempt >= task->attempt, "has an attempt that is older than its last", record->task);
    /* A subtask that runs from its first record on goes on with the attempt of its parent. */
    int is_kept = record->from == SHARD_TASK_NONE && record->parent >= 0 && record->to == SHARD_TASK_RUNNING;
    /* One that is split while it runs leaves its place to its first subtask, if that goes on with its attempt. */
    if (task->state == SHARD_TASK_RUNNING) {
        let_go(fuzz, record->task);
        if (record->to != SHARD_TASK_SPLIT)
            move_up(fuzz, record->task);
    }
    if (record->from == SHARD_TASK_NONE && record->parent >= 0 && !is_kept)
        move_up(fuzz, record->parent);
    if (record->to == SHARD_TASK_RUNNING) {
        check_start(fuzz, record, is_kept);
        task = task_of(fuzz, record->task);
    }
    if (record->to == SHARD_TASK_RUNNING && !is_kept) {
        must(fuzz, record->attempt == task->attempt + 1, "starts under a number that is not its next", record->task);
        check_dependencies(fuzz, record->task);
        fuzz->starts++;
    }
    must(fuzz, !(task->state == SHARD_TASK_DONE && record->to == SHARD_TASK_DONE), "is done twice", record->task);
    must(fuzz, task->state != SHARD_TASK_CANCELLED && task->state != SHARD_TASK_SKIPPED, "goes on after its end",
         record->task);
    task->dones += record->to == SHARD_TASK_DONE;
    task->state = record->to;
    task->attempt = record->attempt;
}

static void name_host(struct fuzz *fuzz, const struct shard_record *record)
{
    char name[64];
    snprintf(name, sizeof(name), "%.*s", record->detail_bytes, record->detail);
    must(fuzz, record->host >= 0 && record->host < MOST_HOSTS, "a host has a number that is too large", -1);
    fuzz->host_of[record->host] = number_of(fuzz, name);
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *commit)
{
    struct fuzz *fuzz = self;
    must(fuzz, commit->epoch == fuzz->epoch || fuzz->epoch == 0, "a commit carries another epoch", -1);
    fuzz->epoch = commit->epoch;
    for (int32_t i = 0; i < commit->record_count; i++) {
        const struct shard_record *record = &commit->records[i];
        fuzz->records++;
        must(fuzz, record->seq == fuzz->last_seq + 1, "a record is out of order", record->task);
        fuzz->last_seq = record->seq;
        if (record->type == SHARD_RECORD_TASK)
            check_task(fuzz, record);
        else if (record->type == SHARD_RECORD_HOST)
            name_host(fuzz, record);
        else if (record->type == SHARD_RECORD_RUN)
            fuzz->run_state = record->to;
    }
    return fuzz->memory.port->commit(fuzz->memory.self, sink, token, commit);
}

static int create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create)
{
    struct fuzz *fuzz = self;
    return fuzz->memory.port->create(fuzz->memory.self, sink, token, create);
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *name, const char *owner, int64_t ms)
{
    struct fuzz *fuzz = self;
    return fuzz->memory.port->acquire(fuzz->memory.self, sink, token, name, owner, ms);
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch, int64_t ms)
{
    struct fuzz *fuzz = self;
    return fuzz->memory.port->renew(fuzz->memory.self, sink, token, name, epoch, ms);
}

static int release(void *self, shard_sink *sink, shard_token token, const char *name, int64_t epoch)
{
    struct fuzz *fuzz = self;
    return fuzz->memory.port->release(fuzz->memory.self, sink, token, name, epoch);
}

static int load(void *self, shard_sink *sink, shard_token token, const char *name, enum shard_load_flags flags)
{
    struct fuzz *fuzz = self;
    return fuzz->memory.port->load(fuzz->memory.self, sink, token, name, flags);
}

static const struct shard_store store = {.struct_size = sizeof(store),
                                         .name = "checker",
                                         .create = create,
                                         .acquire = acquire,
                                         .renew = renew,
                                         .release = release,
                                         .commit = commit,
                                         .load = load};

/* ---- what must be true in the end ---- */

static int compare_ranges(const void *a, const void *b)
{
    const struct task *const *left = a, *const *right = b;
    return (*left)->begin < (*right)->begin ? -1 : (*left)->begin > (*right)->begin;
}

/* The leaves below a task that are done cover each of its units once: a join of parts all of them, one of replicas one.
 */
static void check_units(struct fuzz *fuzz)
{
    struct task **done = calloc((size_t)fuzz->task_count + 1, sizeof(struct task *));
    if (done == NULL)
        abort();
    /* Subtasks follow one another by parent: those of one parent are neighbours. */
    for (int32_t i = fuzz->workflow_tasks; i < fuzz->task_count;) {
        int32_t parent = fuzz->tasks[i].parent, count = 0;
        for (; i < fuzz->task_count && fuzz->tasks[i].parent == parent; i++)
            if (fuzz->tasks[i].state == SHARD_TASK_DONE)
                done[count++] = &fuzz->tasks[i];
        if (fuzz->tasks[parent].state != SHARD_TASK_DONE)
            continue;
        qsort(done, (size_t)count, sizeof(struct task *), compare_ranges);
        int64_t at = fuzz->tasks[parent].begin;
        for (int32_t k = 0; k < count; k++) {
            must(fuzz, done[k]->begin == at, "units are left out or done twice below this task", parent);
            at = done[k]->end;
        }
        must(fuzz, at == fuzz->tasks[parent].end, "units are left out at the end of this task", parent);
    }
    free(done);
}

static void check_end(struct fuzz *fuzz, const struct shard_sim_result *result)
{
    must(fuzz, result->run_state == SHARD_RUN_DONE || result->run_state == SHARD_RUN_FAILED,
         "the run ended in a state that nobody asked for", -1);
    must(fuzz, fuzz->run_state == (int)result->run_state, "the store has another end than the events", -1);
    for (int32_t i = 0; i < fuzz->workflow_tasks && result->run_state == SHARD_RUN_DONE; i++)
        must(fuzz, task_of(fuzz, i)->state == SHARD_TASK_DONE, "is not done in a run that is", i);
    for (int32_t i = 0; i < fuzz->task_count; i++)
        must(fuzz, fuzz->tasks[i].state != SHARD_TASK_RUNNING, "still runs after the end of its run", i);
    check_units(fuzz);
}

/* ---- scenarios ---- */

static const struct {
    const char *text;
    int slots;
    int64_t memory_bytes;
} scenarios[] = {
    {"{\"name\": \"sick\", \"hosts\": {\"count\": 12, \"slots\": 3}, \"sickness\": ["
     "{\"kind\": \"failing\", \"share\": 0.2}, {\"kind\": \"disk\", \"share\": 0.1, \"well_seconds\": 300},"
     "{\"kind\": \"slow\", \"share\": 0.1}, {\"kind\": \"flapping\", \"share\": 0.2, \"well_seconds\": 300}]}",
     3, INT64_C(32) << 30},
    {"{\"name\": \"away\", \"hosts\": {\"count\": 12, \"rack\": 4, \"volumes\": \"rack\"},"
     "\"preemption\": {\"mean_seconds\": 600, \"away_seconds\": 60},"
     "\"rack_outage\": {\"mean_seconds\": 1800, \"down_seconds\": 120}, \"load\": {\"mean\": 0.3}}",
     4, INT64_C(32) << 30},
    {"{\"name\": \"low\", \"hosts\": {\"count\": 8, \"memory\": \"8 GiB\", \"volumes\": \"own\"},"
     "\"tasks\": {\"request\": 0.6, \"request_spread\": 0.4, \"divisible\": 1, \"launch_seconds\": 3}}",
     4, INT64_C(8) << 30},
    {"{\"name\": \"well\", \"hosts\": {\"count\": 20, \"slots\": 2}, \"tasks\": {\"divisible\": 1, \"unit_seconds\": "
     "1}}",
     2, INT64_C(32) << 30},
};
enum { SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

/* Layers of tasks with random edges and data between them. */
static shard_workflow *draw_workflow(struct fuzz *fuzz, shard_context *context)
{
    shard_builder *builder;
    shard_workflow *workflow;
    int32_t count = 20 + (int32_t)below(fuzz, 200);
    int failed = shard_builder_new(context, "fuzz", &builder) < 0;
    for (int32_t i = 0; i < count; i++) {
        char kind[16], data[16];
        snprintf(kind, sizeof(kind), "kind-%d", (int)below(fuzz, 5));
        snprintf(data, sizeof(data), "d%d", i);
        struct shard_task_spec spec = {
            .struct_size = sizeof(spec), .kind = kind, .expected_seconds = 1 + (double)below(fuzz, 100)};
        failed |= shard_builder_add_task(builder, &spec) < 0;
        failed |= shard_builder_add_data(builder, data, below(fuzz, 100000000)) < 0;
        failed |= shard_builder_add_output(builder, i, i) < 0;
        for (int64_t k = below(fuzz, 4); k > 0 && i > 10; k--) {
            int32_t from = (int32_t)below(fuzz, i - 5);
            failed |= (below(fuzz, 2) ? shard_builder_add_edge(builder, from, i)
                                      : shard_builder_add_input(builder, i, from)) < 0;
        }
    }
    failed |= shard_builder_seal(builder, &workflow) < 0;
    if (failed)
        abort();
    shard_builder_free(builder);
    return workflow;
}

static void run_once(struct fuzz *fuzz, shard_context *context)
{
    shard_scenario *scenario;
    int64_t which = below(fuzz, SCENARIOS);
    const char *text = scenarios[which].text;
    shard_workflow *drawn = draw_workflow(fuzz, context);
    if (shard_scenario_parse(context, text, strlen(text), NULL, &scenario) < 0 ||
        shard_sim_tile(context, scenario, drawn, 1 + (int32_t)below(fuzz, 2), 0, &fuzz->workflow) < 0 ||
        shard_memory_store_open(context, NULL, &fuzz->memory) < 0)
        abort();
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    shard_workflow_describe(fuzz->workflow, &info);
    fuzz->workflow_tasks = info.task_count;
    fuzz->task_count = 0;
    fuzz->epoch = fuzz->last_seq = 0;
    fuzz->run_state = SHARD_RUN_ACTIVE;
    memset(fuzz->hosts, 0, sizeof(fuzz->hosts));
    fuzz->slots = scenarios[which].slots;
    fuzz->memory_bytes = scenarios[which].memory_bytes;
    struct shard_engine_config engine = {.struct_size = sizeof(engine), .store = {&store, fuzz}};
    struct shard_sim_config config = {.struct_size = sizeof(config),
                                      .scenario = scenario,
                                      .policy = {&policy, fuzz},
                                      .seed = fuzz->seed,
                                      .engine = &engine};
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    if (shard_simulate(context, fuzz->workflow, &config, &result) < 0) {
        struct shard_error error = {.struct_size = sizeof(error)};
        shard_error_copy(&error);
        broken(fuzz, error.message, -1);
    }
    check_end(fuzz, &result);
    fuzz->memory.port->close(fuzz->memory.self);
    shard_workflow_unref(fuzz->workflow);
    shard_workflow_unref(drawn);
    shard_scenario_free(scenario);
}

int main(int argc, char **argv)
{
    struct fuzz fuzz = {.seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1};
    int64_t wanted = argc > 2 ? strtoll(argv[2], NULL, 10) : 30000, runs = 0;
    shard_context *context;
    if (shard_context_new(NULL, &context) < 0)
        return 1;
    for (; fuzz.decisions < wanted; fuzz.seed++, runs++) {
        fuzz.random = fuzz.seed * 0x2545f4914f6cdd1du;
        run_once(&fuzz, context);
    }
    free(fuzz.tasks);
    shard_context_free(context);
    printf("1..1\nok 1 - invariants hold: %" PRId64 " random decisions (%" PRId64 " of them rubbish), %" PRId64
           " runs, %" PRId64 " starts (%" PRId64 " of them behind others), %" PRId64 " records\n",
           fuzz.decisions, fuzz.rubbish, runs, fuzz.starts, fuzz.together, fuzz.records);
    return 0;
}
