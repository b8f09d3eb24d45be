/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The solver. The ridge keeps the Hessian positive definite, so that Cholesky cannot fail on columns that say the same,
 * and keeps coefficients finite on labels that are separable.
 */

#include <math.h>
#include <string.h>

#include "logistic.h"

enum { MAX_STEPS = 40, MAX_HALVINGS = 12 };

static const double INTERCEPT_RIDGE = 1e-4; /* finite with labels of one class */
static const double TOLERANCE = 1e-7;       /* of the objective, relative */

struct solver {
    const struct shard__logistic *problem;
    int32_t size; /* columns + 1 */
    double *gradient;
    double *hessian; /* size x size, lower triangle */
    double *step;
    double *trial;
    double *row;
    int *active;
};

double shard__logistic_of(double margin)
{
    return margin >= 0 ? 1 / (1 + exp(-margin)) : exp(margin) / (1 + exp(margin));
}

double shard__logit(double p)
{
    p = p < 1e-7 ? 1e-7 : p > 1 - 1e-7 ? 1 - 1e-7 : p;
    return log(p / (1 - p));
}

static double margin_of(const double *coefficients, const float *row, int32_t columns)
{
    double margin = coefficients[0];
    for (int32_t j = 0; j < columns; j++)
        margin += coefficients[j + 1] * (double)row[j];
    return margin;
}

static double target_of(const struct shard__logistic *problem, int32_t j)
{
    return problem->targets != NULL ? problem->targets[j - 1] : 0;
}

static double penalty(const struct shard__logistic *problem, const double *coefficients)
{
    double sum = INTERCEPT_RIDGE * coefficients[0] * coefficients[0];
    for (int32_t j = 1; j <= problem->columns; j++) {
        double off = coefficients[j] - target_of(problem, j);
        sum += problem->ridge * off * off;
    }
    return sum / 2;
}

static double objective(const struct shard__logistic *problem, const double *coefficients)
{
    double sum = penalty(problem, coefficients);
    for (int64_t i = 0; i < problem->count; i++) {
        double z = margin_of(coefficients, problem->design + i * problem->columns, problem->columns);
        double loss = (z > 0 ? z : 0) + log1p(exp(-fabs(z))) - (double)problem->labels[i] * z;
        sum += (double)problem->weights[i] * loss;
    }
    return sum;
}

static void derive(struct solver *solver, const double *coefficients)
{
    const struct shard__logistic *problem = solver->problem;
    int32_t size = solver->size;
    memset(solver->gradient, 0, (size_t)size * sizeof(double));
    memset(solver->hessian, 0, (size_t)size * (size_t)size * sizeof(double));
    double *row = solver->row;
    row[0] = 1;
    for (int64_t i = 0; i < problem->count; i++) {
        const float *design = problem->design + i * problem->columns;
        double p = shard__logistic_of(margin_of(coefficients, design, problem->columns));
        double weight = (double)problem->weights[i];
        double slope = weight * (p - (double)problem->labels[i]);
        double curvature = weight * p * (1 - p);
        for (int32_t j = 1; j < size; j++)
            row[j] = (double)design[j - 1];
        for (int32_t j = 0; j < size; j++) {
            double scaled = curvature * row[j];
            double *line = solver->hessian + (size_t)j * (size_t)size;
            solver->gradient[j] += slope * row[j];
            for (int32_t k = 0; k <= j; k++)
                line[k] += scaled * row[k];
        }
    }
    solver->gradient[0] += INTERCEPT_RIDGE * coefficients[0];
    solver->hessian[0] += INTERCEPT_RIDGE;
    for (int32_t j = 1; j < size; j++) {
        solver->gradient[j] += problem->ridge * (coefficients[j] - target_of(problem, j));
        solver->hessian[(size_t)j * (size_t)size + (size_t)j] += problem->ridge;
    }
}

/* A coefficient at its bound that would have to go below it takes no part in the step. */
static void choose_active(struct solver *solver, const double *coefficients)
{
    for (int32_t j = 0; j < solver->size; j++)
        solver->active[j] =
            j == 0 || !solver->problem->not_negative || coefficients[j] > 1e-9 || solver->gradient[j] < 0;
    for (int32_t j = 0; j < solver->size; j++) {
        if (solver->active[j])
            continue;
        double *line = solver->hessian + (size_t)j * (size_t)solver->size;
        memset(line, 0, (size_t)(j + 1) * sizeof(double));
        for (int32_t k = j; k < solver->size; k++)
            solver->hessian[(size_t)k * (size_t)solver->size + (size_t)j] = 0;
        line[j] = 1;
        solver->gradient[j] = 0;
    }
}

