/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging the remote's commit into the branch, by file: what it changed since the two parted is looked at, and nothing
 * else, so that the cost is that of the change. Ours wins where both changed the same; the commit that lost is the
 * second parent, so its version stays in the history.
 */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/context.h"
#include "base/error.h"

#include "git.h"

struct merging {
    shard_catalog *catalog;
    git_tree *ours;
    git_tree_update *updates;
    size_t count;
    size_t capacity;
    struct shard__bytes message;
    int conflicts;
};

static void note_conflict(struct merging *merging, const char *path, const char *what)
{
    shard__log(merging->catalog->context, SHARD_LOG_WARNING, "catalog-conflict",
               "catalog '%s': '%s': %s changed here and at the remote: ours stays, theirs is in the history",
               merging->catalog->path, path, what);
    if (merging->conflicts++ == 0)
        shard__bytes_text(&merging->message, "\n");
    shard__bytes_printf(&merging->message, "Conflict: %s: %s\n", path, what);
}

static int add_update(struct merging *merging, git_tree_update_t action, const char *path, const git_oid *id,
                      git_filemode_t mode)
{
    const shard_context *context = merging->catalog->context;
    char *copy = shard__strdup(context, path);
    if (copy == NULL || shard__grow(context, &merging->updates, &merging->capacity, merging->count + 1,
                                    sizeof(*merging->updates)) < 0) {
        shard__strfree(context, copy);
        return SHARD_ENOMEM;
    }
    git_tree_update *update = &merging->updates[merging->count++];
    *update = (git_tree_update){.action = action, .filemode = mode, .path = copy};
    if (id != NULL)
        update->id = *id;
    return 0;
}

/* The text of a blob, "" of one that is not there or too large to be of a catalog. */
static int read_text(struct merging *merging, const char *path, const git_oid *id, git_blob **ret_blob,
                     const char **ret_text, size_t *ret_bytes)
{
    struct shard__git_file file = {.id = *id};
    snprintf(file.path, sizeof(file.path), "%s", path);
    *ret_text = "";
    *ret_bytes = 0;
    if (git_oid_is_zero(id))
        return 0;
    int status = shard__git_read_file(merging->catalog, &file, ret_blob);
    if (status == 0) {
        *ret_text = git_blob_rawcontent(*ret_blob);
        *ret_bytes = (size_t)git_blob_rawsize(*ret_blob);
    }
    return status == SHARD_ELIMIT ? 0 : status;
}

static int put_merged(struct merging *merging, const char *path, const struct shard__bytes *out)
{
    git_oid id;
    int code = git_blob_create_from_buffer(&id, merging->catalog->repository, out->data, out->size);
    if (code < 0)
        return shard__git_fail(merging->catalog, code, "'%s': cannot be written", path);
    return add_update(merging, GIT_TREE_UPDATE_UPSERT, path, &id, GIT_FILEMODE_BLOB);
}

/* Whether a text is the task of its path. */
static int is_task(struct merging *merging, const char *path, const struct shard__bytes *text)
{
    shard_workflow *workflow = NULL;
    int status = shard_workflow_parse_task(merging->catalog->context, text->data, text->size, path, NULL, &workflow);
    shard_workflow_unref(workflow);
    return status == 0;
}

/* Both sides have the file and changed it. */
static int merge_texts(struct merging *merging, const char *path, const char *texts[3], const size_t sizes[3])
{
    const shard_context *context = merging->catalog->context;
    size_t length = strlen(path);
    struct shard__bytes out, conflicts;
    shard__bytes_init(&out, context);
    shard__bytes_init(&conflicts, context);
    int status = 1;
    if (length > 4 && strcmp(path + length - 4, ".log") == 0) {
        shard__git_merge_lines(texts[1], sizes[1], texts[2], sizes[2], &out);
        status = out.status;
    } else if (strncmp(path, "tasks/", 6) == 0) {
        status = shard__git_merge_members(texts[0], sizes[0], texts[1], sizes[1], texts[2], sizes[2], &out, &conflicts);
        if (status == 0 && conflicts.size > 0) {
            shard__bytes_append(&conflicts, "", 1);
            note_conflict(merging, path, conflicts.data);
        }
        if (status == 0 && !is_task(merging, path, &out))
            status = 1;
    }
    if (status == 0)
        status = put_merged(merging, path, &out);
    else if (status == 1)
        note_conflict(merging, path, "the file");
    shard__bytes_free(&out);
    shard__bytes_free(&conflicts);
    return status < 0 ? status : 0;
}

static int merge_both(struct merging *merging, const char *path, const git_oid *ids[3])
{
    git_blob *blobs[3] = {NULL, NULL, NULL};
    const char *texts[3] = {"", "", ""};
    size_t sizes[3] = {0, 0, 0};
    int status = 0;
    for (int i = 0; status == 0 && i < 3; i++)
        status = read_text(merging, path, ids[i], &blobs[i], &texts[i], &sizes[i]);
    if (status == 0)
        status = merge_texts(merging, path, texts, sizes);
    for (int i = 0; i < 3; i++)
        git_blob_free(blobs[i]);
    return status;
}

