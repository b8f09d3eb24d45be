/* SPDX-License-Identifier: Apache-2.0 */

/*
 * shardrun-shim DIR NAMESPACE_FD: supervises the attempt whose orders lie in DIR, with the lock of the directory open
 * as descriptor 3. It is told to end the command by SIGTERM (gently) and SIGUSR1 (at once), and tells how the command
 * ended in DIR/exit.json, just before it ends itself.
 *
 * shardrun-shim --hide MOUNT: makes a mount namespace in which nothing is seen at MOUNT, writes a byte to standard
 * output, and keeps the namespace until standard input ends.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Returns an exit status. */
static int hide(const char *mount_point)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ||
        mount("none", mount_point, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0") != 0)
        return 1;
    char byte = 'y';
    if (write(1, &byte, 1) != 1)
        return 1;
    return read(0, &byte, 1) < 0;
}

static int watch_signals(void)
{
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGUSR1);
    /* All others stay blocked, as launch_start left them: nothing but SIGKILL ends the shim early. */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* From here on a command may have run. */
static int mark_begun(struct shim *shim)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    return launch__write_file(shim->dir_fd, LAUNCH__FILE_BEGUN, text, (size_t)length);
}

/*
 * A start must be known even after a power cut. This is not waited for before the start: a power cut in between ends
 * the command as well, and the caller knows from its own records to ask about the attempt, which fences it.
 */
static void make_durable(const struct shim *shim)
{
    int parent = openat(shim->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fsync(shim->result_fd);
    fsync(shim->dir_fd);
    if (parent >= 0) {
        fsync(parent);
        close(parent);
    }
}

static int prepare(struct shim *shim)
{
    struct launch_error error = {""};
    int result = launch__orders_read(shim->dir_fd, &shim->orders);
    if (result < 0)
        launch__fail(&error, result, "cannot read the orders of the attempt: %s", strerror(-result));
    if (result == 0)
        result = launch__group_make(&shim->orders.group, &error);
    if (result == 0)
        result = launch__group_limit(&shim->orders.group, &shim->orders.limits, shim->orders.oom_group, &error);
    memcpy(shim->result.message, error.text, sizeof shim->result.message);
    if (result < 0)
        return result;
    shim->began_ns = monotonic_ns();
    if (shim->orders.timeout_seconds > 0)
        shim->timeout_at_ns = shim->began_ns + (uint64_t)(shim->orders.timeout_seconds * 1e9);
    return command_start(shim);
}

static void take_signals(struct shim *shim)
{
    struct signalfd_siginfo info;
    while (read(shim->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        /* Whoever died before the request came is not ended by it. */
        command_reap(shim);
        if (shim->ended)
            return;
        shim->result.killed = true;
        if (info.ssi_signo == SIGTERM)
            ending_begin(shim);
        else
            shim->kill_at_ns = monotonic_ns();
    }
    command_reap(shim);
}

static void keep_deadlines(struct shim *shim)
{
    uint64_t now = monotonic_ns();
    if (shim->timeout_at_ns != 0 && now >= shim->timeout_at_ns) {
        shim->timeout_at_ns = 0;
        shim->result.timed_out = true;
        ending_begin(shim);
    }
    if (shim->term_wanted && !shim->orders.detached)
        ending_term(shim);
    if (shim->kill_at_ns != 0 && now >= shim->kill_at_ns)
        ending_kill(shim, now);
}

/* A runtime that stays does not tell when its container is there: it is asked again. */
enum { ASK_AGAIN_MS = 5 };

static int until_next_deadline_ms(const struct shim *shim)
{
    uint64_t next = shim->timeout_at_ns;
    if (shim->kill_at_ns != 0 && (next == 0 || shim->kill_at_ns < next))
        next = shim->kill_at_ns;
    if (shim->term_wanted && !shim->orders.detached)
        return ASK_AGAIN_MS;
    if (next == 0)
        return -1;
    uint64_t now = monotonic_ns();
    uint64_t wait_ms = next <= now ? 0 : (next - now + 999999) / 1000000;
    return wait_ms > 3600000 ? 3600000 : (int)wait_ms;
}

static void watch(struct shim *shim)
{
    while (!shim->ended) {
        struct pollfd wait[3] = {{.fd = shim->signal_fd, .events = POLLIN},
                                 {.fd = shim->out.pipe_fd, .events = POLLIN},
                                 {.fd = shim->err.pipe_fd, .events = POLLIN}};
        if (poll(wait, 3, until_next_deadline_ms(shim)) < 0 && errno != EINTR)
            return;
        if (wait[1].revents != 0)
            stream_pump(&shim->out);
        if (wait[2].revents != 0)
            stream_pump(&shim->err);
        if (wait[0].revents != 0)
            take_signals(shim);
        if (!shim->ended)
            keep_deadlines(shim);
    }
}

static int supervise(struct shim *shim)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    shim->signal_fd = watch_signals();
    shim->result_fd = launch__result_reserve(shim->dir_fd);
    if (shim->signal_fd < 0 || shim->result_fd < 0 || mark_begun(shim) < 0)
        return 1;
    if (prepare(shim) < 0) {
        shim->result.how = LAUNCH_FAILED;
    } else {
        make_durable(shim);
        watch(shim);
    }
    ending_sweep(shim);
    int result = ending_finish(shim);
    launch__orders_clear(&shim->orders);
    return result < 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--hide") == 0)
        return hide(argv[2]);
    if (argc != 3) {
        fprintf(stderr, "shardrun-shim is started by shardrun, not by hand\n");
        return 2;
    }
    struct shim shim = {.dir = argv[1], .namespace_fd = atoi(argv[2]), .out = {-1, -1}, .err = {-1, -1}};
    close_range(LAUNCH__NAMESPACE_FD + (shim.namespace_fd >= 0), ~0u, 0);
    fcntl(LAUNCH__LOCK_FD, F_SETFD, FD_CLOEXEC);
    if (shim.namespace_fd >= 0)
        fcntl(shim.namespace_fd, F_SETFD, FD_CLOEXEC);
    shim.dir_fd = open(shim.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return shim.dir_fd < 0 ? 1 : supervise(&shim);
}
