/* SPDX-License-Identifier: Apache-2.0 */
/* Two sides of a catalog: plain git pushes in between, and both changes are there afterwards. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/catalog.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static struct git_bed bed;
static shard_catalog *catalog;
static char log_text[4096];

static void keep_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    (void)self;
    (void)level;
    size_t length = strlen(log_text);
    snprintf(log_text + length, sizeof(log_text) - length, "%s: %s\n", id, message);
}

static void setup(void)
{
    char path[200], url[200];
    git_bed_make(&bed);
    sh(&bed, "git init -q --bare -b main remote");
    tracked_init(&tracked);
    log_text[0] = '\0';
    const struct shard_context_config of_context = {
        .struct_size = sizeof(of_context), .alloc = tracked_alloc, .alloc_self = &tracked, .log = keep_log};
    ck_assert_int_eq(shard_context_new(&of_context, &context), 0);
    snprintf(path, sizeof(path), "%s/here", bed.path);
    snprintf(url, sizeof(url), "%s/remote", bed.path);
    const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = path, .url = url};
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
}

static void teardown(void)
{
    shard_catalog_close(catalog);
    git_bed_remove(&bed);
    tracked_context_free(&tracked, context);
}

/* Publishes tasks a and b, of which a has these two fields (left out when 0). */
static void publish(double failure_cost_seconds, int priority)
{
    char commit[SHARD_COMMIT_TEXT];
    shard_builder *builder = new_builder(context);
    const struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                         .name = "a",
                                         .failure_cost_seconds = failure_cost_seconds,
                                         .priority = priority,
                                         .memory_bytes = 1000};
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
    add_task(builder, "b");
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(shard_catalog_publish(catalog, workflow, NULL, commit), 0);
    shard_workflow_unref(workflow);
}

/* Plain git elsewhere: a sed script on the file of task a. */
static void change_elsewhere(const char *script)
{
    char path[SHARD_CATALOG_PATH];
    ck_assert_int_eq(shard_catalog_task_path("a", path), 0);
    sh(&bed,
       "rm -rf clone && git clone -q remote clone && cd clone && sed -i '%s' '%s' && git commit -q -a -m else && "
       "git push -q",
       script, path);
}

static struct shard_task_info task_a(void)
{
    shard_workflow *workflow = NULL;
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_catalog_load(catalog, NULL, NULL, &workflow), 0);
    ck_assert_int_eq(shard_workflow_task(workflow, shard_workflow_find_task(workflow, "a"), &info), 0);
    info.name = info.kind = NULL;
    shard_workflow_unref(workflow);
    return info;
}

static void sync_catalog(void)
{
    int status = shard_catalog_sync(catalog);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    ck_assert_str_eq(sh(&bed, "git -C here rev-parse main"), sh(&bed, "git -C remote rev-parse main"));
}

START_TEST(what_was_pushed_elsewhere_is_taken)
{
    publish(10, 0);
    sync_catalog();
    change_elsewhere("s/: 10/: 99/");
    sync_catalog();
    ck_assert_double_eq(task_a().failure_cost_seconds, 99);
    ck_assert_str_eq(log_text, "");
}
END_TEST

START_TEST(fields_changed_on_both_sides_are_merged)
{
    publish(10, 1);
    sync_catalog();
    change_elsewhere("s/\"failure_cost_seconds\": 10/\"failure_cost_seconds\": 99/");
    publish(10, 7);
    sync_catalog();
    ck_assert_double_eq(task_a().failure_cost_seconds, 99);
    ck_assert_int_eq(task_a().priority, 7);
    ck_assert_str_eq(log_text, "");
    sh(&bed, "git -C remote fsck --strict");
}
END_TEST

START_TEST(fields_added_and_removed_are_merged)
{
    publish(10, 0);
    sync_catalog();
    change_elsewhere("/\"memory_bytes\"/d");
    publish(10, 7);
    sync_catalog();
    ck_assert_int_eq(task_a().memory_bytes, 0);
    ck_assert_int_eq(task_a().priority, 7);
    ck_assert_str_eq(log_text, "");
}
END_TEST

