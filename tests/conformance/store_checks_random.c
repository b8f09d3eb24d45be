/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations, right ones and wrong ones, on the store and on a model that is too simple to be wrong. */

#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "base/random.h"
#include "store_checks.h"

enum { OPERATIONS = 10000, RUNS = 3, OWNERS = 3, TASKS = STORE_TASKS + 20, MAX_RECORDS = 12, KNOWN = 200 };

struct model_run {
    int is_made;
    int is_held;
    int owner;
    int64_t epoch;
    int64_t lease_ends_ns;
    int64_t last_seq;
    int state;
    struct shard_task_row rows[TASKS];
    uint64_t operations[KNOWN]; /* the newest of this epoch */
    int operation_count;
    uint64_t next_operation;
};

struct model {
    struct model_run runs[RUNS];
    struct shard__random random;
    int64_t now_ns; /* fixture->clock_ahead_ns, on top of a clock that hardly moves meanwhile */
};

static const char *const run_names[RUNS] = {"one", "two", "three"};
static const char *const owner_names[OWNERS] = {"alpha", "beta", "gamma"};

static int below(struct model *model, int limit)
{
    return (int)(shard__random_next(&model->random) % (uint64_t)limit);
}

static int expected_acquire(const struct model *model, const struct model_run *run, int owner)
{
    if (!run->is_made)
        return SHARD_ENOENT;
    return run->is_held && run->owner != owner && model->now_ns < run->lease_ends_ns ? SHARD_EHELD : 0;
}

static const char *try_acquire(struct store_fixture *fixture, struct model *model, int index)
{
    struct model_run *run = &model->runs[index];
    int owner = below(model, OWNERS);
    int expected = expected_acquire(model, run, owner);
    EXPECT_STATUS(store_acquire(fixture, run_names[index], owner_names[owner]), expected);
    if (expected != 0)
        return NULL;
    EXPECT(fixture->answer.epoch > run->epoch, "epoch %lld after %lld", (long long)fixture->answer.epoch,
           (long long)run->epoch);
    run->epoch = fixture->answer.epoch;
    run->is_held = 1;
    run->owner = owner;
    run->lease_ends_ns = model->now_ns + INT64_C(1000000) * STORE_LEASE_MS;
    run->operation_count = 0;
    return NULL;
}

static int64_t some_epoch(struct model *model, const struct model_run *run)
{
    return below(model, 8) == 0 ? run->epoch + below(model, 3) - 1 : run->epoch;
}

static int expected_fence(const struct model_run *run, int64_t epoch)
{
    if (!run->is_made)
        return SHARD_ENOENT;
    return run->is_held && epoch == run->epoch ? 0 : SHARD_EFENCED;
}

static const char *try_renew(struct store_fixture *fixture, struct model *model, int index)
{
    struct model_run *run = &model->runs[index];
    int64_t epoch = some_epoch(model, run);
    int expected = expected_fence(run, epoch);
    EXPECT_STATUS(store_renew(fixture, run_names[index], epoch, STORE_LEASE_MS), expected);
    if (expected == 0)
        run->lease_ends_ns = model->now_ns + INT64_C(1000000) * STORE_LEASE_MS;
    return NULL;
}

static const char *try_release(struct store_fixture *fixture, struct model *model, int index)
{
    struct model_run *run = &model->runs[index];
    int64_t epoch = some_epoch(model, run);
    int expected = expected_fence(run, epoch);
    EXPECT_STATUS(store_release(fixture, run_names[index], epoch), expected);
    if (expected == 0)
        run->is_held = 0;
    return NULL;
}

/* A transition that fits the row as it is by now, or in one of 40 cases does not. */
static struct shard_record some_record(struct model *model, const struct shard_task_row *row, int64_t seq, int task)
{
    int to = 1 + below(model, SHARD_TASK_STATE_COUNT - 1);
    struct shard_record record = store_record(seq, task, row->version, row->state, to);
    if (below(model, 40) == 0 && row->version > 0) {
        if (below(model, 2) == 0)
            record.version++;
        else
            record.from = (uint8_t)(1 + record.from % (SHARD_TASK_STATE_COUNT - 1));
    }
    record.host = below(model, 5) - 1;
    record.attempt = below(model, 70);
    record.outcome = below(model, 3) == 0 ? (uint8_t)below(model, SHARD_OUTCOME_COUNT) : 0;
    record.decision = below(model, 2) == 0 ? (uint8_t)below(model, 8) : 0;
    record.reason = record.decision == 0 ? 0 : (uint8_t)below(model, 26);
    record.p_fail = below(model, 3) == 0 ? record.p_fail : (float)below(model, 1000) / 1000;
    record.value = (float)below(model, 100);
    record.seconds = (float)below(model, 1000) / 8;
    record.parent = task >= STORE_TASKS ? task - STORE_TASKS : -1;
    record.unit_end = task >= STORE_TASKS ? 10 : 0;
    record.memory_bytes = below(model, 4) == 0 ? (int64_t)below(model, 2000) << 20 : 0;
    if (below(model, 10) == 0) {
        record.detail = "some detail";
        record.detail_bytes = 11;
    }
    return record;
}

