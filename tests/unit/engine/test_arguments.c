/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad arguments of the engine's functions: each is refused with a code and a message that names the thing, and nothing
 * has changed.
 *
 * It is longer than 400 lines because each public function has its bad arguments here.
 */

#include <math.h>
#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;

static void setup(void)
{
    world_init(&world, "least_loaded");
    world_add_host(&world, "a", 1000, 1000, 1, 0);
}

static void teardown(void)
{
    world_free(&world);
}

static void refused(int status, int code, const char *text)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    int last = shard_error_copy(&error);
    ck_assert_msg(status == code && last == code, "returned %s, last %s (%s), expected %s of '%s'",
                  shard_code_text(status), shard_code_text(last), error.message, shard_code_text(code), text);
    assert_message_has(text);
}

/* ---- the engine's config ---- */

static void refuses_config(int code, const char *text)
{
    shard_engine *engine = NULL;
    refused(shard_engine_new(world.context, &world.config, &engine), code, text);
    ck_assert_ptr_null(engine);
}

START_TEST(an_engine_without_one_of_its_ports_is_refused)
{
    struct shard_engine_config good = world.config;
    world.config.executor = NULL;
    refuses_config(SHARD_EINVAL, "executor");
    world.config = good;
    world.config.store.port = NULL;
    refuses_config(SHARD_EINVAL, "store");
    world.config = good;
    struct shard_policy placeless = *good.policy.port;
    placeless.place = NULL;
    world.config.policy.port = &placeless;
    refuses_config(SHARD_EINVAL, "policy");
    world.config = good;
    world.executor.start = NULL;
    refuses_config(SHARD_EINVAL, "executor");
    world.executor = world_executor;
    world.executor.struct_size = 0;
    refuses_config(SHARD_EINVAL, "executor");
    world.executor = world_executor;
    world.store.commit = NULL;
    refuses_config(SHARD_EINVAL, "store");
    shard_engine *engine = NULL;
    refused(shard_engine_new(world.context, NULL, &engine), SHARD_EINVAL, "engine config");
}
END_TEST

START_TEST(numbers_of_a_config_that_are_negative_or_none_are_refused)
{
    static const double bad[] = {-1, (double)NAN, -(double)INFINITY};
    struct shard_engine_config good = world.config;
    double *const fields[] = {&world.config.lease_seconds,
                              &world.config.memory_growth,
                              &world.config.reattach_seconds,
                              &world.config.cancel_grace_seconds,
                              &world.config.retry[SHARD_OUTCOME_TIMEOUT].backoff_seconds,
                              &world.config.retry[SHARD_OUTCOME_TIMEOUT].backoff_max_seconds};
    for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        *fields[f] = bad[_i];
        refuses_config(SHARD_EINVAL, f < 4 ? "engine config" : "timeout");
        world.config = good;
    }
    world.config.step_budget = -1;
    refuses_config(SHARD_EINVAL, "engine config");
    world.config = good;
    world.config.max_events = -1;
    refuses_config(SHARD_EINVAL, "engine config");
    world.config = good;
    world.config.retry[SHARD_OUTCOME_TASK_ERROR].budget = -2;
    refuses_config(SHARD_EINVAL, "task_error");
}
END_TEST

/* ---- structs of other versions ---- */

START_TEST(a_struct_without_its_size_is_refused)
{
    world_start(&world);
    struct shard_volume_spec volume = {.name = "v"};
    refused(shard_engine_add_volume(world.engine, &volume), SHARD_EINVAL, "volume spec");
    struct shard_host_spec host = {.name = "b", .cpu_millicores = 1000};
    refused(shard_engine_add_host(world.engine, &host), SHARD_EINVAL, "host spec");
    struct shard_run_spec run = {.name = "r"};
    refused(shard_engine_resume(world.engine, &run), SHARD_EINVAL, "run spec");
    struct shard_sample sample = {.time_ns = 1};
    refused(shard_engine_host_sample(world.engine, 0, &sample), SHARD_EINVAL, "sample");
    struct shard_host_view view = {.struct_size = 0};
    refused(shard_engine_host(world.engine, 0, &view), SHARD_EINVAL, "host view");
    struct shard_event event = {.struct_size = 0};
    refused(shard_engine_next_event(world.engine, &event), SHARD_EINVAL, "event");
    world.config.struct_size = 0;
    refuses_config(SHARD_EINVAL, "engine config");
}
END_TEST

