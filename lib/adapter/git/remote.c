/* SPDX-License-Identifier: Apache-2.0 */
/* The remote: fetch, push, and going round until what both sides have is on both. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#include "git.h"

enum { MOST_ROUNDS = 5, MOST_PATH_BYTES = 4096 };

/* What a push met. Begins with what its connection asks, since both have one payload. */
struct pushing {
    struct shard__git_access access;
    char refused[200]; /* why the remote did not take it, "" when it did */
    char said[200];    /* the last line of what its hooks print, "" when they print nothing */
};

static int begin_remote(shard_catalog *catalog, git_remote **ret_remote)
{
    int code = git_remote_create_anonymous(ret_remote, catalog->repository, catalog->url);
    return code < 0 ? shard__git_fail(catalog, code, "remote '%s' cannot be used", catalog->url) : 0;
}

/* Whether the remote has the branch; asks it. */
static int has_branch(shard_catalog *catalog, git_remote *remote, int *ret_has)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    int code = git_remote_ls(&heads, &count, remote);
    if (code < 0)
        return shard__git_fail(catalog, code, "remote '%s' cannot be listed", catalog->url);
    *ret_has = 0;
    for (size_t i = 0; i < count; i++)
        *ret_has |= strcmp(heads[i]->name, catalog->local_ref) == 0;
    return 0;
}

static int download(shard_catalog *catalog, git_remote *remote)
{
    char spec[2 * SHARD__REF_BYTES + 2];
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    char *specs[] = {spec};
    const git_strarray list = {.strings = specs, .count = 1};
    struct shard__git_access access = {.catalog = catalog};
    int has = 0;
    shard__git_set_access(&options.callbacks, &access);
    snprintf(spec, sizeof(spec), "+%s:%s", catalog->local_ref, catalog->remote_ref);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.prune = GIT_FETCH_NO_PRUNE;
    int code = git_remote_connect(remote, GIT_DIRECTION_FETCH, &options.callbacks, NULL, NULL);
    if (code < 0)
        return shard__git_fail(catalog, code, "remote '%s' cannot be reached", catalog->url);
    int status = has_branch(catalog, remote, &has);
    if (status < 0)
        return status;
    if (!has) {
        code = git_reference_remove(catalog->repository, catalog->remote_ref);
        return code < 0 ? shard__git_fail(catalog, code, "cannot forget '%s'", catalog->remote_ref) : 0;
    }
    code = git_remote_download(remote, &list, &options);
    if (code == 0)
        code = git_remote_update_tips(remote, &options.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, NULL);
    if (code == GIT_ENOTFOUND)
        return shard__git_fail(catalog, code, "remote '%s' lacks objects of its branch, as a shallow clone does",
                               catalog->url);
    return code < 0 ? shard__git_fail(catalog, code, "remote '%s' cannot be fetched", catalog->url) : 0;
}

/* Moves the branch to a commit that has all of it. */
static int forward(shard_catalog *catalog, git_commit *commit)
{
    git_reference *reference = NULL;
    int code =
        git_reference_create(&reference, catalog->repository, catalog->local_ref, git_commit_id(commit), 1, "fetch");
    git_reference_free(reference);
    return code < 0 ? shard__git_fail(catalog, code, "branch '%s' cannot be moved", catalog->branch) : 0;
}

/* Brings the remote's commit into the branch. */
static int take_in(shard_catalog *catalog)
{
    git_commit *ours = NULL, *theirs = NULL;
    size_t ahead = 0, behind = 0;
    int status = shard__git_tip(catalog, catalog->local_ref, &ours);
    if (status == 0)
        status = shard__git_tip(catalog, catalog->remote_ref, &theirs);
    if (status == 0 && theirs != NULL && ours == NULL) {
        status = forward(catalog, theirs);
    } else if (status == 0 && theirs != NULL) {
        int code =
            git_graph_ahead_behind(&ahead, &behind, catalog->repository, git_commit_id(ours), git_commit_id(theirs));
        if (code < 0)
            status = shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch);
        else if (behind > 0)
            status = ahead == 0 ? forward(catalog, theirs) : shard__git_merge(catalog, ours, theirs);
    }
    git_commit_free(ours);
    git_commit_free(theirs);
    return status;
}

int shard__git_fetch(shard_catalog *catalog)
{
    git_remote *remote = NULL;
    int status = begin_remote(catalog, &remote);
    if (status == 0)
        status = download(catalog, remote);
    git_remote_free(remote);
    return status < 0 ? status : take_in(catalog);
}

static int keep_refusal(const char *ref, const char *message, void *self)
{
    struct pushing *pushing = self;
    (void)ref;
    if (message != NULL)
        snprintf(pushing->refused, sizeof(pushing->refused), "%s", message);
    return 0;
}

/* Hooks tell people what to do. A line that ends in a carriage return is Git's own progress. */
static int keep_said(const char *text, int length, void *self)
{
    struct pushing *pushing = self;
    int end = length;
    while (end > 0 && text[end - 1] == '\n')
        end--;
    int start = end;
    while (start > 0 && text[start - 1] != '\n' && text[start - 1] != '\r')
        start--;
    if (end > start && text[end - 1] != '\r')
        snprintf(pushing->said, sizeof(pushing->said), "%.*s", end - start, text + start);
    return 0;
}

static int fail_refused(const shard_catalog *catalog, const struct pushing *pushing)
{
    const char *said = pushing->said;
    return shard__fail(SHARD_EIO, "catalog '%s': '%s' refused branch '%s': %s%s%s%s", catalog->path, catalog->url,
                       catalog->branch, pushing->refused, said[0] != '\0' ? " ('" : "", said,
                       said[0] != '\0' ? "')" : "");
}

