/* SPDX-License-Identifier: Apache-2.0 */
/* How a run begins, what time does to it, when it is over, and what can be said of it in numbers. */

#include "run.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

int shard__run_new(const struct shard__run_config *config, struct shard__run **ret_run)
{
    shard_context *context = config->context;
    struct shard__run *run = shard__zalloc(context, sizeof(*run));
    if (run == NULL)
        return SHARD_ENOMEM;
    run->context = context;
    run->cluster = config->cluster;
    run->attempts = config->attempts;
    run->stages = config->stages;
    run->effects = config->effects;
    run->policy = config->policy;
    run->forecaster = config->forecaster;
    run->rules = config->rules;
    run->can_stage = config->can_stage;
    run->can_shrink = config->can_shrink;
    run->can_start_many = config->can_start_many;
    run->number = config->number;
    run->keep_going = config->spec->keep_going;
    run->wait_for_hosts = config->spec->wait_for_hosts;
    run->priority = config->spec->priority;
    run->seen_changes = -1;
    run->look_ns = INT64_MAX;
    run->next_seq = 1;
    run->free_place = -1;
    shard__random_seed(&run->random, context->config.seed ^ shard__hash_int((uint64_t)config->number + 1));
    run->name = shard__strdup(context, config->spec->name);
    if (run->name == NULL) {
        shard__run_free(run);
        return SHARD_ENOMEM;
    }
    *ret_run = run;
    return 0;
}

static void free_records(struct shard__run *run)
{
    for (int32_t i = 0; i < run->record_count; i++) {
        char *detail;
        memcpy(&detail, &run->records[i].detail, sizeof(detail));
        shard__strfree(run->context, detail);
    }
    shard__release(run->context, run->records, run->record_capacity * sizeof(*run->records));
}

void shard__run_free(struct shard__run *run)
{
    if (run == NULL)
        return;
    shard_context *context = run->context;
    if (run->is_attached && run->policy.port->detach != NULL)
        run->policy.port->detach(run->policy.self, &run->view);
    if (run->workflow != NULL)
        shard__data_free(run);
    free_records(run);
    shard__strfree(context, run->name);
    shard__release(context, run->tasks, run->task_capacity * sizeof(*run->tasks));
    for (int32_t i = 0; i < run->extra_count; i++)
        shard__strfree(context, run->extras[i].note);
    shard__release(context, run->extras, run->extra_capacity * sizeof(*run->extras));
    shard__intmap_free(context, &run->extra_of);
    shard__release(context, run->amended, run->amended_capacity * sizeof(*run->amended));
    if (run->workflow != NULL)
        shard__release(context, run->rank_seconds, (size_t)run->workflow->task_count * sizeof(*run->rank_seconds));
    shard__release(context, run->commits, run->commit_capacity * sizeof(*run->commits));
    shard__ready_free(&run->ready);
    shard__heap_free(context, &run->backoff);
    shard__release(context, run->held, run->held_capacity * sizeof(*run->held));
    shard__release(context, run->skips, run->skip_capacity * sizeof(*run->skips));
    shard__release(context, run->host_numbers, run->host_number_capacity * sizeof(*run->host_numbers));
    shard__release(context, run->numbered_hosts, run->numbered_host_capacity * sizeof(*run->numbered_hosts));
    shard_workflow_unref(run->workflow);
    shard__release(context, run, sizeof(*run));
}

void shard__run_set_time(struct shard__run *run, int64_t now_ns, int64_t wall_ns)
{
    run->now_ns = now_ns;
    run->wall_ns = wall_ns;
    run->view.now_ns = now_ns;
}

int shard__run_take_workflow(struct shard__run *run, shard_workflow *workflow, int32_t task_count)
{
    run->workflow = shard_workflow_ref(workflow);
    run->view = (struct shard_view){.cluster = run->cluster,
                                    .wishes = run->cluster,
                                    .workflow = workflow,
                                    .tasks = &shard__run_view_tasks,
                                    .run = run,
                                    .run_number = run->number,
                                    .random = &run->random,
                                    .forecaster = run->forecaster,
                                    .now_ns = run->now_ns};
    run->ready.context = run->context;
    size_t bytes = (size_t)task_count * sizeof(*run->tasks);
    run->tasks = bytes == 0 ? NULL : shard__realloc(run->context, NULL, 0, bytes);
    if (bytes != 0 && run->tasks == NULL)
        return SHARD_ENOMEM;
    run->task_capacity = (size_t)task_count;
    if (shard__data_init(run) < 0 || shard__ready_init(&run->ready, run->context, workflow->profile_count + 1) < 0)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < task_count; i++)
        run->tasks[i] = (struct shard__task){.host = -1, .slot = -1, .p_fail = NAN};
    run->task_count = task_count;
    run->by_state[SHARD_TASK_NONE] = task_count;
    run->ended.task = -1;
    return 0;
}

