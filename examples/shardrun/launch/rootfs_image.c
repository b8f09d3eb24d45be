/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Unpacks an image of an OCI image layout (image-spec 1.0) into the state directory, once. What the layout says is not
 * believed: checksums of blobs are verified, names cannot lead out of the directory. Each layer is unpacked by tar into
 * an empty directory of its own, where there is nothing yet that could lead elsewhere, and then merged by layers.c.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DIGEST_PREFIX "sha256:"
#define DIGEST_LENGTH (sizeof DIGEST_PREFIX - 1 + 64)
#define DOCUMENT_MAX ((json_int_t)16 << 20)

/* Path of a blob whose content has been checked against its name. */
static int blob_path(const char *layout, const json_t *descriptor, struct launch_error *error, char *ret_path,
                     size_t size)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    char hex[65];

    if (digest == NULL || strlen(digest) != DIGEST_LENGTH || strncmp(digest, DIGEST_PREFIX, 7) != 0 ||
        strspn(digest + 7, "0123456789abcdef") != 64)
        return launch__fail(error, -EBADMSG, "image layout '%s': expected a sha256 digest, found '%s'", layout,
                            digest == NULL ? "none" : digest);
    if ((size_t)snprintf(ret_path, size, "%s/blobs/sha256/%s", layout, digest + 7) >= size)
        return launch__fail(error, -ENAMETOOLONG, "image layout '%s': path too long", layout);
    int result = launch__sha256_file(ret_path, hex);
    if (result < 0)
        return launch__fail(error, result, "image layout '%s': cannot read blob %s: %s", layout, digest,
                            strerror(-result));
    if (strcmp(hex, digest + 7) != 0)
        return launch__fail(error, -EBADMSG, "image layout '%s': blob %s is damaged: its sha256 is %s", layout, digest,
                            hex);
    return 0;
}

static int load(const char *path, struct launch_error *error, json_t **ret_document)
{
    json_error_t why;
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

    if (!json_is_object(document)) {
        json_decref(document);
        return launch__fail(error, -EBADMSG, "%s:%d: %s", path, why.line > 0 ? why.line : 1,
                            document == NULL ? why.text : "expected an object");
    }
    *ret_document = document;
    return 0;
}

static int load_blob(const char *layout, const json_t *descriptor, struct launch_error *error, json_t **ret_document)
{
    char path[PATH_MAX];

    if (json_integer_value(json_object_get(descriptor, "size")) > DOCUMENT_MAX)
        return launch__fail(error, -EFBIG, "image layout '%s': a document of more than 16 MiB", layout);
    int result = blob_path(layout, descriptor, error, path, sizeof path);
    return result < 0 ? result : load(path, error, ret_document);
}

/* OCI names architectures as Go does. */
static bool is_for_this_machine(const json_t *descriptor)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "386"}, {"armv7l", "arm"}};
    const char *wanted = json_string_value(json_object_get(json_object_get(descriptor, "platform"), "architecture"));
    struct utsname machine;

    if (wanted == NULL || uname(&machine) != 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(machine.machine, names[i][0]) == 0)
            return strcmp(wanted, names[i][1]) == 0;
    }
    return strcmp(wanted, machine.machine) == 0;
}

/* The first manifest of an index that has the tag (if one is asked for) and is for this machine; borrowed. */
static const json_t *choose(const json_t *index, const char *tag)
{
    const json_t *manifests = json_object_get(index, "manifests");

    for (size_t i = 0; i < json_array_size(manifests); i++) {
        const json_t *one = json_array_get(manifests, i);
        const char *name = json_string_value(
            json_object_get(json_object_get(one, "annotations"), "org.opencontainers.image.ref.name"));
        if ((tag == NULL || (name != NULL && strcmp(name, tag) == 0)) && is_for_this_machine(one))
            return one;
    }
    return NULL;
}

/* From index.json, or an index inside it, to the manifest; ret_digest says which. */
static int find_manifest(const char *layout, const char *tag, struct launch_error *error, json_t **ret_manifest,
                         char ret_digest[65])
{
    char path[PATH_MAX];
    json_t *document = NULL;

    snprintf(path, sizeof path, "%s/index.json", layout);
    int result = load(path, error, &document);
    for (int depth = 0; result == 0 && json_object_get(document, "layers") == NULL; depth++) {
        json_t *inner = NULL;
        const json_t *descriptor = choose(document, depth == 0 ? tag : NULL);
        if (descriptor == NULL || depth == 4)
            result = launch__fail(error, -ENOENT, "image layout '%s' has no image%s%s for this machine", layout,
                                  tag == NULL ? "" : " tagged ", tag == NULL ? "" : tag);
        else
            result = load_blob(layout, descriptor, error, &inner);
        if (result == 0)
            snprintf(ret_digest, 65, "%.64s", json_string_value(json_object_get(descriptor, "digest")) + 7);
        json_decref(document);
        document = inner;
    }
    if (result == 0)
        *ret_manifest = document;
    return result;
}

