/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The choice. Each candidate is scored on the two most recent fourteenths of the rows, each by models trained on what
 * had ended before it began; the most recent counts twice. Failures drift: what held up last is what the next rows look
 * like (Gama and others 2013 on evaluating under drift), and older folds would vote for a past that is gone. Log loss
 * is bounded, so that a few rows cannot decide.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "logistic.h"
#include "metrics.h"
#include "trainer.h"

enum { ERROR_BLOCKS = 20, OFFSET_STEPS = 30 };

static const double LOSS_FLOOR = 0.02;
static const double UNFORESEEN = 1.25; /* worse than a fold's own base rate by so much */
static const double MOVING = 2;        /* a base rate that changes by so much from fold to fold is no guide */
static const double DOUBT = 3;         /* standard errors: seven others are compared at once, on few failures */

#define P (1U << SHARD__FAMILY_PRIOR)
#define L (1U << SHARD__FAMILY_LINEAR)
#define T (1U << SHARD__FAMILY_TREES)
#define B (1U << SHARD__FAMILY_PRIOR_TREES)

const struct shard__candidate shard__candidates[SHARD__CANDIDATE_COUNT] = {
    [SHARD__CANDIDATE_PRIOR] = {"prior", P},
    [SHARD__CANDIDATE_LINEAR] = {"linear", L},
    [SHARD__CANDIDATE_TREES] = {"trees", T},
    [SHARD__CANDIDATE_PRIOR_TREES] = {"prior_trees", B},
    [SHARD__CANDIDATE_PRIOR_LINEAR] = {"prior_linear", P | L},
    [SHARD__CANDIDATE_LINEAR_TREES] = {"linear_trees", L | T},
    [SHARD__CANDIDATE_PRIOR_LINEAR_TREES] = {"prior_linear_trees", P | L | T},
    [SHARD__CANDIDATE_ALL] = {"all", P | L | T | B},
};

int64_t shard__ended_rows(const shard_table *table, int64_t end, double now, int32_t *ret_ids)
{
    int64_t count = 0;
    for (int64_t row = 0; row < end; row++) {
        if (!isnan(table->labels[row]) && table->ends[row] <= now)
            ret_ids[count++] = (int32_t)row;
    }
    return count;
}

int64_t shard__ended_before(const shard_table *table, const int32_t *ids, int64_t first, int32_t *ret_ids)
{
    int64_t count = 0;
    for (int64_t i = 0; i < first; i++) {
        if (table->ends[ids[i]] <= table->starts[ids[first]])
            ret_ids[count++] = ids[i];
    }
    return count;
}

int shard__has_both_classes(const shard_table *table, const int32_t *ids, int64_t count)
{
    int failed = 0;
    int good = 0;
    for (int64_t i = 0; i < count && !(failed && good); i++) {
        failed |= table->labels[ids[i]] > 0.5F;
        good |= table->labels[ids[i]] < 0.5F;
    }
    return failed && good;
}

int shard__candidate_find(const char *name)
{
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        if (strcmp(shard__candidates[c].name, name) == 0)
            return c;
    }
    return -1;
}

unsigned shard__families_of(const struct shard_train_config *config)
{
    return config->trees.port != NULL ? P | L | T | B : P | L;
}

int shard__table_check(const shard_table *table)
{
    if (!table->has_label || !table->has_time || !table->has_end)
        return shard__fail(SHARD_EINVAL, "the table has no labels and times to learn from");
    if (table->rows == 0)
        return shard__fail(SHARD_EINVAL, "the table has no rows");
    return 0;
}

int shard__take_train_config(const struct shard_train_config *config, struct shard_train_config *ret_config)
{
    memset(ret_config, 0, sizeof *ret_config);
    ret_config->struct_size = sizeof *ret_config;
    if (config == NULL)
        return 0;
    int status = shard__take_struct(ret_config, sizeof *ret_config, config, "struct shard_train_config");
    if (status < 0 || ret_config->candidate == NULL)
        return status;
    int number = shard__candidate_find(ret_config->candidate);
    if (number < 0)
        return shard__fail(SHARD_EINVAL,
                           "there is no candidate '%s'; there are prior, linear, trees, prior_trees, prior_linear, "
                           "linear_trees, prior_linear_trees and all",
                           ret_config->candidate);
    if (shard__candidates[number].families & ~shard__families_of(ret_config))
        return shard__fail(SHARD_ENOTSUP, "candidate '%s' needs a trainer of trees", ret_config->candidate);
    return 0;
}

int shard__learn(shard_context *context, const shard_table *table, const int32_t *ids, int64_t count,
                 const struct shard_train_config *config, unsigned families, struct shard__bundle *ret_bundle)
{
    struct shard__lesson lesson = {.rows = {.values = table->values,
                                            .columns = (int32_t)table->name_count,
                                            .labels = table->labels,
                                            .ids = ids,
                                            .count = count},
                                   .names = (const char *const *)table->names,
                                   .trees = config->trees,
                                   .seed = config->seed,
                                   .families = families};
    int status = shard__bundle_fit(context, &lesson, ret_bundle);
    if (status < 0)
        shard__bundle_clear(ret_bundle);
    return status;
}

