/* SPDX-License-Identifier: Apache-2.0 */
/* The predictor made of forests: margins to calibrated probabilities and seconds, behind the port. */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "forest.h"
#include "usual.h"

struct forest_predictor {
    const shard_context *context;
    const shard_forest *failure;
    const shard_forest *seconds; /* or NULL */
    struct shard_schema schema;
    struct shard_feature *features;
    char *names; /* of the features, one behind the other */
    size_t name_bytes;
    int32_t *columns; /* of the groups task, host and pair, one group behind the other */
    int32_t group_begin[4];
    double slope;
    double offset;
    double evidence; /* NaN: not known */
    int seconds_are_ratios;
    struct shard__usual usual[2]; /* in rows of a group, and in rows of all columns */
};

/* One side of pairs, for each forest. */
struct side {
    enum shard_feature_group group;
    shard_forest_block *failure;
    shard_forest_block *seconds;
    double *usual; /* what each row says of the usual seconds; NULL: nobody asks */
};

static const struct shard_schema *get_schema(void *self)
{
    return &((struct forest_predictor *)self)->schema;
}

static void to_probabilities(const struct forest_predictor *predictor, const float *margins, int64_t count,
                             double *p_fail)
{
    for (int64_t i = 0; i < count; i++)
        p_fail[i] = 1 / (1 + exp(-(predictor->slope * (double)margins[i] + predictor->offset)));
}

/* A regression may dip below zero, and a survival time may overflow. */
static void to_seconds(const struct forest_predictor *predictor, float *margins, int64_t count, double *seconds)
{
    shard_forest_transform(predictor->seconds, margins, count);
    for (int64_t i = 0; i < count; i++)
        seconds[i] = margins[i] >= 0 ? (double)fminf(margins[i], 3.4e38f) : 0;
}

/* Of ratios: times the usual seconds of each row. */
static void times_usual(const struct forest_predictor *predictor, const struct shard_matrix *rows, double *seconds)
{
    const struct shard__usual *usual = &predictor->usual[1];
    for (int64_t i = 0; predictor->seconds_are_ratios && i < rows->rows; i++) {
        const float *row = rows->values + i * rows->stride;
        seconds[i] *= shard__usual_of_task(usual, row) * shard__usual_of_host(usual, row);
    }
}

static void fill(double *values, int64_t count, double value)
{
    for (int64_t i = 0; values != NULL && i < count; i++)
        values[i] = value;
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    enum { TOGETHER = 512 };
    const struct forest_predictor *predictor = self;
    float margins[TOGETHER];
    int64_t stride = rows->stride != 0 ? rows->stride : columns;
    int status = 0;
    for (int64_t first = 0; status == 0 && first < rows->rows; first += TOGETHER) {
        int64_t count = rows->rows - first < TOGETHER ? rows->rows - first : TOGETHER;
        struct shard_matrix part = {rows->values + first * stride, count, stride};
        if (ret->p_fail != NULL && (status = shard_forest_margins(predictor->failure, &part, NULL, margins)) == 0)
            to_probabilities(predictor, margins, count, ret->p_fail + first);
        if (status < 0 || ret->seconds == NULL || predictor->seconds == NULL)
            continue;
        if ((status = shard_forest_margins(predictor->seconds, &part, NULL, margins)) < 0)
            break;
        to_seconds(predictor, margins, count, ret->seconds + first);
        times_usual(predictor, &part, ret->seconds + first);
    }
    if (predictor->seconds == NULL)
        fill(ret->seconds, rows->rows, NAN);
    fill(ret->evidence, rows->rows, predictor->evidence);
    return status;
}

static void block_free(void *self, void *block)
{
    const struct forest_predictor *predictor = self;
    struct side *side = block;
    if (side == NULL)
        return;
    shard__release(predictor->context, side->usual, (size_t)shard__block_rows(side->failure) * sizeof(double));
    shard_forest_block_free(side->failure);
    shard_forest_block_free(side->seconds);
    shard__release(predictor->context, side, sizeof(*side));
}

