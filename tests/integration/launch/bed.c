/* SPDX-License-Identifier: Apache-2.0 */

/* The bed on which launch tests lie; see bed.h. Nothing here checks the launch layer itself. */

#include "bed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS 64
#define FILE_MAX_BYTES (4 << 20)

static double from_environment(const char *name, double otherwise)
{
    const char *text = getenv(name);
    double value = text == NULL ? 0 : strtod(text, NULL);
    return value > 0 ? value : otherwise;
}

/* Libcheck's own variable: a slow machine that needs more time for a test needs more for each wait in it. */
static double patience(void)
{
    return from_environment("CK_TIMEOUT_MULTIPLIER", 1);
}

int bed_ways(enum bed_way most)
{
    int wanted = (int)from_environment("LAUNCH_TEST_WAYS", BED_ALL);
    return wanted < (int)most ? wanted : (int)most;
}

const char *bed_runtime(enum bed_way way)
{
    static const char *const runtimes[] = {NULL, "crun", "runc"};
    return runtimes[way % BED_WAYS];
}

void bed_make(struct bed *bed, enum bed_way way)
{
    struct launch_error error = {""};
    bool containers = bed_runtime(way) != NULL;

    *bed = (struct bed){.way = way, .path = "/tmp/launch-test.XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(bed->path));
    struct launch_env_options options = {
        .state_dir = bed->path,
        .id = bed->path + strlen("/tmp/"),
        .shim_path = TEST_SHIM,
        .runtime = bed_runtime(way),
        .want_containers = containers,
        .without_cgroups = way >= BED_BARE,
    };
    ck_assert_msg(launch_env_open(&options, &error, &bed->env) == 0, "%s", error.text);
    if (way < BED_BARE)
        ck_assert_msg(launch_env_warning(bed->env) == NULL, "these tests need cgroups: %s",
                      launch_env_warning(bed->env));
    if (containers)
        ck_assert_msg(launch_rootfs_open(bed->env, NULL, &error, &bed->rootfs) == 0, "%s", error.text);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void bed_clear(struct bed *bed)
{
    struct launch_error error = {""};

    ck_assert_msg(launch_host_remove(bed->env, "h", &error) == 0, "%s", error.text);
    launch_rootfs_close(bed->rootfs);
    launch_env_close(bed->env);
    nftw(bed->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct launch_spec bed_spec(struct bed *bed, const char *script)
{
    static char directories[ATTEMPTS][96];
    static const char *commands[ATTEMPTS][4];
    int at = bed->next++ % ATTEMPTS;

    snprintf(directories[at], sizeof directories[at], "%s/a%d", bed->path, bed->next);
    commands[at][0] = "/bin/sh";
    commands[at][1] = "-c";
    commands[at][2] = script;
    commands[at][3] = NULL;
    return (struct launch_spec){.dir = directories[at],
                                .host = "h",
                                .argv = commands[at],
                                .timeout_seconds = 60 * patience(),
                                .kill_grace_seconds = 5,
                                .container = bed->rootfs != NULL,
                                .rootfs = bed->rootfs};
}

struct launch_attempt *bed_start(struct bed *bed, const struct launch_spec *spec)
{
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;

    ck_assert_msg(launch_start(bed->env, spec, &error, &attempt) == 0, "%s", error.text);
    return attempt;
}

struct launch_result bed_end(struct launch_attempt *attempt)
{
    struct pollfd wait = {.fd = launch_attempt_fd(attempt), .events = POLLIN};
    struct launch_result result;

    ck_assert_int_eq(poll(&wait, 1, (int)(60000 * patience())), 1);
    ck_assert_int_eq(launch_attempt_result(attempt, &result), 0);
    launch_attempt_free(attempt);
    return result;
}

struct launch_result bed_run(struct bed *bed, const struct launch_spec *spec)
{
    return bed_end(bed_start(bed, spec));
}

struct launch_result bed_run_script(struct bed *bed, const char *script)
{
    struct launch_spec spec = bed_spec(bed, script);
    return bed_run(bed, &spec);
}

const char *bed_read(const char *dir, const char *name)
{
    static char text[FILE_MAX_BYTES];
    char path[256];
    ssize_t got;
    size_t size = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

void bed_await_file(const char *dir, const char *name)
{
    int rounds = (int)(5000 * patience());

    for (int round = 0; round < rounds && bed_read(dir, name)[0] == '\0'; round++)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    ck_assert_msg(bed_read(dir, name)[0] != '\0', "%s/%s does not come", dir, name);
}

static bool has_word(const char *pid, const char *word)
{
    char path[300];
    char text[4096];

    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return got > 0 && memmem(text, (size_t)got, word, strlen(word)) != NULL;
}

int bed_count_processes(const char *word)
{
    DIR *proc = opendir("/proc");
    int count = 0;

    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc))
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && has_word(entry->d_name, word);
    closedir(proc);
    return count;
}
