/* SPDX-License-Identifier: Apache-2.0 */
/* Rules 2 and 3 of the store port: a commit is conditional, atomic, and once. */

#include <stdlib.h>
#include <string.h>

#include "store_checks.h"

const char *bad_records_are_refused(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record good[3], bad[3];
    store_life(good, 1, 0);
#define REFUSED(change)                                                            \
    do {                                                                           \
        memcpy(bad, good, sizeof(bad));                                            \
        change;                                                                    \
        EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, bad, 3), SHARD_EINVAL); \
    } while (0)
    REFUSED(bad[1].seq = 3);
    REFUSED(bad[2].seq = 2);
    REFUSED(bad[1].task = -1);
    REFUSED(bad[1].task = SHARD_MAX_TASKS);
    REFUSED(bad[1].to = SHARD_TASK_STATE_COUNT);
    REFUSED(bad[1].to = SHARD_TASK_NONE);
    REFUSED(bad[1].from = SHARD_TASK_STATE_COUNT);
    REFUSED(bad[1].outcome = SHARD_OUTCOME_COUNT);
    REFUSED(bad[1].type = (enum shard_record_type)9);
    REFUSED(bad[1].host = -2);
    REFUSED(bad[1].detail_bytes = 4);
    REFUSED(bad[1].detail_bytes = -1);
    REFUSED(bad[1].version = 0);
    REFUSED((bad[1].type = SHARD_RECORD_RUN, bad[1].to = SHARD_RUN_FENCED));
    REFUSED((bad[1].type = SHARD_RECORD_HOST, bad[1].detail = NULL));
#undef REFUSED
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, good, 0), SHARD_EINVAL);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, NULL, 3), SHARD_EINVAL);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, good, 3), 0);
    return NULL;
}

/* Task 0 is done, task 1 ready; last_seq is 4. */
static const char *write_some(struct store_fixture *fixture, int64_t epoch)
{
    struct shard_record records[4];
    store_life(records, 1, 0);
    records[3] = store_record(4, 1, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 4), 0);
    return NULL;
}

static const char *is_as_written(struct store_fixture *fixture)
{
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->last_seq == 4, "last_seq is %lld", (long long)image->last_seq);
    EXPECT(image->row_count == 2, "%d rows", image->row_count);
    EXPECT(image->record_count <= 4, "%lld records", (long long)image->record_count);
    EXPECT(image->rows[0].state == SHARD_TASK_DONE && image->rows[0].version == 3, "task 0 changed");
    EXPECT(image->rows[1].state == SHARD_TASK_READY && image->rows[1].version == 1, "task 1 changed");
    EXPECT(image->host_count == 0, "a host was named");
    EXPECT(image->state == SHARD_RUN_ACTIVE, "the run's state changed");
    return NULL;
}

/* A commit of six records of which the fourth does not match. */
static void make_conflict(struct shard_record records[6], uint32_t version, int from)
{
    records[0] = store_record(5, 1, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    records[1] = store_record(6, 2, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    records[2] = (struct shard_record){
        .seq = 7, .type = SHARD_RECORD_HOST, .task = -1, .host = 3, .detail = "host", .detail_bytes = 4};
    records[3] = store_record(8, 0, version, from, SHARD_TASK_READY);
    records[4] = (struct shard_record){.seq = 9, .type = SHARD_RECORD_RUN, .task = -1, .to = SHARD_RUN_DONE};
    records[5] = store_record(10, 3, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    records[0].outcome = SHARD_OUTCOME_TASK_ERROR;
}

const char *a_commit_that_does_not_match_changes_nothing(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[6];
    EXPECT_WELL(write_some(fixture, epoch));
    make_conflict(records, 2, SHARD_TASK_DONE);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 2, records, 6), SHARD_ECONFLICT);
    EXPECT_WELL(is_as_written(fixture));
    make_conflict(records, 4, SHARD_TASK_DONE);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 3, records, 6), SHARD_ECONFLICT);
    make_conflict(records, 3, SHARD_TASK_RUNNING);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 4, records, 6), SHARD_ECONFLICT);
    make_conflict(records, 0, SHARD_TASK_NONE);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 5, records, 6), SHARD_ECONFLICT);
    EXPECT_WELL(is_as_written(fixture));
    make_conflict(records, 3, SHARD_TASK_DONE);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 6, records, 6), 0);
    return NULL;
}

