/* SPDX-License-Identifier: Apache-2.0 */
/* A model in use, watched: it is scored against the prior as attempts end, and gives way when it has become worse. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/champion.h>
#include <shard/history.h>

#include "base/context.h"
#include "base/error.h"
#include "train_model.h"

enum { LEAST_OBSERVED = 40, NAMES_SHOWN = 8 };

static const double HALF_LIFE = 200;   /* of an attempt's weight, in attempts */
static const double LOSS_FLOOR = 0.02; /* as the trainer has it: a few rows cannot decide */
static const double LOSS_ERRORS = 3;   /* standard errors; it is looked at after each attempt, so two are too few */
static const double CALIBRATION_ERRORS = 4;

/* Sums over attempts, each weighed. */
struct watch {
    int64_t observed;
    double weight, squared_weight;
    double losses[2]; /* of the model and of the prior */
    double gap, squared_gap;
    double p[2], variance[2];
    double failures;
};

struct shard_champion {
    shard_context *context;
    const struct shard_schema *schema;
    struct shard_predictor_handle prior, ours;
    struct shard_predictor_handle asked; /* the model's; port NULL: there is none */
    shard_model *model;
    int32_t *places; /* in a row, of each of the model's columns */
    int32_t columns; /* of the model */
    float *dense;    /* rows as the model has them */
    size_t dense_floats;
    double *added; /* contributions in the model's columns */
    int demoted;
    struct watch watch;
};

static int is_in_use(const shard_champion *champion)
{
    return champion->asked.port != NULL && !champion->demoted;
}

static void gather(const shard_champion *champion, const float *row, float *ret)
{
    for (int32_t j = 0; j < champion->columns; j++)
        ret[j] = row[champion->places[j]];
}

/* What the model knows of rows; the rest is left as it was. */
static int ask_model(shard_champion *champion, const struct shard_matrix *rows, int64_t stride,
                     const struct shard_forecasts *ret)
{
    size_t columns = (size_t)champion->columns;
    if (shard__grow(champion->context, &champion->dense, &champion->dense_floats, (size_t)rows->rows * columns,
                    sizeof(float)) < 0)
        return SHARD_ENOMEM;
    for (int64_t i = 0; i < rows->rows; i++)
        gather(champion, rows->values + i * stride, champion->dense + (size_t)i * columns);
    struct shard_matrix dense = {.values = champion->dense, .rows = rows->rows};
    return champion->asked.port->predict(champion->asked.self, &dense, champion->columns, ret);
}

static const struct shard_schema *get_schema(void *self)
{
    return ((shard_champion *)self)->schema;
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    shard_champion *champion = self;
    int64_t stride = rows->stride != 0 ? rows->stride : columns;
    int status = champion->prior.port->predict(champion->prior.self, rows, columns, ret);
    return status < 0 || !is_in_use(champion) ? status : ask_model(champion, rows, stride, ret);
}

static int contributions(void *self, const float *row, int32_t columns, double *ret_contributions)
{
    shard_champion *champion = self;
    if (!is_in_use(champion))
        return champion->prior.port->contributions(champion->prior.self, row, columns, ret_contributions);
    size_t needed = (size_t)champion->columns;
    if (shard__grow(champion->context, &champion->dense, &champion->dense_floats, needed, sizeof(float)) < 0)
        return SHARD_ENOMEM;
    gather(champion, row, champion->dense);
    int status =
        champion->asked.port->contributions(champion->asked.self, champion->dense, champion->columns, champion->added);
    if (status < 0)
        return status;
    memset(ret_contributions, 0, (size_t)(columns + 1) * sizeof(double));
    for (int32_t j = 0; j < champion->columns; j++)
        ret_contributions[champion->places[j]] += champion->added[j];
    ret_contributions[columns] = champion->added[champion->columns];
    return 0;
}

/* ---- drift ---- */

static double loss_of(double p, double failed)
{
    p = p < LOSS_FLOOR ? LOSS_FLOOR : p > 1 - LOSS_FLOOR ? 1 - LOSS_FLOOR : p;
    return failed > 0.5 ? -log(p) : -log1p(-p);
}

