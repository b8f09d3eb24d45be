/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of hosts that a policy would use, what it recalls of them, and how often the engine asks a policy. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "policy/pool.h"
#include "policy/recall.h"
#include "suite.h"
#include "tracked.h"
#include "world.h"

static struct tracked tracked;
static struct shard__pool pool;

static void begin(void)
{
    pool = (struct shard__pool){.context = tracked_context(&tracked, NULL, NULL)};
}

static void end(void)
{
    shard_context *context = pool.context;
    shard__pool_free(&pool);
    tracked_context_free(&tracked, context);
}

static void check_kind(int kind, int count, const int *hosts)
{
    const struct shard__pool_list *list = shard__pool_of(&pool, kind);
    ck_assert_ptr_nonnull(list);
    ck_assert_int_eq(list->count, count);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(list->hosts[i], hosts[i]);
}

static void check(int count, const int *hosts)
{
    check_kind(0, count, hosts);
}

START_TEST(a_host_is_in_the_pool_once_or_not_at_all)
{
    begin();
    check(0, NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(shard__pool_set(&pool, 7, 1), 0);
        ck_assert_int_eq(shard__pool_set(&pool, 2, 1), 0);
        ck_assert_int_eq(shard__pool_set(&pool, 0, 1), 0);
    }
    check(3, (const int[]){7, 2, 0});
    ck_assert_int_eq(shard__pool_set(&pool, 7, 0), 0);
    ck_assert_int_eq(shard__pool_set(&pool, 7, 0), 0);
    ck_assert_int_eq(shard__pool_set(&pool, 99, 0), 0);
    check(2, (const int[]){0, 2});
    ck_assert_int_eq(shard__pool_set(&pool, 7, 1), 0); /* the newest is the last */
    check(3, (const int[]){0, 2, 7});
    end();
}
END_TEST

START_TEST(hosts_are_given_when_their_time_has_come_and_once)
{
    const int64_t late = (INT64_C(1) << 61) + 12345; /* no double is that */
    begin();
    ck_assert(shard__pool_next_seconds(&pool, 0) == (double)INFINITY);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(shard__pool_wake(&pool, 4, late), 0);
    ck_assert_int_eq(shard__pool_wake(&pool, 5, 1000000), 0);
    ck_assert_int_eq(shard__pool_woken(&pool, 999999), -1);
    double seconds = shard__pool_next_seconds(&pool, 500000);
    ck_assert_double_ge(seconds, 0.0005);
    ck_assert_double_le(seconds, 0.00051);
    ck_assert_int_eq(shard__pool_woken(&pool, 500000 + (int64_t)(seconds * 1e9)), 5); /* not a moment too soon */
    ck_assert_int_eq(shard__pool_wake(&pool, 5, 1000001), 0);
    ck_assert_int_eq(shard__pool_woken(&pool, 1010000), 5);
    ck_assert_int_eq(shard__pool_woken(&pool, late - 1), -1);
    ck_assert_int_eq(shard__pool_woken(&pool, late + 10000), 4);
    ck_assert_int_eq(shard__pool_woken(&pool, INT64_MAX), -1);
    end();
}
END_TEST

START_TEST(a_host_that_a_kind_refused_stays_out_of_its_list_until_its_time_has_come)
{
    begin();
    for (int host = 0; host < 3; host++)
        ck_assert_int_eq(shard__pool_set(&pool, host, 1), 0);
    check_kind(1, 3, (const int[]){0, 1, 2});
    shard__pool_refuse(&pool, 0, 1, 0, 5000000);
    check_kind(1, 2, (const int[]){2, 1});
    check_kind(2, 3, (const int[]){0, 1, 2}); /* made later, and another kind's */
    shard__pool_refuse(&pool, 0, 3, 1000000, 9000000);
    check_kind(3, 2, (const int[]){1, 2});
    ck_assert_int_eq(shard__pool_set(&pool, 0, 0), 0); /* what comes and goes there does not change that */
    ck_assert_int_eq(shard__pool_set(&pool, 0, 1), 0);
    check_kind(1, 2, (const int[]){2, 1});
    ck_assert_int_eq(shard__pool_woken(&pool, 4999999), -1);
    ck_assert_int_eq(shard__pool_woken(&pool, 5010000), 0); /* for all kinds */
    ck_assert_int_eq(shard__pool_set(&pool, 0, 1), 0);
    check_kind(1, 3, (const int[]){2, 1, 0});
    check_kind(3, 3, (const int[]){1, 2, 0});
    ck_assert_int_eq(shard__pool_woken(&pool, INT64_MAX), -1);
    end();
}
END_TEST

START_TEST(without_memory_a_host_stays_out_and_that_is_told)
{
    begin();
    check(0, NULL);
    tracked.fail_at = tracked.calls + 1;
    ck_assert_int_eq(shard__pool_set(&pool, 3, 1), SHARD_ENOMEM);
    tracked.fail_at = tracked.calls + 1;
    ck_assert_int_eq(shard__pool_wake(&pool, 3, 5), SHARD_ENOMEM);
    check(0, NULL);
    ck_assert_int_eq(shard__pool_set(&pool, 3, 1), 0);
    check(1, (const int[]){3});
    end();
}
END_TEST