START_TEST(a_struct_that_is_missing_is_refused)
{
    world_start(&world);
    refused(shard_engine_add_volume(world.engine, NULL), SHARD_EINVAL, "volume spec");
    refused(shard_engine_add_host(world.engine, NULL), SHARD_EINVAL, "host spec");
    refused(shard_engine_resume(world.engine, NULL), SHARD_EINVAL, "run spec");
    refused(shard_engine_submit(world.engine, NULL, NULL), SHARD_EINVAL, "run spec");
    refused(shard_engine_host_sample(world.engine, 0, NULL), SHARD_EINVAL, "sample");
    refused(shard_engine_host(world.engine, 0, NULL), SHARD_EINVAL, "host view");
    refused(shard_engine_find_host(world.engine, NULL), SHARD_ENOENT, "host");
    refused(shard_engine_next_event(world.engine, NULL), SHARD_EINVAL, "event");
}
END_TEST

/* A struct of a later version, which has a field more at its end. */
#define LATER(type)          \
    struct {                 \
        struct type ours;    \
        int64_t a_new_field; \
    }

START_TEST(a_longer_struct_is_taken_when_what_is_new_in_it_is_zero_and_refused_when_not)
{
    world_start(&world);
    LATER(shard_host_spec) host = {{.struct_size = sizeof(host), .name = "b", .cpu_millicores = 1000}, 1};
    refused(shard_engine_add_host(world.engine, &host.ours), SHARD_EVERSION, "host spec");
    refused(shard_engine_find_host(world.engine, "b"), SHARD_ENOENT, "'b'");
    host.a_new_field = 0;
    ck_assert_int_eq(shard_engine_add_host(world.engine, &host.ours), 1);
    LATER(shard_volume_spec) volume = {{.struct_size = sizeof(volume), .name = "v"}, 1};
    refused(shard_engine_add_volume(world.engine, &volume.ours), SHARD_EVERSION, "volume spec");
    volume.a_new_field = 0;
    ck_assert_int_eq(shard_engine_add_volume(world.engine, &volume.ours), 1);
    LATER(shard_run_spec) run = {{.struct_size = sizeof(run), .name = "r"}, 1};
    refused(shard_engine_resume(world.engine, &run.ours), SHARD_EVERSION, "run spec");
    LATER(shard_engine_config) config = {world.config, 1};
    config.ours.struct_size = sizeof(config);
    shard_engine *engine = NULL;
    refused(shard_engine_new(world.context, &config.ours, &engine), SHARD_EVERSION, "engine config");
    config.a_new_field = 0;
    ck_assert_int_eq(shard_engine_new(world.context, &config.ours, &engine), 0);
    shard_engine_free(engine);
    LATER(shard_exclude_config) exclude = {{.struct_size = sizeof(exclude)}, 1};
    struct shard_policy_handle policy = {0};
    refused(shard_policy_exclude_after_failures(world.context, &exclude.ours, &policy), SHARD_EVERSION,
            "exclude config");
    LATER(shard_host_view) view = {{.struct_size = sizeof(view)}, 7};
    ck_assert_int_eq(shard_engine_host(world.engine, 1, &view.ours), 0);
    ck_assert_str_eq(view.ours.name, "b");
    ck_assert_int_eq(view.a_new_field, 0);
}
END_TEST

