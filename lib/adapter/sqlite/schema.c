/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema: plain columns that any SQLite client can read, and the steps from each version to the next. A version
 * that is newer than this library's is refused. Values of state, outcome, decision and reason are those of
 * shard/record.h.
 */

#include "sqlite.h"

#include <stdlib.h>

#include "base/error.h"

/* "Shrd"; file(1) and a look at the header tell whose file it is. */
enum { APPLICATION_ID = 0x53687264 };

static const char version_1[] =
    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, workflow_name TEXT NOT NULL, task_count INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',"
    " lease_held INTEGER NOT NULL DEFAULT 0, lease_locked INTEGER NOT NULL DEFAULT 0,"
    " lease_ms INTEGER NOT NULL DEFAULT 0, lease_boot TEXT NOT NULL DEFAULT '',"
    " lease_ends_ns INTEGER NOT NULL DEFAULT 0, lease_ends_wall_ns INTEGER NOT NULL DEFAULT 0) STRICT;"
    /* The native JSON of a run's workflow, cut at ends of lines where it is long. */
    "CREATE TABLE workflows(run INTEGER NOT NULL, part INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY(run, part))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE tasks("
    " key INTEGER PRIMARY KEY, run INTEGER AS (key >> 32) VIRTUAL, task INTEGER AS (key & 4294967295) VIRTUAL,"
    " version INTEGER NOT NULL, attempt INTEGER NOT NULL, host INTEGER NOT NULL, state INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, decision INTEGER NOT NULL, reason INTEGER NOT NULL, p_fail REAL, reason_value REAL,"
    " reason_limit REAL, seconds REAL, parent INTEGER NOT NULL, unit_begin INTEGER NOT NULL,"
    " unit_end INTEGER NOT NULL, time_ns INTEGER NOT NULL, memory_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE failures(key INTEGER NOT NULL, outcome INTEGER NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(key, outcome)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE records("
    " key INTEGER PRIMARY KEY, run INTEGER AS (key >> 40) VIRTUAL, seq INTEGER AS (key & 1099511627775) VIRTUAL,"
    " time_ns INTEGER NOT NULL, type INTEGER NOT NULL, task INTEGER NOT NULL, host INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, version INTEGER NOT NULL, from_state INTEGER NOT NULL, to_state INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, decision INTEGER NOT NULL, reason INTEGER NOT NULL, p_fail REAL, reason_value REAL,"
    " reason_limit REAL, seconds REAL, parent INTEGER NOT NULL, unit_begin INTEGER NOT NULL,"
    " unit_end INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, detail TEXT) STRICT;"
    "CREATE TABLE hosts(run INTEGER NOT NULL, host INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(run, host))"
    " STRICT, WITHOUT ROWID;"
    /* What a commit that is sent again is recognised by: those of the current epoch, the newest 65,536 of them. */
    "CREATE TABLE operations(run INTEGER NOT NULL, operation INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(run, operation)) STRICT, WITHOUT ROWID;"
    /* A ring for each host: `next` is the slot that is written next, of as many as `slots`. */
    "CREATE TABLE sample_hosts(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL,"
    " slots INTEGER NOT NULL) STRICT;"
    "CREATE TABLE samples("
    " key INTEGER PRIMARY KEY, host INTEGER AS (key >> 32) VIRTUAL, time_ns INTEGER NOT NULL, cpu_share REAL,"
    " memory_share REAL, disk_share REAL, io_bytes_per_second REAL, network_bytes_per_second REAL,"
    " cpu_pressure REAL, memory_pressure REAL, io_pressure REAL, load REAL, temperature_celsius REAL) STRICT;";

/* Attempts with the columns that were known of them (32-bit floats of this machine's order), the newest 500,000. */
static const char version_2[] =
    "CREATE TABLE outcomes("
    " id INTEGER PRIMARY KEY, run TEXT NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, task INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, outcome INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,"
    " seconds REAL, p_fail REAL, schema_hash INTEGER NOT NULL, row BLOB NOT NULL) STRICT;";

/* Samples by host and time instead of a ring, so that a range of time is a range of keys; when attempts were on hosts;
 * and outcomes by what a history is of. */
