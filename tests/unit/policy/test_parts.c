/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that policies are made of, each by itself: blame, the health of hosts, split plans, paces.
 * It is longer than 400 lines because all parts are asked the same: what they learn, and what rubbish does to them. */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "policy/blame.h"
#include "policy/health.h"
#include "policy/pace.h"
#include "policy/split_plan.h"
#include "policy/stragglers.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static shard_context *context;
static struct shard__blame blame;
static struct shard__health health;
static int64_t now_ns;

static void begin(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    blame = (struct shard__blame){.context = context, .half_life_seconds = 600};
    shard__health_init(&health, context, &(struct shard__health_config){0});
    now_ns = 1000000000;
}

static void end(void)
{
    shard__blame_free(&blame);
    shard__health_free(&health);
    tracked_context_free(&tracked, context);
}

static struct shard__blame_shares failed(uint64_t task, int kind, int host)
{
    struct shard__blame_shares shares;
    struct shard__blame_about about = {.task = task, .kind = kind, .host = host, .now_ns = now_ns += 1000000};
    shard__blame_failed(&blame, &about, 1, &shares);
    ck_assert_double_eq_tol(shares.task + shares.kind + shares.host + shares.data, 1, 1e-5);
    return shares;
}

static void done(uint64_t task, int kind, int host)
{
    shard__blame_done(
        &blame, &(struct shard__blame_about){.task = task, .kind = kind, .host = host, .now_ns = now_ns += 1000000});
}

static double host_failures(int host)
{
    return (double)shard__blame_host(&blame, host, now_ns).failures;
}

static double p_fail(uint64_t task, int kind, int host)
{
    double evidence;
    double p = shard__blame_p_fail(
        &blame, &(struct shard__blame_about){.task = task, .kind = kind, .host = host, .now_ns = now_ns}, &evidence);
    ck_assert(p >= 0 && p <= 1 && evidence > 0);
    return p;
}

/* ---- blame ---- */

START_TEST(a_host_that_fails_many_tasks_has_the_blame)
{
    begin();
    for (int i = 0; i < 100; i++)
        done((uint64_t)i, 0, i % 10);
    struct shard__blame_shares last = {0};
    for (int i = 0; i < 6; i++) {
        last = failed((uint64_t)(200 + i), 0, 3);
        done((uint64_t)(200 + i), 0, 4);
    }
    ck_assert_double_gt(last.host, 0.8);
    ck_assert_double_gt(host_failures(3), 4);
    ck_assert_double_gt(p_fail(999, 0, 3), 0.3);
    ck_assert_double_lt(p_fail(999, 0, 4), 0.05);
    end();
}
END_TEST

START_TEST(a_task_that_fails_wherever_it_runs_takes_the_blame_off_the_hosts)
{
    begin();
    for (int i = 0; i < 100; i++)
        done((uint64_t)i, 0, i % 10);
    struct shard__blame_shares last = {0};
    for (int host = 0; host < 6; host++)
        last = failed(500, 0, host);
    ck_assert_double_gt(last.task, 0.8);
    ck_assert_int_eq(last.hosts, 6);
    for (int host = 0; host < 6; host++)
        ck_assert_double_lt(host_failures(host), 0.3);
    ck_assert_double_gt(p_fail(500, 0, 9), 0.5);
    ck_assert_double_lt(p_fail(501, 0, 0), 0.1);
    end();
}
END_TEST

START_TEST(a_kind_that_fails_everywhere_takes_the_blame_off_the_hosts)
{
    begin();
    for (int i = 0; i < 200; i++)
        done((uint64_t)i, 0, i % 20);
    for (int i = 0; i < 60; i++)
        failed((uint64_t)(1000 + i), 1, i % 20);
    for (int host = 0; host < 20; host++)
        ck_assert_double_lt(host_failures(host), 1);
    ck_assert_double_gt(p_fail(5000, 1, 0), 0.5);
    ck_assert_double_lt(p_fail(5000, 0, 0), 0.15);
    end();
}
END_TEST

START_TEST(data_that_fails_its_readers_takes_the_blame_off_their_hosts)
{
    begin();
    const uint64_t bad = 77;
    for (int i = 0; i < 200; i++)
        done((uint64_t)i, 0, i % 20);
    struct shard__blame_shares shares = {0};
    for (int i = 0; i < 8; i++) {
        struct shard__blame_about about = {.task = 600 + (uint64_t)i,
                                           .kind = 0,
                                           .host = i,
                                           .data = &bad,
                                           .data_count = 1,
                                           .now_ns = now_ns += 1000000};
        shard__blame_failed(&blame, &about, 1, &shares);
    }
    ck_assert_double_gt(shares.data, shares.host);
    ck_assert_double_gt(shares.data, shares.kind);
    end();
}
END_TEST

