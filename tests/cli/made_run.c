/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that never were. Each task goes to the lane that is free first, at the earliest after its predecessors. */
#include "made_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "levels.h"
#include "need.h"

enum { SECOND = 1000000000 };

struct making {
    const struct made_run_config *config;
    struct shard_run_image *image;
    int64_t *free_ns; /* of each lane of each host */
    int64_t *done_ns; /* of each task */
    int64_t capacity;
    int ended; /* attempts */
};

static void release(struct shard_run_image *image)
{
    shard_workflow_unref(image->workflow);
    for (int i = 0; i < image->host_count; i++)
        free(image->hosts[i]);
    free(image->hosts);
    free(image->rows);
    free(image->records);
    free(image->name);
    free(image);
}

static void append(struct making *making, struct shard_record record)
{
    struct shard_run_image *image = making->image;
    struct shard_task_row *row = &image->rows[record.task];
    if (image->record_count == making->capacity) {
        making->capacity = making->capacity < 64 ? 64 : making->capacity * 2;
        image->records = need_resized(image->records, (size_t)making->capacity, sizeof *image->records);
    }
    record.type = SHARD_RECORD_TASK;
    record.seq = image->record_count + 1;
    record.from = row->state;
    record.version = row->version;
    record.p_fail = NAN;
    image->records[image->record_count++] = record;
    if (shard_task_row_apply(row, &record) < 0)
        abort();
}

static int earliest_lane(const struct making *making)
{
    int best = 0;
    for (int lane = 1; lane < making->config->hosts * making->config->lanes; lane++) {
        if (making->free_ns[lane] < making->free_ns[best])
            best = lane;
    }
    return best;
}

/* One attempt; returns whether the task is done. */
static int attempt(struct making *making, shard_task_id task, shard_task_id parent, int number, double seconds)
{
    const struct made_run_config *config = making->config;
    int lane = earliest_lane(making), host = lane / config->lanes;
    int64_t begin = making->free_ns[lane] > making->done_ns[task] ? making->free_ns[lane] : making->done_ns[task];
    int failed = host == config->sick_host && making->ended++ % 3 == 0;
    int64_t end = begin + (int64_t)(seconds * (failed ? 0.3 : 1) * SECOND) + SECOND / 50;
    struct shard_record record = {.time_ns = begin,
                                  .task = task,
                                  .host = host,
                                  .attempt = number,
                                  .to = SHARD_TASK_RUNNING,
                                  .decision = SHARD_DECIDE_START,
                                  .reason = SHARD_REASON_LEAST_LOADED,
                                  .parent = parent,
                                  .unit_end = parent >= 0};
    append(making, record);
    record.time_ns = end;
    record.seconds = (float)((double)(end - begin) / SECOND);
    record.to = failed ? SHARD_TASK_BACKOFF : SHARD_TASK_DONE;
    record.outcome = failed ? SHARD_OUTCOME_OUT_OF_MEMORY : SHARD_OUTCOME_DONE;
    record.decision = failed ? SHARD_DECIDE_ESCALATE : SHARD_DECIDE_NOTHING;
    record.reason = failed ? SHARD_REASON_MORE_MEMORY : SHARD_REASON_NONE;
    record.value = 2e8F;
    record.limit = 1e8F;
    record.detail = failed ? config->message : NULL;
    record.detail_bytes = record.detail != NULL ? (int32_t)strlen(record.detail) : 0;
    append(making, record);
    making->free_ns[lane] = end;
    making->done_ns[task] = end;
    return !failed;
}

static void run_task(struct making *making, shard_task_id task, shard_task_id parent, double seconds)
{
    int number = 1;
    while (!attempt(making, task, parent, number, seconds))
        number++;
}

static void run_workflow(struct making *making, int task_count)
{
    int *level;
    shard_task_id *order;
    task_levels(making->image->workflow, &level, &order);
    for (int i = 0; i < task_count; i++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        struct task_ids before = task_predecessors(making->image->workflow, order[i]);
        shard_workflow_task(making->image->workflow, order[i], &info);
        for (int32_t k = 0; k < before.count; k++) {
            if (making->done_ns[before.items[k]] > making->done_ns[order[i]])
                making->done_ns[order[i]] = making->done_ns[before.items[k]];
        }
        free(before.items);
        for (int part = 0; i == 0 && part < making->config->parts; part++) {
            making->done_ns[task_count + part] = making->done_ns[order[0]];
            run_task(making, task_count + part, order[0], 1);
        }
        run_task(making, order[i], -1, isnan(info.expected_seconds) ? 1 : info.expected_seconds);
    }
    free(level);
    free(order);
}

struct shard_run_image *made_run(shard_workflow *workflow, const struct made_run_config *config)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    struct shard_run_image *image = need_zeroed(1, sizeof *image);
    shard_workflow_describe(workflow, &whole);
    int tasks = whole.task_count + config->parts, lanes = config->hosts * config->lanes;
    *image = (struct shard_run_image){.struct_size = sizeof *image,
                                      .name = need_copy(config->name),
                                      .workflow = shard_workflow_ref(workflow),
                                      .state = SHARD_RUN_DONE,
                                      .created_ns = INT64_C(1764000000) * SECOND,
                                      .rows = need_zeroed((size_t)tasks, sizeof *image->rows),
                                      .row_count = tasks,
                                      .hosts = need_zeroed((size_t)config->hosts, sizeof *image->hosts),
                                      .host_count = config->hosts,
                                      .release = release};
    struct making making = {.config = config,
                            .image = image,
                            .free_ns = need_zeroed((size_t)lanes, sizeof *making.free_ns),
                            .done_ns = need_zeroed((size_t)tasks, sizeof *making.done_ns)};
    for (int i = 0; i < lanes; i++)
        making.free_ns[i] = image->created_ns;
    for (int i = 0; i < config->hosts; i++)
        image->hosts[i] = need_printf("host-%d", i + 1);
    run_workflow(&making, whole.task_count);
    free(making.free_ns);
    free(making.done_ns);
    return image;
}
