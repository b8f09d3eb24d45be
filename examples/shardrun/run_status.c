/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a run is, as its store knows it.
 */
#include "run_status.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "show.h"

void run_status_read(struct run_status *status, const struct shard_run_image *image, const char *owner,
                     const char *store)
{
    struct timespec now;
    *status = (struct run_status){.image = image, .owner = owner, .store = store};
    status->state = image->state;
    run_counts_read(image, &status->counts);
    int64_t until = status->counts.last_ns;
    if (status->state == SHARD_RUN_ACTIVE && (owner == NULL || owner_is_alive(owner) != 0)) {
        clock_gettime(CLOCK_REALTIME, &now);
        until = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    status->makespan_seconds = until > image->created_ns ? (double)(until - image->created_ns) / 1e9 : 0;
}

static json_t *states_of(const struct run_counts *counts)
{
    json_t *states = json_object();
    for (int state = SHARD_TASK_BLOCKED; state < SHARD_TASK_STATE_COUNT; state++) {
        if (counts->by_state[state] > 0)
            json_object_set_new(states, shard_task_state_text(state), json_integer(counts->by_state[state]));
    }
    return states;
}

static json_t *failures_of(const struct run_counts *counts)
{
    json_t *failures = json_object();
    for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (counts->failures[outcome] > 0)
            json_object_set_new(failures, shard_outcome_text(outcome), json_integer(counts->failures[outcome]));
    }
    return failures;
}

void run_status_print_json(const struct run_status *status, const char *event)
{
    const struct shard_run_image *image = status->image;
    const struct run_counts *counts = &status->counts;
    json_t *object = json_object();
    if (event != NULL)
        json_object_set_new(object, "event", json_string(event));
    json_t *rest = json_pack(
        "{s:s,s:i,s:i,s:i,s:i,s:I,s:f,s:s,s:s,s:f,s:o,s:o}", "state", shard_run_state_text((int)status->state), "tasks",
        counts->tasks, "done", counts->by_state[SHARD_TASK_DONE], "failed", counts->by_state[SHARD_TASK_FAILED],
        "running", counts->by_state[SHARD_TASK_RUNNING], "attempts", (json_int_t)counts->attempts, "makespan_seconds",
        status->makespan_seconds, "run", image->name, "store", status->store, "created",
        (double)image->created_ns / 1e9, "by_state", states_of(counts), "failures", failures_of(counts));
    json_object_update(object, rest);
    json_decref(rest);
    if (status->owner != NULL && status->owner[0] != '\0') {
        json_object_set_new(object, "owner", json_string(status->owner));
        json_object_set_new(object, "owner_alive",
                            owner_is_alive(status->owner) < 0   ? json_null()
                            : owner_is_alive(status->owner) > 0 ? json_true()
                                                                : json_false());
    }
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(object);
}

void run_status_print_text(const struct run_status *status, const struct run_place *run_place)
{
    const struct shard_run_image *image = status->image;
    char *span = duration_text(status->makespan_seconds);
    bool orphaned = status->state == SHARD_RUN_ACTIVE && status->owner != NULL && owner_is_alive(status->owner) == 0;
    printf("run       %s: %s after %s\n", image->name, shard_run_state_text((int)status->state), span);
    free(span);
    const char *separator = ":";
    printf("tasks     %d", status->counts.tasks);
    for (int state = SHARD_TASK_BLOCKED; state < SHARD_TASK_STATE_COUNT; state++) {
        if (status->counts.by_state[state] == 0)
            continue;
        printf("%s %d %s", separator, status->counts.by_state[state], shard_task_state_text(state));
        separator = ",";
    }
    printf("\nattempts  %lld", (long long)status->counts.attempts);
    for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (status->counts.failures[outcome] > 0)
            printf(", %lld %s", (long long)status->counts.failures[outcome], shard_outcome_text(outcome));
    }
    printf("\nfiles     %s\n", run_place->directory);
    if (orphaned)
        printf("owner     %s is gone\n", status->owner);
    else if (status->state == SHARD_RUN_ACTIVE && status->owner != NULL)
        printf("owner     %s\n", status->owner);
    if (orphaned || status->state == SHARD_RUN_SUSPENDED)
        printf("next      shardrun resume %s --store %s\n", image->name, status->store);
}
