/* SPDX-License-Identifier: Apache-2.0 */
/* What staging takes between two volumes is learned: a latency and a bandwidth. */

#include <math.h>

#include "cluster/paths.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;
static struct shard__paths paths;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    paths = (struct shard__paths){0};
}

static void teardown(void)
{
    shard__paths_free(&paths, context);
    tracked_context_free(&tracked, context);
}

static void learn(double bytes, double seconds)
{
    shard__paths_learn(&paths, context, 1, 2, bytes, seconds);
}

static double ask(double bytes, double told)
{
    return shard__paths_seconds(&paths, 1, 2, bytes, told);
}

START_TEST(what_was_told_holds_until_something_was_brought)
{
    ck_assert_double_eq(ask(1e9, 7), 7);
    ck_assert(isnan(ask(1e9, (double)NAN)));
    learn(1e9, 20);
    ck_assert_double_eq_tol(ask(1e9, (double)NAN), 20, 1e-6);
    ck_assert_double_eq_tol(ask(2e9, (double)NAN), 40, 1e-6);
    ck_assert_double_gt(ask(1e9, 7), 7);
    ck_assert_double_lt(ask(1e9, 7), 20);
    for (int i = 0; i < 50; i++)
        learn(1e9, 20);
    ck_assert_double_gt(ask(1e9, 7), 18);
    ck_assert(isnan(shard__paths_seconds(&paths, 2, 1, 1e9, (double)NAN))); /* the way back is another */
}
END_TEST

START_TEST(latency_is_told_from_bandwidth)
{
    for (int i = 0; i < 40; i++) {
        double bytes = 1e6 * (1 + i % 7 * 100);
        learn(bytes, 3 + bytes / 1e8);
    }
    ck_assert_double_eq_tol(ask(1e6, (double)NAN), 3.01, 0.01);
    ck_assert_double_eq_tol(ask(1e9, (double)NAN), 13, 0.1);
}
END_TEST

START_TEST(the_newest_count_most)
{
    for (int i = 0; i < 50; i++)
        learn(1e8, 1);
    for (int i = 0; i < 50; i++)
        learn(1e8, 10);
    ck_assert_double_gt(ask(1e8, (double)NAN), 8);
}
END_TEST

START_TEST(larger_data_never_takes_less_and_nothing_takes_less_than_no_time)
{
    learn(1e6, 10);
    learn(1e9, 1);
    ck_assert_double_ge(ask(2e9, (double)NAN), ask(1e6, (double)NAN));
    learn(1e3, 0);
    learn(1e9, 1000);
    ck_assert_double_ge(ask(0, (double)NAN), 0);
}
END_TEST

START_TEST(rubbish_teaches_nothing)
{
    const double numbers[] = {(double)NAN, (double)INFINITY, -1, 1e300};
    for (int i = 0; i < 4; i++) {
        learn(numbers[i], 1);
        learn(1, numbers[i]);
    }
    shard__paths_learn(&paths, context, -1, 2, 1, 1);
    ck_assert_int_eq(paths.count, 0);
    learn(0, 2);
    ck_assert_double_eq(ask(1e9, (double)NAN), 2);
    ck_assert_double_eq(ask((double)NAN, (double)NAN), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paths");
    TCase *tcase = tcase_create("paths");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_told_holds_until_something_was_brought);
    tcase_add_test(tcase, latency_is_told_from_bandwidth);
    tcase_add_test(tcase, the_newest_count_most);
    tcase_add_test(tcase, larger_data_never_takes_less_and_nothing_takes_less_than_no_time);
    tcase_add_test(tcase, rubbish_teaches_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
