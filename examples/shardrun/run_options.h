/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_RUN_OPTIONS_H
#define SHARDRUN_RUN_OPTIONS_H

/*
 * The options of `run`, which `resume` goes on with: the command line, and the JSON file that keeps them beside the
 * run. What they do lives elsewhere.
 */

#include <stdbool.h>
#include <stdint.h>

#include <shard/record.h>

#include "catalog_access.h"
#include "cli.h"
#include "hosts.h"
#include "keep.h"
#include "need.h"

enum executor_kind { EXECUTOR_CONTAINER, EXECUTOR_PROCESS };

struct run_options {
    /* How to show it; not kept. */
    bool json;
    bool quiet;
    bool verbose;
    char *store;
    struct catalog_access catalog_access;
    bool wait; /* stand by while another process holds the run */

    /* What to run. */
    char *file; /* of `run` only */
    char *run;
    int64_t created_ns; /* wall clock */

    /* How to run it; kept in the run's options.json. */
    enum executor_kind executor;
    char *runtime;
    char *rootfs; /* NULL: assembled from this machine */
    char *policy;
    char *hosts_text;       /* NULL: not given */
    struct host_list hosts; /* what hosts_text says */
    char *inputs;           /* absolute directory that names of inputs are relative to */
    char *report;           /* NULL: beside the run */
    char *catalog;          /* URL[#BRANCH]; NULL: none */
    char *catalog_commit;   /* that the run begins with */
    bool catalog_is_pinned; /* by FILE's revision: what changes later is of no matter */
    struct strings mounts;  /* SOURCE[:TARGET][:ro] */
    bool replay;
    bool keep_going;
    bool network;
    bool no_cgroup;
    bool no_report;
    bool no_learning;
    double replay_scale;
    double replay_memory_scale;
    double lease_seconds;
    double catalog_seconds; /* between looks at the catalog's remote; 0: the library's default */
    double kill_grace_seconds;
    int64_t max_output_bytes;
    int32_t monitor_interval_ms;
    int32_t retries[SHARD_OUTCOME_COUNT]; /* as in struct shard_retry: 0 default, -1 none */
    uint64_t seed;
    struct keep keep; /* of the store's time series */
};

void run_options_init(struct run_options *options);
void run_options_clear(struct run_options *options);

/* Parses the command line of `run` (argument: FILE) or `resume` (argument: RUN) on top of what is there. */
void run_options_parse(struct run_options *options, bool resume, int argc, char **argv);

/* Reads what hosts_text says. Returns 0, or -1 and one line. */
int run_options_read_hosts(struct run_options *options, char **ret_problem);

/* Keeps the options in a file, in one step, and takes them from it again. Return 0, or -1 and one line. */
int run_options_save(const struct run_options *options, const char *path, char **ret_problem);
int run_options_load(struct run_options *options, const char *path, char **ret_problem);

#endif
