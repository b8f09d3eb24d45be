/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_BUILDER_H
#define SHARD_WORKFLOW_BUILDER_H

/* The open builder: growing columns that the seal hands over to the workflow. */

#include <stddef.h>
#include <stdint.h>

#include "names.h"
#include "workflow.h"

/* An edge (from, to), or a task and the data that it reads or writes. */
struct shard__pair {
    int32_t a;
    int32_t b;
};

struct shard__pairs {
    struct shard__pair *items;
    size_t count;
    size_t capacity;
};

struct shard_builder {
    shard_context *context;
    char *name;
    int sealed;
    /* Edges are stated in full (a recorded workflow): what a task reads makes none, and what it reads of a task that is
       not among its ancestors is left out. */
    int edges_are_whole;

    struct shard__name_list tasks;
    struct shard__name_list data;
    struct shard__name_list kinds;

    struct shard__profile *profiles;
    size_t profile_count;
    size_t profile_capacity;
    struct shard__namemap profile_map;

    /* Columns over tasks; `units` and `payload_offsets` are NULL until a task has some. */
    int32_t *profile_of;
    size_t profile_of_capacity;
    float *expected_seconds;
    size_t expected_capacity;
    int64_t *units;
    size_t units_capacity;
    uint64_t *payload_offsets;
    size_t payload_offsets_capacity;
    unsigned char *payloads;
    size_t payload_bytes;
    size_t payload_capacity;

    struct shard__pairs edges;
    struct shard__pairs inputs;
    struct shard__pairs outputs;

    int64_t *data_bytes;
    size_t data_bytes_capacity;
    int32_t *data_producer;
    size_t data_producer_capacity;
};

/* What of a profile is compared and hashed: all but the padding at its end. */
enum { SHARD__PROFILE_BYTES = offsetof(struct shard__profile, kind) + sizeof(int32_t) };

/* Room for one pair more. 0 or SHARD_ENOMEM. */
int shard__pairs_reserve(const shard_context *context, struct shard__pairs *pairs, size_t more);

/* Checks all that a task says of itself but its names, and fills in defaults. The message does not name the task. */
int shard__check_spec(struct shard_task_spec *spec, struct shard__profile *ret_profile, float *ret_expected_seconds);

/* Gives the workflow another name. 0, SHARD_EINVAL, SHARD_ELIMIT or SHARD_ENOMEM. */
int shard__builder_rename(shard_builder *builder, const char *name);

/* SHARD_ESTATE after the seal. */
int shard__builder_is_open(const shard_builder *builder);

/* Frees all that the builder collected. */
void shard__builder_clear(shard_builder *builder);

#endif
