/* SPDX-License-Identifier: Apache-2.0 */
/* The expected cost of a task as one and in parts. */

#include "split_plan.h"

#include <math.h>

/* Parts at most; the gain, in shares of the cost as one, below which it is not worth the stir; where a failure comes,
   in shares of the time; and what a part costs before anything is known: so much, and a share of its own seconds. */
enum { MOST_PARTS = 64 };
static const double least_gain = 0.1, fails_at = 0.5, default_likely_p = 0.2;
static const double first_overhead_seconds = 0.5, first_overhead_share = 0.02;

/*
 * A failed part runs again, in the mean half a part later; the whole ends when the last of its parts does. With p of
 * the whole, a part fails with 1 - (1 - p)^(1 / parts); that any does has probability p again. What it costs is a
 * part's time and not the whole's.
 */
static double cost_of(const struct shard__split_ask *ask, double p, int64_t parts, int64_t at_once)
{
    double waves = ceil((double)parts / (double)at_once);
    double part = ask->seconds / (double)parts + (parts > 1 ? ask->overhead_seconds : 0);
    double p_part = parts > 1 ? 1 - pow(1 - p, 1 / (double)parts) : p;
    double again = (1 + fails_at) * part + ask->failure_cost_seconds / (double)parts;
    return waves * part + (parts > 1 ? ask->overhead_seconds : 0) + p * again / (1 - p_part);
}

static double in_range(double value, double most)
{
    return value > 0 ? (value < most ? value : most) : 0;
}

void shard__split_plan(const struct shard__split_ask *given, struct shard__split_plan *ret_plan)
{
    struct shard__split_ask ask = *given;
    *ret_plan = (struct shard__split_plan){0};
    int64_t most = ask.min_units > 0 ? ask.units / ask.min_units : ask.units;
    if (most > MOST_PARTS)
        most = MOST_PARTS;
    if (most < 2 || !(ask.seconds > 0) || !isfinite(ask.seconds))
        return;
    double p = in_range(ask.p_fail, 0.95);
    ask.overhead_seconds = in_range(ask.overhead_seconds, 1e9);
    ask.failure_cost_seconds = in_range(ask.failure_cost_seconds, 1e12);
    int64_t idle = ask.idle_slots > 0 ? ask.idle_slots : 0;
    int is_likely = p >= (ask.likely_p > 0 ? ask.likely_p : default_likely_p);
    if (!is_likely && ask.failures <= 0 && idle < 2)
        return;
    double best = ret_plan->whole_seconds = cost_of(&ask, p, 1, 1);
    for (int64_t parts = 2; parts <= most; parts++) {
        if (idle >= 2 && !is_likely && ask.failures <= 0 && parts > idle)
            break;
        double cost = cost_of(&ask, p, parts, idle > 0 ? idle : 1);
        if (cost < best && cost < (1 - least_gain) * ret_plan->whole_seconds) {
            best = cost;
            ret_plan->parts = (int32_t)parts;
        }
    }
    ret_plan->cost_seconds = best;
    ret_plan->reason = is_likely          ? SHARD_REASON_FAILS_LIKELY
                       : ask.failures > 0 ? SHARD_REASON_FAILED_BEFORE
                                          : SHARD_REASON_IDLE_SLOTS;
    ret_plan->limit = is_likely ? p : ask.failures > 0 ? ask.failures : (double)idle;
}

int shard__split_decide(const struct shard__split_ask *ask, struct shard__split_plan *ret_plan,
                        struct shard_decision *ret_decision)
{
    shard__split_plan(ask, ret_plan);
    if (ret_plan->parts < 2)
        return 0;
    ret_decision->kind = SHARD_DECIDE_SPLIT;
    ret_decision->parts = ret_plan->parts;
    ret_decision->reason = ret_plan->reason;
    ret_decision->value = ret_plan->parts;
    ret_decision->limit = ret_plan->limit;
    return 1;
}

void shard__split_learn(struct shard__split_overhead *overhead, double share_seconds, double seconds)
{
    double over = seconds - share_seconds;
    if (!isfinite(over) || !(seconds > 0) || !(share_seconds >= 0))
        return;
    if (over < 0)
        over = 0;
    overhead->weight = overhead->weight < 20 ? overhead->weight + 1 : 20;
    overhead->seconds += ((float)over - overhead->seconds) / overhead->weight;
}

double shard__split_overhead_seconds(const struct shard__split_overhead *overhead, double share_seconds)
{
    double first = first_overhead_seconds + first_overhead_share * (share_seconds > 0 ? share_seconds : 0);
    double weight = (double)overhead->weight;
    return (first * 2 + (double)overhead->seconds * weight) / (2 + weight);
}
