/* SPDX-License-Identifier: Apache-2.0 */
/* Why a task is where it is, in words: one fact a line. The story of what happened before is in the store's records. */

#include "run.h"

#include "base/bytes.h"
#include "base/error.h"

enum { MOST_NAMED = 5 };

static void name_task(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    char name[SHARD_MAX_NAME_BYTES + 64];
    shard__run_task_name(run, task, name, sizeof(name));
    shard__bytes_printf(text, "'%s'", name);
}

static void say_decision(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    const struct shard__task *hot = &run->tasks[task];
    if (hot->decision == SHARD_DECIDE_NOTHING && hot->reason == SHARD_REASON_NONE)
        return;
    shard__bytes_printf(text, "last decision: %s, because: %s", shard_decision_text(hot->decision),
                        shard_reason_text(hot->reason));
    if (hot->value != 0)
        shard__bytes_printf(text, " (%g)", (double)hot->value);
    if (isnan(hot->p_fail))
        shard__bytes_text(text, "; probability of failure: not known\n");
    else
        shard__bytes_printf(text, "; probability of failure: %.3f\n", (double)hot->p_fail);
    const struct shard__extra *extra = shard__run_extra(run, task);
    if (extra != NULL && extra->note != NULL)
        shard__bytes_printf(text, "weighed: %s\n", extra->note);
}

static void say_predecessors(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    int32_t from = shard__run_origin(run, task);
    const int32_t *before = shard__csr_row(&run->workflow->predecessors, from);
    int32_t count = shard__csr_count(&run->workflow->predecessors, from), open = 0;
    for (int32_t i = 0; i < count; i++)
        open += run->tasks[before[i]].state != SHARD_TASK_DONE;
    shard__bytes_printf(text, "waits for %d of %d predecessors:\n", open, count);
    for (int32_t i = 0, named = 0; i < count && named < MOST_NAMED; i++) {
        if (run->tasks[before[i]].state == SHARD_TASK_DONE)
            continue;
        shard__bytes_text(text, "  ");
        name_task(run, text, before[i]);
        shard__bytes_printf(text, " is %s\n", shard_task_state_text(run->tasks[before[i]].state));
        named++;
    }
    if (open > MOST_NAMED)
        shard__bytes_printf(text, "  and %d more\n", open - MOST_NAMED);
}

/* The first thing that stands between a task and a host. */
static void say_host(const struct shard__run *run, struct shard__bytes *text, int32_t task, int32_t id,
                     const struct shard__need *need)
{
    const struct shard__host *host = &run->cluster->hosts[id];
    int64_t memory_free = host->capacity.memory_bytes - host->used.memory_bytes;
    shard__bytes_printf(text, "  host '%s': ", host->name);
    if (host->state != SHARD_HOST_UP)
        shard__bytes_printf(text, "is %s\n", shard_host_state_text(host->state));
    else if (!shard__host_could_hold(host, need))
        shard__bytes_printf(text, "too small (%lld millicores, %lld bytes of memory)\n",
                            (long long)host->capacity.cpu_millicores, (long long)host->capacity.memory_bytes);
    else if (id == shard__run_replica_host(run, task))
        shard__bytes_text(text, "its replica is there\n");
    else if (host->running >= host->slots)
        shard__bytes_printf(text, "full (%d of %d slots)\n", host->running, host->slots);
    else if (need->cpu_millicores > host->capacity.cpu_millicores - host->used.cpu_millicores)
        shard__bytes_printf(text, "too little CPU free (%lld millicores)\n",
                            (long long)(host->capacity.cpu_millicores - host->used.cpu_millicores));
    else if (host->capacity.memory_bytes > 0 && need->memory_bytes > memory_free)
        shard__bytes_printf(text, "too little memory free (%lld bytes)\n", (long long)memory_free);
    else if (!shard__host_admits(host, need))
        shard__bytes_text(text, "too little disk free\n");
    else if (shard__data_gate(run, task, id) == SHARD__GATE_LOST)
        shard__bytes_text(text, "an input is nowhere\n");
    else
        shard__bytes_text(text, "has room; the policy has not chosen it\n");
}

static void say_hosts(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    struct shard__need need = shard__run_need(run, task);
    shard__bytes_printf(text, "needs a slot, %lld millicores, %lld bytes of memory, %lld bytes of disk\n",
                        (long long)need.cpu_millicores, (long long)need.memory_bytes, (long long)need.disk_bytes);
    int32_t count = run->cluster->host_count;
    if (count == 0)
        shard__bytes_text(text, "there is no host\n");
    for (int32_t i = 0; i < count && i < 20; i++)
        say_host(run, text, task, i, &need);
    if (count > 20)
        shard__bytes_printf(text, "  and %d more hosts\n", count - 20);
}

