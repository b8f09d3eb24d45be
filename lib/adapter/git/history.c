/* SPDX-License-Identifier: Apache-2.0 */
/* The commits that touched a task, found by comparing what trees have at its paths. */

#include <stdio.h>

#include "base/error.h"

#include "git.h"

/* What a commit has at the two paths of a task; zero: nothing. */
struct found {
    git_oid file, log;
};

static int find(shard_catalog *catalog, const git_commit *commit, const char *path, git_oid *ret_id)
{
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    *ret_id = (git_oid){{0}};
    int code = git_commit_tree(&tree, commit);
    if (code == 0)
        code = git_tree_entry_bypath(&entry, tree, path);
    if (code == 0)
        *ret_id = *git_tree_entry_id(entry);
    git_tree_entry_free(entry);
    git_tree_free(tree);
    return code < 0 && code != GIT_ENOTFOUND ? shard__git_fail(catalog, code, "'%s' cannot be read", path) : 0;
}

static int find_both(shard_catalog *catalog, const git_commit *commit, const char *task, struct found *ret_found)
{
    char path[SHARD_CATALOG_PATH];
    shard__git_task_path(task, "json", path);
    int status = find(catalog, commit, path, &ret_found->file);
    shard__git_task_path(task, "log", path);
    return status == 0 ? find(catalog, commit, path, &ret_found->log) : status;
}

/* Whether a commit has at the task's paths what none of its parents has; a merge that took one side changed nothing. */
static int compare(shard_catalog *catalog, const git_commit *commit, const char *task,
                   struct shard_catalog_commit *ret_seen)
{
    struct found ours, theirs = {{{0}}, {{0}}};
    unsigned parents = git_commit_parentcount(commit);
    int status = find_both(catalog, commit, task, &ours);
    ret_seen->is_change = ret_seen->is_decision = 1;
    for (unsigned i = 0; status == 0 && i < (parents == 0 ? 1 : parents); i++) {
        git_commit *parent = NULL;
        int code = parents == 0 ? 0 : git_commit_parent(&parent, commit, i);
        if (code < 0)
            status = shard__git_fail(catalog, code, "its history cannot be read");
        else if (parent != NULL)
            status = find_both(catalog, parent, task, &theirs);
        git_commit_free(parent);
        ret_seen->is_change &= !git_oid_equal(&ours.file, &theirs.file);
        ret_seen->is_decision &= !git_oid_equal(&ours.log, &theirs.log);
    }
    return status;
}

/* 0 to go on, 1 when whoever asked has enough, or a negative code. */
static int look_at(shard_catalog *catalog, const git_oid *id, const char *task, shard_catalog_each *each, void *self)
{
    char text[SHARD_COMMIT_TEXT];
    struct shard_catalog_commit seen = {.struct_size = sizeof(seen), .commit = text};
    git_commit *commit = NULL;
    int code = git_commit_lookup(&commit, catalog->repository, id);
    if (code < 0)
        return shard__git_fail(catalog, code, "its history cannot be read");
    int status = compare(catalog, commit, task, &seen);
    if (status == 0 && (seen.is_change || seen.is_decision)) {
        git_oid_tostr(text, sizeof(text), id);
        seen.author = git_commit_author(commit)->name;
        seen.message = git_commit_message(commit);
        seen.time_ns = (int64_t)git_commit_time(commit) * 1000000000;
        status = each(self, &seen) != 0;
    }
    git_commit_free(commit);
    return status;
}

static int walk(shard_catalog *catalog, const char *task, shard_catalog_each *each, void *self)
{
    git_revwalk *walk = NULL;
    git_oid id;
    int status = 0;
    int code = git_revwalk_new(&walk, catalog->repository);
    if (code == 0)
        code = git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    if (code == 0)
        code = git_revwalk_push_ref(walk, catalog->local_ref);
    while (code == 0 && status == 0 && (code = git_revwalk_next(&id, walk)) == 0)
        status = look_at(catalog, &id, task, each, self);
    git_revwalk_free(walk);
    if (status != 0)
        return status < 0 ? status : 0;
    return code == GIT_ITEROVER || code == GIT_ENOTFOUND ? 0
                                                         : shard__git_fail(catalog, code, "its history cannot be read");
}

int shard_catalog_history(shard_catalog *catalog, const char *task, shard_catalog_each *each, void *each_self)
{
    char path[SHARD_CATALOG_PATH];
    int status = shard_catalog_task_path(task, path); /* checks the name */
    if (status == 0 && each == NULL)
        status = shard__fail(SHARD_EINVAL, "catalog: there is nobody to tell the history to");
    if (status < 0)
        return status;
    pthread_mutex_lock(&catalog->mutex);
    status = walk(catalog, task, each, each_self);
    pthread_mutex_unlock(&catalog->mutex);
    return status;
}
