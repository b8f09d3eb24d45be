/* SPDX-License-Identifier: Apache-2.0 */
/* Samples on their way to the store: tagged with the attempts that run, in batches, never in a commit's way. */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int32_t calls, samples_seen, tags_seen;
static struct shard_sample_tag tags[16];
static char runs[16][32];
static shard_token open_token;
static shard_sink *open_sink;
static int holds; /* the answer back */

static int put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                       int32_t count)
{
    (void)self;
    calls++;
    samples_seen += count;
    for (int32_t i = 0; i < count; i++) {
        ck_assert_str_eq(samples[i].host, "a");
        for (int32_t tag = 0; tag < samples[i].tag_count && tags_seen < 16; tag++) {
            tags[tags_seen] = samples[i].tags[tag];
            strncpy(runs[tags_seen++], samples[i].tags[tag].run, 31);
        }
    }
    open_sink = sink;
    open_token = token;
    return holds ? 0 : shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
}

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    (void)start;
    plan->seconds = 10;
}

static int begin(void)
{
    world_init(&world, "least_loaded");
    world.plan = plan;
    world.store.put_samples = put_samples;
    calls = samples_seen = tags_seen = holds = 0;
    world_add_host(&world, "a", 2000, 0, 2, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .cpu_millicores = 1000};
    shard_builder_add_task(builder, &spec);
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "one run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 1);
    return run;
}

static void sample(void)
{
    struct shard_sample sample = {.struct_size = sizeof(sample), .time_ns = world.wall_ns, .cpu_share = 0.5};
    ck_assert_int_eq(shard_engine_host_sample(world.engine, 0, &sample), 0);
}

START_TEST(a_sample_is_tagged_with_what_runs_on_its_host)
{
    int run = begin();
    sample();
    world_settle(&world);
    ck_assert_int_eq(samples_seen, 1);
    ck_assert_int_eq(tags_seen, 2);
    ck_assert_int_eq(tags[0].task + tags[1].task, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tags[i].attempt, 1);
        ck_assert_str_eq(runs[i], "one run");
    }
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    sample();
    world_settle(&world);
    ck_assert_int_eq(samples_seen, 2);
    ck_assert_int_eq(tags_seen, 2);
    world_free(&world);
}
END_TEST

START_TEST(samples_wait_in_one_batch_while_the_store_is_slow_and_the_run_goes_on)
{
    int run = begin();
    holds = 1;
    for (int i = 0; i < 4; i++) {
        sample();
        world_pass(&world, 1);
    }
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(samples_seen, 1);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(calls, 1);
    holds = 0;
    ck_assert_int_eq(shard_sink_store_answered(open_sink, open_token, 0, 0, NULL, NULL), 0);
    world_settle(&world);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(samples_seen, 4);
    ck_assert_int_eq(tags_seen, 8);
    world_free(&world);
}
END_TEST

START_TEST(samples_of_a_run_that_was_forgotten_meanwhile_lose_their_tags)
{
    int run = begin();
    holds = 1;
    sample();
    world_pass(&world, 1);
    sample();
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    ck_assert_int_eq(shard_engine_forget(world.engine, world.runs[run].id), 0);
    holds = 0;
    ck_assert_int_eq(shard_sink_store_answered(open_sink, open_token, 0, 0, NULL, NULL), 0);
    world_settle(&world);
    ck_assert_int_eq(samples_seen, 2);
    ck_assert_int_eq(tags_seen, 2);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("samples");
    TCase *tcase = tcase_create("samples");
    tcase_add_test(tcase, a_sample_is_tagged_with_what_runs_on_its_host);
    tcase_add_test(tcase, samples_wait_in_one_batch_while_the_store_is_slow_and_the_run_goes_on);
    tcase_add_test(tcase, samples_of_a_run_that_was_forgotten_meanwhile_lose_their_tags);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
