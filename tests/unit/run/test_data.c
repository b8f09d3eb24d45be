/* SPDX-License-Identifier: Apache-2.0 */
/* The data gate in scripted runs: what is brought where, and what is no input at all. */

#include <string.h>

#include <shard/shard.h>

#include "engine/engine.h"
#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;

START_TEST(an_input_on_another_hosts_own_volume_is_brought_before_its_task_starts)
{
    world_init(&world, "least_loaded");
    world_add_host(&world, "a", 1000, 500, 1, 1);
    world_add_host(&world, "b", 2000, 100, 2, 2);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec maker = {.struct_size = sizeof(maker), .memory_bytes = 500};
    struct shard_task_spec reader = {.struct_size = sizeof(reader), .cpu_millicores = 2000};
    shard_builder_add_task(builder, &maker);
    shard_builder_add_task(builder, &reader);
    shard_builder_add_data(builder, "data", 10);
    shard_builder_add_output(builder, 0, 0);
    shard_builder_add_input(builder, 1, 0);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 1.5);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_STAGING);
    ck_assert_int_eq(world.attempt_count, 1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(world.stages, 1);
    /* It took a second, and is expected to, from the one volume to the other. */
    ck_assert_double_eq_tol(shard__paths_seconds(&world.engine->cluster.paths, 1, 2, 10, (double)NAN), 1, 0.1);
    ck_assert(isnan(shard__paths_seconds(&world.engine->cluster.paths, 2, 1, 10, (double)NAN)));
    ck_assert_int_eq(world.attempts[1].host, 1);
    ck_assert(world.attempts[1].started_ns - world.attempts[0].started_ns >= 2000000000); /* it ran, it was brought */
    world_free(&world);
}
END_TEST

START_TEST(where_edges_are_whole_what_no_predecessor_makes_is_no_input_and_nothing_hangs)
{
    static const char text[] = "{\"format\":\"libshard-workflow\",\"version\":1,\"edges_are_whole\":true,\"tasks\":["
                               "{\"name\":\"reader\",\"inputs\":[\"d\"]},{\"name\":\"maker\",\"outputs\":[\"d\"]}]}";
    world_init(&world, "least_loaded");
    world_add_host(&world, "a", 2000, 0, 2, 0);
    shard_workflow *workflow = NULL;
    int status = shard_workflow_parse(world.context, text, strlen(text), NULL, SHARD_FORMAT_NATIVE, NULL, &workflow);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    shard_data_id input;
    ck_assert_int_eq(shard_workflow_inputs(workflow, 0, &input, 1), 0); /* left out when it was read, with a warning */
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data");
    TCase *tcase = tcase_create("data");
    tcase_add_test(tcase, an_input_on_another_hosts_own_volume_is_brought_before_its_task_starts);
    tcase_add_test(tcase, where_edges_are_whole_what_no_predecessor_makes_is_no_input_and_nothing_hangs);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
