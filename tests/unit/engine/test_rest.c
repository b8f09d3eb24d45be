/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that are split and replicated while they run.
 *
 * It is longer than 400 lines because it has a case for each sentence of the contract.
 */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int run;
static enum world_shrink shrinks;
static double unit_seconds[8]; /* by host */
static enum shard_outcome outcome_on[8];
static struct shard_policy reviewing;
static struct shard_decision review_answer;

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    int host = world_find_host(w, start->host_name);
    plan->unit_seconds = unit_seconds[host];
    plan->outcome = start->workflow_task == 0 ? outcome_on[host] : SHARD_OUTCOME_NONE;
    plan->shrink = shrinks;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)};
    (void)self;
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    if (of_task.units_done < 3)
        return 0;
    *ret_decision = review_answer;
    review_answer.kind = SHARD_DECIDE_WAIT;
    return 0;
}

/* Three hosts of a slot each, a task of 20 units that take two seconds each on "a", and one that follows it. */
static void setup(void)
{
    world_init(&world, "round_robin");
    world.plan = plan;
    shrinks = WORLD_SHRINKS;
    memset(outcome_on, 0, sizeof(outcome_on));
    for (int i = 0; i < 8; i++)
        unit_seconds[i] = i == 0 ? 2 : 1;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    world_add_host(&world, "c", 1000, 0, 1, 0);
    reviewing = *world.policy.port;
    reviewing.review = review;
    world.config.policy.port = &reviewing;
    review_answer = (struct shard_decision){.struct_size = sizeof(review_answer),
                                            .kind = SHARD_DECIDE_WAIT,
                                            .host = -1,
                                            .p_fail = 0.5,
                                            .reason = SHARD_REASON_POLICY,
                                            .value = 7};
}

static void teardown(void)
{
    world_free(&world);
}

static void begin(int has_merge, int64_t min_units)
{
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {
        .struct_size = sizeof(spec), .units = 20, .has_merge = has_merge, .min_units = min_units};
    struct shard_task_spec last = {.struct_size = sizeof(last)};
    shard_builder_add_task(builder, &spec);
    shard_builder_add_task(builder, &last);
    shard_builder_add_data(builder, "made", 10);
    shard_builder_add_output(builder, 0, 0);
    shard_builder_add_input(builder, 1, 0);
    shard_workflow *workflow = seal(builder);
    if (world.engine == NULL)
        world_start(&world);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
}

static int split(shard_task_id task, int32_t parts)
{
    return shard_engine_split(world.engine, world.runs[run].id, task, parts);
}

static struct shard_task_view view_of(shard_task_id task)
{
    struct shard_task_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_task(world.engine, world.runs[run].id, task, &view), 0);
    return view;
}

static void finish(int attempts)
{
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.attempt_count, attempts);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_DONE);
    for (int i = SHARD_OUTCOME_TASK_ERROR; i < SHARD_OUTCOME_COUNT; i++)
        ck_assert_int_eq(view_of(0).failures[i], 0);
}

START_TEST(the_rest_of_a_running_task_goes_to_others_and_its_attempt_runs_on)
{
    begin(_i, 1);
    world_pass(&world, 9); /* four units are done */
    ck_assert_int_eq(split(0, 3), 0);
    world_settle(&world);
    ck_assert_int_eq(world_state(&world, run, 0), SHARD_TASK_SPLIT);
    ck_assert_int_eq(view_of(2).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(view_of(2).attempt, 1);
    ck_assert_int_eq(view_of(2).units_done, 4);
    ck_assert_int_eq(view_of(2).unit_end, 9); /* a third of sixteen more */
    ck_assert_int_eq(view_of(3).unit_begin, 9);
    ck_assert_int_eq(view_of(3).unit_end, 15);
    ck_assert_int_eq(view_of(4).unit_end, 20);
    world_explains(&world, run, 2, "keeps the attempt");
    finish(_i ? 5 : 4); /* two parts, the merge step, the task that follows */
    ck_assert_int_eq(world.attempts[0].cancels, 0);
    ck_assert_int_eq(world.attempts[0].units_did, 9);
    ck_assert_int_eq(world.shrinks, 1);
    ck_assert_int_eq(world_logged(&world, "progress-refused"), 0);
}
END_TEST

START_TEST(a_policy_splits_the_rest_and_says_what_is_kept)
{
    review_answer.kind = SHARD_DECIDE_SPLIT;
    review_answer.parts = 3;
    review_answer.keep_units = 1;
    begin(0, 1);
    world_pass(&world, 10.5);
    ck_assert_int_eq(view_of(2).unit_end, 4);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_SPLIT);
    finish(4);
}
END_TEST

