/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a run: what it says, that nothing in it can act, and that it stays small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "made_run.h"
#include "need.h"
#include "report_data.h"
#include "suite.h"

static shard_context *context;

static void open_context(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void close_context(void)
{
    shard_context_free(context);
}

static shard_workflow *parse(const char *text)
{
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_NATIVE, NULL, &workflow), 0);
    return workflow;
}

/* a (2 s), then b (4 s) and c (1 s), then d (1 s). */
static shard_workflow *diamond(void)
{
    return parse("{\"format\": \"libshard-workflow\", \"version\": 1, \"name\": \"diamond\", \"tasks\": ["
                 "{\"name\": \"a\", \"kind\": \"first\", \"expected_seconds\": 2},"
                 "{\"name\": \"b\", \"kind\": \"slow\", \"after\": [\"a\"], \"expected_seconds\": 4},"
                 "{\"name\": \"c\", \"kind\": \"fast\", \"after\": [\"a\"], \"expected_seconds\": 1},"
                 "{\"name\": \"d\", \"kind\": \"last\", \"after\": [\"b\", \"c\"], \"expected_seconds\": 1}]}");
}

static shard_workflow *wide(int tasks)
{
    struct text text = {0};
    text_puts(&text, "{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [");
    for (int i = 0; i < tasks; i++)
        text_printf(&text, "%s{\"name\": \"t%d\", \"kind\": \"k%d\", \"expected_seconds\": %d}", i > 0 ? "," : "", i,
                    i % 12, 1 + i % 7);
    text_puts(&text, "]}");
    shard_workflow *workflow = parse(text.bytes);
    text_clear(&text);
    return workflow;
}

/* Reads the report of a made run back; frees the image. */
static char *written(shard_workflow *workflow, const struct made_run_config *config, size_t *ret_length)
{
    char path[] = "/tmp/report-test.XXXXXX", *problem = NULL, *bytes = NULL;
    int fd = mkstemp(path);
    struct shard_run_image *image = made_run(workflow, config);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(report_write(image, NULL, path, &problem), 0);
    ck_assert_int_eq(file_read(path, &bytes, ret_length, &problem), 0);
    image->release(image);
    unlink(path);
    return bytes;
}