const char *a_commit_follows_the_last_record(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_WELL(write_some(fixture, epoch));
    struct shard_record record = store_record(6, 2, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 2, &record, 1), SHARD_ECONFLICT);
    record.seq = 4;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 3, &record, 1), SHARD_ECONFLICT);
    record.seq = 1;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 4, &record, 1), SHARD_ECONFLICT);
    EXPECT_WELL(is_as_written(fixture));
    record.seq = 5;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 5, &record, 1), 0);
    return NULL;
}

const char *a_commit_that_is_sent_again_changes_nothing(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[4];
    EXPECT_WELL(write_some(fixture, epoch));
    store_life(records, 1, 0);
    records[3] = store_record(4, 1, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 4), 0);
    EXPECT_WELL(is_as_written(fixture));
    /* The id alone counts, also when what came with it would match. */
    struct shard_record record = store_record(5, 1, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_WELL(is_as_written(fixture));
    /* Not only the last one is known, and ids need not grow. */
    uint64_t ids[] = {UINT64_MAX, 7, 0, UINT64_C(1) << 63, 3};
    for (int i = 0; i < 5; i++) {
        record = store_record(5 + i, 5 + i, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, ids[i], &record, 1), 0);
    }
    for (int i = 0; i < 5; i++) {
        record = store_record(5 + i, 5 + i, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, ids[i], &record, 1), 0);
    }
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->last_seq == 9, "last_seq is %lld", (long long)fixture->answer.image->last_seq);
    return NULL;
}

const char *an_operation_that_failed_may_be_tried_again(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record record = store_record(1, 0, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), SHARD_ECONFLICT);
    record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->last_seq == 1, "it was taken for a resend");
    return NULL;
}

const char *operations_of_an_older_epoch_do_not_count(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_WELL(write_some(fixture, epoch));
    EXPECT_STATUS(store_acquire(fixture, "a", "me"), 0);
    epoch = fixture->answer.epoch;
    struct shard_record record = store_record(5, 1, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->last_seq == 5, "it was taken for a resend");
    return NULL;
}

const char *a_task_may_change_often_in_one_commit(struct store_fixture *fixture)
{
    enum { ROUNDS = 300 };
    int64_t epoch = store_begin(fixture, "a", "me");
    static struct shard_record records[2 * ROUNDS + 1];
    records[0] = store_record(1, 7, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    for (int i = 0; i < ROUNDS; i++) {
        struct shard_record *pair = &records[1 + 2 * i];
        uint32_t version = (uint32_t)(1 + 2 * i);
        pair[0] = store_record(2 + 2 * i, 7, version, SHARD_TASK_READY, SHARD_TASK_RUNNING);
        pair[0].attempt = i + 1;
        pair[1] = store_record(3 + 2 * i, 7, version + 1, SHARD_TASK_RUNNING, SHARD_TASK_READY);
        pair[1].attempt = i + 1;
        pair[1].outcome = SHARD_OUTCOME_TIMEOUT;
    }
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 2 * ROUNDS + 1), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    const struct shard_task_row *row = store_row(fixture, 7);
    EXPECT(row != NULL && row->version == 2 * ROUNDS + 1 && row->attempt == ROUNDS, "the row is wrong");
    EXPECT(row->failures[SHARD_OUTCOME_TIMEOUT] == 255, "%d failures", row->failures[SHARD_OUTCOME_TIMEOUT]);
    return NULL;
}

