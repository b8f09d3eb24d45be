/* SPDX-License-Identifier: Apache-2.0 */
/* An embedder with a loop of its own around poll(): each task is a process, there are two hosts, nothing is kept. */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shard/shard.h>

enum { SLOTS = 4 }; /* of both hosts together: no more processes than that at a time */

static struct child {
    pid_t pid; /* 0: free */
    shard_sink *sink;
    shard_token token;
} children[SLOTS];

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    struct child *child = self;
    char name[] = "true", *argv[] = {name, NULL}, *environment[] = {NULL};
    (void)start; /* a real one runs start->payload on start->host_name */
    while (child->pid != 0)
        child++;
    if (posix_spawn(&child->pid, "/bin/true", NULL, NULL, argv, environment) != 0)
        return SHARD_EIO; /* an answer too: launch_error */
    child->sink = sink;
    child->token = token;
    return 0;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    (void)reason;
    for (struct child *child = self; child < children + SLOTS; child++) {
        if (child->pid != 0 && child->token == token)
            kill(child->pid, SIGKILL); /* its end is told as any other */
    }
}

/* Tells the engine of each process that has ended. */
static void reap(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct shard_attempt_end end = {.struct_size = sizeof end, .outcome = SHARD_OUTCOME_DONE};
        struct child *child = children;
        while (child->pid != pid)
            child++;
        child->pid = 0;
        if (status != 0)
            end.outcome = SHARD_OUTCOME_TASK_ERROR;
        shard_sink_attempt_ended(child->sink, child->token, &end);
    }
}

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

int main(void)
{
    static const char text[] =
        "{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [{\"name\": \"split\"},"
        "{\"name\": \"left\", \"after\": [\"split\"]}, {\"name\": \"right\", \"after\": [\"split\"]},"
        "{\"name\": \"join\", \"after\": [\"left\", \"right\"]}]}";
    const struct shard_executor executor = {
        .struct_size = sizeof executor, .name = "spawn", .start = start, .cancel = cancel};
    const char *const hosts[] = {"host-a", "host-b"};
    struct shard_engine_config config = {
        .struct_size = sizeof config, .executor = &executor, .executor_self = children};
    struct shard_run_spec run = {.struct_size = sizeof run, .name = "first"};
    struct shard_event event = {.struct_size = sizeof event};
    shard_context *context;
    shard_workflow *workflow;
    shard_engine *engine;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    must(shard_context_new(NULL, &context));
    must(shard_memory_store_open(context, NULL, &config.store));
    must(shard_engine_new(context, &config, &engine));
    for (int i = 0; i < 2; i++)
        must(shard_engine_add_host(engine, &(struct shard_host_spec){.struct_size = sizeof(struct shard_host_spec),
                                                                     .name = hosts[i],
                                                                     .cpu_millicores = 1000 * SLOTS / 2}));
    must(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_AUTO, NULL, &workflow));
    must(shard_engine_submit(engine, workflow, &run));

    struct pollfd fds[] = {{.fd = shard_engine_fd(engine), .events = POLLIN},
                           {.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN}};
    while (event.kind != SHARD_EVENT_RUN_ENDED && poll(fds, 2, -1) > 0) {
        struct signalfd_siginfo child_ended;
        if (fds[1].revents != 0 && read(fds[1].fd, &child_ended, sizeof child_ended) > 0)
            reap();
        must(shard_engine_step(engine));
        while (event.kind != SHARD_EVENT_RUN_ENDED && shard_engine_next_event(engine, &event) == 1) {
            if (event.kind == SHARD_EVENT_TASK_DONE)
                printf("task %d is done\n", event.task);
        }
    }
    printf("the run is %s\n", shard_run_state_text((int)event.run_state));

    close(fds[1].fd);
    shard_engine_free(engine);
    shard_workflow_unref(workflow);
    config.store.port->close(config.store.self);
    shard_context_free(context);
    return event.run_state != SHARD_RUN_DONE;
}
