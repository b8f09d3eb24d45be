/* SPDX-License-Identifier: Apache-2.0 */
/* Simulations: the same seed gives the same run, other policies meet the same hosts, and what befalls hosts shows. */

#include <math.h>
#include <string.h>

#include <check.h>

#include <shard/sim.h>

#include "suite.h"

static shard_context *context;
static shard_scenario *scenario;
static shard_workflow *workflow;

static void begin(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    scenario = NULL;
    workflow = NULL;
}

static void end(void)
{
    shard_workflow_unref(workflow);
    shard_scenario_free(scenario);
    shard_context_free(context);
}

static void given(const char *text, int tasks)
{
    shard_workflow *bag;
    ck_assert_int_eq(shard_scenario_parse(context, text, strlen(text), "given", &scenario), 0);
    ck_assert_int_eq(shard_sim_bag(context, tasks, &bag), 0);
    ck_assert_int_eq(shard_sim_tile(context, scenario, bag, 1, 0, &workflow), 0);
    shard_workflow_unref(bag);
}

/* What was decided, as a number: starts with task, host and attempt, and ends. */
struct trace {
    uint64_t hash;
    int ended;
};

static void take_event(void *self, const struct shard_event *event)
{
    struct trace *trace = self;
    const int64_t parts[] = {(int64_t)event->kind,    event->task, event->host, event->attempt, event->time_ns,
                             (int64_t)event->outcome, event->state};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        trace->hash = (trace->hash ^ (uint64_t)parts[i]) * 0x100000001b3u;
    trace->ended += event->kind == SHARD_EVENT_RUN_ENDED;
}

static struct shard_sim_result simulate(const char *policy, uint64_t seed, uint64_t *ret_hash)
{
    struct trace trace = {0};
    struct shard_policy_handle handle;
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    ck_assert_int_eq(shard_policy_by_name(context, policy, &handle), 0);
    struct shard_sim_config config = {.struct_size = sizeof(config),
                                      .scenario = scenario,
                                      .policy = handle,
                                      .seed = seed,
                                      .on_event = take_event,
                                      .on_event_self = &trace};
    int status = shard_simulate(context, workflow, &config, &result);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    ck_assert_int_eq(trace.ended, 1);
    handle.port->destroy(handle.self);
    if (ret_hash != NULL)
        *ret_hash = trace.hash;
    return result;
}

static const char sick[] =
    "{\"name\": \"sick\", \"hosts\": {\"count\": 20}, \"sickness\": [{\"kind\": \"failing\", \"share\": 0.1},"
    "{\"kind\": \"memory\", \"share\": 0.1, \"sick_seconds\": 100, \"well_seconds\": 100},"
    "{\"kind\": \"disk\", \"share\": 0.1}, {\"kind\": \"slow\", \"share\": 0.1}]}";

START_TEST(the_same_seed_gives_the_same_events_to_the_nanosecond)
{
    uint64_t one, again, other;
    given(sick, 500);
    simulate("exclude_after_failures", 7, &one);
    simulate("exclude_after_failures", 7, &again);
    simulate("exclude_after_failures", 8, &other);
    ck_assert(one == again);
    ck_assert(one != other);
}
END_TEST

START_TEST(other_policies_meet_the_same_cluster)
{
    given(sick, 500);
    struct shard_sim_result one = simulate("least_loaded", 7, NULL), other = simulate("round_robin", 7, NULL);
    ck_assert(one.lower_bound_seconds == other.lower_bound_seconds);
    ck_assert_int_eq(one.sick_hosts, 8);
    ck_assert_int_eq(other.sick_hosts, 8);
}
END_TEST

START_TEST(nothing_fails_and_nothing_is_wasted_where_all_are_well)
{
    given("{\"name\": \"well\", \"hosts\": {\"count\": 10}}", 300);
    struct shard_sim_result result = simulate("least_loaded", 1, NULL);
    ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
    ck_assert_int_eq(result.attempts, 300);
    ck_assert_int_eq(result.failed_attempts, 0);
    ck_assert(result.wasted_cpu_seconds == 0);
    ck_assert(result.makespan_seconds > 0.9 * result.lower_bound_seconds);
}
END_TEST

