/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_GIT_GIT_H
#define SHARD_ADAPTER_GIT_GIT_H

/*
 * The inside of the catalog. The repository's handle is used under `mutex` only. Trees are edited as objects: there is
 * no work tree and no index. What libgit2 allocates is its own; the rest is the context's.
 */

#include <git2.h>
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h> /* git_error_set_str(), since 1.8 */
#endif
#include <pthread.h>
#include <stdatomic.h>

#include <shard/catalog.h>

#include "base/bytes.h"

enum {
    SHARD__REF_BYTES = 300,
    SHARD__FAN_OUT = 3, /* directories above a task's file */
    SHARD__MEMBERS = 32 /* of one object; the native format has fewer */
};

/* A decision that waits to be committed. One allocation of `size` bytes; its texts lie behind it. */
struct shard__git_note {
    struct shard__git_note *next;
    size_t size;
    const char *task, *host, *run, *what, *reason; /* NULL: none */
    double p_fail, seconds;
    int64_t time_ns;
};

/* A task that changed and was not told yet. */
struct shard__git_change {
    struct shard__git_change *next;
    char path[SHARD_CATALOG_PATH];
    char message[300];
    int code;
    shard_workflow *workflow; /* a reference */
    git_oid commit;
};

struct shard_catalog {
    shard_context *context;
    pthread_mutex_t mutex; /* of the repository, and of what is not below queue_mutex */
    git_oid seen;          /* the commit whose tasks were told; zero: none */
    int remote_is_gone;    /* it was said in the log */

    pthread_mutex_t queue_mutex;
    pthread_cond_t is_idle;
    struct shard__git_note *notes, **notes_end;
    int64_t note_count;
    int64_t max_notes;
    struct shard__git_change *changes, **changes_end;
    struct shard__git_change *told;
    int is_scheduled;
    int is_closing;
    int64_t sync_ns;      /* between looks */
    int64_t back_off_ns;  /* 0: the last one went well */
    int64_t next_sync_ns; /* INT64_MAX: no remote */

    int timeout_ms;
    int is_unbounded; /* this libgit2 cannot be made to keep to it */
    shard_credential_fn credential;
    void *credential_self;
    atomic_int was_silent; /* the remote, in the call that is under way or was last */
    char distrust[300];    /* why it is not who it should be, in that call; "" */
    int socket;            /* of the call that is under way, as far as it has one; -1: none */

    int epoll_fd, timer_fd, wake_fd;
    char *ssh_user, *ssh_key_file, *ssh_known_hosts, *https_token_file, *https_user;
    git_repository *repository;
    char *path;
    char *url; /* NULL: no remote */
    char *branch;
    char *author;
    char *email;
    char local_ref[SHARD__REF_BYTES];  /* refs/heads/<branch> */
    char remote_ref[SHARD__REF_BYTES]; /* refs/remotes/origin/<branch> */
};

