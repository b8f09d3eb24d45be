/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A program that starts attempts is killed at any moment; the next one finds out about each attempt, never starts one
 * twice, and never calls one lost that was not.
 */

#include "bed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTS 6

static pid_t spawn_driver(const struct bed *bed, int count, bool traced)
{
    char way[16];
    char number[16];
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    snprintf(way, sizeof way, "%d", (int)bed->way);
    snprintf(number, sizeof number, "%d", count);
    int null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, 1);
    execl(TEST_DRIVER, TEST_DRIVER, way, bed->path, number, traced ? "traced" : NULL, NULL);
    _exit(127);
}

static void bury(pid_t pid)
{
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static int ledger_count(const struct bed *bed, int number)
{
    char line[16];
    int count = 0;

    snprintf(line, sizeof line, "%d\n", number);
    for (const char *at = bed_read(bed->path, "ledger"); *at != '\0'; at = strchr(at, '\n') + 1)
        count += strncmp(at, line, strlen(line)) == 0;
    return count;
}

static void let_go(const struct bed *bed)
{
    char path[96];
    snprintf(path, sizeof path, "%s/go", bed->path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

struct adopted {
    enum launch_state state;
    struct launch_attempt *attempt;
};

static struct adopted adopt(struct bed *bed, int number)
{
    struct launch_error error = {""};
    struct adopted adopted = {.attempt = NULL};
    char dir[96];

    snprintf(dir, sizeof dir, "%s/a%d", bed->path, number);
    ck_assert_msg(launch_adopt(bed->env, dir, &error, &adopted.state, &adopted.attempt) == 0, "%s", error.text);
    ck_assert((adopted.attempt == NULL) == (adopted.state == LAUNCH_NEVER_RAN));
    return adopted;
}

/* Adopts all, lets them end, and holds what was said against the ledger. Returns how many were running. */
static int adopt_all(struct bed *bed, int count)
{
    struct adopted adopted[STARTS];
    int running = 0;

    for (int i = 0; i < count; i++) {
        adopted[i] = adopt(bed, i);
        running += adopted[i].state == LAUNCH_RUNNING;
    }
    let_go(bed);
    for (int i = 0; i < count; i++) {
        if (adopted[i].attempt == NULL) {
            ck_assert_int_eq(ledger_count(bed, i), 0);
            continue;
        }
        struct launch_result result = bed_end(adopted[i].attempt);
        ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 3, "how %d: %s", result.how, result.message);
        ck_assert_int_eq(ledger_count(bed, i), 1);
    }
    return running;
}

/* The next program asks for the same attempts again, and nothing starts. */
static void start_again(const struct bed *bed, int count)
{
    char before[4096];
    int status = 0;

    snprintf(before, sizeof before, "%s", bed_read(bed->path, "ledger"));
    pid_t pid = spawn_driver(bed, count, false);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_str_eq(bed_read(bed->path, "ledger"), before);
}

/* Lets the driver make so many system calls after it has stopped itself, then kills it there. False if it ended first.
 */
static bool kill_at_call(pid_t pid, int calls)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < calls && WIFSTOPPED(status); i++) {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    }
    if (!WIFSTOPPED(status))
        return false;
    bury(pid);
    return true;
}

/* Every single system call of a start, before it and after it, is a moment to die. */
START_TEST(a_start_that_dies_at_any_system_call_is_adopted_or_never_ran)
{
    bool killed = true;
    int never_ran = 0;
    int ran = 0;

    for (int calls = 0; killed; calls += _i == BED_PROCESS ? 1 : 7) {
        struct bed bed;
        bed_make(&bed, _i);
        pid_t pid = spawn_driver(&bed, 1, true);
        killed = kill_at_call(pid, calls);
        struct adopted adopted = adopt(&bed, 0);
        let_go(&bed);
        if (adopted.state == LAUNCH_NEVER_RAN) {
            never_ran++;
            start_again(&bed, 1);
        } else {
            ran++;
            struct launch_result result = bed_end(adopted.attempt);
            ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 3, "how %d: %s", result.how,
                          result.message);
        }
        ck_assert_int_eq(ledger_count(&bed, 0), adopted.state != LAUNCH_NEVER_RAN);
        bed_clear(&bed);
    }
    ck_assert_int_gt(never_ran, 1);
    ck_assert_int_gt(ran, 1);
}
END_TEST

