/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a predictor: in its two-sided form, where a host's row is set again only when it changed, or row by row. One
 * that fails or answers what is no forecast is logged, and the prior answers for it; so does it for one that is slow.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/foresight.h"
#include "predict/predictor.h"

/* Rows that are put together for a predictor without the two-sided form. */
enum { TOGETHER = 64 };

/*
 * A call cannot be ended from here, but be the last for a while. The predictor has so much of each step; when it is
 * over, it rests so many times as long as its last question took, so that it has a hundredth of the time at most.
 */
static const int64_t allowance_ns = 100000000, rest = 99;

static const char *name_of(const struct shard_predictor *port)
{
    return port->name == NULL ? "predictor" : port->name;
}

/* Names of the source are copied; its groups and roles are checked with the whole. */
static int copy_source(struct shard__foresight *foresight)
{
    const struct shard_feature_source *source = &foresight->source;
    int32_t own = shard_history_schema()->feature_count;
    for (int32_t i = 0; i < source->feature_count; i++)
        foresight->name_bytes += source->features[i].name == NULL ? 1 : strlen(source->features[i].name) + 1;
    if (foresight->name_bytes == 0)
        return 0;
    foresight->names = shard__realloc(foresight->context, NULL, 0, foresight->name_bytes);
    if (foresight->names == NULL)
        return SHARD_ENOMEM;
    char *name = foresight->names;
    for (int32_t i = 0; i < source->feature_count; i++) {
        const char *given = source->features[i].name == NULL ? "" : source->features[i].name;
        foresight->features[own + i] = source->features[i];
        foresight->features[own + i].name = memcpy(name, given, strlen(given) + 1);
        name += strlen(given) + 1;
    }
    return 0;
}

int shard__foresight_schema(struct shard__foresight *foresight)
{
    const struct shard_schema *own = shard_history_schema();
    int32_t more = foresight->source.feature_count;
    if (more < 0 || more > 2048 || (more > 0 && foresight->source.features == NULL))
        return shard__fail(SHARD_EINVAL, "feature source: %d columns, expected 0 to 2048 and an array of them", more);
    struct shard_schema *schema = &foresight->schema;
    schema->struct_size = sizeof(*schema);
    schema->feature_count = own->feature_count + more;
    foresight->features =
        shard__zalloc(foresight->context, (size_t)schema->feature_count * sizeof(*foresight->features));
    if (foresight->features == NULL)
        return SHARD_ENOMEM;
    schema->features = foresight->features;
    memcpy(foresight->features, own->features, (size_t)own->feature_count * sizeof(*own->features));
    int status = copy_source(foresight);
    if (status == 0)
        status = shard_schema_check(foresight->context, schema);
    if (status < 0)
        return status;
    for (int32_t i = 0; i < schema->feature_count; i++)
        foresight->columns[schema->features[i].group]++;
    foresight->task_row =
        shard__zalloc(foresight->context, (size_t)foresight->columns[SHARD_FEATURE_TASK] * sizeof(float));
    return foresight->task_row == NULL ? SHARD_ENOMEM : 0;
}

void shard__foresight_row(const struct shard__foresight *foresight, int32_t host, int32_t pair, float *ret_row)
{
    const float *from[3] = {foresight->task_row,
                            foresight->host_rows + (int64_t)host * foresight->columns[SHARD_FEATURE_HOST],
                            foresight->pair_rows + (int64_t)pair * foresight->columns[SHARD_FEATURE_PAIR]};
    for (int32_t i = 0; i < foresight->schema.feature_count; i++)
        ret_row[i] = *from[foresight->features[i].group]++;
}

void shard__asked_free(struct shard__asked *asked, const shard_context *context)
{
    const struct shard_predictor *port = asked->predictor.port;
    if (asked->task_block != NULL)
        port->block_free(asked->predictor.self, asked->task_block);
    if (asked->host_block != NULL)
        port->block_free(asked->predictor.self, asked->host_block);
    shard__release(context, asked->seen, (size_t)asked->host_rows * sizeof(*asked->seen));
    asked->task_block = asked->host_block = NULL;
    asked->seen = NULL;
    asked->host_rows = 0;
}

