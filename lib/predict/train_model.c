/* SPDX-License-Identifier: Apache-2.0 */
/* Models: training one, asking it, describing it. How it is kept in a file is model_file.c's. */

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "logistic.h"
#include "train_model.h"

/* A forecast is what the rows of a leaf came to, of trees four levels deep: so many attempts stand behind it. */
enum { LEAVES = 16 };

int shard__model_name_columns(shard_model *model, const char *const *names, int32_t count)
{
    model->features = shard__zalloc(model->context, (size_t)count * sizeof *model->features);
    if (model->features == NULL)
        return SHARD_ENOMEM;
    model->schema =
        (struct shard_schema){.struct_size = sizeof model->schema, .features = model->features, .feature_count = count};
    for (int32_t j = 0; j < count; j++) {
        model->features[j] = (struct shard_feature){.group = SHARD_FEATURE_PAIR, .role = SHARD_FEATURE_VALUE};
        model->features[j].name = shard__strdup(model->context, names[j]);
        if (model->features[j].name == NULL)
            return SHARD_ENOMEM;
    }
    return 0;
}

static int train(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                 shard_model *model)
{
    int32_t *ids = shard__zalloc(context, (size_t)table->rows * sizeof(int32_t));
    if (ids == NULL)
        return SHARD_ENOMEM;
    int64_t count = shard__ended_rows(table, table->rows, INFINITY, ids);
    int status = 0;
    if (!shard__has_both_classes(table, ids, count))
        status = shard__fail(SHARD_EINVAL, "the %lld rows that are labelled and have ended are all of one class",
                             (long long)count);
    if (status == 0)
        status = shard__choose(context, table, ids, count, config, &model->choice);
    if (status == 0)
        status = shard__learn(context, table, ids, count, config, shard__candidates[model->choice.chosen].families,
                              &model->bundle);
    if (status == 0)
        status = shard__seconds_train(context, table, INFINITY, config, &model->seconds);
    if (status == 0)
        status = shard__model_name_columns(model, (const char *const *)table->names, (int32_t)table->name_count);
    shard__release(context, ids, (size_t)table->rows * sizeof(int32_t));
    return status;
}

int shard_train(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                shard_model **ret_model)
{
    shard__clear_error();
    struct shard_train_config ours;
    int status = shard__take_train_config(config, &ours);
    if (status < 0)
        return status;
    status = shard__table_check(table);
    if (status < 0)
        return status;
    shard_model *model = shard__zalloc(context, sizeof *model);
    if (model == NULL)
        return SHARD_ENOMEM;
    model->context = context;
    status = train(context, table, &ours, model);
    if (status < 0) {
        shard_model_free(model);
        return status;
    }
    *ret_model = model;
    return 0;
}

void shard_model_free(shard_model *model)
{
    if (model == NULL)
        return;
    const shard_context *context = model->context;
    if (model->bundle.context != NULL)
        shard__bundle_clear(&model->bundle);
    shard__seconds_clear(context, &model->seconds);
    for (int32_t j = 0; model->features != NULL && j < model->schema.feature_count; j++)
        shard__strfree(context, (char *)(uintptr_t)model->features[j].name);
    shard__release(context, model->features, (size_t)model->schema.feature_count * sizeof *model->features);
    shard__release(context, model, sizeof *model);
}

static int32_t member_count(const shard_model *model)
{
    int32_t count = 0;
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
        count += model->bundle.members[m].is_fitted;
    return count;
}

int shard_model_describe(const shard_model *model, struct shard_model_info *ret_info)
{
    shard__clear_error();
    struct shard_model_info info = {.struct_size = sizeof info,
                                    .chosen = shard__candidates[model->choice.chosen].name,
                                    .schema = &model->schema,
                                    .schema_hash = shard_schema_hash(&model->schema),
                                    .train_rows = model->bundle.train_rows,
                                    .base_rate = model->bundle.base_rate,
                                    .member_count = member_count(model),
                                    .has_seconds = model->seconds.forest != NULL,
                                    .later_rows = model->seconds.later,
                                    .seconds_error = model->seconds.error,
                                    .prior_seconds_error = model->seconds.prior_error};
    return shard__give_struct(ret_info, &info, sizeof info, "struct shard_model_info");
}

