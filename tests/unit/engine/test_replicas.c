/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy sees of tasks that have a replica or were split before, and that policies ask for nothing else. */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

enum { LONG_A, LONG_B, SHORT, AFTER_SHORT, LAST };

static const char *const policies[] = {
    "round_robin", "random_retry", "least_loaded",           "heft",
    "late",        "adaptive",     "exclude_after_failures", "best_without_prediction"};
static const char *const speculative[] = {"late", "adaptive", "best_without_prediction"};
enum { POLICIES = sizeof(policies) / sizeof(policies[0]) };

static struct world world;
static int run;
static struct shard_policy port;
static int seen; /* questions about replicas that answered as they should */

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = start->workflow_task == SHORT ? 10 : start->workflow_task == AFTER_SHORT ? 1 : 40;
}

static void check_view(const shard_view *view, shard_task_id task, shard_task_id replica)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)}, of_replica = of_task;
    struct shard_host_view host = {.struct_size = sizeof(host)};
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    ck_assert_int_eq(shard_view_task(view, replica, &of_replica), 0);
    ck_assert_int_eq(of_task.replica, replica);
    ck_assert_int_eq(of_replica.replica, task);
    ck_assert_int_eq(shard_view_host(view, of_replica.host, &host), 0);
    if (host.running == host.slots)
        return;
    ck_assert_int_eq(shard_view_admits(view, task, of_replica.host), 0);
    ck_assert_int_eq(shard_view_admits(view, AFTER_SHORT, of_replica.host), 1);
    seen++;
}

/* Once the second host is there, each of the long ones is to have a replica on it. */
static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)};
    (void)self;
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    if (shard_view_host_count(view) < 2 || (task != LONG_A && task != LONG_B))
        return 0;
    ck_assert_int_eq(of_task.replica, -1);
    ck_assert_int_eq(of_task.subtask_count, 0);
    ret_decision->kind = SHARD_DECIDE_REPLICATE;
    ret_decision->host = 1;
    return 0;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)};
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    if (of_task.replica >= 0)
        check_view(view, task, of_task.replica);
    return world.policy.port->place(self, view, task, ret_decision);
}

static void begin(const char *policy)
{
    world_init(&world, policy);
    world.plan = plan;
    port = *world.policy.port;
    port.place = place;
    port.review = review;
    world.config.policy.port = &port;
    seen = 0;
    world_add_host(&world, "a", 3000, 0, 3, 0);
    shard_builder *builder = new_builder(world.context);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .expected_seconds = 40};
    for (int i = LONG_A; i <= LAST; i++) {
        spec.cpu_millicores = i == SHORT ? 500 : 1000; /* so that it waits for itself */
        shard_builder_add_task(builder, &spec);
    }
    shard_builder_add_edge(builder, SHORT, AFTER_SHORT);
    shard_builder_add_edge(builder, LONG_A, LAST);
    shard_builder_add_edge(builder, LONG_B, LAST);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
}

/* Two of them for a slot: the second is to stay where it is not, though there is room where its other is. */
START_TEST(a_replica_is_not_placed_where_its_other_is_and_holds_up_no_task)
{
    begin(policies[_i]);
    world_pass(&world, 2);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    world_pass(&world, 7);
    int waits = world_state(&world, run, LAST + 2) == SHARD_TASK_READY ? LAST + 2 : LAST + 4;
    ck_assert_int_eq(world_state(&world, run, waits), SHARD_TASK_READY);
    world_pass(&world, 1.5); /* the short one is done: there is room */
    ck_assert_int_eq(world_state(&world, run, AFTER_SHORT), SHARD_TASK_RUNNING);
    ck_assert_int_eq(world_state(&world, run, waits), SHARD_TASK_READY);
    world_pass(&world, 2);
    world_explains(&world, run, waits, "host 'a': its replica is there");
    ck_assert_int_gt(seen, 0);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    world_free(&world);
}
END_TEST

/* The parts take as long as they should, a merge step much longer. */
static void plan_merge(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = start->is_merge && start->workflow_task == 0 ? 300 : 5;
}

static int watch(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)};
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    int status = world.policy.port->review(self, view, task, ret_decision);
    if (of_task.subtask_count == 0)
        return status;
    ck_assert_int_eq(of_task.subtask_count, 2);
    ck_assert(ret_decision->kind == SHARD_DECIDE_NOTHING || ret_decision->kind == SHARD_DECIDE_WAIT);
    seen += shard_view_now_ns(view) - of_task.started_ns > INT64_C(60000000000);
    return status;
}

START_TEST(no_second_attempt_is_asked_for_a_merge_step_though_it_is_slow)
{
    world_init(&world, speculative[_i]);
    world.plan = plan_merge;
    port = *world.policy.port;
    port.review = watch;
    world.config.policy.port = &port;
    seen = 0;
    struct shard_task_spec spec = {.expected_seconds = 10, .units = 100, .parts = 2, .has_merge = 1};
    run = world_begin_bag(&world, 6, 2, 12, spec);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_gt(seen, 0);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    world_free(&world);
}
END_TEST

static void plan_slow(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    plan->seconds = strcmp(start->host_name, "h5") == 0 || w->user != NULL ? 300 : 10;
}

START_TEST(second_attempts_that_were_asked_for_before_a_resume_are_not_asked_for_again)
{
    world_init(&world, speculative[_i]);
    world.plan = plan_slow;
    run = world_begin_bag(&world, 6, 2, 12, (struct shard_task_spec){.expected_seconds = 10});
    world_pass(&world, 15);
    world.user = &world; /* what is started from now on is slow everywhere: both attempts last */
    world_pass(&world, 60);
    int attempts = world.attempt_count;
    ck_assert_int_gt(attempts, 12);
    world_crash(&world);
    world_start(&world);
    world_resume(&world, run);
    world.user = NULL;
    shard_workflow *workflow = world.runs[run].workflow;
    world_finish(&world, world_submit(&world, workflow, "others", 1)); /* tells what is slow, and what is not */
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 0);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replicas");
    TCase *tcase = tcase_create("replicas");
    tcase_add_loop_test(tcase, a_replica_is_not_placed_where_its_other_is_and_holds_up_no_task, 0, POLICIES);
    tcase_add_loop_test(tcase, no_second_attempt_is_asked_for_a_merge_step_though_it_is_slow, 0, 3);
    tcase_add_loop_test(tcase, second_attempts_that_were_asked_for_before_a_resume_are_not_asked_for_again, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
