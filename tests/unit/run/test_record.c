/* SPDX-License-Identifier: Apache-2.0 */
/* The fold of records into rows, and records in words. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"

static struct shard_record transition(uint32_t version, int from, int to)
{
    return (struct shard_record){.seq = version + 1,
                                 .time_ns = 1000 + version,
                                 .task = 4,
                                 .host = -1,
                                 .version = version,
                                 .from = (uint8_t)from,
                                 .to = (uint8_t)to,
                                 .p_fail = NAN,
                                 .parent = -1};
}

static struct shard_record started(void)
{
    struct shard_record record = transition(1, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    record.host = 2;
    record.attempt = 1;
    record.decision = SHARD_DECIDE_START;
    record.reason = SHARD_REASON_LEAST_LOADED;
    record.p_fail = 0.25F;
    record.value = 0.5F;
    record.memory_bytes = 1 << 20;
    return record;
}

static struct shard_record failed(void)
{
    struct shard_record record = transition(2, SHARD_TASK_RUNNING, SHARD_TASK_BACKOFF);
    record.host = 2;
    record.attempt = 1;
    record.outcome = SHARD_OUTCOME_OUT_OF_MEMORY;
    record.reason = SHARD_REASON_RETRY;
    record.value = 1;
    record.limit = 3;
    record.seconds = 12.3F;
    return record;
}

START_TEST(a_first_record_makes_the_row)
{
    struct shard_task_row row = {0};
    struct shard_record record = transition(0, SHARD_TASK_NONE, SHARD_TASK_READY);
    record.parent = 1;
    record.unit_begin = 10;
    record.unit_end = 20;
    ck_assert_int_eq(shard_task_row_apply(&row, &record), 0);
    ck_assert_int_eq(row.task, 4);
    ck_assert_uint_eq(row.version, 1);
    ck_assert_int_eq(row.state, SHARD_TASK_READY);
    ck_assert_int_eq(row.host, -1);
    ck_assert_int_eq(row.parent, 1);
    ck_assert_int_eq(row.unit_begin, 10);
    ck_assert_int_eq(row.unit_end, 20);
    ck_assert_int_eq(row.time_ns, 1000);
}
END_TEST

START_TEST(a_row_keeps_what_later_records_do_not_say)
{
    struct shard_task_row row = {.task = 4, .version = 1, .state = SHARD_TASK_READY, .parent = 7};
    struct shard_record record = started();
    ck_assert_int_eq(shard_task_row_apply(&row, &record), 0);
    struct shard_record done = transition(2, SHARD_TASK_RUNNING, SHARD_TASK_DONE);
    done.host = 2;
    done.attempt = 1;
    done.outcome = SHARD_OUTCOME_DONE;
    done.seconds = 3;
    ck_assert_int_eq(shard_task_row_apply(&row, &done), 0);
    ck_assert_int_eq(row.state, SHARD_TASK_DONE);
    ck_assert_int_eq(row.outcome, SHARD_OUTCOME_DONE);
    ck_assert_int_eq(row.failures[SHARD_OUTCOME_DONE], 0);
    ck_assert_int_eq(row.decision, SHARD_DECIDE_START);
    ck_assert_int_eq(row.reason, SHARD_REASON_LEAST_LOADED);
    ck_assert_float_eq(row.p_fail, 0.25F);
    ck_assert_float_eq(row.value, 0.5F);
    ck_assert_float_eq(row.seconds, 3);
    ck_assert_int_eq(row.memory_bytes, 1 << 20);
    ck_assert_int_eq(row.parent, 7);
}
END_TEST

START_TEST(failures_are_counted_by_class_and_do_not_overflow)
{
    struct shard_task_row row = {.version = 2, .state = SHARD_TASK_RUNNING};
    struct shard_record record = failed();
    for (int i = 0; i < 300; i++) {
        row.version = 2;
        row.state = SHARD_TASK_RUNNING;
        ck_assert_int_eq(shard_task_row_apply(&row, &record), 0);
        ck_assert_int_eq(row.failures[SHARD_OUTCOME_OUT_OF_MEMORY], i < 255 ? i + 1 : 255);
    }
    ck_assert_int_eq(row.failures[SHARD_OUTCOME_TASK_ERROR], 0);
}
END_TEST

START_TEST(a_record_that_does_not_follow_changes_nothing)
{
    struct shard_task_row row = {.task = 4, .version = 1, .state = SHARD_TASK_READY};
    struct shard_task_row before = row;
    struct shard_error error = {.struct_size = sizeof(error)};
    struct shard_record record = started();
    record.version = 2;
    ck_assert_int_eq(shard_task_row_apply(&row, &record), SHARD_ECONFLICT);
    record = started();
    record.from = SHARD_TASK_STAGING;
    ck_assert_int_eq(shard_task_row_apply(&row, &record), SHARD_ECONFLICT);
    ck_assert_mem_eq(&row, &before, sizeof(row));
    ck_assert_int_eq(shard_error_copy(&error), SHARD_ECONFLICT);
    ck_assert_int_eq(error.task, 4);
    ck_assert_str_eq(error.message, "task 4 is ready at version 1, expected staging at version 1");
}
END_TEST

START_TEST(a_record_that_is_no_tasks_is_refused)
{
    struct shard_task_row row = {0};
    struct shard_record record = transition(0, SHARD_TASK_NONE, SHARD_TASK_READY);
    record.type = SHARD_RECORD_HOST;
    ck_assert_int_eq(shard_task_row_apply(&row, &record), SHARD_EINVAL);
    record.type = SHARD_RECORD_TASK;
    record.outcome = SHARD_OUTCOME_COUNT;
    ck_assert_int_eq(shard_task_row_apply(&row, &record), SHARD_EINVAL);
}
END_TEST

static void check_text(const struct shard_record *record, const char *task, const char *host, const char *expected)
{
    char text[512];
    int length = shard_record_text(record, task, host, text, sizeof(text));
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(length, (int)strlen(expected));
}

START_TEST(records_read_as_sentences)
{
    struct shard_record record = failed();
    check_text(&record, NULL, "host-b", "attempt 1 ended on host-b: out_of_memory after 12.3 s; tried again (1 of 3)");
    record.limit = 0; /* a policy that tries again need not know the budget */
    check_text(&record, NULL, "host-b", "attempt 1 ended on host-b: out_of_memory after 12.3 s; tried again (1)");
    record.limit = 3;
    record.to = SHARD_TASK_FAILED;
    record.reason = SHARD_REASON_BUDGET_SPENT;
    record.value = 3;
    record.detail = "no such file";
    record.detail_bytes = 7;
    check_text(&record, "sort", NULL,
               "sort: attempt 1 ended on host 2: out_of_memory after 12.3 s (no such); given up: retry budget is "
               "spent (3 of 3)");
    record = started();
    check_text(&record, NULL, "a",
               "attempt 1 started on a: least loaded host (load 0.50 with it); fails with probability 0.250");
    record = transition(0, SHARD_TASK_NONE, SHARD_TASK_READY);
    record.parent = 1;
    record.unit_end = 8;
    record.reason = SHARD_REASON_PREDECESSORS_DONE;
    check_text(&record, NULL, NULL, "made for units 0 to 8; ready: predecessors are done");
    record = (struct shard_record){.type = SHARD_RECORD_RUN, .to = SHARD_RUN_SUSPENDED};
    check_text(&record, "ignored", NULL, "run is suspended");
    record = (struct shard_record){.type = SHARD_RECORD_HOST, .detail = "node-7", .detail_bytes = 6};
    check_text(&record, NULL, NULL, "host node-7 is up");
}
END_TEST

