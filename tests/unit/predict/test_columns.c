/* SPDX-License-Identifier: Apache-2.0 */
/* What the trainer takes columns for. */

#include <math.h>

#include "predict/columns.h"
#include "suite.h"

static shard_context *context;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_context_free(context);
}

/* A column of that name: the hours of rows that start `step` hours after each other. */
static struct shard__column profile_of_hours(const char *name, double step)
{
    enum { ROWS = 1000 };
    static float hours[ROWS];
    static int32_t ids[ROWS];
    struct shard__column column;
    for (int i = 0; i < ROWS; i++) {
        hours[i] = (float)fmod(i * step, 24);
        ids[i] = i;
    }
    struct shard__rows rows = {.values = hours, .columns = 1, .ids = ids, .count = ROWS};
    ck_assert_int_eq(shard__columns_profile(context, &rows, &name, &column), 0);
    return column;
}

START_TEST(a_clock_is_steady_once_it_has_gone_round_often)
{
    struct shard__column of_two_days = profile_of_hours("hour", 0.06);
    struct shard__column of_weeks = profile_of_hours("hour", 1.03);
    ck_assert(!shard__column_is_steady(&of_two_days, 0.4));
    ck_assert(shard__column_is_steady(&of_weeks, 0.4));
}
END_TEST

START_TEST(other_columns_are_steady_as_long_as_they_drift_less_than_the_limit)
{
    struct shard__column of_two_days = profile_of_hours("load", 0.06);
    ck_assert(of_two_days.drift > 0.05);
    ck_assert(shard__column_is_steady(&of_two_days, 0.4));
    ck_assert(!shard__column_is_steady(&of_two_days, 0.05));
}
END_TEST

START_TEST(an_identity_is_never_steady)
{
    struct shard__column column = profile_of_hours("user_id", 1.03);
    ck_assert(!shard__column_is_steady(&column, 0.4));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("columns");
    TCase *tests = tcase_create("columns");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_clock_is_steady_once_it_has_gone_round_often);
    tcase_add_test(tests, other_columns_are_steady_as_long_as_they_drift_less_than_the_limit);
    tcase_add_test(tests, an_identity_is_never_steady);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