static void add(struct watch *watch, const double p[2], double failed)
{
    double keep = exp2(-1 / HALF_LIFE);
    double gap = loss_of(p[0], failed) - loss_of(p[1], failed);
    watch->observed++;
    watch->weight = keep * watch->weight + 1;
    watch->squared_weight = keep * keep * watch->squared_weight + 1;
    watch->gap = keep * watch->gap + gap;
    watch->squared_gap = keep * watch->squared_gap + gap * gap;
    watch->failures = keep * watch->failures + failed;
    for (int k = 0; k < 2; k++) {
        watch->losses[k] = keep * watch->losses[k] + loss_of(p[k], failed);
        watch->p[k] = keep * watch->p[k] + p[k];
        watch->variance[k] = keep * keep * watch->variance[k] + p[k] * (1 - p[k]);
    }
}

/* The model's mean loss over the prior's, in standard errors. */
static double loss_errors(const struct watch *watch)
{
    double mean = watch->gap / watch->weight;
    double variance = watch->squared_gap / watch->weight - mean * mean;
    double attempts = watch->weight * watch->weight / watch->squared_weight;
    return mean / sqrt(fmax(variance, 1e-12) / attempts);
}

/* How far the failures that were forecast are from those that came, in standard errors. */
static double calibration_errors(const struct watch *watch, int k)
{
    return fabs(watch->failures - watch->p[k]) / sqrt(fmax(watch->variance[k], 1e-3));
}

static void judge(shard_champion *champion)
{
    const struct watch *watch = &champion->watch;
    if (champion->demoted || watch->observed < LEAST_OBSERVED)
        return;
    double worse = loss_errors(watch);
    double off = calibration_errors(watch, 0);
    const char *why = worse > LOSS_ERRORS ? "its log loss has become worse than the prior's"
                      : off > CALIBRATION_ERRORS && off > calibration_errors(watch, 1)
                          ? "failures come not as often as it says"
                          : NULL;
    if (why == NULL)
        return;
    champion->demoted = 1;
    shard__log(champion->context, SHARD_LOG_WARNING, "champion-demoted",
               "the model '%s' is demoted: %s (log loss %.4f, prior %.4f; forecast %.4f, failed %.4f; %lld attempts); "
               "the prior answers until another model comes",
               shard__candidates[champion->model->choice.chosen].name, why, watch->losses[0] / watch->weight,
               watch->losses[1] / watch->weight, watch->p[0] / watch->weight, watch->failures / watch->weight,
               (long long)watch->observed);
}

static void watch_model(shard_champion *champion, const struct shard_observation *observation)
{
    double p[2] = {NAN, NAN};
    struct shard_matrix row = {.values = observation->row, .rows = 1};
    struct shard_forecasts ret = {.p_fail = &p[1]}, of_model = {.p_fail = &p[0]};
    int32_t columns = champion->schema->feature_count;
    /* Without memory this attempt does not count. */
    if (champion->prior.port->predict(champion->prior.self, &row, columns, &ret) < 0 ||
        ask_model(champion, &row, columns, &of_model) < 0 || isnan(p[0]) || isnan(p[1]))
        return;
    add(&champion->watch, p, observation->failed);
    judge(champion);
}

static void observe(void *self, const struct shard_observation *observation)
{
    shard_champion *champion = self;
    if (champion->asked.port != NULL && !isnan(observation->failed))
        watch_model(champion, observation);
    champion->prior.port->observe(champion->prior.self, observation);
}

/* ---- models ---- */

