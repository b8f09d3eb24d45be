/* SPDX-License-Identifier: Apache-2.0 */
/* The queue through which ports answer: order, wake-ups, ownership, threads. */

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "engine/sink.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;
static shard_sink *sink;
static int images_released;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    ck_assert_int_eq(shard_sink_new(context, &sink), 0);
    images_released = 0;
}

static void teardown(void)
{
    shard_sink_free(sink);
    tracked_context_free(&tracked, context);
}

static int is_readable(void)
{
    struct pollfd item = {.fd = shard_sink_fd(sink), .events = POLLIN};
    return poll(&item, 1, 0);
}

static void end_attempt(shard_token token, const char *message)
{
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = SHARD_OUTCOME_TASK_ERROR,
                                    .exit_code = 3,
                                    .seconds = 1.5,
                                    .cpu_seconds = 0.5,
                                    .max_memory_bytes = 4096,
                                    .units_done = 7,
                                    .message = message};
    ck_assert_int_eq(shard_sink_attempt_ended(sink, token, &end), 0);
}

static void release_image(struct shard_run_image *image)
{
    (void)image;
    images_released++;
}

START_TEST(answers_come_in_the_order_in_which_they_were_given)
{
    end_attempt(1, "no such file");
    ck_assert_int_eq(shard_sink_reattached(sink, 2, SHARD_REATTACH_UNKNOWN), 0);
    ck_assert_int_eq(shard_sink_progress(sink, 3, 99), 0);
    ck_assert_int_eq(shard_sink_shrunk(sink, 4, 98), 0);
    ck_assert_int_eq(shard_sink_staged(sink, 5, SHARD_EIO, "no route"), 0);
    ck_assert_int_eq(shard_sink_store_answered(sink, 6, 0, 12, NULL, NULL), 0);

    struct shard__batch batch;
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 6);
    struct shard__answer *answers = batch.answers;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(answers[i].token, i + 1);
        ck_assert_uint_eq(answers[i].kind, i);
    }
    ck_assert_uint_eq(answers[0].outcome, SHARD_OUTCOME_TASK_ERROR);
    ck_assert_int_eq(answers[0].code, 3);
    ck_assert_double_eq(answers[0].as.ended.seconds, 1.5);
    ck_assert_double_eq(answers[0].as.ended.cpu_seconds, 0.5);
    ck_assert_int_eq(answers[0].as.ended.max_memory_bytes, 4096);
    ck_assert_int_eq(answers[0].as.ended.units_done, 7);
    ck_assert_str_eq(answers[0].message, "no such file");
    ck_assert_int_eq(answers[1].code, SHARD_REATTACH_UNKNOWN);
    ck_assert_int_eq(answers[2].as.units_done, 99);
    ck_assert_int_eq(answers[3].as.units_done, 98);
    ck_assert_int_eq(answers[4].code, SHARD_EIO);
    ck_assert_str_eq(answers[4].message, "no route");
    ck_assert_int_eq(answers[5].as.store.epoch, 12);
    ck_assert_ptr_null(answers[5].message);
}
END_TEST

START_TEST(the_descriptor_is_readable_while_answers_wait)
{
    struct shard__batch batch;
    ck_assert_int_eq(is_readable(), 0);
    end_attempt(1, NULL);
    end_attempt(2, NULL);
    ck_assert_int_eq(is_readable(), 1);
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 2);
    ck_assert_int_eq(is_readable(), 0);
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 0);
    end_attempt(3, NULL);
    ck_assert_int_eq(is_readable(), 1);
}
END_TEST

START_TEST(a_batch_stays_good_while_others_answer)
{
    struct shard__batch batch;
    end_attempt(1, "first");
    shard__sink_take(sink, &batch);
    for (shard_token token = 2; token < 100; token++)
        end_attempt(token, "later");
    ck_assert_uint_eq(batch.count, 1);
    ck_assert_str_eq(batch.answers[0].message, "first");
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 98);
}
END_TEST

START_TEST(an_image_that_nobody_took_is_released)
{
    struct shard_run_image images[2] = {{.release = release_image}, {.release = release_image}};
    struct shard__batch batch;
    ck_assert_int_eq(shard_sink_store_answered(sink, 1, 0, 0, &images[0], NULL), 0);
    shard__sink_take(sink, &batch);
    ck_assert_int_eq(shard_sink_store_answered(sink, 2, 0, 0, &images[1], NULL), 0);
    ck_assert_int_eq(images_released, 0);
    shard_sink_free(sink);
    ck_assert_int_eq(images_released, 2);
    ck_assert_int_eq(shard_sink_new(context, &sink), 0);
}
END_TEST

START_TEST(an_image_belongs_to_whoever_waited_for_it)
{
    struct shard_run_image image = {.release = release_image};
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    end_attempt(1, NULL);
    ck_assert_int_eq(shard_sink_store_answered(sink, 7, SHARD_EHELD, 5, &image, "held by 'b'"), 0);
    ck_assert_int_eq(shard_sink_wait(sink, -1, &answer), 1);
    ck_assert_uint_eq(answer.token, 7);
    ck_assert_int_eq(answer.status, SHARD_EHELD);
    ck_assert_int_eq(answer.epoch, 5);
    ck_assert_ptr_eq(answer.image, &image);
    ck_assert_str_eq(answer.message, "held by 'b'");
    ck_assert_int_eq(shard_sink_wait(sink, 0, &answer), 0);
    ck_assert_int_eq(images_released, 0);
}
END_TEST

