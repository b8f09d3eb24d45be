/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_CATALOG_H
#define SHARD_CATALOG_H

/*
 * The catalog: a workflow's tasks, versioned in a Git repository. A bare repository of the catalog's own, at `path`, is
 * what it reads and writes; `url` names the remote that it fetches from and pushes to. One branch holds one workflow:
 *
 *     workflow.json              the native format, without tasks and data
 *     tasks/3/f/a/NAME-HASH.json one task: an element of the native format's `tasks`, one field a line
 *     tasks/3/f/a/NAME-HASH.log  what was decided about it, one line each
 *     hosts/NAME-HASH.log        what was decided about a host
 *     data/3f.json               sizes of data: elements of the native format's `data`, one a line
 *
 * HASH is the first 16 digits of the name's BLAKE2b-256 in hex, the directories are its first three, and NAME is the
 * name's first 64 bytes in lower case, with "_" for all but letters, digits, "-" and ".". So no two paths differ in
 * case only, and a directory stays small with 100,000 tasks. Other files beside these are left alone.
 *
 * Content is data and nothing else: no file is checked out, links and submodules are refused, and sizes are bounded.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/workflow.h>

SHARD_BEGIN

typedef struct shard_catalog shard_catalog;

/** Limits of what is read; what exceeds one is refused with SHARD_ELIMIT. */
enum shard_catalog_limits {
    SHARD_MAX_CATALOG_FILE_BYTES = 1 << 25,
    SHARD_MAX_CATALOG_DIRECTORY = 65536 /* entries of one directory */
};

/** Bytes of texts with their NUL: a commit's id in hex, a path that this library gives a file. */
enum { SHARD_COMMIT_TEXT = 41, SHARD_CATALOG_PATH = 128 };

/** What a catalog is made of; copied. */
struct shard_catalog_config {
    size_t struct_size;
    const char *path;   /* needed: the bare repository, made if nothing is there */
    const char *url;    /* of the remote: a path, file://, ssh:// or https://; NULL: none */
    const char *branch; /* NULL: "main" */
    const char *author; /* of commits; NULL: "libshard" */
    const char *email;  /* NULL: "libshard@localhost" */
};

/**
 * Opens a catalog. When the branch is not here and there is a remote, it is fetched, which may block.
 *
 * A catalog may be used from any thread; calls wait for each other.
 *
 * Returns 0 and the catalog, which shard_catalog_close() ends. The branch need not be there: that is an empty catalog.
 * Errors: SHARD_EINVAL (which field), SHARD_EIO (what cannot be read, written or reached), SHARD_ECORRUPT,
 * SHARD_ENOTSUP (a shallow clone; a build without libgit2), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API int shard_catalog_open(shard_context *context, const struct shard_catalog_config *config,
                                 shard_catalog **ret_catalog);

/**
 * Ends a catalog. NULL is fine.
 */
SHARD_API void shard_catalog_close(shard_catalog *catalog);

/**
 * Writes a workflow as the branch's next commit, in place of what workflow it held.
 *
 * Files that are not of the catalog's layout stay, and so does what was decided. A workflow that is there already as it
 * is makes no commit. `message` NULL gives one. The remote gets it with the next shard_catalog_sync().
 *
 * Returns 0 and the commit's id.
 * Errors: SHARD_EIO, SHARD_ENOSPC, SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_publish(shard_catalog *catalog, const shard_workflow *workflow, const char *message,
                                    char ret_commit[SHARD_COMMIT_TEXT]);

/**
 * Fetches, merges what is new at the remote into the branch, and pushes; blocks. Without a remote it does nothing.
 *
 * Files that both sides changed are merged field by field. Of a field that both changed differently ours stays, theirs
 * is in the history, and the log has a warning that names task and field ("catalog-conflict").
 *
 * Returns 0.
 * Errors: SHARD_EIO (the remote cannot be reached, or it refused and why), SHARD_ECONFLICT (it changes faster than this
 * can merge), SHARD_ENOSPC, SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_sync(shard_catalog *catalog);

/** What to load. */
struct shard_catalog_request {
    size_t struct_size;
    const char *revision; /* a commit, tag or branch, as git rev-parse takes it; NULL: the branch */
    int32_t keep_rest;    /* non-zero: tasks whose files are bad are left out, and what comes after them */
};

/** What was loaded. */
struct shard_catalog_report {
    size_t struct_size;
    char commit[SHARD_COMMIT_TEXT];
    int32_t bad;      /* tasks whose file is no task */
    int32_t left_out; /* those and all that come after them; 0 without keep_rest */
    char *problems;   /* one line for each file that is bad; NULL: none. To be freed with shard_free() */
};

/**
 * Reads the workflow of a revision. Tasks are in the order of their paths.
 *
 * `request` NULL is the branch's tip, whole. `ret_report` may be NULL; it is written on failure too.
 *
 * Returns 0 and a workflow.
 * Errors: SHARD_ENOENT (no such revision, an empty catalog), SHARD_EPARSE and SHARD_EINVAL (a file, with its path, line
 * and field), SHARD_ELIMIT, SHARD_ECORRUPT, SHARD_ENOMEM, and those of shard_workflow_parse().
 */
SHARD_API int shard_catalog_load(shard_catalog *catalog, const struct shard_catalog_request *request,
                                 struct shard_catalog_report *ret_report, shard_workflow **ret_workflow);

/**
 * Writes the path that a task's file has in every catalog, with a NUL.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (no name, or one that is none).
 */
SHARD_API int shard_catalog_task_path(const char *task_name, char ret_path[SHARD_CATALOG_PATH]);

SHARD_END

#endif
