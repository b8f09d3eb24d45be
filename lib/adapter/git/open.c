/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing: the repository of the catalog's own, which is made when nothing is there. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/context.h"
#include "base/error.h"

#include "git.h"

enum { MAX_BRANCH_BYTES = 200, DEFAULT_MAX_NOTES = 1000000, DEFAULT_SYNC_SECONDS = 30 };

static int check_config(const struct shard_catalog_config *theirs, struct shard_catalog_config *ret_config)
{
    int status = shard__take_struct(ret_config, sizeof(*ret_config), theirs, "catalog config");
    if (status < 0)
        return status;
    if (ret_config->path == NULL || ret_config->path[0] == '\0')
        return shard__fail(SHARD_EINVAL, "catalog: path is missing");
    if (ret_config->url != NULL && ret_config->url[0] == '\0')
        return shard__fail(SHARD_EINVAL, "catalog: url is empty, expected one or NULL");
    if (ret_config->branch == NULL)
        ret_config->branch = "main";
    if (ret_config->author == NULL)
        ret_config->author = "libshard";
    if (ret_config->email == NULL)
        ret_config->email = "libshard@localhost";
    if (ret_config->ssh_user == NULL)
        ret_config->ssh_user = "git";
    if (ret_config->https_user == NULL)
        ret_config->https_user = "x-access-token";
    if (!(ret_config->sync_seconds >= 0) || !(ret_config->timeout_seconds >= 0) || ret_config->max_notes < 0)
        return shard__fail(SHARD_EINVAL,
                           "catalog: sync_seconds, timeout_seconds or max_notes is out of range, expected 0 or more");
    int is_valid = 0;
    if (strlen(ret_config->branch) <= MAX_BRANCH_BYTES)
        git_branch_name_is_valid(&is_valid, ret_config->branch);
    if (!is_valid)
        return shard__fail(SHARD_EINVAL, "catalog: '%.64s' cannot be the name of a branch", ret_config->branch);
    git_signature *signature = NULL;
    if (git_signature_new(&signature, ret_config->author, ret_config->email, 0, 0) < 0)
        return shard__fail(SHARD_EINVAL, "catalog: author and email cannot be those of a commit");
    git_signature_free(signature);
    return 0;
}

/* Copies a text of the configuration, if there is one. */
static int keep(shard_catalog *catalog, const char *text, char **ret_copy)
{
    *ret_copy = shard__strdup(catalog->context, text);
    return text != NULL && *ret_copy == NULL ? SHARD_ENOMEM : 0;
}

static int keep_config(shard_catalog *catalog, const struct shard_catalog_config *config)
{
    if (keep(catalog, config->path, &catalog->path) < 0 || keep(catalog, config->url, &catalog->url) < 0 ||
        keep(catalog, config->branch, &catalog->branch) < 0 || keep(catalog, config->author, &catalog->author) < 0 ||
        keep(catalog, config->email, &catalog->email) < 0 || keep(catalog, config->ssh_user, &catalog->ssh_user) < 0 ||
        keep(catalog, config->ssh_key_file, &catalog->ssh_key_file) < 0 ||
        keep(catalog, config->ssh_known_hosts, &catalog->ssh_known_hosts) < 0 ||
        keep(catalog, config->https_token_file, &catalog->https_token_file) < 0 ||
        keep(catalog, config->https_user, &catalog->https_user) < 0)
        return SHARD_ENOMEM;
    catalog->credential = config->credential;
    catalog->credential_self = config->credential_self;
    catalog->max_notes = config->max_notes == 0 ? DEFAULT_MAX_NOTES : config->max_notes;
    catalog->sync_ns = shard__seconds_to_ns(config->sync_seconds == 0 ? DEFAULT_SYNC_SECONDS : config->sync_seconds);
    catalog->next_sync_ns =
        config->url == NULL ? INT64_MAX : shard__later_ns(shard__now_ns(catalog->context), catalog->sync_ns);
    snprintf(catalog->local_ref, sizeof(catalog->local_ref), "refs/heads/%s", config->branch);
    snprintf(catalog->remote_ref, sizeof(catalog->remote_ref), "refs/remotes/origin/%s", config->branch);
    return 0;
}