static int32_t find(const struct shard_schema *schema, const char *name)
{
    for (int32_t i = 0; i < schema->feature_count; i++) {
        if (strcmp(schema->features[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int find_places(const shard_champion *champion, const struct shard_schema *wanted, int32_t *ret_places)
{
    char names[512] = "";
    size_t size = 0;
    int missing = 0;
    for (int32_t j = 0; j < wanted->feature_count; j++) {
        ret_places[j] = find(champion->schema, wanted->features[j].name);
        if (ret_places[j] >= 0)
            continue;
        if (missing++ < NAMES_SHOWN)
            size += (size_t)snprintf(names + size, sizeof(names) - size, "%s'%.40s'", size > 0 ? ", " : "",
                                     wanted->features[j].name);
    }
    if (missing == 0)
        return 0;
    return shard__fail(SHARD_ECONFLICT, "%d of the model's %d columns are not in the rows: %s%s", missing,
                       (int)wanted->feature_count, names, missing > NAMES_SHOWN ? " ..." : "");
}

static void drop_model(shard_champion *champion)
{
    const shard_context *context = champion->context;
    if (champion->asked.port != NULL)
        champion->asked.port->destroy(champion->asked.self);
    champion->asked = (struct shard_predictor_handle){0};
    shard__release(context, champion->places, (size_t)champion->columns * sizeof(int32_t));
    shard__release(context, champion->added, (size_t)(champion->columns + 1) * sizeof(double));
    shard_model_free(champion->model);
    champion->places = NULL;
    champion->added = NULL;
    champion->model = NULL;
    champion->columns = 0;
    champion->demoted = 0;
    champion->watch = (struct watch){0};
}

int shard_champion_take(shard_champion *champion, shard_model *model)
{
    shard__clear_error();
    if (model == NULL) {
        drop_model(champion);
        return 0;
    }
    int32_t columns = model->schema.feature_count;
    struct shard_predictor_handle asked = {0};
    int32_t *places = shard__zalloc(champion->context, (size_t)columns * sizeof(int32_t));
    double *added = shard__zalloc(champion->context, (size_t)(columns + 1) * sizeof(double));
    int status = places != NULL && added != NULL ? 0 : SHARD_ENOMEM;
    if (status == 0)
        status = find_places(champion, &model->schema, places);
    if (status == 0)
        status = shard_model_predictor(champion->context, model, &asked);
    if (status < 0) {
        shard__release(champion->context, places, (size_t)columns * sizeof(int32_t));
        shard__release(champion->context, added, (size_t)(columns + 1) * sizeof(double));
        return status;
    }
    drop_model(champion);
    champion->model = model;
    champion->asked = asked;
    champion->places = places;
    champion->added = added;
    champion->columns = columns;
    return 0;
}

int shard_champion_new(shard_context *context, const struct shard_schema *schema, shard_champion **ret_champion)
{
    static const struct shard_predictor port = {.struct_size = sizeof port,
                                                .name = "champion",
                                                .schema = get_schema,
                                                .predict = predict,
                                                .contributions = contributions,
                                                .observe = observe};
    shard__clear_error();
    shard_champion *champion = shard__zalloc(context, sizeof *champion);
    if (champion == NULL)
        return SHARD_ENOMEM;
    champion->context = context;
    champion->schema = schema != NULL ? schema : shard_history_schema();
    champion->ours = (struct shard_predictor_handle){&port, champion};
    int status = shard_prior_predictor(context, champion->schema, &champion->prior);
    if (status < 0) {
        shard_champion_free(champion);
        return status;
    }
    *ret_champion = champion;
    return 0;
}

struct shard_predictor_handle shard_champion_predictor(shard_champion *champion)
{
    return champion->ours;
}

int shard_champion_describe(const shard_champion *champion, struct shard_champion_info *ret_info)
{
    const struct watch *watch = &champion->watch;
    double weight = watch->observed > 0 ? watch->weight : NAN;
    shard__clear_error();
    struct shard_champion_info info = {.struct_size = sizeof info,
                                       .state = champion->asked.port == NULL ? SHARD_CHAMPION_NONE
                                                : champion->demoted          ? SHARD_CHAMPION_DEMOTED
                                                                             : SHARD_CHAMPION_IN_USE,
                                       .observed = watch->observed,
                                       .log_loss = watch->losses[0] / weight,
                                       .prior_log_loss = watch->losses[1] / weight,
                                       .mean_p_fail = watch->p[0] / weight,
                                       .failure_rate = watch->failures / weight};
    return shard__give_struct(ret_info, &info, sizeof info, "struct shard_champion_info");
}

void shard_champion_free(shard_champion *champion)
{
    if (champion == NULL)
        return;
    drop_model(champion);
    if (champion->prior.port != NULL)
        champion->prior.port->destroy(champion->prior.self);
    shard__release(champion->context, champion->dense, champion->dense_floats * sizeof(float));
    shard__release(champion->context, champion, sizeof *champion);
}