/* One file that the remote changed. */
static int merge_file(struct merging *merging, const git_diff_delta *delta)
{
    static const git_oid none = {{0}};
    const char *path = delta->new_file.path;
    const git_oid *base = delta->status == GIT_DELTA_ADDED ? &none : &delta->old_file.id;
    const git_oid *theirs = delta->status == GIT_DELTA_DELETED ? &none : &delta->new_file.id;
    git_filemode_t mode = (git_filemode_t)delta->new_file.mode;
    git_tree_entry *entry = NULL;
    git_oid ours = none;
    int code = git_tree_entry_bypath(&entry, merging->ours, path);
    if (code < 0 && code != GIT_ENOTFOUND)
        return shard__git_fail(merging->catalog, code, "'%s': cannot be read", path);
    if (entry != NULL)
        ours = *git_tree_entry_id(entry);
    git_tree_entry_free(entry);
    if (git_oid_equal(&ours, theirs))
        return 0;
    if (git_oid_equal(&ours, base))
        return git_oid_is_zero(theirs) ? add_update(merging, GIT_TREE_UPDATE_REMOVE, path, NULL, mode)
                                       : add_update(merging, GIT_TREE_UPDATE_UPSERT, path, theirs, mode);
    if (git_oid_is_zero(&ours) || git_oid_is_zero(theirs)) {
        note_conflict(merging, path, "the file, which one side has removed,");
        return 0;
    }
    const git_oid *ids[3] = {base, &ours, theirs};
    return merge_both(merging, path, ids);
}

static int merge_diff(struct merging *merging, git_tree *base, git_tree *theirs)
{
    git_diff *diff = NULL;
    git_diff_options options = GIT_DIFF_OPTIONS_INIT;
    options.flags = GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_SKIP_BINARY_CHECK;
    int code = git_diff_tree_to_tree(&diff, merging->catalog->repository, base, theirs, &options);
    if (code < 0)
        return shard__git_fail(merging->catalog, code, "cannot be compared with the remote");
    int status = 0;
    for (size_t i = 0; status == 0 && i < git_diff_num_deltas(diff); i++)
        status = merge_file(merging, git_diff_get_delta(diff, i));
    git_diff_free(diff);
    return status;
}

static int find_base(shard_catalog *catalog, git_commit *ours, git_commit *theirs, git_tree **ret_tree)
{
    git_oid id;
    git_commit *base = NULL;
    int code = git_merge_base(&id, catalog->repository, git_commit_id(ours), git_commit_id(theirs));
    if (code == GIT_ENOTFOUND)
        return shard__fail(SHARD_ECONFLICT,
                           "catalog '%s': branch '%s' of '%s' has no commit in common with ours: it holds another "
                           "workflow, use another branch",
                           catalog->path, catalog->branch, catalog->url);
    if (code == 0)
        code = git_commit_lookup(&base, catalog->repository, &id);
    if (code == 0)
        code = git_commit_tree(ret_tree, base);
    git_commit_free(base);
    return code < 0 ? shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch) : 0;
}

static int commit_merge(struct merging *merging, git_commit *ours, git_commit *theirs)
{
    git_commit *parents[2] = {ours, theirs};
    git_oid tree = *git_tree_id(merging->ours);
    git_oid id;
    int code = merging->count == 0 ? 0
                                   : git_tree_create_updated(&tree, merging->catalog->repository, merging->ours,
                                                             merging->count, merging->updates);
    if (code < 0)
        return shard__git_fail(merging->catalog, code, "cannot merge");
    shard__bytes_append(&merging->message, "", 1);
    if (merging->message.status < 0)
        return merging->message.status;
    return shard__git_commit(merging->catalog, &tree, parents, 2, merging->message.data, &id);
}

int shard__git_merge(shard_catalog *catalog, git_commit *ours, git_commit *theirs)
{
    struct merging merging = {.catalog = catalog};
    git_tree *base = NULL, *their_tree = NULL;
    shard__bytes_init(&merging.message, catalog->context);
    shard__bytes_printf(&merging.message, "Merge branch '%s' of the remote\n", catalog->branch);
    int status = find_base(catalog, ours, theirs, &base);
    int code = status < 0 ? 0 : git_commit_tree(&merging.ours, ours);
    if (code == 0 && status == 0)
        code = git_commit_tree(&their_tree, theirs);
    if (code < 0)
        status = shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch);
    if (status == 0)
        status = merge_diff(&merging, base, their_tree);
    if (status == 0)
        status = commit_merge(&merging, ours, theirs);
    for (size_t i = 0; i < merging.count; i++)
        shard__release(catalog->context, (void *)(uintptr_t)merging.updates[i].path,
                       strlen(merging.updates[i].path) + 1);
    shard__release(catalog->context, merging.updates, merging.capacity * sizeof(*merging.updates));
    shard__bytes_free(&merging.message);
    git_tree_free(merging.ours);
    git_tree_free(their_tree);
    git_tree_free(base);
    return status;
}
