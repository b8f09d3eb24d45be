/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that refuse and keys that are not as they should be. What a real server can be made to say comes from a real
 * one; the rest is said in its stead. Each message names the store or the run, and says what to do.
 *
 * It is longer than 400 lines because each thing that can be said, or be wrong, has its case.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_place.h"
#include "suite.h"

static struct redis_place place;

static void set_up(void)
{
    redis_place_open(&place);
}

static void tear_down(void)
{
    redis_place_close(&place);
}

static const char *ask(const char *a, const char *b, const char *c, const char *d)
{
    return redis_place_ask(&place, a, b, c, d, NULL, NULL);
}

/* A run with one record, its lease held. */
static void begin(void)
{
    redis_place_store(&place, NULL);
    ck_assert_msg(redis_place_create(&place) == 0, "%s", place.answer.message);
    ck_assert_int_eq(redis_place_acquire(&place), 0);
    ck_assert_int_eq(redis_place_commit(&place, 0, 0), 0);
}

#define FAILS(call, code, text)                                                                                       \
    do {                                                                                                              \
        int status_ = (call);                                                                                         \
        ck_assert_msg(status_ == (code), "%s: %s", shard_code_text(status_), place.answer.message);                   \
        ck_assert_msg(strstr(place.answer.message, text) != NULL, "'%s' is not in '%s'", text, place.answer.message); \
        const char *first_ = strstr(place.answer.message, "store '");                                                 \
        ck_assert_msg(first_ == NULL || strstr(first_ + 1, "store '") == NULL, "'%s'", place.answer.message);         \
    } while (0)

static void fails_to_load(int code, const char *text)
{
    FAILS(redis_place_load(&place, SHARD_LOAD_RECORDS), code, text);
}

START_TEST(a_wrong_password_is_told_once)
{
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .password = "wrong"};
    ask("CONFIG", "SET", "requirepass", "right");
    redis_place_store(&place, &config);
    FAILS(redis_place_create(&place), SHARD_EIO,
          "user or password is wrong; see the user in the URL, and the password's file (sentinels have their own)");
    redis_place_close_store(&place);
    redis_place_store(&place, NULL);
    FAILS(redis_place_create(&place), SHARD_EIO, "it wants a password");
    redis_place_close_store(&place);
    config.user = "nobody";
    redis_place_store(&place, &config);
    FAILS(redis_place_create(&place), SHARD_EIO, "user or password is wrong");
    ck_assert_ptr_null(strstr(place.log, "right"));
}
END_TEST

START_TEST(a_user_without_rights_is_told_which)
{
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .user = "weak", .password = "x"};
    redis_place_ask(&place, "ACL", "SETUSER", "weak", "on", ">x", "+auth");
    redis_place_store(&place, &config);
    FAILS(redis_place_create(&place), SHARD_EIO, "the user lacks a right");
}
END_TEST

START_TEST(the_rights_that_are_told_are_enough)
{
    static const char *const words[] = {"ACL",    "SETUSER", "fit",         "on",           ">x",    "~p:*",  "~{p:*",
                                        "+@read", "+@write", "+@scripting", "+@connection", "+time", "+wait", NULL};
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .user = "fit", .password = "x"};
    ck_assert_str_eq(redis_proxy_ask(&place.proxy, words), "+OK\r\n");
    redis_place_store(&place, &config);
    ck_assert_msg(redis_place_create(&place) == 0, "%s", place.answer.message);
    ck_assert_int_eq(redis_place_acquire(&place), 0);
    ck_assert_int_eq(redis_place_commit(&place, 0, 0), 0);
    ck_assert_msg(redis_place_load(&place, SHARD_LOAD_RECORDS) == 0, "%s", place.answer.message);
}
END_TEST