START_TEST(an_attempt_may_be_shared_out_again_and_again)
{
    begin(_i, 2);
    world_pass(&world, 5);
    ck_assert_int_eq(split(0, 2), 0);
    world_pass(&world, 4);
    ck_assert_int_eq(split(2, 2), 0);
    world_settle(&world);
    ck_assert_int_eq(view_of(2).state, SHARD_TASK_SPLIT);
    ck_assert_int_eq(view_of(4).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(world.attempts[0].depth, 2);
    ck_assert_int_eq(view_of(3).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(split(3, 3), 0); /* one that did not keep an attempt */
    world_settle(&world);
    ck_assert_int_eq(view_of(3).state, SHARD_TASK_SPLIT);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(a_split_of_what_runs_is_refused_when_it_cannot_be)
{
    begin(0, 4);
    ck_assert_int_eq(split(0, 2), SHARD_ESTATE); /* it has not begun */
    world_pass(&world, 9);
    ck_assert_int_eq(split(0, 1), SHARD_EINVAL);
    ck_assert_int_eq(split(0, 0), SHARD_EINVAL);
    ck_assert_int_eq(split(0, 1000000000), SHARD_EINVAL);
    assert_message_has("at least 4 units");
    ck_assert_int_eq(split(0, INT32_MIN), SHARD_EINVAL);
    ck_assert_int_eq(split(0, 5), SHARD_EINVAL);
    world.attempts[0].plan.shrink = WORLD_SHRINKS_LATE;
    ck_assert_int_eq(split(0, 3), 0);
    ck_assert_int_eq(split(0, 3), SHARD_ESTATE); /* it is being done */
    assert_message_has("already");
    world_explains(&world, run, 0, "is asked to do only");
    finish(4);
}
END_TEST

START_TEST(an_executor_that_does_not_shrink_leaves_the_task_as_it_is)
{
    static const enum world_shrink ways[] = {WORLD_REFUSES_TO_SHRINK, WORLD_KEEPS_ALL};
    shrinks = ways[_i];
    begin(0, 1);
    world_pass(&world, 9);
    ck_assert_int_eq(split(0, 3), 0);
    world_settle(&world);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(world_logged(&world, "split-refused"), _i == 0);
    finish(2);
}
END_TEST

START_TEST(what_cannot_stop_at_a_unit_is_cancelled_and_what_it_leaves_done_is_kept)
{
    if (_i == 0)
        shrinks = WORLD_CANNOT_SHRINK;
    else
        world.executor.shrink = NULL;
    begin(0, 1);
    world_pass(&world, 9);
    ck_assert_int_eq(split(0, 3), 0);
    world_pass(&world, 0.1);
    ck_assert_int_eq(world.attempts[0].cancel_reason, SHARD_CANCEL_SPLIT);
    ck_assert_int_eq(view_of(2).state, SHARD_TASK_DONE);
    ck_assert_int_eq(view_of(2).unit_end, 4);
    finish(4);
}
END_TEST

START_TEST(what_leaves_nothing_done_is_done_anew_in_parts_and_nobody_is_blamed)
{
    unit_seconds[0] = 0;
    world.executor.shrink = NULL;
    begin(0, 1);
    world_pass(&world, 0.5);
    ck_assert_int_eq(split(0, 4), 0);
    world_pass(&world, 0.1);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_SPLIT);
    ck_assert_int_eq(view_of(2).unit_begin, 0);
    ck_assert_int_eq(view_of(5).unit_end, 20);
    finish(6);
}
END_TEST

static void resume(void)
{
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
}

START_TEST(a_process_that_dies_between_the_executors_answer_and_the_record_loses_nothing)
{
    shrinks = WORLD_SHRINKS_LATE;
    begin(0, 1);
    world_pass(&world, 9);
    ck_assert_int_eq(split(0, 3), 0);
    world_settle(&world);
    ck_assert_int_eq(world.attempts[0].units_kept, 9);
    resume();
    world_pass(&world, 1);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_RUNNING);
    if (_i == 1) { /* asked again, the executor is asked for the same depth */
        ck_assert_int_eq(split(0, 3), 0);
        world_pass(&world, 1);
        ck_assert_int_eq(world.attempts[0].depth, 1);
        ck_assert_int_eq(view_of(0).state, SHARD_TASK_SPLIT);
    }
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(what_goes_on_after_a_split_is_found_again_as_it_was_started)
{
    begin(_i, 1);
    world_pass(&world, 5);
    ck_assert_int_eq(split(0, 2), 0);
    world_pass(&world, 2);
    ck_assert_int_eq(split(2, 2), 0);
    world_pass(&world, 0.5);
    resume();
    world_pass(&world, 0.5);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_ADOPTED], 3);
    ck_assert_int_eq(split(4, 2), 0);
    world_pass(&world, 0.5);
    ck_assert_int_eq(world.attempts[0].depth, 3);
    resume();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}
