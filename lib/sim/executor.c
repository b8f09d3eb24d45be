/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated executor: what an engine asks for, in terms of simulated attempts. */

#include <math.h>

#include "base/error.h"
#include "sim/sim.h"

/* A host that is told of, or is about to go, takes none. */
static int check_host(const struct shard__sim *sim, const struct shard_start *start)
{
    if (sim->engine->cluster.hosts[start->host].state == SHARD_HOST_UP)
        return 0;
    return shard__fail(SHARD_ESTATE, "task '%s' starts on '%s', which is not up", start->task_name, start->host_name);
}

static int start_many(void *self, shard_sink *sink, const shard_token *tokens, const struct shard_start *starts,
                      int32_t count)
{
    struct shard__sim *sim = self;
    (void)sink;
    int32_t first = -1, before = -1;
    sim->status = check_host(sim, &starts[0]);
    for (int32_t i = 0; i < count && sim->status == 0; i++) {
        int32_t at = shard__sim_make_attempt(sim, tokens[i], &starts[i]);
        if (at < 0)
            sim->status = at;
        else if (before >= 0)
            sim->attempts[before].behind = at;
        else
            first = at;
        before = at;
    }
    if (sim->status == 0)
        sim->status = shard__sim_begin_attempt(sim, first, sim->scenario->launch_seconds);
    sim->result.launches++;
    return sim->status;
}

static int start(void *self, shard_sink *sink, shard_token token, const struct shard_start *start)
{
    return start_many(self, sink, &token, start, 1);
}

/* Takes one that has not begun out of its container. */
static void leave_out(struct shard__sim *sim, int32_t at)
{
    for (int32_t before = 0; before < sim->attempt_count; before++)
        if (sim->attempts[before].behind == at)
            sim->attempts[before].behind = sim->attempts[at].behind;
    sim->attempts[at].behind = -1;
}

static void cancel(void *self, shard_token token, enum shard_cancel_reason reason)
{
    struct shard__sim *sim = self;
    (void)reason;
    int32_t at = shard__intmap_find(&sim->attempt_of, token);
    if (at < 0)
        return;
    if (sim->attempts[at].rate <= 0)
        leave_out(sim, at);
    shard__sim_end_attempt(sim, at, SHARD_OUTCOME_CANCELLED, 1);
}

static int stage(void *self, shard_sink *sink, shard_token token, const struct shard_stage *stage)
{
    struct shard__sim *sim = self;
    (void)sink;
    const struct shard_scenario *scenario = sim->scenario;
    double bytes = stage->bytes > 0 ? (double)stage->bytes : 1e6;
    double slower = exp(0.3 * shard__sim_normal(shard__random_next(&sim->random)));
    struct shard__sim_event event = {
        .kind = SHARD__SIM_STAGED, .subject = stage->data, .generation = stage->to, .token = token};
    return shard__sim_push(sim, scenario->latency_seconds + bytes / scenario->bytes_per_second * slower, &event);
}

/* The attempt does fewer units from now on: those that it has begun, at least. */
static int shrink(void *self, shard_sink *sink, shard_token token, int64_t units, int32_t depth)
{
    struct shard__sim *sim = self;
    (void)depth;
    int32_t at = shard__intmap_find(&sim->attempt_of, token);
    if (at < 0)
        return shard__fail(SHARD_ENOENT, "the attempt has ended");
    int64_t kept = shard__sim_shrink_attempt(sim, at, units);
    if (kept < 0)
        return SHARD_ENOMEM;
    sim->answered = 1;
    return shard_sink_shrunk(sink, token, kept);
}

const struct shard_executor shard__sim_executor = {.struct_size = sizeof(struct shard_executor),
                                                   .name = "simulated",
                                                   .start = start,
                                                   .cancel = cancel,
                                                   .stage = stage,
                                                   .shrink = shrink,
                                                   .start_many = start_many};