START_TEST(an_image_is_not_given_where_it_has_no_place)
{
    struct shard_run_image image = {.release = release_image};
    struct shard_answer answer = {.struct_size = offsetof(struct shard_answer, image)};
    ck_assert_int_eq(shard_sink_store_answered(sink, 7, 0, 5, &image, NULL), 0);
    ck_assert_int_eq(shard_sink_wait(sink, 0, &answer), SHARD_EVERSION);
    answer.struct_size = sizeof(answer);
    ck_assert_int_eq(shard_sink_wait(sink, 0, &answer), 1);
    ck_assert_ptr_eq(answer.image, &image);
}
END_TEST

START_TEST(answers_that_make_no_sense_are_refused)
{
    struct shard__batch batch;
    struct shard_attempt_end end = {.struct_size = sizeof(end)};
    ck_assert_int_eq(shard_sink_attempt_ended(sink, 1, &end), SHARD_EINVAL);
    end.outcome = (enum shard_outcome)SHARD_OUTCOME_COUNT;
    ck_assert_int_eq(shard_sink_attempt_ended(sink, 1, &end), SHARD_EINVAL);
    ck_assert_int_eq(shard_sink_attempt_ended(sink, 1, NULL), SHARD_EINVAL);
    ck_assert_int_eq(shard_sink_progress(sink, 1, -1), SHARD_EINVAL);
    ck_assert_int_eq(shard_sink_reattached(sink, 1, (enum shard_reattach)2), SHARD_EINVAL);
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 0);
}
END_TEST

START_TEST(a_longer_struct_with_an_unknown_field_is_refused)
{
    struct {
        struct shard_attempt_end end;
        int64_t later;
    } longer = {.end = {.struct_size = sizeof(longer), .outcome = SHARD_OUTCOME_DONE}};
    ck_assert_int_eq(shard_sink_attempt_ended(sink, 1, &longer.end), 0);
    longer.later = 1;
    ck_assert_int_eq(shard_sink_attempt_ended(sink, 1, &longer.end), SHARD_EVERSION);
}
END_TEST

START_TEST(an_answer_without_memory_changes_nothing)
{
    struct shard_run_image image = {.release = release_image};
    struct shard__batch batch;
    for (int nth = 1; nth <= 2; nth++) {
        tracked.fail_at = tracked.calls + nth;
        ck_assert_int_eq(shard_sink_store_answered(sink, 1, 0, 0, &image, "message"), SHARD_ENOMEM);
        ck_assert_int_eq(images_released, 0);
        ck_assert_int_eq(is_readable(), 0);
        shard__sink_take(sink, &batch);
        ck_assert_uint_eq(batch.count, 0);
    }
    ck_assert_int_eq(shard_sink_store_answered(sink, 1, 0, 0, &image, "message"), 0);
    shard__sink_take(sink, &batch);
    ck_assert_uint_eq(batch.count, 1);
    shard__sink_take(sink, &batch);
    ck_assert_int_eq(images_released, 1);
}
END_TEST

enum { THREADS = 4, PER_THREAD = 20000 };

static void *answer_often(void *arg)
{
    for (shard_token i = 0; i < PER_THREAD; i++)
        end_attempt(*(const shard_token *)arg + i, i % 64 == 0 ? "message" : NULL);
    return NULL;
}

START_TEST(no_answer_is_lost_or_doubled_between_threads)
{
    static unsigned char seen[THREADS * PER_THREAD];
    pthread_t threads[THREADS];
    shard_token first[THREADS];
    size_t count = 0;
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < THREADS; i++) {
        first[i] = (shard_token)i * PER_THREAD;
        pthread_create(&threads[i], NULL, answer_often, &first[i]);
    }
    while (count < sizeof(seen)) {
        struct shard__batch batch;
        struct pollfd item = {.fd = shard_sink_fd(sink), .events = POLLIN};
        ck_assert_int_eq(poll(&item, 1, 60000), 1);
        shard__sink_take(sink, &batch);
        /* The descriptor promised an answer. */
        ck_assert_uint_gt(batch.count, 0);
        for (size_t i = 0; i < batch.count; i++)
            ck_assert_uint_eq(seen[batch.answers[i].token]++, 0);
        count += batch.count;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(is_readable(), 0);
}
END_TEST

START_TEST(an_answer_is_no_larger_than_a_cache_line)
{
    ck_assert_uint_le(sizeof(struct shard__answer), 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink");
    TCase *tests = tcase_create("sink");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, answers_come_in_the_order_in_which_they_were_given);
    tcase_add_test(tests, the_descriptor_is_readable_while_answers_wait);
    tcase_add_test(tests, a_batch_stays_good_while_others_answer);
    tcase_add_test(tests, an_image_that_nobody_took_is_released);
    tcase_add_test(tests, an_image_belongs_to_whoever_waited_for_it);
    tcase_add_test(tests, an_image_is_not_given_where_it_has_no_place);
    tcase_add_test(tests, answers_that_make_no_sense_are_refused);
    tcase_add_test(tests, a_longer_struct_with_an_unknown_field_is_refused);
    tcase_add_test(tests, an_answer_without_memory_changes_nothing);
    tcase_add_test(tests, no_answer_is_lost_or_doubled_between_threads);
    tcase_add_test(tests, an_answer_is_no_larger_than_a_cache_line);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
