/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation: train on the first rows, test on the rest, once or block by block (prequential: Dawid 1984). The test's
 * rows and labels are not seen by training, by the choice or by calibration before their time.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "logistic.h"
#include "metrics.h"
#include "seconds.h"
#include "trainer.h"

struct shard_evaluation {
    const shard_context *context;
    struct shard_evaluation_info info;
    struct shard__choice choice;
    struct shard__seconds_score seconds;
    struct shard_score scores[SHARD__CANDIDATE_COUNT + 1];
    int numbers[SHARD__CANDIDATE_COUNT]; /* of the candidates that were tried */
    int64_t first;                       /* row of the test */
    int64_t test_count;
    double *p[SHARD__CANDIDATE_COUNT + 1]; /* the last is the chosen one */
    float *labels;
};

static const double DEFAULT_SPLIT = 0.7;
static const double DEFAULT_BEGIN = 0.3; /* prequential */
static const int DEFAULT_BLOCKS = 10;

static int check(const shard_table *table, const struct shard_evaluate_config *config)
{
    if (!(config->split > 0 && config->split < 1))
        return shard__fail(SHARD_EINVAL, "split is %g, a share between 0 and 1 was expected", config->split);
    if (config->blocks < 1 || config->blocks > 10000)
        return shard__fail(SHARD_EINVAL, "blocks is %d, 1 to 10000 was expected", (int)config->blocks);
    return shard__table_check(table);
}

static int make_room(const shard_table *table, shard_evaluation *evaluation)
{
    size_t count = (size_t)evaluation->test_count;
    evaluation->labels = shard__zalloc(evaluation->context, count * sizeof(float));
    if (evaluation->labels == NULL)
        return SHARD_ENOMEM;
    memcpy(evaluation->labels, table->labels + evaluation->first, count * sizeof(float));
    for (int c = 0; c <= SHARD__CANDIDATE_COUNT; c++) {
        evaluation->p[c] = shard__zalloc(evaluation->context, count * sizeof(double));
        if (evaluation->p[c] == NULL)
            return SHARD_ENOMEM;
    }
    return 0;
}

/* Forecasts rows [first, end) with every candidate. */
static int forecast(const shard_table *table, const struct shard__bundle *bundle, int64_t first, int64_t end,
                    shard_evaluation *evaluation)
{
    int64_t columns = (int64_t)table->name_count;
    int64_t at = first - evaluation->first;
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        if (shard__candidates[c].families & ~bundle->families)
            continue;
        double *p = evaluation->p[c] + at;
        int status = shard__bundle_margins(bundle, shard__candidates[c].families, table->values + first * columns,
                                           columns, end - first, p);
        if (status < 0)
            return status;
        for (int64_t i = 0; i < end - first; i++)
            p[i] = shard__logistic_of(p[i] + evaluation->choice.offset[c]);
    }
    memcpy(evaluation->p[SHARD__CANDIDATE_COUNT] + at, evaluation->p[evaluation->choice.chosen] + at,
           (size_t)(end - first) * sizeof(double));
    return 0;
}

/* Seconds of rows [first, end), by what had ended when the first of them started. */
static int run_seconds(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                       int64_t first, int64_t end, shard_evaluation *evaluation)
{
    struct shard__seconds seconds = {0};
    int status = shard__seconds_train(context, table, table->starts[first], config, &seconds);
    if (status == 0)
        status = shard__seconds_test(context, table, &seconds, first, end, &evaluation->seconds);
    evaluation->info.has_seconds = seconds.forest != NULL;
    shard__seconds_clear(context, &seconds);
    return status;
}

/* Trains on what had ended when row `first` started, and forecasts [first, end). */
static int run_block(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                     int64_t first, int64_t end, int32_t *ids, shard_evaluation *evaluation)
{
    struct shard__bundle bundle;
    int64_t count = shard__ended_rows(table, first, table->starts[first], ids);
    if (!shard__has_both_classes(table, ids, count))
        return shard__fail(SHARD_EINVAL,
                           "the %lld rows to train on (labelled, ended before row %lld starts) are all of one class",
                           (long long)count, (long long)first + 1);
    int status = shard__choose(context, table, ids, count, config, &evaluation->choice);
    if (status == 0)
        status = shard__learn(context, table, ids, count, config, shard__families_of(config), &bundle);
    if (status < 0)
        return status;
    if (evaluation->info.train_rows == 0) {
        evaluation->info.train_rows = count;
        evaluation->info.base_rate_train = 0;
        for (int64_t i = 0; i < count; i++)
            evaluation->info.base_rate_train += (double)table->labels[ids[i]] / (double)count;
    }
    status = forecast(table, &bundle, first, end, evaluation);
    shard__bundle_clear(&bundle);
    return status < 0 ? status : run_seconds(context, table, config, first, end, evaluation);
}

