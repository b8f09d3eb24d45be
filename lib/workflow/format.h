/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_FORMAT_H
#define SHARD_WORKFLOW_FORMAT_H

/* What the text formats share: each reads parsed JSON into an open builder, with the place of whatever is wrong. */

#include "builder.h"
#include "json.h"

struct shard__reader {
    struct shard__json json;
    struct shard_parse_report report;
    shard_builder *builder;
    struct shard__bytes scratch; /* of a payload while it is put together */
    uint32_t tasks;              /* the array whose elements are the tasks, in the order of their ids; 0: none yet */
    int is_alone;                /* the text is one task: those that it comes after are made when they are named */
};

/* Each fills reader->builder, which is new, and report.version. 0 or a negative code. */
int shard__read_native(struct shard__reader *reader);
int shard__read_wfformat(struct shard__reader *reader);
int shard__read_native_task(struct shard__reader *reader);

/* The value of a key, which has to be there and of that type; 0 is success. */
int shard__reader_require(struct shard__reader *reader, uint32_t object, const char *key, enum shard__json_type type,
                          uint32_t *ret_node);

/* Id of the data of that name, which is added if need be. 0 and up, or a negative code with the node's place. */
shard_data_id shard__reader_data(struct shard__reader *reader, uint32_t node, const char *name, int64_t bytes);

/* Keys and what reading their values does; ends with a NULL. `self` is the reader's own. */
struct shard__field {
    const char *key;
    int (*read)(struct shard__reader *reader, uint32_t node, void *self);
};

/* Reads an object's members; a key that is not in the table is an error when `strict`, and skipped otherwise. */
int shard__read_fields(struct shard__reader *reader, uint32_t object, const struct shard__field *fields, int strict,
                       void *self);

#endif
