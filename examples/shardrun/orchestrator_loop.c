/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of one run: the engine's descriptor, signals, the clock of the progress line.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "orchestrator.h"
#include "report.h"
#include "store_read.h"

enum { TICK_MS = 100, HELD_TICKS = 10 };

static void on_run_started(struct orchestrator *orchestrator)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    orchestrator->started = true;
    if (shard_engine_run(orchestrator->engine, orchestrator->run, &info) < 0)
        return;
    orchestrator->show.workflow = info.workflow;
    orchestrator->show.resumed = orchestrator->resumed;
    tally_begin(&orchestrator->show.tally, orchestrator->engine, orchestrator->run, info.workflow);
    if (orchestrator->resumed)
        orchestrator_find_lost(orchestrator);
    (void)catalog_watch(&orchestrator->catalog, &orchestrator->loop, orchestrator->engine, &orchestrator->show,
                        orchestrator->resumed);
}

static double seconds_since_begin(const struct orchestrator *orchestrator)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + ((double)now.tv_nsec - (double)orchestrator->options->created_ns) / 1e9;
}

static double makespan(const struct orchestrator *orchestrator)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    if (!orchestrator->resumed && shard_engine_run(orchestrator->engine, orchestrator->run, &info) == 0 &&
        info.ended_ns > info.started_ns)
        return (double)(info.ended_ns - info.started_ns) / 1e9;
    double seconds = seconds_since_begin(orchestrator);
    return seconds > 0 ? seconds : 0;
}

static void on_run_ended(struct orchestrator *orchestrator, const struct shard_event *event)
{
    orchestrator->ended = true;
    orchestrator->end.state = event->run_state;
    orchestrator->end.code = event->code;
    orchestrator->end.message = event->message != NULL && event->message[0] != '\0' ? need_copy(event->message) : NULL;
    orchestrator->end.makespan_seconds = makespan(orchestrator);
    uv_stop(&orchestrator->loop);
}

/*
 * The store knows who is alive, so a lease that is held is no reason to wait: the user decides. Only for a moment: a
 * process that was killed while it started another keeps its locks until that one has begun.
 */
static bool is_held_by_another(const struct orchestrator *orchestrator, const struct shard_event *event)
{
    return event->kind == SHARD_EVENT_WARNING && event->code == SHARD_EHELD && !orchestrator->started;
}

static void pump(struct orchestrator *orchestrator)
{
    struct shard_event event = {.struct_size = sizeof event};
    if (shard_engine_step(orchestrator->engine) < 0)
        exit(cli_library_error("the engine cannot go on"));
    while (!orchestrator->ended && shard_engine_next_event(orchestrator->engine, &event) == 1) {
        if (is_held_by_another(orchestrator, &event) && orchestrator->options->wait) {
            show_line(&orchestrator->show, "standing by: %s", event.message);
            continue;
        }
        if (is_held_by_another(orchestrator, &event)) {
            orchestrator->held_by = need_copy(event.message);
            orchestrator->held_ticks = HELD_TICKS;
            continue;
        }
        if (event.kind == SHARD_EVENT_RUN_STARTED)
            on_run_started(orchestrator);
        show_event(&orchestrator->show, &event);
        catalog_note(&orchestrator->catalog, orchestrator->engine, &event, orchestrator->options->run);
        if (event.kind == SHARD_EVENT_ATTEMPT_ENDED)
            learner_ended(&orchestrator->learner);
        if (event.kind == SHARD_EVENT_RUN_ENDED)
            on_run_ended(orchestrator, &event);
    }
}

static void on_engine(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    pump(poll->data);
}

