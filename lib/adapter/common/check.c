/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that no store takes, and the errors that all stores word alike. */

#include "check.h"

#include <time.h>

#include "base/context.h"
#include "base/error.h"
#include "base/name.h"

int shard__check_create(const struct shard_store_create *theirs, struct shard_store_create *ret_create)
{
    struct shard_store_create create;
    int status = shard__take_struct(&create, sizeof(create), theirs, "store create");
    if (status == 0)
        status = shard__check_name(create.run, "run");
    if (status == 0 && create.workflow == NULL)
        status = shard__fail(SHARD_EINVAL, "run '%s': workflow is missing", create.run);
    if (status == 0)
        *ret_create = create;
    return status;
}

static int refuse_record(const struct shard_commit *commit, int32_t index, const char *why)
{
    const struct shard_record *record = &commit->records[index];
    return shard__fail_task(SHARD_EINVAL, record->type == SHARD_RECORD_TASK ? record->task : -1,
                            "run '%s': record %lld (at %d of the commit): %s", commit->run, (long long)record->seq,
                            index, why);
}

static int check_task_record(const struct shard_commit *commit, int32_t index)
{
    const struct shard_record *record = &commit->records[index];
    if (record->task < 0 || record->task >= SHARD_MAX_TASKS)
        return refuse_record(commit, index, "task id is out of range");
    if (record->from >= SHARD_TASK_STATE_COUNT || record->to >= SHARD_TASK_STATE_COUNT ||
        record->to == SHARD_TASK_NONE || record->outcome >= SHARD_OUTCOME_COUNT)
        return refuse_record(commit, index, "from, to or outcome is no state or outcome");
    if ((record->version == 0) != (record->from == SHARD_TASK_NONE) || record->version == UINT32_MAX)
        return refuse_record(commit, index, "version 0 and state none come together, and only once");
    if (record->revision < 0)
        return refuse_record(commit, index, "revision is negative");
    return 0;
}

static int check_record(const struct shard_commit *commit, int32_t index)
{
    const struct shard_record *record = &commit->records[index];
    if (record->seq < 1 || record->seq != commit->records[0].seq + index)
        return refuse_record(commit, index, "seq must ascend from 1 without gaps");
    if (record->detail_bytes < 0 || (record->detail == NULL && record->detail_bytes > 0))
        return refuse_record(commit, index, "detail is missing");
    if (record->host < -1)
        return refuse_record(commit, index, "host id is out of range");
    switch (record->type) {
    case SHARD_RECORD_TASK:
        return check_task_record(commit, index);
    case SHARD_RECORD_HOST:
        if (record->host < 0 || record->host >= 1 << 24 || record->detail == NULL)
            return refuse_record(commit, index, "host or its name is missing");
        return 0;
    case SHARD_RECORD_REVISION:
        if (record->revision < 1 || record->revision >= 1 << 24 || record->detail == NULL || record->task < -1)
            return refuse_record(commit, index, "revision, its detail or its task is missing");
        return 0;
    case SHARD_RECORD_RUN:
        if (record->to > SHARD_RUN_SUSPENDED)
            return refuse_record(commit, index, "to is no run state that is stored");
        return 0;
    default:
        return refuse_record(commit, index, "type is unknown");
    }
}

int shard__check_commit(const struct shard_commit *theirs, struct shard_commit *ret_commit)
{
    struct shard_commit commit;
    int status = shard__take_struct(&commit, sizeof(commit), theirs, "commit");
    if (status == 0)
        status = shard__check_name(commit.run, "run");
    if (status == 0 && (commit.record_count < 1 || commit.records == NULL))
        status = shard__fail(SHARD_EINVAL, "run '%s': a commit without records", commit.run);
    for (int32_t i = 0; status == 0 && i < commit.record_count; i++)
        status = check_record(&commit, i);
    if (status == 0)
        *ret_commit = commit;
    return status;
}

int shard__check_lease(const char *run, const char *owner, int64_t lease_ms)
{
    int status = shard__check_name(run, "run");
    if (status == 0)
        status = shard__check_name(owner, "owner");
    if (status == 0 && (lease_ms < 1 || lease_ms > INT64_C(1000) * 1000000000))
        status =
            shard__fail(SHARD_EINVAL, "run '%s': a lease of %lld ms, expected 1 to 10^12", run, (long long)lease_ms);
    return status;
}

static int check_tags(const struct shard_host_sample *sample)
{
    int status = 0;
    if (sample->tag_count < 0 || (sample->tag_count > 0 && sample->tags == NULL))
        return shard__fail(SHARD_EINVAL, "sample of host '%s': tags are missing", sample->host);
    for (int32_t i = 0; status == 0 && i < sample->tag_count; i++) {
        status = shard__check_name(sample->tags[i].run, "run");
        if (status == 0 && (sample->tags[i].task < 0 || sample->tags[i].task >= SHARD_MAX_TASKS))
            status = shard__fail(SHARD_EINVAL, "sample of host '%s': task id of a tag is out of range", sample->host);
    }
    return status;
}

