/* SPDX-License-Identifier: Apache-2.0 */
/* What attempts tell of their units while they run. */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int64_t seen_units;
static double seen_seconds;

static void on_event(struct world *w, const struct shard_event *event)
{
    (void)w;
    if (event->kind != SHARD_EVENT_PROGRESS)
        return;
    ck_assert_int_gt(event->units_done, seen_units);
    seen_units = event->units_done;
    seen_seconds = event->seconds;
}

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->unit_seconds = 2;
}

static void plan_silent(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->is_silent = 1;
}

static int begin(void (*how)(struct world *, const struct shard_start *, struct world_plan *))
{
    world_init(&world, "least_loaded");
    world.plan = how;
    world.on_event = on_event;
    seen_units = 0;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .units = 10};
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 7);
    return run;
}

static struct shard_task_view view_of(int run)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, 0, &view), 0);
    return view;
}

START_TEST(units_that_are_done_are_seen_while_the_task_runs_and_not_after)
{
    int run = begin(plan);
    struct shard_task_view view = view_of(run);
    ck_assert_int_eq(view.units_done, 3);
    ck_assert_int_eq(view.started_ns, world.attempts[0].started_ns);
    ck_assert_int_eq(seen_units, 3);
    ck_assert_double_eq(seen_seconds, 6);
    world_explains(&world, run, 0, "3 of its 10 units are done");
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    view = view_of(run);
    ck_assert_int_eq(view.units_done, 0);
    ck_assert_int_eq(view.started_ns, 0);
    ck_assert_int_eq(world_logged(&world, "progress-refused"), 0);
    world_free(&world);
}
END_TEST

static void tell(shard_token token, int64_t units)
{
    ck_assert_int_eq(shard_sink_progress(world_engine_sink(&world), token, units), 0);
    world_settle(&world);
}

START_TEST(units_that_go_back_or_are_too_many_are_left_out_and_logged_once)
{
    int run = begin(plan_silent);
    shard_token token = world.attempts[0].token;
    tell(token, 4);
    tell(token, 4);
    ck_assert_int_eq(world_logged(&world, "progress-refused"), 0);
    tell(token, 3);
    tell(token, 11);
    tell(token, INT64_MAX);
    ck_assert_int_eq(view_of(run).units_done, 4);
    ck_assert_int_eq(seen_units, 4);
    ck_assert_int_eq(world_logged(&world, "progress-refused"), 1);
    tell(token, 10);
    ck_assert_int_eq(view_of(run).units_done, 10);
    ck_assert_int_eq(shard_sink_progress(world_engine_sink(&world), token, -1), SHARD_EINVAL);
    struct shard_attempt_end end = {.struct_size = sizeof(end), .outcome = SHARD_OUTCOME_DONE};
    ck_assert_int_eq(shard_sink_attempt_ended(world_engine_sink(&world), token, &end), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    tell(token, 5);
    tell(token, 6);
    ck_assert_int_eq(world_logged(&world, "stale-answer"), 1);
    world_free(&world);
}
END_TEST

/* Of ten units. */
START_TEST(an_end_that_tells_units_beyond_the_range_tells_all_or_none)
{
    static const int64_t units[] = {11, INT64_MAX, -1, INT64_MIN};
    int run = begin(plan_silent), is_split = _i >= 4;
    if (is_split) { /* it is told to end, and its rest is to be shared */
        world.attempts[0].plan.shrink = WORLD_CANNOT_SHRINK;
        ck_assert_int_eq(shard_engine_split(world.engine, world.runs[run].id, 0, 2), 0);
        world_settle(&world);
    }
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = is_split ? SHARD_OUTCOME_PREEMPTED : SHARD_OUTCOME_DONE,
                                    .units_done = units[_i % 4]};
    world.plan = plan;
    world.on_event = NULL;
    world_end_attempt(&world, 0, end.outcome); /* it frees its host, and says nothing itself */
    ck_assert_int_eq(shard_sink_attempt_ended(world_engine_sink(&world), world.attempts[0].token, &end), 0);
    world_settle(&world);
    ck_assert_int_eq(view_of(run).state, is_split && units[_i % 4] < 0 ? SHARD_TASK_SPLIT : SHARD_TASK_DONE);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(progress_does_not_crowd_out_other_events)
{
    world_init(&world, "least_loaded");
    world.config.max_events = 8;
    world.max_pull = -1;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .units = 1000};
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world.plan = plan;
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 500);
    world.max_pull = 0;
    world_pass(&world, 1);
    ck_assert_int_le(world.events_seen, 5);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

START_TEST(a_task_is_seen_to_be_ready_since_its_last_predecessor_was_done)
{
    world_init(&world, "least_loaded");
    world.plan = plan; /* twenty seconds */
    world_add_host(&world, "a", 1000, 0, 1, 0);
    shard_builder *builder = NULL;
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .units = 10};
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    for (int i = 0; i < 4; i++) /* the last follows the first, and the others are before it in the queue */
        shard_builder_add_task(builder, &spec);
    shard_builder_add_edge(builder, 0, 3);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    world_pass(&world, 1);
    int64_t begin_ns = world.now_ns;
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 30);
    int64_t expected_ns[] = {0, 0, begin_ns, begin_ns + 20000000000}; /* done, running, ready, ready */
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, i, &view), 0);
        ck_assert_int_eq(view.ready_ns, expected_ns[i]);
    }
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tcase = tcase_create("progress");
    tcase_add_test(tcase, units_that_are_done_are_seen_while_the_task_runs_and_not_after);
    tcase_add_test(tcase, units_that_go_back_or_are_too_many_are_left_out_and_logged_once);
    tcase_add_loop_test(tcase, an_end_that_tells_units_beyond_the_range_tells_all_or_none, 0, 8);
    tcase_add_test(tcase, progress_does_not_crowd_out_other_events);
    tcase_add_test(tcase, a_task_is_seen_to_be_ready_since_its_last_predecessor_was_done);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
