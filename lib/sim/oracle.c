/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: a predictor that knows the law of the simulation, which host is sick now, and what kinds truly need; but
 * not how the dice will fall. What no model can beat. It reads the library's own columns to see who is asked about.
 */

#include <math.h>

#include "base/error.h"
#include "history/history.h"
#include "sim/sim.h"

static const double SURE = 1e6; /* attempts' worth of evidence */

static double column(const float *row, int32_t columns, enum shard__feature id)
{
    return (int32_t)id < columns ? (double)row[id] : NAN;
}

/* That something of which one is due each `mean_seconds` happens within `seconds`. */
static double within(double seconds, double mean_seconds)
{
    return mean_seconds > 0 ? 1 - exp(-seconds / mean_seconds) : 0;
}

static double p_fail(const struct shard__sim *sim, const struct shard__sim_host *host,
                     const struct shard__sim_kind *kind, double work, double seconds, double asked)
{
    const struct shard__sickness *sickness = host->sickness;
    double p_well = 1 - shard__sim_risk(sim, host, kind->frailty, work);
    if (sickness != NULL && !host->is_sick && sickness->well_seconds > 0) {
        double falls_sick = within(seconds, sickness->well_seconds);
        if (sickness->kind == SHARD__SICK_FLAPPING)
            p_well *= 1 - falls_sick;
        else /* it has half of its work left then, in the mean */
            p_well *=
                1 - 0.25 * falls_sick *
                        shard__sim_p_fail(sickness->p_fail, sickness->by_size, kind->frailty, work / 2, sim->mean_work);
    }
    p_well *= 1 - within(seconds, sim->scenario->outage_seconds);
    if (asked > 0 && kind->most_bytes > asked) /* needs are taken as uniform */
        p_well *= kind->least_bytes >= asked ? 0 : (asked - kind->least_bytes) / (kind->most_bytes - kind->least_bytes);
    return 1 - p_well;
}

static void predict_row(const struct shard__sim *sim, const float *row, int32_t columns, double *ret_p,
                        double *ret_seconds)
{
    int32_t host_at = -1, kind_at = -1;
    double host_key = column(row, columns, SHARD__F_HOST_KEY), kind_key = column(row, columns, SHARD__F_TASK_KIND);
    double expected = column(row, columns, SHARD__F_TASK_EXPECTED_SECONDS);
    if (host_key >= 0)
        host_at = shard__intmap_find(&sim->host_of, (uint64_t)host_key);
    if (kind_key >= 0)
        kind_at = shard__intmap_find(&sim->kind_of, (uint64_t)kind_key);
    *ret_p = *ret_seconds = NAN;
    if (host_at < 0 || kind_at < 0 || !(expected >= 0))
        return;
    const struct shard__sim_host *host = &sim->hosts[host_at];
    double work = expected + sim->scenario->overhead_seconds;
    *ret_seconds = work / shard__sim_rate(host);
    *ret_p =
        p_fail(sim, host, &sim->kinds[kind_at], work, *ret_seconds, column(row, columns, SHARD__F_TASK_MEMORY_BYTES));
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    const struct shard__sim *sim = self;
    int64_t stride = rows->stride > 0 ? rows->stride : columns;
    for (int64_t i = 0; i < rows->rows; i++) {
        double p, seconds;
        predict_row(sim, rows->values + i * stride, columns, &p, &seconds);
        if (ret->p_fail != NULL)
            ret->p_fail[i] = p;
        if (ret->seconds != NULL)
            ret->seconds[i] = seconds;
        if (ret->evidence != NULL)
            ret->evidence[i] = isnan(p) ? NAN : SURE;
    }
    return 0;
}

static const struct shard_schema *schema(void *self)
{
    (void)self;
    return shard_history_schema();
}

static const struct shard_predictor port = {
    .struct_size = sizeof(struct shard_predictor), .name = "oracle", .schema = schema, .predict = predict};

struct shard_predictor_handle shard__sim_oracle(struct shard__sim *sim)
{
    return (struct shard_predictor_handle){&port, sim};
}

int shard__sim_key_names(struct shard__sim *sim)
{
    int status = 0;
    for (int32_t i = 0; i < sim->host_count && status == 0; i++) {
        char name[32];
        shard__sim_host_name(i, name);
        status = shard__intmap_set(sim->context, &sim->host_of, shard__name_key(name), i);
    }
    for (int32_t i = 0; i < sim->kind_count && status == 0; i++)
        status = shard__intmap_set(sim->context, &sim->kind_of,
                                   shard__name_key(shard_workflow_kind_name(sim->workflow, i)), i);
    return status;
}
