/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: what kind of file it is, whether it is whole, how SQLite is to treat it. And closing. */

#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"

enum { DEFAULT_KEEP_SAMPLES = 100000, DEFAULT_BUSY_TIMEOUT_MS = 10000 };

/*
 * How much of a file is checked when it is opened: all of it and its indexes up to a size at which that takes a moment,
 * then its structure. Of a file beyond the second size SQLite checks the length only, and each page when it reads it.
 */
enum { FULL_CHECK_BYTES = 16 << 20, QUICK_CHECK_BYTES = 256 << 20 };

/* Refuses what SQLite would report with few words: directories, other formats, a beginning of a file. */
static int check_file(const struct shard__sqlite_store *store, int64_t *ret_bytes)
{
    static const char magic[] = "SQLite format 3";
    char header[100];
    struct stat info;
    *ret_bytes = 0;
    if (stat(store->real_path, &info) != 0) {
        if (errno != ENOENT)
            return shard__fail_errno(SHARD_EIO, errno, "store '%s': cannot be looked at", store->path);
        if (store->is_read_only)
            return shard__fail(SHARD_ENOENT, "store '%s': is not there", store->path);
        return 0;
    }
    if (!S_ISREG(info.st_mode))
        return shard__fail(SHARD_EIO, "store '%s': is not a regular file", store->path);
    *ret_bytes = info.st_size;
    if (info.st_size == 0)
        return 0;
    int fd = open(store->real_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return shard__fail_errno(SHARD_EIO, errno, "store '%s': cannot be opened", store->path);
    ssize_t bytes = read(fd, header, sizeof(header));
    int error = errno;
    close(fd);
    if (bytes < 0)
        return shard__fail_errno(SHARD_EIO, error, "store '%s': cannot be read", store->path);
    size_t known = (size_t)bytes < sizeof(magic) ? (size_t)bytes : sizeof(magic);
    if (memcmp(header, magic, known) != 0)
        return shard__fail(SHARD_ECORRUPT, "store '%s': is not a database", store->path);
    if (bytes < (ssize_t)sizeof(header))
        return shard__fail(SHARD_ECORRUPT, "store '%s': is truncated (it has %zd bytes)", store->path, bytes);
    return 0;
}

static int keep_first(void *self, int count, char **values, char **names)
{
    char *first = self;
    (void)names;
    if (count > 0 && values[0] != NULL && first[0] == '\0')
        snprintf(first, 256, "%s", values[0]);
    return 0;
}

static int check_content(struct shard__sqlite_store *store, int64_t bytes)
{
    char first[256] = "";
    if (bytes == 0 || bytes > QUICK_CHECK_BYTES)
        return 0;
    const char *sql = bytes <= FULL_CHECK_BYTES ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)";
    int code = sqlite3_exec(store->db, sql, keep_first, first, NULL);
    if (code != SQLITE_OK)
        return shard__sqlite_fail(store, code, "cannot be checked");
    if (strcmp(first, "ok") != 0)
        return shard__fail(SHARD_ECORRUPT, "store '%s': is damaged: %s", store->path, first);
    return 0;
}

/* The change to WAL takes the file alone for a moment, and SQLite does not wait for that by itself. */
static int set_wal(struct shard__sqlite_store *store)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    char mode[256] = "";
    int code = SQLITE_OK;
    for (int waited_ms = 0; waited_ms <= store->busy_timeout_ms; waited_ms += 10) {
        code = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", keep_first, mode, NULL);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
            break;
        nanosleep(&pause, NULL);
    }
    if (code != SQLITE_OK)
        return shard__sqlite_fail(store, code, "cannot be opened for writing");
    if (strcmp(mode, "wal") != 0)
        return shard__fail(SHARD_EIO, "store '%s': has journal mode '%s', and WAL is not to be had here", store->path,
                           mode);
    return 0;
}

static int configure(struct shard__sqlite_store *store)
{
    /* The file may come from anywhere: its schema is no program of ours. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, store->busy_timeout_ms);
    int code = sqlite3_exec(store->db,
                            "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768;"
                            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;",
                            NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : shard__sqlite_fail(store, code, "cannot be opened");
}

static int open_db(struct shard__sqlite_store *store, int is_immutable)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    char *uri = NULL;
    flags |= store->is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (is_immutable) {
        uri = sqlite3_mprintf("file:");
        /* Percent-encoded: a path may have any byte. */
        for (const unsigned char *c = (const unsigned char *)store->real_path; uri != NULL && *c != '\0'; c++) {
            char *longer = sqlite3_mprintf("%z%%%02X", uri, *c);
            uri = longer;
        }
        uri = uri == NULL ? NULL : sqlite3_mprintf("%z?immutable=1", uri);
        if (uri == NULL)
            return shard__sqlite_fail(store, SQLITE_NOMEM, "cannot be opened");
        flags |= SQLITE_OPEN_URI;
    }
    int code = sqlite3_open_v2(uri == NULL ? store->real_path : uri, &store->db, flags, NULL);
    sqlite3_free(uri);
    if (code != SQLITE_OK)
        return shard__sqlite_fail(store, code, "cannot be opened");
    if (!store->is_read_only && sqlite3_db_readonly(store->db, "main") == 1)
        return shard__fail_errno(SHARD_EIO, EROFS, "store '%s': cannot be written", store->path);
    return configure(store);
}

