/* SPDX-License-Identifier: Apache-2.0 */

#include "git_bed.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tempdir.h"

static char printed[1 << 16];

void git_bed_make(struct git_bed *bed)
{
    static const char *const settings[][2] = {{"GIT_CONFIG_NOSYSTEM", "1"},
                                              {"GIT_AUTHOR_NAME", "someone else"},
                                              {"GIT_AUTHOR_EMAIL", "else@localhost"},
                                              {"GIT_COMMITTER_NAME", "someone else"},
                                              {"GIT_COMMITTER_EMAIL", "else@localhost"}};
    tempdir_make(bed->path);
    setenv("HOME", bed->path, 1);
    setenv("XDG_CONFIG_HOME", bed->path, 1);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        setenv(settings[i][0], settings[i][1], 1);
}

void git_bed_remove(struct git_bed *bed)
{
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
