/* SPDX-License-Identifier: Apache-2.0 */
/* The heap, and the random numbers that it is tested with. */

#include "base/heap.h"
#include "base/random.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;
static struct shard__heap heap;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    heap = (struct shard__heap){0};
}

static void teardown(void)
{
    shard__heap_free(context, &heap);
    tracked_context_free(&tracked, context);
}

START_TEST(what_comes_out_is_sorted_and_equal_keys_keep_their_order)
{
    struct shard__random random;
    shard__random_seed(&random, 7);
    for (int i = 0; i < 5000; i++)
        if (shard__heap_push(context, &heap, (double)(shard__random_next(&random) % 100), i) != 0)
            ck_abort_msg("no memory");
    struct shard__heap_item before = shard__heap_pop(&heap);
    for (int i = 1; i < 5000; i++) {
        struct shard__heap_item item = shard__heap_pop(&heap);
        if (item.key < before.key || (item.key <= before.key && item.id < before.id))
            ck_abort_msg("%g of %d after %g of %d", item.key, item.id, before.key, before.id);
        before = item;
    }
    ck_assert_uint_eq(heap.count, 0);
}
END_TEST

START_TEST(order_holds_when_its_counter_wraps)
{
    heap.next_order = UINT32_MAX - 2;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(shard__heap_push(context, &heap, 1, i), 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(shard__heap_pop(&heap).id, i);
}
END_TEST

START_TEST(after_reserving_pushing_needs_no_memory)
{
    ck_assert_int_eq(shard__heap_reserve(context, &heap, 100), 0);
    long calls = tracked.calls;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(shard__heap_push(context, &heap, -i, i), 0);
    ck_assert_int_eq(tracked.calls, calls);
    ck_assert_int_eq(shard__heap_pop(&heap).id, 99);
}
END_TEST

/* The first numbers of xoshiro256** seeded by splitmix64 of 42, from the authors' public-domain C. */
START_TEST(the_same_seed_gives_the_same_numbers)
{
    struct shard__random random, other;
    shard__random_seed(&random, 42);
    ck_assert_uint_eq(random.state[0], UINT64_C(0xbdd732262feb6e95));
    ck_assert_uint_eq(shard__random_next(&random), UINT64_C(1546998764402558742));
    ck_assert_uint_eq(shard__random_next(&random), UINT64_C(6990951692964543102));
    shard__random_seed(&other, 43);
    ck_assert_uint_ne(shard__random_next(&random), shard__random_next(&other));
}
END_TEST

START_TEST(units_lie_in_0_to_1_and_are_spread)
{
    struct shard__random random;
    double sum = 0;
    shard__random_seed(&random, 0);
    for (int i = 0; i < 100000; i++) {
        double unit = shard__random_unit(&random);
        if (!(unit >= 0 && unit < 1))
            ck_abort_msg("%g", unit);
        sum += unit;
    }
    ck_assert_double_eq_tol(sum / 100000, 0.5, 0.01);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_comes_out_is_sorted_and_equal_keys_keep_their_order);
    tcase_add_test(tests, order_holds_when_its_counter_wraps);
    tcase_add_test(tests, after_reserving_pushing_needs_no_memory);
    tcase_add_test(tests, the_same_seed_gives_the_same_numbers);
    tcase_add_test(tests, units_lie_in_0_to_1_and_are_spread);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
