/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lays one unpacked layer of an OCI image over what the layers before it have made, with the whiteouts of image-spec
 * 1.0. Works on directory descriptors and follows no symlink, so that nothing outside the two trees is ever touched.
 */
#include "env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
#define DEEPEST 200

static int merge_directory(int root_fd, int layer_fd, int depth);

static int open_directory(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fd;
}

/* A stream over the directory that leaves fd itself to the caller. */
static DIR *stream_of(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (stream == NULL && copy >= 0)
        close(copy);
    return stream;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void empty_directory(int fd)
{
    DIR *stream = stream_of(fd);
    for (struct dirent *entry = stream == NULL ? NULL : readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (!is_dots(entry->d_name))
            launch__remove_tree(fd, entry->d_name);
    }
    if (stream != NULL)
        closedir(stream);
}

/* Both are directories: what is in them is merged, and the layer's owner and mode win. */
static int merge_into(int root_fd, int layer_fd, const char *name, const struct stat *status, int depth)
{
    int below_root = open_directory(root_fd, name);
    int below_layer = open_directory(layer_fd, name);
    int result = below_root < 0 ? below_root : below_layer < 0 ? below_layer : 0;

    if (result == 0)
        result = merge_directory(below_root, below_layer, depth + 1);
    if (result == 0 && geteuid() == 0 && fchown(below_root, status->st_uid, status->st_gid) != 0)
        result = -errno;
    if (result == 0 && fchmod(below_root, status->st_mode & 07777) != 0)
        result = -errno;
    if (below_root >= 0)
        close(below_root);
    if (below_layer >= 0)
        close(below_layer);
    return result;
}

static int merge_entry(int root_fd, int layer_fd, const char *name, int depth)
{
    struct stat upper;
    struct stat lower;

    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0) {
        const char *hidden = name + strlen(WHITEOUT);
        if (strcmp(name, OPAQUE) != 0 && hidden[0] != '\0' && !is_dots(hidden))
            launch__remove_tree(root_fd, hidden);
        return 0;
    }
    if (fstatat(layer_fd, name, &upper, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    bool there = fstatat(root_fd, name, &lower, AT_SYMLINK_NOFOLLOW) == 0;
    bool merge = there && S_ISDIR(upper.st_mode) && S_ISDIR(lower.st_mode);
    if (there && !merge)
        launch__remove_tree(root_fd, name);
    if (!S_ISDIR(upper.st_mode))
        return renameat(layer_fd, name, root_fd, name) == 0 ? 0 : -errno;
    /* A new directory is not renamed either: it may hold whiteouts, which must not stay. */
    if (!merge && mkdirat(root_fd, name, 0700) != 0)
        return -errno;
    return merge_into(root_fd, layer_fd, name, &upper, depth);
}

static int merge_directory(int root_fd, int layer_fd, int depth)
{
    if (depth > DEEPEST)
        return -ELOOP;
    /* First what hides, then what comes, whatever the order in which the directory lists them. */
    if (faccessat(layer_fd, OPAQUE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        empty_directory(root_fd);
    for (int pass = 0; pass < 2; pass++) {
        DIR *stream = stream_of(layer_fd);
        int result = stream == NULL ? -errno : 0;
        for (struct dirent *entry = stream == NULL ? NULL : readdir(stream); entry != NULL && result == 0;
             entry = readdir(stream)) {
            bool hides = strncmp(entry->d_name, WHITEOUT, strlen(WHITEOUT)) == 0;
            if (!is_dots(entry->d_name) && hides == (pass == 0))
                result = merge_entry(root_fd, layer_fd, entry->d_name, depth);
        }
        if (stream != NULL)
            closedir(stream);
        if (result < 0)
            return result;
    }
    return 0;
}

int launch__layer_merge(const char *root, const char *layer, struct launch_error *error)
{
    int root_fd = open_directory(AT_FDCWD, root);
    int layer_fd = open_directory(AT_FDCWD, layer);
    int result = root_fd < 0 ? root_fd : layer_fd < 0 ? layer_fd : merge_directory(root_fd, layer_fd, 0);

    if (root_fd >= 0)
        close(root_fd);
    if (layer_fd >= 0)
        close(layer_fd);
    return result < 0 ? launch__fail(error, result, "cannot merge it: %s", strerror(-result)) : 0;
}
