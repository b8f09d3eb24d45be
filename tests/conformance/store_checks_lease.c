/* SPDX-License-Identifier: Apache-2.0 */
/* Rules 1 and 5 of the store port: leases, epochs and fences; and the list of runs. */

#include <string.h>

#include "store_checks.h"

enum { SECOND_NS = 1000000000 };

const char *a_run_is_made_once(struct store_fixture *fixture)
{
    EXPECT_STATUS(store_create(fixture, "a"), 0);
    EXPECT_STATUS(store_create(fixture, "a"), SHARD_EEXIST);
    EXPECT(strstr(fixture->answer.message, "'a'") != NULL, "says '%s'", fixture->answer.message);
    EXPECT_STATUS(store_create(fixture, "b"), 0);
    return NULL;
}

const char *a_run_that_is_not_there_is_told(struct store_fixture *fixture)
{
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_create(fixture, "another"), 0);
    EXPECT_STATUS(store_acquire(fixture, "a", "me"), SHARD_ENOENT);
    EXPECT_STATUS(store_renew(fixture, "a", 1, STORE_LEASE_MS), SHARD_ENOENT);
    EXPECT_STATUS(store_release(fixture, "a", 1), SHARD_ENOENT);
    EXPECT_STATUS(store_commit(fixture, "a", 1, 1, &record, 1), SHARD_ENOENT);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), SHARD_ENOENT);
    EXPECT(strstr(fixture->answer.message, "'a'") != NULL, "says '%s'", fixture->answer.message);
    return NULL;
}

const char *bad_names_and_leases_are_refused(struct store_fixture *fixture)
{
    static char long_name[SHARD_MAX_NAME_BYTES + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    EXPECT_STATUS(store_create(fixture, ""), SHARD_EINVAL);
    EXPECT_STATUS(store_create(fixture, NULL), SHARD_EINVAL);
    EXPECT_STATUS(store_create(fixture, "two\nlines"), SHARD_EINVAL);
    EXPECT_STATUS(store_create(fixture, "\xff"), SHARD_EINVAL);
    EXPECT_STATUS(store_create(fixture, long_name), SHARD_ELIMIT);
    int64_t epoch = store_begin(fixture, long_name + 1, "me");
    EXPECT(epoch > 0, "%s", fixture->answer.message);
    EXPECT_STATUS(store_acquire(fixture, long_name + 1, ""), SHARD_EINVAL);
    EXPECT_STATUS(store_renew(fixture, long_name + 1, epoch, 0), SHARD_EINVAL);
    EXPECT_STATUS(store_renew(fixture, long_name + 1, epoch, -1), SHARD_EINVAL);
    EXPECT_STATUS(store_renew(fixture, long_name + 1, epoch, 1), 0);
    return NULL;
}

const char *each_epoch_is_larger_than_the_last(struct store_fixture *fixture)
{
    int64_t last = store_begin(fixture, "a", "me");
    EXPECT(last > 0, "%s", fixture->answer.message);
    for (int i = 0; i < 6; i++) {
        /* Given back or not: the same owner may take it again, as after a restart. */
        if (i % 2 == 0)
            EXPECT_STATUS(store_release(fixture, "a", last), 0);
        EXPECT_STATUS(store_acquire(fixture, "a", "me"), 0);
        EXPECT(fixture->answer.epoch > last, "epoch %lld after %lld", (long long)fixture->answer.epoch,
               (long long)last);
        last = fixture->answer.epoch;
    }
    return NULL;
}

const char *a_lease_that_is_held_is_not_given_to_another(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT(epoch > 0, "%s", fixture->answer.message);
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), SHARD_EHELD);
    EXPECT(strstr(fixture->answer.message, "'me'") != NULL, "says '%s'", fixture->answer.message);
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    return NULL;
}

const char *a_lease_that_was_given_back_is_free(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_release(fixture, "a", epoch), 0);
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), 0);
    EXPECT(fixture->answer.epoch > epoch, "epoch %lld", (long long)fixture->answer.epoch);
    return NULL;
}