START_TEST(each_sickness_fails_in_its_own_way)
{
    given(sick, 2000);
    struct shard_sim_result result = simulate("round_robin", 3, NULL);
    ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_TASK_ERROR], 0);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_OUT_OF_MEMORY], 0);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_OUT_OF_DISK], 0);
    int64_t sum = 0;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        sum += result.outcomes[i];
    ck_assert_int_eq(sum, result.attempts);
    ck_assert_int_gt(result.max_failures_of_a_task, 0);
    ck_assert(result.wasted_cpu_seconds > 0);
}
END_TEST

START_TEST(slow_hosts_make_a_run_longer)
{
    given("{\"name\": \"well\", \"hosts\": {\"count\": 10}}", 300);
    double well = simulate("least_loaded", 1, NULL).makespan_seconds;
    shard_workflow_unref(workflow);
    shard_scenario_free(scenario);
    given("{\"name\": \"slow\", \"hosts\": {\"count\": 10}, \"sickness\": [{\"kind\": \"slow\", \"share\": 0.5}]}",
          300);
    ck_assert(simulate("least_loaded", 1, NULL).makespan_seconds > 1.3 * well);
}
END_TEST

START_TEST(hosts_that_leave_and_racks_that_vanish_come_back)
{
    given("{\"name\": \"away\", \"hosts\": {\"count\": 10, \"rack\": 5, \"volumes\": \"rack\"},"
          "\"preemption\": {\"mean_seconds\": 300, \"away_seconds\": 60},"
          "\"rack_outage\": {\"mean_seconds\": 600, \"down_seconds\": 120},"
          "\"load\": {\"mean\": 0.3, \"change_seconds\": 60},"
          "\"sickness\": [{\"kind\": \"flapping\", \"share\": 0.2, \"sick_seconds\": 30, \"well_seconds\": 200}]}",
          1000);
    struct shard_sim_result result = simulate("least_loaded", 2, NULL);
    ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_HOST_LOST], 0);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_CANCELLED], 0);
}
END_TEST

START_TEST(tasks_that_ask_for_too_little_run_out_of_memory_and_get_more)
{
    given("{\"name\": \"low\", \"hosts\": {\"count\": 10, \"memory\": \"8 GiB\"}, \"tasks\": {\"request\": 0.5}}", 200);
    struct shard_sim_result result = simulate("least_loaded", 2, NULL);
    ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
    ck_assert_int_gt(result.outcomes[SHARD_OUTCOME_OUT_OF_MEMORY], 50);
    ck_assert_int_eq(result.outcomes[SHARD_OUTCOME_DONE], 200);
}
END_TEST

/* Asks for forecasts and believes them. */
static int place_where_it_fails_least(void *self, const shard_view *view, shard_task_id task,
                                      struct shard_decision *ret_decision)
{
    enum { MOST = 64 };
    double p_fail[MOST];
    shard_host_id hosts[MOST];
    const shard_host_id *open;
    struct shard_forecasts forecasts = {.p_fail = p_fail};
    int32_t count = 0, open_count = shard_view_open_hosts(view, &open), *known = self;
    for (int32_t i = 0; i < open_count && count < MOST; i++)
        if (shard_view_admits(view, task, open[i]) == 1)
            hosts[count++] = open[i];
    ck_assert_int_eq(shard_view_forecast(view, task, hosts, count, &forecasts), 0);
    int32_t best = 0;
    for (int32_t i = 0; i < count; i++) {
        *known += !isnan(p_fail[i]);
        if (p_fail[i] < p_fail[best])
            best = i;
    }
    ret_decision->kind = count > 0 && p_fail[best] < 0.5 ? SHARD_DECIDE_START : SHARD_DECIDE_WAIT;
    ret_decision->host = count > 0 ? hosts[best] : -1;
    ret_decision->wait_seconds = 5;
    return 0;
}

START_TEST(the_oracle_knows_where_attempts_fail)
{
    static const struct shard_policy believer = {
        .struct_size = sizeof(believer), .name = "believer", .place = place_where_it_fails_least};
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    int32_t known = 0;
    given(sick, 1000);
    struct shard_sim_config config = {
        .struct_size = sizeof(config), .scenario = scenario, .policy = {&believer, &known}, .seed = 5, .oracle = 1};
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), 0);
    ck_assert_int_gt(known, 0);
    ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
    ck_assert_int_lt(result.failed_attempts * 10, simulate("least_loaded", 5, NULL).failed_attempts);
}
END_TEST

