/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training of members. The families hold members that differ in columns, shape, ridge and memory because on real tables
 * the best single one changes with every drift, while their mean margin stays near the best (bagging of specifications;
 * Timmermann 2006 on forecast combinations has why).
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "logistic.h"
#include "members.h"

enum { FEW_COLUMNS = 10 }; /* then each tree sees them all */

static const double TREES_DRIFT_LIMIT = 0.4;
static const double UNDECAYED_RIDGE = 10;

#define PRIOR(name, narrow, ridge, memory, by_merit)                                         \
    {                                                                                        \
        name, SHARD__FAMILY_PRIOR, narrow, SHARD__SHAPE_PLAIN, ridge, memory, 0, 0, by_merit \
    }
#define LINEAR(name, narrow, shape, ridge, memory)                        \
    {                                                                     \
        name, SHARD__FAMILY_LINEAR, narrow, shape, ridge, memory, 0, 0, 0 \
    }
#define TREES(name, narrow, depth, rounds)                                            \
    {                                                                                 \
        name, SHARD__FAMILY_TREES, narrow, SHARD__SHAPE_PLAIN, 0, 0, depth, rounds, 0 \
    }
#define PRIOR_TREES(name, narrow, depth, rounds)                                            \
    {                                                                                       \
        name, SHARD__FAMILY_PRIOR_TREES, narrow, SHARD__SHAPE_PLAIN, 0, 0, depth, rounds, 0 \
    }

const struct shard__member_spec shard__members[SHARD__MEMBER_COUNT] = {
    PRIOR("decayed rates alike", 1, 10000, 0, 0),
    PRIOR("decayed rates by merit", 1, 10000, 0, 1),
    LINEAR("all plain 1", 0, SHARD__SHAPE_PLAIN, 1, 0),
    LINEAR("all plain 30", 0, SHARD__SHAPE_PLAIN, 30, 0),
    LINEAR("all shaped 1", 0, SHARD__SHAPE_SHAPED, 1, 0),
    LINEAR("all shaped 30", 0, SHARD__SHAPE_SHAPED, 30, 0),
    LINEAR("steady plain 1", 1, SHARD__SHAPE_PLAIN, 1, 0),
    LINEAR("steady plain 30", 1, SHARD__SHAPE_PLAIN, 30, 0),
    LINEAR("steady shaped 1", 1, SHARD__SHAPE_SHAPED, 1, 0),
    LINEAR("steady shaped 30", 1, SHARD__SHAPE_SHAPED, 30, 0),
    LINEAR("all plain 1 recent", 0, SHARD__SHAPE_PLAIN, 1, 0.25),
    LINEAR("all plain 30 recent", 0, SHARD__SHAPE_PLAIN, 30, 0.25),
    LINEAR("all shaped 1 recent", 0, SHARD__SHAPE_SHAPED, 1, 0.25),
    LINEAR("all shaped 30 recent", 0, SHARD__SHAPE_SHAPED, 30, 0.25),
    LINEAR("steady plain 1 recent", 1, SHARD__SHAPE_PLAIN, 1, 0.25),
    LINEAR("steady plain 30 recent", 1, SHARD__SHAPE_PLAIN, 30, 0.25),
    LINEAR("steady shaped 1 recent", 1, SHARD__SHAPE_SHAPED, 1, 0.25),
    LINEAR("steady shaped 30 recent", 1, SHARD__SHAPE_SHAPED, 30, 0.25),
    TREES("all depth 3", 0, 3, 150),
    TREES("all depth 6", 0, 6, 100),
    TREES("steady depth 3", 1, 3, 150),
    TREES("steady depth 6", 1, 6, 100),
    PRIOR_TREES("all depth 3", 0, 3, 120),
    PRIOR_TREES("all depth 6", 0, 6, 100),
    PRIOR_TREES("all depth 6 again", 0, 6, 100),
    PRIOR_TREES("steady depth 6", 1, 6, 100),
    PRIOR_TREES("steady depth 6 again", 1, 6, 100),
    PRIOR_TREES("steady depth 8", 1, 8, 100),
};

/* Everything that the members of one lesson share. */
struct teacher {
    shard_context *context;
    const struct shard__lesson *lesson;
    struct shard__bundle *bundle;
    float *labels;
    float *weights;
    float *design;
    size_t design_capacity;
    double *shares; /* of the prior's rates; room for one a column */
    double *prior;  /* margins of the prior, for the trees on it */
    float *margins;
};

