/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_INTERNAL_H
#define SHARDRUN_LAUNCH_INTERNAL_H

/*
 * What the files of the launch layer share: errors, small file helpers, cgroups, and the files of an attempt directory.
 * The shim is linked from the parts of this that need nothing but libc. Nothing here is for callers of the layer.
 */

#include "launch.h"

#include <sys/types.h>

/* ---- error.c ---- */

/* Writes the one line of error (if not NULL) and returns code, so that a caller can `return launch__fail(...)`. */
__attribute__((format(printf, 3, 4))) int launch__fail(struct launch_error *error, int code, const char *format, ...);

/* ---- files.c ---- */

/* Whole file as a string with a NUL after it; -EFBIG above max_bytes. Free with free(). at is a directory or AT_FDCWD.
 */
int launch__read_file(int at, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size);
/* Writes all bytes, through interruptions. */
int launch__write_all(int fd, const void *bytes, size_t size);
/* Makes the file (mode 0600) with these bytes; replaces what is there; not durable. */
int launch__write_file(int at, const char *path, const void *bytes, size_t size);
/* Writes text to a file that exists, in one write: for control files of the kernel. */
int launch__write_control(const char *directory, const char *name, const char *text);
/* The first number of such a file; a missing file or "max" is -ENOENT. */
int launch__read_control(const char *directory, const char *name, uint64_t *ret_number);
/* The number that follows "key " in a file of such lines. */
int launch__read_control_key(const char *directory, const char *name, const char *key, uint64_t *ret_number);
/* Makes the directory and its missing parents, mode 0755. */
int launch__make_path(const char *path);
/* Removes name in the directory at, with all that is in it; crosses no symlink. Best effort. */
void launch__remove_tree(int at, const char *name);
/* The same list as the exec family takes it: without const, for history's sake; nothing is written to. */
char *const *launch__exec_list(const char *const *list);
/* asprintf that gives NULL on failure. */
__attribute__((format(printf, 1, 2))) char *launch__format(const char *format, ...);

/* ---- cgroup_layout.c ---- */

enum launch__controller {
    LAUNCH__MEMORY = 1,
    LAUNCH__CPU = 2,
    LAUNCH__CPUACCT = 4,
    LAUNCH__PIDS = 8,
};

#define LAUNCH__HIERARCHIES 24

/* One mounted hierarchy. controllers: what we use of it; 0 for those that only a runtime may use. */
struct launch__hierarchy {
    unsigned controllers;
    bool v2;
    char *mount; /* mount point */
    char *own;   /* directory of our own cgroup in it */
};

struct launch__layout {
    enum launch_layout kind;
    size_t count;
    struct launch__hierarchy hierarchy[LAUNCH__HIERARCHIES];
};

/* Reads <prefix>/proc/self/{mountinfo,cgroup}; paths in the answer start with prefix. Changes nothing. */
int launch__layout_read(const char *prefix, struct launch_error *error, struct launch__layout *ret_layout);
/* The controllers that a v2 directory can give to its children; CPU time is counted everywhere. */
unsigned launch__layout_offered(const char *directory);
void launch__layout_clear(struct launch__layout *layout);

/* ---- cgroup.c ---- */

/* The directories, one per hierarchy, that make up one group. */
struct launch__group {
    size_t count;
    struct {
        unsigned controllers;
        bool v2;
        char *path;
    } dir[LAUNCH__HIERARCHIES];
};

/* A name for a cgroup directory: all but plain characters escaped, never a control file's; long ones end in a hash. */
void launch__group_escape(const char *name, char *ret_escaped, size_t size);
/* The same for an attempt: readable, and different for each directory. size at least 150. */
void launch__group_leaf(const char *attempt_dir, char *ret_leaf, size_t size);
/* relative is below our own cgroup; only hierarchies with controllers, or all of them if with_unused. */
int launch__group_open(const struct launch__layout *layout, const char *relative, bool with_unused,
                       struct launch__group *ret_group);