int shard__check_samples(const struct shard_host_sample *samples, int32_t count)
{
    if (samples == NULL || count < 1)
        return shard__fail(SHARD_EINVAL, "samples: there are none");
    for (int32_t i = 0; i < count; i++) {
        int status = shard__check_name(samples[i].host, "host");
        if (status == 0 && samples[i].sample.time_ns < 0)
            status = shard__fail(SHARD_EINVAL, "sample of host '%s': its time is negative", samples[i].host);
        if (status == 0)
            status = check_tags(&samples[i]);
        if (status < 0)
            return status;
    }
    return 0;
}

int shard__check_outcomes(const struct shard_outcome_row *outcomes, int32_t count)
{
    if (outcomes == NULL || count < 1)
        return shard__fail(SHARD_EINVAL, "outcomes: there are none");
    for (int32_t i = 0; i < count; i++) {
        const struct shard_outcome_row *outcome = &outcomes[i];
        int status = shard__check_name(outcome->run, "run");
        if (status == 0)
            status = shard__check_name(outcome->host, "host");
        if (status == 0)
            status = shard__check_name(outcome->kind, "kind");
        if (status == 0 && (outcome->columns < 1 || outcome->columns > 4096 || outcome->values == NULL))
            status = shard__fail(SHARD_EINVAL, "outcome %d: %d columns, expected 1 to 4096", i, outcome->columns);
        if (status == 0 &&
            (outcome->task < 0 || outcome->task >= SHARD_MAX_TASKS || outcome->end_ns < 0 ||
             (int)outcome->outcome <= SHARD_OUTCOME_NONE || (int)outcome->outcome >= SHARD_OUTCOME_COUNT))
            status = shard__fail(SHARD_EINVAL, "outcome %d: task, time or outcome is out of range", i);
        if (status < 0)
            return status;
    }
    return 0;
}

static int check_bound(const char *store, const char *what, int64_t given, int64_t standard, int64_t most,
                       int64_t *ret_bound)
{
    if (given < 0 || given > most)
        return shard__fail(SHARD_EINVAL, "%s: %s is %lld, expected 0 to %lld", store, what, (long long)given,
                           (long long)most);
    *ret_bound = given == 0 ? standard : given;
    return 0;
}

int shard__check_keep(const char *store, int64_t samples, int64_t seconds, int64_t outcomes, int64_t outcome_seconds,
                      int64_t records, struct shard__keep *ret_keep)
{
    const int64_t day = 86400, most_seconds = 36500 * day;
    struct shard__keep keep;
    int status = check_bound(store, "keep_samples", samples, 100000, INT32_MAX, &keep.samples);
    if (status == 0)
        status = check_bound(store, "keep_seconds", seconds, 30 * day, most_seconds, &keep.sample_ns);
    if (status == 0)
        status = check_bound(store, "keep_outcomes", outcomes, 500000, INT32_MAX, &keep.outcomes);
    if (status == 0)
        status = check_bound(store, "keep_outcome_seconds", outcome_seconds, 730 * day, most_seconds, &keep.outcome_ns);
    if (status == 0)
        status = check_bound(store, "keep_records", records, 10000000, INT64_MAX, &keep.records);
    if (status < 0)
        return status;
    keep.sample_ns *= 1000000000;
    keep.outcome_ns *= 1000000000;
    *ret_keep = keep;
    return 0;
}

int shard__check_compact(const struct shard_compact *theirs, struct shard_compact *ret_compact)
{
    struct shard_compact compact;
    int status = shard__take_struct(&compact, sizeof(compact), theirs, "compact");
    if (status == 0 && compact.keep_records < 0)
        status = shard__fail(SHARD_EINVAL, "compact: keep_records is %lld, expected 0 or more",
                             (long long)compact.keep_records);
    if (status < 0)
        return status;
    if (compact.keep_records == 0)
        compact.keep_records = 10000;
    *ret_compact = compact;
    return 0;
}

int shard__fail_held(const shard_context *context, const char *run, const char *owner, int64_t remaining_ns)
{
    /* Rounded up: at the time that is named, the lease is over. */
    time_t until = (time_t)((shard__wall_ns(context) + remaining_ns + 999999999) / 1000000000);
    struct tm parts = {0};
    gmtime_r(&until, &parts);
    return shard__fail(SHARD_EHELD, "lease of run '%s' is held by '%s' until %02d:%02d:%02d UTC", run, owner,
                       parts.tm_hour, parts.tm_min, parts.tm_sec);
}

int shard__fail_fenced(const char *run, int64_t epoch, int64_t current_epoch, const char *owner)
{
    if (epoch == current_epoch)
        return shard__fail(SHARD_EFENCED, "run '%s': epoch %lld was given back", run, (long long)epoch);
    if (epoch > current_epoch)
        return shard__fail(SHARD_EFENCED,
                           "run '%s': epoch %lld is fenced: the store knows none after %lld; it has lost what came "
                           "later (by a failover, or an older copy that was put back)",
                           run, (long long)epoch, (long long)current_epoch);
    return shard__fail(SHARD_EFENCED, "run '%s': epoch %lld is fenced, epoch %lld of '%s' is the current one", run,
                       (long long)epoch, (long long)current_epoch, owner);
}

int shard__fail_seq(const char *run, int64_t first_seq, int64_t last_seq)
{
    return shard__fail(SHARD_ECONFLICT, "run '%s': the commit begins with record %lld, expected %lld", run,
                       (long long)first_seq, (long long)last_seq + 1);
}
