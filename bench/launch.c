/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From start to exit of /bin/true: through the launch layer that shardrun's executors use, against the bare tool
 * (`crun run` of the very same bundle; posix_spawn and waitpid for a process). Both in turn, A B A B, medians.
 * usage: launch [RUNS]
 */

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_RUNS 10000
#define CGROUP2_MAGIC 0x63677270
#define V2_BESIDE_V1 "/sys/fs/cgroup/unified"

static char *const command[] = {(char[]){"/bin/true"}, NULL};

struct bench {
    struct launch_env *env;
    struct launch_rootfs *rootfs;
    char path[64];
    char bundle[128]; /* made by the first container attempt */
    int next;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "launch: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One attempt of ours; returns milliseconds. */
static double run_ours(struct bench *bench, bool container)
{
    char dir[128];
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;
    struct launch_result result;

    snprintf(dir, sizeof dir, "%s/a%d", bench->path, bench->next++);
    struct launch_spec spec = {
        .dir = dir, .host = "bench", .argv = (const char *const *)command, .container = container};
    spec.rootfs = container ? bench->rootfs : NULL;
    double start = now_ms();
    if (launch_start(bench->env, &spec, &error, &attempt) < 0)
        die("start", error.text);
    struct pollfd wait = {.fd = launch_attempt_fd(attempt), .events = POLLIN};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        continue;
    if (launch_attempt_result(attempt, &result) < 0 || result.how != LAUNCH_EXITED || result.exit_code != 0)
        die("attempt", result.message);
    double spent = now_ms() - start;
    launch_attempt_free(attempt);
    if (container)
        snprintf(bench->bundle, sizeof bench->bundle, "%s", dir);
    return spent;
}

static double run_peer(char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    double start = now_ms();
    int code = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    if (code != 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die(argv[0], code != 0 ? strerror(code) : "failed");
    double spent = now_ms() - start;
    posix_spawn_file_actions_destroy(&actions);
    return spent;
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one;
    double b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void compare(struct bench *bench, const char *name, bool container, char *const *peer, int runs)
{
    static double ours[MOST_RUNS];
    static double theirs[MOST_RUNS];

    run_ours(bench, container); /* warm, both */
    run_peer(peer);
    for (int i = 0; i < runs; i++) {
        ours[i] = run_ours(bench, container);
        theirs[i] = run_peer(peer);
    }
    double a = median(ours, runs);
    double b = median(theirs, runs);
    fprintf(stderr, "%-44s %9.2f ms %9.2f ms %7.2f\n", name, a, b, a / b);
    printf("{\"bench\":\"launch\",\"case\":\"%s\",\"ours\":%.3f,\"peer\":%.3f,\"ratio\":%.3f,\"unit\":\"ms\","
           "\"runs\":%d}\n",
           name, a, b, a / b, runs);
    fflush(stdout);
}

/* crun refuses to run where it sees cgroup v1 and v2 together, so for the bare peer v2 is hidden, outside the timing.
 */
static void hide_v2_beside_v1(void)
{
    struct statfs status;

    if (statfs(V2_BESIDE_V1, &status) != 0 || status.f_type != CGROUP2_MAGIC)
        return;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        umount2(V2_BESIDE_V1, MNT_DETACH) != 0)
        die("hide " V2_BESIDE_V1, strerror(errno));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void open_bench(struct bench *bench)
{
    struct launch_error error = {""};

    snprintf(bench->path, sizeof bench->path, "/tmp/launch-bench.XXXXXX");
    if (mkdtemp(bench->path) == NULL)
        die(bench->path, strerror(errno));
    struct launch_env_options options = {.state_dir = bench->path,
                                         .id = bench->path + strlen("/tmp/"),
                                         .shim_path = BENCH_SHIM,
                                         .runtime = "crun",
                                         .want_containers = true};
    if (launch_env_open(&options, &error, &bench->env) < 0 ||
        launch_rootfs_open(bench->env, NULL, &error, &bench->rootfs) < 0)
        die("open", error.text);
    if (launch_env_warning(bench->env) != NULL)
        fprintf(stderr, "launch: %s\n", launch_env_warning(bench->env));
}

static void close_bench(struct bench *bench)
{
    launch_host_remove(bench->env, "bench", NULL);
    launch_rootfs_close(bench->rootfs);
    launch_env_close(bench->env);
    nftw(bench->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    struct bench bench = {.next = 0};
    int runs = argc > 1 ? atoi(argv[1]) : 100;

    if (runs < 1 || runs > MOST_RUNS)
        die("runs", "expected 1 to 10000");
    open_bench(&bench);
    hide_v2_beside_v1();
    run_ours(&bench, true);
    char runtime[256];
    char bundle[sizeof bench.bundle];
    memcpy(bundle, bench.bundle, sizeof bundle);
    snprintf(runtime, sizeof runtime, "%s", launch_env_runtime(bench.env));
    char *const plain[] = {runtime, (char[]){"run"}, (char[]){"--bundle"}, bundle, (char[]){"launch-bench"}, NULL};
    char *const bare[] = {runtime,
                          (char[]){"--cgroup-manager=disabled"},
                          (char[]){"run"},
                          (char[]){"--bundle"},
                          bundle,
                          (char[]){"launch-bench"},
                          NULL};
    fprintf(stderr, "%-44s %12s %12s %7s\n", "/bin/true, start to exit", "shardrun", "bare", "ratio");
    compare(&bench, "container, crun run", true, plain, runs);
    compare(&bench, "container, crun run without its cgroups", true, bare, runs);
    compare(&bench, "process, posix_spawn", false, command, runs);
    close_bench(&bench);
    return EXIT_SUCCESS;
}
