/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store knows of a run, made into what a simulation needs: its workflow, each task as long as it truly was, and
 * a scenario in which its hosts fail and are slow as they did and were.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <shard/history.h>

#include "cli.h"
#include "need.h"
#include "place.h"
#include "simulate.h"
#include "store_read.h"

/* What counts as sick: so slow, by one attempt and by more; or so many failures that are so large a share. A scenario
   has so many at most. */
static const double sick_speed_once = 0.35, sick_speed = 0.7, sick_share = 0.2;
enum { SICK_FAILURES = 2, MOST_SICK = 32 };

struct seen_host {
    int attempts, running, most_running;
    int failures[SHARD_OUTCOME_COUNT];
    int failed;
    double log_ratio; /* sum of log(seconds / mean of the kind) of the attempts that ended well */
    int done;
    double speed; /* against the median of the hosts */
};

struct seen_kind {
    double seconds, units;
};

struct seeing {
    const struct shard_run_image *image;
    struct seen_host *hosts;
    struct seen_kind *kinds;
    int32_t *origin; /* by task: the task of the workflow that it comes from */
    double *units;   /* by task; 1 where there are none */
    double *work;    /* by task of the workflow: seconds on a host of speed 1 */
    int32_t task_count;
};

static bool is_done(const struct shard_record *record)
{
    return record->type == SHARD_RECORD_TASK && record->outcome == SHARD_OUTCOME_DONE && record->seconds > 0 &&
           record->host >= 0;
}

static bool is_failure(const struct shard_record *record)
{
    return record->type == SHARD_RECORD_TASK && shard_outcome_label((int)record->outcome) == 1;
}

static int32_t kind_of(const struct seeing *seeing, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    shard_workflow_task(seeing->image->workflow, seeing->origin[task], &info);
    return info.kind_id;
}

static void see_tasks(struct seeing *seeing)
{
    const struct shard_run_image *image = seeing->image;
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(image->workflow, &whole);
    seeing->task_count = whole.task_count;
    for (int32_t i = 0; i < image->row_count; i++)
        if (image->rows[i].task >= seeing->task_count)
            seeing->task_count = image->rows[i].task + 1;
    seeing->origin = need_zeroed((size_t)seeing->task_count, sizeof *seeing->origin);
    seeing->units = need_zeroed((size_t)seeing->task_count, sizeof *seeing->units);
    seeing->work = need_zeroed((size_t)whole.task_count, sizeof *seeing->work);
    seeing->kinds = need_zeroed((size_t)whole.kind_count, sizeof *seeing->kinds);
    seeing->hosts = need_zeroed((size_t)image->host_count, sizeof *seeing->hosts);
    for (int32_t i = 0; i < whole.task_count; i++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        shard_workflow_task(image->workflow, i, &info);
        seeing->origin[i] = i;
        seeing->units[i] = info.units > 1 ? (double)info.units : 1;
    }
    for (int32_t i = 0; i < image->row_count; i++) { /* a subtask stands behind its parent */
        const struct shard_task_row *row = &image->rows[i];
        if (row->task < whole.task_count || row->parent < 0 || row->parent >= row->task)
            continue;
        seeing->origin[row->task] = seeing->origin[row->parent];
        seeing->units[row->task] = row->unit_end > row->unit_begin ? (double)(row->unit_end - row->unit_begin) : 1;
    }
}

static void see_attempt(struct seeing *seeing, const struct shard_record *record)
{
    struct seen_host *host = &seeing->hosts[record->host];
    if (record->to == SHARD_TASK_RUNNING && record->reason != SHARD_REASON_KEEPS_ATTEMPT) {
        host->attempts++;
        host->running++;
        if (host->running > host->most_running)
            host->most_running = host->running;
    } else if (record->outcome != SHARD_OUTCOME_NONE && host->running > 0) {
        host->running--;
    }
    if (is_failure(record)) {
        host->failures[record->outcome]++;
        host->failed++;
    }
    if (is_done(record)) {
        struct seen_kind *kind = &seeing->kinds[kind_of(seeing, record->task)];
        kind->seconds += (double)record->seconds;
        kind->units += seeing->units[record->task];
    }
}

static void see_hosts(struct seeing *seeing)
{
    const struct shard_run_image *image = seeing->image;
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        if (record->type == SHARD_RECORD_TASK && record->host >= 0 && record->host < image->host_count)
            see_attempt(seeing, record);
    }
    for (int64_t i = 0; i < image->record_count; i++) {
        const struct shard_record *record = &image->records[i];
        if (!is_done(record))
            continue;
        const struct seen_kind *kind = &seeing->kinds[kind_of(seeing, record->task)];
        double mean = kind->seconds / kind->units * seeing->units[record->task];
        seeing->hosts[record->host].log_ratio += log((double)record->seconds / mean);
        seeing->hosts[record->host].done++;
    }
}

