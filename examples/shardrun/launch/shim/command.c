/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts the attempt's command, or the OCI runtime that starts it, and notices who has died. A runtime that detaches
 * ends when the container runs; the container's first process then becomes the shim's own child (the shim is a
 * subreaper), and its exact end is known. One that stays ends with the container and tells its end as a shell would.
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

#define CHILD_STACK_BYTES 65536

/* What the child could not do before it became the command. */
struct trouble {
    enum { TROUBLE_GROUP, TROUBLE_NAMESPACE, TROUBLE_DIRECTORY, TROUBLE_COMMAND, TROUBLE_OTHER } step;
    int code; /* 0: it became the command */
};

/* What the child gets to see; it shares the shim's memory until it becomes the command. */
struct child {
    const struct shim *shim;
    pid_t shim_pid;
    int out_fd;
    int err_fd;
    struct trouble trouble;
};

static struct trouble become_command(const struct child *child)
{
    const struct shim *shim = child->shim;
    const struct launch__orders *orders = &shim->orders;
    setsid();
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(child->out_fd, 1) < 0 || dup2(child->err_fd, 2) < 0)
        return (struct trouble){TROUBLE_OTHER, errno};
    if (null_fd > 2)
        close(null_fd);
    if (!orders->managed) {
        int result = launch__group_enter(&orders->group);
        if (result < 0)
            return (struct trouble){TROUBLE_GROUP, -result};
    }
    if (!orders->container) {
        /* If the shim is killed, nobody watches the command any more: it must not run on unseen. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != child->shim_pid)
            _exit(127);
    }
    if (orders->container && shim->namespace_fd >= 0 && setns(shim->namespace_fd, CLONE_NEWNS) != 0)
        return (struct trouble){TROUBLE_NAMESPACE, errno};
    if (chdir(orders->cwd) != 0)
        return (struct trouble){TROUBLE_DIRECTORY, errno};
    /* The shim itself was started with every signal at its default. */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* PATH of the command's own environment is searched; memory is shared with the shim, which never looks at it. */
    char *const *env = launch__exec_list(orders->env);
    memcpy(&environ, &env, sizeof environ);
    execvp(orders->argv[0], launch__exec_list(orders->argv));
    return (struct trouble){TROUBLE_COMMAND, errno};
}

static int child_main(void *argument)
{
    struct child *child = argument;
    child->trouble = become_command(child);
    _exit(127);
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

/* As vfork does, with a stack of its own: nothing of the shim is copied, and it goes on when the command is there. */
static int start_child(struct shim *shim, int out_fd, int err_fd)
{
    static _Alignas(16) char stack[CHILD_STACK_BYTES];
    struct child child = {
        .shim = shim, .shim_pid = getpid(), .out_fd = out_fd, .err_fd = err_fd, .trouble = {TROUBLE_OTHER, 0}};
    pid_t pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
    if (pid < 0)
        child.trouble.code = errno;
    if (child.trouble.code != 0) {
        describe(shim, child.trouble);
        return -child.trouble.code;
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

/* Cuts the inside of a JSON string off at its end, and takes the backslashes out of it. */
static void unquote(char *text)
{
    char *to = text;
    for (; *text != '\0' && *text != '"'; text++) {
        text += text[0] == '\\' && text[1] != '\0';
        *to++ = *text;
    }
    *to = '\0';
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
        char *message = strstr(text, "\"msg\":\"");
        if (message != NULL) {
            message += strlen("\"msg\":\"");
            unquote(message);
            line = message;
        }
    }
    struct launch_error error = {""};
    if (*line != '\0')
        launch__fail(&error, 0, "the OCI runtime refused: %s", line);
    else if (WIFSIGNALED(status))
        launch__fail(&error, 0, "the OCI runtime was killed by signal %d", WTERMSIG(status));
    else
        launch__fail(&error, 0, "the OCI runtime ended with status %d and said nothing", WEXITSTATUS(status));
    memcpy(shim->result.message, error.text, sizeof shim->result.message);
    free(text);
}

/* The container's first process, if there is, or was, one. */
pid_t command_container_pid(const struct shim *shim)
{
    char *text = NULL;
    size_t size = 0;
    if (launch__read_file(shim->dir_fd, LAUNCH__FILE_PID, 64, &text, &size) < 0)
        return 0;
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    free(text);
    return pid > 0 ? pid : 0;
}

static void runtime_ended(struct shim *shim, int status, const struct rusage *usage)
{
    bool detached = shim->orders.detached;
    pid_t container = command_container_pid(shim);
    shim->runtime_pid = 0;
    if (detached && container != 0 && status == 0) {
        shim->command_pid = container;
        if (shim->term_wanted)
            ending_term(shim);
    } else if (!detached && container != 0) {
        shim->result.max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024;
        note_end(shim, status);
    } else if (shim->kill_at_ns != 0) { /* a kill caught it in the middle, which is no failure to launch */
        note_end(shim, SIGKILL);
    } else {
        describe_runtime_failure(shim, status);
        shim->result.how = LAUNCH_FAILED;
        shim->ended = true;
    }
}

void command_reap(struct shim *shim)
{
    int status = 0;
    struct rusage usage;
    if (shim->runtime_pid != 0) {
        if (wait4(shim->runtime_pid, &status, WNOHANG, &usage) != shim->runtime_pid)
            return;
        runtime_ended(shim, status, &usage);
    }
    while (!shim->ended) {
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