static void tell_why(const struct shard__choice *choice, struct shard__bytes *text)
{
    const char *usual = shard__candidates[choice->usual].name;
    if (choice->is_asked_for)
        shard__bytes_text(text, "why: it was asked for\n");
    else if (choice->folds == 0)
        shard__bytes_text(text, "why: too few rows to validate on\n");
    else if (!choice->is_foreseen)
        shard__bytes_text(text, "why: no candidate foresaw the most recent rows nearly as well as their own base rate; "
                                "then the stiffest one is the safest\n");
    else if (choice->chosen == choice->usual)
        shard__bytes_printf(text,
                            "why: it is the usual one, and none was better beyond doubt (three standard errors, "
                            "%.4f each)\n",
                            choice->error);
    else
        shard__bytes_printf(text,
                            "why: it was better than the usual one, %s, beyond doubt (three standard errors, "
                            "%.4f each)\n",
                            usual, choice->error);
}

static void tell_choice(const shard_model *model, struct shard__bytes *text)
{
    const struct shard__choice *choice = &model->choice;
    shard__bytes_printf(text, "chosen: %s\n", shard__candidates[choice->chosen].name);
    tell_why(choice, text);
    if (choice->folds == 0)
        return;
    shard__bytes_printf(text, "validation log loss of the base rate itself: %.4f\n", choice->own_rate);
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        if (!isnan(choice->validation[c]))
            shard__bytes_printf(text, "validation log loss of %s: %.4f\n", shard__candidates[c].name,
                                choice->validation[c]);
    }
    shard__bytes_printf(text, "calibration: %+.4f to the log-odds\n", choice->offset[choice->chosen]);
}

static const char *family_name(enum shard__family family)
{
    switch (family) {
    case SHARD__FAMILY_PRIOR:
        return "prior";
    case SHARD__FAMILY_LINEAR:
        return "linear";
    case SHARD__FAMILY_TREES:
        return "trees";
    case SHARD__FAMILY_PRIOR_TREES:
        return "trees on the prior";
    case SHARD__FAMILY_COUNT:
    default:
        return "?";
    }
}

static void tell_member(const shard_model *model, const struct shard__member *member, struct shard__bytes *text)
{
    if (member->forest != NULL) {
        struct shard_forest_info info = {.struct_size = sizeof info};
        shard_forest_describe(member->forest, &info);
        shard__bytes_printf(text, "member: %s, %d trees of at most %d levels, %d columns\n",
                            family_name(member->family), (int)info.tree_count, (int)info.max_depth,
                            (int)member->column_count);
        return;
    }
    shard__bytes_printf(text, "member: %s, %d terms, intercept %+.4f\n", family_name(member->family),
                        (int)member->term_count, member->coefficients[0]);
    for (int32_t k = 0; member->family == SHARD__FAMILY_PRIOR && k < member->term_count; k++)
        shard__bytes_printf(text, "member: prior weighs %s %.3f\n", model->features[member->terms[k].column].name,
                            member->coefficients[k + 1]);
}

static void tell_seconds(const struct shard__seconds *seconds, struct shard__bytes *text)
{
    struct shard_forest_info info = {.struct_size = sizeof info};
    if (seconds->later == 0) {
        shard__bytes_printf(text, "seconds: the prior's; %lld attempts are too few to validate trees on\n",
                            (long long)seconds->rows);
        return;
    }
    if (seconds->forest != NULL)
        shard_forest_describe(seconds->forest, &info);
    if (seconds->forest != NULL)
        shard__bytes_printf(text, "seconds: %d trees of at most %d levels, on the usual seconds; ",
                            (int)info.tree_count, (int)info.max_depth);
    else
        shard__bytes_text(text, "seconds: the prior's; trees were no better: ");
    shard__bytes_printf(text, "mean error of the logarithm on %lld later attempts: trees %.4f, prior %.4f\n",
                        (long long)seconds->later, seconds->error, seconds->prior_error);
}

