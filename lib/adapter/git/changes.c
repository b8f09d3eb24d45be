/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that somebody changed: found by comparing trees, so that the cost is that of the change. */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#include "git.h"

static int is_task_path(const char *path)
{
    size_t length = strlen(path);
    return strncmp(path, "tasks/", 6) == 0 && length > 5 && length < SHARD_CATALOG_PATH &&
           strcmp(path + length - 5, ".json") == 0;
}

/* Reads the task of a file; what is wrong with it is the change's. */
static int read_change(shard_catalog *catalog, const git_diff_delta *delta, struct shard__git_change *change)
{
    struct shard__git_file file = {.id = delta->new_file.id};
    struct shard_task_info info = {.struct_size = sizeof(info)};
    char path[SHARD_CATALOG_PATH];
    git_blob *blob = NULL;
    snprintf(file.path, sizeof(file.path), "%s", delta->new_file.path);
    snprintf(change->path, sizeof(change->path), "%s", delta->new_file.path);
    int status = (delta->new_file.mode & 0170000) == 0100000
                     ? shard__git_read_file(catalog, &file, &blob)
                     : shard__fail(SHARD_EINVAL, "catalog '%s': '%s' is no file", catalog->path, file.path);
    if (status == 0)
        status = shard_workflow_parse_task(catalog->context, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob),
                                           file.path, NULL, &change->workflow);
    git_blob_free(blob);
    if (status == 0)
        status = shard_workflow_task(change->workflow, 0, &info);
    if (status == 0) {
        shard__git_task_path(info.name, "json", path);
        if (strcmp(path, file.path) != 0)
            status = shard__fail(SHARD_EINVAL, "%s: /name: is task '%.100s', whose file is '%s'", file.path, info.name,
                                 path);
    }
    if (status == SHARD_ENOMEM)
        return status;
    if (status < 0) {
        change->code = status;
        snprintf(change->message, sizeof(change->message), "%.*s", (int)sizeof(change->message) - 1,
                 shard__error_message());
        shard_workflow_unref(change->workflow);
        change->workflow = NULL;
    }
    return 0;
}

static int add_change(shard_catalog *catalog, const git_diff_delta *delta, const git_oid *commit)
{
    struct shard__git_change *change = shard__zalloc(catalog->context, sizeof(*change));
    if (change == NULL)
        return SHARD_ENOMEM;
    change->commit = *commit;
    int status = read_change(catalog, delta, change);
    if (status < 0) {
        shard__release(catalog->context, change, sizeof(*change));
        return status;
    }
    pthread_mutex_lock(&catalog->queue_mutex);
    *catalog->changes_end = change;
    catalog->changes_end = &change->next;
    pthread_mutex_unlock(&catalog->queue_mutex);
    return 0;
}

static int compare(shard_catalog *catalog, git_commit *tip)
{
    git_commit *before = NULL;
    git_tree *old_tree = NULL, *new_tree = NULL;
    git_diff *diff = NULL;
    git_diff_options options = GIT_DIFF_OPTIONS_INIT;
    options.flags = GIT_DIFF_SKIP_BINARY_CHECK;
    int code = git_commit_lookup(&before, catalog->repository, &catalog->seen);
    if (code == 0)
        code = git_commit_tree(&old_tree, before);
    if (code == 0)
        code = git_commit_tree(&new_tree, tip);
    if (code == 0)
        code = git_diff_tree_to_tree(&diff, catalog->repository, old_tree, new_tree, &options);
    int status = code < 0 ? shard__git_fail(catalog, code, "changes cannot be found") : 0;
    for (size_t i = 0; status == 0 && i < git_diff_num_deltas(diff); i++) {
        const git_diff_delta *delta = git_diff_get_delta(diff, i);
        if (delta->status != GIT_DELTA_DELETED && is_task_path(delta->new_file.path))
            status = add_change(catalog, delta, git_commit_id(tip));
    }
    git_diff_free(diff);
    git_tree_free(old_tree);
    git_tree_free(new_tree);
    git_commit_free(before);
    return status;
}

void shard__git_mark_seen(shard_catalog *catalog, const git_oid *commit)
{
    catalog->seen = *commit;
}

int shard__git_find_changes(shard_catalog *catalog)
{
    git_commit *tip = NULL;
    int status = 0;
    if (git_oid_is_zero(&catalog->seen))
        return 0;
    status = shard__git_tip(catalog, catalog->local_ref, &tip);
    if (status == 0 && tip != NULL && !git_oid_equal(git_commit_id(tip), &catalog->seen)) {
        status = compare(catalog, tip);
        if (status == 0)
            catalog->seen = *git_commit_id(tip);
    }
    git_commit_free(tip);
    return status;
}

void shard__git_free_changes(shard_catalog *catalog, struct shard__git_change *changes)
{
    while (changes != NULL) {
        struct shard__git_change *next = changes->next;
        shard_workflow_unref(changes->workflow);
        shard__release(catalog->context, changes, sizeof(*changes));
        changes = next;
    }
}

int shard_catalog_next_change(shard_catalog *catalog, struct shard_catalog_change *ret_change)
{
    shard__clear_error();
    struct shard_catalog_change change = {.struct_size = sizeof(change)};
    int status = shard__give_struct(ret_change, &change, sizeof(change), "catalog change");
    if (status < 0)
        return status;
    pthread_mutex_lock(&catalog->queue_mutex);
    struct shard__git_change *old = catalog->told, *next = catalog->changes;
    catalog->told = next;
    if (next != NULL) {
        catalog->changes = next->next;
        if (catalog->changes == NULL)
            catalog->changes_end = &catalog->changes;
        next->next = NULL;
    }
    pthread_mutex_unlock(&catalog->queue_mutex);
    shard__git_free_changes(catalog, old);
    if (next == NULL)
        return 0;
    change.path = next->path;
    change.code = next->code;
    change.message = next->code == 0 ? NULL : next->message;
    change.workflow = next->workflow;
    git_oid_tostr(change.commit, sizeof(change.commit), &next->commit);
    shard__give_struct(ret_change, &change, sizeof(change), "catalog change");
    return 1;
}
