/* SPDX-License-Identifier: Apache-2.0 */
/* Lines through what attempts held, fitted when they are asked. What is not known, or below 1, is no point. */

#include "needs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Points before anything is said; the share of them that a request must cover. */
enum { FEWEST = 5 };
static const double quantile = 0.95;
/* What held so much of what it asked for, and ran out, has run out of that; it is taken to need so many times it. */
static const double was_full = 0.95, runs_out_growth = 2;

static int compare(const void *one, const void *other)
{
    float a = *(const float *)one, b = *(const float *)other;
    return a < b ? -1 : a > b;
}

/* The slope is shrunk to 0 as if by one attempt of spread 1, and nothing grows faster than its input. */
static void fit(struct shard__need_line *line)
{
    double n = line->count, x = 0, y = 0, xx = 0, xy = 0;
    float residuals[SHARD__NEED_POINTS] = {0};
    for (int32_t i = 0; i < line->count; i++) {
        x += (double)line->x[i] / n;
        y += (double)line->y[i] / n;
    }
    for (int32_t i = 0; i < line->count; i++) {
        xx += ((double)line->x[i] - x) * ((double)line->x[i] - x);
        xy += ((double)line->x[i] - x) * ((double)line->y[i] - y);
    }
    line->slope = (float)fmin(fmax(xy / (xx + 1), 0), 1);
    for (int32_t i = 0; i < line->count; i++)
        residuals[i] = line->y[i] - line->slope * line->x[i];
    qsort(residuals, (size_t)line->count, sizeof(*residuals), compare);
    line->level = residuals[(int32_t)ceil(quantile * n) - 1];
    line->is_fitted = 1;
}

/* NULL: there is no memory for the kind, or it has no number. */
static struct shard__need_line *line_of(struct shard__needs *needs, enum shard__needed what, int32_t kind)
{
    if (kind < 0)
        return NULL;
    if (kind >= needs->kind_count) {
        if (shard__grow(needs->context, &needs->kinds, &needs->kind_capacity, (size_t)kind + 1, sizeof(*needs->kinds)) <
            0)
            return NULL;
        memset(needs->kinds + needs->kind_count, 0, (size_t)(kind + 1 - needs->kind_count) * sizeof(*needs->kinds));
        needs->kind_count = kind + 1;
    }
    return &needs->kinds[kind][what];
}

static float log_size(double size)
{
    return size > 0 && isfinite(size) ? (float)log1p(size) : 0;
}

static void add(struct shard__need_line *line, double size, double bytes)
{
    line->x[line->next] = log_size(size);
    line->y[line->next] = (float)log(bytes);
    line->next = (line->next + 1) % SHARD__NEED_POINTS;
    line->count += line->count < SHARD__NEED_POINTS;
    line->is_fitted = 0;
}

void shard__needs_done(struct shard__needs *needs, enum shard__needed what, const struct shard__need_seen *seen)
{
    struct shard__need_line *line = seen->held <= 0 ? NULL : line_of(needs, what, seen->kind);
    if (line != NULL)
        add(line, seen->size, (double)seen->held);
}

int shard__need_was_full(int64_t asked, int64_t held)
{
    return asked <= 0 || held <= 0 ? -1 : (double)held >= was_full * (double)asked;
}

void shard__needs_ran_out(struct shard__needs *needs, enum shard__needed what, const struct shard__need_seen *seen)
{
    double asked = (double)seen->asked, held = (double)seen->held;
    struct shard__need_line *line =
        shard__need_was_full(seen->asked, seen->held) == 1 ? line_of(needs, what, seen->kind) : NULL;
    if (line == NULL)
        return;
    line->has_run_out = 1;
    add(line, seen->size, held > asked ? held : runs_out_growth * asked);
}

int64_t shard__needs_ask(struct shard__needs *needs, enum shard__needed what, int32_t kind, double size, int64_t told,
                         int64_t asked, int has_failed)
{
    struct shard__need_line *line = kind >= 0 && kind < needs->kind_count ? &needs->kinds[kind][what] : NULL;
    if (line == NULL || line->count < FEWEST || (told > 0 && !line->has_run_out))
        return asked;
    if (!line->is_fitted)
        fit(line);
    double bytes = SHARD__NEED_MARGIN * exp((double)line->level + (double)line->slope * (double)log_size(size));
    int64_t learned = bytes < 9e18 ? (int64_t)ceil(bytes) : INT64_MAX;
    int64_t least = has_failed ? asked : told;
    return learned > least ? learned : least;
}

void shard__needs_free(struct shard__needs *needs)
{
    shard__release(needs->context, needs->kinds, needs->kind_capacity * sizeof(*needs->kinds));
}
