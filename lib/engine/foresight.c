/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: what is known of a task, of hosts and of the two together, kept until a host changes. */

#include "engine/foresight.h"

#include <math.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

/* A host's row is made again when it is so old, though nothing happened there: times since grow. What its samples tell
   is most of the row, and is looked up again only when that is as old as the second. */
static const int64_t row_age_ns = 5000000000, samples_age_ns = 10000000000;

static int32_t kind_of(struct shard__foresight *foresight, const struct shard_view *view, int32_t kind)
{
    uint64_t key = (uint64_t)view->run_number << 32 | (uint32_t)kind;
    int32_t id = shard__intmap_find(&foresight->kind_of, key);
    if (id >= 0)
        return id;
    id = shard__history_kind(&foresight->history, shard_workflow_kind_name(view->workflow, kind));
    if (id >= 0 && shard__intmap_set(foresight->context, &foresight->kind_of, key, id) < 0)
        return SHARD_ENOMEM;
    return id;
}

static int get_facts(struct shard__foresight *foresight, const struct shard_view *view, int32_t task,
                     struct shard__task_facts *ret_facts)
{
    struct shard_task_view is = {.struct_size = sizeof(is)};
    view->tasks->describe(view->run, task, &is);
    int32_t kind = kind_of(foresight, view, is.info.kind_id);
    if (kind < 0)
        return kind;
    int last_failed = is.host >= 0 && is.attempt > 0 && view->tasks->failures(view->run, task) > 0;
    *ret_facts =
        (struct shard__task_facts){.kind = kind,
                                   .expected_seconds = view->tasks->expected_seconds(view->run, task),
                                   .input_bytes = shard__view_input_bytes(view, view->tasks->origin(view->run, task)),
                                   .cpu_millicores = is.info.cpu_millicores,
                                   .memory_bytes = is.memory_bytes,
                                   .disk_bytes = is.info.disk_bytes,
                                   .units = is.unit_end - is.unit_begin,
                                   .fan_in = is.info.predecessor_count,
                                   .fan_out = is.info.successor_count,
                                   .attempt = is.attempt + 1,
                                   .last_host = is.host,
                                   .last_failed = last_failed,
                                   .timeout_seconds = is.info.timeout_seconds};
    for (int outcome = 0; outcome < SHARD_OUTCOME_COUNT; outcome++)
        if (shard_outcome_label(outcome) == 1)
            ret_facts->failures += is.failures[outcome];
    return 0;
}

static int reserve(struct shard__foresight *foresight, int32_t pairs, int64_t now_ns)
{
    size_t hosts = (size_t)foresight->cluster->host_count, before = foresight->host_capacity;
    const shard_context *context = foresight->context;
    if (shard__grow(context, &foresight->host_rows, &foresight->host_row_capacity,
                    hosts * (size_t)foresight->columns[SHARD_FEATURE_HOST], sizeof(float)) < 0 ||
        shard__grow(context, &foresight->pair_rows, &foresight->pair_capacity,
                    (size_t)pairs * (size_t)foresight->columns[SHARD_FEATURE_PAIR], sizeof(float)) < 0 ||
        shard__grow(context, &foresight->wanted, &foresight->wanted_capacity, (size_t)pairs,
                    sizeof(*foresight->wanted)) < 0 ||
        shard__grow(context, &foresight->hosts, &foresight->host_capacity, hosts, sizeof(*foresight->hosts)) < 0)
        return SHARD_ENOMEM;
    for (; before < foresight->host_capacity; before++)
        foresight->hosts[before] = (struct shard__host_row){0};
    return shard__history_reserve_hosts(&foresight->history, foresight->cluster, now_ns);
}

