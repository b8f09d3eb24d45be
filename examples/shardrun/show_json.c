/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of a run as JSON.
 */
#include "show_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void print(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_object_set_new(object, key, json_string(text));
}

static void set_task(const struct show *show, const struct shard_event *event, json_t *object)
{
    int length = shard_engine_task_name(show->engine, event->run, event->task, NULL, 0);
    if (length < 0)
        return;
    char *name = need_zeroed((size_t)length + 1, 1);
    shard_engine_task_name(show->engine, event->run, event->task, name, (size_t)length + 1);
    set_text(object, "task", name);
    free(name);
}

static void set_host(const struct show *show, const struct shard_event *event, json_t *object)
{
    struct shard_host_view host = {.struct_size = sizeof host};
    if (event->host >= 0 && shard_engine_host(show->engine, event->host, &host) == 0)
        set_text(object, "host", host.name);
}

static json_t *begin(const struct show *show, const struct shard_event *event, const char *name)
{
    json_t *object = json_pack("{s:s,s:f}", "event", name, "time", (double)event->time_ns / 1e9);
    if (event->task >= 0)
        set_task(show, event, object);
    set_host(show, event, object);
    if (event->attempt > 0)
        json_object_set_new(object, "attempt", json_integer(event->attempt));
    return object;
}

static void print_run_started(const struct show *show, const struct shard_event *event)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    shard_engine_run(show->engine, show->run, &info);
    print(json_pack("{s:s,s:f,s:s,s:i,s:i,s:s,s:s,s:s}", "event", "run_started", "time", (double)event->time_ns / 1e9,
                    "run", show->options->run, "tasks", (int)info.task_count, "hosts", show->options->hosts.count,
                    "executor", show->options->executor == EXECUTOR_PROCESS ? "process" : "container", "policy",
                    show->options->policy, "store", show->place->text));
}

static void print_attempt_ended(const struct show *show, const struct shard_event *event)
{
    json_t *object = begin(show, event, "attempt_ended");
    json_object_set_new(object, "outcome", json_string(shard_outcome_text(event->outcome)));
    json_object_set_new(object, "seconds", json_real(event->seconds));
    set_text(object, "message", event->message);
    print(object);
}

static void print_task_changed(const struct show *show, const struct shard_event *event)
{
    json_t *object = begin(show, event, "task_changed");
    json_object_set_new(object, "state", json_string(shard_task_state_text(event->state)));
    json_object_set_new(object, "reason", json_string(shard_reason_text(event->reason)));
    set_text(object, "message", event->message);
    print(object);
}

static void print_host_changed(const struct show *show, const struct shard_event *event)
{
    struct shard_host_view host = {.struct_size = sizeof host};
    json_t *object = begin(show, event, "host_changed");
    if (shard_engine_host(show->engine, event->host, &host) == 0)
        json_object_set_new(object, "state", json_string(shard_host_state_text(host.state)));
    set_text(object, "message", event->message);
    print(object);
}

void show_json_event(const struct show *show, const struct shard_event *event)
{
    json_t *object;
    switch (event->kind) {
    case SHARD_EVENT_RUN_STARTED:
        print_run_started(show, event);
        break;
    case SHARD_EVENT_ATTEMPT_STARTED:
        print(begin(show, event, "attempt_started"));
        break;
    case SHARD_EVENT_ATTEMPT_ADOPTED:
        print(begin(show, event, "attempt_adopted"));
        break;
    case SHARD_EVENT_ATTEMPT_ENDED:
        print_attempt_ended(show, event);
        break;
    case SHARD_EVENT_TASK_CHANGED:
        print_task_changed(show, event);
        break;
    case SHARD_EVENT_TASK_DONE:
        print(begin(show, event, "task_done"));
        break;
    case SHARD_EVENT_HOST_CHANGED:
        print_host_changed(show, event);
        break;
    case SHARD_EVENT_PROGRESS:
        object = begin(show, event, "progress");
        json_object_set_new(object, "units_done", json_integer(event->units_done));
        json_object_set_new(object, "seconds", json_real(event->seconds));
        print(object);
        break;
    case SHARD_EVENT_WARNING:
        object = begin(show, event, "warning");
        set_text(object, "message", event->message);
        print(object);
        break;
    case SHARD_EVENT_NONE:
    case SHARD_EVENT_RUN_ENDED: /* told by show_json_end */
    default:
        break;
    }
}

static json_t *failures_of(const struct shard_run_info *info)
{
    json_t *failures = json_object();
    for (int i = SHARD_OUTCOME_TASK_ERROR; i < SHARD_OUTCOME_COUNT; i++) {
        if (info->failures[i] > 0)
            json_object_set_new(failures, shard_outcome_text(i), json_integer(info->failures[i]));
    }
    return failures;
}

void show_json_end(const struct show *show, const struct run_end *end, const char *report)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    shard_engine_run(show->engine, show->run, &info);
    json_t *object =
        json_pack("{s:s,s:s,s:i,s:i,s:i,s:I,s:f,s:s,s:s,s:i,s:i,s:I,s:o}", "event", "run_finished", "state",
                  shard_run_state_text((int)end->state), "tasks", (int)info.task_count, "done",
                  (int)info.by_state[SHARD_TASK_DONE], "failed", (int)info.by_state[SHARD_TASK_FAILED], "attempts",
                  (json_int_t)info.attempts, "makespan_seconds", end->makespan_seconds, "run", show->options->run,
                  "store", show->place->text, "skipped", (int)info.by_state[SHARD_TASK_SKIPPED], "cancelled",
                  (int)info.by_state[SHARD_TASK_CANCELLED], "adopted", (json_int_t)show->tally.adopted, "failures",
                  failures_of(&info));
    set_text(object, "message", end->message);
    set_text(object, "report", report);
    print(object);
}
