/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows a run while it goes on: the progress line and the lines above it.
 */
#include "show.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "show_json.h"

/* Plain lines come this far apart when stderr is no terminal. */
static const int64_t plain_interval_ns = INT64_C(5000000000);

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void show_init(struct show *show, const struct run_options *options, const struct place *place,
               const struct run_place *run_place, const shard_engine *engine)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    *show = (struct show){.options = options,
                          .place = place,
                          .run_place = run_place,
                          .engine = engine,
                          .run = -1,
                          .began_ns = now_ns(),
                          .last_line_ns = now_ns()};
    show->terminal =
        !options->json && !options->quiet && isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    show->colours = show->terminal && (no_colour == NULL || no_colour[0] == '\0');
    tally_init(&show->tally, options->hosts.count);
}

void show_clear(struct show *show)
{
    tally_clear(&show->tally);
    *show = (struct show){0};
}

char *duration_text(double seconds)
{
    if (isnan(seconds))
        return need_copy("?");
    long whole = lround(seconds);
    if (whole < 60)
        return need_printf("%lds", whole);
    if (whole < 3600)
        return need_printf("%ld:%02ld", whole / 60, whole % 60);
    return need_printf("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

static void close_line(struct show *show)
{
    if (show->line_open)
        fputs("\r\033[K", stderr);
    show->line_open = false;
}

void show_line(struct show *show, const char *format, ...)
{
    va_list args;
    close_line(show);
    fputs("shardrun: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* "123/619 done, 4 running, 1 failed | 3/4 hosts busy | 0:42, about 1:20 left" */
static char *progress_text(const struct show *show, const struct shard_run_info *info, double elapsed)
{
    struct text text = {0};
    int failed = info->by_state[SHARD_TASK_FAILED] + info->by_state[SHARD_TASK_SKIPPED];
    char *past = duration_text(elapsed);
    char *left = duration_text(tally_seconds_left(&show->tally, elapsed));
    text_printf(&text, "%d/%d done, %d running", info->by_state[SHARD_TASK_DONE], info->task_count,
                info->by_state[SHARD_TASK_RUNNING]);
    if (info->by_state[SHARD_TASK_BACKOFF] > 0)
        text_printf(&text, ", %d to be tried again", info->by_state[SHARD_TASK_BACKOFF]);
    if (failed > 0)
        text_printf(&text, ", %d failed", failed);
    text_printf(&text, " | %d/%d hosts busy | %s", tally_busy_hosts(&show->tally), show->tally.host_count, past);
    if (show->draining)
        text_puts(&text, ", draining");
    else
        text_printf(&text, ", about %s left", left);
    free(past);
    free(left);
    return text_take(&text);
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

static void draw(struct show *show, const struct shard_run_info *info, const char *text)
{
    enum { BAR = 20 };
    int width = terminal_width();
    int filled = info->task_count > 0 ? BAR * info->by_state[SHARD_TASK_DONE] / info->task_count : 0;
    int room = width - 1;
    fputs("\r\033[K", stderr);
    if (width >= BAR + 60) {
        fputs(show->colours ? "\033[32m" : "", stderr);
        for (int i = 0; i < BAR; i++)
            fputs(i < filled ? "#" : "-", stderr);
        fputs(show->colours ? "\033[0m " : " ", stderr);
        room -= BAR + 1;
    }
    fprintf(stderr, "%.*s", room, text);
    fflush(stderr);
    show->line_open = true;
}

void show_tick(struct show *show)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    int64_t now = now_ns();
    if (show->options->json || show->options->quiet || show->workflow == NULL ||
        shard_engine_run(show->engine, show->run, &info) < 0)
        return;
    bool due = now - show->last_line_ns >= plain_interval_ns;
    if (!show->terminal && !due)
        return;
    char *text = progress_text(show, &info, (double)(now - show->began_ns) / 1e9);
    if (show->terminal) {
        draw(show, &info, text);
    } else {
        show_line(show, "%s", text);
        show->last_line_ns = now;
    }
    free(text);
}

static char *task_name(const struct show *show, const struct shard_event *event)
{
    int length = shard_engine_task_name(show->engine, event->run, event->task, NULL, 0);
    char *name = need_zeroed((size_t)(length > 0 ? length : 0) + 1, 1);
    if (length > 0)
        shard_engine_task_name(show->engine, event->run, event->task, name, (size_t)length + 1);
    return name;
}

static void tell_failed_attempt(struct show *show, const struct shard_event *event)
{
    struct shard_host_view host = {.struct_size = sizeof host};
    char *name = task_name(show, event);
    if (event->host < 0 || shard_engine_host(show->engine, event->host, &host) < 0)
        host.name = "?";
    show_line(show, "task '%s', attempt %d on %s: %s after %.1f s%s%s", name, event->attempt, host.name,
              shard_outcome_text(event->outcome), event->seconds,
              event->message != NULL && event->message[0] != '\0' ? ": " : "",
              event->message != NULL ? event->message : "");
    free(name);
}

static void tell_failed_task(struct show *show, const struct shard_event *event)
{
    char *name = task_name(show, event);
    char *output = run_place_attempt(show->run_place, event->task, event->attempt);
    show_line(show, "task '%s' has failed for good (%s); its output is in %s", name, shard_reason_text(event->reason),
              output);
    free(output);
    free(name);
}

/* Warnings are not told here: the library's log, which goes to stderr too, has them already. */
static void tell(struct show *show, const struct shard_event *event)
{
    bool failed = event->kind == SHARD_EVENT_ATTEMPT_ENDED && event->outcome != SHARD_OUTCOME_DONE &&
                  event->outcome != SHARD_OUTCOME_CANCELLED;
    if (failed)
        tell_failed_attempt(show, event);
    else if (event->kind == SHARD_EVENT_TASK_CHANGED && event->state == SHARD_TASK_FAILED)
        tell_failed_task(show, event);
    else if (event->kind == SHARD_EVENT_RUN_STARTED && !show->options->quiet)
        show_line(show, "run %s has started", show->options->run);
}

void show_event(struct show *show, const struct shard_event *event)
{
    tally_event(&show->tally, show->workflow, event);
    if (show->options->json)
        show_json_event(show, event);
    else
        tell(show, event);
}
