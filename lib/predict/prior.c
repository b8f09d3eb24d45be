/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prior: a forecast from the rates that a history keeps and from pressure that hosts are under, without any
 * training. On the scale of log-odds, so that what a kind and what a host add to each other stays a probability;
 * contributions are what each step changes. What pressure stands for is guessed at first, and learnt as attempts end.
 */

#include <math.h>
#include <string.h>

#include <shard/history.h>

#include "base/error.h"
#include "history/history.h"
#include "signs.h"
#include "usual.h"

/* As so many attempts counts what a rate is shrunk to; and what is taken of everything before anything was seen. */
enum { BEHIND = 3, BEHIND_ALL = 10 };
static const double first_guess = 0.02;
/* Log-odds for each share of the time that tasks stall for CPU, memory and I/O beyond what they do on other hosts,
   before anything was seen; and how sure that is. What is beyond the usual counts as so many attempts. */
static const double first_weights[SHARD__SIGNS] = {6, 20, 18};
static const double first_deviation = 10;
enum { SIGNS_ATTEMPTS = 16 };
/* And to the logarithm of seconds: who stalls a tenth of the time is a tenth slower. Attempts vary by so much, and
   pressure makes none slower than so many times. */
static const double first_slowness[SHARD__SIGNS] = {1, 1, 1};
static const double slowness_deviation = 3, seconds_deviation = 0.3, most_slowness = 20;

/* The columns that are read, each with its place in the schema and in its group's rows; -1: it has none. */
struct column {
    int32_t at, in_group;
};

struct prior {
    const shard_context *context;
    struct shard_schema schema;
    struct column columns[SHARD__F_COUNT];
    int32_t group_columns[3];
    struct shard__signs signs; /* of failure */
    struct shard__signs slowness;
    struct shard__usual usual[2]; /* in rows of a group, and in rows of all columns */
};

/* A side's rows as they were set. */
struct side {
    enum shard_feature_group group;
    int32_t rows, columns;
    float values[];
};

/* One pair, whichever form it came in. */
struct row {
    const struct prior *prior;
    const float *of[3]; /* rows of the groups; NULL: not known */
    int is_whole;       /* all three are the same row of all columns */
};

static double get(const struct row *row, enum shard__feature id)
{
    const struct column *column = &row->prior->columns[id];
    int group = id < SHARD__F_HOST_KEY ? 0 : id < SHARD__F_PAIR_FAILURE_RATE ? 1 : 2;
    if (column->at < 0 || row->of[group] == NULL)
        return NAN;
    return (double)row->of[group][row->is_whole ? column->at : column->in_group];
}

static double get_or(const struct row *row, enum shard__feature id, double otherwise)
{
    double value = get(row, id);
    return isfinite(value) ? value : otherwise;
}

static double logit(double p)
{
    return log(p / (1 - p));
}

static double clamp(double p)
{
    return p < 1e-4 ? 1e-4 : p > 1 - 1e-4 ? 1 - 1e-4 : p;
}

/* A rate seen in so many, shrunk to another as if that had been seen in `behind`. */
static double shrink(double rate, double evidence, double to, double behind)
{
    if (!(evidence > 0) || isnan(rate))
        return to;
    return (rate * evidence + to * behind) / (evidence + behind);
}

/* What a host's rate says, against what its kinds let expect: a difference of log-odds. */
static double host_margin(const struct row *row, double everything, int is_recent, double before)
{
    double expected = clamp(get_or(row, SHARD__F_HOST_EXPECTED_FAILURE_RATE, everything));
    double rate = get(row, is_recent ? SHARD__F_HOST_RECENT_FAILURE_RATE : SHARD__F_HOST_FAILURE_RATE);
    double evidence = get(row, is_recent ? SHARD__F_HOST_RECENT_EVIDENCE : SHARD__F_HOST_EVIDENCE);
    double to = is_recent ? 1 / (1 + exp(-(logit(expected) + before))) : expected;
    return logit(clamp(shrink(rate, evidence, to, BEHIND))) - logit(expected);
}