static bool is_locked(const struct bed *bed, int number)
{
    char path[128];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    snprintf(path, sizeof path, "%s/a%d/lock", bed->path, number);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &lock), 0);
    close(fd);
    return lock.l_type != F_UNLCK;
}

/* Not dead but frozen, at every system call before it holds the lock: what was said of it must stay true. */
START_TEST(a_starter_that_thaws_cannot_start_what_was_said_to_have_never_run)
{
    bool locked = false;

    for (int calls = 0; !locked; calls++) {
        struct bed bed;
        int status = 0;
        bed_make(&bed, BED_PROCESS);
        pid_t pid = spawn_driver(&bed, 1, true);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        for (int i = 0; i < calls; i++) {
            ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        }
        ck_assert(WIFSTOPPED(status));
        locked = is_locked(&bed, 0);
        if (!locked) {
            ck_assert_int_eq(adopt(&bed, 0).state, LAUNCH_NEVER_RAN);
            ck_assert_int_eq(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* how many it has started */
            ck_assert_int_eq(ledger_count(&bed, 0), 0);
        } else {
            bury(pid);
            ck_assert_int_gt(calls, 6);
        }
        bed_clear(&bed);
    }
}
END_TEST

START_TEST(a_program_killed_among_many_starts_loses_and_doubles_none)
{
    unsigned seed = 11;
    for (int moment = 0; moment < 8; moment++) {
        struct bed bed;
        bed_make(&bed, _i);
        pid_t pid = spawn_driver(&bed, STARTS, false);
        usleep((useconds_t)(rand_r(&seed) % 60000));
        bury(pid);
        adopt_all(&bed, STARTS);
        start_again(&bed, STARTS);
        bed_clear(&bed);
    }
}
END_TEST

START_TEST(what_runs_is_adopted)
{
    struct bed bed;
    bed_make(&bed, _i);
    pid_t pid = spawn_driver(&bed, 2, false);
    bed_await_file(bed.path, "a1/shim");
    bed_await_file(bed.path, "ledger");
    bury(pid);
    ck_assert_int_eq(adopt_all(&bed, 2), 2);
    bed_clear(&bed);
}
END_TEST

START_TEST(what_has_ended_keeps_its_result)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "head -c 3000000 /dev/zero; exit 42");
    struct launch_result first = bed_run(&bed, &spec);
    for (int round = 0; round < 2; round++) {
        struct launch_error error = {""};
        struct launch_attempt *attempt = NULL;
        enum launch_state state;
        ck_assert_int_eq(launch_adopt(bed.env, spec.dir, &error, &state, &attempt), 0);
        ck_assert_int_eq(state, LAUNCH_ENDED);
        struct launch_result again = bed_end(attempt);
        ck_assert_int_eq(again.exit_code, 42);
        ck_assert_uint_eq(again.stdout_dropped_bytes, first.stdout_dropped_bytes);
        ck_assert(again.ended_at == first.ended_at && again.wall_seconds == first.wall_seconds);
    }
    bed_clear(&bed);
}
END_TEST

static pid_t shim_pid(const char *dir)
{
    return (pid_t)strtol(bed_read(dir, "shim"), NULL, 10);
}