/* Cholesky in place, then two triangular solves. */
static void solve(struct solver *solver)
{
    int32_t size = solver->size;
    double *a = solver->hessian;
    double *x = solver->step;
    for (int32_t j = 0; j < size; j++) {
        for (int32_t i = j; i < size; i++) {
            double sum = a[(size_t)i * (size_t)size + (size_t)j];
            for (int32_t k = 0; k < j; k++)
                sum -= a[(size_t)i * (size_t)size + (size_t)k] * a[(size_t)j * (size_t)size + (size_t)k];
            double *cell = &a[(size_t)i * (size_t)size + (size_t)j];
            *cell = i == j ? sqrt(sum > 1e-12 ? sum : 1e-12) : sum / a[(size_t)j * (size_t)size + (size_t)j];
        }
    }
    for (int32_t i = 0; i < size; i++) {
        double sum = solver->gradient[i];
        for (int32_t k = 0; k < i; k++)
            sum -= a[(size_t)i * (size_t)size + (size_t)k] * x[k];
        x[i] = sum / a[(size_t)i * (size_t)size + (size_t)i];
    }
    for (int32_t i = size - 1; i >= 0; i--) {
        double sum = x[i];
        for (int32_t k = i + 1; k < size; k++)
            sum -= a[(size_t)k * (size_t)size + (size_t)i] * x[k];
        x[i] = sum / a[(size_t)i * (size_t)size + (size_t)i];
    }
}

/* Goes along the step, half as far as long as that is no better. Returns the new objective. */
static double advance(struct solver *solver, double *coefficients, double before)
{
    double scale = 1;
    for (int halving = 0; halving < MAX_HALVINGS; halving++, scale /= 2) {
        for (int32_t j = 0; j < solver->size; j++) {
            solver->trial[j] = coefficients[j] - scale * solver->step[j];
            if (j > 0 && solver->problem->not_negative && solver->trial[j] < 0)
                solver->trial[j] = 0;
        }
        double after = objective(solver->problem, solver->trial);
        if (after <= before) {
            memcpy(coefficients, solver->trial, (size_t)solver->size * sizeof(double));
            return after;
        }
    }
    return before;
}

static void descend(struct solver *solver, double *coefficients)
{
    double before = objective(solver->problem, coefficients);
    for (int step = 0; step < MAX_STEPS; step++) {
        derive(solver, coefficients);
        choose_active(solver, coefficients);
        solve(solver);
        double after = advance(solver, coefficients, before);
        if (before - after <= TOLERANCE * fabs(before))
            return;
        before = after;
    }
}

static double mean_label(const struct shard__logistic *problem)
{
    double sum = 0.5;
    double weight = 1;
    for (int64_t i = 0; i < problem->count; i++) {
        sum += (double)problem->weights[i] * (double)problem->labels[i];
        weight += (double)problem->weights[i];
    }
    return sum / weight;
}

int shard__logistic_fit(const shard_context *context, const struct shard__logistic *problem, double *ret_coefficients)
{
    size_t size = (size_t)problem->columns + 1;
    size_t numbers = size * (size + 4);
    double *memory = shard__zalloc(context, numbers * sizeof(double));
    int *active = shard__zalloc(context, size * sizeof(int));
    int status = SHARD_ENOMEM;
    if (memory != NULL && active != NULL) {
        struct solver solver = {problem,           (int32_t)size,     memory, memory + 4 * size, memory + size,
                                memory + 2 * size, memory + 3 * size, active};
        ret_coefficients[0] = problem->not_negative ? 0 : shard__logit(mean_label(problem));
        for (size_t j = 1; j < size; j++)
            ret_coefficients[j] = target_of(problem, (int32_t)j);
        descend(&solver, ret_coefficients);
        status = 0;
    }
    shard__release(context, active, size * sizeof(int));
    shard__release(context, memory, numbers * sizeof(double));
    return status;
}