static const char version_3[] =
    "CREATE TABLE series_hosts("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, samples INTEGER NOT NULL, newest_ns INTEGER NOT NULL) STRICT;"
    "CREATE TABLE series("
    " host INTEGER NOT NULL, time_ns INTEGER NOT NULL, cpu_share REAL, memory_share REAL, disk_share REAL,"
    " io_bytes_per_second REAL, network_bytes_per_second REAL, cpu_pressure REAL, memory_pressure REAL,"
    " io_pressure REAL, load REAL, temperature_celsius REAL, PRIMARY KEY(host, time_ns)) STRICT, WITHOUT ROWID;"
    "INSERT OR IGNORE INTO series SELECT key >> 32, time_ns, cpu_share, memory_share, disk_share, io_bytes_per_second,"
    " network_bytes_per_second, cpu_pressure, memory_pressure, io_pressure, load, temperature_celsius FROM samples"
    " WHERE time_ns >= 0;"
    "INSERT INTO series_hosts SELECT id, name, (SELECT count(*) FROM series WHERE host = id),"
    " (SELECT coalesce(max(time_ns), -1) FROM series WHERE host = id) FROM sample_hosts;"
    "DROP TABLE samples;"
    "DROP TABLE sample_hosts;"
    "ALTER TABLE series RENAME TO samples;"
    "ALTER TABLE series_hosts RENAME TO sample_hosts;"
    /* An attempt was on its host from its first tagged sample to its last. */
    "CREATE TABLE spans("
    " run TEXT NOT NULL, task INTEGER NOT NULL, attempt INTEGER NOT NULL, host INTEGER NOT NULL,"
    " first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, PRIMARY KEY(run, task, attempt, host))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX spans_of_hosts ON spans(host, last_ns);"
    "CREATE INDEX outcomes_of_hosts ON outcomes(host, end_ns);"
    "CREATE INDEX outcomes_of_kinds ON outcomes(kind, end_ns);"
    "CREATE INDEX outcomes_of_tasks ON outcomes(run, task, end_ns);";

/* How far the records of a run have been dropped. */
static const char version_4[] = "ALTER TABLE runs ADD COLUMN dropped_seq INTEGER NOT NULL DEFAULT 0;";

/* What of the catalog held when, and for each start which. */
static const char version_5[] =
    "CREATE TABLE revisions(run INTEGER NOT NULL, revision INTEGER NOT NULL, detail TEXT NOT NULL,"
    " PRIMARY KEY(run, revision)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE records ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;";

/* steps[n] leads from version n to n + 1. */
static const char *const steps[] = {version_1, version_2, version_3, version_4, version_5};
enum { NEWEST = sizeof(steps) / sizeof(steps[0]) };

static int keep_integer(void *self, int count, char **values, char **names)
{
    (void)names;
    if (count > 0 && values[0] != NULL)
        *(long long *)self = strtoll(values[0], NULL, 10);
    return 0;
}

static int query(struct shard__sqlite_store *store, const char *sql, long long *ret_value)
{
    int code = sqlite3_exec(store->db, sql, keep_integer, ret_value, NULL);
    return code == SQLITE_OK ? 0 : shard__sqlite_fail(store, code, "cannot be read");
}

/* The schema's version; 0 for a file in which nothing is yet. */
static int find_version(struct shard__sqlite_store *store, long long *ret_version)
{
    long long application = 0, tables = 0, version = 0;
    int status = query(store, "PRAGMA application_id", &application);
    if (status == 0)
        status = query(store, "PRAGMA user_version", &version);
    if (status == 0)
        status = query(store, "SELECT count(*) FROM sqlite_schema", &tables);
    if (status < 0)
        return status;
    if (application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0))
        return shard__fail(SHARD_ECORRUPT, "store '%s': is a database of another program", store->path);
    if (version < 0 || version > NEWEST)
        return shard__fail(SHARD_EVERSION, "store '%s': has version %lld, this library knows versions up to %d",
                           store->path, version, (int)NEWEST);
    *ret_version = version;
    return 0;
}

/* One step, in a transaction of its own; another process may have made it meanwhile. */
static int migrate(struct shard__sqlite_store *store, long long version)
{
    char *pragmas =
        sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %lld", (int)APPLICATION_ID, version + 1);
    if (pragmas == NULL)
        return shard__sqlite_fail(store, SQLITE_NOMEM, "cannot be migrated");
    long long found = version;
    int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db, "PRAGMA user_version", keep_integer, &found, NULL);
    if (code == SQLITE_OK && found == version)
        code = sqlite3_exec(store->db, steps[version], NULL, NULL, NULL);
    if (code == SQLITE_OK && found == version)
        code = sqlite3_exec(store->db, pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    sqlite3_free(pragmas);
    int status = code == SQLITE_OK ? 0 : shard__sqlite_fail(store, code, "cannot be migrated");
    shard__sqlite_rollback(store);
    return status;
}

int shard__sqlite_prepare_schema(struct shard__sqlite_store *store)
{
    long long version = 0;
    int status = find_version(store, &version);
    if (status == 0 && store->is_read_only && version == 0)
        return shard__fail(SHARD_ENOENT, "store '%s': is empty, and cannot be made read only", store->path);
    if (status == 0 && store->is_read_only && version < NEWEST)
        return shard__fail(SHARD_EVERSION, "store '%s': has version %lld; open it once for writing to bring it to %d",
                           store->path, version, (int)NEWEST);
    while (status == 0 && version < NEWEST) {
        status = migrate(store, version);
        if (status == 0)
            status = find_version(store, &version);
    }
    return status;
}
