/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port that asks the memory store, looks at what it says, and lies. It is as simple as its lies allow: one run's
 * lease is tracked at a time, the one that was acquired last. It is longer than 400 lines because each lie is told in
 * one place.
 */

#include "store_mutant.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mutant {
    enum store_mutation mutation;
    struct shard_store_handle real;
    shard_sink *sink; /* where the memory store answers */
    struct shard_answer answer;
    char run[SHARD_MAX_NAME_BYTES + 1]; /* that the lease below is of */
    int64_t epoch;
    int is_released;
    uint64_t operations[64];
    int operation_count;
    uint64_t next_operation;
    int commits;
    struct shard_run_image *shared;
};

/* Asks the memory store; the status of its answer. */
static int ask(struct mutant *mutant, int returned)
{
    mutant->answer = (struct shard_answer){.struct_size = sizeof(mutant->answer)};
    if (returned == 0)
        shard_sink_wait(mutant->sink, 0, &mutant->answer);
    else
        mutant->answer.status = returned;
    return mutant->answer.status;
}

static int tell(struct mutant *mutant, shard_sink *sink, shard_token token, int status)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    shard_sink_store_answered(sink, token, status, mutant->answer.epoch, mutant->answer.image, error.message);
    if (mutant->mutation == ANSWERS_TWICE)
        shard_sink_store_answered(sink, token, status, mutant->answer.epoch, NULL, NULL);
    return 0;
}

static const char *name_for(const struct mutant *mutant, const char *run, char buffer[SHARD_MAX_NAME_BYTES + 1])
{
    if (run == NULL || mutant->mutation != MIXES_CASES || strlen(run) > SHARD_MAX_NAME_BYTES)
        return run;
    for (size_t i = 0; i <= strlen(run); i++)
        buffer[i] = (char)tolower((unsigned char)run[i]);
    return buffer;
}

static int mutant_create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    struct shard_store_create copy = *create;
    copy.run = name_for(mutant, create->run, buffer);
    int status = ask(mutant, mutant->real.port->create(mutant->real.self, mutant->sink, 1, &copy));
    if (mutant->mutation == MAKES_A_RUN_TWICE && status == SHARD_EEXIST)
        status = 0;
    if (mutant->mutation == TAKES_BAD_NAMES && status == SHARD_EINVAL)
        status = 0;
    return tell(mutant, sink, token, status);
}

static int acquire_really(struct mutant *mutant, const char *run, const char *owner, int64_t lease_ms)
{
    if (mutant->mutation == NEVER_ENDS_A_LEASE)
        lease_ms *= 100;
    return ask(mutant, mutant->real.port->acquire(mutant->real.self, mutant->sink, 1, run, owner, lease_ms));
}

static int mutant_acquire(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner,
                          int64_t lease_ms)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    run = name_for(mutant, run, buffer);
    int status = acquire_really(mutant, run, owner, lease_ms);
    if ((mutant->mutation == GIVES_HELD_LEASES || (mutant->mutation == STEALS_AFTER_A_WHILE && mutant->commits > 50)) &&
        status == SHARD_EHELD) {
        mutant->real.port->release(mutant->real.self, mutant->sink, 1, run, mutant->epoch);
        ask(mutant, 0);
        status = acquire_really(mutant, run, owner, lease_ms);
    }
    if (status == 0) {
        strncpy(mutant->run, run, sizeof(mutant->run) - 1);
        mutant->epoch = mutant->answer.epoch;
        mutant->is_released = 0;
        if (mutant->mutation == REPEATS_EPOCHS)
            mutant->answer.epoch = 1;
    }
    return tell(mutant, sink, token, status);
}

static int mutant_renew(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch,
                        int64_t lease_ms)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    run = name_for(mutant, run, buffer);
    if (mutant->mutation == RENEWS_NOTHING)
        return tell(mutant, sink, token, 0);
    int status = ask(mutant, mutant->real.port->renew(mutant->real.self, mutant->sink, 1, run, epoch, lease_ms));
    if (mutant->mutation == RENEWS_WHAT_IS_NOT_THERE && status == SHARD_ENOENT)
        status = 0;
    return tell(mutant, sink, token, status);
}

static int mutant_release(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    run = name_for(mutant, run, buffer);
    if (mutant->mutation == RELEASES_NOTHING)
        return tell(mutant, sink, token, 0);
    if (mutant->mutation == RELEASES_FOR_OLD_EPOCHS)
        epoch = mutant->epoch;
    int status = ask(mutant, mutant->real.port->release(mutant->real.self, mutant->sink, 1, run, epoch));
    mutant->is_released |= status == 0;
    return tell(mutant, sink, token, status);
}