START_TEST(a_shorter_struct_of_an_earlier_version_gets_what_fits)
{
    world_start(&world);
    struct shard_host_view view;
    memset(&view, 0x55, sizeof(view));
    view.struct_size = offsetof(struct shard_host_view, state);
    ck_assert_int_eq(shard_engine_host(world.engine, 0, &view), 0);
    ck_assert_str_eq(view.name, "a");
    ck_assert_int_eq(view.slots, 0x55555555);
}
END_TEST

/* ---- hosts and volumes ---- */

static void refuses_host(struct shard_host_spec spec, int code, const char *text)
{
    spec.struct_size = sizeof(spec);
    refused(shard_engine_add_host(world.engine, &spec), code, text);
}

START_TEST(a_host_spec_that_cannot_be_is_refused)
{
    static const shard_volume_id unknown[] = {0, 7}, negative[] = {-1};
    static char long_name[SHARD_MAX_NAME_BYTES + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    world_start(&world);
    refuses_host((struct shard_host_spec){.cpu_millicores = 1}, SHARD_EINVAL, "host name");
    refuses_host((struct shard_host_spec){.name = "", .cpu_millicores = 1}, SHARD_EINVAL, "host name");
    refuses_host((struct shard_host_spec){.name = "a\nb", .cpu_millicores = 1}, SHARD_EINVAL, "control character");
    refuses_host((struct shard_host_spec){.name = "\xff", .cpu_millicores = 1}, SHARD_EINVAL, "UTF-8");
    refuses_host((struct shard_host_spec){.name = long_name, .cpu_millicores = 1}, SHARD_ELIMIT, "host name");
    refuses_host((struct shard_host_spec){.name = "a", .cpu_millicores = 1}, SHARD_EEXIST, "'a'");
    refuses_host((struct shard_host_spec){.name = "b"}, SHARD_EINVAL, "cpu_millicores");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = -5}, SHARD_EINVAL, "-5");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .memory_bytes = -1}, SHARD_EINVAL,
                 "memory_bytes");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .disk_bytes = INT64_MIN}, SHARD_EINVAL,
                 "disk_bytes");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .slots = -1}, SHARD_EINVAL, "slots");
    const double speeds[] = {-1, (double)NAN, (double)INFINITY};
    for (int i = 0; i < 3; i++)
        refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .speed = speeds[i]}, SHARD_EINVAL,
                     "speed");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .volume_count = -1}, SHARD_EINVAL,
                 "volume_count");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .volume_count = 1}, SHARD_EINVAL,
                 "volume_count");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .volumes = unknown, .volume_count = 2},
                 SHARD_ENOENT, "volume 7");
    refuses_host((struct shard_host_spec){.name = "b", .cpu_millicores = 1, .volumes = negative, .volume_count = 1},
                 SHARD_ENOENT, "volume -1");
    refused(shard_engine_find_host(world.engine, "b"), SHARD_ENOENT, "'b'");
    ck_assert_int_eq(shard_engine_find_host(world.engine, "a"), 0);
    struct shard_host_spec largest = {.struct_size = sizeof(largest),
                                      .name = "b",
                                      .cpu_millicores = INT64_MAX,
                                      .memory_bytes = INT64_MAX,
                                      .disk_bytes = INT64_MAX};
    ck_assert_int_eq(shard_engine_add_host(world.engine, &largest), 1);
}
END_TEST