/* Forecasts of rows by models that were trained before: the rows of all folds, one after the other. */
struct trial {
    shard_context *context;
    const shard_table *table;
    const struct shard_train_config *config;
    const int32_t *ids;
    int64_t capacity;
    int64_t count;
    float *labels;
    float *weights;
    float *margins[SHARD__CANDIDATE_COUNT];
    float own_rate[SHARD__FOLD_COUNT];
    int64_t begin[SHARD__FOLD_COUNT + 1];
    int folds;
    unsigned families;
};

static int trial_room(struct trial *trial)
{
    size_t size = (size_t)trial->capacity * sizeof(float);
    trial->labels = shard__zalloc(trial->context, size);
    trial->weights = shard__zalloc(trial->context, size);
    int status = trial->labels != NULL && trial->weights != NULL ? 0 : SHARD_ENOMEM;
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        trial->margins[c] = shard__zalloc(trial->context, size);
        status = trial->margins[c] != NULL ? status : SHARD_ENOMEM;
    }
    return status;
}

static void trial_free(struct trial *trial)
{
    size_t size = (size_t)trial->capacity * sizeof(float);
    shard__release(trial->context, trial->labels, size);
    shard__release(trial->context, trial->weights, size);
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++)
        shard__release(trial->context, trial->margins[c], size);
}

/* Margins of each candidate for row `id`, from those of the families. */
static int try_row(struct trial *trial, const struct shard__bundle *bundle, int32_t id, float weight)
{
    double family[SHARD__FAMILY_COUNT] = {0};
    int64_t columns = (int64_t)trial->table->name_count;
    for (int f = 0; f < SHARD__FAMILY_COUNT; f++) {
        if (!(bundle->families & 1U << f))
            continue;
        int status =
            shard__bundle_margins(bundle, 1U << f, trial->table->values + id * columns, columns, 1, &family[f]);
        if (status < 0)
            return status;
    }
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        double sum = 0;
        for (int f = 0; f < SHARD__FAMILY_COUNT; f++)
            sum += shard__candidates[c].families & 1U << f ? family[f] : 0;
        trial->margins[c][trial->count] = (float)(sum / __builtin_popcount(shard__candidates[c].families));
    }
    trial->labels[trial->count] = trial->table->labels[id];
    trial->weights[trial->count] = weight;
    trial->count++;
    return 0;
}

/* Rows ids[first, end) are forecast by what had ended before the first of them started. Nothing happens when that is of
 * one class. */
static int run_fold(struct trial *trial, int64_t first, int64_t end, float weight, int32_t *lesson)
{
    const shard_table *table = trial->table;
    struct shard__bundle bundle;
    int64_t count = shard__ended_before(table, trial->ids, first, lesson);
    if (!shard__has_both_classes(table, lesson, count))
        return 0;
    int status = shard__learn(trial->context, table, lesson, count, trial->config, trial->families, &bundle);
    if (status < 0)
        return status;
    double failures = 0;
    for (int64_t i = first; status == 0 && i < end; i++) {
        status = try_row(trial, &bundle, trial->ids[i], weight);
        failures += (double)table->labels[trial->ids[i]];
    }
    trial->own_rate[trial->folds++] = (float)(failures / (double)(end - first));
    trial->begin[trial->folds] = trial->count;
    shard__bundle_clear(&bundle);
    return status;
}

static int run_folds(struct trial *trial, int64_t count)
{
    int64_t size = count / SHARD__FOLD_SHARE;
    if (size < SHARD__LEAST_FOLD_ROWS)
        return 0;
    int32_t *lesson = shard__zalloc(trial->context, (size_t)count * sizeof(int32_t));
    int status = lesson != NULL ? 0 : SHARD_ENOMEM;
    float weight = 1;
    for (int f = 0; status == 0 && f < SHARD__FOLD_COUNT; f++, weight *= 2) {
        int64_t first = count - (SHARD__FOLD_COUNT - f) * size;
        status = run_fold(trial, first, first + size, weight, lesson);
    }
    shard__release(trial->context, lesson, (size_t)count * sizeof(int32_t));
    return status;
}

static double loss(double p, float label)
{
    p = p < LOSS_FLOOR ? LOSS_FLOOR : p > 1 - LOSS_FLOOR ? 1 - LOSS_FLOOR : p;
    return label > 0.5F ? -log(p) : -log1p(-p);
}

static double row_loss(const struct trial *trial, int candidate, int64_t row)
{
    return loss(shard__logistic_of((double)trial->margins[candidate][row]), trial->labels[row]);
}

static double trial_loss(const struct trial *trial, int candidate)
{
    double sum = 0;
    double weights = 0;
    for (int64_t i = 0; i < trial->count; i++) {
        sum += (double)trial->weights[i] * row_loss(trial, candidate, i);
        weights += (double)trial->weights[i];
    }
    return sum / weights;
}

