/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

/* What the checks of the store suite are written with: calls that wait for their answer, and records. */

#include "store_suite.h"

enum { STORE_TASKS = 40, STORE_LEASE_MS = 15000 };

/** Leaves a check with a problem unless the condition holds. Needs a `fixture` in sight. */
#define EXPECT(condition, ...)                                                \
    do {                                                                      \
        if (!(condition))                                                     \
            return store_problem(fixture, __LINE__, #condition, __VA_ARGS__); \
    } while (0)

/** Leaves a check unless a call was answered with the code. */
#define EXPECT_STATUS(call, code)                                                                         \
    do {                                                                                                  \
        int got_ = (call);                                                                                \
        if (got_ != (code))                                                                               \
            return store_problem(fixture, __LINE__, #call, "%s (%s), expected %s", shard_code_text(got_), \
                                 fixture->answer.message, shard_code_text(code));                         \
    } while (0)

/** Leaves a check when another piece of it has a problem. */
#define EXPECT_WELL(piece)              \
    do {                                \
        const char *problem_ = (piece); \
        if (problem_ != NULL)           \
            return problem_;            \
    } while (0)

const char *store_problem(struct store_fixture *fixture, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Calls of the port that wait for the one answer, and give its status; the rest of it is in fixture->answer. */
int store_create(struct store_fixture *fixture, const char *run);
int store_acquire(struct store_fixture *fixture, const char *run, const char *owner);
int store_renew(struct store_fixture *fixture, const char *run, int64_t epoch, int64_t lease_ms);
int store_release(struct store_fixture *fixture, const char *run, int64_t epoch);
int store_commit(struct store_fixture *fixture, const char *run, int64_t epoch, uint64_t operation,
                 const struct shard_record *records, int32_t count);
int store_load(struct store_fixture *fixture, const char *run, enum shard_load_flags flags);

/** What the answer to a call is; for calls that the functions above do not make. `returned` is what the call gave. */
int store_wait(struct store_fixture *fixture, shard_token token, int returned);

/** Makes a run and takes its lease: the epoch, or a negative code. */
int64_t store_begin(struct store_fixture *fixture, const char *run, const char *owner);

/** Opens a handle besides the fixture's, as another process would; shares context and sink. */
int store_open_another(struct store_fixture *fixture, struct store_fixture *ret_other);
void store_close_another(struct store_fixture *other);

/** Closes and opens the fixture's handle. */
int store_reopen(struct store_fixture *fixture);

/** A transition with plain values; version 0 is from NONE. */
struct shard_record store_record(int64_t seq, shard_task_id task, uint32_t version, int from, int to);

/** The whole life of a task in one commit: ready, running, done. Three records from `seq`. */
void store_life(struct shard_record records[3], int64_t seq, shard_task_id task);

/** Compares two rows, two records (with details), but for the payload of a NaN. 1 when they are the same. */
int store_same_row(const struct shard_task_row *a, const struct shard_task_row *b);
int store_same_record(const struct shard_record *a, const struct shard_record *b);

/** The row of a task in the image of the last answer; NULL when it is not there. */
const struct shard_task_row *store_row(const struct store_fixture *fixture, shard_task_id task);

#endif
