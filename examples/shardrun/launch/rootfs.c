/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Root filesystems of containers: a given directory, one unpacked from an OCI image layout (rootfs_image.c), or a
 * minimal one assembled from this machine, so that no registry is needed.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const *launch__assembled_binds(size_t *ret_count)
{
    /* Debian's /bin/awk and the like lead through /etc/alternatives. */
    static const char *const binds[] = {"/usr", "/etc/alternatives"};
    *ret_count = sizeof binds / sizeof binds[0];
    return binds;
}

static const struct {
    const char *name;
    const char *text;
} etc_files[] = {
    {"etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
    {"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
};

/* Replaces a file as a whole, so that a container that starts meanwhile sees the old one or the new one. */
static int replace_file(int root_fd, const char *name, const char *text, size_t size)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    int result = launch__write_file(root_fd, temporary, text, size);
    if (result == 0 && (fchmodat(root_fd, temporary, 0644, 0) != 0 || renameat(root_fd, temporary, root_fd, name) != 0))
        result = -errno;
    if (result < 0)
        unlinkat(root_fd, temporary, 0);
    return result;
}

/* /bin, /lib and so on: the same symlink as here, or a directory to be bound; absent where this machine has none. */
static int copy_top(int root_fd, const char *name)
{
    char here[64];
    char target[PATH_MAX];
    struct stat status;
    snprintf(here, sizeof here, "/%s", name);
    if (lstat(here, &status) != 0)
        return 0;
    if (S_ISLNK(status.st_mode)) {
        ssize_t length = readlink(here, target, sizeof target - 1);
        if (length < 0)
            return -errno;
        target[length] = '\0';
        return symlinkat(target, root_fd, name) == 0 || errno == EEXIST ? 0 : -errno;
    }
    return mkdirat(root_fd, name, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

static int fill(int root_fd)
{
    static const char *const directories[] = {"usr", "etc", "etc/alternatives", "proc", "sys", "dev", "tmp", "work",
                                              "run", "var", "var/tmp"};
    static const char *const tops[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    int result = 0;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        if (mkdirat(root_fd, directories[i], 0755) != 0 && errno != EEXIST)
            return -errno;
    }
    for (size_t i = 0; result == 0 && i < sizeof tops / sizeof tops[0]; i++)
        result = copy_top(root_fd, tops[i]);
    for (size_t i = 0; result == 0 && i < sizeof etc_files / sizeof etc_files[0]; i++)
        result = replace_file(root_fd, etc_files[i].name, etc_files[i].text, strlen(etc_files[i].text));
    char *cache = NULL;
    size_t size = 0;
    /* Without it the loader finds what is in its default directories, which is nearly all. */
    if (result == 0 && launch__read_file(AT_FDCWD, "/etc/ld.so.cache", (size_t)16 << 20, &cache, &size) == 0)
        result = replace_file(root_fd, "etc/ld.so.cache", cache, size);
    free(cache);
    return result;
}

static int assemble(struct launch_env *env, struct launch_error *error, struct launch_rootfs *ret_rootfs)
{
    char *path = launch__format("%s/rootfs/assembled", env->state_dir);
    if (path == NULL)
        return -ENOMEM;
    int result = launch__make_path(path);
    int root_fd = result < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd >= 0) {
        result = fill(root_fd);
        close(root_fd);
    } else if (result == 0) {
        result = -errno;
    }
    if (result < 0) {
        launch__fail(error, result, "cannot assemble a root filesystem in %s: %s", path, strerror(-result));
        free(path);
        return result;
    }
    ret_rootfs->path = path;
    ret_rootfs->assembled = true;
    return 0;
}

/* Splits "DIR:TAG" if DIR is an image layout; tag is NULL without one. True if source names a layout. */
static bool is_layout(const char *source, char *ret_directory, size_t size, const char **ret_tag)
{
    char marker[PATH_MAX];
    const char *colon = strrchr(source, ':');
    size_t length = strlen(source);
    for (int with_tag = 0; with_tag < 2; with_tag++) {
        if (with_tag == 1 && (colon == NULL || strchr(colon, '/') != NULL))
            break;
        size_t part = with_tag == 1 ? (size_t)(colon - source) : length;
        if (part + sizeof "/oci-layout" > sizeof marker || part >= size)
            continue;
        snprintf(marker, sizeof marker, "%.*s/oci-layout", (int)part, source);
        if (access(marker, F_OK) == 0) {
            snprintf(ret_directory, size, "%.*s", (int)part, source);
            *ret_tag = with_tag == 1 ? colon + 1 : NULL;
            return true;
        }
    }
    return false;
}

static int open_source(struct launch_env *env, const char *source, struct launch_error *error,
                       struct launch_rootfs *rootfs)
{
    char directory[PATH_MAX];
    const char *tag = NULL;
    if (source == NULL)
        return assemble(env, error, rootfs);
    if (is_layout(source, directory, sizeof directory, &tag))
        return launch__rootfs_unpack(env, directory, tag, error, rootfs);
    rootfs->path = realpath(source, NULL);
    if (rootfs->path == NULL)
        return launch__fail(error, -errno, "cannot use root filesystem '%s': %s", source, strerror(errno));
    struct stat status;
    if (stat(rootfs->path, &status) != 0 || !S_ISDIR(status.st_mode))
        return launch__fail(error, -ENOTDIR, "cannot use root filesystem '%s': not a directory", source);
    return 0;
}

int launch_rootfs_open(struct launch_env *env, const char *source, struct launch_error *error,
                       struct launch_rootfs **ret_rootfs)
{
    struct launch_rootfs *rootfs = calloc(1, sizeof *rootfs);
    if (rootfs == NULL)
        return launch__fail(error, -ENOMEM, "no memory for a root filesystem");
    int result = open_source(env, source, error, rootfs);
    if (result < 0) {
        launch_rootfs_close(rootfs);
        return result;
    }
    *ret_rootfs = rootfs;
    return 0;
}

void launch_rootfs_close(struct launch_rootfs *rootfs)
{
    if (rootfs == NULL)
        return;
    for (char **variable = rootfs->env; variable != NULL && *variable != NULL; variable++)
        free(*variable);
    free(rootfs->env);
    free(rootfs->path);
    free(rootfs);
}
