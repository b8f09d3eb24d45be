/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_H
#define SHARDRUN_LAUNCH_H

/*
 * The launch layer of shardrun: runs one command on one "host" (a cgroup budget of this machine), as a plain process
 * or in an OCI container, under a small supervisor, the shim. The shim outlives the program that started it, so a
 * program that was killed can come back and adopt what still runs.
 *
 * Only the launch layer's face lives here. It knows nothing of workflows, tasks or engines, and must not.
 *
 * Rules for the caller:
 * - Nothing here prints, exits, waits for a command, installs a signal handler or reaps a child that is not its own.
 * - Every function returns 0 or a negative errno value; then error->text (if error is not NULL) is one line that names
 *   what is wrong. Outputs are written on success only.
 * - One thread at a time per launch_env. Different environments are independent.
 * - Strings and arrays in options and specs are read during the call and not kept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAUNCH_MESSAGE_MAX 512

struct launch_error {
    char text[LAUNCH_MESSAGE_MAX];
};

/* ------------------------------------------------------------------------------------------------------------------
 * Environment: what this machine offers. Opened once.
 */

struct launch_env;

/* How control groups are mounted. NONE also stands for "mounted, but we may not make any". */
enum launch_layout { LAUNCH_LAYOUT_NONE, LAUNCH_LAYOUT_V1, LAUNCH_LAYOUT_HYBRID, LAUNCH_LAYOUT_V2 };

struct launch_env_options {
    /* Absolute path of a directory for root filesystems and scratch files; made if absent, with its parents. */
    const char *state_dir;
    /* Names the cgroup <own cgroup>/shardrun-<id>. The same id after a restart finds the same groups again. */
    const char *id;
    /* The shim; NULL looks near the running program, then in the libexec directory of the installation. */
    const char *shim_path;
    /* "crun", "runc" or a path; NULL takes crun, else runc, whichever works. Looked at only with want_containers. */
    const char *runtime;
    /* Finds an OCI runtime and proves it by running one container; opening fails with a clear message if none works. */
    bool want_containers;
    /* Do not make cgroups even where that is possible: no limits, no out-of-memory recognition. */
    bool without_cgroups;
};

/* Blocks for as long as the probe container runs (some 10 ms); call it before the event loop starts. */
int launch_env_open(const struct launch_env_options *options, struct launch_error *error, struct launch_env **ret_env);
/* Attempts must be freed before. Leaves running commands and cgroups alone. Takes NULL. */
void launch_env_close(struct launch_env *env);

/* What the user should know about missing abilities (no cgroups: limits are not enforced), one line; NULL if nothing
 * is missing. Show it once. */
const char *launch_env_warning(const struct launch_env *env);
enum launch_layout launch_env_layout(const struct launch_env *env);
/* Absolute path of the runtime that was proved, or NULL. */
const char *launch_env_runtime(const struct launch_env *env);

/* ------------------------------------------------------------------------------------------------------------------
 * Hosts: cgroup budgets that attempts share. A name may hold any bytes; it is escaped where the kernel needs it.
 */

struct launch_limits {
    uint64_t memory_bytes;   /* 0: no limit. Swap is not given on top. */
    uint32_t cpu_millicores; /* 0: no limit. 1000 is one core's worth of time. */
    uint32_t pids;           /* 0: no limit. Threads count. */
};

struct launch_usage {
    uint64_t memory_bytes;
    uint64_t cpu_ns; /* since the cgroup was made */
    uint32_t pids;   /* 0 where the kernel does not count */
};

/* Makes the budget, or sets its limits anew if it is there. Without cgroups: succeeds and does nothing. */
int launch_host_make(struct launch_env *env, const char *host, const struct launch_limits *limits,
                     struct launch_error *error);
/* Removes the budget; -EBUSY while commands run in it. A budget that is not there is a success. */
int launch_host_remove(struct launch_env *env, const char *host, struct launch_error *error);
/* What the host's commands use now, together; -ENOTSUP without cgroups. */
int launch_host_usage(const struct launch_env *env, const char *host, struct launch_usage *ret_usage);

/* ------------------------------------------------------------------------------------------------------------------
 * Root filesystems of containers.
 */

struct launch_rootfs;

/*
 * source NULL: a minimal one, assembled from this machine (read-only /usr, a small /etc), no registry needed.
 * source a directory that has a file `oci-layout` (optionally followed by ":TAG"): the image is unpacked into the
 * state directory, once, and its checksums are verified. Any other directory is used as it is.
 * Blocks while an image is unpacked.
 */
int launch_rootfs_open(struct launch_env *env, const char *source, struct launch_error *error,
                       struct launch_rootfs **ret_rootfs);
void launch_rootfs_close(struct launch_rootfs *rootfs); /* takes NULL */

/* ------------------------------------------------------------------------------------------------------------------
 * Attempts.
 */

