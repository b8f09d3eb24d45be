/* SPDX-License-Identifier: Apache-2.0 */
/* How many tasks share a launch, and what is learned of launches. */

#include <math.h>
#include <stddef.h>

#include <check.h>

#include <shard/policy.h>

#include "base/context.h"
#include "policy/launches.h"
#include "suite.h"

static struct shard__launch_ask small(void)
{
    return (struct shard__launch_ask){
        .launch_seconds = 2, .run_seconds = 1, .p_fail = NAN, .ready = 10000, .slots = 10};
}

START_TEST(a_launch_that_does_not_take_longer_than_the_task_is_not_shared)
{
    struct shard__launch_ask ask = small();
    ask.launch_seconds = _i == 0 ? 0 : _i == 1 ? 1 : (double)NAN;
    ck_assert_int_eq(shard__launches_with(&ask), 0);
}
END_TEST

START_TEST(as_many_share_it_as_make_it_a_tenth_of_the_time)
{
    struct shard__launch_ask ask = small();
    ck_assert_int_eq(shard__launches_with(&ask) + 1, 18); /* 2 seconds of 20 */
    ask.run_seconds = 0;
    ck_assert_int_eq(shard__launches_with(&ask), SHARD_MOST_WITH);
}
END_TEST

START_TEST(each_slot_gets_its_share_of_what_is_ready)
{
    struct shard__launch_ask ask = small();
    ask.ready = 55;
    ck_assert_int_eq(shard__launches_with(&ask) + 1, 5);
    ask.ready = 19;
    ck_assert_int_eq(shard__launches_with(&ask), 0);
    ask.slots = 0;
    ck_assert_int_eq(shard__launches_with(&ask), 0);
}
END_TEST

START_TEST(what_is_likely_to_fail_takes_few_along)
{
    struct shard__launch_ask ask = small();
    ask.p_fail = 0.25;
    ck_assert_int_eq(shard__launches_with(&ask) + 1, 4);
    ask.p_fail = 0.9;
    ck_assert_int_eq(shard__launches_with(&ask), 0);
}
END_TEST

START_TEST(a_mean_is_kept_for_each_kind)
{
    shard_context *context;
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    struct shard__launches launches = {.context = context};
    ck_assert(shard__launches_seconds(&launches, 3) == 0);
    shard__launches_learn(&launches, 3, 1);
    shard__launches_learn(&launches, 3, 3);
    shard__launches_learn(&launches, 3, 0); /* not known */
    shard__launches_learn(&launches, 3, NAN);
    shard__launches_learn(&launches, -1, 5);
    ck_assert(shard__launches_seconds(&launches, 3) == 2);
    ck_assert(shard__launches_seconds(&launches, 2) == 0);
    for (int i = 0; i < 200; i++)
        shard__launches_learn(&launches, 3, 10);
    ck_assert(fabs(shard__launches_seconds(&launches, 3) - 10) < 0.01);
    shard__launches_free(&launches);
    shard_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launches");
    TCase *tcase = tcase_create("launches");
    tcase_add_loop_test(tcase, a_launch_that_does_not_take_longer_than_the_task_is_not_shared, 0, 3);
    tcase_add_test(tcase, as_many_share_it_as_make_it_a_tenth_of_the_time);
    tcase_add_test(tcase, each_slot_gets_its_share_of_what_is_ready);
    tcase_add_test(tcase, what_is_likely_to_fail_takes_few_along);
    tcase_add_test(tcase, a_mean_is_kept_for_each_kind);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
