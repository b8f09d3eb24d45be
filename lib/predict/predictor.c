/* SPDX-License-Identifier: Apache-2.0 */
/* How the library calls a predictor: arguments checked before, answers after, pairs put together for those without the
 * two-sided form. */

#include <math.h>
#include <string.h>

#include <shard/predictor.h>

#include "base/alloc.h"
#include "base/error.h"
#include "predictor.h"

static const char *predictor_name(struct shard_predictor_handle predictor)
{
    return predictor.port->name != NULL ? predictor.port->name : "predictor";
}

void shard__forecasts_forget(const struct shard_forecasts *ret, int64_t count)
{
    double *const arrays[] = {ret->p_fail, ret->seconds, ret->evidence};
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; arrays[k] != NULL && i < count; i++)
            arrays[k][i] = NAN;
}

/* An answer is NaN or in its range. */
int shard__forecasts_check(struct shard_predictor_handle predictor, const struct shard_forecasts *ret, int64_t count)
{
    static const char *const what[] = {"a probability", "seconds", "evidence"};
    static const double most[] = {1, INFINITY, INFINITY};
    double *const arrays[] = {ret->p_fail, ret->seconds, ret->evidence};
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; arrays[k] != NULL && i < count; i++)
            if (arrays[k][i] < 0 || arrays[k][i] > most[k])
                return shard__fail(SHARD_EINVAL, "predictor '%s' answers %g for %s of row %lld",
                                   predictor_name(predictor), arrays[k][i], what[k], (long long)i);
    return 0;
}

/* The predictor's own message, if it left one, stays. */
int shard__forecasts_failed(struct shard_predictor_handle predictor, int status)
{
    if (shard__error_message()[0] == '\0')
        return shard__fail(status, "predictor '%s' failed with %s", predictor_name(predictor), shard_code_text(status));
    return status;
}

int shard_predict(struct shard_predictor_handle predictor, const struct shard_matrix *rows, int32_t columns,
                  const struct shard_forecasts *ret)
{
    shard__clear_error();
    const struct shard_schema *schema = predictor.port->schema != NULL ? predictor.port->schema(predictor.self) : NULL;
    if (schema != NULL && schema->feature_count != columns)
        return shard__fail(SHARD_EINVAL, "rows of %d columns, but predictor '%s' takes %d", columns,
                           predictor_name(predictor), schema->feature_count);
    if (rows->rows < 0 || columns < 0 || (rows->stride != 0 && rows->stride < columns))
        return shard__fail(SHARD_EINVAL, "%lld rows of %lld floats for %d columns", (long long)rows->rows,
                           (long long)rows->stride, columns);
    shard__forecasts_forget(ret, rows->rows);
    if (rows->rows == 0)
        return 0;
    int status = predictor.port->predict(predictor.self, rows, columns, ret);
    return status < 0 ? shard__forecasts_failed(predictor, status) : shard__forecasts_check(predictor, ret, rows->rows);
}

/* Pairs as they are asked for. */
struct job {
    struct shard_predictor_handle predictor;
    const struct shard_schema *schema;
    const struct shard_matrix *tasks;
    const struct shard_matrix *hosts;
    struct shard_pairs pairs;
    int64_t count;
    int32_t group_columns[3];
};

static int64_t stride_of(const struct job *job, const struct shard_matrix *matrix, enum shard_feature_group group)
{
    return matrix->stride != 0 ? matrix->stride : job->group_columns[group];
}

static struct shard_pair pair_of(const struct job *job, int64_t index)
{
    if (job->pairs.wanted != NULL)
        return job->pairs.wanted[index];
    return (struct shard_pair){(int32_t)(index / job->hosts->rows), (int32_t)(index % job->hosts->rows)};
}

static int check_job(struct job *job, const struct shard_pairs *pairs)
{
    const struct shard_matrix *matrices[] = {job->tasks, job->hosts, &job->pairs.pair_features};
    int status = shard__take_struct(&job->pairs, sizeof(job->pairs), pairs, "pairs");
    if (status < 0)
        return status;
    for (int32_t i = 0; i < job->schema->feature_count; i++)
        job->group_columns[job->schema->features[i].group]++;
    for (int i = 0; i < 3; i++)
        if (matrices[i]->rows < 0 || matrices[i]->rows > INT32_MAX ||
            (matrices[i]->values != NULL &&
             stride_of(job, matrices[i], (enum shard_feature_group)i) < job->group_columns[i]))
            return shard__fail(SHARD_EINVAL, "%lld rows of %lld floats for %d columns", (long long)matrices[i]->rows,
                               (long long)matrices[i]->stride, job->group_columns[i]);
    job->count = job->pairs.wanted != NULL ? job->pairs.count : job->tasks->rows * job->hosts->rows;
    if (job->count < 0 || (job->pairs.pair_features.values != NULL && job->pairs.pair_features.rows < job->count))
        return shard__fail(SHARD_EINVAL, "features of %lld pairs, for %lld pairs",
                           (long long)job->pairs.pair_features.rows, (long long)job->count);
    for (int64_t i = 0; i < job->count && job->pairs.wanted != NULL; i++) {
        struct shard_pair pair = pair_of(job, i);
        if (pair.task < 0 || pair.task >= job->tasks->rows || pair.host < 0 || pair.host >= job->hosts->rows)
            return shard__fail(SHARD_ENOENT, "pair %lld is task %d with host %d, of %lld tasks and %lld hosts",
                               (long long)i, pair.task, pair.host, (long long)job->tasks->rows,
                               (long long)job->hosts->rows);
    }
    return 0;
}

