/* SPDX-License-Identifier: Apache-2.0 */
/* The port's functions: check the arguments, copy them into a job, queue it. Nothing here touches the file. */

#include "sqlite.h"

#include <string.h>
#include <unistd.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"
#include "base/name.h"

/* Samples that may wait for the strand; beyond, they are dropped. */
enum { MAX_SAMPLES_WAITING = 65536 };

/* Puts what a job points to behind it. */
struct packer {
    char *at;
};

static size_t room_for(size_t bytes)
{
    return (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static void *pack(struct packer *packer, const void *bytes, size_t size)
{
    char *place = packer->at;
    if (size > 0)
        memcpy(place, bytes, size);
    packer->at += room_for(size);
    return place;
}

/* The same for text of a known length, with a NUL. */
static char *pack_text(struct packer *packer, const char *text, size_t bytes)
{
    char *place = packer->at;
    memcpy(place, text, bytes);
    place[bytes] = '\0';
    packer->at += room_for(bytes + 1);
    return place;
}

static int check_handle(const struct shard__sqlite_store *store, int must_write)
{
    shard__clear_error();
    if (store->pid != getpid())
        return shard__fail(SHARD_ESTATE, "store '%s': was opened by process %d, and does not survive a fork",
                           store->path, (int)store->pid);
    if (must_write && store->is_read_only)
        return shard__fail(SHARD_ENOTSUP, "store '%s': was opened read only", store->path);
    return 0;
}

/* A job with room for `more` bytes behind it. NULL: SHARD_ENOMEM. */
static struct shard__job *new_job(struct shard__sqlite_store *store, enum shard__job_kind kind, shard_sink *sink,
                                  shard_token token, const char *run, size_t more, struct packer *ret_packer)
{
    size_t run_bytes = strlen(run);
    size_t size = room_for(sizeof(struct shard__job)) + room_for(run_bytes + 1) + more;
    struct shard__job *job = shard__realloc(store->context, NULL, 0, size);
    if (job == NULL)
        return NULL;
    *job = (struct shard__job){.size = size, .kind = kind, .sink = sink, .token = token};
    ret_packer->at = (char *)job + room_for(sizeof(*job));
    job->run = pack_text(ret_packer, run, run_bytes);
    return job;
}

static int create_run(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *theirs)
{
    struct shard__sqlite_store *store = self;
    struct shard_store_create create;
    struct packer packer;
    int status = check_handle(store, 1);
    if (status == 0)
        status = shard__check_create(theirs, &create);
    if (status < 0)
        return status;
    struct shard__job *job = new_job(store, SHARD__JOB_CREATE, sink, token, create.run, 0, &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    union {
        const shard_workflow *shown;
        shard_workflow *counted;
    } workflow = {create.workflow};
    job->workflow = shard_workflow_ref(workflow.counted);
    job->time_ns = create.time_ns;
    return shard__sqlite_submit(store, job);
}

static int acquire(void *self, shard_sink *sink, shard_token token, const char *run, const char *owner,
                   int64_t lease_ms)
{
    struct shard__sqlite_store *store = self;
    struct packer packer;
    int status = check_handle(store, 1);
    if (status == 0)
        status = shard__check_lease(run, owner, lease_ms);
    if (status < 0)
        return status;
    size_t owner_bytes = strlen(owner);
    struct shard__job *job = new_job(store, SHARD__JOB_ACQUIRE, sink, token, run, room_for(owner_bytes + 1), &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    job->owner = pack_text(&packer, owner, owner_bytes);
    job->lease_ms = lease_ms;
    return shard__sqlite_submit(store, job);
}

/* Calls that name a run and a few numbers. */
static int submit_simple(struct shard__sqlite_store *store, const struct shard__job *plan)
{
    struct packer packer;
    struct shard__job *job = new_job(store, plan->kind, plan->sink, plan->token, plan->run, 0, &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    job->epoch = plan->epoch;
    job->lease_ms = plan->lease_ms;
    job->flags = plan->flags;
    return shard__sqlite_submit(store, job);
}

static int renew(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch, int64_t lease_ms)
{
    int status = check_handle(self, 1);
    if (status == 0)
        status = shard__check_lease(run, "owner", lease_ms);
    if (status < 0)
        return status;
    return submit_simple(
        self,
        &(struct shard__job){
            .kind = SHARD__JOB_RENEW, .sink = sink, .token = token, .run = run, .epoch = epoch, .lease_ms = lease_ms});
}

static int release(void *self, shard_sink *sink, shard_token token, const char *run, int64_t epoch)
{
    int status = check_handle(self, 1);
    if (status == 0)
        status = shard__check_name(run, "run");
    if (status < 0)
        return status;
    return submit_simple(
        self,
        &(struct shard__job){.kind = SHARD__JOB_RELEASE, .sink = sink, .token = token, .run = run, .epoch = epoch});
}

static int load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags)
{
    int status = check_handle(self, 0);
    if (status == 0)
        status = shard__check_name(run, "run");
    if (status < 0)
        return status;
    return submit_simple(
        self, &(struct shard__job){
                  .kind = SHARD__JOB_LOAD, .sink = sink, .token = token, .run = run, .flags = (int32_t)flags});
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *theirs)
{
    struct shard__sqlite_store *store = self;
    struct shard_commit ours;
    struct packer packer;
    int status = check_handle(store, 1);
    if (status == 0)
        status = shard__check_commit(theirs, &ours);
    if (status < 0)
        return status;
    size_t records_size = (size_t)ours.record_count * sizeof(*ours.records);
    size_t more = room_for(records_size);
    for (int32_t i = 0; i < ours.record_count; i++)
        if (ours.records[i].detail != NULL)
            more += room_for((size_t)ours.records[i].detail_bytes + 1);
    struct shard__job *job = new_job(store, SHARD__JOB_COMMIT, sink, token, ours.run, more, &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    job->epoch = ours.epoch;
    job->operation = ours.operation;
    job->count = ours.record_count;
    job->records = pack(&packer, ours.records, records_size);
    for (int32_t i = 0; i < ours.record_count; i++)
        if (ours.records[i].detail != NULL)
            job->records[i].detail = pack_text(&packer, ours.records[i].detail, (size_t)ours.records[i].detail_bytes);
    return shard__sqlite_submit(store, job);
}

static size_t room_for_samples(const struct shard_host_sample *samples, int32_t count)
{
    size_t bytes = room_for((size_t)count * sizeof(*samples));
    for (int32_t i = 0; i < count; i++) {
        bytes +=
            room_for(strlen(samples[i].host) + 1) + room_for((size_t)samples[i].tag_count * sizeof(*samples->tags));
        for (int32_t tag = 0; tag < samples[i].tag_count; tag++)
            bytes += room_for(strlen(samples[i].tags[tag].run) + 1);
    }
    return bytes;
}

static void pack_sample(struct packer *packer, struct shard_host_sample *sample)
{
    sample->host = pack_text(packer, sample->host, strlen(sample->host));
    struct shard_sample_tag *tags = pack(packer, sample->tags, (size_t)sample->tag_count * sizeof(*tags));
    for (int32_t tag = 0; tag < sample->tag_count; tag++)
        tags[tag].run = pack_text(packer, tags[tag].run, strlen(tags[tag].run));
    sample->tags = tags;
}

static int put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                       int32_t count)
{
    struct shard__sqlite_store *store = self;
    struct packer packer;
    int status = check_handle(store, 1);
    if (status == 0)
        status = shard__check_samples(samples, count);
    if (status < 0)
        return status;
    pthread_mutex_lock(&store->mutex);
    int is_behind = store->samples_waiting + count > MAX_SAMPLES_WAITING;
    pthread_mutex_unlock(&store->mutex);
    if (is_behind) {
        shard__log(store->context, SHARD_LOG_WARNING, "samples-dropped", "store '%s': %d samples were dropped",
                   store->path, count);
        return shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
    }
    struct shard__job *job =
        new_job(store, SHARD__JOB_SAMPLES, sink, token, "", room_for_samples(samples, count), &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    job->count = count;
    job->samples = pack(&packer, samples, (size_t)count * sizeof(*samples));
    for (int32_t i = 0; i < count; i++)
        pack_sample(&packer, &job->samples[i]);
    return shard__sqlite_submit(store, job);
}

static size_t room_for_outcome(const struct shard_outcome_row *outcome)
{
    return room_for((size_t)outcome->columns * sizeof(float)) + room_for(strlen(outcome->run) + 1) +
           room_for(strlen(outcome->host) + 1) + room_for(strlen(outcome->kind) + 1);
}

/* They go the way of samples: behind every commit. */
static int put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                        int32_t count)
{
    struct shard__sqlite_store *store = self;
    struct packer packer;
    int status = check_handle(store, 1);
    if (status == 0)
        status = shard__check_outcomes(outcomes, count);
    if (status < 0)
        return status;
    size_t more = room_for((size_t)count * sizeof(*outcomes));
    for (int32_t i = 0; i < count; i++)
        more += room_for_outcome(&outcomes[i]);
    struct shard__job *job = new_job(store, SHARD__JOB_SAMPLES, sink, token, "", more, &packer);
    if (job == NULL)
        return SHARD_ENOMEM;
    job->count = count;
    job->outcomes = pack(&packer, outcomes, (size_t)count * sizeof(*outcomes));
    for (int32_t i = 0; i < count; i++) {
        struct shard_outcome_row *own = &job->outcomes[i];
        own->run = pack_text(&packer, own->run, strlen(own->run));
        own->host = pack_text(&packer, own->host, strlen(own->host));
        own->kind = pack_text(&packer, own->kind, strlen(own->kind));
        own->values = pack(&packer, own->values, (size_t)own->columns * sizeof(float));
    }
    return shard__sqlite_submit(store, job);
}

const struct shard_store shard__sqlite_port = {.struct_size = sizeof(shard__sqlite_port),
                                               .name = "sqlite",
                                               .create = create_run,
                                               .acquire = acquire,
                                               .renew = renew,
                                               .release = release,
                                               .commit = commit,
                                               .load = load,
                                               .put_samples = put_samples,
                                               .list = shard__sqlite_list,
                                               .close = shard__sqlite_close,
                                               .put_outcomes = put_outcomes,
                                               .each_outcome = shard__sqlite_each_outcome,
                                               .series = shard__sqlite_series,
                                               .compact = shard__sqlite_compact};
