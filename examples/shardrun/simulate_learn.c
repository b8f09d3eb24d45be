/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning in simulations. Rows are what the engine shows its predictor of a task and a host: the policy's port asks
 * about the pair that was just chosen, and the predictor keeps the row that it is asked about. Keys are left out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "need.h"
#include "simulate_learn.h"
#include "table_file.h"

enum { MOST_CELLS = 1 << 28 /* so that no row is thinned out */, DEPTH = 4 };

static int column_count(void)
{
    return shard_history_schema()->feature_count;
}

static bool is_value(int column)
{
    return shard_history_schema()->features[column].role == SHARD_FEATURE_VALUE;
}

/* ---- rows ---- */

static int keep_row(struct learning *learning, const float *row)
{
    int columns = column_count(), at = learning->rows;
    if (at == learning->capacity) {
        learning->capacity = learning->capacity * 2 + 1024;
        size_t count = (size_t)learning->capacity;
        learning->values = need_resized(learning->values, count * (size_t)columns, sizeof *learning->values);
        learning->starts = need_resized(learning->starts, count, sizeof *learning->starts);
        learning->ends = need_resized(learning->ends, count, sizeof *learning->ends);
        learning->labels = need_resized(learning->labels, count, sizeof *learning->labels);
    }
    memcpy(learning->values + (size_t)at * (size_t)columns, row, (size_t)columns * sizeof *row);
    learning->labels[at] = -1;
    learning->ends[at] = NAN;
    return learning->rows++;
}

static int predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    struct learning *learning = self;
    if (learning->wants && rows->rows == 1 && columns == column_count()) {
        keep_row(learning, rows->values);
        learning->wants = false;
    }
    return learning->prior.port->predict(learning->prior.self, rows, columns, ret);
}

static const struct shard_schema *schema(void *self)
{
    (void)self;
    return shard_history_schema();
}

static const struct shard_predictor collecting = {
    .struct_size = sizeof collecting, .name = "collecting", .schema = schema, .predict = predict};

int learning_begin(shard_context *context, struct learning *learning)
{
    *learning = (struct learning){0};
    return shard_prior_predictor(context, shard_history_schema(), &learning->prior) < 0 ? cli_library_error("prior")
                                                                                        : CLI_DONE;
}

struct shard_predictor_handle learning_predictor(struct learning *learning)
{
    return (struct shard_predictor_handle){&collecting, learning};
}

void learning_next_run(struct learning *learning, int round)
{
    learning->round = round;
    learning->task_count = 0;
}

/* Each simulation begins at the same moment; as rows of one table the rounds follow one another, a year apart. */
static double seconds_of(const struct learning *learning, const shard_view *view)
{
    return (double)learning->round * 3e7 + (double)shard_view_now_ns(view) / 1e9;
}

void learning_placed(struct learning *learning, const shard_view *view, shard_task_id task, shard_host_id host)
{
    double p_fail;
    struct shard_forecasts ret = {.p_fail = &p_fail};
    int before = learning->rows;
    learning->wants = true;
    shard_view_forecast(view, task, &host, 1, &ret);
    learning->wants = false;
    if (learning->rows == before)
        return;
    if (task >= learning->task_count) {
        learning->row_of = need_resized(learning->row_of, (size_t)task * 2 + 64, sizeof *learning->row_of);
        for (; learning->task_count < task * 2 + 64; learning->task_count++)
            learning->row_of[learning->task_count] = -1;
    }
    learning->row_of[task] = before;
    learning->starts[before] = seconds_of(learning, view);
}

/* Whether an attempt took far longer than was to be expected: as bad as one that failed in the middle. The trees of
   seconds know it, too; but without it more attempts have to be overtaken: a fifth more is wasted. */