static int is_known(const struct model_run *run, uint64_t operation)
{
    for (int i = 0; i < run->operation_count; i++)
        if (run->operations[i] == operation)
            return 1;
    return 0;
}

static uint64_t some_operation(struct model *model, struct model_run *run)
{
    if (run->operation_count > 0 && below(model, 10) == 0)
        return run->operations[below(model, run->operation_count)];
    return run->next_operation += 1 + (uint64_t)below(model, 3);
}

/* The model's own commit: on a copy, which counts only when all of it went well. */
static int commit_to_model(struct model_run *run, int64_t epoch, uint64_t operation, const struct shard_record *records,
                           int count)
{
    static struct model_run copy;
    int status = expected_fence(run, epoch);
    if (status < 0 || is_known(run, operation))
        return status;
    if (records[0].seq != run->last_seq + 1)
        return SHARD_ECONFLICT;
    copy = *run;
    for (int i = 0; status == 0 && i < count; i++) {
        if (records[i].type == SHARD_RECORD_RUN)
            copy.state = records[i].to;
        else
            status = shard_task_row_apply(&copy.rows[records[i].task], &records[i]);
    }
    if (status < 0)
        return status;
    copy.last_seq += count;
    copy.operations[copy.operation_count % KNOWN] = operation;
    copy.operation_count += copy.operation_count < KNOWN;
    *run = copy;
    return 0;
}

static const char *try_commit(struct store_fixture *fixture, struct model *model, int index)
{
    static struct shard_task_row rows[TASKS];
    struct model_run *run = &model->runs[index];
    struct shard_record records[MAX_RECORDS];
    int count = 1 + below(model, MAX_RECORDS);
    int64_t seq = run->last_seq + 1 + (below(model, 30) == 0);
    memcpy(rows, run->rows, sizeof(rows));
    for (int i = 0; i < count; i++) {
        int task = below(model, TASKS);
        records[i] = some_record(model, &rows[task], seq + i, task);
        shard_task_row_apply(&rows[task], &records[i]);
        if (below(model, 50) == 0)
            records[i] = (struct shard_record){.seq = seq + i,
                                               .type = SHARD_RECORD_RUN,
                                               .host = -1,
                                               .task = -1,
                                               .to = (uint8_t)below(model, SHARD_RUN_SUSPENDED + 1)};
    }
    int64_t epoch = some_epoch(model, run);
    uint64_t operation = some_operation(model, run);
    /* Memory of operations is bounded; the model's is too, and smaller. */
    if (run->operation_count == KNOWN)
        run->operation_count = 0;
    int expected = commit_to_model(run, epoch, operation, records, count);
    EXPECT_STATUS(store_commit(fixture, run_names[index], epoch, operation, records, count), expected);
    return NULL;
}

static const char *try_load(struct store_fixture *fixture, struct model *model, int index)
{
    const struct model_run *run = &model->runs[index];
    EXPECT_STATUS(store_load(fixture, run_names[index], (enum shard_load_flags)below(model, 2)),
                  run->is_made ? 0 : SHARD_ENOENT);
    if (!run->is_made)
        return NULL;
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->last_seq == run->last_seq && image->epoch == run->epoch && (int)image->state == run->state,
           "last_seq %lld, epoch %lld, state %d, expected %lld, %lld, %d", (long long)image->last_seq,
           (long long)image->epoch, (int)image->state, (long long)run->last_seq, (long long)run->epoch, run->state);
    int next = 0;
    for (int task = 0; task < TASKS; task++) {
        if (run->rows[task].version == 0)
            continue;
        EXPECT(next < image->row_count && store_same_row(&image->rows[next], &run->rows[task]),
               "row of task %d is not the model's", task);
        next++;
    }
    EXPECT(next == image->row_count, "%d rows, expected %d", image->row_count, next);
    return NULL;
}

static const char *step(struct store_fixture *fixture, struct model *model)
{
    int index = below(model, RUNS);
    struct model_run *run = &model->runs[index];
    switch (below(model, 20)) {
    case 0:
        EXPECT_STATUS(store_create(fixture, run_names[index]), run->is_made ? SHARD_EEXIST : 0);
        run->is_made = 1;
        return NULL;
    case 1:
    case 2:
        return try_acquire(fixture, model, index);
    case 3:
        return try_renew(fixture, model, index);
    case 4:
        return below(model, 4) == 0 ? try_release(fixture, model, index) : NULL;
    case 5:
        return try_load(fixture, model, index);
    case 6:
        /* Well away from the end of a lease: real time goes on between the two. */
        model->now_ns += INT64_C(5000000001);
        fixture->clock_ahead_ns = model->now_ns;
        return NULL;
    default:
        return try_commit(fixture, model, index);
    }
}

const char *ten_thousand_random_operations_agree_with_a_model(struct store_fixture *fixture)
{
    static struct model model;
    memset(&model, 0, sizeof(model));
    shard__random_seed(&model.random, 2026);
    for (int i = 0; i < OPERATIONS; i++)
        EXPECT_WELL(step(fixture, &model));
    for (int i = 0; i < RUNS; i++)
        EXPECT_WELL(try_load(fixture, &model, i));
    return NULL;
}
