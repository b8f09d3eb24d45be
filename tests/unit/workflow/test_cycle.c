/* SPDX-License-Identifier: Apache-2.0 */
/* Cycles: found, named by a short path, and nothing else changed. */

#include <shard/shard.h>

#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static shard_builder *builder;

/* An assertion for loops over very many: libcheck writes down each of its own. */
static void require(int holds)
{
    if (!holds)
        ck_abort_msg("does not hold");
}

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    builder = new_builder(context);
}

static void teardown(void)
{
    shard_builder_free(builder);
    tracked_context_free(&tracked, context);
}

static void assert_cycle(const char *path)
{
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), SHARD_ECYCLE);
    ck_assert_ptr_null(workflow);
    assert_message_has(path);
}

START_TEST(a_cycle_is_named_by_its_path)
{
    add_task(builder, "before");
    add_task(builder, "a");
    add_task(builder, "b");
    add_task(builder, "c");
    add_task(builder, "after");
    add_edge(builder, "before", "a");
    add_edge(builder, "a", "b");
    add_edge(builder, "b", "c");
    add_edge(builder, "c", "a");
    add_edge(builder, "c", "after");
    assert_cycle(": a -> b -> c -> a");
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_int_eq(error.task, 1);
}
END_TEST

START_TEST(the_cycle_that_is_named_is_a_short_one)
{
    for (int i = 0; i < 1000; i++)
        add_task(builder, NULL);
    for (int i = 0; i < 999; i++)
        ck_assert_int_eq(shard_builder_add_edge(builder, i, i + 1), 0);
    ck_assert_int_eq(shard_builder_add_edge(builder, 999, 0), 0);
    ck_assert_int_eq(shard_builder_add_edge(builder, 1, 0), 0);
    assert_cycle(": t0 -> t1 -> t0");
}
END_TEST

START_TEST(a_long_cycle_is_shown_in_part)
{
    const struct shard_task_spec spec = {.struct_size = sizeof(spec)};
    for (int i = 0; i < 100000; i++)
        require(shard_builder_add_task(builder, &spec) == i);
    for (int i = 0; i < 100000; i++)
        require(shard_builder_add_edge(builder, i, (i + 1) % 100000) == 0);
    assert_cycle("t6 -> t7 -> (99988 more) -> t99996 -> t99997 -> t99998 -> t99999 -> t0");
}
END_TEST

/* Ten tasks before each of ten, three times over: each is reached many times, and is on the way once. */
START_TEST(a_cycle_through_a_dense_graph_is_found)
{
    for (int i = 0; i < 30; i++)
        add_task(builder, NULL);
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < 10; k++)
            ck_assert_int_eq(shard_builder_add_edge(builder, i, i / 10 * 10 + 10 + k), 0);
    ck_assert_int_eq(shard_builder_add_edge(builder, 29, 3), 0);
    assert_cycle(": t3 -> t10 -> t29 -> t3");
}
END_TEST

START_TEST(reading_what_one_writes_oneself_is_a_cycle)
{
    add_task(builder, "a");
    shard_data_id file = shard_builder_add_data(builder, "file", 3);
    ck_assert_int_eq(shard_builder_add_input(builder, 0, file), 0);
    ck_assert_int_eq(shard_builder_add_output(builder, 0, file), 0);
    assert_cycle("a -> a (reads data 'file' that it writes)");
}
END_TEST

START_TEST(a_cycle_may_go_through_data)
{
    add_task(builder, "a");
    add_task(builder, "b");
    shard_data_id file = shard_builder_add_data(builder, "file", 3);
    ck_assert_int_eq(shard_builder_add_output(builder, 0, file), 0);
    ck_assert_int_eq(shard_builder_add_input(builder, 1, file), 0);
    add_edge(builder, "b", "a");
    assert_cycle("a -> b -> a");
}
END_TEST

START_TEST(a_failed_seal_leaves_the_builder_as_it_was)
{
    add_task(builder, "a");
    add_task(builder, "b");
    add_edge(builder, "a", "b");
    add_edge(builder, "b", "a");
    assert_cycle("a -> b -> a");
    assert_cycle("a -> b -> a");
    ck_assert_int_eq(add_task(builder, "c"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cycle");
    TCase *tests = tcase_create("cycle");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_cycle_is_named_by_its_path);
    tcase_add_test(tests, the_cycle_that_is_named_is_a_short_one);
    tcase_add_test(tests, a_long_cycle_is_shown_in_part);
    tcase_add_test(tests, a_cycle_through_a_dense_graph_is_found);
    tcase_add_test(tests, reading_what_one_writes_oneself_is_a_cycle);
    tcase_add_test(tests, a_cycle_may_go_through_data);
    tcase_add_test(tests, a_failed_seal_leaves_the_builder_as_it_was);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
