/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a libcheck suite of the list of checks. */

#include "store_suite.h"

#include "store_checks.h"
#include "suite.h"

#define ENTRY(name) {#name, name},
const struct store_check store_checks[] = {STORE_CHECKS(ENTRY){NULL, NULL}};
#undef ENTRY

static struct store_subject *subjects_under_test;

/* libcheck names a test after its function, so each check gets one; _i is the number of the subject. */
#define TEST(check)                                                                                            \
    START_TEST(test_##check)                                                                                   \
    {                                                                                                          \
        const char *problem = store_check_run(&(struct store_check){#check, check}, &subjects_under_test[_i]); \
        ck_assert_msg(problem == NULL, "%s", problem);                                                         \
    }                                                                                                          \
    END_TEST
STORE_CHECKS(TEST)
#undef TEST

int store_suite_run(struct store_subject *subjects, int count)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("store");
    subjects_under_test = subjects;
    tcase_set_timeout(tests, 60);
#define ADD(check) tcase_add_loop_test(tests, test_##check, 0, count);
    STORE_CHECKS(ADD)
#undef ADD
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