START_TEST(memory_is_told_in_units_that_people_read)
{
    struct shard_record record = transition(3, SHARD_TASK_READY, SHARD_TASK_RUNNING);
    record.attempt = 2;
    record.decision = SHARD_DECIDE_ESCALATE;
    record.reason = SHARD_REASON_MORE_MEMORY;
    record.value = 0x1p31F;
    record.limit = 512;
    check_text(&record, NULL, "a", "attempt 2 started on a: asks for more memory (2.0 GiB instead of 512 bytes)");
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_cut_and_measured)
{
    struct shard_record record = failed();
    char text[10];
    int length = shard_record_text(&record, NULL, "host-b", text, sizeof(text));
    ck_assert_str_eq(text, "attempt 1");
    ck_assert_int_eq(length,
                     (int)strlen("attempt 1 ended on host-b: out_of_memory after 12.3 s; tried again (1 of 3)"));
    ck_assert_int_eq(shard_record_text(&record, NULL, "host-b", NULL, 0), length);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tests = tcase_create("record");
    tcase_add_test(tests, a_first_record_makes_the_row);
    tcase_add_test(tests, a_row_keeps_what_later_records_do_not_say);
    tcase_add_test(tests, failures_are_counted_by_class_and_do_not_overflow);
    tcase_add_test(tests, a_record_that_does_not_follow_changes_nothing);
    tcase_add_test(tests, a_record_that_is_no_tasks_is_refused);
    tcase_add_test(tests, records_read_as_sentences);
    tcase_add_test(tests, memory_is_told_in_units_that_people_read);
    tcase_add_test(tests, a_text_that_does_not_fit_is_cut_and_measured);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
