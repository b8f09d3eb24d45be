/* SPDX-License-Identifier: Apache-2.0 */
/* The executor that two orchestrators share: it holds each start against what must be true of it. */

#include "orchestrators.h"

#include <stdio.h>
#include <string.h>

static int without(enum orchestrators_without rule)
{
    return (orchestrators.plan->without & (unsigned)rule) != 0;
}

static struct orchestrators_attempt *find(int task, int number)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    for (int i = executor->attempt_count - 1; i >= 0; i--) {
        struct orchestrators_attempt *attempt = &executor->attempts[i];
        if (attempt->task == task && (attempt->number == number || without(WITHOUT_NEW_NUMBERS)))
            return attempt;
    }
    return NULL;
}

static void bind_to(struct orchestrators_attempt *attempt, const struct orchestrators_start *start)
{
    attempt->told[start->index].life = start->life;
    attempt->told[start->index].sink = start->sink;
    attempt->told[start->index].token = start->token;
}

static struct orchestrators_start start_of(const struct orchestrator *one, shard_sink *sink, shard_token token,
                                           const struct shard_start *what)
{
    struct orchestrators_start start = {.index = one == &orchestrators.two[1],
                                        .life = one->life,
                                        .sink = sink,
                                        .token = token,
                                        .task = what->task,
                                        .number = what->attempt,
                                        .epoch = what->epoch};
    snprintf(start.boot_id, sizeof(start.boot_id), "%s", what->boot_id);
    return start;
}

/* To those of the two that still live. */
static void tell_end(struct orchestrators_attempt *attempt)
{
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = attempt->outcome, .seconds = 0.01};
    for (int i = 0; i < 2; i++) {
        if (attempt->told[i].life != 0 && attempt->told[i].life == orchestrators.two[i].life)
            shard_sink_attempt_ended(attempt->told[i].sink, attempt->told[i].token, &end);
        attempt->told[i].life = 0;
    }
}

static void check_start(const struct orchestrators_start *start)
{
    const struct orchestrators_executor *executor = &orchestrators.executor;
    int32_t before[8];
    int32_t count = shard_workflow_predecessors(orchestrators.workflow, start->task, before, 8);
    for (int32_t i = 0; i < count; i++)
        if (executor->done[before[i]] == 0)
            orchestrators_problem("task %d starts before task %d is done", start->task, before[i]);
    for (int i = 0; i < executor->attempt_count; i++) {
        const struct orchestrators_attempt *other = &executor->attempts[i];
        if (other->task != start->task)
            continue;
        if (other->number >= start->number)
            orchestrators_problem("attempt %d of task %d is started after attempt %d", start->number, start->task,
                                  other->number);
        if (!other->is_over)
            orchestrators_problem("task %d runs twice at a time", start->task);
    }
    if (executor->done[start->task] > 0 && !executor->may_redo[start->task])
        orchestrators_problem("task %d starts though it is done", start->task);
    if (strcmp(start->boot_id, executor->boot_id) != 0)
        orchestrators_problem("task %d starts on a host that has lost its memory", start->task);
}

/* A start comes to the host. */
static int arrive(const struct orchestrators_start *start)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    if (start->epoch < executor->epoch && !without(WITHOUT_FENCING_STARTS))
        return SHARD_EFENCED;
    if (start->epoch > executor->epoch)
        executor->epoch = start->epoch;
    struct orchestrators_attempt *known = without(WITHOUT_STARTING_ONCE) ? NULL : find(start->task, start->number);
    if (known != NULL) {
        bind_to(known, start);
        if (known->is_over)
            tell_end(known);
        return 0;
    }
    if (strcmp(start->boot_id, executor->boot_id) != 0 && !without(WITHOUT_BOOT_IDS))
        return SHARD_EHOST;
    check_start(start);
    if (executor->attempt_count == ORCHESTRATORS_ATTEMPTS) {
        orchestrators_problem("there is no end of attempts");
        return SHARD_EIO;
    }
    struct orchestrators_attempt *attempt = &executor->attempts[executor->attempt_count++];
    *attempt = (struct orchestrators_attempt){.task = start->task,
                                              .number = start->number,
                                              .epoch = start->epoch,
                                              .ends = orchestrators.turn + 1 + (int64_t)orchestrators_draw(30),
                                              .outcome = orchestrators_draw(100) < 8 ? SHARD_OUTCOME_TASK_ERROR
                                                                                     : SHARD_OUTCOME_DONE};
    bind_to(attempt, start);
    return 0;
}

