/* SPDX-License-Identifier: Apache-2.0 */
/* Rules 4 and 6 of the store port: what was answered is there, whole, and as it was said. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "store_checks.h"

const char *a_new_run_is_empty(struct store_fixture *fixture)
{
    EXPECT_STATUS(store_create(fixture, "a"), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(strcmp(image->name, "a") == 0, "name is '%s'", image->name);
    EXPECT(image->state == SHARD_RUN_ACTIVE && image->epoch == 0 && image->last_seq == 0, "state %d, epoch %lld",
           (int)image->state, (long long)image->epoch);
    EXPECT(image->row_count == 0 && image->host_count == 0 && image->record_count == 0, "it has rows");
    EXPECT(image->created_ns == 1000, "created at %lld", (long long)image->created_ns);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    EXPECT_STATUS(shard_workflow_describe(image->workflow, &info), 0);
    EXPECT(info.task_count == STORE_TASKS && info.edge_count == STORE_TASKS - 1, "%d tasks", info.task_count);
    EXPECT(strcmp(info.name, "flow \"of\" work") == 0, "workflow is '%s'", info.name);
    EXPECT(shard_workflow_find_task(image->workflow, "task 17") == 17, "task 17 is elsewhere");
    return NULL;
}

const char *a_run_is_loaded_whole(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_task_row rows[STORE_TASKS] = {{0}};
    int64_t seq = 0;
    /* Every other task, from the last to the first: the order of the image is its own. */
    for (int task = STORE_TASKS - 1; task > 0; task -= 2) {
        struct shard_record records[3];
        store_life(records, seq + 1, task);
        for (int i = 0; i < 3; i++)
            EXPECT_STATUS(shard_task_row_apply(&rows[task], &records[i]), 0);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, (uint64_t)(seq + 1), records, 3), 0);
        seq += 3;
    }
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->last_seq == seq && image->epoch == epoch, "last_seq is %lld", (long long)image->last_seq);
    EXPECT(image->row_count == STORE_TASKS / 2, "%d rows", image->row_count);
    for (int i = 0; i < image->row_count; i++)
        EXPECT(store_same_row(&image->rows[i], &rows[2 * i + 1]), "row %d is not that of task %d", i, 2 * i + 1);
    EXPECT(image->record_count == 0, "records came unasked");
    return NULL;
}

/* A record in which every field has a value of its own. */
static struct shard_record full_record(int64_t seq)
{
    return (struct shard_record){.seq = seq,
                                 .time_ns = INT64_C(1790000000987654321),
                                 .task = 4,
                                 .host = 12345,
                                 .attempt = 3,
                                 .version = 1,
                                 .from = SHARD_TASK_RUNNING,
                                 .to = SHARD_TASK_BACKOFF,
                                 .outcome = SHARD_OUTCOME_OUT_OF_MEMORY,
                                 .decision = SHARD_DECIDE_ESCALATE,
                                 .reason = SHARD_REASON_MORE_MEMORY,
                                 .p_fail = 0.1F,
                                 .value = -3.5e20F,
                                 .limit = INFINITY,
                                 .seconds = 0.3F,
                                 .parent = 2,
                                 .unit_begin = INT64_C(5000000000),
                                 .unit_end = INT64_MAX,
                                 .memory_bytes = INT64_C(6000000000),
                                 .revision = 70000,
                                 .detail = "killed: out of memory",
                                 .detail_bytes = 21};
}