/* Blocks with room for every host. When there are more hosts than before, all is set again. */
static int make_blocks(const struct shard__foresight *foresight, struct shard__asked *asked)
{
    const struct shard_predictor *port = asked->predictor.port;
    if (asked->host_block != NULL && asked->host_rows >= foresight->cluster->host_count)
        return 0;
    shard__asked_free(asked, foresight->context);
    int32_t rows = foresight->cluster->host_count + foresight->cluster->host_count / 4 + 4;
    asked->seen = shard__zalloc(foresight->context, (size_t)rows * sizeof(*asked->seen));
    if (asked->seen == NULL)
        return SHARD_ENOMEM;
    asked->host_rows = rows;
    int status = port->block_new(asked->predictor.self, SHARD_FEATURE_TASK, 1, &asked->task_block);
    if (status == 0)
        status = port->block_new(asked->predictor.self, SHARD_FEATURE_HOST, rows, &asked->host_block);
    if (status < 0)
        shard__asked_free(asked, foresight->context);
    return status;
}

/* Many calls are given up when time is over. */
static int check_time(const struct shard__foresight *foresight, const struct shard__asked *asked)
{
    if (asked == &foresight->prior || shard__now_ns(foresight->context) - foresight->asked_ns <= allowance_ns)
        return 0;
    return shard__fail(SHARD_EBUSY, "predictor '%s' has not answered in %.1f s", name_of(asked->predictor.port),
                       (double)allowance_ns / 1e9);
}

static int by_blocks(struct shard__foresight *foresight, struct shard__asked *asked, const int32_t *hosts,
                     int32_t count, const struct shard_forecasts *ret)
{
    const struct shard_predictor *port = asked->predictor.port;
    void *self = asked->predictor.self;
    struct shard_matrix row = {foresight->task_row, 1, 0};
    int status = make_blocks(foresight, asked);
    if (status == 0)
        status = port->block_set(self, asked->task_block, 0, &row);
    for (int32_t i = 0; status == 0 && i < count; i++) {
        int32_t host = hosts[i];
        foresight->wanted[i] = (struct shard_pair){0, host};
        if (asked->seen[host] == foresight->hosts[host].version)
            continue;
        row.values = foresight->host_rows + (int64_t)host * foresight->columns[SHARD_FEATURE_HOST];
        status = port->block_set(self, asked->host_block, host, &row);
        asked->seen[host] = status == 0 ? foresight->hosts[host].version : 0;
        if (status == 0)
            status = check_time(foresight, asked);
    }
    if (status < 0)
        return status;
    struct shard_pairs pairs = {.struct_size = sizeof(pairs),
                                .wanted = foresight->wanted,
                                .count = count,
                                .pair_features = {foresight->pair_rows, count, 0}};
    return port->predict_pairs(self, asked->task_block, asked->host_block, &pairs, ret);
}

static int by_rows(struct shard__foresight *foresight, const struct shard__asked *asked, const int32_t *hosts,
                   int32_t count, const struct shard_forecasts *ret)
{
    int32_t columns = foresight->schema.feature_count;
    if (shard__grow(foresight->context, &foresight->whole_rows, &foresight->whole_row_floats,
                    TOGETHER * (size_t)columns, sizeof(float)) < 0)
        return SHARD_ENOMEM;
    int status = 0;
    for (int32_t first = 0; status == 0 && first < count; first += TOGETHER) {
        int32_t some = count - first < TOGETHER ? count - first : TOGETHER;
        for (int32_t i = 0; i < some; i++)
            shard__foresight_row(foresight, hosts[first + i], first + i, foresight->whole_rows + (int64_t)i * columns);
        struct shard_matrix rows = {foresight->whole_rows, some, 0};
        struct shard_forecasts part = shard__forecasts_from(ret, first);
        status = asked->predictor.port->predict(asked->predictor.self, &rows, columns, &part);
        if (status == 0 && first + some < count)
            status = check_time(foresight, asked);
    }
    return status;
}

