/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_WFFORMAT_H
#define SHARD_WORKFLOW_WFFORMAT_H

/* What the two files of the WfFormat importer tell each other. */

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

#endif
