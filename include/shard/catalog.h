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
 *     models/NAME.model          a model, its bytes as shard_model_to_bytes() gives them
 *     models/NAME.txt            what it is made of, its scores and columns, for people
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

/** A secret, as a program gives it; copied, and wiped when it was used. Texts with their NUL. */
struct shard_catalog_credential {
    size_t struct_size; /* set */
    char user[256];     /* "": of the url, or as configured */
    char secret[4096];  /* of https: the password or token; of ssh: the passphrase of ssh_key_file */
};

/**
 * Asks the program for the secret that goes with a url, `tries` 1 for the first time in a connection and 2 when that
 * was not taken. Called in whatever thread talks to the remote, and calls nothing of the catalog. Returns 1 with a
 * secret, 0 when there is none.
 */
typedef int (*shard_credential_fn)(void *self, const char *url, int tries, struct shard_catalog_credential *ret_secret);

/** What a catalog is made of; copied. */
struct shard_catalog_config {
    size_t struct_size;
    const char *path;               /* needed: the bare repository, made if nothing is there */
    const char *url;                /* of the remote: a path, file://, ssh:// or https://; NULL: none. One that is a
                                       directory has to be bare, and its hooks are not run */
    const char *branch;             /* NULL: "main" */
    const char *author;             /* of commits; NULL: "libshard" */
    const char *email;              /* NULL: "libshard@localhost" */
    double sync_seconds;            /* between looks at the remote in the background; 0: 30 */
    int32_t max_notes;              /* that wait to be committed; 0: 1,000,000 */
    const char *ssh_user;           /* for a url without one; NULL: "git" */
    const char *ssh_key_file;       /* private key; NULL: the keys of the agent */
    const char *ssh_known_hosts;    /* the host has to be in this file; NULL: in ~/.ssh/known_hosts */
    const char *https_token_file;   /* its first line is the password; read for each connection. NULL: none */
    const char *https_user;         /* that goes with it; NULL: "x-access-token" */
    const char *https_ca_file;      /* PEM: whom to trust instead of the system's list. libgit2 keeps one such list for
                                       the whole process: the last catalog's */
    shard_credential_fn credential; /* asked before https_token_file, and for a passphrase; NULL: nobody is */
    void *credential_self;
    double timeout_seconds; /* how long a remote may be silent before it counts as gone; 0: 30. Longer than it
                               takes this machine to pack what is pushed. libgit2's sockets are one kind for the
                               whole process: others than catalogs' wait as they always did */
};

/**
 * Opens a catalog. When the branch is not here and there is a remote, it is fetched, which may block.
 *
 * A catalog may be used from any thread; calls wait for each other. Those that block while they talk to the remote do
 * so through the context's offload hook, if it has one, so as to end what a silent remote keeps waiting: they are not
 * to be made from the hook's last free thread. Without a hook, one that falls silent in the middle of ssh is waited
 * for.
 *
 * Returns 0 and the catalog, which shard_catalog_close() ends. The branch need not be there: that is an empty catalog.
 * Errors: SHARD_EINVAL (which field), SHARD_EIO (what cannot be read, written or reached), SHARD_ECORRUPT,
 * SHARD_ENOTSUP (a shallow clone; a build without libgit2), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API int shard_catalog_open(shard_context *context, const struct shard_catalog_config *config,
                                 shard_catalog **ret_catalog);

/**
 * Ends a catalog, after what is under way in the background, which takes at most timeout_seconds from when the remote
 * falls silent; notes that wait are committed, not pushed. NULL is fine.
 */
SHARD_API void shard_catalog_close(shard_catalog *catalog);

/**
 * Writes a workflow as the branch's next commit, in place of what workflow it held.
 *
 * Files that are not of the catalog's layout stay, and so does what was decided. A workflow that is there already as it
 * is makes no commit. `message` NULL gives one. The remote gets it with the next
 * shard_catalog_sync(), which shard_catalog_step() also does.
 *
 * Returns 0 and the commit's id.
 * Errors: SHARD_EIO, SHARD_ENOSPC, SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_publish(shard_catalog *catalog, const shard_workflow *workflow, const char *message,
                                    char ret_commit[SHARD_COMMIT_TEXT]);

/**
 * Commits the notes that wait, fetches, merges what is new at the remote into the branch, and pushes; blocks. Without a
 * remote it commits only.
 *
 * Files that both sides changed are merged field by field. Of a field that both changed differently ours stays, theirs
 * is in the history, and the log has a warning that names task and field ("catalog-conflict").
 *
 * Returns 0.
 * Errors: SHARD_EIO (the remote cannot be reached, or it refused and why), SHARD_ECONFLICT (it changes faster than this
 * can merge), SHARD_ENOSPC, SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_sync(shard_catalog *catalog);

/**
 * Sets one field of a task's file, as a commit: what anyone may do with plain git, too.
 *
 * `value` is JSON ("30", "\"align\""); NULL takes the field away. `message` NULL gives one. A value that is there
 * already makes no commit.
 *
 * Returns 0 and the commit's id.
 * Errors: SHARD_ENOENT (task), SHARD_EINVAL and SHARD_EPARSE (field or value, with the path), SHARD_EIO, SHARD_ENOSPC,
 * SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_amend(shard_catalog *catalog, const char *task, const char *field, const char *value,
                                  const char *message, char ret_commit[SHARD_COMMIT_TEXT]);

/** A decision, for the history of a task or of a host. Text is copied. */
struct shard_catalog_decision {
    size_t struct_size;
    const char *task;   /* NULL: it is about the host */
    const char *host;   /* NULL: none */
    const char *run;    /* NULL: none */
    const char *what;   /* needed: "split in 4", "moved" */
    const char *reason; /* NULL: none */
    double p_fail;      /* the forecast that it stood on; NaN: not known */
    double seconds;     /* NaN: not known */
    int64_t time_ns;    /* wall clock; 0: now */
};