START_TEST(a_server_without_memory_says_what_to_raise)
{
    begin();
    ask("CONFIG", "SET", "maxmemory", "1");
    FAILS(redis_place_commit(&place, 1, 0), SHARD_ENOSPC, "raise maxmemory");
    ck_assert_ptr_nonnull(strstr(place.answer.message, "OOM command not allowed"));
    ask("CONFIG", "SET", "maxmemory", "0");
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 2);
}
END_TEST

START_TEST(a_replica_is_told_from_its_master)
{
    begin();
    ask("REPLICAOF", "127.0.0.1", "1", NULL);
    FAILS(redis_place_commit(&place, 1, 0), SHARD_EIO, "it is a read-only replica; name its master");
    ask("CONFIG", "SET", "replica-serve-stale-data", "no");
    FAILS(redis_place_commit(&place, 1, 0), SHARD_EIO, "it is a replica that has lost its master");
    ask("REPLICAOF", "NO", "ONE", NULL);
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
}
END_TEST

START_TEST(too_few_replicas_are_waited_for)
{
    begin();
    ask("CONFIG", "SET", "min-replicas-to-write", "1");
    FAILS(redis_place_commit(&place, 1, 0), SHARD_EIO, "fewer replicas are connected");
    ask("CONFIG", "SET", "min-replicas-to-write", "0");
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
}
END_TEST

START_TEST(a_write_that_no_replica_has_is_not_answered_as_durable)
{
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .wait_replicas = 1, .wait_ms = 1};
    redis_place_store(&place, &config);
    FAILS(redis_place_create(&place), SHARD_EIO, "not as many replicas");
}
END_TEST

START_TEST(a_write_that_no_disk_has_is_not_answered_as_durable)
{
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .waitaof = 1};
    redis_place_store(&place, &config);
    redis_proxy_say(&place.proxy, "\r\nWAITAOF\r\n", "*2\r\n:0\r\n:0\r\n", 2);
    redis_proxy_say(&place.proxy, "\r\nWAITAOF\r\n", "*2\r\n:1\r\n:0\r\n", 1);
    ck_assert_int_eq(redis_place_create(&place), 0);
    ck_assert_int_eq(place.proxy.says[0].times + place.proxy.says[1].times, 0);
    redis_proxy_say(&place.proxy, "\r\nWAITAOF\r\n", "-ERR unknown command 'WAITAOF'\r\n", 1);
    FAILS(redis_place_acquire(&place), SHARD_ENOTSUP, "7.2 for WAITAOF");
}
END_TEST

/* What is said, whether it passes by itself, the code and what the message says when it does not. */
static const struct {
    const char *said;
    int passes, code;
    const char *text;
} sayings[] = {
    {"-LOADING Redis is loading the dataset in memory\r\n", 1, SHARD_EIO, "it is reading its data"},
    {"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n", 1, SHARD_EIO,
     "SCRIPT KILL ends that"},
    {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n", 1, SHARD_EIO,
     "name the master"},
    {"-CLUSTERDOWN The cluster is down\r\n", 1, SHARD_EIO, "CLUSTER INFO"},
    {"-ERR Error running script (call to f_1): @user_script:1: Script killed by user with SCRIPT KILL...\r\n", 1,
     SHARD_EIO, "somebody ended a script"},
    {"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.\r\n", 0,
     SHARD_ENOSPC, "free space there"},
    {"-ERR unknown command 'EVALSHA'\r\n", 0, SHARD_ENOTSUP, "it is too old"},
    {"-ERR something nobody thought of\r\n", 0, SHARD_EIO, "the server says 'ERR something"},
    {"+OK\r\n", 0, SHARD_ECORRUPT, "makes no sense"},
    {":7\r\n", 0, SHARD_ECORRUPT, "makes no sense"},
    {"*-1\r\n", 0, SHARD_ECORRUPT, "makes no sense"},
    {"*1\r\n$5\r\nhello\r\n", 0, SHARD_ECORRUPT, "makes no sense"},
    {"*3\r\n$8\r\nconflict\r\n$1\r\n0\r\n$3\r\nabc\r\n", 0, SHARD_ECORRUPT, "row of task 0 has 3 bytes"},
};

