/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts the attempt's command, or the OCI runtime that starts it, and notices who has died. A runtime is run detached:
 * it ends when the container runs, the container's first process becomes the shim's own child (the shim is a
 * subreaper), and so its exact end is known, which the runtime's exit status would only hint at.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the child could not do before it became the command, sent through a pipe that closes when it has. */
struct trouble {
    enum { TROUBLE_GROUP, TROUBLE_NAMESPACE, TROUBLE_DIRECTORY, TROUBLE_COMMAND, TROUBLE_OTHER } step;
    int code;
};

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct trouble become_command(const struct shim *shim, int out_fd, int err_fd, pid_t shim_pid)
{
    const struct launch__orders *orders = &shim->orders;
    setsid();
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0)
        return (struct trouble){TROUBLE_OTHER, errno};
    if (null_fd > 2)
        close(null_fd);
    if (orders->enter_group) {
        int result = launch__group_enter(&orders->group);
        if (result < 0)
            return (struct trouble){TROUBLE_GROUP, -result};
    }
    if (!orders->container) {
        /* If the shim is killed, nobody watches the command any more: it must not run on unseen. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != shim_pid)
            raise(SIGKILL);
    }
    if (shim->namespace_fd >= 0 && setns(shim->namespace_fd, CLONE_NEWNS) != 0)
        return (struct trouble){TROUBLE_NAMESPACE, errno};
    if (chdir(orders->cwd) != 0)
        return (struct trouble){TROUBLE_DIRECTORY, errno};
    reset_signals();
    /* exec takes char *const[], for history's sake; it writes to none of them. */
    environ = (char **)(uintptr_t)orders->env;
    execvp(orders->argv[0], (char *const *)(uintptr_t)orders->argv);
    return (struct trouble){TROUBLE_COMMAND, errno};
}

static void describe(struct shim *shim, struct trouble trouble)
{
    struct launch_error text = {""};
    const struct launch__orders *orders = &shim->orders;
    const char *why = strerror(trouble.code);
    switch (trouble.step) {
    case TROUBLE_GROUP:
        launch__fail(&text, 0, "cannot enter the cgroup of the attempt: %s", why);
        break;
    case TROUBLE_NAMESPACE:
        launch__fail(&text, 0, "cannot enter the mount namespace for the OCI runtime: %s", why);
        break;
    case TROUBLE_DIRECTORY:
        launch__fail(&text, 0, "cannot enter directory '%s': %s", orders->cwd, why);
        break;
    case TROUBLE_COMMAND:
        launch__fail(&text, 0, "cannot run %s'%s': %s", orders->container ? "OCI runtime " : "command ",
                     orders->argv[0], trouble.code == ENOENT ? "not found" : why);
        break;
    case TROUBLE_OTHER:
        launch__fail(&text, 0, "cannot prepare the command: %s", why);
        break;
    }
    memcpy(shim->result.message, text.text, sizeof shim->result.message);
}

static int start_child(struct shim *shim, int out_fd, int err_fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    pid_t shim_pid = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct trouble trouble = become_command(shim, out_fd, err_fd, shim_pid);
        launch__write_all(ends[1], &trouble, sizeof trouble);
        _exit(127);
    }
    int result = pid < 0 ? -errno : 0;
    close(ends[1]);
    struct trouble trouble = {TROUBLE_OTHER, pid < 0 ? errno : 0};
    if (pid > 0 && read(ends[0], &trouble, sizeof trouble) == (ssize_t)sizeof trouble)
        result = -trouble.code;
    close(ends[0]);
    if (result < 0) {
        describe(shim, trouble);
        return result;
    }
    if (shim->orders.container)
        shim->runtime_pid = pid;
    else
        shim->command_pid = pid;
    return 0;
}

int command_start(struct shim *shim)
{
    int out_fd = -1;
    int err_fd = -1;
    uint64_t max_bytes = shim->orders.max_output_bytes;
    int result = stream_open(&shim->out, shim->dir_fd, LAUNCH__FILE_STDOUT, max_bytes, &out_fd);
    if (result == 0)
        result = stream_open(&shim->err, shim->dir_fd, LAUNCH__FILE_STDERR, max_bytes, &err_fd);
    if (result < 0)
        snprintf(shim->result.message, sizeof shim->result.message, "cannot keep the output of the command: %s",
                 strerror(-result));
    else
        result = start_child(shim, out_fd, err_fd);
    if (out_fd >= 0)
        close(out_fd);
    if (err_fd >= 0)
        close(err_fd);
    return result;
}

static void note_end(struct shim *shim, int status)
{
    shim->ended = true;
    if (WIFSIGNALED(status)) {
        shim->result.how = LAUNCH_SIGNALED;
        shim->result.signal = WTERMSIG(status);
    } else {
        shim->result.how = LAUNCH_EXITED;
        shim->result.exit_code = WEXITSTATUS(status);
    }
}

/* The last complaint in the runtime's log: a plain line (crun), or a JSON object with "msg" (runc). */
static void describe_runtime_failure(struct shim *shim, int status)
{
    char *text = NULL;
    size_t size = 0;
    const char *line = "";
    if (launch__read_file(shim->dir_fd, LAUNCH__FILE_LOG, (size_t)1 << 20, &text, &size) == 0) {
        while (size > 0 && text[size - 1] == '\n')
            text[--size] = '\0';
        const char *last = strrchr(text, '\n');
        line = last == NULL ? text : last + 1;
        const char *message = strstr(line, "\"msg\":\"");
        line = message == NULL ? line : message + strlen("\"msg\":\"");
    }
    struct launch_error error = {""};
    if (*line != '\0')
        launch__fail(&error, 0, "the OCI runtime refused: %s", line);
    else if (WIFSIGNALED(status))
        launch__fail(&error, 0, "the OCI runtime was killed by signal %d", WTERMSIG(status));
    else
        launch__fail(&error, 0, "the OCI runtime ended with status %d and said nothing", WEXITSTATUS(status));
    char *rest = strstr(error.text, "\",\"time\":");
    if (rest != NULL)
        *rest = '\0';
    memcpy(shim->result.message, error.text, sizeof shim->result.message);
    free(text);
}

static void runtime_ended(struct shim *shim, int status)
{
    char *text = NULL;
    size_t size = 0;
    shim->runtime_pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
        launch__read_file(shim->dir_fd, LAUNCH__FILE_PID, 64, &text, &size) == 0)
        shim->command_pid = (pid_t)strtol(text, NULL, 10);
    free(text);
    if (shim->command_pid > 0) {
        if (shim->term_wanted)
            ending_term(shim);
        return;
    }
    if (shim->kill_at_ns != 0) { /* a kill caught it in the middle: what it says about that is no failure to launch */
        note_end(shim, WIFSIGNALED(status) ? status : SIGKILL);
        return;
    }
    describe_runtime_failure(shim, status);
    shim->result.how = LAUNCH_FAILED;
    shim->ended = true;
}

void command_reap(struct shim *shim)
{
    int status = 0;
    if (shim->runtime_pid != 0) {
        if (waitpid(shim->runtime_pid, &status, WNOHANG) != shim->runtime_pid)
            return;
        runtime_ended(shim, status);
    }
    while (!shim->ended) {
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid == 0)
            return;
        if (pid < 0) {
            snprintf(shim->result.message, sizeof shim->result.message, "process %d is not there to be waited for",
                     (int)shim->command_pid);
            shim->result.how = LAUNCH_FAILED;
            shim->ended = true;
        } else if (pid == shim->command_pid) {
            shim->result.max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
            note_end(shim, status);
        }
    }
}
