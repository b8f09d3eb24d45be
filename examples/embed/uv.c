/* SPDX-License-Identifier: Apache-2.0 */
/* An embedder inside libuv: the engine's descriptor is one uv_poll_t, each task is a process that libuv watches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <shard/shard.h>

struct embedder {
    uv_loop_t loop;
    uv_poll_t poll;
    shard_engine *engine;
    enum shard_run_state state;
};

/* A task's process. libuv is done with it only when it has been closed. */
struct child {
    uv_process_t process;
    shard_sink *sink;
    shard_token token;
};

/* What the library answers is negative when it failed. */
static void must(int result)
{
    struct shard_error error = {.struct_size = sizeof error};
    if (result >= 0)
        return;
    shard_error_copy(&error);
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_child_ended(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    struct shard_attempt_end end = {.struct_size = sizeof end, .outcome = SHARD_OUTCOME_DONE};
    if (status != 0 || signal != 0)
        end.outcome = SHARD_OUTCOME_TASK_ERROR;
    shard_sink_attempt_ended(child->sink, child->token, &end);
    uv_close((uv_handle_t *)process, on_closed);
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct embedder *embedder = self;
    struct child *child = calloc(1, sizeof *child);
    char name[] = "true", *argv[] = {name, NULL};
    uv_process_options_t options = {.file = "/bin/true", .args = argv, .exit_cb = on_child_ended};
    (void)start; /* a real one runs start->payload on start->host_name */
    if (child == NULL)
        return SHARD_ENOMEM;
    child->sink = sink;
    child->token = token;
    child->process.data = child;
    if (uv_spawn(&embedder->loop, &child->process, &options) < 0) {
        uv_close((uv_handle_t *)&child->process, on_closed);
        return SHARD_EIO; /* an answer too: launch_error */
    }
    return 0;
}

static void on_process(uv_handle_t *handle, void *token)
{
    struct child *child = handle->data;
    if (handle->type == UV_PROCESS && child->token == *(shard_token *)token)
        uv_process_kill(&child->process, SIGKILL);
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    struct embedder *embedder = self;
    (void)reason;
    uv_walk(&embedder->loop, on_process, &token);
}

static void on_engine(uv_poll_t *poll, int status, int events)
{
    struct embedder *embedder = poll->data;
    struct shard_event event = {.struct_size = sizeof event};
    (void)status;
    (void)events;
    must(shard_engine_step(embedder->engine));
    while (shard_engine_next_event(embedder->engine, &event) == 1) {
        if (event.kind == SHARD_EVENT_TASK_DONE)
            printf("task %d is done\n", event.task);
        if (event.kind != SHARD_EVENT_RUN_ENDED)
            continue;
        embedder->state = event.run_state;
        uv_close((uv_handle_t *)poll, NULL); /* nothing else keeps the loop */
        return;
    }
}

int main(void)
{
    static const char text[] =
        "{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [{\"name\": \"split\"},"
        "{\"name\": \"left\", \"after\": [\"split\"]}, {\"name\": \"right\", \"after\": [\"split\"]},"
        "{\"name\": \"join\", \"after\": [\"left\", \"right\"]}]}";
    const struct shard_executor executor = {
        .struct_size = sizeof executor, .name = "uv", .start = start, .cancel = cancel};
    const char *const hosts[] = {"host-a", "host-b"};
    struct embedder embedder = {.state = SHARD_RUN_ACTIVE};
    struct shard_engine_config config = {
        .struct_size = sizeof config, .executor = &executor, .executor_self = &embedder};
    struct shard_run_spec run = {.struct_size = sizeof run, .name = "first"};
    shard_context *context;
    shard_workflow *workflow;

    uv_loop_init(&embedder.loop);
    must(shard_context_new(NULL, &context));
    must(shard_memory_store_open(context, NULL, &config.store));
    must(shard_engine_new(context, &config, &embedder.engine));
    for (int i = 0; i < 2; i++)
        must(shard_engine_add_host(embedder.engine,
                                   &(struct shard_host_spec){.struct_size = sizeof(struct shard_host_spec),
                                                             .name = hosts[i],
                                                             .cpu_millicores = 2000}));
    must(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_AUTO, NULL, &workflow));
    must(shard_engine_submit(embedder.engine, workflow, &run));

    uv_poll_init(&embedder.loop, &embedder.poll, shard_engine_fd(embedder.engine));
    embedder.poll.data = &embedder;
    uv_poll_start(&embedder.poll, UV_READABLE, on_engine);
    uv_run(&embedder.loop, UV_RUN_DEFAULT);
    printf("the run is %s\n", shard_run_state_text((int)embedder.state));

    shard_engine_free(embedder.engine);
    shard_workflow_unref(workflow);
    config.store.port->close(config.store.self);
    shard_context_free(context);
    uv_loop_close(&embedder.loop);
    return embedder.state != SHARD_RUN_DONE;
}
