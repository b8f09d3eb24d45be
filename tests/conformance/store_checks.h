/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_CHECKS_H
#define TEST_STORE_CHECKS_H

/* The checks of the store suite, one line each: the one list that the suite runs and that mutants are tried against. */

#include "store_fixture.h"

/* Runs and leases: store_checks_lease.c */
#define STORE_LEASE_CHECKS(X)                       \
    X(a_run_is_made_once)                           \
    X(a_run_that_is_not_there_is_told)              \
    X(bad_names_and_leases_are_refused)             \
    X(each_epoch_is_larger_than_the_last)           \
    X(a_lease_that_is_held_is_not_given_to_another) \
    X(a_lease_that_was_given_back_is_free)          \
    X(a_lease_ends_by_its_time)                     \
    X(a_renewed_lease_lasts_longer)                 \
    X(an_old_epoch_can_do_nothing)                  \
    X(an_epoch_that_was_given_back_can_do_nothing)  \
    X(a_lease_of_a_handle_that_was_closed_is_free)  \
    X(a_lease_of_another_handle_is_respected)       \
    X(runs_are_listed_newest_first)

/* Commits: store_checks_commit.c */
#define STORE_COMMIT_CHECKS(X)                      \
    X(bad_records_are_refused)                      \
    X(a_commit_that_does_not_match_changes_nothing) \
    X(a_commit_follows_the_last_record)             \
    X(a_commit_that_is_sent_again_changes_nothing)  \
    X(an_operation_that_failed_may_be_tried_again)  \
    X(operations_of_an_older_epoch_do_not_count)    \
    X(a_task_may_change_often_in_one_commit)        \
    X(runs_do_not_touch_each_other)                 \
    X(a_host_keeps_its_name)                        \
    X(a_revision_keeps_its_detail)                  \
    X(a_large_commit_is_one_commit)

/* Loads: store_checks_load.c */
#define STORE_LOAD_CHECKS(X)                    \
    X(a_new_run_is_empty)                       \
    X(a_run_is_loaded_whole)                    \
    X(rows_keep_all_that_records_said)          \
    X(subtasks_have_rows_of_their_own)          \
    X(the_history_is_loaded_when_asked_for)     \
    X(names_and_details_may_be_odd)             \
    X(an_image_outlives_later_commits)          \
    X(another_handle_sees_what_was_answered)    \
    X(what_was_answered_is_there_after_a_close) \
    X(the_state_of_the_run_is_kept)             \
    X(samples_are_taken)                        \
    X(outcomes_come_back_in_the_order_of_their_starts)

/* Time series: store_checks_series.c */
#define STORE_SERIES_CHECKS(X)                                \
    X(a_history_of_a_host_has_buckets_of_its_samples)         \
    X(a_history_of_a_kind_has_how_attempts_ended)             \
    X(a_history_of_a_task_has_the_samples_it_was_tagged_with) \
    X(a_history_of_what_is_not_known_is_empty)                \
    X(bad_queries_and_series_are_refused)                     \
    X(series_are_bounded_by_age_and_count)                    \
    X(a_large_history_is_read_whole)                          \
    X(a_long_run_keeps_its_newest_records_only)               \
    X(old_records_are_dropped_and_the_run_goes_on)

/* Against a model: store_checks_random.c */
#define STORE_RANDOM_CHECKS(X) X(ten_thousand_random_operations_agree_with_a_model)

#define STORE_CHECKS(X) \
    STORE_LEASE_CHECKS(X) STORE_COMMIT_CHECKS(X) STORE_LOAD_CHECKS(X) STORE_SERIES_CHECKS(X) STORE_RANDOM_CHECKS(X)

#define DECLARE(name) const char *name(struct store_fixture *fixture);
STORE_CHECKS(DECLARE)
#undef DECLARE

#endif
