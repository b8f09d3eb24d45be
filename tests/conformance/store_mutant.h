/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_MUTANT_H
#define TEST_STORE_MUTANT_H

/* The memory store behind a port that breaks one rule. */

#include "store_suite.h"

/* What is broken, and the check that must see it. */
#define STORE_MUTATIONS(X)                                                        \
    X(NOTHING, NULL)                                                              \
    X(ANSWERS_TWICE, "a_run_is_made_once")                                        \
    X(MAKES_A_RUN_TWICE, "a_run_is_made_once")                                    \
    X(RENEWS_WHAT_IS_NOT_THERE, "a_run_that_is_not_there_is_told")                \
    X(TAKES_BAD_NAMES, "bad_names_and_leases_are_refused")                        \
    X(REPEATS_EPOCHS, "each_epoch_is_larger_than_the_last")                       \
    X(GIVES_HELD_LEASES, "a_lease_that_is_held_is_not_given_to_another")          \
    X(RELEASES_NOTHING, "a_lease_that_was_given_back_is_free")                    \
    X(NEVER_ENDS_A_LEASE, "a_lease_ends_by_its_time")                             \
    X(RENEWS_NOTHING, "a_renewed_lease_lasts_longer")                             \
    X(WRITES_FOR_OLD_EPOCHS, "an_old_epoch_can_do_nothing")                       \
    X(RELEASES_FOR_OLD_EPOCHS, "an_old_epoch_can_do_nothing")                     \
    X(WRITES_AFTER_RELEASE, "an_epoch_that_was_given_back_can_do_nothing")        \
    X(LISTS_OLDEST_FIRST, "runs_are_listed_newest_first")                         \
    X(LISTS_ON_AND_ON, "runs_are_listed_newest_first")                            \
    X(TAKES_BAD_RECORDS, "bad_records_are_refused")                               \
    X(IGNORES_VERSIONS, "a_commit_that_does_not_match_changes_nothing")           \
    X(WRITES_HALF_COMMITS, "a_commit_that_does_not_match_changes_nothing")        \
    X(IGNORES_GAPS, "a_commit_follows_the_last_record")                           \
    X(FORGETS_OPERATIONS, "a_commit_that_is_sent_again_changes_nothing")          \
    X(REMEMBERS_FAILURES, "an_operation_that_failed_may_be_tried_again")          \
    X(REMEMBERS_OLD_EPOCHS, "operations_of_an_older_epoch_do_not_count")          \
    X(RENAMES_HOSTS, "a_host_keeps_its_name")                                     \
    X(SPLITS_LARGE_COMMITS, "a_large_commit_is_one_commit")                       \
    X(LOSES_A_COMMIT, "a_run_is_loaded_whole")                                    \
    X(LOADS_NO_LAST_ROW, "a_run_is_loaded_whole")                                 \
    X(LOADS_IN_ANY_ORDER, "a_run_is_loaded_whole")                                \
    X(LOADS_NO_LAST_SEQ, "a_run_is_loaded_whole")                                 \
    X(LOADS_A_START, "a_new_run_is_empty")                                        \
    X(LOADS_NO_FAILURES, "rows_keep_all_that_records_said")                       \
    X(LOADS_NO_MEMORY, "rows_keep_all_that_records_said")                         \
    X(LOADS_NO_PARENTS, "subtasks_have_rows_of_their_own")                        \
    X(LOADS_NO_HOSTS, "names_and_details_may_be_odd")                             \
    X(LOADS_DETAILS_AS_STRINGS, "names_and_details_may_be_odd")                   \
    X(LOADS_OTHER_RECORDS, "the_history_is_loaded_when_asked_for")                \
    X(LOADS_ONE_STATE, "the_state_of_the_run_is_kept")                            \
    X(MIXES_CASES, "names_and_details_may_be_odd")                                \
    X(SHARES_IMAGES, "an_image_outlives_later_commits")                           \
    X(DROPS_TAGS, "a_history_of_a_task_has_the_samples_it_was_tagged_with")       \
    X(TAGS_ALL_SAMPLES, "a_history_of_a_task_has_the_samples_it_was_tagged_with") \
    X(ROUNDS_TIMES, "a_history_of_a_host_has_buckets_of_its_samples")             \
    X(IGNORES_BUCKETS, "a_history_of_a_host_has_buckets_of_its_samples")          \
    X(COUNTS_CENSORED, "a_history_of_a_kind_has_how_attempts_ended")              \
    X(TAKES_BAD_QUERIES, "bad_queries_and_series_are_refused")                    \
    X(KEEPS_EVERYTHING, "series_are_bounded_by_age_and_count")                    \
    X(STEALS_AFTER_A_WHILE, "ten_thousand_random_operations_agree_with_a_model")

enum store_mutation {
#define ENUMERATE(name, check) name,
    STORE_MUTATIONS(ENUMERATE)
#undef ENUMERATE
        STORE_MUTATION_COUNT
};

/** Opens the memory store with a mutation, and the bounds of the subject. */
int store_mutant_open(const struct store_subject *subject, shard_context *context, enum store_mutation mutation,
                      struct shard_store_handle *ret_store);

#endif