START_TEST(adaptive_goes_by_what_the_predictor_says)
{
    double wasted = 0, wasted_without = 0;
    given(sick, 1000);
    for (uint64_t seed = 1; seed <= 6; seed++) { /* one run is a matter of luck */
        struct shard_sim_result result = {.struct_size = sizeof(result)};
        struct shard_sim_config config = {
            .struct_size = sizeof(config), .scenario = scenario, .seed = seed, .oracle = 1};
        ck_assert_int_eq(shard_policy_by_name(context, "adaptive", &config.policy), 0);
        ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), 0);
        config.policy.port->destroy(config.policy.self);
        ck_assert_int_eq(result.run_state, SHARD_RUN_DONE);
        wasted += result.wasted_cpu_seconds;
        wasted_without += simulate("adaptive", seed, NULL).wasted_cpu_seconds;
    }
    ck_assert(wasted * 10 < 8 * wasted_without);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    struct shard_sim_config config = {.struct_size = sizeof(config)};
    given(sick, 10);
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), SHARD_EINVAL);
    config.scenario = scenario;
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), SHARD_EINVAL);
    ck_assert_int_eq(shard_policy_by_name(context, "heft", &config.policy), 0);
    ck_assert_int_eq(shard_simulate(context, NULL, &config, &result), SHARD_EINVAL);
    config.hosts = -1;
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), SHARD_EINVAL);
    config.hosts = 0;
    config.max_seconds = (double)NAN;
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), SHARD_EINVAL);
    config.max_seconds = 1e-3;
    ck_assert_int_eq(shard_simulate(context, workflow, &config, &result), SHARD_ESTATE);
    config.policy.port->destroy(config.policy.self);
    ck_assert_int_eq(shard_sim_bag(context, 0, &workflow), SHARD_EINVAL);
    ck_assert_int_eq(shard_sim_tile(context, scenario, workflow, -1, 0, &workflow), SHARD_EINVAL);
    ck_assert_int_eq(shard_sim_tile(context, NULL, workflow, 1, 0, &workflow), SHARD_EINVAL);
    ck_assert_int_eq(shard_sim_tile(context, scenario, workflow, 100000000, 0, &workflow), SHARD_ELIMIT);
}
END_TEST

START_TEST(launches_that_take_longer_than_tasks_are_shared_by_the_policy_that_learns_of_them)
{
    given("{\"name\": \"launch\", \"hosts\": {\"count\": 5}, \"tasks\": {\"launch_seconds\": 1000, \"p_fail\": 0.005}}",
          2000);
    struct shard_sim_result alone = simulate("heft", 3, NULL), together = simulate("adaptive", 3, NULL);
    ck_assert(alone.launches == alone.attempts);
    ck_assert(together.launches < alone.launches / 3);
    ck_assert(together.makespan_seconds < alone.makespan_seconds / 2);
    ck_assert(together.outcomes[SHARD_OUTCOME_PREEMPTED] > 0); /* some came apart */
}
END_TEST

START_TEST(where_launches_take_no_time_none_is_shared)
{
    given("{\"name\": \"launch\", \"hosts\": {\"count\": 5}}", 2000);
    struct shard_sim_result result = simulate("adaptive", 3, NULL);
    ck_assert(result.launches == result.attempts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulate");
    TCase *tests = tcase_create("simulate");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_same_seed_gives_the_same_events_to_the_nanosecond);
    tcase_add_test(tests, other_policies_meet_the_same_cluster);
    tcase_add_test(tests, nothing_fails_and_nothing_is_wasted_where_all_are_well);
    tcase_add_test(tests, each_sickness_fails_in_its_own_way);
    tcase_add_test(tests, slow_hosts_make_a_run_longer);
    tcase_add_test(tests, hosts_that_leave_and_racks_that_vanish_come_back);
    tcase_add_test(tests, tasks_that_ask_for_too_little_run_out_of_memory_and_get_more);
    tcase_add_test(tests, the_oracle_knows_where_attempts_fail);
    tcase_add_test(tests, adaptive_goes_by_what_the_predictor_says);
    tcase_add_test(tests, bad_arguments_are_refused);
    tcase_add_test(tests, launches_that_take_longer_than_tasks_are_shared_by_the_policy_that_learns_of_them);
    tcase_add_test(tests, where_launches_take_no_time_none_is_shared);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
