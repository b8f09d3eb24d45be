/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strand: jobs are queued by callers and done one after the other in whatever thread the offload hook gives, one at
 * a time. All commits that wait when it gets to them share one transaction, and so one fsync; each has a savepoint, so
 * that one which does not match refuses only itself. Samples come last and never make a commit wait for long.
 */

#include "sqlite.h"

#include <stdio.h>
#include <time.h>

#include "base/context.h"
#include "base/error.h"

void shard__sqlite_free_job(struct shard__sqlite_store *store, struct shard__job *job)
{
    shard_workflow_unref(job->workflow);
    shard__release(store->context, job, job->size);
}

static void keep_message(struct shard__job *job, int status)
{
    job->status = status;
    if (status < 0)
        snprintf(job->message, sizeof(job->message), "%.*s", (int)sizeof(job->message) - 1, shard__error_message());
}

/* Gives the answer. Without memory for it the strand waits: an answer that is lost would hang its caller. */
static void answer(struct shard__sqlite_store *store, struct shard__job *job)
{
    enum { TRIES = 10000 };
    const struct timespec pause = {.tv_nsec = 1000000};
    int status = SHARD_ENOMEM;
    for (int i = 0; status < 0 && i < TRIES; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        status = shard_sink_store_answered(job->sink, job->token, job->status, job->epoch, job->image,
                                           job->status < 0 ? job->message : NULL);
    }
    if (status < 0) {
        shard__log(store->context, SHARD_LOG_ERROR, "answer-lost", "store '%s': no memory for an answer", store->path);
        if (job->image != NULL)
            job->image->release(job->image);
    }
    shard__sqlite_free_job(store, job);
}

/* Whether an error is of one commit, so that the others of its transaction may stand. */
static int is_own_error(int status)
{
    return status == SHARD_ECONFLICT || status == SHARD_EFENCED || status == SHARD_ENOENT || status == SHARD_ELIMIT;
}

static int write_with_savepoint(struct shard__sqlite_store *store, struct shard__job *job)
{
    int status = shard__sqlite_simple(store, SHARD__SQL_SAVEPOINT, "cannot begin to write");
    if (status < 0)
        return status;
    int written = shard__sqlite_write_commit(store, job);
    keep_message(job, written);
    if (written < 0 && !is_own_error(written))
        return written;
    if (written < 0)
        status = shard__sqlite_simple(store, SHARD__SQL_ROLLBACK_TO, "cannot roll back");
    return status < 0 ? status : shard__sqlite_simple(store, SHARD__SQL_RELEASE, "cannot write");
}

/* Writes the commits from `first` to before `end` in one transaction; their statuses are set. */
static void commit_group(struct shard__sqlite_store *store, struct shard__job *first, const struct shard__job *end)
{
    int is_alone = first->next == end;
    int status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    for (struct shard__job *job = first; status == 0 && job != end; job = job->next) {
        if (!is_alone)
            status = write_with_savepoint(store, job);
        else
            status = shard__sqlite_write_commit(store, job);
    }
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    if (status < 0) {
        /* Nothing of the transaction is there, so also what had gone well has not. */
        for (struct shard__job *job = first; job != end; job = job->next)
            keep_message(job, status);
    }
    shard__sqlite_rollback(store);
}

static int do_job(struct shard__sqlite_store *store, struct shard__job *job)
{
    switch (job->kind) {
    case SHARD__JOB_CREATE:
        return shard__sqlite_create(store, job);
    case SHARD__JOB_ACQUIRE:
        return shard__sqlite_acquire(store, job);
    case SHARD__JOB_RENEW:
        return shard__sqlite_renew(store, job);
    case SHARD__JOB_RELEASE:
        return shard__sqlite_release(store, job);
    case SHARD__JOB_LOAD:
        return shard__sqlite_load(store, job);
    case SHARD__JOB_COMMIT:
    case SHARD__JOB_SAMPLES:
        break;
    }
    return SHARD_EINVAL;
}

