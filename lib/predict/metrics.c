/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measures. ROC-AUC by ranks, equal forecasts share theirs (Mann and Whitney 1947). PR-AUC is average precision:
 * the sum over forecasts, from the highest, of precision times the recall gained, equal forecasts as one step; no
 * interpolation (Davis and Goadrich 2006 say why). The calibration error has ten bins of equal width.
 */

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "metrics.h"

struct forecast {
    double p;
    float label;
};

static int by_falling_p(const void *left, const void *right)
{
    const struct forecast *a = left;
    const struct forecast *b = right;
    return a->p < b->p ? 1 : a->p > b->p ? -1 : 0;
}

/* ROC-AUC and average precision in one walk from the highest forecast down. */
static void rank_measures(struct forecast *sorted, int64_t count, struct shard_score *score)
{
    double failures = 0;
    for (int64_t i = 0; i < count; i++)
        failures += (double)sorted[i].label;
    double good = (double)count - failures;
    double caught = 0;
    double area = 0;
    double precision = 0;
    for (int64_t i = 0; i < count;) {
        int64_t end = i;
        double hits = 0;
        for (; end < count && sorted[end].p == sorted[i].p; end++)
            hits += (double)sorted[end].label;
        area += ((double)(end - i) - hits) * (caught + hits / 2);
        caught += hits;
        precision += hits * caught / (double)end;
        i = end;
    }
    score->roc_auc = failures > 0 && good > 0 ? area / (failures * good) : NAN;
    score->pr_auc = failures > 0 ? precision / failures : NAN;
}

static double log_loss_of(double p, double label, double floor)
{
    p = p < floor ? floor : p > 1 - floor ? 1 - floor : p;
    return -(label > 0.5 ? log(p) : log1p(-p));
}

static void value_measures(const struct forecast *forecasts, int64_t count, struct shard_score *score)
{
    double gap[SHARD__RELIABILITY_BINS] = {0};
    for (int64_t i = 0; i < count; i++) {
        double p = forecasts[i].p;
        double label = (double)forecasts[i].label;
        int bin = (int)(p * SHARD__RELIABILITY_BINS);
        gap[bin >= SHARD__RELIABILITY_BINS ? SHARD__RELIABILITY_BINS - 1 : bin] += p - label;
        score->base_rate += label;
        score->brier += (p - label) * (p - label);
        score->log_loss += log_loss_of(p, label, 1e-15);
    }
    for (int bin = 0; bin < SHARD__RELIABILITY_BINS; bin++)
        score->ece += fabs(gap[bin]);
    score->base_rate /= (double)count;
    score->brier /= (double)count;
    score->log_loss /= (double)count;
    score->ece /= (double)count;
}

int shard__score(const shard_context *context, const double *p_fail, const float *labels, int64_t count,
                 struct shard_score *ret_score)
{
    struct shard_score score = {.struct_size = sizeof score};
    struct forecast *forecasts = shard__zalloc(context, (size_t)(count + 1) * sizeof *forecasts);
    if (forecasts == NULL)
        return SHARD_ENOMEM;
    for (int64_t i = 0; i < count; i++) {
        if (!isnan(labels[i]))
            forecasts[score.rows++] = (struct forecast){p_fail[i], labels[i]};
    }
    if (score.rows > 0) {
        value_measures(forecasts, score.rows, &score);
        qsort(forecasts, (size_t)score.rows, sizeof *forecasts, by_falling_p);
        rank_measures(forecasts, score.rows, &score);
    } else {
        score.base_rate = score.roc_auc = score.pr_auc = score.brier = score.log_loss = score.ece = NAN;
    }
    shard__release(context, forecasts, (size_t)(count + 1) * sizeof *forecasts);
    *ret_score = score;
    return 0;
}

double shard__bounded_log_loss(const double *p_fail, const float *labels, int64_t count, double floor)
{
    double sum = 0;
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(labels[i]))
            continue;
        sum += log_loss_of(p_fail[i], (double)labels[i], floor);
        rows++;
    }
    return rows > 0 ? sum / (double)rows : NAN;
}

int shard_score_forecasts(const shard_context *context, const double *p_fail, const float *labels, int64_t count,
                          struct shard_score *ret_score)
{
    shard__clear_error();
    for (int64_t i = 0; i < count; i++) {
        if (!(p_fail[i] >= 0 && p_fail[i] <= 1) && !isnan(labels[i]))
            return shard__fail(SHARD_EINVAL, "forecast %lld is %g, a probability was expected", (long long)i,
                               p_fail[i]);
    }
    struct shard_score score;
    int status = shard__score(context, p_fail, labels, count, &score);
    return status < 0 ? status : shard__give_struct(ret_score, &score, sizeof score, "struct shard_score");
}
