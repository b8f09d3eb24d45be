/* SPDX-License-Identifier: Apache-2.0 */
/* The simple tier: an engine, a host, an executor that calls a function, and the loop around them. */

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include <shard/simple.h>

#include "base/context.h"
#include "base/error.h"

/* Memory that is missing may come back: what cannot be given up is tried again so often, so many milliseconds apart. */
enum { MOST_WAITS = 1000, WAIT_MS = 10 };

/* An attempt on its way to the function. */
struct job {
    struct job *next;
    struct simple *simple;
    shard_sink *sink;
    shard_token token;
    struct shard_call call;
    char *name; /* of the task; the rest of the call is the workflow's */
};

struct simple {
    shard_context *context;
    shard_task_fn function;
    void *self;
    shard_workers *workers; /* NULL: the function runs in the loop */
    shard_engine *engine;
    struct job *first, **end; /* jobs for the loop */
    atomic_int end_is_lost;   /* the end of an attempt could not be told, so that the run cannot end any more */
};

static void free_job(struct job *job)
{
    shard_context *context = job->simple->context;
    shard__strfree(context, job->name);
    shard__release(context, job, sizeof(*job));
}

static void do_job(void *arg)
{
    struct job *job = arg;
    struct simple *simple = job->simple;
    int status = simple->function(simple->self, &job->call);
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = status == 0 ? SHARD_OUTCOME_DONE : SHARD_OUTCOME_TASK_ERROR,
                                    .exit_code = status,
                                    .message = status == 0 ? NULL : "the function returned an error"};
    int told = SHARD_ENOMEM;
    for (int waits = 0; waits < MOST_WAITS && told == SHARD_ENOMEM; waits++) {
        if (waits > 0)
            poll(NULL, 0, WAIT_MS);
        told = shard_sink_attempt_ended(job->sink, job->token, &end);
    }
    if (told < 0) {
        atomic_store(&simple->end_is_lost, 1);
        shard_engine_wake(simple->engine);
    }
    free_job(job);
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct simple *simple = self;
    struct job *job = shard__zalloc(simple->context, sizeof(*job));
    if (job == NULL)
        return SHARD_ENOMEM;
    *job = (struct job){
        .simple = simple, .sink = sink, .token = token, .name = shard__strdup(simple->context, start->task_name)};
    job->call = (struct shard_call){.struct_size = sizeof(job->call),
                                    .task = start->workflow_task,
                                    .name = job->name,
                                    .kind = start->kind,
                                    .payload = start->payload,
                                    .payload_bytes = start->payload_bytes,
                                    .attempt = start->attempt,
                                    .unit_begin = start->unit_begin,
                                    .unit_end = start->unit_end,
                                    .is_merge = start->is_merge};
    int status = job->name == NULL ? SHARD_ENOMEM : 0;
    if (status == 0 && simple->workers != NULL) {
        status = shard_workers_offload(simple->workers, do_job, job);
    } else if (status == 0) {
        *simple->end = job;
        simple->end = &job->next;
    }
    if (status < 0)
        free_job(job);
    return status;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    /* A function that runs cannot be stopped; it ends by itself. */
    (void)self;
    (void)token;
    (void)reason;
}

static const struct shard_executor executor = {
    .struct_size = sizeof(struct shard_executor), .name = "function", .start = start, .cancel = cancel};

/* Does one queued job in this thread, or waits for the engine. */
static int turn(struct simple *simple)
{
    struct job *job = simple->first;
    if (job != NULL) {
        simple->first = job->next;
        if (simple->first == NULL)
            simple->end = &simple->first;
        do_job(job);
        return 0;
    }
    struct pollfd item = {.fd = shard_engine_fd(simple->engine), .events = POLLIN};
    if (poll(&item, 1, -1) < 0 && errno != EINTR)
        return shard__fail_errno(SHARD_EIO, errno, "cannot wait for the engine");
    return 0;
}

/* A step that has memory, if there will be any. */
static int step(struct simple *simple)
{
    int status = shard_engine_step(simple->engine);
    for (int waits = 0; waits < MOST_WAITS && status == SHARD_ENOMEM; waits++) {
        poll(NULL, 0, WAIT_MS);
        status = shard_engine_step(simple->engine);
    }
    if (status >= 0 && atomic_load(&simple->end_is_lost))
        return shard__fail(SHARD_ENOMEM, "there was no memory to tell the end of a task");
    return status;
}