/* Steps of a forecast, in the order in which they are added up. */
enum step { ALL, KIND, HOST, RECENT, FIRST_SIGN, PAIR = FIRST_SIGN + SHARD__SIGNS, TASK, STEPS };

/* What each step stands for in contributions. */
static const enum shard__feature step_columns[STEPS] = {
    SHARD__F_ALL_FAILURE_RATE,
    SHARD__F_KIND_FAILURE_RATE,
    SHARD__F_HOST_FAILURE_RATE,
    SHARD__F_HOST_RECENT_FAILURE_RATE,
    SHARD__F_HOST_CPU_PRESSURE_OVER_PEERS,
    SHARD__F_HOST_MEMORY_PRESSURE_OVER_PEERS,
    SHARD__F_HOST_IO_PRESSURE_OVER_PEERS,
    SHARD__F_PAIR_FAILURE_RATE,
    SHARD__F_TASK_FAILURES,
};

static void read_signs(const struct row *row, double *ret_values)
{
    for (int i = 0; i < SHARD__SIGNS; i++)
        ret_values[i] = get_or(row, step_columns[FIRST_SIGN + i], 0);
}

/* The probability, with what `signs` adds to each step of its own; NULL: without them. */
static double margins(const struct row *row, const struct shard__signs *signs, double *ret_steps)
{
    double values[SHARD__SIGNS];
    read_signs(row, values);
    double everything =
        clamp(shrink(get(row, SHARD__F_ALL_FAILURE_RATE), get(row, SHARD__F_ALL_EVIDENCE), first_guess, BEHIND_ALL));
    double kind =
        clamp(shrink(get(row, SHARD__F_KIND_FAILURE_RATE), get(row, SHARD__F_KIND_EVIDENCE), everything, BEHIND));
    double host = host_margin(row, everything, 0, 0);
    double recent = host_margin(row, everything, 1, host);
    double margin = logit(kind) + recent;
    for (int i = 0; i < SHARD__SIGNS; i++) {
        ret_steps[FIRST_SIGN + i] = signs == NULL ? 0 : signs->mean[i] * values[i];
        margin += ret_steps[FIRST_SIGN + i];
    }
    double here = 1 / (1 + exp(-margin));
    double pair = shrink(get(row, SHARD__F_PAIR_FAILURE_RATE), get(row, SHARD__F_PAIR_EVIDENCE), here, BEHIND);
    /* What failed before fails again more often, wherever: its own attempts are a rate too. */
    double failures = get_or(row, SHARD__F_TASK_FAILURES, 0);
    double task = shrink(1, failures, pair, 2.0 * BEHIND);
    ret_steps[ALL] = logit(everything) - logit(first_guess);
    ret_steps[KIND] = logit(kind) - logit(everything);
    ret_steps[HOST] = host;
    ret_steps[RECENT] = recent - host;
    ret_steps[PAIR] = logit(clamp(pair)) - margin;
    ret_steps[TASK] = logit(clamp(task)) - logit(clamp(pair));
    return clamp(task);
}

/* What is known of the pair itself, what its kind and host, the lesser of them, stand for, and the host's pressure. */
static double evidence(const struct row *row)
{
    double pressure = isfinite(get(row, SHARD__F_HOST_IO_PRESSURE_OVER_PEERS)) ? SIGNS_ATTEMPTS : 0;
    double kind = get_or(row, SHARD__F_KIND_EVIDENCE, 0), host = get_or(row, SHARD__F_HOST_EVIDENCE, 0);
    double both = kind < host ? kind : host;
    return get_or(row, SHARD__F_PAIR_EVIDENCE, 0) + BEHIND * both / (both + BEHIND) + pressure;
}

static double usual_seconds(const struct row *row)
{
    const struct shard__usual *usual = &row->prior->usual[row->is_whole];
    if (row->of[SHARD_FEATURE_TASK] == NULL || row->of[SHARD_FEATURE_HOST] == NULL)
        return NAN;
    return shard__usual_of_task(usual, row->of[SHARD_FEATURE_TASK]) *
           shard__usual_of_host(usual, row->of[SHARD_FEATURE_HOST]);
}

