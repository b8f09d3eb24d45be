/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_WFFORMAT_H
#define SHARD_WORKFLOW_WFFORMAT_H

/* What the files of the WfFormat importer tell each other. */

#include "base/map.h"

#include "format.h"

/* What was recorded of a task's run. NaN and -1: not recorded; nodes: 0. */
struct shard__wf_record {
    double runtime_seconds;
    double cpu_percent;
    double cores;
    int64_t memory_bytes;
    int64_t read_bytes;
    int64_t written_bytes;
    uint32_t program;
    uint32_t arguments;
    uint32_t category;
    int counts_in_kilobytes; /* of bytes read and written: before 1.4, for each system but Pegasus */
};

/* Reads what an object says of a run into a record; keys that it does not know are skipped. */
int shard__wf_read_record(struct shard__reader *reader, uint32_t object, struct shard__wf_record *ret_record);

/* The category that shares history: what the file calls one, the program, or the name without its number. */
const char *shard__wf_kind(const struct shard__reader *reader, const struct shard__wf_record *record, const char *name,
                           char ret_buffer[SHARD_MAX_NAME_BYTES + 1]);

/* Puts the payload for a replay into the reader's scratch: JSON, without what was not recorded. */
void shard__wf_put_payload(struct shard__reader *reader, const struct shard__wf_record *record);

/* Strings of the text, and what each stands for. */
struct shard__wf_entry {
    uint32_t text;  /* node of the string */
    uint32_t value; /* node of an execution record, or a task's id */
};

struct shard__wf_index {
    const struct shard__json *json;
    struct shard__wf_entry *entries;
    size_t count;
    size_t capacity;
    struct shard__namemap map;
};

/* The value of a text, or -1. */
int64_t shard__wf_index_find(const struct shard__wf_index *index, const char *text);
/* Adds a text that is not there. 0 or SHARD_ENOMEM. */
int shard__wf_index_add(struct shard__wf_index *index, uint32_t text, uint32_t value);
void shard__wf_index_free(struct shard__wf_index *index);

#endif
