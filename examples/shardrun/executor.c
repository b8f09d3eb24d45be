/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor port of shardrun over the launch layer.
 */
#include "executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shard/error.h>

#include "attempt.h"
#include "cli.h"
#include "files.h"
#include "stage.h"

/* Names the attempt's task beside its output, for people. */
static void write_name(const char *directory, const char *name)
{
    char *path = path_join(directory, "task");
    if (symlink(name, path) < 0) {
        char *problem = NULL;
        char *line = need_printf("%s\n", name);
        file_put(path, line, strlen(line), &problem);
        free(line);
        free(problem);
    }
    free(path);
}

/* Launches what was planned, with the epoch held, so that no newer shardrun starts anything meanwhile. */
static int launch_planned(struct executor *executor, const struct launch_plan *plan, const struct shard_start *start,
                          struct launch_attempt **ret_launch, char **ret_problem)
{
    struct launch_error error = {""};
    int status = epoch_enter(&executor->epoch, start->epoch);
    if (status < 0)
        return status;
    status = launch_start(executor->env, &plan->spec, &error, ret_launch);
    if (status < 0)
        *ret_problem = need_copy(error.text[0] != '\0' ? error.text : strerror(-status));
    else
        write_name(plan->directory, start->task_name);
    epoch_leave(&executor->epoch);
    return status == -ENOSPC ? SHARD_ENOSPC : status < 0 ? SHARD_EIO : 0;
}

static int start_attempt(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct executor *executor = self;
    struct launch_plan plan = {0};
    struct attempt_data data;
    struct launch_attempt *launch = NULL;
    char *problem = NULL;
    int status = 0;

    executor->epoch_number = start->epoch;
    attempt_data_init(&data, executor->work, start);
    const char *missing = attempt_data_missing(&data);
    if (strcmp(start->boot_id, executor->boot_id) != 0) {
        attempt_fail(sink, token, SHARD_OUTCOME_HOST_LOST, "the machine was started anew since the host joined");
    } else if (missing != NULL) {
        problem = need_printf("input '%s' is not where it should be", missing);
        attempt_fail(sink, token, SHARD_OUTCOME_STAGE_ERROR, problem);
    } else if (launch_plan_make(&plan, &executor->planner, start, &data, &problem) < 0) {
        attempt_fail(sink, token, SHARD_OUTCOME_LAUNCH_ERROR, problem);
    } else if ((status = launch_planned(executor, &plan, start, &launch, &problem)) == 0) {
        attempt_watch(executor, sink, token, start, launch, &data);
    } else if (status != SHARD_EFENCED) {
        attempt_fail(sink, token, status == SHARD_ENOSPC ? SHARD_OUTCOME_OUT_OF_DISK : SHARD_OUTCOME_LAUNCH_ERROR,
                     problem);
        status = 0;
    }
    launch_plan_clear(&plan);
    attempt_data_clear(&data);
    free(problem);
    return status;
}

static void cancel_attempt(void *self, shard_token token, enum shard_cancel_reason reason)
{
    struct executor *executor = self;
    for (struct attempt *attempt = executor->attempts; attempt != NULL; attempt = attempt->next) {
        if (attempt->token != token)
            continue;
        if (attempt->is_ending)
            return; /* its command has ended, and so will it */
        attempt->cancelled = true;
        attempt->cancel_reason = reason;
        launch_kill(attempt->launch, reason != SHARD_CANCEL_FENCED);
        return;
    }
}

static int shrink_attempt(void *self, shard_sink *sink, shard_token token, int64_t units, int32_t depth)
{
    struct executor *executor = self;
    struct attempt *attempt = executor->attempts;
    (void)sink;
    while (attempt != NULL && attempt->token != token)
        attempt = attempt->next;
    if (attempt == NULL || attempt->cancelled || attempt->is_ending)
        return SHARD_ENOENT;
    if (attempt->has_units)
        attempt_look(attempt);
    if (!attempt->progress.looks)
        return SHARD_ESTATE; /* it does not look for limits; to end it would lose what it has done */
    attempt->is_awaited = true;
    if (units >= attempt->shrink.range) { /* agreed to before, and not known to the engine any more */
        attempt_answer_shrink(attempt);
        return 0;
    }
    char *problem = NULL;
    int status = shrink_ask(&attempt->shrink, attempt->directory, attempt->data.directory, units, depth, &problem);
    if (status < 0)
        cli_warning("%s", problem);
    free(problem);
    attempt->is_awaited = status == 0;
    return status < 0 ? SHARD_EIO : 0;
}

static int stage_data(void *self, shard_sink *sink, shard_token token, const struct shard_stage *stage)
{
    struct executor *executor = self;
    return stage_begin(executor->loop, executor->work, sink, token, stage, &executor->stage_count);
}

static int reattach_attempt(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct executor *executor = self;
    struct launch_error error = {""};
    enum launch_state state = LAUNCH_NEVER_RAN;
    struct launch_attempt *launch = NULL;
    executor->epoch_number = start->epoch;
    int status = epoch_enter(&executor->epoch, start->epoch);
    if (status < 0)
        return status;
    char *directory = run_place_attempt(executor->work->place, start->task, start->attempt);
    status = launch_adopt(executor->env, directory, &error, &state, &launch);
    epoch_leave(&executor->epoch);
    free(directory);
    if (status < 0)
        cli_warning("attempt %d of task '%s' cannot be adopted: %s", start->attempt, start->task_name, error.text);
    if (status < 0 || state == LAUNCH_NEVER_RAN) {
        shard_sink_reattached(sink, token, SHARD_REATTACH_UNKNOWN);
        return 0;
    }
    struct attempt_data data;
    attempt_data_init(&data, executor->work, start);
    if (state == LAUNCH_RUNNING)
        shard_sink_reattached(sink, token, SHARD_REATTACH_RUNNING);
    attempt_watch(executor, sink, token, start, launch, &data);
    return 0;
}

const struct shard_executor executor_port = {
    .struct_size = sizeof executor_port,
    .name = "shardrun",
    .start = start_attempt,
    .cancel = cancel_attempt,
    .stage = stage_data,
    .reattach = reattach_attempt,
    .shrink = shrink_attempt,
};

int executor_running(const struct executor *executor)
{
    return executor->attempt_count;
}

void executor_let_go(struct executor *executor)
{
    while (executor->attempts != NULL)
        attempt_forget(executor->attempts);
    if (executor->has_timer)
        uv_close((uv_handle_t *)&executor->timer, NULL);
    executor->has_timer = false;
}
