/* SPDX-License-Identifier: Apache-2.0 */

/*
 * driver WAY STATE_DIR COUNT [traced]: starts attempts a0, a1, ... below STATE_DIR, each of which writes its number
 * into STATE_DIR/ledger once and then waits for STATE_DIR/go. The adoption tests kill it at any moment; with `traced`
 * it stops itself just before the first start so that they can count its system calls from there. Its exit status is
 * the number of attempts that it has started.
 */

#include "bed.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

static struct launch_env *open_env(enum bed_way way, const char *state_dir, struct launch_rootfs **ret_rootfs)
{
    struct launch_error error = {""};
    struct launch_env *env = NULL;
    const char *runtime = bed_runtime(way);
    struct launch_env_options options = {.state_dir = state_dir,
                                         .id = state_dir + strlen("/tmp/"),
                                         .shim_path = TEST_SHIM,
                                         .runtime = runtime,
                                         .want_containers = runtime != NULL,
                                         .without_cgroups = way >= BED_BARE};

    if (launch_env_open(&options, &error, &env) < 0 ||
        (runtime != NULL && launch_rootfs_open(env, NULL, &error, ret_rootfs) < 0)) {
        fprintf(stderr, "driver: %s\n", error.text);
        exit(2);
    }
    return env;
}

static int start(struct launch_env *env, const struct launch_rootfs *rootfs, const char *state_dir, int number)
{
    char dir[128];
    char script[512];
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct launch_bind bind = {state_dir, state_dir, false};
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;

    snprintf(dir, sizeof dir, "%s/a%d", state_dir, number);
    snprintf(script, sizeof script, "echo %d >>%s/ledger; while [ ! -e %s/go ]; do sleep 0.02; done; exit 3", number,
             state_dir, state_dir);
    struct launch_spec spec = {.dir = dir,
                               .host = "h",
                               .argv = argv,
                               .container = rootfs != NULL,
                               .rootfs = rootfs,
                               .binds = &bind,
                               .bind_count = 1};
    int result = launch_start(env, &spec, &error, &attempt);
    if (result < 0 && result != -EEXIST)
        fprintf(stderr, "driver: %s\n", error.text);
    return result;
}

int main(int argc, char **argv)
{
    struct launch_rootfs *rootfs = NULL;

    if (argc < 4)
        return 2;
    struct launch_env *env = open_env((enum bed_way)atoi(argv[1]), argv[2], &rootfs);
    if (argc > 4) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
    }
    int started = 0;
    for (int i = 0; i < atoi(argv[3]); i++)
        started += start(env, rootfs, argv[2], i) == 0;
    _exit(started);
}
