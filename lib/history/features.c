/* SPDX-License-Identifier: Apache-2.0 */
/* The columns: the schema, and the values of each group. */

#include <math.h>

#include "history/tally.h"

static const struct shard_feature features[] = {
#define FEATURE(id, name, group, role) {name, SHARD_FEATURE_##group, SHARD_FEATURE_##role, 0},
#include "history/features.def"
#undef FEATURE
};

static const struct shard_schema schema = {sizeof(schema), features, SHARD__F_COUNT};

const struct shard_schema *shard_history_schema(void)
{
    return &schema;
}

/* A group's values stand from its first column on. */
#define OF_HOST(id) ret_values[SHARD__F_##id - SHARD__F_HOST_BEGIN]
#define OF_PAIR(id) ret_values[SHARD__F_##id - SHARD__F_PAIR_BEGIN]

static float known(int64_t value, double unit)
{
    return value > 0 ? (float)((double)value / unit) : NAN;
}

static float share(int64_t part, int64_t whole)
{
    return whole > 0 ? (float)((double)part / (double)whole) : NAN;
}

static float since(int64_t then_ns, int64_t now_ns)
{
    return then_ns == INT64_MIN ? NAN : (float)((double)(now_ns - then_ns) / 1e9);
}

static float rate(const struct shard__tally *tally)
{
    return tally->attempts > 0 ? (float)(tally->failures / tally->attempts) : NAN;
}

static float ratio(const struct shard__tally *tally)
{
    return tally->timed > 0 ? (float)exp(tally->log_ratio / tally->timed) : NAN;
}

void shard__features_task(struct shard__history *history, const struct shard__task_facts *task, int64_t now_ns,
                          float *ret)
{
    const struct shard__kind *kind = &history->kinds[task->kind];
    shard__history_set_time(history, now_ns);
    double weight = history->weight;
    ret[SHARD__F_TASK_KIND] = (float)kind->key;
    ret[SHARD__F_TASK_EXPECTED_SECONDS] = (float)task->expected_seconds;
    ret[SHARD__F_TASK_INPUT_BYTES] = (float)task->input_bytes;
    ret[SHARD__F_TASK_CORES] = known(task->cpu_millicores, 1000);
    ret[SHARD__F_TASK_MEMORY_BYTES] = known(task->memory_bytes, 1);
    ret[SHARD__F_TASK_DISK_BYTES] = known(task->disk_bytes, 1);
    ret[SHARD__F_TASK_UNITS] = (float)task->units;
    ret[SHARD__F_TASK_FAN_IN] = (float)task->fan_in;
    ret[SHARD__F_TASK_FAN_OUT] = (float)task->fan_out;
    ret[SHARD__F_TASK_ATTEMPT] = (float)task->attempt;
    ret[SHARD__F_TASK_FAILURES] = (float)task->failures;
    ret[SHARD__F_TASK_TIMEOUT_SHARE] =
        task->timeout_seconds > 0 ? (float)(task->expected_seconds / task->timeout_seconds) : NAN;
    ret[SHARD__F_ALL_FAILURE_RATE] = rate(&history->all);
    ret[SHARD__F_ALL_EVIDENCE] = (float)(history->all.attempts / weight);
    ret[SHARD__F_KIND_FAILURE_RATE] = rate(&kind->tally);
    ret[SHARD__F_KIND_EVIDENCE] = (float)(kind->tally.attempts / weight);
    ret[SHARD__F_KIND_MEMORY_FAILURE_RATE] =
        kind->tally.attempts > 0 ? (float)(kind->memory_failures / kind->tally.attempts) : NAN;
    ret[SHARD__F_KIND_SECONDS] = (float)shard__kind_seconds(history, kind, task->input_bytes);
    ret[SHARD__F_KIND_SECONDS_RATIO] = ratio(&kind->tally);
    ret[SHARD__F_KIND_SECONDS_SINCE_FAILURE] = since(kind->tally.failed_ns, now_ns);
}

static void put_windows(const struct shard__host_history *host, int64_t wall_ns, float *ret)
{
    for (int i = 0; i < SHARD__SERIES; i++)
        for (int window = 0; window < SHARD__WINDOWS; window++, ret += 3) {
            struct shard__window_values values = {NAN, NAN, NAN};
            if (host->series != NULL)
                shard__series_values(&host->series[i], window, wall_ns, &values);
            ret[0] = values.mean;
            ret[1] = values.max;
            ret[2] = values.slope;
        }
}

/* How much more pressure a host is under than hosts are in the mean: what all have in common says nothing of one. The
   last ten seconds and the last minute count alike. `windows` are those of the pressures, as put_windows() left them.
 */
static void put_over_peers(const struct shard__history *history, const float *windows, float *ret)
{
    for (int i = 0; i < SHARD__PRESSURES; i++, windows += (ptrdiff_t)3 * SHARD__WINDOWS) {
        float sixty = windows[3], recent = isnan(windows[0]) ? sixty : windows[0];
        ret[i] = (recent + sixty) / 2 - (float)history->peers[i].mean;
    }
}