static int usual_new(const struct forest_predictor *predictor, int32_t rows, struct side *side)
{
    side->usual = shard__zalloc(predictor->context, (size_t)rows * sizeof(double));
    for (int32_t i = 0; side->usual != NULL && i < rows; i++)
        side->usual[i] = side->group == SHARD_FEATURE_TASK ? (double)NAN : 1;
    return side->usual != NULL ? 0 : SHARD_ENOMEM;
}

static int block_new(void *self, enum shard_feature_group group, int32_t rows, void **ret_block)
{
    const struct forest_predictor *predictor = self;
    if (group != SHARD_FEATURE_TASK && group != SHARD_FEATURE_HOST)
        return shard__fail(SHARD_EINVAL, "a block's side is TASK or HOST, not %d", (int)group);
    const int32_t *columns = predictor->columns + predictor->group_begin[group];
    int32_t count = predictor->group_begin[group + 1] - predictor->group_begin[group];
    struct side *side = shard__zalloc(predictor->context, sizeof(*side));
    if (side == NULL)
        return SHARD_ENOMEM;
    side->group = group;
    /* Without tiles: an engine sets rows again and again, and asks for a few pairs. */
    int status = shard__block_new(predictor->failure, group, columns, count, rows, 0, &side->failure);
    if (status == 0 && predictor->seconds != NULL)
        status = shard__block_new(predictor->seconds, group, columns, count, rows, 0, &side->seconds);
    if (status == 0 && predictor->seconds_are_ratios)
        status = usual_new(predictor, rows, side);
    if (status < 0)
        block_free(self, side);
    else
        *ret_block = side;
    return status;
}

static int block_set(void *self, void *block, int32_t first, const struct shard_matrix *rows)
{
    const struct forest_predictor *predictor = self;
    const struct side *side = block;
    int status = shard_forest_block_set(side->failure, first, rows);
    if (status == 0 && side->seconds != NULL)
        status = shard_forest_block_set(side->seconds, first, rows);
    if (status < 0 || side->usual == NULL)
        return status;
    int32_t columns = predictor->group_begin[side->group + 1] - predictor->group_begin[side->group];
    int64_t stride = rows->stride != 0 ? rows->stride : columns;
    for (int64_t i = 0; i < rows->rows; i++)
        side->usual[first + i] = (side->group == SHARD_FEATURE_TASK ? shard__usual_of_task : shard__usual_of_host)(
            predictor->usual, rows->values + i * stride);
    return 0;
}

static int64_t pair_count(const struct shard_pairs *pairs, const struct side *tasks, const struct side *hosts)
{
    return pairs->wanted != NULL ? pairs->count : shard__block_rows(tasks->failure) * shard__block_rows(hosts->failure);
}

static void times_usual_of_pairs(const struct side *tasks, const struct side *hosts, const struct shard_pairs *pairs,
                                 int64_t count, double *seconds)
{
    int64_t host_rows = shard__block_rows(hosts->failure);
    for (int64_t i = 0; tasks->usual != NULL && i < count; i++) {
        const struct shard_pair *wanted = pairs->wanted != NULL ? &pairs->wanted[i] : NULL;
        seconds[i] *= tasks->usual[wanted != NULL ? wanted->task : i / host_rows] *
                      hosts->usual[wanted != NULL ? wanted->host : i % host_rows];
    }
}

static int predict_pairs(void *self, const void *task_block, const void *host_block, const struct shard_pairs *pairs,
                         const struct shard_forecasts *ret)
{
    const struct forest_predictor *predictor = self;
    const struct side *tasks = task_block, *hosts = host_block;
    const int32_t *columns = predictor->columns + predictor->group_begin[SHARD_FEATURE_PAIR];
    int32_t column_count = predictor->group_begin[SHARD_FEATURE_PAIR + 1] - predictor->group_begin[SHARD_FEATURE_PAIR];
    int64_t count = pair_count(pairs, tasks, hosts);
    int status = 0;
    if (count <= 0)
        return 0;
    float *margins = shard__realloc(predictor->context, NULL, 0, (size_t)count * sizeof(float));
    if (margins == NULL)
        return SHARD_ENOMEM;
    if (ret->p_fail != NULL && (status = shard_forest_pair_margins(predictor->failure, tasks->failure, hosts->failure,
                                                                   pairs, columns, column_count, NULL, margins)) == 0)
        to_probabilities(predictor, margins, count, ret->p_fail);
    if (status == 0 && ret->seconds != NULL && predictor->seconds != NULL &&
        (status = shard_forest_pair_margins(predictor->seconds, tasks->seconds, hosts->seconds, pairs, columns,
                                            column_count, NULL, margins)) == 0) {
        to_seconds(predictor, margins, count, ret->seconds);
        times_usual_of_pairs(tasks, hosts, pairs, count, ret->seconds);
    }
    if (predictor->seconds == NULL)
        fill(ret->seconds, count, NAN);
    fill(ret->evidence, count, predictor->evidence);
    shard__release(predictor->context, margins, (size_t)count * sizeof(float));
    return status;
}

