/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: what it takes, what it refuses and how it says so. */

#include <float.h>
#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static shard_builder *builder;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    builder = new_builder(context);
}

static void teardown(void)
{
    shard_builder_free(builder);
    tracked_context_free(&tracked, context);
}

static struct shard_task_spec named(const char *name)
{
    return (struct shard_task_spec){.struct_size = sizeof(struct shard_task_spec), .name = name};
}

static void assert_refused(const struct shard_task_spec *spec, int code, const char *text)
{
    ck_assert_int_eq(shard_builder_add_task(builder, spec), code);
    ck_assert_int_eq(last_code(), code);
    assert_message_has(text);
    ck_assert_int_eq(shard_builder_find_task(builder, "next"), SHARD_ENOENT);
}

START_TEST(ids_count_from_zero_in_the_order_of_adding)
{
    ck_assert_int_eq(add_task(builder, "b"), 0);
    ck_assert_int_eq(add_task(builder, "a"), 1);
    ck_assert_int_eq(shard_builder_add_data(builder, "b", 1), 0);
    ck_assert_int_eq(shard_builder_find_task(builder, "a"), 1);
    ck_assert_int_eq(shard_builder_find_data(builder, "b"), 0);
    ck_assert_int_eq(shard_builder_find_data(builder, "a"), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_find_task(builder, NULL), SHARD_ENOENT);
}
END_TEST

START_TEST(a_task_without_a_name_is_called_by_its_number)
{
    add_task(builder, "first");
    add_task(builder, NULL);
    add_task(builder, "");
    ck_assert_int_eq(shard_builder_find_task(builder, "t1"), 1);
    ck_assert_int_eq(shard_builder_find_task(builder, "t2"), 2);
    ck_assert_int_eq(shard_builder_find_task(builder, "t0"), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_find_task(builder, "t01"), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_find_task(builder, "t3"), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_find_task(builder, "t99999999999"), SHARD_ENOENT);
}
END_TEST

START_TEST(a_name_given_never_meets_an_automatic_one)
{
    struct shard_task_spec spec = named("t2");
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
    add_task(builder, NULL);
    spec = named("t1");
    assert_refused(&spec, SHARD_EEXIST, "task 2, 't1': the name is task 1's already");
    spec = named(NULL);
    assert_refused(&spec, SHARD_EEXIST, "'t2': the name is task 0's already");
    spec = named("t3");
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 2);
    ck_assert_int_eq(add_task(builder, "t9"), 3);
}
END_TEST

START_TEST(two_tasks_of_one_name_are_refused)
{
    struct shard_task_spec spec = named("same");
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
    assert_refused(&spec, SHARD_EEXIST, "'same'");
    ck_assert_int_eq(shard_builder_add_data(builder, "same", -1), 0);
    ck_assert_int_eq(shard_builder_add_data(builder, "same", -1), SHARD_EEXIST);
    assert_message_has("data 'same'");
}
END_TEST

START_TEST(names_have_no_control_characters_and_are_utf8)
{
    static const char *const bad[] = {"a\nb",
                                      "a\x7f",
                                      "\x01",
                                      "tab\there",
                                      "c1\xc2\x85",
                                      "\xff",
                                      "cut\xe2\x82",
                                      "overlong\xc0\xaf",
                                      "surrogate\xed\xa0\x80",
                                      "high\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct shard_task_spec spec = named(bad[i]);
        assert_refused(&spec, SHARD_EINVAL, "task 0");
        spec = named("next");
        spec.kind = bad[i];
        assert_refused(&spec, SHARD_EINVAL, "task 0, 'next': kind name");
        ck_assert_int_eq(shard_builder_add_data(builder, bad[i], 1), SHARD_EINVAL);
        shard_builder *other = NULL;
        ck_assert_int_eq(shard_builder_new(context, bad[i], &other), SHARD_EINVAL);
        ck_assert_ptr_null(other);
    }
    ck_assert_int_eq(shard_builder_add_data(builder, NULL, 1), SHARD_EINVAL);
    ck_assert_int_eq(add_task(builder, "../\u00fc \U0001f600 \"'"), 0);
}
END_TEST