/* The shim is the one process whose death loses an attempt; then nothing of it may live on. */
START_TEST(an_attempt_whose_shim_was_killed_is_fenced_and_lost)
{
    struct bed bed;
    char script[256];
    char word[96];
    bed_make(&bed, _i);
    snprintf(word, sizeof word, "lost-of-%s", bed.path + strlen("/tmp/"));
    snprintf(script, sizeof script, "(setsid sh -c 'while :; do sleep 1; done' %s &); sleep 0.2; echo up; sleep 1000",
             word);
    struct launch_spec spec = bed_spec(&bed, script);
    struct launch_attempt *attempt = bed_start(&bed, &spec);
    bed_await_file(spec.dir, "stdout");
    ck_assert_int_gt(bed_count_processes(word), 0);
    kill(shim_pid(spec.dir), SIGKILL);
    struct launch_result result = bed_end(attempt);
    ck_assert_int_eq(result.how, LAUNCH_LOST);
    ck_assert_int_eq(bed_count_processes(word), 0);

    struct launch_error error = {""};
    enum launch_state state;
    ck_assert_int_eq(launch_adopt(bed.env, spec.dir, &error, &state, &attempt), 0);
    ck_assert_int_eq(state, LAUNCH_ENDED);
    ck_assert_int_eq(bed_end(attempt).how, LAUNCH_LOST);
    bed_clear(&bed);
}
END_TEST

START_TEST(what_never_ran_never_will)
{
    struct bed bed;
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;
    enum launch_state state;
    bed_make(&bed, BED_PROCESS);
    struct launch_spec spec = bed_spec(&bed, "exit 0");
    ck_assert_int_eq(launch_adopt(bed.env, spec.dir, &error, &state, &attempt), 0);
    ck_assert_int_eq(state, LAUNCH_NEVER_RAN);
    ck_assert_ptr_null(attempt);
    ck_assert_int_eq(launch_start(bed.env, &spec, &error, &attempt), -EEXIST);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_damaged_result_is_a_lost_attempt)
{
    static const char *const damage[] = {"", "{", "{\"version\":1,\"how\":\"exited\"", "{\"version\":2,\"end\":1}"};
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        struct bed bed;
        char path[128];
        struct launch_error error = {""};
        struct launch_attempt *attempt = NULL;
        enum launch_state state;
        bed_make(&bed, BED_PROCESS);
        struct launch_spec spec = bed_spec(&bed, "exit 0");
        bed_run(&bed, &spec);
        snprintf(path, sizeof path, "%s/exit.json", spec.dir);
        FILE *file = fopen(path, "w");
        fputs(damage[i], file);
        fclose(file);
        ck_assert_int_eq(launch_adopt(bed.env, spec.dir, &error, &state, &attempt), 0);
        ck_assert_int_eq(state, LAUNCH_ENDED);
        ck_assert_int_eq(bed_end(attempt).how, LAUNCH_LOST);
        bed_clear(&bed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch adopt");
    TCase *tcase = tcase_create("adopt");
    tcase_set_timeout(tcase, 200);
    tcase_add_loop_test(tcase, what_runs_is_adopted, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, what_has_ended_keeps_its_result, 0, bed_ways(BED_ALL));
    tcase_add_loop_test(tcase, an_attempt_whose_shim_was_killed_is_fenced_and_lost, 0, bed_ways(BED_ALL));
    tcase_add_test(tcase, what_never_ran_never_will);
    tcase_add_test(tcase, a_damaged_result_is_a_lost_attempt);
    suite_add_tcase(suite, tcase);

    /* Hundreds of starts each; CK_EXCLUDE_TAGS=exhaustive leaves them out. */
    TCase *instants = tcase_create("adopt at each instant");
    tcase_set_timeout(instants, 200);
    tcase_set_tags(instants, "exhaustive");
    tcase_add_loop_test(instants, a_start_that_dies_at_any_system_call_is_adopted_or_never_ran, 0, bed_ways(BED_WAYS));
    tcase_add_test(instants, a_starter_that_thaws_cannot_start_what_was_said_to_have_never_run);
    tcase_add_loop_test(instants, a_program_killed_among_many_starts_loses_and_doubles_none, 0, bed_ways(BED_ALL));
    suite_add_tcase(suite, instants);
    return suite_run(suite);
}
