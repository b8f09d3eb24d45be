/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of all statements, their preparation, and what SQLite's codes mean for a caller. */

#include "sqlite.h"

#include <errno.h>

#include "base/error.h"

static const char *const texts[] = {
    [SHARD__SQL_BEGIN_READ] = "BEGIN",
    [SHARD__SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SHARD__SQL_COMMIT] = "COMMIT",
    [SHARD__SQL_SAVEPOINT] = "SAVEPOINT one",
    [SHARD__SQL_ROLLBACK_TO] = "ROLLBACK TO one",
    [SHARD__SQL_RELEASE] = "RELEASE one",
    [SHARD__SQL_FIND_RUN] =
        "SELECT id, epoch, last_seq, created_ns, lease_ms, lease_ends_ns, lease_ends_wall_ns, owner,"
        " lease_boot, state, lease_held, lease_locked, dropped_seq FROM runs WHERE name = ?1",
    [SHARD__SQL_ADD_RUN] = "INSERT INTO runs(name, workflow_name, task_count, created_ns, updated_ns)"
                           " VALUES(?1, ?2, ?3, ?4, ?4) ON CONFLICT(name) DO NOTHING",
    [SHARD__SQL_ADD_WORKFLOW] = "INSERT INTO workflows(run, part, text) VALUES(?1, ?2, ?3)",
    [SHARD__SQL_GET_WORKFLOW] = "SELECT text FROM workflows WHERE run = ?1 ORDER BY part",
    [SHARD__SQL_SET_LEASE] = "UPDATE runs SET epoch = ?2, owner = coalesce(?3, owner), lease_held = ?4,"
                             " lease_locked = ?5, lease_ms = ?6, lease_boot = ?7, lease_ends_ns = ?8,"
                             " lease_ends_wall_ns = ?9 WHERE id = ?1",
    [SHARD__SQL_FORGET_OPERATIONS] = "DELETE FROM operations WHERE run = ?1",
    [SHARD__SQL_FIND_OPERATION] = "SELECT 1 FROM operations WHERE run = ?1 AND operation = ?2",
    [SHARD__SQL_ADD_OPERATION] = "INSERT INTO operations(run, operation, seq) VALUES(?1, ?2, ?3)",
    [SHARD__SQL_TRIM_OPERATIONS] = "DELETE FROM operations WHERE run = ?1 AND seq <= (SELECT seq FROM operations"
                                   " WHERE run = ?1 ORDER BY seq DESC LIMIT 1 OFFSET 65536)",
    [SHARD__SQL_ADD_RECORD] =
        "INSERT INTO records(key, time_ns, type, task, host, attempt, version, from_state, to_state, outcome,"
        " decision, reason, p_fail, reason_value, reason_limit, seconds, parent, unit_begin, unit_end,"
        " memory_bytes, detail, revision)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
    [SHARD__SQL_ADD_TASK] =
        "INSERT INTO tasks(key, version, attempt, host, state, outcome, decision, reason, p_fail, reason_value,"
        " reason_limit, seconds, parent, unit_begin, unit_end, time_ns, memory_bytes)"
        " VALUES(?1, ?2 + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?15, ?16, ?17, ?13, ?14)"
        " ON CONFLICT(key) DO NOTHING",
    /* What a record does not say is bound as NULL, and keeps what is there (lib/run/record.c). */
    [SHARD__SQL_CHANGE_TASK] =
        "UPDATE tasks SET version = version + 1, attempt = ?3, host = ?4, state = ?5, outcome = coalesce(?6, outcome),"
        " p_fail = iif(?7 IS NULL, p_fail, ?9), reason_value = iif(?7 IS NULL, reason_value, ?10),"
        " reason_limit = iif(?7 IS NULL, reason_limit, ?11), decision = coalesce(?7, decision),"
        " reason = coalesce(?8, reason), seconds = ?12, time_ns = ?13, memory_bytes = coalesce(?14, memory_bytes)"
        " WHERE key = ?1 AND version = ?2 AND state = ?15",
    [SHARD__SQL_FIND_TASK] = "SELECT version, state FROM tasks WHERE key = ?1",
    [SHARD__SQL_COUNT_FAILURE] = "INSERT INTO failures(key, outcome, count) VALUES(?1, ?2, min(?3, 255))"
                                 " ON CONFLICT(key, outcome) DO UPDATE SET count = min(count + ?3, 255)",
    [SHARD__SQL_ADD_HOST] = "INSERT INTO hosts(run, host, name) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [SHARD__SQL_FIND_HOST] = "SELECT name FROM hosts WHERE run = ?1 AND host = ?2",
    [SHARD__SQL_ADD_REVISION] = "INSERT INTO revisions(run, revision, detail) VALUES(?1, ?2, ?3)"
                                " ON CONFLICT DO NOTHING",
    [SHARD__SQL_FIND_REVISION] = "SELECT detail FROM revisions WHERE run = ?1 AND revision = ?2",
    [SHARD__SQL_CHANGE_RUN] =
        "UPDATE runs SET last_seq = ?2, updated_ns = ?3, state = coalesce(?4, state) WHERE id = ?1",
    [SHARD__SQL_GET_TASKS] =
        "SELECT key, version, attempt, host, state, outcome, decision, reason, p_fail, reason_value, reason_limit,"
        " seconds, parent, unit_begin, unit_end, time_ns, memory_bytes FROM tasks WHERE key BETWEEN ?1 AND ?2"
        " ORDER BY key",
    [SHARD__SQL_GET_FAILURES] = "SELECT key, outcome, count FROM failures WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
    [SHARD__SQL_GET_HOSTS] = "SELECT host, name FROM hosts WHERE run = ?1 ORDER BY host",
    [SHARD__SQL_GET_REVISIONS] = "SELECT revision, detail FROM revisions WHERE run = ?1 ORDER BY revision",
    [SHARD__SQL_GET_RECORDS] =
        "SELECT key, time_ns, type, task, host, attempt, version, from_state, to_state, outcome, decision, reason,"
        " p_fail, reason_value, reason_limit, seconds, parent, unit_begin, unit_end, memory_bytes, detail,"
        " revision FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
    [SHARD__SQL_LIST_RUNS] = "SELECT name, workflow_name, owner, state, created_ns, updated_ns, epoch, task_count"
                             " FROM runs ORDER BY id DESC",
    [SHARD__SQL_FIND_SAMPLE_HOST] = "SELECT id, samples, newest_ns FROM sample_hosts WHERE name = ?1",
    [SHARD__SQL_ADD_SAMPLE_HOST] = "INSERT INTO sample_hosts(name, samples, newest_ns) VALUES(?1, 0, -1)",
    [SHARD__SQL_CHANGE_SAMPLE_HOST] = "UPDATE sample_hosts SET samples = ?2, newest_ns = ?3 WHERE id = ?1",
    [SHARD__SQL_CUT_SAMPLES] =
        "DELETE FROM samples WHERE host = ?1 AND time_ns <= (SELECT time_ns FROM samples WHERE host = ?1"
        " ORDER BY time_ns DESC LIMIT 1 OFFSET ?2)",
    [SHARD__SQL_CUT_OLD_SAMPLES] = "DELETE FROM samples WHERE host = ?1 AND time_ns < ?2",
    [SHARD__SQL_CUT_SPANS] = "DELETE FROM spans WHERE host = ?1 AND last_ns <"
                             " (SELECT min(time_ns) FROM samples WHERE host = ?1)",
    [SHARD__SQL_PUT_SAMPLE] =
        "INSERT INTO samples(host, time_ns, cpu_share, memory_share, disk_share, io_bytes_per_second,"
        " network_bytes_per_second, cpu_pressure, memory_pressure, io_pressure, load, temperature_celsius)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SHARD__SQL_PUT_SPAN] = "INSERT INTO spans(run, task, attempt, host, first_ns, last_ns)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO UPDATE SET last_ns = ?5",
    [SHARD__SQL_PUT_OUTCOME] =
        "INSERT INTO outcomes(run, host, kind, task, attempt, outcome, start_ns, end_ns, seconds, p_fail, schema_hash,"
        " row) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SHARD__SQL_CUT_OUTCOMES] = "DELETE FROM outcomes WHERE id <= ?1",
    /* The oldest are looked at a few at a time: what came late keeps what is behind it a little longer. */
    [SHARD__SQL_CUT_OLD_OUTCOMES] =
        "DELETE FROM outcomes WHERE id IN (SELECT id FROM outcomes ORDER BY id LIMIT 256) AND end_ns < ?1",
    [SHARD__SQL_GET_OUTCOMES] =
        "SELECT run, host, kind, task, attempt, outcome, start_ns, end_ns, seconds, p_fail, schema_hash, row"
        " FROM outcomes ORDER BY start_ns, id",
    [SHARD__SQL_DROP_RECORDS] =
        "DELETE FROM records WHERE key IN (SELECT records.key FROM runs JOIN records ON records.key BETWEEN"
        " (runs.id << 40) AND (runs.id << 40) + runs.last_seq - ?1)",
    [SHARD__SQL_MARK_DROPPED] = "UPDATE runs SET dropped_seq = last_seq - ?1 WHERE last_seq - ?1 > dropped_seq",
    [SHARD__SQL_MARK_CUT] = "UPDATE runs SET dropped_seq = min(last_seq - ?2, dropped_seq + ?3)"
                            " WHERE id = ?1 AND last_seq - ?2 > dropped_seq",
    [SHARD__SQL_CUT_RECORDS] = "DELETE FROM records WHERE key BETWEEN ?1 << 40 AND (?1 << 40) +"
                               " (SELECT dropped_seq FROM runs WHERE id = ?1)",
    [SHARD__SQL_DROP_SAMPLES] = "DELETE FROM samples WHERE time_ns < ?1",
    [SHARD__SQL_DROP_SPANS] = "DELETE FROM spans WHERE last_ns < ?1",
    [SHARD__SQL_DROP_OUTCOMES] = "DELETE FROM outcomes WHERE end_ns < ?1",
    [SHARD__SQL_COUNT_SAMPLES] =
        "UPDATE sample_hosts SET samples = (SELECT count(*) FROM samples WHERE host = sample_hosts.id)",
    [SHARD__SQL_COUNT_HELD] = "SELECT count(*), sum(lease_held AND lease_ends_wall_ns > ?1) FROM runs",
    [SHARD__SQL_COUNT_BYTES] = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    [SHARD__SQL_GET_SAMPLES] =
        "SELECT time_ns, cpu_share, memory_share, disk_share, io_bytes_per_second, network_bytes_per_second,"
        " cpu_pressure, memory_pressure, io_pressure, load, temperature_celsius"
        " FROM samples WHERE host = ?1 AND time_ns BETWEEN ?2 AND ?3 ORDER BY time_ns",
    [SHARD__SQL_GET_SPANS] = "SELECT host, first_ns, last_ns FROM spans WHERE run = ?1 AND task = ?2",
    [SHARD__SQL_OUTCOMES_OF_HOST] =
        "SELECT end_ns, outcome, seconds, p_fail FROM outcomes WHERE host = ?1 AND end_ns BETWEEN ?3 AND ?4",
    [SHARD__SQL_OUTCOMES_OF_KIND] =
        "SELECT end_ns, outcome, seconds, p_fail FROM outcomes WHERE kind = ?1 AND end_ns BETWEEN ?3 AND ?4",
    [SHARD__SQL_OUTCOMES_OF_TASK] = "SELECT end_ns, outcome, seconds, p_fail FROM outcomes"
                                    " WHERE run = ?1 AND task = ?2 AND end_ns BETWEEN ?3 AND ?4",
};
_Static_assert(sizeof(texts) / sizeof(texts[0]) == SHARD__STATEMENT_COUNT, "a text for each statement");

