/* SPDX-License-Identifier: Apache-2.0 */
/* The seal: lists, implied edges, ranks, and what a sealed workflow tells. Cycles are in test_cycle.c. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "tracked.h"
#include "workflow/workflow.h"
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
    tracked_context_free(&tracked, context);
}

static shard_task_id add_timed(const char *name, double seconds)
{
    const struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = name, .expected_seconds = seconds};
    return shard_builder_add_task(builder, &spec);
}

static struct shard_task_info info_of(const shard_workflow *workflow, const char *name)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_task(workflow, shard_workflow_find_task(workflow, name), &info), 0);
    return info;
}

START_TEST(tasks_before_the_first_divisible_one_are_atomic)
{
    const struct shard_task_spec divisible = {.struct_size = sizeof(divisible), .name = "divisible", .units = 9};
    add_task(builder, "atomic");
    ck_assert_int_eq(shard_builder_add_task(builder, &divisible), 1);
    add_task(builder, "later");
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(info_of(workflow, "atomic").units, 1);
    ck_assert_int_eq(info_of(workflow, "divisible").units, 9);
    ck_assert_int_eq(info_of(workflow, "later").units, 1);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(reading_what_another_writes_makes_an_edge)
{
    add_task(builder, "reader");
    add_task(builder, "writer");
    shard_data_id file = shard_builder_add_data(builder, "file", 3);
    shard_data_id given = shard_builder_add_data(builder, "given", -1);
    ck_assert_int_eq(shard_builder_add_input(builder, 0, given), 0);
    ck_assert_int_eq(shard_builder_add_input(builder, 0, file), 0);
    ck_assert_int_eq(shard_builder_add_input(builder, 0, file), 0);
    ck_assert_int_eq(shard_builder_add_output(builder, 1, file), 0);
    add_edge(builder, "writer", "reader");
    shard_workflow *workflow = seal(builder);
    int32_t ids[4];
    ck_assert_int_eq(shard_workflow_predecessors(workflow, 0, ids, 4), 1);
    ck_assert_int_eq(ids[0], 1);
    ck_assert_int_eq(shard_workflow_successors(workflow, 1, ids, 4), 1);
    ck_assert_int_eq(ids[0], 0);
    ck_assert_int_eq(shard_workflow_inputs(workflow, 0, ids, 4), 2);
    ck_assert_int_eq(ids[0], given);
    ck_assert_int_eq(ids[1], file);
    ck_assert_int_eq(shard_workflow_outputs(workflow, 1, NULL, 0), 1);
    struct shard_data_info data = {.struct_size = sizeof(data)};
    ck_assert_int_eq(shard_workflow_data(workflow, file, &data), 0);
    ck_assert_int_eq(data.producer, 1);
    ck_assert_int_eq(data.consumer_count, 1);
    ck_assert_int_eq(data.bytes, 3);
    ck_assert_int_eq(shard_workflow_data(workflow, given, &data), 0);
    ck_assert_int_eq(data.producer, -1);
    ck_assert_int_eq(data.bytes, -1);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(lists_are_sorted_and_have_each_id_once)
{
    for (int i = 0; i < 5; i++)
        add_task(builder, NULL);
    static const int from[] = {3, 1, 3, 0, 1, 3, 2};
    for (size_t i = 0; i < 7; i++)
        ck_assert_int_eq(shard_builder_add_edge(builder, from[i], 4), 0);
    shard_workflow *workflow = seal(builder);
    int32_t ids[4];
    ck_assert_int_eq(shard_workflow_predecessors(workflow, 4, ids, 2), 4);
    ck_assert_int_eq(shard_workflow_predecessors(workflow, 4, ids, 4), 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(ids[i], i);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    ck_assert_int_eq(info.edge_count, 4);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(rank_is_the_longest_path_to_the_end)
{
    add_timed("start", 1);
    add_timed("long", 10);
    add_timed("short", 2);
    add_timed("end", 3);
    add_edge(builder, "start", "long");
    add_edge(builder, "start", "short");
    add_edge(builder, "long", "end");
    add_edge(builder, "short", "end");
    shard_workflow *workflow = seal(builder);
    ck_assert_double_eq(info_of(workflow, "start").rank_seconds, 14);
    ck_assert_double_eq(info_of(workflow, "long").rank_seconds, 13);
    ck_assert_double_eq(info_of(workflow, "short").rank_seconds, 5);
    ck_assert_double_eq(info_of(workflow, "end").rank_seconds, 3);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    ck_assert_double_eq(info.critical_path_seconds, 14);
    ck_assert_double_eq(info.total_seconds, 16);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_task_that_is_not_known_ranks_as_the_mean_of_the_others)
{
    add_timed("known", 4);
    add_timed("unknown", 0);
    const struct shard_task_spec zero = {.struct_size = sizeof(zero), .name = "zero", .zero_seconds_known = 1};
    ck_assert_int_eq(shard_builder_add_task(builder, &zero), 2);
    add_edge(builder, "known", "unknown");
    add_edge(builder, "unknown", "zero");
    shard_workflow *workflow = seal(builder);
    ck_assert_double_eq(info_of(workflow, "known").rank_seconds, 6);
    ck_assert_double_eq(info_of(workflow, "unknown").rank_seconds, 2);
    ck_assert_double_eq(info_of(workflow, "zero").rank_seconds, 0);
    ck_assert(isnan(info_of(workflow, "unknown").expected_seconds));
    ck_assert_double_eq(info_of(workflow, "zero").expected_seconds, 0);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    ck_assert_double_eq(info.critical_path_seconds, 4);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_chain_of_a_million_tasks_keeps_its_order)
{
    enum { COUNT = 1000000 };
    for (int i = 0; i < COUNT; i++)
        require(add_timed(NULL, 0.1) == i);
    for (int i = 0; i + 1 < COUNT; i++)
        require(shard_builder_add_edge(builder, i + 1, i) == 0);
    shard_workflow *workflow = seal(builder);
    for (int i = 0; i + 1 < COUNT; i++)
        require(workflow->rank_seconds[i] < workflow->rank_seconds[i + 1]);
    ck_assert_float_eq_tol(workflow->rank_seconds[COUNT - 1], 100000.0F, 0.1F);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(plain_tasks_with_three_edges_take_at_most_70_bytes)
{
    enum { COUNT = 100000 };
    unsigned state = 1;
    for (int i = 0; i < COUNT; i++)
        require(add_timed(NULL, 1) == i);
    for (int i = 1; i < COUNT; i++) {
        for (int k = 0; k < 3; k++) {
            state = state * 1664525u + 1013904223u;
            require(shard_builder_add_edge(builder, (int)((state >> 4) % (unsigned)i), i) == 0);
        }
    }
    shard_workflow *workflow = seal(builder);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    ck_assert_uint_le(info.memory_bytes, 70 * (size_t)COUNT);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(memory_bytes_is_what_the_workflow_holds)
{
    shard_builder_free(builder);
    long before = tracked.live_bytes;
    for (unsigned seed = 0; seed < 20; seed++) {
        shard_workflow *workflow = seal(random_builder(context, seed, 40));
        struct shard_workflow_info info = {.struct_size = sizeof(info)};
        ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
        ck_assert_int_eq(tracked.live_bytes - before, (long)info.memory_bytes);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(tasks_that_ask_the_same_share_a_profile)
{
    for (int i = 0; i < 100; i++) {
        const struct shard_task_spec spec = {
            .struct_size = sizeof(spec), .memory_bytes = i % 3, .failure_cost_seconds = i % 2 == 0 ? 0.0 : -0.0};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), i);
    }
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(workflow->profile_count, 3);
    ck_assert_int_eq(workflow->profile_of[0], workflow->profile_of[99]);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(an_empty_workflow_is_one)
{
    shard_workflow *workflow = seal(builder);
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    ck_assert_int_eq(info.task_count, 0);
    ck_assert_str_eq(info.name, "workflow");
    ck_assert_int_eq(shard_workflow_find_task(workflow, "t0"), SHARD_ENOENT);
    ck_assert_int_eq(shard_workflow_find_data(workflow, NULL), SHARD_ENOENT);
    ck_assert_ptr_null(shard_workflow_kind_name(workflow, 0));
    struct shard_task_info task = {.struct_size = sizeof(task)};
    ck_assert_int_eq(shard_workflow_task(workflow, 0, &task), SHARD_ENOENT);
    ck_assert_int_eq(shard_workflow_successors(workflow, -1, NULL, 0), SHARD_ENOENT);
    struct shard_data_info data = {.struct_size = sizeof(data)};
    ck_assert_int_eq(shard_workflow_data(workflow, 0, &data), SHARD_ENOENT);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(the_last_reference_frees)
{
    add_task(builder, "a");
    shard_workflow *workflow = seal(builder);
    ck_assert_ptr_eq(shard_workflow_ref(workflow), workflow);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(shard_workflow_find_task(workflow, "a"), 0);
    shard_workflow_unref(workflow);
    shard_workflow_unref(NULL);
    shard_builder_free(NULL);
}
END_TEST

/* Each edge of a random workflow is in both lists, and its end ranks no higher than its beginning. */
START_TEST(random_workflows_hold_together)
{
    shard_builder_free(builder);
    for (unsigned seed = 0; seed < 200; seed++) {
        shard_workflow *workflow = seal(random_builder(context, seed, 60));
        int64_t edges = 0;
        for (int task = 0; task < workflow->task_count; task++) {
            int32_t after[256], before[256];
            int32_t count = shard_workflow_successors(workflow, task, after, 256);
            edges += count;
            for (int i = 0; i < count; i++) {
                int32_t back = shard_workflow_predecessors(workflow, after[i], before, 256), found = 0;
                for (int k = 0; k < back; k++)
                    found += before[k] == task;
                ck_assert_int_eq(found, 1);
                ck_assert(workflow->rank_seconds[task] >= workflow->rank_seconds[after[i]]);
                ck_assert(i == 0 || after[i - 1] < after[i]);
            }
        }
        ck_assert_int_eq(edges, workflow->edge_count);
        shard_workflow_unref(workflow);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seal");
    TCase *tests = tcase_create("seal");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, tasks_before_the_first_divisible_one_are_atomic);
    tcase_add_test(tests, reading_what_another_writes_makes_an_edge);
    tcase_add_test(tests, lists_are_sorted_and_have_each_id_once);
    tcase_add_test(tests, rank_is_the_longest_path_to_the_end);
    tcase_add_test(tests, a_task_that_is_not_known_ranks_as_the_mean_of_the_others);
    tcase_add_test(tests, a_chain_of_a_million_tasks_keeps_its_order);
    tcase_add_test(tests, plain_tasks_with_three_edges_take_at_most_70_bytes);
    tcase_add_test(tests, memory_bytes_is_what_the_workflow_holds);
    tcase_add_test(tests, tasks_that_ask_the_same_share_a_profile);
    tcase_add_test(tests, an_empty_workflow_is_one);
    tcase_add_test(tests, the_last_reference_frees);
    tcase_add_test(tests, random_workflows_hold_together);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