START_TEST(a_volume_spec_that_cannot_be_is_refused)
{
    static const double bad[] = {-1, (double)NAN, (double)INFINITY};
    world_start(&world);
    struct shard_volume_spec spec = {.struct_size = sizeof(spec)};
    refused(shard_engine_add_volume(world.engine, &spec), SHARD_EINVAL, "volume name");
    spec.name = "common";
    refused(shard_engine_add_volume(world.engine, &spec), SHARD_EEXIST, "'common'");
    spec.name = "v";
    for (int i = 0; i < 3; i++) {
        spec.bytes_per_second = bad[i];
        refused(shard_engine_add_volume(world.engine, &spec), SHARD_EINVAL, "bytes_per_second");
        spec.bytes_per_second = 0;
        spec.latency_seconds = bad[i];
        refused(shard_engine_add_volume(world.engine, &spec), SHARD_EINVAL, "latency_seconds");
        spec.latency_seconds = 0;
    }
    ck_assert_int_eq(shard_engine_add_volume(world.engine, &spec), 1);
    refused(shard_engine_add_volume(world.engine, &spec), SHARD_EEXIST, "'v'");
}
END_TEST

START_TEST(a_host_that_is_not_there_is_refused_everywhere)
{
    static const shard_host_id ids[] = {-1, 1, INT32_MAX, INT32_MIN};
    world_start(&world);
    shard_host_id id = ids[_i];
    struct shard_host_view view = {.struct_size = sizeof(view), .running = 55};
    struct shard_sample sample = {.struct_size = sizeof(sample)};
    refused(shard_engine_host(world.engine, id, &view), SHARD_ENOENT, "no host");
    ck_assert_int_eq(view.running, 55);
    refused(shard_engine_host_sample(world.engine, id, &sample), SHARD_ENOENT, "no host");
    refused(shard_engine_host_drain(world.engine, id), SHARD_ENOENT, "no host");
    refused(shard_engine_host_undrain(world.engine, id), SHARD_ENOENT, "no host");
    refused(shard_engine_host_leave(world.engine, id), SHARD_ENOENT, "no host");
    refused(shard_engine_host_lost(world.engine, id), SHARD_ENOENT, "no host");
}
END_TEST

START_TEST(a_host_that_has_gone_is_neither_drained_nor_asked_to_leave_again)
{
    world_start(&world);
    ck_assert_int_eq(shard_engine_host_leave(world.engine, 0), 0);
    refused(shard_engine_host_drain(world.engine, 0), SHARD_ESTATE, "host 'a' is left");
    refused(shard_engine_host_undrain(world.engine, 0), SHARD_ESTATE, "host 'a' is left");
    refused(shard_engine_host_leave(world.engine, 0), SHARD_ESTATE, "host 'a' is left");
    ck_assert_int_eq(shard_engine_host_lost(world.engine, 0), 0);
    refused(shard_engine_host_leave(world.engine, 0), SHARD_ESTATE, "host 'a' is lost");
}
END_TEST

START_TEST(samples_that_cannot_be_are_refused_and_the_one_before_is_kept)
{
    world_start(&world);
    struct shard_sample good = {.struct_size = sizeof(good), .time_ns = world.wall_ns, .cpu_share = 0.25};
    ck_assert_int_eq(shard_engine_host_sample(world.engine, 0, &good), 0);
    struct shard_sample bad = good;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "not newer"); /* told twice */
    bad.time_ns = good.time_ns - 1;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "not newer"); /* out of order */
    bad.time_ns = world.wall_ns + INT64_C(61000000000);
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "ahead");
    bad.time_ns = INT64_MAX;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "ahead");
    bad.time_ns = world.wall_ns + 1;
    bad.cpu_share = 1.5;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "cpu_share");
    bad.cpu_share = 0;
    bad.io_pressure = -0.1;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "io_pressure");
    bad.io_pressure = 0;
    bad.load = (double)INFINITY;
    refused(shard_engine_host_sample(world.engine, 0, &bad), SHARD_EINVAL, "load");
    struct shard_host_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_host(world.engine, 0, &view), 0);
    ck_assert_int_eq(view.sample.time_ns, good.time_ns);
    ck_assert(view.sample.cpu_share == 0.25);
    ck_assert_int_eq(world_logged(&world, "sample-refused"), 7);
}
END_TEST

