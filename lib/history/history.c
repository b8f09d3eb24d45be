/* SPDX-License-Identifier: Apache-2.0 */
/* The history of an engine: how it grows with kinds and hosts, samples and ends of attempts. */

#include "history.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/sample.h"
#include "history/tally.h"

/* A weight doubles every half-life. Before they get too large, all are scaled down. */
static const double half_life_ns = 6 * 3600e9, recent_half_life_ns = 600e9;
enum { MOST_DOUBLINGS = 200, PEER_SAMPLES = 1000 };

static const char *kind_name(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__history *history = owner;
    *ret_bytes = strlen(history->kinds[id].name);
    return history->kinds[id].name;
}

uint32_t shard__name_key(const char *name)
{
    return (uint32_t)(shard__hash_bytes(name, strlen(name)) % 0xffffff) + 1;
}

void shard__history_init(struct shard__history *history, shard_context *context)
{
    *history = (struct shard__history){.context = context,
                                       .weight_ns = INT64_MIN,
                                       .weight = 1,
                                       .recent_weight = 1,
                                       .origin_ns = INT64_MIN,
                                       .all = {.failed_ns = INT64_MIN, .done_ns = INT64_MIN}};
}

void shard__history_free(struct shard__history *history)
{
    const shard_context *context = history->context;
    for (int32_t i = 0; i < history->kind_count; i++)
        shard__strfree(context, history->kinds[i].name);
    for (int32_t i = 0; i < history->host_count; i++)
        shard__release(context, history->hosts[i].series, SHARD__SERIES * sizeof(*history->hosts[i].series));
    shard__release(context, history->kinds, history->kind_capacity * sizeof(*history->kinds));
    shard__release(context, history->hosts, history->host_capacity * sizeof(*history->hosts));
    shard__release(context, history->pairs, history->pair_capacity * sizeof(*history->pairs));
    shard__namemap_free(context, &history->kind_names);
    shard__intmap_free(context, &history->pair_of);
}

int32_t shard__history_kind(struct shard__history *history, const char *name)
{
    int32_t id = shard__namemap_find(&history->kind_names, name, strlen(name), kind_name, history);
    if (id >= 0)
        return id;
    id = history->kind_count;
    if (shard__grow(history->context, &history->kinds, &history->kind_capacity, (size_t)id + 1,
                    sizeof(*history->kinds)) < 0)
        return SHARD_ENOMEM;
    struct shard__kind *kind = &history->kinds[id];
    *kind = (struct shard__kind){.name = shard__strdup(history->context, name), .key = shard__name_key(name)};
    kind->tally.failed_ns = kind->tally.done_ns = INT64_MIN;
    if (kind->name == NULL)
        return SHARD_ENOMEM;
    if (shard__namemap_add(history->context, &history->kind_names, id, kind_name, history) < 0) {
        shard__strfree(history->context, kind->name);
        return SHARD_ENOMEM;
    }
    history->kind_count++;
    return id;
}

int shard__history_reserve_hosts(struct shard__history *history, const struct shard__cluster *cluster, int64_t now_ns)
{
    if (history->host_count >= cluster->host_count)
        return 0;
    if (shard__grow(history->context, &history->hosts, &history->host_capacity, (size_t)cluster->host_count,
                    sizeof(*history->hosts)) < 0)
        return SHARD_ENOMEM;
    for (; history->host_count < cluster->host_count; history->host_count++) {
        struct shard__host_history *host = &history->hosts[history->host_count];
        *host = (struct shard__host_history){.joined_ns = now_ns,
                                             .key = shard__name_key(cluster->hosts[history->host_count].name),
                                             .tally = {.failed_ns = INT64_MIN, .done_ns = INT64_MIN}};
    }
    return 0;
}

