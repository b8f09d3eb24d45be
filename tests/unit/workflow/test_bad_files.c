/* SPDX-License-Identifier: Apache-2.0 */
/* Workflow files that are wrong: each is refused with its place and what was expected, and nothing is made. */

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

/* Refused with that code, place and words; "file" is in the message, and nothing is left in memory (teardown). */
static void refuse(const char *text, size_t bytes, int code, int line, int column, const char *pointer,
                   const char *words)
{
    struct shard_parse_report report = {.struct_size = sizeof(report)};
    shard_workflow *workflow = NULL;
    int status = shard_workflow_parse(context, text, bytes, "file", SHARD_FORMAT_AUTO, &report, &workflow);
    ck_assert_msg(status == code, "%.200s: is %d, expected %d", text, status, code);
    ck_assert_ptr_null(workflow);
    ck_assert_int_eq(last_code(), code);
    assert_message_has("file:");
    assert_message_has(words);
    ck_assert_msg(strcmp(report.pointer, pointer) == 0, "%.200s: pointer is %s", text, report.pointer);
    ck_assert_msg(report.line == line && report.column == column, "%.200s: place is %d:%d", text, report.line,
                  report.column);
}

struct bad_text {
    const char *text;
    int line;
    int column;
    const char *pointer;
    const char *words;
};