END_TEST

START_TEST(attempts_that_go_on_in_a_subtask_count_once_also_after_a_resume)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    begin(0, 1);
    world_pass(&world, 5);
    ck_assert_int_eq(split(0, 2), 0);
    world_settle(&world);
    world.attempts[0].plan.outcome =
        SHARD_OUTCOME_TASK_ERROR; /* what went on in the subtask fails, and is tried again */
    world_pass(&world, 20);
    ck_assert_int_eq(world.attempts[0].outcome, SHARD_OUTCOME_TASK_ERROR);
    resume();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
    ck_assert_int_eq(info.attempts, world.attempt_count);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_TASK_ERROR], 1);
}
END_TEST

START_TEST(splits_go_no_deeper_than_names_are_made_for)
{
    struct shard_run_info info = {.struct_size = sizeof(info)};
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .name = "t", .units = INT64_MAX};
    char name[512];
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(shard_engine_host_drain(world.engine, i), 0);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_settle(&world);
    int levels = 0, status;
    for (shard_task_id task = 0; (status = split(task, 2)) == 0 && levels < 100; levels++) {
        world_settle(&world);
        ck_assert_int_eq(shard_engine_run(world.engine, world.runs[run].id, &info), 0);
        task = info.task_count - 2; /* the first of the two */
    }
    ck_assert_int_eq(status, SHARD_ELIMIT);
    ck_assert_int_eq(levels, 60);
    /* "t" and "/0" for each level. */
    ck_assert_int_eq(shard_engine_task_name(world.engine, world.runs[run].id, info.task_count - 2, name, sizeof(name)),
                     1 + 2 * levels);
    ck_assert_int_eq((int)strlen(name), 1 + 2 * levels);
}
END_TEST

/* ---- replicas ---- */

static void replicate(int host, int has_merge)
{
    review_answer.kind = SHARD_DECIDE_REPLICATE;
    review_answer.host = host;
    begin(has_merge, 1); /* a merge step is for parts, not for replicas */
    world_pass(&world, 8.5);
}

START_TEST(the_first_of_two_replicas_is_enough_and_the_other_is_cancelled)
{
    unit_seconds[2] = _i < 2 ? 0.5 : 20;
    replicate(2, _i % 2);
    ck_assert_int_eq(view_of(0).state, SHARD_TASK_SPLIT);
    ck_assert_int_eq(view_of(2).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(view_of(3).state, SHARD_TASK_RUNNING);
    ck_assert_int_eq(view_of(3).host, 2);
    world_explains(&world, run, 0, "the first of two replicas");
    ck_assert_int_eq(split(2, 2), SHARD_ESTATE);
    assert_message_has("replica");
    finish(3);
    int slow = _i < 2 ? 0 : 1;
    ck_assert_int_eq(world.attempts[slow].cancels, 1);
    ck_assert_int_eq(view_of(0).host, slow == 0 ? 2 : 0);
    struct shard_host_view host = {.struct_size = sizeof(host)};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(shard_engine_host(world.engine, i, &host), 0);
        ck_assert_int_eq(host.failures, 0);
    }
}
END_TEST

START_TEST(a_replica_that_fails_leaves_the_task_to_the_other)
{
    outcome_on[_i < 2 ? 1 : 0] = SHARD_OUTCOME_TASK_ERROR;
    unit_seconds[1] = _i < 2 ? 0.1 : 20;
    replicate(1, _i % 2);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.attempt_count, 3);
    ck_assert_int_eq(view_of(_i < 2 ? 3 : 2).state, SHARD_TASK_CANCELLED);
    ck_assert_int_eq(view_of(_i < 2 ? 3 : 2).failures[SHARD_OUTCOME_TASK_ERROR], 1);
}
END_TEST

START_TEST(when_both_replicas_fail_the_last_is_tried_again)
{
    outcome_on[0] = outcome_on[1] = SHARD_OUTCOME_TASK_ERROR;
    replicate(1, 0);
    world_pass(&world, 20);
    outcome_on[0] = outcome_on[1] = SHARD_OUTCOME_NONE;
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.attempt_count, 4);
}
END_TEST

START_TEST(replicas_are_found_again_and_the_one_that_is_too_many_is_ended)
{
    unit_seconds[1] = 0.5;
    replicate(1, 0);
    resume();
    world_pass(&world, 1);
    ck_assert_int_eq(world.by_event[SHARD_EVENT_ATTEMPT_ADOPTED], 2);
    world.attempts[0].plan.ignores_cancel = 1;
    while (view_of(0).state != SHARD_TASK_DONE)
        ck_assert_int_eq(world_turn(&world), 1);
    world_settle(&world);
    ck_assert_int_eq(view_of(2).state, SHARD_TASK_RUNNING); /* told to end */
    ck_assert_int_eq(world.attempts[0].cancels, 1);
    resume();
    world_pass(&world, 1);
    ck_assert_int_eq(world.attempts[0].cancels, 2);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world.attempt_count, 3);
}
END_TEST

