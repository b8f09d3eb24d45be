/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revisions of the catalog, as far as they matter to the run: the one that it began with, and those that amended what
 * is known of a task. What is amended lies over the workflow, which never changes, and comes back from the records.
 */

#include "run.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "workflow/graph.h"
#include "workflow/json.h"

static int check_commit(const char *commit)
{
    size_t length = commit == NULL ? 0 : strlen(commit);
    if (length == 0 || length >= SHARD__COMMIT_BYTES || strspn(commit, "0123456789abcdef") != length)
        return shard__fail(SHARD_EINVAL, "'%.80s' is no commit, expected hexadecimal digits",
                           commit == NULL ? "" : commit);
    return 0;
}

static int reserve_revision(struct shard__run *run)
{
    return shard__grow(run->context, &run->commits, &run->commit_capacity, (size_t)run->revision + 1,
                       sizeof(*run->commits));
}

/* Reserved before. The record takes the detail, which begins with the commit. */
static void add_revision(struct shard__run *run, int32_t task, const char *commit, char *detail)
{
    snprintf(run->commits[run->revision++], SHARD__COMMIT_BYTES, "%s", commit);
    shard__run_record_revision(run, task, detail);
}

int shard__run_begin_revision(struct shard__run *run, const char *commit)
{
    int status = check_commit(commit);
    if (status < 0)
        return status;
    char *detail = shard__strdup(run->context, commit);
    if (detail == NULL || shard__run_reserve(run, 1) < 0 || reserve_revision(run) < 0) {
        shard__strfree(run->context, detail);
        return SHARD_ENOMEM;
    }
    add_revision(run, -1, commit, detail);
    return 0;
}

const struct shard__amended *shard__run_amended(const struct shard__run *run, int32_t task)
{
    if (run->amended_count == 0)
        return NULL;
    const struct shard__extra *extra = shard__run_extra(run, shard__run_origin(run, task));
    return extra == NULL || extra->amended < 0 ? NULL : &run->amended[extra->amended];
}

/* What is known of a task of the workflow now. */
static struct shard__amended known_of(const struct shard__run *run, int32_t task)
{
    const struct shard__amended *amended = shard__run_amended(run, task);
    if (amended != NULL)
        return *amended;
    return (struct shard__amended){
        .need = shard__run_told(run, task),
        .expected_seconds = (double)run->workflow->expected_seconds[task],
        .failure_cost_seconds = shard__workflow_profile(run->workflow, task)->failure_cost_seconds,
    };
}

static int is_same(const struct shard__amended *a, const struct shard__amended *b)
{
    return a->need.cpu_millicores == b->need.cpu_millicores && a->need.memory_bytes == b->need.memory_bytes &&
           a->need.disk_bytes == b->need.disk_bytes && a->failure_cost_seconds == b->failure_cost_seconds &&
           (a->expected_seconds == b->expected_seconds || (isnan(a->expected_seconds) && isnan(b->expected_seconds)));
}

static int check_info(const struct shard_task_info *info)
{
    if (info->cpu_millicores < 0 || info->memory_bytes < 0 || info->disk_bytes < 0)
        return shard__fail(SHARD_EINVAL, "resources of an amendment are negative, expected 0 or more");
    if (!(isnan(info->expected_seconds) || (info->expected_seconds >= 0 && isfinite(info->expected_seconds))))
        return shard__fail(SHARD_EINVAL, "expected_seconds of an amendment is %g, expected 0 or more, or NaN",
                           info->expected_seconds);
    if (!(info->failure_cost_seconds >= 0 && isfinite(info->failure_cost_seconds)))
        return shard__fail(SHARD_EINVAL, "failure_cost_seconds of an amendment is %g, expected 0 or more",
                           info->failure_cost_seconds);
    return 0;
}

/* The detail of its record: the commit, and a line in the native format. NULL: SHARD_ENOMEM. */
static char *detail_of(const struct shard__run *run, int32_t task, const struct shard__amended *amended,
                       const char *commit)
{
    struct shard__bytes text;
    shard__bytes_init(&text, run->context);
    shard__bytes_printf(&text, "%s\n{\"name\": ", commit);
    shard__json_put_string(&text, shard__workflow_task_name(run->workflow, task));
    shard__bytes_printf(&text, ", \"cpu_millicores\": %lld, \"memory_bytes\": %lld, \"disk_bytes\": %lld",
                        (long long)amended->need.cpu_millicores, (long long)amended->need.memory_bytes,
                        (long long)amended->need.disk_bytes);
    if (!isnan(amended->expected_seconds)) {
        shard__bytes_text(&text, ", \"expected_seconds\": ");
        shard__json_put_float(&text, (float)amended->expected_seconds);
    }
    shard__bytes_text(&text, ", \"failure_cost_seconds\": ");
    shard__json_put_double(&text, amended->failure_cost_seconds);
    shard__bytes_append(&text, "}", 2); /* with its NUL */
    char *detail = text.status < 0 ? NULL : shard__strdup(run->context, text.data);
    shard__bytes_free(&text);
    return detail;
}

/* The place of what amends a task, made if it is not there. NULL: SHARD_ENOMEM. */
static struct shard__amended *place_of(struct shard__run *run, int32_t task)
{
    struct shard__extra *extra = shard__run_make_extra(run, task);
    if (extra == NULL || shard__grow(run->context, &run->amended, &run->amended_capacity,
                                     (size_t)run->amended_count + 1, sizeof(*run->amended)) < 0)
        return NULL;
    if (extra->amended < 0) {
        run->amended[run->amended_count] = known_of(run, task);
        extra->amended = run->amended_count++;
    }
    return &run->amended[extra->amended];
}