static int contributions(void *self, const float *row, int32_t columns, double *ret_contributions)
{
    const struct forest_predictor *predictor = self;
    size_t count = (size_t)columns + 1;
    struct shard_matrix matrix = {row, 1, columns};
    float *values = shard__realloc(predictor->context, NULL, 0, count * sizeof(float));
    if (values == NULL)
        return SHARD_ENOMEM;
    int status = shard_forest_contributions(predictor->failure, &matrix, NULL, values);
    for (size_t i = 0; status == 0 && i < count; i++)
        ret_contributions[i] = predictor->slope * (double)values[i] + (i + 1 == count ? predictor->offset : 0);
    shard__release(predictor->context, values, count * sizeof(float));
    return status;
}

static void destroy(void *self)
{
    struct forest_predictor *predictor = self;
    if (predictor == NULL)
        return;
    size_t count = (size_t)predictor->schema.feature_count;
    shard__release(predictor->context, predictor->names, predictor->name_bytes);
    shard__release(predictor->context, predictor->features, count * sizeof(struct shard_feature));
    shard__release(predictor->context, predictor->columns, count * sizeof(int32_t));
    shard__release(predictor->context, predictor, sizeof(*predictor));
}

static const struct shard_predictor port = {
    .struct_size = sizeof(struct shard_predictor),
    .name = "forest",
    .schema = get_schema,
    .predict = predict,
    .block_new = block_new,
    .block_set = block_set,
    .block_free = block_free,
    .predict_pairs = predict_pairs,
    .contributions = contributions,
    .destroy = destroy,
};

static int copy_features(struct forest_predictor *predictor, const struct shard_schema *schema)
{
    size_t count = (size_t)schema->feature_count;
    for (size_t i = 0; i < count; i++)
        predictor->name_bytes += strlen(schema->features[i].name) + 1;
    predictor->features = shard__zalloc(predictor->context, count * sizeof(struct shard_feature));
    predictor->names = shard__zalloc(predictor->context, predictor->name_bytes);
    if (predictor->features == NULL || predictor->names == NULL)
        return SHARD_ENOMEM;
    char *name = predictor->names;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(schema->features[i].name) + 1;
        memcpy(name, schema->features[i].name, size);
        predictor->features[i] = schema->features[i];
        predictor->features[i].name = name;
        name += size;
    }
    return 0;
}

static int copy_schema(struct forest_predictor *predictor, const struct shard_schema *schema)
{
    size_t count = (size_t)schema->feature_count;
    int32_t filled = 0;
    predictor->schema = *schema;
    predictor->schema.struct_size = sizeof(predictor->schema);
    int status = copy_features(predictor, schema);
    if (status < 0)
        return status;
    predictor->schema.features = predictor->features;
    predictor->columns = shard__zalloc(predictor->context, count * sizeof(int32_t));
    if (predictor->columns == NULL)
        return SHARD_ENOMEM;
    for (int group = SHARD_FEATURE_TASK; group <= SHARD_FEATURE_PAIR; group++) {
        predictor->group_begin[group] = filled;
        for (size_t i = 0; i < count; i++)
            if ((int)schema->features[i].group == group)
                predictor->columns[filled++] = (int32_t)i;
    }
    predictor->group_begin[SHARD_FEATURE_PAIR + 1] = filled;
    return 0;
}