static int commit_really(struct mutant *mutant, const struct shard_commit *commit)
{
    return ask(mutant, mutant->real.port->commit(mutant->real.self, mutant->sink, 1, commit));
}

static int is_remembered(const struct mutant *mutant, uint64_t operation)
{
    for (int i = 0; i < mutant->operation_count; i++)
        if (mutant->operations[i] == operation)
            return 1;
    return 0;
}

static void remember(struct mutant *mutant, uint64_t operation)
{
    if (mutant->operation_count < 64)
        mutant->operations[mutant->operation_count++] = operation;
}

/* Writes as much of a commit as goes well. */
static int commit_prefix(struct mutant *mutant, struct shard_commit *commit)
{
    while (--commit->record_count > 0 && commit_really(mutant, commit) < 0)
        ;
    return SHARD_ECONFLICT;
}

/* Makes the records fit what is there. */
static int commit_fitted(struct mutant *mutant, struct shard_commit *commit, struct shard_record *records)
{
    ask(mutant, mutant->real.port->load(mutant->real.self, mutant->sink, 1, commit->run, SHARD_LOAD_STATE));
    struct shard_run_image *image = mutant->answer.image;
    for (int32_t i = 0; image != NULL && i < commit->record_count; i++)
        for (int32_t row = 0; row < image->row_count; row++)
            if (records[i].type == SHARD_RECORD_TASK && image->rows[row].task == records[i].task) {
                records[i].version = image->rows[row].version++;
                records[i].from = image->rows[row].state;
                image->rows[row].state = records[i].to;
            }
    if (image != NULL)
        image->release(image);
    return commit_really(mutant, commit);
}

static int commit_in_halves(struct mutant *mutant, const struct shard_commit *commit)
{
    struct shard_commit half = *commit;
    half.record_count = commit->record_count / 2;
    half.operation = commit->operation + 1000;
    int status = commit_really(mutant, &half);
    if (status < 0)
        return status;
    half = *commit;
    half.records += commit->record_count / 2;
    half.record_count -= commit->record_count / 2;
    return commit_really(mutant, &half);
}

/* The memory store ignores the records of an operation that it knows, so a rename goes in as another record. */
static int commit_without_names(struct mutant *mutant, struct shard_commit *commit, struct shard_record *records)
{
    for (int32_t i = 0; i < commit->record_count; i++)
        if (records[i].type == SHARD_RECORD_HOST)
            records[i].type = SHARD_RECORD_RUN;
    return commit_really(mutant, commit);
}

static int64_t last_seq_of(struct mutant *mutant, const char *run)
{
    ask(mutant, mutant->real.port->load(mutant->real.self, mutant->sink, 1, run, SHARD_LOAD_STATE));
    int64_t last_seq = mutant->answer.image == NULL ? 0 : mutant->answer.image->last_seq;
    if (mutant->answer.image != NULL)
        mutant->answer.image->release(mutant->answer.image);
    mutant->answer.image = NULL;
    return last_seq;
}

static int commit_mutated(struct mutant *mutant, struct shard_commit *commit, struct shard_record *records)
{
    switch ((int)mutant->mutation) {
    case WRITES_FOR_OLD_EPOCHS:
        commit->epoch = strcmp(commit->run, mutant->run) == 0 ? mutant->epoch : commit->epoch;
        break;
    case WRITES_AFTER_RELEASE:
        if (mutant->is_released && commit->epoch == mutant->epoch &&
            acquire_really(mutant, commit->run, "me", 1000) == 0)
            commit->epoch = mutant->answer.epoch;
        break;
    case FORGETS_OPERATIONS:
        commit->operation = ++mutant->next_operation;
        break;
    case IGNORES_GAPS: {
        int64_t last_seq = last_seq_of(mutant, commit->run);
        for (int32_t i = 0; i < commit->record_count; i++)
            records[i].seq = last_seq + 1 + i;
        break;
    }
    case SPLITS_LARGE_COMMITS:
        if (commit->record_count > 1000)
            return commit_in_halves(mutant, commit);
        break;
    case LOSES_A_COMMIT:
        if (mutant->commits == 3)
            return 0;
        break;
    case REMEMBERS_OLD_EPOCHS:
    case REMEMBERS_FAILURES:
        if (is_remembered(mutant, commit->operation))
            return 0;
        break;
    default:
        break;
    }
    int status = commit_really(mutant, commit);
    if (status == SHARD_EINVAL && mutant->mutation == TAKES_BAD_RECORDS)
        return 0;
    if ((status == 0 && mutant->mutation == REMEMBERS_OLD_EPOCHS) ||
        (status == SHARD_ECONFLICT && mutant->mutation == REMEMBERS_FAILURES))
        remember(mutant, commit->operation);
    if (status == SHARD_ECONFLICT && mutant->mutation == WRITES_HALF_COMMITS)
        return commit_prefix(mutant, commit);
    if (status == SHARD_ECONFLICT && mutant->mutation == IGNORES_VERSIONS)
        return commit_fitted(mutant, commit, records);
    if (status == SHARD_ECONFLICT && mutant->mutation == RENAMES_HOSTS)
        return commit_without_names(mutant, commit, records);
    return status;
}