const char *a_lease_ends_by_its_time(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    fixture->clock_ahead_ns += INT64_C(13) * SECOND_NS;
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), SHARD_EHELD);
    fixture->clock_ahead_ns += INT64_C(3) * SECOND_NS;
    /* Over, but nobody took it: the epoch is still the current one. */
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), 0);
    EXPECT(fixture->answer.epoch > epoch, "epoch %lld", (long long)fixture->answer.epoch);
    return NULL;
}

const char *a_renewed_lease_lasts_longer(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    fixture->clock_ahead_ns += INT64_C(10) * SECOND_NS;
    EXPECT_STATUS(store_renew(fixture, "a", epoch, STORE_LEASE_MS), 0);
    fixture->clock_ahead_ns += INT64_C(10) * SECOND_NS;
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), SHARD_EHELD);
    EXPECT_STATUS(store_renew(fixture, "a", epoch, 1000), 0);
    fixture->clock_ahead_ns += INT64_C(2) * SECOND_NS;
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), 0);
    EXPECT_STATUS(store_renew(fixture, "a", epoch, STORE_LEASE_MS), SHARD_EFENCED);
    return NULL;
}

/* No write of `epoch` is taken, and what is stored is as it was. */
static const char *is_fenced(struct store_fixture *fixture, int64_t epoch, int64_t last_seq)
{
    struct shard_record record = store_record(last_seq + 1, 5, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 77, &record, 1), SHARD_EFENCED);
    EXPECT_STATUS(store_renew(fixture, "a", epoch, STORE_LEASE_MS), SHARD_EFENCED);
    EXPECT_STATUS(store_release(fixture, "a", epoch), SHARD_EFENCED);
    EXPECT_STATUS(store_load(fixture, "a", SHARD_LOAD_STATE), 0);
    EXPECT(fixture->answer.image->last_seq == last_seq, "last_seq is %lld", (long long)fixture->answer.image->last_seq);
    EXPECT(store_row(fixture, 5) == NULL, "the row was written");
    return NULL;
}

const char *an_old_epoch_can_do_nothing(struct store_fixture *fixture)
{
    int64_t old = store_begin(fixture, "a", "me");
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_commit(fixture, "a", old, 1, &record, 1), 0);
    fixture->clock_ahead_ns += INT64_C(16) * SECOND_NS;
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), 0);
    int64_t epoch = fixture->answer.epoch;
    EXPECT_WELL(is_fenced(fixture, old, 1));
    EXPECT_WELL(is_fenced(fixture, epoch + 1, 1));
    EXPECT_WELL(is_fenced(fixture, 0, 1));
    /* A resend of what the old epoch has written is refused too: it must learn that it was fenced. */
    EXPECT_STATUS(store_commit(fixture, "a", old, 1, &record, 1), SHARD_EFENCED);
    EXPECT_STATUS(store_acquire(fixture, "a", "third"), SHARD_EHELD);
    EXPECT_STATUS(store_renew(fixture, "a", epoch, STORE_LEASE_MS), 0);
    return NULL;
}

const char *an_epoch_that_was_given_back_can_do_nothing(struct store_fixture *fixture)
{
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_release(fixture, "a", epoch), 0);
    EXPECT_WELL(is_fenced(fixture, epoch, 0));
    return NULL;
}

const char *a_lease_of_a_handle_that_was_closed_is_free(struct store_fixture *fixture)
{
    if (!fixture->subject->keeps)
        return NULL;
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_reopen(fixture), 0);
    EXPECT_STATUS(store_acquire(fixture, "a", "other"), 0);
    EXPECT(fixture->answer.epoch > epoch, "epoch %lld", (long long)fixture->answer.epoch);
    return NULL;
}

