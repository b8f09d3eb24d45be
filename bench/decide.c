/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What deciding costs: CPU time inside the policy `adaptive`, with all that it asks (features, forecasts of a forest),
 * for each task that is placed; by hosts, ready tasks and trees. Runs are simulated, a tenth of the hosts is sick, and
 * all tasks are ready at once. Most calls are quicker than the clock of CPU time can be asked; so they are measured by
 * a quicker counter, less what that shows where nothing happens, as a share of the CPU time of the simulation. The
 * models are trained on what attempts of another such simulation looked like when they were placed, and how they ended.
 *
 * usage: decide [CASE]...; a case is HOSTS/TASKS/TREES, 0 trees being the prior. The last line is a plain simulation.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shard/forest.h>
#include <shard/history.h>
#include <shard/sim.h>
#include <shard/train.h>

#include "measure.h"

enum { RUNS = 3, EMPTY_ONE_IN = 8, DEPTH = 6, LESSON_HOSTS = 100, LESSON_TASKS = 6000, MOST_ROWS = 20000 };

static void must(int status, const char *what)
{
    bench_check("decide", status, what);
}

/* ---- the policy, timed ---- */

/* Rows of attempts as they were placed, and whether they failed; tasks beyond MOST_ROWS teach nothing. */
struct lesson {
    int wants; /* the row that is asked about next is kept */
    int rows;
    float *values, *labels; /* of a row; a label of NaN: not ended */
    int row_of[MOST_ROWS];  /* by task, and 1; 0: none */
};

struct timed {
    struct lesson *lesson; /* NULL: nobody learns */
    struct shard_policy port;
    struct shard_policy_handle inner;
    uint64_t calls, ticks, empty_ticks; /* empty: of one call in EMPTY_ONE_IN */
};

static uint64_t begin(struct timed *timed)
{
    if (timed->calls++ % EMPTY_ONE_IN == 0) {
        uint64_t since = bench_ticks();
        timed->empty_ticks += bench_ticks() - since;
    }
    return bench_ticks();
}

static void end(struct timed *timed, uint64_t since)
{
    timed->ticks += bench_ticks() - since;
}

/* What the policy took of all the time of a simulation. */
static double share_of(const struct timed *timed, uint64_t all_ticks)
{
    return ((double)timed->ticks - EMPTY_ONE_IN * (double)timed->empty_ticks) / (double)all_ticks;
}

static void attach(void *self, const shard_view *view)
{
    struct timed *timed = self;
    timed->inner.port->attach(timed->inner.self, view);
}

static void detach(void *self, const shard_view *view)
{
    struct timed *timed = self;
    timed->inner.port->detach(timed->inner.self, view);
}

static double rank(void *self, const shard_view *view, shard_task_id task)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    double value = timed->inner.port->rank(timed->inner.self, view, task);
    end(timed, since);
    return value;
}

static void learn_placed(struct lesson *lesson, const shard_view *view, shard_task_id task, shard_host_id host)
{
    double p_fail;
    struct shard_forecasts ret = {.p_fail = &p_fail};
    if (lesson == NULL || task >= MOST_ROWS || lesson->rows == MOST_ROWS)
        return;
    int before = lesson->rows;
    lesson->wants = 1;
    must(shard_view_forecast(view, task, &host, 1, &ret), "forecast");
    lesson->wants = 0;
    lesson->row_of[task] = lesson->rows > before ? lesson->rows : 0;
}

static void learn_ended(struct lesson *lesson, shard_task_id task, float failed)
{
    if (lesson != NULL && task < MOST_ROWS && lesson->row_of[task] > 0)
        lesson->labels[lesson->row_of[task] - 1] = failed;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    int status = timed->inner.port->place(timed->inner.self, view, task, ret_decision);
    end(timed, since);
    if (status == 0 && ret_decision->kind == SHARD_DECIDE_START)
        learn_placed(timed->lesson, view, task, ret_decision->host);
    return status;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    int status = timed->inner.port->review(timed->inner.self, view, task, ret_decision);
    end(timed, since);
    return status;
}

static int after_failure(void *self, const shard_view *view, shard_task_id task, shard_host_id host,
                         enum shard_outcome outcome, struct shard_decision *ret_decision)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    learn_ended(timed->lesson, task, 1);
    int status = timed->inner.port->after_failure(timed->inner.self, view, task, host, outcome, ret_decision);
    end(timed, since);
    return status;
}

static void after_success(void *self, const shard_view *view, shard_task_id task, shard_host_id host, double seconds)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    timed->inner.port->after_success(timed->inner.self, view, task, host, seconds);
    learn_ended(timed->lesson, task, 0);
    end(timed, since);
}