static int run(shard_context *context, const shard_table *table, const struct shard_evaluate_config *config,
               shard_evaluation *evaluation)
{
    int32_t *ids = shard__zalloc(context, (size_t)table->rows * sizeof(int32_t));
    if (ids == NULL)
        return SHARD_ENOMEM;
    int64_t blocks = config->prequential ? config->blocks : 1;
    int64_t first = evaluation->first;
    int status = 0;
    for (int64_t block = 0; status == 0 && block < blocks; block++) {
        int64_t end = evaluation->first + evaluation->test_count * (block + 1) / blocks;
        if (end > first)
            status = run_block(context, table, &config->train, first, end, ids, evaluation);
        first = end > first ? end : first;
    }
    shard__release(context, ids, (size_t)table->rows * sizeof(int32_t));
    return status;
}

static int summarise(const struct shard_train_config *config, shard_evaluation *evaluation)
{
    struct shard_evaluation_info *info = &evaluation->info;
    unsigned families = shard__families_of(config);
    int tried = 0;
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++) {
        if (!(shard__candidates[c].families & ~families))
            evaluation->numbers[tried++] = c;
    }
    info->candidate_count = tried;
    for (int n = 0; n <= tried; n++) {
        int c = n < tried ? evaluation->numbers[n] : SHARD__CANDIDATE_COUNT;
        int status = shard__score(evaluation->context, evaluation->p[c], evaluation->labels, evaluation->test_count,
                                  &evaluation->scores[c]);
        if (status < 0)
            return status;
    }
    info->test_rows = evaluation->scores[SHARD__CANDIDATE_COUNT].rows;
    info->base_rate_test = evaluation->scores[SHARD__CANDIDATE_COUNT].base_rate;
    info->chosen = shard__candidates[evaluation->choice.chosen].name;
    info->p_fail = evaluation->p[SHARD__CANDIDATE_COUNT];
    info->labels = evaluation->labels;
    info->seconds_rows = evaluation->seconds.rows;
    info->seconds_error = evaluation->seconds.error / (double)evaluation->seconds.rows;
    info->prior_seconds_error = evaluation->seconds.prior_error / (double)evaluation->seconds.rows;
    return 0;
}

int shard_evaluate(shard_context *context, const shard_table *table, const struct shard_evaluate_config *config,
                   shard_evaluation **ret_evaluation)
{
    shard__clear_error();
    struct shard_evaluate_config ours = {.struct_size = sizeof ours};
    int status = config == NULL ? 0 : shard__take_struct(&ours, sizeof ours, config, "struct shard_evaluate_config");
    struct shard_train_config train = {.struct_size = sizeof train};
    if (status == 0 && ours.train.struct_size != 0)
        status = shard__take_train_config(&ours.train, &train);
    if (status < 0)
        return status;
    ours.train = train;
    if (ours.split == 0)
        ours.split = ours.prequential ? DEFAULT_BEGIN : DEFAULT_SPLIT;
    ours.blocks = ours.blocks == 0 ? DEFAULT_BLOCKS : ours.blocks;
    status = check(table, &ours);
    if (status < 0)
        return status;
    shard_evaluation *evaluation = shard__zalloc(context, sizeof *evaluation);
    if (evaluation == NULL)
        return SHARD_ENOMEM;
    evaluation->context = context;
    evaluation->info.struct_size = sizeof evaluation->info;
    evaluation->info.rows = table->rows_read;
    evaluation->first = (int64_t)((double)table->rows * ours.split);
    evaluation->test_count = table->rows - evaluation->first;
    status = make_room(table, evaluation);
    if (status == 0)
        status = run(context, table, &ours, evaluation);
    if (status == 0)
        status = summarise(&ours.train, evaluation);
    if (status < 0) {
        shard_evaluation_free(evaluation);
        return status;
    }
    *ret_evaluation = evaluation;
    return 0;
}

void shard_evaluation_free(shard_evaluation *evaluation)
{
    if (evaluation == NULL)
        return;
    size_t count = (size_t)evaluation->test_count;
    for (int c = 0; c <= SHARD__CANDIDATE_COUNT; c++)
        shard__release(evaluation->context, evaluation->p[c], evaluation->p[c] != NULL ? count * sizeof(double) : 0);
    shard__release(evaluation->context, evaluation->labels, evaluation->labels != NULL ? count * sizeof(float) : 0);
    shard__release(evaluation->context, evaluation, sizeof *evaluation);
}

int shard_evaluation_describe(const shard_evaluation *evaluation, struct shard_evaluation_info *ret_info)
{
    shard__clear_error();
    return shard__give_struct(ret_info, &evaluation->info, sizeof evaluation->info, "struct shard_evaluation_info");
}

int shard_evaluation_candidate(const shard_evaluation *evaluation, int32_t number,
                               struct shard_candidate_info *ret_candidate)
{
    shard__clear_error();
    int32_t count = evaluation->info.candidate_count;
    if (number < 0 || number > count)
        return shard__fail(SHARD_ENOENT, "there is no candidate %d, 0 to %d were tried", (int)number, (int)count);
    int c = number < count ? evaluation->numbers[number] : SHARD__CANDIDATE_COUNT;
    int source = number < count ? c : evaluation->choice.chosen;
    struct shard_candidate_info info = {.struct_size = sizeof info,
                                        .name = number < count ? shard__candidates[c].name : "chosen",
                                        .validation = evaluation->choice.validation[source],
                                        .score = evaluation->scores[c]};
    return shard__give_struct(ret_candidate, &info, sizeof info, "struct shard_candidate_info");
}