void launch__group_clear(struct launch__group *group);
int launch__group_make(const struct launch__group *group, struct launch_error *error);
/* Lets children of the group have its controllers (v2; nothing to do on v1). */
int launch__group_delegate(const struct launch__group *group, struct launch_error *error);
int launch__group_limit(const struct launch__group *group, const struct launch_limits *limits, bool oom_group,
                        struct launch_error *error);
/* Moves the calling process. Only async-signal-safe calls. */
int launch__group_enter(const struct launch__group *group);
/* SIGKILL for every process in it, and no new ones from now on. True if there was any. */
bool launch__group_kill(const struct launch__group *group);
/* -EBUSY while processes are in it; a group that is not there is a success. */
int launch__group_remove(const struct launch__group *group);
int launch__group_usage(const struct launch__group *group, struct launch_usage *ret_usage);
uint64_t launch__group_peak_memory(const struct launch__group *group);
/* Of the memory that counts as held now, the part that is the cache of files, not those in memory. */
uint64_t launch__group_file_cache(const struct launch__group *group);
uint64_t launch__group_oom_kills(const struct launch__group *group);

/* ---- orders.c: what launch_start tells the shim, in the file `spec` of the attempt directory ---- */

struct launch__orders {
    const char *const *argv; /* of the command, or of the runtime; ends with NULL, like env */
    const char *const *env;
    const char *cwd;
    char *text;         /* holds all strings of orders that were read, the paths of the group too; clear those */
    const char **lists; /* the room of argv and env, likewise */
    struct launch_limits limits;
    bool oom_group;
    bool container;
    bool managed;  /* the runtime puts the container into the group; else the child enters it itself */
    bool detached; /* the runtime ends when the container runs; else when the container ends, with its exit code */
    double timeout_seconds;
    double kill_grace_seconds;
    uint64_t max_output_bytes;
    struct launch__group group; /* count 0: no cgroups */
};

int launch__orders_write(int dir_fd, const struct launch__orders *orders);
int launch__orders_read(int dir_fd, struct launch__orders *ret_orders);
void launch__orders_clear(struct launch__orders *orders);

/* ---- result_file.c ---- */

/* Takes the room for the result; returns a descriptor for launch__result_write. */
int launch__result_reserve(int dir_fd);
/* Writes `exit.json` whole or not at all, and durably. */
int launch__result_write(int dir_fd, int reserved_fd, const struct launch_result *result);
/* -ENOENT if there is none, -EBADMSG if it is no whole result. */
int launch__result_read(int dir_fd, struct launch_result *ret_result);

/* ---- files of an attempt directory ---- */

#define LAUNCH__FILE_LOCK "lock"     /* locked for as long as the starter or the shim lives */
#define LAUNCH__FILE_FENCED "fenced" /* launch_adopt said never ran: must not start any more */
#define LAUNCH__FILE_ORDERS "spec"   /* for the shim */
#define LAUNCH__FILE_BEGUN "shim"    /* pid of the shim: from here on a command may have run */
#define LAUNCH__FILE_RESULT "exit.json"
#define LAUNCH__FILE_STDOUT "stdout"
#define LAUNCH__FILE_STDERR "stderr"
#define LAUNCH__FILE_PID "pid"         /* of the container's first process, from the runtime */
#define LAUNCH__FILE_LOG "runtime.log" /* what the runtime complains of */
#define LAUNCH__FILE_RUNTIME "runtime" /* directory: the runtime's own state */
#define LAUNCH__FILE_CONFIG "config.json"

/* Descriptors that the shim finds open. */
enum { LAUNCH__LOCK_FD = 3, LAUNCH__NAMESPACE_FD = 4 };

/* In the environment of each command: the attempt directory, so that strays can be found where there are no cgroups. */
#define LAUNCH__MARK "SHARDRUN_ATTEMPT"

#endif
