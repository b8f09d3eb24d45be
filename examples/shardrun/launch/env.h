/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_ENV_H
#define SHARDRUN_LAUNCH_ENV_H

/*
 * The library side of the launch layer: what an open environment holds, and the steps that its files share. The shim
 * sees none of this.
 */

#include "internal.h"

struct launch_env {
    char *state_dir;
    char *group_name; /* of the cgroup that holds all hosts */
    char *shim_path;
    char *runtime; /* absolute path, or NULL */
    bool runtime_is_crun;
    int namespace_fd; /* mount namespace in which crun works on a hybrid machine, or -1 */
    char *warning;
    struct launch__layout layout; /* of the hierarchies that we may use; kind NONE if none */
};

struct launch_rootfs {
    char *path;     /* absolute */
    bool assembled; /* from this machine: needs the binds of launch__assembled_binds */
    char **env;     /* of the image, ends with NULL; NULL if there is none */
};

#define LAUNCH__DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- cgroup_claim.c ---- */

/* Finds the hierarchies in which we may make groups and makes ours; the rest of the layout loses its controllers.
 * ret_warning (malloc'd) says what is missing, or is NULL. */
int launch__cgroup_claim(struct launch_env *env, struct launch_error *error, char **ret_warning);
/* The group of a host, or of an attempt on it if leaf is not NULL. */
int launch__env_group(const struct launch_env *env, const char *host, const char *attempt_dir, bool with_unused,
                      struct launch__group *ret_group);
/* The same group's path below our own cgroup. */
char *launch__env_group_name(const struct launch_env *env, const char *host, const char *attempt_dir);
/* Makes the host's group with no limits if it is not there. */
int launch__host_ensure(struct launch_env *env, const char *host, struct launch_error *error);

/* ---- runtime.c ---- */

/* The host on which a runtime is tried, named as nobody names a host. */
#define LAUNCH__PROBE_HOST "runtime probe"
/* Finds the runtime and proves it; fills in env->runtime and what belongs to it. */
int launch__runtime_find(struct launch_env *env, const char *wanted, struct launch_error *error);

/* ---- oci_config.c ---- */

/* Writes config.json of the attempt's bundle; cgroups_path NULL leaves cgroups to the caller. */
int launch__oci_config_write(int dir_fd, const struct launch_spec *spec, const char *cgroups_path,
                             struct launch_error *error);

/* ---- rootfs.c, rootfs_image.c ---- */

/* What an assembled root gets from this machine, read-only; count entries. */
const char *const *launch__assembled_binds(size_t *ret_count);
int launch__rootfs_unpack(struct launch_env *env, const char *layout, const char *tag, struct launch_error *error,
                          struct launch_rootfs *ret_rootfs);

/* ---- layers.c ---- */

/* Moves the unpacked layer over root, whiteouts applied; both absolute, on one filesystem. */
int launch__layer_merge(const char *root, const char *layer, struct launch_error *error);

/* ---- sha256.c ---- */

/* Lower-case hexadecimal SHA-256 of a file. */
int launch__sha256_file(const char *path, char ret_hex[65]);

/* ---- spawn.c ---- */

/* Starts the shim for an attempt directory; lock_fd is passed on. */
int launch__spawn_shim(const struct launch_env *env, const char *dir, int lock_fd, pid_t *ret_pid);
/* Runs a program to its end, output to /dev/null, its complaints into message; 0 or -ECHILD if it failed. */
int launch__run_program(const char *const *argv, struct launch_error *error);
/* A descriptor of a mount namespace in which nothing is mounted at mount_point. */
int launch__spawn_namespace(const struct launch_env *env, const char *mount_point, int *ret_fd);

#endif
