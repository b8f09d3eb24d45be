/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios: the files that come with the project are good, and what contradicts itself is refused with its place. */

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <shard/sim.h>

#include "suite.h"

static shard_context *context;

static void begin(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void end(void)
{
    shard_context_free(context);
}

static const struct {
    const char *text, *message;
    int code;
} bad[] = {
    {"", "t:1:1", SHARD_EPARSE},
    {"[]", "t:1:1", SHARD_EPARSE},
    {"{}", "name is missing", SHARD_EINVAL},
    {"{\"name\": \"a\", \"colour\": 1}", "key 'colour' is not known here", SHARD_EINVAL},
    {"{\"name\": \"a\",\n \"hosts\": {\"count\": 0}}", "t:2:21: /hosts/count", SHARD_EINVAL},
    {"{\"name\": \"a\", \"hosts\": {\"slots\": 1.5}}", "/hosts/slots", SHARD_EINVAL},
    {"{\"name\": \"a\", \"hosts\": {\"memory\": \"0 MB\"}}", "/hosts/memory", SHARD_EINVAL},
    {"{\"name\": \"a\", \"hosts\": {\"speed_min\": 2, \"speed_max\": 1}}", "speed_min 2 is above speed_max 1",
     SHARD_EINVAL},
    {"{\"name\": \"a\", \"hosts\": {\"volumes\": \"mine\"}}", "'mine' is not known here", SHARD_EINVAL},
    {"{\"name\": \"a\", \"tasks\": {\"noise\": -1}}", "noise is -1, expected 0 to 2", SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{}]}", "/sickness/0: kind is missing", SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{\"kind\": \"tired\"}]}", "/sickness/0/kind", SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{\"kind\": \"slow\", \"speed\": 1}]}", "a slow host has a speed below 1",
     SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{\"kind\": \"flapping\", \"well_seconds\": 0}]}", "well_seconds above 0",
     SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{\"kind\": \"disk\", \"fail_from\": 0.9, \"fail_to\": 0.1}]}",
     "fail_from 0.9 is after fail_to 0.1", SHARD_EINVAL},
    {"{\"name\": \"a\", \"sickness\": [{\"kind\": \"disk\", \"share\": 0.6}, {\"kind\": \"memory\", \"share\": 0.6}]}",
     "/sickness/1: the shares of the sicknesses add up to 1.2", SHARD_EINVAL},
    {"{\"name\": \"a\", \"preemption\": {}}", "/preemption: mean_seconds is missing", SHARD_EINVAL},
    {"{\"name\": \"a\", \"rack_outage\": {\"down_seconds\": 3}}", "/rack_outage: mean_seconds is missing",
     SHARD_EINVAL},
    {"{\"name\": \"a\", \"load\": {\"mean\": 0}}", "/load: mean is missing, or 0", SHARD_EINVAL},
    {"{\"name\": \"a\", \"samples\": {\"seconds\": 0}}", "/samples/seconds", SHARD_EINVAL},
};

START_TEST(what_is_wrong_with_a_scenario_is_said_with_its_place)
{
    shard_scenario *scenario = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    int code = shard_scenario_parse(context, bad[_i].text, strlen(bad[_i].text), "t", &scenario);
    ck_assert_int_eq(shard_error_copy(&error), code);
    ck_assert_msg(code == bad[_i].code && strstr(error.message, bad[_i].message) != NULL, "%d: %s", code,
                  error.message);
    ck_assert_ptr_null(scenario);
}
END_TEST

START_TEST(a_scenario_needs_no_more_than_a_name)
{
    static const char text[] = "{\"name\": \"plain\"}";
    shard_scenario *scenario = NULL;
    ck_assert_int_eq(shard_scenario_parse(context, text, strlen(text), NULL, &scenario), 0);
    shard_scenario_free(scenario);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tests = tcase_create("scenario");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_loop_test(tests, what_is_wrong_with_a_scenario_is_said_with_its_place, 0,
                        (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tests, a_scenario_needs_no_more_than_a_name);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