static void make_host_row(struct shard__foresight *foresight, const struct shard_view *view, int32_t host)
{
    struct shard__host_row *row = &foresight->hosts[host];
    uint32_t changes = foresight->cluster->hosts[host].changes;
    if (row->version != 0 && row->changes == changes && view->now_ns - row->made_ns < row_age_ns)
        return;
    float *values = foresight->host_rows + (int64_t)host * foresight->columns[SHARD_FEATURE_HOST];
    shard__features_host(&foresight->history, foresight->cluster, host, view->now_ns, values);
    if (row->version == 0 || view->now_ns - row->samples_ns >= samples_age_ns) {
        shard__features_samples(&foresight->history, foresight->cluster, host, foresight->wall_ns, values);
        row->samples_ns = view->now_ns;
    }
    for (int32_t i = SHARD__HOST_FEATURES; i < foresight->columns[SHARD_FEATURE_HOST]; i++)
        values[i] = NAN;
    if (foresight->source.host != NULL)
        foresight->source.host(foresight->source_self, view, host, values + SHARD__HOST_FEATURES);
    row->version = row->version == UINT32_MAX ? 1 : row->version + 1;
    row->changes = changes;
    row->made_ns = view->now_ns;
}

static void make_pair_row(struct shard__foresight *foresight, const struct shard_view *view, int32_t task,
                          const struct shard__task_facts *facts, int32_t host, float *values)
{
    double seconds = view->tasks->staging_seconds(view->run, task, host);
    double bytes = view->tasks->staging_bytes(view->run, task, host);
    shard__features_pair(&foresight->history, foresight->cluster, facts, host, bytes, seconds, view->now_ns, values);
    for (int32_t i = SHARD__PAIR_FEATURES; i < foresight->columns[SHARD_FEATURE_PAIR]; i++)
        values[i] = NAN;
    if (foresight->source.pair != NULL)
        foresight->source.pair(foresight->source_self, view, task, host, values + SHARD__PAIR_FEATURES);
}

static int make_rows(struct shard__foresight *foresight, const struct shard_view *view, int32_t task,
                     const int32_t *hosts, int32_t count)
{
    struct shard__task_facts facts;
    foresight->forecaster.is_active = 1;
    if (foresight->wall_ns == 0)
        foresight->wall_ns = shard__wall_ns(foresight->context);
    if (reserve(foresight, count, view->now_ns) < 0 || get_facts(foresight, view, task, &facts) < 0)
        return SHARD_ENOMEM;
    shard__features_task(&foresight->history, &facts, view->now_ns, foresight->task_row);
    for (int32_t i = SHARD__TASK_FEATURES; i < foresight->columns[SHARD_FEATURE_TASK]; i++)
        foresight->task_row[i] = NAN;
    if (foresight->source.task != NULL)
        foresight->source.task(foresight->source_self, view, task, foresight->task_row + SHARD__TASK_FEATURES);
    for (int32_t i = 0; i < count; i++) {
        make_host_row(foresight, view, hosts[i]);
        make_pair_row(foresight, view, task, &facts, hosts[i],
                      foresight->pair_rows + (int64_t)i * foresight->columns[SHARD_FEATURE_PAIR]);
    }
    return 0;
}

static int forecast(struct shard__forecaster *self, const struct shard_view *view, int32_t task, const int32_t *hosts,
                    int32_t count, const struct shard_forecasts *ret)
{
    struct shard__foresight *foresight = (struct shard__foresight *)self;
    int status = make_rows(foresight, view, task, hosts, count);
    return status < 0 ? status : shard__foresight_ask(foresight, hosts, count, ret);
}

static void placed(struct shard__forecaster *self, const struct shard_view *view, int32_t task,
                   struct shard_decision *decision)
{
    double p_fail = NAN, seconds = NAN;
    struct shard_forecasts ret = {.p_fail = &p_fail, .seconds = &seconds};
    struct shard__foresight *foresight = (struct shard__foresight *)self;
    if (!isnan(decision->p_fail) && !foresight->keeps)
        return;
    if (make_rows(foresight, view, task, &decision->host, 1) < 0)
        return;
    if ((isnan(decision->p_fail) || isnan(decision->expected_seconds)) &&
        shard__foresight_ask(foresight, &decision->host, 1, &ret) < 0)
        return;
    if (isnan(decision->p_fail))
        decision->p_fail = p_fail;
    if (isnan(decision->expected_seconds))
        decision->expected_seconds = seconds;
    if (foresight->keeps) /* the rows are those of this question */
        shard__foresight_keep(foresight, view, task, decision->host,
                              ((const struct shard__run *)view->run)->tasks[task].attempt + 1, decision->p_fail);
}

