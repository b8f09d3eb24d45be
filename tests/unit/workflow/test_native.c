/* SPDX-License-Identifier: Apache-2.0 */
/* The native format: what is read from it, and that writing and reading again gives the same workflow. */

#include <locale.h>
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

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

/* A workflow of these tasks and data. */
static shard_workflow *parse(const char *rest)
{
    char text[4096];
    shard_workflow *workflow = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    int length = snprintf(text, sizeof(text), "{\"format\":\"libshard-workflow\",\"version\":1,%s}", rest);
    int status = shard_workflow_parse(context, text, (size_t)length, "test", SHARD_FORMAT_AUTO, NULL, &workflow);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    return workflow;
}

static struct shard_task_info info_of(const shard_workflow *workflow, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_task(workflow, task, &info), 0);
    return info;
}

/* Writes, reads, compares, and writes again: the same bytes. */
static void assert_round_trip(shard_workflow *workflow)
{
    char *text, *again;
    size_t bytes, bytes_again;
    shard_workflow *copy = NULL;
    ck_assert_int_eq(shard_workflow_to_json(workflow, &text, &bytes), 0);
    ck_assert_int_eq(last_code(), SHARD_OK);
    ck_assert_uint_eq(strlen(text), bytes);
    struct shard_error error = {.struct_size = sizeof(error)};
    int status = shard_workflow_parse(context, text, bytes, NULL, SHARD_FORMAT_NATIVE, NULL, &copy);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s in %s", error.message, text);
    assert_same_workflow(workflow, copy);
    ck_assert_int_eq(shard_workflow_to_json(copy, &again, &bytes_again), 0);
    ck_assert_str_eq(text, again);
    shard_free(context, text);
    shard_free(context, again);
    shard_workflow_unref(copy);
}

