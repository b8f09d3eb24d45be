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

#include "cli.h"
#include "files.h"
#include "outcome.h"
#include "progress.h"
#include "shrink.h"
#include "stage.h"

enum { PROGRESS_INTERVAL_MS = 200 };

struct attempt {
    struct attempt *next;
    struct executor *executor;
    shard_sink *sink;
    shard_token token;
    struct launch_attempt *launch;
    uv_poll_t poll;
    char *directory;
    struct attempt_data data;
    bool cancelled;
    enum shard_cancel_reason cancel_reason;
    bool has_units; /* more than one: it may tell its progress */
    struct progress progress;
    struct shrink shrink;
    bool is_awaited; /* the engine waits for the answer to a shrink; one of an earlier process does not any more */
};

static void attempt_free(struct attempt *attempt)
{
    launch_attempt_free(attempt->launch);
    attempt_data_clear(&attempt->data);
    free(attempt->directory);
    free(attempt);
}

static void on_poll_closed(uv_handle_t *handle)
{
    attempt_free(handle->data);
}

static void forget(struct attempt *attempt)
{
    struct executor *executor = attempt->executor;
    struct attempt **slot = &executor->attempts;
    while (*slot != attempt)
        slot = &(*slot)->next;
    *slot = attempt->next;
    executor->attempt_count--;
    uv_close((uv_handle_t *)&attempt->poll, on_poll_closed);
}

/* The engine must learn how an attempt ended, so an answer that it cannot take is the end of this process. */
static void answer_end(shard_sink *sink, shard_token token, const struct shard_attempt_end *end)
{
    int status = shard_sink_attempt_ended(sink, token, end);
    if (status == SHARD_ENOMEM)
        exit(cli_library_error("no memory left; `shardrun resume` goes on"));
}

static void answer_failure(shard_sink *sink, shard_token token, enum shard_outcome outcome, const char *message)
{
    struct shard_attempt_end end = {.struct_size = sizeof end, .outcome = outcome, .message = message};
    answer_end(sink, token, &end);
}

/* Puts the outputs of an attempt that ended well in place, unless someone else holds the run by now. */
static void put_in_place(struct attempt *attempt, struct verdict *verdict)
{
    struct epoch_file *epoch = &attempt->executor->epoch;
    char *marker = path_join(attempt->directory, "placing");
    if (epoch_enter(epoch, attempt->executor->epoch_number) < 0) {
        *verdict = (struct verdict){SHARD_OUTCOME_CANCELLED, need_copy("another process holds the run by now")};
    } else {
        if (attempt_data_commit(&attempt->data, marker, &verdict->message) < 0)
            verdict->outcome = SHARD_OUTCOME_TASK_ERROR;
        epoch_leave(epoch);
    }
    free(marker);
}

static void remove_leftovers(const struct attempt *attempt)
{
    char *problem = NULL;
    if (directory_remove(attempt->data.directory, &problem) < 0)
        cli_warning("%s", problem);
    free(problem);
}

static void answer_shrink(struct attempt *attempt)
{
    if (attempt->is_awaited && shard_sink_shrunk(attempt->sink, attempt->token, attempt->shrink.range) == SHARD_ENOMEM)
        exit(cli_library_error("no memory left; `shardrun resume` goes on"));
    attempt->is_awaited = false;
}

/* What the command has told since; also whether it has agreed to do less. */
static void look_at_progress(struct attempt *attempt)
{
    struct progress progress;
    if (!progress_read(attempt->data.directory, &progress))
        return;
    if (progress.done != attempt->progress.done)
        (void)shard_sink_progress(attempt->sink, attempt->token, progress.done); /* news: the next is as good */
    attempt->progress = progress;
    if (shrink_answered(&attempt->shrink, attempt->directory, &progress))
        answer_shrink(attempt);
}

/* A command that agreed to do less has to have done just that, and what it made is a part. */
static void check_shrunk(struct attempt *attempt, struct verdict *verdict)
{
    if (attempt->shrink.depth == 0 || verdict->outcome != SHARD_OUTCOME_DONE)
        return;
    attempt_data_first_part(&attempt->data, attempt->executor->work, attempt->shrink.depth);
    if (attempt->progress.done == attempt->shrink.range)
        return;
    *verdict = (struct verdict){SHARD_OUTCOME_TASK_ERROR,
                                need_printf("the command agreed to do %lld units, and has told that %lld are done",
                                            (long long)attempt->shrink.range, (long long)attempt->progress.done)};
}

static void on_progress_timer(uv_timer_t *timer)
{
    struct executor *executor = timer->data;
    bool any = false;
    for (struct attempt *attempt = executor->attempts; attempt != NULL; attempt = attempt->next) {
        if (!attempt->has_units || attempt->cancelled)
            continue;
        look_at_progress(attempt);
        any = true;
    }
    if (!any)
        uv_timer_stop(timer);
}