const char *runs_do_not_touch_each_other(struct store_fixture *fixture)
{
    int64_t a = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_acquire(fixture, "a", "me"), 0);
    a = fixture->answer.epoch;
    int64_t b = store_begin(fixture, "b", "other");
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_WELL(write_some(fixture, a));
    EXPECT_STATUS(store_commit(fixture, "b", b, 1, &record, 1), 0);
    EXPECT_STATUS(store_release(fixture, "b", b), 0);
    EXPECT_STATUS(store_load(fixture, "b", SHARD_LOAD_RECORDS), 0);
    EXPECT(fixture->answer.image->last_seq == 1 && fixture->answer.image->row_count == 1 &&
               fixture->answer.image->rows[0].state == SHARD_TASK_READY,
           "'b' has what was written to 'a'");
    EXPECT_WELL(is_as_written(fixture));
    EXPECT_STATUS(store_renew(fixture, "a", a, STORE_LEASE_MS), 0);
    return NULL;
}

const char *a_host_keeps_its_name(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record record = {
        .seq = 1, .type = SHARD_RECORD_HOST, .task = -1, .host = 2, .detail = "two", .detail_bytes = 3};
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    record.seq = 2;
    record.to = SHARD_HOST_LOST;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 2, &record, 1), 0);
    record.seq = 3;
    record.detail = "too";
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 3, &record, 1), SHARD_ECONFLICT);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->host_count == 3 && image->hosts[0] == NULL && image->hosts[1] == NULL, "%d hosts", image->host_count);
    EXPECT(strcmp(image->hosts[2], "two") == 0, "host 2 is '%s'", image->hosts[2]);
    EXPECT(image->last_seq == 2, "last_seq is %lld", (long long)image->last_seq);
    return NULL;
}

const char *a_revision_keeps_its_detail(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[2] = {
        {.seq = 1,
         .type = SHARD_RECORD_REVISION,
         .task = 3,
         .host = -1,
         .revision = 2,
         .detail = "1234\n{}",
         .detail_bytes = 7},
        {.seq = 2, .type = SHARD_RECORD_HOST, .task = -1, .host = 2, .detail = "two", .detail_bytes = 3}};
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 2), 0);
    records[0].seq = 3;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 2, records, 1), 0);
    records[0].seq = 4;
    records[0].detail = "1234\n[]";
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 3, records, 1), SHARD_ECONFLICT);
    records[0].revision = 0;
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 4, records, 1), SHARD_EINVAL);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->revision_count == 3 && image->revisions[0] == NULL && image->revisions[1] == NULL, "%d revisions",
           image->revision_count);
    EXPECT(strcmp(image->revisions[2], "1234\n{}") == 0, "revision 2 is '%s'", image->revisions[2]);
    EXPECT(strcmp(image->hosts[2], "two") == 0, "host 2 is '%s'", image->hosts[2]);
    EXPECT(image->last_seq == 3, "last_seq is %lld", (long long)image->last_seq);
    return NULL;
}

const char *a_large_commit_is_one_commit(struct store_fixture *fixture)
{
    enum { MANY = 4096 };
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record *records = calloc(MANY, sizeof(*records));
    for (int i = 0; i < MANY; i++)
        records[i] = store_record(1 + i, i, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    records[MANY - 1].task = 0;
    int refused = store_commit(fixture, "a", epoch, 1, records, MANY);
    int loaded = store_load(fixture, "a", SHARD_LOAD_STATE);
    int rows = loaded == 0 ? fixture->answer.image->row_count : -1;
    records[MANY - 1].task = MANY - 1;
    int taken = store_commit(fixture, "a", epoch, 1, records, MANY);
    free(records);
    EXPECT(refused == SHARD_ECONFLICT && rows == 0, "%d, and %d rows were written", refused, rows);
    EXPECT(taken == 0, "%s", fixture->answer.message);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->row_count == MANY, "%d rows", fixture->answer.image->row_count);
    for (int i = 0; i < MANY; i++)
        EXPECT(fixture->answer.image->rows[i].task == i, "row %d is of task %d", i,
               fixture->answer.image->rows[i].task);
    return NULL;
}
