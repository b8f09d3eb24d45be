/* SPDX-License-Identifier: Apache-2.0 */
/* The suite itself under test: a store that breaks a rule is seen by the check of that rule. */

#include <stdio.h>
#include <string.h>

#include "store_mutant.h"
#include "store_suite.h"
#include "suite.h"

struct described {
    const char *name;
    const char *check;
};

static const struct described mutations[] = {
#define DESCRIBE(name, check) {#name, check},
    STORE_MUTATIONS(DESCRIBE)
#undef DESCRIBE
};

static int open_mutant(struct store_subject *subject, shard_context *context, struct shard_store_handle *ret_store)
{
    return store_mutant_open(subject, context, *(const enum store_mutation *)subject->self, ret_store);
}

START_TEST(a_store_that_breaks_a_rule_is_seen)
{
    enum store_mutation mutation = (enum store_mutation)_i;
    struct store_subject subject = {.name = mutations[_i].name, .open = open_mutant, .self = &mutation, .keeps_all = 1};
    const char *expected = mutations[_i].check;
    for (const struct store_check *check = store_checks; check->name != NULL; check++) {
        if (expected != NULL && strcmp(check->name, expected) != 0)
            continue;
        const char *problem = store_check_run(check, &subject);
        if (expected == NULL)
            ck_assert_msg(problem == NULL, "%s", problem);
        else
            ck_assert_msg(problem != NULL, "%s is not seen by %s", mutations[_i].name, check->name);
        if (expected != NULL)
            return;
    }
    ck_assert_msg(expected == NULL, "there is no check %s", expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store mutants");
    TCase *tests = tcase_create("mutants");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_store_that_breaks_a_rule_is_seen, 0, STORE_MUTATION_COUNT);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
