/* SPDX-License-Identifier: Apache-2.0 */
/* One field of one task, as a commit. */

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#include "git.h"

/* The file's text with the field in it. */
static void put_amended(struct shard__bytes *out, const char *text, size_t bytes, const char *field, const char *value)
{
    struct shard__git_member members[SHARD__MEMBERS + 1];
    const struct shard__git_member amended = {field, strlen(field), value, value == NULL ? 0 : strlen(value)};
    int count = shard__git_members(text, bytes, members);
    int kept = 0, is_there = 0;
    for (int i = 0; i < count; i++) {
        int is_field =
            members[i].key_bytes == amended.key_bytes && memcmp(members[i].key, field, amended.key_bytes) == 0;
        is_there |= is_field;
        if (is_field && value == NULL)
            continue;
        members[kept++] = is_field ? amended : members[i];
    }
    if (!is_there && value != NULL)
        members[kept++] = amended;
    shard__git_put_members(out, members, kept);
}

/* What was put together has to be the task of its path, and the field one of its own. */
static int check_amended(shard_catalog *catalog, const char *task, const char *path, const struct shard__bytes *text)
{
    shard_workflow *workflow = NULL;
    struct shard_task_info info = {.struct_size = sizeof(info)};
    if (text->status < 0)
        return text->status;
    int status = shard_workflow_parse_task(catalog->context, text->data, text->size, path, NULL, &workflow);
    if (status == 0)
        status = shard_workflow_task(workflow, 0, &info);
    if (status == 0 && strcmp(info.name, task) != 0)
        status = shard__fail(SHARD_EINVAL, "%s: /name: the name of a task cannot be amended", path);
    shard_workflow_unref(workflow);
    return status;
}

static int commit_amended(shard_catalog *catalog, git_commit *tip, git_tree *tree, const char *path,
                          const struct shard__bytes *text, const char *message, git_oid *ret_id)
{
    git_tree_update update = {.action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB, .path = path};
    git_oid tree_id;
    int code = git_blob_create_from_buffer(&update.id, catalog->repository, text->data, text->size);
    if (code == 0)
        code = git_tree_create_updated(&tree_id, catalog->repository, tree, 1, &update);
    if (code < 0)
        return shard__git_fail(catalog, code, "'%s': cannot be written", path);
    if (git_oid_equal(&tree_id, git_tree_id(tree))) {
        *ret_id = *git_commit_id(tip);
        return 0;
    }
    return shard__git_commit(catalog, &tree_id, &tip, 1, message, ret_id);
}

static int amend(shard_catalog *catalog, const char *task, const char *field, const char *value, const char *message,
                 git_oid *ret_id)
{
    char path[SHARD_CATALOG_PATH];
    struct shard__git_file file;
    struct shard__bytes text;
    git_commit *tip = NULL;
    git_tree *tree = NULL;
    git_blob *blob = NULL;
    shard__git_task_path(task, "json", path);
    shard__bytes_init(&text, catalog->context);
    int status = shard__git_tip(catalog, catalog->local_ref, &tip);
    int code = status < 0 || tip == NULL ? 0 : git_commit_tree(&tree, tip);
    if (code < 0)
        status = shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch);
    if (status == 0)
        status = tree == NULL ? SHARD_ENOENT : shard__git_find_file(catalog, tree, path, &file);
    if (status == SHARD_ENOENT)
        status = shard__fail(SHARD_ENOENT, "catalog '%s': branch '%s' has no task '%.200s'", catalog->path,
                             catalog->branch, task);
    if (status == 0)
        status = shard__git_read_file(catalog, &file, &blob);
    if (status == 0) {
        put_amended(&text, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), field, value);
        status = check_amended(catalog, task, path, &text);
    }
    if (status == 0)
        status = commit_amended(catalog, tip, tree, path, &text, message, ret_id);
    git_blob_free(blob);
    git_tree_free(tree);
    git_commit_free(tip);
    shard__bytes_free(&text);
    return status;
}

int shard_catalog_amend(shard_catalog *catalog, const char *task, const char *field, const char *value,
                        const char *message, char ret_commit[SHARD_COMMIT_TEXT])
{
    shard__clear_error();
    char subject[400];
    git_oid id;
    if (task == NULL || field == NULL || field[0] == '\0' || strpbrk(field, "\"\\\n") != NULL)
        return shard__fail(SHARD_EINVAL, "catalog: an amendment needs the names of a task and of a field");
    snprintf(subject, sizeof(subject), "%.100s: amend %.100s\n", task, field);
    pthread_mutex_lock(&catalog->mutex);
    int status = amend(catalog, task, field, value, message == NULL ? subject : message, &id);
    pthread_mutex_unlock(&catalog->mutex);
    if (status == 0) {
        git_oid_tostr(ret_commit, SHARD_COMMIT_TEXT, &id);
        shard__git_sync_soon(catalog);
    }
    return status;
}