void shard__history_sample(struct shard__history *history, int32_t id, const struct shard_sample *sample)
{
    struct shard__host_history *host = &history->hosts[id];
    if (host->series == NULL)
        host->series = shard__zalloc(history->context, SHARD__SERIES * sizeof(*host->series));
    if (host->series == NULL || sample->time_ns < 0)
        return;
    double values[SHARD__SAMPLE_VALUES];
    shard__sample_values(sample, values);
    for (int i = 0; i < SHARD__SERIES; i++)
        shard__series_add(&host->series[i], sample->time_ns, values[i]);
    for (int i = 0; i < SHARD__PRESSURES; i++) {
        double value = values[SHARD__FIRST_PRESSURE + i];
        if (isnan(value))
            continue;
        if (history->peers[i].samples < PEER_SAMPLES)
            history->peers[i].samples++;
        history->peers[i].mean += (value - history->peers[i].mean) / history->peers[i].samples;
    }
}

int shard_outcome_label(int outcome)
{
    if (outcome == SHARD_OUTCOME_DONE)
        return 0;
    return outcome == SHARD_OUTCOME_NONE || outcome == SHARD_OUTCOME_CANCELLED || outcome == SHARD_OUTCOME_PREEMPTED
               ? -1
               : 1;
}

static void scale_tally(struct shard__tally *tally, double by)
{
    tally->attempts *= by;
    tally->failures *= by;
    tally->expected *= by;
    tally->timed *= by;
    tally->log_ratio *= by;
}

static void scale(struct shard__history *history, double by)
{
    scale_tally(&history->all, by);
    for (int32_t i = 0; i < history->kind_count; i++) {
        struct shard__kind *kind = &history->kinds[i];
        double *sums[] = {&kind->memory_failures, &kind->w, &kind->wx, &kind->wy, &kind->wxx, &kind->wxy};
        scale_tally(&kind->tally, by);
        for (size_t k = 0; k < sizeof(sums) / sizeof(sums[0]); k++)
            *sums[k] *= by;
    }
    for (int32_t i = 0; i < history->host_count; i++)
        scale_tally(&history->hosts[i].tally, by);
    for (int32_t i = 0; i < history->pair_count; i++)
        scale_tally(&history->pairs[i], by);
}

void shard__history_set_time(struct shard__history *history, int64_t now_ns)
{
    if (now_ns == history->weight_ns)
        return;
    if (history->origin_ns == INT64_MIN)
        history->origin_ns = history->recent_origin_ns = now_ns;
    double doublings = (double)(now_ns - history->origin_ns) / half_life_ns;
    if (doublings > MOST_DOUBLINGS) {
        scale(history, exp2(-doublings));
        history->origin_ns = now_ns;
        doublings = 0;
    }
    double recent = (double)(now_ns - history->recent_origin_ns) / recent_half_life_ns;
    if (recent > MOST_DOUBLINGS) {
        for (int32_t i = 0; i < history->host_count; i++) {
            history->hosts[i].recent_attempts *= exp2(-recent);
            history->hosts[i].recent_failures *= exp2(-recent);
        }
        history->recent_origin_ns = now_ns;
        recent = 0;
    }
    history->weight = exp2(doublings);
    history->recent_weight = exp2(recent);
    history->weight_ns = now_ns;
}

double shard__kind_seconds(const struct shard__history *history, const struct shard__kind *kind, double input_bytes)
{
    if (!(kind->w > 0))
        return NAN;
    double y = kind->wy / kind->w, x = kind->wx / kind->w;
    /* The slope is shrunk to 0 as if by one attempt of spread 1: few attempts do not make a law. */
    double spread = kind->wxx - kind->wx * x, with = kind->wxy - kind->wx * y;
    double slope = spread > 0 ? with / (spread + history->weight) : 0;
    return exp(isnan(input_bytes) ? y : y + slope * (log1p(input_bytes) - x));
}

struct shard__tally *shard__history_pair(struct shard__history *history, int32_t kind, int32_t host)
{
    int32_t at = shard__intmap_find(&history->pair_of, (uint64_t)kind << 32 | (uint32_t)host);
    return at < 0 ? NULL : &history->pairs[at];
}