/* Does a list of jobs and answers them. */
static void do_jobs(struct shard__sqlite_store *store, struct shard__job *jobs)
{
    struct shard__job *first = jobs;
    while (first != NULL) {
        struct shard__job *end = first->next;
        pthread_mutex_lock(&store->db_mutex);
        if (first->kind == SHARD__JOB_COMMIT) {
            while (end != NULL && end->kind == SHARD__JOB_COMMIT)
                end = end->next;
            commit_group(store, first, end);
        } else {
            keep_message(first, do_job(store, first));
        }
        pthread_mutex_unlock(&store->db_mutex);
        while (first != end) {
            struct shard__job *next = first->next;
            answer(store, first);
            first = next;
        }
    }
}

static void do_samples(struct shard__sqlite_store *store, struct shard__job *jobs)
{
    pthread_mutex_lock(&store->db_mutex);
    int status = shard__sqlite_put_samples(store, jobs);
    pthread_mutex_unlock(&store->db_mutex);
    while (jobs != NULL) {
        struct shard__job *next = jobs->next;
        keep_message(jobs, status);
        answer(store, jobs);
        jobs = next;
    }
}

static void run_strand(void *arg)
{
    struct shard__sqlite_store *store = arg;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        struct shard__job *jobs = store->first;
        struct shard__job *samples = jobs == NULL ? store->first_samples : NULL;
        if (jobs == NULL && samples == NULL)
            break;
        if (jobs != NULL) {
            store->first = NULL;
            store->end = &store->first;
        } else {
            store->first_samples = NULL;
            store->end_samples = &store->first_samples;
            store->samples_waiting = 0;
        }
        pthread_mutex_unlock(&store->mutex);
        if (jobs != NULL)
            do_jobs(store, jobs);
        else
            do_samples(store, samples);
        pthread_mutex_lock(&store->mutex);
    }
    store->is_scheduled = 0;
    pthread_cond_broadcast(&store->is_idle);
    pthread_mutex_unlock(&store->mutex);
}

/* The hook did not take the strand: whatever else has been queued since gets that for an answer. */
static void fail_queued(struct shard__sqlite_store *store, const struct shard__job *own, int status)
{
    pthread_mutex_lock(&store->mutex);
    struct shard__job *lists[] = {store->first, store->first_samples};
    store->first = NULL;
    store->end = &store->first;
    store->first_samples = NULL;
    store->end_samples = &store->first_samples;
    store->samples_waiting = 0;
    store->is_scheduled = 0;
    pthread_cond_broadcast(&store->is_idle);
    pthread_mutex_unlock(&store->mutex);
    for (int i = 0; i < 2; i++) {
        while (lists[i] != NULL) {
            struct shard__job *job = lists[i];
            lists[i] = job->next;
            if (job == own) {
                shard__sqlite_free_job(store, job);
                continue;
            }
            keep_message(job, status);
            answer(store, job);
        }
    }
}

int shard__sqlite_submit(struct shard__sqlite_store *store, struct shard__job *job)
{
    pthread_mutex_lock(&store->mutex);
    if (job->kind == SHARD__JOB_SAMPLES) {
        *store->end_samples = job;
        store->end_samples = &job->next;
        store->samples_waiting += job->count;
    } else {
        *store->end = job;
        store->end = &job->next;
    }
    int must_schedule = !store->is_scheduled;
    store->is_scheduled = 1;
    pthread_mutex_unlock(&store->mutex);
    if (!must_schedule)
        return 0;
    int status = shard__offload(store->context, run_strand, store);
    if (status < 0) {
        shard__fail(status, "store '%s': the offload hook refused a job (%d)", store->path, status);
        fail_queued(store, job, status);
        return shard__fail(status, "store '%s': the offload hook refused a job (%d)", store->path, status);
    }
    return 0;
}

void shard__sqlite_wait_idle(struct shard__sqlite_store *store)
{
    pthread_mutex_lock(&store->mutex);
    while (store->is_scheduled)
        pthread_cond_wait(&store->is_idle, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
}
