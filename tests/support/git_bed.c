/* SPDX-License-Identifier: Apache-2.0 */

#include "git_bed.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tempdir.h"
#include "workflows.h"

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

void publish_letters(shard_catalog *catalog, shard_context *context, const char *letters)
{
    char commit[SHARD_COMMIT_TEXT], name[2] = "";
    shard_builder *builder = new_builder(context);
    for (const char *letter = letters; *letter != '\0'; letter++) {
        name[0] = *letter;
        add_task(builder, name);
    }
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(shard_catalog_publish(catalog, workflow, NULL, commit), 0);
    shard_workflow_unref(workflow);
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

/* Starts a server of tests/support; the number that a line of its output ends with, after `before`. -1: it has ended.
 */
static int serve(struct git_bed *bed, const char *before, const char *program, const char *arguments)
{
    char command[1024], line[400];
    snprintf(command, sizeof(command), "exec python3 %s/../support/%s . %s", TEST_DATA, program, arguments);
    bed->output = spawn(bed, command, &bed->server);
    while (fgets(line, sizeof(line), bed->output) != NULL) {
        const char *found = strstr(line, before);
        int port = found == NULL ? 0 : atoi(found + strlen(before));
        if (port > 0)
            return port;
    }
    git_bed_stop(bed);
    return -1;
}

int git_bed_https(struct git_bed *bed, const char *certificate, const char *more)
{
    char arguments[300];
    snprintf(arguments, sizeof(arguments), "%s.crt %s.key secret %s", certificate, certificate, more);
    int port = serve(bed, "", "https_git.py", arguments);
    ck_assert_int_gt(port, 0);
    return port;
}

int git_bed_sshd(struct git_bed *bed, const char *more)
{
    enum { TRIES = 20 }; /* somebody else may have taken the port that was free */
    int port = -1;
    for (int i = 0; port < 0 && i < TRIES; i++)
        port = serve(bed, "Server listening on 127.0.0.1 port ", "ssh_git.py", more);
    ck_assert_msg(port > 0, "sshd does not start");
    return port;
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
