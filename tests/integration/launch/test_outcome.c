/* SPDX-License-Identifier: Apache-2.0 */

/* How a command ends is told truly: as a process, and in a container of each runtime. */

#include "bed.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(an_exit_code_is_told)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_result result = bed_run_script(&bed, "exit 7");
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_int_eq(result.exit_code, 7);
    ck_assert(!result.out_of_memory && !result.timed_out && !result.killed);
    ck_assert(result.wall_seconds > 0 && result.cpu_seconds > 0 && result.max_memory_bytes > 0);
    ck_assert(result.ended_at > 1e9);
    bed_clear(&bed);
}
END_TEST

START_TEST(an_exit_code_above_128_is_no_signal)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_result result = bed_run_script(&bed, "exit 137");
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_int_eq(result.exit_code, 137);
    bed_clear(&bed);
}
END_TEST

/* Not in containers: the kernel shields the first process of a pid namespace from signals of its own. */
START_TEST(a_signal_is_told)
{
    struct bed bed;
    bed_make(&bed, BED_PROCESS);
    struct launch_result result = bed_run_script(&bed, "kill -SEGV $$");
    ck_assert_int_eq(result.how, LAUNCH_SIGNALED);
    ck_assert_int_eq(result.signal, SIGSEGV);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_command_that_is_not_there_is_named)
{
    struct bed bed;
    bed_make(&bed, _i);
    const char *argv[] = {"no-such-command", NULL};
    struct launch_spec spec = bed_spec(&bed, "");
    spec.argv = argv;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_int_eq(result.how, LAUNCH_FAILED);
    ck_assert_msg(strstr(result.message, "no-such-command") != NULL, "%s", result.message);
    ck_assert_msg(strstr(result.message, "not found") != NULL, "%s", result.message);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_working_directory_that_is_not_there_is_named)
{
    struct bed bed;
    bed_make(&bed, BED_PROCESS);
    struct launch_spec spec = bed_spec(&bed, "");
    spec.cwd = "/no/such/directory";
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_int_eq(result.how, LAUNCH_FAILED);
    ck_assert_msg(strstr(result.message, "/no/such/directory") != NULL, "%s", result.message);
    bed_clear(&bed);
}
END_TEST

START_TEST(running_out_of_memory_is_recognised)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "exec tail /dev/zero");
    spec.limits.memory_bytes = 64 << 20;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert(result.out_of_memory);
    ck_assert_int_eq(result.how, LAUNCH_SIGNALED);
    ck_assert_int_eq(result.signal, SIGKILL);
    ck_assert_uint_le(result.max_memory_bytes, 64 << 20);
    ck_assert_uint_ge(result.max_memory_bytes, 32 << 20);
    bed_clear(&bed);
}
END_TEST

START_TEST(the_cache_of_files_is_no_memory_that_was_held)
{
    struct bed bed;
    char script[256];
    bed_make(&bed, BED_PROCESS);
    snprintf(script, sizeof(script), "head -c 100000000 /dev/zero > %s/big; cat %s/big > /dev/null", bed.path,
             bed.path);
    struct launch_result result = bed_run_script(&bed, script);
    ck_assert_int_eq(result.exit_code, 0);
    ck_assert_uint_gt(result.max_memory_bytes, 0);
    ck_assert_uint_lt(result.max_memory_bytes, 32 << 20);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_child_that_runs_out_of_memory_is_recognised_too)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "tail /dev/zero; echo went on; exit 5");
    spec.limits.memory_bytes = 64 << 20;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert(result.out_of_memory);
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_int_eq(result.exit_code, 5);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_budget_of_the_host_holds_for_all_its_attempts)
{
    struct bed bed;
    struct launch_error error = {""};
    bed_make(&bed, _i);
    struct launch_limits limits = {.memory_bytes = 64 << 20, .cpu_millicores = 1000, .pids = 100};
    ck_assert_msg(launch_host_make(bed.env, "h", &limits, &error) == 0, "%s", error.text);
    struct launch_result result = bed_run_script(&bed, "exec tail /dev/zero");
    ck_assert(result.out_of_memory);
    bed_clear(&bed);
}
END_TEST

START_TEST(more_processes_than_allowed_are_refused)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done; wait");
    spec.limits.pids = 8;
    bed_run(&bed, &spec);
    ck_assert_ptr_nonnull(strstr(bed_read(spec.dir, "stderr"), "fork"));
    bed_clear(&bed);
}
END_TEST

