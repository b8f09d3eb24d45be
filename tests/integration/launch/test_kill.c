/* SPDX-License-Identifier: Apache-2.0 */

/* Ending an attempt ends all of it: whatever ignores SIGTERM, forks twice or opens a session of its own. */

#include "bed.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A word for command lines that no other process of the machine has. */
static const char *word_for(const struct bed *bed)
{
    static char word[96];
    snprintf(word, sizeof word, "stray-of-%s", bed->path + strlen("/tmp/"));
    return word;
}

/* Ignores SIGTERM, and leaves behind a stray that has forked twice into a session of its own and ignores it too. */
static const char *stubborn_script(const struct bed *bed)
{
    static char script[512];
    snprintf(script, sizeof script,
             "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' %s & ) & "
             "sleep 0.2; echo ready; while :; do sleep 1; done",
             word_for(bed));
    return script;
}

START_TEST(a_kill_leaves_nothing_alive)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, stubborn_script(&bed));
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_gt(bed_count_processes(word_for(&bed)), 0);
    ck_assert_int_eq(launch_kill(attempt, false), 0);
    struct launch_result result = bed_end(attempt);
    ck_assert(result.killed);
    ck_assert_int_eq(result.how, LAUNCH_SIGNALED);
    ck_assert_int_eq(result.signal, SIGKILL);
    ck_assert_int_eq(bed_count_processes(word_for(&bed)), 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_graceful_kill_ends_what_ignores_it_after_the_grace)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, stubborn_script(&bed));
    spec.kill_grace_seconds = 0.3;
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_eq(launch_kill(attempt, true), 0);
    struct launch_result result = bed_end(attempt);
    ck_assert(result.killed);
    ck_assert_int_eq(result.signal, SIGKILL);
    ck_assert_int_eq(bed_count_processes(word_for(&bed)), 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_graceful_kill_lets_the_command_end_by_itself)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "trap 'echo tidy; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    spec.kill_grace_seconds = 50;
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_eq(launch_kill(attempt, true), 0);
    struct launch_result result = bed_end(attempt);
    ck_assert(result.killed);
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_int_eq(result.exit_code, 9);
    ck_assert_str_eq(bed_read(spec.dir, "stdout"), "ready\ntidy\n");
    bed_clear(&bed);
}
END_TEST

/* In a container as well, although the kernel would not deliver it to the first process of a pid namespace. */
START_TEST(a_graceful_kill_ends_a_command_that_does_not_catch_it)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "echo ready; exec sleep 1000");
    spec.kill_grace_seconds = 1000;
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_eq(launch_kill(attempt, true), 0);
    struct launch_result result = bed_end(attempt);
    ck_assert_int_eq(result.how, LAUNCH_SIGNALED);
    ck_assert(result.killed && !result.timed_out);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_timeout_ends_the_command)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, stubborn_script(&bed));
    spec.timeout_seconds = 0.8;
    spec.kill_grace_seconds = 0.1;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert(result.timed_out && !result.killed);
    ck_assert_int_eq(result.how, LAUNCH_SIGNALED);
    ck_assert_int_eq(bed_count_processes(word_for(&bed)), 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(what_a_command_leaves_behind_ends_with_it)
{
    struct bed bed;
    char script[256];
    bed_make(&bed, _i);
    snprintf(script, sizeof script, "(setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' %s &) ; exit 4",
             word_for(&bed));
    struct launch_result result = bed_run_script(&bed, script);
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_int_eq(result.exit_code, 4);
    ck_assert(!result.killed);
    ck_assert_int_eq(bed_count_processes(word_for(&bed)), 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_kill_at_any_moment_of_the_start_leaves_nothing)
{
    struct bed bed;
    char script[128];
    bed_make(&bed, _i);
    snprintf(script, sizeof script, "sleep 1000; : %s", word_for(&bed));
    for (int moment = 0; moment < 12; moment++) {
        struct launch_spec spec = bed_spec(&bed, script);
        struct launch_attempt *attempt = bed_start(&bed, &spec);
        usleep((useconds_t)moment * 2000);
        ck_assert_int_eq(launch_kill(attempt, false), 0);
        struct launch_result result = bed_end(attempt);
        ck_assert_msg(result.how == LAUNCH_SIGNALED && result.killed, "how %d: %s", result.how, result.message);
        ck_assert_int_eq(bed_count_processes(word_for(&bed)), 0);
    }
    bed_clear(&bed);
}
END_TEST

/* A kill takes the right to fork first: a command that gives up for that, with whatever exit code, was killed too. */
START_TEST(a_command_that_gives_up_while_it_is_killed_was_killed)
{
    struct bed bed;
    bed_make(&bed, _i);
    for (int round = 0; round < 10; round++) {
        struct launch_spec spec = bed_spec(
            &bed,
            "echo ready; exec perl -e 'while (defined($pid = fork)) { exit 0 if !$pid; waitpid $pid, 0 } exit 0'");
        struct launch_attempt *attempt = bed_start(&bed, &spec);
        bed_await_file(spec.dir, "stdout");
        ck_assert_int_eq(launch_kill(attempt, false), 0);
        struct launch_result result = bed_end(attempt);
        ck_assert_msg(result.how == LAUNCH_SIGNALED && result.killed, "how %d: %s", result.how, result.message);
        ck_assert_int_eq(result.signal, SIGKILL);
    }
    bed_clear(&bed);
}
END_TEST

START_TEST(a_kill_after_the_end_changes_nothing)
{
    struct bed bed;
    struct launch_result result;
    bed_make(&bed, BED_PROCESS);
    struct launch_spec spec = bed_spec(&bed, "exit 0");
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    while (launch_attempt_result(attempt, &result) != 0)
        usleep(1000);
    ck_assert_int_eq(launch_kill(attempt, true), 0);
    ck_assert_int_eq(launch_attempt_result(attempt, &result), 0);
    ck_assert(result.how == LAUNCH_EXITED && result.exit_code == 0 && !result.killed);
    launch_attempt_free(attempt);
    bed_clear(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch kill");
    TCase *tcase = tcase_create("kill");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_kill_leaves_nothing_alive, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_graceful_kill_ends_what_ignores_it_after_the_grace, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_graceful_kill_lets_the_command_end_by_itself, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_graceful_kill_ends_a_command_that_does_not_catch_it, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_timeout_ends_the_command, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, what_a_command_leaves_behind_ends_with_it, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_kill_at_any_moment_of_the_start_leaves_nothing, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, a_command_that_gives_up_while_it_is_killed_was_killed, 0, bed_ways(BED_ALL));
    tcase_add_test(tcase, a_kill_after_the_end_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