/**
 * Keeps a decision, to be a commit of its own soon: the trailers Task, Host, Run, Reason and Forecast, and a line in
 * the log of the task or host. Never blocks.
 *
 * Notes are committed in the background, which shard_catalog_step() starts through the context's offload hook, and by
 * shard_catalog_sync() and shard_catalog_close(). When more than 32 wait, a commit has several.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL, SHARD_ELIMIT (max_notes wait), SHARD_ENOMEM, SHARD_EVERSION.
 */
SHARD_API int shard_catalog_note(shard_catalog *catalog, const struct shard_catalog_decision *note);

/**
 * The descriptor to watch for reading: it is when shard_catalog_step() has something to do or to tell.
 *
 * Returns the descriptor, which stays the catalog's.
 */
SHARD_API int shard_catalog_fd(const shard_catalog *catalog);

/**
 * Starts what is due in the background: commits of notes, and every sync_seconds, or soon after a commit, a
 * shard_catalog_sync(). Never blocks where the context has an offload hook; where it has none, the work is done here.
 *
 * A remote that cannot be reached is tried again, at most a minute later: until then there is a backlog and a line in
 * the log ("catalog-remote"). A change that was fetched is told by shard_catalog_next_change().
 *
 * Returns 0.
 * Errors: the offload hook's.
 */
SHARD_API int shard_catalog_step(shard_catalog *catalog);

/** A task whose file somebody changed. Pointers live until the next call of next_change. */
struct shard_catalog_change {
    size_t struct_size;
    const char *path;
    int code;                       /* 0, or why the file is no task any more: what was known of it holds */
    const char *message;            /* of a code */
    const shard_workflow *workflow; /* shard_workflow_parse_task() of the file; NULL with a code */
    char commit[SHARD_COMMIT_TEXT]; /* the revision that it is of */
};

/**
 * Takes the next task that changed in the branch since it was loaded or published, or since the change before. A task
 * that is gone from the branch is no change.
 *
 * Returns 1 with a change, 0 when there is none.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_catalog_next_change(shard_catalog *catalog, struct shard_catalog_change *ret_change);

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
 * Keeps a trained model, as a commit of its own; read back it is byte by byte the same, at any revision.
 *
 * `bytes` are those of shard_model_to_bytes(), and are checked to be a model. `name` has up to 64 of a-z, 0-9, - and _.
 * `message` NULL gives one. A model that is there already makes no commit. Reading back, `revision` NULL is the branch.
 *
 * Returns 0 and the commit's id; or the bytes, for shard_model_from_bytes(), to be freed with shard_free().
 * Errors: SHARD_EINVAL (name), SHARD_ENOENT (no such model, or revision), SHARD_ELIMIT, SHARD_EIO, SHARD_ENOSPC,
 * SHARD_ECORRUPT, SHARD_ENOMEM, and those of shard_model_from_bytes().
 */
SHARD_API int shard_catalog_put_model(shard_catalog *catalog, const char *name, const void *bytes, size_t size,
                                      const char *message, char ret_commit[SHARD_COMMIT_TEXT]);
SHARD_API int shard_catalog_get_model(shard_catalog *catalog, const char *name, const char *revision, void **ret_bytes,
                                      size_t *ret_size);

/** A commit that touched a task. Pointers live during the call. */
struct shard_catalog_commit {
    size_t struct_size;
    const char *commit; /* in hex */
    const char *author;
    const char *message; /* whole, with its trailers */
    int64_t time_ns;     /* wall clock, of the commit */
    int32_t is_change;   /* non-zero: what is known of the task changed */
    int32_t is_decision; /* non-zero: something was decided about it */
};

/** Told of each commit; returns 0 to go on, and calls nothing of the catalog. */
typedef int shard_catalog_each(void *each_self, const struct shard_catalog_commit *commit);

/**
 * Calls `each` for every commit of the branch that touched a task's file or log, newest first, before it returns; for
 * tools. It reads what is here; shard_catalog_sync() brings what is new at the remote.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (name), SHARD_EIO, SHARD_ECORRUPT, SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_history(shard_catalog *catalog, const char *task, shard_catalog_each *each,
                                    void *each_self);

/**
 * Asks the remote whether it can be read and may be pushed to, and changes nothing; for tools. Blocks.
 *
 * Returns 0; without a remote at once.
 * Errors: SHARD_EIO (why not: it cannot be reached, it is not who it should be, it takes no credentials, it may not be
 * written), SHARD_ENOTSUP (a file:// with a host or percent signs: name the directory itself; or timeout_seconds does
 * not hold with this libgit2, and all else does), SHARD_ENOMEM.
 */
SHARD_API int shard_catalog_check(shard_catalog *catalog);

/**
 * Writes the path that a task's file has in every catalog, with a NUL.
 *
 * Returns 0.
 * Errors: SHARD_EINVAL (no name, or one that is none).
 */
SHARD_API int shard_catalog_task_path(const char *task_name, char ret_path[SHARD_CATALOG_PATH]);

SHARD_END

#endif