static double base_rate_of(const float *labels, const float *weights, int64_t count)
{
    double sum = 0.5;
    double total = 1;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)weights[i] * (double)labels[i];
        total += (double)weights[i];
    }
    return sum / total;
}

static void weigh(struct teacher *teacher, double half_life)
{
    int64_t count = teacher->lesson->rows.count;
    for (int64_t i = 0; i < count; i++)
        teacher->weights[i] = half_life > 0 ? (float)exp2(-(double)(count - 1 - i) / (half_life * (double)count)) : 1;
}

static int make_room(struct teacher *teacher, int32_t columns)
{
    size_t cells = (size_t)teacher->lesson->rows.count * (size_t)(columns > 0 ? columns : 1);
    return shard__grow(teacher->context, &teacher->design, &teacher->design_capacity, cells, sizeof(float));
}

static int choose_terms(struct teacher *teacher, const struct shard__member_spec *spec, struct shard__member *member)
{
    const struct shard__bundle *bundle = teacher->bundle;
    member->term_capacity = 2 * bundle->column_count;
    member->terms = shard__zalloc(teacher->context, (size_t)member->term_capacity * sizeof *member->terms);
    if (member->terms == NULL)
        return SHARD_ENOMEM;
    if (spec->family == SHARD__FAMILY_PRIOR) {
        double base_rate = base_rate_of(teacher->labels, teacher->weights, teacher->lesson->rows.count);
        member->term_count =
            shard__terms_rates(bundle->columns, bundle->column_count, spec->narrow, base_rate, member->terms);
        return 0;
    }
    member->term_count =
        shard__terms_choose(bundle->columns, bundle->column_count, spec->narrow, spec->shape, member->terms);
    shard__terms_standardise(member->terms, member->term_count, &teacher->lesson->rows);
    return 0;
}

/* Rates that weigh recent attempts more are believed as they are; others have to earn their weight. */
static double ridge_of(const struct shard__bundle *bundle, const struct shard__member_spec *spec)
{
    int any_decayed = 0;
    for (int32_t j = 0; j < bundle->column_count; j++)
        any_decayed |= bundle->columns[j].is_decayed;
    return spec->family == SHARD__FAMILY_PRIOR && !any_decayed ? UNDECAYED_RIDGE : spec->ridge;
}

/*
 * How much each of the prior's rates is believed: as by whoever follows experts, exp(-eta * what it would have lost so
 * far), with the eta that regrets least in the worst case, sqrt(8 ln K / n) over the largest loss of one row
 * (Cesa-Bianchi and Lugosi 2006, theorem 2.2). Equal shares would let a rate that says nothing here spoil the others.
 */
static void share_out(const struct teacher *teacher, int32_t count, int by_merit, double *ret_shares)
{
    int64_t rows = teacher->lesson->rows.count;
    double least = INFINITY;
    double largest = 1;
    double sum = 0;
    for (int32_t k = 0; k < count; k++) {
        ret_shares[k] = 0;
        for (int64_t i = 0; i < rows; i++) {
            double z = (double)teacher->design[i * count + k];
            double loss = (z > 0 ? z : 0) + log1p(exp(-fabs(z))) - (double)teacher->labels[i] * z;
            ret_shares[k] += loss;
            largest = loss > largest ? loss : largest;
        }
        least = ret_shares[k] < least ? ret_shares[k] : least;
    }
    double eta = count > 1 ? sqrt(8 * log((double)count) / (double)rows) / largest : 0;
    for (int32_t k = 0; k < count; k++) {
        ret_shares[k] = exp(-eta * (ret_shares[k] - least));
        sum += ret_shares[k];
    }
    for (int32_t k = 0; k < count; k++)
        ret_shares[k] = by_merit ? ret_shares[k] / sum : 1.0 / count;
}