static const char *respects(struct store_fixture *fixture, struct store_fixture *other, int64_t epoch)
{
    struct shard_record record = store_record(1, 0, 0, SHARD_TASK_NONE, SHARD_TASK_READY);
    EXPECT_STATUS(store_acquire(other, "a", "other"), SHARD_EHELD);
    /* Nor is a name enough: it is the same only within one handle. */
    EXPECT_STATUS(store_acquire(other, "a", "me"), SHARD_EHELD);
    fixture->clock_ahead_ns += INT64_C(16) * SECOND_NS;
    EXPECT_STATUS(store_acquire(other, "a", "other"), 0);
    int64_t newer = other->answer.epoch;
    EXPECT(newer > epoch, "epoch %lld after %lld", (long long)newer, (long long)epoch);
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), SHARD_EFENCED);
    EXPECT_STATUS(store_acquire(fixture, "a", "me"), SHARD_EHELD);
    EXPECT_STATUS(store_commit(other, "a", newer, 1, &record, 1), 0);
    EXPECT_STATUS(store_release(other, "a", newer), 0);
    EXPECT_STATUS(store_acquire(fixture, "a", "me"), 0);
    return NULL;
}

const char *a_lease_of_another_handle_is_respected(struct store_fixture *fixture)
{
    struct store_fixture other;
    if (!fixture->subject->shares)
        return NULL;
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_open_another(fixture, &other), 0);
    const char *problem = respects(fixture, &other, epoch);
    store_close_another(&other);
    return problem;
}

struct seen {
    char names[8][16];
    int count;
    int stop_after;
    struct shard_run_summary last;
    char owner[32];
    char workflow[64];
};

static int see(void *self, const struct shard_run_summary *run)
{
    struct seen *seen = self;
    strncpy(seen->names[seen->count], run->name, sizeof(seen->names[0]) - 1);
    strncpy(seen->owner, run->owner, sizeof(seen->owner) - 1);
    strncpy(seen->workflow, run->workflow_name, sizeof(seen->workflow) - 1);
    seen->last = *run;
    return ++seen->count == seen->stop_after;
}

const char *runs_are_listed_newest_first(struct store_fixture *fixture)
{
    struct seen seen = {.count = 0};
    EXPECT_STATUS(fixture->store.port->list(fixture->store.self, see, &seen), 0);
    EXPECT(seen.count == 0, "%d runs in an empty store", seen.count);
    int64_t epoch = store_begin(fixture, "a", "me");
    EXPECT_STATUS(store_create(fixture, "b"), 0);
    EXPECT_STATUS(store_create(fixture, "c"), 0);
    struct shard_record record = {.seq = 1, .time_ns = 2000, .type = SHARD_RECORD_RUN, .to = SHARD_RUN_SUSPENDED};
    EXPECT_STATUS(store_commit(fixture, "a", epoch, 1, &record, 1), 0);
    EXPECT_STATUS(fixture->store.port->list(fixture->store.self, see, &seen), 0);
    EXPECT(seen.count == 3 && strcmp(seen.names[0], "c") == 0 && strcmp(seen.names[1], "b") == 0 &&
               strcmp(seen.names[2], "a") == 0,
           "%d runs: %s %s %s", seen.count, seen.names[0], seen.names[1], seen.names[2]);
    EXPECT(strcmp(seen.owner, "me") == 0 && strcmp(seen.workflow, "flow \"of\" work") == 0, "'%s', '%s'", seen.owner,
           seen.workflow);
    EXPECT(seen.last.state == SHARD_RUN_SUSPENDED && seen.last.epoch == epoch && seen.last.task_count == STORE_TASKS &&
               seen.last.created_ns == 1000 && seen.last.updated_ns == 2000,
           "summary of 'a' is wrong: state %d, epoch %lld, tasks %d, updated %lld", (int)seen.last.state,
           (long long)seen.last.epoch, seen.last.task_count, (long long)seen.last.updated_ns);
    seen = (struct seen){.stop_after = 2};
    EXPECT_STATUS(fixture->store.port->list(fixture->store.self, see, &seen), 0);
    EXPECT(seen.count == 2, "went on to %d", seen.count);
    return NULL;
}
