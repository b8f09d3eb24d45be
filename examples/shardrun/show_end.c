/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows how a run ended: the summary on stdout.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "show.h"
#include "show_json.h"

static void print_makespan(const struct show *show, const struct run_end *end)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    char *span = duration_text(end->makespan_seconds);
    printf("run       %s: %s after %s", show->options->run, shard_run_state_text((int)end->state), span);
    free(span);
    if (show->workflow != NULL && shard_workflow_describe(show->workflow, &whole) == 0 &&
        whole.critical_path_seconds > 0) {
        char *path = duration_text(whole.critical_path_seconds);
        printf("; the critical path is %s (%.1f times)", path, end->makespan_seconds / whole.critical_path_seconds);
        free(path);
    }
    putchar('\n');
}

static void print_tasks(const struct shard_run_info *info)
{
    const char *separator = ":";
    printf("tasks     %d", info->task_count);
    for (int state = 0; state < SHARD_TASK_STATE_COUNT; state++) {
        if (info->by_state[state] == 0)
            continue;
        printf("%s %d %s", separator, info->by_state[state], shard_task_state_text(state));
        separator = ",";
    }
    printf("\nattempts  %lld", (long long)info->attempts);
    for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (info->failures[outcome] > 0)
            printf(", %lld %s", (long long)info->failures[outcome], shard_outcome_text(outcome));
    }
    putchar('\n');
}

static void print_host(const struct show *show, int index, double seconds)
{
    const struct host_plan *plan = &show->options->hosts.items[index];
    const struct host_tally *host = &show->tally.hosts[index];
    struct shard_host_view view = {.struct_size = sizeof view};
    int slots = shard_engine_host(show->engine, index, &view) == 0 && view.slots > 0 ? view.slots : 1;
    double share = seconds > 0 ? host->busy_seconds / (seconds * slots) : 0;
    printf("host      %-16s %6lld attempts%s, busy %3.0f %%", plan->name, (long long)host->attempts,
           show->resumed ? " since it was resumed" : "", 100 * fmin(share, 1));
    for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (host->ended[outcome] > 0)
            printf(", %lld %s", (long long)host->ended[outcome], shard_outcome_text(outcome));
    }
    putchar('\n');
}

static void print_summary(const struct show *show, const struct run_end *end, const char *report)
{
    struct shard_run_info info = {.struct_size = sizeof info};
    if (shard_engine_run(show->engine, show->run, &info) < 0)
        return;
    double here = info.ended_ns > info.started_ns ? (double)(info.ended_ns - info.started_ns) / 1e9 : 0;
    print_makespan(show, end);
    print_tasks(&info);
    for (int i = 0; i < show->options->hosts.count; i++)
        print_host(show, i, here);
    printf("files     %s\n", show->run_place->directory);
    if (report != NULL)
        printf("report    %s\n", report);
}

static void print_next_step(const struct show *show, const struct run_end *end)
{
    const char *store = show->options->store != NULL ? " --store " : "";
    const char *path = show->options->store != NULL ? show->place->text : "";
    if (end->state == SHARD_RUN_SUSPENDED && end->code != SHARD_ENOENT && show->place->store != NULL)
        printf("next      shardrun resume %s%s%s\n", show->options->run, store, path);
    else if (end->state == SHARD_RUN_FAILED && show->place->store != NULL)
        printf("next      shardrun explain %s TASK%s%s\n", show->options->run, store, path);
}

void show_end(struct show *show, const struct run_end *end, const char *report)
{
    if (show->line_open)
        fputs("\r\033[K", stderr);
    show->line_open = false;
    if (show->options->json) {
        show_json_end(show, end, report);
    } else if (!show->options->quiet) {
        print_summary(show, end, report);
        print_next_step(show, end);
    }
    fflush(stdout);
}
