/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real server that is busy with something else: a script of somebody, its own data, a string that is far too long.
 * The store's time is virtual, so a server that is busy for a moment is busy for as long as any call may take.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "adapter/redis/redis.h"
#include "redis_place.h"
#include "suite.h"

static struct redis_place place;
static pid_t helper;

static void set_up(void)
{
    redis_place_open(&place);
    helper = 0;
}

static void tear_down(void)
{
    if (helper > 0) {
        kill(helper, SIGKILL);
        waitpid(helper, NULL, 0);
    }
    redis_place_close(&place);
}

static void begin(void)
{
    redis_place_store(&place, NULL);
    ck_assert_msg(redis_place_create(&place) == 0, "%s", place.answer.message);
    ck_assert_int_eq(redis_place_acquire(&place), 0);
    ck_assert_int_eq(redis_place_commit(&place, 0, 0), 0);
}

static const char *ask(const char *a, const char *b, const char *c, const char *d)
{
    const char *const words[] = {a, b, c, d, NULL};
    return redis_server_ask(&place.server, words);
}

/* A client of somebody else, which waits for its reply; and again, as often as is said. */
static void somebody_asks(int times, const char *a, const char *b, const char *c)
{
    helper = fork();
    if (helper != 0)
        return;
    while (times-- > 0)
        ask(a, b, c, NULL);
    _exit(0);
}

static void wait_until_it_says(const char *text)
{
    enum { TRIES = 30000 };
    const struct timespec pause = {.tv_nsec = 2000000};
    const char *reply = "";
    for (int i = 0; i < TRIES; i++) {
        reply = ask("PING", NULL, NULL, NULL);
        if (strncmp(reply, text, strlen(text)) == 0)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("the server says '%s', and never '%s'", reply, text);
}

static void fails(int status, int code, const char *text)
{
    ck_assert_msg(status == code, "%s: %s", shard_code_text(status), place.answer.message);
    ck_assert_msg(strstr(place.answer.message, text) != NULL, "'%s' is not in '%s'", text, place.answer.message);
}

START_TEST(a_script_of_somebody_blocks_the_server_until_it_is_killed)
{
    begin();
    ask("CONFIG", "SET", "lua-time-limit", "1");
    somebody_asks(1, "EVAL", "while true do end", "0");
    wait_until_it_says("-BUSY");
    fails(redis_place_commit(&place, 1, 7), SHARD_EIO, "a script of somebody blocks it; SCRIPT KILL ends that");
    ck_assert_str_eq(ask("SCRIPT", "KILL", NULL, NULL), "+OK");
    wait_until_it_says("+PONG");
    ck_assert_msg(redis_place_commit(&place, 1, 7) == 0, "%s", place.answer.message);
}
END_TEST

/* A commit that loops before it writes anything, in a server whose administrator ends all that takes long. */
START_TEST(a_script_of_ours_that_somebody_kills_is_called_again)
{
    begin();
    ask("CONFIG", "SET", "lua-time-limit", "1");
    redis_proxy_swap(&place.proxy, shard__redis_scripts[SHARD__REDIS_COMMIT].sha1, "while true do end");
    somebody_asks(1000000, "SCRIPT", "KILL", NULL);
    fails(redis_place_commit(&place, 1, 7), SHARD_EIO, "somebody ended a script with SCRIPT KILL");
    place.proxy.swap_count = 0;
    ck_assert_msg(redis_place_commit(&place, 1, 7) == 0, "%s", place.answer.message);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 2);
}
END_TEST

START_TEST(a_server_that_reads_its_data_is_waited_for)
{
    static const char fill[] = "for i = 1, 400 do redis.call('SET', 'k' .. i, string.rep('x', i)) end return 1";
    redis_server_kill(&place.server);
    place.server.setting = "--enable-debug-command";
    place.server.value = "yes";
    ck_assert_int_eq(redis_server_start(&place.server), 0);
    begin();
    ck_assert_str_eq(ask("EVAL", fill, "0", NULL), ":1");
    ck_assert_str_eq(ask("CONFIG", "SET", "key-load-delay", "20000"), "+OK");
    ck_assert_str_eq(ask("CONFIG", "SET", "loading-process-events-interval-bytes", "1024"), "+OK");
    somebody_asks(1, "DEBUG", "RELOAD", NULL);
    wait_until_it_says("-LOADING");
    fails(redis_place_commit(&place, 1, 7), SHARD_EIO, "it is reading its data; wait until it has");
    ck_assert_str_eq(ask("CONFIG", "SET", "key-load-delay", "0"), "+OK");
    wait_until_it_says("+PONG");
    ck_assert_msg(redis_place_commit(&place, 1, 7) == 0, "%s", place.answer.message);
}
END_TEST

START_TEST(a_string_of_the_server_that_is_far_too_long_is_not_read_to_its_end)
{
    static const char grow[] = "redis.call('DEL', KEYS[1]) "
                               "redis.call('RPUSH', KEYS[1], string.rep('x', 80 * 1024 * 1024)) return 1";
    const char *const words[] = {"EVAL", grow, "1", "{p:a}:workflow", NULL};
    begin();
    ck_assert_str_eq(redis_server_ask(&place.server, words), ":1");
    fails(redis_place_load(&place, SHARD_LOAD_STATE), SHARD_ELIMIT, "longer than any that was asked for");
    ck_assert_msg(redis_place_commit(&place, 1, 0) == 0, "%s", place.answer.message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis busy");
    TCase *tests = tcase_create("busy");
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_script_of_somebody_blocks_the_server_until_it_is_killed);
    tcase_add_test(tests, a_script_of_ours_that_somebody_kills_is_called_again);
    tcase_add_test(tests, a_server_that_reads_its_data_is_waited_for);
    tcase_add_test(tests, a_string_of_the_server_that_is_far_too_long_is_not_read_to_its_end);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