static double seconds(const struct row *row)
{
    double signs[SHARD__SIGNS];
    read_signs(row, signs);
    double over = shard__signs_sum(&row->prior->slowness, signs);
    return usual_seconds(row) * exp(fmin(fmax(over, 0), log(most_slowness)));
}

static void forecast(const struct row *row, int64_t at, const struct shard_forecasts *ret)
{
    double steps[STEPS];
    if (ret->p_fail != NULL)
        ret->p_fail[at] = margins(row, &row->prior->signs, steps);
    if (ret->evidence != NULL)
        ret->evidence[at] = evidence(row);
    if (ret->seconds == NULL)
        return;
    double value = seconds(row);
    ret->seconds[at] = isfinite(value) && value >= 0 ? value : NAN;
}

static const struct shard_schema *get_schema(void *self)
{
    return &((struct prior *)self)->schema;
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    int64_t stride = rows->stride != 0 ? rows->stride : columns;
    for (int64_t i = 0; i < rows->rows; i++) {
        const float *values = rows->values + i * stride;
        struct row row = {self, {values, values, values}, 1};
        forecast(&row, i, ret);
    }
    return 0;
}

static int contributions(void *self, const float *values, int32_t columns, double *ret_contributions)
{
    const struct prior *prior = self;
    struct row row = {prior, {values, values, values}, 1};
    double steps[STEPS];
    for (int32_t i = 0; i <= columns; i++)
        ret_contributions[i] = 0;
    margins(&row, &prior->signs, steps);
    ret_contributions[columns] = logit(first_guess);
    for (int i = 0; i < STEPS; i++) {
        int32_t at = prior->columns[step_columns[i]].at;
        ret_contributions[at >= 0 ? at : columns] += steps[i];
    }
    return 0;
}

static void observe(void *self, const struct shard_observation *observation)
{
    struct prior *prior = self;
    const float *values = observation->row;
    struct row row = {prior, {values, values, values}, 1};
    double steps[STEPS], signs[SHARD__SIGNS];
    if (isnan(observation->failed))
        return;
    read_signs(&row, signs);
    shard__signs_learn(&prior->signs, signs, logit(margins(&row, NULL, steps)), observation->failed);
    double over = log(observation->seconds / usual_seconds(&row));
    if (observation->failed == 0 && isfinite(over))
        shard__signs_measure(&prior->slowness, signs, over, seconds_deviation);
}

static int block_set(void *self, void *block, int32_t first, const struct shard_matrix *rows)
{
    struct side *side = block;
    int64_t stride = rows->stride != 0 ? rows->stride : side->columns;
    (void)self;
    if (first < 0 || rows->rows < 0 || rows->rows > side->rows - first)
        return shard__fail(SHARD_EINVAL, "rows %d to %lld of a block of %d", first, (long long)(first + rows->rows),
                           side->rows);
    for (int64_t i = 0; i < rows->rows; i++)
        memcpy(side->values + (first + i) * side->columns, rows->values + i * stride,
               (size_t)side->columns * sizeof(float));
    return 0;
}

static size_t side_bytes(int32_t rows, int32_t columns)
{
    return sizeof(struct side) + (size_t)rows * (size_t)columns * sizeof(float);
}

static int block_new(void *self, enum shard_feature_group group, int32_t rows, void **ret_block)
{
    const struct prior *prior = self;
    if ((group != SHARD_FEATURE_TASK && group != SHARD_FEATURE_HOST) || rows < 0)
        return shard__fail(SHARD_EINVAL, "a block's side is TASK or HOST, not %d, and has 0 rows or more", (int)group);
    int32_t columns = prior->group_columns[group];
    struct side *side = shard__zalloc(prior->context, side_bytes(rows, columns));
    if (side == NULL)
        return SHARD_ENOMEM;
    side->group = group;
    side->rows = rows;
    side->columns = columns;
    for (int64_t i = 0; i < (int64_t)rows * columns; i++)
        side->values[i] = NAN;
    *ret_block = side;
    return 0;
}

