/* SPDX-License-Identifier: Apache-2.0 */
/* The plain rule: a task that is likely to fail where it is to run goes to a better host before it has started. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int run;
static float sickness[8]; /* by host: what the forecast is */

static void host_feature(void *self, const shard_view *view, shard_host_id host, float *ret_values)
{
    (void)self;
    (void)view;
    ret_values[0] = sickness[host];
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    (void)self;
    int64_t stride = rows->stride == 0 ? columns : rows->stride;
    for (int64_t i = 0; i < rows->rows; i++)
        ret->p_fail[i] = (double)rows->values[i * stride + columns - 1];
    return 0;
}

static const struct shard_predictor predictor = {.struct_size = sizeof(predictor), .name = "told", .predict = predict};
static const struct shard_feature feature = {.name = "sickness", .group = SHARD_FEATURE_HOST};
static const struct shard_feature_source source = {
    .struct_size = sizeof(source), .features = &feature, .feature_count = 1, .host = host_feature};

static void plan_stage(struct world *w, const struct shard_stage *stage, struct world_stage_plan *plan)
{
    (void)w;
    (void)stage;
    plan->seconds = 20;
}

/* The task 1 reads what 0 made on host "a", and is too large for it: it goes to "b", and its input is brought there. */
static void setup(void)
{
    world_init(&world, "round_robin");
    world.plan_stage = plan_stage;
    world.config.predictor.port = &predictor;
    world.config.features = &source;
    world_add_host(&world, "a", 1000, 1000, 1, 1);
    world_add_host(&world, "b", 4000, 1000, 2, 2);
    world_add_host(&world, "c", 4000, 1000, 2, 3);
    world_add_host(&world, "d", 4000, 1000, 1, 4);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec first = {.struct_size = sizeof(first)};
    struct shard_task_spec second = {.struct_size = sizeof(second), .cpu_millicores = 2000, .memory_bytes = 300};
    shard_builder_add_task(builder, &first);
    shard_builder_add_task(builder, &second);
    shard_builder_add_data(builder, "data", 10);
    shard_builder_add_output(builder, 0, 0);
    shard_builder_add_input(builder, 1, 0);
    shard_workflow *workflow = seal(builder);
    for (int i = 0; i < 8; i++)
        sickness[i] = 0.1F;
    world_start(&world);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 1.5);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_STAGING);
}

static void teardown(void)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    world_free(&world);
}

static int adjust(void)
{
    return shard_engine_adjust(world.engine, world.runs[run].id, 1);
}

static int host_of(void)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, 1, &view), 0);
    return view.host;
}

START_TEST(a_task_that_is_likely_to_fail_goes_to_the_best_of_the_better_hosts)
{
    int from = host_of();
    for (int i = 0; i < 4; i++)
        sickness[i] = i == from ? 0.9F : i == 2 ? 0.2F : 0.6F;
    if (from == 2)
        sickness[1] = 0.2F;
    world_pass(&world, 2);
    ck_assert_int_eq(adjust(), 1);
    world_settle(&world);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_STAGING);
    ck_assert_int_eq(host_of(), from == 2 ? 1 : 2);
    world_explains(&world, run, 1, "less likely to fail");
    world_explains(&world, run, 1, "0.200");
    ck_assert_int_eq(adjust(), 0);
}
END_TEST

START_TEST(hosts_that_are_alike_are_chosen_by_what_is_free)
{
    int from = host_of();
    sickness[from] = 0.9F;
    world_pass(&world, 2);
    ck_assert_int_eq(adjust(), 1);
    world_settle(&world);
    ck_assert_int_ne(host_of(), from);
    ck_assert_int_ne(host_of(), 3); /* its only slot would be taken; of the others one stays free */
}
END_TEST

START_TEST(without_a_better_host_it_stays_and_a_warning_says_so)
{
    int from = host_of();
    for (int i = 0; i < 4; i++)
        sickness[i] = 0.9F;
    world_pass(&world, 2);
    ck_assert_int_eq(adjust(), 0);
    world_settle(&world);
    ck_assert_int_eq(host_of(), from);
    ck_assert(strstr(world.last_warning, "no other host is better") != NULL);
}
END_TEST

START_TEST(at_or_below_the_threshold_and_when_nothing_is_known_it_stays)
{
    static const float at[] = {0.5F, 0.1F, NAN};
    int from = host_of();
    for (int i = 0; i < 4; i++)
        sickness[i] = i == from ? at[_i] : 0;
    world_pass(&world, 2);
    ck_assert_int_eq(adjust(), 0);
    ck_assert_int_eq(host_of(), from);
    ck_assert_str_eq(world.last_warning, "");
}
END_TEST

START_TEST(what_has_no_host_or_has_started_is_not_adjusted)
{
    ck_assert_int_eq(shard_engine_adjust(world.engine, world.runs[run].id, 0), SHARD_ESTATE);
    ck_assert_int_eq(shard_engine_adjust(world.engine, world.runs[run].id, 9), SHARD_ENOENT);
    ck_assert_int_eq(shard_engine_adjust(world.engine, 9, 0), SHARD_ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adjust");
    TCase *tcase = tcase_create("adjust");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_task_that_is_likely_to_fail_goes_to_the_best_of_the_better_hosts);
    tcase_add_test(tcase, hosts_that_are_alike_are_chosen_by_what_is_free);
    tcase_add_test(tcase, without_a_better_host_it_stays_and_a_warning_says_so);
    tcase_add_loop_test(tcase, at_or_below_the_threshold_and_when_nothing_is_known_it_stays, 0, 3);
    tcase_add_test(tcase, what_has_no_host_or_has_started_is_not_adjusted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