void shard__run_attach(struct shard__run *run)
{
    run->is_attached = 1;
    if (run->policy.port->attach != NULL)
        run->policy.port->attach(run->policy.self, &run->view);
}

int shard__run_settle(struct shard__run *run, int32_t task)
{
    static const struct shard__cause cause = {.reason = SHARD_REASON_NONE, .p_fail = NAN};
    struct shard__task *hot = &run->tasks[task];
    int32_t from = shard__run_origin(run, task);
    const int32_t *before = shard__csr_row(&run->workflow->predecessors, from);
    uint32_t missing = 0;
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->predecessors, from); i++) {
        int state = run->tasks[before[i]].state;
        missing += state != SHARD_TASK_DONE;
        /* A predecessor that was made again and failed has skipped its dependents before this one was blocked. */
        if (state == SHARD_TASK_FAILED || state == SHARD_TASK_SKIPPED) {
            if (shard__grow(run->context, &run->skips, &run->skip_capacity, (size_t)run->skip_count + 1,
                            sizeof(*run->skips)) < 0)
                return SHARD_ENOMEM;
            run->skips[run->skip_count++] = before[i];
        }
    }
    hot->missing = missing;
    int to = missing > 0 ? SHARD_TASK_BLOCKED : SHARD_TASK_READY;
    if (hot->state != to)
        shard__run_transition(run, task, to, &cause);
    return to == SHARD_TASK_READY ? shard__run_make_ready(run, task) : 0;
}

int shard__run_begin(struct shard__run *run, shard_workflow *workflow)
{
    if (shard__run_take_workflow(run, workflow, workflow->task_count) < 0)
        return SHARD_ENOMEM;
    run->started_ns = run->now_ns;
    shard__run_attach(run);
    for (int32_t i = 0; i < run->task_count; i++)
        shard__run_settle(run, i);
    return 0;
}

/* The queues again from the tasks' states, after there was no memory for one of them, or their ranks changed. */
static int rebuild_ready(struct shard__run *run)
{
    shard__ready_free(&run->ready);
    run->held_count = 0;
    run->blocked_left = 0;
    run->backoff.count = 0;
    if (shard__ready_init(&run->ready, run->context, run->workflow->profile_count + 1) < 0)
        return SHARD_ENOMEM;
    run->ready_is_short = 0;
    for (int32_t i = 0; i < run->task_count && !run->ready_is_short; i++) {
        if (run->tasks[i].state == SHARD_TASK_READY)
            shard__run_make_ready(run, i);
        else if (run->tasks[i].state == SHARD_TASK_BACKOFF &&
                 shard__heap_push(run->context, &run->backoff, (double)shard__run_extra(run, i)->retry_ns / 1e9, i) < 0)
            run->ready_is_short = 1;
    }
    return run->ready_is_short ? SHARD_ENOMEM : 0;
}

static int end_backoffs(struct shard__run *run)
{
    double now = (double)run->now_ns / 1e9;
    while (run->backoff.count > 0 && run->backoff.items[0].key <= now) {
        int32_t task = run->backoff.items[0].id;
        /* One that is in another state by now was cancelled meanwhile. */
        if (run->tasks[task].state == SHARD_TASK_BACKOFF && shard__run_settle(run, task) < 0)
            return SHARD_ENOMEM;
        shard__heap_pop(&run->backoff);
    }
    return 0;
}

static int32_t family_of_successor(const struct shard__run *run, int32_t task, int32_t index)
{
    int32_t successor = shard__csr_row(&run->workflow->successors, task)[index];
    return run->tasks[successor].state == SHARD_TASK_SPLIT ? shard__run_family_size(run, successor) : 0;
}

/* Skips what depends on tasks that failed. Each pass of the loop either finishes a task of the stack or changes
 * nothing. */
static int skip_dependents(struct shard__run *run)
{
    static const struct shard__cause cause = {.reason = SHARD_REASON_PREDECESSOR_FAILED, .p_fail = NAN};
    while (run->skip_count > 0) {
        int32_t task = run->skips[run->skip_count - 1];
        int is_in_workflow = task < run->workflow->task_count; /* a subtask has no successors of its own */
        int32_t count = is_in_workflow ? shard__csr_count(&run->workflow->successors, task) : 0;
        const int32_t *successors = is_in_workflow ? shard__csr_row(&run->workflow->successors, task) : NULL;
        int32_t families = 0;
        for (int32_t i = 0; i < count; i++)
            families += family_of_successor(run, task, i);
        if (shard__run_reserve(run, count + families) < 0 || shard__effects_reserve(run->effects, families) < 0 ||
            shard__grow(run->context, &run->skips, &run->skip_capacity, (size_t)(run->skip_count + count),
                        sizeof(*run->skips)) < 0)
            return SHARD_ENOMEM;
        run->skip_count--;
        for (int32_t i = 0; i < count; i++) {
            int32_t successor = successors[i];
            if (run->tasks[successor].state == SHARD_TASK_BLOCKED) {
                shard__run_transition(run, successor, SHARD_TASK_SKIPPED, &cause);
            } else if (run->tasks[successor].state == SHARD_TASK_SPLIT &&
                       shard__run_has_blocked_subtask(run, successor)) {
                /* A subtask waits for data that was to be made again. */
                shard__run_transition(run, successor, SHARD_TASK_FAILED, &cause);
                shard__run_cancel_subtasks(run, successor);
            } else {
                continue;
            }
            run->skips[run->skip_count++] = successor;
        }
    }
    return 0;
}