/* What was late comes, also from those who do not live any more. */
static void bring_starts(void)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    for (int i = 0; i < executor->late_count; i++) {
        struct orchestrators_start start = executor->late[i];
        struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = SHARD_OUTCOME_LAUNCH_ERROR};
        if (start.due > orchestrators.turn)
            continue;
        executor->late[i--] = executor->late[--executor->late_count];
        if (arrive(&start) < 0 && start.life == orchestrators.two[start.index].life)
            shard_sink_attempt_ended(start.sink, start.token, &end);
    }
}

/* The way to a host may double what it carries, or take its time. */
static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *what)
{
    const struct orchestrator *one = self;
    struct orchestrators_executor *executor = &orchestrators.executor;
    struct orchestrators_start start = start_of(one, sink, token, what);
    if (orchestrators.now_ns > one->lease_ends_ns)
        orchestrators_problem("task %d is started after the end of the lease", start.task);
    if (orchestrators_draw(8) == 0 && executor->late_count < 64) {
        start.due = orchestrators.turn + 1 + (int64_t)orchestrators_draw(100);
        executor->late[executor->late_count++] = start;
        return 0;
    }
    int status = arrive(&start);
    if (status == 0 && orchestrators_draw(10) == 0)
        (void)arrive(&start);
    return status;
}

static int reattach(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    if (start->epoch < executor->epoch && !without(WITHOUT_FENCING_STARTS))
        return SHARD_EFENCED;
    if (start->epoch > executor->epoch)
        executor->epoch = start->epoch;
    struct orchestrators_attempt *known = without(WITHOUT_REATTACHING) ? NULL : find(start->task, start->attempt);
    if (known == NULL)
        return shard_sink_reattached(sink, token, SHARD_REATTACH_UNKNOWN);
    const struct orchestrators_start asked = start_of(self, sink, token, start);
    bind_to(known, &asked);
    if (!known->is_over)
        return shard_sink_reattached(sink, token, SHARD_REATTACH_RUNNING);
    tell_end(known);
    return 0;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    const struct orchestrator *one = self;
    struct orchestrators_executor *executor = &orchestrators.executor;
    (void)reason;
    for (int i = 0; i < executor->attempt_count; i++) {
        struct orchestrators_attempt *attempt = &executor->attempts[i];
        int index = one == &orchestrators.two[1];
        if (attempt->is_over || attempt->told[index].life != one->life || attempt->told[index].token != token)
            continue;
        if (attempt->epoch < executor->epoch && attempt->told[!index].life == orchestrators.two[!index].life &&
            attempt->told[!index].life > one->life)
            continue; /* it is another's by now */
        attempt->outcome = SHARD_OUTCOME_CANCELLED;
        attempt->ends = orchestrators.turn + 1;
    }
}

static void end_attempt(struct orchestrators_attempt *attempt)
{
    attempt->is_over = 1;
    if (attempt->outcome == SHARD_OUTCOME_DONE && orchestrators.executor.done[attempt->task]++ > 0 &&
        !orchestrators.executor.may_redo[attempt->task])
        orchestrators_problem("task %d is completed twice", attempt->task);
    tell_end(attempt);
}

void orchestrators_execute(void)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    bring_starts();
    for (int i = 0; i < executor->attempt_count; i++)
        if (!executor->attempts[i].is_over && executor->attempts[i].ends <= orchestrators.turn)
            end_attempt(&executor->attempts[i]);
}

void orchestrators_reboot(void)
{
    struct orchestrators_executor *executor = &orchestrators.executor;
    for (int i = 0; i < executor->attempt_count; i++)
        if (!executor->attempts[i].is_over) {
            executor->attempts[i].outcome = SHARD_OUTCOME_HOST_LOST;
            end_attempt(&executor->attempts[i]);
        }
    for (int i = 0; i < ORCHESTRATORS_TASKS; i++)
        executor->may_redo[i] |= executor->done[i] > 0 && orchestrators.told_done[i] == 0;
    snprintf(executor->boot_id, sizeof(executor->boot_id), "boot-%lld", (long long)orchestrators.turn);
}

const struct shard_executor orchestrators_executor = {.struct_size = sizeof(orchestrators_executor),
                                                      .name = "shared",
                                                      .start = start,
                                                      .cancel = cancel,
                                                      .reattach = reattach};
