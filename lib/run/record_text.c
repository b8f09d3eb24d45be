/* SPDX-License-Identifier: Apache-2.0 */
/* Records in words, for people. Nothing reads these sentences back. */

#include <shard/record.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that is cut where the buffer ends, while its whole length is counted. */
struct text {
    char *at;
    size_t capacity;
    size_t length;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
    size_t left = text->length < text->capacity ? text->capacity - text->length : 0;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(left > 0 ? text->at + text->length : NULL, left, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += (size_t)length;
}

static void say_bytes(struct text *text, double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    say(text, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

static void say_costs(struct text *text, const struct shard_record *record)
{
    say(text, " (%.1f s", (double)record->value);
    if (isfinite(record->limit) && record->limit != 0)
        say(text, " against %.1f s", (double)record->limit);
    say(text, ")");
}

/* A reason with the operands that its code gives a meaning to (enum shard_reason_code). */
static void say_reason(struct text *text, const struct shard_record *record)
{
    double value = (double)record->value;
    double limit = (double)record->limit;
    say(text, "%s", shard_reason_text(record->reason));
    switch (record->reason) {
    case SHARD_REASON_LEAST_LOADED:
        say(text, " (load %.2f with it)", value);
        break;
    case SHARD_REASON_EARLIEST_FINISH:
        say(text, " (in %.1f s)", value);
        break;
    case SHARD_REASON_EXCLUDED:
    case SHARD_REASON_PREFERS_OTHER:
        say(text, " (%.1f s left)", value);
        break;
    case SHARD_REASON_RETRY:
    case SHARD_REASON_BUDGET_SPENT:
    case SHARD_REASON_ATTEMPTS_SPENT:
        if (limit > 0 || record->reason != SHARD_REASON_RETRY)
            say(text, " (%.0f of %.0f)", value, limit);
        else
            say(text, " (%.0f)", value); /* a policy's own: the budget is another's business */
        break;
    case SHARD_REASON_FORECAST_BETTER:
        say(text, " (%.3f there, above %.2f)", value, limit);
        break;
    case SHARD_REASON_PARTS_ASKED:
        say(text, " (%.0f)", value);
        break;
    case SHARD_REASON_MORE_MEMORY:
    case SHARD_REASON_MORE_DISK:
        say(text, " (");
        say_bytes(text, value);
        say(text, " instead of ");
        say_bytes(text, limit);
        say(text, ")");
        break;
    case SHARD_REASON_POLICY:
        say(text, " (%g)", value);
        break;
    case SHARD_REASON_SHARES_LAUNCH:
        say(text, " (behind task %.0f)", value);
        break;
    case SHARD_REASON_DRAWN:
        say(text, " (of %.0f)", value);
        break;
    case SHARD_REASON_LOWEST_COST:
    case SHARD_REASON_EXPLORES:
    case SHARD_REASON_CANARY:
    case SHARD_REASON_STRAGGLER:
    case SHARD_REASON_HOST_SICK:
    case SHARD_REASON_CRITICAL:
        say_costs(text, record);
        break;
    case SHARD_REASON_FAILS_LIKELY:
    case SHARD_REASON_FAILED_BEFORE:
    case SHARD_REASON_IDLE_SLOTS:
        say(text, " (%.0f parts; %s %.3g)", value,
            record->reason == SHARD_REASON_FAILS_LIKELY    ? "p"
            : record->reason == SHARD_REASON_FAILED_BEFORE ? "failures"
                                                           : "idle",
            limit);
        break;
    case SHARD_REASON_TASK_AT_FAULT:
        say(text, " (on %.0f hosts; %.0f %% of the blame)", value, 100 * limit);
        break;
    case SHARD_REASON_DATA_AT_FAULT:
        say(text, " (%.0f tasks; %.0f %% of the blame)", value, 100 * limit);
        break;
    default:
        break;
    }
}

static void say_host(struct text *text, const struct shard_record *record, const char *host_name)
{
    if (host_name != NULL && host_name[0] != '\0')
        say(text, "%s", host_name);
    else if (record->host >= 0)
        say(text, "host %d", record->host);
    else
        say(text, "no host");
}

/* What became of a task whose attempt has ended; nothing is said of one that is done. */
static void say_consequence(struct text *text, const struct shard_record *record)
{
    switch (record->to) {
    case SHARD_TASK_DONE:
        return;
    case SHARD_TASK_FAILED:
        say(text, "; given up");
        break;
    case SHARD_TASK_BACKOFF:
    case SHARD_TASK_READY:
        if (record->reason != SHARD_REASON_RETRY)
            say(text, "; to be tried again");
        break;
    default:
        say(text, "; %s", shard_task_state_text(record->to));
        break;
    }
    if (record->reason != SHARD_REASON_NONE) {
        say(text, record->reason == SHARD_REASON_RETRY ? "; " : ": ");
        say_reason(text, record);
    }
}

static void say_end(struct text *text, const struct shard_record *record, const char *host_name)
{
    say(text, "attempt %d ended on ", record->attempt);
    say_host(text, record, host_name);
    say(text, ": %s", shard_outcome_text(record->outcome));
    if (record->seconds > 0)
        say(text, " after %.1f s", (double)record->seconds);
    if (record->detail != NULL && record->detail_bytes > 0)
        say(text, " (%.*s)", record->detail_bytes, record->detail);
    say_consequence(text, record);
}

static void say_change(struct text *text, const struct shard_record *record, const char *host_name)
{
    switch (record->to) {
    case SHARD_TASK_STAGING:
        say(text, "its inputs are brought to ");
        say_host(text, record, host_name);
        break;
    case SHARD_TASK_RUNNING:
        say(text,
            record->reason == SHARD_REASON_KEEPS_ATTEMPT ? "goes on with attempt %d on " : "attempt %d started on ",
            record->attempt);
        say_host(text, record, host_name);
        break;
    case SHARD_TASK_BACKOFF:
        say(text, "waits %.1f s before it is tried again", (double)record->seconds);
        break;
    case SHARD_TASK_FAILED:
        say(text, "given up");
        break;
    default:
        say(text, "%s", shard_task_state_text(record->to));
        break;
    }
    if (record->reason != SHARD_REASON_NONE) {
        say(text, ": ");
        say_reason(text, record);
    }
    if (record->decision != SHARD_DECIDE_NOTHING && !isnan(record->p_fail))
        say(text, "; fails with probability %.3f", (double)record->p_fail);
    if (record->detail != NULL && record->detail_bytes > 0)
        say(text, " (%.*s)", record->detail_bytes, record->detail);
}

static void say_revision(struct text *text, const struct shard_record *record, const char *task_name)
{
    const char *line = record->detail == NULL ? NULL : memchr(record->detail, '\n', (size_t)record->detail_bytes);
    int commit_bytes = line == NULL ? record->detail_bytes : (int)(line - record->detail);
    if (line == NULL)
        say(text, "catalog is at commit %.*s", commit_bytes, record->detail);
    else
        say(text, "%s: amended by catalog commit %.*s: %.*s", task_name == NULL ? "" : task_name, commit_bytes,
            record->detail, record->detail_bytes - commit_bytes - 1, line + 1);
}

int shard_record_text(const struct shard_record *record, const char *task_name, const char *host_name, char *ret_text,
                      size_t capacity)
{
    struct text text = {.at = ret_text, .capacity = capacity};
    if (capacity > 0)
        ret_text[0] = '\0';
    if (record->type == SHARD_RECORD_RUN) {
        say(&text, "run is %s", shard_run_state_text(record->to));
        return (int)text.length;
    }
    if (record->type == SHARD_RECORD_HOST) {
        if (record->detail != NULL)
            say(&text, "host %.*s is %s", record->detail_bytes, record->detail, shard_host_state_text(record->to));
        else
            say(&text, "host %d is %s", record->host, shard_host_state_text(record->to));
        return (int)text.length;
    }
    if (record->type == SHARD_RECORD_REVISION) {
        say_revision(&text, record, task_name);
        return (int)text.length;
    }
    if (task_name != NULL && task_name[0] != '\0')
        say(&text, "%s: ", task_name);
    if (record->from == SHARD_TASK_NONE && record->decision == SHARD_DECIDE_REPLICATE)
        say(&text, "made as a replica; ");
    else if (record->from == SHARD_TASK_NONE && record->parent >= 0)
        say(&text, "made for units %lld to %lld; ", (long long)record->unit_begin, (long long)record->unit_end);
    if (record->outcome != SHARD_OUTCOME_NONE)
        say_end(&text, record, host_name);
    else
        say_change(&text, record, host_name);
    return (int)text.length;
}
