/* SPDX-License-Identifier: Apache-2.0 */
/* Memory goes through the context's allocator, with the sizes that were asked for. */

#include <stdint.h>
#include <string.h>

#include <shard/context.h>

#include "base/alloc.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

START_TEST(arrays_grow_and_keep_what_they_hold)
{
    int *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 10000; i++) {
        if (shard__grow(context, &items, &capacity, i + 1, sizeof(*items)) != 0)
            ck_abort_msg("no memory");
        items[i] = (int)i;
    }
    for (size_t i = 0; i < 10000; i++)
        if (items[i] != (int)i)
            ck_abort_msg("lost an item");
    ck_assert_uint_lt(capacity, 20000);
    size_t before = capacity;
    ck_assert_int_eq(shard__grow(context, &items, &capacity, 5, sizeof(*items)), 0);
    ck_assert_uint_eq(capacity, before);
    shard__release(context, items, capacity * sizeof(*items));
}
END_TEST

START_TEST(an_array_that_cannot_grow_stays_as_it_is)
{
    int *items = NULL;
    size_t capacity = 0;
    ck_assert_int_eq(shard__grow(context, &items, &capacity, 8, sizeof(*items)), 0);
    items[7] = 7;
    tracked.fail_at = tracked.calls + 1;
    ck_assert_int_eq(shard__grow(context, &items, &capacity, 9, sizeof(*items)), SHARD_ENOMEM);
    ck_assert_uint_eq(capacity, 8);
    ck_assert_int_eq(items[7], 7);
    ck_assert_int_eq(shard__grow(context, &items, &capacity, SIZE_MAX / 2, sizeof(*items)), SHARD_ENOMEM);
    ck_assert_uint_eq(capacity, 8);
    shard__release(context, items, capacity * sizeof(*items));
}
END_TEST

START_TEST(sizes_that_no_machine_has_are_refused)
{
    ck_assert_ptr_null(shard__realloc(context, NULL, 0, SIZE_MAX));
    struct shard_error error = {.struct_size = sizeof(error)};
    ck_assert_int_eq(shard_error_copy(&error), SHARD_ENOMEM);
}
END_TEST

START_TEST(what_is_handed_out_is_freed_by_the_caller)
{
    char *text = shard__handout(context, "hello", 6);
    ck_assert_str_eq(text, "hello");
    ck_assert_int_gt(tracked.live, 1);
    shard_free(context, text);
    shard_free(context, NULL);
}
END_TEST

START_TEST(strings_know_their_size)
{
    char *copy = shard__strdup(context, "copy");
    ck_assert_str_eq(copy, "copy");
    ck_assert_ptr_null(shard__strdup(context, NULL));
    shard__strfree(context, copy);
    shard__strfree(context, NULL);
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    static const char zero[100];
    char *bytes = shard__zalloc(context, sizeof(zero));
    ck_assert_mem_eq(bytes, zero, sizeof(zero));
    shard__release(context, bytes, sizeof(zero));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc");
    TCase *tests = tcase_create("alloc");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, arrays_grow_and_keep_what_they_hold);
    tcase_add_test(tests, an_array_that_cannot_grow_stays_as_it_is);
    tcase_add_test(tests, sizes_that_no_machine_has_are_refused);
    tcase_add_test(tests, what_is_handed_out_is_freed_by_the_caller);
    tcase_add_test(tests, strings_know_their_size);
    tcase_add_test(tests, zeroed_memory_is_zero);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
