/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is full, or fails: what was not answered well is not there, and the store works on when the disk does. */

#include <string.h>

#include "faulty_vfs.h"
#include "one_store.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static struct one_store one;
static struct faulty_vfs *disk;

static void setup(void)
{
    disk = faulty_vfs_install();
    one_store_setup(&one, tracked_context(&tracked, NULL, NULL));
}

static void teardown(void)
{
    shard_context *context = one.context;
    one_store_teardown(&one);
    tracked_context_free(&tracked, context);
}

/* What is stored is what was answered, no more and no less. */
static void check_content(void)
{
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->last_seq, one.last_seq);
    ck_assert_int_eq(one.answer.image->record_count, one.last_seq);
    ck_assert_int_eq(one.answer.image->row_count, one.last_seq / 3);
}

START_TEST(a_full_disk_refuses_commits_and_loses_none)
{
    int refused = 0;
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_begin(&one), 0);
    disk->space_bytes = 60000;
    for (int task = 0; task < ONE_STORE_TASKS; task++) {
        int status = one_store_commit_task(&one, task);
        if (status == 0)
            continue;
        ck_assert_int_eq(status, SHARD_ENOSPC);
        ck_assert_ptr_nonnull(strstr(one.answer.message, one.path));
        check_content();
        refused++;
        /* Room for a few more: the same commit, with the same operation, goes through. */
        disk->space_bytes = 50000;
        ck_assert_int_eq(one_store_commit_task(&one, task), 0);
    }
    ck_assert_int_gt(refused, 3);
    disk->space_bytes = 0;
    one_store_close(&one);
    disk->space_bytes = -1;
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one.last_seq, 3 * ONE_STORE_TASKS);
    check_content();
}
END_TEST

START_TEST(a_store_is_made_when_there_is_room_again)
{
    for (long space = 0; space < 200000; space += 5000) {
        disk->space_bytes = space;
        int status = one_store_open(&one, 0);
        if (status == 0)
            status = one_store_begin(&one);
        if (status == 0)
            break;
        ck_assert_int_eq(status, SHARD_ENOSPC);
        one_store_close(&one);
    }
    disk->space_bytes = -1;
    check_content();
}
END_TEST

/* Opens, begins, commits, loads, closes; each step is tried again until it goes well. */
static void live_through_it(void)
{
    while (one_store_open(&one, 0) < 0)
        ck_assert_int_le(disk->failed, 1);
    int status;
    while ((status = one_store_begin(&one)) < 0) {
        ck_assert_int_le(disk->failed, 1);
        /* An unknown outcome: the run may be there. */
        if (status == SHARD_EEXIST) {
            ck_assert_int_eq(
                one_store_answer(&one, one.store.port->acquire(one.store.self, one.sink, 1, "a", "me", 60000)), 0);
            one.epoch = one.answer.epoch;
            break;
        }
    }
    for (int task = 0; task < 12; task++)
        while ((status = one_store_commit_task(&one, task)) < 0)
            ck_assert_int_eq(status, SHARD_EIO);
    check_content();
    one_store_close(&one);
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    check_content();
    one_store_close(&one);
}

START_TEST(each_write_may_fail_once)
{
    for (long nth = 1;; nth++) {
        disk->calls = 0;
        disk->failed = 0;
        disk->fail_at = nth;
        live_through_it();
        long failed = disk->failed;
        shard_context *context = one.context;
        one_store_teardown(&one);
        disk->fail_at = 0;
        one_store_setup(&one, context);
        if (failed == 0) {
            ck_assert_int_gt(nth, 50);
            break;
        }
        ck_assert_int_lt(nth, 2000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite disk");
    TCase *tests = tcase_create("disk");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, a_full_disk_refuses_commits_and_loses_none);
    tcase_add_test(tests, a_store_is_made_when_there_is_room_again);
    tcase_add_test(tests, each_write_may_fail_once);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
