/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of durable state, taken out one at a time: each is missed. Those that keep orchestrators apart are missed
 * by schedules of two of them, those of a single write by asking for that write. Where the rule is the store's, its
 * script is changed on its way to a real server. tests/sim/ablation.md is the table of this.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/redis/redis.h"
#include "orchestrators.h"
#include "redis_place.h"
#include "suite.h"

enum { MOST_SEEDS = 400 };

static struct redis_place place;

static void set_up(void)
{
    redis_place_open(&place);
}

static void tear_down(void)
{
    redis_place_close(&place);
}

/* From now on the server has a script of which a piece was replaced. */
static void change_script(enum shard__redis_script_id id, const char *piece, const char *by)
{
    const struct shard__redis_script *script = &shard__redis_scripts[id];
    const char *found = strstr(script->text, piece);
    ck_assert_msg(found != NULL, "the script has no '%s' any more", piece);
    char *text = malloc(strlen(script->text) + strlen(by) + 1);
    ck_assert_ptr_nonnull(text);
    sprintf(text, "%.*s%s%s", (int)(found - script->text), script->text, by, found + strlen(piece));
    redis_proxy_swap(&place.proxy, script->sha1, text);
    free(text);
}

/* The first seed that misses the rule. */
static void is_missed(const char *rule, unsigned without)
{
    for (uint64_t seed = 1; seed <= MOST_SEEDS; seed++) {
        struct orchestrators_plan plan = {.seed = seed, .trouble = (double)(seed % 5) * 0.03, .without = without};
        const char *problem = orchestrators_run(&place.proxy, &plan);
        if (problem == NULL)
            continue;
        fprintf(stderr, "without %s: seed %llu: %s\n", rule, (unsigned long long)seed, problem);
        return;
    }
    ck_abort_msg("%s is not missed in %d seeds", rule, (int)MOST_SEEDS);
}

START_TEST(rule_1_a_store_that_takes_old_epochs_is_seen)
{
    change_script(SHARD__REDIS_COMMIT, "no_run(row[1]) or no_lease(row[2], row[4], row[3], epoch)", "no_run(row[1])");
    is_missed("rule 1, epochs", 0);
}
END_TEST

static void begin(void)
{
    redis_place_store(&place, NULL);
    ck_assert_msg(redis_place_create(&place) == 0, "%s", place.answer.message);
    ck_assert_int_eq(redis_place_acquire(&place), 0);
    ck_assert_int_eq(redis_place_commit(&place, 0, 7), 0);
}

/* Each probe is tried on the real scripts too. */
START_TEST(rule_2_a_store_that_does_not_look_at_versions_is_seen)
{
    if (_i == 1)
        change_script(SHARD__REDIS_COMMIT, "if sub(old, 1, 5) ~= expected then return {'conflict', ids[i], old} end",
                      "");
    begin();
    ck_assert_int_eq(redis_place_commit(&place, 2, 0), _i == 1 ? 0 : SHARD_ECONFLICT);
}
END_TEST

START_TEST(rule_3_a_store_that_forgets_operations_is_seen)
{
    if (_i == 1)
        change_script(SHARD__REDIS_COMMIT, "if call('ZSCORE', KEYS[3], operation) then", "if false then");
    begin();
    place.last_seq--;
    ck_assert_int_eq(redis_place_commit(&place, 0, 7), _i == 1 ? SHARD_ECONFLICT : 0);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_RECORDS), 0);
    ck_assert_int_eq(place.last_seq, 1);
}
END_TEST

