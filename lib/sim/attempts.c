/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated attempts: work that a host does at its rate, and how they end is drawn when they begin. */

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "sim/sim.h"

static const char *const messages[SHARD_OUTCOME_COUNT] = {
    [SHARD_OUTCOME_TASK_ERROR] = "simulated: exit status 1",
    [SHARD_OUTCOME_OUT_OF_MEMORY] = "simulated: killed, out of memory",
    [SHARD_OUTCOME_OUT_OF_DISK] = "simulated: no space left on device",
    [SHARD_OUTCOME_HOST_LOST] = "simulated: the host vanished",
};

static int32_t new_attempt(struct shard__sim *sim)
{
    int32_t at = sim->free_attempt;
    if (at >= 0) {
        sim->free_attempt = sim->attempts[at].next;
        return at;
    }
    if (shard__grow(sim->context, &sim->attempts, &sim->attempt_capacity, (size_t)sim->attempt_count + 1,
                    sizeof(*sim->attempts)) < 0)
        return SHARD_ENOMEM;
    at = sim->attempt_count++;
    sim->attempts[at] = (struct shard__sim_attempt){0};
    return at;
}

static void free_attempt(struct shard__sim *sim, int32_t at)
{
    sim->attempts[at].generation++;
    sim->attempts[at].next = sim->free_attempt;
    sim->free_attempt = at;
}

static void link_attempt(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    struct shard__sim_host *host = &sim->hosts[attempt->host];
    attempt->previous = -1;
    attempt->next = host->first_attempt;
    if (attempt->next >= 0)
        sim->attempts[attempt->next].previous = at;
    host->first_attempt = at;
    host->running++;
    host->memory_used += (double)attempt->need_bytes;
    sim->running++;
}

static void unlink_attempt(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    struct shard__sim_host *host = &sim->hosts[attempt->host];
    if (attempt->previous >= 0)
        sim->attempts[attempt->previous].next = attempt->next;
    else
        host->first_attempt = attempt->next;
    if (attempt->next >= 0)
        sim->attempts[attempt->next].previous = attempt->previous;
    host->running--;
    host->memory_used -= (double)attempt->need_bytes;
    sim->running--;
}

/* Draws whether a cause ends an attempt, and at which share of the work that it has left; the first cause counts. */
static void draw_end(struct shard__sim_attempt *attempt, enum shard_outcome outcome, double p, double from, double to,
                     uint64_t draw)
{
    uint64_t key = shard__sim_mix(attempt->key, draw);
    if (p <= 0 || shard__sim_unit(key) >= p)
        return;
    double share = from + (to - from) * shard__sim_unit(shard__sim_mix(key, SHARD__SIM_DRAW_WHEN));
    double ends_at = attempt->done + (attempt->work - attempt->done) * share;
    if (ends_at >= attempt->ends_at)
        return;
    attempt->ends_at = ends_at;
    attempt->outcome = outcome;
}

static enum shard_outcome outcome_of(const struct shard__sickness *sickness)
{
    return sickness->kind == SHARD__SICK_MEMORY ? SHARD_OUTCOME_OUT_OF_MEMORY
           : sickness->kind == SHARD__SICK_DISK ? SHARD_OUTCOME_OUT_OF_DISK
                                                : SHARD_OUTCOME_TASK_ERROR;
}

static void draw_fate(struct shard__sim *sim, struct shard__sim_attempt *attempt, int64_t limit_bytes)
{
    const struct shard__sim_host *host = &sim->hosts[attempt->host];
    const struct shard__sickness *sickness = host->sickness;
    double p = shard__sim_p_fail(sim->scenario->p_fail, 1, (double)attempt->frailty, attempt->work, sim->mean_work);
    draw_end(attempt, SHARD_OUTCOME_TASK_ERROR, p, 0, 1, 1);
    if (limit_bytes > 0 && attempt->need_bytes > limit_bytes)
        draw_end(attempt, SHARD_OUTCOME_OUT_OF_MEMORY, 1, 0.2, 0.9, 2);
    if (host->is_sick) {
        p = shard__sim_p_fail(sickness->p_fail, sickness->by_size, (double)attempt->frailty, attempt->work,
                              sim->mean_work);
        draw_end(attempt, outcome_of(sickness), p, sickness->fail_from, sickness->fail_to, 3);
    }
}

