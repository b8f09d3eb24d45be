/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a run when processes die, stand still or fork, when clocks jump and machines start anew. */

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "one_store.h"
#include "suite.h"

enum { SECOND_NS = 1000000000, DAY_SECONDS = 86400 };

static struct one_store one;
static int64_t monotonic_ahead_ns, wall_ahead_ns;

static int64_t moved_clock(void *self, enum shard_clock_kind kind)
{
    struct timespec now;
    (void)self;
    clock_gettime(kind == SHARD_CLOCK_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec +
           (kind == SHARD_CLOCK_WALL ? wall_ahead_ns : monotonic_ahead_ns);
}

static void setup(void)
{
    struct shard_context_config config = {.struct_size = sizeof(config), .clock = moved_clock};
    shard_context *context = NULL;
    monotonic_ahead_ns = wall_ahead_ns = 0;
    ck_assert_int_eq(shard_context_new(&config, &context), 0);
    one_store_setup(&one, context);
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_begin(&one), 0);
}

static void teardown(void)
{
    shard_context *context = one.context;
    one_store_teardown(&one);
    shard_context_free(context);
}

static int acquire(struct one_store *store, const char *owner)
{
    int status =
        one_store_answer(store, store->store.port->acquire(store->store.self, store->sink, 1, "a", owner, 60000));
    if (status == 0)
        store->epoch = store->answer.epoch;
    return status;
}

/* A child that takes the lease, says so, and then waits for a byte before it commits; its exit code is what it got. */
struct child {
    pid_t pid;
    int to;
    int from;
};

static void live_as_child(int in, int out)
{
    struct one_store mine = one;
    char byte = 1;
    memset(&mine.answer, 0, sizeof(mine.answer));
    mine.store.port = NULL;
    if (shard_sink_new(mine.context, &mine.sink) < 0 || one_store_open(&mine, 0) < 0 || acquire(&mine, "child") < 0)
        _exit(99);
    if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
        _exit(98);
    _exit(-one_store_commit_task(&mine, 0));
}