static int open_for_reading(struct shard__sqlite_store *store, int64_t bytes)
{
    int status = open_db(store, 0);
    if (status == 0)
        status = check_content(store, bytes);
    if (status == SHARD_EIO) {
        /* Where nothing can be written, not even a reader's lock, a file that has no WAL is as it will stay. */
        char *wal = sqlite3_mprintf("%s-wal", store->real_path);
        struct stat info;
        int has_wal = wal == NULL || (stat(wal, &info) == 0 && info.st_size > 0);
        sqlite3_free(wal);
        if (has_wal)
            return status;
        sqlite3_close(store->db);
        store->db = NULL;
        status = open_db(store, 1);
        if (status == 0)
            status = check_content(store, bytes);
    }
    return status == 0 ? shard__sqlite_prepare_schema(store) : status;
}

static int open_for_writing(struct shard__sqlite_store *store, int64_t bytes)
{
    int status = open_db(store, 0);
    if (status == 0)
        status = check_content(store, bytes);
    if (status == 0)
        status = set_wal(store);
    if (status == 0)
        status = shard__sqlite_prepare_schema(store);
    return status == 0 ? shard__sqlite_open_leases(store) : status;
}

/* Relative paths begin with "./" for SQLite, which gives ":memory:" and "file:" a meaning. */
static int keep_paths(struct shard__sqlite_store *store, const char *path)
{
    store->path = shard__strdup(store->context, path);
    size_t size = strlen(path) + 3;
    char *real = shard__realloc(store->context, NULL, 0, size);
    if (real != NULL) {
        snprintf(real, size, "%s%s", path[0] == '/' ? "" : "./", path);
        store->real_path = shard__strdup(store->context, real);
        shard__release(store->context, real, size);
    }
    return store->path == NULL || store->real_path == NULL ? SHARD_ENOMEM : 0;
}

void shard__sqlite_close(void *self)
{
    struct shard__sqlite_store *store = self;
    shard_context *context = store->context;
    /*
     * In a child after a fork the connection is the parent's: closing it could damage the file, and a lock may be held
     * that nobody will give back. The child lets go of the lease file, and leaves the memory alone.
     */
    if (store->pid != getpid()) {
        if (store->lease_fd >= 0)
            close(store->lease_fd);
        return;
    }
    shard__sqlite_wait_idle(store);
    shard__sqlite_finalize(store);
    sqlite3_close(store->db);
    shard__sqlite_close_leases(store);
    pthread_cond_destroy(&store->is_idle);
    pthread_mutex_destroy(&store->db_mutex);
    pthread_mutex_destroy(&store->mutex);
    shard__strfree(context, store->path);
    shard__strfree(context, store->real_path);
    shard__release(context, store, sizeof(*store));
}

static int check_config(const struct shard_sqlite_store_config *theirs, struct shard_sqlite_store_config *ret_config)
{
    int status = shard__take_struct(ret_config, sizeof(*ret_config), theirs, "sqlite store config");
    if (status < 0)
        return status;
    if (ret_config->path == NULL || ret_config->path[0] == '\0')
        return shard__fail(SHARD_EINVAL, "sqlite store: path is missing");
    if (ret_config->busy_timeout_ms < 0)
        return shard__fail(SHARD_EINVAL, "sqlite store: busy_timeout_ms is out of range");
    if (ret_config->busy_timeout_ms == 0)
        ret_config->busy_timeout_ms = DEFAULT_BUSY_TIMEOUT_MS;
    return 0;
}

int shard_sqlite_store_open(shard_context *context, const struct shard_sqlite_store_config *theirs,
                            struct shard_store_handle *ret_store)
{
    shard__clear_error();
    struct shard_sqlite_store_config config;
    struct shard__keep keep;
    int64_t bytes = 0;
    int status = check_config(theirs, &config);
    if (status == 0)
        status = shard__check_keep("sqlite store", config.keep_samples, config.keep_seconds, config.keep_outcomes,
                                   config.keep_outcome_seconds, config.keep_records, &keep);
    if (status < 0)
        return status;
    struct shard__sqlite_store *store = shard__zalloc(context, sizeof(*store));
    if (store == NULL)
        return SHARD_ENOMEM;
    store->context = context;
    store->is_read_only = config.read_only != 0;
    store->keep = keep;
    store->busy_timeout_ms = config.busy_timeout_ms;
    store->pid = getpid();
    store->lease_fd = -1;
    store->end = &store->first;
    store->end_samples = &store->first_samples;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_mutex_init(&store->db_mutex, NULL);
    pthread_cond_init(&store->is_idle, NULL);
    status = keep_paths(store, config.path);
    if (status == 0)
        status = check_file(store, &bytes);
    if (status == 0)
        status = store->is_read_only ? open_for_reading(store, bytes) : open_for_writing(store, bytes);
    if (status < 0) {
        shard__sqlite_close(store);
        return status;
    }
    *ret_store = (struct shard_store_handle){.port = &shard__sqlite_port, .self = store};
    return 0;
}