START_TEST(what_a_server_refuses_is_waited_for_or_told)
{
    begin();
    redis_proxy_say(&place.proxy, "EVALSHA", sayings[_i].said, 2);
    if (sayings[_i].passes) {
        ck_assert_msg(redis_place_commit(&place, 1, 0) == 0, "%s", place.answer.message);
        ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_STATE), 0);
        redis_proxy_say(&place.proxy, "EVALSHA", sayings[_i].said, 1000000);
        FAILS(redis_place_commit(&place, 2, 0), sayings[_i].code, sayings[_i].text);
    } else {
        FAILS(redis_place_commit(&place, 1, 0), sayings[_i].code, sayings[_i].text);
    }
}
END_TEST

/* 0.6 s of waiting, and 0.5 s more, where a page may take 1 s. */
START_TEST(a_load_may_take_longer_than_each_of_its_pages)
{
    begin();
    redis_proxy_say(&place.proxy, "HMGET", "-LOADING\r\n", 5);
    redis_proxy_say(&place.proxy, "HSCAN", "-LOADING\r\n", 1);
    ck_assert_msg(redis_place_load(&place, SHARD_LOAD_RECORDS) == 0, "%s", place.answer.message);
    ck_assert_int_eq(place.proxy.says[0].times + place.proxy.says[1].times, 0);
}
END_TEST

START_TEST(a_script_that_was_forgotten_is_loaded_again)
{
    begin();
    ask("SCRIPT", "FLUSH", NULL, NULL);
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
}
END_TEST

START_TEST(bytes_that_are_no_reply_break_the_connection_and_nothing_else)
{
    begin();
    redis_proxy_say(&place.proxy, "EVALSHA", "HTTP/1.1 400 Bad Request\r\n\r\n", 1);
    ck_assert_msg(redis_place_commit(&place, 1, 0) == 0, "%s", place.answer.message);
    redis_proxy_say(&place.proxy, "HMGET", "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\na\r\n+more\r\n", 1);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 2);
}
END_TEST

START_TEST(a_reply_that_is_far_too_long_is_not_read_to_its_end)
{
    enum { MOST_TAKEN = 80 << 20 }; /* the most that is kept of one, and what lies in sockets */
    begin();
    redis_proxy_say_long(&place.proxy, "EVALSHA", "$536870912\r\n", 512 << 20);
    FAILS(redis_place_commit(&place, 1, 0), SHARD_ELIMIT, "longer than any that was asked for");
    ck_assert_uint_lt(place.proxy.zeroes_sent, MOST_TAKEN);
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
}
END_TEST

START_TEST(records_that_are_cut_off_are_told)
{
    begin();
    redis_place_ask(&place, "XADD", "{p:a}:records", "1-9", "d", "S", NULL);
    fails_to_load(SHARD_ECORRUPT, "its records do not begin as records do");
    ask("DEL", "{p:a}:records", NULL, NULL);
    redis_place_ask(&place, "XADD", "{p:a}:records", "1-9", "d", "Sr\1", NULL);
    fails_to_load(SHARD_ECORRUPT, "cut off");
}
END_TEST

/* The server writes back what it has, with something done to it. */
static void change_record(const char *how, const char *into)
{
    char script[512];
    snprintf(script, sizeof(script),
             "local entry = redis.call('XRANGE', '{p:a}:records', '-', '+')[1] local d = entry[2][2] "
             "redis.call('DEL', '%s') redis.call('XADD', '%s', entry[1], 'd', %s) return 1",
             into, into, how);
    ck_assert_str_eq(ask("EVAL", script, "0", NULL), ":1\r\n");
}

START_TEST(records_that_were_truncated_in_place_are_told)
{
    begin();
    change_record("string.sub(d, 1, -2)", "{p:a}:records");
    fails_to_load(SHARD_ECORRUPT, "cut off");
}
END_TEST