/* The model's names against the schema's. A model knows no groups, so only names and places can differ. */
static int compare_names(const shard_context *context, const shard_forest *forest, const struct shard_schema *schema)
{
    size_t count = (size_t)forest->feature_count;
    struct shard_feature *features = shard__zalloc(context, count * sizeof(struct shard_feature));
    if (features == NULL)
        return SHARD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        for (int32_t k = 0; k < schema->feature_count; k++)
            if (strcmp(schema->features[k].name, forest->feature_names[i]) == 0)
                features[i] = schema->features[k];
        features[i].name = forest->feature_names[i];
    }
    struct shard_schema model = {sizeof(model), features, forest->feature_count};
    int status = shard_schema_compare(&model, schema);
    shard__release(context, features, count * sizeof(struct shard_feature));
    return status;
}

/* A model that names its features must name the schema's; one that does not must have as many. */
static int check_features(const shard_context *context, const shard_forest *forest, const struct shard_schema *schema,
                          const char *which)
{
    if (forest->feature_name_count > 0)
        return compare_names(context, forest, schema);
    if (forest->feature_count != schema->feature_count)
        return shard__fail(SHARD_ECONFLICT, "the model of %s has %d features, the schema %d columns", which,
                           forest->feature_count, schema->feature_count);
    return 0;
}

static int check_config(const struct shard_forest_predictor_config *config)
{
    if (config->failure == NULL || config->schema == NULL)
        return shard__fail(SHARD_EINVAL, "a forest predictor needs a model of failure and a schema");
    if (config->failure->objective != SHARD_OBJECTIVE_BINARY_LOGISTIC)
        return shard__fail(SHARD_EINVAL, "the model of failure must be binary:logistic");
    if (config->seconds != NULL && config->seconds->objective == SHARD_OBJECTIVE_BINARY_LOGISTIC)
        return shard__fail(SHARD_EINVAL, "the model of seconds is binary:logistic");
    if (config->seconds == NULL && config->seconds_are_ratios)
        return shard__fail(SHARD_EINVAL, "ratios of seconds were announced, but there is no model of seconds");
    if (!(config->evidence >= 0) || !isfinite(config->evidence))
        return shard__fail(SHARD_EINVAL, "evidence is %g, 0 or more attempts were expected", config->evidence);
    if (!isfinite(config->slope) || !isfinite(config->offset) || config->slope < 0)
        return shard__fail(SHARD_EINVAL, "calibration: slope %g and offset %g", config->slope, config->offset);
    return 0;
}

int shard_forest_predictor(shard_context *context, const struct shard_forest_predictor_config *config,
                           struct shard_predictor_handle *ret_predictor)
{
    struct shard_forest_predictor_config ours;
    shard__clear_error();
    int status = shard__take_struct(&ours, sizeof(ours), config, "forest predictor config");
    if (status == 0)
        status = check_config(&ours);
    if (status == 0)
        status = shard_schema_check(context, ours.schema);
    if (status == 0)
        status = check_features(context, ours.failure, ours.schema, "failure");
    if (status == 0 && ours.seconds != NULL)
        status = check_features(context, ours.seconds, ours.schema, "seconds");
    if (status < 0)
        return status;
    struct forest_predictor *predictor = shard__zalloc(context, sizeof(*predictor));
    if (predictor == NULL)
        return SHARD_ENOMEM;
    predictor->context = context;
    predictor->failure = ours.failure;
    predictor->seconds = ours.seconds;
    predictor->slope = ours.slope != 0 ? ours.slope : 1;
    predictor->offset = ours.offset;
    predictor->evidence = ours.evidence > 0 ? ours.evidence : (double)NAN;
    predictor->seconds_are_ratios = ours.seconds_are_ratios;
    for (int is_whole = 0; is_whole < 2; is_whole++)
        shard__usual_find(ours.schema, !is_whole, &predictor->usual[is_whole]);
    if ((status = copy_schema(predictor, ours.schema)) < 0) {
        destroy(predictor);
        return status;
    }
    *ret_predictor = (struct shard_predictor_handle){&port, predictor};
    return 0;
}