static int by_value(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* A kind's mean has the slow hosts in it, so that all hosts seem fast: the median of them is what counts as 1. */
static void see_speeds(struct seeing *seeing)
{
    int32_t hosts = seeing->image->host_count, count = 0;
    double *speeds = need_zeroed((size_t)hosts, sizeof *speeds);
    for (int32_t i = 0; i < hosts; i++) {
        struct seen_host *host = &seeing->hosts[i];
        host->speed = host->done > 0 ? exp(-host->log_ratio / host->done) : 0;
        if (host->done > 0)
            speeds[count++] = host->speed;
    }
    qsort(speeds, (size_t)count, sizeof *speeds, by_value);
    for (int32_t i = 0; i < hosts; i++)
        seeing->hosts[i].speed = seeing->hosts[i].done > 0 ? seeing->hosts[i].speed / speeds[count / 2] : 1;
    free(speeds);
}

static bool is_sick(const struct seen_host *host)
{
    return (host->done > 0 && host->speed < (host->done > 1 ? sick_speed : sick_speed_once)) ||
           (host->failed >= SICK_FAILURES && host->failed >= sick_share * host->attempts);
}

static void see_work(struct seeing *seeing)
{
    for (int64_t i = 0; i < seeing->image->record_count; i++) {
        const struct shard_record *record = &seeing->image->records[i];
        if (is_done(record))
            seeing->work[seeing->origin[record->task]] += (double)record->seconds * seeing->hosts[record->host].speed;
    }
}

static const char *sickness_of(const struct seen_host *host)
{
    if (host->failed < SICK_FAILURES)
        return "slow";
    if (2 * host->failures[SHARD_OUTCOME_OUT_OF_DISK] >= host->failed)
        return "disk";
    return 2 * host->failures[SHARD_OUTCOME_OUT_OF_MEMORY] >= host->failed ? "memory" : "failing";
}

/* The scenario as text, which is checked as one that a user wrote. */
static char *scenario_text(const struct seeing *seeing)
{
    struct text text = {0};
    int hosts = 0, slots = 1, well_attempts = 0, well_failed = 0, sick = 0;
    for (int32_t i = 0; i < seeing->image->host_count; i++) {
        const struct seen_host *host = &seeing->hosts[i];
        hosts += seeing->image->hosts[i] != NULL;
        slots = host->most_running > slots ? host->most_running : slots;
        well_attempts += is_sick(host) ? 0 : host->attempts;
        well_failed += is_sick(host) ? 0 : host->failed;
    }
    double p_fail = well_attempts > 0 ? 0.9 * well_failed / well_attempts : 0;
    text_printf(&text,
                "{\"name\": \"as it was\", \"hosts\": {\"count\": %d, \"slots\": %d, \"speed_min\": 1, "
                "\"speed_max\": 1}, \"tasks\": {\"noise\": 0, \"overhead_seconds\": 0, \"kind_spread\": 0, "
                "\"p_fail\": %.6f}, \"sickness\": [",
                hosts > 0 ? hosts : 1, slots, p_fail);
    for (int32_t i = 0; i < seeing->image->host_count && sick < MOST_SICK; i++) {
        const struct seen_host *host = &seeing->hosts[i];
        if (!is_sick(host))
            continue;
        double speed = fmin(0.99, fmax(0.01, host->speed));
        double fails = fmin(0.95, (double)host->failed / (host->attempts > 0 ? host->attempts : 1));
        text_printf(&text, "%s{\"kind\": \"%s\", \"share\": %.9f, \"p_fail\": %.6f, \"speed\": %.6f, \"by_size\": 0}",
                    sick++ > 0 ? ", " : "", sickness_of(host), 1.0 / hosts, fails, speed);
    }
    text_printf(&text, "], \"samples\": {\"decoys\": 0, \"watched_seconds\": 0}}");
    return text_take(&text);
}

typedef int32_t (*list_fn)(const shard_workflow *, shard_task_id, int32_t *, int32_t);

static int copy_list(const shard_workflow *from, shard_builder *to, shard_task_id task, list_fn list,
                     int (*add)(shard_builder *, shard_task_id, int32_t))
{
    int32_t count = list(from, task, NULL, 0);
    int32_t *ids = need_zeroed((size_t)(count > 0 ? count : 0), sizeof *ids);
    int status = 0;
    list(from, task, ids, count);
    for (int32_t i = 0; status >= 0 && i < count; i++)
        status = add(to, task, ids[i]);
    free(ids);
    return status;
}

static int add_predecessor(shard_builder *builder, shard_task_id task, shard_task_id predecessor)
{
    return shard_builder_add_edge(builder, predecessor, task);
}

static int add_task(const struct seeing *seeing, shard_builder *builder, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    shard_workflow_task(seeing->image->workflow, task, &info);
    struct shard_task_spec spec = {.struct_size = sizeof spec,
                                   .name = info.name,
                                   .kind = info.kind,
                                   .payload = "need=1", /* memory is not what fails here but as a sickness */
                                   .payload_bytes = 6,
                                   .expected_seconds =
                                       seeing->work[task] > 0 ? seeing->work[task] : info.expected_seconds,
                                   .failure_cost_seconds = info.failure_cost_seconds,
                                   .priority = info.priority,
                                   .units = info.units,
                                   .min_units = info.min_units,
                                   .parts = info.parts,
                                   .has_merge = info.has_merge};
    return shard_builder_add_task(builder, &spec);
}

static int make_workflow(const struct seeing *seeing, shard_context *context, shard_workflow **ret_workflow)
{
    const shard_workflow *from = seeing->image->workflow;
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_builder *builder = NULL;
    shard_workflow_describe(from, &whole);
    int status = shard_builder_new(context, whole.name, &builder);
    for (shard_task_id task = 0; status >= 0 && task < whole.task_count; task++)
        status = add_task(seeing, builder, task);
    for (shard_data_id data = 0; status >= 0 && data < whole.data_count; data++) {
        struct shard_data_info info = {.struct_size = sizeof info};
        shard_workflow_data(from, data, &info);
        status = shard_builder_add_data(builder, info.name, info.bytes);
    }
    for (shard_task_id task = 0; status >= 0 && task < whole.task_count; task++) {
        status = copy_list(from, builder, task, shard_workflow_predecessors, add_predecessor);
        if (status >= 0)
            status = copy_list(from, builder, task, shard_workflow_inputs, shard_builder_add_input);
        if (status >= 0)
            status = copy_list(from, builder, task, shard_workflow_outputs, shard_builder_add_output);
    }
    if (status >= 0)
        status = shard_builder_seal(builder, ret_workflow);
    shard_builder_free(builder);
    return status < 0 ? cli_library_error("the run's workflow") : CLI_DONE;
}

static int take_image(struct simulate *simulate, const struct shard_run_image *image)
{
    struct seeing seeing = {.image = image};
    if (image->host_count == 0 || image->record_count == 0)
        return cli_error(CLI_USAGE, "run '%s' has no records to go by yet", image->name);
    see_tasks(&seeing);
    see_hosts(&seeing);
    see_speeds(&seeing);
    see_work(&seeing);
    char *text = scenario_text(&seeing);
    if (simulate->verbose)
        fprintf(stderr, "scenario: %s\n", text);
    int code = CLI_DONE;
    if (shard_scenario_parse(simulate->context, text, strlen(text), image->name, &simulate->scenario) < 0)
        code = cli_library_error("the run's scenario");
    if (code == CLI_DONE)
        code = make_workflow(&seeing, simulate->context, &simulate->workflows[0].workflow);
    if (code == CLI_DONE) {
        simulate->workflows[0].name = need_copy(image->name);
        simulate->workflow_count = 1;
    }
    free(text);
    free(seeing.origin);
    free(seeing.units);
    free(seeing.work);
    free(seeing.kinds);
    free(seeing.hosts);
    return code;
}

int simulate_load_run(struct simulate *simulate, const char *store_text, const char *run)
{
    struct shard_store_handle store = {0};
    struct shard_run_image *image = NULL;
    struct place place = {0};
    char *problem = NULL;
    int code = CLI_DONE;
    if (place_parse(store_text, &place, &problem) < 0)
        code = cli_error(CLI_USAGE, "%s", problem);
    else if (place.store == NULL)
        code = cli_error(CLI_USAGE, "a store in memory keeps no runs; name a file");
    else
        code = place_open_store(&place, simulate->context, true, &store);
    if (code == CLI_DONE) {
        int status = store_read_run(&store, simulate->context, run, SHARD_LOAD_RECORDS, &image, &problem);
        if (status < 0)
            code = cli_error(status == SHARD_ENOENT ? CLI_USAGE : CLI_ENVIRONMENT,
                             "%s; `shardrun status` lists the runs", problem);
    }
    if (code == CLI_DONE) {
        code = take_image(simulate, image);
        image->release(image);
    }
    free(problem);
    store_close(&store);
    place_clear(&place);
    return code;
}
