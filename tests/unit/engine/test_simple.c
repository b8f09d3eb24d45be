/* SPDX-License-Identifier: Apache-2.0 */
/* The simple tier: one call that runs a workflow with a function, without threads and with four. */

#include <stdatomic.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "tracked.h"
#include "workflows.h"

enum { MOST_TASKS = 64 };

static const int32_t thread_counts[] = {0, 4};

static struct tracked tracked;
static shard_context *context;

/* What the function saw and is told to do. */
struct seen {
    const shard_workflow *workflow;
    atomic_int done[MOST_TASKS], calls[MOST_TASKS];
    atomic_int too_early, total;
    const char *fails; /* name of the task that fails */
    int failures;      /* so often */
};

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
}

static void teardown(void)
{
    tracked_context_free(&tracked, context);
}

static int count(void *self, const struct shard_call *call)
{
    struct seen *seen = self;
    int32_t before[MOST_TASKS];
    int32_t predecessors = shard_workflow_predecessors(seen->workflow, call->task, before, MOST_TASKS);
    for (int32_t i = 0; i < predecessors; i++)
        if (!atomic_load(&seen->done[before[i]]))
            atomic_fetch_add(&seen->too_early, 1);
    atomic_fetch_add(&seen->total, 1);
    int calls = atomic_fetch_add(&seen->calls[call->task], 1);
    if (seen->fails != NULL && strcmp(call->name, seen->fails) == 0 && calls < seen->failures)
        return 1;
    atomic_store(&seen->done[call->task], 1);
    return 0;
}

/* "a" before "b0" to "b7", which are before "c". */
static shard_workflow *diamond(void)
{
    shard_builder *builder = new_builder(context);
    add_task(builder, "a");
    add_task(builder, "c");
    for (int i = 0; i < 8; i++) {
        char name[] = {'b', (char)('0' + i), '\0'};
        add_task(builder, name);
        add_edge(builder, "a", name);
        add_edge(builder, name, "c");
    }
    return seal(builder);
}

static int run_with(struct seen *seen, shard_workflow *workflow, int32_t threads, int32_t retries,
                    struct shard_run_info *ret_info)
{
    struct shard_simple_config config = {.struct_size = sizeof(config), .threads = threads, .retries = retries};
    seen->workflow = workflow;
    return shard_simple_run(context, workflow, count, seen, &config, ret_info);
}

START_TEST(every_task_is_done_once_and_after_its_predecessors)
{
    struct seen seen = {0};
    shard_workflow *workflow = diamond();
    struct shard_run_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(run_with(&seen, workflow, thread_counts[_i], 0, &info), 0);
    ck_assert_int_eq(atomic_load(&seen.total), 10);
    ck_assert_int_eq(atomic_load(&seen.too_early), 0);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(atomic_load(&seen.calls[i]), 1);
    ck_assert_int_eq(info.state, SHARD_RUN_DONE);
    ck_assert_int_eq(info.by_state[SHARD_TASK_DONE], 10);
    ck_assert_int_eq(info.attempts, 10);
    ck_assert_str_eq(info.name, "simple");
    ck_assert_ptr_eq(info.workflow, workflow);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_function_that_fails_is_called_again_as_often_as_is_allowed)
{
    struct seen seen = {.fails = "b3", .failures = 2};
    shard_workflow *workflow = diamond();
    struct shard_run_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(run_with(&seen, workflow, thread_counts[_i], 2, &info), 0);
    ck_assert_int_eq(atomic_load(&seen.total), 12);
    ck_assert_int_eq(atomic_load(&seen.too_early), 0);
    ck_assert_int_eq(info.failures[SHARD_OUTCOME_TASK_ERROR], 2);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(the_error_names_the_task_that_failed_for_good)
{
    struct seen seen = {.fails = "b3", .failures = 2};
    shard_workflow *workflow = diamond();
    ck_assert_int_eq(run_with(&seen, workflow, thread_counts[_i], 1, NULL), SHARD_ECANCELLED);
    struct shard_error error = {.struct_size = sizeof(error)};
    ck_assert_int_eq(shard_error_copy(&error), SHARD_ECANCELLED);
    ck_assert_ptr_nonnull(strstr(error.message, "'b3'"));
    ck_assert_int_eq(error.task, 5);
    ck_assert_int_eq(atomic_load(&seen.calls[5]), 2);
    ck_assert_int_eq(atomic_load(&seen.calls[1]), 0);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(without_retries_the_first_failure_is_the_last)
{
    struct seen seen = {.fails = "a", .failures = 1};
    shard_workflow *workflow = diamond();
    ck_assert_int_eq(run_with(&seen, workflow, thread_counts[_i], 0, NULL), SHARD_ECANCELLED);
    ck_assert_int_eq(atomic_load(&seen.total), 1);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_bad_config_is_refused_and_nothing_is_called)
{
    struct seen seen = {0};
    shard_workflow *workflow = diamond();
    ck_assert_int_eq(shard_simple_run(context, workflow, NULL, NULL, NULL, NULL), SHARD_EINVAL);
    assert_message_has("function is missing");
    ck_assert_int_eq(run_with(&seen, workflow, -1, 0, NULL), SHARD_EINVAL);
    ck_assert_int_eq(run_with(&seen, workflow, 257, 0, NULL), SHARD_EINVAL);
    ck_assert_int_eq(run_with(&seen, workflow, 0, -1, NULL), SHARD_EINVAL);
    assert_message_has("retries");
    ck_assert_int_eq(run_with(&seen, NULL, 0, 0, NULL), SHARD_EINVAL);
    struct shard_simple_config no_size = {0};
    ck_assert_int_lt(shard_simple_run(context, workflow, count, &seen, &no_size, NULL), 0);
    ck_assert_int_eq(atomic_load(&seen.total), 0);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(a_failed_allocation_ends_the_call_or_is_waited_for)
{
    shard_workflow *workflow = diamond();
    long before = tracked.live;
    int done = 0;
    for (long nth = 1, failed = -1; tracked.failed != failed; nth++) {
        struct seen seen = {0};
        failed = tracked.failed;
        tracked.calls = 0;
        tracked.fail_at = nth;
        int status = run_with(&seen, workflow, thread_counts[_i], 0, NULL);
        ck_assert_msg(status == 0 || status == SHARD_ENOMEM, "allocation %ld: %s", nth, shard_code_text(status));
        /* Once a task was called, the run is not given up. */
        ck_assert_msg(status == 0 || atomic_load(&seen.total) == 0, "allocation %ld ended the run", nth);
        ck_assert_msg(tracked.live == before, "allocation %ld: %ld are lost", nth, tracked.live - before);
        done += status == 0;
    }
    tracked.fail_at = 0;
    ck_assert_int_gt(done, 1);
    shard_workflow_unref(workflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simple");
    TCase *tests = tcase_create("simple");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_task_is_done_once_and_after_its_predecessors, 0, 2);
    tcase_add_loop_test(tests, a_function_that_fails_is_called_again_as_often_as_is_allowed, 0, 2);
    tcase_add_loop_test(tests, the_error_names_the_task_that_failed_for_good, 0, 2);
    tcase_add_loop_test(tests, without_retries_the_first_failure_is_the_last, 0, 2);
    tcase_add_test(tests, a_bad_config_is_refused_and_nothing_is_called);
    tcase_add_loop_test(tests, a_failed_allocation_ends_the_call_or_is_waited_for, 0, 2);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
