/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training of seconds. Attempts that failed, or were stopped, took longer than that: they are censored (accelerated
 * failure time), not left out. The choice is by time, as that of the model of failure: the two most recent fourteenths
 * of the rows are each forecast by trees that learnt from what had ended before, and by the prior as it was then.
 */

#include "seconds.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <shard/history.h>

#include "base/error.h"
#include "base/heap.h"
#include "trainer.h"

enum { ROUNDS = 80, DEPTH = 4, TOGETHER = 256 };

/* What training works with. */
struct work {
    shard_context *context;
    const shard_table *table;
    const struct shard_train_config *config;
    struct shard_feature *features; /* the table's columns, in the groups that the library's own have */
    struct shard__usual usual;
    double *prior; /* its seconds for each row of the table, as it was when that started */
};

static const float *row_of(const shard_table *table, int64_t row)
{
    return table->values + row * (int64_t)table->name_count;
}

static double usual_of(const struct work *work, int64_t row)
{
    const float *values = row_of(work->table, row);
    return shard__usual_of_task(&work->usual, values) * shard__usual_of_host(&work->usual, values);
}

static int is_done(const shard_table *table, int64_t row)
{
    return table->labels[row] == 0;
}

/* ---- the prior, as it was when each row started ---- */

static void name_columns(const struct work *work)
{
    const struct shard_schema *own = shard_history_schema();
    for (size_t j = 0; j < work->table->name_count; j++) {
        struct shard_feature *feature = &work->features[j];
        *feature = (struct shard_feature){work->table->names[j], SHARD_FEATURE_PAIR, SHARD_FEATURE_VALUE, 0};
        for (int32_t i = 0; i < own->feature_count; i++)
            if (strcmp(own->features[i].name, feature->name) == 0)
                feature->group = own->features[i].group;
    }
}

static void observe(const struct work *work, struct shard_predictor_handle prior, int64_t row)
{
    const shard_table *table = work->table;
    struct shard_observation observation = {.struct_size = sizeof observation,
                                            .row = row_of(table, row),
                                            .failed = (double)table->labels[row],
                                            .seconds = table->seconds[row]};
    prior.port->observe(prior.self, &observation);
}

static int replay(struct work *work, struct shard_predictor_handle prior)
{
    const shard_table *table = work->table;
    struct shard__heap running = {0};
    int32_t columns = (int32_t)table->name_count;
    int status = 0;
    for (int64_t row = 0; row < table->rows && status == 0; row++) {
        while (running.count > 0 && running.items[0].key <= table->starts[row])
            observe(work, prior, shard__heap_pop(&running).id);
        struct shard_matrix one = {.values = row_of(table, row), .rows = 1};
        struct shard_forecasts ret = {.seconds = &work->prior[row]};
        status = prior.port->predict(prior.self, &one, columns, &ret);
        if (status == 0 && !isnan(table->ends[row]))
            status = shard__heap_push(work->context, &running, table->ends[row], (int32_t)row);
    }
    shard__heap_free(work->context, &running);
    return status;
}

static int ask_prior(struct work *work, const struct shard_schema *schema)
{
    struct shard_predictor_handle prior;
    int status = shard_prior_predictor(work->context, schema, &prior);
    if (status < 0)
        return status;
    status = replay(work, prior);
    prior.port->destroy(prior.self);
    return status;
}

static int begin(struct work *work)
{
    size_t columns = work->table->name_count;
    work->features = shard__zalloc(work->context, columns * sizeof *work->features);
    work->prior = shard__zalloc(work->context, (size_t)work->table->rows * sizeof(double));
    if (work->features == NULL || work->prior == NULL)
        return SHARD_ENOMEM;
    name_columns(work);
    struct shard_schema schema = {
        .struct_size = sizeof schema, .features = work->features, .feature_count = (int32_t)columns};
    shard__usual_find(&schema, 0, &work->usual);
    return ask_prior(work, &schema);
}

