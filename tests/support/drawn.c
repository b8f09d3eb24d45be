/* SPDX-License-Identifier: Apache-2.0 */
/* Drawn workflows, clusters and disturbances, and the policy that answers rubbish. */

#include "drawn.h"

#include <math.h>
#include <stdio.h>

#include <check.h>

#include <shard/shard.h>

static void draw_task(struct world *world, shard_builder *builder, int id)
{
    struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                   .kind = world_unit(world) < 0.5 ? "a" : "b",
                                   .cpu_millicores = (int64_t)(world_random(world) % 3) * 500,
                                   .memory_bytes = (int64_t)(world_random(world) % 3) * 100,
                                   .expected_seconds = world_unit(world) * 3,
                                   .priority = world_unit(world) < 0.1};
    if (world_unit(world) < 0.3) {
        spec.units = 2 + (int64_t)(world_random(world) % 20);
        spec.parts = world_unit(world) < 0.5 ? 2 : 0;
        spec.has_merge = world_unit(world) < 0.5;
    }
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), id);
}

shard_workflow *drawn_workflow(struct world *world, int most)
{
    shard_builder *builder = NULL;
    ck_assert_int_eq(shard_builder_new(world->context, "drawn", &builder), 0);
    int count = 1 + (int)(world_random(world) % (uint64_t)most);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "d%d", i);
        draw_task(world, builder, i);
        ck_assert_int_eq(shard_builder_add_data(builder, name, 1000), i);
        ck_assert_int_eq(shard_builder_add_output(builder, i, i), 0);
        for (int k = 0; i > 0 && k < 3; k++) {
            int from = (int)(world_random(world) % (uint64_t)i);
            if (world_unit(world) < 0.5)
                ck_assert_int_eq(shard_builder_add_input(builder, i, from), 0);
            else if (world_unit(world) < 0.5)
                ck_assert_int_eq(shard_builder_add_edge(builder, from, i), 0);
        }
    }
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_builder_seal(builder, &workflow), 0);
    shard_builder_free(builder);
    return workflow;
}

void draw_hosts(struct world *world)
{
    int count = 1 + (int)(world_random(world) % 6);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "h%d", i);
        world_add_host(world, name, 1000 + 1000 * (int64_t)(world_random(world) % 3), i == 1 ? 0 : 200 + 100 * (i % 3),
                       1 + (int)(world_random(world) % 4), i % 2 == 0 ? 0 : i);
    }
}

void drawn_disturbance(struct world *world, int run)
{
    int host = 1 + (int)(world_random(world) % 6);
    if (host < world->host_count && world_unit(world) < 0.04) {
        struct world_host *is = &world->hosts[host];
        double what = world_unit(world);
        if (is->state >= SHARD_HOST_LEFT) {
            world_return_host(world, host);
        } else if (what < 0.4) {
            world_lose_host(world, host);
        } else if (is->state == SHARD_HOST_UP) {
            is->state = SHARD_HOST_DRAINING;
            ck_assert_int_eq(shard_engine_host_drain(world->engine, is->id), 0);
        } else {
            is->state = SHARD_HOST_UP;
            ck_assert_int_eq(shard_engine_host_undrain(world->engine, is->id), 0);
        }
    }
    struct shard_run_info info = {.struct_size = sizeof(info)};
    if (world_unit(world) < 0.05 && shard_engine_run(world->engine, world->runs[run].id, &info) == 0 &&
        info.task_count > 0)
        (void)shard_engine_split(world->engine, world->runs[run].id,
                                 (shard_task_id)(world_random(world) % (uint64_t)info.task_count), 2);
}

void drawn_plan(struct world *world, const struct shard_start *start, struct world_plan *plan)
{
    plan->seconds = world_unit(world) < 0.1 ? -1 : 0.01 + 3 * world_unit(world);
    plan->is_told_twice = world_unit(world) < 0.05;
    if (world_unit(world) < 0.2) {
        plan->outcome = SHARD_OUTCOME_TASK_ERROR + (int)(world_random(world) % 7);
        plan->refuse = world_unit(world) < 0.2 ? SHARD_EIO : 0;
    }
    if (start->unit_end - start->unit_begin > 1 && world_unit(world) < 0.7)
        plan->unit_seconds = 0.01 + 0.3 * world_unit(world);
}

