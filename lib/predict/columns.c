/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Column forms. Names are a convention, documented with `shardrun train`: what ends in _rate, _ewma or _frac is a share
 * of the past, "since" a time since something, _id an identity, _n a count that only grows. Where names say nothing,
 * the values do: a share, a "never", a distribution that moves between the two halves of the rows.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "columns.h"
#include "logistic.h"

static const double LINEAR_DRIFT_LIMIT = 0.8;

static int ends_with(const char *name, const char *tail)
{
    size_t size = strlen(name);
    size_t tail_size = strlen(tail);
    return size >= tail_size && strcmp(name + size - tail_size, tail) == 0;
}

static int is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(name, *list) == 0)
            return 1;
    }
    return 0;
}

/* Identities and absolute counts: they mean something else later on. */
static int is_absolute_name(const char *name)
{
    return ends_with(name, "_id") || ends_with(name, "_n") || ends_with(name, "_count") ||
           ends_with(name, "_running") || strstr(name, "arrivals") != NULL;
}

static int is_clock_name(const char *name)
{
    static const char *const clocks[] = {"hour", "weekday", "day", "month", "minute", NULL};
    return is_one_of(name, clocks);
}

static int by_value(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return a < b ? -1 : a > b;
}

/* Values of a column in rows [from, to), without NaN, sorted. Returns how many. */
static int64_t sorted_values(const struct shard__rows *rows, int32_t column, int64_t from, int64_t to, float *ret)
{
    int64_t count = 0;
    for (int64_t i = from; i < to; i++) {
        float value = rows->values[(int64_t)rows->ids[i] * rows->columns + column];
        if (!isnan(value))
            ret[count++] = value;
    }
    qsort(ret, (size_t)count, sizeof(float), by_value);
    return count;
}

/* The largest distance between the two cumulative distributions. */
static double distance(const float *a, int64_t a_count, const float *b, int64_t b_count)
{
    double largest = 0;
    int64_t i = 0;
    int64_t j = 0;
    while (i < a_count && j < b_count) {
        float value = a[i] < b[j] ? a[i] : b[j];
        while (i < a_count && a[i] <= value)
            i++;
        while (j < b_count && b[j] <= value)
            j++;
        double gap = fabs((double)i / (double)a_count - (double)j / (double)b_count);
        largest = gap > largest ? gap : largest;
    }
    return largest;
}

static enum shard__column_form form_of(const float *early, int64_t early_count, const float *late, int64_t late_count)
{
    if (early_count + late_count == 0)
        return SHARD__FORM_CONSTANT;
    float least = early_count == 0 || (late_count > 0 && late[0] < early[0]) ? late[0] : early[0];
    float most = late_count == 0 || (early_count > 0 && early[early_count - 1] > late[late_count - 1])
                     ? early[early_count - 1]
                     : late[late_count - 1];
    int others = 0; /* a value that is neither the least nor the most, and one of at least 0 besides -1 */
    int between = 0;
    for (int64_t i = 0; i < early_count + late_count && !(others && between); i++) {
        float value = i < early_count ? early[i] : late[i - early_count];
        others |= value != least && value != most;
        between |= value > -1 && value < 0;
    }
    if (least == most)
        return SHARD__FORM_CONSTANT;
    if (least >= 0 && most <= 1)
        return others ? SHARD__FORM_SHARE : SHARD__FORM_FLAG;
    if (least == -1 && !between && others)
        return SHARD__FORM_SINCE;
    return SHARD__FORM_AMOUNT;
}

int shard__columns_profile(const shard_context *context, const struct shard__rows *rows, const char *const *names,
                           struct shard__column *ret_columns)
{
    size_t size = (size_t)(rows->count + 1) * sizeof(float);
    float *early = shard__zalloc(context, size);
    float *late = shard__zalloc(context, size);
    int status = early != NULL && late != NULL ? 0 : SHARD_ENOMEM;
    for (int32_t j = 0; status == 0 && j < rows->columns; j++) {
        struct shard__column *column = &ret_columns[j];
        int64_t early_count = sorted_values(rows, j, 0, rows->count / 2, early);
        int64_t late_count = sorted_values(rows, j, rows->count / 2, rows->count, late);
        column->form = form_of(early, early_count, late, late_count);
        column->largest = early_count > 0 ? early[early_count - 1] : 0;
        if (late_count > 0 && late[late_count - 1] > column->largest)
            column->largest = late[late_count - 1];
        /* A rate stays one where all or nothing failed. */
        int is_share = column->form == SHARD__FORM_SHARE || column->form == SHARD__FORM_FLAG;
        column->is_decayed = is_share && ends_with(names[j], "ewma");
        column->is_rate = column->is_decayed || (is_share && ends_with(names[j], "rate"));
        column->is_relative = !is_absolute_name(names[j]);
        column->is_clock = is_clock_name(names[j]);
        column->drift = column->form == SHARD__FORM_AMOUNT ? distance(early, early_count, late, late_count) : 0;
    }
    shard__release(context, early, size);
    shard__release(context, late, size);
    return status;
}