START_TEST(text_that_is_not_json)
{
    static const struct bad_text texts[] = {
        {"", 1, 1, "", "the text ends here, expected a value"},
        {"  \n ", 2, 2, "", "the text ends here, expected a value"},
        {"hello", 1, 1, "", "expected a value"},
        {"{\"a\": 1", 1, 8, "", "the text ends here, expected ',' or '}'"},
        {"{\"tasks\": [{\"name\": \"a\"}", 1, 25, "/tasks", "the text ends here, expected ',' or ']'"},
        {"{\"a\": \"b", 1, 9, "", "expected '\"' after the string"},
        {"{\"a\"", 1, 5, "", "expected ':'"},
        {"{a: 1}", 1, 2, "", "expected a key in quotes"},
        {"{\"a\": 1,}", 1, 9, "", "expected a key in quotes"},
        {"[1,\n2,]", 2, 3, "", "expected a value"},
        {"[1 2]", 1, 4, "", "expected ',' or ']'"},
        {"[] []", 1, 4, "", "expected the end of the text"},
        {"[tru]", 1, 2, "", "expected a value"},
        {"[NaN]", 1, 2, "", "expected a value"},
        {"[Infinity]", 1, 2, "", "expected a value"},
        {"[-]", 1, 3, "", "expected a digit"},
        {"[+1]", 1, 2, "", "expected a value"},
        {"[01]", 1, 2, "", "begins with 0"},
        {"[1.]", 1, 4, "", "expected a digit after the point"},
        {"[.5]", 1, 2, "", "expected a value"},
        {"[1e]", 1, 4, "", "expected a digit in the exponent"},
        {"[\"\\x\"]", 1, 3, "", "not an escape"},
        {"[\"\\u12g4\"]", 1, 3, "", "four hexadecimal digits"},
        {"[\"\\u0000\"]", 1, 3, "", "has a NUL"},
        {"[\"\\ud800\"]", 1, 3, "", "without its low one"},
        {"[\"\\udc00\"]", 1, 3, "", "without its high one"},
        {"[\"\\ud800\\u0041\"]", 1, 3, "", "without its low one"},
        {"[\"a\nb\"]", 1, 4, "", "has a control character"},
        {"[\"\xff\"]", 1, 3, "", "not UTF-8"},
        {"[\"\xc3\xbc\", \"\xe2\x82\"]", 1, 8, "", "not UTF-8"},
        {"{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}", 1, 24, "/b/c", "the key 'c' is there twice"},
        {"{\"a\": 1, \"\\u0061\": 2}", 1, 10, "/a", "the key 'a' is there twice"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        refuse(texts[i].text, strlen(texts[i].text), SHARD_EPARSE, texts[i].line, texts[i].column, texts[i].pointer,
               texts[i].words);
    refuse("[\"a\0b\"]", 7, SHARD_EPARSE, 1, 4, "", "has a control character");
    refuse("{}\0", 3, SHARD_EPARSE, 1, 3, "", "expected the end of the text");
}
END_TEST

START_TEST(a_hundred_megabytes_of_nesting)
{
    enum { BYTES = 100 << 20 };
    char *text = malloc(BYTES);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', BYTES);
    refuse(text, BYTES, SHARD_ELIMIT, 1, 257, "", "nested more than 256 deep");
    for (int i = 0; i + 5 <= BYTES; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    refuse(text, BYTES, SHARD_ELIMIT, 1, 1281, "", "nested more than 256 deep");
    free(text);
}
END_TEST

START_TEST(json_that_is_no_workflow)
{
    static const struct bad_text texts[] = {
        {"[]", 1, 1, "", "is an array, expected an object"},
        {"1", 1, 1, "", "is a number, expected an object"},
        {"{}", 1, 1, "", "is no workflow: expected the key 'format'"},
        {"{\"format\": \"other\"}", 1, 12, "/format", "is 'other', expected 'libshard-workflow'"},
        {"{\"format\": 7}", 1, 12, "/format", "is a number, expected a string"},
        {"{\"format\": \"libshard-workflow\", \"tasks\": []}", 1, 1, "", "has no 'version'"},
        {"{\"format\": \"libshard-workflow\", \"version\": 1}", 1, 1, "", "has no 'tasks'"},
        {"{\"schemaVersion\": \"1.5\"}", 1, 1, "", "has no 'workflow'"},
        {"{\"schemaVersion\": 1.5}", 1, 19, "/schemaVersion", "is a number, expected a string"},
        {"{\"schemaVersion\": \"1.5\", \"workflow\": {}}", 1, 38, "/workflow", "has no 'specification'"},
        {"{\"schemaVersion\": \"1.4\", \"workflow\": {}}", 1, 38, "/workflow", "has no 'tasks'"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        refuse(texts[i].text, strlen(texts[i].text), SHARD_EPARSE, texts[i].line, texts[i].column, texts[i].pointer,
               texts[i].words);
}
END_TEST

START_TEST(versions_that_are_not_known)
{
    static const char native[] = "{\"format\": \"libshard-workflow\", \"version\": 2, \"tasks\": []}";
    refuse(native, strlen(native), SHARD_EVERSION, 1, 44, "/version", "is 2, this library knows version 1");
    static const char wfformat[] = "{\"schemaVersion\": \"9.9\", \"workflow\": {}}";
    refuse(wfformat, strlen(wfformat), SHARD_EVERSION, 1, 19, "/schemaVersion",
           "WfFormat is '9.9', expected 1.2, 1.3, 1.4 or 1.5");
}
END_TEST

struct bad_tasks {
    const char *tasks; /* and what follows them */
    int code;
    const char *pointer;
    const char *words;
};

/* Columns are those of the value: counted here as the text is made. */
static void refuse_all(const char *head, const char *tail, const struct bad_tasks *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        struct shard_parse_report report = {.struct_size = sizeof(report)};
        shard_workflow *workflow = NULL;
        int length = snprintf(text, sizeof(text), "%s\n%s%s", head, texts[i].tasks, tail);
        int status = shard_workflow_parse(context, text, (size_t)length, "file", SHARD_FORMAT_AUTO, &report, &workflow);
        ck_assert_msg(status == texts[i].code, "%s: is %d", text, status);
        ck_assert_ptr_null(workflow);
        ck_assert_msg(strcmp(report.pointer, texts[i].pointer) == 0, "%s: pointer is %s", text, report.pointer);
        ck_assert_int_eq(report.line, 2);
        ck_assert_int_gt(report.column, 0);
        assert_message_has("file:2:");
        assert_message_has(texts[i].pointer);
        assert_message_has(texts[i].words);
    }
}

START_TEST(native_tasks_that_are_wrong)
{
    static const struct bad_tasks texts[] = {
        {"1", SHARD_EPARSE, "/tasks/0", "is a number, expected an object"},
        {"{\"name\": 1}", SHARD_EPARSE, "/tasks/0/name", "is a number, expected a string"},
        {"{\"name\": \"\"}", SHARD_EINVAL, "/tasks/0/name", "is empty"},
        {"{\"name\": \"a\\nb\"}", SHARD_EINVAL, "/tasks/0", "control character"},
        {"{\"nam\": \"a\"}", SHARD_EPARSE, "/tasks/0/nam", "the key 'nam' is not known, expected one of name, kind"},
        {"{\"name\": \"a\"}, {\"name\": \"a\"}", SHARD_EEXIST, "/tasks/1", "the name is task 0's already"},
        {"{\"name\": \"a\", \"after\": [\"b\"]}", SHARD_ENOENT, "/tasks/0/after/0", "there is no task 'b'"},
        {"{\"name\": \"a\", \"after\": [\"a\"]}", SHARD_ECYCLE, "/tasks/0/after/0", "a -> a"},
        {"{\"name\": \"a\", \"after\": \"b\"}", SHARD_EPARSE, "/tasks/0/after", "is a string, expected an array"},
        {"{\"name\": \"a\", \"after\": [1]}", SHARD_EPARSE, "/tasks/0/after/0", "is a number, expected a string"},
        {"{\"name\": \"a\", \"after\": [\"b\"]}, {\"name\": \"b\", \"after\": [\"a\"]}", SHARD_ECYCLE, "/tasks/0",
         "a -> b -> a"},
        {"{\"memory_bytes\": -1}", SHARD_EINVAL, "/tasks/0/memory_bytes", "is -1, expected a whole number from 0"},
        {"{\"memory_bytes\": 1.5}", SHARD_EINVAL, "/tasks/0/memory_bytes", "is 1.5, expected a whole number"},
        {"{\"memory_bytes\": 9223372036854775808}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected a whole number"},
        {"{\"memory_bytes\": 18446744073709551617}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected a whole number"},
        {"{\"memory_bytes\": 1e300}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected a whole number"},
        {"{\"memory_bytes\": \"-1\"}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected bytes"},
        {"{\"memory_bytes\": \"2 bananas\"}", SHARD_EINVAL, "/tasks/0/memory_bytes", "is '2 bananas', expected bytes"},
        {"{\"memory_bytes\": \"9e9 PB\"}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected bytes"},
        {"{\"memory_bytes\": \"999999999999999 PB\"}", SHARD_EINVAL, "/tasks/0/memory_bytes", "expected bytes"},
        {"{\"expected_seconds\": -0.5}", SHARD_EINVAL, "/tasks/0", "expected_seconds is -0.5, expected 0 to 1e+15"},
        {"{\"expected_seconds\": 1e999}", SHARD_EINVAL, "/tasks/0/expected_seconds", "is too large for a number"},
        {"{\"expected_seconds\": \"5\"}", SHARD_EPARSE, "/tasks/0/expected_seconds", "is a string, expected a number"},
        {"{\"priority\": 3000000000}", SHARD_EINVAL, "/tasks/0/priority", "from -2147483648 to 2147483647"},
        {"{\"max_attempts\": null}", SHARD_EPARSE, "/tasks/0/max_attempts", "is null, expected a number"},
        {"{\"has_merge\": 1}", SHARD_EPARSE, "/tasks/0/has_merge", "is a number, expected true or false"},
        {"{\"parts\": 2}", SHARD_EINVAL, "/tasks/0", "parts is 2, expected at most units / min_units, 1"},
        {"{\"payload_base64\": \"a\"}", SHARD_EINVAL, "/tasks/0/payload_base64", "is not base64"},
        {"{\"payload_base64\": \"aGk\"}", SHARD_EINVAL, "/tasks/0/payload_base64", "is not base64"},
        {"{\"payload\": 1, \"payload_base64\": \"\"}", SHARD_EPARSE, "/tasks/0/payload_base64", "has both"},
        {"{\"name\": \"a\", \"outputs\": [\"f\"]}, {\"name\": \"b\", \"outputs\": [\"f\"]}", SHARD_EEXIST,
         "/tasks/1/outputs/0", "task 'b' writes data 'f', which task 'a' writes already"},
        {"{\"name\": \"a\", \"inputs\": [\"f\"], \"outputs\": [\"f\"]}", SHARD_ECYCLE, "/tasks/0",
         "a -> a (reads data 'f' that it writes)"},
    };
    refuse_all("{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [", "]}", texts,
               sizeof(texts) / sizeof(texts[0]));
    static const struct bad_tasks data[] = {
        {"1", SHARD_EPARSE, "/data", "is a number, expected an array"},
        {"[{}]", SHARD_EPARSE, "/data/0", "has no 'name'"},
        {"[{\"name\": \"a\", \"bytes\": -1}]", SHARD_EINVAL, "/data/0/bytes", "expected a whole number from 0"},
        {"[{\"name\": \"a\"}, {\"name\": \"a\"}]", SHARD_EEXIST, "/data/1", "data 'a' is there already"},
        {"[{\"name\": \"a\", \"size\": 1}]", SHARD_EPARSE, "/data/0/size", "is not known, expected one of name, bytes"},
    };
    refuse_all("{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [], \"data\":", "}", data,
               sizeof(data) / sizeof(data[0]));
}
END_TEST

START_TEST(names_that_are_too_long)
{
    char text[11000];
    int length = snprintf(text, sizeof(text),
                          "{\"format\":\"libshard-workflow\",\"version\":1,\n\"tasks\":[{\"name\":\"%010000d\"}]}", 7);
    refuse(text, (size_t)length, SHARD_ELIMIT, 2, 10, "/tasks/0", "has 10000 bytes, expected at most 1024");
}
END_TEST

START_TEST(names_with_dots_and_slashes_are_only_names)
{
    static const char text[] =
        "{\"format\":\"libshard-workflow\",\"version\":1,\"tasks\":[{\"name\":\"../../etc/x\"}]}";
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_AUTO, NULL, &workflow), 0);
    ck_assert_int_eq(shard_workflow_find_task(workflow, "../../etc/x"), 0);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(wfformat_tasks_that_are_wrong)
{
#define TASKS "/workflow/specification/tasks"
    static const struct bad_tasks texts[] = {
        {"{\"name\": \"a\"}", SHARD_EPARSE, TASKS "/0", "has no 'id'"},
        {"{\"id\": \"\"}", SHARD_EINVAL, TASKS "/0/id", "is empty"},
        {"{\"id\": \"a\"}, {\"id\": \"a\"}", SHARD_EEXIST, TASKS "/1", "task 1, 'a': the name is task 0's already"},
        {"{\"id\": \"a\", \"parents\": [\"b\"]}", SHARD_ENOENT, TASKS "/0/parents/0",
         "task 'a' has the parent 'b', which is not there"},
        {"{\"id\": \"a\", \"children\": [\"b\"]}", SHARD_ENOENT, TASKS "/0/children/0",
         "task 'a' has the child 'b', which is not there"},
        {"{\"id\": \"a\", \"children\": [\"b\"]}, {\"id\": \"b\", \"children\": [\"a\"]}", SHARD_ECYCLE, TASKS "/0",
         "a -> b -> a"},
        {"{\"id\": \"a\", \"parents\": {}}", SHARD_EPARSE, TASKS "/0/parents", "is an object, expected an array"},
        {"{\"id\": \"a\", \"inputFiles\": [1]}", SHARD_EPARSE, TASKS "/0/inputFiles/0", "expected a string"},
        {"{\"id\": \"a\", \"inputFiles\": [\"\"]}", SHARD_EINVAL, TASKS "/0/inputFiles/0", "is empty"},
    };
    refuse_all("{\"schemaVersion\": \"1.5\", \"workflow\": {\"specification\": {\"tasks\": [", "]}}}", texts,
               sizeof(texts) / sizeof(texts[0]));
#undef TASKS
    static const struct bad_tasks rest[] = {
        {"\"files\": [{\"id\": \"f\", \"sizeInBytes\": -1}]}", SHARD_EINVAL,
         "/workflow/specification/files/0/sizeInBytes", "is -1, expected a whole number from 0"},
        {"\"files\": [{\"id\": \"f\"}, {\"id\": \"f\"}]}", SHARD_EEXIST, "/workflow/specification/files/1/id",
         "data 'f' is there already"},
        {"\"files\": []}, \"execution\": {\"tasks\": [{\"id\": \"a\", \"runtimeInSeconds\": -2}]}", SHARD_EINVAL,
         "/workflow/execution/tasks/0/runtimeInSeconds", "is -2, expected 0 or more"},
        {"\"files\": []}, \"execution\": {\"tasks\": [{\"id\": \"a\", \"runtimeInSeconds\": 1e400}]}", SHARD_EINVAL,
         "/workflow/execution/tasks/0/runtimeInSeconds", "is too large"},
        {"\"files\": []}, \"execution\": {\"tasks\": [{\"id\": \"a\", \"memoryInBytes\": 1e19}]}", SHARD_EINVAL,
         "/workflow/execution/tasks/0/memoryInBytes", "expected less than 2^63 bytes"},
        {"\"files\": []}, \"execution\": {\"tasks\": [{\"id\": \"a\"}, {\"id\": \"a\"}]}", SHARD_EEXIST,
         "/workflow/execution/tasks/1/id", "has been executed once already"},
        {"\"files\": []}, \"execution\": []", SHARD_EPARSE, "/workflow/execution", "is an array, expected an object"},
    };
    refuse_all("{\"schemaVersion\": \"1.5\", \"workflow\": {\"specification\": {\"tasks\": [{\"id\": \"a\"}],", "}}",
               rest, sizeof(rest) / sizeof(rest[0]));
}
END_TEST

/* Every beginning of a recorded workflow is refused, with a place. */
START_TEST(truncated_files)
{
    size_t bytes;
    char *text = read_file(TEST_DATA "/workflows/helloworld-forkjoin-10-chameleon.json", &bytes);
    while (bytes > 0 && text[bytes - 1] != '}')
        bytes--;
    for (size_t length = 0; length < bytes; length += 1 + length / 50) {
        struct shard_parse_report report = {.struct_size = sizeof(report)};
        shard_workflow *workflow = NULL;
        ck_assert_int_eq(shard_workflow_parse(context, text, length, "file", SHARD_FORMAT_AUTO, &report, &workflow),
                         SHARD_EPARSE);
        ck_assert_int_gt(report.line, 0);
        assert_message_has("expected ");
    }
    free(text);
}
END_TEST

START_TEST(arguments_that_are_wrong)
{
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_workflow_parse(context, NULL, 0, NULL, SHARD_FORMAT_AUTO, NULL, &workflow), SHARD_EINVAL);
    ck_assert_int_eq(shard_workflow_parse(context, "{}", 2, NULL, (enum shard_format)3, NULL, &workflow), SHARD_EINVAL);
    struct shard_parse_report report = {0};
    static const char text[] = "{\"format\":\"libshard-workflow\",\"version\":1,\"tasks\":[]}";
    ck_assert_int_eq(shard_workflow_parse(context, text, strlen(text), NULL, SHARD_FORMAT_AUTO, &report, &workflow),
                     SHARD_EINVAL);
    ck_assert_ptr_null(workflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad files");
    TCase *tests = tcase_create("bad files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, text_that_is_not_json);
    tcase_add_test(tests, a_hundred_megabytes_of_nesting);
    tcase_add_test(tests, json_that_is_no_workflow);
    tcase_add_test(tests, versions_that_are_not_known);
    tcase_add_test(tests, native_tasks_that_are_wrong);
    tcase_add_test(tests, names_that_are_too_long);
    tcase_add_test(tests, names_with_dots_and_slashes_are_only_names);
    tcase_add_test(tests, wfformat_tasks_that_are_wrong);
    tcase_add_test(tests, truncated_files);
    tcase_add_test(tests, arguments_that_are_wrong);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
