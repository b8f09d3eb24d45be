/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_REPORT_DATA_H
#define SHARDRUN_REPORT_DATA_H

/*
 * What a report tells, worked out of a run's records: attempts with their times, and what they add up to by host and by
 * kind. Nothing here knows how it is shown.
 */

#include <stdbool.h>

#include "need.h"
#include "palette.h"
#include "report.h"
#include "store_read.h"

struct report_attempt {
    shard_task_id task;
    int32_t host; /* -1: none */
    int32_t number;
    int32_t kind;
    int32_t lane;     /* of its host: attempts of one lane do not overlap */
    int32_t previous; /* attempt of the same task, -1: none */
    uint8_t outcome;  /* NONE: it has not ended */
    int64_t begin_ns;
    int64_t end_ns;
    int64_t record; /* that ended it; -1 */
};

struct report_host {
    const char *name;
    const struct host_plan *plan; /* NULL: not known */
    int attempts;
    int failures;
    int ended[SHARD_OUTCOME_COUNT];
    double busy_seconds;
    int lanes; /* the most attempts at a time */
};

struct report_kind {
    int tasks; /* with subtasks */
    int attempts;
    int failures;
    double median_seconds, p95_seconds, longest_seconds; /* of attempts that ended well; NaN: none did */
    double busy_seconds;
};

struct report {
    const struct shard_run_image *image;
    struct shard_workflow_info whole;
    struct run_counts counts;
    struct palette_kind *palette; /* by kind */
    struct report_kind *kinds;
    int kind_count;
    struct report_host *hosts;
    int host_count;
    struct report_attempt *attempts; /* in the order of their beginning */
    int attempt_count;
    int32_t task_count;     /* with subtasks */
    int32_t *parent;        /* of each task; -1 */
    int32_t *index;         /* among its siblings */
    int32_t *origin;        /* its task in the workflow */
    int32_t *last_attempt;  /* of each task; -1 */
    int64_t begin_ns;       /* wall clock */
    int64_t end_ns;         /* of the last record */
    double busy_seconds;    /* of attempts that ended well */
    double lost_seconds;    /* of attempts that failed */
    int failures;           /* attempts that failed, cancelled ones left out */
    int most_at_a_time;     /* attempts */
    double longest_seconds; /* the longest path of measured seconds */
};

void report_read(const struct shard_run_image *image, const struct host_list *hosts, struct report *ret_report);
void report_clear(struct report *report);

/* The name of a task, subtasks included ("parent/2"), for the caller to free. */
char *report_task_name(const struct report *report, shard_task_id task);
const char *report_host_name(const struct report *report, int32_t host); /* "no host" */
bool report_is_failure(int outcome);
double report_seconds(const struct report_attempt *attempt);
double report_makespan(const struct report *report);
/* No schedule on as many places could have been shorter. */
double report_least_seconds(const struct report *report);

/* One step of the path that decided when the run ended. */
struct report_step {
    shard_task_id task;
    int64_t ready_ns;     /* when what it waited for was done */
    int32_t last_attempt; /* index; those before it follow `previous` */
};

/* That path, from the first step to the last, for the caller to free. */
struct report_step *report_path(const struct report *report, int *ret_count);

#endif