/* The row of a pair, in the schema's order. */
static void put_row(const struct job *job, int64_t index, float *row)
{
    struct shard_pair pair = pair_of(job, index);
    const struct shard_matrix *features = &job->pairs.pair_features;
    const float *from[] = {
        job->tasks->values + pair.task * stride_of(job, job->tasks, SHARD_FEATURE_TASK),
        job->hosts->values + pair.host * stride_of(job, job->hosts, SHARD_FEATURE_HOST),
        features->values != NULL ? features->values + index * stride_of(job, features, SHARD_FEATURE_PAIR) : NULL,
    };
    for (int32_t i = 0; i < job->schema->feature_count; i++) {
        enum shard_feature_group group = job->schema->features[i].group;
        row[i] = from[group] != NULL ? *from[group]++ : NAN;
    }
}

struct shard_forecasts shard__forecasts_from(const struct shard_forecasts *ret, int64_t first)
{
    return (struct shard_forecasts){
        .p_fail = ret->p_fail != NULL ? ret->p_fail + first : NULL,
        .seconds = ret->seconds != NULL ? ret->seconds + first : NULL,
        .evidence = ret->evidence != NULL ? ret->evidence + first : NULL,
    };
}

static int by_rows(const shard_context *context, const struct job *job, const struct shard_forecasts *ret)
{
    enum { TOGETHER = 256 };
    int32_t columns = job->schema->feature_count;
    size_t bytes = TOGETHER * (size_t)columns * sizeof(float);
    float *rows = shard__realloc(context, NULL, 0, bytes);
    int status = rows != NULL ? 0 : SHARD_ENOMEM;
    for (int64_t first = 0; status == 0 && first < job->count; first += TOGETHER) {
        int64_t count = job->count - first < TOGETHER ? job->count - first : TOGETHER;
        for (int64_t i = 0; i < count; i++)
            put_row(job, first + i, rows + i * columns);
        struct shard_matrix matrix = {rows, count, 0};
        struct shard_forecasts part = shard__forecasts_from(ret, first);
        status = job->predictor.port->predict(job->predictor.self, &matrix, columns, &part);
        if (status < 0)
            status = shard__forecasts_failed(job->predictor, status);
    }
    shard__release(context, rows, bytes);
    return status;
}

static int by_blocks(const struct job *job, const struct shard_forecasts *ret)
{
    const struct shard_predictor *port = job->predictor.port;
    void *self = job->predictor.self, *tasks = NULL, *hosts = NULL;
    int status = port->block_new(self, SHARD_FEATURE_TASK, (int32_t)job->tasks->rows, &tasks);
    if (status == 0)
        status = port->block_new(self, SHARD_FEATURE_HOST, (int32_t)job->hosts->rows, &hosts);
    if (status == 0)
        status = port->block_set(self, tasks, 0, job->tasks);
    if (status == 0)
        status = port->block_set(self, hosts, 0, job->hosts);
    if (status == 0)
        status = port->predict_pairs(self, tasks, hosts, &job->pairs, ret);
    if (tasks != NULL)
        port->block_free(self, tasks);
    if (hosts != NULL)
        port->block_free(self, hosts);
    return status < 0 ? shard__forecasts_failed(job->predictor, status) : 0;
}

int shard_predict_pairs(shard_context *context, struct shard_predictor_handle predictor,
                        const struct shard_schema *schema, const struct shard_matrix *tasks,
                        const struct shard_matrix *hosts, const struct shard_pairs *pairs,
                        const struct shard_forecasts *ret)
{
    struct job job = {.predictor = predictor, .schema = schema, .tasks = tasks, .hosts = hosts};
    int status = shard_schema_check(context, schema);
    if (status == 0)
        status = check_job(&job, pairs);
    if (status < 0)
        return status;
    shard__forecasts_forget(ret, job.count);
    if (job.count == 0)
        return 0;
    status = predictor.port->predict_pairs != NULL ? by_blocks(&job, ret) : by_rows(context, &job, ret);
    return status < 0 ? status : shard__forecasts_check(predictor, ret, job.count);
}