static void block_free(void *self, void *block)
{
    const struct prior *prior = self;
    const struct side *side = block;
    if (side != NULL)
        shard__release(prior->context, block, side_bytes(side->rows, side->columns));
}

static int predict_pairs(void *self, const void *task_block, const void *host_block, const struct shard_pairs *pairs,
                         const struct shard_forecasts *ret)
{
    const struct prior *prior = self;
    const struct side *tasks = task_block, *hosts = host_block;
    int64_t count = pairs->wanted != NULL ? pairs->count : (int64_t)tasks->rows * hosts->rows;
    int64_t stride = pairs->pair_features.stride;
    if (stride == 0)
        stride = prior->group_columns[SHARD_FEATURE_PAIR];
    for (int64_t i = 0; i < count; i++) {
        struct shard_pair pair = {(int32_t)(hosts->rows > 0 ? i / hosts->rows : 0),
                                  (int32_t)(hosts->rows > 0 ? i % hosts->rows : 0)};
        if (pairs->wanted != NULL)
            pair = pairs->wanted[i];
        if (pair.task < 0 || pair.task >= tasks->rows || pair.host < 0 || pair.host >= hosts->rows)
            return shard__fail(SHARD_ENOENT, "pair %lld is task %d with host %d, of %d tasks and %d hosts",
                               (long long)i, pair.task, pair.host, tasks->rows, hosts->rows);
        const float *features = pairs->pair_features.values;
        struct row row = {prior,
                          {tasks->values + (int64_t)pair.task * tasks->columns,
                           hosts->values + (int64_t)pair.host * hosts->columns,
                           features == NULL ? NULL : features + i * stride},
                          0};
        forecast(&row, i, ret);
    }
    return 0;
}

static void destroy(void *self)
{
    struct prior *prior = self;
    if (prior != NULL)
        shard__release(prior->context, prior, sizeof(*prior));
}

static const struct shard_predictor port = {
    .struct_size = sizeof(port),
    .name = "prior",
    .schema = get_schema,
    .predict = predict,
    .block_new = block_new,
    .block_set = block_set,
    .block_free = block_free,
    .predict_pairs = predict_pairs,
    .contributions = contributions,
    .observe = observe,
    .destroy = destroy,
};

static void find_columns(struct prior *prior)
{
    const struct shard_schema *own = shard_history_schema();
    for (int id = 0; id < SHARD__F_COUNT; id++)
        prior->columns[id] = (struct column){-1, -1};
    for (int32_t at = 0; at < prior->schema.feature_count; at++) {
        const struct shard_feature *feature = &prior->schema.features[at];
        int32_t in_group = prior->group_columns[feature->group]++;
        for (int id = 0; id < SHARD__F_COUNT; id++)
            if (own->features[id].group == feature->group && strcmp(own->features[id].name, feature->name) == 0)
                prior->columns[id] = (struct column){at, in_group};
    }
}

int shard_prior_predictor(shard_context *context, const struct shard_schema *schema,
                          struct shard_predictor_handle *ret_predictor)
{
    int status = shard_schema_check(context, schema);
    if (status < 0)
        return status;
    struct prior *prior = shard__zalloc(context, sizeof(*prior));
    if (prior == NULL)
        return SHARD_ENOMEM;
    prior->context = context;
    shard__take_struct(&prior->schema, sizeof(prior->schema), schema, "schema");
    find_columns(prior);
    for (int is_whole = 0; is_whole < 2; is_whole++)
        shard__usual_find(schema, !is_whole, &prior->usual[is_whole]);
    shard__signs_init(&prior->signs, first_weights, first_deviation);
    shard__signs_init(&prior->slowness, first_slowness, slowness_deviation);
    *ret_predictor = (struct shard_predictor_handle){&port, prior};
    return 0;
}