static int mutant_commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *theirs)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    struct shard_commit commit = *theirs;
    struct shard_record *records = NULL;
    commit.run = name_for(mutant, theirs->run, buffer);
    if (theirs->records != NULL && theirs->record_count > 0) {
        records = malloc((size_t)theirs->record_count * sizeof(*records));
        memcpy(records, theirs->records, (size_t)theirs->record_count * sizeof(*records));
        commit.records = records;
    }
    mutant->commits++;
    if (mutant->shared != NULL) /* as if the image were the store's own: the next commit changes it */
        mutant->shared->last_seq += theirs->record_count;
    mutant->shared = NULL;
    int status = commit_mutated(mutant, &commit, records);
    free(records);
    return tell(mutant, sink, token, status);
}

static void mutate_row(enum store_mutation mutation, struct shard_task_row *row)
{
    if (mutation == LOADS_NO_FAILURES)
        memset(row->failures, 0, sizeof(row->failures));
    if (mutation == LOADS_NO_MEMORY)
        row->memory_bytes = 0;
    if (mutation == LOADS_NO_PARENTS)
        row->parent = -1;
}

static void mutate_image(struct mutant *mutant, struct shard_run_image *image)
{
    for (int32_t i = 0; i < image->row_count; i++)
        mutate_row(mutant->mutation, &image->rows[i]);
    for (int64_t i = 0; i < image->record_count; i++) {
        struct shard_record *record = &image->records[i];
        if (mutant->mutation == LOADS_OTHER_RECORDS)
            record->attempt++;
        if (mutant->mutation == LOADS_DETAILS_AS_STRINGS && record->detail != NULL) {
            char *detail = (char *)(uintptr_t)record->detail;
            detail[strlen(detail) / 2] = '\0';
        }
    }
    if (mutant->mutation == LOADS_NO_LAST_ROW && image->row_count > 0)
        image->row_count--;
    if (mutant->mutation == LOADS_IN_ANY_ORDER && image->row_count > 1) {
        struct shard_task_row first = image->rows[0];
        image->rows[0] = image->rows[1];
        image->rows[1] = first;
    }
    if (mutant->mutation == LOADS_NO_LAST_SEQ)
        image->last_seq = 0;
    if (mutant->mutation == LOADS_A_START)
        image->created_ns++;
    if (mutant->mutation == LOADS_ONE_STATE)
        image->state = SHARD_RUN_ACTIVE;
    for (int32_t i = 0; mutant->mutation == LOADS_NO_HOSTS && i < image->host_count; i++)
        if (image->hosts[i] != NULL)
            image->hosts[i][0] = '?';
}

static int mutant_load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags)
{
    struct mutant *mutant = self;
    char buffer[SHARD_MAX_NAME_BYTES + 1];
    int status =
        ask(mutant, mutant->real.port->load(mutant->real.self, mutant->sink, 1, name_for(mutant, run, buffer), flags));
    if (mutant->answer.image != NULL) {
        mutate_image(mutant, mutant->answer.image);
        if (mutant->mutation == SHARES_IMAGES)
            mutant->shared = mutant->answer.image;
    }
    return tell(mutant, sink, token, status);
}

struct listing {
    struct shard_run_summary runs[8];
    char *texts[8][3];
    int count;
    int (*each)(void *each_self, const struct shard_run_summary *run);
    void *each_self;
};

static int collect(void *self, const struct shard_run_summary *run)
{
    struct listing *listing = self;
    struct shard_run_summary *kept = &listing->runs[listing->count++];
    *kept = *run;
    /* What a summary points to lives during the call. */
    char **texts = listing->texts[listing->count - 1];
    kept->name = texts[0] = strdup(run->name);
    kept->workflow_name = texts[1] = strdup(run->workflow_name);
    kept->owner = texts[2] = strdup(run->owner);
    return listing->count == 8;
}

static int on_and_on(void *self, const struct shard_run_summary *run)
{
    struct listing *listing = self;
    listing->each(listing->each_self, run);
    return 0;
}