/* The prior's weights are drawn to what each rate has earned: a mean of the rates, in log-odds, hardly trained. */
static int fit_logistic(struct teacher *teacher, const struct shard__member_spec *spec, struct shard__member *member)
{
    const struct shard__rows *rows = &teacher->lesson->rows;
    weigh(teacher, spec->half_life);
    int status = choose_terms(teacher, spec, member);
    if (status == 0)
        status = make_room(teacher, member->term_count);
    if (status < 0)
        return status;
    member->coefficients = shard__zalloc(teacher->context, (size_t)(member->term_count + 1) * sizeof(double));
    if (member->coefficients == NULL)
        return SHARD_ENOMEM;
    for (int64_t i = 0; i < rows->count; i++)
        shard__terms_apply(member->terms, member->term_count, rows->values + (int64_t)rows->ids[i] * rows->columns,
                           teacher->design + i * member->term_count);
    double mean_weight = 0;
    for (int64_t i = 0; i < rows->count; i++)
        mean_weight += (double)teacher->weights[i] / (double)rows->count;
    int is_prior = spec->family == SHARD__FAMILY_PRIOR;
    if (is_prior)
        share_out(teacher, member->term_count, spec->by_merit, teacher->shares);
    struct shard__logistic problem = {.design = teacher->design,
                                      .labels = teacher->labels,
                                      .weights = teacher->weights,
                                      .count = rows->count,
                                      .columns = member->term_count,
                                      .ridge = ridge_of(teacher->bundle, spec) * mean_weight,
                                      .targets = is_prior ? teacher->shares : NULL,
                                      .not_negative = is_prior};
    return shard__logistic_fit(teacher->context, &problem, member->coefficients);
}

void shard__member_gather(const struct shard__bundle *bundle, const struct shard__member *member, const float *values,
                          int64_t stride, int64_t count, float *ret)
{
    for (int64_t i = 0; i < count; i++) {
        const float *row = values + i * stride;
        for (int32_t k = 0; k < member->column_count; k++) {
            int32_t column = member->columns[k];
            int is_never = bundle->columns[column].form == SHARD__FORM_SINCE && row[column] < 0;
            *ret++ = is_never ? NAN : row[column];
        }
    }
}

static int choose_columns(struct teacher *teacher, const struct shard__member_spec *spec, struct shard__member *member)
{
    const struct shard__bundle *bundle = teacher->bundle;
    member->column_capacity = bundle->column_count;
    member->columns = shard__zalloc(teacher->context, (size_t)member->column_capacity * sizeof(int32_t));
    if (member->columns == NULL)
        return SHARD_ENOMEM;
    for (int32_t j = 0; j < bundle->column_count; j++) {
        const struct shard__column *column = &bundle->columns[j];
        if (column->form == SHARD__FORM_CONSTANT ||
            (spec->narrow && !shard__column_is_steady(column, TREES_DRIFT_LIMIT)))
            continue;
        member->columns[member->column_count++] = j;
    }
    return 0;
}

int shard__grow_trees(shard_context *context, const struct shard_trees_handle *trees, const struct shard_trees_job *job,
                      void **ret_bytes, size_t *ret_size, shard_forest **ret_forest)
{
    void *bytes = NULL;
    size_t size = 0;
    int status = trees->port->train(trees->self, job, &bytes, &size);
    if (status < 0)
        return status;
    *ret_bytes = shard__zalloc(context, size);
    if (*ret_bytes != NULL) {
        memcpy(*ret_bytes, bytes, size);
        *ret_size = size;
    }
    trees->port->release(trees->self, bytes, size);
    if (*ret_bytes == NULL)
        return SHARD_ENOMEM;
    return shard_forest_load_buffer(context, *ret_bytes, size, "trained trees", NULL, ret_forest);
}

static int grow_trees(struct teacher *teacher, const struct shard__member_spec *spec, struct shard__member *member)
{
    const struct shard__rows *rows = &teacher->lesson->rows;
    for (int64_t i = 0; i < rows->count; i++)
        shard__member_gather(teacher->bundle, member, rows->values + (int64_t)rows->ids[i] * rows->columns,
                             rows->columns, 1, teacher->design + i * member->column_count);
    struct shard_trees_job job = {.struct_size = sizeof job,
                                  .values = teacher->design,
                                  .count = rows->count,
                                  .columns = member->column_count,
                                  .labels = teacher->labels,
                                  .margins = spec->family == SHARD__FAMILY_PRIOR_TREES ? teacher->margins : NULL,
                                  .rounds = spec->rounds,
                                  .depth = spec->depth,
                                  .min_child_weight = 5,
                                  .row_share = 0.8,
                                  .column_share = member->column_count < FEW_COLUMNS ? 1 : 0.6,
                                  .seed = teacher->lesson->seed + (uint32_t)(spec - shard__members)};
    return shard__grow_trees(teacher->context, &teacher->lesson->trees, &job, &member->bytes, &member->size,
                             &member->forest);
}

