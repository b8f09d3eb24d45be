/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of attempts: what is read, what is refused and with which words, and how much memory it takes. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/train.h>

#include "suite.h"

static shard_context *context;
static shard_table *table;

static void set_up(void)
{
    table = NULL;
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_table_free(table);
    shard_context_free(context);
}

static const char *message(void)
{
    static struct shard_error error;
    error.struct_size = sizeof(error);
    shard_error_copy(&error);
    return error.message;
}

/* Reads text in pieces of `piece` bytes into a new table. */
static int read_text(const struct shard_table_config *config, const char *text, size_t piece)
{
    shard_table_free(table);
    ck_assert_int_eq(shard_table_new(context, config, &table), 0);
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at += piece) {
        int status = shard_table_feed(table, text + at, size - at < piece ? size - at : piece);
        if (status < 0)
            return status;
    }
    return shard_table_end(table);
}

static struct shard_table_info described(void)
{
    struct shard_table_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_table_describe(table, &info), 0);
    return info;
}

static void check_refused(const char *text, int code, const char *words)
{
    ck_assert_int_eq(read_text(NULL, text, 4096), code);
    ck_assert_msg(strstr(message(), words) != NULL, "'%s' does not say '%s'", message(), words);
}

static const char plain[] = "t,te,y,a,b\n1,2,0,3,4\n1.5,1e1,1,,-5e-2\n2,,,nan,7\n";

START_TEST(a_table_is_read_alike_in_pieces_of_any_size)
{
    for (size_t piece = 1; piece < sizeof(plain); piece++) {
        ck_assert_int_eq(read_text(NULL, plain, piece), 0);
        struct shard_table_info info = described();
        ck_assert_int_eq(info.rows, 3);
        ck_assert_int_eq(info.columns, 2);
        ck_assert_str_eq(shard_table_column(table, 0), "a");
        ck_assert_ptr_null(shard_table_column(table, 2));
        ck_assert_float_eq(info.values[0], 3);
        ck_assert_float_nan(info.values[2]);
        ck_assert_float_eq(info.values[3], -0.05F);
        ck_assert_double_eq(info.starts[1], 1.5);
        ck_assert_double_eq(info.ends[1], 10);
        ck_assert_double_nan(info.ends[2]);
        ck_assert_float_eq(info.labels[1], 1);
        ck_assert_float_nan(info.labels[2]);
    }
}
END_TEST

START_TEST(quotes_line_ends_and_a_byte_order_mark_are_as_in_rfc_4180)
{
    ck_assert_int_eq(read_text(NULL, "\xef\xbb\xbft,te,y,\"a,\"\"b\"\"\"\r\n1,2,0,\"3\"\r\n\r\n2,3,1,4", 1), 0);
    ck_assert_str_eq(shard_table_column(table, 0), "a,\"b\"");
    ck_assert_int_eq(described().rows, 2);
    ck_assert_float_eq(described().values[1], 4);
}
END_TEST