int shard__run_advance(struct shard__run *run)
{
    if (run->ranks_are_stale && shard__run_rank(run) < 0)
        return SHARD_ENOMEM;
    if (run->ready_is_short && rebuild_ready(run) < 0)
        return SHARD_ENOMEM;
    if (run->stop == SHARD__GO_ON && end_backoffs(run) < 0)
        return SHARD_ENOMEM;
    return skip_dependents(run);
}

int64_t shard__run_next_ns(const struct shard__run *run)
{
    if (run->ready_is_short || run->skip_count > 0)
        return run->now_ns; /* for want of memory, or a new rank */
    if (run->stop != SHARD__GO_ON)
        return INT64_MAX;
    if (run->blocked_left > 0 && run->cluster->open_count > 0)
        return run->now_ns;
    int64_t next = run->look_ns;
    if (run->policy.port->review != NULL && run->in_flight > 0 && run->review_ns < next)
        next = run->review_ns;
    if (run->backoff.count > 0 && run->backoff.items[0].key < 9e9) {
        int64_t backoff_ns = (int64_t)(run->backoff.items[0].key * 1e9) + 1;
        if (backoff_ns < next)
            next = backoff_ns;
    }
    return next;
}

enum shard_run_state shard__run_verdict(const struct shard__run *run)
{
    if (run->in_flight > 0 || run->skip_count > 0)
        return SHARD_RUN_ACTIVE;
    const int32_t *n = run->by_state;
    int32_t unfinished = n[SHARD_TASK_NONE] + n[SHARD_TASK_BLOCKED] + n[SHARD_TASK_READY] + n[SHARD_TASK_BACKOFF] +
                         n[SHARD_TASK_STAGING] + n[SHARD_TASK_RUNNING] + n[SHARD_TASK_SPLIT];
    if (unfinished == 0 && n[SHARD_TASK_FAILED] > 0)
        return SHARD_RUN_FAILED;
    /* What was cancelled though the run was not, and nothing failed, are replicas that were not needed. */
    if (unfinished == 0 && (n[SHARD_TASK_CANCELLED] == 0 || run->stop != SHARD__CANCELLING))
        return SHARD_RUN_DONE;
    switch (run->stop) {
    case SHARD__DRAINING:
        return SHARD_RUN_SUSPENDED;
    case SHARD__FAILING:
        return SHARD_RUN_FAILED;
    case SHARD__CANCELLING:
        return SHARD_RUN_CANCELLED;
    case SHARD__GO_ON:
        break;
    }
    return SHARD_RUN_ACTIVE;
}

static size_t memory_of(const struct shard__run *run)
{
    size_t bytes =
        sizeof(*run) + run->task_capacity * sizeof(*run->tasks) + run->extra_capacity * sizeof(*run->extras) +
        run->extra_of.slot_count * sizeof(*run->extra_of.slots) + run->record_capacity * sizeof(*run->records) +
        run->amended_capacity * sizeof(*run->amended) + run->commit_capacity * sizeof(*run->commits) +
        run->place_capacity * 8 + (run->held_capacity + run->skip_capacity) * sizeof(int32_t) +
        (run->backoff.capacity + run->ready.order.capacity) * sizeof(struct shard__heap_item);
    if (run->data_places != NULL)
        bytes += (size_t)run->workflow->data_count * sizeof(*run->data_places);
    for (int32_t i = 0; i < run->ready.queue_count; i++) {
        const struct shard__ready_queue *queue = &run->ready.queues[i];
        bytes += sizeof(*queue) + (queue->line_capacity + queue->heap.capacity) * sizeof(struct shard__heap_item);
    }
    return bytes;
}

void shard__run_describe(const struct shard__run *run, struct shard_run_info *ret_info)
{
    *ret_info = (struct shard_run_info){.struct_size = sizeof(*ret_info),
                                        .name = run->name,
                                        .workflow = run->workflow,
                                        .state = run->state,
                                        .task_count = run->task_count,
                                        .attempts = run->attempt_count,
                                        .tasks_with_failures = run->tasks_with_failures,
                                        .started_ns = run->started_ns,
                                        .ended_ns = run->ended_ns,
                                        .memory_bytes = memory_of(run),
                                        .catalog_commit = run->revision == 0 ? NULL : run->commits[run->revision - 1]};
    memcpy(ret_info->by_state, run->by_state, sizeof(ret_info->by_state));
    memcpy(ret_info->failures, run->failures, sizeof(ret_info->failures));
}