START_TEST(records_of_a_later_version_are_told)
{
    begin();
    change_record("'Sr' .. string.char(2) .. string.sub(d, 4)", "{p:a}:records");
    fails_to_load(SHARD_EVERSION, "version 2, this library knows version 1");
}
END_TEST

START_TEST(records_with_a_value_out_of_range_are_told)
{
    begin();
    change_record("string.sub(d, 1, 8) .. 'z' .. string.sub(d, 10)", "{p:a}:records");
    fails_to_load(SHARD_ECORRUPT, "out of range");
}
END_TEST

START_TEST(records_of_another_run_are_told)
{
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "b", .workflow = place.workflow};
    begin();
    ck_assert_int_eq(redis_place_wait(&place, place.store.port->create(place.store.self, place.sink, 1, &create)), 0);
    change_record("d", "{p:b}:records");
    ask("HSET", "{p:b}:run", "seq", "1");
    FAILS(redis_place_wait(&place, place.store.port->load(place.store.self, place.sink, 1, "b", SHARD_LOAD_RECORDS)),
          SHARD_ECORRUPT, "a record is of another run");
}
END_TEST

START_TEST(a_run_whose_keys_were_renamed_is_told)
{
    begin();
    ask("RENAME", "{p:a}:run", "{p:b}:run", NULL);
    FAILS(redis_place_wait(&place, place.store.port->load(place.store.self, place.sink, 1, "b", SHARD_LOAD_STATE)),
          SHARD_ECORRUPT, "its keys are those of run 'a'");
}
END_TEST

START_TEST(a_record_that_is_missing_is_told)
{
    begin();
    ck_assert_int_eq(redis_place_commit(&place, 1, 0), 0);
    ck_assert_int_eq(redis_place_commit(&place, 2, 0), 0);
    ask("XDEL", "{p:a}:records", "2-1", NULL);
    fails_to_load(SHARD_ECORRUPT, "record 2 is missing");
}
END_TEST

START_TEST(a_run_of_a_later_format_is_told)
{
    begin();
    ask("HSET", "{p:a}:run", "v", "2");
    fails_to_load(SHARD_EVERSION, "has format '2', this library knows 1");
    FAILS(redis_place_commit(&place, 1, 0), SHARD_EVERSION, "has format '2'");
}
END_TEST

START_TEST(keys_of_someone_else_are_told)
{
    static const char *const suffixes[] = {"run", "tasks", "operations", "records", "hosts", "workflow"};
    begin();
    for (int i = 0; i < 6; i++) {
        char key[32], aside[32];
        snprintf(key, sizeof(key), "{p:a}:%s", suffixes[i]);
        snprintf(aside, sizeof(aside), "{p:a}:aside");
        ask("DEL", aside, NULL, NULL);
        ask("RENAME", key, aside, NULL);
        ask("SET", key, "mine", NULL);
        if (i != 2) /* a load does not look at operations */
            fails_to_load(SHARD_ECORRUPT, "belongs to another program; use another prefix or db");
        if (i < 4 && i != 4)
            FAILS(redis_place_commit(&place, 1, 0), SHARD_ECORRUPT, "belongs to another program");
        ask("DEL", key, NULL, NULL);
        ask("RENAME", aside, key, NULL);
    }
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 1);
}
END_TEST

START_TEST(a_row_that_was_truncated_is_told)
{
    begin();
    ask("HSET", "{p:a}:tasks", "0", "short");
    fails_to_load(SHARD_ECORRUPT, "row of task 0 has 5 bytes, expected 79");
    ask("HSET", "{p:a}:tasks", "minus", "short");
    fails_to_load(SHARD_ECORRUPT, "");
}
END_TEST

