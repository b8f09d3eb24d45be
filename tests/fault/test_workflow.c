/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of building, sealing, reading and writing a workflow fails once: an error, no leak, nothing changed.
 */

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

/* Lets the n-th allocation from now fail. */
static void fail_after(long n)
{
    tracked.fail_at = tracked.calls + n;
    tracked.failed = 0;
}

/* The first failure has to be no memory, and asking again has to work as if nothing had been. */
#define TWICE(status, call)                              \
    do {                                                 \
        (status) = (call);                               \
        if ((status) < 0) {                              \
            ck_assert_int_eq(status, SHARD_ENOMEM);      \
            ck_assert_int_eq(last_code(), SHARD_ENOMEM); \
            ck_assert_int_eq(tracked.failed, 1);         \
            (status) = (call);                           \
        }                                                \
        ck_assert_int_ge(status, 0);                     \
    } while (0)

/* Uses every column and list; `cycle` makes the seal fail for that reason. */
static shard_workflow *build(int cycle)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    int status, first, second, file, given;
    struct shard_task_spec plain = {.struct_size = sizeof(plain)};
    struct shard_task_spec rich = {.struct_size = sizeof(rich),
                                   .name = "rich",
                                   .kind = "kind",
                                   .payload = "{}",
                                   .payload_bytes = 2,
                                   .memory_bytes = 1,
                                   .units = 10,
                                   .expected_seconds = 1};
    TWICE(status, shard_builder_new(context, "fault", &builder));
    TWICE(first, shard_builder_add_task(builder, &plain));
    TWICE(second, shard_builder_add_task(builder, &rich));
    for (int i = 0; i < 20; i++)
        TWICE(status, shard_builder_add_task(builder, &plain));
    TWICE(file, shard_builder_add_data(builder, "file", 1));
    TWICE(given, shard_builder_add_data(builder, "given", 2));
    TWICE(status, shard_builder_add_output(builder, first, file));
    TWICE(status, shard_builder_add_input(builder, second, file));
    TWICE(status, shard_builder_add_input(builder, second, given));
    TWICE(status, shard_builder_add_edge(builder, first, second));
    TWICE(status, shard_builder_add_edge(builder, first, second));
    if (cycle) {
        TWICE(status, shard_builder_add_edge(builder, second, first));
        status = shard_builder_seal(builder, &workflow);
        ck_assert(status == SHARD_ECYCLE || (status == SHARD_ENOMEM && tracked.failed == 1));
        ck_assert_ptr_null(workflow);
    } else {
        TWICE(status, shard_builder_seal(builder, &workflow));
    }
    shard_builder_free(builder);
    return workflow;
}

START_TEST(each_allocation_of_building_and_sealing_fails_once)
{
    shard_workflow *expected = build(0);
    long n = 1;
    do {
        fail_after(n++);
        shard_workflow *workflow = build(0);
        assert_same_workflow(expected, workflow);
        shard_workflow_unref(workflow);
    } while (tracked.failed > 0);
    ck_assert_int_gt(n, 30);
    shard_workflow_unref(expected);
}
END_TEST

START_TEST(each_allocation_of_finding_a_cycle_fails_once)
{
    long n = 1;
    do {
        fail_after(n++);
        build(1);
    } while (tracked.failed > 0);
    ck_assert_int_gt(n, 20);
}
END_TEST

static void fail_each_of_parsing(const char *path)
{
    size_t bytes;
    char *text = read_file(path, &bytes);
    tracked.fail_at = 0;
    shard_workflow *expected = load_workflow(context, path);
    long n = 1;
    do {
        shard_workflow *workflow = NULL;
        int status;
        fail_after(n++);
        TWICE(status, shard_workflow_parse(context, text, bytes, path, SHARD_FORMAT_AUTO, NULL, &workflow));
        assert_same_workflow(expected, workflow);
        shard_workflow_unref(workflow);
    } while (tracked.failed > 0);
    ck_assert_int_gt(n, 20);
    shard_workflow_unref(expected);
    free(text);
}

START_TEST(each_allocation_of_reading_wfformat_fails_once)
{
    fail_each_of_parsing(TEST_DATA "/workflows/helloworld-forkjoin-10-chameleon.json");
    fail_each_of_parsing(TEST_DATA "/wfformat/v1.3.json");
    fail_each_of_parsing(TEST_DATA "/wfformat/unordered.json");
}
END_TEST

START_TEST(each_allocation_of_writing_and_of_reading_it_again_fails_once)
{
    shard_workflow *workflow = build(0);
    char *expected;
    ck_assert_int_eq(shard_workflow_to_json(workflow, &expected, NULL), 0);
    long n = 1;
    do {
        char *text = NULL;
        shard_workflow *copy = NULL;
        size_t bytes;
        int status;
        fail_after(n++);
        TWICE(status, shard_workflow_to_json(workflow, &text, &bytes));
        ck_assert_str_eq(text, expected);
        TWICE(status, shard_workflow_parse(context, text, bytes, NULL, SHARD_FORMAT_AUTO, NULL, &copy));
        assert_same_workflow(workflow, copy);
        shard_workflow_unref(copy);
        shard_free(context, text);
    } while (tracked.failed > 0);
    shard_free(context, expected);
    shard_workflow_unref(workflow);
}
END_TEST

/* A wrong text stays wrong, or there is no memory to say so. */
START_TEST(each_allocation_of_refusing_a_text_fails_once)
{
    static const char *const texts[] = {
        "{\"format\":\"libshard-workflow\",\"version\":1,\"tasks\":[{\"nam\":1}]}",
        "{\"a1\":1,\"a2\":1,\"a3\":1,\"a4\":1,\"a5\":1,\"a6\":1,\"a7\":1,\"a8\":1,\"a9\":1,\"b1\":1,\"b2\":1,\"b3\":1,"
        "\"b4\":1,\"b5\":1,\"b6\":1,\"b7\":1,\"b8\":1,\"b9\":1,\"a1\":2}"};
    for (size_t i = 0; i < 2; i++) {
        long n = 1;
        do {
            shard_workflow *workflow = NULL;
            fail_after(n++);
            int status =
                shard_workflow_parse(context, texts[i], strlen(texts[i]), NULL, SHARD_FORMAT_AUTO, NULL, &workflow);
            ck_assert_int_eq(status, tracked.failed > 0 ? SHARD_ENOMEM : SHARD_EPARSE);
        } while (tracked.failed > 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("workflow");
    TCase *tests = tcase_create("workflow");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, each_allocation_of_building_and_sealing_fails_once);
    tcase_add_test(tests, each_allocation_of_finding_a_cycle_fails_once);
    tcase_add_test(tests, each_allocation_of_reading_wfformat_fails_once);
    tcase_add_test(tests, each_allocation_of_writing_and_of_reading_it_again_fails_once);
    tcase_add_test(tests, each_allocation_of_refusing_a_text_fails_once);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