const char *rows_keep_all_that_records_said(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[5] = {store_record(1, 4, 0, SHARD_TASK_NONE, SHARD_TASK_RUNNING), full_record(2),
                                      store_record(3, 4, 2, SHARD_TASK_BACKOFF, SHARD_TASK_READY),
                                      store_record(4, 4, 3, SHARD_TASK_READY, SHARD_TASK_RUNNING),
                                      store_record(5, 4, 4, SHARD_TASK_RUNNING, SHARD_TASK_SPLIT)};
    records[4].outcome = SHARD_OUTCOME_PREEMPTED; /* by a split, which is nobody's failure */
    records[4].decision = SHARD_DECIDE_SPLIT;
    records[0].parent = 1;
    records[0].attempt = 3; /* which its parent had, and it goes on with */
    records[0].unit_begin = 7;
    records[0].unit_end = 9;
    struct shard_task_row row = {0};
    for (int i = 0; i < 5; i++) {
        EXPECT_STATUS(shard_task_row_apply(&row, &records[i]), 0);
        EXPECT_STATUS(store_commit(fixture, "a", epoch, (uint64_t)i, &records[i], 1), 0);
        EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
        EXPECT(fixture->answer.image->row_count == 1 && store_same_row(&fixture->answer.image->rows[0], &row),
               "the row after record %d is not what the records add up to", i + 1);
    }
    EXPECT(row.failures[SHARD_OUTCOME_OUT_OF_MEMORY] == 1 && row.failures[SHARD_OUTCOME_PREEMPTED] == 0 &&
               row.failures[SHARD_OUTCOME_NONE] == 3 && row.unit_end == 9,
           "the fold is wrong");
    return NULL;
}

const char *subtasks_have_rows_of_their_own(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[5];
    records[0] = store_record(1, 3, 0, SHARD_TASK_NONE, SHARD_TASK_SPLIT);
    for (int i = 1; i < 5; i++) {
        records[i] = store_record(1 + i, STORE_TASKS + i, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
        records[i].parent = 3;
        records[i].unit_begin = (i - 1) * 10;
        records[i].unit_end = i * 10;
    }
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 5), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    for (int i = 1; i < 5; i++) {
        const struct shard_task_row *row = store_row(fixture, STORE_TASKS + i);
        EXPECT(row != NULL && row->parent == 3 && row->unit_begin == (i - 1) * 10 && row->unit_end == i * 10,
               "subtask %d is wrong", i);
    }
    EXPECT(store_row(fixture, 3)->parent == -1, "task 3 has parent %d", store_row(fixture, 3)->parent);
    return NULL;
}

const char *the_history_is_loaded_when_asked_for(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record records[5] = {store_record(1, 4, 0, SHARD_TASK_NONE, SHARD_TASK_RUNNING), full_record(2),
                                      store_record(3, 4, 2, SHARD_TASK_BACKOFF, SHARD_TASK_READY)};
    records[2].detail = "";
    records[3] = (struct shard_record){
        .seq = 4, .type = SHARD_RECORD_HOST, .task = -1, .host = 0, .detail = "zero", .detail_bytes = 4, .parent = -1};
    records[4] = (struct shard_record){
        .seq = 5, .type = SHARD_RECORD_RUN, .task = -1, .host = -1, .to = SHARD_RUN_DONE, .parent = -1};
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 2), 0);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 2, records + 2, 3), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    int64_t missing = 5 - image->record_count;
    EXPECT(missing >= 0 && (missing == 0 || !fixture->subject->keeps_all), "%lld records",
           (long long)image->record_count);
    for (int64_t i = 0; i < image->record_count; i++)
        EXPECT(store_same_record(&image->records[i], &records[missing + i]), "record %lld is not what was written",
               (long long)(missing + i + 1));
    return NULL;
}

