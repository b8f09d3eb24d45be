/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases. The row of a run says who holds it and until when; besides, the holder keeps one byte of the file
 * "<store>-lease" locked while it lives, so that the lease of a process that died is free at once, while that of one
 * that is merely stopped lasts its time. The byte's place names run and epoch: whoever takes over locks another one.
 *
 * Locks are those of open file descriptions (F_OFD_SETLK): they tell two handles of one process apart, and are not lost
 * when something else in the process closes the file. A child that was forked without exec shares them.
 *
 * Time is the context's monotonic clock, with the boot that it belongs to; the wall clock, which may jump, counts only
 * when the machine was started anew meanwhile, and is not believed when it leaves more than the whole lease.
 */

#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"

static void read_boot_id(char *ret_id, size_t capacity)
{
    ret_id[0] = '\0';
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t bytes = read(fd, ret_id, capacity - 1);
    close(fd);
    ret_id[bytes > 0 ? bytes : 0] = '\0';
    ret_id[strcspn(ret_id, "\n")] = '\0';
}

int shard__sqlite_open_leases(struct shard__sqlite_store *store)
{
    read_boot_id(store->boot_id, sizeof(store->boot_id));
    size_t size = strlen(store->real_path) + sizeof("-lease");
    char *path = shard__realloc(store->context, NULL, 0, size);
    if (path == NULL)
        return SHARD_ENOMEM;
    snprintf(path, size, "%s-lease", store->real_path);
    store->lease_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    int error = errno;
    shard__release(store->context, path, size);
    if (store->lease_fd < 0)
        return shard__fail_errno(error == ENOSPC || error == EDQUOT ? SHARD_ENOSPC : SHARD_EIO, error,
                                 "store '%s': cannot open its lease file '%s-lease'", store->path, store->path);
    return 0;
}

void shard__sqlite_close_leases(struct shard__sqlite_store *store)
{
    if (store->lease_fd >= 0)
        close(store->lease_fd);
    store->lease_fd = -1;
    shard__release(store->context, store->held, store->held_capacity * sizeof(*store->held));
}

static struct flock byte_of(int64_t run, int64_t epoch, short type)
{
    return (struct flock){.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)((uint64_t)(run & 0x3fffffff) << 32 | (uint64_t)(epoch & 0xffffffff)),
                          .l_len = 1};
}

/* 1 when the byte is locked now; 0 where the file system knows no such locks. */
static int lock(const struct shard__sqlite_store *store, int64_t run, int64_t epoch)
{
    struct flock flock = byte_of(run, epoch, F_WRLCK);
    return fcntl(store->lease_fd, F_OFD_SETLK, &flock) == 0;
}

/* Whether another handle has the byte locked; also when that cannot be found out. */
static int is_locked_by_another(const struct shard__sqlite_store *store, int64_t run, int64_t epoch)
{
    struct flock flock = byte_of(run, epoch, F_WRLCK);
    return fcntl(store->lease_fd, F_OFD_GETLK, &flock) != 0 || flock.l_type != F_UNLCK;
}

static int is_ours(const struct shard__sqlite_store *store, int64_t run, int64_t epoch)
{
    for (size_t i = 0; i < store->held_count; i++)
        if (store->held[i].run == run && store->held[i].epoch == epoch)
            return 1;
    return 0;
}

static void unlock(struct shard__sqlite_store *store, int64_t run, int64_t epoch)
{
    for (size_t i = 0; i < store->held_count; i++) {
        if (store->held[i].run != run || store->held[i].epoch != epoch)
            continue;
        struct flock flock = byte_of(run, epoch, F_UNLCK);
        fcntl(store->lease_fd, F_OFD_SETLK, &flock);
        store->held[i] = store->held[--store->held_count];
        return;
    }
}

/* How long the lease lasts by its time. */
static int64_t time_left_ns(const struct shard__sqlite_store *store, const struct shard__run_row *row)
{
    int64_t whole_ns = row->lease_ms * 1000000;
    int64_t left_ns = row->lease_ends_ns - shard__now_ns(store->context);
    if (strcmp(row->boot_id, store->boot_id) != 0 || left_ns > whole_ns)
        left_ns = row->lease_ends_wall_ns - shard__wall_ns(store->context);
    return left_ns > whole_ns ? 0 : left_ns;
}

/* How long someone other than `owner` must be left in peace; 0 or less: not at all. */
static int64_t remaining_ns(const struct shard__sqlite_store *store, const struct shard__run_row *row,
                            const char *owner)
{
    if (!row->is_held)
        return 0;
    if (is_ours(store, row->id, row->epoch))
        return strcmp(row->owner, owner) == 0 ? 0 : time_left_ns(store, row);
    if (row->is_locked && !is_locked_by_another(store, row->id, row->epoch))
        return 0;
    return time_left_ns(store, row);
}