START_TEST(the_last_answer_about_a_host_is_recalled_for_its_group_of_tasks)
{
    const struct shard__recalled one = {.group = 3, .sort = 7, .at_ns = 5, .p_fail = 0.25};
    const struct shard__recalled other = {.group = 3 + SHARD__RECALL_GROUPS, .sort = 7, .p_fail = 0.5};
    struct shard__recall recall = {.context = tracked_context(&tracked, NULL, NULL)};
    ck_assert_ptr_null(shard__recall_find(&recall, 0, 3));
    tracked.fail_at = tracked.calls + 1;
    shard__recall_keep(&recall, 9, &one);
    ck_assert_ptr_null(shard__recall_find(&recall, 9, 3));
    shard__recall_keep(&recall, 9, &one);
    ck_assert_double_eq(shard__recall_find(&recall, 9, 3)->p_fail, 0.25);
    ck_assert_ptr_null(shard__recall_find(&recall, 9, 4));
    ck_assert_ptr_null(shard__recall_find(&recall, 9, other.group));
    ck_assert_ptr_null(shard__recall_find(&recall, 8, 3));
    ck_assert_ptr_null(shard__recall_find(&recall, 8, 0)); /* never answered, whatever the group */
    ck_assert_ptr_null(shard__recall_find(&recall, 10, 3));
    shard__recall_keep(&recall, 9, &other); /* takes its place */
    ck_assert_ptr_null(shard__recall_find(&recall, 9, 3));
    ck_assert_double_eq(shard__recall_find(&recall, 9, other.group)->p_fail, 0.5);
    shard__recall_free(&recall);
    tracked_context_free(&tracked, recall.context);
}
END_TEST

/* ---- asking ---- */

static int asked[8]; /* by task */

static int wants_later(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)self;
    (void)view;
    asked[task]++;
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->reason = SHARD_REASON_EXCLUDED;
    if (asked[0] < 3)
        return 0;
    ret_decision->kind = SHARD_DECIDE_START;
    ret_decision->host = 0;
    return 0;
}

START_TEST(where_a_fresh_task_is_not_wanted_those_that_ask_for_the_same_are_not_asked_about)
{
    static struct world world;
    const struct shard_policy port = {.struct_size = sizeof(port), .name = "later", .place = wants_later};
    memset(asked, 0, sizeof(asked));
    world_init(&world, NULL);
    world.policy = world.config.policy = (struct shard_policy_handle){&port, NULL};
    int run = world_begin_bag(&world, 1, 8, 8, (struct shard_task_spec){.cpu_millicores = 1});
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(asked[0], 3); /* again as time passes */
    for (int task = 1; task < 8; task++)
        ck_assert_int_eq(asked[task], 1); /* once it would start */
    world_free(&world);
}
END_TEST

static void takes_long(struct world *world, const struct shard_start *start, struct world_plan *plan)
{
    (void)world;
    (void)start;
    plan->seconds = 60;
}

static int64_t reviewed_ns[64];
static int review_count;

static int first_host(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)self;
    (void)view;
    (void)task;
    ret_decision->kind = SHARD_DECIDE_START;
    ret_decision->host = 0;
    return 0;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)self;
    (void)task;
    ck_assert_int_lt(review_count, 64);
    reviewed_ns[review_count++] = shard_view_now_ns(view);
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->wait_seconds = review_count % 2 == 0 ? 7 : 0;
    return 0;
}

START_TEST(a_running_task_is_not_reviewed_before_the_policy_wants_to)
{
    static struct world world;
    const struct shard_policy port = {
        .struct_size = sizeof(port), .name = "calm", .place = first_host, .review = review};
    review_count = 0;
    world_init(&world, NULL);
    world.policy = world.config.policy = (struct shard_policy_handle){&port, NULL};
    world.plan = takes_long;
    int run = world_begin_bag(&world, 1, 1, 1, (struct shard_task_spec){.cpu_millicores = 1});
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_gt(review_count, 4);
    for (int i = 1; i < review_count; i++) {
        ck_assert_int_ge(reviewed_ns[i] - reviewed_ns[i - 1], i % 2 == 0 ? 7000000000 : 900000000);
        ck_assert_int_le(reviewed_ns[i] - reviewed_ns[i - 1], i % 2 == 0 ? 8100000000 : 1100000000);
    }
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_add_test(tcase, a_host_is_in_the_pool_once_or_not_at_all);
    tcase_add_test(tcase, hosts_are_given_when_their_time_has_come_and_once);
    tcase_add_test(tcase, a_host_that_a_kind_refused_stays_out_of_its_list_until_its_time_has_come);
    tcase_add_test(tcase, without_memory_a_host_stays_out_and_that_is_told);
    tcase_add_test(tcase, the_last_answer_about_a_host_is_recalled_for_its_group_of_tasks);
    tcase_add_test(tcase, where_a_fresh_task_is_not_wanted_those_that_ask_for_the_same_are_not_asked_about);
    tcase_add_test(tcase, a_running_task_is_not_reviewed_before_the_policy_wants_to);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