START_TEST(what_a_sample_does_not_know_is_taken_as_not_known)
{
    world_start(&world);
    const double unknown = (double)NAN;
    struct shard_sample sample = {sizeof(sample), world.wall_ns, unknown, unknown, unknown, unknown,
                                  unknown,        unknown,       unknown, unknown, unknown, unknown};
    struct shard_host_view view = {.struct_size = sizeof(view)};
    ck_assert_int_eq(shard_engine_host_sample(world.engine, 0, &sample), 0);
    ck_assert_int_eq(shard_engine_host(world.engine, 0, &view), 0);
    ck_assert(view.has_sample && isnan(view.sample.cpu_share) && isnan(view.sample.load));
    sample.time_ns = 1; /* from the past: what is older than the newest never counts */
    refused(shard_engine_host_sample(world.engine, 0, &sample), SHARD_EINVAL, "not newer");
}
END_TEST

/* ---- runs and their tasks ---- */

static shard_workflow *two_tasks(void)
{
    shard_builder *builder = new_builder(world.context);
    add_task(builder, "one");
    add_task(builder, "two");
    ck_assert_int_eq(shard_builder_add_data(builder, "data", 1), 0);
    return seal(builder);
}

START_TEST(a_run_that_is_not_there_is_refused_everywhere)
{
    static const shard_run_id ids[] = {-1, 0, INT32_MAX, INT32_MIN};
    world_start(&world);
    shard_run_id id = ids[_i];
    char name[8] = "kept", *text = NULL;
    struct shard_run_info info = {.struct_size = sizeof(info), .task_count = 55};
    struct shard_task_view view = {.struct_size = sizeof(view)};
    refused(shard_engine_cancel(world.engine, id), SHARD_ENOENT, "no run");
    refused(shard_engine_drain(world.engine, id), SHARD_ENOENT, "no run");
    refused(shard_engine_suspend(world.engine, id), SHARD_ENOENT, "no run");
    refused(shard_engine_forget(world.engine, id), SHARD_ENOENT, "no run");
    refused(shard_engine_split(world.engine, id, 0, 2), SHARD_ENOENT, "no run");
    refused(shard_engine_data_is_on(world.engine, id, 0, 0), SHARD_ENOENT, "no run");
    refused(shard_engine_data_is_lost(world.engine, id, 0, 0), SHARD_ENOENT, "no run");
    refused(shard_engine_run(world.engine, id, &info), SHARD_ENOENT, "no run");
    refused(shard_engine_task(world.engine, id, 0, &view), SHARD_ENOENT, "no run");
    refused(shard_engine_task_name(world.engine, id, 0, name, sizeof(name)), SHARD_ENOENT, "no run");
    refused(shard_engine_explain(world.engine, id, 0, &text), SHARD_ENOENT, "no run");
    ck_assert_int_eq(info.task_count, 55);
    ck_assert_str_eq(name, "kept");
    ck_assert_ptr_null(text);
}
END_TEST

START_TEST(tasks_data_and_volumes_that_are_not_there_are_refused)
{
    static const int32_t ids[] = {-1, 2, INT32_MAX, INT32_MIN};
    world_start(&world);
    shard_workflow *workflow = two_tasks();
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_settle(&world);
    shard_run_id id = world.runs[run].id;
    char name[8], *text = NULL;
    struct shard_task_view view = {.struct_size = sizeof(view)};
    refused(shard_engine_task(world.engine, id, ids[_i], &view), SHARD_ENOENT, "no task");
    refused(shard_engine_task_name(world.engine, id, ids[_i], name, sizeof(name)), SHARD_ENOENT, "no task");
    refused(shard_engine_explain(world.engine, id, ids[_i], &text), SHARD_ENOENT, "no task");
    refused(shard_engine_split(world.engine, id, ids[_i], 2), SHARD_ENOENT, "no task");
    refused(shard_engine_data_is_on(world.engine, id, ids[_i], 0), SHARD_ENOENT, "no data");
    refused(shard_engine_data_is_on(world.engine, id, 0, ids[_i]), SHARD_ENOENT, "no volume");
    refused(shard_engine_data_is_lost(world.engine, id, ids[_i], 0), SHARD_ENOENT, "no data");
    refused(shard_engine_data_is_lost(world.engine, id, 0, ids[_i]), SHARD_ENOENT, "no volume");
    refused(shard_engine_split(world.engine, id, 1, ids[_i]), SHARD_EINVAL, "parts");
    refused(shard_engine_forget(world.engine, id), SHARD_ESTATE, "'run'");
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    refused(shard_engine_cancel(world.engine, id), SHARD_ESTATE, "'run'");
    ck_assert_int_eq(shard_engine_forget(world.engine, id), 0);
    refused(shard_engine_forget(world.engine, id), SHARD_ENOENT, "no run");
}
END_TEST