START_TEST(a_replica_that_was_cancelled_does_not_cancel_the_run_when_it_is_resumed)
{
    outcome_on[1] = SHARD_OUTCOME_TASK_ERROR;
    unit_seconds[1] = 0.01;
    replicate(1, 0);
    world_pass(&world, 1);
    ck_assert_int_eq(view_of(3).state, SHARD_TASK_CANCELLED);
    resume();
    finish(3);
}
END_TEST

START_TEST(a_cancelled_run_ends_with_both_replicas)
{
    replicate(1, 0);
    ck_assert_int_eq(shard_engine_cancel(world.engine, world.runs[run].id), 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_CANCELLED);
    ck_assert_int_eq(world_live_attempts(&world), 0);
}
END_TEST

START_TEST(decisions_for_running_tasks_that_break_a_rule_are_refused_and_logged)
{
    static const struct shard_decision rubbish[] = {
        {.kind = SHARD_DECIDE_REPLICATE, .host = 77},     {.kind = SHARD_DECIDE_REPLICATE, .host = -1},
        {.kind = SHARD_DECIDE_REPLICATE, .host = 0},      {.kind = SHARD_DECIDE_SPLIT, .parts = 0},
        {.kind = SHARD_DECIDE_SPLIT, .parts = 1},         {.kind = SHARD_DECIDE_SPLIT, .parts = 1000000000},
        {.kind = SHARD_DECIDE_SPLIT, .parts = -5},        {.kind = SHARD_DECIDE_SPLIT, .parts = 2, .keep_units = -1},
        {.kind = SHARD_DECIDE_MOVE, .host = 77},          {.kind = SHARD_DECIDE_MOVE, .host = 0},
        {.kind = SHARD_DECIDE_START, .host = 1},          {.kind = SHARD_DECIDE_GIVE_UP},
        {.kind = (enum shard_decision_kind)99},           {.kind = SHARD_DECIDE_ESCALATE, .memory_bytes = INT64_MIN},
        {.kind = SHARD_DECIDE_SPLIT, .parts = INT32_MIN},
    };
    review_answer = rubbish[_i];
    review_answer.struct_size = sizeof(review_answer);
    review_answer.p_fail = review_answer.value = review_answer.expected_seconds = __builtin_nan("");
    begin(0, 1);
    world_pass(&world, 9);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 1);
    finish(2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rest");
    TCase *tcase = tcase_create("rest");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_rest_of_a_running_task_goes_to_others_and_its_attempt_runs_on, 0, 2);
    tcase_add_test(tcase, a_policy_splits_the_rest_and_says_what_is_kept);
    tcase_add_loop_test(tcase, an_attempt_may_be_shared_out_again_and_again, 0, 2);
    tcase_add_test(tcase, a_split_of_what_runs_is_refused_when_it_cannot_be);
    tcase_add_loop_test(tcase, an_executor_that_does_not_shrink_leaves_the_task_as_it_is, 0, 2);
    tcase_add_loop_test(tcase, what_cannot_stop_at_a_unit_is_cancelled_and_what_it_leaves_done_is_kept, 0, 2);
    tcase_add_test(tcase, what_leaves_nothing_done_is_done_anew_in_parts_and_nobody_is_blamed);
    tcase_add_loop_test(tcase, a_process_that_dies_between_the_executors_answer_and_the_record_loses_nothing, 0, 2);
    tcase_add_test(tcase, splits_go_no_deeper_than_names_are_made_for);
    tcase_add_test(tcase, attempts_that_go_on_in_a_subtask_count_once_also_after_a_resume);
    tcase_add_loop_test(tcase, what_goes_on_after_a_split_is_found_again_as_it_was_started, 0, 2);
    tcase_add_loop_test(tcase, the_first_of_two_replicas_is_enough_and_the_other_is_cancelled, 0, 4);
    tcase_add_loop_test(tcase, a_replica_that_fails_leaves_the_task_to_the_other, 0, 4);
    tcase_add_test(tcase, when_both_replicas_fail_the_last_is_tried_again);
    tcase_add_test(tcase, replicas_are_found_again_and_the_one_that_is_too_many_is_ended);
    tcase_add_test(tcase, a_replica_that_was_cancelled_does_not_cancel_the_run_when_it_is_resumed);
    tcase_add_test(tcase, a_cancelled_run_ends_with_both_replicas);
    tcase_add_loop_test(tcase, decisions_for_running_tasks_that_break_a_rule_are_refused_and_logged, 0, 15);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