START_TEST(text_can_be_ignored_and_columns_can_have_other_names)
{
    static const char *const ignored[] = {"site"};
    struct shard_table_config config = {.struct_size = sizeof(config),
                                        .time_column = "begin",
                                        .end_column = "end",
                                        .label_column = "failed",
                                        .ignored = ignored,
                                        .ignored_count = 1};
    ck_assert_int_eq(read_text(&config, "site,begin,end,failed,a\n\"x, y\",1,2,0,3\n", 5), 0);
    ck_assert_int_eq(described().columns, 1);
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_line_and_column)
{
    check_refused("t,te,y,a\n1,2,0,3\n2,3,1,lots\n", SHARD_EPARSE, "line 3: 'lots' in column 'a' is not a number");
    check_refused("t,te,y,a\n1,2,maybe,3\n", SHARD_EPARSE, "'maybe' in column 'y'");
    check_refused("t,te,y,a\n1,2,2,3\n", SHARD_EPARSE, "'2' in column 'y' is not 0, 1 or empty");
    check_refused("t,te,y,a\n1,2,0,1e60\n", SHARD_EPARSE, "not a finite number");
    check_refused("t,te,y,a\n1,2,0,-\n", SHARD_EPARSE, "'-' in column 'a'");
    check_refused("t,te,y,a\n,2,0,1\n", SHARD_EPARSE, "'' in column 't' is not a time");
    check_refused("t,te,y,a\n1,2,0\n", SHARD_EPARSE, "line 2: 3 fields, the header has 4");
    check_refused("t,te,y,a\n1,2,0,3,4\n", SHARD_EPARSE, "line 2: more fields than the header's 4");
    check_refused("t,te,y,a\n5,6,0,3\n4,6,0,3\n", SHARD_EINVAL, "line 3: 't' is 4.000 after 5.000");
    check_refused("t,te,y,a\n5,4,0,3\n", SHARD_EINVAL, "before its start");
    check_refused("t,te,y,a\n1,2,0,\"3\n", SHARD_EPARSE, "line 2: the quote is never closed");
    check_refused("t,te,y,a\n1,2,0,3\"4\n", SHARD_EPARSE, "a quote inside a field");
    check_refused("t,te,y,a\n1,2,0,\"3\"4\n", SHARD_EPARSE, "text after the closing quote");
    check_refused("t,te,a\n1,2,3\n", SHARD_EINVAL, "no column 'y'");
    check_refused("te,y,a\n1,0,3\n", SHARD_EINVAL, "no column 't'");
    check_refused("t,y,a\n1,0,3\n", SHARD_EINVAL, "no column 'te'");
    check_refused("t,te,y\n1,2,0\n", SHARD_EINVAL, "no feature columns");
    check_refused("t,te,y,a,a\n", SHARD_EPARSE, "two columns are called 'a'");
    check_refused("t,te,y,,a\n", SHARD_EPARSE, "column 4 has no name");
    check_refused("", SHARD_EPARSE, "no header line");
}
END_TEST

START_TEST(a_table_that_was_refused_takes_nothing_more)
{
    check_refused("t,te,y,a\n1,2,0,lots\n", SHARD_EPARSE, "lots");
    ck_assert_int_eq(shard_table_feed(table, "1,2,0,3\n", 8), SHARD_ESTATE);
    ck_assert_int_eq(described().rows, 0);
}
END_TEST

START_TEST(a_long_table_is_thinned_evenly_within_its_memory)
{
    struct shard_table_config config = {.struct_size = sizeof(config), .max_cells = 2000};
    char line[100];
    ck_assert_int_eq(shard_table_new(context, &config, &table), 0);
    ck_assert_int_eq(shard_table_feed(table, "t,te,y,a,b\n", 11), 0);
    for (int i = 0; i < 100000; i++) {
        int size = snprintf(line, sizeof(line), "%d,%d,%d,%d,0\n", i, i + 1, i % 2, i);
        ck_assert_int_eq(shard_table_feed(table, line, (size_t)size), 0);
    }
    ck_assert_int_eq(shard_table_end(table), 0);
    struct shard_table_info info = described();
    ck_assert_int_eq(info.rows_read, 100000);
    ck_assert_int_ge(info.rows, 500);
    ck_assert_int_le(info.rows * info.columns, 2000);
    double step = info.starts[1] - info.starts[0];
    for (int64_t row = 1; row < info.rows; row++) {
        ck_assert_double_eq(info.starts[row] - info.starts[row - 1], step);
        ck_assert_float_eq(info.values[row * 2], (float)info.starts[row]);
    }
}
END_TEST

START_TEST(rows_to_forecast_need_no_label_and_can_be_forgotten)
{
    struct shard_table_config config = {.struct_size = sizeof(config), .label_optional = 1};
    ck_assert_int_eq(read_text(&config, "a,b\n1,2\n3,4\n", 3), 0);
    ck_assert_int_eq(described().rows, 2);
    ck_assert_int_eq(described().has_label, 0);
    shard_table_clear(table);
    ck_assert_int_eq(described().rows, 0);
    ck_assert_int_eq(described().columns, 2);
}
END_TEST