void shard__features_host(struct shard__history *history, const struct shard__cluster *cluster, int32_t id,
                          int64_t now_ns, float *ret_values)
{
    const struct shard__host *host = &cluster->hosts[id];
    const struct shard__host_history *past = &history->hosts[id];
    shard__history_set_time(history, now_ns);
    OF_HOST(HOST_KEY) = (float)past->key;
    OF_HOST(HOST_SPEED) = (float)host->speed;
    OF_HOST(HOST_RUNNING_SHARE) = share(host->running, host->slots);
    OF_HOST(HOST_CPU_ASKED_SHARE) = share(host->used.cpu_millicores, host->capacity.cpu_millicores);
    OF_HOST(HOST_MEMORY_ASKED_SHARE) = share(host->used.memory_bytes, host->capacity.memory_bytes);
    OF_HOST(HOST_DISK_ASKED_SHARE) = share(host->used.disk_bytes, host->capacity.disk_bytes);
    OF_HOST(HOST_FAILURE_RATE) = rate(&past->tally);
    OF_HOST(HOST_EVIDENCE) = (float)(past->tally.attempts / history->weight);
    OF_HOST(HOST_EXPECTED_FAILURE_RATE) =
        past->tally.attempts > 0 ? (float)(past->tally.expected / past->tally.attempts) : NAN;
    OF_HOST(HOST_RECENT_FAILURE_RATE) =
        past->recent_attempts > 0 ? (float)(past->recent_failures / past->recent_attempts) : NAN;
    OF_HOST(HOST_RECENT_EVIDENCE) = (float)(past->recent_attempts / history->recent_weight);
    OF_HOST(HOST_SECONDS_SINCE_FAILURE) = since(past->tally.failed_ns, now_ns);
    OF_HOST(HOST_SECONDS_SINCE_SUCCESS) = since(past->tally.done_ns, now_ns);
    OF_HOST(HOST_SECONDS_SINCE_JOIN) = since(past->joined_ns, now_ns);
    OF_HOST(HOST_SECONDS_RATIO) = ratio(&past->tally);
}

void shard__features_samples(const struct shard__history *history, const struct shard__cluster *cluster, int32_t id,
                             int64_t wall_ns, float *ret_values)
{
    const struct shard__host *host = &cluster->hosts[id];
    const struct shard__host_history *past = &history->hosts[id];
    OF_HOST(HOST_SAMPLE_AGE_SECONDS) = host->has_sample ? since(host->sample.time_ns, wall_ns) : NAN;
    OF_HOST(HOST_LOAD_PER_CORE) =
        host->has_sample ? (float)(host->sample.load * 1000 / (double)host->capacity.cpu_millicores) : NAN;
    OF_HOST(HOST_TEMPERATURE_CELSIUS) = host->has_sample ? (float)host->sample.temperature_celsius : NAN;
    put_windows(past, wall_ns, &OF_HOST(HOST_CPU_MEAN_10S));
    put_over_peers(history, &OF_HOST(HOST_CPU_PRESSURE_MEAN_10S), &OF_HOST(HOST_CPU_PRESSURE_OVER_PEERS));
}

/* What is asked for over what is free: above 1 does not fit. */
static float over_free(int64_t asked, int64_t capacity, int64_t used)
{
    if (asked <= 0 || capacity <= 0)
        return NAN;
    return used >= capacity ? 1e6f : (float)((double)asked / (double)(capacity - used));
}

void shard__features_pair(struct shard__history *history, const struct shard__cluster *cluster,
                          const struct shard__task_facts *task, int32_t id, double stage_bytes, double stage_seconds,
                          int64_t now_ns, float *ret_values)
{
    static const struct shard__tally never = {.failed_ns = INT64_MIN, .done_ns = INT64_MIN};
    const struct shard__host *host = &cluster->hosts[id];
    const struct shard__tally *pair = shard__history_pair(history, task->kind, id);
    if (pair == NULL)
        pair = &never;
    shard__history_set_time(history, now_ns);
    OF_PAIR(PAIR_FAILURE_RATE) = rate(pair);
    OF_PAIR(PAIR_EVIDENCE) = (float)(pair->attempts / history->weight);
    OF_PAIR(PAIR_SECONDS_SINCE_FAILURE) = since(pair->failed_ns, now_ns);
    OF_PAIR(PAIR_SECONDS_RATIO) = ratio(pair);
    OF_PAIR(PAIR_FAILED_HERE_LAST) = task->last_failed && task->last_host == id ? 1 : 0;
    OF_PAIR(PAIR_CPU_FREE_SHARE) =
        over_free(task->cpu_millicores, host->capacity.cpu_millicores, host->used.cpu_millicores);
    OF_PAIR(PAIR_MEMORY_FREE_SHARE) =
        over_free(task->memory_bytes, host->capacity.memory_bytes, host->used.memory_bytes);
    OF_PAIR(PAIR_DISK_FREE_SHARE) = over_free(task->disk_bytes, host->capacity.disk_bytes, host->used.disk_bytes);
    OF_PAIR(PAIR_STAGE_BYTES) = (float)stage_bytes;
    OF_PAIR(PAIR_STAGE_SECONDS) = isinf(stage_seconds) ? NAN : (float)stage_seconds;
}