static void add_term(struct shard__term *terms, int32_t *count, int32_t column, enum shard__operation operation,
                     double extra, double bound)
{
    terms[(*count)++] =
        (struct shard__term){.column = column, .operation = operation, .extra = extra, .scale = 1, .bound = bound};
}

int32_t shard__terms_choose(const struct shard__column *columns, int32_t count, int steady_only,
                            enum shard__shape shape, struct shard__term *ret_terms)
{
    int32_t terms = 0;
    for (int32_t j = 0; j < count; j++) {
        const struct shard__column *column = &columns[j];
        if (column->form == SHARD__FORM_CONSTANT ||
            (steady_only && !shard__column_is_steady(column, LINEAR_DRIFT_LIMIT)))
            continue;
        if (shape == SHARD__SHAPE_PLAIN || column->form == SHARD__FORM_FLAG) {
            add_term(ret_terms, &terms, j, SHARD__OPERATION_PLAIN, 0, 8);
        } else if (column->form == SHARD__FORM_SHARE) {
            add_term(ret_terms, &terms, j, SHARD__OPERATION_LOGIT, 0, 6);
        } else if (column->form == SHARD__FORM_SINCE) {
            double never = log1p(column->largest > 1 ? (double)column->largest : 1);
            add_term(ret_terms, &terms, j, SHARD__OPERATION_NEVER, 0, 6);
            add_term(ret_terms, &terms, j, SHARD__OPERATION_SINCE, never, 6);
        } else {
            add_term(ret_terms, &terms, j, SHARD__OPERATION_LOG, 0, 6);
        }
    }
    return terms;
}

int32_t shard__terms_rates(const struct shard__column *columns, int32_t count, int decayed_only, double base_rate,
                           struct shard__term *ret_terms)
{
    int any_decayed = 0;
    int any_rate = 0;
    for (int32_t j = 0; j < count; j++) {
        any_decayed |= columns[j].is_decayed;
        any_rate |= columns[j].is_rate;
    }
    int32_t terms = 0;
    for (int32_t j = 0; j < count; j++) {
        int fits = decayed_only && any_decayed ? columns[j].is_decayed
                   : any_rate                  ? columns[j].is_rate
                                               : columns[j].form == SHARD__FORM_SHARE;
        if (fits)
            add_term(ret_terms, &terms, j, SHARD__OPERATION_RATE, base_rate, INFINITY);
    }
    return terms;
}

static double operate(const struct shard__term *term, double x)
{
    static const double drawn = 0.02; /* share of the base rate in a rate */
    switch (term->operation) {
    case SHARD__OPERATION_LOGIT:
        return shard__logit(x < 0.001 ? 0.001 : x > 0.999 ? 0.999 : x);
    case SHARD__OPERATION_LOG:
        return x < 0 ? -log1p(-x) : log1p(x);
    case SHARD__OPERATION_NEVER:
        return x < 0;
    case SHARD__OPERATION_SINCE:
        return x < 0 ? term->extra : log1p(x);
    case SHARD__OPERATION_RATE:
        x = x < 0 ? 0 : x > 1 ? 1 : x;
        return shard__logit((1 - drawn) * x + drawn * term->extra);
    case SHARD__OPERATION_PLAIN:
    default:
        return x;
    }
}

void shard__terms_standardise(struct shard__term *terms, int32_t count, const struct shard__rows *rows)
{
    for (int32_t k = 0; k < count; k++) {
        struct shard__term *term = &terms[k];
        double sum = 0;
        double squares = 0;
        int64_t known = 0;
        for (int64_t i = 0; i < rows->count; i++) {
            float value = rows->values[(int64_t)rows->ids[i] * rows->columns + term->column];
            if (isnan(value))
                continue;
            double x = operate(term, (double)value);
            known++;
            double off = x - sum / (double)(known > 1 ? known - 1 : 1);
            sum += x;
            squares += known > 1 ? off * (x - sum / (double)known) : 0;
        }
        double deviation = known > 0 ? sqrt(squares / (double)known) : 0;
        term->middle = known > 0 ? sum / (double)known : 0;
        term->scale = deviation > 1e-9 * (1 + fabs(term->middle)) ? 1 / deviation : 0;
    }
}

void shard__terms_apply(const struct shard__term *terms, int32_t count, const float *values, float *ret_row)
{
    for (int32_t k = 0; k < count; k++) {
        const struct shard__term *term = &terms[k];
        float value = values[term->column];
        double x = isnan(value) ? 0 : (operate(term, (double)value) - term->middle) * term->scale;
        if (isnan(value) && term->operation == SHARD__OPERATION_RATE)
            x = shard__logit(term->extra);
        ret_row[k] = (float)(x > term->bound ? term->bound : x < -term->bound ? -term->bound : x);
    }
}