START_TEST(rule_4_a_server_that_answers_before_its_disk_has_it_is_seen)
{
    redis_place_close(&place);
    redis_place_open(&place);
    if (_i == 0)
        redis_place_ask(&place, "CONFIG", "SET", "appendonly", "yes", NULL, NULL);
    /* The rewrite that this begins must be over. */
    while (_i == 0 && strstr(redis_place_ask(&place, "INFO", "persistence", NULL, NULL, NULL, NULL),
                             "aof_rewrite_in_progress:1") != NULL)
        ;
    begin();
    redis_proxy_close(&place.proxy);
    redis_server_kill(&place.server);
    place.server.value = _i == 0 ? "yes" : "no";
    ck_assert_int_eq(redis_server_start(&place.server), 0);
    char path[192];
    snprintf(path, sizeof(path), "%s/proxy", place.server.directory);
    redis_proxy_open(&place.proxy, path, place.server.socket);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_STATE), _i == 0 ? 0 : SHARD_ENOENT);
}
END_TEST

START_TEST(rule_5_acting_before_the_record_is_durable_is_seen)
{
    is_missed("rule 5, write before you act", WITHOUT_WAITING_FOR_THE_STORE);
}
END_TEST

START_TEST(rule_6_attempts_without_numbers_are_seen)
{
    is_missed("rule 6, numbers of attempts", WITHOUT_NEW_NUMBERS);
}
END_TEST

START_TEST(rule_7_executors_that_take_old_epochs_are_seen)
{
    is_missed("rule 7, epochs of starts", WITHOUT_FENCING_STARTS);
}
END_TEST

START_TEST(rule_7_executors_that_start_twice_are_seen)
{
    is_missed("rule 7, starting once", WITHOUT_STARTING_ONCE);
}
END_TEST

START_TEST(rule_7_hosts_that_start_without_a_memory_are_seen)
{
    is_missed("rule 7, boot ids", WITHOUT_BOOT_IDS);
}
END_TEST

START_TEST(rule_8_an_orchestrator_that_acts_after_its_lease_is_seen)
{
    is_missed("rule 8, ends of leases", WITHOUT_AN_END_OF_LEASES);
}
END_TEST

/* A read that is answered before the replicas have what it shows: the proxy says that they do. */
START_TEST(rule_9_a_read_that_shows_what_a_failover_undoes_is_seen)
{
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .wait_replicas = 1, .wait_ms = 1};
    begin();
    redis_place_close_store(&place);
    redis_place_store(&place, &config);
    if (_i == 1)
        redis_proxy_say(&place.proxy, "\r\nWAIT\r\n", ":1\r\n", 1000);
    ck_assert_int_eq(redis_place_load(&place, SHARD_LOAD_STATE), _i == 1 ? 0 : SHARD_EIO);
}
END_TEST

START_TEST(rule_9_recovery_that_looks_for_nothing_is_seen)
{
    is_missed("rule 9, reattaching", WITHOUT_REATTACHING);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ablation");
    TCase *tests = tcase_create("ablation");
    tcase_set_timeout(tests, 200);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, rule_1_a_store_that_takes_old_epochs_is_seen);
    tcase_add_loop_test(tests, rule_2_a_store_that_does_not_look_at_versions_is_seen, 0, 2);
    tcase_add_loop_test(tests, rule_3_a_store_that_forgets_operations_is_seen, 0, 2);
    tcase_add_loop_test(tests, rule_4_a_server_that_answers_before_its_disk_has_it_is_seen, 0, 2);
    tcase_add_test(tests, rule_5_acting_before_the_record_is_durable_is_seen);
    tcase_add_test(tests, rule_6_attempts_without_numbers_are_seen);
    tcase_add_test(tests, rule_7_executors_that_take_old_epochs_are_seen);
    tcase_add_test(tests, rule_7_executors_that_start_twice_are_seen);
    tcase_add_test(tests, rule_7_hosts_that_start_without_a_memory_are_seen);
    tcase_add_test(tests, rule_8_an_orchestrator_that_acts_after_its_lease_is_seen);
    tcase_add_loop_test(tests, rule_9_a_read_that_shows_what_a_failover_undoes_is_seen, 0, 2);
    tcase_add_test(tests, rule_9_recovery_that_looks_for_nothing_is_seen);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
