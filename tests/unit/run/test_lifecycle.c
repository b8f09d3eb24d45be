/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of lifecycle.def: what the matrix allows is what the table says, and its lines are reached, by random runs
 * or by a scripted case. Transitions are seen where the run asks the matrix for each of them (see meson.build).
 */

#include <string.h>

#include <shard/shard.h>

#include "run/lifecycle.h"

#include "drawn.h"
#include "suite.h"
#include "workflows.h"
#include "world.h"

static struct world world;
static int seen[SHARD_TASK_STATE_COUNT][SHARD_TASK_STATE_COUNT];

enum shard__durability __real_shard__lifecycle(int from, int to);
enum shard__durability __wrap_shard__lifecycle(int from, int to);

enum shard__durability __wrap_shard__lifecycle(int from, int to)
{
    seen[from][to]++;
    return __real_shard__lifecycle(from, to);
}

static const struct {
    int from, to, durability;
} lines[] = {
#define SHARD_TRANSITION(from_state, to_state, durability, text) \
    {SHARD_TASK_##from_state, SHARD_TASK_##to_state, SHARD__##durability},
#include "run/lifecycle.def"
#undef SHARD_TRANSITION
};
enum { LINES = sizeof(lines) / sizeof(lines[0]) };

START_TEST(the_matrix_allows_the_lines_of_the_table_and_nothing_else)
{
    int allowed = 0;
    for (int from = 0; from < SHARD_TASK_STATE_COUNT; from++)
        for (int to = 0; to < SHARD_TASK_STATE_COUNT; to++)
            allowed += __real_shard__lifecycle(from, to) != SHARD__NOT_ALLOWED;
    ck_assert_int_eq(allowed, LINES);
    for (int i = 0; i < LINES; i++)
        ck_assert_int_eq(__real_shard__lifecycle(lines[i].from, lines[i].to), lines[i].durability);
    for (int to = 0; to < SHARD_TASK_STATE_COUNT; to++) {
        ck_assert_int_eq(__real_shard__lifecycle(SHARD_TASK_FAILED, to), SHARD__NOT_ALLOWED);
        ck_assert_int_eq(__real_shard__lifecycle(SHARD_TASK_SKIPPED, to), SHARD__NOT_ALLOWED);
        ck_assert_int_eq(__real_shard__lifecycle(SHARD_TASK_CANCELLED, to), SHARD__NOT_ALLOWED);
    }
}
END_TEST

/* A run of everything at once: it fails, splits, loses hosts, and is cancelled now and then. */
static void run_one(uint64_t seed)
{
    static const char *const policies[] = {"round_robin",
                                           "least_loaded",
                                           "heft",
                                           "exclude_after_failures",
                                           "random_retry",
                                           "late",
                                           "best_without_prediction",
                                           "adaptive"};
    world_init(&world, policies[seed % 4]);
    world.random = seed * 0x9e3779b97f4a7c15u + 1;
    world.plan = drawn_plan;
    world.plan_stage = drawn_stage_plan;
    world.may_remake = 1;
    world.config.memory_growth = 1;
    for (int i = 0; i < SHARD_OUTCOME_COUNT; i++)
        world.config.retry[i] = (struct shard_retry){seed % 3 == 0 ? 1 : 50, 0.5, 2};
    if (seed % 3 == 1)
        world.executor.shrink = NULL;
    draw_hosts(&world);
    shard_workflow *workflow = drawn_workflow(&world, 40);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    for (int turns = 0; turns < 20000 && !world.runs[run].ended; turns++) {
        drawn_disturbance(&world, run);
        if (world_turn(&world) == 0)
            break;
        if (seed % 5 == 0 && turns == 60)
            (void)shard_engine_cancel(world.engine, world.runs[run].id);
    }
    world_free(&world);
}

/* ---- what is rare in random runs ---- */

static int is_failing;

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->seconds = 5;
    if (is_failing && start->parent >= 0 && start->index == 0) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR;
        plan->seconds = 1;
    }
    if (is_failing && start->parent >= 0 && start->index == 1) {
        plan->outcome = SHARD_OUTCOME_PREEMPTED;
        plan->seconds = 0.7;
    }
}