static void host_changed(void *self, const shard_view *view, shard_host_id host)
{
    struct timed *timed = self;
    uint64_t since = begin(timed);
    timed->inner.port->host_changed(timed->inner.self, view, host);
    end(timed, since);
}

static void make_policy(shard_context *context, struct timed *timed)
{
    *timed = (struct timed){.port = {.struct_size = sizeof(timed->port),
                                     .name = "timed",
                                     .attach = attach,
                                     .detach = detach,
                                     .rank = rank,
                                     .place = place,
                                     .review = review,
                                     .after_failure = after_failure,
                                     .after_success = after_success,
                                     .host_changed = host_changed}};
    must(shard_policy_by_name(context, "adaptive", &timed->inner), "policy");
}

/* ---- the model ---- */

/* A predictor that knows nothing and keeps what it is asked about. */
static int keep(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    struct lesson *lesson = self;
    for (int64_t i = 0; ret->p_fail != NULL && i < rows->rows; i++)
        ret->p_fail[i] = NAN;
    if (!lesson->wants || rows->rows != 1)
        return 0;
    float *row = lesson->values + (size_t)lesson->rows * (size_t)columns;
    for (int32_t i = 0; i < columns; i++)
        row[i] = shard_history_schema()->features[i].role == SHARD_FEATURE_VALUE && isfinite(rows->values[i])
                     ? rows->values[i]
                     : NAN;
    lesson->labels[lesson->rows++] = NAN;
    lesson->wants = 0;
    return 0;
}

static const struct shard_predictor keeper = {.struct_size = sizeof(keeper), .name = "keeper", .predict = keep};

static shard_forest *grow(shard_context *context, const struct lesson *lesson, int trees)
{
    int32_t columns = shard_history_schema()->feature_count;
    struct shard_trees_handle trainer;
    shard_forest *forest;
    void *bytes;
    size_t size;
    must(shard_xgboost_trees(context, NULL, &trainer), "trees");
    struct shard_trees_job job = {.struct_size = sizeof(job),
                                  .values = lesson->values,
                                  .count = lesson->rows,
                                  .columns = columns,
                                  .labels = lesson->labels,
                                  .rounds = trees,
                                  .depth = DEPTH};
    must(trainer.port->train(trainer.self, &job, &bytes, &size), "training");
    must(shard_forest_load_buffer(context, bytes, size, "trained trees", NULL, &forest), "trained trees");
    trainer.port->release(trainer.self, bytes, size);
    trainer.port->destroy(trainer.self);
    return forest;
}

/* ---- simulations ---- */

static const char scenario_text[] =
    "{\"name\": \"bench\", \"sickness\": [{\"kind\": \"failing\", \"share\": 0.05},"
    "{\"kind\": \"memory\", \"share\": 0.05, \"sick_seconds\": 600, \"well_seconds\": 600}]}";

static shard_workflow *make_bag(shard_context *context, const shard_scenario *scenario, int32_t hosts, int32_t tasks)
{
    shard_workflow *bag, *tiled;
    must(shard_sim_bag(context, tasks, &bag), "bag");
    must(shard_sim_tile(context, scenario, bag, 1, hosts, &tiled), "tiling");
    shard_workflow_unref(bag);
    return tiled;
}

/* CPU us of the policy for each task. */
static double decide_us(shard_context *context, int32_t hosts, int32_t tasks, const shard_forest *forest,
                        struct lesson *lesson, uint64_t seed)
{
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    struct shard_predictor_handle predictor = {0};
    struct timed timed;
    shard_scenario *scenario;
    must(shard_scenario_parse(context, scenario_text, strlen(scenario_text), "bench", &scenario), "scenario");
    shard_workflow *workflow = make_bag(context, scenario, hosts, tasks);
    struct shard_forest_predictor_config config = {
        .struct_size = sizeof(config), .failure = forest, .schema = shard_history_schema()};
    if (forest != NULL)
        must(shard_forest_predictor(context, &config, &predictor), "predictor");
    else if (lesson != NULL)
        predictor = (struct shard_predictor_handle){&keeper, lesson};
    make_policy(context, &timed);
    timed.lesson = lesson;
    struct shard_engine_config engine = {.struct_size = sizeof(engine), .predictor = predictor};
    struct shard_sim_config sim = {.struct_size = sizeof(sim),
                                   .scenario = scenario,
                                   .policy = {&timed.port, &timed},
                                   .seed = seed,
                                   .hosts = hosts,
                                   .engine = &engine};
    double cpu_ns = bench_thread_ns();
    uint64_t ticks = bench_ticks();
    must(shard_simulate(context, workflow, &sim, &result), "simulation");
    ticks = bench_ticks() - ticks;
    cpu_ns = bench_thread_ns() - cpu_ns;
    timed.inner.port->destroy(timed.inner.self);
    if (forest != NULL)
        predictor.port->destroy(predictor.self);
    shard_workflow_unref(workflow);
    shard_scenario_free(scenario);
    return cpu_ns * share_of(&timed, ticks) / 1000 / (double)result.task_count;
}