START_TEST(a_conflict_names_task_and_field_and_ours_stays)
{
    publish(10, 1);
    sync_catalog();
    change_elsewhere("s/: 10\\b/: 99/; s/\"priority\": 1/\"priority\": 5/");
    publish(20, 1);
    sync_catalog();
    ck_assert_double_eq(task_a().failure_cost_seconds, 20);
    ck_assert_int_eq(task_a().priority, 5);
    ck_assert_ptr_nonnull(strstr(log_text, "catalog-conflict: "));
    ck_assert_ptr_nonnull(strstr(log_text, "/a-"));
    ck_assert_ptr_nonnull(strstr(log_text, "failure_cost_seconds changed here and at the remote: ours stays"));
    ck_assert_ptr_null(strstr(log_text, "priority"));
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C remote log -1 --format=%%B main"), ".json: failure_cost_seconds"));
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C remote log -p main^2"), "+  \"failure_cost_seconds\": 99"));
}
END_TEST

START_TEST(what_is_no_task_any_more_is_not_merged_in)
{
    publish(10, 1);
    sync_catalog();
    change_elsewhere("s/: 10\\b/: nonsense/");
    publish(10, 7);
    sync_catalog();
    ck_assert_double_eq(task_a().failure_cost_seconds, 10);
    ck_assert_int_eq(task_a().priority, 7);
    ck_assert_ptr_nonnull(strstr(log_text, "the file changed here and at the remote: ours stays"));
}
END_TEST

START_TEST(lines_of_logs_are_kept_of_both_sides)
{
    char path[SHARD_CATALOG_PATH];
    publish(10, 1);
    sync_catalog();
    ck_assert_int_eq(shard_catalog_task_path("a", path), 0);
    path[strlen(path) - strlen("json")] = '\0';
    for (int i = 0; i < 2; i++)
        sh(&bed,
           "git clone -q remote clone%d && cd clone%d && printf 'same\\nline %d\\n' >'%slog' && git add . && "
           "git commit -q -m log",
           i, i, i, path);
    sh(&bed, "cd clone0 && git push -q && git -C ../here fetch -q ../clone1 main:main");
    sync_catalog();
    ck_assert_str_eq(sh(&bed, "git -C remote show 'main:%slog'", path), "same\nline 1\nline 0");
    ck_assert_str_eq(log_text, "");
}
END_TEST

START_TEST(another_workflow_in_the_branch_is_refused)
{
    publish(10, 1);
    sh(&bed, "git init -q -b main other && cd other && echo x >x && git add . && git commit -q -m x && "
             "git push -q ../remote main");
    ck_assert_int_eq(shard_catalog_sync(catalog), SHARD_ECONFLICT);
    assert_message_has("it holds another workflow, use another branch");
}
END_TEST

START_TEST(a_remote_that_is_gone_loses_nothing)
{
    publish(10, 1);
    sync_catalog();
    sh(&bed, "mv remote away");
    publish(20, 1);
    ck_assert_int_lt(shard_catalog_sync(catalog), 0);
    assert_message_has("cannot be reached");
    publish(30, 1);
    sh(&bed, "mv away remote");
    sync_catalog();
    ck_assert_str_eq(sh(&bed, "git -C remote rev-list --count main"), "3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog merge");
    TCase *tests = tcase_create("catalog merge");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_was_pushed_elsewhere_is_taken);
    tcase_add_test(tests, fields_changed_on_both_sides_are_merged);
    tcase_add_test(tests, fields_added_and_removed_are_merged);
    tcase_add_test(tests, a_conflict_names_task_and_field_and_ours_stays);
    tcase_add_test(tests, what_is_no_task_any_more_is_not_merged_in);
    tcase_add_test(tests, lines_of_logs_are_kept_of_both_sides);
    tcase_add_test(tests, another_workflow_in_the_branch_is_refused);
    tcase_add_test(tests, a_remote_that_is_gone_loses_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