static int fit_trees(struct teacher *teacher, const struct shard__member_spec *spec, struct shard__member *member)
{
    int status = choose_columns(teacher, spec, member);
    if (status == 0)
        status = make_room(teacher, member->column_count);
    return status < 0 ? status : grow_trees(teacher, spec, member);
}

static int fit_family(struct teacher *teacher, enum shard__family family)
{
    struct shard__bundle *bundle = teacher->bundle;
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++) {
        const struct shard__member_spec *spec = &shard__members[m];
        if (spec->family != family)
            continue;
        int is_trees = family == SHARD__FAMILY_TREES || family == SHARD__FAMILY_PRIOR_TREES;
        int status =
            is_trees ? fit_trees(teacher, spec, &bundle->members[m]) : fit_logistic(teacher, spec, &bundle->members[m]);
        if (status < 0)
            return status;
        bundle->members[m].is_fitted = 1;
        bundle->members[m].family = family;
    }
    bundle->families |= 1U << family;
    return 0;
}

/* The prior's margin of each row that is trained on. */
static int ask_prior(struct teacher *teacher)
{
    const struct shard__rows *rows = &teacher->lesson->rows;
    for (int64_t i = 0; i < rows->count; i++) {
        int status = shard__bundle_margins(teacher->bundle, 1U << SHARD__FAMILY_PRIOR,
                                           rows->values + (int64_t)rows->ids[i] * rows->columns, rows->columns, 1,
                                           &teacher->prior[i]);
        if (status < 0)
            return status;
        teacher->margins[i] = (float)teacher->prior[i];
    }
    return 0;
}

static int teach(struct teacher *teacher)
{
    const struct shard__lesson *lesson = teacher->lesson;
    unsigned families = lesson->families;
    if (families & 1U << SHARD__FAMILY_PRIOR_TREES)
        families |= 1U << SHARD__FAMILY_PRIOR;
    int status = shard__columns_profile(teacher->context, &lesson->rows, lesson->names, teacher->bundle->columns);
    for (int family = 0; status == 0 && family < SHARD__FAMILY_COUNT; family++) {
        if (!(families & 1U << family))
            continue;
        if (family == SHARD__FAMILY_PRIOR_TREES)
            status = ask_prior(teacher);
        if (status == 0)
            status = fit_family(teacher, (enum shard__family)family);
    }
    return status;
}

int shard__bundle_fit(shard_context *context, const struct shard__lesson *lesson, struct shard__bundle *ret_bundle)
{
    const struct shard__rows *rows = &lesson->rows;
    size_t count = (size_t)rows->count;
    memset(ret_bundle, 0, sizeof *ret_bundle);
    ret_bundle->context = context;
    ret_bundle->column_count = rows->columns;
    ret_bundle->train_rows = rows->count;
    ret_bundle->columns = shard__zalloc(context, (size_t)rows->columns * sizeof *ret_bundle->columns);
    struct teacher teacher = {.context = context,
                              .lesson = lesson,
                              .bundle = ret_bundle,
                              .labels = shard__zalloc(context, count * sizeof(float)),
                              .weights = shard__zalloc(context, count * sizeof(float)),
                              .shares = shard__zalloc(context, (size_t)(rows->columns + 1) * sizeof(double)),
                              .prior = shard__zalloc(context, count * sizeof(double)),
                              .margins = shard__zalloc(context, count * sizeof(float))};
    int status = SHARD_ENOMEM;
    if (ret_bundle->columns != NULL && teacher.labels != NULL && teacher.weights != NULL && teacher.prior != NULL &&
        teacher.margins != NULL && teacher.shares != NULL) {
        for (size_t i = 0; i < count; i++)
            teacher.labels[i] = rows->labels[rows->ids[i]];
        weigh(&teacher, 0);
        ret_bundle->base_rate = base_rate_of(teacher.labels, teacher.weights, rows->count);
        status = teach(&teacher);
    }
    shard__release(context, teacher.labels, count * sizeof(float));
    shard__release(context, teacher.weights, count * sizeof(float));
    shard__release(context, teacher.shares, (size_t)(rows->columns + 1) * sizeof(double));
    shard__release(context, teacher.prior, count * sizeof(double));
    shard__release(context, teacher.margins, count * sizeof(float));
    shard__release(context, teacher.design, teacher.design_capacity * sizeof(float));
    return status;
}