/* 0, 1 when the remote has what we have not, or a negative code. */
static int push(shard_catalog *catalog)
{
    char spec[2 * SHARD__REF_BYTES + 2];
    struct pushing pushing = {.access = {.catalog = catalog}};
    git_push_options options = GIT_PUSH_OPTIONS_INIT;
    char *specs[] = {spec};
    const git_strarray list = {.strings = specs, .count = 1};
    git_remote *remote = NULL;
    snprintf(spec, sizeof(spec), "%s:%s", catalog->local_ref, catalog->local_ref);
    shard__git_set_access(&options.callbacks, &pushing.access);
    options.callbacks.push_update_reference = keep_refusal;
    options.callbacks.sideband_progress = keep_said;
    int status = begin_remote(catalog, &remote);
    if (status < 0)
        return status;
    int code = git_remote_push(remote, &list, &options);
    git_remote_free(remote);
    if (code == GIT_ENONFASTFORWARD)
        return 1;
    if (code < 0)
        return shard__git_fail(catalog, code, "cannot push to '%s'", catalog->url);
    if (strstr(pushing.refused, "non-fast-forward") != NULL || strstr(pushing.refused, "fetch first") != NULL ||
        strstr(pushing.refused, "failed to update ref") != NULL)
        return 1;
    return pushing.refused[0] != '\0' ? fail_refused(catalog, &pushing) : 0;
}

/* Whether the branch has what the remote has not, as far as was fetched. */
static int is_ahead(shard_catalog *catalog, int *ret_is)
{
    git_commit *ours = NULL, *theirs = NULL;
    int status = shard__git_tip(catalog, catalog->local_ref, &ours);
    if (status == 0)
        status = shard__git_tip(catalog, catalog->remote_ref, &theirs);
    *ret_is = ours != NULL && (theirs == NULL || !git_oid_equal(git_commit_id(ours), git_commit_id(theirs)));
    git_commit_free(ours);
    git_commit_free(theirs);
    return status;
}

int shard__git_sync(shard_catalog *catalog)
{
    for (int round = 0; round < MOST_ROUNDS; round++) {
        int ahead = 0;
        int status = shard__git_fetch(catalog);
        if (status == 0)
            status = is_ahead(catalog, &ahead);
        if (status < 0 || !ahead)
            return status;
        status = push(catalog);
        if (status <= 0)
            return status;
    }
    return shard__fail(SHARD_ECONFLICT, "catalog '%s': branch '%s' of '%s' changed each time between fetch and push",
                       catalog->path, catalog->branch, catalog->url);
}

/* A directory's connection says nothing of rights. What is a url of another kind cannot be opened; of a file:// that is
 * encoded only libgit2 knows the path, and does not tell it. */
static int check_directory(const shard_catalog *catalog)
{
    int is_file = strncmp(catalog->url, "file://", 7) == 0;
    const char *path = is_file ? catalog->url + 7 : catalog->url;
    char objects[MOST_PATH_BYTES];
    git_repository *there = NULL;
    int status = 0;
    if ((is_file && strchr(path, '%') != NULL) ||
        git_repository_open_ext(&there, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0)
        return !is_file ? 0
                        : shard__fail(SHARD_ENOTSUP,
                                      "catalog '%s': whether '%s' may be written was not looked at, since its path is "
                                      "encoded or has a host; name the directory itself, without file://",
                                      catalog->path, catalog->url);
    snprintf(objects, sizeof(objects), "%sobjects", git_repository_path(there));
    if (!git_repository_is_bare(there))
        status = shard__fail(SHARD_EIO, "catalog '%s': '%s' has a work tree, expected a bare repository", catalog->path,
                             path);
    else if (access(objects, W_OK) < 0)
        status = shard__fail_errno(SHARD_EIO, errno, "catalog '%s': '%s' may not be written, so nothing can be pushed",
                                   catalog->path, path);
    git_repository_free(there);
    return status;
}

static int connect_for(shard_catalog *catalog, git_remote *remote, git_direction direction)
{
    git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
    struct shard__git_access who = {.catalog = catalog};
    shard__git_set_access(&callbacks, &who);
    int code = git_remote_connect(remote, direction, &callbacks, NULL, NULL);
    git_remote_disconnect(remote);
    return code < 0 ? shard__git_fail(catalog, code, "remote '%s' cannot be %s", catalog->url,
                                      direction == GIT_DIRECTION_PUSH ? "pushed to" : "reached")
                    : 0;
}

static int check(shard_catalog *catalog)
{
    git_remote *remote = NULL;
    pthread_mutex_lock(&catalog->mutex);
    int status = begin_remote(catalog, &remote);
    if (status == 0)
        status = connect_for(catalog, remote, GIT_DIRECTION_FETCH);
    if (status == 0)
        status = connect_for(catalog, remote, GIT_DIRECTION_PUSH);
    if (status == 0)
        status = check_directory(catalog);
    if (status == 0 && catalog->is_unbounded)
        status = shard__git_fail_unbounded(catalog);
    git_remote_free(remote);
    pthread_mutex_unlock(&catalog->mutex);
    return status;
}

int shard_catalog_check(shard_catalog *catalog)
{
    shard__clear_error();
    return catalog->url == NULL ? 0 : shard__git_call_and_wait(catalog, check);
}

static int sync_all(shard_catalog *catalog)
{
    int committed = 0;
    pthread_mutex_lock(&catalog->mutex);
    int status = shard__git_commit_notes(catalog, &committed);
    if (status == 0)
        status = shard__git_sync_and_tell(catalog);
    pthread_mutex_unlock(&catalog->mutex);
    return status;
}

int shard_catalog_sync(shard_catalog *catalog)
{
    shard__clear_error();
    return catalog->url == NULL ? sync_all(catalog) : shard__git_call_and_wait(catalog, sync_all);
}
