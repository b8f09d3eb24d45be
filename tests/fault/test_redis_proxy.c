/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two orchestrators on a Redis server, with a proxy in between that delays, cuts, drops and doubles: every schedule of
 * a range of seeds keeps every invariant. SHARD_REDIS_SCHEDULES and SHARD_REDIS_SEED make it longer, and another.
 */

#include <stdio.h>
#include <stdlib.h>

#include "orchestrators.h"
#include "redis_server.h"
#include "suite.h"

static uint64_t number_from(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text == NULL ? fallback : strtoull(text, NULL, 10);
}

START_TEST(every_schedule_keeps_every_invariant)
{
    struct redis_server server = {.setting = "--appendonly", .value = "no"};
    struct redis_proxy proxy = {0};
    char path[192];
    uint64_t first = number_from("SHARD_REDIS_SEED", 1), count = number_from("SHARD_REDIS_SCHEDULES", 60);
    ck_assert_int_eq(redis_server_start(&server), 0);
    snprintf(path, sizeof(path), "%s/proxy", server.directory);
    redis_proxy_open(&proxy, path, server.socket);
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct orchestrators_plan plan = {.seed = seed, .trouble = (double)(seed % 5) * 0.03};
        const char *problem = orchestrators_run(&proxy, &plan);
        ck_assert_msg(problem == NULL, "seed %llu: %s", (unsigned long long)seed, problem);
    }
    const struct orchestrators_tally *tally = &orchestrators_tally;
    fprintf(stderr, "%llu schedules: %ld take-overs, %ld deaths, %ld stalls, %ld fenced, %ld turns; requests:",
            (unsigned long long)count, tally->take_overs, tally->deaths, tally->stalls, tally->fenced, tally->turns);
    for (int i = 0; i < REDIS_PROXY_FATE_COUNT; i++) {
        fprintf(stderr, " %s %ld", redis_proxy_fate_names[i], proxy.fates[i]);
        ck_assert(proxy.fates[i] > 0 || count < 20);
    }
    fprintf(stderr, "\n");
    ck_assert(count < 20 || (tally->take_overs > 0 && tally->fenced > 0));
    redis_proxy_close(&proxy);
    redis_server_remove(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis proxy");
    TCase *tests = tcase_create("schedules");
    tcase_set_timeout(tests, 3600);
    tcase_add_test(tests, every_schedule_keeps_every_invariant);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
