/* SPDX-License-Identifier: Apache-2.0 */
/* The detail of a failure, structs that grow, and what may be a name. */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <shard/error.h>
#include <shard/workflow.h>

#include "base/error.h"
#include "base/name.h"
#include "base/utf8.h"
#include "suite.h"

static struct shard_error last(void)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    return error;
}

START_TEST(a_failure_has_code_message_and_task)
{
    ck_assert_int_eq(shard__fail_task(SHARD_EINVAL, 7, "%s is %d", "x", 1), SHARD_EINVAL);
    struct shard_error error = last();
    ck_assert_int_eq(error.code, SHARD_EINVAL);
    ck_assert_int_eq(error.task, 7);
    ck_assert_int_eq(error.system_errno, 0);
    ck_assert_str_eq(error.message, "x is 1");
    ck_assert_int_eq(shard__fail_within(SHARD_EINVAL, "file:%d: ", 3), SHARD_EINVAL);
    ck_assert_str_eq(last().message, "file:3: x is 1");
    ck_assert_int_eq(last().task, 7);
    shard__clear_error();
    ck_assert_int_eq(last().code, SHARD_OK);
    ck_assert_int_eq(last().task, -1);
    ck_assert_str_eq(last().message, "");
}
END_TEST

START_TEST(the_system_says_its_part)
{
    shard__fail_errno(SHARD_EIO, ENOENT, "cannot open '%s'", "x");
    ck_assert_int_eq(last().system_errno, ENOENT);
    ck_assert_str_eq(last().message, "cannot open 'x': No such file or directory");
}
END_TEST

START_TEST(messages_are_one_line_and_are_cut)
{
    char text[3000];
    memset(text, 'x', sizeof(text));
    text[2999] = '\0';
    text[3] = '\n';
    shard__fail(SHARD_EINVAL, "%s", text);
    ck_assert_uint_eq(strlen(last().message), sizeof(last().message) - 1);
    ck_assert_int_eq(strncmp(last().message, "xxx?x", 5), 0);
    shard__fail_within(SHARD_EINVAL, "%s", text);
    ck_assert_uint_eq(strlen(last().message), sizeof(last().message) - 1);
}
END_TEST

START_TEST(messages_are_utf8_wherever_they_are_cut)
{
    char text[3000];
    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    for (int shift = 0; shift < 3; shift++) {
        shard__fail(SHARD_EINVAL, "%.*s%s", shift, "ab", text);
        ck_assert_uint_eq(shard__utf8_prefix(last().message, strlen(last().message)), strlen(last().message));
        shard__fail_within(SHARD_EINVAL, "%.3s", text);
        ck_assert_uint_eq(shard__utf8_prefix(last().message, strlen(last().message)), strlen(last().message));
    }
    shard__fail(SHARD_EINVAL, "a\xff\x1b\x7f");
    ck_assert_str_eq(last().message, "a???");
}
END_TEST

START_TEST(a_shorter_struct_gets_as_much_as_it_holds)
{
    struct shard_error error = {.struct_size = offsetof(struct shard_error, system_errno), .task = 99};
    shard__fail_task(SHARD_ENOENT, 5, "gone");
    ck_assert_int_eq(shard_error_copy(&error), SHARD_ENOENT);
    ck_assert_int_eq(error.code, SHARD_ENOENT);
    ck_assert_int_eq(error.task, 99);
    ck_assert_uint_eq(error.struct_size, offsetof(struct shard_error, system_errno));
}
END_TEST

static void *fail_elsewhere(void *arg)
{
    (void)arg;
    shard__fail(SHARD_EBUSY, "elsewhere");
    return NULL;
}

START_TEST(each_thread_has_its_own_detail)
{
    pthread_t thread;
    shard__fail(SHARD_EINVAL, "here");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(last().message, "here");
}
END_TEST

START_TEST(codes_have_texts)
{
    for (int code = SHARD_OK; code >= SHARD_ECANCELLED; code--)
        ck_assert_str_ne(shard_code_text(code), "unknown error");
    ck_assert_str_eq(shard_code_text(SHARD_ECYCLE), "cycle");
    ck_assert_str_eq(shard_code_text(SHARD_ECANCELLED - 1), "unknown error");
    ck_assert_str_eq(shard_code_text(1), "unknown error");
    ck_assert_str_eq(shard_code_text(-2147483647 - 1), "unknown error");
}
END_TEST

struct short_one {
    size_t struct_size;
    int a;
    int b;
};

struct long_one {
    size_t struct_size;
    int a;
    int b;
    int c;
    int d;
};