static int is_no_space(int system_errno)
{
    return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

static int code_of(int sqlite_code, int system_errno)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return SHARD_ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
        return SHARD_ECORRUPT;
    case SQLITE_ERROR: /* a table or column that is not there */
        return SHARD_ECORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SHARD_EBUSY;
    case SQLITE_NOMEM:
        return SHARD_ENOMEM;
    case SQLITE_TOOBIG:
        return SHARD_ELIMIT;
    default:
        return is_no_space(system_errno) ? SHARD_ENOSPC : SHARD_EIO;
    }
}

int shard__sqlite_fail(struct shard__sqlite_store *store, int sqlite_code, const char *doing)
{
    int extended = store->db == NULL ? sqlite_code : sqlite3_extended_errcode(store->db);
    int system_errno = store->db == NULL ? 0 : sqlite3_system_errno(store->db);
    const char *text = store->db == NULL ? sqlite3_errstr(sqlite_code) : sqlite3_errmsg(store->db);
    if ((extended & 0xff) != (sqlite_code & 0xff))
        text = sqlite3_errstr(sqlite_code);
    int is_about_files = (sqlite_code & 0xff) == SQLITE_IOERR || (sqlite_code & 0xff) == SQLITE_CANTOPEN ||
                         (sqlite_code & 0xff) == SQLITE_FULL;
    int code = code_of(sqlite_code, is_about_files ? system_errno : 0);
    if (is_about_files && system_errno != 0)
        return shard__fail_errno(code, system_errno, "store '%s': %s: %s", store->path, doing, text);
    return shard__fail(code, "store '%s': %s: %s", store->path, doing, text);
}