/* Looks at the files of progress for as long as there are attempts that may have one. */
static void watch_progress(struct executor *executor)
{
    if (!executor->has_timer) {
        uv_timer_init(executor->loop, &executor->timer);
        executor->timer.data = executor;
        executor->has_timer = true;
    }
    if (!uv_is_active((uv_handle_t *)&executor->timer))
        uv_timer_start(&executor->timer, on_progress_timer, PROGRESS_INTERVAL_MS, PROGRESS_INTERVAL_MS);
}

static void on_ended(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    struct launch_result result;
    (void)status;
    (void)events;
    if (launch_attempt_result(attempt->launch, &result) < 0)
        return;
    if (attempt->has_units)
        look_at_progress(attempt);
    answer_shrink(attempt); /* when it ended without having answered, it has done all */
    struct verdict verdict = verdict_of(&result, attempt->directory, attempt->cancelled, attempt->cancel_reason);
    check_shrunk(attempt, &verdict);
    if (verdict.outcome == SHARD_OUTCOME_DONE)
        put_in_place(attempt, &verdict);
    remove_leftovers(attempt);
    struct shard_attempt_end end = {.struct_size = sizeof end,
                                    .outcome = verdict.outcome,
                                    .exit_code = result.how == LAUNCH_SIGNALED ? 128 + result.signal : result.exit_code,
                                    .seconds = result.wall_seconds,
                                    .cpu_seconds = result.cpu_seconds,
                                    .max_memory_bytes = (int64_t)result.max_memory_bytes,
                                    .units_done = attempt->shrink.depth > 0 ? attempt->shrink.range : 0,
                                    .message = verdict.message};
    answer_end(attempt->sink, attempt->token, &end);
    free(verdict.message);
    forget(attempt);
}

/* Watches an attempt from now on; takes over `launch` and the data. */
static void watch(struct executor *executor, shard_sink *sink, shard_token token, const struct shard_start *start,
                  struct launch_attempt *launch, struct attempt_data *data)
{
    struct attempt *attempt = need_zeroed(1, sizeof *attempt);
    attempt->executor = executor;
    attempt->sink = sink;
    attempt->token = token;
    attempt->launch = launch;
    attempt->directory = run_place_attempt(executor->work->place, start->task, start->attempt);
    attempt->data = *data;
    *data = (struct attempt_data){0};
    attempt->poll.data = attempt;
    shrink_restore(&attempt->shrink, attempt->directory, start->unit_end - start->unit_begin);
    attempt->has_units = start->unit_end - start->unit_begin > 1 || attempt->shrink.depth > 0;
    if (attempt->has_units)
        watch_progress(executor);
    attempt->next = executor->attempts;
    executor->attempts = attempt;
    executor->attempt_count++;
    if (uv_poll_init(executor->loop, &attempt->poll, launch_attempt_fd(launch)) < 0 ||
        uv_poll_start(&attempt->poll, UV_READABLE, on_ended) < 0)
        exit(cli_error(CLI_ENVIRONMENT, "the event loop takes no more descriptors; raise `ulimit -n`, then `shardrun "
                                        "resume` goes on"));
}

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
        answer_failure(sink, token, SHARD_OUTCOME_HOST_LOST, "the machine was started anew since the host joined");
    } else if (missing != NULL) {
        problem = need_printf("input '%s' is not where it should be", missing);
        answer_failure(sink, token, SHARD_OUTCOME_STAGE_ERROR, problem);
    } else if (launch_plan_make(&plan, &executor->planner, start, &data, &problem) < 0) {
        answer_failure(sink, token, SHARD_OUTCOME_LAUNCH_ERROR, problem);
    } else if ((status = launch_planned(executor, &plan, start, &launch, &problem)) == 0) {
        watch(executor, sink, token, start, launch, &data);
    } else if (status != SHARD_EFENCED) {
        answer_failure(sink, token, status == SHARD_ENOSPC ? SHARD_OUTCOME_OUT_OF_DISK : SHARD_OUTCOME_LAUNCH_ERROR,
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
    if (attempt == NULL || attempt->cancelled)
        return SHARD_ENOENT;
    if (attempt->has_units)
        look_at_progress(attempt);
    if (!attempt->progress.looks)
        return SHARD_ESTATE; /* it does not look for limits; to end it would lose what it has done */
    attempt->is_awaited = true;
    if (units >= attempt->shrink.range) { /* agreed to before, and not known to the engine any more */
        answer_shrink(attempt);
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
    watch(executor, sink, token, start, launch, &data);
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
        forget(executor->attempts);
    if (executor->has_timer)
        uv_close((uv_handle_t *)&executor->timer, NULL);
    executor->has_timer = false;
}