/* Hosts whose plan has them fall sick: from now on they get less processor time. */
static void slow_hosts(struct orchestrator *orchestrator)
{
    const struct host_list *hosts = &orchestrator->options->hosts;
    for (int i = 0; i < hosts->count; i++) {
        const struct host_plan *plan = &hosts->items[i];
        struct launch_error error = {""};
        if (plan->slowed_after <= 0 || orchestrator->slowed[i] ||
            seconds_since_begin(orchestrator) < plan->slowed_after)
            continue;
        struct launch_limits limits = {.memory_bytes = (uint64_t)plan->memory_limit_bytes,
                                       .cpu_millicores = (uint32_t)plan->slowed_limit};
        orchestrator->slowed[i] = true;
        if (launch_host_make(orchestrator->env, plan->name, &limits, &error) < 0)
            show_line(&orchestrator->show, "warning: host '%s' cannot be slowed: %s", plan->name, error.text);
        else
            show_line(&orchestrator->show, "host %s is slowed to %lld millicores, as its plan says", plan->name,
                      (long long)plan->slowed_limit);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct orchestrator *orchestrator = timer->data;
    slow_hosts(orchestrator);
    if (orchestrator->held_ticks > 0 && !orchestrator->started && --orchestrator->held_ticks == 0) {
        const struct shard_event held = {
            .run_state = SHARD_RUN_FENCED, .code = SHARD_EHELD, .message = orchestrator->held_by};
        on_run_ended(orchestrator, &held);
        return;
    }
    show_tick(&orchestrator->show);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct orchestrator *orchestrator = handle->data;
    struct show *show = &orchestrator->show;
    int status = 0;
    if (number == SIGHUP) {
        show_line(show, "the terminal is gone; letting go of the run, what runs goes on");
        status = shard_engine_suspend(orchestrator->engine, orchestrator->run);
    } else if (++orchestrator->interrupts == 1) {
        show->draining = true;
        show_line(show, "draining: %d running attempts may end, nothing new starts; once more cancels them",
                  executor_running(&orchestrator->executor));
        status = shard_engine_drain(orchestrator->engine, orchestrator->run);
    } else if (orchestrator->interrupts == 2) {
        show_line(show, "cancelling the run");
        status = shard_engine_cancel(orchestrator->engine, orchestrator->run);
    }
    if (status < 0)
        cli_library_error(orchestrator->options->run);
    shard_engine_wake(orchestrator->engine);
}

static int watch(struct orchestrator *orchestrator)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    uv_loop_t *loop = &orchestrator->loop;
    /* Whoever reads the events may go away; the run goes on. Commands get the default back from the launch layer. */
    signal(SIGPIPE, SIG_IGN);
    int status = uv_poll_init(loop, &orchestrator->engine_poll, shard_engine_fd(orchestrator->engine));
    if (status == 0) {
        orchestrator->engine_poll.data = orchestrator;
        status = uv_poll_start(&orchestrator->engine_poll, UV_READABLE, on_engine);
    }
    for (int i = 0; i < 3; i++) {
        uv_signal_init(loop, &orchestrator->signals[i]);
        orchestrator->signals[i].data = orchestrator;
        uv_signal_start(&orchestrator->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(loop, &orchestrator->tick);
    orchestrator->tick.data = orchestrator;
    uv_timer_start(&orchestrator->tick, on_tick, TICK_MS, TICK_MS);
    monitor_start(&orchestrator->monitor, loop, orchestrator->engine, orchestrator->env, &orchestrator->options->hosts,
                  orchestrator->run_place.directory, orchestrator->options->monitor_interval_ms);
    learner_start(&orchestrator->learner, loop);
    return status < 0 ? cli_error(CLI_ENVIRONMENT, "the event loop does not work: %s", uv_strerror(status)) : 0;
}

static void unwatch(struct orchestrator *orchestrator)
{
    uv_close((uv_handle_t *)&orchestrator->engine_poll, NULL);
    uv_close((uv_handle_t *)&orchestrator->tick, NULL);
    catalog_unwatch(&orchestrator->catalog);
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&orchestrator->signals[i], NULL);
    monitor_stop(&orchestrator->monitor);
    learner_stop(&orchestrator->learner);
}

/* A run that never was: its name is taken, it is not in the store, someone else holds it. */
static int never_began(const struct orchestrator *orchestrator)
{
    const char *run = orchestrator->options->run;
    const char *message = orchestrator->end.message != NULL ? orchestrator->end.message : "";
    if (orchestrator->end.code == SHARD_ENOENT && run_place_has_begun(&orchestrator->run_place))
        return place_no_run(&orchestrator->place, run); /* it was lost while this one stood by */
    switch (orchestrator->end.code) {
    case SHARD_EEXIST:
        return cli_error(CLI_USAGE,
                         "a run '%s' is in the store already; `shardrun resume %s` goes on with it, --run "
                         "gives another name",
                         run, run);
    case SHARD_EHELD:
    case SHARD_EFENCED:
        return cli_error(
            CLI_FENCED,
            "another process holds run '%s': %s; stop that one first, or stand by with `shardrun resume --wait`", run,
            message);
    default:
        return cli_error(
            cli_exit_of(orchestrator->end.code) == CLI_USAGE ? CLI_ENVIRONMENT : cli_exit_of(orchestrator->end.code),
            "run '%s' could not begin: %s%s", run,
            message[0] != '\0' ? message : shard_code_text(orchestrator->end.code), cli_advice(orchestrator->end.code));
    }
}

static int exit_code(const struct orchestrator *orchestrator)
{
    switch (orchestrator->end.state) {
    case SHARD_RUN_DONE:
        return CLI_DONE;
    case SHARD_RUN_FAILED:
        return CLI_FAILED;
    case SHARD_RUN_CANCELLED:
        return CLI_CANCELLED;
    case SHARD_RUN_FENCED:
        return CLI_FENCED;
    case SHARD_RUN_SUSPENDED:
        /* By its own doing: the store gave out. */
        return orchestrator->end.code < 0 ? CLI_ENVIRONMENT : CLI_SUSPENDED;
    case SHARD_RUN_ACTIVE:
    default:
        return CLI_ENVIRONMENT;
    }
}

static void tell_trouble(struct orchestrator *orchestrator)
{
    const struct run_end *end = &orchestrator->end;
    const char *run = orchestrator->options->run;
    const char *message = end->message != NULL ? end->message : shard_code_text(end->code);
    if (end->code >= 0 || end->state == SHARD_RUN_DONE)
        return;
    if (end->code != SHARD_ENOENT)
        show_line(&orchestrator->show, "run %s stopped: %s%s", run, message, cli_advice(end->code));
    else
        show_line(&orchestrator->show,
                  "run %s stopped: %s; it can only be run anew: give another name (--run), or remove '%s'%s", run,
                  message, orchestrator->run_place.directory,
                  orchestrator->place.on_server ? "; SHARDRUN_REDIS_WAIT_REPLICAS has replicas keep what is answered"
                                                : "");
}

/* Writes the report from the store's records. Returns its path, NULL: there is none. */
static char *write_report(struct orchestrator *orchestrator)
{
    const struct run_options *options = orchestrator->options;
    struct shard_run_image *image = NULL;
    char *problem = NULL;
    const char *path = options->report != NULL ? options->report : orchestrator->run_place.report;
    if (options->no_report || orchestrator->end.state == SHARD_RUN_FENCED)
        return NULL;
    int status =
        store_read_run(&orchestrator->store, orchestrator->context, options->run, SHARD_LOAD_RECORDS, &image, &problem);
    if (status == 0)
        status = report_write(image, &options->hosts, path, &problem);
    if (status < 0)
        show_line(&orchestrator->show, "warning: no report was written: %s", problem);
    if (image != NULL)
        image->release(image);
    free(problem);
    return status == 0 ? need_copy(path) : NULL;
}

int orchestrator_loop(struct orchestrator *orchestrator)
{
    int code = watch(orchestrator);
    if (code == 0) {
        pump(orchestrator);
        if (!orchestrator->ended)
            uv_run(&orchestrator->loop, UV_RUN_DEFAULT);
    }
    unwatch(orchestrator);
    if (code != 0)
        return code;
    if (!orchestrator->started)
        return never_began(orchestrator);
    tell_trouble(orchestrator);
    char *report = write_report(orchestrator);
    show_end(&orchestrator->show, &orchestrator->end, report);
    free(report);
    return exit_code(orchestrator);
}