START_TEST(a_workflow_that_is_damaged_is_told)
{
    begin();
    ask("LSET", "{p:a}:workflow", "0", "{");
    fails_to_load(SHARD_ECORRUPT, "its workflow is damaged");
    ask("DEL", "{p:a}:workflow", NULL, NULL);
    fails_to_load(SHARD_ECORRUPT, "its workflow is damaged");
}
END_TEST

/* Every step of a load gets every kind of reply in turn: none of them crashes it. */
START_TEST(no_reply_of_another_kind_confuses_a_load)
{
    static const char *const asked[] = {"HMGET", "LRANGE", "HSCAN", "EVALSHA", "XRANGE"};
    static const char *const replies[] = {"+x\r\n",
                                          ":1\r\n",
                                          "$-1\r\n",
                                          "$1\r\nx\r\n",
                                          "*0\r\n",
                                          "*3\r\n:1\r\n:2\r\n:3\r\n",
                                          "*3\r\n$1\r\n1\r\n:2\r\n$1\r\na\r\n",
                                          "*2\r\n$1\r\n0\r\n$1\r\nx\r\n",
                                          "*2\r\n$1\r\n0\r\n*2\r\n:0\r\n:1\r\n",
                                          "*2\r\n$1\r\n0\r\n*1\r\n*-1\r\n",
                                          "*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nd\r\n:1\r\n",
                                          "*8\r\n$2\r\nok\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"
                                          "*2\r\n$1\r\n0\r\n:5\r\n*0\r\n",
                                          "*8\r\n$2\r\nok\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"
                                          "*0\r\n:1\r\n"};
    begin();
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        for (size_t k = 0; k < sizeof(replies) / sizeof(replies[0]); k++) {
            place.proxy.say_count = 0;
            redis_proxy_say(&place.proxy, asked[i], replies[k], 1);
            int status = redis_place_load(&place, SHARD_LOAD_RECORDS);
            ck_assert_msg(status == SHARD_ECORRUPT || status == SHARD_EVERSION || status == SHARD_ENOENT ||
                              (status == 0 && replies[k][0] == '*'),
                          "%s %s: %s", asked[i], replies[k], shard_code_text(status));
        }
    place.proxy.say_count = 0;
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
}
END_TEST

static int take_no_outcome(void *self, const struct shard_outcome_row *outcome)
{
    (void)self;
    (void)outcome;
    return 0;
}

static int take_no_bucket(void *self, const struct shard_series_bucket *bucket)
{
    (void)self;
    (void)bucket;
    return 0;
}

/* Reading series waits for the server itself, so there is no proxy in between. */
START_TEST(history_that_is_damaged_is_told_and_runs_are_not_touched)
{
    static const char advice[] = "runs do not need it: DEL its key";
    static const struct shard_series_query of_host = {
        .struct_size = sizeof(of_host), .of = SHARD_SERIES_HOST, .name = "n"};
    struct shard_redis_store_config config = {
        .struct_size = sizeof(config), .url = place.server.url, .prefix = "p", .timeout_ms = 60000};
    struct shard_store_handle direct;
    struct shard_error error = {.struct_size = sizeof(error)};
    begin();
    ck_assert_int_eq(shard_redis_store_open(place.context, &config, &direct), 0);
    redis_place_ask(&place, "XADD", "{p:}:samples:outcomes", "*", "o", "rubbish", NULL);
    ck_assert_int_eq(direct.port->each_outcome(direct.self, take_no_outcome, NULL), SHARD_EVERSION);
    shard_error_copy(&error);
    ck_assert_msg(strstr(error.message, advice) != NULL, "%s", error.message);
    redis_place_ask(&place, "XADD", "{p:}:samples:host:n", "5-1", "s", "rubbish", NULL);
    ck_assert_int_eq(direct.port->series(direct.self, &of_host, take_no_bucket, NULL), SHARD_ECORRUPT);
    shard_error_copy(&error);
    ck_assert_msg(strstr(error.message, advice) != NULL, "%s", error.message);
    ask("DEL", "{p:}:samples:host:n", NULL, NULL);
    redis_place_ask(&place, "SET", "{p:}:samples:host:n", "mine", NULL, NULL, NULL);
    ck_assert_int_eq(direct.port->series(direct.self, &of_host, take_no_bucket, NULL), SHARD_ECORRUPT);
    shard_error_copy(&error);
    ck_assert_msg(strstr(error.message, "belongs to another program") != NULL, "%s", error.message);
    direct.port->close(direct.self);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 1);
}
END_TEST