struct lease {
    int64_t run;
    int64_t epoch;
    const char *owner; /* NULL: as before */
    int64_t lease_ms;
    int is_held;
    int is_locked;
};

static int write_lease(struct shard__sqlite_store *store, const struct lease *lease)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_SET_LEASE, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, lease->run);
    sqlite3_bind_int64(statement, 2, lease->epoch);
    sqlite3_bind_text(statement, 3, lease->owner, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, lease->is_held);
    sqlite3_bind_int(statement, 5, lease->is_locked);
    sqlite3_bind_int64(statement, 6, lease->lease_ms);
    sqlite3_bind_text(statement, 7, store->boot_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, shard__now_ns(store->context) + lease->lease_ms * 1000000);
    sqlite3_bind_int64(statement, 9, shard__wall_ns(store->context) + lease->lease_ms * 1000000);
    return shard__sqlite_run(store, statement, "cannot write a lease");
}

static int forget_operations(struct shard__sqlite_store *store, int64_t run)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FORGET_OPERATIONS, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_int64(statement, 1, run);
    return shard__sqlite_run(store, statement, "cannot write a lease");
}

/* Inside a transaction that nobody else can write beside. */
static int take_lease(struct shard__sqlite_store *store, const struct shard__job *job, struct lease *ret_lease,
                      int64_t *ret_old_epoch)
{
    struct shard__run_row row;
    sqlite3_stmt *statement;
    int status = shard__sqlite_find_run(store, job->run, &row, &statement);
    if (status < 0)
        return status;
    int64_t left_ns = remaining_ns(store, &row, job->owner);
    if (left_ns > 0)
        status = shard__fail_held(store->context, job->run, row.owner, left_ns);
    shard__sqlite_done(statement);
    if (status < 0)
        return status;
    *ret_old_epoch = row.epoch;
    *ret_lease = (struct lease){
        .run = row.id, .epoch = row.epoch + 1, .owner = job->owner, .lease_ms = job->lease_ms, .is_held = 1};
    ret_lease->is_locked = lock(store, row.id, row.epoch + 1);
    store->held[store->held_count++] = (struct shard__held){.run = row.id, .epoch = row.epoch + 1};
    status = write_lease(store, ret_lease);
    return status < 0 ? status : forget_operations(store, row.id);
}

int shard__sqlite_acquire(struct shard__sqlite_store *store, struct shard__job *job)
{
    struct lease lease = {0};
    int64_t old_epoch = 0;
    int status =
        shard__grow(store->context, &store->held, &store->held_capacity, store->held_count + 1, sizeof(*store->held));
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    if (status == 0)
        status = take_lease(store, job, &lease, &old_epoch);
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    shard__sqlite_rollback(store);
    if (status == 0) {
        job->epoch = lease.epoch;
        unlock(store, lease.run, old_epoch);
    } else if (lease.run != 0) {
        unlock(store, lease.run, lease.epoch);
    }
    return status;
}

int shard__sqlite_check_epoch(struct shard__sqlite_store *store, const char *run, int64_t epoch,
                              const struct shard__run_row *row)
{
    if (row->epoch == epoch && row->is_held)
        return 0;
    /* Whoever learns that it is fenced holds nothing any more. */
    unlock(store, row->id, epoch);
    return shard__fail_fenced(run, epoch, row->epoch, row->owner);
}

/* Prolongs a lease, or ends it when `is_held` is 0. */
static int change_lease(struct shard__sqlite_store *store, const struct shard__job *job, int is_held)
{
    struct shard__run_row row = {0};
    sqlite3_stmt *statement;
    int status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    if (status == 0)
        status = shard__sqlite_find_run(store, job->run, &row, &statement);
    if (status == 0) {
        status = shard__sqlite_check_epoch(store, job->run, job->epoch, &row);
        shard__sqlite_done(statement);
    }
    if (status == 0) {
        struct lease lease = {.run = row.id,
                              .epoch = row.epoch,
                              .lease_ms = job->lease_ms,
                              .is_held = is_held,
                              .is_locked = row.is_locked && is_ours(store, row.id, row.epoch)};
        status = write_lease(store, &lease);
    }
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    shard__sqlite_rollback(store);
    if (status == 0 && !is_held)
        unlock(store, row.id, job->epoch);
    return status;
}

int shard__sqlite_renew(struct shard__sqlite_store *store, struct shard__job *job)
{
    return change_lease(store, job, 1);
}

int shard__sqlite_release(struct shard__sqlite_store *store, struct shard__job *job)
{
    return change_lease(store, job, 0);
}
