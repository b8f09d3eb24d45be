/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_MEMORY_MEMORY_H
#define SHARD_ADAPTER_MEMORY_MEMORY_H

/* The inside of the memory store, shared by its files. All of it is under the store's mutex. */

#include <pthread.h>

#include <shard/store.h>

#include "base/map.h"
#include "rows.h"
#include "series.h"

/* Operations of the current epoch that a resend is recognised by. */
enum { SHARD__MEMORY_OPERATIONS = 1024 };

/* One record's part of what must be undone when a later record of its commit does not match. */
struct shard__memory_undo {
    int32_t task;                      /* -1: nothing was changed */
    struct shard__memory_texts *texts; /* not NULL: no row was, but text `task` of these was set */
    int32_t wide;                      /* index of the whole row that it had, in the copies; -1: none */
    struct shard__packed_row packed;
    char *detail; /* copy for the history; NULL: none is kept */
};

/* Texts by number: names of hosts, details of revisions. */
struct shard__memory_texts {
    char **items; /* NULL: none has this number */
    size_t count;
    size_t capacity;
};

struct shard__memory_run {
    char *name;
    char *owner; /* of the last lease; NULL: none yet */
    shard_workflow *workflow;
    int32_t task_count;
    enum shard_run_state state;
    int is_held;
    int64_t epoch;
    int64_t lease_ends_ns; /* monotonic */
    int64_t created_ns;
    int64_t updated_ns;
    int64_t last_seq;

    struct shard__rows rows;
    struct shard__memory_texts hosts;
    struct shard__memory_texts revisions;

    /* The newest records: seq s is at (s - 1) % keep. */
    struct shard_record *records;
    size_t record_capacity;

    uint64_t max_operation;
    uint64_t operations[SHARD__MEMORY_OPERATIONS];
    int32_t operation_count; /* at most SHARD__MEMORY_OPERATIONS */
    int32_t operation_next;
};

struct shard__memory_store {
    shard_context *context;
    pthread_mutex_t mutex;
    int64_t keep;
    struct shard__memory_run **runs; /* in the order of making */
    size_t run_count;
    size_t run_capacity;
    struct shard__namemap names;
    struct shard__memory_series series;

    /* Of the commit that is under way, kept to be used again. */
    struct shard__memory_undo *undo;
    size_t undo_capacity;
    struct shard_task_row *wide_copies;
    size_t wide_copy_count;
    size_t wide_copy_capacity;
};

/* The run of that name, or NULL with SHARD_ENOENT. */
struct shard__memory_run *shard__memory_find(struct shard__memory_store *store, const char *name);

/* 0, or SHARD_EFENCED when `epoch` does not hold the run. */
int shard__memory_check_epoch(const struct shard__memory_run *run, int64_t epoch);

/* Functions of the port that have files of their own. */
int shard__memory_commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *theirs);
int shard__memory_load(void *self, shard_sink *sink, shard_token token, const char *name, enum shard_load_flags flags);

/* Frees the records of a run. */
void shard__memory_free_records(const struct shard__memory_store *store, struct shard__memory_run *run);

#endif