static void end(const struct work *work)
{
    shard__release(work->context, work->features, work->table->name_count * sizeof *work->features);
    shard__release(work->context, work->prior, (size_t)work->table->rows * sizeof(double));
}

/* ---- trees ---- */

int shard__seconds_ask(const shard_forest *forest, const struct shard__usual *usual, const struct shard_matrix *rows,
                       double *ret_seconds)
{
    float ratios[TOGETHER];
    int status = 0;
    for (int64_t first = 0; status == 0 && first < rows->rows; first += TOGETHER) {
        int64_t count = rows->rows - first < TOGETHER ? rows->rows - first : TOGETHER;
        struct shard_matrix part = {rows->values + first * rows->stride, count, rows->stride};
        status = shard_forest_margins(forest, &part, NULL, ratios);
        if (status == 0)
            status = shard_forest_transform(forest, ratios, count);
        for (int64_t i = 0; status == 0 && i < count; i++) {
            const float *row = part.values + i * part.stride;
            ret_seconds[first + i] =
                (double)fminf(ratios[i], FLT_MAX) * shard__usual_of_task(usual, row) * shard__usual_of_host(usual, row);
        }
    }
    return status;
}

static int grow(const struct work *work, const int32_t *ids, int64_t count, struct shard__seconds *seconds)
{
    size_t columns = work->table->name_count, rows = (size_t)count;
    float *values = shard__zalloc(work->context, rows * columns * sizeof(float));
    float *lowers = shard__zalloc(work->context, rows * sizeof(float));
    float *uppers = shard__zalloc(work->context, rows * sizeof(float));
    int status = values != NULL && lowers != NULL && uppers != NULL ? 0 : SHARD_ENOMEM;
    for (size_t i = 0; status == 0 && i < rows; i++) {
        memcpy(values + i * columns, row_of(work->table, ids[i]), columns * sizeof(float));
        lowers[i] = (float)(work->table->seconds[ids[i]] / usual_of(work, ids[i]));
        uppers[i] = is_done(work->table, ids[i]) ? lowers[i] : INFINITY;
    }
    struct shard_trees_job job = {.struct_size = sizeof job,
                                  .values = values,
                                  .count = count,
                                  .columns = (int32_t)columns,
                                  .labels = lowers,
                                  .uppers = uppers,
                                  .names = (const char *const *)work->table->names,
                                  .rounds = ROUNDS,
                                  .depth = DEPTH,
                                  .min_child_weight = 10,
                                  .row_share = 0.8,
                                  .column_share = 0.6,
                                  .seed = work->config->seed};
    if (status == 0)
        status = shard__grow_trees(work->context, &work->config->trees, &job, &seconds->bytes, &seconds->size,
                                   &seconds->forest);
    shard__release(work->context, values, rows * columns * sizeof(float));
    shard__release(work->context, lowers, rows * sizeof(float));
    shard__release(work->context, uppers, rows * sizeof(float));
    return status;
}

/* ---- the choice ---- */

/* Those whose attempt is done; what others would have taken nobody knows. */
static int score_row(const struct work *work, const struct shard__seconds *seconds, int64_t row,
                     struct shard__seconds_score *score)
{
    const shard_table *table = work->table;
    double actual = log(table->seconds[row]), chosen = work->prior[row];
    struct shard_matrix one = {row_of(table, row), 1, (int64_t)table->name_count};
    if (!is_done(table, row) || !isfinite(actual) || !(work->prior[row] > 0))
        return 0;
    int status = seconds->forest == NULL ? 0 : shard__seconds_ask(seconds->forest, &work->usual, &one, &chosen);
    score->rows++;
    score->prior_error += fabs(actual - log(work->prior[row]));
    score->error += fabs(actual - log(chosen));
    return status;
}