static int schedule(struct shard__sim *sim, int32_t at)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    struct shard__sim_event event = {.kind = SHARD__SIM_ATTEMPT, .subject = at, .generation = ++attempt->generation};
    return shard__sim_push(sim, (attempt->ends_at - attempt->done) / attempt->rate, &event);
}

static double done_now(const struct shard__sim *sim, const struct shard__sim_attempt *attempt)
{
    double done = attempt->done + (double)(sim->now_ns - attempt->updated_ns) / 1e9 * attempt->rate;
    return done < attempt->ends_at ? done : attempt->ends_at;
}

static void catch_up(const struct shard__sim *sim, struct shard__sim_attempt *attempt)
{
    attempt->done = done_now(sim, attempt);
    attempt->updated_ns = sim->now_ns;
}

int shard__sim_retime(struct shard__sim *sim, int32_t host)
{
    for (int32_t at = sim->hosts[host].first_attempt; at >= 0; at = sim->attempts[at].next) {
        catch_up(sim, &sim->attempts[at]);
        sim->attempts[at].rate = shard__sim_rate(&sim->hosts[host]);
        if (schedule(sim, at) < 0)
            return SHARD_ENOMEM;
    }
    return 0;
}

void shard__sim_strike(struct shard__sim *sim, int32_t host)
{
    const struct shard__sickness *sickness = sim->hosts[host].sickness;
    for (int32_t at = sim->hosts[host].first_attempt; at >= 0; at = sim->attempts[at].next) {
        struct shard__sim_attempt *attempt = &sim->attempts[at];
        catch_up(sim, attempt);
        double left = attempt->work - attempt->done;
        double p =
            shard__sim_p_fail(sickness->p_fail, sickness->by_size, (double)attempt->frailty, left, sim->mean_work) *
            left / attempt->work;
        draw_end(attempt, outcome_of(sickness), p, 0, 1,
                 shard__sim_mix(SHARD__SIM_DRAW_EPISODE, (uint64_t)sim->now_ns));
    }
}

/* What the attempt is of its task: subtasks a part, a merge step next to nothing of what it merges. */
static double share_of(const struct shard_start *start)
{
    double share = start->is_merge ? 0.02 : 1;
    if (start->units <= 1)
        return share;
    return share * (double)(start->unit_end - start->unit_begin) / (double)start->units;
}

static void fill(struct shard__sim *sim, struct shard__sim_attempt *attempt, const struct shard_start *start)
{
    const struct shard__sim_task *task = &sim->tasks[start->workflow_task];
    double share = share_of(start);
    int generation = attempt->generation;
    *attempt = (struct shard__sim_attempt){.generation = generation,
                                           .host = start->host,
                                           .task = start->task,
                                           .origin = start->workflow_task,
                                           .number = start->attempt,
                                           .behind = -1,
                                           .frailty = task->frailty,
                                           .units = start->is_merge ? 0 : start->unit_end - start->unit_begin,
                                           .unit_begin = start->unit_begin,
                                           .asked_bytes = start->memory_bytes,
                                           .asked_millicores = start->cpu_millicores,
                                           .overhead = sim->scenario->overhead_seconds,
                                           .outcome = SHARD_OUTCOME_DONE};
    /* A part of the data needs a part of the memory, over what the program itself takes. */
    attempt->need_bytes = (int64_t)((double)task->need_bytes * (0.3 + 0.7 * share));
    attempt->key = shard__sim_mix(shard__sim_mix(sim->seed, (uint64_t)start->workflow_task),
                                  shard__sim_mix((uint64_t)start->unit_begin, (uint64_t)start->attempt));
    double noise = exp(sim->scenario->noise * 0.3 * shard__sim_normal(attempt->key));
    attempt->work = (double)task->work_seconds * share * noise + attempt->overhead;
    attempt->ends_at = attempt->work;
}

int32_t shard__sim_make_attempt(struct shard__sim *sim, uint64_t token, const struct shard_start *start)
{
    int status = shard__sim_check_inputs(sim, start);
    int32_t at = status < 0 ? status : new_attempt(sim);
    if (at < 0)
        return at;
    fill(sim, &sim->attempts[at], start);
    sim->attempts[at].token = token;
    status = shard__intmap_set(sim->context, &sim->attempt_of, token, at);
    if (status < 0) {
        free_attempt(sim, at);
        return status;
    }
    sim->result.attempts++;
    return at;
}

