/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts with the columns that were known when they were placed, kept until they end and the store has them. */

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* What waits to be written when the store is slow; more is dropped. */
enum { MOST_WAITING = 4096 };

static uint64_t key_of(const struct shard_view *view, int32_t task)
{
    return (uint64_t)view->run_number << 32 | (uint32_t)task;
}

static size_t row_bytes(const struct shard__foresight *foresight)
{
    return (size_t)foresight->schema.feature_count * sizeof(float);
}

void shard__foresight_keep(struct shard__foresight *foresight, const struct shard_view *view, int32_t task,
                           int32_t host, int32_t attempt, double p_fail)
{
    const shard_context *context = foresight->context;
    int32_t slot = shard__intmap_find(&foresight->placed_of, key_of(view, task));
    if (slot < 0) {
        slot = foresight->first_free > 0 ? foresight->first_free - 1 : foresight->placed_count;
        if (shard__grow(context, &foresight->placed, &foresight->placed_capacity, (size_t)slot + 1,
                        sizeof(*foresight->placed)) < 0)
            return;
        float *row = shard__realloc(context, NULL, 0, row_bytes(foresight));
        if (row == NULL || shard__intmap_set(context, &foresight->placed_of, key_of(view, task), slot) < 0) {
            shard__release(context, row, row_bytes(foresight));
            return;
        }
        if (slot == foresight->placed_count)
            foresight->placed_count++;
        else
            foresight->first_free = foresight->placed[slot].attempt;
        foresight->placed[slot].row = row;
    }
    struct shard__placed *placed = &foresight->placed[slot];
    *placed = (struct shard__placed){foresight->wall_ns, attempt, (float)p_fail, placed->row};
    shard__foresight_row(foresight, host, 0, placed->row);
}

static void drop(const struct shard__foresight *foresight, struct shard_outcome_row *outcome)
{
    char *run;
    float *values;
    memcpy(&run, &outcome->run, sizeof(run));
    memcpy(&values, &outcome->values, sizeof(values));
    shard__strfree(foresight->context, run);
    shard__release(foresight->context, values, row_bytes(foresight));
}

static void tell_predictor(struct shard__foresight *foresight, const struct shard_outcome_row *row, int counts)
{
    struct shard_predictor_handle predictor = foresight->chosen.predictor, prior = foresight->prior.predictor;
    int label = shard_outcome_label((int)row->outcome);
    struct shard_observation observation = {.struct_size = sizeof(observation),
                                            .row = row->values,
                                            .failed = label < 0 || !counts ? (double)NAN : (double)label,
                                            .seconds = row->seconds,
                                            .start_ns = row->start_ns,
                                            .end_ns = row->end_ns};
    if (prior.port != NULL)
        prior.port->observe(prior.self, &observation);
    if (!shard__foresight_may_call(foresight) || predictor.port->observe == NULL)
        return;
    predictor.port->observe(predictor.self, &observation);
    shard__foresight_called(foresight);
}

void shard__foresight_end(struct shard__foresight *foresight, const struct shard_view *view, int32_t task, int32_t host,
                          int32_t kind, enum shard_outcome outcome, int counts, double seconds)
{
    int32_t slot = shard__intmap_find(&foresight->placed_of, key_of(view, task));
    if (slot < 0)
        return;
    struct shard__placed *placed = &foresight->placed[slot];
    struct shard_outcome_row row = {.struct_size = sizeof(row),
                                    .run =
                                        shard__strdup(foresight->context, ((const struct shard__run *)view->run)->name),
                                    .host = foresight->cluster->hosts[host].name,
                                    .kind = foresight->history.kinds[kind].name,
                                    .task = task,
                                    .attempt = placed->attempt,
                                    .outcome = outcome,
                                    .start_ns = placed->start_ns,
                                    .end_ns = foresight->wall_ns,
                                    .seconds = seconds,
                                    .p_fail = (double)placed->p_fail,
                                    .schema_hash = foresight->schema_hash,
                                    .values = placed->row,
                                    .columns = foresight->schema.feature_count};
    tell_predictor(foresight, &row, counts);
    placed->row = NULL;
    placed->attempt = foresight->first_free;
    foresight->first_free = slot + 1;
    shard__intmap_remove(&foresight->placed_of, key_of(view, task));
    if (!foresight->writes || row.run == NULL || foresight->outcome_count >= MOST_WAITING ||
        shard__grow(foresight->context, &foresight->outcomes, &foresight->outcome_capacity,
                    (size_t)foresight->outcome_count + 1, sizeof(*foresight->outcomes)) < 0)
        drop(foresight, &row);
    else
        foresight->outcomes[foresight->outcome_count++] = row;
}

void shard__foresight_drop_outcomes(struct shard__foresight *foresight)
{
    for (int32_t i = 0; i < foresight->outcome_count; i++)
        drop(foresight, &foresight->outcomes[i]);
    foresight->outcome_count = 0;
}

void shard__foresight_free_outcomes(struct shard__foresight *foresight)
{
    const shard_context *context = foresight->context;
    shard__foresight_drop_outcomes(foresight);
    for (int32_t i = 0; i < foresight->placed_count; i++)
        shard__release(context, foresight->placed[i].row, row_bytes(foresight));
    shard__release(context, foresight->placed, foresight->placed_capacity * sizeof(*foresight->placed));
    shard__release(context, foresight->outcomes, foresight->outcome_capacity * sizeof(*foresight->outcomes));
    shard__intmap_free(context, &foresight->placed_of);
}
