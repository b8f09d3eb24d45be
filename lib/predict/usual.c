/* SPDX-License-Identifier: Apache-2.0 */
/* Columns to usual seconds. */

#include "usual.h"

#include <math.h>
#include <string.h>

#include "history/history.h"

/* A host's ratio is shrunk to 1 as if that had been seen in so many attempts. */
static const double behind = 3;

static const enum shard__feature columns[SHARD__USUAL_COLUMNS] = {
    [SHARD__USUAL_EXPECTED] = SHARD__F_TASK_EXPECTED_SECONDS, [SHARD__USUAL_KIND_RATIO] = SHARD__F_KIND_SECONDS_RATIO,
    [SHARD__USUAL_KIND_SECONDS] = SHARD__F_KIND_SECONDS,      [SHARD__USUAL_SPEED] = SHARD__F_HOST_SPEED,
    [SHARD__USUAL_HOST_RATIO] = SHARD__F_HOST_SECONDS_RATIO,  [SHARD__USUAL_HOST_EVIDENCE] = SHARD__F_HOST_EVIDENCE,
};

void shard__usual_find(const struct shard_schema *schema, int in_group, struct shard__usual *ret_usual)
{
    const struct shard_feature *own = shard_history_schema()->features;
    int32_t seen[3] = {0};
    for (int i = 0; i < SHARD__USUAL_COLUMNS; i++)
        ret_usual->at[i] = -1;
    for (int32_t at = 0; at < schema->feature_count; at++) {
        int32_t place = in_group ? seen[schema->features[at].group]++ : at;
        for (int i = 0; i < SHARD__USUAL_COLUMNS; i++)
            if (strcmp(own[columns[i]].name, schema->features[at].name) == 0)
                ret_usual->at[i] = place;
    }
}

static double get_or(const struct shard__usual *usual, const float *row, enum shard__usual_column column,
                     double otherwise)
{
    double value = usual->at[column] >= 0 ? (double)row[usual->at[column]] : NAN;
    return isfinite(value) ? value : otherwise;
}

double shard__usual_of_task(const struct shard__usual *usual, const float *row)
{
    double expected = get_or(usual, row, SHARD__USUAL_EXPECTED, NAN);
    if (isnan(expected))
        return get_or(usual, row, SHARD__USUAL_KIND_SECONDS, NAN);
    return expected * get_or(usual, row, SHARD__USUAL_KIND_RATIO, 1);
}

/* One that has run nothing yet is as fast as it says. What a kind took there is too little: the best of many hosts
   would be the one where its attempts were lucky. */
double shard__usual_of_host(const struct shard__usual *usual, const float *row)
{
    double evidence = fmax(get_or(usual, row, SHARD__USUAL_HOST_EVIDENCE, 0), 0);
    double slow = log(get_or(usual, row, SHARD__USUAL_HOST_RATIO, 1)) * evidence / (evidence + behind);
    return exp(slow) / get_or(usual, row, SHARD__USUAL_SPEED, 1);
}
