/* SPDX-License-Identifier: Apache-2.0 */
/* JSON below the formats: numbers to the last bit, strings, places, and keys by the hundred. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "tracked.h"
#include "workflow/json.h"

static struct tracked tracked;
static shard_context *context;
static struct shard_parse_report report;
static struct shard__json json;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

static int parse(const char *text)
{
    return shard__json_parse(&json, context, text, strlen(text), "text", &report);
}

START_TEST(numbers_are_the_nearest_double)
{
    static const char *const numbers[] = {"0",
                                          "-0.0",
                                          "1.5e3",
                                          "0.1",
                                          "123456789012345",
                                          "1234567890123456789",
                                          "9007199254740993",
                                          "9007199254740992.99999999999999999999",
                                          "1e22",
                                          "1e23",
                                          "4.9e-324",
                                          "2.4703282292062327e-324",
                                          "2.4703282292062328e-324",
                                          "2.2250738585072011e-308",
                                          "1.7976931348623157E+308",
                                          "1e-999999999999999999999",
                                          "0e999999999999999999999",
                                          "0.000000000000000000000000000000123456789e-5",
                                          "-12345.678e-3"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        double value = shard__json_number(numbers[i], strlen(numbers[i])), expected = strtod(numbers[i], NULL);
        ck_assert_msg(memcmp(&value, &expected, sizeof(value)) == 0, "%s is %.17g", numbers[i], value);
    }
    ck_assert(isinf(shard__json_number("1e999", 5)));
    ck_assert_double_eq(shard__json_number("1.5e39", 5), 1.5e3);
    ck_assert_double_eq(shard__json_number("159", 2), 15);
}
END_TEST

/* 2^53 + 1 lies between two doubles; a digit far behind the point decides. */
START_TEST(a_digit_beyond_all_others_still_counts)
{
    char number[3000];
    memset(number, '0', sizeof(number));
    memcpy(number, "9007199254740993.", 17);
    ck_assert_double_eq(shard__json_number(number, 2900), 9007199254740992.0);
    number[2899] = '1';
    ck_assert_double_eq(shard__json_number(number, 2900), 9007199254740994.0);
}
END_TEST

START_TEST(numbers_are_written_as_short_as_they_can_be_read)
{
    struct shard__bytes out;
    static const struct {
        double value;
        const char *text;
    } doubles[] = {{0.1, "0.1"},   {1.0 / 3, "0.3333333333333333"}, {1e300, "1e+300"},
                   {-2.5, "-2.5"}, {123456789, "123456789"},        {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        shard__bytes_init(&out, context);
        shard__json_put_double(&out, doubles[i].value);
        shard__bytes_append(&out, "", 1);
        ck_assert_str_eq(out.data, doubles[i].text);
        shard__bytes_free(&out);
    }
    shard__bytes_init(&out, context);
    shard__json_put_float(&out, 0.1F);
    shard__bytes_text(&out, " ");
    shard__json_put_float(&out, 16777216.0F);
    shard__bytes_append(&out, "", 1);
    ck_assert_str_eq(out.data, "0.1 16777216");
    shard__bytes_free(&out);
}
END_TEST

START_TEST(strings_are_decoded_and_written_again)
{
    ck_assert_int_eq(parse("[\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00z\"]"), 0);
    ck_assert_str_eq(shard__json_string(&json, 1), "a\"\\/\b\f\n\r\t\u00e9\u20ac\U0001f600z");
    struct shard__bytes out;
    shard__bytes_init(&out, context);
    shard__json_put_string(&out, shard__json_string(&json, 1));
    shard__bytes_append(&out, "", 1);
    ck_assert_str_eq(out.data, "\"a\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\u00e9\u20ac\U0001f600z\"");
    shard__bytes_free(&out);
    shard__json_free(&json);
}
END_TEST

START_TEST(places_are_in_characters_and_pointers_are_escaped)
{
    ck_assert_int_eq(parse("{\"\u00e9\": 1,\n \"a/b~c\": [0, {\"\u00e9\u00e9\": true}]}"), 0);
    uint32_t list = shard__json_member(&json, 0, "a/b~c");
    uint32_t object = json.nodes[list + 1].next;
    uint32_t value = shard__json_member(&json, object, "\u00e9\u00e9");
    ck_assert_int_eq(shard__json_fail(&json, value, SHARD_EINVAL, "wrong"), SHARD_EINVAL);
    ck_assert_str_eq(report.pointer, "/a~1b~0c/1/\u00e9\u00e9");
    ck_assert_int_eq(report.line, 2);
    ck_assert_int_eq(report.column, 22);
    ck_assert_uint_eq(shard__json_member(&json, 0, "absent"), 0);
    shard__json_free(&json);
}
END_TEST

START_TEST(a_pointer_that_is_too_long_is_cut)
{
    char text[2048];
    int length = snprintf(text, sizeof(text), "{\"%0600d\": {\"\u00e9\": 1}}", 1);
    ck_assert_int_gt(length, 600);
    ck_assert_int_eq(parse(text), 0);
    shard__json_fail(&json, 4, SHARD_EINVAL, "wrong");
    ck_assert_uint_lt(strlen(report.pointer), sizeof(report.pointer));
    shard__json_free(&json);
}
END_TEST

START_TEST(repeated_keys_are_found_among_many)
{
    enum { KEYS = 5000 };
    struct shard__bytes text;
    for (int repeated = 0; repeated < 2; repeated++) {
        shard__bytes_init(&text, context);
        for (int i = 0; i < KEYS; i++)
            shard__bytes_printf(&text, "%c\"key %d\": %d", i == 0 ? '{' : ',', i, i);
        shard__bytes_printf(&text, ",\n\"key %d\": 0}", repeated ? 4321 : KEYS);
        int status = shard__json_parse(&json, context, text.data, text.size, "text", &report);
        ck_assert_int_eq(status, repeated ? SHARD_EPARSE : 0);
        if (repeated) {
            ck_assert_str_eq(report.pointer, "/key 4321");
            ck_assert_int_eq(report.line, 2);
        }
        shard__json_free(&json);
        shard__bytes_free(&text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, numbers_are_the_nearest_double);
    tcase_add_test(tests, a_digit_beyond_all_others_still_counts);
    tcase_add_test(tests, numbers_are_written_as_short_as_they_can_be_read);
    tcase_add_test(tests, strings_are_decoded_and_written_again);
    tcase_add_test(tests, places_are_in_characters_and_pointers_are_escaped);
    tcase_add_test(tests, a_pointer_that_is_too_long_is_cut);
    tcase_add_test(tests, repeated_keys_are_found_among_many);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