START_TEST(names_are_at_most_1024_bytes)
{
    char name[10001];
    memset(name, 'x', sizeof(name));
    name[10000] = '\0';
    struct shard_task_spec spec = named(name);
    assert_refused(&spec, SHARD_ELIMIT, "has 10000 bytes, expected at most 1024");
    spec = named("next");
    spec.kind = name;
    assert_refused(&spec, SHARD_ELIMIT, "kind");
    ck_assert_int_eq(shard_builder_add_data(builder, name, 1), SHARD_ELIMIT);
    name[1024] = '\0';
    ck_assert_int_eq(add_task(builder, name), 0);
}
END_TEST

START_TEST(whole_numbers_are_not_negative)
{
    struct shard_task_spec spec;
#define REFUSE(field)     \
    spec = named("next"); \
    spec.field = -1;      \
    assert_refused(&spec, SHARD_EINVAL, "task 0, 'next': " #field " is -1, expected 0 or more")
    REFUSE(cpu_millicores);
    REFUSE(memory_bytes);
    REFUSE(disk_bytes);
    REFUSE(max_attempts);
    REFUSE(units);
    REFUSE(min_units);
    REFUSE(parts);
#undef REFUSE
    spec = named("all");
    spec.cpu_millicores = spec.memory_bytes = spec.disk_bytes = INT64_MAX;
    spec.units = spec.min_units = INT64_MAX;
    spec.max_attempts = INT32_MAX;
    spec.priority = INT32_MIN;
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
}
END_TEST

START_TEST(seconds_are_finite_and_not_negative)
{
    static const double bad[] = {-1e-9, INFINITY, -INFINITY, DBL_MAX, 1.1e15};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct shard_task_spec spec = named("next");
        spec.expected_seconds = bad[i];
        assert_refused(&spec, SHARD_EINVAL, "expected_seconds is ");
        spec = named("next");
        spec.failure_cost_seconds = bad[i];
        assert_refused(&spec, SHARD_EINVAL, "failure_cost_seconds is ");
        spec = named("next");
        spec.timeout_seconds = bad[i];
        assert_refused(&spec, SHARD_EINVAL, "timeout_seconds is ");
    }
    struct shard_task_spec spec = named("next");
    spec.timeout_seconds = NAN;
    assert_refused(&spec, SHARD_EINVAL, "timeout_seconds is nan");
    spec = named("not known");
    spec.expected_seconds = NAN;
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
}
END_TEST

START_TEST(units_min_units_and_parts_fit_each_other)
{
    struct shard_task_spec spec = named("next");
    spec.parts = 2;
    assert_refused(&spec, SHARD_EINVAL, "parts is 2, expected at most units / min_units, 1");
    spec.units = 10;
    spec.min_units = 4;
    spec.parts = 3;
    assert_refused(&spec, SHARD_EINVAL, "parts is 3, expected at most units / min_units, 2");
    spec.min_units = 11;
    assert_refused(&spec, SHARD_EINVAL, "min_units is 11, expected at most its units, 10");
    spec.min_units = 3;
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
}
END_TEST

START_TEST(payloads_have_a_limit_and_are_there)
{
    struct shard_task_spec spec = named("next");
    spec.payload_bytes = 5;
    assert_refused(&spec, SHARD_EINVAL, "payload is missing, expected 5 bytes");
    spec.payload = "12345";
    spec.payload_bytes = SHARD_MAX_PAYLOAD_BYTES + (size_t)1;
    assert_refused(&spec, SHARD_ELIMIT, "payload has 16777217 bytes, expected at most 16777216");
}
END_TEST

