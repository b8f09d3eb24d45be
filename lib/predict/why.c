/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a forecast is what it is: what each column adds to the log-odds. Lines add what their terms do, against the
 * middle of what was trained on (a prior's rates against the base rate); trees add their SHAP values; a blend adds the
 * mean of its members, so all adds up to the blend's margin.
 */

#include <math.h>
#include <string.h>

#include <shard/predictor.h>

#include "base/bytes.h"
#include "base/error.h"
#include "logistic.h"
#include "members.h"
#include "predictor.h"

static int members_of(const struct shard__bundle *bundle, enum shard__family family)
{
    int count = 0;
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
        count += bundle->members[m].is_fitted && bundle->members[m].family == family;
    return count;
}

static void add_logistic(const struct shard__bundle *bundle, const struct shard__member *member, const float *row,
                         double share, float *scratch, double *ret)
{
    double *rest = &ret[bundle->column_count];
    shard__terms_apply(member->terms, member->term_count, row, scratch);
    *rest += share * member->coefficients[0];
    for (int32_t k = 0; k < member->term_count; k++) {
        const struct shard__term *term = &member->terms[k];
        double usual = term->operation == SHARD__OPERATION_RATE ? shard__logit(term->extra) : 0;
        double weight = share * member->coefficients[k + 1];
        ret[term->column] += weight * ((double)scratch[k] - usual);
        *rest += weight * usual;
    }
}

/* `base`: what the trees stand on where that is not the model's own. */
static int add_trees(const struct shard__bundle *bundle, const struct shard__member *member, const float *row,
                     double share, const float *base, float *scratch, double *ret)
{
    float *values = scratch;
    float *contributions = scratch + bundle->column_count;
    shard__member_gather(bundle, member, row, 0, 1, values);
    struct shard_matrix one = {.values = values, .rows = 1};
    int status = shard_forest_contributions(member->forest, &one, base, contributions);
    for (int32_t k = 0; status == 0 && k < member->column_count; k++)
        ret[member->columns[k]] += share * (double)contributions[k];
    if (status == 0)
        ret[bundle->column_count] += share * (double)contributions[member->column_count];
    return status;
}

static int add_family(const struct shard__bundle *bundle, enum shard__family family, const float *row, double share,
                      float *scratch, double *ret)
{
    static const float none = 0;
    double each = share / members_of(bundle, family);
    int status = 0;
    if (family == SHARD__FAMILY_PRIOR_TREES) {
        status = add_family(bundle, SHARD__FAMILY_PRIOR, row, share, scratch, ret);
        each *= shard__trees_say(bundle);
    }
    for (int m = 0; status == 0 && m < SHARD__MEMBER_COUNT; m++) {
        const struct shard__member *member = &bundle->members[m];
        if (!member->is_fitted || member->family != family)
            continue;
        if (member->forest == NULL)
            add_logistic(bundle, member, row, each, scratch, ret);
        else
            status =
                add_trees(bundle, member, row, each, family == SHARD__FAMILY_PRIOR_TREES ? &none : NULL, scratch, ret);
    }
    return status;
}

int shard__bundle_contributions(const struct shard__bundle *bundle, unsigned families, const float *row, double *ret)
{
    size_t scratch_size = 2 * ((size_t)bundle->column_count + 1) * sizeof(float);
    float *scratch = shard__zalloc(bundle->context, scratch_size);
    int status = scratch != NULL ? 0 : SHARD_ENOMEM;
    memset(ret, 0, (size_t)(bundle->column_count + 1) * sizeof(double));
    for (int family = 0; status == 0 && family < SHARD__FAMILY_COUNT; family++) {
        if (families & 1U << family)
            status =
                add_family(bundle, (enum shard__family)family, row, 1.0 / __builtin_popcount(families), scratch, ret);
    }
    shard__release(bundle->context, scratch, scratch_size);
    return status;
}

/* ---- for users ---- */

int shard_contributions(struct shard_predictor_handle predictor, const float *row, int32_t columns,
                        double *ret_contributions)
{
    shard__clear_error();
    const struct shard_schema *schema = predictor.port->schema != NULL ? predictor.port->schema(predictor.self) : NULL;
    const char *name = predictor.port->name != NULL ? predictor.port->name : "predictor";
    if (predictor.port->contributions == NULL)
        return shard__fail(SHARD_ENOTSUP, "predictor '%s' does not say why", name);
    if (columns < 0 || (schema != NULL && schema->feature_count != columns))
        return shard__fail(SHARD_EINVAL, "a row of %d columns, but predictor '%s' takes %d", (int)columns, name,
                           schema != NULL ? (int)schema->feature_count : 0);
    int status = predictor.port->contributions(predictor.self, row, columns, ret_contributions);
    return status < 0 ? shard__forecasts_failed(predictor, status) : 0;
}

/* The column that adds or takes most, of those that were not taken yet; -1: the rest adds nothing. */
static int32_t largest(const double *contributions, int32_t columns, const char *taken)
{
    int32_t found = -1;
    for (int32_t j = 0; j < columns; j++) {
        double size = fabs(contributions[j]);
        if (!taken[j] && size > 0 && (found < 0 || size > fabs(contributions[found])))
            found = j;
    }
    return found;
}

int shard_contributions_text(shard_context *context, const struct shard_schema *schema, const float *row,
                             const double *contributions, int32_t most, char **ret_text)
{
    int32_t columns = schema->feature_count;
    struct shard__bytes text;
    size_t size = 0;
    double sum = contributions[columns];
    double rest = 0;
    int32_t others = 0;
    shard__clear_error();
    char *taken = shard__zalloc(context, (size_t)columns + 1);
    if (taken == NULL)
        return SHARD_ENOMEM;
    shard__bytes_init(&text, context);
    for (int32_t told = 0;; told++) {
        int32_t j = largest(contributions, columns, taken);
        if (j < 0)
            break;
        taken[j] = 1;
        sum += contributions[j];
        if (told < most) {
            shard__bytes_printf(&text, "%+.3f %s = %.6g\n", contributions[j], schema->features[j].name, (double)row[j]);
        } else {
            rest += contributions[j];
            others++;
        }
    }
    if (others > 0)
        shard__bytes_printf(&text, "%+.3f %d others\n", rest, (int)others);
    shard__bytes_printf(&text, "%+.3f whatever the columns say\n", contributions[columns]);
    shard__bytes_printf(&text, "%+.3f log-odds of failure: %.4f\n", sum, shard__logistic_of(sum));
    shard__release(context, taken, (size_t)columns + 1);
    return shard__bytes_handout(&text, ret_text, &size);
}
