/* SPDX-License-Identifier: Apache-2.0 */
/* A trained bundle: its margins, and its end. */

#include <string.h>

#include "base/error.h"
#include "members.h"

enum { BLOCK_ROWS = 256 };

static double logistic_margin(const struct shard__member *member, const float *row, float *scratch)
{
    shard__terms_apply(member->terms, member->term_count, row, scratch);
    double margin = member->coefficients[0];
    for (int32_t j = 0; j < member->term_count; j++)
        margin += member->coefficients[j + 1] * (double)scratch[j];
    return margin;
}

/* Rows of one block, and room to work. */
struct block {
    const float *values;
    int64_t stride;
    int64_t count;
    float *scratch; /* rows of twice the columns */
    double prior[BLOCK_ROWS];
    float base[BLOCK_ROWS];
    float margins[BLOCK_ROWS];
};

static int add_member(const struct shard__bundle *bundle, int m, struct block *block, double share, double *sums)
{
    const struct shard__member *member = &bundle->members[m];
    enum shard__family family = member->family;
    if (family == SHARD__FAMILY_PRIOR || family == SHARD__FAMILY_LINEAR) {
        for (int64_t i = 0; i < block->count; i++)
            sums[i] += share * logistic_margin(member, block->values + i * block->stride, block->scratch);
        return 0;
    }
    shard__member_gather(bundle, member, block->values, block->stride, block->count, block->scratch);
    struct shard_matrix rows = {.values = block->scratch, .rows = block->count, .stride = member->column_count};
    int is_on_prior = family == SHARD__FAMILY_PRIOR_TREES;
    double say = is_on_prior ? shard__trees_say(bundle) : 1;
    int status = shard_forest_margins(member->forest, &rows, is_on_prior ? block->base : NULL, block->margins);
    for (int64_t i = 0; status == 0 && i < block->count; i++) {
        double prior = is_on_prior ? block->prior[i] : 0;
        sums[i] += share * (prior + say * ((double)block->margins[i] - prior));
    }
    return status;
}

static int add_family(const struct shard__bundle *bundle, enum shard__family family, struct block *block, double share,
                      double *sums)
{
    int members = 0;
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
        members += bundle->members[m].is_fitted && bundle->members[m].family == family;
    int status = 0;
    for (int m = 0; status == 0 && m < SHARD__MEMBER_COUNT; m++) {
        if (bundle->members[m].is_fitted && bundle->members[m].family == family)
            status = add_member(bundle, m, block, share / members, sums);
    }
    return status;
}

static int block_margins(const struct shard__bundle *bundle, unsigned families, struct block *block, double *sums)
{
    int chosen = __builtin_popcount(families);
    int status = 0;
    memset(sums, 0, (size_t)block->count * sizeof(double));
    if (families & 1U << SHARD__FAMILY_PRIOR_TREES) {
        memset(block->prior, 0, sizeof block->prior);
        status = add_family(bundle, SHARD__FAMILY_PRIOR, block, 1, block->prior);
        for (int64_t i = 0; i < block->count; i++)
            block->base[i] = (float)block->prior[i];
    }
    for (int family = 0; status == 0 && family < SHARD__FAMILY_COUNT; family++) {
        if (families & 1U << family)
            status = add_family(bundle, (enum shard__family)family, block, 1.0 / chosen, sums);
    }
    return status;
}

int shard__bundle_margins(const struct shard__bundle *bundle, unsigned families, const float *values, int64_t stride,
                          int64_t count, double *ret_margins)
{
    size_t block_rows = count < BLOCK_ROWS ? (size_t)count + 1 : BLOCK_ROWS;
    size_t scratch_size = block_rows * 2 * (size_t)(bundle->column_count + 1) * sizeof(float);
    struct block *block = shard__zalloc(bundle->context, sizeof *block);
    float *scratch = shard__zalloc(bundle->context, scratch_size);
    int status = block != NULL && scratch != NULL ? 0 : SHARD_ENOMEM;
    for (int64_t first = 0; status == 0 && first < count; first += BLOCK_ROWS) {
        block->values = values + first * stride;
        block->stride = stride;
        block->count = count - first < BLOCK_ROWS ? count - first : BLOCK_ROWS;
        block->scratch = scratch;
        status = block_margins(bundle, families, block, ret_margins + first);
    }
    shard__release(bundle->context, scratch, scratch_size);
    shard__release(bundle->context, block, sizeof *block);
    return status;
}

static void clear_member(const shard_context *context, struct shard__member *member)
{
    shard__release(context, member->coefficients,
                   member->coefficients != NULL ? (size_t)(member->term_count + 1) * sizeof(double) : 0);
    shard__release(context, member->terms, (size_t)member->term_capacity * sizeof *member->terms);
    shard__release(context, member->columns, (size_t)member->column_capacity * sizeof(int32_t));
    shard_forest_free(member->forest);
    shard__release(context, member->bytes, member->size);
}

void shard__bundle_clear(struct shard__bundle *bundle)
{
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++)
        clear_member(bundle->context, &bundle->members[m]);
    shard__release(bundle->context, bundle->columns, (size_t)bundle->column_count * sizeof *bundle->columns);
    memset(bundle, 0, sizeof *bundle);
}
