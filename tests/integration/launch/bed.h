/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_LAUNCH_BED_H
#define TEST_LAUNCH_BED_H

/*
 * What the tests of the launch layer share: a private directory, an environment in one of the ways a command can be
 * run, and attempts in it. Everything made is removed again by bed_clear.
 */

#include "launch.h"
#include "suite.h"

/* The first three have cgroups, as the machine must. */
enum bed_way { BED_PROCESS, BED_CRUN, BED_RUNC, BED_WAYS, BED_BARE = BED_WAYS, BED_BARE_CRUN, BED_BARE_RUNC, BED_ALL };

struct bed {
    enum bed_way way;
    char path[64]; /* scratch directory, removed at the end */
    struct launch_env *env;
    struct launch_rootfs *rootfs; /* NULL for processes */
    int next;
};

/* How many ways to try, from the first: up to most, or fewer if LAUNCH_TEST_WAYS says so. */
int bed_ways(enum bed_way most);
/* The runtime of a way, NULL for plain processes. */
const char *bed_runtime(enum bed_way way);
/* Fails the test with the reason if this machine cannot do it. */
void bed_make(struct bed *bed, enum bed_way way);
void bed_clear(struct bed *bed);
/* A spec with a fresh attempt directory (kept in the bed), the host "h", and `/bin/sh -c script`. */
struct launch_spec bed_spec(struct bed *bed, const char *script);
/* Starts it, and fails the test if that fails. */
struct launch_attempt *bed_start(struct bed *bed, const struct launch_spec *spec);
/* Waits for its end, at most a minute times CK_TIMEOUT_MULTIPLIER, as all waits here; frees it. */
struct launch_result bed_end(struct launch_attempt *attempt);
/* Both. */
struct launch_result bed_run(struct bed *bed, const struct launch_spec *spec);
struct launch_result bed_run_script(struct bed *bed, const char *script);
/* A file of an attempt directory, whole, in memory that lasts until the next call. */
const char *bed_read(const char *dir, const char *name);
/* Waits, at most ten seconds, until the file is there and has text in it. */
void bed_await_file(const char *dir, const char *name);
/* How many processes have the word in their command line. */
int bed_count_processes(const char *word);

#endif