void shard__run_ask_as_amended(const struct shard__run *run, int32_t task)
{
    struct shard__extra *extra = shard__run_extra(run, task);
    const struct shard__amended *amended = shard__run_amended(run, task);
    if (extra == NULL || amended == NULL)
        return;
    if (extra->memory_bytes > 0 && extra->memory_bytes < amended->need.memory_bytes)
        extra->memory_bytes = amended->need.memory_bytes;
    if (extra->disk_bytes > 0 && extra->disk_bytes < amended->need.disk_bytes)
        extra->disk_bytes = amended->need.disk_bytes;
}

int shard__run_rank(struct shard__run *run)
{
    const shard_workflow *workflow = run->workflow;
    size_t bytes = (size_t)workflow->task_count * sizeof(float);
    float *seconds = shard__realloc(run->context, NULL, 0, bytes);
    if (seconds != NULL && run->rank_seconds == NULL) {
        run->rank_seconds = shard__realloc(run->context, NULL, 0, bytes);
        if (run->rank_seconds != NULL)
            memcpy(run->rank_seconds, workflow->rank_seconds, bytes);
    }
    int status = seconds == NULL || run->rank_seconds == NULL ? SHARD_ENOMEM : 0;
    for (int32_t i = 0; status == 0 && i < workflow->task_count; i++)
        seconds[i] = (float)known_of(run, i).expected_seconds;
    if (status == 0)
        status = shard__rank_anew(workflow, seconds, run->rank_seconds);
    run->ranks_are_stale = status < 0;
    shard__release(run->context, seconds, bytes);
    return status;
}

/* A task that waits is looked at again, and one that had a host is placed anew. */
static void look_at(struct shard__run *run, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    run->seen_changes = -1;
    shard__run_ask_as_amended(run, task);
    if (run->tasks[task].state == SHARD_TASK_STAGING)
        shard__run_unplace(run, run->tasks[task].slot, SHARD_REASON_AMENDED);
    else if (run->tasks[task].state == SHARD_TASK_READY)
        shard__run_make_ready(run, task); /* in the queue of those that are amended */
    for (int32_t i = 0; extra != NULL && i < extra->subtask_count; i++)
        look_at(run, extra->first_subtask + i);
}

int shard__run_amend(struct shard__run *run, int32_t task, const struct shard_task_info *info, const char *commit)
{
    int status = check_commit(commit);
    if (status == 0)
        status = check_info(info);
    if (status < 0)
        return status;
    struct shard__amended amended = {.need = {info->cpu_millicores, info->memory_bytes, info->disk_bytes},
                                     .expected_seconds = (double)(float)info->expected_seconds,
                                     .failure_cost_seconds = info->failure_cost_seconds,
                                     .revision = run->revision + 1};
    struct shard__amended known = known_of(run, task);
    if (is_same(&known, &amended))
        return 0;
    int state = run->tasks[task].state;
    if (state >= SHARD_TASK_DONE)
        return shard__fail_task(SHARD_ESTATE, task, "the task is %s: too late to amend it",
                                shard_task_state_text(state));
    char *detail = detail_of(run, task, &amended, commit);
    struct shard__amended *place = NULL;
    if (detail != NULL && shard__run_reserve(run, 1) == 0 && reserve_revision(run) == 0)
        place = place_of(run, task);
    if (place == NULL) {
        shard__strfree(run->context, detail);
        return SHARD_ENOMEM;
    }
    *place = amended;
    add_revision(run, task, commit, detail);
    if (known.expected_seconds != amended.expected_seconds)
        run->ranks_are_stale = run->ready_is_short = 1;
    look_at(run, task);
    return 1;
}

/* The second line of a revision's detail. */
static int restore_amended(struct shard__run *run, const char *line, int32_t revision)
{
    shard_workflow *workflow = NULL;
    struct shard_task_info info = {.struct_size = sizeof(info)};
    int status = shard_workflow_parse_task(run->context, line, strlen(line), "what amended a task", NULL, &workflow);
    if (status == 0)
        status = shard_workflow_task(workflow, 0, &info);
    int32_t task = status < 0 ? -1 : shard_workflow_find_task(run->workflow, info.name);
    struct shard__amended *place = task < 0 ? NULL : place_of(run, task);
    if (place != NULL)
        *place = (struct shard__amended){.need = {info.cpu_millicores, info.memory_bytes, info.disk_bytes},
                                         .expected_seconds = info.expected_seconds,
                                         .failure_cost_seconds = info.failure_cost_seconds,
                                         .revision = revision};
    shard_workflow_unref(workflow);
    if (status == SHARD_ENOMEM || (place == NULL && task >= 0))
        return SHARD_ENOMEM;
    return task < 0 ? SHARD_ECORRUPT : 0;
}

int shard__run_restore_revisions(struct shard__run *run, const struct shard_run_image *image)
{
    for (int32_t i = 1; i < image->revision_count; i++) {
        const char *text = image->revisions[i] == NULL ? "" : image->revisions[i];
        char commit[SHARD__COMMIT_BYTES];
        size_t length = strcspn(text, "\n");
        snprintf(commit, sizeof(commit), "%.*s", (int)(length < sizeof(commit) ? length : 0), text);
        int status = check_commit(commit);
        if (status == 0 && reserve_revision(run) < 0)
            return SHARD_ENOMEM;
        if (status == 0 && text[length] == '\n')
            status = restore_amended(run, text + length + 1, i);
        if (status < 0)
            return status == SHARD_ENOMEM
                       ? status
                       : shard__fail(SHARD_ECORRUPT, "run '%s': revision %d of its catalog is damaged", image->name, i);
        memcpy(run->commits[run->revision++], commit, sizeof(commit));
    }
    return 0;
}