const char *names_and_details_may_be_odd(struct store_fixture *fixture)
{
    static const char *const names[] = {"'; drop table runs; --",
                                        "../../etc/passwd",
                                        "\xce\xb1 \xf0\x9f\x90\x9a",
                                        "%s%n \\ \" ?1 :a @b $c",
                                        "A",
                                        "a",
                                        "{run}:lease",
                                        "a/b",
                                        " a "};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    for (int i = 0; i < COUNT; i++) {
        int64_t epoch = store_begin(fixture, names[i], names[COUNT - 1 - i]);
        EXPECT(epoch > 0, "'%s': %s", names[i], fixture->answer.message);
        struct shard_record records[2] = {
            {.seq = 1, .type = SHARD_RECORD_HOST, .task = -1, .host = i, .detail = names[i]},
            store_record(2, i, 0, SHARD_TASK_NONE, SHARD_TASK_READY)};
        records[0].detail_bytes = (int32_t)strlen(names[i]);
        records[1].detail = "\xff\xfe\0 is\nno UTF-8";
        records[1].detail_bytes = 15;
        EXPECT_STATUS(store_commit(fixture, names[i], epoch, 1, records, 2), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        EXPECT_STATUS(store_load(fixture, names[i], SHARD_LOAD_RECORDS), 0);
        const struct shard_run_image *image = fixture->answer.image;
        EXPECT(strcmp(image->name, names[i]) == 0, "'%s' is '%s'", names[i], image->name);
        EXPECT(image->host_count == i + 1 && strcmp(image->hosts[i], names[i]) == 0, "host of '%s'", names[i]);
        EXPECT(image->row_count == 1 && image->rows[0].task == i, "row of '%s'", names[i]);
        if (image->record_count == 2)
            EXPECT(image->records[1].detail_bytes == 15 &&
                       memcmp(image->records[1].detail, "\xff\xfe\0 is\nno UTF-8", 15) == 0,
                   "detail of '%s'", names[i]);
    }
    return NULL;
}

const char *an_image_outlives_later_commits(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    struct shard_run_image *image = fixture->answer.image;
    fixture->answer.image = NULL;
    record = store_record(2, 0, 1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    int status = store_commit(fixture, "a", epoch, 2, &record, 1);
    int is_old = image->last_seq == 1 && image->rows[0].state == SHARD_TASK_READY;
    image->release(image);
    EXPECT(status == 0 && is_old, "%s", fixture->answer.message);
    return NULL;
}

static const char *has_one_done(struct store_fixture *fixture, int64_t epoch)
{
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_RECORDS), 0);
    const struct shard_run_image *image = fixture->answer.image;
    EXPECT(image->epoch == epoch && image->last_seq == 3 && image->row_count == 1 &&
               image->rows[0].state == SHARD_TASK_DONE && image->record_count == 3,
           "epoch %lld, last_seq %lld, %d rows, %lld records", (long long)image->epoch, (long long)image->last_seq,
           image->row_count, (long long)image->record_count);
    return NULL;
}

const char *another_handle_sees_what_was_answered(struct store_fixture *fixture)
{
    struct store_fixture other;
    if (!fixture->subject->shares)
        return NULL;
    EXPECT_STATUS(store_open_another(fixture, &other), 0);
    struct shard_record records[3];
    store_life(records, 1, 0);
    int64_t epoch = store_begin(fixture, "a", "me");
    int status = store_commit(fixture, "a", epoch, 1, records, 3);
    const char *problem = has_one_done(&other, epoch);
    if (problem != NULL)
        memcpy(fixture->problem, other.problem, sizeof(fixture->problem));
    store_close_another(&other);
    EXPECT_STATUS(status, 0);
    return problem == NULL ? NULL : fixture->problem;
}

const char *what_was_answered_is_there_after_a_close(struct store_fixture *fixture)
{
    if (!fixture->subject->keeps)
        return NULL;
    struct shard_record records[3];
    store_life(records, 1, 0);
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 3), 0);
    EXPECT_STATUS(store_reopen(fixture), 0);
    EXPECT_WELL(has_one_done(fixture, epoch));
    /* Also the operation: whoever was killed before the answer came may ask again. */
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, records, 3), 0);
    EXPECT_WELL(has_one_done(fixture, epoch));
    return NULL;
}

const char *the_state_of_the_run_is_kept(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    for (int state = SHARD_RUN_SUSPENDED; state >= SHARD_RUN_ACTIVE; state--) {
        int64_t seq = 1 + SHARD_RUN_SUSPENDED - state;
        struct shard_record record = {
            .seq = seq, .type = SHARD_RECORD_RUN, .task = -1, .host = -1, .to = (uint8_t)state};
        EXPECT_STATUS(store_commit(fixture, "a", epoch, (uint64_t)seq, &record, 1), 0);
        EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
        EXPECT((int)fixture->answer.image->state == state, "%s instead of %s",
               shard_run_state_text((int)fixture->answer.image->state), shard_run_state_text(state));
    }
    return NULL;
}