static int open_repository(shard_catalog *catalog)
{
    struct stat info;
    int code = 0;
    if (stat(catalog->path, &info) != 0 && errno == ENOENT) {
        git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
        options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_MKPATH |
                        GIT_REPOSITORY_INIT_NO_REINIT;
        options.initial_head = catalog->branch;
        code = git_repository_init_ext(&catalog->repository, catalog->path, &options);
        if (code < 0)
            return shard__git_fail(catalog, code, "cannot be made");
    }
    if (catalog->repository == NULL)
        code = git_repository_open_bare(&catalog->repository, catalog->path);
    if (code < 0)
        return shard__git_fail(catalog, code, "cannot be opened as a bare repository");
    if (git_repository_is_shallow(catalog->repository) == 1)
        return shard__fail(SHARD_ENOTSUP,
                           "catalog '%s': is a shallow clone, expected a whole one: git fetch --unshallow",
                           catalog->path);
    return 0;
}

static int open_catalog(shard_catalog *catalog, const struct shard_catalog_config *config)
{
    git_commit *tip = NULL;
    int status = keep_config(catalog, config);
    shard__git_set_timeout(catalog, config->timeout_seconds);
    if (status == 0)
        status = shard__git_open_descriptors(catalog);
    if (status == 0 && config->https_ca_file != NULL) {
        int code = git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, config->https_ca_file, NULL);
        if (code < 0)
            status = shard__git_fail(catalog, code, "certificates of '%s' cannot be read", config->https_ca_file);
    }
    if (status == 0)
        status = open_repository(catalog);
    if (status == 0)
        status = shard__git_tip(catalog, catalog->local_ref, &tip);
    if (status == 0 && tip == NULL && catalog->url != NULL)
        status = shard__git_call_and_wait(catalog, shard__git_fetch);
    git_commit_free(tip);
    return status;
}

int shard_catalog_open(shard_context *context, const struct shard_catalog_config *theirs, shard_catalog **ret_catalog)
{
    shard__clear_error();
    struct shard_catalog_config config;
    pthread_condattr_t by_monotonic;
    if (git_libgit2_init() < 0)
        return shard__fail(SHARD_ENOMEM, "catalog: libgit2 cannot be started");
    int status = check_config(theirs, &config);
    shard_catalog *catalog = status == 0 ? shard__zalloc(context, sizeof(*catalog)) : NULL;
    if (catalog == NULL) {
        git_libgit2_shutdown();
        return status < 0 ? status : SHARD_ENOMEM;
    }
    catalog->context = context;
    catalog->epoll_fd = catalog->timer_fd = catalog->wake_fd = catalog->socket = -1;
    catalog->notes_end = &catalog->notes;
    catalog->changes_end = &catalog->changes;
    pthread_mutex_init(&catalog->mutex, NULL);
    pthread_mutex_init(&catalog->queue_mutex, NULL);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&catalog->is_idle, &by_monotonic);
    pthread_condattr_destroy(&by_monotonic);
    status = open_catalog(catalog, &config);
    if (status < 0)
        shard_catalog_close(catalog);
    else
        *ret_catalog = catalog;
    return status;
}

void shard_catalog_close(shard_catalog *catalog)
{
    if (catalog == NULL)
        return;
    shard_context *context = catalog->context;
    shard__git_close_worker(catalog);
    git_repository_free(catalog->repository);
    pthread_mutex_destroy(&catalog->mutex);
    shard__strfree(context, catalog->path);
    shard__strfree(context, catalog->url);
    shard__strfree(context, catalog->branch);
    shard__strfree(context, catalog->author);
    shard__strfree(context, catalog->email);
    shard__strfree(context, catalog->ssh_user);
    shard__strfree(context, catalog->ssh_key_file);
    shard__strfree(context, catalog->ssh_known_hosts);
    shard__strfree(context, catalog->https_token_file);
    shard__strfree(context, catalog->https_user);
    shard__release(context, catalog, sizeof(*catalog));
    git_libgit2_shutdown();
}
