/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer, whose failure sticks, and base64. */

#include <string.h>

#include "base/base64.h"
#include "base/bytes.h"
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

START_TEST(text_is_put_together)
{
    struct shard__bytes bytes;
    char *text;
    size_t size;
    shard__bytes_init(&bytes, context);
    for (int i = 0; i < 500; i++) {
        shard__bytes_printf(&bytes, "%d,", i % 10);
        shard__bytes_text(&bytes, "x");
        shard__bytes_append(&bytes, "yz", 1);
    }
    ck_assert_int_eq(shard__bytes_handout(&bytes, &text, &size), 0);
    ck_assert_uint_eq(size, 2000);
    ck_assert_uint_eq(strlen(text), 2000);
    ck_assert_int_eq(strncmp(text, "0,xy1,xy", 8), 0);
    ck_assert_ptr_null(bytes.data);
    shard_free(context, text);
}
END_TEST

START_TEST(a_failure_sticks_until_the_end)
{
    struct shard__bytes bytes;
    char *text = NULL;
    shard__bytes_init(&bytes, context);
    tracked.fail_at = tracked.calls + 1;
    shard__bytes_text(&bytes, "lost");
    shard__bytes_text(&bytes, "not taken any more");
    shard__bytes_printf(&bytes, "%s", "either");
    ck_assert_uint_eq(bytes.size, 0);
    ck_assert_int_eq(shard__bytes_handout(&bytes, &text, NULL), SHARD_ENOMEM);
    ck_assert_ptr_null(text);
}
END_TEST

/* The vectors of RFC 4648, section 10. */
START_TEST(base64_is_that_of_the_rfc)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct shard__bytes out;
        shard__bytes_init(&out, context);
        shard__base64_put(&out, pairs[i][0], strlen(pairs[i][0]));
        ck_assert_uint_eq(out.size, strlen(pairs[i][1]));
        if (out.size > 0)
            ck_assert_mem_eq(out.data, pairs[i][1], out.size);
        out.size = 0;
        ck_assert_int_eq(shard__base64_get(&out, pairs[i][1], strlen(pairs[i][1])), 0);
        ck_assert_uint_eq(out.size, strlen(pairs[i][0]));
        shard__bytes_free(&out);
    }
}
END_TEST

START_TEST(base64_comes_back_for_all_bytes)
{
    unsigned char all[256];
    struct shard__bytes text, back;
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)(255 - i);
    shard__bytes_init(&text, context);
    shard__bytes_init(&back, context);
    shard__base64_put(&text, all, sizeof(all));
    ck_assert_int_eq(shard__base64_get(&back, text.data, text.size), 0);
    ck_assert_uint_eq(back.size, sizeof(all));
    ck_assert_mem_eq(back.data, all, sizeof(all));
    shard__bytes_free(&text);
    shard__bytes_free(&back);
}
END_TEST

START_TEST(what_is_not_base64_is_refused_whole)
{
    static const char *const bad[] = {"Zg",   "Zg=",  "Z===",     "====",     "Zg==Zg==", "Zm9v\n",
                                      "Zm 9", "Zh==", "Zm9=Zm9v", "Zm9v====", "Z-8_",     "Zm9"};
    struct shard__bytes out;
    shard__bytes_init(&out, context);
    shard__bytes_text(&out, "before");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(shard__base64_get(&out, bad[i], strlen(bad[i])) == -1, "%s", bad[i]);
        ck_assert_uint_eq(out.size, 6);
    }
    shard__bytes_free(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tests = tcase_create("bytes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, text_is_put_together);
    tcase_add_test(tests, a_failure_sticks_until_the_end);
    tcase_add_test(tests, base64_is_that_of_the_rfc);
    tcase_add_test(tests, base64_comes_back_for_all_bytes);
    tcase_add_test(tests, what_is_not_base64_is_refused_whole);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