static void say_attempt(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    const struct shard__task *hot = &run->tasks[task];
    const char *host = hot->host < 0 ? "no host" : run->cluster->hosts[hot->host].name;
    const struct shard__attempt *attempt = hot->slot < 0 ? NULL : &run->attempts->slots[hot->slot];
    if (hot->state == SHARD_TASK_STAGING) {
        shard__bytes_printf(text, "waits for %d inputs on their way to host '%s'\n",
                            attempt == NULL ? 0 : attempt->staging, host);
        return;
    }
    shard__bytes_printf(text, "attempt %u is on host '%s'", (unsigned)hot->attempt, host);
    if (attempt == NULL || attempt->phase == SHARD__ATTEMPT_REATTACHING)
        shard__bytes_text(text, ", of an earlier process; not reattached yet\n");
    else if (attempt->phase == SHARD__ATTEMPT_RECORDED)
        shard__bytes_text(text, ", and starts once that is durable\n");
    else if (attempt->before >= 0)
        shard__bytes_printf(text, ", behind task %d in the same container\n",
                            run->attempts->slots[attempt->before].task);
    else
        shard__bytes_printf(text, " for %.1f s%s\n", (double)(run->now_ns - attempt->started_ns) / 1e9,
                            attempt->cancelled ? ", told to end" : "");
    if (attempt != NULL && attempt->revision > 0)
        shard__bytes_printf(text, "started under catalog commit %.12s\n", run->commits[attempt->revision - 1]);
    if (attempt != NULL && attempt->is_shrinking)
        shard__bytes_printf(text, "is asked to do only its first %lld units\n", (long long)attempt->units_kept);
    if (attempt != NULL && attempt->units_done > 0) {
        int64_t begin, end;
        shard__run_units(run, task, &begin, &end);
        shard__bytes_printf(text, "has told that %lld of its %lld units are done\n", (long long)attempt->units_done,
                            (long long)(end - begin));
    }
}

static void say_failures(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    const struct shard__extra *extra = shard__run_extra(run, task);
    for (int outcome = SHARD_OUTCOME_DONE + 1; extra != NULL && outcome < SHARD_OUTCOME_COUNT; outcome++)
        if (extra->failures[outcome] > 0)
            shard__bytes_printf(text, "ended %d times with %s\n", extra->failures[outcome],
                                shard_outcome_text(outcome));
    if (extra != NULL && extra->memory_bytes > 0)
        shard__bytes_printf(text, "asks for %lld bytes of memory\n", (long long)extra->memory_bytes);
    if (extra != NULL && extra->disk_bytes > 0)
        shard__bytes_printf(text, "asks for %lld bytes of disk\n", (long long)extra->disk_bytes);
}

static void say_amended(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    const struct shard__amended *amended = shard__run_amended(run, task);
    if (amended == NULL)
        return;
    shard__bytes_printf(text, "amended by catalog commit %.12s: ", run->commits[amended->revision - 1]);
    if (!isnan(amended->expected_seconds))
        shard__bytes_printf(text, "expected to take %g s, ", amended->expected_seconds);
    shard__bytes_printf(text, "a failure costs %g s more, needs %lld millicores, %lld bytes of memory, %lld of disk\n",
                        amended->failure_cost_seconds, (long long)amended->need.cpu_millicores,
                        (long long)amended->need.memory_bytes, (long long)amended->need.disk_bytes);
}

static void say_state(const struct shard__run *run, struct shard__bytes *text, int32_t task)
{
    const struct shard__task *hot = &run->tasks[task];
    const struct shard__extra *extra = shard__run_extra(run, task);
    switch ((enum shard_task_state)hot->state) {
    case SHARD_TASK_BLOCKED:
        say_predecessors(run, text, task);
        break;
    case SHARD_TASK_READY:
        if (run->stop != SHARD__GO_ON)
            shard__bytes_text(text, "nothing new is started: the run is ending\n");
        say_hosts(run, text, task);
        break;
    case SHARD_TASK_BACKOFF:
        shard__bytes_printf(text, "is tried again in %.1f s\n",
                            extra->retry_ns > run->now_ns ? (double)(extra->retry_ns - run->now_ns) / 1e9 : 0);
        break;
    case SHARD_TASK_STAGING:
    case SHARD_TASK_RUNNING:
        say_attempt(run, text, task);
        break;
    case SHARD_TASK_SPLIT:
        if (extra->is_replicated)
            shard__bytes_text(text, "waits for the first of two replicas\n");
        else
            shard__bytes_printf(text, "waits for %u of %d subtasks\n", (unsigned)hot->missing, extra->subtask_count);
        break;
    case SHARD_TASK_DONE:
        if (hot->host >= 0)
            shard__bytes_printf(text, "attempt %u ended well on host '%s'\n", (unsigned)hot->attempt,
                                run->cluster->hosts[hot->host].name);
        break;
    case SHARD_TASK_NONE:
    case SHARD_TASK_FAILED:
    case SHARD_TASK_SKIPPED:
    case SHARD_TASK_CANCELLED:
        break;
    }
}

int shard__run_explain(const struct shard__run *run, int32_t task, char **ret_text)
{
    struct shard__bytes text;
    shard__bytes_init(&text, run->context);
    shard__bytes_text(&text, "task ");
    name_task(run, &text, task);
    shard__bytes_printf(&text, " is %s\n", shard_task_state_text(run->tasks[task].state));
    say_state(run, &text, task);
    say_amended(run, &text, task);
    say_failures(run, &text, task);
    say_decision(run, &text, task);
    return shard__bytes_handout(&text, ret_text, NULL);
}