static void ended(struct shard__forecaster *self, const struct shard_view *view, int32_t task, int32_t host,
                  enum shard_outcome outcome, double seconds)
{
    struct shard__foresight *foresight = (struct shard__foresight *)self;
    struct shard__task_facts facts;
    /* Without memory this end is not remembered. */
    if (reserve(foresight, 0, view->now_ns) < 0 || get_facts(foresight, view, task, &facts) < 0)
        return;
    /* One that had asked for too little, and asks for more now, says nothing of those that come after it. */
    int counts = shard__view_ran_out(view, task, outcome) != 1;
    struct shard__ending ending = {.kind = facts.kind,
                                   .host = host,
                                   .outcome = counts ? outcome : SHARD_OUTCOME_CANCELLED,
                                   .seconds = seconds,
                                   .expected_seconds = facts.expected_seconds,
                                   .input_bytes = facts.input_bytes,
                                   .time_ns = view->now_ns,
                                   .speed = foresight->cluster->hosts[host].speed};
    shard__history_ended(&foresight->history, &ending);
    foresight->hosts[host].made_ns = INT64_MIN / 2;
    if (foresight->keeps)
        shard__foresight_end(foresight, view, task, host, facts.kind, outcome, counts, seconds);
}

void shard__foresight_sample(struct shard__foresight *foresight, int32_t host, const struct shard_sample *sample)
{
    int64_t now_ns = shard__now_ns(foresight->context);
    if (foresight->forecaster.is_active &&
        shard__history_reserve_hosts(&foresight->history, foresight->cluster, now_ns) == 0)
        shard__history_sample(&foresight->history, host, sample);
}

int shard__foresight_init(struct shard__foresight *foresight, shard_context *context,
                          const struct shard__cluster *cluster, struct shard_predictor_handle predictor,
                          const struct shard_feature_source *source, void *source_self, int writes)
{
    foresight->context = context;
    foresight->cluster = cluster;
    foresight->forecaster = (struct shard__forecaster){
        .is_active = predictor.port != NULL || writes,
        .has_predictor = predictor.port != NULL,
        .wants_notes = writes,
        .forecast = forecast,
        .placed = placed,
        .ended = ended,
    };
    foresight->writes = writes;
    foresight->keeps = writes || predictor.port != NULL;
    foresight->source_self = source_self;
    shard__history_init(&foresight->history, context);
    int status = 0;
    if (source != NULL)
        status = shard__take_struct(&foresight->source, sizeof(foresight->source), source, "feature source");
    if (status == 0)
        status = shard__foresight_schema(foresight);
    if (status == 0)
        foresight->schema_hash = shard_schema_hash(&foresight->schema);
    if (status < 0 || predictor.port == NULL)
        return status;
    if (predictor.port->predict == NULL)
        return shard__fail(SHARD_EINVAL, "engine config: the predictor's predict is missing");
    const struct shard_schema *wants = predictor.port->schema == NULL ? NULL : predictor.port->schema(predictor.self);
    status = wants == NULL ? 0 : shard_schema_compare(wants, &foresight->schema);
    if (status == 0)
        foresight->chosen.predictor = predictor;
    return status;
}

void shard__foresight_free(struct shard__foresight *foresight)
{
    const shard_context *context = foresight->context;
    shard__foresight_free_outcomes(foresight);
    shard__asked_free(&foresight->chosen, context);
    shard__asked_free(&foresight->prior, context);
    if (foresight->prior.predictor.port != NULL)
        foresight->prior.predictor.port->destroy(foresight->prior.predictor.self);
    shard__history_free(&foresight->history);
    shard__intmap_free(context, &foresight->kind_of);
    shard__release(context, foresight->features,
                   (size_t)foresight->schema.feature_count * sizeof(*foresight->features));
    shard__release(context, foresight->names, foresight->name_bytes);
    shard__release(context, foresight->task_row, (size_t)foresight->columns[SHARD_FEATURE_TASK] * sizeof(float));
    shard__release(context, foresight->whole_rows, foresight->whole_row_floats * sizeof(float));
    shard__release(context, foresight->host_rows, foresight->host_row_capacity * sizeof(float));
    shard__release(context, foresight->pair_rows, foresight->pair_capacity * sizeof(float));
    shard__release(context, foresight->wanted, foresight->wanted_capacity * sizeof(*foresight->wanted));
    shard__release(context, foresight->hosts, foresight->host_capacity * sizeof(*foresight->hosts));
}