static bool is_late(const struct learning *learning, int row)
{
    const float *values = learning->values + (size_t)row * (size_t)column_count();
    double expected = NAN, speed = 1, ratio = 1;
    for (int i = 0; i < column_count(); i++) {
        const char *name = shard_history_schema()->features[i].name;
        if (strcmp(name, "task_expected_seconds") == 0)
            expected = (double)values[i];
        else if (strcmp(name, "host_speed") == 0)
            speed = (double)values[i];
        else if (strcmp(name, "kind_seconds_ratio") == 0 && isfinite(values[i]))
            ratio = (double)values[i];
    }
    return learning->ends[row] - learning->starts[row] > 2.5 * expected * ratio / speed + 2;
}

void learning_ended(struct learning *learning, const shard_view *view, shard_task_id task, enum shard_outcome outcome)
{
    int row = task < learning->task_count ? learning->row_of[task] : -1;
    if (row < 0)
        return;
    learning->row_of[task] = -1;
    learning->ends[row] = seconds_of(learning, view);
    int label = shard_outcome_label((int)outcome);
    learning->labels[row] = (signed char)(label == 0 ? is_late(learning, row) : label);
}

void learning_end(struct learning *learning)
{
    if (learning->prior.port != NULL)
        learning->prior.port->destroy(learning->prior.self);
    free(learning->values);
    free(learning->starts);
    free(learning->ends);
    free(learning->labels);
    free(learning->row_of);
}

/* ---- training ---- */

/* Without keys: a column that is always missing is never split on. */
static void copy_row(const struct learning *learning, int at, float *ret)
{
    const float *values = learning->values + (size_t)at * (size_t)column_count();
    for (int i = 0; i < column_count(); i++)
        ret[i] = is_value(i) && isfinite(values[i]) ? values[i] : NAN;
}

/* Rows that have a label. */
static int labelled_rows(const struct learning *learning, float *ret_values, float *ret_labels)
{
    int count = 0;
    for (int row = 0; row < learning->rows; row++) {
        if (learning->labels[row] < 0)
            continue;
        copy_row(learning, row, ret_values + (size_t)count * (size_t)column_count());
        ret_labels[count++] = learning->labels[row];
    }
    return count;
}

static int grow_forest(shard_context *context, struct shard_trees_handle trees, const struct shard_trees_job *job,
                       shard_forest **ret_forest)
{
    void *bytes = NULL;
    size_t size = 0;
    if (trees.port->train(trees.self, job, &bytes, &size) < 0)
        return cli_library_error("adaptive:learned");
    int status = shard_forest_load_buffer(context, bytes, size, "adaptive:learned", NULL, ret_forest);
    trees.port->release(trees.self, bytes, size);
    return status < 0 ? cli_library_error("adaptive:learned") : CLI_DONE;
}

struct started {
    double at;
    int row;
};

static int by_start(const void *a, const void *b)
{
    const struct started *one = a, *other = b;
    return one->at != other->at ? (one->at > other->at) - (one->at < other->at) : one->row - other->row;
}

/* All rows, in the order in which attempts started, for those who look at that and at when they ended. */
static int fill_table(const struct learning *learning, const char *const *names, shard_table *table)
{
    int columns = column_count();
    float *row = need_zeroed((size_t)columns, sizeof *row);
    struct started *order = need_zeroed((size_t)learning->rows + 1, sizeof *order);
    int status = shard_table_columns(table, names, columns);
    for (int i = 0; i < learning->rows; i++)
        order[i] = (struct started){learning->starts[i], i};
    qsort(order, (size_t)learning->rows, sizeof *order, by_start);
    for (int i = 0; i < learning->rows && status == 0; i++) {
        int at = order[i].row;
        copy_row(learning, at, row);
        status = shard_table_add(table, learning->starts[at], learning->ends[at], learning->labels[at], row);
    }
    free(order);
    free(row);
    return status;
}

