/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a run back, in one transaction, so that all of it is of the same moment. What contradicts itself is refused.
 */

#include "sqlite.h"

#include <math.h>
#include <string.h>

#include "adapter/common/image.h"
#include "base/bytes.h"
#include "base/error.h"

static float column_float(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NAN;
    return (float)sqlite3_column_double(statement, column);
}

static int prepare_range(struct shard__sqlite_store *store, enum shard__statement which, int64_t run, int key_bits,
                         sqlite3_stmt **ret_statement)
{
    int status = shard__sqlite_statement(store, which, ret_statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(*ret_statement, 1, run << key_bits);
    sqlite3_bind_int64(*ret_statement, 2, (run << key_bits) + ((INT64_C(1) << key_bits) - 1));
    return 0;
}

static int load_workflow(struct shard__sqlite_store *store, int64_t run, struct shard__image *image)
{
    struct shard__bytes text;
    sqlite3_stmt *statement;
    shard__bytes_init(&text, store->context);
    int status = shard__sqlite_statement(store, SHARD__SQL_GET_WORKFLOW, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    while ((status = shard__sqlite_row(store, statement, "cannot read a workflow")) == 1) {
        const char *part = (const char *)sqlite3_column_text(statement, 0);
        shard__bytes_append(&text, part, (size_t)sqlite3_column_bytes(statement, 0));
    }
    if (status == 0)
        status = text.status;
    if (status == 0) {
        status = shard_workflow_parse(store->context, text.data, text.size, store->path, SHARD_FORMAT_NATIVE, NULL,
                                      &image->image.workflow);
        if (status < 0 && status != SHARD_ENOMEM) {
            struct shard_error error = {.struct_size = sizeof(error)};
            shard_error_copy(&error);
            status =
                shard__fail(SHARD_ECORRUPT, "run '%s': its workflow is damaged: %s", image->image.name, error.message);
        }
    }
    shard__bytes_free(&text);
    return status;
}

static int is_in(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

static int read_row(sqlite3_stmt *statement, struct shard_task_row *ret_row)
{
    int64_t task = sqlite3_column_int64(statement, 0) & ((INT64_C(1) << SHARD__TASK_KEY_BITS) - 1);
    int64_t version = sqlite3_column_int64(statement, 1);
    int64_t values[7];
    for (int i = 0; i < 6; i++)
        values[i] = sqlite3_column_int64(statement, 2 + i);
    values[6] = sqlite3_column_int64(statement, 12);
    if (!is_in(task, 0, SHARD_MAX_TASKS - 1) || !is_in(version, 1, UINT32_MAX) || !is_in(values[0], 0, INT32_MAX) ||
        !is_in(values[1], -1, INT32_MAX) || !is_in(values[2], 1, SHARD_TASK_STATE_COUNT - 1) ||
        !is_in(values[3], 0, SHARD_OUTCOME_COUNT - 1) || !is_in(values[4], 0, UINT8_MAX) ||
        !is_in(values[5], 0, UINT8_MAX) || !is_in(values[6], -1, SHARD_MAX_TASKS - 1))
        return shard__fail(SHARD_ECORRUPT, "row of task %lld: a value is out of range", (long long)task);
    ret_row->task = (shard_task_id)task;
    ret_row->version = (uint32_t)version;
    ret_row->attempt = (int32_t)values[0];
    ret_row->host = (shard_host_id)values[1];
    ret_row->state = (uint8_t)values[2];
    ret_row->outcome = (uint8_t)values[3];
    ret_row->decision = (uint8_t)values[4];
    ret_row->reason = (uint8_t)values[5];
    ret_row->p_fail = column_float(statement, 8);
    ret_row->value = column_float(statement, 9);
    ret_row->limit = column_float(statement, 10);
    ret_row->seconds = column_float(statement, 11);
    ret_row->parent = (shard_task_id)values[6];
    ret_row->unit_begin = sqlite3_column_int64(statement, 13);
    ret_row->unit_end = sqlite3_column_int64(statement, 14);
    ret_row->time_ns = sqlite3_column_int64(statement, 15);
    ret_row->memory_bytes = sqlite3_column_int64(statement, 16);
    return 0;
}

static int load_rows(struct shard__sqlite_store *store, int64_t run, struct shard__image *image)
{
    sqlite3_stmt *statement;
    int status = prepare_range(store, SHARD__SQL_GET_TASKS, run, SHARD__TASK_KEY_BITS, &statement);
    if (status < 0)
        return status;
    while ((status = shard__sqlite_row(store, statement, "cannot read the tasks")) == 1) {
        struct shard_task_row *row = shard__image_add_row(image);
        status = row == NULL ? SHARD_ENOMEM : read_row(statement, row);
        if (status < 0) {
            shard__sqlite_done(statement);
            break;
        }
    }
    return status;
}

/* Both tables are in the order of tasks, so one walk fills the counts in. */
static int load_failures(struct shard__sqlite_store *store, int64_t run, struct shard__image *image)
{
    sqlite3_stmt *statement;
    int status = prepare_range(store, SHARD__SQL_GET_FAILURES, run, SHARD__TASK_KEY_BITS, &statement);
    if (status < 0)
        return status;
    int32_t index = 0;
    while ((status = shard__sqlite_row(store, statement, "cannot read the failures")) == 1) {
        int64_t task = sqlite3_column_int64(statement, 0) - (run << SHARD__TASK_KEY_BITS);
        int64_t outcome = sqlite3_column_int64(statement, 1);
        int64_t count = sqlite3_column_int64(statement, 2);
        while (index < image->image.row_count && image->image.rows[index].task < task)
            index++;
        if (index == image->image.row_count || image->image.rows[index].task != task ||
            !is_in(outcome, SHARD_OUTCOME_NONE, SHARD_OUTCOME_COUNT - 1) || outcome == SHARD_OUTCOME_DONE ||
            !is_in(count, 1, UINT8_MAX)) {
            shard__sqlite_done(statement);
            return shard__fail(SHARD_ECORRUPT, "failures of task %lld do not belong to a task", (long long)task);
        }
        image->image.rows[index].failures[outcome] = (uint8_t)count;
    }
    return status;
}

/* Numbers with their texts: hosts or revisions. */
static int load_texts(struct shard__sqlite_store *store, enum shard__statement which, int64_t run,
                      shard__image_set *set, struct shard__image *image)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    while ((status = shard__sqlite_row(store, statement, "cannot read the hosts and revisions")) == 1) {
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        int64_t number = sqlite3_column_int64(statement, 0);
        status = set(image, is_in(number, 0, INT32_MAX) ? (int32_t)number : -1, text == NULL ? "" : text,
                     (size_t)sqlite3_column_bytes(statement, 1));
        if (status < 0) {
            shard__sqlite_done(statement);
            break;
        }
    }
    return status;
}

static int read_record(sqlite3_stmt *statement, struct shard_record *ret_record)
{
    int64_t values[12];
    for (int i = 0; i < 10; i++)
        values[i] = sqlite3_column_int64(statement, 2 + i);
    values[10] = sqlite3_column_int64(statement, 16);
    values[11] = sqlite3_column_int64(statement, 21);
    int64_t seq = sqlite3_column_int64(statement, 0) & ((INT64_C(1) << SHARD__RECORD_KEY_BITS) - 1);
    if (!is_in(values[0], SHARD_RECORD_TASK, SHARD_RECORD_REVISION) || !is_in(values[1], INT32_MIN, INT32_MAX) ||
        !is_in(values[2], -1, INT32_MAX) || !is_in(values[3], 0, INT32_MAX) || !is_in(values[4], 0, UINT32_MAX) ||
        !is_in(values[5], 0, SHARD_TASK_STATE_COUNT - 1) || !is_in(values[6], 0, SHARD_TASK_STATE_COUNT - 1) ||
        !is_in(values[7], 0, SHARD_OUTCOME_COUNT - 1) || !is_in(values[8], 0, UINT8_MAX) ||
        !is_in(values[9], 0, UINT8_MAX) || !is_in(values[10], -1, INT32_MAX) || !is_in(values[11], 0, INT32_MAX))
        return shard__fail(SHARD_ECORRUPT, "record %lld: a value is out of range", (long long)seq);
    *ret_record = (struct shard_record){.seq = seq,
                                        .time_ns = sqlite3_column_int64(statement, 1),
                                        .type = (enum shard_record_type)values[0],
                                        .task = (shard_task_id)values[1],
                                        .host = (shard_host_id)values[2],
                                        .attempt = (int32_t)values[3],
                                        .version = (uint32_t)values[4],
                                        .from = (uint8_t)values[5],
                                        .to = (uint8_t)values[6],
                                        .outcome = (uint8_t)values[7],
                                        .decision = (uint8_t)values[8],
                                        .reason = (uint8_t)values[9],
                                        .p_fail = column_float(statement, 12),
                                        .value = column_float(statement, 13),
                                        .limit = column_float(statement, 14),
                                        .seconds = column_float(statement, 15),
                                        .parent = (shard_task_id)values[10],
                                        .unit_begin = sqlite3_column_int64(statement, 17),
                                        .unit_end = sqlite3_column_int64(statement, 18),
                                        .memory_bytes = sqlite3_column_int64(statement, 19),
                                        .detail = (const char *)sqlite3_column_text(statement, 20),
                                        .detail_bytes = sqlite3_column_bytes(statement, 20),
                                        .revision = (int32_t)values[11]};
    return 0;
}

/* All but those that were dropped, without a gap. */
static int load_records(struct shard__sqlite_store *store, int64_t run, int64_t dropped_seq, struct shard__image *image)
{
    int64_t last_seq = dropped_seq;
    sqlite3_stmt *statement;
    int status = prepare_range(store, SHARD__SQL_GET_RECORDS, run, SHARD__RECORD_KEY_BITS, &statement);
    if (status < 0)
        return status;
    while ((status = shard__sqlite_row(store, statement, "cannot read the records")) == 1) {
        struct shard_record record;
        status = read_record(statement, &record);
        if (status == 0 && record.seq != ++last_seq)
            status = shard__fail(SHARD_ECORRUPT, "record %lld is missing", (long long)last_seq);
        if (status == 0)
            status = shard__image_add_record(image, &record);
        if (status < 0) {
            shard__sqlite_done(statement);
            break;
        }
    }
    if (status == 0 && last_seq != image->image.last_seq)
        status = shard__fail(SHARD_ECORRUPT, "record %lld is missing", (long long)last_seq + 1);
    return status;
}

static int load_run(struct shard__sqlite_store *store, const struct shard__job *job, struct shard__image *image)
{
    struct shard__run_row row;
    sqlite3_stmt *statement;
    int status = shard__sqlite_find_run(store, job->run, &row, &statement);
    if (status < 0)
        return status;
    shard__sqlite_done(statement);
    if (!is_in(row.state, SHARD_RUN_ACTIVE, SHARD_RUN_SUSPENDED) || row.last_seq < 0 || row.epoch < 0)
        return shard__fail(SHARD_ECORRUPT, "run '%s': a value of its row is out of range", job->run);
    image->image.state = (enum shard_run_state)row.state;
    image->image.epoch = row.epoch;
    image->image.last_seq = row.last_seq;
    image->image.created_ns = row.created_ns;
    status = load_workflow(store, row.id, image);
    if (status == 0)
        status = load_rows(store, row.id, image);
    if (status == 0)
        status = load_failures(store, row.id, image);
    if (status == 0)
        status = load_texts(store, SHARD__SQL_GET_HOSTS, row.id, shard__image_set_host, image);
    if (status == 0)
        status = load_texts(store, SHARD__SQL_GET_REVISIONS, row.id, shard__image_set_revision, image);
    if (status == 0 && (job->flags & SHARD_LOAD_RECORDS) != 0)
        status = load_records(store, row.id, row.dropped_seq, image);
    return status;
}

int shard__sqlite_load(struct shard__sqlite_store *store, struct shard__job *job)
{
    struct shard__image *image = shard__image_new(store->context, job->run);
    if (image == NULL)
        return SHARD_ENOMEM;
    int status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_READ, "cannot begin to read");
    if (status == 0)
        status = load_run(store, job, image);
    shard__sqlite_rollback(store);
    if (status == 0) {
        job->image = &image->image;
        job->epoch = image->image.epoch;
    } else {
        shard__image_free(image);
    }
    return status;
}
