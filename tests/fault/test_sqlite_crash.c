/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that commits is killed (SIGKILL) at a moment of chance, again and again on the same file. Whatever it had
 * been answered, it has told through a pipe; that is there afterwards, and no half of a commit is.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "one_store.h"
#include "suite.h"

enum { KILLS = 30, BATCH = 7, WAITING = 4 };

/* Makes a commit of BATCH first records, of tasks that nobody had. */
static int commit_batch(struct one_store *one, int64_t first_seq, shard_token token)
{
    struct shard_record records[BATCH];
    for (int i = 0; i < BATCH; i++)
        records[i] = (struct shard_record){.seq = first_seq + i,
                                           .time_ns = 1,
                                           .task = (shard_task_id)(first_seq + i - 1),
                                           .host = -1,
                                           .to = SHARD_TASK_READY,
                                           .parent = -1};
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "a",
                                  .epoch = one->epoch,
                                  .operation = (uint64_t)first_seq,
                                  .records = records,
                                  .record_count = BATCH};
    return one->store.port->commit(one->store.self, one->sink, token, &commit);
}

/* Commits for ever, WAITING commits at a time so that they share transactions, and tells what was answered. */
static void commit_until_killed(struct one_store *one, int pipe_end)
{
    int64_t next_seq, answered;
    if (one_store_open(one, 0) < 0 ||
        one_store_answer(one, one->store.port->acquire(one->store.self, one->sink, 1, "a", "me", 60000)) < 0)
        _exit(3);
    one->epoch = one->answer.epoch;
    if (one_store_load(one) < 0)
        _exit(4);
    answered = one->answer.image->last_seq;
    next_seq = answered + 1;
    for (;;) {
        while (next_seq <= answered + (int64_t)WAITING * BATCH) {
            if (commit_batch(one, next_seq, (shard_token)next_seq) < 0)
                _exit(5);
            next_seq += BATCH;
        }
        struct shard_answer answer = {.struct_size = sizeof(answer)};
        if (shard_sink_wait(one->sink, 60000, &answer) != 1 || answer.status < 0)
            _exit(6);
        answered = (int64_t)answer.token + BATCH - 1;
        if (write(pipe_end, &answered, sizeof(answered)) != sizeof(answered))
            _exit(7);
    }
}

/* The last number that came through the pipe. */
static int64_t read_last(int pipe_end)
{
    int64_t last = 0, value;
    while (read(pipe_end, &value, sizeof(value)) == sizeof(value))
        last = value;
    return last;
}

/* One life of the process; gives what it had been answered. */
static int64_t live_and_die(struct one_store *one, struct shard__random *random)
{
    int pipe_ends[2];
    ck_assert_int_eq(pipe(pipe_ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        shard_workers *workers = NULL;
        struct shard_context_config config = {.struct_size = sizeof(config), .offload = shard_workers_offload};
        shard_context *context = NULL;
        close(pipe_ends[0]);
        if (shard_workers_new(1, &workers) < 0)
            _exit(8);
        config.offload_self = workers;
        if (shard_context_new(&config, &context) < 0 || shard_sink_new(context, &one->sink) < 0)
            _exit(9);
        one->context = context;
        commit_until_killed(one, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    /* The first answer has come: from here on any moment is as good as another. */
    int64_t first = 0;
    ck_assert_int_eq(read(pipe_ends[0], &first, sizeof(first)), sizeof(first));
    const struct timespec pause = {.tv_nsec = (long)(shard__random_next(random) % 20000000)};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ck_assert_msg(WIFSIGNALED(status), "the child ended by itself: %d", WEXITSTATUS(status));
    int64_t last = read_last(pipe_ends[0]);
    close(pipe_ends[0]);
    return last > first ? last : first;
}

START_TEST(what_was_answered_survives_a_kill)
{
    struct one_store one;
    struct shard__random random;
    shard_context *context = NULL;
    shard__random_seed(&random, 7);
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    one_store_setup(&one, context);
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_begin(&one), 0);
    one_store_close(&one);
    for (int i = 0; i < KILLS; i++) {
        int64_t answered = live_and_die(&one, &random);
        ck_assert_int_eq(one_store_open(&one, 0), 0);
        ck_assert_int_eq(one_store_load(&one), 0);
        const struct shard_run_image *image = one.answer.image;
        ck_assert_int_ge(image->last_seq, answered);
        ck_assert_int_eq(image->last_seq % BATCH, 0);
        ck_assert_int_eq(image->row_count, image->last_seq);
        ck_assert_int_eq(image->record_count, image->last_seq);
        for (int32_t row = 0; row < image->row_count; row++)
            ck_assert_int_eq(image->rows[row].task, row);
        one_store_close(&one);
    }
    one_store_teardown(&one);
    shard_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite crash");
    TCase *tests = tcase_create("crash");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, what_was_answered_survives_a_kill);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