START_TEST(a_task_that_is_done_elsewhere_puts_the_blame_on_the_host)
{
    begin();
    failed(1, 0, 2);
    double before = host_failures(2);
    done(1, 0, 3);
    ck_assert_double_gt(host_failures(2), before);
    ck_assert_double_lt(host_failures(3), 0.01);
    end();
}
END_TEST

START_TEST(blame_fades)
{
    begin();
    for (int i = 0; i < 5; i++)
        failed((uint64_t)i, 0, 1);
    double before = host_failures(1);
    now_ns += 600 * (int64_t)1000000000;
    ck_assert_double_eq_tol(host_failures(1), before / 2, 0.01);
    /* Time that goes back changes nothing. */
    now_ns -= 6000 * (int64_t)1000000000;
    ck_assert_double_le(host_failures(1), before + 1e-6);
    end();
}
END_TEST

START_TEST(blame_without_memory_still_answers)
{
    begin();
    for (int i = 0; i < 200; i++) {
        tracked.fail_at = tracked.calls + 1 + i % 3;
        failed((uint64_t)i, i % 5, i % 7);
        done((uint64_t)i, i % 5, i % 7);
        (void)p_fail((uint64_t)i, i % 5, i % 7);
    }
    ck_assert_int_gt(tracked.failed, 3);
    end();
}
END_TEST

/* ---- health ---- */

static enum shard__health_state ended(int host, int hosts, double share)
{
    static struct shard__rate rates[16];
    if (now_ns == 1000000000)
        memset(rates, 0, sizeof(rates));
    now_ns += 1000000;
    shard__rate_add(&rates[host], 600, now_ns, share);
    return shard__health_ended(&health, host, hosts, &rates[host], share, now_ns);
}

START_TEST(a_host_goes_from_healthy_to_quarantine_and_back_over_probation)
{
    begin();
    struct shard__rate rate = {0};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ended(0, 10, 0), SHARD__HEALTHY);
    ck_assert_int_eq(ended(0, 10, 1), SHARD__SUSPECT);
    ck_assert_int_eq(ended(0, 10, 1), SHARD__SUSPECT);
    ck_assert_int_eq(ended(0, 10, 1), SHARD__QUARANTINED);
    ck_assert_int_eq(shard__health_slots(&health, 0, 4, &rate, now_ns), 0);
    now_ns += 61 * (int64_t)1000000000;
    ck_assert_int_eq(shard__health_of(&health, 0, now_ns), SHARD__PROBATION);
    ck_assert_int_eq(shard__health_slots(&health, 0, 4, &rate, now_ns), 1);
    ck_assert_int_eq(ended(0, 10, 0), SHARD__PROBATION);
    ck_assert_int_eq(ended(0, 10, 0), SHARD__HEALTHY);
    ck_assert_int_eq(shard__health_slots(&health, 0, 4, &rate, now_ns), 4);
    end();
}
END_TEST

START_TEST(a_canary_that_fails_sends_its_host_back_for_twice_as_long)
{
    begin();
    ended(0, 10, 1);
    ck_assert_int_eq(ended(0, 10, 1), SHARD__QUARANTINED);
    now_ns += 61 * (int64_t)1000000000;
    ck_assert_int_eq(ended(0, 10, 1), SHARD__QUARANTINED);
    now_ns += 61 * (int64_t)1000000000;
    ck_assert_int_eq(shard__health_of(&health, 0, now_ns), SHARD__QUARANTINED);
    now_ns += 61 * (int64_t)1000000000;
    ck_assert_int_eq(shard__health_of(&health, 0, now_ns), SHARD__PROBATION);
    end();
}
END_TEST

START_TEST(no_more_hosts_are_quarantined_than_the_budget_says)
{
    begin();
    int quarantined = 0;
    for (int host = 0; host < 10; host++) {
        ended(host, 10, 1);
        quarantined += ended(host, 10, 1) == SHARD__QUARANTINED;
    }
    ck_assert_int_eq(quarantined, 5);
    struct shard__rate bad = {.failures = 5, .attempts = 5};
    ck_assert_int_eq(shard__health_of(&health, 9, now_ns), SHARD__SUSPECT);
    ck_assert_int_eq(shard__health_slots(&health, 9, 4, &bad, now_ns), 1);
    /* When the first are out again, there is room. */
    now_ns += 61 * (int64_t)1000000000;
    ck_assert_int_eq(ended(9, 10, 1), SHARD__QUARANTINED);
    end();
}
END_TEST