/* Steps until the run has ended. Remembers the first task that was given up, for the error. */
static int loop(struct simple *simple, shard_run_id run)
{
    shard_engine *engine = simple->engine;
    char failed[SHARD_MAX_NAME_BYTES] = "";
    int32_t failed_task = -1;
    for (;;) {
        int status = step(simple);
        if (status < 0)
            return status;
        struct shard_event event = {.struct_size = sizeof(event)};
        while (shard_engine_next_event(engine, &event) == 1) {
            if (event.kind == SHARD_EVENT_TASK_CHANGED && event.state == SHARD_TASK_FAILED && failed_task < 0) {
                failed_task = event.task;
                shard_engine_task_name(engine, run, event.task, failed, sizeof(failed));
            }
            if (event.kind != SHARD_EVENT_RUN_ENDED)
                continue;
            if (event.run_state == SHARD_RUN_DONE)
                return 0;
            if (failed_task >= 0)
                return shard__fail_task(SHARD_ECANCELLED, failed_task, "task '%s' failed", failed);
            return shard__fail(event.code < 0 ? event.code : SHARD_ECANCELLED, "the run ended %s: %s",
                               shard_run_state_text((int)event.run_state), event.message == NULL ? "" : event.message);
        }
        status = turn(simple);
        if (status < 0)
            return status;
    }
}

static int run_on(struct simple *simple, shard_workflow *workflow, int32_t threads, struct shard_run_info *ret_info)
{
    struct shard_host_spec host = {.struct_size = sizeof(host),
                                   .name = "here",
                                   .cpu_millicores = INT64_MAX / 2,
                                   .slots = threads > 0 ? threads : 1};
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "simple"};
    shard_engine *engine = simple->engine;
    int status = shard_engine_add_host(engine, &host);
    if (status < 0)
        return status;
    shard_run_id run = shard_engine_submit(engine, workflow, &spec);
    if (run < 0)
        return run;
    status = loop(simple, run);
    if (status < 0 || ret_info == NULL)
        return status;
    status = shard_engine_run(engine, run, ret_info);
    ret_info->name = "simple"; /* what the engine had is gone when this returns */
    ret_info->workflow = workflow;
    return status;
}

int shard_simple_run(shard_context *context, shard_workflow *workflow, shard_task_fn function, void *self,
                     const struct shard_simple_config *given, struct shard_run_info *ret_info)
{
    shard__clear_error();
    struct shard_simple_config config = {.struct_size = sizeof(config)};
    int status = given == NULL ? 0 : shard__take_struct(&config, sizeof(config), given, "simple config");
    if (status < 0)
        return status;
    if (function == NULL || config.threads < 0 || config.threads > 256 || config.retries < 0)
        return shard__fail(SHARD_EINVAL, "simple config: %s",
                           function == NULL ? "the function is missing"
                                            : "threads is outside 0..256 or retries below 0");
    struct simple simple = {.context = context, .function = function, .self = self};
    simple.end = &simple.first;
    struct shard_store_handle store = {0};
    struct shard_policy_handle policy = {0};
    status = shard_memory_store_open(context, NULL, &store);
    if (status == 0)
        status = shard_policy_heft(context, &policy);
    if (status == 0 && config.threads > 0)
        status = shard_workers_new(config.threads, &simple.workers);
    struct shard_engine_config engine_config = {.struct_size = sizeof(engine_config),
                                                .executor = &executor,
                                                .executor_self = &simple,
                                                .store = store,
                                                .policy = policy,
                                                .lease_seconds = 1e9};
    engine_config.retry[SHARD_OUTCOME_TASK_ERROR] =
        (struct shard_retry){config.retries > 0 ? config.retries : -1, 0.001, 0.1};
    if (status == 0)
        status = shard_engine_new(context, &engine_config, &simple.engine);
    if (status == 0)
        status = run_on(&simple, workflow, config.threads, ret_info);
    /* The error of the run must outlive the taking apart. */
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    shard_workers_free(simple.workers);                    /* before the engine, into whose sink they answer */
    for (struct job *job; (job = simple.first) != NULL;) { /* those of a run that could not go on */
        simple.first = job->next;
        free_job(job);
    }
    shard_engine_free(simple.engine);
    if (policy.port != NULL)
        policy.port->destroy(policy.self);
    if (store.port != NULL)
        store.port->close(store.self);
    if (status < 0)
        shard__fail_task(error.code, error.task, "%s", error.message);
    return status < 0 ? status : 0;
}
