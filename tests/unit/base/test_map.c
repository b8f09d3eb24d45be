/* SPDX-License-Identifier: Apache-2.0 */
/* Hash tables against plain arrays, under random use. */

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/random.h"
#include "suite.h"
#include "tracked.h"

enum { KEYS = 300 };

static struct tracked tracked;
static shard_context *context;
static struct shard__random seeded;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    shard__random_seed(&seeded, 1);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

static void require(int holds)
{
    if (!holds)
        ck_abort_msg("does not hold");
}

static unsigned draw(unsigned below)
{
    return (unsigned)(shard__random_next(&seeded) % below);
}

/* Keys that lie in a row, that are far apart, and the largest. */
static uint64_t key_of(unsigned i)
{
    return i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)i << 40 : UINT64_MAX - 1 - i;
}

START_TEST(an_intmap_does_what_an_array_does)
{
    struct shard__intmap map = {0};
    int expected[KEYS];
    size_t count = 0;
    memset(expected, -1, sizeof(expected));
    for (int step = 0; step < 50000; step++) {
        unsigned i = draw(KEYS);
        switch (draw(3)) {
        case 0:
            count += expected[i] == -1;
            expected[i] = (int)draw(1000);
            require(shard__intmap_set(context, &map, key_of(i), expected[i]) == 0);
            break;
        case 1:
            count -= expected[i] != -1;
            expected[i] = -1;
            shard__intmap_remove(&map, key_of(i));
            break;
        default:
            require(shard__intmap_find(&map, key_of(i)) == expected[i]);
        }
        require(map.count == count);
    }
    for (unsigned i = 0; i < KEYS; i++)
        require(shard__intmap_find(&map, key_of(i)) == expected[i]);
    shard__intmap_free(context, &map);
}
END_TEST

START_TEST(an_empty_map_has_nothing)
{
    struct shard__intmap numbers = {0};
    struct shard__namemap names = {0};
    ck_assert_int_eq(shard__intmap_find(&numbers, 0), -1);
    shard__intmap_remove(&numbers, 0);
    ck_assert_int_eq(shard__namemap_find(&names, "", 0, NULL, NULL), -1);
    shard__intmap_free(context, &numbers);
    shard__namemap_free(context, &names);
}
END_TEST

START_TEST(a_map_without_memory_stays_as_it_is)
{
    struct shard__intmap map = {0};
    for (unsigned i = 0; i < 12; i++)
        ck_assert_int_eq(shard__intmap_set(context, &map, i, (int)i), 0);
    tracked.fail_at = tracked.calls + 1;
    ck_assert_int_eq(shard__intmap_set(context, &map, 12, 12), SHARD_ENOMEM);
    ck_assert_uint_eq(map.count, 12);
    ck_assert_int_eq(shard__intmap_find(&map, 12), -1);
    ck_assert_int_eq(shard__intmap_find(&map, 11), 11);
    shard__intmap_free(context, &map);
}
END_TEST

struct names {
    char text[1000][16];
};

static const char *name_of(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct names *names = owner;
    *ret_bytes = strlen(names->text[id]);
    return names->text[id];
}

START_TEST(a_namemap_finds_what_was_added_and_nothing_else)
{
    static struct names names;
    struct shard__namemap map = {0};
    for (int i = 0; i < 1000; i++) {
        snprintf(names.text[i], sizeof(names.text[i]), "%.*s%d", i % 5, "aaaaa", i);
        require(shard__namemap_find(&map, names.text[i], strlen(names.text[i]), name_of, &names) == -1);
        require(shard__namemap_add(context, &map, i, name_of, &names) == 0);
    }
    for (int i = 0; i < 1000; i++) {
        require(shard__namemap_find(&map, names.text[i], strlen(names.text[i]), name_of, &names) == i);
        require(shard__namemap_find(&map, names.text[i], strlen(names.text[i]) - 1, name_of, &names) != i);
    }
    ck_assert_uint_eq(map.count, 1000);
    shard__namemap_free(context, &map);
}
END_TEST

START_TEST(after_reserving_adding_needs_no_memory)
{
    static struct names names;
    struct shard__namemap map = {0};
    for (int i = 0; i < 100; i++) {
        snprintf(names.text[i], sizeof(names.text[i]), "%d", i);
        ck_assert_int_eq(shard__namemap_reserve(context, &map, name_of, &names), 0);
        long calls = tracked.calls;
        ck_assert_int_eq(shard__namemap_add(context, &map, i, name_of, &names), 0);
        ck_assert_int_eq(tracked.calls, calls);
    }
    shard__namemap_free(context, &map);
}
END_TEST

START_TEST(hashes_of_bytes_depend_on_each_of_them)
{
    char bytes[20] = "the same nineteen b";
    uint64_t hash = shard__hash_bytes(bytes, 19);
    for (int i = 0; i < 19; i++) {
        bytes[i] ^= 1;
        ck_assert_uint_ne(shard__hash_bytes(bytes, 19), hash);
        bytes[i] ^= 1;
    }
    ck_assert_uint_ne(shard__hash_bytes(bytes, 18), hash);
    ck_assert_uint_eq(shard__hash_bytes(bytes, 19), hash);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tests = tcase_create("map");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_intmap_does_what_an_array_does);
    tcase_add_test(tests, an_empty_map_has_nothing);
    tcase_add_test(tests, a_map_without_memory_stays_as_it_is);
    tcase_add_test(tests, a_namemap_finds_what_was_added_and_nothing_else);
    tcase_add_test(tests, after_reserving_adding_needs_no_memory);
    tcase_add_test(tests, hashes_of_bytes_depend_on_each_of_them);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
