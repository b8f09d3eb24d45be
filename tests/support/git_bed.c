/* SPDX-License-Identifier: Apache-2.0 */

#include "git_bed.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tempdir.h"

static char printed[1 << 16];

const char *__lsan_default_suppressions(void);

/* LeakSanitizer asks: what libgit2 leaves of each pattern that it matched is its own. */
__attribute__((weak)) const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8\n";
}

void git_bed_make(struct git_bed *bed)
{
    static const char *const settings[][2] = {{"GIT_CONFIG_NOSYSTEM", "1"},
                                              {"GIT_AUTHOR_NAME", "someone else"},
                                              {"GIT_AUTHOR_EMAIL", "else@localhost"},
                                              {"GIT_COMMITTER_NAME", "someone else"},
                                              {"GIT_COMMITTER_EMAIL", "else@localhost"}};
    bed->server = 0;
    tempdir_make(bed->path);
    setenv("HOME", bed->path, 1);
    setenv("XDG_CONFIG_HOME", bed->path, 1);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        setenv(settings[i][0], settings[i][1], 1);
}

void git_bed_remove(struct git_bed *bed)
{
    git_bed_stop(bed);
    sh(bed, "chmod -R u+w . ; rm -rf %s", bed->path);
}

static int run(const struct git_bed *bed, const char *format, va_list arguments)
{
    char command[8192];
    int length = snprintf(command, sizeof(command), "cd %s && exec 2>&1; ", bed->path);
    int more = vsnprintf(command + length, sizeof(command) - (size_t)length, format, arguments);
    ck_assert_int_lt(length + more, (int)sizeof(command));
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t size = fread(printed, 1, sizeof(printed) - 1, pipe);
    printed[size] = '\0';
    int status = pclose(pipe);
    while (size > 0 && printed[size - 1] == '\n')
        printed[--size] = '\0';
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *sh(const struct git_bed *bed, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = run(bed, format, arguments);
    va_end(arguments);
    ck_assert_msg(status == 0, "'%s' ended with %d: %s", format, status, printed);
    return printed;
}

int sh_status(const struct git_bed *bed, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = run(bed, format, arguments);
    va_end(arguments);
    return status;
}

/* Starts a shell command in a process group of its own, with what it prints in a pipe. */
static FILE *spawn(const struct git_bed *bed, const char *command, pid_t *ret_pid)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    *ret_pid = fork();
    ck_assert_int_ge(*ret_pid, 0);
    if (*ret_pid == 0) {
        if (chdir(bed->path) == 0 && dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return fdopen(ends[0], "r");
}

int git_bed_https(struct git_bed *bed, const char *certificate, const char *more)
{
    char command[1024], line[200] = "";
    snprintf(command, sizeof(command), "exec python3 %s/../support/https_git.py . %s.crt %s.key secret %s", TEST_DATA,
             certificate, certificate, more);
    bed->output = spawn(bed, command, &bed->server);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), bed->output));
    ck_assert_msg(atoi(line) > 0, "%s", line);
    return atoi(line);
}

/* A port of loopback that is free now. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

int git_bed_sshd(struct git_bed *bed)
{
    enum { TRIES = 20 };
    char command[1024], line[400] = "";
    if (geteuid() == 0)
        mkdir("/run/sshd", 0755);
    for (int i = 0; i < TRIES; i++) {
        int port = free_port();
        snprintf(command, sizeof(command),
                 "exec /usr/sbin/sshd -D -e -f /dev/null -p %d -o ListenAddress=127.0.0.1 -o HostKey=%s/host_key "
                 "-o AuthorizedKeysFile=%s/client_key.pub -o StrictModes=no -o PidFile=none -o UsePAM=no "
                 "-o PasswordAuthentication=no -o KbdInteractiveAuthentication=no",
                 port, bed->path, bed->path);
        bed->output = spawn(bed, command, &bed->server);
        while (fgets(line, sizeof(line), bed->output) != NULL) {
            if (strstr(line, "Server listening on") != NULL)
                return port;
        }
        git_bed_stop(bed);
    }
    ck_abort_msg("sshd does not start: %s", line);
    return -1;
}

void git_bed_stop(struct git_bed *bed)
{
    if (bed->server <= 0)
        return;
    kill(bed->server, SIGKILL);
    waitpid(bed->server, NULL, 0);
    fclose(bed->output);
    bed->server = 0;
}
