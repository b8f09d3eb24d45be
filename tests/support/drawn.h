/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_DRAWN_H
#define TEST_DRAWN_H

/*
 * Things drawn at random for a world, the same for the same seed: a workflow, a cluster, what befalls the cluster, and
 * a policy that answers rubbish. What is expected of it all is said by the tests.
 */

#include "world.h"

/** A workflow of up to `most` tasks with edges, data, splits, priorities. */
shard_workflow *drawn_workflow(struct world *world, int most);

/** One to six hosts, half of them with a volume of their own. Host 0 is large enough for each drawn task. */
void draw_hosts(struct world *world);

/** Perhaps a host vanishes or comes back, drains or takes tasks again, or a task is asked to be split. */
void drawn_disturbance(struct world *world, int run);

/** Attempts and stages that fail and last as drawn; for world->plan and world->plan_stage. */
void drawn_plan(struct world *world, const struct shard_start *start, struct world_plan *plan);
void drawn_stage_plan(struct world *world, const struct shard_stage *stage, struct world_stage_plan *plan);

/** Every function of its port answers what is drawn from `random`, seldom what makes sense. */
struct garbage {
    uint64_t random;
    int gives_up; /* also GIVE_UP */
    int64_t asked;
};
extern const struct shard_policy garbage_policy;

#endif