static int mutant_list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    struct mutant *mutant = self;
    struct listing listing = {.each = each, .each_self = each_self};
    if (mutant->mutation == LISTS_ON_AND_ON)
        return mutant->real.port->list(mutant->real.self, on_and_on, &listing);
    if (mutant->mutation != LISTS_OLDEST_FIRST)
        return mutant->real.port->list(mutant->real.self, each, each_self);
    int status = mutant->real.port->list(mutant->real.self, collect, &listing);
    int stopped = 0;
    while (listing.count-- > 0) {
        stopped = stopped || each(each_self, &listing.runs[listing.count]) != 0;
        for (int i = 0; i < 3; i++)
            free(listing.texts[listing.count][i]);
    }
    return status;
}

static int mutant_put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                              int32_t count)
{
    static const struct shard_sample_tag tag = {"a", 7, 1};
    static struct shard_host_sample copies[1000];
    struct mutant *mutant = self;
    for (int32_t i = 0; samples != NULL && i < count; i++) {
        copies[i] = samples[i];
        if (mutant->mutation == DROPS_TAGS)
            copies[i].tag_count = 0;
        if (mutant->mutation == TAGS_ALL_SAMPLES && samples[i].tag_count > 0)
            copies[i].tags = &tag, copies[i].tag_count = 1;
        if (mutant->mutation == ROUNDS_TIMES)
            copies[i].sample.time_ns = samples[i].sample.time_ns / 1000000 * 1000000;
    }
    int status = ask(mutant, mutant->real.port->put_samples(mutant->real.self, mutant->sink, 1,
                                                            samples == NULL ? NULL : copies, count));
    return tell(mutant, sink, token, status);
}

static int mutant_put_outcomes(void *self, shard_sink *sink, shard_token token,
                               const struct shard_outcome_row *outcomes, int32_t count)
{
    static struct shard_outcome_row copies[1000];
    struct mutant *mutant = self;
    for (int32_t i = 0; i < count; i++) {
        copies[i] = outcomes[i];
        if (mutant->mutation == COUNTS_CENSORED && outcomes[i].outcome == SHARD_OUTCOME_CANCELLED)
            copies[i].outcome = SHARD_OUTCOME_TASK_ERROR;
    }
    int status = ask(mutant, mutant->real.port->put_outcomes(mutant->real.self, mutant->sink, 1, copies, count));
    return tell(mutant, sink, token, status);
}

static int mutant_each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                               void *each_self)
{
    const struct mutant *mutant = self;
    return mutant->real.port->each_outcome(mutant->real.self, each, each_self);
}

static int mutant_series(void *self, const struct shard_series_query *query,
                         int (*each)(void *each_self, const struct shard_series_bucket *bucket), void *each_self)
{
    const struct mutant *mutant = self;
    struct shard_series_query copy = *query;
    if (mutant->mutation == IGNORES_BUCKETS)
        copy.every_ns = 0;
    int status = mutant->real.port->series(mutant->real.self, &copy, each, each_self);
    return mutant->mutation == TAKES_BAD_QUERIES && status == SHARD_EINVAL ? 0 : status;
}

static void mutant_close(void *self)
{
    struct mutant *mutant = self;
    mutant->real.port->close(mutant->real.self);
    shard_sink_free(mutant->sink);
    free(mutant);
}

int store_mutant_open(const struct store_subject *subject, shard_context *context, enum store_mutation mutation,
                      struct shard_store_handle *ret_store)
{
    static const struct shard_store port = {.struct_size = sizeof(port),
                                            .name = "mutant",
                                            .create = mutant_create,
                                            .acquire = mutant_acquire,
                                            .renew = mutant_renew,
                                            .release = mutant_release,
                                            .commit = mutant_commit,
                                            .load = mutant_load,
                                            .list = mutant_list,
                                            .close = mutant_close,
                                            .put_samples = mutant_put_samples,
                                            .put_outcomes = mutant_put_outcomes,
                                            .each_outcome = mutant_each_outcome,
                                            .series = mutant_series};
    struct shard_memory_store_config config = {
        .struct_size = sizeof(config), .keep_records = 1000000, .keep_samples = 100000};
    if (subject->keep_records > 0 && mutation != KEEPS_EVERYTHING)
        config.keep_records = subject->keep_records;
    if (subject->keep_samples > 0 && mutation != KEEPS_EVERYTHING) {
        config.keep_samples = config.keep_outcomes = subject->keep_samples;
        config.keep_seconds = config.keep_outcome_seconds = subject->keep_seconds;
    }
    struct mutant *mutant = calloc(1, sizeof(*mutant));
    mutant->mutation = mutation;
    if (shard_sink_new(context, &mutant->sink) < 0 || shard_memory_store_open(context, &config, &mutant->real) < 0) {
        shard_sink_free(mutant->sink);
        free(mutant);
        return SHARD_ENOMEM;
    }
    *ret_store = (struct shard_store_handle){.port = &port, .self = mutant};
    return 0;
}
