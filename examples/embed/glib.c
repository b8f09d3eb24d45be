/* SPDX-License-Identifier: Apache-2.0 */
/* An embedder inside a GLib main loop: the engine's descriptor is one source, each task is a process with a watch. */
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

struct embedder {
    GMainLoop *loop;
    GList *children; /* that run */
    shard_engine *engine;
    enum shard_run_state state;
};

struct child {
    struct embedder *embedder;
    GPid pid;
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

static void on_child_ended(GPid pid, int status, gpointer data)
{
    struct child *child = data;
    struct shard_attempt_end end = {.struct_size = sizeof end, .outcome = SHARD_OUTCOME_DONE};
    if (status != 0)
        end.outcome = SHARD_OUTCOME_TASK_ERROR;
    child->embedder->children = g_list_remove(child->embedder->children, child);
    shard_sink_attempt_ended(child->sink, child->token, &end);
    g_spawn_close_pid(pid);
    g_free(child);
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct embedder *embedder = self;
    char path[] = "/bin/true", *argv[] = {path, NULL};
    GPid pid;
    (void)start; /* a real one runs start->payload on start->host_name */
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL))
        return SHARD_EIO; /* an answer too: launch_error */
    struct child *child = g_new(struct child, 1);
    *child = (struct child){embedder, pid, sink, token};
    embedder->children = g_list_prepend(embedder->children, child);
    g_child_watch_add(pid, on_child_ended, child);
    return 0;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    struct embedder *embedder = self;
    (void)reason;
    for (GList *at = embedder->children; at != NULL; at = at->next) {
        const struct child *child = at->data;
        if (child->token == token)
            kill(child->pid, SIGKILL); /* its end is told as any other */
    }
}

static gboolean on_engine(gint fd, GIOCondition condition, gpointer data)
{
    struct embedder *embedder = data;
    struct shard_event event = {.struct_size = sizeof event};
    (void)fd;
    (void)condition;
    must(shard_engine_step(embedder->engine));
    while (shard_engine_next_event(embedder->engine, &event) == 1) {
        if (event.kind == SHARD_EVENT_TASK_DONE)
            printf("task %d is done\n", event.task);
        if (event.kind != SHARD_EVENT_RUN_ENDED)
            continue;
        embedder->state = event.run_state;
        g_main_loop_quit(embedder->loop);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

int main(void)
{
    static const char text[] =
        "{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [{\"name\": \"split\"},"
        "{\"name\": \"left\", \"after\": [\"split\"]}, {\"name\": \"right\", \"after\": [\"split\"]},"
        "{\"name\": \"join\", \"after\": [\"left\", \"right\"]}]}";
    const struct shard_executor executor = {
        .struct_size = sizeof executor, .name = "glib", .start = start, .cancel = cancel};
    const char *const hosts[] = {"host-a", "host-b"};
    struct embedder embedder = {.loop = g_main_loop_new(NULL, FALSE)};
    struct shard_engine_config config = {
        .struct_size = sizeof config, .executor = &executor, .executor_self = &embedder};
    struct shard_run_spec run = {.struct_size = sizeof run, .name = "first"};
    shard_context *context;
    shard_workflow *workflow;

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

    g_unix_fd_add(shard_engine_fd(embedder.engine), G_IO_IN, on_engine, &embedder);
    g_main_loop_run(embedder.loop);
    printf("the run is %s\n", shard_run_state_text((int)embedder.state));

    shard_engine_free(embedder.engine);
    shard_workflow_unref(workflow);
    config.store.port->close(config.store.self);
    shard_context_free(context);
    g_main_loop_unref(embedder.loop);
    return embedder.state != SHARD_RUN_DONE;
}