START_TEST(every_field_is_read)
{
    shard_workflow *workflow = parse(
        "\"$schema\": \"workflow.schema.json\", \"name\": \"count\", \"tasks\": [{\"name\": \"a\", \"kind\": \"k\", "
        "\"inputs\": [\"in\", \"other\"], \"outputs\": [\"out\"], \"cpu_millicores\": 1500, \"memory_bytes\": "
        "\"2 GiB\", \"disk_bytes\": 1e3, \"expected_seconds\": 1.5, \"failure_cost_seconds\": 2, "
        "\"timeout_seconds\": 60.25, \"priority\": -3, \"max_attempts\": 4, \"units\": 100, \"min_units\": 10, "
        "\"parts\": 5, \"has_merge\": true, \"payload\": [1, {\"x\": null}]}, {\"after\": [\"a\"]}], "
        "\"data\": [{\"name\": \"in\", \"bytes\": \"512 MB\"}]");
    struct shard_task_info a = info_of(workflow, 0);
    ck_assert_str_eq(a.name, "a");
    ck_assert_str_eq(a.kind, "k");
    ck_assert_int_eq(a.input_count, 2);
    ck_assert_int_eq(a.output_count, 1);
    ck_assert_int_eq(a.cpu_millicores, 1500);
    ck_assert_int_eq(a.memory_bytes, INT64_C(2) << 30);
    ck_assert_int_eq(a.disk_bytes, 1000);
    ck_assert_double_eq(a.expected_seconds, 1.5);
    ck_assert_double_eq(a.failure_cost_seconds, 2);
    ck_assert_double_eq(a.timeout_seconds, 60.25);
    ck_assert_int_eq(a.priority, -3);
    ck_assert_int_eq(a.max_attempts, 4);
    ck_assert_int_eq(a.units, 100);
    ck_assert_int_eq(a.min_units, 10);
    ck_assert_int_eq(a.parts, 5);
    ck_assert_int_eq(a.has_merge, 1);
    ck_assert_int_eq((int)a.payload_bytes, 16);
    ck_assert_mem_eq(a.payload, "[1, {\"x\": null}]", 16);
    struct shard_task_info b = info_of(workflow, 1);
    ck_assert_str_eq(b.name, "t1");
    ck_assert_str_eq(b.kind, "task");
    ck_assert_int_eq(b.predecessor_count, 1);
    ck_assert(isnan(b.expected_seconds));
    struct shard_data_info data = {.struct_size = sizeof(data)};
    ck_assert_int_eq(shard_workflow_data(workflow, 0, &data), 0);
    ck_assert_int_eq(data.bytes, 512000000);
    ck_assert_int_eq(shard_workflow_data(workflow, shard_workflow_find_data(workflow, "other"), &data), 0);
    ck_assert_int_eq(data.bytes, -1);
    assert_round_trip(workflow);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(tasks_may_name_later_ones_and_keys_may_be_in_any_order)
{
    shard_workflow *workflow = parse("\"tasks\": [{\"after\": [\"b\"], \"name\": \"a\"}, {\"name\": \"b\"}]");
    ck_assert_int_eq(info_of(workflow, 0).predecessor_count, 1);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"\"0\"", 0},
                 {"\"7 B\"", 7},
                 {"\"1kB\"", 1000},
                 {"\"1 KiB\"", 1024},
                 {"\"1.5 MB\"", 1500000},
                 {"\"2MiB\"", 2097152},
                 {"\"3 TB\"", INT64_C(3000000000000)},
                 {"\"1 PiB\"", INT64_C(1) << 50},
                 {"123", 123},
                 {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char tasks[128];
        snprintf(tasks, sizeof(tasks), "\"tasks\": [{\"memory_bytes\": %s}]", sizes[i].text);
        shard_workflow *workflow = parse(tasks);
        ck_assert_int_eq(info_of(workflow, 0).memory_bytes, sizes[i].bytes);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(a_payload_over_several_lines_loses_white_space_only)
{
    shard_workflow *workflow = parse("\"tasks\": [{\"payload\": {\n  \"a b\" : [ 1 ,\t\"x \\\" \\\\\" ]\r\n}}]");
    struct shard_task_info info = info_of(workflow, 0);
    static const char expected[] = "{\"a b\":[1,\"x \\\" \\\\\"]}";
    ck_assert_uint_eq(info.payload_bytes, strlen(expected));
    ck_assert_mem_eq(info.payload, expected, strlen(expected));
    assert_round_trip(workflow);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(payloads_that_are_not_a_line_of_json_come_back_too)
{
    static const struct {
        const char *bytes;
        size_t size;
    } payloads[] = {{"\0\1\2", 3}, {"{\n}", 3},        {" 1", 2}, {"1 ", 2},   {"{\"a\":1,\"a\":2}", 13},
                    {"\xff", 1},   {"\"\\u0000\"", 8}, {"", 0},   {"nulll", 5}};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        shard_builder *builder = new_builder(context);
        const struct shard_task_spec spec = {
            .struct_size = sizeof(spec), .payload = payloads[i].bytes, .payload_bytes = payloads[i].size};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
        shard_workflow *workflow = seal(builder);
        assert_round_trip(workflow);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(a_payload_as_deep_as_the_text_may_be_comes_back)
{
    for (int depth = 250; depth < 260; depth++) {
        char payload[1024];
        memset(payload, '[', (size_t)depth);
        memset(payload + depth, ']', (size_t)depth);
        shard_builder *builder = new_builder(context);
        const struct shard_task_spec spec = {
            .struct_size = sizeof(spec), .payload = payload, .payload_bytes = 2 * (size_t)depth};
        ck_assert_int_eq(shard_builder_add_task(builder, &spec), 0);
        shard_workflow *workflow = seal(builder);
        assert_round_trip(workflow);
        char *text;
        ck_assert_int_eq(shard_workflow_to_json(workflow, &text, NULL), 0);
        /* The text's object, its tasks, and the task are around it. */
        ck_assert_int_eq(strstr(text, "\"payload\": ") != NULL, depth <= 253);
        shard_free(context, text);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(random_workflows_come_back_the_same)
{
    for (unsigned seed = 0; seed < 60; seed++) {
        shard_workflow *workflow = seal(random_builder(context, seed, 30));
        assert_round_trip(workflow);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(recorded_workflows_come_back_the_same)
{
    static const char *const files[] = {"/workflows/helloworld-forkjoin-10-chameleon.json", "/wfformat/unordered.json",
                                        "/wfformat/v1.2.json"};
    for (size_t i = 0; i < 3; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s%s", TEST_DATA, files[i]);
        shard_workflow *workflow = load_workflow(context, path);
        assert_round_trip(workflow);
        shard_workflow_unref(workflow);
    }
}
END_TEST

START_TEST(one_task_stands_on_a_line)
{
    shard_builder *builder = new_builder(context);
    add_task(builder, "a");
    add_task(builder, "b");
    add_edge(builder, "a", "b");
    ck_assert_int_eq(shard_builder_add_data(builder, "d", 5), 0);
    shard_workflow *workflow = seal(builder);
    char *text;
    ck_assert_int_eq(shard_workflow_to_json(workflow, &text, NULL), 0);
    ck_assert_str_eq(text, "{\"format\": \"libshard-workflow\", \"version\": 1, \"name\": \"workflow\",\n"
                           "\"tasks\": [\n"
                           "{\"name\": \"a\", \"kind\": \"task\"},\n"
                           "{\"name\": \"b\", \"kind\": \"task\", \"after\": [\"a\"]}],\n"
                           "\"data\": [\n"
                           "{\"name\": \"d\", \"bytes\": 5}]}\n");
    shard_free(context, text);
    shard_workflow_unref(workflow);
}
END_TEST

/* The comma of a locale must not find its way into numbers. Not every machine has such a locale. */
START_TEST(numbers_do_not_depend_on_the_locale)
{
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3 && setlocale(LC_NUMERIC, locales[i]) == NULL; i++)
        continue;
    shard_workflow *workflow =
        parse("\"tasks\": [{\"expected_seconds\": 1.5, \"timeout_seconds\": 0.12345678901234567890123}]");
    setlocale(LC_NUMERIC, "C");
    ck_assert_double_eq(info_of(workflow, 0).expected_seconds, 1.5);
    ck_assert_double_eq(info_of(workflow, 0).timeout_seconds, 0.12345678901234567890123);
    shard_workflow_unref(workflow);
}
END_TEST

/* The keys that the schema publishes are those that the reader knows, as its message about another one lists them. */
START_TEST(the_schema_has_the_keys_of_the_reader)
{
    static const char text[] = "{\"format\":\"libshard-workflow\",\"version\":1,\"tasks\":[{\"?\":1}]}";
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_AUTO, NULL, &workflow),
                     SHARD_EPARSE);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    char *known = strstr(error.message, "expected one of ");
    ck_assert_ptr_nonnull(known);
    known += strlen("expected one of ");
    size_t bytes;
    char *schema = read_file(TEST_DATA "/../../lib/workflow/workflow.schema.json", &bytes);
    char *task = strstr(schema, "\"task\": {\n");
    ck_assert_ptr_nonnull(task);
    int in_schema = 0, in_reader = 0;
    for (char *line = strstr(task, "\n        \""); line != NULL; line = strstr(line + 1, "\n        \""))
        in_schema++;
    for (char *key = strtok(known, ", "); key != NULL; key = strtok(NULL, ", ")) {
        char line[64];
        snprintf(line, sizeof(line), "\n        \"%s\": {", key);
        ck_assert_msg(strstr(task, line) != NULL, "the schema lacks %s", key);
        in_reader++;
    }
    ck_assert_int_eq(in_schema, in_reader);
    free(schema);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("native");
    TCase *tests = tcase_create("native");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_field_is_read);
    tcase_add_test(tests, tasks_may_name_later_ones_and_keys_may_be_in_any_order);
    tcase_add_test(tests, sizes_have_units);
    tcase_add_test(tests, a_payload_over_several_lines_loses_white_space_only);
    tcase_add_test(tests, payloads_that_are_not_a_line_of_json_come_back_too);
    tcase_add_test(tests, a_payload_as_deep_as_the_text_may_be_comes_back);
    tcase_add_test(tests, random_workflows_come_back_the_same);
    tcase_add_test(tests, recorded_workflows_come_back_the_same);
    tcase_add_test(tests, one_task_stands_on_a_line);
    tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
    tcase_add_test(tests, the_schema_has_the_keys_of_the_reader);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