static struct child start_child(void)
{
    int down[2], up[2];
    char byte;
    ck_assert_int_eq(pipe(down) | pipe(up), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        live_as_child(down[0], up[1]);
    close(down[0]);
    close(up[1]);
    ck_assert_int_eq(read(up[0], &byte, 1), 1);
    return (struct child){.pid = pid, .to = down[1], .from = up[0]};
}

static int end_child(struct child *child)
{
    int status = 0;
    waitpid(child->pid, &status, 0);
    close(child->to);
    close(child->from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void give_back(void)
{
    ck_assert_int_eq(one_store_answer(&one, one.store.port->release(one.store.self, one.sink, 1, "a", one.epoch)), 0);
}

START_TEST(the_lease_of_a_process_that_died_is_free_at_once)
{
    give_back();
    struct child child = start_child();
    ck_assert_int_eq(acquire(&one, "me"), SHARD_EHELD);
    kill(child.pid, SIGKILL);
    ck_assert_int_eq(end_child(&child), -1);
    ck_assert_int_eq(acquire(&one, "me"), 0);
    ck_assert_int_eq(one.epoch, 3);
}
END_TEST

START_TEST(the_lease_of_a_process_that_stands_still_lasts_its_time)
{
    give_back();
    struct child child = start_child();
    int status = 0;
    kill(child.pid, SIGSTOP);
    ck_assert_int_eq(waitpid(child.pid, &status, WUNTRACED), child.pid);
    ck_assert_int_eq(acquire(&one, "me"), SHARD_EHELD);
    ck_assert_ptr_nonnull(strstr(one.answer.message, "held by 'child' until"));
    monotonic_ahead_ns += INT64_C(61) * SECOND_NS;
    ck_assert_int_eq(acquire(&one, "me"), 0);
    ck_assert_int_eq(one_store_commit_task(&one, 0), 0);
    /* When it goes on it believes that it holds the run, and is told otherwise. */
    kill(child.pid, SIGCONT);
    ck_assert_int_eq(write(child.to, "x", 1), 1);
    ck_assert_int_eq(end_child(&child), -SHARD_EFENCED);
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->last_seq, 3);
}
END_TEST

static void open_other(struct one_store *ret_other)
{
    *ret_other = one;
    memset(&ret_other->answer, 0, sizeof(ret_other->answer));
    ck_assert_int_eq(one_store_open(ret_other, 0), 0);
}

START_TEST(a_wall_clock_that_jumps_ends_no_lease_and_prolongs_none)
{
    struct one_store other;
    open_other(&other);
    wall_ahead_ns = INT64_C(1) * DAY_SECONDS * SECOND_NS;
    ck_assert_int_eq(acquire(&other, "other"), SHARD_EHELD);
    wall_ahead_ns = -wall_ahead_ns;
    ck_assert_int_eq(acquire(&other, "other"), SHARD_EHELD);
    monotonic_ahead_ns = INT64_C(61) * SECOND_NS;
    ck_assert_int_eq(acquire(&other, "other"), 0);
    one_store_close(&other);
}
END_TEST

START_TEST(the_lease_of_an_earlier_boot_ends_by_the_wall_clock)
{
    /* As if its owner could not lock, so that only time tells. */
    static const char earlier[] = "UPDATE runs SET lease_boot = 'earlier', lease_locked = 0";
    struct one_store other;
    open_other(&other);
    one_store_sql(&one, earlier);
    ck_assert_int_eq(acquire(&other, "other"), SHARD_EHELD);
    /* A clock that gives it more than its whole time has been put back since. */
    wall_ahead_ns = -INT64_C(1) * DAY_SECONDS * SECOND_NS;
    ck_assert_int_eq(acquire(&other, "other"), 0);
    wall_ahead_ns = 0;
    ck_assert_int_eq(acquire(&other, "other"), 0);
    one_store_sql(&one, earlier);
    ck_assert_int_eq(acquire(&one, "me"), SHARD_EHELD);
    wall_ahead_ns = INT64_C(61) * SECOND_NS;
    ck_assert_int_eq(acquire(&one, "me"), 0);
    one_store_close(&other);
}
END_TEST

START_TEST(a_lease_that_was_locked_in_an_earlier_boot_is_free)
{
    struct one_store other;
    one_store_close(&one);
    one_store_sql(&one, "UPDATE runs SET lease_boot = 'earlier'");
    open_other(&other);
    ck_assert_int_eq(acquire(&other, "other"), 0);
    one_store_close(&other);
}
END_TEST

START_TEST(a_child_of_a_fork_cannot_use_the_store_and_does_it_no_harm)
{
    /* The child cannot free what it has; it is to be reachable, for tools that look for leaks. */
    static void *volatile kept;
    kept = one.store.self;
    ck_assert_ptr_nonnull(kept);
    pid_t pid = fork();
    if (pid == 0) {
        int status = one_store_commit_task(&one, 0);
        one_store_close(&one);
        _exit(-status);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), -SHARD_ESTATE);
    ck_assert_int_eq(one_store_commit_task(&one, 0), 0);
    struct one_store other;
    open_other(&other);
    ck_assert_int_eq(acquire(&other, "other"), SHARD_EHELD);
    one_store_close(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite lease");
    TCase *tests = tcase_create("lease");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_lease_of_a_process_that_died_is_free_at_once);
    tcase_add_test(tests, the_lease_of_a_process_that_stands_still_lasts_its_time);
    tcase_add_test(tests, a_wall_clock_that_jumps_ends_no_lease_and_prolongs_none);
    tcase_add_test(tests, the_lease_of_an_earlier_boot_ends_by_the_wall_clock);
    tcase_add_test(tests, a_lease_that_was_locked_in_an_earlier_boot_is_free);
    tcase_add_test(tests, a_child_of_a_fork_cannot_use_the_store_and_does_it_no_harm);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
