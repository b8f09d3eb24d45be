/* SPDX-License-Identifier: Apache-2.0 */
/* The fold of records into rows: the one way in which every store keeps them. */

#include <shard/record.h>

#include "base/error.h"

/*
 * What is not said leaves what is known: an outcome of none keeps the last one, a record without decision and reason
 * keeps the last decision with its operands, memory that is not known keeps what was asked for.
 */
static void fold(struct shard_task_row *row, const struct shard_record *record)
{
    if (record->from == SHARD_TASK_NONE) {
        row->task = record->task;
        row->parent = record->parent;
        row->unit_begin = record->unit_begin;
        row->unit_end = record->unit_end;
        if (record->parent >= 0) /* attempts of the task that it goes on with */
            row->failures[SHARD_OUTCOME_NONE] = record->attempt < UINT8_MAX ? (uint8_t)record->attempt : UINT8_MAX;
    }
    row->version = record->version + 1;
    row->attempt = record->attempt;
    row->host = record->host;
    row->state = record->to;
    row->seconds = record->seconds;
    row->time_ns = record->time_ns;
    if (record->memory_bytes != 0)
        row->memory_bytes = record->memory_bytes;
    if (record->outcome != SHARD_OUTCOME_NONE) {
        row->outcome = record->outcome;
        /* An attempt that was moved away, or whose task was split, has not failed. */
        if (record->outcome != SHARD_OUTCOME_DONE && record->decision != SHARD_DECIDE_MOVE &&
            record->decision != SHARD_DECIDE_SPLIT && row->failures[record->outcome] < UINT8_MAX)
            row->failures[record->outcome]++;
    }
    if (record->decision != SHARD_DECIDE_NOTHING || record->reason != SHARD_REASON_NONE) {
        row->decision = record->decision;
        row->reason = record->reason;
        row->p_fail = record->p_fail;
        row->value = record->value;
        row->limit = record->limit;
    }
}

int shard_task_row_apply(struct shard_task_row *row, const struct shard_record *record)
{
    shard__clear_error();
    if (record->type != SHARD_RECORD_TASK || record->outcome >= SHARD_OUTCOME_COUNT)
        return shard__fail(SHARD_EINVAL, "record %lld is no task's, or its outcome %d is none", (long long)record->seq,
                           record->outcome);
    if (row->version != record->version || row->state != record->from)
        return shard__fail_task(SHARD_ECONFLICT, record->task, "task %d is %s at version %u, expected %s at version %u",
                                record->task, shard_task_state_text(row->state), row->version,
                                shard_task_state_text(record->from), record->version);
    fold(row, record);
    return 0;
}
