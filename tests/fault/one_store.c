/* SPDX-License-Identifier: Apache-2.0 */
/* The store that fault tests damage. */

#include "one_store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

#include "tempdir.h"

void one_store_setup(struct one_store *one, shard_context *context)
{
    memset(one, 0, sizeof(*one));
    one->context = context;
    tempdir_make(one->directory);
    snprintf(one->path, sizeof(one->path), "%s/store.db", one->directory);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_sink_new(context, &one->sink), 0);
    ck_assert_int_eq(shard_builder_new(context, "flow", &builder), 0);
    for (int i = 0; i < ONE_STORE_TASKS; i++) {
        struct shard_task_spec spec = {.struct_size = sizeof(spec)};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), i);
    }
    ck_assert_int_eq(shard_builder_seal(builder, &one->workflow), 0);
    shard_builder_free(builder);
}

static void drop_image(struct one_store *one)
{
    if (one->answer.image != NULL)
        one->answer.image->release(one->answer.image);
    memset(&one->answer, 0, sizeof(one->answer));
    one->answer.struct_size = sizeof(one->answer);
}

void one_store_teardown(struct one_store *one)
{
    drop_image(one);
    one_store_close(one);
    shard_workflow_unref(one->workflow);
    shard_sink_free(one->sink);
    tempdir_remove(one->directory);
}

int one_store_open(struct one_store *one, int read_only)
{
    struct shard_sqlite_store_config config = {
        .struct_size = sizeof(config), .path = one->path, .read_only = read_only, .busy_timeout_ms = 100};
    struct shard_store_handle store;
    int status = shard_sqlite_store_open(one->context, &config, &store);
    if (status == 0)
        one->store = store;
    return status;
}

void one_store_close(struct one_store *one)
{
    if (one->store.port != NULL)
        one->store.port->close(one->store.self);
    one->store.port = NULL;
}

int one_store_answer(struct one_store *one, int returned)
{
    drop_image(one);
    if (returned < 0)
        return returned;
    ck_assert_int_eq(shard_sink_wait(one->sink, 60000, &one->answer), 1);
    return one->answer.status;
}

int one_store_begin(struct one_store *one)
{
    const struct shard_store *port = one->store.port;
    struct shard_store_create create = {
        .struct_size = sizeof(create), .run = "a", .workflow = one->workflow, .time_ns = 1};
    int status = one_store_answer(one, port->create(one->store.self, one->sink, 1, &create));
    if (status == 0)
        status = one_store_answer(one, port->acquire(one->store.self, one->sink, 1, "a", "me", 60000));
    if (status == 0)
        one->epoch = one->answer.epoch;
    return status;
}

int one_store_commit_task(struct one_store *one, shard_task_id task)
{
    struct shard_record records[3];
    for (int i = 0; i < 3; i++)
        records[i] = (struct shard_record){.seq = one->last_seq + 1 + i,
                                           .time_ns = 1000 + i,
                                           .task = task,
                                           .host = -1,
                                           .version = (uint32_t)i,
                                           .p_fail = NAN,
                                           .parent = -1};
    records[0].to = records[1].from = SHARD_TASK_READY;
    records[1].to = records[2].from = SHARD_TASK_RUNNING;
    records[2].to = SHARD_TASK_FAILED;
    records[2].outcome = SHARD_OUTCOME_TASK_ERROR;
    records[2].detail = "it failed";
    records[2].detail_bytes = 9;
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "a",
                                  .epoch = one->epoch,
                                  .operation = (uint64_t)task + 1,
                                  .records = records,
                                  .record_count = 3};
    int status = one_store_answer(one, one->store.port->commit(one->store.self, one->sink, 1, &commit));
    if (status == 0)
        one->last_seq += 3;
    return status;
}

int one_store_load(struct one_store *one)
{
    return one_store_answer(one, one->store.port->load(one->store.self, one->sink, 1, "a", SHARD_LOAD_RECORDS));
}

void one_store_fill(struct one_store *one, int tasks)
{
    ck_assert_int_eq(one_store_open(one, 0), 0);
    ck_assert_int_eq(one_store_begin(one), 0);
    for (int task = 0; task < tasks; task++)
        ck_assert_int_eq(one_store_commit_task(one, task), 0);
    one_store_close(one);
}

static sqlite3 *open_file(const struct one_store *one)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(one->path, &db), SQLITE_OK);
    return db;
}

void one_store_sql(const struct one_store *one, const char *sql)
{
    sqlite3 *db = open_file(one);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

int one_store_version(const struct one_store *one)
{
    sqlite3 *db = open_file(one);
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return version;
}

const char *one_store_message(void)
{
    static struct shard_error error;
    error.struct_size = sizeof(error);
    shard_error_copy(&error);
    return error.message;
}
