/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_SUITE_H
#define TEST_STORE_SUITE_H

/*
 * The conformance suite of the store port: what every store must do, whoever wrote it. An adapter fills in a
 * store_subject and calls store_suite_run(). Each check is a function that says what is wrong, so that
 * test_store_mutants.c can ask whether the checks see stores that break one rule.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/store.h>

/** A store under test. */
struct store_subject {
    const char *name;
    /** Opens a handle; every handle of a subject (after prepare) reaches the same data. 0 or a negative code. */
    int (*open)(struct store_subject *subject, shard_context *context, struct shard_store_handle *ret_store);
    /** Before the first open and after the last close of a check; either may be NULL. */
    void (*prepare)(struct store_subject *subject);
    void (*clean)(struct store_subject *subject);
    void *self;
    int shares;      /* several handles may be open at a time, as those of several processes */
    int keeps;       /* what was written is there after a close */
    int keeps_all;   /* the whole history is kept */
    int has_workers; /* give the context an offload hook */
    int bounds_each; /* outcomes are bounded for each host and kind, not over all */
    /** Of time series, set by checks between two opens; 0: the store's own bounds. */
    int64_t keep_samples; /* also outcomes */
    int64_t keep_seconds;
    int64_t
        keep_records; /* of each run; what is more goes by itself, a few hundred at a time; 0: the store's own bound */
};

/** What a check works with: one open handle, a workflow of TASKS tasks, a clock that it can move. */
struct store_fixture {
    struct store_subject *subject;
    shard_context *context;
    shard_workers *workers;
    struct shard_store_handle store;
    shard_sink *sink;
    shard_workflow *workflow;
    int64_t clock_ahead_ns; /* of both clocks */
    shard_token last_token;
    struct shard_answer answer; /* the last one; its image is freed by the next call */
    char problem[512];
};

/** Tells what is wrong, or NULL when all is well. */
typedef const char *(*store_check_fn)(struct store_fixture *fixture);

struct store_check {
    const char *name;
    store_check_fn run;
};

/** All checks; ended by one without a name. */
extern const struct store_check store_checks[];

/** Runs one check on a fresh subject, and tells what is wrong or NULL. Text is valid until the next call. */
const char *store_check_run(const struct store_check *check, struct store_subject *subject);

/** Runs all checks on each subject as a libcheck suite; the exit code for main. */
int store_suite_run(struct store_subject *subjects, int count);

#endif
