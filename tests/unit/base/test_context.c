/* SPDX-License-Identifier: Apache-2.0 */
/* What a context gives: time, log, and somewhere else to do slow work. */

#include <pthread.h>
#include <string.h>

#include <shard/context.h>

#include "base/context.h"
#include "suite.h"
#include "tracked.h"

static char logged[2048];

static void keep_log(void *self, enum shard_log_level level, const char *id, const char *message)
{
    ck_assert_ptr_eq(self, logged);
    ck_assert_int_eq(level, SHARD_LOG_INFO);
    ck_assert_str_eq(id, "test");
    strncpy(logged, message, sizeof(logged) - 1);
}

static int64_t fixed_clock(void *self, enum shard_clock_kind kind)
{
    return *(int64_t *)self + (kind == SHARD_CLOCK_WALL);
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

START_TEST(all_defaults_work)
{
    shard_context *context = NULL;
    int done = 0;
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    int64_t before = shard__now_ns(context);
    ck_assert_int_ge(shard__now_ns(context), before);
    ck_assert_int_gt(shard__wall_ns(context), INT64_C(1600000000000000000));
    shard__log(context, SHARD_LOG_ERROR, "test", "goes nowhere");
    ck_assert_int_eq(shard__offload(context, count, &done), 0);
    ck_assert_int_eq(done, 1);
    shard_context_free(context);
    shard_context_free(NULL);
}
END_TEST

START_TEST(hooks_are_used)
{
    int64_t now = 41;
    const struct shard_context_config config = {
        .struct_size = sizeof(config), .log = keep_log, .log_self = logged, .clock = fixed_clock, .clock_self = &now};
    shard_context *context = NULL;
    ck_assert_int_eq(shard_context_new(&config, &context), 0);
    ck_assert_int_eq(shard__now_ns(context), 41);
    ck_assert_int_eq(shard__wall_ns(context), 42);
    shard__log(context, SHARD_LOG_INFO, "test", "%d and %s", 1, "two");
    ck_assert_str_eq(logged, "1 and two");
    shard_context_free(context);
}
END_TEST

START_TEST(a_config_of_a_newer_library_is_refused)
{
    struct {
        struct shard_context_config config;
        void *more;
    } newer = {.config = {.struct_size = sizeof(newer)}, .more = &newer};
    shard_context *context = NULL;
    ck_assert_int_eq(shard_context_new(&newer.config, &context), SHARD_EVERSION);
    ck_assert_ptr_null(context);
    newer.more = NULL;
    ck_assert_int_eq(shard_context_new(&newer.config, &context), 0);
    shard_context_free(context);
}
END_TEST

static void *no_memory(void *self, void *ptr, size_t old_size, size_t new_size)
{
    (void)self;
    (void)ptr;
    (void)old_size;
    (void)new_size;
    return NULL;
}

START_TEST(a_context_without_memory_is_not_made)
{
    const struct shard_context_config config = {.struct_size = sizeof(config), .alloc = no_memory};
    shard_context *context = NULL;
    ck_assert_int_eq(shard_context_new(&config, &context), SHARD_ENOMEM);
    ck_assert_ptr_null(context);
}
END_TEST

START_TEST(seconds_become_nanoseconds_without_overflow)
{
    ck_assert_int_eq(shard__seconds_to_ns(1.5), 1500000000);
    ck_assert_int_eq(shard__seconds_to_ns(-1), 0);
    ck_assert_int_eq(shard__seconds_to_ns(0.0 / 0.0), 0);
    ck_assert_int_eq(shard__seconds_to_ns(1e300), INT64_MAX);
}
END_TEST

struct job {
    pthread_mutex_t mutex;
    int order[100];
    int done;
};

static struct job job;

static void append(void *arg)
{
    pthread_mutex_lock(&job.mutex);
    job.order[job.done++] = *(int *)arg;
    pthread_mutex_unlock(&job.mutex);
}

START_TEST(workers_do_each_job_once_and_one_worker_in_order)
{
    static int numbers[100];
    for (int threads = 1; threads <= 4; threads += 3) {
        shard_workers *workers = NULL;
        pthread_mutex_init(&job.mutex, NULL);
        job.done = 0;
        ck_assert_int_eq(shard_workers_new(threads, &workers), 0);
        const struct shard_context_config config = {
            .struct_size = sizeof(config), .offload = shard_workers_offload, .offload_self = workers};
        shard_context *context = NULL;
        ck_assert_int_eq(shard_context_new(&config, &context), 0);
        for (int i = 0; i < 100; i++) {
            numbers[i] = i;
            ck_assert_int_eq(shard__offload(context, append, &numbers[i]), 0);
        }
        shard_context_free(context);
        shard_workers_free(workers);
        ck_assert_int_eq(job.done, 100);
        int sum = 0;
        for (int i = 0; i < 100; i++) {
            sum += job.order[i];
            ck_assert(threads > 1 || job.order[i] == i);
        }
        ck_assert_int_eq(sum, 4950);
        pthread_mutex_destroy(&job.mutex);
    }
}
END_TEST

START_TEST(pools_have_1_to_256_workers)
{
    shard_workers *workers = NULL;
    ck_assert_int_eq(shard_workers_new(0, &workers), SHARD_EINVAL);
    ck_assert_int_eq(shard_workers_new(257, &workers), SHARD_EINVAL);
    ck_assert_ptr_null(workers);
    shard_workers_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("context");
    TCase *tests = tcase_create("context");
    tcase_add_test(tests, all_defaults_work);
    tcase_add_test(tests, hooks_are_used);
    tcase_add_test(tests, a_config_of_a_newer_library_is_refused);
    tcase_add_test(tests, a_context_without_memory_is_not_made);
    tcase_add_test(tests, seconds_become_nanoseconds_without_overflow);
    tcase_add_test(tests, workers_do_each_job_once_and_one_worker_in_order);
    tcase_add_test(tests, pools_have_1_to_256_workers);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
