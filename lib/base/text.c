/* SPDX-License-Identifier: Apache-2.0 */
/* The names of states, outcomes, decisions and reasons, as they stand in events, records and reports. */

#include <stddef.h>

#include <shard/record.h>

#define PICK(texts, value) pick(texts, sizeof(texts) / sizeof((texts)[0]), value)

static const char *pick(const char *const *texts, size_t count, int value)
{
    return value >= 0 && (size_t)value < count ? texts[value] : "unknown";
}

const char *shard_host_state_text(int state)
{
    static const char *const texts[] = {"up", "draining", "quarantined", "left", "lost"};
    return PICK(texts, state);
}

const char *shard_task_state_text(int state)
{
    static const char *const texts[SHARD_TASK_STATE_COUNT] = {
        "none", "blocked", "ready", "backoff", "staging", "running", "split", "done", "failed", "skipped", "cancelled"};
    return PICK(texts, state);
}

const char *shard_outcome_text(int outcome)
{
    static const char *const texts[SHARD_OUTCOME_COUNT] = {"none",         "done",        "task_error", "out_of_memory",
                                                           "out_of_disk",  "timeout",     "host_lost",  "preempted",
                                                           "launch_error", "stage_error", "cancelled"};
    return PICK(texts, outcome);
}

const char *shard_decision_text(int decision)
{
    static const char *const texts[] = {"nothing", "start",    "wait",      "move",
                                        "split",   "escalate", "replicate", "give_up"};
    return PICK(texts, decision);
}

const char *shard_run_state_text(int state)
{
    static const char *const texts[] = {"active", "done", "failed", "cancelled", "suspended", "fenced"};
    return PICK(texts, state);
}

const char *shard_reason_text(int reason)
{
    static const char *const texts[] = {
        [SHARD_REASON_NONE] = "no reason given",
        [SHARD_REASON_NEXT_IN_TURN] = "next host in turn",
        [SHARD_REASON_LEAST_LOADED] = "least loaded host",
        [SHARD_REASON_EARLIEST_FINISH] = "earliest finish",
        [SHARD_REASON_ONLY_HOST] = "only host that admits it",
        [SHARD_REASON_NO_CAPACITY] = "every host that could is full",
        [SHARD_REASON_EXCLUDED] = "the hosts that could are excluded",
        [SHARD_REASON_PREFERS_OTHER] = "a better host gets free soon",
        [SHARD_REASON_RETRY] = "tried again",
        [SHARD_REASON_BUDGET_SPENT] = "retry budget is spent",
        [SHARD_REASON_ATTEMPTS_SPENT] = "no attempts left",
        [SHARD_REASON_PARTS_ASKED] = "parts asked for",
        [SHARD_REASON_PREDECESSOR_FAILED] = "a predecessor failed",
        [SHARD_REASON_REQUESTED] = "requested",
        [SHARD_REASON_PREDECESSORS_DONE] = "predecessors are done",
        [SHARD_REASON_SUBTASKS_DONE] = "subtasks are done",
        [SHARD_REASON_BACKOFF_OVER] = "back-off is over",
        [SHARD_REASON_INPUT_LOST] = "an output that is needed was lost",
        [SHARD_REASON_HOST_GONE] = "its host is gone",
        [SHARD_REASON_UNKNOWN_AT_REATTACH] = "not known when reattached",
        [SHARD_REASON_UNPLACEABLE] = "needs more than any host has",
        [SHARD_REASON_REFUSED] = "the policy's answer was refused",
        [SHARD_REASON_STAGED] = "inputs have arrived",
        [SHARD_REASON_LEAST_BAD] = "least bad of the excluded hosts",
        [SHARD_REASON_MORE_MEMORY] = "asks for more memory",
        [SHARD_REASON_POLICY] = "the policy's own reason",
        [SHARD_REASON_DRAWN] = "drawn by lot",
        [SHARD_REASON_LOWEST_COST] = "lowest expected cost",
        [SHARD_REASON_EXPLORES] = "to learn about the host",
        [SHARD_REASON_CANARY] = "cheap task for a host on probation",
        [SHARD_REASON_STRAGGLER] = "it takes longer than elsewhere",
        [SHARD_REASON_HOST_SICK] = "its host has turned bad",
        [SHARD_REASON_FAILS_LIKELY] = "likely to fail as one",
        [SHARD_REASON_FAILED_BEFORE] = "failed as one",
        [SHARD_REASON_IDLE_SLOTS] = "slots are idle",
        [SHARD_REASON_TASK_AT_FAULT] = "the task is at fault: it fails wherever it runs",
        [SHARD_REASON_DATA_AT_FAULT] = "an input is at fault: tasks that read it fail wherever they run",
        [SHARD_REASON_CRITICAL] = "its failure would hold up the run",
        [SHARD_REASON_KEEPS_ATTEMPT] = "keeps the attempt of the task that it was made from",
        [SHARD_REASON_REPLICA_FIRST] = "its replica was done first",
        [SHARD_REASON_REPLICA_RUNS] = "its replica goes on",
        [SHARD_REASON_FORECAST_BETTER] = "less likely to fail than where it was",
        [SHARD_REASON_MORE_DISK] = "asks for more disk",
        [SHARD_REASON_AMENDED] = "amended in the catalog",
        [SHARD_REASON_SHARES_LAUNCH] = "shares the launch of another",
        [SHARD_REASON_CAME_APART] = "one before it in its container did not end well",
    };
    return PICK(texts, reason);
}
