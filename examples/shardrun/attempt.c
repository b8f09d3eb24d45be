/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt from its launch to its end: progress, the outputs put in place, the answer.
 */
#include "attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shard/error.h>

#include "cli.h"
#include "files.h"
#include "outcome.h"

enum { PROGRESS_INTERVAL_MS = 200 };

static void attempt_free(struct attempt *attempt)
{
    launch_attempt_free(attempt->launch);
    attempt_data_clear(&attempt->data);
    free(attempt->verdict.message);
    free(attempt->directory);
    free(attempt);
}

static void on_poll_closed(uv_handle_t *handle)
{
    attempt_free(handle->data);
}

void attempt_forget(struct attempt *attempt)
{
    struct executor *executor = attempt->executor;
    struct attempt **slot = &executor->attempts;
    while (*slot != attempt)
        slot = &(*slot)->next;
    *slot = attempt->next;
    executor->attempt_count--;
    durable_forget(attempt->durable);
    uv_close((uv_handle_t *)&attempt->poll, on_poll_closed);
}

/* The engine must learn how an attempt ended, so an answer that it cannot take is the end of this process. */
static void answer_end(shard_sink *sink, shard_token token, const struct shard_attempt_end *end)
{
    int status = shard_sink_attempt_ended(sink, token, end);
    if (status == SHARD_ENOMEM)
        exit(cli_library_error("no memory left; `shardrun resume` goes on"));
}

void attempt_fail(shard_sink *sink, shard_token token, enum shard_outcome outcome, const char *message)
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

void attempt_answer_shrink(struct attempt *attempt)
{
    if (attempt->is_awaited && shard_sink_shrunk(attempt->sink, attempt->token, attempt->shrink.range) == SHARD_ENOMEM)
        exit(cli_library_error("no memory left; `shardrun resume` goes on"));
    attempt->is_awaited = false;
}

void attempt_look(struct attempt *attempt)
{
    struct progress progress;
    if (!progress_read(attempt->data.directory, &progress))
        return;
    if (progress.done != attempt->progress.done)
        (void)shard_sink_progress(attempt->sink, attempt->token, progress.done); /* news: the next is as good */
    attempt->progress = progress;
    if (shrink_answered(&attempt->shrink, attempt->directory, &progress))
        attempt_answer_shrink(attempt);
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
        if (!attempt->has_units || attempt->cancelled || attempt->is_ending)
            continue;
        attempt_look(attempt);
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

/* The engine records the end after this, so all of it has to be durable by now. */
static void tell_end(struct attempt *attempt)
{
    const struct launch_result *result = &attempt->result;
    attempt_answer_shrink(attempt); /* when it ended without having answered, it has done all */
    remove_leftovers(attempt);
    struct shard_attempt_end end = {.struct_size = sizeof end,
                                    .outcome = attempt->verdict.outcome,
                                    .exit_code =
                                        result->how == LAUNCH_SIGNALED ? 128 + result->signal : result->exit_code,
                                    .seconds = result->wall_seconds,
                                    .cpu_seconds = result->cpu_seconds,
                                    .max_memory_bytes = (int64_t)result->max_memory_bytes,
                                    .units_done = attempt->shrink.depth > 0 ? attempt->shrink.range : 0,
                                    .message = attempt->verdict.message};
    answer_end(attempt->sink, attempt->token, &end);
    attempt_forget(attempt);
}

static void on_placed(void *self, int status)
{
    struct attempt *attempt = self;
    (void)status; /* some file systems cannot sync a directory; the renames are atomic all the same */
    attempt->durable = NULL;
    tell_end(attempt);
}

static void on_written(void *self, int status)
{
    struct attempt *attempt = self;
    struct durable_paths paths = {0};
    attempt->durable = NULL;
    if (status < 0)
        attempt->verdict = (struct verdict){status == -ENOSPC || status == -EDQUOT ? SHARD_OUTCOME_OUT_OF_DISK
                                                                                   : SHARD_OUTCOME_STAGE_ERROR,
                                            need_printf("its outputs cannot be made durable: %s", strerror(-status))};
    else
        put_in_place(attempt, &attempt->verdict);
    if (attempt->verdict.outcome != SHARD_OUTCOME_DONE) {
        tell_end(attempt);
        return;
    }
    attempt_data_list_directories(&attempt->data, &paths);
    attempt->durable = durable_begin(attempt->executor->loop, &paths, DURABLE_ENTRY, on_placed, attempt);
}

static void on_ended(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    struct durable_paths paths = {0};
    (void)status;
    (void)events;
    if (launch_attempt_result(attempt->launch, &attempt->result) < 0)
        return;
    uv_poll_stop(poll);
    if (attempt->has_units)
        attempt_look(attempt);
    attempt_answer_shrink(attempt);
    attempt->is_ending = true;
    attempt->verdict = verdict_of(&attempt->result, attempt->directory, attempt->cancelled, attempt->cancel_reason);
    check_shrunk(attempt, &attempt->verdict);
    if (attempt->verdict.outcome == SHARD_OUTCOME_DONE && attempt->data.output_count > 0) {
        attempt_data_list_files(&attempt->data, &paths);
        attempt->durable = durable_begin(attempt->executor->loop, &paths, DURABLE_WHOLE, on_written, attempt);
        return;
    }
    tell_end(attempt);
}

void attempt_watch(struct executor *executor, shard_sink *sink, shard_token token, const struct shard_start *start,
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
