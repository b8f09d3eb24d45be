/* SPDX-License-Identifier: Apache-2.0 */
/* The optional thread pool of context.h: the only threads that libshard ever makes. */

#include <pthread.h>
#include <stdlib.h>

#include <shard/context.h>

#include "error.h"

struct job {
    struct job *next;
    void (*work)(void *arg);
    void *arg;
};

struct shard_workers {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct job *first, **end;
    int stopping;
    int count;
    pthread_t threads[];
};

static void *worker_main(void *arg)
{
    struct shard_workers *workers = arg;
    pthread_mutex_lock(&workers->mutex);
    for (;;) {
        struct job *job = workers->first;
        if (job == NULL) {
            if (workers->stopping)
                break;
            pthread_cond_wait(&workers->wake, &workers->mutex);
            continue;
        }
        workers->first = job->next;
        if (workers->first == NULL)
            workers->end = &workers->first;
        pthread_mutex_unlock(&workers->mutex);
        job->work(job->arg);
        free(job);
        pthread_mutex_lock(&workers->mutex);
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

int shard_workers_new(int count, shard_workers **ret_workers)
{
    shard__clear_error();
    if (count < 1 || count > 256)
        return shard__fail(SHARD_EINVAL, "workers: count is %d, expected 1 to 256", count);
    /* Made before any context, so its few allocations are malloc's. */
    shard_workers *workers = calloc(1, sizeof(*workers) + (size_t)count * sizeof(workers->threads[0]));
    if (workers == NULL)
        return shard__fail(SHARD_ENOMEM, "no memory for %d workers", count);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->wake, NULL);
    workers->end = &workers->first;
    for (; workers->count < count; workers->count++) {
        int error = pthread_create(&workers->threads[workers->count], NULL, worker_main, workers);
        if (error != 0) {
            shard_workers_free(workers);
            return shard__fail_errno(SHARD_EIO, error, "cannot make a worker thread");
        }
    }
    *ret_workers = workers;
    return 0;
}

int shard_workers_offload(void *self, void (*work)(void *arg), void *arg)
{
    struct shard_workers *workers = self;
    struct job *job = malloc(sizeof(*job));
    if (job == NULL)
        return shard__fail(SHARD_ENOMEM, "no memory for a job");
    *job = (struct job){.work = work, .arg = arg};
    pthread_mutex_lock(&workers->mutex);
    *workers->end = job;
    workers->end = &job->next;
    pthread_cond_signal(&workers->wake);
    pthread_mutex_unlock(&workers->mutex);
    return 0;
}

void shard_workers_free(shard_workers *workers)
{
    if (workers == NULL)
        return;
    pthread_mutex_lock(&workers->mutex);
    workers->stopping = 1;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_mutex_destroy(&workers->mutex);
    pthread_cond_destroy(&workers->wake);
    free(workers);
}
