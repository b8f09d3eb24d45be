/* SPDX-License-Identifier: Apache-2.0 */
/* What the catalog amends of tasks while a run goes on: for whom it holds, and that it outlives the process. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

#define FIRST "1111111111111111111111111111111111111111"
#define SECOND "2222222222222222222222222222222222222222"
#define THIRD "3333333333333333333333333333333333333333"

static struct world world;
static int run;

/* Task 1 follows task 0; both are small, and a host has room for one. */
static void setup(void)
{
    world_init(&world, "round_robin");
    world_add_host(&world, "a", 4000, 1000, 1, 1);
    world_start(&world);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec task = {
        .struct_size = sizeof(task), .cpu_millicores = 1000, .memory_bytes = 100, .expected_seconds = 5};
    shard_builder_add_task(builder, &task);
    task.units = 8;
    shard_builder_add_task(builder, &task);
    shard_builder_add_edge(builder, 0, 1);
    shard_workflow *workflow = seal(builder);
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "run", .catalog_commit = FIRST};
    run = world_submit_spec(&world, workflow, &spec);
    shard_workflow_unref(workflow);
    world_settle(&world);
    ck_assert_int_eq(world_state(&world, run, 0), SHARD_TASK_RUNNING);
}

static void teardown(void)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    world_free(&world);
}

static struct shard_task_info known(int task)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, task, &view), 0);
    view.info.struct_size = sizeof(view.info);
    return view.info;
}

static int amend(int task, const struct shard_task_info *info, const char *commit)
{
    return shard_engine_amend(world.engine, world.runs[run].id, task, info, commit);
}

static struct shard_task_info amended(void)
{
    struct shard_task_info info = known(1);
    info.memory_bytes = 700;
    info.expected_seconds = 9;
    info.failure_cost_seconds = 60;
    return info;
}

static const char *commit_now(void)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
    return info.catalog_commit;
}

static void check_amended(void)
{
    struct shard_task_info info = known(1);
    ck_assert_int_eq(info.memory_bytes, 700);
    ck_assert_double_eq(info.expected_seconds, 9);
    ck_assert_double_eq(info.failure_cost_seconds, 60);
    world_explains(&world, run, 1, "amended by catalog commit 222222222222: expected to take 9 s");
}

START_TEST(a_task_that_has_not_started_runs_as_amended)
{
    struct shard_task_info info = amended();
    world_explains(&world, run, 0, "started under catalog commit 111111111111");
    ck_assert_int_eq(amend(1, &info, SECOND), 1);
    check_amended();
    ck_assert_int_eq(amend(1, &info, THIRD), 0); /* that was known */
    ck_assert_str_eq(commit_now(), SECOND);
    while (world_state(&world, run, 1) != SHARD_TASK_RUNNING)
        world_turn(&world);
    world_settle(&world);
    world_explains(&world, run, 1, "started under catalog commit 222222222222");
    ck_assert_int_eq(world_last_attempt(&world, run, 1)->memory, 700);
    ck_assert_int_eq(known(0).memory_bytes, 100);
}
END_TEST

START_TEST(an_amendment_outlives_the_process)
{
    struct shard_task_info info = amended();
    ck_assert_int_eq(amend(1, &info, SECOND), 1);
    world_settle(&world);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    while (commit_now() == NULL)
        world_turn(&world);
    check_amended();
    ck_assert_str_eq(commit_now(), SECOND);
    ck_assert_int_eq(amend(1, &info, THIRD), 0);
}
END_TEST

START_TEST(parts_of_a_split_task_are_amended_with_it)
{
    while (world_state(&world, run, 1) != SHARD_TASK_RUNNING)
        world_turn(&world);
    ck_assert_int_eq(shard_engine_split(world.engine, world.runs[run].id, 1, 2), 0);
    while (world_state(&world, run, 1) == SHARD_TASK_RUNNING)
        world_turn(&world);
    struct shard_task_info info = amended();
    ck_assert_int_eq(amend(1, &info, SECOND), 1);
    ck_assert_int_eq(known(3).memory_bytes, 700);
}
END_TEST

START_TEST(a_task_too_large_for_every_host_is_amended_to_run)
{
    struct shard_task_info info = amended();
    info.memory_bytes = 100000;
    ck_assert_int_eq(amend(1, &info, SECOND), 1);
    info.memory_bytes = 50;
    ck_assert_int_eq(amend(1, &info, THIRD), 1);
    ck_assert_int_eq(known(1).memory_bytes, 50);
}
END_TEST