START_TEST(what_is_not_the_hosts_fault_does_not_change_its_health)
{
    begin();
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(ended(0, 10, 0.1), SHARD__HEALTHY);
    ck_assert_int_eq(shard__health_ended(&health, 0, 10, &(struct shard__rate){0}, NAN, now_ns), SHARD__HEALTHY);
    end();
}
END_TEST

START_TEST(a_config_of_rubbish_is_brought_into_range)
{
    begin();
    shard__health_init(&health, context,
                       &(struct shard__health_config){.suspect_rate = NAN,
                                                      .quarantine_rate = 7,
                                                      .quarantine_seconds = INFINITY,
                                                      .most_quarantined = -1,
                                                      .canaries = -3});
    ck_assert_double_eq(health.config.suspect_rate, 0.15);
    ck_assert_double_eq(health.config.quarantine_rate, 1);
    ck_assert(isfinite(health.config.quarantine_seconds));
    ck_assert_double_eq(health.config.most_quarantined, 0.5);
    ck_assert_int_eq(health.config.canaries, 2);
    end();
}
END_TEST

/* ---- split plans ---- */

static struct shard__split_plan plan(struct shard__split_ask ask)
{
    struct shard__split_plan ret;
    shard__split_plan(&ask, &ret);
    ck_assert(ret.parts == 0 || ret.parts >= 2);
    if (ret.parts > 0 && ask.min_units > 0)
        ck_assert_int_le(ret.parts, ask.units / ask.min_units);
    return ret;
}

static const struct shard__split_ask large = {
    .seconds = 1000, .units = 100, .min_units = 5, .p_fail = 0.01, .overhead_seconds = 1};

START_TEST(a_task_that_is_sound_is_left_whole_while_all_slots_are_busy)
{
    ck_assert_int_eq(plan(large).parts, 0);
}
END_TEST

START_TEST(a_task_is_split_when_it_is_likely_to_fail_has_failed_or_slots_are_idle)
{
    struct shard__split_ask ask = large;
    ask.p_fail = 0.6;
    ck_assert_int_ge(plan(ask).parts, 2);
    ck_assert_int_eq(plan(ask).reason, SHARD_REASON_FAILS_LIKELY);
    ask = large;
    ask.idle_slots = 8;
    ck_assert_int_eq(plan(ask).parts, 8);
    ck_assert_int_eq(plan(ask).reason, SHARD_REASON_IDLE_SLOTS);
    ask.failures = 1;
    ck_assert_int_ge(plan(ask).parts, 2);
    ck_assert_int_eq(plan(ask).reason, SHARD_REASON_FAILED_BEFORE);
}
END_TEST

START_TEST(overhead_keeps_a_small_task_whole)
{
    struct shard__split_ask ask = large;
    ask.idle_slots = 8;
    ask.seconds = 1;
    ck_assert_int_eq(plan(ask).parts, 0);
    ask.seconds = 20;
    ask.overhead_seconds = 0.5;
    ck_assert_int_ge(plan(ask).parts, 2);
    ck_assert_int_le(plan(ask).parts, 8);
}
END_TEST

START_TEST(a_plan_of_rubbish_leaves_the_task_whole)
{
    struct shard__split_ask ask = {.seconds = NAN, .units = -5, .min_units = -1, .p_fail = NAN, .idle_slots = -3};
    ck_assert_int_eq(plan(ask).parts, 0);
    ask = large;
    ask.units = INT64_MAX;
    ask.min_units = 1;
    ask.p_fail = 17;
    ask.idle_slots = INT64_MAX;
    ask.overhead_seconds = -INFINITY;
    ck_assert_int_le(plan(ask).parts, 64);
    ask.seconds = INFINITY;
    ck_assert_int_eq(plan(ask).parts, 0);
}
END_TEST

START_TEST(overhead_is_learned_from_what_parts_take)
{
    struct shard__split_overhead overhead = {0, 0};
    double first = shard__split_overhead_seconds(&overhead, 10);
    for (int i = 0; i < 30; i++)
        shard__split_learn(&overhead, 10, 15);
    ck_assert_double_gt(shard__split_overhead_seconds(&overhead, 10), 4.5);
    shard__split_learn(&overhead, 10, NAN);
    shard__split_learn(&overhead, -1, 5);
    ck_assert_double_gt(shard__split_overhead_seconds(&overhead, 10), first);
}
END_TEST