static int train_seconds(shard_context *context, const struct learning *learning, const char *const *names,
                         struct shard_trees_handle trees, shard_forest **ret_seconds)
{
    struct shard_table_config config = {.struct_size = sizeof config, .max_cells = MOST_CELLS};
    struct shard_train_config train = {.struct_size = sizeof train, .trees = trees};
    shard_table *table = NULL;
    int status = shard_table_new(context, &config, &table);
    if (status == 0)
        status = fill_table(learning, names, table);
    if (status == 0)
        status = shard_train_seconds(context, table, &train, ret_seconds);
    shard_table_free(table);
    return status < 0 ? cli_library_error("adaptive:learned") : CLI_DONE;
}

int learning_train(shard_context *context, const struct learning *learning, struct learned *ret_learned)
{
    int columns = column_count(), failed = 0;
    float *values = need_zeroed((size_t)learning->rows + 1, (size_t)columns * sizeof *values);
    float *labels = need_zeroed((size_t)learning->rows + 1, sizeof *labels);
    const char **names = need_zeroed((size_t)columns, sizeof *names);
    int count = labelled_rows(learning, values, labels), code = CLI_DONE;
    for (int row = 0; row < count; row++)
        failed += labels[row] > 0;
    for (int i = 0; i < columns; i++)
        names[i] = shard_history_schema()->features[i].name;
    struct shard_trees_job job = {.struct_size = sizeof job,
                                  .values = values,
                                  .count = count,
                                  .columns = columns,
                                  .labels = labels,
                                  .names = names,
                                  .rounds = 300,
                                  .depth = DEPTH,
                                  .learning_rate = 0.05,
                                  .min_child_weight = 10,
                                  .row_share = 0.8,
                                  .column_share = 0.6};
    *ret_learned = (struct learned){.evidence = (double)count / (1 << DEPTH)};
    struct shard_trees_handle trees = table_trees(context);
    if (trees.port != NULL && failed >= 20 && count - failed >= 100)
        code = grow_forest(context, trees, &job, &ret_learned->failure);
    if (ret_learned->failure != NULL && code == CLI_DONE)
        code = train_seconds(context, learning, names, trees, &ret_learned->seconds);
    table_trees_end(trees);
    free(values);
    free(labels);
    free(names);
    return code;
}

static int learn_from(const struct simulate *simulate, int workflow, const char *teacher, int round,
                      struct learning *learning)
{
    struct simulate_policy policy;
    struct shard_sim_result result = {.struct_size = sizeof result};
    int code = simulate_policy_make(simulate, teacher, &policy);
    if (code != CLI_DONE)
        return code;
    policy.learning = learning;
    policy.engine.predictor = learning_predictor(learning);
    learning_next_run(learning, round);
    struct shard_sim_config config = {.struct_size = sizeof config,
                                      .scenario = simulate->scenario,
                                      .policy = policy.handle,
                                      /* beyond what --seeds takes */
                                      .seed = UINT64_C(0x7ea0000000) +
                                              (uint64_t)(round * simulate->workflow_count + workflow),
                                      .hosts = simulate->hosts,
                                      .engine = &policy.engine};
    if (shard_simulate(simulate->context, simulate->workflows[workflow].workflow, &config, &result) < 0)
        code = cli_library_error("adaptive:learned");
    simulate_policy_end(&policy);
    return code;
}

/* Hosts are met by a policy that shuns those that seem sick, and by one that does not: what a model has never seen it
   cannot tell. The workflows of a round run at the same time, so that the latest rows, by which it is chosen whether
   trees tell seconds, are of all of them. */
int simulate_learn(const struct simulate *simulate, struct learned *ret_learned)
{
    static const char *const teachers[] = {"adaptive:prior", "random_retry"};
    enum { TEACHERS = sizeof teachers / sizeof *teachers, ROUNDS = 2 * TEACHERS };
    struct learning learning;
    int code = learning_begin(simulate->context, &learning);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < simulate->workflow_count && code == CLI_DONE; i++)
            code = learn_from(simulate, i, teachers[round % TEACHERS], round, &learning);
    if (code == CLI_DONE)
        code = learning_train(simulate->context, &learning, ret_learned);
    learning_end(&learning);
    return code;
}