START_TEST(a_spec_of_another_length_is_taken_when_its_tail_is_zero)
{
    struct {
        struct shard_task_spec spec;
        int64_t more;
    } longer = {.spec = {.struct_size = sizeof(longer), .name = "longer"}};
    ck_assert_int_eq(shard_builder_add_task(builder, &longer.spec), 0);
    longer.more = 1;
    assert_refused(&longer.spec, SHARD_EVERSION, "task spec");
    struct shard_task_spec spec = named("next");
    spec.struct_size = 0;
    assert_refused(&spec, SHARD_EINVAL, "struct_size is not set");
    ck_assert_int_eq(shard_builder_add_task(builder, NULL), SHARD_EINVAL);
    spec = named("shorter");
    spec.struct_size = offsetof(struct shard_task_spec, kind);
    spec.kind = "not looked at";
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 1);
}
END_TEST

START_TEST(edges_are_between_tasks_that_are_there)
{
    add_task(builder, "a");
    add_task(builder, "b");
    ck_assert_int_eq(shard_builder_add_edge(builder, 0, 2), SHARD_ENOENT);
    assert_message_has("there is no task 2, expected 0 to 1");
    ck_assert_int_eq(shard_builder_add_edge(builder, -1, 1), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_add_edge(builder, 1, 1), SHARD_ECYCLE);
    assert_message_has("b -> b");
    ck_assert_int_eq(shard_builder_add_edge(builder, 0, 1), 0);
}
END_TEST

START_TEST(data_has_one_producer)
{
    add_task(builder, "a");
    add_task(builder, "b");
    shard_data_id data = shard_builder_add_data(builder, "file", -7);
    ck_assert_int_eq(shard_builder_add_output(builder, 0, data), 0);
    ck_assert_int_eq(shard_builder_add_output(builder, 0, data), 0);
    ck_assert_int_eq(shard_builder_add_output(builder, 1, data), SHARD_EEXIST);
    assert_message_has("task 'b' writes data 'file', which task 'a' writes already");
    ck_assert_int_eq(shard_builder_add_output(builder, 1, 1), SHARD_ENOENT);
    assert_message_has("there is no data 1");
    ck_assert_int_eq(shard_builder_add_input(builder, 2, data), SHARD_ENOENT);
    ck_assert_int_eq(shard_builder_add_input(builder, 1, -1), SHARD_ENOENT);
}
END_TEST

START_TEST(a_sealed_builder_takes_no_more)
{
    shard_workflow *workflow = NULL;
    add_task(builder, "a");
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    struct shard_task_spec spec = named("b");
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), SHARD_ESTATE);
    ck_assert_int_eq(shard_builder_add_edge(builder, 0, 0), SHARD_ESTATE);
    ck_assert_int_eq(shard_builder_add_data(builder, "d", 1), SHARD_ESTATE);
    ck_assert_int_eq(shard_builder_add_input(builder, 0, 0), SHARD_ESTATE);
    ck_assert_int_eq(shard_builder_add_output(builder, 0, 0), SHARD_ESTATE);
    shard_workflow *again = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &again), SHARD_ESTATE);
    ck_assert_ptr_null(again);
    ck_assert_int_eq(shard_builder_find_task(builder, "a"), SHARD_ENOENT);
    shard_workflow_unref(workflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("builder");
    TCase *tests = tcase_create("builder");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, ids_count_from_zero_in_the_order_of_adding);
    tcase_add_test(tests, a_task_without_a_name_is_called_by_its_number);
    tcase_add_test(tests, a_name_given_never_meets_an_automatic_one);
    tcase_add_test(tests, two_tasks_of_one_name_are_refused);
    tcase_add_test(tests, names_have_no_control_characters_and_are_utf8);
    tcase_add_test(tests, names_are_at_most_1024_bytes);
    tcase_add_test(tests, whole_numbers_are_not_negative);
    tcase_add_test(tests, seconds_are_finite_and_not_negative);
    tcase_add_test(tests, units_min_units_and_parts_fit_each_other);
    tcase_add_test(tests, payloads_have_a_limit_and_are_there);
    tcase_add_test(tests, a_spec_of_another_length_is_taken_when_its_tail_is_zero);
    tcase_add_test(tests, edges_are_between_tasks_that_are_there);
    tcase_add_test(tests, data_has_one_producer);
    tcase_add_test(tests, a_sealed_builder_takes_no_more);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