START_TEST(arguments_pass_as_they_are)
{
    struct bed bed;
    bed_make(&bed, _i);
    const char *argv[] = {"/usr/bin/printf", "[%s]", "two words", "\"'\\$x", "line\nline\ttab", "\xc3\xa9", "", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "QUOTED=a \"b\"\n=c", NULL};
    struct launch_spec spec = bed_spec(&bed, "");
    spec.argv = argv;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_int_eq(result.exit_code, 0);
    ck_assert_str_eq(bed_read(spec.dir, "stdout"), "[two words][\"'\\$x][line\nline\ttab][\xc3\xa9][]");
    spec = bed_spec(&bed, "printf %s \"$QUOTED\"");
    spec.env = env;
    bed_run(&bed, &spec);
    ck_assert_str_eq(bed_read(spec.dir, "stdout"), "a \"b\"\n=c");
    bed_clear(&bed);
}
END_TEST

START_TEST(strange_names_of_hosts_and_attempts_work)
{
    static const char *const names[] = {"tasks", "memory.max", "a b\n\"c\"", "..x", "%2e", "release_agent"};
    struct bed bed;
    struct launch_error error = {""};
    bed_make(&bed, _i);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char dir[200];
        struct launch_spec spec = bed_spec(&bed, "exit 3");
        snprintf(dir, sizeof dir, "%s/%s", bed.path, names[i]);
        spec.dir = dir;
        spec.host = names[i];
        struct launch_result result = bed_run(&bed, &spec);
        ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 3, "%s: %s", names[i], result.message);
        ck_assert_msg(launch_host_remove(bed.env, names[i], &error) == 0, "%s", error.text);
    }
    bed_clear(&bed);
}
END_TEST

START_TEST(an_attempt_with_a_long_path_runs)
{
    struct bed bed;
    char dir[400];
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "exit 3");
    snprintf(dir, sizeof dir, "%s/%0200d", bed.path, 1);
    spec.dir = dir;
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 3, "%s", result.message);
    bed_clear(&bed);
}
END_TEST

START_TEST(an_attempt_starts_once)
{
    struct bed bed;
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "exit 0");
    bed_run(&bed, &spec);
    ck_assert_int_eq(launch_start(bed.env, &spec, &error, &attempt), -EEXIST);
    ck_assert_ptr_null(attempt);
    ck_assert_ptr_nonnull(strstr(error.text, spec.dir));
    bed_clear(&bed);
}
END_TEST

START_TEST(what_the_launched_use_is_reported_while_they_run)
{
    struct bed bed;
    struct launch_usage usage;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "echo go; exec sleep 60");
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_eq(launch_attempt_usage(attempt, &usage), 0);
    ck_assert(usage.memory_bytes > 0 && usage.cpu_ns > 0 && usage.pids > 0);
    ck_assert_int_eq(launch_host_usage(bed.env, "h", &usage), 0);
    ck_assert(usage.memory_bytes > 0 && usage.pids > 0);
    ck_assert_int_eq(launch_kill(attempt, false), 0);
    bed_end(attempt);
    bed_clear(&bed);
}
END_TEST

static TCase *cases(void)
{
    TCase *tcase = tcase_create("outcome");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, an_exit_code_is_told, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, an_exit_code_above_128_is_no_signal, 0, bed_ways(BED_WAYS));
    tcase_add_test(tcase, a_signal_is_told);
    tcase_add_loop_test(tcase, a_command_that_is_not_there_is_named, 0, bed_ways(BED_WAYS));
    tcase_add_test(tcase, a_working_directory_that_is_not_there_is_named);
    tcase_add_loop_test(tcase, running_out_of_memory_is_recognised, 0, bed_ways(BED_WAYS));
    tcase_add_test(tcase, the_cache_of_files_is_no_memory_that_was_held);
    tcase_add_loop_test(tcase, a_child_that_runs_out_of_memory_is_recognised_too, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, a_budget_of_the_host_holds_for_all_its_attempts, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, more_processes_than_allowed_are_refused, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, arguments_pass_as_they_are, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, strange_names_of_hosts_and_attempts_work, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, an_attempt_with_a_long_path_runs, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, an_attempt_starts_once, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, what_the_launched_use_is_reported_while_they_run, 0, bed_ways(BED_WAYS));
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("launch outcome");
    suite_add_tcase(suite, cases());
    return suite_run(suite);
}