static int unpack_layer(const char *layout, const json_t *descriptor, const char *root, const char *scratch,
                        struct launch_error *error)
{
    char blob[PATH_MAX];
    int result = blob_path(layout, descriptor, error, blob, sizeof blob);

    if (result < 0)
        return result;
    const char *const argv[] = {"/bin/tar",
                                "--extract",
                                "--numeric-owner",
                                "--preserve-permissions",
                                "--delay-directory-restore",
                                "--exclude=dev/*",
                                "--exclude=./dev/*",
                                "--directory",
                                scratch,
                                "--file",
                                blob,
                                NULL};
    struct launch_error why = {""};
    result = launch__make_path(scratch);
    if (result == 0)
        result = launch__run_program(argv, &why);
    if (result == 0)
        result = launch__layer_merge(root, scratch, &why);
    if (result < 0)
        launch__fail(error, result, "image layout '%s': cannot unpack layer %s: %.300s", layout,
                     json_string_value(json_object_get(descriptor, "digest")), why.text);
    launch__remove_tree(AT_FDCWD, scratch);
    return result;
}

static int unpack_layers(const char *layout, const json_t *manifest, const char *temporary, struct launch_error *error)
{
    const json_t *layers = json_object_get(manifest, "layers");
    char *root = launch__format("%s/root", temporary);
    char *scratch = launch__format("%s/layer", temporary);
    int result = root == NULL || scratch == NULL ? -ENOMEM : launch__make_path(root);

    if (result < 0)
        launch__fail(error, result, "cannot unpack into %s: %s", temporary, strerror(-result));
    for (size_t i = 0; result == 0 && i < json_array_size(layers); i++)
        result = unpack_layer(layout, json_array_get(layers, i), root, scratch, error);
    free(scratch);
    free(root);
    return result;
}

/* Into a directory of another name first: what has its final name is whole. */
static int unpack(struct launch_env *env, const char *layout, const json_t *manifest, const char *path,
                  struct launch_error *error)
{
    char *temporary = launch__format("%s/rootfs/unpack.XXXXXX", env->state_dir);
    char *root = NULL;
    char *parent = launch__format("%s/rootfs", env->state_dir);
    int result = temporary == NULL || parent == NULL ? -ENOMEM : launch__make_path(parent);

    if (result == 0 && mkdtemp(temporary) == NULL)
        result = -errno;
    if (result < 0)
        launch__fail(error, result, "cannot make a directory in %s/rootfs: %s", env->state_dir, strerror(-result));
    else
        result = unpack_layers(layout, manifest, temporary, error);
    root = result < 0 ? NULL : launch__format("%s/root", temporary);
    /* Somebody else may have unpacked the same image meanwhile: just as good. */
    if (root != NULL && rename(root, path) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        result = launch__fail(error, -errno, "cannot rename %s to %s: %s", root, path, strerror(errno));
    if (temporary != NULL)
        launch__remove_tree(AT_FDCWD, temporary);
    free(root);
    free(parent);
    free(temporary);
    return result;
}

static char **copy_env(const json_t *config)
{
    const json_t *list = json_object_get(json_object_get(config, "config"), "Env");
    size_t count = json_array_size(list);
    char **env = count == 0 ? NULL : calloc(count + 1, sizeof *env);
    size_t used = 0;

    for (size_t i = 0; env != NULL && i < count; i++) {
        const char *variable = json_string_value(json_array_get(list, i));
        if (variable != NULL && (env[used] = strdup(variable)) != NULL)
            used++;
    }
    return env;
}

int launch__rootfs_unpack(struct launch_env *env, const char *layout, const char *tag, struct launch_error *error,
                          struct launch_rootfs *ret_rootfs)
{
    char digest[65] = "";
    json_t *manifest = NULL;
    json_t *config = NULL;
    int result = find_manifest(layout, tag, error, &manifest, digest);

    if (result < 0)
        return result;
    char *path = launch__format("%s/rootfs/sha256-%s", env->state_dir, digest);
    if (path == NULL) {
        launch__fail(error, -ENOMEM, "no memory for a root filesystem");
        result = -ENOMEM;
    }
    if (result == 0)
        result = load_blob(layout, json_object_get(manifest, "config"), error, &config);
    if (result == 0 && access(path, F_OK) != 0)
        result = unpack(env, layout, manifest, path, error);
    if (result == 0) {
        ret_rootfs->env = copy_env(config);
        ret_rootfs->path = path;
        path = NULL;
    }
    free(path);
    json_decref(config);
    json_decref(manifest);
    return result;
}
