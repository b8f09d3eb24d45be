/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How an attempt is ended and what is left of it: signals, the sweep that leaves no process behind (double forks and
 * new sessions included), the counters, the result file, the clean-up.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_AGAIN_NS 20000000u
#define SWEEP_ROUND_MS 5
#define SWEEP_ROUNDS 12000

uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What /proc says of a process in a line of its status; the line begins with `field`. */
static uint64_t status_field(pid_t pid, const char *field, int base)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (launch__read_file(AT_FDCWD, path, 65536, &text, &size) < 0)
        return 0;
    const char *line = strstr(text, field);
    uint64_t value = line == NULL ? 0 : strtoull(line + strlen(field), NULL, base);
    free(text);
    return value;
}

/* The first process of a pid namespace never sees a signal that it does not catch. */
static bool catches_term(pid_t pid)
{
    return (status_field(pid, "\nSigCgt:", 16) >> (SIGTERM - 1) & 1) != 0;
}

/*
 * A number from a file may be another process's by now, but not if that is a child of our runtime. A runtime whose
 * container is no child of its own has to pass the signal on; it dies of one that comes before it is ready to.
 */
static void term_container(pid_t runtime, pid_t container)
{
    int fd = pidfd_open(container, 0);
    if (fd >= 0 && status_field(container, "\nPPid:", 10) == (uint64_t)runtime)
        pidfd_send_signal(fd, SIGTERM, NULL, 0);
    else
        kill(runtime, SIGTERM);
    if (fd >= 0)
        close(fd);
}

void ending_term(struct shim *shim)
{
    shim->term_wanted = false;
    if (!shim->orders.container) {
        kill(-shim->command_pid, SIGTERM);
        return;
    }
    pid_t container = command_container_pid(shim);
    if (container == 0 && shim->runtime_pid != 0)
        shim->term_wanted = true; /* the runtime has yet to say which it is */
    else if (container == 0 || !catches_term(container))
        shim->kill_at_ns = monotonic_ns(); /* the default action of SIGTERM, which the kernel withholds from it */
    else if (shim->runtime_pid != 0)
        term_container(shim->runtime_pid, container);
    else
        kill(container, SIGTERM);
}

void ending_begin(struct shim *shim)
{
    if (shim->kill_at_ns != 0)
        return;
    shim->kill_at_ns = monotonic_ns() + (uint64_t)(shim->orders.kill_grace_seconds * 1e9);
    bool starting = shim->orders.detached && shim->command_pid == 0;
    if (starting)
        shim->term_wanted = true;
    else if (shim->orders.kill_grace_seconds > 0)
        ending_term(shim);
}

/* With the shim as subreaper, whoever loses its parent becomes a child, so killing children again and again gets all.
 */
static void kill_children(void)
{
    char *text = NULL;
    size_t size = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (launch__read_file(AT_FDCWD, path, (size_t)16 << 20, &text, &size) < 0)
        return;
    for (char *at = text; *at != '\0';) {
        char *end = NULL;
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
        at = end;
    }
    free(text);
}

void ending_kill(struct shim *shim, uint64_t now_ns)
{
    launch__group_kill(&shim->orders.group);
    kill_children();
    shim->kill_sent = true;
    shim->kill_at_ns = now_ns + KILL_AGAIN_NS;
}

void ending_sweep(struct shim *shim)
{
    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        pid_t pid;
        do
            pid = waitpid(-1, NULL, WNOHANG);
        while (pid > 0);
        if (pid < 0)
            return;
        launch__group_kill(&shim->orders.group);
        kill_children();
        stream_pump(&shim->out);
        stream_pump(&shim->err);
        struct pollfd wait = {.fd = shim->signal_fd, .events = POLLIN};
        struct signalfd_siginfo info;
        if (poll(&wait, 1, SWEEP_ROUND_MS) > 0 && read(shim->signal_fd, &info, sizeof info) < 0)
            return;
    }
    if (shim->result.message[0] == '\0')
        snprintf(shim->result.message, sizeof shim->result.message, "a process of the attempt does not die of SIGKILL");
}

/*
 * The kernel counts what a command reads and writes as memory that it holds, as long as there is room, and gives it
 * back when there is none: no need. What of it is left at the end was not needed; what the largest process held was.
 */
static void leave_out_cache(const struct launch__group *group, struct launch_result *result)
{
    uint64_t cache = launch__group_file_cache(group);
    result->max_memory_bytes = result->max_memory_bytes > cache ? result->max_memory_bytes - cache : 0;
    if (result->max_memory_bytes < result->max_rss_bytes)
        result->max_memory_bytes = result->max_rss_bytes;
}

static void read_counters(struct shim *shim)
{
    struct launch_result *result = &shim->result;
    const struct launch__group *group = &shim->orders.group;
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    result->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    struct launch_usage counted;
    if (launch__group_usage(group, &counted) == 0 && counted.cpu_ns > 0)
        result->cpu_seconds = (double)counted.cpu_ns / 1e9;
    result->out_of_memory = launch__group_oom_kills(group) > 0;
    result->max_memory_bytes = launch__group_peak_memory(group);
    if (!result->out_of_memory)
        leave_out_cache(group, result);
    if (result->how == LAUNCH_FAILED && result->out_of_memory)
        snprintf(result->message, sizeof result->message,
                 "the memory limit of %" PRIu64 " bytes is too small for the OCI runtime to start the command",
                 shim->orders.limits.memory_bytes);
}

/*
 * What we have killed did not end by itself, whatever its exit code: it loses the right to fork, and its children may
 * die, before it does, so that a shell gives up or goes on for a moment. A runtime that stays tells a death by signal n
 * as exit code 128 + n, which a command may also choose: it was the signal if the kernel has sent it for the memory.
 */
static void tell_the_signal(struct shim *shim)
{
    struct launch_result *result = &shim->result;
    bool stays = shim->orders.container && !shim->orders.detached;
    if (result->how == LAUNCH_EXITED &&
        (shim->kill_sent || (stays && result->out_of_memory && result->exit_code == 128 + SIGKILL))) {
        result->how = LAUNCH_SIGNALED;
        result->signal = SIGKILL;
        result->exit_code = 0;
    }
}

/* A process that was just reaped may still count for a moment. */
static void remove_group(const struct launch__group *group)
{
    for (int round = 0; round < 200 && launch__group_remove(group) == -EBUSY; round++) {
        launch__group_kill(group);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

int ending_finish(struct shim *shim)
{
    struct launch_result *result = &shim->result;
    struct timespec now;
    stream_finish(&shim->out);
    stream_finish(&shim->err);
    result->stdout_dropped_bytes = shim->out.dropped;
    result->stderr_dropped_bytes = shim->err.dropped;
    result->wall_seconds = shim->began_ns == 0 ? 0 : (double)(monotonic_ns() - shim->began_ns) / 1e9;
    clock_gettime(CLOCK_REALTIME, &now);
    result->ended_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    read_counters(shim);
    tell_the_signal(shim);
    remove_group(&shim->orders.group);
    launch__remove_tree(shim->dir_fd, LAUNCH__FILE_RUNTIME);
    launch__remove_tree(shim->dir_fd, LAUNCH__FILE_PID);
    return launch__result_write(shim->dir_fd, shim->result_fd, result);
}