static void stage_never(struct world *w, const struct shard_stage *stage, struct world_stage_plan *plan)
{
    (void)w;
    (void)stage;
    plan->status = SHARD_EIO;
}

/* Staging fails and its budget is spent: the task is given up. */
static void staging_fails_for_good(void)
{
    world_init(&world, "least_loaded");
    world.config.retry[SHARD_OUTCOME_STAGE_ERROR].budget = -1;
    world.plan_stage = stage_never;
    world_add_host(&world, "a", 1000, 500, 1, 1);
    world_add_host(&world, "b", 2000, 100, 2, 2);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec first = {.struct_size = sizeof(first), .memory_bytes = 500};
    struct shard_task_spec second = {.struct_size = sizeof(second), .cpu_millicores = 2000};
    shard_builder_add_task(builder, &first);
    shard_builder_add_task(builder, &second);
    shard_builder_add_data(builder, "data", 10);
    shard_builder_add_output(builder, 0, 0);
    shard_builder_add_input(builder, 1, 0);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    ck_assert_int_eq(world_state(&world, run, 1), SHARD_TASK_FAILED);
    world_free(&world);
}

/* A subtask fails for good while its siblings wait, back off and are split themselves: the family ends. */
static void a_family_ends(void)
{
    world_init(&world, "least_loaded");
    world.config.retry[SHARD_OUTCOME_TASK_ERROR].budget = -1;
    world.plan = plan;
    is_failing = 1;
    world.config.retry[SHARD_OUTCOME_PREEMPTED] = (struct shard_retry){5, 100, 100};
    world_add_host(&world, "a", 2000, 0, 2, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .units = 16, .parts = 4};
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 0.5);
    ck_assert_int_eq(shard_engine_split(world.engine, world.runs[run].id, 4, 2), 0); /* the last sibling waits */
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    world_free(&world);
}

/* The only host that is large enough goes away. */
static void nothing_is_large_enough(void)
{
    world_init(&world, "least_loaded");
    world_add_host(&world, "small", 1000, 100, 1, 0);
    int large = world_add_host(&world, "large", 1000, 500, 1, 0);
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world.context, "flow", &builder), 0);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .memory_bytes = 400};
    shard_builder_add_task(builder, &spec);
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    int run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    world_pass(&world, 0.5);
    world_lose_host(&world, large);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_FAILED);
    world_free(&world);
}

/* Siblings that stage or wait for lost data when their family ends: not among what is drawn or scripted here. */
static int is_left_out(int from, int to)
{
    return to == SHARD_TASK_CANCELLED && (from == SHARD_TASK_STAGING || from == SHARD_TASK_BLOCKED);
}

START_TEST(the_lines_of_the_table_are_reached)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        run_one(seed);
    staging_fails_for_good();
    a_family_ends();
    nothing_is_large_enough();
    char missing[1024] = "";
    for (int i = 0; i < LINES; i++)
        if (seen[lines[i].from][lines[i].to] == 0 && !is_left_out(lines[i].from, lines[i].to)) {
            strcat(missing, shard_task_state_text(lines[i].from));
            strcat(missing, " -> ");
            strcat(missing, shard_task_state_text(lines[i].to));
            strcat(missing, "; ");
        }
    ck_assert_msg(missing[0] == '\0', "not reached: %s", missing);
    for (int from = 0; from < SHARD_TASK_STATE_COUNT; from++)
        for (int to = 0; to < SHARD_TASK_STATE_COUNT; to++)
            ck_assert(seen[from][to] == 0 || __real_shard__lifecycle(from, to) != SHARD__NOT_ALLOWED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tcase = tcase_create("lifecycle");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_matrix_allows_the_lines_of_the_table_and_nothing_else);
    tcase_add_test(tcase, the_lines_of_the_table_are_reached);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
