/* SPDX-License-Identifier: Apache-2.0 */
/* Who may start anything: the epoch beside a run, with a holder that is stopped at the worst moment. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shard/error.h>

#include "epoch.h"
#include "suite.h"
#include "tempdir.h"

static char directory[128], path[160];
static struct epoch_file file;

static void set_up(void)
{
    char *problem = NULL;
    tempdir_make(directory);
    snprintf(path, sizeof(path), "%s/epoch", directory);
    ck_assert_int_eq(epoch_file_open(path, &file, &problem), 0);
}

static void tear_down(void)
{
    epoch_file_close(&file);
    tempdir_remove(directory);
}

/* A process that holds the file under epoch 1, and is stopped there; its exit code is what epoch 1 is told afterwards.
 */
static pid_t stopped_holder(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct epoch_file own;
        char *problem = NULL;
        if (epoch_file_open(path, &own, &problem) < 0 || epoch_enter(&own, 1) < 0)
            _exit(99);
        raise(SIGSTOP);
        FILE *mark = fopen(path, "a"); /* what it had begun is done before anybody else may */
        fputs("done", mark);
        fclose(mark);
        epoch_leave(&own);
        raise(SIGSTOP);
        _exit(-epoch_enter(&own, 1));
    }
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    return child;
}

START_TEST(a_holder_that_was_stopped_does_not_hold_up_the_next)
{
    char text[128] = "";
    int status = 0;
    pid_t holder = stopped_holder();
    ck_assert_int_eq(epoch_enter(&file, 2), 0);
    FILE *stream = fopen(path, "r");
    ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, stream), 0);
    fclose(stream);
    ck_assert_msg(strstr(text, "done") != NULL, "%s", text);
    epoch_leave(&file);
    ck_assert_int_eq(waitpid(holder, &status, WUNTRACED), holder);
    ck_assert(WIFSTOPPED(status));
    kill(holder, SIGCONT);
    ck_assert_int_eq(waitpid(holder, &status, 0), holder);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), -SHARD_EFENCED);
}
END_TEST

START_TEST(a_process_that_has_the_number_of_the_holder_is_let_be)
{
    int status = 0;
    pid_t other = fork();
    if (other == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(other, &status, WUNTRACED), other);
    /* Another handle of the file is the holder; the name in it is that of `other`, from before it was born. */
    struct epoch_file holder;
    char *problem = NULL;
    ck_assert_int_eq(epoch_file_open(path, &holder, &problem), 0);
    ck_assert_int_eq(epoch_enter(&holder, 1), 0);
    FILE *stream = fopen(path, "w");
    fprintf(stream, "%019d %19d %19d\n", 1, (int)other, 1);
    fclose(stream);
    pid_t waits = fork();
    if (waits == 0) {
        struct epoch_file own;
        if (epoch_file_open(path, &own, &problem) < 0)
            _exit(99);
        (void)kill(getppid(), SIGUSR1);
        _exit(-epoch_enter(&own, 2));
    }
    sigset_t ready;
    int signal_number;
    sigemptyset(&ready);
    sigaddset(&ready, SIGUSR1);
    ck_assert_int_eq(sigwait(&ready, &signal_number), 0);
    usleep(100000); /* to be caught at it, if it woke anybody; a pass needs no luck */
    ck_assert_int_eq(waitpid(other, &status, WNOHANG | WCONTINUED), 0);
    epoch_leave(&holder);
    ck_assert_int_eq(waitpid(waits, &status, 0), waits);
    ck_assert_int_eq(status, 0);
    epoch_file_close(&holder);
    kill(other, SIGKILL);
    waitpid(other, &status, 0);
}
END_TEST

/* As one that is frozen, or that another user has stopped: it cannot be made to go on. */
START_TEST(a_holder_that_does_not_go_on_is_told_of)
{
    int ends[2], status = 0;
    char said[400] = "", number[80];
    ck_assert_int_eq(epoch_enter(&file, 1), 0);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t waits = fork();
    if (waits == 0) {
        struct epoch_file own;
        char *problem = NULL;
        dup2(ends[1], STDERR_FILENO);
        _exit(epoch_file_open(path, &own, &problem) < 0 ? 99 : -epoch_enter(&own, 2));
    }
    close(ends[1]);
    FILE *stream = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(fgets(said, sizeof(said), stream)); /* ends with the line, which no time bounds */
    snprintf(number, sizeof(number), "process %d of user %u, in state ", (int)getpid(), (unsigned)geteuid());
    ck_assert_msg(strstr(said, number) != NULL && strstr(said, "kill -CONT") != NULL, "%s", said);
    epoch_leave(&file);
    ck_assert_int_eq(waitpid(waits, &status, 0), waits);
    ck_assert_int_eq(status, 0);
    fclose(stream);
}
END_TEST

START_TEST(an_older_epoch_is_refused)
{
    ck_assert_int_eq(epoch_enter(&file, 7), 0);
    epoch_leave(&file);
    ck_assert_int_eq(epoch_enter(&file, 6), SHARD_EFENCED);
    ck_assert_int_eq(epoch_enter(&file, 7), 0); /* the refusal holds nothing */
    epoch_leave(&file);
    ck_assert_int_eq(epoch_enter(&file, 8), 0);
}
END_TEST

int main(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    Suite *suite = suite_create("epoch");
    TCase *tests = tcase_create("epoch");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_holder_that_was_stopped_does_not_hold_up_the_next);
    tcase_add_test(tests, a_process_that_has_the_number_of_the_holder_is_let_be);
    tcase_add_test(tests, a_holder_that_does_not_go_on_is_told_of);
    tcase_add_test(tests, an_older_epoch_is_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