static struct shard__tally *make_pair(struct shard__history *history, int32_t kind, int32_t host)
{
    struct shard__tally *pair = shard__history_pair(history, kind, host);
    if (pair != NULL)
        return pair;
    int32_t at = history->pair_count;
    if (shard__grow(history->context, &history->pairs, &history->pair_capacity, (size_t)at + 1,
                    sizeof(*history->pairs)) < 0 ||
        shard__intmap_set(history->context, &history->pair_of, (uint64_t)kind << 32 | (uint32_t)host, at) < 0)
        return NULL;
    history->pairs[at] = (struct shard__tally){.failed_ns = INT64_MIN, .done_ns = INT64_MIN};
    history->pair_count++;
    return &history->pairs[at];
}

static void count(struct shard__tally *tally, double weight, int failed, double ratio, int64_t time_ns)
{
    tally->attempts += weight;
    tally->failures += failed ? weight : 0;
    *(failed ? &tally->failed_ns : &tally->done_ns) = time_ns;
    if (!failed && ratio > 0 && isfinite(ratio)) {
        tally->timed += weight;
        tally->log_ratio += weight * log(ratio);
    }
}

static void count_seconds(struct shard__kind *kind, double weight, const struct shard__ending *ending, double seconds)
{
    double y = log(seconds > 1e-3 ? seconds : 1e-3);
    double x = isnan(ending->input_bytes) ? (kind->w > 0 ? kind->wx / kind->w : 0) : log1p(ending->input_bytes);
    kind->w += weight;
    kind->wx += weight * x;
    kind->wy += weight * y;
    kind->wxx += weight * x * x;
    kind->wxy += weight * x * y;
}

/* What an attempt takes on a host of speed 1: what was expected of it times how far its kind is off that, else what its
   kind takes; NaN for the first of its kind. */
static double usual_seconds(const struct shard__history *history, const struct shard__kind *kind,
                            const struct shard__ending *ending)
{
    if (!(ending->expected_seconds > 0))
        return shard__kind_seconds(history, kind, ending->input_bytes);
    return ending->expected_seconds * (kind->tally.timed > 0 ? exp(kind->tally.log_ratio / kind->tally.timed) : NAN);
}

void shard__history_ended(struct shard__history *history, const struct shard__ending *ending)
{
    int label = shard_outcome_label(ending->outcome);
    if (label < 0)
        return;
    shard__history_set_time(history, ending->time_ns);
    double weight = history->weight;
    struct shard__kind *kind = &history->kinds[ending->kind];
    struct shard__host_history *host = &history->hosts[ending->host];
    struct shard__tally *pair = make_pair(history, ending->kind, ending->host);
    /* What the kind did before this attempt, shrunk to what everything did, is what was to be expected of the host. */
    double everything = (history->all.failures + 0.02 * weight) / (history->all.attempts + weight);
    double expected = (kind->tally.failures + 2 * weight * everything) / (kind->tally.attempts + 2 * weight);
    /* Times are as on a host of speed 1: else a kind that fast hosts got would look quick everywhere. */
    double seconds = ending->seconds * (ending->speed > 0 ? ending->speed : 1);
    double over = seconds / usual_seconds(history, kind, ending);
    count(&history->all, weight, label, NAN, ending->time_ns);
    count(&kind->tally, weight, label, seconds / ending->expected_seconds, ending->time_ns);
    count(&host->tally, weight, label, over, ending->time_ns);
    host->tally.expected += weight * expected;
    if (pair != NULL)
        count(pair, weight, label, over, ending->time_ns);
    if (ending->outcome == SHARD_OUTCOME_OUT_OF_MEMORY)
        kind->memory_failures += weight;
    host->recent_attempts += history->recent_weight;
    host->recent_failures += label ? history->recent_weight : 0;
    if (!label)
        count_seconds(kind, weight, ending, seconds);
}
