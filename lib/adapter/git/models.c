/* SPDX-License-Identifier: Apache-2.0 */
/* Models: their bytes as they are, with the checksum that they carry, and beside them what they are made of, for
 * people. */

#include <stdio.h>
#include <string.h>

#include <shard/train.h>

#include "base/context.h"
#include "base/error.h"

#include "git.h"

/* "models/NAME" and what comes after it. The name is a file's on any system. */
static int path_of(const char *name, const char *suffix, char ret_path[SHARD_CATALOG_PATH])
{
    size_t length = name == NULL ? 0 : strlen(name);
    if (length < 1 || length > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != length)
        return shard__fail(SHARD_EINVAL, "catalog: '%.80s' cannot name a model, expected 1 to 64 of a-z, 0-9, - and _",
                           name == NULL ? "" : name);
    snprintf(ret_path, SHARD_CATALOG_PATH, "models/%s.%s", name, suffix);
    return 0;
}

/* What the model says of itself; that it can be read shows that its bytes are whole. */
static int describe(shard_catalog *catalog, const char *name, const void *bytes, size_t size, char **ret_text)
{
    shard_model *model = NULL;
    int status = shard_model_from_bytes(catalog->context, bytes, size, name, &model);
    if (status == 0)
        status = shard_model_text(catalog->context, model, ret_text);
    shard_model_free(model);
    return status;
}

/* A commit of the two files, unless the branch has them. */
static int put(shard_catalog *catalog, git_tree_update updates[2], const char *message, git_oid *ret_id)
{
    git_commit *tip = NULL;
    git_tree *tree = NULL;
    git_oid tree_id;
    int status = shard__git_tip(catalog, catalog->local_ref, &tip);
    int code = status < 0 || tip == NULL ? 0 : git_commit_tree(&tree, tip);
    if (status == 0 && code == 0)
        code = git_tree_create_updated(&tree_id, catalog->repository, tree, 2, updates);
    if (code < 0)
        status = shard__git_fail(catalog, code, "'%s' cannot be written", updates[0].path);
    if (status == 0 && tree != NULL && git_oid_equal(&tree_id, git_tree_id(tree)))
        *ret_id = *git_commit_id(tip);
    else if (status == 0)
        status = shard__git_commit(catalog, &tree_id, &tip, tip == NULL ? 0 : 1, message, ret_id);
    git_tree_free(tree);
    git_commit_free(tip);
    return status;
}

int shard_catalog_put_model(shard_catalog *catalog, const char *name, const void *bytes, size_t size,
                            const char *message, char ret_commit[SHARD_COMMIT_TEXT])
{
    shard__clear_error();
    char paths[2][SHARD_CATALOG_PATH], subject[100], *text = NULL;
    git_tree_update updates[2] = {{.action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB, .path = paths[0]},
                                  {.action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB, .path = paths[1]}};
    git_oid id;
    int status = path_of(name, "model", paths[0]);
    if (status == 0 && size > SHARD_MAX_CATALOG_FILE_BYTES)
        status = shard__fail(SHARD_ELIMIT, "model '%s' has %zu bytes, expected at most %d", name, size,
                             (int)SHARD_MAX_CATALOG_FILE_BYTES);
    if (status == 0)
        status = describe(catalog, name, bytes, size, &text);
    if (status < 0)
        return status;
    path_of(name, "txt", paths[1]);
    snprintf(subject, sizeof(subject), "Keep model %s\n", name);
    pthread_mutex_lock(&catalog->mutex);
    int code = git_blob_create_from_buffer(&updates[0].id, catalog->repository, bytes, size);
    if (code == 0)
        code = git_blob_create_from_buffer(&updates[1].id, catalog->repository, text, strlen(text));
    status = code < 0 ? shard__git_fail(catalog, code, "'%s' cannot be written", paths[0])
                      : put(catalog, updates, message == NULL ? subject : message, &id);
    pthread_mutex_unlock(&catalog->mutex);
    shard_free(catalog->context, text);
    if (status == 0) {
        git_oid_tostr(ret_commit, SHARD_COMMIT_TEXT, &id);
        shard__git_sync_soon(catalog);
    }
    return status;
}

static int get(shard_catalog *catalog, const char *path, const char *revision, void **ret_bytes, size_t *ret_size)
{
    struct shard__git_file file;
    git_tree *root = NULL;
    git_blob *blob = NULL;
    git_oid commit;
    int status = shard__git_find_revision(catalog, revision, &commit, &root);
    if (status == 0)
        status = shard__git_find_file(catalog, root, path, &file);
    if (status == SHARD_ENOENT && root != NULL)
        shard__fail(SHARD_ENOENT, "catalog '%s': has no '%s' at %s", catalog->path, path,
                    revision == NULL ? catalog->branch : revision);
    if (status == 0)
        status = shard__git_read_file(catalog, &file, &blob);
    if (status == 0) {
        *ret_size = (size_t)git_blob_rawsize(blob);
        *ret_bytes = shard__handout(catalog->context, git_blob_rawcontent(blob), *ret_size);
        status = *ret_bytes == NULL ? SHARD_ENOMEM : 0;
    }
    git_blob_free(blob);
    git_tree_free(root);
    return status;
}

int shard_catalog_get_model(shard_catalog *catalog, const char *name, const char *revision, void **ret_bytes,
                            size_t *ret_size)
{
    shard__clear_error();
    char path[SHARD_CATALOG_PATH];
    int status = path_of(name, "model", path);
    if (status < 0)
        return status;
    pthread_mutex_lock(&catalog->mutex);
    status = get(catalog, path, revision, ret_bytes, ret_size);
    pthread_mutex_unlock(&catalog->mutex);
    return status;
}