START_TEST(a_run_spec_that_cannot_be_is_refused)
{
    world_start(&world);
    shard_workflow *workflow = two_tasks();
    struct shard_run_spec spec = {.struct_size = sizeof(spec)};
    refused(shard_engine_submit(world.engine, workflow, &spec), SHARD_EINVAL, "run name");
    refused(shard_engine_resume(world.engine, &spec), SHARD_EINVAL, "run name");
    spec.name = "run";
    refused(shard_engine_submit(world.engine, NULL, &spec), SHARD_EINVAL, "'run'");
    int run = world_submit(&world, workflow, "run", 1);
    refused(shard_engine_submit(world.engine, workflow, &spec), SHARD_EEXIST, "'run'");
    refused(shard_engine_resume(world.engine, &spec), SHARD_EEXIST, "'run'");
    shard_workflow_unref(workflow);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
}
END_TEST

START_TEST(a_policy_that_is_not_there_is_refused_with_the_names_that_are)
{
    struct shard_policy_handle policy = {0};
    refused(shard_policy_by_name(world.context, "best", &policy), SHARD_ENOENT, "exclude_after_failures");
    assert_message_has("'best'");
    refused(shard_policy_by_name(world.context, NULL, &policy), SHARD_EINVAL, "policy name");
    refused(shard_policy_by_name(world.context, "", &policy), SHARD_ENOENT, "heft");
    ck_assert_ptr_null(policy.port);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments");
    TCase *tcase = tcase_create("arguments");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_engine_without_one_of_its_ports_is_refused);
    tcase_add_loop_test(tcase, numbers_of_a_config_that_are_negative_or_none_are_refused, 0, 3);
    tcase_add_test(tcase, a_struct_without_its_size_is_refused);
    tcase_add_test(tcase, a_struct_that_is_missing_is_refused);
    tcase_add_test(tcase, a_longer_struct_is_taken_when_what_is_new_in_it_is_zero_and_refused_when_not);
    tcase_add_test(tcase, a_shorter_struct_of_an_earlier_version_gets_what_fits);
    tcase_add_test(tcase, a_host_spec_that_cannot_be_is_refused);
    tcase_add_test(tcase, a_volume_spec_that_cannot_be_is_refused);
    tcase_add_loop_test(tcase, a_host_that_is_not_there_is_refused_everywhere, 0, 4);
    tcase_add_test(tcase, a_host_that_has_gone_is_neither_drained_nor_asked_to_leave_again);
    tcase_add_test(tcase, samples_that_cannot_be_are_refused_and_the_one_before_is_kept);
    tcase_add_test(tcase, what_a_sample_does_not_know_is_taken_as_not_known);
    tcase_add_loop_test(tcase, a_run_that_is_not_there_is_refused_everywhere, 0, 4);
    tcase_add_loop_test(tcase, tasks_data_and_volumes_that_are_not_there_are_refused, 0, 4);
    tcase_add_test(tcase, a_run_spec_that_cannot_be_is_refused);
    tcase_add_test(tcase, a_policy_that_is_not_there_is_refused_with_the_names_that_are);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