START_TEST(attempts_are_added_up)
{
    shard_workflow *workflow = diamond();
    struct shard_run_image *image = made_run(workflow, &(struct made_run_config){"r", 1, 1, -1, NULL, 0});
    struct report report;
    report_read(image, NULL, &report);
    ck_assert_int_eq(report.attempt_count, 4);
    ck_assert_int_eq(report.failures, 0);
    ck_assert_int_eq(report.hosts[0].ended[SHARD_OUTCOME_DONE], 4);
    ck_assert_int_eq(report.most_at_a_time, 1);
    ck_assert_double_eq_tol(report.busy_seconds, 8, 0.1);
    ck_assert_double_eq_tol(report.longest_seconds, 7, 0.1);
    ck_assert_double_eq_tol(report_least_seconds(&report), 8, 0.1);
    ck_assert_double_eq_tol(report_makespan(&report), 8, 0.1);
    report_clear(&report);
    image->release(image);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(the_path_that_took_longest_goes_through_the_slow_task)
{
    static const char *const expected[] = {"a", "b", "d"};
    shard_workflow *workflow = diamond();
    struct shard_run_image *image = made_run(workflow, &(struct made_run_config){"r", 2, 1, -1, NULL, 0});
    struct report report;
    int count = 0;
    report_read(image, NULL, &report);
    struct report_step *steps = report_path(&report, &count);
    ck_assert_int_eq(count, 3);
    for (int i = 0; i < 3; i++) {
        char *name = report_task_name(&report, steps[i].task);
        ck_assert_str_eq(name, expected[i]);
        free(name);
    }
    free(steps);
    report_clear(&report);
    image->release(image);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(subtasks_have_their_parents_name_and_kind)
{
    shard_workflow *workflow = diamond();
    struct shard_run_image *image = made_run(workflow, &(struct made_run_config){"r", 2, 2, -1, NULL, 3});
    struct report report;
    report_read(image, NULL, &report);
    char *name = report_task_name(&report, 6);
    ck_assert_str_eq(name, "a/2");
    ck_assert_int_eq(report.kinds[0].tasks, 4);
    free(name);
    report_clear(&report);
    image->release(image);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(failures_are_told_with_what_was_decided)
{
    shard_workflow *workflow = diamond();
    size_t length = 0;
    char *page = written(workflow, &(struct made_run_config){"r", 1, 1, 0, "it held too much", 0}, &length);
    ck_assert_ptr_nonnull(strstr(page, "out_of_memory"));
    ck_assert_ptr_nonnull(strstr(page, "it held too much"));
    ck_assert_ptr_nonnull(strstr(page, "to be tried again: asks for more memory"));
    free(page);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(names_and_messages_cannot_act)
{
    shard_workflow *workflow =
        parse("{\"format\": \"libshard-workflow\", \"version\": 1, \"name\": \"<script>w</script>\", \"tasks\": ["
              "{\"name\": \"<img src=x onerror=y>\", \"kind\": \"k\\\"'><b>\"}]}");
    size_t length = 0;
    char *page = written(
        workflow, &(struct made_run_config){"run</title><script>r", 1, 1, 0, "</td><script>m\x01\xff", 0}, &length);
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "<img"));
    ck_assert_ptr_null(strstr(page, "'><b>"));
    ck_assert_ptr_null(strpbrk(page, "\x01\xff"));
    ck_assert_ptr_nonnull(strstr(page, "&lt;script&gt;w&lt;/script&gt;"));
    free(page);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(it_loads_nothing)
{
    shard_workflow *workflow = diamond();
    size_t length = 0;
    char *page = written(workflow, &(struct made_run_config){"r", 2, 2, 1, "x", 2}, &length);
    ck_assert_ptr_null(strstr(page, "http:"));
    ck_assert_ptr_null(strstr(page, "https:"));
    ck_assert_ptr_null(strstr(page, "src="));
    ck_assert_ptr_null(strstr(page, "@import"));
    free(page);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_large_run_makes_a_page_of_a_few_megabytes)
{
    shard_workflow *workflow = wide(100000);
    size_t length = 0;
    char *page = written(workflow, &(struct made_run_config){"r", 80, 4, 3, "no", 0}, &length);
    ck_assert_uint_lt(length, 5000000);
    ck_assert_uint_gt(length, 50000);
    free(page);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_run_without_history_still_has_a_report)
{
    shard_workflow *workflow = diamond();
    struct shard_run_image *image = made_run(workflow, &(struct made_run_config){"r", 1, 1, -1, NULL, 0});
    char path[] = "/tmp/report-test.XXXXXX", *problem = NULL, *bytes = NULL;
    size_t length = 0;
    close(mkstemp(path));
    image->record_count = 0;
    ck_assert_int_eq(report_write(image, NULL, path, &problem), 0);
    ck_assert_int_eq(file_read(path, &bytes, &length, &problem), 0);
    ck_assert_ptr_nonnull(strstr(bytes, "no history"));
    free(bytes);
    image->release(image);
    unlink(path);
    shard_workflow_unref(workflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, attempts_are_added_up);
    tcase_add_test(tests, the_path_that_took_longest_goes_through_the_slow_task);
    tcase_add_test(tests, subtasks_have_their_parents_name_and_kind);
    tcase_add_test(tests, failures_are_told_with_what_was_decided);
    tcase_add_test(tests, names_and_messages_cannot_act);
    tcase_add_test(tests, it_loads_nothing);
    tcase_add_test(tests, a_large_run_makes_a_page_of_a_few_megabytes);
    tcase_add_test(tests, a_run_without_history_still_has_a_report);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