const char *samples_are_taken(struct store_fixture *fixture)
{
    if (fixture->store.port->put_samples == NULL)
        return NULL;
    struct shard_host_sample samples[2] = {
        {.host = "a", .sample = {.struct_size = sizeof(struct shard_sample), .time_ns = 1, .cpu_share = 0.5}},
        {.host = "b \"c\"", .sample = {.struct_size = sizeof(struct shard_sample), .time_ns = 2, .cpu_share = NAN}}};
    for (int i = 0; i < 3; i++) {
        shard_token token = ++fixture->last_token;
        EXPECT_STATUS(
            store_wait(fixture, token,
                       fixture->store.port->put_samples(fixture->store.self, fixture->sink, token, samples, 2)),
            0);
    }
    shard_token token = ++fixture->last_token;
    EXPECT_STATUS(store_wait(fixture, token,
                             fixture->store.port->put_samples(fixture->store.self, fixture->sink, token, NULL, 2)),
                  SHARD_EINVAL);
    return NULL;
}

static int count_outcome(void *self, const struct shard_outcome_row *outcome)
{
    int *seen = self;
    int32_t task = 2 - *seen; /* given from the last start to the first */
    int is_good = strcmp(outcome->run, "a") == 0 && strcmp(outcome->host, "h \"1\"") == 0 && outcome->task == task &&
                  strcmp(outcome->kind, "kind") == 0 && outcome->attempt == 3 && outcome->start_ns == 10 - task &&
                  outcome->end_ns == 20 && outcome->seconds == 0.5 && isnan(outcome->p_fail) &&
                  outcome->schema_hash == 0xfedcba9876543210u && outcome->outcome == SHARD_OUTCOME_TIMEOUT &&
                  outcome->columns == 3 && outcome->values[0] == 1.5f && isnan(outcome->values[1]) &&
                  outcome->values[2] == -0.0f;
    *seen = is_good ? *seen + 1 : -100;
    return *seen < 0 || *seen == 3;
}

const char *outcomes_come_back_in_the_order_of_their_starts(struct store_fixture *fixture)
{
    static const float values[] = {1.5f, NAN, -0.0f};
    const struct shard_store *port = fixture->store.port;
    if (port->put_outcomes == NULL)
        return NULL;
    struct shard_outcome_row rows[3];
    for (int i = 0; i < 3; i++)
        rows[i] = (struct shard_outcome_row){.struct_size = sizeof(rows[i]),
                                             .run = "a",
                                             .host = "h \"1\"",
                                             .kind = "kind",
                                             .task = i,
                                             .attempt = 3,
                                             .outcome = SHARD_OUTCOME_TIMEOUT,
                                             .start_ns = 10 - i,
                                             .end_ns = 20,
                                             .seconds = 0.5,
                                             .p_fail = NAN,
                                             .schema_hash = 0xfedcba9876543210u,
                                             .values = values,
                                             .columns = 3};
    shard_token token = ++fixture->last_token;
    EXPECT_STATUS(store_wait(fixture, token, port->put_outcomes(fixture->store.self, fixture->sink, token, rows, 3)),
                  0);
    int seen = 0;
    EXPECT(port->each_outcome(fixture->store.self, count_outcome, &seen) == 0, "outcomes cannot be read");
    EXPECT(seen == 3, "%d outcomes came back as they were, in the order of their starts", seen);
    rows[1].columns = 0;
    token = ++fixture->last_token;
    EXPECT_STATUS(store_wait(fixture, token, port->put_outcomes(fixture->store.self, fixture->sink, token, rows, 3)),
                  SHARD_EINVAL);
    return NULL;
}