static int ask(struct shard__foresight *foresight, struct shard__asked *asked, const int32_t *hosts, int32_t count,
               const struct shard_forecasts *ret)
{
    const struct shard_predictor *port = asked->predictor.port;
    shard__clear_error();
    shard__forecasts_forget(ret, count);
    int has_blocks =
        port->predict_pairs != NULL && port->block_new != NULL && port->block_set != NULL && port->block_free != NULL;
    int status =
        has_blocks ? by_blocks(foresight, asked, hosts, count, ret) : by_rows(foresight, asked, hosts, count, ret);
    return status < 0 ? shard__forecasts_failed(asked->predictor, status)
                      : shard__forecasts_check(asked->predictor, ret, count);
}

static int ask_prior(struct shard__foresight *foresight, const int32_t *hosts, int32_t count,
                     const struct shard_forecasts *ret)
{
    int status = 0;
    if (foresight->prior.predictor.port == NULL)
        status = shard_prior_predictor(foresight->context, &foresight->schema, &foresight->prior.predictor);
    return status < 0 ? status : ask(foresight, &foresight->prior, hosts, count, ret);
}

/* A predictor may fail at every call: it is told the first time, and then when that has doubled. */
static void tell_failure(struct shard__foresight *foresight, const char *what)
{
    int64_t failures = ++foresight->failures;
    if ((failures & (failures - 1)) == 0)
        shard__log(foresight->context, SHARD_LOG_WARNING, "predictor-failed",
                   "%s; the prior answers for it (%lld times in a row now)", what, (long long)failures);
}

static int knows_nothing(const double *values, int32_t count)
{
    int32_t known = 0;
    for (int32_t i = 0; values != NULL && i < count; i++)
        known += !isnan(values[i]);
    return values != NULL && count > 0 && known == 0;
}

int shard__foresight_may_call(struct shard__foresight *foresight)
{
    foresight->asked_ns = shard__now_ns(foresight->context);
    return foresight->chosen.predictor.port != NULL && foresight->asked_ns >= foresight->rests_until_ns;
}

void shard__foresight_called(struct shard__foresight *foresight)
{
    int64_t now_ns = shard__now_ns(foresight->context);
    int64_t took_ns = now_ns - foresight->asked_ns;
    foresight->spent_ns += took_ns;
    if (foresight->spent_ns <= allowance_ns)
        return;
    foresight->rests_until_ns = now_ns + rest * took_ns;
    int64_t rests = ++foresight->rests;
    if ((rests & (rests - 1)) == 0)
        shard__log(
            foresight->context, SHARD_LOG_WARNING, "predictor-slow",
            "predictor '%s' has held a step up for %.3f s; the prior answers for the next %.3g s (%lld times now)",
            name_of(foresight->chosen.predictor.port), (double)foresight->spent_ns / 1e9,
            (double)(rest * took_ns) / 1e9, (long long)rests);
}

int shard__foresight_ask(struct shard__foresight *foresight, const int32_t *hosts, int32_t count,
                         const struct shard_forecasts *ret)
{
    if (!shard__foresight_may_call(foresight))
        return ask_prior(foresight, hosts, count, ret);
    int status = ask(foresight, &foresight->chosen, hosts, count, ret);
    shard__foresight_called(foresight);
    if (status == 0 && !knows_nothing(ret->p_fail, count)) {
        struct shard_forecasts seconds = {.seconds = ret->seconds};
        foresight->failures = 0;
        return knows_nothing(ret->seconds, count) ? ask_prior(foresight, hosts, count, &seconds) : 0;
    }
    char what[512] = "predictor knows nothing of any of the hosts";
    if (status < 0)
        snprintf(what, sizeof(what), "%s", shard__error_message());
    if (status != SHARD_EBUSY) /* which has been told */
        tell_failure(foresight, what);
    return ask_prior(foresight, hosts, count, ret);
}