/* The guards of the engine, seen from here: whatever a policy said, nothing runs where it may not. */
static int check_room(const struct shard__sim *sim, const struct shard__sim_attempt *begins)
{
    const struct shard__sim_host *host = &sim->hosts[begins->host];
    int64_t asked = begins->asked_bytes, cpu = begins->asked_millicores;
    for (int32_t at = host->first_attempt; at >= 0; at = sim->attempts[at].next) {
        asked += sim->attempts[at].asked_bytes;
        cpu += sim->attempts[at].asked_millicores;
    }
    if (host->away != 0 || sim->engine->cluster.hosts[begins->host].state >= SHARD_HOST_LEFT)
        return shard__fail(SHARD_ESTATE, "task %d begins on host %d, which is not there", begins->task, begins->host);
    if (host->running >= sim->scenario->slots || asked > sim->scenario->memory_bytes ||
        cpu > sim->scenario->slots * 1000)
        return shard__fail(SHARD_ESTATE, "task %d is more than host %d has room for", begins->task, begins->host);
    return 0;
}

int shard__sim_begin_attempt(struct shard__sim *sim, int32_t at, double launch_seconds)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    int status = check_room(sim, attempt);
    if (status < 0)
        return status;
    attempt->started_ns = attempt->updated_ns = sim->now_ns;
    attempt->rate = shard__sim_rate(&sim->hosts[attempt->host]);
    attempt->launch_seconds = launch_seconds;
    attempt->done = -launch_seconds * attempt->rate;
    draw_fate(sim, attempt,
              attempt->asked_bytes > 0 ? attempt->asked_bytes : sim->scenario->memory_bytes / sim->scenario->slots);
    link_attempt(sim, at);
    return schedule(sim, at);
}

static void count_failure(struct shard__sim *sim, int32_t task, enum shard_outcome outcome)
{
    if (shard_outcome_label((int)outcome) != 1)
        return;
    sim->result.failed_attempts++;
    size_t before = sim->failure_capacity;
    if (shard__grow(sim->context, &sim->failures, &sim->failure_capacity, (size_t)task + 1, sizeof(*sim->failures)) <
        0) {
        sim->status = SHARD_ENOMEM;
        return;
    }
    if (sim->failure_capacity > before)
        memset(sim->failures + before, 0, (sim->failure_capacity - before) * sizeof(*sim->failures));
    if (++sim->failures[task] > sim->result.max_failures_of_a_task)
        sim->result.max_failures_of_a_task = sim->failures[task];
}

static int64_t units_done(const struct shard__sim *sim, const struct shard__sim_attempt *attempt)
{
    double work = attempt->work - attempt->overhead, done = done_now(sim, attempt) - attempt->overhead;
    if (attempt->units <= 1 || done <= 0 || work <= 0)
        return 0;
    int64_t units = (int64_t)(done / work * (double)attempt->units);
    return units > attempt->units ? attempt->units : units;
}

/* What it held at most: one that a host without memory has ended, never all that it asked for. */
static int64_t held_bytes(const struct shard__sim *sim, const struct shard__sim_attempt *attempt,
                          enum shard_outcome outcome)
{
    if (outcome != SHARD_OUTCOME_OUT_OF_MEMORY || attempt->need_bytes > attempt->asked_bytes)
        return attempt->need_bytes;
    return (int64_t)(0.9 * (double)attempt->need_bytes * fmax(0, done_now(sim, attempt)) / attempt->work);
}

/* What is behind one that has ended begins, or is told that it does not. */
static void go_on(struct shard__sim *sim, int32_t behind, enum shard_outcome outcome, int tell)
{
    if (behind < 0)
        return;
    int status = 0;
    if (outcome == SHARD_OUTCOME_DONE)
        status = shard__sim_begin_attempt(sim, behind, 0);
    else
        shard__sim_end_attempt(sim, behind, SHARD_OUTCOME_PREEMPTED, tell);
    if (status < 0 && sim->status == 0)
        sim->status = status;
}

/* Seconds since it has begun, its launch included; 0: it has not. */
static double lasted(const struct shard__sim *sim, const struct shard__sim_attempt *attempt)
{
    return attempt->rate > 0 ? (double)(sim->now_ns - attempt->started_ns) / 1e9 : 0;
}

