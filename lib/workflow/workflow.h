/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_WORKFLOW_H
#define SHARD_WORKFLOW_WORKFLOW_H

/*
 * The sealed workflow as the floors above read it: columns over tasks, never written after the seal. What few workflows
 * have (payloads, units, data) is NULL when no task has it, so that a million plain tasks cost what they need.
 */

#include <stdatomic.h>
#include <stdint.h>

#include <shard/workflow.h>

#include "base/map.h"

/* What many tasks have in common; each distinct combination is kept once, and placement treats its tasks alike. */
struct shard__profile {
    int64_t cpu_millicores;
    int64_t memory_bytes;
    int64_t disk_bytes;
    int64_t min_units; /* at least 1 */
    double failure_cost_seconds;
    double timeout_seconds; /* 0: none */
    int32_t priority;
    int32_t max_attempts; /* 0: no limit of its own */
    int32_t parts;        /* at least 1 */
    int32_t has_merge;
    int32_t kind;
};

/* Lists of ids by row: row i is ids[offsets[i]] .. ids[offsets[i + 1] - 1]. */
struct shard__csr {
    uint32_t *offsets; /* rows + 1; NULL: every row is empty */
    int32_t *ids;
};

/* Names end to end, each with a NUL; name i begins at offsets[i] and has offsets[i + 1] - offsets[i] - 1 bytes. Tasks
   that were given no name have the text "t<id>" but no place in the map: find through shard__names_find. */
struct shard__names {
    uint32_t *offsets;
    char *text;
    struct shard__namemap map;
};

struct shard_workflow {
    shard_context *context;
    atomic_int references;
    char *name;
    int32_t task_count;
    int32_t data_count;
    int32_t kind_count;
    int32_t profile_count;
    int edges_are_whole; /* what tasks read made no edges; so when it is written and read again */
    int64_t edge_count;
    double critical_path_seconds;
    double total_seconds;

    struct shard__profile *profiles;
    struct shard__names task_names;
    struct shard__names data_names;
    struct shard__names kind_names;

    /* Columns over tasks. */
    int32_t *profile_of;
    float *expected_seconds;   /* NaN: not known */
    float *rank_seconds;       /* tasks that are not known count as the mean of those that are, or as 1 */
    int64_t *units;            /* NULL: every task is atomic */
    uint64_t *payload_offsets; /* task_count + 1; NULL: no payloads */
    unsigned char *payloads;
    struct shard__csr successors;
    struct shard__csr predecessors;
    struct shard__csr inputs;  /* data ids by task */
    struct shard__csr outputs; /* data ids by task */

    /* Columns over data. */
    int64_t *data_bytes;         /* -1: not known */
    int32_t *data_producer;      /* -1: none */
    struct shard__csr consumers; /* task ids by data */
};

static inline int32_t shard__csr_count(const struct shard__csr *csr, int32_t row)
{
    return csr->offsets == NULL ? 0 : (int32_t)(csr->offsets[row + 1] - csr->offsets[row]);
}

static inline const int32_t *shard__csr_row(const struct shard__csr *csr, int32_t row)
{
    return csr->offsets == NULL ? NULL : csr->ids + csr->offsets[row];
}

static inline const struct shard__profile *shard__workflow_profile(const struct shard_workflow *workflow, int32_t task)
{
    return &workflow->profiles[workflow->profile_of[task]];
}

static inline int64_t shard__workflow_units(const struct shard_workflow *workflow, int32_t task)
{
    return workflow->units == NULL ? 1 : workflow->units[task];
}

static inline const char *shard__workflow_task_name(const struct shard_workflow *workflow, int32_t task)
{
    return workflow->task_names.text + workflow->task_names.offsets[task];
}

static inline const char *shard__workflow_data_name(const struct shard_workflow *workflow, int32_t data)
{
    return workflow->data_names.text + workflow->data_names.offsets[data];
}

static inline const void *shard__workflow_payload(const struct shard_workflow *workflow, int32_t task,
                                                  size_t *ret_bytes)
{
    *ret_bytes = 0;
    if (workflow->payload_offsets == NULL)
        return NULL;
    *ret_bytes = (size_t)(workflow->payload_offsets[task + 1] - workflow->payload_offsets[task]);
    return *ret_bytes == 0 ? NULL : workflow->payloads + workflow->payload_offsets[task];
}

#endif