void drawn_stage_plan(struct world *world, const struct shard_stage *stage, struct world_stage_plan *plan)
{
    (void)stage;
    plan->seconds = 0.01 + world_unit(world);
    plan->status = world_unit(world) < 0.2 ? SHARD_EIO : 0;
}

/* ---- the policy that answers rubbish ---- */

static uint64_t draw(struct garbage *garbage)
{
    garbage->random ^= garbage->random << 13;
    garbage->random ^= garbage->random >> 7;
    garbage->random ^= garbage->random << 17;
    return garbage->random * 0x9e3779b97f4a7c15u >> 11;
}

static double draw_number(struct garbage *garbage)
{
    static const double numbers[] = {0, -1, 0.5, 1e-300, 1e300, -1e300, 3, 1e9, -0.0};
    uint64_t which = draw(garbage) % 12;
    return which < 9 ? numbers[which] : which == 9 ? (double)NAN : which == 10 ? (double)INFINITY : -(double)INFINITY;
}

static int32_t draw_int(struct garbage *garbage)
{
    static const int32_t numbers[] = {0, 1, 2, 3, 4, 5, -1, -2, INT32_MAX, INT32_MIN, 1000000000, 6};
    return numbers[draw(garbage) % 12];
}

static int answer(struct garbage *garbage, struct shard_decision *decision)
{
    static const int64_t bytes[] = {0, 0, 0, 0, 1, 300, -1, INT64_MAX, INT64_MIN, 1000000};
    garbage->asked++;
    decision->kind = (enum shard_decision_kind)(draw(garbage) % 12);
    if (decision->kind == SHARD_DECIDE_GIVE_UP && !garbage->gives_up)
        decision->kind = SHARD_DECIDE_START;
    if (draw(garbage) % 40 == 0)
        decision->kind = (enum shard_decision_kind)draw_int(garbage);
    if (decision->kind == SHARD_DECIDE_GIVE_UP && !garbage->gives_up)
        decision->kind = SHARD_DECIDE_WAIT;
    decision->host = draw_int(garbage);
    decision->parts = draw(garbage) % 2 == 0 ? 2 : draw_int(garbage);
    decision->keep_units = draw(garbage) % 2 == 0 ? 0 : draw_int(garbage);
    decision->wait_seconds = draw_number(garbage);
    decision->memory_bytes = bytes[draw(garbage) % 10];
    decision->p_fail = draw_number(garbage);
    decision->expected_seconds = draw_number(garbage);
    decision->reason =
        (enum shard_reason_code)(draw(garbage) % 10 == 0 ? draw_int(garbage) : (int)(draw(garbage) % 42));
    decision->value = draw_number(garbage);
    decision->limit = draw_number(garbage);
    decision->struct_size = draw(garbage) % 4 == 0 ? (size_t)draw(garbage) : sizeof(*decision);
    return draw(garbage) % 8 == 0 ? (int)draw_int(garbage) : 0;
}

static double garbage_rank(void *self, const shard_view *view, shard_task_id task)
{
    (void)view;
    (void)task;
    return draw_number(self);
}

static int garbage_place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct garbage *garbage = self;
    /* What it asks the view is rubbish too: that is refused, and harms nobody. */
    struct shard_host_view host = {.struct_size = sizeof(host)};
    struct shard_task_view other = {.struct_size = sizeof(other)};
    (void)shard_view_host(view, draw_int(garbage), &host);
    (void)shard_view_task(view, draw_int(garbage), &other);
    (void)shard_view_admits(view, task, draw_int(garbage));
    (void)shard_view_staging_seconds(view, draw_int(garbage), draw_int(garbage));
    (void)shard_view_quarantine(view, draw_int(garbage), draw_number(garbage));
    return answer(garbage, ret_decision);
}

static int garbage_review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    (void)view;
    (void)task;
    struct garbage *garbage = self;
    return draw(garbage) % 4 == 0 ? answer(garbage, ret_decision) : 0;
}

static int garbage_after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                                 enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    (void)view;
    (void)task;
    (void)host;
    (void)outcome;
    return answer(self, ret_decision);
}

const struct shard_policy garbage_policy = {.struct_size = sizeof(garbage_policy),
                                            .name = "garbage",
                                            .rank = garbage_rank,
                                            .place = garbage_place,
                                            .review = garbage_review,
                                            .after_failure = garbage_after_failure};