struct launch_attempt;

struct launch_bind {
    const char *source; /* absolute; must exist */
    const char *target; /* absolute, inside the container */
    bool read_only;
};

struct launch_spec {
    /* The attempt directory: absolute, must NOT exist (its parent must), made by launch_start: that is what makes an
     * attempt start at most once. Afterwards it holds `stdout`, `stderr`, `exit.json` and files of the shim. */
    const char *dir;
    const char *host;
    const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH of env if it has no slash */
    const char *const *env;  /* ends with NULL, "NAME=value", nothing is inherited; NULL: PATH only (or the image's) */
    const char *cwd;         /* absolute; NULL: the attempt directory for a process, "/" in a container */
    struct launch_limits limits;
    double timeout_seconds;    /* 0: none */
    double kill_grace_seconds; /* between SIGTERM and SIGKILL, on timeout and graceful kill; 0: SIGKILL at once */
    /* Kept bytes of each of stdout and stderr: the first half and the last half, with a marker line between;
     * 0 is 1 MiB. The command is never blocked by it. */
    uint64_t max_output_bytes;
    bool oom_group; /* out of memory kills the whole attempt, not one process of it (cgroup v2 only) */

    bool container; /* all below are for containers */
    const struct launch_rootfs *rootfs;
    uint64_t tmp_bytes; /* what /tmp holds; 0: 64 MiB */
    const struct launch_bind *binds;
    size_t bind_count;
    bool network; /* share the machine's network; else there is none, not even loopback to the machine */
};

enum launch_how {
    LAUNCH_EXITED,   /* exit_code */
    LAUNCH_SIGNALED, /* signal; crun tells one that nobody here sent as exit code 128 + signal, as shells do */
    LAUNCH_FAILED,   /* the command never started; message says why */
    LAUNCH_LOST      /* the shim died first; what it left has been killed; how the command ended is not known */
};

struct launch_result {
    enum launch_how how;
    int exit_code;
    int signal;
    bool out_of_memory; /* the kernel killed at least one process of the attempt for its memory (its own counter) */
    bool timed_out;
    bool killed; /* launch_kill was called and took effect before the command ended by itself */
    double wall_seconds;
    double cpu_seconds;
    uint64_t max_memory_bytes; /* most the attempt held at once, without the cache of files that is left at its end */
    uint64_t max_rss_bytes;    /* most that its largest process held, file cache not counted */
    uint64_t stdout_dropped_bytes;
    uint64_t stderr_dropped_bytes;
    double ended_at; /* seconds since 1970, by the shim's clock */
    char message[LAUNCH_MESSAGE_MAX];
};

/*
 * Starts the attempt, and returns at once: the shim prepares and starts the command. At most once for a directory, for
 * ever: -EEXIST if the directory is there, or was fenced by launch_adopt. What fails after the shim is started (the
 * command is not there, the runtime refuses) is a result with LAUNCH_FAILED, not an error of this call.
 */
int launch_start(struct launch_env *env, const struct launch_spec *spec, struct launch_error *error,
                 struct launch_attempt **ret_attempt);

enum launch_state { LAUNCH_RUNNING, LAUNCH_ENDED, LAUNCH_NEVER_RAN };

/*
 * After a restart: what became of the attempt of this directory?
 * LAUNCH_RUNNING and LAUNCH_ENDED give an attempt (ended: launch_attempt_result answers at once, LAUNCH_LOST if the
 * shim was killed; whatever it left behind is dead when this returns). LAUNCH_NEVER_RAN gives NULL, and from then on
 * launch_start refuses the directory: an answer stays true even if the old program was only frozen.
 * May wait some milliseconds for a start that is under way.
 */
int launch_adopt(struct launch_env *env, const char *dir, struct launch_error *error, enum launch_state *ret_state,
                 struct launch_attempt **ret_attempt);

/* A descriptor that polls readable once the attempt has ended; owned by the attempt, never read from it. */
int launch_attempt_fd(const struct launch_attempt *attempt);
/* -EAGAIN while it runs. May be asked any number of times. */
int launch_attempt_result(struct launch_attempt *attempt, struct launch_result *ret_result);
/* Asks the shim to end the command: SIGTERM, then SIGKILL for all it started after the grace of the spec; or SIGKILL
 * at once. Nothing the command started survives. Returns at once; the end is seen at the descriptor. Success if it
 * has ended already. */
int launch_kill(struct launch_attempt *attempt, bool graceful);
/* What the attempt uses now; -ENOTSUP without cgroups, -ESRCH when it has ended. */
int launch_attempt_usage(const struct launch_attempt *attempt, struct launch_usage *ret_usage);
/* Forgets the attempt; a running command runs on and can be adopted. Takes NULL. */
void launch_attempt_free(struct launch_attempt *attempt);

#endif