int shard__sqlite_statement(struct shard__sqlite_store *store, enum shard__statement which,
                            sqlite3_stmt **ret_statement)
{
    sqlite3_stmt **statement = &store->statements[which];
    if (*statement == NULL) {
        int code = sqlite3_prepare_v3(store->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (code != SQLITE_OK)
            return shard__sqlite_fail(store, code, "cannot prepare a statement");
    }
    *ret_statement = *statement;
    return 0;
}

int shard__sqlite_row(struct shard__sqlite_store *store, sqlite3_stmt *statement, const char *doing)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    int status = code == SQLITE_DONE ? 0 : shard__sqlite_fail(store, code, doing);
    sqlite3_reset(statement);
    return status;
}

int shard__sqlite_run(struct shard__sqlite_store *store, sqlite3_stmt *statement, const char *doing)
{
    int status;
    do
        status = shard__sqlite_row(store, statement, doing);
    while (status == 1);
    return status;
}

void shard__sqlite_done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
}

int shard__sqlite_simple(struct shard__sqlite_store *store, enum shard__statement which, const char *doing)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, which, &statement);
    return status < 0 ? status : shard__sqlite_run(store, statement, doing);
}

void shard__sqlite_rollback(struct shard__sqlite_store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

void shard__sqlite_finalize(struct shard__sqlite_store *store)
{
    for (int i = 0; i < SHARD__STATEMENT_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}