START_TEST(structs_of_other_lengths_are_taken)
{
    struct long_one theirs = {.struct_size = sizeof(theirs), .a = 1, .b = 2}, wide;
    struct short_one ours;
    ck_assert_int_eq(shard__take_struct(&ours, sizeof(ours), &theirs, "thing"), 0);
    ck_assert_int_eq(ours.b, 2);
    ck_assert_uint_eq(ours.struct_size, sizeof(ours));
    theirs.d = 1;
    ck_assert_int_eq(shard__take_struct(&ours, sizeof(ours), &theirs, "thing"), SHARD_EVERSION);
    ck_assert_int_eq(shard__take_struct(&ours, sizeof(ours), NULL, "thing"), SHARD_EINVAL);
    memset(&wide, 0xff, sizeof(wide));
    ck_assert_int_eq(shard__take_struct(&wide, sizeof(wide), &ours, "thing"), 0);
    ck_assert_int_eq(wide.b, 2);
    ck_assert_int_eq(wide.d, 0);
    ours.struct_size = 3;
    ck_assert_int_eq(shard__take_struct(&wide, sizeof(wide), &ours, "thing"), SHARD_EINVAL);
}
END_TEST

START_TEST(structs_of_other_lengths_are_given)
{
    struct long_one theirs = {.struct_size = sizeof(theirs), .c = 5};
    const struct short_one ours = {.struct_size = sizeof(ours), .a = 1, .b = 2};
    ck_assert_int_eq(shard__give_struct(&theirs, &ours, sizeof(ours), "thing"), 0);
    ck_assert_int_eq(theirs.b, 2);
    ck_assert_int_eq(theirs.c, 0);
    ck_assert_uint_eq(theirs.struct_size, sizeof(theirs));
    theirs.struct_size = offsetof(struct long_one, b);
    theirs.b = 9;
    ck_assert_int_eq(shard__give_struct(&theirs, &ours, sizeof(ours), "thing"), 0);
    ck_assert_int_eq(theirs.b, 9);
    theirs.struct_size = 0;
    ck_assert_int_eq(shard__give_struct(&theirs, &ours, sizeof(ours), "thing"), SHARD_EINVAL);
}
END_TEST

START_TEST(utf8_is_checked_to_the_byte)
{
    static const struct {
        const char *text;
        size_t good;
    } texts[] = {{"", 0},
                 {"plain text of more than eight", 29},
                 {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
                 {"eight...\xff", 8},
                 {"a\x80", 1},
                 {"\xc0\xaf", 0},
                 {"\xc1\xbf", 0},
                 {"\xe0\x9f\xbf", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xed\x9f\xbf", 3},
                 {"\xf0\x8f\xbf\xbf", 0},
                 {"\xf4\x8f\xbf\xbf", 4},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xf5\x80\x80\x80", 0},
                 {"ab\xe2\x82", 2}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_uint_eq(shard__utf8_prefix(texts[i].text, strlen(texts[i].text)), texts[i].good);
    ck_assert_uint_eq(shard__utf8_cut("a\xe2\x82\xac", 4, 3), 1);
    ck_assert_uint_eq(shard__utf8_cut("a\xe2\x82\xac", 4, 4), 4);
    ck_assert_uint_eq(shard__utf8_cut("abc", 3, 2), 2);
}
END_TEST

START_TEST(names_are_refused_for_a_reason)
{
    char name[SHARD_MAX_NAME_BYTES + 2];
    ck_assert_int_eq(shard__check_name("h\xc3\xb6st-1", "host"), 0);
    ck_assert_int_eq(shard__check_name(NULL, "host"), SHARD_EINVAL);
    ck_assert_int_eq(shard__check_name("", "host"), SHARD_EINVAL);
    ck_assert_str_eq(last().message, "host name: is empty, expected at least one character");
    ck_assert_int_eq(shard__check_name("a\x1b[2J", "host"), SHARD_EINVAL);
    ck_assert_str_eq(last().message, "host name 'a...': has a control character at byte 1, expected none");
    ck_assert_int_eq(shard__check_name("a\xc2\x9b", "host"), SHARD_EINVAL);
    ck_assert_int_eq(shard__check_name("\xc2\xa0", "host"), 0);
    memset(name, 'x', sizeof(name));
    name[SHARD_MAX_NAME_BYTES + 1] = '\0';
    ck_assert_int_eq(shard__check_name(name, "host"), SHARD_ELIMIT);
    name[SHARD_MAX_NAME_BYTES] = '\0';
    ck_assert_int_eq(shard__check_name(name, "host"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, a_failure_has_code_message_and_task);
    tcase_add_test(tests, the_system_says_its_part);
    tcase_add_test(tests, messages_are_one_line_and_are_cut);
    tcase_add_test(tests, messages_are_utf8_wherever_they_are_cut);
    tcase_add_test(tests, a_shorter_struct_gets_as_much_as_it_holds);
    tcase_add_test(tests, each_thread_has_its_own_detail);
    tcase_add_test(tests, codes_have_texts);
    tcase_add_test(tests, structs_of_other_lengths_are_taken);
    tcase_add_test(tests, structs_of_other_lengths_are_given);
    tcase_add_test(tests, utf8_is_checked_to_the_byte);
    tcase_add_test(tests, names_are_refused_for_a_reason);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
