/* SPDX-License-Identifier: Apache-2.0 */
/* The background: one job at a time in whatever thread the offload hook gives, started by step when something is due.
 */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"

#include "git.h"

#define SECOND INT64_C(1000000000)

enum { LONGEST_BACK_OFF_SECONDS = 60 };

int shard__git_open_descriptors(shard_catalog *catalog)
{
    catalog->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    catalog->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    catalog->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (catalog->epoll_fd < 0 || catalog->timer_fd < 0 || catalog->wake_fd < 0)
        return shard__fail_errno(SHARD_EIO, errno, "catalog '%s': no descriptors to be had", catalog->path);
    const int watched[] = {catalog->timer_fd, catalog->wake_fd};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
        if (epoll_ctl(catalog->epoll_fd, EPOLL_CTL_ADD, watched[i], &event) < 0)
            return shard__fail_errno(SHARD_EIO, errno, "catalog '%s': cannot watch its descriptors", catalog->path);
    }
    shard__git_wake(catalog);
    return 0;
}

void shard__git_wake(shard_catalog *catalog)
{
    const uint64_t one = 1;
    while (write(catalog->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

/* Makes the descriptor readable at a time, while a job is under way to see after it; with the queue's mutex held. */
static void arm(const shard_catalog *catalog, int64_t now_ns)
{
    struct itimerspec when = {{0}};
    int64_t next_ns =
        catalog->is_scheduled ? now_ns + (int64_t)catalog->timeout_ms * 500000 + 1 : catalog->next_sync_ns;
    if (next_ns != INT64_MAX) {
        int64_t after_ns = next_ns > now_ns ? next_ns - now_ns : 1;
        when.it_value.tv_sec = (time_t)(after_ns / SECOND);
        when.it_value.tv_nsec = (long)(after_ns % SECOND);
    }
    timerfd_settime(catalog->timer_fd, 0, &when, NULL);
}

/* Says it when the remote goes and when it is back, and sets the time of the next look. */
static void note_sync(shard_catalog *catalog, int status)
{
    if (status < 0 && !catalog->remote_is_gone)
        shard__log(catalog->context, SHARD_LOG_WARNING, "catalog-remote", "%s; trying again", shard__error_message());
    if (status == 0 && catalog->remote_is_gone)
        shard__log(catalog->context, SHARD_LOG_INFO, "catalog-remote", "catalog '%s': '%s' is back", catalog->path,
                   catalog->url);
    catalog->remote_is_gone = status < 0;
    pthread_mutex_lock(&catalog->queue_mutex);
    if (status == 0)
        catalog->back_off_ns = 0;
    else if (catalog->back_off_ns == 0)
        catalog->back_off_ns = SECOND;
    else
        catalog->back_off_ns = catalog->back_off_ns < LONGEST_BACK_OFF_SECONDS * SECOND / 2
                                   ? 2 * catalog->back_off_ns
                                   : LONGEST_BACK_OFF_SECONDS * SECOND;
    catalog->next_sync_ns =
        shard__later_ns(shard__now_ns(catalog->context), status == 0 ? catalog->sync_ns : catalog->back_off_ns);
    pthread_mutex_unlock(&catalog->queue_mutex);
}

int shard__git_sync_and_tell(shard_catalog *catalog)
{
    int status = catalog->url == NULL ? 0 : shard__git_sync(catalog);
    if (status == 0)
        status = shard__git_find_changes(catalog);
    if (catalog->url != NULL)
        note_sync(catalog, status);
    return status;
}

void shard__git_sync_soon(shard_catalog *catalog)
{
    pthread_mutex_lock(&catalog->queue_mutex);
    if (catalog->url != NULL && catalog->back_off_ns == 0)
        catalog->next_sync_ns = shard__now_ns(catalog->context);
    pthread_mutex_unlock(&catalog->queue_mutex);
    shard__git_wake(catalog);
}

static void work(void *arg)
{
    shard_catalog *catalog = arg;
    int committed = 0;
    pthread_mutex_lock(&catalog->mutex);
    int status = shard__git_commit_notes(catalog, &committed);
    if (status < 0)
        shard__log(catalog->context, SHARD_LOG_WARNING, "catalog-notes", "%s; decisions wait", shard__error_message());
    pthread_mutex_lock(&catalog->queue_mutex);
    int64_t now_ns = shard__now_ns(catalog->context);
    /* What was committed goes to the remote now, unless that has just failed. */
    int is_due = catalog->next_sync_ns != INT64_MAX &&
                 (catalog->next_sync_ns <= now_ns || (committed && catalog->back_off_ns == 0));
    pthread_mutex_unlock(&catalog->queue_mutex);
    if (is_due || catalog->url == NULL)
        shard__git_call(catalog, shard__git_sync_and_tell);
    pthread_mutex_unlock(&catalog->mutex);
    pthread_mutex_lock(&catalog->queue_mutex);
    catalog->is_scheduled = 0;
    if (!catalog->is_closing) {
        arm(catalog, shard__now_ns(catalog->context));
        if (catalog->notes != NULL && status == 0)
            shard__git_wake(catalog);
        if (catalog->changes != NULL)
            shard__git_wake(catalog);
    }
    pthread_cond_broadcast(&catalog->is_idle);
    pthread_mutex_unlock(&catalog->queue_mutex);
}

int shard_catalog_fd(const shard_catalog *catalog)
{
    return catalog->epoll_fd;
}

int shard_catalog_step(shard_catalog *catalog)
{
    shard__clear_error();
    drain(catalog->wake_fd);
    pthread_mutex_lock(&catalog->queue_mutex);
    int64_t now_ns = shard__now_ns(catalog->context);
    int is_due = !catalog->is_scheduled && (catalog->notes != NULL || catalog->next_sync_ns <= now_ns);
    if (is_due)
        catalog->is_scheduled = 1;
    else if (catalog->is_scheduled)
        shard__git_cut_if_silent(catalog);
    arm(catalog, now_ns);
    pthread_mutex_unlock(&catalog->queue_mutex);
    if (!is_due)
        return 0;
    int status = shard__offload(catalog->context, work, catalog);
    if (status < 0) {
        pthread_mutex_lock(&catalog->queue_mutex);
        catalog->is_scheduled = 0;
        catalog->next_sync_ns = catalog->url == NULL ? INT64_MAX : shard__later_ns(now_ns, SECOND);
        arm(catalog, now_ns);
        pthread_mutex_unlock(&catalog->queue_mutex);
        return shard__fail(status, "catalog '%s': the offload hook refused a job (%d)", catalog->path, status);
    }
    return 0;
}

void shard__git_close_worker(shard_catalog *catalog)
{
    int committed = 0;
    pthread_mutex_lock(&catalog->queue_mutex);
    catalog->is_closing = 1;
    shard__git_wait_idle(catalog, &catalog->is_scheduled);
    pthread_mutex_unlock(&catalog->queue_mutex);
    if (catalog->repository != NULL && shard__git_commit_notes(catalog, &committed) < 0)
        shard__log(catalog->context, SHARD_LOG_ERROR, "catalog-notes", "%s; %lld decisions are lost",
                   shard__error_message(), (long long)catalog->note_count);
    shard__git_free_notes(catalog, catalog->notes);
    shard__git_free_changes(catalog, catalog->told);
    shard__git_free_changes(catalog, catalog->changes);
    const int descriptors[] = {catalog->epoll_fd, catalog->timer_fd, catalog->wake_fd};
    for (int i = 0; i < 3; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    }
    pthread_cond_destroy(&catalog->is_idle);
    pthread_mutex_destroy(&catalog->queue_mutex);
}
