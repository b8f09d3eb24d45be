/* SPDX-License-Identifier: Apache-2.0 */
/* WfFormat: the recorded workflows have the counts that were counted without us, and each version its own names. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static char log_ids[512];

static void keep_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    (void)self;
    (void)level;
    (void)message;
    strncat(log_ids, id, sizeof(log_ids) - strlen(log_ids) - 1);
    strncat(log_ids, " ", sizeof(log_ids) - strlen(log_ids) - 1);
}

static void setup(void)
{
    tracked_init(&tracked);
    log_ids[0] = '\0';
    const struct shard_context_config config = {
        .struct_size = sizeof(config), .alloc = tracked_alloc, .alloc_self = &tracked, .log = keep_log};
    ck_assert_int_eq(shard_context_new(&config, &context), 0);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

static struct shard_task_info info_of(const shard_workflow *workflow, const char *name)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_task(workflow, shard_workflow_find_task(workflow, name), &info), 0);
    return info;
}

static void assert_payload(const shard_workflow *workflow, const char *name, const char *expected)
{
    struct shard_task_info info = info_of(workflow, name);
    ck_assert_msg(info.payload_bytes == strlen(expected) && memcmp(info.payload, expected, strlen(expected)) == 0,
                  "payload of %s is %.*s", name, (int)info.payload_bytes, (const char *)info.payload);
}

static struct shard_workflow_info describe(const shard_workflow *workflow)
{
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_describe(workflow, &info), 0);
    return info;
}

static void assert_counts(const char *name, int tasks, long edges, long files, int kinds)
{
    char path[4096];
    size_t bytes;
    snprintf(path, sizeof(path), "%s/workflows/%s", TEST_DATA, name);
    char *text = read_file(path, &bytes);
    struct shard_parse_report report = {.struct_size = sizeof(report)};
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, text, bytes, path, SHARD_FORMAT_AUTO, &report, &workflow), 0);
    struct shard_workflow_info info = describe(workflow);
    ck_assert_int_eq(info.task_count, tasks);
    ck_assert_int_eq(info.edge_count, edges);
    ck_assert_int_eq(info.data_count, files);
    ck_assert_int_eq(info.kind_count, kinds);
    ck_assert_int_eq(report.file_count, files);
    ck_assert_int_eq(report.format, SHARD_FORMAT_WFFORMAT);
    ck_assert_str_eq(report.version, "1.5");
    ck_assert_int_eq(report.line, 0);
    shard_workflow_unref(workflow);
    free(text);
}

START_TEST(recorded_workflows_have_the_counts_of_their_table)
{
    char line[256], name[128];
    int tasks, kinds, count = 0;
    long edges, files;
    FILE *table = fopen(TEST_DATA "/workflows/counts.tsv", "r");
    ck_assert_ptr_nonnull(table);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), table));
    while (fscanf(table, "%127s %d %ld %ld %d", name, &tasks, &edges, &files, &kinds) == 5) {
        assert_counts(name, tasks, edges, files, kinds);
        count++;
    }
    fclose(table);
    ck_assert_int_eq(count, 13);
    ck_assert_str_eq(log_ids, "");
}
END_TEST

START_TEST(montage_is_what_its_authors_recorded)
{
    shard_workflow *workflow = load_workflow(context, TEST_DATA "/workflows/montage-chameleon-2mass-025d-001.json");
    struct shard_workflow_info info = describe(workflow);
    ck_assert_double_eq_tol(info.critical_path_seconds, 25.7, 0.05);
    ck_assert_double_eq_tol(info.total_seconds, 1321.9, 0.05);
    struct shard_task_info task = info_of(workflow, "mProject_ID0000001");
    ck_assert_str_eq(task.kind, "mProject");
    ck_assert_int_eq(task.memory_bytes, 0);
    ck_assert_int_eq(task.cpu_millicores, 0);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(version_1_2_has_jobs_that_name_each_other)
{
    shard_workflow *workflow = load_workflow(context, TEST_DATA "/wfformat/v1.2.json");
    struct shard_workflow_info info = describe(workflow);
    ck_assert_str_eq(info.name, "count-words-1.2");
    ck_assert_int_eq(info.task_count, 4);
    ck_assert_int_eq(info.edge_count, 4);
    ck_assert_int_eq(info.data_count, 0);
    ck_assert_str_eq(info_of(workflow, "split_book").kind, "split");
    ck_assert_str_eq(info_of(workflow, "count_1").kind, "wc");
    ck_assert_str_eq(info_of(workflow, "count_2").kind, "count");
    ck_assert_double_eq(info_of(workflow, "split_book").expected_seconds, 2.5);
    ck_assert_double_eq(info_of(workflow, "count_2").expected_seconds, 0);
    ck_assert(isnan(info_of(workflow, "merge_counts").expected_seconds));
    assert_payload(
        workflow, "split_book",
        "{\"replay\":{\"runtime_seconds\":2.5,\"cpu_percent\":50,\"cores\":1,\"memory_bytes\":4248000,"
        "\"read_bytes\":124000,\"written_bytes\":126000},\"program\":\"split\",\"arguments\":[\"-n\", \"2\"]}");
    assert_payload(workflow, "merge_counts", "{\"replay\":{}}");
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(version_1_3_has_files_inside_tasks)
{
    shard_workflow *workflow = load_workflow(context, TEST_DATA "/wfformat/v1.3.json");
    struct shard_workflow_info info = describe(workflow);
    ck_assert_int_eq(info.task_count, 2);
    ck_assert_int_eq(info.edge_count, 1);
    ck_assert_int_eq(info.data_count, 3);
    struct shard_data_info data = {.struct_size = sizeof(data)};
    ck_assert_int_eq(shard_workflow_data(workflow, shard_workflow_find_data(workflow, "tmp/part"), &data), 0);
    ck_assert_int_eq(data.bytes, 500);
    ck_assert_int_eq(data.producer, 0);
    ck_assert_int_eq(shard_workflow_data(workflow, shard_workflow_find_data(workflow, "part"), &data), 0);
    ck_assert_int_eq(data.bytes, -1);
    assert_payload(workflow, "split_ID0000001",
                   "{\"replay\":{\"runtime_seconds\":2.5,\"memory_bytes\":4248000,\"read_bytes\":124,"
                   "\"written_bytes\":126}}");
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(version_1_4_has_units_in_its_names)
{
    shard_workflow *workflow = load_workflow(context, TEST_DATA "/wfformat/v1.4.json");
    struct shard_workflow_info info = describe(workflow);
    ck_assert_int_eq(info.task_count, 3);
    ck_assert_int_eq(info.edge_count, 2);
    ck_assert_int_eq(info.data_count, 3);
    ck_assert_int_eq(info.kind_count, 2);
    assert_payload(workflow, "split_ID0000001",
                   "{\"replay\":{\"runtime_seconds\":2.5,\"memory_bytes\":4248000,\"read_bytes\":124,"
                   "\"written_bytes\":126}}");
    shard_workflow_unref(workflow);
}
END_TEST

/* Declared edges are all there are: what is read without one cannot be waited for. */
START_TEST(a_read_that_no_edges_order_is_left_out_and_said)
{
    shard_workflow *workflow = load_workflow(context, TEST_DATA "/wfformat/unordered.json");
    ck_assert_int_eq(describe(workflow).edge_count, 2);
    ck_assert_int_eq(describe(workflow).data_count, 3);
    ck_assert_int_eq(info_of(workflow, "use").input_count, 2);
    ck_assert_int_eq(info_of(workflow, "use").predecessor_count, 1);
    ck_assert_int_eq(info_of(workflow, "peek").input_count, 0);
    ck_assert_int_eq(info_of(workflow, "edit").input_count, 0);
    ck_assert_int_eq(info_of(workflow, "edit").output_count, 1);
    struct shard_data_info log = {.struct_size = sizeof(log)};
    ck_assert_int_eq(shard_workflow_data(workflow, shard_workflow_find_data(workflow, "log"), &log), 0);
    ck_assert_int_eq(log.producer, shard_workflow_find_task(workflow, "make"));
    ck_assert_int_eq(log.consumer_count, 1);
    ck_assert_str_eq(log_ids, "second-writer input-left-out ");
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(sizes_that_are_not_there_are_not_known)
{
    static const char text[] = "{\"schemaVersion\":\"1.5\",\"workflow\":{\"specification\":{\"tasks\":[{\"id\":\"a\","
                               "\"inputFiles\":[\"x\",\"y\"]}],\"files\":[{\"id\":\"x\"}]}}}";
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_WFFORMAT, NULL, &workflow),
                     0);
    for (int i = 0; i < 2; i++) {
        struct shard_data_info data = {.struct_size = sizeof(data)};
        ck_assert_int_eq(shard_workflow_data(workflow, i, &data), 0);
        ck_assert_int_eq(data.bytes, -1);
    }
    ck_assert(isnan(info_of(workflow, "a").expected_seconds));
    ck_assert_str_eq(info_of(workflow, "a").kind, "a");
    ck_assert_str_eq(describe(workflow).name, "workflow");
    shard_workflow_unref(workflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wfformat");
    TCase *tests = tcase_create("wfformat");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, recorded_workflows_have_the_counts_of_their_table);
    tcase_add_test(tests, montage_is_what_its_authors_recorded);
    tcase_add_test(tests, version_1_2_has_jobs_that_name_each_other);
    tcase_add_test(tests, version_1_3_has_files_inside_tasks);
    tcase_add_test(tests, version_1_4_has_units_in_its_names);
    tcase_add_test(tests, a_read_that_no_edges_order_is_left_out_and_said);
    tcase_add_test(tests, sizes_that_are_not_there_are_not_known);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