/* ---- pace ---- */

START_TEST(a_slow_host_is_told_from_a_kind_that_takes_longer)
{
    begin();
    struct shard__pace pace = {.context = context};
    for (int i = 0; i < 200; i++) {
        int host = i % 10;
        shard__pace_done(&pace, 0, host, 10, 1, host == 3 ? 60 : 20);
    }
    ck_assert_double_eq_tol(shard__pace_seconds(&pace, 0, 10), 20, 3);
    ck_assert_double_gt(shard__pace_slowness(&pace, 3), 2);
    ck_assert_double_lt(shard__pace_slowness(&pace, 4), 1.2);
    ck_assert_double_eq(shard__pace_slowness(&pace, 99), 1);
    shard__pace_done(&pace, 0, 1, 10, 0, 5);
    shard__pace_done(&pace, 0, 1, 10, 1, NAN);
    shard__pace_done(&pace, -1, -1, NAN, 1, 7);
    ck_assert(isfinite(shard__pace_seconds(&pace, 0, NAN)));
    ck_assert(isfinite(shard__pace_seconds(&pace, -1, INFINITY)));
    shard__pace_free(&pace);
    end();
}
END_TEST

/* ---- stragglers ---- */

static int may_share(const void *run, int32_t task)
{
    (void)run;
    (void)task;
    return 1;
}

static int32_t no_replica(const void *run, int32_t task)
{
    (void)run;
    (void)task;
    return -1;
}

/* One attempt at a tenth of its speed, which tells a unit now and then: its rate goes up as often as down. */
START_TEST(an_attempt_that_runs_alone_is_slow_though_none_is_faster)
{
    begin();
    struct shard__stragglers stragglers = {.context = context};
    const struct shard__view_tasks tasks = {.may_share = may_share, .replica = no_replica};
    struct shard_view view = {.now_ns = now_ns, .tasks = &tasks};
    int told = 0;
    for (int second = 100; second < 160; second++) {
        view.now_ns += 1000000000;
        struct shard__progress progress = {.ran_seconds = second, .left_seconds = 200};
        progress.rate = second % 10 == 0 ? 0.11 : 0.1;
        struct shard_decision decision = {.struct_size = sizeof(decision)};
        told += shard__stragglers_review(&stragglers, &view, 0, &progress, 1, &decision);
        second += decision.kind == SHARD_DECIDE_WAIT ? (int)decision.wait_seconds - 1 : 0;
    }
    ck_assert_int_ge(told, 50);
    shard__stragglers_free(&stragglers);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *tcase = tcase_create("parts");
    tcase_add_test(tcase, a_host_that_fails_many_tasks_has_the_blame);
    tcase_add_test(tcase, a_task_that_fails_wherever_it_runs_takes_the_blame_off_the_hosts);
    tcase_add_test(tcase, a_kind_that_fails_everywhere_takes_the_blame_off_the_hosts);
    tcase_add_test(tcase, data_that_fails_its_readers_takes_the_blame_off_their_hosts);
    tcase_add_test(tcase, a_task_that_is_done_elsewhere_puts_the_blame_on_the_host);
    tcase_add_test(tcase, blame_fades);
    tcase_add_test(tcase, blame_without_memory_still_answers);
    tcase_add_test(tcase, a_host_goes_from_healthy_to_quarantine_and_back_over_probation);
    tcase_add_test(tcase, a_canary_that_fails_sends_its_host_back_for_twice_as_long);
    tcase_add_test(tcase, no_more_hosts_are_quarantined_than_the_budget_says);
    tcase_add_test(tcase, what_is_not_the_hosts_fault_does_not_change_its_health);
    tcase_add_test(tcase, a_config_of_rubbish_is_brought_into_range);
    tcase_add_test(tcase, a_task_that_is_sound_is_left_whole_while_all_slots_are_busy);
    tcase_add_test(tcase, a_task_is_split_when_it_is_likely_to_fail_has_failed_or_slots_are_idle);
    tcase_add_test(tcase, overhead_keeps_a_small_task_whole);
    tcase_add_test(tcase, a_plan_of_rubbish_leaves_the_task_whole);
    tcase_add_test(tcase, overhead_is_learned_from_what_parts_take);
    tcase_add_test(tcase, a_slow_host_is_told_from_a_kind_that_takes_longer);
    tcase_add_test(tcase, an_attempt_that_runs_alone_is_slow_though_none_is_faster);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