/* error.c */
/* Fails with what libgit2 said of its code; `doing` is for the message: "cannot read". */
int shard__git_fail(const shard_catalog *catalog, int git_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* layout.c */
/* Paths of a task's file ("json") and log ("log"), of a host's log, of the file with a piece of data. */
void shard__git_task_path(const char *name, const char *suffix, char ret_path[SHARD_CATALOG_PATH]);
void shard__git_host_path(const char *name, char ret_path[SHARD_CATALOG_PATH]);
void shard__git_data_path(const char *name, char ret_path[SHARD_CATALOG_PATH]);

/* members.c */
/* A member of an object, as it stands in the text. */
struct shard__git_member {
    const char *key; /* without its quotes */
    size_t key_bytes;
    const char *value;
    size_t value_bytes;
};
/* The members of one object that the native reader took. Their number; -1: it is none, or has too many. */
int shard__git_members(const char *text, size_t bytes, struct shard__git_member members[SHARD__MEMBERS]);
/* How long the value is that a text begins with and something follows; 0: it is none. */
size_t shard__git_value_bytes(const char *text, size_t bytes);
/* The member of a key, or NULL. */
const struct shard__git_member *shard__git_member(const struct shard__git_member *members, int count, const char *key,
                                                  size_t key_bytes);
/* Writes an object, one member a line. */
void shard__git_put_members(struct shard__bytes *out, const struct shard__git_member *members, int count);

/* task_file.c */
/* Writes a task's file from its line of the native text. 0 or SHARD_ENOMEM. */
int shard__git_put_task(struct shard__bytes *out, const char *line, size_t bytes);

/* tree.c */
/* A file of a tree. `size` is known without reading it. */
struct shard__git_file {
    char path[512];
    git_oid id;
};
/* Calls `each` for the files below a directory of a tree, in order; directories have `depth` levels of directories
   below them. What is not of the layout is refused. A directory that is not there has no files. */
int shard__git_walk(shard_catalog *catalog, const git_tree *root, const char *directory, int depth,
                    int (*each)(void *self, const struct shard__git_file *file), void *self);
/* Reads a file, to be freed with git_blob_free. 0, SHARD_ELIMIT, SHARD_ECORRUPT ... */
int shard__git_read_file(shard_catalog *catalog, const struct shard__git_file *file, git_blob **ret_blob);
/* The file at a path of a tree; SHARD_ENOENT without a message of its own when it is not there. */
int shard__git_find_file(shard_catalog *catalog, const git_tree *root, const char *path,
                         struct shard__git_file *ret_file);

/* commit.c */
/* The branch's commit, NULL when there is none yet. To be freed with git_commit_free. */
int shard__git_tip(shard_catalog *catalog, const char *ref, git_commit **ret_commit);
/* Makes a commit of a tree and moves the branch to it. `parents` has up to two; the first is the branch's tip. */
int shard__git_commit(shard_catalog *catalog, const git_oid *tree, git_commit **parents, size_t parent_count,
                      const char *message, git_oid *ret_id);

/* load.c */
/* The tree of a revision, NULL is the branch; to be freed with git_tree_free. */
int shard__git_find_revision(shard_catalog *catalog, const char *revision, git_oid *ret_commit, git_tree **ret_tree);

/* notes.c: each with the mutex held */
/* Commits the notes that wait. 0, or a failure after which they still wait. */
int shard__git_commit_notes(shard_catalog *catalog, int *ret_committed);
void shard__git_free_notes(shard_catalog *catalog, struct shard__git_note *notes);

/* changes.c: each with the mutex held */
/* Compares the tasks of the branch with those that were told, and queues what changed. */
int shard__git_find_changes(shard_catalog *catalog);
void shard__git_free_changes(shard_catalog *catalog, struct shard__git_change *changes);
/* Takes the branch as told. */
void shard__git_mark_seen(shard_catalog *catalog, const git_oid *commit);

/* worker.c */
int shard__git_open_descriptors(shard_catalog *catalog);
void shard__git_wake(shard_catalog *catalog);
/* Syncs, queues what changed, and sets the time of the next look; with the mutex held. */
int shard__git_sync_and_tell(shard_catalog *catalog);
/* The branch has what the remote has not. */
void shard__git_sync_soon(shard_catalog *catalog);
void shard__git_close_worker(shard_catalog *catalog);

/* timed.c: bounds on what remotes may take */
typedef int shard__git_work(shard_catalog *catalog);
void shard__git_set_timeout(shard_catalog *catalog, double seconds);
/* SHARD_ENOTSUP: there are no such bounds, is_unbounded. */
int shard__git_fail_unbounded(const shard_catalog *catalog);
/* Does what talks with the remote, in this thread; through the offload hook, if there is one, while this waits and sees
   that it ends. The code of `work`, with its message. */
int shard__git_call(shard_catalog *catalog, shard__git_work *work);
int shard__git_call_and_wait(shard_catalog *catalog, shard__git_work *work);
/* With queue_mutex held: ends the connection of a remote that was silent for too long; waits for a job, doing so. */
void shard__git_cut_if_silent(shard_catalog *catalog);
void shard__git_wait_idle(shard_catalog *catalog, const int *is_under_way);

/* access.c */
/* What connections ask: credentials, and whether the other side is who it should be. */
struct shard__git_access {
    shard_catalog *catalog;
    int tries;
};
void shard__git_set_access(git_remote_callbacks *callbacks, struct shard__git_access *access);

/* remote.c */
int shard__git_fetch(shard_catalog *catalog);
int shard__git_sync(shard_catalog *catalog);

/* merge.c */
/* Merges the commit of the remote into the branch, as a commit of both. */
int shard__git_merge(shard_catalog *catalog, git_commit *ours, git_commit *theirs);
/* Puts `theirs` and `ours`, both changed from `base`, together into `out`: field by field; what both changed is ours,
   and named in `conflicts` ("a, b"). 0, or 1 when it had no objects to merge: then all is ours. */
int shard__git_merge_members(const char *base, size_t base_bytes, const char *ours, size_t ours_bytes,
                             const char *theirs, size_t theirs_bytes, struct shard__bytes *out,
                             struct shard__bytes *conflicts);
/* Our lines, and then those of theirs that we have not. */
void shard__git_merge_lines(const char *ours, size_t ours_bytes, const char *theirs, size_t theirs_bytes,
                            struct shard__bytes *out);

#endif