/* Whether some candidate did, in every fold, nearly as well as the fold's own base rate. */
static int is_foreseen(const struct trial *trial)
{
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        int folds = 0;
        for (int f = 0; f < trial->folds && !(shard__candidates[c].families & ~trial->families); f++) {
            double sum = 0;
            double own = 0;
            for (int64_t i = trial->begin[f]; i < trial->begin[f + 1]; i++) {
                sum += row_loss(trial, c, i);
                own += loss((double)trial->own_rate[f], trial->labels[i]);
            }
            folds += sum <= UNFORESEEN * own;
        }
        if (folds == trial->folds)
            return 1;
    }
    return 0;
}

static double own_rate_loss(const struct trial *trial)
{
    double sum = 0;
    double weights = 0;
    for (int f = 0; f < trial->folds; f++) {
        for (int64_t i = trial->begin[f]; i < trial->begin[f + 1]; i++) {
            sum += (double)trial->weights[i] * loss((double)trial->own_rate[f], trial->labels[i]);
            weights += (double)trial->weights[i];
        }
    }
    return sum / weights;
}

/* Standard error of the difference of two candidates' losses, by blocks, because failures come in bursts. */
static double difference_error(const struct trial *trial, int a, int b)
{
    double mean = trial_loss(trial, a) - trial_loss(trial, b);
    double squares = 0;
    double all = 0;
    for (int block = 0; block < ERROR_BLOCKS; block++) {
        double sum = 0;
        double weights = 0;
        for (int64_t i = trial->count * block / ERROR_BLOCKS; i < trial->count * (block + 1) / ERROR_BLOCKS; i++) {
            sum += (double)trial->weights[i] * (row_loss(trial, a, i) - row_loss(trial, b, i));
            weights += (double)trial->weights[i];
        }
        squares += (sum - mean * weights) * (sum - mean * weights);
        all += weights;
    }
    return sqrt(squares) / all;
}

/* What must be added to a candidate's margins so that a fold's rows are forecast to fail as often as they did. */
static double offset_of_fold(const struct trial *trial, int candidate, int fold)
{
    double offset = 0;
    for (int step = 0; step < OFFSET_STEPS; step++) {
        double gap = 0;
        double slope = 1e-9;
        for (int64_t i = trial->begin[fold]; i < trial->begin[fold + 1]; i++) {
            double p = shard__logistic_of((double)trial->margins[candidate][i] + offset);
            gap += (double)trial->labels[i] - p;
            slope += p * (1 - p);
        }
        double change = gap / slope;
        offset += change > 1 ? 1 : change < -1 ? -1 : change;
    }
    return offset;
}

/*
 * Calibration on rows that were not trained on: a shift of the log-odds, and only as much of it as every fold asks for,
 * because a base rate that moves up and down is no reason to forecast otherwise.
 */
static double shared_offset(const struct trial *trial, int candidate)
{
    double shared = offset_of_fold(trial, candidate, 0);
    for (int f = 1; f < trial->folds; f++) {
        double change = (double)trial->own_rate[f] / (double)trial->own_rate[f - 1];
        if (!(change >= 1 / MOVING && change <= MOVING))
            return 0;
        double offset = offset_of_fold(trial, candidate, f);
        if (offset * shared <= 0)
            return 0;
        shared = fabs(offset) < fabs(shared) ? offset : shared;
    }
    return shared;
}

static int judge(const struct trial *trial, struct shard__choice *choice)
{
    int best = 0;
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        if (shard__candidates[c].families & ~trial->families)
            continue;
        choice->validation[c] = trial_loss(trial, c);
        best = choice->validation[c] < choice->validation[best] ? c : best;
        choice->offset[c] = shared_offset(trial, c);
    }
    int usual = choice->usual = trial->families & T ? SHARD__CANDIDATE_PRIOR_TREES : SHARD__CANDIDATE_PRIOR_LINEAR;
    choice->own_rate = own_rate_loss(trial);
    choice->is_foreseen = is_foreseen(trial);
    choice->error = difference_error(trial, usual, best);
    if (!choice->is_foreseen)
        choice->chosen = SHARD__CANDIDATE_LINEAR;
    else if (choice->validation[usual] <= choice->validation[best] + DOUBT * choice->error)
        choice->chosen = usual;
    else
        choice->chosen = best;
    return 0;
}

int shard__choose(shard_context *context, const shard_table *table, const int32_t *ids, int64_t count,
                  const struct shard_train_config *config, struct shard__choice *ret_choice)
{
    struct shard__choice choice = {.chosen = SHARD__CANDIDATE_PRIOR};
    struct trial trial = {.context = context,
                          .table = table,
                          .config = config,
                          .ids = ids,
                          .capacity = count,
                          .families = shard__families_of(config)};
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        choice.validation[c] = NAN;
    }
    int status = trial_room(&trial);
    if (status == 0)
        status = run_folds(&trial, count);
    choice.folds = trial.folds;
    if (status == 0 && trial.folds > 0)
        status = judge(&trial, &choice);
    trial_free(&trial);
    if (status < 0)
        return status;
    if (config->candidate != NULL) {
        choice.chosen = shard__candidate_find(config->candidate);
        choice.is_asked_for = 1;
    }
    *ret_choice = choice;
    return 0;
}
