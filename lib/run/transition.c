/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the state of a task changes, and where records are made. */

#include "run.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

int shard__run_reserve(struct shard__run *run, int32_t records)
{
    return shard__grow(run->context, &run->records, &run->record_capacity, (size_t)(run->record_count + records),
                       sizeof(*run->records));
}

/* Appends a record with what every record has. Reserved before. */
static struct shard_record *append(struct shard__run *run, enum shard_record_type type)
{
    struct shard_record *record = &run->records[run->record_count++];
    memset(record, 0, sizeof(*record));
    record->seq = run->next_seq++;
    record->time_ns = run->wall_ns;
    record->type = type;
    record->task = -1;
    record->host = -1;
    record->parent = -1;
    record->p_fail = NAN;
    return record;
}

int shard__run_number_host(struct shard__run *run, int32_t host, int32_t number)
{
    int32_t count = run->cluster->host_count;
    if (shard__grow(run->context, &run->host_numbers, &run->host_number_capacity, (size_t)count,
                    sizeof(*run->host_numbers)) < 0 ||
        shard__grow(run->context, &run->numbered_hosts, &run->numbered_host_capacity, (size_t)number + 1,
                    sizeof(*run->numbered_hosts)) < 0)
        return SHARD_ENOMEM;
    while (run->host_number_count < count)
        run->host_numbers[run->host_number_count++] = -1;
    while (run->next_host_number <= number)
        run->numbered_hosts[run->next_host_number++] = -1;
    if (host >= 0) {
        run->host_numbers[host] = number;
        run->numbered_hosts[number] = host;
    }
    return 0;
}

int shard__run_reserve_host(struct shard__run *run, int32_t host)
{
    if (host < run->host_number_count && run->host_numbers[host] >= 0)
        return 0;
    const struct shard__host *joined = &run->cluster->hosts[host];
    if (shard__run_reserve(run, 1) < 0)
        return SHARD_ENOMEM;
    char *name = shard__strdup(run->context, joined->name);
    if (name == NULL || shard__run_number_host(run, host, run->next_host_number) < 0) {
        shard__strfree(run->context, name);
        return SHARD_ENOMEM;
    }
    struct shard_record *record = append(run, SHARD_RECORD_HOST);
    record->host = run->host_numbers[host];
    record->to = (uint8_t)joined->state;
    record->detail = name;
    record->detail_bytes = (int32_t)strlen(name);
    return 0;
}

int32_t shard__run_host_number(struct shard__run *run, int32_t host)
{
    return host < 0 || host >= run->host_number_count ? -1 : run->host_numbers[host];
}

int shard__run_record_state(struct shard__run *run, enum shard_run_state state)
{
    if (shard__run_reserve(run, 1) < 0)
        return SHARD_ENOMEM;
    append(run, SHARD_RECORD_RUN)->to = (uint8_t)state;
    return 0;
}

void shard__run_record_revision(struct shard__run *run, int32_t task, char *detail)
{
    struct shard_record *record = append(run, SHARD_RECORD_REVISION);
    record->task = task;
    record->revision = run->revision;
    record->detail = detail;
    record->detail_bytes = (int32_t)strlen(detail);
}

static void fill_extra(struct shard__run *run, struct shard_record *record, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    record->memory_bytes = extra->memory_bytes;
    if (extra->parent >= 0) {
        record->parent = extra->parent;
        record->unit_begin = extra->unit_begin;
        record->unit_end = extra->unit_end;
    }
}

/* What was kept of the decision that a record is of; of another's, nobody wants to know any more. */
static char *kept_note(struct shard__run *run, int32_t task, enum shard_decision_kind decision)
{
    char *note = shard__run_take_note(run, task);
    if (decision == SHARD_DECIDE_START || decision == SHARD_DECIDE_MOVE || decision == SHARD_DECIDE_SPLIT ||
        decision == SHARD_DECIDE_REPLICATE)
        return note;
    shard__strfree(run->context, note);
    return NULL;
}

struct shard_record *shard__run_transition(struct shard__run *run, int32_t id, int to, const struct shard__cause *cause)
{
    struct shard__task *task = &run->tasks[id];
    enum shard__durability durability = shard__lifecycle(task->state, to);
    if (durability == SHARD__NOT_ALLOWED)
        shard__log(run->context, SHARD_LOG_ERROR, "lifecycle",
                   "task %d went from %s to %s, which lifecycle.def does not have", id,
                   shard_task_state_text(task->state), shard_task_state_text(to));
    run->by_state[task->state]--;
    run->by_state[to]++;
    if (to == SHARD_TASK_READY)
        task->ready_ms = (uint32_t)((run->now_ns - run->started_ns) / 1000000);
    else if (task->state == SHARD_TASK_READY && to != SHARD_TASK_BLOCKED)
        task->missing = 0;
    task->state = (unsigned)to & 0xfu;
    if (cause->outcome != SHARD_OUTCOME_NONE)
        task->outcome = (unsigned)cause->outcome & 0xffu;
    task->decision = (unsigned)cause->decision & 0xffu;
    task->reason = (unsigned)cause->reason & 0xffu;
    task->p_fail = (float)cause->p_fail;
    task->value = (float)cause->value;
    if (durability == SHARD__DERIVED || (durability == SHARD__EITHER && cause->decision != SHARD_DECIDE_SPLIT &&
                                         cause->decision != SHARD_DECIDE_REPLICATE))
        return NULL;

    struct shard_record *record = append(run, SHARD_RECORD_TASK);
    record->task = id;
    record->host = shard__run_host_number(run, task->host);
    record->attempt = (int32_t)task->attempt;
    record->version = task->version++;
    record->from = (uint8_t)task->durable;
    record->to = (uint8_t)to;
    record->outcome = (uint8_t)cause->outcome;
    record->decision = (uint8_t)cause->decision;
    record->reason = (uint8_t)cause->reason;
    record->p_fail = (float)cause->p_fail;
    record->value = (float)cause->value;
    record->limit = (float)cause->limit;
    record->seconds = (float)cause->seconds;
    if (to == SHARD_TASK_RUNNING && task->slot >= 0 && cause->decision == SHARD_DECIDE_START)
        run->attempts->slots[task->slot].revision = record->revision = run->revision;
    if (task->has_extra)
        fill_extra(run, record, id);
    record->detail = cause->detail != NULL ? cause->detail : kept_note(run, id, cause->decision);
    if (record->detail != NULL)
        record->detail_bytes = (int32_t)strlen(record->detail);
    task->durable = (unsigned)to & 0xfu;
    return record;
}