void shard__sim_end_attempt(struct shard__sim *sim, int32_t at, enum shard_outcome outcome, int tell)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    int32_t behind = attempt->behind;
    double all_seconds = lasted(sim, attempt), seconds = fmax(0, all_seconds - attempt->launch_seconds);
    sim->result.outcomes[outcome]++;
    sim->progress_ns = sim->now_ns;
    if (outcome == SHARD_OUTCOME_DONE) {
        sim->result.useful_cpu_seconds += seconds;
        if (shard__sim_outputs_are_on(sim, attempt->origin, attempt->host) < 0)
            sim->status = SHARD_ENOMEM;
    } else {
        sim->result.wasted_cpu_seconds += all_seconds;
    }
    count_failure(sim, attempt->task, outcome);
    struct shard_attempt_end end = {.struct_size = sizeof(end),
                                    .outcome = outcome,
                                    .exit_code = outcome == SHARD_OUTCOME_DONE ? 0 : 1,
                                    .seconds = seconds,
                                    .cpu_seconds = seconds,
                                    .max_memory_bytes = held_bytes(sim, attempt, outcome),
                                    .message = messages[outcome],
                                    .launch_seconds = attempt->launch_seconds};
    end.units_done = outcome == SHARD_OUTCOME_DONE ? attempt->units : units_done(sim, attempt);
    if (tell) {
        sim->answered = 1;
        if (shard_sink_attempt_ended(sim->engine->sink, attempt->token, &end) == SHARD_ENOMEM)
            sim->status = SHARD_ENOMEM;
    }
    shard__intmap_remove(&sim->attempt_of, attempt->token);
    if (attempt->rate > 0)
        unlink_attempt(sim, at);
    free_attempt(sim, at);
    go_on(sim, behind, outcome, tell);
}

int shard__sim_attempt_is_due(struct shard__sim *sim, int32_t at, int32_t generation)
{
    if (sim->attempts[at].generation == generation)
        shard__sim_end_attempt(sim, at, sim->attempts[at].outcome, 1);
    return sim->status;
}

void shard__sim_lose_attempts(struct shard__sim *sim, int32_t host)
{
    while (sim->hosts[host].first_attempt >= 0)
        shard__sim_end_attempt(sim, sim->hosts[host].first_attempt, SHARD_OUTCOME_HOST_LOST, 0);
}

void shard__sim_tell_progress(struct shard__sim *sim, int32_t host)
{
    for (int32_t at = sim->hosts[host].first_attempt; at >= 0; at = sim->attempts[at].next) {
        struct shard__sim_attempt *attempt = &sim->attempts[at];
        if (attempt->units <= 1)
            continue;
        /* Eighths are enough: of a million attempts nobody wants to hear of each unit. */
        int64_t units = units_done(sim, attempt);
        if (units - attempt->told < (attempt->units + 7) / 8)
            continue;
        attempt->told = units;
        sim->answered = 1;
        if (shard_sink_progress(sim->engine->sink, attempt->token, units) == SHARD_ENOMEM)
            sim->status = SHARD_ENOMEM;
    }
}

int64_t shard__sim_shrink_attempt(struct shard__sim *sim, int32_t at, int64_t units)
{
    struct shard__sim_attempt *attempt = &sim->attempts[at];
    catch_up(sim, attempt);
    int64_t begun = units_done(sim, attempt) + 1, kept = units > begun ? units : begun;
    if (kept >= attempt->units)
        return attempt->units;
    double of_units = (attempt->work - attempt->overhead) / (double)attempt->units;
    attempt->work = attempt->overhead + of_units * (double)kept;
    attempt->units = kept;
    if (attempt->ends_at >= attempt->work) { /* a failure that was still to come does not come any more */
        attempt->ends_at = attempt->work;
        attempt->outcome = SHARD_OUTCOME_DONE;
    }
    int status = schedule(sim, at);
    return status < 0 ? status : kept;
}

void shard__sim_attempts_free(struct shard__sim *sim)
{
    shard__release(sim->context, sim->attempts, sim->attempt_capacity * sizeof(*sim->attempts));
    shard__intmap_free(sim->context, &sim->attempt_of);
    shard__release(sim->context, sim->failures, sim->failure_capacity * sizeof(*sim->failures));
}