/* Another run: after task 0 come 1, 2 and 5, for which there is room in turn, and after the first two 3 and 4. */
static void begin_fork(void)
{
    world_finish(&world, run);
    world_free(&world);
    world_init(&world, "heft");
    world_add_host(&world, "a", 1000, 1000, 1, 1);
    world_start(&world);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    const struct shard_task_spec task = {
        .struct_size = sizeof(task), .cpu_millicores = 1000, .memory_bytes = 100, .expected_seconds = 5};
    for (int i = 0; i < 6; i++)
        shard_builder_add_task(builder, &task);
    shard_builder_add_edge(builder, 0, 5);
    for (int i = 1; i < 3; i++) {
        shard_builder_add_edge(builder, 0, i);
        shard_builder_add_edge(builder, i, i + 2);
    }
    shard_workflow *workflow = seal(builder);
    run = world_submit(&world, workflow, "fork", 0);
    shard_workflow_unref(workflow);
    world_settle(&world);
}

static void check_longer_way(void)
{
    ck_assert_double_eq(known(0).rank_seconds, 110);
    ck_assert_double_eq(known(1).rank_seconds, 10);
    ck_assert_double_eq(known(2).rank_seconds, 105);
}

static int is_running(int task)
{
    return world_state(&world, run, task) == SHARD_TASK_RUNNING;
}

static void make_long(int task)
{
    struct shard_task_info info = known(task);
    info.expected_seconds = 100;
    ck_assert_int_eq(amend(task, &info, SECOND), 1);
    world_settle(&world);
}

START_TEST(the_way_that_is_longer_as_amended_goes_first)
{
    begin_fork();
    make_long(4);
    check_longer_way();
    if (_i == 1) {
        world_crash(&world);
        world_start(&world);
        world_resume(&world, run);
        while (commit_now() == NULL)
            world_turn(&world);
        check_longer_way();
    }
    while (!is_running(1) && !is_running(2))
        world_turn(&world);
    ck_assert(is_running(2));
}
END_TEST

START_TEST(a_task_that_waits_already_goes_first_as_amended)
{
    begin_fork();
    while (!is_running(1))
        world_turn(&world);
    ck_assert_int_eq(world_state(&world, run, 5), SHARD_TASK_READY);
    make_long(5);
    while (!is_running(2) && !is_running(5))
        world_turn(&world);
    ck_assert(is_running(5));
}
END_TEST

START_TEST(what_is_no_amendment_is_refused)
{
    struct shard_task_info good = amended(), bad;
    ck_assert_int_eq(amend(2, &good, SECOND), SHARD_ENOENT);
    ck_assert_int_eq(amend(-1, &good, SECOND), SHARD_ENOENT);
    static const char *const commits[] = {NULL, "", "main", "2222 ",
                                          "2222222222222222222222222222222222222222222222222"
                                          "2222222222222222"};
    for (size_t i = 0; i < sizeof(commits) / sizeof(commits[0]); i++)
        ck_assert_int_eq(amend(1, &good, commits[i]), SHARD_EINVAL);
    for (int i = 0; i < 6; i++) {
        bad = good;
        *(i == 0 ? &bad.memory_bytes : i == 1 ? &bad.cpu_millicores : &bad.disk_bytes) = i < 3 ? -1 : 0;
        bad.expected_seconds = i == 3 ? -1 : i == 4 ? INFINITY : NAN;
        bad.failure_cost_seconds = i == 5 ? NAN : 0;
        ck_assert_int_eq(amend(1, &bad, SECOND), SHARD_EINVAL);
    }
    ck_assert_str_eq(commit_now(), FIRST);
    while (world_state(&world, run, 0) != SHARD_TASK_DONE)
        world_turn(&world);
    ck_assert_int_eq(amend(0, &good, SECOND), SHARD_ESTATE);
    ck_assert_str_eq(commit_now(), FIRST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("amend");
    TCase *tcase = tcase_create("amend");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_task_that_has_not_started_runs_as_amended);
    tcase_add_test(tcase, an_amendment_outlives_the_process);
    tcase_add_test(tcase, parts_of_a_split_task_are_amended_with_it);
    tcase_add_test(tcase, a_task_too_large_for_every_host_is_amended_to_run);
    tcase_add_loop_test(tcase, the_way_that_is_longer_as_amended_goes_first, 0, 2);
    tcase_add_test(tcase, a_task_that_waits_already_goes_first_as_amended);
    tcase_add_test(tcase, what_is_no_amendment_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
