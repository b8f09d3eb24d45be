/* SPDX-License-Identifier: Apache-2.0 */
/* The packed rows of the memory store: whatever a row holds comes back, bit by bit. */

#include <math.h>
#include <string.h>

#include "adapter/memory/rows.h"
#include "base/random.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;
static struct shard__rows rows;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    memset(&rows, 0, sizeof(rows));
    ck_assert_int_eq(shard__rows_reserve(context, &rows, 1000), 0);
}

static void teardown(void)
{
    shard__rows_free(context, &rows);
    tracked_context_free(&tracked, context);
}

static struct shard_task_row usual(int32_t task)
{
    return (struct shard_task_row){.task = task,
                                   .version = 3,
                                   .attempt = 1,
                                   .host = 999,
                                   .state = SHARD_TASK_DONE,
                                   .outcome = SHARD_OUTCOME_DONE,
                                   .decision = SHARD_DECIDE_START,
                                   .reason = SHARD_REASON_EARLIEST_FINISH,
                                   .p_fail = 0.01F,
                                   .value = 2,
                                   .limit = 3,
                                   .seconds = 4,
                                   .parent = -1,
                                   .time_ns = INT64_C(1790000000123456789),
                                   .memory_bytes = INT64_C(1) << 30};
}

static void comes_back(const struct shard_task_row *row)
{
    struct shard_task_row back;
    ck_assert_int_eq(shard__rows_set(context, &rows, row), 0);
    shard__rows_get(&rows, row->task, &back);
    ck_assert_mem_eq(&back, row, sizeof(back));
}

START_TEST(a_usual_row_needs_nothing_besides)
{
    struct shard_task_row row = usual(7);
    comes_back(&row);
    row.p_fail = NAN;
    comes_back(&row);
    ck_assert_uint_eq(rows.wide_count, 0);
}
END_TEST

START_TEST(a_task_without_records_is_zero)
{
    static const struct shard_task_row zero;
    struct shard_task_row row;
    shard__rows_get(&rows, 9, &row);
    ck_assert_mem_eq(&row, &zero, sizeof(row));
}
END_TEST

START_TEST(what_does_not_fit_comes_back_too)
{
    struct shard_task_row row = usual(1);
    int32_t task = 1;
    row.failures[SHARD_OUTCOME_TIMEOUT] = 2;
    comes_back(&row);
    row = usual(++task);
    row.parent = 0;
    comes_back(&row);
    row = usual(++task);
    row.unit_end = 5;
    comes_back(&row);
    row = usual(++task);
    row.version = UINT32_MAX;
    comes_back(&row);
    row = usual(++task);
    row.attempt = 64;
    comes_back(&row);
    row = usual(++task);
    row.host = INT32_MAX;
    comes_back(&row);
    row = usual(++task);
    row.decision = UINT8_MAX;
    comes_back(&row);
    row = usual(++task);
    row.memory_bytes = -1;
    comes_back(&row);
    ck_assert_uint_eq(rows.wide_count, (size_t)task);
}
END_TEST

START_TEST(the_largest_values_of_each_field_fit)
{
    struct shard_task_row row = usual(5);
    row.version = 255;
    row.attempt = 63;
    row.host = (1 << 20) - 2;
    row.outcome = SHARD_OUTCOME_CANCELLED;
    row.decision = 15;
    row.reason = 255;
    comes_back(&row);
    row.host = -1;
    comes_back(&row);
    ck_assert_uint_eq(rows.wide_count, 0);
}
END_TEST

START_TEST(more_distinct_sizes_of_memory_than_the_index_holds_come_back)
{
    for (int32_t task = 0; task < 1000; task++) {
        struct shard_task_row row = usual(task);
        row.memory_bytes = 4096 + task;
        comes_back(&row);
    }
    ck_assert_uint_eq(rows.wide_count, 0);
    for (int32_t task = 0; task < 1000; task++) {
        struct shard_task_row row = usual(task);
        row.memory_bytes = 1000000 + task;
        comes_back(&row);
    }
    ck_assert_uint_gt(rows.wide_count, 0);
}
END_TEST

START_TEST(any_row_comes_back)
{
    struct shard__random random;
    shard__random_seed(&random, 11);
    for (int i = 0; i < 20000; i++) {
        struct shard_task_row row = usual((int32_t)(shard__random_next(&random) % 1000));
        row.version = 1 + (uint32_t)(shard__random_next(&random) % 300);
        row.attempt = (int32_t)(shard__random_next(&random) % 70);
        row.host = (int32_t)(shard__random_next(&random) % (1 << 21)) - 1;
        row.state = (uint8_t)(1 + shard__random_next(&random) % 10);
        row.outcome = (uint8_t)(shard__random_next(&random) % SHARD_OUTCOME_COUNT);
        row.parent = shard__random_next(&random) % 8 == 0 ? 3 : -1;
        row.memory_bytes = (int64_t)(shard__random_next(&random) % 2000) << 20;
        comes_back(&row);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory rows");
    TCase *tests = tcase_create("rows");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_usual_row_needs_nothing_besides);
    tcase_add_test(tests, a_task_without_records_is_zero);
    tcase_add_test(tests, what_does_not_fit_comes_back_too);
    tcase_add_test(tests, the_largest_values_of_each_field_fit);
    tcase_add_test(tests, more_distinct_sizes_of_memory_than_the_index_holds_come_back);
    tcase_add_test(tests, any_row_comes_back);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