static void name_columns(const struct shard_table_config *config)
{
    static const char *const names[] = {"a", "b"};
    shard_table_free(table);
    ck_assert_int_eq(shard_table_new(context, config, &table), 0);
    ck_assert_int_eq(shard_table_columns(table, names, 2), 0);
}

START_TEST(rows_come_as_numbers_too)
{
    static const float rows[][2] = {{3, 4}, {NAN, -0.05F}, {NAN, 7}};
    name_columns(NULL);
    ck_assert_int_eq(shard_table_add(table, 1, 2, 0, rows[0]), 0);
    ck_assert_int_eq(shard_table_add(table, 1.5, 10, 1, rows[1]), 0);
    ck_assert_int_eq(shard_table_add(table, 2, NAN, -1, rows[2]), 0);
    struct shard_table_info info = described();
    ck_assert_int_eq(info.rows, 3);
    ck_assert_int_eq(info.columns, 2);
    ck_assert_str_eq(shard_table_column(table, 1), "b");
    ck_assert_float_eq(info.values[0], 3);
    ck_assert_float_nan(info.values[2]);
    ck_assert_float_eq(info.values[5], 7);
    ck_assert_double_eq(info.starts[1], 1.5);
    ck_assert_double_eq(info.ends[1], 10);
    ck_assert_double_nan(info.ends[2]);
    ck_assert_float_eq(info.labels[0], 0);
    ck_assert_float_eq(info.labels[1], 1);
    ck_assert_float_nan(info.labels[2]);
}
END_TEST

START_TEST(columns_of_numbers_can_be_ignored)
{
    static const char *const ignored[] = {"a"};
    static const float row[] = {3, 4};
    struct shard_table_config config = {.struct_size = sizeof(config), .ignored = ignored, .ignored_count = 1};
    name_columns(&config);
    ck_assert_int_eq(shard_table_add(table, 1, 2, 0, row), 0);
    ck_assert_int_eq(described().columns, 1);
    ck_assert_float_eq(described().values[0], 4);
}
END_TEST

START_TEST(what_is_wrong_with_numbers_is_said_with_their_row_and_nothing_more_is_taken)
{
    static const char *const twice[] = {"a", "te"};
    static const float good[] = {1, 2}, bad[] = {1, INFINITY};
    name_columns(NULL);
    ck_assert_int_eq(shard_table_columns(table, twice, 2), SHARD_ESTATE);
    ck_assert_int_eq(shard_table_add(table, 5, 6, 0, good), 0);
    ck_assert_int_eq(shard_table_add(table, 4, 6, 0, good), SHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(message(), "line 3: 't' is 4.000 after 5.000"));
    ck_assert_int_eq(shard_table_add(table, 6, 7, 0, good), SHARD_ESTATE);
    ck_assert_int_eq(described().rows, 1);
    name_columns(NULL);
    ck_assert_int_eq(shard_table_add(table, 5, 6, 0, bad), SHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(message(), "line 2: inf in column 'b'"));
    shard_table_free(table);
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    ck_assert_int_eq(shard_table_add(table, 5, 6, 0, good), SHARD_ESTATE);
    ck_assert_int_eq(shard_table_columns(table, twice, 2), SHARD_EPARSE);
    ck_assert_ptr_nonnull(strstr(message(), "two columns are called 'te'"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_table_is_read_alike_in_pieces_of_any_size);
    tcase_add_test(tests, quotes_line_ends_and_a_byte_order_mark_are_as_in_rfc_4180);
    tcase_add_test(tests, text_can_be_ignored_and_columns_can_have_other_names);
    tcase_add_test(tests, what_is_wrong_is_said_with_its_line_and_column);
    tcase_add_test(tests, a_table_that_was_refused_takes_nothing_more);
    tcase_add_test(tests, a_long_table_is_thinned_evenly_within_its_memory);
    tcase_add_test(tests, rows_to_forecast_need_no_label_and_can_be_forgotten);
    tcase_add_test(tests, rows_come_as_numbers_too);
    tcase_add_test(tests, columns_of_numbers_can_be_ignored);
    tcase_add_test(tests, what_is_wrong_with_numbers_is_said_with_their_row_and_nothing_more_is_taken);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