static void warns_of(const char *setting, const char *value, const char *text)
{
    ask("CONFIG", "SET", setting, value);
    place.log[0] = '\0';
    redis_place_store(&place, NULL);
    (void)redis_place_load(&place, SHARD_LOAD_STATE);
    ck_assert_msg(text == NULL ? strstr(place.log, "store-risk") == NULL : strstr(place.log, text) != NULL, "%s",
                  place.log);
    redis_place_close_store(&place);
}

START_TEST(what_the_settings_of_a_server_put_at_risk_is_told_at_the_start)
{
    warns_of("appendonly", "no", "appendonly is off");
    warns_of("appendonly", "yes", NULL);
    warns_of("appendfsync", "everysec", "appendfsync is everysec: a power cut may lose");
    warns_of("appendfsync", "always", NULL);
    warns_of("maxmemory-policy", "allkeys-lru", NULL);
    warns_of("maxmemory", "1000000000", "maxmemory-policy is allkeys-lru: the server may drop whole runs");
    warns_of("maxmemory-policy", "volatile-lru", NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis bad");
    TCase *tests = tcase_create("bad");
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_wrong_password_is_told_once);
    tcase_add_test(tests, a_user_without_rights_is_told_which);
    tcase_add_test(tests, the_rights_that_are_told_are_enough);
    tcase_add_test(tests, a_server_without_memory_says_what_to_raise);
    tcase_add_test(tests, a_replica_is_told_from_its_master);
    tcase_add_test(tests, too_few_replicas_are_waited_for);
    tcase_add_test(tests, a_write_that_no_replica_has_is_not_answered_as_durable);
    tcase_add_test(tests, a_write_that_no_disk_has_is_not_answered_as_durable);
    tcase_add_loop_test(tests, what_a_server_refuses_is_waited_for_or_told, 0,
                        (int)(sizeof(sayings) / sizeof(sayings[0])));
    tcase_add_test(tests, a_load_may_take_longer_than_each_of_its_pages);
    tcase_add_test(tests, a_script_that_was_forgotten_is_loaded_again);
    tcase_add_test(tests, bytes_that_are_no_reply_break_the_connection_and_nothing_else);
    tcase_add_test(tests, a_reply_that_is_far_too_long_is_not_read_to_its_end);
    tcase_add_test(tests, records_that_are_cut_off_are_told);
    tcase_add_test(tests, records_that_were_truncated_in_place_are_told);
    tcase_add_test(tests, records_of_a_later_version_are_told);
    tcase_add_test(tests, records_with_a_value_out_of_range_are_told);
    tcase_add_test(tests, records_of_another_run_are_told);
    tcase_add_test(tests, a_run_whose_keys_were_renamed_is_told);
    tcase_add_test(tests, a_record_that_is_missing_is_told);
    tcase_add_test(tests, a_run_of_a_later_format_is_told);
    tcase_add_test(tests, keys_of_someone_else_are_told);
    tcase_add_test(tests, a_row_that_was_truncated_is_told);
    tcase_add_test(tests, a_workflow_that_is_damaged_is_told);
    tcase_add_test(tests, no_reply_of_another_kind_confuses_a_load);
    tcase_add_test(tests, history_that_is_damaged_is_told_and_runs_are_not_touched);
    tcase_add_test(tests, what_the_settings_of_a_server_put_at_risk_is_told_at_the_start);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