/* Rows whose attempts were cancelled, or never ended, are left out. */
static struct lesson *take_lesson(shard_context *context)
{
    size_t columns = (size_t)shard_history_schema()->feature_count;
    struct lesson *lesson = calloc(1, sizeof(*lesson));
    if (lesson == NULL || (lesson->values = malloc(sizeof(float) * MOST_ROWS * columns)) == NULL ||
        (lesson->labels = malloc(sizeof(float) * MOST_ROWS)) == NULL)
        abort();
    decide_us(context, LESSON_HOSTS, LESSON_TASKS, NULL, lesson, 99);
    int kept = 0;
    for (int i = 0; i < lesson->rows; i++) {
        if (isnan(lesson->labels[i]))
            continue;
        lesson->labels[kept] = lesson->labels[i];
        memmove(lesson->values + (size_t)kept++ * columns, lesson->values + (size_t)i * columns,
                sizeof(float) * columns);
    }
    lesson->rows = kept;
    return lesson;
}

static double measure(shard_context *context, const struct lesson *lesson, int32_t hosts, int32_t tasks, int trees)
{
    double us[RUNS];
    char name[96];
    shard_forest *forest = trees > 0 ? grow(context, lesson, trees) : NULL;
    for (int i = 0; i < RUNS; i++)
        us[i] = decide_us(context, hosts, tasks, forest, NULL, (uint64_t)i + 1);
    shard_forest_free(forest);
    double median = bench_median(us, RUNS);
    snprintf(name, sizeof(name), "%" PRId32 " hosts, %" PRId32 " ready tasks, %d trees", hosts, tasks, trees);
    bench_row("decide", name, median, NAN, "CPU us a placed task", RUNS);
    return median;
}

static void simulate_many(shard_context *context, int32_t hosts, int32_t tasks)
{
    struct shard_sim_result result = {.struct_size = sizeof(result)};
    shard_scenario *scenario;
    char name[96];
    must(shard_scenario_parse(context, scenario_text, strlen(scenario_text), "bench", &scenario), "scenario");
    shard_workflow *workflow = make_bag(context, scenario, hosts, tasks);
    struct shard_sim_config sim = {.struct_size = sizeof(sim), .scenario = scenario, .seed = 1, .hosts = hosts};
    must(shard_policy_by_name(context, "random_retry", &sim.policy), "policy");
    double since = bench_cpu_ns();
    must(shard_simulate(context, workflow, &sim, &result), "simulation");
    double seconds = (bench_cpu_ns() - since) / 1e9;
    sim.policy.port->destroy(sim.policy.self);
    shard_workflow_unref(workflow);
    shard_scenario_free(scenario);
    snprintf(name, sizeof(name), "simulate %" PRId32 " tasks on %" PRId32 " hosts", tasks, hosts);
    bench_row("decide", name, seconds, NAN, "CPU s", 1);
}

int main(int argc, char **argv)
{
    static const int32_t cases[][3] = {{100, 2000, 300},   {1000, 20000, 0},  {1000, 20000, 100},
                                       {1000, 20000, 500}, {1000, 5000, 300}, {1000, 80000, 300}};
    shard_context *context;
    must(shard_context_new(NULL, &context), "context");
    struct lesson *lesson = take_lesson(context);
    bench_header("decide", "none; of the last row of deciding, 1000 hosts");
    for (int i = 1; i < argc; i++) {
        int32_t hosts, tasks, trees;
        if (sscanf(argv[i], "%" SCNd32 "/%" SCNd32 "/%" SCNd32, &hosts, &tasks, &trees) != 3) {
            fprintf(stderr, "decide: '%s': expected HOSTS/TASKS/TREES\n", argv[i]);
            return EXIT_FAILURE;
        }
        measure(context, lesson, hosts, tasks, trees);
    }
    if (argc == 1) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            measure(context, lesson, cases[i][0], cases[i][1], cases[i][2]);
        double few = measure(context, lesson, 1000, 20000, 300), many = measure(context, lesson, 10000, 200000, 300);
        bench_row("decide", "10000 hosts against 1000 hosts, 300 trees", many, few, "CPU us a placed task", RUNS);
        simulate_many(context, 10000, 1000000);
    }
    free(lesson->values);
    free(lesson->labels);
    free(lesson);
    shard_context_free(context);
    return 0;
}