/* Rows ids[first, end), by trees that learnt from what had ended before the first of them started. */
static int run_fold(const struct work *work, const int32_t *ids, int64_t first, int64_t end, int32_t *taught,
                    struct shard__seconds_score *score)
{
    struct shard__seconds seconds = {0};
    int64_t count = shard__ended_before(work->table, ids, first, taught);
    int status = count == 0 ? 0 : grow(work, taught, count, &seconds);
    for (int64_t i = first; status == 0 && count > 0 && i < end; i++)
        status = score_row(work, &seconds, ids[i], score);
    shard__seconds_clear(work->context, &seconds);
    return status;
}

/* `taught` has room for what `ids` holds. */
static int choose(const struct work *work, const int32_t *ids, int64_t count, int32_t *taught,
                  struct shard__seconds *seconds)
{
    struct shard__seconds_score score = {0};
    int64_t size = count / SHARD__FOLD_SHARE;
    int status = 0;
    seconds->rows = count;
    if (work->config->trees.port == NULL || size < SHARD__LEAST_FOLD_ROWS)
        return 0;
    for (int64_t fold = SHARD__FOLD_COUNT; status == 0 && fold > 0; fold--)
        status = run_fold(work, ids, count - fold * size, count - (fold - 1) * size, taught, &score);
    if (status < 0 || score.rows == 0)
        return status;
    seconds->later = score.rows;
    seconds->error = score.error / (double)score.rows;
    seconds->prior_error = score.prior_error / (double)score.rows;
    return seconds->error < seconds->prior_error ? grow(work, ids, count, seconds) : 0;
}

/* Rows that say something of seconds: their attempt had ended, and it is known what was usual. */
static int64_t find_rows(const struct work *work, double now, int32_t *ret_ids)
{
    const shard_table *table = work->table;
    int64_t count = 0;
    for (int64_t row = 0; row < table->rows; row++)
        if (table->ends[row] <= now && table->seconds[row] > 0 && usual_of(work, row) > 0)
            ret_ids[count++] = (int32_t)row;
    return count;
}

int shard__seconds_train(shard_context *context, const shard_table *table, double now,
                         const struct shard_train_config *config, struct shard__seconds *ret_seconds)
{
    struct work work = {.context = context, .table = table, .config = config};
    struct shard__seconds seconds = {0};
    size_t bytes = (size_t)table->rows * sizeof(int32_t);
    int32_t *ids = shard__zalloc(context, bytes), *taught = shard__zalloc(context, bytes);
    int status = ids != NULL && taught != NULL ? begin(&work) : SHARD_ENOMEM;
    if (status == 0)
        status = choose(&work, ids, find_rows(&work, now, ids), taught, &seconds);
    end(&work);
    shard__release(context, ids, bytes);
    shard__release(context, taught, bytes);
    if (status < 0)
        shard__seconds_clear(context, &seconds);
    else
        *ret_seconds = seconds;
    return status;
}

int shard__seconds_test(shard_context *context, const shard_table *table, const struct shard__seconds *seconds,
                        int64_t first, int64_t end_row, struct shard__seconds_score *score)
{
    struct work work = {.context = context, .table = table};
    int status = begin(&work);
    for (int64_t row = first; status == 0 && row < end_row; row++)
        status = score_row(&work, seconds, row, score);
    end(&work);
    return status;
}

int shard_train_seconds(shard_context *context, const shard_table *table, const struct shard_train_config *config,
                        shard_forest **ret_forest)
{
    struct shard_train_config ours;
    struct shard__seconds seconds;
    shard__clear_error();
    int status = shard__take_train_config(config, &ours);
    if (status == 0)
        status = shard__table_check(table);
    if (status == 0)
        status = shard__seconds_train(context, table, INFINITY, &ours, &seconds);
    if (status < 0)
        return status;
    *ret_forest = seconds.forest;
    seconds.forest = NULL;
    shard__seconds_clear(context, &seconds);
    return 0;
}

void shard__seconds_clear(const shard_context *context, struct shard__seconds *seconds)
{
    shard_forest_free(seconds->forest);
    shard__release(context, seconds->bytes, seconds->size);
    *seconds = (struct shard__seconds){0};
}