int shard_model_text(shard_context *context, const shard_model *model, char **ret_text)
{
    shard__clear_error();
    struct shard__bytes text;
    size_t size = 0;
    shard__bytes_init(&text, context);
    tell_choice(model, &text);
    shard__bytes_printf(&text, "trained on: %lld rows, %.4f of them failed\n", (long long)model->bundle.train_rows,
                        model->bundle.base_rate);
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++) {
        if (model->bundle.members[m].is_fitted)
            tell_member(model, &model->bundle.members[m], &text);
    }
    tell_seconds(&model->seconds, &text);
    shard__bytes_printf(&text, "columns: %d, schema %016llx\n", (int)model->schema.feature_count,
                        (unsigned long long)shard_schema_hash(&model->schema));
    return shard__bytes_handout(&text, ret_text, &size);
}

struct model_predictor {
    shard_context *context;
    const shard_model *model;
    struct shard__usual usual;
};

static const struct shard_schema *predictor_schema(void *self)
{
    const struct model_predictor *predictor = self;
    return &predictor->model->schema;
}

static int predictor_predict(void *self, const struct shard_matrix *rows, int32_t columns,
                             const struct shard_forecasts *ret)
{
    const struct model_predictor *predictor = self;
    const shard_model *model = predictor->model;
    if (columns != model->schema.feature_count)
        return shard__fail(SHARD_EINVAL, "rows have %d columns, the model has %d", (int)columns,
                           (int)model->schema.feature_count);
    int64_t stride = rows->stride > 0 ? rows->stride : columns;
    struct shard_matrix ours = {rows->values, rows->rows, stride};
    int status = 0;
    for (int64_t i = 0; ret->evidence != NULL && i < rows->rows; i++)
        ret->evidence[i] = (double)model->bundle.train_rows / LEAVES;
    if (ret->seconds != NULL && model->seconds.forest != NULL)
        status = shard__seconds_ask(model->seconds.forest, &predictor->usual, &ours, ret->seconds);
    if (ret->p_fail == NULL || status < 0)
        return status;
    status = shard__bundle_margins(&model->bundle, shard__candidates[model->choice.chosen].families, rows->values,
                                   stride, rows->rows, ret->p_fail);
    for (int64_t i = 0; status == 0 && i < rows->rows; i++)
        ret->p_fail[i] = shard__logistic_of(ret->p_fail[i] + model->choice.offset[model->choice.chosen]);
    return status;
}

static int predictor_contributions(void *self, const float *row, int32_t columns, double *ret_contributions)
{
    const struct model_predictor *predictor = self;
    const struct shard__choice *choice = &predictor->model->choice;
    int status = shard__bundle_contributions(&predictor->model->bundle, shard__candidates[choice->chosen].families, row,
                                             ret_contributions);
    if (status == 0)
        ret_contributions[columns] += choice->offset[choice->chosen];
    return status;
}

static void predictor_destroy(void *self)
{
    struct model_predictor *predictor = self;
    shard__release(predictor->context, predictor, sizeof *predictor);
}

int shard_model_predictor(shard_context *context, const shard_model *model,
                          struct shard_predictor_handle *ret_predictor)
{
    static const struct shard_predictor port = {.struct_size = sizeof port,
                                                .name = "model",
                                                .schema = predictor_schema,
                                                .predict = predictor_predict,
                                                .contributions = predictor_contributions,
                                                .destroy = predictor_destroy};
    shard__clear_error();
    struct model_predictor *predictor = shard__zalloc(context, sizeof *predictor);
    if (predictor == NULL)
        return SHARD_ENOMEM;
    predictor->context = context;
    predictor->model = model;
    shard__usual_find(&model->schema, 0, &predictor->usual);
    *ret_predictor = (struct shard_predictor_handle){.port = &port, .self = predictor};
    return 0;
}
